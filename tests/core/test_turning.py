"""When time alone turns a condition: never too late, in the store's zone, and never for what time cannot change."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from core_builders import LEAVES, as_soon_as, removes
from hypothesis import example, given
from hypothesis import strategies as st
from strategies import conditions, documents, times

from rules_engine.core.condition import (
    All,
    AnyOf,
    Change,
    Condition,
    Document,
    Expression,
    Happens,
    Meaning,
    NoneOf,
    Test,
    Transition,
    Truth,
    Word,
    Written,
    judge,
)
from rules_engine.core.delivery import StoreAlias
from rules_engine.core.subject import SubjectKind
from rules_engine.core.turning import rule_turns_at, turns_at

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 22, 9, 5, tzinfo=BERLIN)  # a Sunday, 08:05 UTC


def at(now: datetime = NOW, **fields: Any) -> Document:
    return Document(SubjectKind.PRODUCT, fields, now, StoreAlias("web"))


def is_(field: str, word: Word, *values: str) -> Test:
    written = tuple(Written(value, value) for value in values)
    return Test(field, word, written[0] if len(written) == 1 else written)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


NEW = is_("product.created_at", Word.NEWER_THAN, "14 days")
MONDAY = is_("now.weekday", Word.IS, "Monday")
SOLD_OUT = Test("product.stock", Word.AT_MOST, 0)


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (SOLD_OUT, None),
        (NEW, "2026-11-24T07:00:00"),
        (is_("product.created_at", Word.OLDER_THAN, "14 days"), "2026-11-24T07:00:00"),
        (is_("product.created_at", Word.OLDER_THAN, "12 days"), None),  # it is, and stays so
        (is_("product.updated_at", Word.OLDER_THAN, "12 days"), None),  # nobody knows
        (is_("product.variants[0].made", Word.OLDER_THAN, "1 day"), "2026-11-22T23:00:00"),
        (MONDAY, "2026-11-22T23:00:00"),
        (is_("now.weekday", Word.IS, "friday"), "2026-11-26T23:00:00"),
        (is_("now.weekday", Word.ONE_OF, "Saturday", "Sunday"), "2026-11-22T23:00:00"),
        (is_("now.weekday", Word.IS, "someday"), None),
        (is_("now.date", Word.BETWEEN, "2026-11-27", "2026-11-30"), "2026-11-26T23:00:00"),
        (is_("now.date", Word.BETWEEN, "2026-11-20", "2026-11-30"), "2026-11-30T23:00:00"),
        (is_("now.date", Word.AT_LEAST, "2026-11-01"), None),
        (is_("now.date", Word.MATCHES, "*-12-*"), "2026-11-30T23:00:00"),
        (is_("now.date", Word.MATCHES, "2025-*"), "2027-11-22T23:00:00"),  # nobody looks farther than a year
        (is_("now.time", Word.BETWEEN, "9:00", "17:00"), "2026-11-22T16:01:00"),
        (is_("now.time", Word.LESS_THAN, "9:05"), "2026-11-22T23:00:00"),
        (is_("now.time", Word.AT_MOST, "9:05"), "2026-11-22T08:06:00"),
        (is_("now.time", Word.IS, "08:00"), "2026-11-23T07:00:00"),
        (is_("now.time", Word.NOT_EMPTY), None),
        (Expression("now.weekday == 'monday'"), "2026-11-22T23:00:00"),
        (Expression("length(now) == `3`"), "2026-11-22T23:00:00"),
        (Expression("product.stock > `1`"), None),
        (Expression("("), None),
        (Transition("product.stock", Change.CHANGES), None),
        (Transition("product.tags[?@ == now.date]", Change.CHANGES), None),
        (Transition("[now.date]", Change.CHANGES), "2026-11-22T23:00:00"),
        (Happens("created"), None),
        (Meaning("new", NoneOf((NEW,))), "2026-11-24T07:00:00"),
        (AnyOf((NEW, MONDAY)), "2026-11-24T07:00:00"),  # it is new, so that Monday makes no difference
        (All((NEW, MONDAY)), "2026-11-22T23:00:00"),
        (All((NEW, SOLD_OUT)), None),  # it is in stock: age alone turns nothing
        (AnyOf((NEW, SOLD_OUT)), "2026-11-24T07:00:00"),
        (NoneOf((SOLD_OUT, NEW)), "2026-11-24T07:00:00"),
        (All((MONDAY, NoneOf((NEW,)))), "2026-11-24T07:00:00"),  # before both have turned the whole has not
        (AnyOf((NEW, NoneOf((MONDAY,)))), "2026-11-24T07:00:00"),
        (is_("now.date", Word.AT_LEAST, "2026-12"), "2026-11-30T23:00:00"),
        (is_("[now.date][0]", Word.IS, "2026-11-30"), "2026-11-22T23:00:00"),
    ],
)
def test_time_turns_a_condition_at_a_known_instant(condition: Condition, expected: str | None) -> None:
    document = at(stock=3, created_at="2026-11-10T07:00:00Z", variants=[{"made": "2026-11-22"}], tags=["a"])
    assert turns_at(condition, document) == (utc(expected) if expected else None)


@pytest.mark.parametrize(
    ("zone", "now", "condition", "expected"),
    [
        # At 02:00 the clocks go to 03:00: what begins at 02:30 begins then.
        ("Europe/Berlin", "2026-03-29T01:30", is_("now.time", Word.AT_LEAST, "02:30"), "2026-03-29T01:00:00"),
        # Midnight comes not at all: the day begins at 01:00.
        ("America/Santiago", "2026-09-05T12:00", is_("now.date", Word.IS, "2026-09-06"), "2026-09-06T04:00:00"),
        # The hour from 02:00 comes twice: it is looked at again when it begins anew.
        ("Europe/Berlin", "2026-10-25T02:45", is_("now.time", Word.BETWEEN, "02:30", "02:59"), "2026-10-25T01:00:00"),
        ("Asia/Riyadh", "2026-11-22T23:59", MONDAY, "2026-11-22T21:00:00"),
    ],
)
def test_the_change_of_the_clocks_is_a_look_of_its_own(
    zone: str, now: str, condition: Condition, expected: str
) -> None:
    there = datetime.fromisoformat(now).replace(tzinfo=ZoneInfo(zone))
    assert turns_at(condition, at(there)) == utc(expected)


def test_unless_is_part_of_what_time_turns() -> None:
    rule = replace(LEAVES, unless=NEW)
    document = at(stock=0, created_at="2026-11-10T07:00:00Z")
    assert rule_turns_at(rule, document) == utc("2026-11-24T07:00:00")
    assert rule_turns_at(rule, replace(document, fields={**document.fields, "stock": 3})) is None
    assert rule_turns_at(replace(rule, condition=MONDAY), document) == utc("2026-11-24T07:00:00")


def test_a_moment_that_needs_a_change_is_not_brought_about_by_time() -> None:
    rule = as_soon_as(All((MONDAY, Transition("product.stock", Change.FALLS_BELOW, 3))), removes("Featured"))
    document = replace(at(stock=1), before={"stock": 5})
    assert rule_turns_at(rule, document) is None
    assert rule_turns_at(replace(rule, condition=MONDAY), document) == utc("2026-11-22T23:00:00")


ZONES = [ZoneInfo(name) for name in ("UTC", "Europe/Berlin", "America/Santiago", "Australia/Lord_Howe", "Asia/Riyadh")]
CLOCK = st.builds("{:02}:{:02}".format, st.integers(0, 23), st.sampled_from([0, 1, 15, 30, 59]))
DAYS = st.dates(date(2024, 2, 1), date(2027, 1, 31)).map(str)
WEEKDAYS = st.sampled_from(["monday", "Tuesday", "SUNDAY", "someday"])
SPANS = st.sampled_from(["1 hour", "90 minutes", "1 day", "14 days", "26 weeks"])
ORDER = st.sampled_from(
    [Word.IS, Word.IS_NOT, Word.AT_MOST, Word.AT_LEAST, Word.LESS_THAN, Word.MORE_THAN, Word.ONE_OF, Word.NONE_OF]
)
AGE = st.sampled_from([Word.NEWER_THAN, Word.OLDER_THAN])
TIMED: st.SearchStrategy[Condition] = (
    st.builds(is_, st.just("now.time"), ORDER, CLOCK)
    | st.builds(is_, st.just("now.time"), st.just(Word.BETWEEN), CLOCK, CLOCK)
    | st.builds(is_, st.just("now.date"), ORDER, DAYS)
    | st.builds(is_, st.just("now.date"), st.just(Word.BETWEEN), DAYS, DAYS)
    | st.builds(is_, st.just("now.date"), st.just(Word.ENDS_WITH), st.sampled_from(["-01", "-15", "12-24"]))
    | st.builds(is_, st.just("now.date"), AGE, SPANS)
    | st.builds(is_, st.just("now.weekday"), ORDER, WEEKDAYS)
    | st.builds(is_, st.just("product.created_at"), AGE, SPANS)
    | st.builds(is_, st.just("product.raw.made"), AGE, SPANS)
    | st.sampled_from([Expression("now.weekday == 'monday'"), Expression("contains(values(now), '2026-10-25')")])
    | st.sampled_from([SOLD_OUT, Test("product.brand", Word.EMPTY), Happens("created")])
)
JOINED = st.recursive(
    TIMED,
    lambda inner: st.lists(inner, max_size=3).flatmap(
        lambda parts: st.sampled_from([All(tuple(parts)), AnyOf(tuple(parts)), NoneOf(tuple(parts))])
    ),
    max_leaves=5,
)
INSTANTS = times | st.sampled_from([utc("2026-03-29T00:59:59"), utc("2026-09-06T03:30"), utc("2026-10-25T00:45")])
FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "stock": st.sampled_from([0, 5]),
        "brand": st.sampled_from([None, "Acme"]),
        "created_at": INSTANTS.map(datetime.isoformat) | st.sampled_from([None, "soon"]),
        "raw": st.fixed_dictionaries({"made": DAYS}),
    },
)


@given(JOINED, FIELDS, INSTANTS, st.sampled_from(ZONES), st.floats(0, 1))
@example(is_("now.time", Word.IS, "02:30"), {}, utc("2026-10-25T00:45"), BERLIN, 0.5)
def test_until_it_turns_a_condition_stands_as_it_does_now(
    condition: Condition, fields: dict[str, Any], now: datetime, zone: ZoneInfo, share: float
) -> None:
    document = at(now.astimezone(zone), **fields)
    turn = turns_at(condition, document)
    assert turn is None or turn > now
    end = turn or now + timedelta(days=400)
    stands = judge(condition, document).truth
    for then in (now + share * (end - now), end - timedelta(microseconds=1), min(end, now + timedelta(days=1))):
        if then < end:
            assert judge(condition, replace(document, now=then.astimezone(zone))).truth is stands


@given(JOINED, FIELDS, INSTANTS, st.sampled_from(ZONES))
def test_looking_again_whenever_time_may_turn_it_sees_every_turn(
    condition: Condition, fields: dict[str, Any], now: datetime, zone: ZoneInfo
) -> None:
    end = now + timedelta(days=3)
    seen = {}
    look: datetime | None = now
    while look is not None and look <= end:
        document = at(look.astimezone(zone), **fields)
        seen[look] = judge(condition, document).truth
        look = turns_at(condition, document)
    for minutes in range(0, 3 * 24 * 60, 15):
        then = now.replace(second=0, microsecond=0) + timedelta(minutes=minutes + 15)
        last = max(look for look in seen if look <= then)
        assert judge(condition, at(then.astimezone(zone), **fields)).truth is seen[last]
    assert len(seen) < 30


@given(conditions, documents, st.none() | st.sampled_from(Truth))
def test_turning_never_raises_whatever_the_condition(
    condition: Condition, document: Document, transitions: Truth | None
) -> None:
    turn = turns_at(condition, document, transitions=transitions)
    assert turn is None or turn > document.now
