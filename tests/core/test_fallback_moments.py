"""Fallbacks of moments, and of rules about categories."""

from __future__ import annotations

from dataclasses import replace

from core_builders import (
    BRANDS,
    EMPTIES,
    FEATURED,
    LEAVES,
    SALE,
    SOLD_OUT,
    UNPUBLISHED,
    UNSORTED,
    Bench,
    adds,
    as_soon_as,
    falls_back,
    guarded,
    hours,
    removes,
    sees_category,
    while_,
)
from core_fallback import FALLS_BACK, in_shop, planned, sold_out_in, work

from rules_engine.core.action import Done
from rules_engine.core.admission import held_back
from rules_engine.core.condition import Test, Word
from rules_engine.core.errors import PermanentError
from rules_engine.core.plan import ActionState, Step
from rules_engine.core.question import QuestionId
from rules_engine.core.retry import MAX_ATTEMPTS
from rules_engine.core.rule import Mode, Named, Rule
from rules_engine.core.subject import SubjectKind

HIDDEN = Test("product.published", Word.IS, False)
MOMENT = falls_back(as_soon_as(SOLD_OUT, removes("Featured", "Sale")))


# ------------------------------------------------------------------------------------ moments


def test_a_moment_has_a_fallback_too_and_gives_nothing_back() -> None:
    desk = sold_out_in(MOMENT, categories=(FEATURED, SALE))
    assert planned(desk) == {(FEATURED, False), (SALE, False), (UNSORTED, True)}
    assert {action.step for action in desk.actions()} == {Step.MOMENT}
    assert in_shop(work(desk)) == {UNSORTED}
    desk.sees(stock=3)
    assert in_shop(work(desk)) == {UNSORTED}


def test_a_moment_that_leaves_a_category_needs_no_fallback() -> None:
    assert planned(sold_out_in(MOMENT, categories=(FEATURED, BRANDS))) == {(FEATURED, False)}


def test_a_moment_counts_what_other_rules_hold_out() -> None:
    holds = while_(SOLD_OUT, removes("Brands"), code="b", order=1)
    assert in_shop(work(sold_out_in(MOMENT, holds, categories=(FEATURED, BRANDS)))) == {UNSORTED}


def test_a_moment_counts_what_is_held_against_it() -> None:
    holds = while_(SOLD_OUT, adds("Sale"), code="b", order=1)
    assert in_shop(work(sold_out_in(MOMENT, holds))) == {SALE}


def test_a_rule_counts_what_a_moment_takes_out() -> None:
    moment = as_soon_as(SOLD_OUT, removes("Sale"), order=1)
    assert in_shop(work(sold_out_in(FALLS_BACK, moment, categories=(FEATURED, SALE)))) == {UNSORTED}


def test_a_moment_that_waits_for_its_hours_is_judged_again() -> None:
    desk = sold_out_in(guarded(MOMENT, hours=hours(12, 18)), categories=(FEATURED, BRANDS))
    assert planned(desk) == {(FEATURED, False)}
    desk.later(seconds=1).sees(category_ids=[FEATURED])
    assert planned(desk) == {(FEATURED, False), (UNSORTED, True)}
    desk.later(seconds=1).sees(category_ids=[FEATURED, BRANDS])
    assert planned(desk) == {(FEATURED, False)}
    desk.later(seconds=1).sees(category_ids=[FEATURED])
    desk.later(hours=3).sees()
    assert in_shop(work(desk)) == {UNSORTED}


def test_a_fallback_that_the_shop_refuses_is_not_tried_for_ever() -> None:
    desk = sold_out_in(guarded(MOMENT, hours=hours(8, 18)))
    adding = next(action for action in desk.actions() if action.wish)
    desk.calls(PermanentError("no"), adding.key)
    work(desk)
    dead = [action for action in desk.memory.actions.values() if action.state is ActionState.DEAD]
    assert [action.slot.target for action in dead] == [UNSORTED]


