"""Reading rule and store files from disk, as text with the path that messages name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from rules_engine.core.errors import RulebookError
from rules_engine.core.problem import Place, Problem

from .yaml import MAX_BYTES

_NOT_RULES = frozenset({"tests", "library"})


def read_rule_texts(folder: Path) -> dict[str, str]:
    """The rule files below a folder: `rules/featured.yaml` → text, sorted by path.

    Left out are stores.yaml, and the folders `tests` and `library`. Raises `RulebookError` for a folder that is not
    there, and with every file that cannot be read.
    """
    root = folder.resolve()
    if not root.is_dir():
        raise RulebookError([_problem(str(folder), "no-such-folder", "there is no folder of rules here")])
    return _texts(root, sorted(_rule_files(root)))


def read_test_texts(folder: Path) -> dict[str, str]:
    """The files of tests for the rules in a folder: `rules/tests/featured.yaml` → text, sorted by path.

    Nothing without a folder `tests`. Raises `RulebookError` with every file that cannot be read.
    """
    root = folder.resolve()
    return _texts(root, sorted(_yaml_files(root / "tests", inside=root)))


def _texts(root: Path, files: Iterable[Path]) -> dict[str, str]:
    """The texts of files below a folder, by the path that messages name. Raises `RulebookError`."""
    texts: dict[str, str] = {}
    problems: list[Problem] = []
    for file in files:
        shown = f"{root.name}/{file.relative_to(root).as_posix()}"
        try:
            texts[shown] = read_text(file, shown_as=shown)
        except RulebookError as error:
            problems.extend(error.problems)
    if problems:
        raise RulebookError(problems)
    return dict(sorted(texts.items()))


def read_text(file: Path, *, shown_as: str | None = None) -> str:
    """The text of one file, UTF-8. Raises `RulebookError` if it is not there, not text, or larger than 1 MiB."""
    shown = shown_as or str(file)
    try:
        with file.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except OSError as error:
        said = f"the file cannot be read: {error.strerror or type(error).__name__}"
        raise RulebookError([_problem(shown, "unreadable-file", said)]) from error
    if len(content) > MAX_BYTES:
        raise RulebookError([_problem(shown, "too-large", "the file is larger than 1 MiB", "split it")])
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line, start = content.count(b"\n", 0, error.start) + 1, content.rfind(b"\n", 0, error.start) + 1
        said = "the file is not saved as UTF-8: this sign cannot be read"
        advice = 'in your editor choose "Save as" or "Save with encoding", and there UTF-8'
        place = Place(shown, line, len(content[start : error.start].decode("utf-8-sig")) + 1)
        raise RulebookError([Problem(place, "not-utf-8", said, help=advice)]) from error


def _rule_files(root: Path) -> Iterator[Path]:
    for file in _yaml_files(root, inside=root):
        parts = file.relative_to(root).parts
        if parts[0] not in _NOT_RULES and parts != ("stores.yaml",):
            yield file


def _yaml_files(folder: Path, *, inside: Path) -> Iterator[Path]:
    """The YAML files below a folder, without the hidden ones."""
    for file in folder.rglob("*"):
        is_hidden = any(part.startswith(".") for part in file.relative_to(inside).parts)
        if file.suffix in {".yaml", ".yml"} and file.is_file() and not is_hidden:
            yield file


def _problem(path: str, code: str, message: str, advice: str = "", line: int = 1) -> Problem:
    return Problem(Place(path, line, 1), code, message, help=advice)
