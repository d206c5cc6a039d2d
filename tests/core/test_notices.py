"""What people are told: one notice for each target when a rule's moment comes, or its stretch begins or ends."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from core_builders import (
    EMPTIES,
    FEATURED,
    LEAVES,
    SALE,
    SOLD_OUT,
    START,
    Bench,
    adds,
    as_soon_as,
    guarded,
    removes,
    sees_category,
    sold_out,
    while_,
)

from rules_engine.core.condition import All, Condition, Happens, Test, Word
from rules_engine.core.decide import decide
from rules_engine.core.delivery import EventType
from rules_engine.core.plan import Notice
from rules_engine.core.rule import Mode, Rule, RuleCode
from rules_engine.core.sighting import Decision, Sighting
from rules_engine.core.subject import Snapshot, SubjectKind, category, complete, product


def telling(rule: Rule, *targets: str) -> Rule:
    """The rule, which tells these."""
    return replace(rule, notifies=targets or ("buyers",))


def told(decision: Decision | None) -> list[str]:
    """What people are told."""
    assert decision is not None
    return [notice.text for notice in decision.notices]


def test_a_stretch_tells_when_it_begins_and_when_it_ends_and_not_in_between() -> None:
    desk = sold_out(telling(LEAVES))
    assert told(desk.last) == ["its condition began to hold; takes it out of Featured (10)"]
    assert told(desk.later(seconds=1).sees()) == []
    assert told(desk.later(seconds=1).sees(stock=3)) == ["its condition ended"]


def test_a_first_sight_tells_too() -> None:
    desk = Bench((telling(LEAVES),))
    assert told(desk.sees(stock=0))


def test_a_moment_tells_when_it_comes() -> None:
    desk = sold_out(telling(as_soon_as(SOLD_OUT, removes("Featured"))))
    assert told(desk.last) == ["its moment came; takes it out of Featured (10)"]
    assert told(desk.later(seconds=1).sees()) == []


def test_each_target_has_its_own_notice() -> None:
    desk = sold_out(telling(LEAVES, "buyers", "shop"))
    assert desk.last is not None
    made = desk.last.notices
    assert [notice.target for notice in made] == ["buyers", "shop"]
    assert made[0] == Notice("buyers", RuleCode("a"), product("p1"), "p1", made[1].text, desk.at)


def test_a_rule_may_do_nothing_but_tell() -> None:
    desk = sold_out(telling(while_(SOLD_OUT)), telling(as_soon_as(SOLD_OUT, order=1)))
    assert told(desk.last) == ["its condition began to hold", "its moment came"]
    assert not desk.actions()
    assert told(desk.later(seconds=1).sees(stock=4)) == ["its condition ended"]


@pytest.mark.parametrize("mode", [Mode.WATCH, Mode.PAUSED])
def test_rules_that_watch_or_are_paused_tell_nobody(mode: Mode) -> None:
    assert told(sold_out(telling(replace(LEAVES, mode=mode))).last) == []


def test_a_rule_without_targets_tells_nobody() -> None:
    assert told(sold_out().last) == []


@pytest.mark.parametrize(
    ("shown", "name"),
    [
        ({"name": "Trail Runner", "sku": "T-1"}, "Trail Runner"),
        ({"sku": "T-1"}, "T-1"),
        ({"name": "", "sku": ""}, "p1"),
    ],
)
def test_a_product_is_called_by_its_name_else_its_sku_else_its_id(shown: dict[str, Any], name: str) -> None:
    decision = Bench((telling(LEAVES),)).sees(stock=0, **shown)
    assert [notice.called for notice in decision.notices] == [name]


def test_a_stretch_that_has_to_last_tells_once_it_has() -> None:
    desk = sold_out(telling(guarded(LEAVES, must_last=timedelta(minutes=15))))
    assert told(desk.last) == []
    assert told(desk.later(minutes=15).sees())[0].startswith("its condition has lasted 15 minutes")
    assert told(desk.later(minutes=1).sees(stock=3)) == ["its condition ended"]


def test_a_stretch_that_did_not_last_tells_nothing() -> None:
    desk = sold_out(telling(guarded(LEAVES, must_last=timedelta(minutes=15))))
    assert told(desk.later(minutes=1).sees(stock=3)) == []


def test_a_moment_that_comes_too_soon_after_the_last_tells_nothing() -> None:
    rule = guarded(telling(as_soon_as(SOLD_OUT, adds("Sale"))), at_most_every=timedelta(hours=1))
    desk = sold_out(rule)
    desk.calls()
    desk.later(minutes=1).sees(stock=5, category_ids=[FEATURED])
    assert told(desk.later(minutes=1).sees(stock=0)) == []


def test_rules_about_categories_tell_what_becomes_of_the_category() -> None:
    desk = Bench((telling(EMPTIES),))
    decision = sees_category(desk, is_published=False)
    (notice,) = decision.notices
    assert (notice.subject, notice.called, notice.text) == (category(SALE), "Sale", "its condition began to hold")
    assert desk.sees(category_ids=[SALE]).notices == ()
    assert told(sees_category(desk, is_published=True)) == ["its condition ended"]


def test_deciding_again_on_the_same_values_tells_the_same() -> None:
    desk = Bench((telling(LEAVES),))
    snapshot = Snapshot(product("p1"), complete({"id": "p1", "stock": 0, "category_ids": [FEATURED]}))
    sighting = Sighting(product("p1"), START, snapshot)
    case = desk.case()
    assert decide(case, sighting, desk.context()) == decide(case, sighting, desk.context())


# What is deleted.

DELETED = EventType.PRODUCT_DELETED


def test_a_deletion_is_told_once_with_what_was_seen_last() -> None:
    desk = Bench((telling(as_soon_as(All((Happens("deleted"), SOLD_OUT)), removes("Featured"))),))
    desk.sees(stock=0)
    [notice] = desk.later(seconds=1).finds_gone().notices
    assert (notice.text, notice.subject) == ("its moment came", product("p1"))
    assert told(desk.later(seconds=1).finds_gone()) == []
    assert desk.actions() == []


@pytest.mark.parametrize("condition", [All((Happens("deleted"), SOLD_OUT)), Happens("created"), SOLD_OUT])
def test_a_deletion_is_no_moment_of_a_rule_that_asks_for_more_or_for_something_else(condition: Condition) -> None:
    desk = Bench((telling(as_soon_as(condition, removes("Featured"))),))
    desk.sees(stock=5)
    assert told(desk.later(seconds=1).finds_gone()) == []


def test_what_was_never_seen_is_not_told_when_it_is_gone() -> None:
    desk = Bench((telling(as_soon_as(Happens("deleted"), removes("Featured"))),))
    assert told(desk.finds_gone()) == []


def test_what_is_still_there_is_not_deleted_whatever_a_webhook_says() -> None:
    desk = Bench((telling(as_soon_as(Happens("deleted"), removes("Featured"))),))
    desk.sees(stock=5)
    assert told(desk.later(seconds=1).sees(stock=5, events=frozenset({DELETED}))) == []
    assert told(desk.later(seconds=1).finds_gone()) == ["its moment came"]


def test_a_deleted_product_that_a_rule_held_is_seen_as_people_had_made_it() -> None:
    in_featured = Test("product.category_ids", Word.CONTAINS, FEATURED)
    heard = as_soon_as(All((Happens("deleted"), in_featured)), removes("Featured"), code="deleted", order=1)
    desk = sold_out(LEAVES, telling(heard))
    desk.calls()
    assert told(desk.later(seconds=1).finds_gone()) == ["its moment came"]


def test_a_deleted_category_is_told_of() -> None:
    rule = as_soon_as(Happens("deleted"), code="lists", about=SubjectKind.CATEGORY)
    desk = Bench((telling(rule),))
    sees_category(desk, is_published=True)
    assert told(desk.later(seconds=1).decides(Sighting(category(SALE), desk.at, is_gone=True))) == ["its moment came"]
