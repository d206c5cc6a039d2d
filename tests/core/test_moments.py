"""Moments: what a rule does once, as soon as its condition comes to hold."""

from __future__ import annotations

from dataclasses import replace

import pytest
from core_builders import (
    FEATURED,
    LEAVES,
    READABLE,
    SALE,
    SOLD_OUT,
    UNREADABLE,
    Bench,
    adds,
    as_soon_as,
    holding,
    membership,
    removes,
    stock,
    while_,
)

from rules_engine.core.action import ActionKind, Done
from rules_engine.core.admission import held_back
from rules_engine.core.condition import AnyOf, Change, Emptiness, Expression, Happens, Test, Transition, Word
from rules_engine.core.delivery import EventType
from rules_engine.core.errors import TemporaryError
from rules_engine.core.holds import HoldState
from rules_engine.core.plan import ActionState, Step
from rules_engine.core.question import QuestionId
from rules_engine.core.rule import Mode, Named, Rule, RuleCode, Under

UNBRANDED = as_soon_as(
    Transition("product.brand", Change.BECOMES, Emptiness.EMPTY), removes(Under(Named("Brands")), "Featured")
)
SELLS_OUT = as_soon_as(SOLD_OUT, removes("Featured"))
HIDDEN = Test("product.published", Word.IS, False)
CREATED = frozenset({EventType.PRODUCT_CREATED})


def test_a_moment_acts_when_its_condition_turns_from_unmet_to_met() -> None:
    desk = Bench((SELLS_OUT,))
    desk.sees(stock=5)
    assert not desk.actions()
    desk.later(seconds=1).sees(stock=0)
    action = desk.action()
    assert (action.step, action.kind, action.target) == (Step.MOMENT, ActionKind.REMOVE_FROM_CATEGORY, FEATURED)
    assert "its moment came" in desk.says("m")


def test_a_moment_acts_once() -> None:
    desk = Bench((SELLS_OUT,))
    desk.sees(stock=5)
    desk.later(seconds=1).sees(stock=0)
    desk.calls()
    desk.later(seconds=1).sees(category_ids=[])
    desk.later(seconds=1).sees(category_ids=[FEATURED])  # a person puts it back
    assert not desk.actions()


def test_a_moment_gives_nothing_back() -> None:
    desk = Bench((SELLS_OUT,))
    desk.sees(stock=5)
    desk.later(seconds=1).sees(stock=0)
    desk.calls()
    desk.later(seconds=1).sees(stock=5, category_ids=[])
    assert not desk.actions()
    assert not desk.case().slots


def test_each_moment_has_a_key_of_its_own() -> None:
    desk = Bench((SELLS_OUT,))
    keys = set()
    for _ in range(2):
        desk.later(seconds=1).sees(stock=5, category_ids=[FEATURED])
        desk.later(seconds=1).sees(stock=0)
        keys.add(desk.action().key)
        desk.calls()
        desk.later(seconds=1).sees(category_ids=[])
    assert len(keys) == 2


def test_the_first_sight_is_no_moment() -> None:
    desk = Bench((SELLS_OUT, UNBRANDED))
    desk.sees(stock=0, brand=None)
    assert not desk.actions()


def test_the_first_sight_is_a_moment_for_a_rule_that_says_so() -> None:
    desk = Bench((replace(SELLS_OUT, acts_at_first_sight=True),))
    desk.sees(stock=0)
    assert desk.action().step is Step.MOMENT


def test_a_stretch_needs_no_before_and_acts_at_first_sight() -> None:
    desk = Bench((LEAVES,))
    desk.sees(stock=0)
    assert desk.action().step is Step.TAKE


def test_a_rule_about_new_products_acts_at_first_sight_of_one_that_was_created() -> None:
    rule = as_soon_as(Happens("created"), adds("Sale"))
    desk = Bench((rule,))
    desk.sees(events=CREATED)
    assert desk.action().target == SALE
    desk.sees("p2")
    assert not desk.actions("p2")


