"""What happens to holds when a rule is paused, edited or gone."""

from __future__ import annotations

from dataclasses import replace

import pytest
from core_builders import (
    FEATURED,
    FEW,
    LEAVES,
    SALE,
    SOLD_OUT,
    Bench,
    holding,
    owing,
    removes,
    sold_out,
    while_,
)

from rules_engine.core.action import ActionKind
from rules_engine.core.admission import held_back, let_through
from rules_engine.core.condition import Test, Word
from rules_engine.core.holds import HoldState
from rules_engine.core.plan import ActionState, Step
from rules_engine.core.question import QuestionId
from rules_engine.core.rule import Mode, Rule, Trigger

# ----------------------------------------------------------------------------- paused, watch, gone


@pytest.mark.parametrize("mode", [Mode.PAUSED, Mode.WATCH, None])
def test_a_rule_that_may_not_act_keeps_its_holds_and_gives_nothing_back(mode: Mode | None) -> None:
    desk = holding()
    desk.rules = (replace(LEAVES, mode=mode),) if mode else ()
    desk.later(seconds=1).sees(stock=3)
    assert desk.hold().state is HoldState.HOLDING
    assert not desk.actions()
    desk.rules = (LEAVES,)
    desk.later(seconds=1).sees()
    assert desk.action().step is Step.GIVE_BACK


@pytest.mark.parametrize("mode", [Mode.PAUSED, Mode.WATCH, None])
def test_a_rule_that_may_not_act_takes_nothing_that_it_had_decided_to_take(mode: Mode | None) -> None:
    desk = sold_out()
    desk.rules = (replace(LEAVES, mode=mode),) if mode else ()
    desk.later(seconds=1).sees()
    assert not desk.actions()
    desk.rules = (LEAVES,)
    desk.later(seconds=1).sees()
    assert desk.action().step is Step.TAKE


@pytest.mark.parametrize("mode", [Mode.PAUSED, Mode.WATCH, None])
def test_what_a_rule_that_may_not_act_owes_waits(mode: Mode | None) -> None:
    desk = owing()
    desk.rules = (replace(LEAVES, mode=mode),) if mode else ()
    desk.later(seconds=1).sees()
    desk.later(seconds=1).sees()
    assert desk.hold().state is HoldState.OWED
    assert not desk.actions()


def test_a_call_whose_outcome_is_unknown_is_settled_by_a_read_while_its_rule_is_paused() -> None:
    desk = sold_out()
    desk.attempts()
    desk.rules = (replace(LEAVES, mode=Mode.PAUSED),)
    desk.later(seconds=1).sees(category_ids=[])
    assert desk.hold().state is HoldState.HOLDING
    desk.rules = (LEAVES,)
    desk.later(seconds=1).sees(stock=3)
    assert desk.hold().state is HoldState.OWED


def test_a_call_that_did_not_happen_is_not_made_again_while_its_rule_is_paused() -> None:
    desk = sold_out()
    desk.attempts()
    desk.rules = (replace(LEAVES, mode=Mode.PAUSED),)
    desk.later(seconds=1).sees()
    assert desk.hold().state is HoldState.RELEASED
    assert not desk.actions()


def test_a_paused_rule_that_took_nothing_does_not_stand_in_the_way_of_a_later_rule() -> None:
    other = while_(FEW, removes("Featured"), code="b", order=1)
    desk = sold_out(LEAVES, other)
    desk.rules = (replace(LEAVES, mode=Mode.PAUSED), other)
    desk.later(seconds=1).sees()
    assert desk.action().rules[0] == "b"


def test_a_paused_rule_holds_on_what_another_rule_lets_go() -> None:
    other = while_(FEW, removes("Featured"), code="b", order=1)
    desk = holding(LEAVES, other)
    desk.rules = (replace(LEAVES, mode=Mode.PAUSED), other)
    desk.later(seconds=1).sees(stock=9)
    assert desk.hold(rule="b").state is HoldState.RELEASED
    assert not desk.actions()


PAUSED = replace(LEAVES, mode=Mode.PAUSED)
OTHER = while_(FEW, removes("Featured"), code="b", order=1)


def asked(*rules: Rule) -> Bench:
    """What the first rule is to take waits for the answer to a question."""
    desk = sold_out(*rules)
    desk.memory.save(held_back(desk.case(), desk.action().key, "it asks", question=QuestionId("q")))
    return desk


