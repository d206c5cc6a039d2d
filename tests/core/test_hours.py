"""When a rule may act: outside its hours what it takes, gives back and does at its moment waits until they open."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from zoneinfo import ZoneInfo

from core_builders import (
    FEATURED,
    FEW,
    LEAVES,
    SALE,
    SOLD_OUT,
    START,
    Bench,
    adds,
    as_soon_as,
    guarded,
    holding,
    hours,
    removes,
    sold_out,
    stock,
    while_,
)
from hypothesis import given
from hypothesis import strategies as st

from rules_engine.core.action import Done
from rules_engine.core.condition import Word
from rules_engine.core.errors import TemporaryError
from rules_engine.core.holds import HoldState
from rules_engine.core.plan import ActionState, Step
from rules_engine.core.rule import Rule

# It is Monday, 2 March 2026, 09:00 UTC.
LATER = guarded(LEAVES, hours=hours(12, 18))
NOON = START.replace(hour=12)


def waiting() -> Bench:
    """The product sold out before the rule may act."""
    return sold_out(LATER)


def test_outside_its_hours_a_rule_decides_and_waits_and_says_until_when() -> None:
    desk = waiting()
    assert (desk.action().state, desk.action().due_at) == (ActionState.PENDING, NOON)
    assert not desk.to_send()
    assert "takes it out of Featured (10); waits until 12:00 (UTC), when it may act" in desk.says()


def test_within_its_hours_it_acts_at_once() -> None:
    desk = sold_out(guarded(LEAVES, hours=hours(8, 18)))
    assert desk.action().due_at is None
    assert "waits" not in desk.says()


def test_when_the_hours_open_it_acts() -> None:
    desk = waiting()
    desk.later(hours=3).sees()
    assert desk.to_send()
    assert desk.action().due_at is None


def test_hours_are_those_of_the_stores_time_zone() -> None:
    desk = Bench((LATER,), zone=ZoneInfo("Asia/Riyadh"))
    desk.sees()
    desk.later(minutes=1).sees(stock=0)
    assert desk.to_send(), "09:01 UTC is 12:01 in Riyadh"


def test_hours_that_span_midnight() -> None:
    desk = sold_out(guarded(LEAVES, hours=hours(22, 6)))
    assert desk.action().due_at == START.replace(hour=22)
    desk.later(hours=20).sees()
    assert desk.to_send(), "05:00 on the day after"


def test_an_opening_on_another_day_is_said_with_its_date() -> None:
    desk = sold_out(guarded(LEAVES, hours=hours(8, 18, 2)))
    assert "waits until 2026-03-04 08:00 (UTC)" in desk.says()


def test_what_is_no_longer_wanted_when_the_hours_open_is_never_done() -> None:
    desk = waiting()
    key = desk.action().key
    desk.later(hours=1).sees(stock=3)
    assert not desk.actions()
    assert desk.memory.actions[key].state is ActionState.CANCELLED
    assert (desk.hold().state, desk.hold().takes) == (HoldState.RELEASED, 0)
    desk.later(hours=3).sees()
    assert not desk.actions()


def test_what_is_held_stays_held_and_giving_back_waits_for_the_hours_too() -> None:
    desk = holding(guarded(LEAVES, hours=hours(8, 18)))
    desk.later(hours=12).sees()
    assert desk.hold().state is HoldState.HOLDING
    desk.sees(stock=3)
    assert (desk.action().step, desk.action().due_at) == (Step.GIVE_BACK, START.replace(day=3, hour=8))
    assert "gives back: puts it into Featured (10); waits until 2026-03-03 08:00 (UTC)" in desk.says()


def test_a_retry_that_falls_outside_the_hours_moves_to_their_opening() -> None:
    desk = sold_out(guarded(LEAVES, hours=hours(8, 10)))
    desk.calls(TemporaryError("busy"))
    desk.later(hours=2).sees()
    assert (desk.action().state, desk.action().due_at) == (ActionState.WAITING, START.replace(day=3, hour=8))
    desk.at = START.replace(day=3, hour=8)
    desk.sees()
    assert desk.to_send()


def test_a_retry_keeps_its_pause_within_the_hours() -> None:
    desk = sold_out(guarded(LEAVES, hours=hours(8, 18)))
    desk.calls(TemporaryError("busy"), key=None)
    due = desk.action().due_at
    desk.later(seconds=1).sees()
    assert due is not None
    assert desk.action().due_at == due


def test_hours_that_were_edited_count_at_the_next_decision() -> None:
    desk = waiting()
    desk.rules = (guarded(LEAVES, hours=hours(10, 18)),)
    desk.later(seconds=1).sees()
    assert desk.action().due_at == START.replace(hour=10)
    desk.rules = (LEAVES,)
    desk.later(seconds=1).sees()
    assert desk.to_send()


def test_a_retry_that_waits_for_hours_is_due_when_they_are_taken_away() -> None:
    desk = sold_out(guarded(LEAVES, hours=hours(8, 10)))
    desk.calls(TemporaryError("busy"))
    desk.later(hours=2).sees()
    desk.rules = (LEAVES,)
    desk.later(seconds=1).sees()
    assert desk.to_send()


def test_the_rule_that_leads_decides_for_all_that_want_the_same() -> None:
    free = while_(FEW, removes("Featured"), code="b", order=1)
    assert sold_out(LATER, free).action().due_at == NOON
    assert sold_out(replace(LATER, order=2), free).action().due_at is None


def test_a_moment_waits_for_the_hours_and_lapses_if_it_no_longer_holds_then() -> None:
    desk = Bench((guarded(as_soon_as(SOLD_OUT, removes("Featured")), hours=hours(12, 18)),))
    desk.sees()
    desk.later(seconds=1).sees(stock=0)
    assert (desk.action().step, desk.action().due_at) == (Step.MOMENT, NOON)
    assert "waits until 12:00 (UTC)" in desk.says("m")
    desk.later(hours=3).sees(stock=4)
    assert not desk.actions()
    assert "lapsed" in desk.says("m")


def test_a_moment_that_still_holds_when_the_hours_open_acts() -> None:
    desk = Bench((guarded(as_soon_as(SOLD_OUT, removes("Featured")), hours=hours(12, 18)),))
    desk.sees()
    desk.later(seconds=1).sees(stock=0)
    desk.later(hours=3).sees()
    assert desk.to_send()


def test_a_person_who_does_it_while_the_rule_waits_is_owed_nothing() -> None:
    desk = waiting()
    desk.later(hours=1).sees(category_ids=[])
    assert not desk.actions()
    desk.later(hours=3).sees(stock=3)
    assert not desk.actions()


def test_a_retry_that_waits_for_hours_moves_with_them() -> None:
    desk = sold_out(guarded(LEAVES, hours=hours(8, 10)))
    desk.calls(TemporaryError("busy"))
    desk.later(hours=2).sees()
    desk.rules = (guarded(LEAVES, hours=hours(16, 18)),)
    desk.later(seconds=1).sees()
    assert desk.action().due_at == START.replace(hour=16)


def test_an_earlier_rule_that_joins_has_the_action_wait_for_its_hours() -> None:
    desk = Bench((LATER, while_(FEW, removes("Featured"), code="b", order=1)))
    desk.sees(stock=1)
    assert desk.action().due_at is None
    desk.later(seconds=1).sees(stock=0)
    assert (desk.action().rules, desk.action().due_at) == (("a", "b"), NOON)


def test_a_call_that_was_tried_already_is_tried_on_in_the_name_of_whoever_began() -> None:
    desk = Bench((LEAVES, while_(FEW, removes("Featured"), code="b", order=1)))
    desk.sees(stock=1)
    desk.calls(TemporaryError("busy"))
    desk.later(seconds=1).sees(stock=0)
    assert (desk.action().rules, desk.action().attempts) == (("b",), 1)


def _rules(opens: int) -> tuple[Rule, ...]:
    within = hours(opens, (opens + 7) % 24)
    return (
        guarded(LEAVES, hours=within),
        guarded(while_(FEW, adds("Sale"), code="b", order=1), hours=within),
        guarded(as_soon_as(stock(Word.AT_LEAST, 9), removes("Sale"), code="m", order=2), hours=within),
    )


@given(
    st.integers(0, 23),
    st.lists(st.tuples(st.integers(1, 9 * 3600), st.sampled_from([0, 1, 5, 9]), st.booleans()), max_size=8),
)
def test_no_action_is_ever_due_outside_the_hours_of_its_rule(opens: int, looks: list[tuple[int, int, bool]]) -> None:
    desk = Bench(_rules(opens))
    window = hours(opens, (opens + 7) % 24)
    desk.sees(category_ids=[FEATURED, SALE])
    for seconds, number, fails in looks:
        desk.later(seconds=seconds).sees(stock=number)
        for action in desk.actions():
            due: datetime = max(action.due_at or desk.at, desk.at)
            assert window.opens_at(due) is None or action.state is ActionState.DONE
        for action in desk.to_send():
            desk.calls(TemporaryError("busy") if fails else Done(is_shown=True), action.key)
            desk.later(seconds=1)
        members = {FEATURED: True, SALE: True} | {
            a.slot.target: bool(a.wish) for a in desk.memory.actions.values() if a.state is ActionState.CONFIRMED
        }
        desk.fields["p1"]["category_ids"] = [id_ for id_, is_in in members.items() if is_in]
