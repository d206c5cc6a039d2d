"""Values worth trying: for every demand on a field at least one value of each kind that the demands can tell apart."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import combinations, pairwise, product
from typing import Any

from .age import AGES
from .clock import read_duration
from .terms import Test
from .words import Value, Word, fold, plain, read_time, text_of

OTHER = "something else"
"""A text that no rule names."""

_ONE = frozenset({Word.IS, Word.ONE_OF})
_PARTS = frozenset({Word.CONTAINS, Word.CONTAINS_ANY, Word.STARTS_WITH, Word.ENDS_WITH, Word.MATCHES})
_LISTED = frozenset({Word.CONTAINS, Word.CONTAINS_ANY, *_ONE})
_ORDERS = frozenset({Word.AT_MOST, Word.AT_LEAST, Word.MORE_THAN, Word.LESS_THAN, Word.BETWEEN})
_POSITIVE = {Word.IS_NOT: Word.IS, Word.NONE_OF: Word.ONE_OF, Word.NOT_EMPTY: Word.EMPTY}
_MOST = 60
"""Of the values of one field."""
_MOST_TIMES = 2000
"""Of the times to look at a subject: days and times of the day, each with each."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked of one field, without the words that only say the opposite of another."""

    word: Word
    values: tuple[Value, ...]
    is_met: bool

    @classmethod
    def from_test(cls, test: Test, *, is_met: bool) -> Asked:
        """The test as it is to turn out."""
        values = test.value if isinstance(test.value, tuple) else (test.value,)
        turned = _POSITIVE.get(test.word)
        return cls(turned or test.word, values, is_met is (turned is None))


@dataclass(frozen=True, slots=True)
class Age:
    """A time that is so long ago."""

    span: timedelta


@dataclass(frozen=True, slots=True)
class Choice:
    """Values to try, the plainest first. With `is_complete`, what none of them can do, no value can."""

    values: tuple[Any, ...]
    is_complete: bool = True


def numbers(asked: Sequence[Asked], hints: Sequence[object] = (), *, is_count: bool = False) -> Choice:
    """Numbers: those that are named, and below, above and (twice) between them; and nothing at all.

    `is_count` leaves out what is no whole number from nothing on.
    """
    named = {value for value in _plain_values(asked, hints) if _is_number(value) and not math.isnan(value)}
    points: set[int | float] = {int(value) if _is_whole(value) else value for value in named} or {0, 5}
    for low, high in pairwise(sorted(points)):
        points |= _between(low, high)
    low, high = min(points), max(points)
    points |= {low - 1, low - 2, high + 1, high + 2}
    if is_count:
        whole = {math.floor(value) + step for value in points if math.isfinite(value) for step in (-1, 0, 1)}
        points = {0, *(value for value in whole if value >= 0)}
    ordered = sorted(points, key=lambda value: (value < 0, not _is_whole(value), value not in named, abs(value)))
    return Choice((*ordered, None))


