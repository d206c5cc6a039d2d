"""A backtest in words: a table of what every rule did then and would have done now, and where it first differs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rules_engine.core.explain import listed

from .backtest import RuleBacktest, StoreBacktest
from .backtest_tally import Count
from .plan_markdown import escaped
from .plan_text import TO_BE_SEEN, count

COLUMNS = ("rule", "then: products", "flips", "calls", "now: products", "flips", "calls", "difference")

_HOW = (
    "What the rules really did in this time is taken out, moments too; what people did stays.",
    "What was held when the time began counts as held: as a product, not as a flip or a call.",
    "Calls `now` are an estimate: what is done within a minute shares them, and none fails.",
    "Limits, questions, pauses and `never_leave` are not played; names mean what they mean today.",
)
"""What is to be known of every backtest."""


def headline(made: StoreBacktest) -> str:
    """What was played over, in a sentence, or why nothing was."""
    called = f"{made.store.alias} ({made.title})"
    if not made.products:
        return f"{called}: nothing was seen of it in that time. {TO_BE_SEEN}"
    zone = made.store.zone
    span = f"{made.since.astimezone(zone):%Y-%m-%d %H:%M} to {made.until.astimezone(zone):%Y-%m-%d %H:%M} ({zone})"
    differs = [each for each in made.rules if each.differs or (each.now is None and each.then)]
    said = f"{called}, {span}: {count(made.products, 'product')}, {count(made.changes, 'change')}"
    if not differs:
        return f"{said}. The rules would have done what was done."
    return f"{said}. {count(len(differs), 'rule')} would have done otherwise."


def rows(made: StoreBacktest) -> Iterator[tuple[str, ...]]:
    """The table, a row for each rule that did or would have done anything, and the totals."""
    told = [each for each in made.rules if not is_idle(each)]
    for each in told:
        yield (each.code, *_cells(each.then), *_cells(each.now), _difference(each))
    if told and made.is_whole:
        yield ("all rules", *_cells(made.then), *_cells(made.now), "")


def is_idle(each: RuleBacktest) -> bool:
    """Whether the rule did nothing on either side."""
    return not any(side is not None and (side.products or side.calls) for side in (each.then, each.now))


def firsts(each: RuleBacktest, made: StoreBacktest) -> Iterator[str]:
    """The first difference of a rule, line by line."""
    first = each.first
    if first is None:
        return
    at = first.at.astimezone(made.store.zone)
    yield f"First difference, {at:%Y-%m-%d %H:%M} ({made.store.zone}): {first.called}"
    yield f"  then: it {first.then}"
    yield f"  now: it {first.now}"
    for line in first.because:
        yield f"  because {line}"


def notes_of(made: StoreBacktest) -> Iterator[str]:
    """What is to be known besides: what a backtest cannot know, and what it could not play."""
    if made.known_since is not None and made.known_since > made.since:
        at = made.known_since.astimezone(made.store.zone)
        yield f"Nothing was recorded before {at:%Y-%m-%d %H:%M} ({made.store.zone})."
    elif made.known_since is None and made.products:
        yield "No change is recorded: all that is known is how products are now."
    idle = [each.code for each in made.rules if is_idle(each)]
    if idle and made.products:
        yield f"Neither did nor would have done anything: {listed(idle)}."
    yield from made.notes
    if made.products:
        yield from _HOW
    for subject, reason in list(made.failed.items())[:10]:
        yield f"{subject} is not counted: {reason}"
    if len(made.failed) > 10:
        yield f"and {len(made.failed) - 10:,} more are not counted."


def text_of_backtest(made: StoreBacktest) -> Iterator[str]:
    """The backtest of one store, line by line."""
    yield headline(made)
    table = list(rows(made))
    if table:
        yield ""
        yield from _aligned([COLUMNS, *table])
    for each in made.rules:
        lines = [*firsts(each, made), *(f"! {note}" for note in each.notes)]
        if lines:
            yield ""
            yield each.code
            yield from (f"  {line}" for line in lines)
    notes = list(notes_of(made))
    if notes:
        yield ""
        yield from notes


def markdown_of_backtest(made: StoreBacktest) -> Iterator[str]:
    """The backtest of one store, for the comment of a pull request."""
    yield f"### {escaped(headline(made))}"
    table = list(rows(made))
    if table:
        yield ""
        yield f"| {' | '.join(COLUMNS)} |"
        yield "|---|---:|---:|---:|---:|---:|---:|---|"
        yield from (f"| {' | '.join(escaped(cell) for cell in row)} |" for row in table)
    for each in made.rules:
        lines = [*firsts(each, made), *(f"⚠ {note}" for note in each.notes)]
        if lines:
            yield ""
            yield f"<details><summary>{escaped(each.code)}</summary>"
            yield ""
            yield from (f"- {escaped(line)}" for line in lines)
            yield ""
            yield "</details>"
    notes = list(notes_of(made))
    if notes:
        yield ""
        yield from (f"- {escaped(note)}" for note in notes)


def _cells(side: Count | None) -> tuple[str, str, str]:
    return ("–", "–", "–") if side is None else (f"{side.products:,}", f"{side.flips:,}", f"{side.calls:,}")


def _difference(each: RuleBacktest) -> str:
    if each.rule is None:
        return "no such rule now"
    return f"with {count(each.differs, 'product')}" if each.differs else "none"


def _aligned(table: Sequence[Sequence[str]]) -> Iterator[str]:
    """The rows in columns, numbers to the right."""
    widths = [max(len(row[at]) for row in table) for at in range(len(COLUMNS))]
    last = len(COLUMNS) - 1
    for row in table:
        cells = (
            cell.ljust(width) if at in {0, last} else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        yield "  ".join(cells).rstrip()
