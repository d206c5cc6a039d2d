"""A recorded test gives what its rule looks at, in as few words as say it, and plays like what was seen."""

from __future__ import annotations

from typing import Any

import pytest
from core_builders import DIRECTORY, removes, while_
from hypothesis import given
from hypothesis import strategies as st

from rules_engine.core.condition import All, Condition, Expression, Test, Word
from rules_engine.core.rule import Identified, Named, Rule, Under
from rules_engine.core.subject import complete
from rules_engine.preview.scenario_given import Wanted

SELLS = Test("product.can_be_ordered", Word.IS, True)
SEEN = {
    "id": "1",
    "sku": "A-1",
    "name": "Lamp",
    "brand": "Acme",
    "brand_id": "a1",
    "price": 10.0,
    "category_ids": ["10", "31"],
    "attributes": {"Colour": "red", "Note": "ask jane@example.com"},
}


def given_for(rule: Rule, **fields: Any) -> dict[str, Any]:
    found, _ = Wanted(rule, DIRECTORY).given(complete({**SEEN, **fields}))
    return found


def looking_at(*conditions: Condition) -> Rule:
    return while_(All(conditions), removes("Featured"))


def test_a_test_gives_the_fields_of_the_rule_and_what_people_know_the_product_by() -> None:
    price = Test("product.price", Word.AT_LEAST, 5)
    assert given_for(looking_at(price)) == {
        "sku": "A-1",
        "name": "Lamp",
        "price": 10,
        "categories": ["Featured", "Acme"],
    }


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"stock": 3}, {"stock": 3}),
        ({"stock": 0}, {"stock": 0}),
        ({"stock": None}, {"tracks_stock": False}),
        ({"stock": 0, "can_be_ordered": True}, {"stock": 0, "can_be_ordered": True}),
        ({"in_stock": False}, {"in_stock": False}),
        ({"in_stock": True}, {"in_stock": True}),
    ],
    ids=str,
)
def test_stock_is_given_in_as_few_words_as_say_it(fields: dict[str, Any], said: dict[str, Any]) -> None:
    found = given_for(looking_at(SELLS), **fields)
    assert {name: found[name] for name in found if name not in {"sku", "name", "categories"}} == said


def test_only_the_attributes_that_the_rule_names_are_kept() -> None:
    red = Test("product.attributes.colour", Word.IS, "red")
    assert given_for(looking_at(red))["attributes"] == {"Colour": "red"}
    wanted = Wanted(looking_at(Expression("contains(keys(product.attributes), 'Note')")), DIRECTORY)
    found, _ = wanted.given(complete(SEEN))
    assert found["attributes"] == {"Colour": "red", "Note": "ask someone@example.com"}
    assert wanted.has_replaced


@pytest.mark.parametrize(
    ("target", "categories"),
    [
        (Named("Featured"), {"categories": ["Featured", "Acme"]}),
        (Under(Named("Brands")), {"categories": ["Featured", "Brands / Acme"]}),
        (Named("Brands / Acme"), {"categories": ["Featured", "Brands / Acme"]}),
        (Identified("31"), {"categories": ["Featured"], "category_ids": ["31"]}),
    ],
    ids=str,
)
def test_categories_are_called_as_the_rule_calls_them(target: Any, categories: dict[str, Any]) -> None:
    found = given_for(while_(SELLS, removes(target)))
    assert {name: found[name] for name in found if name.startswith("categor")} == categories


def test_what_was_not_known_is_said_to_be_unknown() -> None:
    _, unknown = Wanted(looking_at(SELLS, Test("product.tags", Word.EMPTY)), DIRECTORY).given(complete(SEEN))
    assert unknown == ["can_be_ordered", "tags"]


@given(
    stock=st.none() | st.integers(-1, 2),
    can_be_ordered=st.booleans(),
    has_variants=st.booleans(),
)
def test_what_is_given_of_stock_means_the_same_again(
    stock: int | None, can_be_ordered: bool, has_variants: bool
) -> None:
    seen: dict[str, Any] = {"stock": stock, "can_be_ordered": can_be_ordered}
    if has_variants:
        seen["variants"] = [{"sku": "A", "stock": stock}]
    seen = complete({**SEEN, **seen})
    again = complete(given_for(looking_at(SELLS), **seen))
    for name in ("can_be_ordered", "tracks_stock", "stock"):
        assert again.get(name, seen[name]) == seen[name]
