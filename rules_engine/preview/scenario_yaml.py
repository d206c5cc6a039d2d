"""Recorded tests as YAML: on their own, or at the end of a file that has some already."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import YAMLError

from .scenario_record import Recorded

_WIDTH = 100
"""Characters of a comment's line."""


class _Nothing:
    """Null, as a person would write it: ruamel writes nothing at all, which reads like something forgotten."""


def as_yaml(tests: Sequence[tuple[Recorded, Sequence[str]]]) -> str:
    """A file of tests with these, each with the sentences that stand above it as a comment."""
    writer, out = _yaml(), io.StringIO()
    writer.indent(mapping=2, sequence=4, offset=2)
    writer.dump(_document(tests), out)
    return out.getvalue()


def added_to(text: str, tests: Sequence[tuple[Recorded, Sequence[str]]]) -> str:
    """The text of a file of tests with these at the end of their rules; every line that is there stays as it is.

    Raises ValueError when it is no file of tests in which a list of tests has a line for each.
    """
    for test in tests:
        text = _with_lines(text, test[0].rule, as_yaml([test]).splitlines()[2:])
    return text


def _with_lines(text: str, rule: str, item: Sequence[str]) -> str:
    """The text with the lines of one item, indented by four, at the end of a rule's list."""
    lines = text.splitlines()
    by_rule = _tests_in(text)
    if rule in by_rule:
        tests = by_rule[rule]
        if not isinstance(tests, CommentedSeq) or tests.fa.flow_style() or not tests:
            raise ValueError(f"the tests of {rule} do not stand in a list with a line for each")
        row, column = by_rule.lc.key(rule)
        first = lines[tests.lc.item(0)[0]]
        dash = len(first) - len(first.lstrip())
        new = list(item)
    else:
        row, column = next(n for n, line in enumerate(lines) if line.startswith("tests:")), 0
        dash = (by_rule.lc.key(next(iter(by_rule)))[1] if by_rule else 2) + 2
        new = [f"  {rule}:", *item]
    end = _end_of(lines, row, column)
    added = [(" " * dash + line[4:]) if line.startswith("    ") else " " * (dash - 2) + line[2:] for line in new]
    return "\n".join([*lines[:end], *added, *lines[end:]]) + "\n"


def _tests_in(text: str) -> CommentedMap:
    try:
        document = _yaml().load(text)
    except YAMLError as error:
        raise ValueError("the file is not readable as YAML") from error
    found = document.get("tests") if isinstance(document, CommentedMap) else None
    if not isinstance(found, CommentedMap) or found.fa.flow_style():
        raise ValueError("the file does not have `tests:` with a line for each rule")
    return found


def _end_of(lines: Sequence[str], row: int, column: int) -> int:
    """The line after the last one that belongs to the key in `row`: more indented, or an item of its list."""
    end = row + 1
    for number in range(row + 1, len(lines)):
        stripped = lines[number].lstrip()
        indent = len(lines[number]) - len(stripped)
        if not stripped:
            continue
        if indent < column or (indent == column and not stripped.startswith(("- ", "#"))):
            break
        if indent > column or stripped.startswith("- "):
            end = number + 1
    return end


def _document(tests: Sequence[tuple[Recorded, Sequence[str]]]) -> CommentedMap:
    by_rule = CommentedMap()
    for test, notes in tests:
        known = by_rule.setdefault(test.rule, CommentedSeq())
        known.append(_test(test))
        lines = [line for note in notes for line in textwrap.wrap(note, _WIDTH)]
        if lines:
            known.yaml_set_comment_before_after_key(len(known) - 1, before="\n".join(lines), indent=4)
    return CommentedMap({"tests": by_rule})


def _test(test: Recorded) -> CommentedMap:
    """A test as YAML shows it: its keys a line each, the lists in one line."""
    made = CommentedMap({"name": test.name, "store": str(test.store)})
    if test.at:
        made["at"] = test.at
    made["given"] = CommentedMap({key: _shown(value, key=key) for key, value in test.given.items()})
    made["expect"] = test.expect if isinstance(test.expect, str) else CommentedSeq(map(_shown, test.expect))
    return made


def _shown(value: Any, *, key: str = "") -> Any:  # a value of a test may be anything that YAML holds
    if isinstance(value, Mapping):
        made = CommentedMap({name: _shown(each) for name, each in value.items()})
        if key in {"", "before"}:
            made.fa.set_flow_style()
        return made
    if isinstance(value, list | tuple):
        some = CommentedSeq(map(_shown, value))
        some.fa.set_flow_style()
        return some
    return _Nothing() if value is None else value  # each its own: YAML would name one that stands twice


def _yaml() -> YAML:
    writer = YAML(typ="rt")
    writer.representer.add_representer(
        _Nothing, lambda representer, _: representer.represent_scalar("tag:yaml.org,2002:null", "null")
    )
    writer.preserve_quotes = True
    writer.allow_unicode = True
    writer.width = 100_000  # a long text stays in one line, as a person would write it
    return writer