def test_a_paused_rule_that_asked_does_not_come_to_hold_what_another_takes() -> None:
    desk = asked(LEAVES)
    desk.rules = (PAUSED, OTHER)
    desk.later(seconds=1).sees()
    assert (desk.action().rules, desk.hold().state) == (("b",), HoldState.RELEASED)
    desk.calls()
    desk.later(seconds=1).sees(category_ids=[])
    assert (desk.hold().state, desk.hold().takes) == (HoldState.RELEASED, 0)
    desk.later(seconds=1).sees(stock=9)
    assert desk.action().step is Step.GIVE_BACK  # nobody else holds it


def test_once_it_runs_again_it_holds_on_what_the_other_took() -> None:
    desk = asked(LEAVES)
    desk.rules = (PAUSED, OTHER)
    desk.later(seconds=1).sees()
    desk.calls()
    desk.later(seconds=1).sees(category_ids=[])
    desk.rules = (LEAVES, OTHER)
    desk.later(seconds=1).sees()
    assert desk.hold().state is HoldState.HOLDING
    assert not desk.actions()


def test_what_another_rule_does_instead_of_a_paused_one_says_so() -> None:
    desk = asked(LEAVES)
    key = desk.action().key
    desk.rules = (PAUSED, OTHER)
    desk.later(seconds=1).sees()
    assert desk.memory.actions[key].reason == "its rule is paused, and b does it"
    desk = asked(OTHER)
    key = desk.action().key
    desk.rules = (LEAVES, OTHER)
    desk.later(seconds=1).sees()
    assert desk.memory.actions[key].reason == "a comes first in rule order, and does it"


@pytest.mark.parametrize("is_seen", [True, False])
def test_what_was_agreed_is_not_sent_while_its_rule_is_paused(is_seen: bool) -> None:
    desk = asked(LEAVES)
    key = desk.action().key
    desk.memory.save(let_through(desk.case(), key, at=desk.at))
    assert desk.to_send()
    desk.rules = (PAUSED,)
    if not is_seen:
        del desk.fields["p1"]["category_ids"]  # what the shop shows says nothing of categories now
    desk.later(seconds=1).sees()
    assert desk.action().state is ActionState.HELD
    assert not desk.to_send()
    desk.rules = (LEAVES,)
    desk.later(seconds=1).sees()
    assert desk.action().key == key


def test_a_watching_rule_says_so_and_decides_nothing() -> None:
    desk = sold_out(replace(LEAVES, mode=Mode.WATCH))
    assert not desk.actions()
    assert "only watches" in desk.says()


# ------------------------------------------------------------------------------------ edited rules


def test_a_changed_do_gives_back_what_is_no_longer_wanted_and_takes_what_is_new() -> None:
    desk = holding()
    desk.rules = (replace(LEAVES, effects=(removes("Sale"),)),)
    desk.later(seconds=1).sees(category_ids=[SALE])
    assert {(a.kind, a.target) for a in desk.actions()} == {
        (ActionKind.ADD_TO_CATEGORY, FEATURED),
        (ActionKind.REMOVE_FROM_CATEGORY, SALE),
    }


def test_a_rule_whose_name_means_nothing_here_waits_and_keeps_what_it_holds() -> None:
    desk = holding()
    desk.rules = (replace(LEAVES, effects=(removes("Featurd"),)),)
    desk.later(seconds=1).sees()
    assert desk.hold().state is HoldState.HOLDING


def test_a_rule_whose_name_means_nothing_here_takes_nothing_and_says_what_may_be_meant() -> None:
    desk = sold_out(replace(LEAVES, effects=(removes("Featurd"),)))
    assert not desk.actions()
    assert 'did you mean "Featured"' in desk.says()


def test_a_rule_that_became_a_moment_gives_back_what_it_held() -> None:
    desk = holding()
    desk.rules = (replace(LEAVES, trigger=Trigger.AS_SOON_AS),)
    desk.later(seconds=1).sees()
    assert desk.hold().state is HoldState.OWED


def test_unless_becoming_met_gives_back_at_once() -> None:
    rule = while_(SOLD_OUT, removes("Featured"), unless=Test("product.published", Word.IS, False))
    desk = holding(rule)
    desk.later(seconds=1).sees(published=False)
    assert desk.hold().state is HoldState.OWED