def test_a_moment_needs_to_know_that_its_condition_did_not_hold_before() -> None:
    desk = Bench((SELLS_OUT,))
    desk.sees()
    del desk.fields["p1"]["stock"]
    desk.later(seconds=1).sees()
    desk.later(seconds=1).sees(stock=0)
    assert not desk.actions()


def test_changes_between_two_reads_count_as_their_sum() -> None:
    desk = Bench((as_soon_as(Transition("product.stock", Change.FALLS_BELOW, 3), removes("Featured")),))
    desk.sees(stock=5)
    desk.later(hours=1).sees(stock=4)  # it was 1 in between, and nobody saw it
    assert not desk.actions()
    desk.later(hours=1).sees(stock=2)
    assert desk.action()


def test_a_brand_that_is_cleared_takes_the_product_out_of_all_brand_collections() -> None:
    desk = Bench((UNBRANDED,))
    desk.sees(brand="Acme", category_ids=["31", "32", SALE])
    desk.later(seconds=1).sees(brand=None)
    assert {action.target for action in desk.actions()} == {"31", "32"}


def test_the_whole_condition_must_turn_not_only_a_part_of_it() -> None:
    part = AnyOf((SOLD_OUT, Test("product.published", Word.IS, False)))  # the value that is asked for
    desk = Bench((as_soon_as(part, removes("Featured")),))
    desk.sees(stock=5, published=False)
    desk.later(seconds=1).sees(stock=0)
    assert not desk.actions()


def test_a_moment_by_an_expression_over_before_and_now() -> None:
    desk = Bench((as_soon_as(Expression("before.stock > `0` && product.stock == `0`"), removes("Featured")),))
    desk.sees(stock=5)
    desk.later(seconds=1).sees(stock=0)
    assert desk.action()


# ------------------------------------------------------------------------------------ our own effects


IN_FEATURED = Test("product.categories", Word.CONTAINS, "Featured")
LEFT_FEATURED = as_soon_as(Transition("product.categories", Change.CHANGES), adds("Sale"), code="n", order=1)


def test_what_our_own_rule_took_is_no_change_for_another_rule() -> None:
    desk = holding(LEAVES, LEFT_FEATURED)
    assert not desk.actions()
    desk.later(seconds=1).sees(stock=3)
    desk.calls()
    desk.later(seconds=1).sees(category_ids=[FEATURED])
    assert not desk.actions()


def test_our_own_echo_says_nothing_and_changes_nothing() -> None:
    desk = holding()
    revision = desk.case().revision
    decision = desk.later(seconds=1).sees()
    assert decision.traces == ()
    assert decision.case.revision == revision


def test_a_call_of_ours_that_was_lost_and_happened_is_no_change_either() -> None:
    desk = Bench((SELLS_OUT, LEFT_FEATURED))
    desk.sees(stock=5)
    desk.later(seconds=1).sees(stock=0)
    desk.attempts()
    desk.later(seconds=1).sees(category_ids=[])
    assert not desk.actions()


def test_what_the_shop_still_shows_inside_the_lag_is_no_change_either() -> None:
    desk = Bench((SELLS_OUT, LEFT_FEATURED))
    desk.sees(stock=5)
    desk.later(seconds=1).sees(stock=0)
    desk.calls()
    desk.later(seconds=1).sees(category_ids=[FEATURED])
    desk.later(seconds=1).sees(category_ids=[])
    assert not desk.actions()


def test_what_a_person_does_is_a_change() -> None:
    desk = Bench((LEFT_FEATURED,))
    desk.sees()
    desk.later(seconds=1).sees(category_ids=[])
    assert desk.action().target == SALE


def test_fields_that_move_by_themselves_are_no_change() -> None:
    desk = Bench((SELLS_OUT,))
    desk.sees(updated_at="2026-03-02T09:00:00Z", raw={"views": 1})
    revision = desk.case().revision
    desk.later(seconds=1).sees(updated_at="2026-03-02T09:00:01Z", raw={"views": 2})
    assert desk.case().revision == revision


