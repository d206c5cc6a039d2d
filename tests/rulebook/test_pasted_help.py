"""The help of a wrong rule file, pasted over what is underlined: then nothing is wrong any more."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from wrong_files import FILES, WRONG, problems_of, said_of

SAYS = re.compile(
    r"(?:write|did you mean) "
    r"(?:`([^`…]+)`|\"([^\"…]+)\"|([^ `\"…;,]+)(?: in single quotes| without the quotes)?)"
    r"\??(?: It is true or false\.)?"
    r"|write: ([^…]+)"
    r"|write (`[^`]+`), with the backticks"
)
"""A help that is one piece to write, with its marks."""

NEEDS_MORE = {
    "jmespath-double-quotes-in-double-quotes": "is a whole line",
    "jmespath-function-countif": "names an example",
    "jmespath-unknown-field-in-an-expression": "names the whole field, of which only the end is underlined",
    "unknown-field-hour": "its value has to become a time of day",
    "unknown-field-status": "its value has to become true or false",
    "unknown-key-except": "its store lacks the field too",
}
"""Files whose help has to be understood, not only pasted, and why."""

TOPICS = (
    "unknown-field",
    "unknown-meaning",
    "unknown-word",
    "unknown-store",
    "unknown-value",
    "wrong-type",
    "jmespath",
)


def pasted(path: Path) -> str:
    """The file with the help in place of what is underlined; empty where the help is more than one piece to write."""
    problem = next(iter(problems_of(path)), None)
    match = SAYS.fullmatch(problem.help) if problem else None
    piece = next((found for found in match.groups() if found), "") if match else ""
    if not problem or not piece or (": " in piece and not piece.startswith("{")):
        return ""
    lines = path.read_text(encoding="utf-8").split("\n")
    start = problem.place.column - 1
    line = lines[problem.place.line - 1]
    lines[problem.place.line - 1] = line[:start] + piece.removesuffix(":") + line[start + problem.place.length :]
    return "\n".join(lines)


CASES = [path for path in FILES if path.stem.startswith(TOPICS) and path.stem not in NEEDS_MORE and pasted(path)]


@pytest.mark.parametrize("path", CASES, ids=[path.stem for path in CASES])
def test_help_that_is_one_piece_can_be_pasted(path: Path, tmp_path: Path) -> None:
    repaired = tmp_path / path.name
    repaired.write_text(pasted(path), encoding="utf-8")
    assert said_of(repaired) == ""


def test_most_help_about_conditions_can_be_pasted() -> None:
    assert len(CASES) >= 120


def test_what_needs_more_than_pasting_is_there() -> None:
    assert set(NEEDS_MORE) <= {path.stem for path in WRONG.glob("*.yaml")}
