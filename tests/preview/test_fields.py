"""A field that rules look at and that nobody sends is told, from what was really seen."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from engine_world import B2B, KSA, WEB, empty_database, rulebook, stores
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from remembered import NOON, a_category, a_product, remember

from rules_engine.core.delivery import StoreAlias
from rules_engine.core.problem import Problem, Severity
from rules_engine.core.subject import Snapshot, product
from rules_engine.database.engine import Database
from rules_engine.preview.fields import LEAST, MOST, report_unseen
from rules_engine.rulebook.report import Report
from rules_engine.vendors import VENDORS

RULES = """\
meanings:
  ending:
    product.attributes.Line: Ends
rules:
  leaves:
    stores: [web]
    CONDITION
    do: [{remove_from_category: Featured}]
"""
ABOUT_CATEGORIES = """\
rules:
  emptied:
    about: category
    stores: [ksa]
    while: {category.published: false}
    do: [empty_category]
"""


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database.from_url(f"sqlite:///{shutil.copy(empty_database(tmp_path), tmp_path / 'engine.db')}")
    yield database
    database.close()


def found(database: Database, text: str, alias: StoreAlias = WEB, most: int = MOST) -> tuple[Problem, ...]:
    """What is said of the fields in a rule file."""
    report = Report()
    report.add_file("rules/a.yaml", text)
    store = next(each for each in stores() if each.alias == alias)
    able = VENDORS[store.settings.vendor].CAPABILITIES
    rules = rulebook({"rules/a.yaml": text})
    database.read_now(
        partial(report_unseen, report=report, rulebook=rules, store=store, capabilities=able, now=NOON, most=most)
    )
    assert all((each.code, each.severity) == ("field-never-seen", Severity.WARNING) for each in report.problems)
    return report.problems


def of_condition(database: Database, condition: str) -> list[tuple[str, str]]:
    """Message and help for the uses in one condition of a rule of `web`."""
    said = found(database, RULES.replace("CONDITION", condition))
    return [(each.message, each.help) for each in said]


def some(number: int = LEAST, **with_: Any) -> list[Snapshot]:
    """So many products as they were seen."""
    return [a_product(str(at), f"Boot {at}", **with_) for at in range(number)]


def test_a_raw_field_that_no_product_has_is_told_where_the_rule_uses_it(database: Database) -> None:
    remember(database, WEB, some(raw={"isShippingRequired": True}))
    (problem,) = found(database, RULES.replace("CONDITION", "while: {product.raw.isShipingRequired: true}"))
    assert problem.render() == (
        "rules/a.yaml:7:13: warning: no product of `web` seen in 30 days has `product.raw.isShipingRequired`\n"
        "    7 |     while: {product.raw.isShipingRequired: true}\n"
        "      |             ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^\n"
        "   help: did you mean `product.raw.isShippingRequired`?   [field-never-seen]"
    )


def test_an_attribute_is_compared_with_the_names_that_came(database: Database) -> None:
    remember(database, WEB, some(attributes={"Colour": "red", "Shoe size": "42"}))
    assert of_condition(database, "while: {product.attributes.Color: red}") == [
        (
            "no product of `web` seen in 30 days has `product.attributes.Color`",
            "did you mean `product.attributes.Colour`?",
        )
    ]
    assert of_condition(database, "while: {product.attributes.Made in: Italy}")[0][1] == "there came: Colour, Shoe size"


@pytest.mark.parametrize("name", ["Colour", "colour", " COLOUR "])
def test_an_attribute_is_found_however_it_is_written(database: Database, name: str) -> None:
    remember(database, WEB, some(attributes={"Colour": None}))
    assert of_condition(database, f'while: {{"product.attributes.{name}": empty}}') == []


def test_what_one_product_had_is_had_be_it_empty(database: Database) -> None:
    remember(database, WEB, [*some(), a_product("9", "Hat", attributes={"Line": ""}, raw={"a": {"b": None}})])
    assert of_condition(database, "while: {all: [ending, product.raw.a.b: empty]}") == []


def test_a_use_in_a_meaning_or_in_unless_is_told_at_the_rule(database: Database) -> None:
    remember(database, WEB, some(attributes={}))
    text = RULES.replace("CONDITION", "while: ending\n    unless: {product.attributes.Keep: always}")
    said = [(each.place.line, each.message.partition("has ")[2]) for each in found(database, text)]
    assert said == [(7, '`product.attributes.Line` (in "ending")'), (8, "`product.attributes.Keep`")]


def test_a_change_is_a_use_of_the_field_itself(database: Database) -> None:
    remember(database, WEB, some(attributes={"Colour": "red"}))
    condition = "as_soon_as: {all: [{before.attributes.Color: red}, {product.attributes.Colour: {changes: true}}]}"
    said = [message for message, _ in of_condition(database, condition)]
    assert said == ["no product of `web` seen in 30 days has `product.attributes.Color`"]


def test_a_field_in_an_expression_is_a_use(database: Database) -> None:
    remember(database, WEB, [Snapshot(product(str(at)), {"id": str(at), "stock": 1}) for at in range(LEAST)])
    said = [message for message, _ in of_condition(database, 'while: {jmespath: "product.price > `3`"}')]
    assert said == ["no product of `web` seen in 30 days has `product.price`"]


def test_where_deliveries_are_all_there_is_they_are_named_and_a_mapping_is_advised(database: Database) -> None:
    remember(database, B2B, [Snapshot(product(str(at)), {"id": str(at), "stock": 1}) for at in range(LEAST)])
    text = RULES.replace("[web]", "[b2b]").replace("CONDITION", "while: {product.price: {at_most: 3}}")
    (problem,) = found(database, text.replace("    do:", "    afterwards: leave\n    do:"), B2B)
    assert problem.message == "no delivery of `b2b` in 30 days carried `product.price`"
    assert "`fields:`" in problem.help


def test_stock_is_known_where_it_is_unlimited_and_unknown_where_it_only_might_be(database: Database) -> None:
    remember(database, WEB, some(stock=None, tracks_stock=False))
    assert of_condition(database, "while: {product.stock: {at_most: 0}}") == []
    remember(database, WEB, some(stock=None, tracks_stock=True))
    assert len(of_condition(database, "while: {product.stock: {at_most: 0}}")) == 1


def test_from_a_few_products_nothing_is_concluded(database: Database) -> None:
    remember(database, WEB, some(LEAST - 1))
    assert of_condition(database, "while: ending") == []
    remember(database, WEB, some(LEAST))
    assert len(of_condition(database, "while: ending")) == 1


def test_what_was_seen_longer_ago_does_not_count(database: Database) -> None:
    remember(database, WEB, some(), at=NOON - timedelta(days=31))
    assert of_condition(database, "while: ending") == []
    remember(database, WEB, [a_product("old", "Hat", attributes={"Line": "Ends"})], at=NOON - timedelta(days=31))
    remember(database, WEB, some(), at=NOON - timedelta(days=29))
    assert len(of_condition(database, "while: ending")) == 1


def test_what_is_gone_does_not_count(database: Database) -> None:
    remember(database, WEB, [*some(), a_product("gone", "Hat", attributes={"Line": "Ends"})])
    assert of_condition(database, "while: ending") == []
    gone = "UPDATE snapshots SET is_gone = 1 WHERE id = 'gone'"
    database.write_now(lambda connection: connection.exec_driver_sql(gone))
    assert len(of_condition(database, "while: ending")) == 1


def test_another_stores_products_say_nothing(database: Database) -> None:
    remember(database, KSA, some(attributes={"Line": "Ends"}))
    remember(database, WEB, some())
    assert len(of_condition(database, "while: ending")) == 1


def test_rules_about_categories_are_compared_with_categories(database: Database) -> None:
    remember(database, KSA, [a_category(str(at), f"Shelf {at}") for at in range(LEAST)])
    (problem,) = found(database, ABOUT_CATEGORIES, KSA)
    assert problem.message == "no category of `ksa` seen in 30 days has `category.published`"
    remember(database, KSA, [a_category("9", "Shelf", published=True)])
    assert found(database, ABOUT_CATEGORIES, KSA) == ()


def test_only_the_newest_are_looked_at_and_that_is_said(database: Database) -> None:
    remember(database, WEB, [a_product("00", "Hat", attributes={"Line": "Ends"})], at=NOON - timedelta(days=3))
    remember(database, WEB, some())
    said = [each.message for each in found(database, RULES.replace("CONDITION", "while: ending"), most=LEAST)]
    assert said == ['none of the 5 products of `web` that were seen last has `product.attributes.Line` (in "ending")']


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(st.lists(st.dictionaries(st.sampled_from(["Line", "line", "Colour"]), st.none() | st.text(max_size=3))))
def test_an_attribute_is_told_exactly_if_none_of_enough_products_has_it(
    database: Database, carried: list[dict[str, str | None]]
) -> None:
    alias = StoreAlias("web")
    database.write_now(lambda connection: connection.exec_driver_sql("DELETE FROM snapshots"))
    remember(database, alias, [a_product(str(at), "Boot", attributes=each) for at, each in enumerate(carried)])
    is_had = any(name.casefold() == "line" for each in carried for name in each)
    assert bool(of_condition(database, "while: ending")) is (len(carried) >= LEAST and not is_had)
