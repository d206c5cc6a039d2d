"""Files that are not YAML: the line that is at fault is named, wherever the parser stumbles."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules_engine.core.problem import Problem
from rules_engine.rulebook.report import Report
from rules_engine.rulebook.yaml import read_yaml

RULES = Path(__file__).parent.parent.parent / "rules" / "featured.yaml"
SIGNS = st.sampled_from([*":-#'\"[]{}%@&*!|>,;=\t\n ", "\u00a0", "\uff1a", "\u201c", "\u201d", "\\", "//"])


def problems(text: str) -> tuple[Problem, ...]:
    report = Report()
    report.add_file("a.yaml", text)
    read_yaml(text, path="a.yaml", report=report)
    return report.problems


@pytest.mark.parametrize(
    ("text", "line", "underlined", "advice"),
    [
        ("a: b: c\n", 1, "b: c", '`a: "b: c"`'),
        ('a: say "b: c"\n', 1, 'say "b: c"', "`a: 'say \"b: c\"'`"),
        ("a:\n  do: hide: x\n", 2, "hide: x", "`- hide: x` in the line below `do:`, indented by 4 blanks"),
        ("a:b\nc: d\n", 1, ":", "`a: b`"),
        ("a: 1\n\n# why\nb\nc: d\n", 4, "b", "`b:`"),
        ("a = b\nc: d\n", 1, "=", "`a: b`"),
        ("// why\na: b\n", 1, "// why", "`# why`"),
        ("a: [b\nc: d\n", 1, "[b", "`[b]`"),
        ("a: {b: c\nd: e\n", 1, "{b: c", "`{b: c}`"),
        ("a: {b: c d: e}\n", 1, ":", "put text in quotes"),
        ("a: 'b'c'\n", 1, "'", '`a: "b\'c"`'),
        ('a: "b\nc: d\n', 1, '"b', 'write "b"'),
        ("a: `b`\n", 1, "`b`", '`a: "`b`"`'),
        ('a: "b\\qc"\n', 1, "\\q", "`a: 'b\\qc'`"),
        ("a: b,\n  c: d\n", 2, "c", "indent it by no blanks, like `a` in line 1"),
        ("a:\n  b: c\n d: e\n", 3, "d", "indent it by 2 blanks, like `b` in line 2"),
        ("a: - b\n", 1, "- b", "`- b` in the line below `a:`, indented by 2 blanks"),
        ("a:\n\u00a0\u00a0b\n c: d\n", 2, "b", "with the space bar"),
    ],
)
def test_the_line_that_is_at_fault_is_named_with_what_to_write(
    text: str, line: int, underlined: str, advice: str
) -> None:
    [problem] = problems(text)
    start = problem.place.column - 1
    assert (problem.code, problem.place.line) == ("yaml-syntax", line)
    assert problem.source[start : start + problem.place.length] == underlined
    assert advice in problem.help


@given(st.integers(min_value=0, max_value=600), SIGNS, st.booleans())
def test_a_slip_anywhere_in_a_file_is_placed_in_it(at: int, sign: str, is_more: bool) -> None:
    text = RULES.read_text(encoding="utf-8")
    changed = text[:at] + sign + text[at + (0 if is_more else 1) :]
    lines = changed.splitlines()
    for problem in problems(changed):
        assert 1 <= problem.place.line <= len(lines)
        assert 1 <= problem.place.column <= len(lines[problem.place.line - 1]) + 1
        assert problem.place.column + problem.place.length <= len(lines[problem.place.line - 1]) + 2


def test_a_line_that_is_too_long_to_show_is_not_looked_into() -> None:
    [problem] = problems(f"a: {' ' * 200_000}%\n")
    assert problem.help.startswith("put text in quotes")
