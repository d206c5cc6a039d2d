"""Shops that cannot be read, and brands, of which only the id that is there can be taken off."""

from __future__ import annotations

from core_builders import (
    LEAVES,
    SOLD_OUT,
    START,
    UNREADABLE,
    Bench,
    while_,
)

from rules_engine.core.action import ActionKind
from rules_engine.core.holds import HoldState
from rules_engine.core.plan import Step
from rules_engine.core.rule import Effect, EffectKind

# -------------------------------------------------------------------------------- a brand's own id


def test_unassigning_uses_the_brand_that_is_there_when_the_call_is_made() -> None:
    desk = Bench((while_(SOLD_OUT, Effect(EffectKind.UNASSIGN_BRAND)),))
    desk.sees(stock=0, brand="Acme", brand_id="a1")
    assert desk.action().target == "a1"
    desk.later(seconds=1).sees(brand="Globex", brand_id="g1")
    assert desk.action().target == "g1"


def test_a_brand_whose_id_nobody_knows_is_never_a_call_with_an_empty_id() -> None:
    desk = Bench((while_(SOLD_OUT, Effect(EffectKind.UNASSIGN_BRAND)),))
    desk.sees(stock=0, brand="Acme")
    assert not desk.actions()
    assert "cannot tell" in desk.says()


# ---------------------------------------------------------------------------------------- no reads


def test_without_reads_a_state_from_before_our_call_is_no_person() -> None:
    desk = Bench((LEAVES,), UNREADABLE)
    desk.sees(version=START, stock=0)
    desk.later(minutes=5).calls()
    assert desk.hold().state is HoldState.HOLDING
    desk.later(minutes=1).sees(version=START.replace(minute=3), price=7)
    assert desk.hold().state is HoldState.HOLDING
    assert desk.case().snapshot is not None
    desk.later(hours=3).sees(version=START.replace(minute=4), price=8)
    assert desk.hold().state is HoldState.HOLDING
    desk.later(minutes=1).sees(version=START.replace(minute=6), price=9)
    assert desk.hold().state is HoldState.STEPPED_BACK


def test_without_reads_a_delivery_does_not_prove_that_an_unanswered_call_failed() -> None:
    desk = Bench((LEAVES,), UNREADABLE)
    desk.sees(version=START, stock=0)
    desk.later(minutes=5).attempts()
    desk.later(minutes=1).sees(version=START.replace(minute=4), stock=3)
    assert desk.hold().state is HoldState.OWED
    assert desk.action().step is Step.GIVE_BACK
    desk.calls()
    assert desk.hold().state is HoldState.RELEASED


def test_without_reads_an_unanswered_give_back_is_undone_by_a_new_take() -> None:
    desk = Bench((LEAVES,), UNREADABLE)
    desk.sees(version=START, stock=0)
    desk.calls()
    desk.later(minutes=1).sees(version=START.replace(minute=1), stock=3, category_ids=[])
    desk.attempts()
    desk.later(minutes=1).sees(version=START.replace(minute=1, second=5), stock=0)
    action = desk.action()
    assert (action.step, action.wish) == (Step.TAKE, False)
    desk.calls()
    assert desk.hold().state is HoldState.HOLDING


def test_without_reads_an_older_delivery_is_late_and_changes_nothing() -> None:
    desk = Bench((LEAVES,), UNREADABLE)
    desk.sees(version=START.replace(minute=5), stock=3)
    case = desk.case()
    decision = desk.later(minutes=6).sees(version=START.replace(minute=4), stock=0)
    assert decision.is_late
    assert decision.case == case


def test_without_reads_a_brand_that_an_unanswered_give_back_may_have_assigned_is_taken_off_by_its_id() -> None:
    desk = Bench((while_(SOLD_OUT, Effect(EffectKind.UNASSIGN_BRAND)),), UNREADABLE)
    desk.sees(version=START, stock=0, brand="Acme", brand_id="a1")
    desk.calls()
    desk.later(minutes=1).sees(version=START.replace(minute=1), stock=3, brand=None, brand_id=None)
    desk.attempts()
    desk.later(minutes=1).sees(version=START.replace(minute=1, second=5), stock=0)
    assert (desk.action().kind, desk.action().target) == (ActionKind.UNASSIGN_BRAND, "a1")
