"""Spans of time and hours of the day, as rules write them."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules_engine.core.clock import LONGEST, Hours, read_duration, say_duration

RIYADH = ZoneInfo("Asia/Riyadh")
BERLIN = ZoneInfo("Europe/Berlin")
FRIDAY_NIGHT = Hours(time(22), time(6), frozenset({4}))
OFFICE = Hours(time(9), time(17), frozenset(range(5)))


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("15 minutes", 900),
        ("1 minute", 60),
        ("90 s", 90),
        ("2h", 7200),
        ("1.5 hours", 5400),
        ("1 hour 30 minutes", 5400),
        ("1 day, 2 hours", 93_600),
        ("2 hours and 5 minutes", 7500),
        ("2 weeks", 1_209_600),
        ("14 Days", 1_209_600),
    ],
)
def test_a_span_is_read_as_people_write_it(text: str, seconds: int) -> None:
    assert read_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "text", ["", "0 minutes", "3 months", "15", "minutes", "-5 minutes", "4000 days", "5 mins ago"]
)
def test_what_is_no_span_is_none(text: str) -> None:
    assert read_duration(text) is None


@given(st.text(max_size=200))
def test_any_text_is_a_span_or_none(text: str) -> None:
    span = read_duration(text)
    assert span is None or timedelta(0) < span <= LONGEST


@given(st.integers(1, 300_000).map(lambda minutes: timedelta(minutes=minutes)))
def test_a_span_of_two_units_is_read_as_it_is_said(span: timedelta) -> None:
    said = say_duration(span)
    read = read_duration(said)
    assert read is not None
    assert timedelta(0) <= span - read < timedelta(hours=1)  # minutes are not said beside days
    assert say_duration(read) == said


@pytest.mark.parametrize(
    ("now", "opens"),
    [
        (datetime(2026, 11, 23, 9, 0, tzinfo=RIYADH), None),
        (datetime(2026, 11, 23, 16, 59, tzinfo=RIYADH), None),
        (datetime(2026, 11, 23, 17, 0, tzinfo=RIYADH), datetime(2026, 11, 24, 6, 0, tzinfo=UTC)),
        (datetime(2026, 11, 23, 8, 59, tzinfo=RIYADH), datetime(2026, 11, 23, 6, 0, tzinfo=UTC)),
        (datetime(2026, 11, 20, 18, 0, tzinfo=RIYADH), datetime(2026, 11, 23, 6, 0, tzinfo=UTC)),
    ],
)
def test_hours_on_weekdays(now: datetime, opens: datetime | None) -> None:
    assert OFFICE.opens_at(now) == opens


def test_a_window_over_midnight_belongs_to_the_day_on_which_it_begins() -> None:
    assert FRIDAY_NIGHT.opens_at(datetime(2026, 11, 21, 5, 59, tzinfo=RIYADH)) is None
    next_friday = datetime(2026, 11, 27, 19, 0, tzinfo=UTC)
    assert FRIDAY_NIGHT.opens_at(datetime(2026, 11, 21, 6, 0, tzinfo=RIYADH)) == next_friday
    assert FRIDAY_NIGHT.opens_at(datetime(2026, 11, 20, 3, 0, tzinfo=RIYADH)) == datetime(2026, 11, 20, 19, tzinfo=UTC)


def test_weekdays_alone_are_whole_days() -> None:
    weekend = Hours(weekdays=frozenset({5, 6}))
    assert weekend.opens_at(datetime(2026, 11, 22, 23, 59, tzinfo=BERLIN)) is None
    assert weekend.opens_at(datetime(2026, 11, 23, 0, 0, tzinfo=BERLIN)) == datetime(2026, 11, 27, 23, 0, tzinfo=UTC)


def test_hours_follow_the_clock_of_the_store_when_it_changes() -> None:
    night = Hours(time(2, 30), time(4))
    # On 29 March 2026 clocks in Berlin go from 02:00 to 03:00.
    assert night.opens_at(datetime(2026, 3, 29, 1, 0, tzinfo=BERLIN)) == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
    assert night.opens_at(datetime(2026, 3, 29, 3, 45, tzinfo=BERLIN)) is None


times = st.times().map(lambda at: at.replace(second=0, microsecond=0))


@given(
    start=times,
    end=times,
    weekdays=st.frozensets(st.integers(0, 6)),
    now=st.datetimes(datetime(2025, 1, 1), datetime(2027, 1, 1)),  # noqa: DTZ001 — the zone is added below
)
def test_whenever_it_is_the_rule_may_act_when_it_is_told(
    start: time, end: time, weekdays: frozenset[int], now: datetime
) -> None:
    hours = Hours(start, end, weekdays)
    opens = hours.opens_at(now.replace(tzinfo=BERLIN))
    assert opens is None or (opens > now.replace(tzinfo=BERLIN) and hours.opens_at(opens.astimezone(BERLIN)) is None)


def test_hours_are_said_in_words() -> None:
    assert str(FRIDAY_NIGHT) == "between 22:00 and 06:00 on friday"
    assert str(Hours(weekdays=frozenset({0, 5}))) == "on monday and saturday"
