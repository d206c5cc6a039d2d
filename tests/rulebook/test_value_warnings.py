"""Warnings of values that are not compared as they look; what they say to write loads without a word."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from rules_engine.core.problem import Problem
from rules_engine.core.rule import Rulebook

Compile = Callable[[str], Rulebook]


def warnings(compiled: Compile, condition: str, trigger: str = "while") -> tuple[Problem, ...]:
    written = f"rules:\n  r:\n    stores: [web]\n    {trigger}:\n      {condition}\n    do: [hide]\n"
    return compiled(written).warnings


@pytest.mark.parametrize(
    ("condition", "code", "advice"),
    [
        ("product.name: {starts_with: 'TEST '}", "outer-blanks", '`matches: "TEST *"`, else write `starts_with: TEST`'),
        ("product.name: {ends_with: ' XL'}", "outer-blanks", '`matches: "* XL"`'),
        ("product.name: {ends_with: 'XL '}", "outer-blanks", "write `ends_with: XL`"),
        ("product.name: {contains: ' بوت '}", "outer-blanks", '`matches: "* بوت *"`'),
        ("product.name: {contains_any: [boot, ' cap']}", "outer-blanks", '`matches: "* cap*"`'),
        ("product.name: {matches: ' TEST*'}", "outer-blanks", '`matches: "TEST*"`'),
        ("product.brand: '*Acme*'", "wildcard", '`matches: "*Acme*"`'),
        ("product.brand: {is_not: 'Acme*'}", "wildcard", "`none:`"),
        ("product.brand: {one_of: [Globex, 'Acme*']}", "wildcard", "`any:`"),
        ("product.sku: {starts_with: 'SALE-*'}", "wildcard", "`starts_with: SALE-`"),
        ("product.sku: {matches: boot}", "wildcard", '`matches: "*boot*"`'),
        ("product.sku: {matches: /boot/i}", "wildcard", '`matches: "*boot*"`'),
        ("product.sku: {matches: '^SALE-.*'}", "wildcard", '`matches: "SALE-*"`'),
        (r"product.sku: {matches: '^A\d\d$'}", "wildcard", '`matches: "A??"`'),
        (r"product.sku: {matches: '^SALE-\d+$'}", "wildcard", "write a pattern, such as"),
        ("product.attributes.Weight: {at_most: 2}", "word-does-not-fit", "`to_number(product.attributes.Weight): {at_"),
        ("product.attributes.مقاس: {between: [1, 2]}", "word-does-not-fit", '."مقاس"): {between: [1, 2]}`'),
    ],
)
def test_what_is_hardly_meant_so_is_a_warning(compiled: Compile, condition: str, code: str, advice: str) -> None:
    (found,) = warnings(compiled, condition)
    assert found.code == code
    assert advice in found.help


@pytest.mark.parametrize(
    "condition",
    [
        "product.brand: 'Acme '",
        "product.categories: {contains: 'Sale '}",
        "product.name: '*'",
        "product.name: {matches: '[NEW] *'}",
        "product.name: {matches: 'No.*'}",
        "product.name: {matches: 'What?'}",
        "product.name: {contains: 5* hotel}",
        "product.sku: {starts_with: TEST}",
        "product.raw.quantity: {at_least: 1}",
        "product.attributes.Weight: 2",
    ],
)
def test_what_may_well_be_meant_so_is_none(compiled: Compile, condition: str) -> None:
    assert warnings(compiled, condition) == ()


def test_an_attribute_that_rises_is_text_too(compiled: Compile) -> None:
    (found,) = warnings(compiled, "product.attributes.Weight: {rises_above: 2}", "as_soon_as")
    assert "{rises_above: 2}" in found.help
