"""JMESPath in rules: it yields what the library yields, never raises, and tells what it looks at."""

from __future__ import annotations

import json

import jmespath
import pytest
from expression_texts import ANY_TEXT, DOCUMENTS, EXPRESSIONS
from hypothesis import given

from rules_engine.core.expression import compiled, evaluate, fields_in, looks_at_moment
from rules_engine.core.syntax import MAX_LENGTH


def test_evaluating_says_what_failed() -> None:
    document = {"product": {"stock": "three", "raw": {}}}
    assert evaluate("product.stock == 'three'", document).value is True
    assert "unlike types" in evaluate("product.stock > `1`", document).failure
    assert evaluate("sum(product.stock) > `1`", document).failure.startswith("the expression failed: In function sum()")
    assert evaluate("product.", document).failure
    assert evaluate("`a`", document).failure


@pytest.mark.parametrize("text", ["", "a" * (MAX_LENGTH + 1), "(" * 900 + "a" + ")" * 900, "`NaN`", "`[1, Infinity]`"])
def test_what_is_malformed_fails_with_a_reason_and_looks_at_nothing(text: str) -> None:
    assert evaluate(text, {"a": 1}).failure
    assert fields_in(text) == frozenset()


def exactly(value: object) -> str:
    """A value with its type: `1`, `1.0` and `true` differ."""
    return json.dumps(value, default=lambda other: type(other).__name__)


@given(EXPRESSIONS, DOCUMENTS)
def test_an_expression_yields_what_the_library_yields_or_fails_where_it_raises(
    text: str, document: dict[str, object]
) -> None:
    ours = evaluate(text, document)
    try:
        theirs = jmespath.search(text, document)
    except Exception:  # noqa: BLE001 — the library raises what it likes
        assert ours.failure
    else:
        assert (ours.failure, exactly(ours.value)) == ("", exactly(theirs))


@given(ANY_TEXT)
def test_evaluating_never_raises(text: str) -> None:
    found = evaluate(text, {"product": {"stock": 3}, "a": [1, "x", None], "b": {"a": True}})
    assert not (found.failure and found.value is not None)
    fields_in(text)


def test_only_fields_of_the_document_itself_are_found() -> None:
    text = "product.variants[?stock > `0`].sku == [x] || contains(keys(product.raw), now.date)"
    assert fields_in(text) == {"product.variants", "x", "product.raw", "now.date"}
    assert fields_in("map(&x.y, product.tags) == [product.id, store.alias]") == {
        *("product.tags", "product.id", "store.alias")
    }


@pytest.mark.parametrize(
    "text",
    [
        "product.stock > before.stock",
        "@.before.stock == `1`",
        "[product, before][].stock == [`1`]",
        "[before][?stock > `0`] | length(@) > `0`",
        "{old: before.brand, new: product.brand} | old != new",
        "{old: before, new: product} | old.brand != new.brand",
        "(product || before).stock > `1`",
        "not_null(before, product).stock > `1`",
        "contains(to_array(before.tags), 'a')",
        "!before",
        "event.type == 'product.created'",
        "length(keys(@)) > `1`",
        "sort_by([product, before], &stock)[0].stock == `1`",
        "@ | @ | before.stock == `1`",
    ],
)
def test_a_look_at_before_or_the_event_is_found_wherever_it_hides(text: str) -> None:
    assert looks_at_moment(text)


@pytest.mark.parametrize(
    "text",
    [
        "product.raw.before == 'x'",
        "product.raw.lines[?before == `1`] | length(@) > `0`",
        "product.raw | before == `1`",
        "product.variants[?event] | length(@) > `0`",
        "map(&before, product.variants) == `[]`",
        "{before: product.stock} | before > `1`",
        "'before' == product.name",
    ],
)
def test_a_field_of_that_name_elsewhere_is_no_moment(text: str) -> None:
    assert not looks_at_moment(text)


@given(EXPRESSIONS, DOCUMENTS)
def test_what_an_expression_does_not_mention_does_not_change_what_it_yields(
    text: str, document: dict[str, object]
) -> None:
    mentioned = fields_in(text)
    if {"product", "category", "before", "event", "store", "now"} <= mentioned:
        return  # it looks at the whole document
    roots = {field.split(".")[0] for field in mentioned}
    kept = {name: value for name, value in document.items() if name in roots}
    product = document.get("product")
    if isinstance(product, dict) and "product" not in mentioned and "product" in kept:
        kept["product"] = {name: value for name, value in product.items() if f"product.{name}" in mentioned}
    assert exactly(evaluate(text, kept).value) == exactly(evaluate(text, document).value)


def test_a_compiled_expression_is_the_librarys_own() -> None:
    assert compiled("product.stock > `1`").parsed == jmespath.compile("product.stock > `1`").parsed


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("[@][?product.stock > `1`] | length(@) > `0`", {"product.stock"}),
        ("map(&stock, [product])[0] == `1`", {"product", "product.stock"}),
        ("max_by([product], &price).stock == `1`", {"product", "product.price", "product.stock"}),
        ("{a: {b: before}}.a.b.stock == `1`", {"before"}),
        ("product | stock > `1`", {"product.stock"}),
    ],
)
def test_a_field_is_found_through_filters_functions_and_pipes(text: str, fields: set[str]) -> None:
    assert fields <= fields_in(text)
