"""What a test says of a product agrees with itself, so that nothing it says is silently another thing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from rules_engine.core.rule import Rulebook

Compile = Callable[..., Rulebook]
Refuse = Callable[..., list[Any]]


def seen(given: str) -> str:
    return f"""\
rules:
  leaves:
    stores: [web]
    while: {{product.stock: {{at_most: 0}}}}
    do: [{{remove_from_category: Featured}}]
tests:
  leaves: [{{name: n, expect: nothing, given: {{{given}}}}}]
"""


def product(fields: str) -> str:
    return seen(f"product: {{{fields}}}")


CONTRADICTING = [
    ("stock: 0, in_stock: true", "in_stock", "leave `in_stock` out: it follows from `stock`"),
    ("stock: 3, in_stock: false", "in_stock", "leave `in_stock` out: it follows from `stock`"),
    ("stock: 3, can_be_ordered: false", "can_be_ordered", "it follows from `stock`"),
    ("stock: ~, in_stock: false", "in_stock", "it follows from `stock`"),
    ("stock: 3, tracks_stock: false", "stock", "leave `stock` out for stock without an end, or write `tracks_stock: t"),
    ("tracks_stock: false, in_stock: false", "in_stock", "it follows from `tracks_stock`"),
    ("stock: 5, variants: [{stock: 1}, {stock: 2}]", "stock", "leave `stock` out: it follows from `variants`"),
    ("price: 10, compare_at_price: 8, on_sale: true", "on_sale", "it follows from `compare_at_price`"),
]
AGREEING = [
    "stock: 0, in_stock: false, can_be_ordered: true",
    "stock: 3, tracks_stock: true, in_stock: true",
    "stock: ~, tracks_stock: false, in_stock: true",
    "stock: ~, can_be_ordered: true",
    "stock: 3, variants: [{stock: 1}, {stock: 2}]",
    "stock: 3, variants: [{stock: 1}, {sku: A-1}]",
    "price: 10, on_sale: true",
    "can_be_ordered: false",
]


@pytest.mark.parametrize(("fields", "underlined", "advice"), CONTRADICTING)
def test_a_product_that_no_shop_can_show_is_refused(refused: Refuse, fields: str, underlined: str, advice: str) -> None:
    (found,) = refused(product(fields))
    assert (found.code, found.underlined) == ("contradicting-test", underlined)
    assert advice in found.help
    (later,) = refused(seen(f"product: {{}}, then: {{product: {{{fields}}}}}"))
    assert (later.code, later.underlined) == ("contradicting-test", underlined)


@pytest.mark.parametrize("fields", AGREEING)
def test_a_product_that_a_shop_can_show_is_given_as_it_is_written(compiled: Compile, fields: str) -> None:
    names = {part.partition(":")[0] for part in fields.split(", ") if "{" not in part}
    assert names <= set(compiled(product(fields)).scenarios[0].given.fields)


def test_what_was_before_agrees_with_what_is_not_said_to_have_been_otherwise(
    refused: Refuse, compiled: Compile
) -> None:
    test = "product: {{{now}}}, before: {{{before}}}"
    (found,) = refused(seen(test.format(now="stock: 0, in_stock: false", before="in_stock: true")))
    assert (found.code, found.underlined) == ("contradicting-test", "in_stock")
    assert "write `stock: …` below `before:` too" in found.help
    (found,) = refused(seen(test.format(now="tracks_stock: false", before="stock: 3")))
    assert "write `tracks_stock: …` below `before:` too" in found.help
    assert compiled(seen(test.format(now="stock: 0, in_stock: false", before="stock: 3"))).scenarios
