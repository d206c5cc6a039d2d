"""Rules that insist take again what a person put back, within the flap limit."""

from __future__ import annotations

from dataclasses import replace

from core_builders import FEATURED, LEAVES, PROMOTING, SALE, SOLD_OUT, TOP, Bench, guarded, holding, membership, while_

from rules_engine.core.action import ActionKind, Aspect, Done, SlotRef
from rules_engine.core.holds import HoldState
from rules_engine.core.plan import Step
from rules_engine.core.rule import Effect, EffectKind, Mode, Rule
from rules_engine.core.subject import ProductId

INSISTS = guarded(LEAVES, insists=True)


def put_back(*rules: Rule) -> Bench:
    """A person put the product back into Featured, and the engine sees it."""
    desk = holding(*(rules or (INSISTS,)))
    desk.later(seconds=1).sees(category_ids=[FEATURED])
    return desk


def test_what_a_person_put_back_is_taken_again() -> None:
    desk = put_back()
    assert (desk.action().step, desk.action().kind) == (Step.TAKE, ActionKind.REMOVE_FROM_CATEGORY)
    assert desk.hold().state is HoldState.PENDING
    assert "a person undid it (Featured (10)): it insists; takes it out of Featured (10)" in desk.says()


def test_each_time_is_a_step_of_its_own_and_is_given_back_once() -> None:
    desk = put_back()
    keys = {desk.action().key}
    desk.calls(Done(is_shown=True))
    desk.later(seconds=1).sees(category_ids=[])
    desk.later(seconds=1).sees(category_ids=[FEATURED])
    keys.add(desk.action().key)
    desk.calls(Done(is_shown=True))
    assert (len(keys), desk.hold().takes) == (2, 3)
    desk.later(seconds=1).sees(category_ids=[], stock=3)
    assert (desk.action().step, desk.action().kind) == (Step.GIVE_BACK, ActionKind.ADD_TO_CATEGORY)


def test_it_insists_only_as_often_as_the_flap_limit_lets_it() -> None:
    desk = put_back(guarded(LEAVES, insists=True, flap_limit=2))
    desk.calls(Done(is_shown=True))
    desk.later(seconds=1).sees(category_ids=[])
    decision = desk.later(seconds=1).sees(category_ids=[FEATURED])
    assert not desk.actions()
    assert "taken 2 times in 24 hours; waits until 2026-03-03 09:00 (UTC)" in desk.says()
    assert decision.look_at is not None
    desk.at = decision.look_at
    desk.sees()
    assert desk.action().step is Step.TAKE


def test_what_a_person_takes_out_again_while_the_rule_waits_is_not_given_back() -> None:
    desk = put_back(guarded(LEAVES, insists=True, flap_limit=1))
    assert not desk.actions()
    desk.later(seconds=1).sees(category_ids=[])
    assert desk.hold().state is HoldState.HOLDING
    desk.later(seconds=1).sees(stock=3)
    assert not desk.actions()


def test_when_the_condition_ends_what_a_person_put_back_stays() -> None:
    desk = put_back()
    desk.later(seconds=1).sees(stock=3)
    assert not desk.actions()
    assert not desk.is_held()


def test_a_rule_that_is_edited_to_insist_takes_again_at_the_next_decision() -> None:
    desk = put_back(LEAVES)
    assert desk.hold().state is HoldState.STEPPED_BACK
    desk.rules = (INSISTS,)
    desk.later(seconds=1).sees()
    assert desk.action().step is Step.TAKE
    assert "it insists now" in desk.says()


def test_a_paused_rule_does_not_insist_until_it_runs_again() -> None:
    desk = holding(INSISTS)
    desk.rules = (replace(INSISTS, mode=Mode.PAUSED),)
    desk.later(seconds=1).sees(category_ids=[FEATURED])
    assert desk.hold().state is HoldState.STEPPED_BACK
    desk.rules = (INSISTS,)
    desk.later(seconds=1).sees()
    assert desk.to_send()


def test_of_two_rules_only_the_one_that_insists_takes_again() -> None:
    other = while_(SOLD_OUT, *LEAVES.effects, code="b", order=1)
    desk = put_back(LEAVES, guarded(other, insists=True))
    assert desk.hold(rule="a").state is HoldState.STEPPED_BACK
    assert desk.hold(rule="b").state is HoldState.PENDING
    assert desk.action().rules == ("b",)


def test_a_third_value_that_a_person_chose_becomes_what_is_given_back() -> None:
    unbranded = guarded(while_(SOLD_OUT, Effect(EffectKind.UNASSIGN_BRAND)), insists=True)
    slot = SlotRef(ProductId("p1"), Aspect.BRAND)
    desk = Bench((unbranded,))
    desk.sees(stock=0, brand="Acme", brand_id="a1")
    desk.calls()
    desk.later(seconds=1).sees(brand=None, brand_id=None)
    desk.later(seconds=1).sees(brand="Globex", brand_id="g1")
    assert (desk.action().kind, desk.action().target) == (ActionKind.UNASSIGN_BRAND, "g1")
    desk.calls()
    desk.later(seconds=1).sees(brand=None, brand_id=None)
    assert desk.case().slots[slot].baseline == "g1"
    desk.later(seconds=1).sees(stock=3)
    assert (desk.action().kind, desk.action().target) == (ActionKind.ASSIGN_BRAND, "g1")


def test_nobody_insists_on_what_the_shop_made_by_itself() -> None:
    desk = Bench((INSISTS,), PROMOTING)
    desk.sees(stock=0)
    desk.calls()
    desk.later(seconds=1).sees(category_ids=[TOP])
    desk.later(seconds=1).sees(category_ids=[SALE])
    assert not desk.actions()
    assert desk.hold(membership(TOP)).state is HoldState.STEPPED_BACK
