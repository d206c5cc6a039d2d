"""Rules about a category that empty it, and what that means for each of its products."""

from __future__ import annotations

from dataclasses import replace

from core_builders import (
    EMPTIES,
    FEATURED,
    SALE,
    SOLD_OUT,
    UNPUBLISHED,
    Bench,
    adds,
    as_soon_as,
    guarded,
    membership,
    removes,
    sees_category,
    stock,
    while_,
)

from rules_engine.core.action import ActionKind
from rules_engine.core.condition import Truth, Word
from rules_engine.core.holds import HoldState
from rules_engine.core.plan import Step
from rules_engine.core.rule import Effect, EffectKind, Mode, Named, Rule, RuleCode
from rules_engine.core.sighting import Sighting
from rules_engine.core.subject import SubjectKind, category

KEY = (RuleCode("e"), category(SALE))


def unpublished(*rules: Rule) -> Bench:
    """Sale was published with the product in it, and is unpublished now."""
    desk = Bench((*rules, EMPTIES))
    sees_category(desk, is_published=True)
    desk.sees(category_ids=[FEATURED, SALE])
    sees_category(desk.later(seconds=1), is_published=False)
    return desk


def test_a_category_gives_an_episode_and_a_trace_and_no_action() -> None:
    desk = Bench((EMPTIES,))
    decision = sees_category(desk, is_published=False)
    assert decision.case.episodes[KEY].truth is Truth.MET
    assert decision.case.actions == {}
    assert "began to hold" in decision.traces[0].text


def test_a_stretch_ends_and_the_next_one_has_the_next_number() -> None:
    desk = Bench((EMPTIES,))
    sees_category(desk, is_published=False)
    ended = sees_category(desk, is_published=True).case.episodes[KEY]
    again = sees_category(desk, is_published=False).case.episodes[KEY]
    assert (ended.number, ended.truth) == (1, Truth.UNMET)
    assert (again.number, again.truth) == (2, Truth.MET)


def test_while_nobody_can_tell_the_stretch_goes_on() -> None:
    desk = unpublished()
    decision = sees_category(desk, is_published=None)
    assert decision.case.episodes[KEY].truth is Truth.MET


def test_the_members_of_an_emptied_category_leave_it() -> None:
    desk = unpublished()
    desk.sees()
    action = desk.action()
    assert (action.kind, action.target, action.rules) == (ActionKind.REMOVE_FROM_CATEGORY, SALE, ("e",))
    assert action.about == category(SALE)


def test_products_that_are_not_in_it_are_left_alone() -> None:
    desk = unpublished()
    desk.sees("p2")
    assert not desk.actions("p2")


def test_the_members_come_back_when_the_category_is_published_again() -> None:
    desk = unpublished()
    desk.sees()
    desk.calls()
    desk.later(seconds=1).sees(category_ids=[FEATURED])
    assert desk.hold(membership(SALE), "e").state is HoldState.HOLDING
    sees_category(desk, is_published=True)
    desk.later(seconds=1).sees()
    assert (desk.action().step, desk.action().kind) == (Step.GIVE_BACK, ActionKind.ADD_TO_CATEGORY)


def test_a_product_that_a_person_adds_to_an_emptied_category_leaves_it_too() -> None:
    desk = unpublished()
    desk.sees("p2")
    desk.later(seconds=1).sees("p2", category_ids=[FEATURED, SALE])
    assert desk.action("p2").kind is ActionKind.REMOVE_FROM_CATEGORY


def test_a_person_who_puts_a_member_back_wins_for_that_product() -> None:
    desk = unpublished()
    desk.sees()
    desk.calls()
    desk.later(seconds=1).sees(category_ids=[FEATURED])
    desk.later(seconds=1).sees(category_ids=[FEATURED, SALE])
    assert desk.hold(membership(SALE), "e").state is HoldState.STEPPED_BACK
    assert not desk.actions()


def test_what_an_earlier_rule_holds_in_the_category_stays_and_leaves_when_that_rule_ends() -> None:
    desk = unpublished(while_(SOLD_OUT, adds("Sale"), code="a", order=0))
    desk.sees(stock=0, category_ids=[FEATURED])
    assert desk.action().kind is ActionKind.ADD_TO_CATEGORY
    desk.calls()
    desk.later(seconds=1).sees(category_ids=[FEATURED, SALE])
    assert desk.hold(membership(SALE), "e").state is HoldState.PENDING
    desk.later(seconds=1).sees(stock=4)
    assert (desk.action().kind, desk.action().rules) == (ActionKind.REMOVE_FROM_CATEGORY, ("e",))


