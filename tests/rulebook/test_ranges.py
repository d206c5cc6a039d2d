"""Words of one field that no value can fit at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from rules_engine.core.rule import Rulebook

Compile = Callable[..., Rulebook]
Refuse = Callable[..., list[Any]]


def condition(text: str) -> str:
    return f"rules:\n  r:\n    stores: [web]\n    while: {{{text}}}\n    do: [hide]\n"


@pytest.mark.parametrize(
    ("text", "underlined", "advice"),
    [
        ("product.stock: {at_least: 5, at_most: 3}", "at_most", "`{at_least: 3, at_most: 5}`, or `any:`"),
        ("product.stock: {less_than: 3, more_than: 5}", "more_than", "`{more_than: 3, less_than: 5}`, or `any:`"),
        ("product.price: {more_than: 19.90, at_most: 19.9}", "at_most", "keep one of them"),
        ("product.stock: {is: 0, is_not: 0}", "is_not", "keep one of them"),
        ("product.stock: {is_not: 0, is: 0}", "is", "keep one of them"),
        ("product.stock: {is: 5, less_than: 5}", "less_than", "keep one of them"),
        ("length(product.tags): {at_least: 5, at_most: 3}", "at_most", "`{at_least: 3, at_most: 5}`"),
        ("now.date: {at_least: 2026-12-24, at_most: 2026-12-01}", "at_most", "`{at_least: 2026-12-01, at_most: 2026-"),
        ("product.created_at: {at_least: 2026-12-24T10:00, at_most: 2026-12-23}", "at_most", "or `any:`"),
        ("product.created_at: {more_than: 2026-12-24, at_most: 2026-12-24}", "at_most", "keep one of them"),
        ('now.time: {at_least: "18:00", at_most: "9:00"}', "at_most", "write `between: 18:00 and 9:00`"),
    ],
)
def test_words_that_exclude_each_other_are_refused(refused: Refuse, text: str, underlined: str, advice: str) -> None:
    (found,) = refused(condition(text))
    assert (found.code, found.underlined) == ("wrong-order", underlined)
    assert advice in found.help


@pytest.mark.parametrize(
    "text",
    [
        "product.stock: {at_least: 3, at_most: 3}",
        "product.stock: {is: 0, is_not: 1}",
        "product.stock: {at_least: 3, is_not: 3}",
        "product.stock: {more_than: 3, less_than: 5, is_not: 4.5}",
        'now.time: {at_least: "9:00", at_most: "17:00"}',
        "product.created_at: {more_than: 2026-12-24T10:00, at_most: 2026-12-24}",
        "product.created_at: {at_least: 2026-12-24, less_than: 2026-12-24T10:00}",
        "product.created_at: {at_least: 2026-12-24T01:00+03:00, at_most: 2026-12-23}",
        "product.raw.a: {is: true, is_not: 1}",
        "product.name: {is: b, is_not: a}",
    ],
)
def test_words_that_some_value_fits_are_read(compiled: Compile, text: str) -> None:
    assert compiled(condition(text)).rules