# ------------------------------------------------------------------------------------ waiting, and lapsing


def waiting() -> Bench:
    """A moment whose call failed for now."""
    desk = Bench((SELLS_OUT,))
    desk.sees(stock=5)
    desk.later(seconds=1).sees(stock=0)
    desk.calls(TemporaryError("busy"))
    return desk


def test_a_moment_that_waits_goes_on_while_its_state_still_holds() -> None:
    desk = waiting()
    desk.later(seconds=2).sees()
    assert desk.to_send()


def test_a_moment_that_waits_lapses_and_says_so_when_its_state_no_longer_holds() -> None:
    desk = waiting()
    key = desk.action().key
    desk.later(seconds=2).sees(stock=4)
    assert not desk.actions()
    assert desk.memory.actions[key].state is ActionState.CANCELLED
    assert "lapsed" in desk.says("m")


def test_a_transition_that_waits_does_not_lapse_because_the_change_is_over() -> None:
    desk = Bench((UNBRANDED,))
    desk.sees(brand="Acme")
    desk.later(seconds=1).sees(brand=None)
    desk.calls(TemporaryError("busy"))
    desk.later(seconds=2).sees()
    assert desk.to_send()


def test_a_moment_lapses_when_its_rule_may_no_longer_act() -> None:
    desk = waiting()
    desk.rules = (replace(SELLS_OUT, mode=Mode.WATCH),)
    desk.later(seconds=2).sees()
    assert not desk.actions()


def test_a_watching_moment_lapses_at_once() -> None:
    desk = Bench((replace(SELLS_OUT, mode=Mode.WATCH),))
    desk.sees(stock=5)
    desk.later(seconds=1).sees(stock=0)
    assert not desk.actions()
    assert "only watches" in desk.says("m")
    desk.rules = (SELLS_OUT,)
    desk.later(seconds=1).sees()
    assert not desk.actions()


def test_a_moment_that_is_so_already_calls_nothing() -> None:
    desk = Bench((SELLS_OUT,))
    desk.sees(stock=5, category_ids=[])
    desk.later(seconds=1).sees(stock=0)
    assert not desk.actions()
    assert "already" in desk.says("m")


def test_a_moment_is_confirmed_by_a_read() -> None:
    desk = Bench((SELLS_OUT,))
    desk.sees(stock=5)
    desk.later(seconds=1).sees(stock=0)
    key = desk.action().key
    desk.calls()
    assert desk.memory.actions[key].state is ActionState.DONE
    desk.later(seconds=1).sees(category_ids=[])
    assert desk.memory.actions[key].state is ActionState.CONFIRMED


# ------------------------------------------------------------------------------------ moments and holds


def test_a_hold_beats_a_moment_and_the_trace_names_it() -> None:
    adds_back = as_soon_as(stock(Word.AT_MOST, 0), adds("Featured"), order=0)
    desk = Bench((adds_back, replace(LEAVES, order=1)))
    desk.sees(stock=5)
    desk.later(seconds=1).sees(stock=0)
    assert desk.action().step is Step.TAKE
    assert "overruled by a" in desk.says("m")


def test_a_moment_that_wants_what_is_held_already_makes_it_stay() -> None:
    desk = holding(LEAVES, as_soon_as(Test("product.sku", Word.IS, "old"), removes("Featured"), order=1))
    desk.later(seconds=1).sees(sku="young")
    desk.later(seconds=1).sees(sku="old")
    assert not desk.actions()
    desk.later(seconds=1).sees(stock=3)
    assert not desk.actions()
    assert desk.hold().state is HoldState.RELEASED


def test_a_moment_that_comes_while_something_is_owed_makes_what_is_there_stay() -> None:
    restocked = as_soon_as(stock(Word.AT_LEAST, 1), removes("Featured"), order=1)
    desk = holding(LEAVES, restocked)
    desk.later(seconds=1).sees(stock=3)
    desk.later(seconds=1).sees()
    assert not desk.actions()
    assert not desk.is_held()


