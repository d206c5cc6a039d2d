"""When time alone turns a condition: the next instant at which it has to be judged again though nothing happens."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import lru_cache

from .age import AGES, turns_of_age
from .condition import Document, judge, look
from .expression import fields_in
from .fields import WEEKDAYS, FieldType, read_path
from .look import Unknown
from .rule import Rule
from .terms import All, AnyOf, Condition, Expression, Happens, Leaf, Meaning, NoneOf, Test, Transition
from .words import Truth, Word, compare, text_of

Texts = tuple[str, ...]
"""Values as text, which is all that a date, a weekday or a time of day is compared with."""

FARTHEST = 366
"""So many days ahead a test of the date is tried; where it has not turned by then, it is looked at again then."""


def rule_turns_at(rule: Rule, document: Document) -> datetime | None:
    """When time alone may turn the rule's condition next (aware UTC), or None when it never will.

    For a moment every change and event counts as unmet, because without anything happening there is none.
    """
    whole = rule.condition if rule.unless is None else All((rule.condition, NoneOf((rule.unless,))))
    return turns_at(whole, document, transitions=None if rule.is_while else Truth.UNMET)


def turns_at(condition: Condition, document: Document, *, transitions: Truth | None = None) -> datetime | None:
    """The earliest instant after `document.now` (aware UTC) at which time alone may turn the condition.

    It may be too early, never too late; None when time cannot turn it. `transitions` is what changes and events count
    as.
    """
    match condition:
        case All(parts):
            return _joined(parts, document, transitions, deciding=Truth.UNMET)
        case AnyOf(parts) | NoneOf(parts):
            return _joined(parts, document, transitions, deciding=Truth.MET)
        case Meaning(_, inner):
            return turns_at(inner, document, transitions=transitions)
        case _:
            return _leaf_turns_at(condition, document)


def _joined(
    parts: tuple[Condition, ...], document: Document, transitions: Truth | None, *, deciding: Truth
) -> datetime | None:
    """When a whole may turn: where some parts decide it alone, not before the last of these turns; else with any."""
    turns = {place: turns_at(part, document, transitions=transitions) for place, part in enumerate(parts)}
    found = [turn for turn in turns.values() if turn is not None]
    if not found:
        return None
    truths = (judge(part, document, transitions=transitions).truth for part in parts)
    decided = [turns[place] for place, truth in enumerate(truths) if truth is deciding]
    if not decided:
        return min(found)
    last = [turn for turn in decided if turn is not None]
    return max(last) if len(last) == len(decided) else None


def _leaf_turns_at(leaf: Leaf, document: Document) -> datetime | None:
    match leaf:
        case Test():
            return min(_test_turns(leaf, document), default=None)
        case Transition(field):
            text = field if read_path(field) is None else ""
        case Expression(text):
            pass
        case Happens():
            text = ""
    return _midnight(document.now) if text and sees_time(text) else None


def _test_turns(test: Test, document: Document) -> Iterator[datetime]:
    where, is_age = read_path(test.field), test.word in AGES
    if where is not None and where.root != "now" and not is_age:
        return  # most tests: no time is looked at
    now = document.now
    values = test.value if isinstance(test.value, tuple) else (test.value,)
    texts = tuple(text_of(value) for value in values)
    if where is None and sees_time(test.field):
        yield _midnight(now)
    if is_age:
        seen, kind = look(test.field, document)
        if not isinstance(seen, Unknown):
            yield from turns_of_age(seen, values, kind, now)
            if where is not None and where.root == "now":
                yield _midnight(now)  # the day that is as old as the span becomes another
        return
    if where is None or where.root != "now":
        return
    if where.name == "time":
        yield from _clock_turns(test.word, texts, now)
    elif where.name in {"date", "weekday"}:
        yield from _day_turns(test.word, texts, now, is_weekday=where.name == "weekday")


# ---------------------------------------------------------------------------------------- what the clock shows


def _clock_turns(word: Word, values: Texts, now: datetime) -> Iterator[datetime]:
    """When the time of day becomes one for which the test stands otherwise: at most a day ahead."""
    shown = now.replace(tzinfo=None)
    turns = _turns_of_the_day(word, values)
    for day in (shown.date(), shown.date() + timedelta(days=1)) if turns and shown.date() < date.max else ():
        for minute in turns:
            wall = datetime.combine(day, time(*divmod(minute, 60)))
            if wall > shown:
                yield _when_shown(wall, now)
                return


@lru_cache(maxsize=256)
def _turns_of_the_day(word: Word, values: Texts) -> tuple[int, ...]:
    """The minutes of a day (0 to 1439) at which a test of the time stands otherwise than in the minute before."""
    stands = [compare(word, f"{at // 60:02}:{at % 60:02}", values, FieldType.CLOCK) for at in range(1440)]
    return tuple(at for at in range(1440) if stands[at] is not stands[at - 1])


def _day_turns(word: Word, values: Texts, now: datetime, *, is_weekday: bool) -> Iterator[datetime]:
    """When the date or the weekday becomes one for which the test stands otherwise."""
    today = now.date()
    ahead = _next_weekday(word, values, today.weekday()) if is_weekday else _next_date(word, values, today)
    if ahead is not None and ahead <= (date.max - today).days:
        yield _when_shown(datetime.combine(today + timedelta(days=ahead), time()), now)


@lru_cache(maxsize=256)
def _next_weekday(word: Word, values: Texts, today: int) -> int | None:
    """In how many days the test of the weekday stands otherwise, or None if it never does."""
    stands = [compare(word, WEEKDAYS[(today + day) % 7], values, FieldType.WEEKDAY) for day in range(7)]
    return next((day for day in range(7) if stands[day] is not stands[0]), None)


@lru_cache(maxsize=1024)
def _next_date(word: Word, values: Texts, today: date) -> int | None:
    """In how many days the test of the date may stand otherwise, or None if it never will."""
    left = (date.max - today).days
    named = [day for day in map(_day_of, values) if day is not None]
    is_exact = word in _BY_ORDER and len(named) == len(values)
    days: Iterable[int] = range(1, FARTHEST)
    if is_exact:
        days = sorted({(day - today).days + after for day in named for after in (0, 1)})

    def stands(ahead: int) -> Truth:
        return compare(word, (today + timedelta(days=ahead)).isoformat(), values, FieldType.DATE)

    found = next((day for day in days if 0 < day <= left and stands(day) is not stands(0)), None)
    return FARTHEST if found is None and not is_exact else found


def _day_of(text: str) -> date | None:
    try:
        return date.fromisoformat(text.strip()) if _DAY.fullmatch(text.strip()) else None
    except ValueError:
        return None  # there is no such day, such as 2026-02-30


_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_BY_ORDER = frozenset(
    {Word.IS, Word.IS_NOT, Word.ONE_OF, Word.NONE_OF, Word.AT_MOST, Word.AT_LEAST, Word.LESS_THAN, Word.MORE_THAN}
    | {Word.BETWEEN, Word.EMPTY, Word.NOT_EMPTY}
)
"""Words for which a date turns a test only on the days that it names, and on the day after."""


def _midnight(now: datetime) -> datetime:
    """The next midnight in the time zone of `now`, or the end of the calendar."""
    if now.date() == date.max:
        return datetime.max.replace(tzinfo=UTC)
    return _when_shown(datetime.combine(now.date() + timedelta(days=1), time()), now)


def _when_shown(wall: datetime, now: datetime) -> datetime:
    """When a clock in the zone of `now` shows `wall`, or, where that is sooner, when the clocks are changed (UTC)."""
    zone = now.tzinfo or UTC
    start = now.astimezone(UTC)
    turn = start + (wall - now.replace(tzinfo=None))
    offset = now.utcoffset()
    if _offset(turn, zone) == offset:
        return turn
    # Up to the change the clock goes on as now, so nothing turns before; what it shows then is for the look after that.
    before, after = start, turn
    while after - before > timedelta(microseconds=1):
        middle = before + (after - before) / 2
        before, after = (middle, after) if _offset(middle, zone) == offset else (before, middle)
    return after


def _offset(at: datetime, zone: tzinfo) -> timedelta | None:
    return at.astimezone(zone).utcoffset()


def sees_time(text: str) -> bool:
    """Whether an expression looks at `now`. The time of day in it is refused when rules are loaded."""
    return any(field.split(".")[0] == "now" for field in fields_in(text))
