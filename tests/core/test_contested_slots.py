"""Several rules about one slot: who wins, and what is given back; and what is left."""

from __future__ import annotations

from dataclasses import replace

from core_builders import (
    FEATURED,
    FEW,
    LEAVES,
    SALE,
    SOLD_OUT,
    Bench,
    adds,
    holding,
    membership,
    removes,
    sold_out,
    while_,
)

from rules_engine.core.action import ActionKind
from rules_engine.core.holds import HoldState
from rules_engine.core.plan import Step
from rules_engine.core.rule import Afterwards

# --------------------------------------------------------------------------------- contested slots


REMOVE_SALE = while_(SOLD_OUT, removes("Sale"), code="a", order=0)
ADD_SALE = while_(FEW, adds("Sale"), code="b", order=1)


def test_the_earlier_rule_wins_and_the_trace_of_the_other_names_it() -> None:
    desk = Bench((REMOVE_SALE, ADD_SALE))
    desk.sees(stock=0)
    assert not desk.actions()
    assert "overruled by a" in desk.says("b")
    desk.later(seconds=1).sees()
    assert not desk.says("b")


def test_the_later_rule_gets_its_turn_when_the_earlier_one_ends() -> None:
    desk = Bench((REMOVE_SALE, ADD_SALE))
    desk.sees(stock=0)
    desk.later(seconds=1).sees(stock=1)
    assert desk.action().kind is ActionKind.ADD_TO_CATEGORY
    assert desk.action().rules == ("b",)


def test_the_earlier_rule_undoes_what_the_later_one_took_and_gives_way_again() -> None:
    desk = Bench((REMOVE_SALE, ADD_SALE))
    desk.sees(stock=1)
    desk.calls()
    desk.later(seconds=1).sees(category_ids=[FEATURED, SALE])
    desk.later(seconds=1).sees(stock=0)
    assert desk.action().kind is ActionKind.REMOVE_FROM_CATEGORY
    desk.calls()
    desk.later(seconds=1).sees(category_ids=[FEATURED])
    desk.later(seconds=1).sees(stock=1)
    again = desk.action()
    assert (again.kind, again.rules) == (ActionKind.ADD_TO_CATEGORY, ("b",))
    desk.calls()
    desk.later(seconds=1).sees(category_ids=[FEATURED, SALE])
    desk.later(seconds=1).sees(stock=9)
    assert desk.action().step is Step.GIVE_BACK


def test_what_an_overruled_rule_took_stays_owed_while_the_earlier_rule_has_not_acted() -> None:
    desk = Bench((REMOVE_SALE, ADD_SALE))
    desk.sees(stock=1)
    desk.calls()
    desk.later(seconds=1).sees(category_ids=[FEATURED, SALE])
    desk.later(seconds=1).sees(stock=0)
    desk.later(seconds=1).sees()  # nothing was sent yet
    assert desk.case().slots[membership(SALE)].baseline is False
    desk.later(seconds=1).sees(stock=9)
    assert (desk.action().step, desk.action().wish) == (Step.GIVE_BACK, False)


def test_a_person_wins_over_a_rule_that_was_overruled_and_leads_again() -> None:
    desk = Bench((REMOVE_SALE, ADD_SALE))
    desk.sees(stock=1)
    desk.calls()
    desk.later(seconds=1).sees(category_ids=[FEATURED, SALE])
    desk.later(seconds=1).sees(stock=0)
    desk.later(seconds=1).sees(stock=1)
    assert desk.hold(membership(SALE), "b").state is HoldState.HOLDING
    desk.later(seconds=1).sees(category_ids=[FEATURED])
    assert desk.hold(membership(SALE), "b").state is HoldState.STEPPED_BACK


def test_a_person_wins_over_a_rule_that_keeps_the_baseline_against_another() -> None:
    desk = Bench((REMOVE_SALE, ADD_SALE))
    desk.sees(stock=0)
    desk.later(seconds=1).sees(category_ids=[FEATURED, SALE])
    assert desk.hold(membership(SALE), "a").state is HoldState.STEPPED_BACK
    assert not desk.actions()


# ------------------------------------------------------------------------------- afterwards: leave


def test_afterwards_leave_gives_nothing_back() -> None:
    desk = holding(replace(LEAVES, afterwards=Afterwards.LEAVE))
    desk.later(seconds=1).sees(stock=3)
    assert desk.hold().state is HoldState.RELEASED
    assert not desk.actions()


def test_afterwards_leave_gives_nothing_back_after_an_unknown_outcome_either() -> None:
    desk = sold_out(replace(LEAVES, afterwards=Afterwards.LEAVE))
    desk.attempts()
    desk.later(seconds=1).sees(stock=3, category_ids=[])
    assert desk.hold().state is HoldState.RELEASED
    assert not desk.actions()
