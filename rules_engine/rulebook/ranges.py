"""Words of one field that no value can fit at once: `{at_least: 5, at_most: 3}`."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from itertools import combinations
from typing import Any

from rules_engine.core.condition import Condition, Test
from rules_engine.core.fields import FieldType
from rules_engine.core.words import Word, Written, read_time

from .report import Report
from .yaml import MapNode

_LOWS = {Word.AT_LEAST: False, Word.MORE_THAN: True, Word.IS: False}
"""The words that say from where on, and whether the value itself is left out."""
_HIGHS = {Word.AT_MOST: False, Word.LESS_THAN: True, Word.IS: False}

_Said = tuple[Word, Written]


def check_ranges(report: Report, kind: FieldType, node: MapNode, built: Iterable[Condition | None]) -> bool:
    """Whether some value fits all words of a field; if not, that is reported at the later of two that exclude each
    other. `node` is the map of words, `built` what was read of each.
    """
    found = [
        (key, (test.word, test.value))
        for key, test in zip((word for word, _ in node), built, strict=True)
        if isinstance(test, Test) and isinstance(test.word, Word) and isinstance(test.value, Written)
    ]
    for (_, first), (key, second) in combinations(found, 2):
        if _excludes(first, second, kind) or _excludes(second, first, kind):
            message = f"{_shown(first)} and {_shown(second)} cannot both be, so this is never so"
            report.error(key.place, "wrong-order", message, _advice(first, second, kind))
            return False
    return True


def _excludes(low: _Said, high: _Said, kind: FieldType) -> bool:
    """Whether what is from `low` on is never up to `high`, or is what it must not be."""
    order = _order(low[1], high[1], kind)
    if order is None:
        return False
    if (low[0], high[0]) == (Word.IS, Word.IS_NOT):
        return order == 0
    if low[0] not in _LOWS or high[0] not in _HIGHS:
        return False
    return order > 0 or (order == 0 and (_LOWS[low[0]] or _HIGHS[high[0]]))


def _order(left: Written, right: Written, kind: FieldType) -> int | None:
    """-1, 0 or 1 where the first is less, the same or more; None where that cannot be told."""
    if kind in {FieldType.NUMBER, FieldType.ANY}:
        if _is_number(left) and _is_number(right):
            return _sign(left.value, right.value)
    elif kind in {FieldType.DATE, FieldType.CLOCK}:
        return _sign(left.text.strip().zfill(5), right.text.strip().zfill(5))
    elif kind is FieldType.TIME:
        return _order_of_times(left.text.strip(), right.text.strip())
    return None


def _order_of_times(left: str, right: str) -> int | None:
    """A day alone is all of that day, in the time zone of the store."""
    one, other = read_time(left), read_time(right)
    if one is None or other is None or _has_zone(left) is not _has_zone(right):
        return None
    if _is_day(left) is _is_day(right):
        return _sign(one, other)
    return _sign(one.date(), other.date()) or None


def _is_number(written: Written) -> bool:
    return isinstance(written.value, int | float) and not isinstance(written.value, bool)


def _has_zone(text: str) -> bool:
    return datetime.fromisoformat(text).tzinfo is not None


def _is_day(text: str) -> bool:
    return len(text) == len("2026-01-31")


def _sign(left: Any, right: Any) -> int:  # two of one type
    return int(left > right) - int(left < right)


def _shown(said: _Said) -> str:
    return f"`{said[0]}: {said[1].text[:60]}`"


def _advice(first: _Said, second: _Said, kind: FieldType) -> str:
    low, high = (first, second) if first[0] in _LOWS else (second, first)
    is_order = Word.IS not in {low[0], high[0]} and _order(low[1], high[1], kind) != 0
    if not is_order:
        return "keep one of them"
    if kind is FieldType.CLOCK:
        return f"for hours over midnight write `between: {low[1].text} and {high[1].text}`"
    swapped = f"{low[0]}: {high[1].text[:60]}, {high[0]}: {low[1].text[:60]}"
    return f"write `{{{swapped}}}`, or `any:` and a condition for each of them"