def _between(low: float, high: float) -> set[int | float]:
    if math.isinf(low) or math.isinf(high):
        return {low + 1, low + 2} if math.isinf(high) and not math.isinf(low) else {high - 1, high - 2}
    if _is_whole(low) and _is_whole(high) and high - low > 2:
        return {int(low) + 1, int(high) - 1}
    try:
        return {low + (high - low) / 3, low + (high - low) / 2}
    except OverflowError:
        return {low + (high - low) // 3, low + (high - low) // 2}


def texts(asked: Sequence[Asked], hints: Sequence[object] = (), *, is_any: bool = False) -> Choice:
    """Texts: those that are named, what begins, contains and ends as asked, another text, and nothing at all.

    With `is_any` the field may hold a number, a flag or a list as well, as attributes and what a shop sends do.
    """
    if any(_exclude(asked, word) for word in (Word.STARTS_WITH, Word.ENDS_WITH)):
        return Choice(())
    given = [value for each in asked for value in each.values]
    found: dict[Any, None] = dict.fromkeys(text_of(value) for value in given if text_of(value).strip())
    found |= dict.fromkeys(_made(asked))
    found |= dict.fromkeys(str(hint) for hint in hints if isinstance(hint, str) and hint.strip())
    found |= dict.fromkeys([OTHER, "other", "X1", "7", "#", _new(given)])
    values: list[Any] = [*list(found)[:_MOST], None, ""]
    if not any(each.is_met for each in asked):
        values = [None, *values]
    if is_any:
        values += [value for value in _plain_values(asked, hints) if not isinstance(value, str)]
        values += [value + step for value in values if _is_number(value) for step in (-1, 1)]
        values += [[text_of(value)] for value in given] + [[]]
    is_pinned = any(each.is_met and (each.word in _ONE or each.word is Word.EMPTY) for each in asked)
    is_simple = all(each.word in _ONE or each.word is Word.EMPTY for each in asked)
    return Choice(tuple(values), is_complete=(is_pinned or is_simple) and len(found) <= _MOST)


def _new(given: Iterable[Value]) -> str:
    """A text that is none of these, nor in any of them."""
    named = [fold(text_of(value)) for value in given]
    is_free = all(fold(OTHER) not in text for text in named)
    return OTHER if is_free else "x" * (1 + max(map(len, named)))


def _exclude(asked: Sequence[Asked], word: Word) -> bool:
    """Whether two texts that must both be at the beginning, or at the end, are unlike there."""
    ends = [fold(text_of(each.values[0])) for each in asked if each.is_met and each.word is word and each.values]
    begins = [text if word is Word.STARTS_WITH else text[::-1] for text in ends]
    return any(not one.startswith(other) and not other.startswith(one) for one, other in combinations(begins, 2))


def _made(asked: Sequence[Asked]) -> Iterable[str]:
    """Texts that begin, contain and end as asked."""
    wanted = [(each.word, text_of(value)) for each in asked if each.is_met for value in each.values[:1]]
    first = max((text for word, text in wanted if word is Word.STARTS_WITH), key=len, default="")
    last = max((text for word, text in wanted if word is Word.ENDS_WITH), key=len, default="")
    within = [text for word, text in wanted if word in {Word.CONTAINS, Word.CONTAINS_ANY}]
    middle = " ".join(dict.fromkeys(within))
    if any(word in _PARTS for word, _ in wanted):
        yield from (made for made in (first + last, first + middle + last, f"{first} {middle} {last}".strip()) if made)
    for word, text in wanted:
        if word is Word.MATCHES:
            yield from (text.replace("*", filled).replace("?", "1") for filled in (middle, f"{first}{middle}{last}"))
            yield text.replace("*", "x").replace("?", "x")


def names(asked: Sequence[Asked], hints: Sequence[object] = ()) -> Choice:
    """A thing's names: one, or one in each of two languages, since a test is met by any of them."""
    single = texts(asked, hints)
    pinned = [text_of(each.values[0]) for each in asked if each.is_met and each.word in _ONE and each.values]
    parts = [each for each in asked if each.is_met and each.word in _PARTS]
    alone = [made for each in parts for made in _made([each])]
    pairs = [list(pair) for pair in combinations(dict.fromkeys([*pinned, *alone]), 2)]
    values = [None if value is None else [value] for value in single.values] + pairs[:_MOST]
    is_simple = all(each.word is Word.IS or not each.is_met for each in asked if each.word in _ONE)
    is_empty = any(each.is_met and each.word is Word.EMPTY for each in asked)
    is_known = single.is_complete and is_simple and len(pinned) <= 2 and not parts and bool(single.values)
    return Choice(tuple(values), is_complete=is_empty or is_known)


def lists(asked: Sequence[Asked], hints: Sequence[object] = ()) -> Choice:
    """Lists of names: the shortest that have what is asked for, also with another in them, and the empty one."""
    wanted = [each for each in asked if each.is_met and each.word in _LISTED]
    choices = [each.values for each in wanted]
    size = math.prod(len(values) for values in choices)
    other = _new(value for each in asked for value in each.values)
    found: list[list[str]] = []
    for chosen in product(*choices) if size <= _MOST else [tuple(values[0] for values in choices if values)]:
        one = list(dict.fromkeys(text_of(value) for value in chosen))
        found += [one, [*one, other]]
    hinted = [hint for hint in hints if isinstance(hint, str) and hint.strip()]
    most = max((text_of(value) for each in asked for value in each.values), key=len, default="")
    found += [[], *([hint] for hint in hinted), hinted]
    found += [[f"{most}{n}" for n in range(size)] for size in _sizes(hints)]
    found += [[*hinted, *(f"{other} {n}" for n in range(size - len(hinted)))] for size in _sizes(hints) if hinted]
    is_known = all(each.word in _LISTED or each.word is Word.EMPTY for each in asked)
    return Choice(tuple(found), is_complete=is_known and size <= _MOST)


def _sizes(hints: Sequence[object]) -> list[int]:
    """How many there may be, by the numbers that an expression names."""
    whole = {hint for hint in hints if isinstance(hint, int) and not isinstance(hint, bool) and 0 <= hint <= 20}
    return sorted({size + step for size in whole for step in (-1, 0, 1) if size + step >= 0})


def times(asked: Sequence[Asked]) -> Choice:
    """Times: those that are named, before, between and after them, ages, and nothing at all."""
    given = [(each.word, text_of(value)) for each in asked for value in each.values]
    spans = {span for word, text in given if word in AGES and (span := read_duration(text))}
    ages: set[timedelta] = {span + step for span in spans for step in (-_SECOND, timedelta(0), _SECOND)}
    ages |= {low + (high - low) / 2 for low, high in pairwise(sorted(spans))}
    named = [text.strip() for word, text in given if word not in AGES and word is not Word.EMPTY]
    moments = _around([moment for text in named if (moment := read_time(text))])
    styles = {(len(text) == len("2026-01-31"), _has_zone(text)) for text in named if read_time(text)}
    values = [*(Age(age) for age in sorted(ages)), *(moment.isoformat() for moment in moments)]
    words = {each.word for each in asked} - {Word.EMPTY}
    is_known = words <= set(AGES) or (words <= {*_ORDERS, *_ONE} and len(styles) <= 1)
    return Choice((*values, *([] if values else [Age(timedelta(days=30))]), None), is_complete=is_known)


def _around(moments: Iterable[datetime]) -> list[datetime]:
    named = sorted(set(moments))
    found = set(named) | {low + (high - low) / 2 for low, high in pairwise(named)}
    for moment in named:
        for step in (-_DAY, -_SECOND, _SECOND, _DAY):
            try:
                found.add(moment + step)
            except OverflowError:
                continue  # the end of the calendar
    return sorted(found)


def _has_zone(text: str) -> bool:
    return datetime.fromisoformat(text).tzinfo is not None


def clocks(asked: Sequence[tuple[str, Asked]], base: datetime) -> Choice:
    """Times to look at a subject, by what is asked of `now.date`, `now.time` and `now.weekday`, in UTC.

    Of each named day there are the days around it, so that every weekday is among them.
    """
    days, minutes, is_known = {base.date()}, {base.hour * 60 + base.minute}, True
    for name, each in asked:
        for text in (text_of(value).strip() for value in each.values):
            moment = read_time(text if name == "date" else f"2026-01-01T{text.zfill(5)}")
            is_plain = text.replace("-" if name == "date" else ":", "").isdecimal() or name == "weekday"
            is_known = is_known and is_plain and each.word not in AGES
            if name == "date" and moment is not None and len(text) == len("2026-01-31"):
                days |= {day.date() for step in range(-7, 8) for day in _stepped(moment, step)}
            elif name == "time" and moment is not None and is_plain:
                at = moment.hour * 60 + moment.minute
                minutes |= {at, (at + 1) % 1440, (at - 1) % 1440, 0, 1439}
            elif name != "weekday":
                is_known = False
        if name == "weekday":
            days |= {day.date() for step in range(7) for day in _stepped(base, step)}
    found = [datetime(day.year, day.month, day.day, *divmod(at, 60), tzinfo=UTC) for day in days for at in minutes]
    ordered = sorted(found, key=lambda moment: (abs(moment - base), moment))
    return Choice(tuple(ordered[:_MOST_TIMES]), is_complete=is_known and len(ordered) <= _MOST_TIMES)


def _stepped(moment: datetime, days: int) -> list[datetime]:
    try:
        return [moment + timedelta(days=days)]
    except OverflowError:
        return []  # the end of the calendar


_SECOND, _DAY = timedelta(seconds=1), timedelta(days=1)


def _plain_values(asked: Sequence[Asked], hints: Sequence[object]) -> list[Any]:
    return [*(plain(value) for each in asked for value in each.values), *hints]


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_whole(value: float) -> bool:
    return isinstance(value, int) or (math.isfinite(value) and value.is_integer())
