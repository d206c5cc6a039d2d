"""Rules that would flip for ever, played by the engine's own deciding."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from core_builders import SOLD_OUT, START, WEB, adds, as_soon_as, guarded, removes, while_

from rules_engine.core.condition import All, Condition, Expression, Test, Word
from rules_engine.core.conflicts import Shop
from rules_engine.core.cycles import COUNT, UPDATED, Cycle, find_cycles
from rules_engine.core.directory import Directory
from rules_engine.core.rule import Afterwards, Effect, EffectKind, Identified, Mode, Named, Rule, Under
from rules_engine.core.subject import SubjectKind
from rules_engine.core.witness_words import in_words

EMPTY = Effect(EffectKind.EMPTY_CATEGORY)
MANY = Test(COUNT, Word.MORE_THAN, 9)
FRESH = Test(UPDATED, Word.NEWER_THAN, "1 day")
STALE = Test(UPDATED, Word.OLDER_THAN, "30 days")


def cycles(*rules: Rule) -> tuple[Cycle, ...]:
    return find_cycles(rules, [Shop(WEB, "ecwid", Directory())], now=START)


def empties(condition: Condition, **given: Any) -> Rule:
    return while_(condition, EMPTY, about=SubjectKind.CATEGORY, **given)


def test_a_category_that_is_emptied_for_its_many_products_is_filled_and_emptied_for_ever() -> None:
    (cycle,) = cycles(empties(MANY))
    assert (cycle.field, in_words(cycle.witness)) == (COUNT, "a category with product_count 10")
    assert cycle.steps == ("its products leave it", "it is filled again", "its products leave it")


@pytest.mark.parametrize(
    "rule",
    [
        empties(Test(COUNT, Word.AT_MOST, 9)),
        empties(Test(COUNT, Word.NOT_EMPTY)),
        empties(MANY, afterwards=Afterwards.LEAVE),
        empties(Test("category.published", Word.IS, value=False)),
        as_soon_as(MANY, EMPTY, about=SubjectKind.CATEGORY),
        replace(empties(MANY), mode=Mode.PAUSED),
        replace(empties(MANY), effects=(), notifies=("floor",)),
    ],
)
def test_a_category_whose_rule_emptying_does_not_turn_is_emptied_once(rule: Rule) -> None:
    assert cycles(rule) == ()


@pytest.mark.parametrize("condition", [FRESH, STALE, All((SOLD_OUT, FRESH))])
@pytest.mark.parametrize(
    "effect",
    [
        adds("New"),
        removes("New"),
        removes(Under(Named("Brands"))),
        adds(Identified("7")),
        Effect(EffectKind.HIDE),
        Effect(EffectKind.UNASSIGN_BRAND),
        Effect(EffectKind.ASSIGN_BRAND, (Named("Acme"),)),
    ],
)
def test_a_product_is_taken_for_ever_by_a_rule_on_a_time_that_its_own_calls_move(
    condition: Condition, effect: Effect
) -> None:
    found = cycles(while_(condition, effect))
    assert [cycle.field for cycle in found] == [UPDATED]
    assert found[0].steps[0] == found[0].steps[2]


def test_the_steps_say_what_is_given_back() -> None:
    (cycle,) = cycles(while_(FRESH, adds("New")))
    assert cycle.steps == ("the product joins New", "leaves New again", "the product joins New")


@pytest.mark.parametrize(
    "rule",
    [
        while_(FRESH, adds("New"), afterwards=Afterwards.LEAVE),
        while_(Test("product.created_at", Word.NEWER_THAN, "1 day"), adds("New")),
        while_(Test(UPDATED, Word.AT_LEAST, "2020-01-01"), adds("New")),
        while_(
            All((Test("now.time", Word.AT_LEAST, "18:00"), Test(UPDATED, Word.AT_LEAST, "2020-01-01"))), adds("New")
        ),
        while_(Test("now.weekday", Word.ONE_OF, ("saturday", "sunday")), adds("New")),
        while_(Test("product.categories", Word.CONTAINS, "New"), removes("New")),
        while_(Test("product.published", Word.IS, value=True), Effect(EffectKind.HIDE)),
        as_soon_as(FRESH, adds("New")),
    ],
)
def test_a_rule_that_its_own_calls_do_not_turn_is_no_cycle(rule: Rule) -> None:
    assert cycles(rule) == ()


def test_a_stretch_that_must_last_only_makes_it_slower() -> None:
    assert cycles(guarded(while_(STALE, adds("New")), must_last=timedelta(hours=2)))


def test_an_expression_that_looks_at_the_time_is_played_too() -> None:
    assert cycles(while_(Expression("product.updated_at < '2099' && product.stock > `2`"), adds("New"))) == ()
