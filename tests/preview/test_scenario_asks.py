"""In a test of a rule that asks a person first, nobody answers: it asks, and calls nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from rules_engine.preview.scenario_result import Played, play
from rules_engine.rulebook import compile_rulebook, load_stores
from rules_engine.vendors import VENDORS

STORES = (Path(__file__).parents[2] / "rules" / "stores.yaml").read_text(encoding="utf-8")
SOLD_OUT = """
  leaves:
    stores: [web]
    while: {product.stock: {at_most: 0}}
    do: [{remove_from_category: Featured}]
"""
ASKING = SOLD_OUT + "    ask_first: always\n"
EMPTYING = """
  lets-go:
    about: category
    stores: [web]
    while: {category.published: false}
    do: [empty_category]
    ask_first: over 2 products
"""
HELD = "[{remove_from_category: Featured}]"
SOLD_OUT_GIVEN = "      given: {product: {stock: 0, categories: [Featured]}}\n"


def played(text: str, test: str) -> Played:
    """Play the one test, written as in a file, of the one rule."""
    stores = load_stores(STORES, path="s", vendors=VENDORS, environment=None).stores
    rules = {"rules/a.yaml": f"rules:\n{text}"}
    code = text.partition(":")[0].strip()
    tests = {"rules/tests/a.yaml": f"tests:\n  {code}:\n    - name: it\n{test}"}
    book = compile_rulebook(rules, stores=stores, vendors=VENDORS, tests=tests)
    store = next(store for store in stores if store.alias == book.rules[0].stores[0])
    return play(book.scenarios[0], book.rules[0], store, VENDORS[store.settings.vendor](store.settings))


def test_a_rule_that_always_asks_makes_no_call_before_a_yes() -> None:
    made = played(ASKING, SOLD_OUT_GIVEN + "      expect: asks\n")
    assert (made.is_ok, made.actual, made.run.deeds) == (True, ("asks",), ())
    for other in ("nothing", "cannot tell", "[{remove_from_category: Featured}]"):
        assert not played(ASKING, f"{SOLD_OUT_GIVEN}      expect: {other}\n").is_ok


def test_a_test_that_expects_what_waits_for_a_yes_is_told_so() -> None:
    made = played(ASKING, SOLD_OUT_GIVEN + "      expect: [{remove_from_category: Featured}]\n")
    assert made.advice == ("the rule asks a person first, and nobody answers in a test: write `expect: asks`",)


def test_what_asks_nobody_does_not_ask() -> None:
    for text in (SOLD_OUT, SOLD_OUT + "    ask_first: over 1 product\n", SOLD_OUT + "    limits: {per_day: 1}\n"):
        assert not played(text, SOLD_OUT_GIVEN + "      expect: asks\n").is_ok
        assert played(text, SOLD_OUT_GIVEN + "      expect: [{remove_from_category: Featured}]\n").is_ok
    unmet = "      given: {product: {stock: 3, categories: [Featured]}}\n"
    assert played(ASKING, unmet + "      expect: nothing\n").is_ok
    assert not played(ASKING, unmet + "      expect: asks\n").is_ok


def test_giving_back_asks_nobody() -> None:
    given = (
        "      given: {held: [{remove_from_category: Featured}], product: {stock: 0}, then: {product: {stock: 5}}}\n"
    )
    made = played(ASKING, given + "      expect: [{add_to_category: Featured}]\n")
    assert (made.is_ok, made.run.asks) == (True, False)


def test_a_rule_that_asked_and_whose_condition_ended_has_nothing_to_give_back() -> None:
    given = "      given: {product: {stock: 0, categories: [Featured]}, then: {product: {stock: 5}}}\n"
    assert played(ASKING, given + "      expect: nothing\n").is_ok


def test_a_rule_asks_when_its_hours_let_it_act_and_not_before() -> None:
    text = ASKING + "    between: 14:00 and 16:00\n"
    assert played(text, SOLD_OUT_GIVEN + "      expect: nothing\n").is_ok
    assert played(text, SOLD_OUT_GIVEN + "      after: 3 hours\n      expect: asks\n").is_ok


def test_a_moment_asks_too() -> None:
    text = ASKING.replace("while", "as_soon_as")
    given = "      given: {before: {stock: 3}, product: {stock: 0, categories: [Featured]}}\n"
    assert played(text, given + "      expect: asks\n").is_ok


@pytest.mark.parametrize(("products", "expect"), [("[A, B]", "[empty_category]"), ("[A, B, C]", "asks")])
@pytest.mark.parametrize("guard", ["ask_first: over 2 products", "limits: {per_hour: 2}"])
def test_emptying_a_category_asks_by_how_many_are_in_it(products: str, expect: str, guard: str) -> None:
    text = EMPTYING.replace("ask_first: over 2 products", guard)
    given = f"      given: {{category: {{name: Sale, published: false}}, products: {products}}}\n"
    assert played(text, f"{given}      expect: {expect}\n").is_ok


def test_a_category_that_is_only_never_left_too_empty_exists_in_a_test() -> None:
    text = SOLD_OUT.replace("category: Featured", "category: {under: Brands}")
    text += "    never_leave: fewer than 4 products in Acme\n"
    given = "      given: {product: {stock: 0, categories: [Brands / Globex]}}\n"
    assert played(text, given + "      expect: [{remove_from_category: Globex}]\n").is_ok
