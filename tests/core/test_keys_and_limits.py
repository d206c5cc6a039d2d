"""Idempotency keys, and how often a rule may take."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from core_builders import (
    FEATURED,
    LAG,
    LEAVES,
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
    while_,
)

from rules_engine.core.action import Done
from rules_engine.core.condition import Change, Transition
from rules_engine.core.holds import HoldState
from rules_engine.core.plan import Step
from rules_engine.core.rule import RuleCode

# -------------------------------------------------------------------------------------------- keys


def test_the_key_of_an_action_is_stable_and_each_step_has_its_own() -> None:
    first, second = sold_out(), sold_out()
    take = first.action().key
    assert second.action().key == take
    first.calls()
    first.later(seconds=1).sees(category_ids=[])
    first.later(seconds=1).sees(stock=3)
    give_back = first.action().key
    first.calls()
    first.later(seconds=1).sees(category_ids=[FEATURED])
    first.later(seconds=1).sees(stock=0)
    next_take = first.action().key
    assert len({take, give_back, next_take}) == 3


def test_stores_products_and_rules_have_keys_of_their_own() -> None:
    desk = sold_out()
    other = sold_out(replace(LEAVES, code=RuleCode("b")))
    desk.sees("p2", stock=0)
    assert len({desk.action().key, desk.action("p2").key, other.action().key}) == 3


# ------------------------------------------------------------------------------ once, and flapping


def test_a_rule_takes_at_most_once_in_an_episode() -> None:
    desk = holding()
    desk.rules = (replace(LEAVES, effects=(removes("Sale"),)),)
    desk.later(seconds=1).sees()
    desk.calls()
    desk.later(seconds=1).sees(category_ids=[FEATURED])
    desk.rules = (LEAVES,)
    desk.later(seconds=1).sees()
    assert not desk.actions()
    assert desk.hold().state is HoldState.RELEASED


def test_a_rule_takes_a_product_three_times_in_24_hours_then_waits_and_says_so_once() -> None:
    desk = Bench((LEAVES,))
    for _ in range(3):
        desk.later(minutes=1).sees(stock=0, category_ids=[FEATURED])
        desk.calls()
        desk.later(minutes=1).sees(category_ids=[])
        desk.later(minutes=1).sees(stock=3)
        desk.calls()
        desk.later(minutes=1).sees(category_ids=[FEATURED])
    decision = desk.later(minutes=1).sees(stock=0)
    assert not desk.actions()
    assert "3 times in 24 hours" in desk.says()
    assert decision.look_at == START.replace(minute=1) + 24 * 6 * LAG
    desk.later(minutes=1).sees()
    assert not desk.says()
    desk.later(hours=24).sees()
    assert desk.action().step is Step.TAKE


def cycle(desk: Bench) -> Bench:
    """The product sells out and leaves Featured, and is back with its stock."""
    desk.later(minutes=1).sees(stock=0, category_ids=[FEATURED])
    desk.calls()
    desk.later(minutes=1).sees(category_ids=[])
    return restocked(desk)


def restocked(desk: Bench) -> Bench:
    """The product is in stock again and comes back."""
    desk.later(minutes=1).sees(stock=3)
    desk.calls()
    desk.later(minutes=1).sees(category_ids=[FEATURED])
    return desk


def test_a_rule_may_say_how_often_it_takes_a_product_in_24_hours() -> None:
    desk = cycle(Bench((guarded(LEAVES, flap_limit=1),)))
    desk.later(minutes=1).sees(stock=0)
    assert not desk.actions()
    assert "taken once in 24 hours; waits until 2026-03-03 09:01 (UTC)" in desk.says()
    desk.rules = (guarded(LEAVES, flap_limit=4),)
    desk.later(minutes=1).sees()
    assert desk.action().step is Step.TAKE


def test_a_limit_that_was_lowered_waits_until_few_enough_takes_are_left_in_the_day() -> None:
    desk = cycle(cycle(Bench((LEAVES,))))
    desk.rules = (guarded(LEAVES, flap_limit=1),)
    decision = desk.later(minutes=1).sees(stock=0)
    assert decision.look_at == START.replace(day=3, minute=5)


# ------------------------------------------------------------------------------ at most every so often

HOURLY = guarded(LEAVES, at_most_every=timedelta(hours=1))


def test_a_rule_that_acts_every_so_often_waits_with_the_next_take_and_says_so_once() -> None:
    desk = cycle(Bench((HOURLY,)))
    decision = desk.later(minutes=1).sees(stock=0)
    assert not desk.actions()
    assert "Featured (10): acts at most every 1 hour; waits until 2026-03-02 10:01 (UTC)" in desk.says()
    assert decision.look_at == START.replace(hour=10, minute=1)
    desk.later(minutes=1).sees()
    assert not desk.says()
    desk.at = START.replace(hour=10, minute=1)
    desk.sees()
    assert desk.action().step is Step.TAKE


def test_a_hold_that_was_put_off_says_so_no_longer_than_it_is() -> None:
    desk = cycle(Bench((HOURLY,)))
    desk.later(minutes=1).sees(stock=0)
    assert "waits until" in desk.hold().reason
    desk.at = START.replace(hour=10, minute=1)
    desk.sees()
    assert (desk.hold().state, desk.hold().reason) == (HoldState.PENDING, "")


def test_what_it_waits_for_is_forgotten_when_the_condition_ends() -> None:
    desk = cycle(Bench((HOURLY,)))
    desk.later(minutes=1).sees(stock=0)
    decision = desk.later(minutes=1).sees(stock=3)
    assert decision.look_at is None
    assert not desk.is_held()


def test_giving_back_never_waits_for_it() -> None:
    desk = holding(HOURLY)
    desk.later(seconds=1).sees(stock=3)
    assert desk.to_send()[0].step is Step.GIVE_BACK


def test_what_a_rule_takes_in_one_turn_counts_as_one() -> None:
    desk = sold_out(guarded(while_(SOLD_OUT, removes("Featured"), adds("Sale")), at_most_every=timedelta(hours=1)))
    assert len(desk.actions()) == 2


def test_the_span_begins_when_it_was_done_not_when_it_was_decided() -> None:
    desk = sold_out(guarded(HOURLY, hours=hours(12, 18), at_most_every=timedelta(hours=3)))
    desk.later(hours=3).sees()
    desk.calls()
    restocked(desk.later(minutes=1))
    decision = desk.later(minutes=1).sees(stock=0)
    assert decision.look_at == START.replace(hour=15, second=1)


def test_a_moment_within_the_span_lapses_with_a_note_and_does_not_pile_up() -> None:
    desk = Bench((guarded(as_soon_as(SOLD_OUT, removes("Featured")), at_most_every=timedelta(hours=1)),))
    desk.sees()
    desk.later(minutes=1).sees(stock=0)
    desk.calls(Done(is_shown=True))
    desk.later(minutes=1).sees(stock=3, category_ids=[FEATURED])
    desk.later(minutes=1).sees(stock=0)
    assert not desk.actions()
    assert "its moment came; lapsed: it acts at most every 1 hour" in desk.says("m")
    desk.later(hours=2).sees(stock=3)
    assert not desk.actions()
    desk.later(minutes=1).sees(stock=0)
    assert desk.action().step is Step.MOMENT


def test_a_moment_that_was_decided_and_waits_counts_too() -> None:
    brand = Transition("product.brand", Change.CHANGES)
    rule = guarded(as_soon_as(brand, adds("Sale")), at_most_every=timedelta(days=1), hours=hours(12, 18))
    desk = Bench((rule,))
    desk.sees(brand="Acme")
    desk.later(minutes=1).sees(brand="Globex")
    key = desk.action().key
    desk.later(minutes=1).sees(brand="Acme")
    assert desk.action().key == key
    assert "lapsed" in desk.says("m")


def test_of_two_waits_the_longer_one_is_waited_for_and_said() -> None:
    desk = holding(guarded(LEAVES, flap_limit=1, at_most_every=timedelta(days=3)))
    desk.later(hours=1).sees(stock=3)
    desk.calls(Done(is_shown=True))
    desk.later(hours=1).sees(stock=3, category_ids=[FEATURED])
    decision = desk.later(hours=1).sees(stock=0)
    assert "acts at most every 3 days; waits until" in desk.says()
    assert decision.look_at is not None
    assert decision.look_at - desk.at > timedelta(days=2)
