"""Memberships that a shop makes by itself are held and undone too."""

from __future__ import annotations

import pytest
from core_builders import (
    FEATURED,
    FEW,
    LEAVES,
    PROMOTING,
    SALE,
    SOLD_OUT,
    TOP,
    Bench,
    membership,
    removes,
    while_,
)

from rules_engine.core.action import ActionKind, Done
from rules_engine.core.holds import HoldState
from rules_engine.core.rule import Every

# --------------------------------------------------------------------------------------- promotion


def promoted() -> Bench:
    """The product lost its last category, and the shop put it at the top level by itself."""
    made = Bench((LEAVES,), PROMOTING)
    made.sees(stock=0)
    made.calls()
    made.later(seconds=1).sees(category_ids=[TOP])
    return made


def test_a_membership_that_the_shop_made_by_itself_is_held_too() -> None:
    desk = promoted()
    assert desk.hold(membership(TOP)).state is HoldState.HOLDING
    assert not desk.actions()
    desk.later(seconds=1).sees()
    assert not desk.actions()


def test_a_promotion_is_removed_after_the_give_back() -> None:
    desk = promoted()
    desk.later(seconds=1).sees(stock=3)
    (add,) = desk.to_send()
    assert (add.kind, add.target) == (ActionKind.ADD_TO_CATEGORY, FEATURED)
    desk.calls(Done(), add.key)
    desk.later(seconds=1).sees(category_ids=[TOP, FEATURED])
    (remove,) = desk.to_send()
    assert (remove.kind, remove.target) == (ActionKind.REMOVE_FROM_CATEGORY, TOP)
    desk.calls(Done(), remove.key)
    desk.later(seconds=1).sees(category_ids=[FEATURED])
    assert not desk.case().slots
    assert not desk.actions()


def test_a_person_who_takes_the_product_from_the_top_level_wins() -> None:
    desk = promoted()
    desk.later(seconds=1).sees(category_ids=[SALE])
    desk.later(seconds=1).sees(stock=3)
    assert [(a.kind, a.target) for a in desk.actions()] == [(ActionKind.ADD_TO_CATEGORY, FEATURED)]


def test_a_product_that_people_put_at_the_top_level_stays_there() -> None:
    desk = Bench((LEAVES,), PROMOTING)
    desk.sees(stock=0, category_ids=[FEATURED, TOP])
    desk.calls()
    desk.later(seconds=1).sees(category_ids=[TOP])
    desk.later(seconds=1).sees(stock=3)
    assert [(a.kind, a.target) for a in desk.actions()] == [(ActionKind.ADD_TO_CATEGORY, FEATURED)]


def test_all_categories_are_left_and_all_come_back_but_not_the_promotion() -> None:
    desk = Bench((while_(SOLD_OUT, removes(Every())),), PROMOTING)
    desk.sees(stock=0, category_ids=[FEATURED, SALE])
    for action in desk.to_send():
        desk.calls(Done(), action.key)
    desk.later(seconds=1).sees(category_ids=[TOP])
    assert not desk.actions()
    desk.later(seconds=1).sees(stock=3)
    assert {(a.wish, a.target) for a in desk.actions()} == {(True, FEATURED), (True, SALE), (False, TOP)}


@pytest.mark.parametrize("order", [-1, 1])
def test_a_promotion_stays_for_as_long_as_any_rule_keeps_the_product_out_of_everything(order: int) -> None:
    keeps_out = while_(FEW, removes("Featured"), code="b", order=order)
    desk = Bench((LEAVES, keeps_out), PROMOTING)
    desk.sees(stock=0)
    desk.calls()
    desk.later(seconds=1).sees(category_ids=[TOP])
    desk.later(seconds=1).sees(stock=1)
    assert not desk.actions(), "removing the last membership would only promote the product again"
    desk.later(seconds=1).sees(stock=9)
    assert {(a.wish, a.target) for a in desk.actions()} == {(True, FEATURED), (False, TOP)}
