"""The hook that shops name in their .pre-commit-config.yaml checks rules as the command does."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sysconfig
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).parent.parent
BROKEN = "rules: {a: {while: {product.stok: 0}, do: [hide]}}\n"


@pytest.fixture
def hook() -> dict[str, Any]:
    """The one hook. Any: whatever YAML says."""
    (found,) = YAML(typ="safe").load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
    assert isinstance(found, dict)
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A repository of a shop: rules and nothing else."""
    shutil.copytree(ROOT / "rules", tmp_path / "rules")
    return tmp_path


def run(hook: dict[str, Any], folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the hook as pre-commit does: the entry without a shell, where its package is installed, in the folder."""
    path = os.pathsep.join([sysconfig.get_path("scripts"), os.environ["PATH"]])
    entry = [*shlex.split(hook["entry"]), *hook.get("args", [])]
    command = shutil.which(entry[0], path=path)
    assert command is not None
    environment = {"PATH": path, "PYTHONWARNINGS": "error"}
    return subprocess.run(
        [command, *entry[1:]], cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=60
    )


def test_the_hook_has_what_pre_commit_asks_for(hook: dict[str, Any]) -> None:
    assert hook["id"] == "rules-engine-check"
    assert hook["language"] == "python"
    assert hook["name"]
    assert hook["pass_filenames"] is False, "a rule may use what another file says"


def test_sound_rules_pass(hook: dict[str, Any], folder: Path) -> None:
    done = run(hook, folder)
    assert done.returncode == 0, done.stdout + done.stderr
    assert sorted(path.name for path in folder.iterdir()) == ["rules"]


def test_wrong_rules_are_refused_with_their_place(hook: dict[str, Any], folder: Path) -> None:
    (folder / "rules" / "broken.yaml").write_text(BROKEN)
    done = run(hook, folder)
    assert done.returncode == 1
    assert "rules/broken.yaml:1:" in done.stdout


@pytest.mark.parametrize(
    ("file", "is_checked"),
    [
        ("rules/featured.yaml", True),
        ("rules/tests/featured.yml", True),
        ("rules/stores.yaml", True),
        ("rules/notes.txt", False),
        ("docs/rules/featured.yaml", False),
    ],
)
def test_it_runs_when_a_file_of_rules_changes(hook: dict[str, Any], file: str, is_checked: bool) -> None:
    assert bool(re.search(hook["files"], file)) is is_checked
