"""Conditions as people who know the language write them, in many styles: each loads without a word, and means it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from textwrap import indent
from typing import Any

import pytest

from rules_engine.core.condition import Document, Truth, judge
from rules_engine.core.delivery import StoreAlias
from rules_engine.core.rule import Rulebook
from rules_engine.core.subject import SubjectKind, complete

NOW = datetime(2026, 11, 20, 9, 5, tzinfo=UTC)
"""A Friday."""

PRODUCT: dict[str, Any] = complete(
    {
        "id": "17",
        "sku": "SALE-0123",
        "name": "حذاء رياضي",
        "names": ["حذاء رياضي", "Trail Runner"],
        "brand": "Acme Straße",
        "brand_id": "b1",
        "published": True,
        "price": 19.9,
        "compare_at_price": 25.0,
        "category_ids": ["1", "2"],
        "category_names": {"1": ["Featured"], "2": ["تخفيضات", "Sale"]},
        "tags": ["summer", "end-of-line"],
        "attributes": {
            "Colour": "Red",
            "Shoe size": "42",
            "مقاس": "كبير",
            "Weight": "1.10",
            "Size (EU)": "42",
            "Trim & lining": "Wool",
            "Maker's mark": "A",
        },
        "variants": [
            {"id": "v1", "sku": "A-1", "stock": 0, "in_stock": False, "price": 19.9},
            {"id": "v2", "sku": "A-2", "stock": 3, "in_stock": True, "price": 22.0},
        ],
        "created_at": "2026-11-10T10:00:00Z",
        "updated_at": "2026-11-19T10:00:00Z",
        "raw": {"seo": {"title": "x"}, "images": [], "quantity": 3},
    }
)

CONDITIONS = [
    "product.stock: 3",
    "product.stock: {more_than: 2, less_than: 4}",
    "product.price:\n  at_least: +10\n  at_most: .5e2",
    "product.price: {between: 19.9 and 20}",
    "product.brand: ACME STRASSE",
    "product.brand: >-\n  Acme\n  Straße",
    "product.brand: {one_of: [acme straße, Globex]}",
    "product.name: {contains: رياضي}",
    "product.name: {contains_any: [boot, trail]}",
    "product.name: {matches: trail*}",
    "product.categories: {contains: تخفيضات}",
    "product.categories: {is_not: empty}",
    "product.category_ids: {contains: 1}",
    "product.sku: {matches: 'SALE-????'}",
    "product.sku: {ends_with: 0123}",
    "product.id: {one_of: [17, 18]}",
    "product.attributes.Shoe size: 42",
    "product.attributes.مقاس: كبير",
    "product.attributes.Weight: 1.10",
    "product.attributes.Size (EU): 42",
    "product.attributes.Trim & lining: wool",
    "product.attributes.Maker's mark: a",
    "product.attributes.Made in (EU): empty",
    "'product.attributes.\"size (eu)\"': 42",
    "'product.attributes.\"[x] | y\"': empty",
    'to_number(product.attributes."Shoe size"): {at_least: 42}',
    "product.created_at: {newer_than: 14 days}",
    "product.created_at: {between: [2026-11-01, 2026-11-30]}",
    "now.weekday: {one_of: [Friday, saturday]}",
    "now.time: {between: [22:00, 9:30]}",
    "now.date: {between: 2026-11-15 and 2026-12-26}",
    "all:\n- product.stock: 3\n- any:\n  - product.brand: x\n  - none:\n    - product.stock: 9",
    "length(product.variants): {at_least: 2}",
    "? length(product.variants[?stock == `0`])\n: 1",
    '"product.variants[*].sku": {contains: A-1}',
    '"product.variants[?in_stock]": not_empty',
    "product.raw.images: empty",
    "jmespath: product.stock == `3`",
    "jmespath: |\n  product.stock == `3` &&\n\n    product.published\n",
    "jmespath: 'product.brand == ''Acme Straße'''",
]

EXPRESSIONS = [
    "product.variants[?stock == `0`] | length(@) > `0`",
    "product.variants[?!in_stock] | [0].sku == 'A-1'",
    "(product.variants[?stock > `0`])[0].sku == 'A-2'",
    "product.variants[?price > `20` && in_stock].sku | [0] == 'A-2'",
    "product.variants[*].[sku, stock] | [0][1] == `0`",
    "product.variants[*].{s: sku} | [0].s == 'A-1'",
    "product.variants[::-1] | [0].sku == 'A-2'",
    "length(product.variants[?contains(['A-1', 'A-9'], sku)]) > `0`",
    "length(product.variants[?in_stock]) < length(product.variants)",
    "product.variants[*].sku | [?starts_with(@, 'A')] | length(@) == `2`",
    "max_by(product.variants, &price).price > `20`",
    "sort_by(product.variants, &price)[0].sku == 'A-1'",
    "map(&price, product.variants) | max(@) == `22.0`",
    "sum(product.variants[].stock) < `5`",
    "product.variants[].stock | min(@) == `0`",
    "starts_with(product.sku, 'SALE-') && product.stock > `0`",
    "product.attributes.\"Shoe size\" == '42'",
    "to_number(product.attributes.Weight) > `1`",
    "contains(values(product.attributes), 'Red')",
    "keys(product.attributes) | contains(@, 'Colour')",
    "not_null(product.attributes.Missing, 'none') == 'none'",
    "contains(['Red', 'Blue'], product.attributes.Colour)",
    "product.raw.images == `[]` && product.raw.seo.title == 'x'",
    "product.raw.*.title | contains(@, 'x')",
    "!(product.raw.archived) && !(product.raw.hidden || product.raw.deleted)",
    "product | (stock < price)",
    "product.{s: stock, p: price} | s < p",
    "[product.published, product.in_stock] == `[true, true]`",
    "product.compare_at_price > product.price",
    "length(product.categories[?contains(['Featured', 'Outlet'], @)]) > `0`",
    "product.created_at < '2026-11-15' && product.updated_at > product.created_at",
    "now.weekday == 'friday' && now.date >= '2026-11-15'",
    "contains(to_string(product.raw), 'seo') && type(product.stock) == 'number'",
    "contains(product.name, 'رياضي')",
    "product.sku == 'it\\'s' || product.sku == 'SALE-0123'",
]


def loaded(compiled: Callable[[str], Rulebook], condition: str) -> Rulebook:
    written = indent(condition, "      ")
    return compiled(f"rules:\n  r:\n    stores: [web]\n    while:\n{written}\n    do: [hide]\n")


@pytest.mark.parametrize("condition", [*CONDITIONS, *(f"jmespath: |-\n  {text}" for text in EXPRESSIONS)])
def test_a_sound_condition_loads_without_a_word_and_is_met(compiled: Callable[[str], Rulebook], condition: str) -> None:
    rulebook = loaded(compiled, condition)
    document = Document(SubjectKind.PRODUCT, PRODUCT, NOW, StoreAlias("web"), "ecwid")
    assert rulebook.warnings == ()
    assert judge(rulebook.rules[0].condition, document).truth is Truth.MET