def test_nor_is_one_that_the_shop_never_shows() -> None:
    desk = sold_out_in(MOMENT)
    adding = next(action for action in desk.actions() if action.wish)
    for _ in range(MAX_ATTEMPTS):
        desk.calls(Done(), adding.key)
        desk.later(minutes=10).sees()
    assert planned(desk) == {(FEATURED, False)}


# ------------------------------------------------------------------------------------ paused with a question


def asked_and_paused(first: Rule, other: Rule) -> Bench:
    """What the first rule is to do waits for the answer to a question; it was paused since, and the product hidden."""
    desk = sold_out_in(first, other)
    desk.memory.save(held_back(desk.case(), desk.action().key, "it asks", question=QuestionId("q")))
    desk.rules = (replace(first, mode=Mode.PAUSED), other)
    desk.later(seconds=1).sees(published=False)
    return desk


def test_a_moment_that_does_what_a_paused_rule_asked_for_gets_its_fallback() -> None:
    desk = asked_and_paused(LEAVES, falls_back(as_soon_as(HIDDEN, removes("Featured"), order=1)))
    assert planned(desk) == {(FEATURED, False), (UNSORTED, True)}
    assert in_shop(work(desk)) == {UNSORTED}


def test_a_category_that_a_paused_rule_asked_for_is_none_that_is_left() -> None:
    other = falls_back(while_(HIDDEN, removes("Featured"), code="b", order=1))
    desk = asked_and_paused(while_(SOLD_OUT, adds("Sale")), other)
    assert planned(desk) == {(FEATURED, False), (UNSORTED, True), (SALE, True)}


# ------------------------------------------------------------------------------------ rules about categories


def test_members_of_a_category_that_is_emptied_get_the_fallback_and_give_it_back() -> None:
    desk = Bench((falls_back(EMPTIES),))
    sees_category(desk, is_published=True)
    desk.sees(category_ids=[SALE])
    sees_category(desk.later(seconds=1), is_published=False)
    desk.sees()
    assert planned(desk) == {(SALE, False), (UNSORTED, True)}
    assert in_shop(work(desk)) == {UNSORTED}
    sees_category(desk, is_published=True)
    desk.sees()
    assert in_shop(work(desk)) == {SALE}


def test_a_category_is_not_emptied_into_itself() -> None:
    desk = Bench((guarded(EMPTIES, fallbacks=(Named("Sale"),)),))
    sees_category(desk, is_published=False)
    desk.sees(category_ids=[SALE])
    assert not desk.actions()


def test_a_fallback_of_a_rule_about_categories_that_is_edited_away_is_given_back() -> None:
    desk = Bench((falls_back(EMPTIES),))
    sees_category(desk, is_published=False)
    desk.sees(category_ids=[SALE])
    assert in_shop(work(desk)) == {UNSORTED}
    desk.rules = (EMPTIES,)
    desk.later(seconds=1).sees()
    assert in_shop(work(desk)) == set()


def unpublished(name: str) -> Bench:
    """A member of Sale at the moment in which that is unpublished, for a rule that falls back to this category."""
    rule = as_soon_as(UNPUBLISHED, *EMPTIES.effects, code="e", about=SubjectKind.CATEGORY)
    desk = Bench((guarded(rule, fallbacks=(Named(name),)),))
    sees_category(desk, is_published=True)
    desk.sees(category_ids=[SALE])
    desk.moments = sees_category(desk.later(seconds=1), is_published=False).moments
    desk.sees()
    desk.moments = ()
    return desk


def test_the_moment_of_a_category_has_a_fallback_too() -> None:
    assert in_shop(work(unpublished("Unsorted"))) == {UNSORTED}
    assert not unpublished("Sale").actions()


def test_the_moment_of_a_category_waits_while_its_fallback_means_nothing() -> None:
    desk = unpublished("Unsorte")
    assert not desk.actions()
    assert "waits: no category" in desk.says("e")


def test_a_rule_about_categories_that_only_tells_people_empties_nothing() -> None:
    desk = Bench((replace(EMPTIES, effects=(), notifies=("shop",)),))
    sees_category(desk, is_published=False)
    desk.sees(category_ids=[SALE])
    assert not desk.actions()
