"""Conditions that are written as sentences or formulas, and what is meant by them."""

from __future__ import annotations

import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rules_engine.core.subject import SubjectKind
from rules_engine.rulebook.conditions import Conditions
from rules_engine.rulebook.report import Report
from rules_engine.rulebook.text_conditions import condition_of, expression_advice, lasting_advice, meanings_advice
from rules_engine.rulebook.yaml import read_yaml

MEANINGS = ("sold out", "hidden")
PIECES = (
    *("product.stock", "product.published", "product.brand", "product.categories", "stock", "now.weekday", "sold out"),
    *("<=", "=", "!=", " is ", " is not ", " contains ", " and ", " or ", "not ", "!", "(", ")", ",", "AND(", "IF("),
    *("0", "3", "true", "FALSE", "Acme", '"Acme: it\'s"', "empty", "none", "monday", " ", "{", "#", "&", "é"),
)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("product.stock <= 0", "{product.stock: {at_most: 0}}"),
        ("product.stock<=0", "{product.stock: {at_most: 0}}"),
        ("product.stock is at most 3", "{product.stock: {at_most: 3}}"),
        ("quantity = 0", "{product.stock: 0}"),
        ("product.brand == 'Acme'", "{product.brand: Acme}"),
        ("product.brand != Acme", "{product.brand: {is_not: Acme}}"),
        ("product.brand is not empty", "{product.brand: {is_not: empty}}"),
        ("product.name contains 'a: b'", '{product.name: {contains: "a: b"}}'),
        ("product.name is true", '{product.name: "true"}'),
        ("product.categories is Sale", "{product.categories: {contains: Sale}}"),
        ("product.categories is not Sale", "{product.categories: {none_of: Sale}}"),
        ("not product.published", "{product.published: false}"),
        ("!product.published", "{product.published: false}"),
        ("NOT(product.brand = Acme)", "{none: [{product.brand: Acme}]}"),
        ("=IF(product.stock=0,TRUE,FALSE)", "{product.stock: 0}"),
        ("OR(sold out, product.stock=0)", "{any: [sold out, {product.stock: 0}]}"),
        ("stock > 0 and stock < 4", "{all: [{product.stock: {more_than: 0}}, {product.stock: {less_than: 4}}]}"),
        ("sold out or hidden and product.on_sale", "{any: [sold out, {all: [hidden, {product.on_sale: true}]}]}"),
        ("Sold-Out", "sold out"),
    ],
)
def test_what_is_meant_is_written_as_a_condition(text: str, meant: str) -> None:
    assert condition_of(text, MEANINGS, SubjectKind.PRODUCT) == meant


@pytest.mark.parametrize(
    "text",
    [
        "the product is sold out",
        "product.stock",
        "product.published = maybe",
        "product.stock = three",
        "product.brand at most 3",
        "IF(product.stock=0, 'yes', 'no')",
        "sold out, hidden",
        "product.stock = 0 and something else",
    ],
)
def test_nothing_is_guessed_where_it_is_not_clear(text: str) -> None:
    assert condition_of(text, MEANINGS, SubjectKind.PRODUCT) == ""


@given(st.lists(st.sampled_from(PIECES), max_size=9).map("".join) | st.text(max_size=60))
@example("product.brand = Acme #1")
@example("product.brand = -")
@example("now.weekday is not ")
def test_what_is_guessed_is_always_a_sound_condition(text: str) -> None:
    meant = condition_of(text, MEANINGS, SubjectKind.PRODUCT)
    if meant:
        report = Report()
        written = f"while: {meant}\n"
        report.add_file("rules/a.yaml", written)
        node = read_yaml(written, path="rules/a.yaml", report=report)
        means = read_yaml("{product.published: false}\n", path="rules/a.yaml", report=report)
        condition = node.get("while") if node and hasattr(node, "get") else None
        assert condition is not None
        assert means is not None
        assert Conditions(report, dict.fromkeys(MEANINGS, means)).read(condition, SubjectKind.PRODUCT)
        assert report.problems == ()


@pytest.mark.parametrize("piece", ["not ", "!", "and ", "a and ", "NOT(", " ", "a.b ", "=", "'", "IF("])
def test_no_text_is_guessed_at_for_long(piece: str) -> None:
    started = time.process_time()
    condition_of(piece * 200, MEANINGS, None)
    condition_of((piece * 200)[:200], MEANINGS, None)
    assert time.process_time() - started < 1


def test_an_expression_is_written_with_its_key() -> None:
    assert expression_advice("length(product.variants) > 3", None) == (
        'write: {jmespath: "length(product.variants) > `3`"}'
    )
    assert expression_advice("product.price - 3 > 0", None) == 'write an expression as `{jmespath: "…"}`'


def test_several_meanings_with_commas_may_be_meant_in_two_ways() -> None:
    advice = meanings_advice("sold out, hidden", MEANINGS)
    assert advice.startswith("write `{all: [sold out, hidden]}` if all of them")
    assert "`{any: [sold out, hidden]}` if one is enough" in advice


def test_a_sentence_is_answered_with_an_example_and_the_meanings() -> None:
    assert meanings_advice("always", MEANINGS).endswith("or the name of a meaning: sold out, hidden")
    assert meanings_advice("always", ()).endswith("or say under `meanings:` what this means")
    assert meanings_advice("sold uot", MEANINGS) == 'did you mean "sold out"?'


@pytest.mark.parametrize("text", ["sold out", "Out of stock", "out-of-stock", "not available"])
def test_what_shops_say_every_day_is_understood_where_nobody_gave_it_a_meaning(text: str) -> None:
    assert condition_of(text, (), SubjectKind.PRODUCT) == "{product.can_be_ordered: false}"
    assert condition_of(text, (), SubjectKind.CATEGORY) == ""


def test_a_meaning_of_the_shop_itself_comes_first() -> None:
    assert condition_of("Sold out", MEANINGS, SubjectKind.PRODUCT) == "sold out"


@pytest.mark.parametrize(
    ("text", "condition", "span"),
    [
        ("sold out for 2 hours", "`{product.can_be_ordered: false}`", "2 hours"),
        ("sold out for at least 2h", "`{product.can_be_ordered: false}`", "2 hours"),
        ("stock is 0 for 1 day", "`{product.stock: 0}`", "1 day"),
        ("gathering dust for 30 days", "the condition alone", "30 days"),
    ],
)
def test_a_time_at_the_end_of_a_condition_is_sent_where_it_belongs(text: str, condition: str, span: str) -> None:
    said = f"write {condition} here, and `must_last: {span}` in a line of its own below `while:`"
    assert lasting_advice(text, (), SubjectKind.PRODUCT) == said


@pytest.mark.parametrize("text", ["sold out", "for 2 hours", "sale for 2 parrots", "sold out for 2 hours and more"])
def test_what_ends_in_no_time_is_left_alone(text: str) -> None:
    assert lasting_advice(text, (), SubjectKind.PRODUCT) == ""


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("hidden", "{product.published: false}"),
        ("unpublished", "{product.published: false}"),
        ("product.hidden", "{product.published: false}"),
        ("not hidden", "{product.published: true}"),
        ("hidden = true", "{product.published: false}"),
        ("product.hidden is false", "{product.published: true}"),
        ("not_in_stock", "{product.in_stock: false}"),
        ("visible", "{product.published: true}"),
        ("not visible", "{product.published: false}"),
        ("visible = true", "{product.published: true}"),
    ],
)
def test_a_word_for_the_opposite_of_a_field_is_turned_round(text: str, meant: str) -> None:
    assert condition_of(text, (), SubjectKind.PRODUCT) == meant