def test_the_earlier_of_two_moments_wins() -> None:
    other = as_soon_as(SOLD_OUT, adds("Sale"), code="n", order=1)
    first = as_soon_as(SOLD_OUT, removes("Sale"), code="m", order=0)
    desk = Bench((first, other))
    desk.sees(stock=5, category_ids=[SALE])
    desk.later(seconds=1).sees(stock=0)
    assert desk.action().rules == ("m",)
    desk = Bench((replace(first, order=2), other))
    desk.sees(stock=5, category_ids=[FEATURED])
    desk.later(seconds=1).sees(stock=0)
    assert desk.action().rules == ("n",)
    assert "overruled by n" in desk.says("m")


def test_a_hold_on_what_a_moment_makes_gives_back_what_the_moment_made() -> None:
    desk = Bench((as_soon_as(stock(Word.AT_MOST, 2), adds("Sale"), order=1), while_(SOLD_OUT, removes("Sale"))))
    desk.sees(stock=5)
    desk.later(seconds=1).sees(stock=1)
    desk.calls(Done(is_shown=True))
    desk.later(seconds=1).sees(stock=0, category_ids=[FEATURED, SALE])
    desk.calls()
    desk.later(seconds=1).sees(category_ids=[FEATURED])
    desk.later(seconds=1).sees(stock=1)
    assert (desk.action().step, desk.action().kind) == (Step.GIVE_BACK, ActionKind.ADD_TO_CATEGORY)
    assert desk.hold(membership(SALE)).state is HoldState.OWED


def asked_and_paused(*moments: Rule, removal: Rule = LEAVES) -> Bench:
    """A rule was to take the product out of Featured, waits for the answer to a question, and was paused since."""
    desk = Bench((removal, *moments))
    desk.sees(stock=5)
    desk.later(seconds=1).sees(stock=0)
    desk.memory.save(held_back(desk.case(), desk.action().key, "it asks", question=QuestionId("q")))
    desk.rules = (replace(removal, mode=Mode.PAUSED), *moments)
    return desk


@pytest.mark.parametrize("removal", [LEAVES, replace(SELLS_OUT, code=RuleCode("a"))])
def test_a_moment_does_not_yield_to_a_paused_rule_that_took_nothing(removal: Rule) -> None:
    moment = as_soon_as(HIDDEN, removes("Featured"), order=1)
    desk = asked_and_paused(moment, removal=removal)
    desk.later(seconds=1).sees(published=False)
    assert (desk.action().rules, desk.action().step) == (("m",), Step.MOMENT)
    desk.calls()
    desk.later(seconds=1).sees(category_ids=[])
    assert not desk.actions()
    assert not desk.case().slots
    assert "its rule is paused, and m does it" in {action.reason for action in desk.memory.actions.values()}


def test_what_is_so_already_for_a_moment_stays_asked_for() -> None:
    desk = asked_and_paused(as_soon_as(HIDDEN, adds("Featured"), order=1))
    desk.later(seconds=1).sees(published=False)
    assert "it is so already" in desk.says("m")
    assert desk.action().state is ActionState.HELD


def test_a_moment_of_what_another_rule_is_about_to_do_says_so() -> None:
    desk = Bench((LEAVES, as_soon_as(SOLD_OUT, removes("Featured"), order=1)))
    desk.sees(stock=5)
    desk.later(seconds=1).sees(stock=0)
    assert desk.action().rules[0] == "a"
    assert "a is to make it so" in desk.says("m")


def test_without_reads_a_moment_is_done_by_its_answer() -> None:
    desk = Bench((SELLS_OUT,), replace(UNREADABLE, rate=READABLE.rate))
    desk.sees(stock=5, version=desk.at)
    desk.later(seconds=1).sees(stock=0, version=desk.at)
    desk.calls()
    assert not desk.actions()
