"""Rules that want the opposite of one thing, and the product on which they meet."""

from __future__ import annotations

from dataclasses import replace

import pytest
from core_builders import EMPTIES, FEW, SALE, SOLD_OUT, START, UNPUBLISHED, WEB, adds, as_soon_as, removes, while_

from rules_engine.core.condition import Change, Condition, Emptiness, Happens, Test, Transition, Word
from rules_engine.core.conflicts import MOST_LOST, Fight, Shop, find_fights
from rules_engine.core.delivery import StoreAlias
from rules_engine.core.directory import Directory
from rules_engine.core.rule import Effect, EffectKind, Every, Identified, Mode, Named, Rule, Target, Under
from rules_engine.core.store import Names
from rules_engine.core.subject import SubjectKind
from rules_engine.core.witness import comes_to_act
from rules_engine.core.witness_words import in_words

ACME = Test("product.brand", Word.IS, "Acme")
HIDE, SHOW, UNBRAND = Effect(EffectKind.HIDE), Effect(EffectKind.SHOW), Effect(EffectKind.UNASSIGN_BRAND)
SHOP = Shop(WEB, "ecwid", Directory(names=Names(categories={"Angebote": SALE, "Sale": SALE}, brands={"Acme": "a1"})))


def brand(target: Target | str) -> Effect:
    return Effect(EffectKind.ASSIGN_BRAND, (Named(target) if isinstance(target, str) else target,))


def first(effect: Effect, condition: Condition = SOLD_OUT) -> Rule:
    return while_(condition, effect, code="first", order=0)


def second(effect: Effect, condition: Condition = ACME) -> Rule:
    return while_(condition, effect, code="second", order=1)


def fights(*rules: Rule) -> tuple[Fight, ...]:
    return find_fights(rules, [SHOP], now=START)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (HIDE, SHOW),
        (UNBRAND, brand("Acme")),
        (brand("Acme"), brand("Globex")),
        (brand(Identified("a1")), brand(Identified("g1"))),
        (adds("Featured"), removes(" FEATURED ")),
        (adds("Featured"), removes("Home / Featured")),
        (adds(Identified("7")), removes(Identified("7"))),
        (adds("Angebote"), removes(Identified(SALE))),
        (adds("Angebote"), removes("Sale")),
        (adds("Brands / Acme"), removes(Under(Named("Brands")))),
        (adds("Home / Brands / Acme"), removes(Under(Named("Home / Brands")))),
        (adds("Featured"), removes(Every())),
        (adds("New", "Featured"), removes("Other", "Featured")),
    ],
)
def test_opposite_wishes_of_one_thing_meet_on_a_product(one: Effect, other: Effect) -> None:
    for here, there in ((one, other), (other, one)):
        (fight,) = fights(first(here), second(there))
        assert (fight.winner.rule.code, fight.loser.rule.code) == ("first", "second")
        assert all(comes_to_act(wish.rule, fight.witness) for wish in (fight.winner, fight.loser))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (HIDE, HIDE),
        (adds("Featured"), adds("Featured")),
        (adds("Featured"), removes("Sale")),
        (adds("Featured"), HIDE),
        (brand("Acme"), brand(" acme")),
        (brand("Acme"), brand(Identified("a1"))),
        (brand("Globex"), brand(Identified("g1"))),  # only the shop knows
        (adds("Featured"), removes(Identified("7"))),
        (adds("Acme"), removes(Under(Named("Brands")))),
        (adds("Angebote"), removes("Featured")),
    ],
)
def test_the_same_wish_and_wishes_of_other_things_are_no_fight(one: Effect, other: Effect) -> None:
    assert fights(first(one), second(other)) == ()


def test_rules_that_no_product_meets_at_once_do_not_fight() -> None:
    in_stock = Test("product.in_stock", Word.IS, value=True)
    assert fights(first(HIDE), second(SHOW, in_stock)) == ()


def test_an_overlap_that_unless_excludes_is_no_fight() -> None:
    for spared in (replace(first(HIDE), unless=ACME), replace(second(SHOW), unless=SOLD_OUT)):
        rules = (spared, second(SHOW)) if spared.code == "first" else (first(HIDE), spared)
        assert fights(*rules) == ()


