"""How old a time is: newer and older than a span, to the second, whatever the time zone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import times

from rules_engine.core.age import compare_age, show_age, turns_of_age
from rules_engine.core.clock import say_duration
from rules_engine.core.fields import FieldType
from rules_engine.core.words import Truth, Word, Written

MET, UNMET, CANNOT_TELL = Truth.MET, Truth.UNMET, Truth.CANNOT_TELL
NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
SPAN = (Written("14 days", "14 days"),)


def age(word: Word, seen: object, kind: FieldType = FieldType.TIME, now: datetime = NOW) -> Truth:
    return compare_age(word, seen, SPAN, kind, now)


@pytest.mark.parametrize(
    ("seen", "newer", "older"),
    [
        ("2026-11-08T09:00:01Z", MET, UNMET),
        ("2026-11-08T09:00:00Z", UNMET, MET),  # exactly as old as the span
        ("2026-11-08T08:59:59Z", UNMET, MET),
        ("2026-11-08T12:00:01+03:00", MET, UNMET),
        ("2026-12-24T00:00:00Z", MET, UNMET),  # the future is new
        ("2026-11-09", MET, UNMET),
        ("2026-11-08", UNMET, MET),  # a day begins at midnight
        (None, UNMET, UNMET),
        ("  ", UNMET, UNMET),
        ("last week", CANNOT_TELL, CANNOT_TELL),
        (1762592400, CANNOT_TELL, CANNOT_TELL),
        (["2026-11-08"], CANNOT_TELL, CANNOT_TELL),
        ("0001-01-01T00:00:00+10:00", CANNOT_TELL, CANNOT_TELL),  # before the calendar begins
    ],
)
def test_a_time_is_newer_or_older_than_a_span(seen: object, newer: Truth, older: Truth) -> None:
    assert age(Word.NEWER_THAN, seen) is newer
    assert age(Word.OLDER_THAN, seen) is older


@pytest.mark.parametrize("kind", [FieldType.CLOCK, FieldType.WEEKDAY, FieldType.NUMBER, FieldType.ID])
def test_only_what_may_be_a_time_has_an_age(kind: FieldType) -> None:
    assert age(Word.NEWER_THAN, "2026-11-22", kind) is CANNOT_TELL


def test_what_is_no_span_cannot_be_told() -> None:
    for values in ((), ("2 months",), (14,)):
        assert compare_age(Word.OLDER_THAN, "2026-11-22", values, FieldType.TIME, NOW) is CANNOT_TELL


def test_a_time_without_a_zone_is_in_the_zone_of_the_store() -> None:
    now = datetime(2026, 11, 22, 9, 0, tzinfo=ZoneInfo("Asia/Riyadh"))
    assert age(Word.NEWER_THAN, "2026-11-08T09:00:01", now=now) is MET
    assert age(Word.NEWER_THAN, "2026-11-08T09:00:00", now=now) is UNMET


def test_an_age_is_true_time_also_over_the_night_when_the_clocks_change() -> None:
    now = datetime(2026, 10, 25, 9, 0, tzinfo=ZoneInfo("Europe/Berlin"))  # a day of 25 hours
    day = (Written("24 hours", "24 hours"),)
    assert compare_age(Word.NEWER_THAN, "2026-10-24T10:00:01+02:00", day, FieldType.TIME, now) is MET
    assert compare_age(Word.NEWER_THAN, "2026-10-24T10:00:00+02:00", day, FieldType.TIME, now) is UNMET


def test_an_age_is_said_in_words() -> None:
    assert show_age("2026-11-02T09:00:00Z", FieldType.TIME, NOW) == "20 days ago"
    assert show_age("2026-11-22T12:00:00Z", FieldType.TIME, NOW) == "in 3 hours"
    assert show_age("soon", FieldType.TIME, NOW) == ""


@given(times, times, st.integers(1, 5 * 10**6))
def test_newer_and_older_are_opposites_for_known_times_and_turn_once(seen: datetime, now: datetime, span: int) -> None:
    asked = (Written(say_duration(timedelta(minutes=span)), ""),)
    text = seen.isoformat()

    def judged(word: Word, at: datetime) -> Truth:
        return compare_age(word, text, asked, FieldType.TIME, at)

    assert {judged(Word.NEWER_THAN, now), judged(Word.OLDER_THAN, now)} == {MET, UNMET}
    for turn in turns_of_age(text, asked, FieldType.TIME, now):
        assert turn > now
        assert judged(Word.NEWER_THAN, turn - timedelta(microseconds=1)) is MET
        assert judged(Word.NEWER_THAN, turn) is UNMET
