"""The wrong rule files of tests/rulebook/wrong, and what `rules-engine check` finds in each.

Run as a program, it writes the expected texts anew: `.venv/bin/python tests/wrong_files.py`.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from rules_engine.core.errors import RulebookError
from rules_engine.core.problem import Problem
from rules_engine.core.store import StoresFile
from rules_engine.rulebook import compile_rulebook, load_stores, read_text
from rules_engine.vendors import VENDORS

WRONG = Path(__file__).parent / "rulebook" / "wrong"
FILES = sorted(path for path in WRONG.glob("*.yaml") if "." not in path.stem and path.name != "stores.yaml")
FIXED = sorted(WRONG.glob("*.fixed.yaml"))


@cache
def stores() -> StoresFile:
    return read_stores(WRONG / "stores.yaml")


def read_stores(path: Path) -> StoresFile:
    text = read_text(path, shown_as=f"rules/{path.name}")
    return load_stores(text, path=f"rules/{path.name}", vendors=VENDORS, environment=None)


@cache  # several tests ask about each
def problems_of(path: Path) -> tuple[Problem, ...]:
    """What `rules-engine check` finds in a file."""
    shown = f"rules/{path.name}"
    try:
        if path.name.startswith("stores-"):
            read_stores(path)
            return ()
        known = stores()
        told = [target.name for target in known.notify]
        beside = path.with_name(f"{path.name.partition('.')[0]}.beside.yaml")
        texts = {shown: read_text(path, shown_as=shown)}
        if beside.exists():
            texts |= {"rules/a.yaml": read_text(beside)}
        return compile_rulebook(texts, stores=known.stores, vendors=VENDORS, notify=told).warnings
    except RulebookError as error:
        return tuple(error.problems)


def said_of(path: Path) -> str:
    return "".join(f"{problem.render()}\n" for problem in problems_of(path))


if __name__ == "__main__":
    for file in FILES:
        file.with_suffix(".txt").write_text(said_of(file), encoding="utf-8")