def test_a_product_held_out_by_two_rules_comes_back_when_the_last_lets_go() -> None:
    desk = unpublished(while_(SOLD_OUT, removes("Sale"), code="a", order=0))
    desk.sees(stock=0)
    desk.calls()
    desk.later(seconds=1).sees(category_ids=[FEATURED])
    sees_category(desk, is_published=True)
    desk.later(seconds=1).sees()
    assert not desk.actions()
    desk.later(seconds=1).sees(stock=4)
    assert desk.action().step is Step.GIVE_BACK


def test_a_paused_rule_about_a_category_neither_takes_nor_gives_back() -> None:
    desk = unpublished()
    desk.sees()
    desk.calls()
    desk.later(seconds=1).sees(category_ids=[FEATURED])
    desk.rules = (replace(EMPTIES, mode=Mode.PAUSED),)
    sees_category(desk, is_published=True)
    desk.later(seconds=1).sees()
    assert desk.hold(membership(SALE), "e").state is HoldState.HOLDING
    assert not desk.actions()


def test_a_deleted_category_ends_the_stretch_and_its_holds_are_gone() -> None:
    desk = unpublished()
    desk.sees()
    desk.calls()
    desk.later(seconds=1).sees(category_ids=[FEATURED])
    decision = desk.decides(Sighting(category(SALE), desk.at, is_gone=True))
    assert decision.case.episodes[KEY].truth is Truth.UNMET
    desk.stretches |= decision.case.episodes
    desk.directory = replace(desk.directory, gone=frozenset({SALE}))
    desk.later(seconds=1).sees()
    assert desk.hold(membership(SALE), "e").state is HoldState.GONE
    assert not desk.actions()


def test_a_moment_of_a_category_is_applied_to_its_members_once() -> None:
    rule = as_soon_as(UNPUBLISHED, Effect(EffectKind.EMPTY_CATEGORY), code="e", order=5, about=SubjectKind.CATEGORY)
    desk = Bench((rule,))
    sees_category(desk, is_published=True)
    desk.sees(category_ids=[FEATURED, SALE])
    decision = sees_category(desk.later(seconds=1), is_published=False)
    assert len(decision.moments) == 1
    desk.moments = decision.moments
    desk.sees()
    assert (desk.action().step, desk.action().target) == (Step.MOMENT, SALE)
    assert sees_category(desk, is_published=False).moments == ()


def test_a_moment_of_a_category_survives_the_judging_of_the_rules_about_products() -> None:
    rule = as_soon_as(UNPUBLISHED, Effect(EffectKind.EMPTY_CATEGORY), code="e", order=5, about=SubjectKind.CATEGORY)
    desk = Bench((rule, while_(stock(Word.AT_MOST, -1), removes("Featured"))))
    sees_category(desk, is_published=True)
    desk.sees(category_ids=[FEATURED, SALE])
    desk.moments = sees_category(desk.later(seconds=1), is_published=False).moments
    desk.sees()
    desk.moments = ()
    desk.later(seconds=1).sees()
    assert desk.to_send()


def test_a_product_count_that_moves_is_no_change_of_the_category() -> None:
    desk = Bench((EMPTIES,))
    first = sees_category(desk, is_published=True, product_count=3).case
    assert sees_category(desk, is_published=True, product_count=4).case.revision == first.revision


def test_a_category_that_is_its_own_fallback_keeps_its_products() -> None:
    desk = Bench((guarded(EMPTIES, fallbacks=(Named("Sale"),)),))
    sees_category(desk, is_published=False)
    desk.sees(category_ids=[FEATURED, SALE])
    assert not desk.actions()


def test_a_category_is_not_emptied_while_its_fallback_is_unknown() -> None:
    desk = Bench((guarded(EMPTIES, fallbacks=(Named("Nowhere"),)),))
    sees_category(desk, is_published=False)
    desk.sees(category_ids=[SALE])
    assert not desk.actions()
