"""A plan as the comment of a pull request: a table of rules, and below each the products, folded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from .plan import RulePlan, StorePlan
from .plan_lines import Line
from .plan_text import (
    count,
    difference_groups,
    difference_headline,
    facts_of,
    groups_of,
    headline,
    notes_of,
    warnings_of,
)

_SPECIAL = frozenset("&<>|`*_[]()#@~\\!{}$:\"'")
"""Signs by which Markdown or HTML would be steered, people mentioned or issues linked: written as `&#N;`."""


def markdown_of_plan(plan: StorePlan, *, limit: int) -> Iterator[str]:
    """The plan of one store. Of each list of products the first `limit` are named."""
    yield f"### {escaped(headline(plan))}"
    rules = [each for each in plan.rules if each.lines or each.waits_for]
    if rules:
        yield ""
        yield "| rule | what | products |"
        yield "|---|---|---:|"
        for each in rules:
            yield from _rows(each)
        for each in rules:
            yield from _folded(each, limit)
    yield from _items(notes_of(plan))


def markdown_of_difference(plan: StorePlan, *, limit: int) -> Iterator[str]:
    """Where two rulebooks treat the products of one store differently."""
    yield f"### {escaped(difference_headline(plan))}"
    by_rule = sorted(plan.differs or (), key=lambda each: each.line.rule)
    for code, of_rule in groupby(by_rule, key=lambda each: each.line.rule):
        for what, lines in difference_groups(list(of_rule)):
            yield from _folded_list(f"{code}: {what}", lines, limit)


def escaped(text: str) -> str:
    """The text as it is, whatever a shop or a rule put into it: on one line, without any sign that steers Markdown."""
    flat = " ".join(text.split())
    return "".join(f"&#{ord(sign)};" if sign in _SPECIAL else sign for sign in flat if sign.isprintable())


def _rows(each: RulePlan) -> Iterator[str]:
    for what, lines in groups_of(each.lines):
        yield f"| {escaped(each.rule.code)} | {escaped(what)} | {len(lines):,} |"
    for warning in warnings_of(each):
        yield f"| {escaped(each.rule.code)} | ⚠ {escaped(warning)} | |"


def _folded(each: RulePlan, limit: int) -> Iterator[str]:
    for what, lines in groups_of(each.lines):
        facts = "; ".join(facts_of(each))
        yield from _folded_list(f"{each.rule.code}: {what}", lines, limit, facts)


def _folded_list(what: str, lines: Sequence[Line], limit: int, facts: str = "") -> Iterator[str]:
    yield ""
    yield f"<details><summary>{escaped(what)}: {count(len(lines), 'product')}</summary>"
    yield ""
    if facts:
        yield escaped(facts)
        yield ""
    yield "| product | SKU | id |"
    yield "|---|---|---|"
    for line in lines[:limit]:
        until = line.item.removeprefix(line.called)
        yield f"| {escaped(line.name + until)} | {escaped(line.sku)} | {escaped(line.product)} |"
    if len(lines) > limit:
        yield f"| and {len(lines) - limit:,} more | | |"
    yield ""
    yield "</details>"


def _items(notes: Iterable[str]) -> Iterator[str]:
    found = list(notes)
    if found:
        yield ""
        yield from (f"- {escaped(note)}" for note in found)