def test_rules_of_different_stores_do_not_fight() -> None:
    assert fights(first(HIDE), replace(second(SHOW), stores=(StoreAlias("ksa"),))) == ()


def test_a_paused_rule_fights_with_nobody() -> None:
    assert fights(first(HIDE), replace(second(SHOW), mode=Mode.PAUSED)) == ()


def test_the_earlier_of_two_holds_wins_whatever_it_does() -> None:
    (fight,) = fights(second(SHOW, FEW), first(HIDE))
    assert fight.winner.rule.code == "first"
    assert in_words(fight.witness) == "a product with stock 0"


def test_a_hold_beats_a_moment_that_stands_first() -> None:
    moment = as_soon_as(Transition("product.brand", Change.BECOMES, Emptiness.EMPTY), SHOW, code="m", order=0)
    (fight,) = fights(moment, second(HIDE, SOLD_OUT))
    assert (fight.winner.rule.code, fight.loser.rule.code) == ("second", "m")
    assert fight.witness.document.before is not None


def test_the_earlier_of_two_moments_at_one_look_wins() -> None:
    one = as_soon_as(SOLD_OUT, HIDE, code="one", order=0)
    other = as_soon_as(Transition("product.stock", Change.CHANGES), SHOW, code="other", order=1)
    (fight,) = fights(other, one)
    assert fight.winner.rule.code == "one"


def test_moments_that_never_come_at_one_look_do_not_fight() -> None:
    one = as_soon_as(SOLD_OUT, HIDE, code="one", order=0)
    other = as_soon_as(Transition("product.stock", Change.RISES_ABOVE, 0), SHOW, code="other", order=1)
    assert fights(one, other) == ()


def test_what_only_a_deleted_product_meets_is_no_fight() -> None:
    gone = as_soon_as(Happens("deleted"), SHOW, code="gone", order=0)
    assert fights(gone, second(HIDE)) == ()


def test_all_and_under_meet_on_a_product_that_is_in_the_category() -> None:
    (fight,) = fights(first(removes(Every())), second(adds("Featured")))
    assert in_words(fight.witness) == "a product with stock 0 and brand Acme, in Featured"


def test_a_rule_that_empties_a_category_fights_with_one_that_fills_it() -> None:
    (fight,) = fights(first(adds("Sale")), EMPTIES)
    assert (fight.winner.rule.code, str(fight.winner), str(fight.loser)) == (
        "first",
        "add_to_category: Sale",
        "empty_category",
    )
    assert fight.other is not None
    assert in_words(fight.other) == "a category with published false and name Sale"


def test_a_rule_about_categories_is_told_of_once() -> None:
    assert len(fights(first(adds("Sale")), second(adds("New")), EMPTIES)) == 1


def test_a_rule_that_empties_only_another_category_does_not_fight() -> None:
    named = Test("category.name", Word.IS, "New")
    other = while_(named, *EMPTIES.effects, code="e", order=5, about=SubjectKind.CATEGORY, unless=UNPUBLISHED)
    assert fights(first(adds("Sale")), other) == ()
    assert len(fights(first(adds("New")), other)) == 1


def test_moments_of_a_product_and_of_a_category_are_never_at_one_look() -> None:
    moment = as_soon_as(ACME, adds("Sale"), code="m")
    emptied = as_soon_as(UNPUBLISHED, *EMPTIES.effects, code="e", order=5, about=SubjectKind.CATEGORY)
    assert fights(moment, emptied) == ()


def test_every_planted_fight_is_found_among_many_rules() -> None:
    rules: list[Rule] = []
    for n in range(40):
        rules.append(while_(FEW, adds(f"C{n}"), code=f"adds-{n}", order=2 * n))
        rules.append(while_(SOLD_OUT, removes(f"c{n} "), code=f"takes-{n}", order=2 * n + 1))
    assert [fight.loser.rule.code for fight in fights(*rules)] == [f"takes-{n}" for n in range(40)]


def test_a_rule_that_loses_to_many_is_told_of_a_few() -> None:
    shows = [while_(SOLD_OUT, SHOW, code=f"s{n}", order=n) for n in range(20)]
    assert len(fights(*shows, while_(FEW, HIDE, code="h", order=99))) == MOST_LOST
