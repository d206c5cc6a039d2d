"""Wrong rule files, one mistake each, and what their writers are told: wrong/NAME.yaml and beside it NAME.txt.

Each is read as `rules/NAME.yaml` for the stores of wrong/stores.yaml; one named `stores-…` is read in the place of
stores.yaml itself, and NAME.beside.yaml is another file of the same rulebook. NAME.fixed.yaml is the file after doing
what the help says, and nothing is wrong with it.
After a change of wording, write the expected texts anew, and read every difference:

    .venv/bin/python tests/wrong_files.py
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from test_readme import codes_in
from wrong_files import FILES, FIXED, WRONG, problems_of, said_of

HEAD = re.compile(r"rules/(?P<name>[\w.-]+)\.yaml:(?P<line>\d+):\d+: (?:error|warning): .+")
CODE = re.compile(r"   \[([a-z0-9-]+)\]$", re.MULTILINE)

ROOT = Path(__file__).parent.parent.parent / "rules_engine"
SOURCES = [*ROOT.glob("rulebook/*.py"), *ROOT.glob("core/traps*.py")]

NOT_SHOWN = {
    "bad-webhook-url": "needs an environment, which no file has",
    "no-such-folder": "is about a folder",
    "unreadable-file": "is about a disk",
    "too-large": "would be a file of a megabyte, or a test of a thousand lines",
    "too-many-problems": "would be a file of a hundred mistakes",
    "too-deep": "would be a file of fifty levels",
    "cannot-put-back": "needs a shop that can do one half of a pair of actions, and none is so today",
    "condition-too-large": "would be a file of thousands of parts",
    "jmespath-too-deep": "would be an expression of fifty levels",
    "jmespath-too-long": "would be an expression of two thousand characters",
    "never-true": "a file that can be read: tests/rulebook/test_conflicts.py shows what `check` alone finds",
    "rules-fight": "as never-true",
    "rules-cycle": "as never-true",
}
"""Codes that no file here shows, and why."""

SEVERAL = {"stores-unknown-key-api-key": "the one key is not known, and another is missing"}
"""Files that rightly get more than one problem for their one mistake, and why."""

NO_CARET = {"not-utf-8-saved-by-an-old-editor": "stores.yaml is read so too, and its line may hold a secret"}
"""Files whose problem points at no text, and why."""

NO_HELP: dict[str, str] = {}
"""Files whose message says all there is to say."""


def expected_of(path: Path) -> str:
    return path.with_suffix(".txt").read_text(encoding="utf-8")


each_file = pytest.mark.parametrize("path", FILES, ids=[path.stem for path in FILES])


@each_file
def test_a_wrong_file_is_told_what_to_write_instead(path: Path) -> None:
    assert said_of(path) == expected_of(path)


@each_file
def test_one_mistake_is_one_problem(path: Path) -> None:
    assert (len(problems_of(path)) == 1) is (path.stem not in SEVERAL)


@each_file
def test_a_problem_shows_its_line_with_a_caret_under_the_wrong_word(path: Path) -> None:
    first = problems_of(path)[0]
    start = first.place.column - 1
    underlined = first.source[start : start + first.place.length]
    assert HEAD.fullmatch(first.render().splitlines()[0])
    if path.stem not in NO_CARET:
        is_gap = first.source[:start].rstrip().endswith((":", "-"))  # where something is missing
        assert (underlined == underlined.strip() != "") or is_gap or set(underlined) == {"\t"}


@each_file
def test_a_problem_has_a_help(path: Path) -> None:
    assert all(problem.help for problem in problems_of(path)) is (path.stem not in NO_HELP)


@pytest.mark.parametrize("path", FIXED, ids=[path.name.partition(".")[0] for path in FIXED])
def test_a_file_in_which_the_help_was_followed_is_right(path: Path) -> None:
    assert said_of(path) == ""
    assert path.with_name(path.name.replace(".fixed.", ".")) in FILES


def test_there_are_many_wrong_files() -> None:
    assert len(FILES) >= 640
    assert len(FIXED) >= 400


def test_every_expected_text_belongs_to_a_file() -> None:
    assert {path.stem for path in WRONG.glob("*.txt")} == {path.stem for path in FILES}


def test_every_code_is_shown_by_a_file() -> None:
    texts = [path.read_text(encoding="utf-8") for path in SOURCES]
    codes = {code for path in SOURCES for code in codes_in(path)}
    codes |= {code for text in texts for code in re.findall(r'"(jmespath(?:-[a-z]+)+)"', text)}
    shown = {code for path in FILES for code in CODE.findall(expected_of(path))}
    assert codes - shown == set(NOT_SHOWN)
