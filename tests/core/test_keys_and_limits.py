"""Idempotency keys, and how often a rule may take."""

from __future__ import annotations

from dataclasses import replace

from core_builders import (
    FEATURED,
    LAG,
    LEAVES,
    START,
    Bench,
    holding,
    removes,
    sold_out,
)

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
