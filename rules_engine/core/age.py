"""How old a time is, for the words `newer_than` and `older_than`."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from .clock import read_duration, say_duration
from .fields import FieldType
from .words import Truth, Value, Word, all_, is_blank, read_instant, text_of

AGES = (Word.NEWER_THAN, Word.OLDER_THAN)
"""The words that compare the age of a time with a span such as `14 days`."""

_DATED = frozenset({FieldType.TIME, FieldType.DATE, FieldType.TEXT, FieldType.ANY})


def compare_age(word: Word, seen: object, values: tuple[Value, ...], kind: FieldType, now: datetime) -> Truth:
    """Whether a known time is newer, or older, than a span. What is known to be empty is neither; never raises.

    `now` is aware, in the store's time zone. A time in the future is newer than any span; one that is exactly as old
    as the span is older. What is no time, or no span, cannot be told.
    """
    if is_blank(seen):
        return Truth.UNMET
    moment = moment_of(seen, kind, now)
    if moment is None or not values:
        return Truth.CANNOT_TELL
    return all_(_aged(word, now.astimezone(UTC) - moment, read_duration(text_of(value))) for value in values)


def _aged(word: Word, age: timedelta, span: timedelta | None) -> Truth:
    if span is None:
        return Truth.CANNOT_TELL
    return Truth.MET if (age < span) is (word is Word.NEWER_THAN) else Truth.UNMET


def moment_of(seen: object, kind: FieldType, now: datetime) -> datetime | None:
    """The time that a field shows, in UTC, read in the time zone of `now` where it names none; None if it is none."""
    return read_instant(seen, now.tzinfo or UTC) if isinstance(seen, str) and kind in _DATED else None


def turns_of_age(seen: object, values: tuple[Value, ...], kind: FieldType, now: datetime) -> Iterator[datetime]:
    """When a time becomes as old as the spans, where that is still to come (UTC)."""
    moment = moment_of(seen, kind, now)
    for value in values if moment else ():
        span = read_duration(text_of(value))
        try:
            turn = moment + span if moment and span else None
        except OverflowError:
            continue  # after the end of the calendar
        if turn is not None and turn > now:
            yield turn


def show_age(seen: object, kind: FieldType, now: datetime) -> str:
    """How long ago a time is, or how far ahead: `20 days ago`, `in 3 hours`; empty for what is no time."""
    moment = moment_of(seen, kind, now)
    if moment is None:
        return ""
    age = now.astimezone(UTC) - moment
    return f"{say_duration(age)} ago" if age >= timedelta(0) else f"in {say_duration(-age)}"
