"""Rule files as they were at a revision of git; git is only asked, never told."""

from __future__ import annotations

import subprocess  # git itself knows best what a revision is
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

from rules_engine.core.errors import SettingsError
from rules_engine.rulebook import read_rule_texts

PATIENCE = 60.0
"""Seconds that git may take for one question."""


def rules_at_revision(folder: Path, revision: str) -> dict[str, str]:
    """The rule files below `folder` at a git revision (`main`, `HEAD~1`, `v1.2`): path → text, as on disk.

    Raises `SettingsError` when there is no git, no repository, no such revision, or no rule files at it, and
    `RulebookError` for files that cannot be read.
    """
    root = folder.resolve()
    if revision.startswith("-") or not revision.strip() or "\0" in revision:
        raise SettingsError(f"{revision!r} is no folder, no rulebook that ran, and no git revision.")
    if not root.is_dir():
        raise SettingsError(f"RULES names {folder}, which is no folder: set it to the folder of the rule files.")
    if _ask(root, "rev-parse", "--is-inside-work-tree") is None:
        raise SettingsError(
            f"{revision!r} is no folder and no rulebook that ran, and {folder} is not in a git repository: name one "
            "of them."
        )
    commit = _ask(root, "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}")
    if commit is None:
        raise SettingsError(
            f"{revision!r} is no folder, no rulebook that ran, and no revision that git knows here: `git log` lists "
            "revisions; fetch it first if it is on a server."
        )
    sha = commit.decode().strip()
    with TemporaryDirectory(prefix="rules-engine-") as place:
        copy = Path(place) / (root.name or "rules")
        copy.mkdir()
        for name in _rule_files(root, sha):
            content = _ask(root, "show", f"{sha}:./{name}")
            target = copy.joinpath(*PurePosixPath(name).parts)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content or b"")
        texts = read_rule_texts(copy)
    if not texts:
        raise SettingsError(f"There were no rule files in {folder} at {revision}.")
    return texts


def _rule_files(root: Path, commit: str) -> list[str]:
    """The YAML files below the folder at this commit, apart from symbolic links, which lead out of it."""
    listed = _ask(root, "ls-tree", "-r", "-z", commit, "--", ".") or b""
    found = []
    for entry in listed.decode("utf-8", "surrogateescape").split("\0"):
        mode_and_kind, _, name = entry.partition("\t")
        if name.endswith((".yaml", ".yml")) and mode_and_kind.startswith("100"):
            found.append(name)
    return found


def _ask(root: Path, *question: str) -> bytes | None:
    """What git answers, or None when it says no. Raises `SettingsError` when there is no git."""
    try:
        done = subprocess.run(  # noqa: S603  # no shell, and a revision that begins with - is refused
            ["git", "-C", str(root), *question],  # noqa: S607  # whichever git the person uses
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=PATIENCE,
            check=False,
        )
    except FileNotFoundError:
        raise SettingsError("git is not installed: name a folder or the hash of a rulebook that ran instead.") from None
    except subprocess.TimeoutExpired:
        raise SettingsError(f"git did not answer within {PATIENCE:.0f} seconds.") from None
    return done.stdout if done.returncode == 0 else None
