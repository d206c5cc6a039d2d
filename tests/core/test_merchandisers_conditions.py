"""Twenty-one conditions as merchandisers write them: with the bare library most raise or never fire; here none does."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import jmespath
import pytest

from rules_engine.core.expression import evaluate
from rules_engine.core.subject import SubjectKind
from rules_engine.core.traps import lint, mended


@dataclass(frozen=True, slots=True)
class Wish:
    """A condition, what it does with the bare library, and two products: one that is meant, and one that is not.

    `corrected` is what the engine says to write; empty where the condition is right as it stands.
    """

    written: str
    bare: str
    corrected: str
    meant: dict[str, Any]
    other: dict[str, Any]


WORKS, RAISES, SILENT = "works", "raises", "never fires"

WISHES = [
    Wish("contains(product.tags, 'sale')", WORKS, "", {"tags": ["sale"]}, {"tags": ["new"]}),
    Wish("product.brand == 'Nike'", WORKS, "", {"brand": "Nike"}, {"brand": "Puma"}),
    Wish("product.stock <= `0`", WORKS, "", {"stock": 0}, {"stock": 3}),
    Wish("starts_with(product.sku, 'SUMMER-')", WORKS, "", {"sku": "SUMMER-1"}, {"sku": "WINTER-1"}),
    Wish("product.price < product.compare_at_price", WORKS, "", {"price": 5}, {"price": 30}),
    Wish("product.stock <= 0", RAISES, "product.stock <= `0`", {"stock": 0}, {"stock": 3}),
    Wish(
        "product.stock == `0` and product.published == `true`",
        RAISES,
        "product.stock == `0` && product.published == `true`",
        {"stock": 0},
        {"stock": 3},
    ),
    Wish("product.brand = 'Nike'", RAISES, "product.brand == 'Nike'", {"brand": "Nike"}, {"brand": "Puma"}),
    Wish("not product.published", RAISES, "!(product.published)", {"published": False}, {"published": True}),
    Wish("product.stock > '5'", RAISES, "product.stock > `5`", {"stock": 6}, {"stock": 5}),
    Wish(
        "product.name.startswith('Gift')",
        RAISES,
        "starts_with(product.name, 'Gift')",
        {"name": "Gift card"},
        {"name": "Shoe"},
    ),
    Wish("'sale' in product.tags", RAISES, "contains(product.tags, 'sale')", {"tags": ["sale"]}, {"tags": []}),
    Wish(
        "product.raw.free-shipping == `true`",
        RAISES,
        'product.raw."free-shipping" == `true`',
        {"raw": {"free-shipping": True}},
        {"raw": {"free-shipping": False}},
    ),
    Wish("product.brand == “Nike”", RAISES, "product.brand == 'Nike'", {"brand": "Nike"}, {"brand": "Puma"}),
    Wish(
        "length(product.variants.sku) > `1`",
        RAISES,
        "length(product.variants[].sku) > `1`",
        {"variants": [{"sku": "A"}, {"sku": "B"}]},
        {"variants": [{"sku": "A"}]},
    ),
    Wish("!product.published", SILENT, "!(product.published)", {"published": False}, {"published": True}),
    Wish('product.brand == "Nike"', SILENT, "product.brand == 'Nike'", {"brand": "Nike"}, {"brand": "Puma"}),
    Wish("product.published == 'false'", SILENT, "product.published == `false`", {"published": False}, {}),
    Wish(
        "product.tags == 'sale'", SILENT, "contains(product.tags, 'sale')", {"tags": ["sale", "new"]}, {"tags": ["new"]}
    ),
    Wish(
        "product.variants.stock == `0`",
        SILENT,
        "length(product.variants[?stock == `0`]) > `0`",
        {"variants": [{"stock": 0}, {"stock": 2}]},
        {"variants": [{"stock": 2}]},
    ),
    Wish(
        "contains(product.category_ids, `42`)", SILENT, "contains(product.category_ids, '42')", {}, {"category_ids": []}
    ),
]


def document(fields: dict[str, Any]) -> dict[str, Any]:
    """The document of a product like many, with what is special about it."""
    usual = {
        "id": "1",
        "sku": "A-1",
        "name": "Shoe",
        "brand": "Acme",
        "stock": 3,
        "published": True,
        "price": 10,
        "compare_at_price": 20,
        "tags": [],
        "categories": ["Shoes"],
        "category_ids": ["42"],
        "variants": [],
        "raw": {},
    }
    return {"product": usual | fields, "category": None, "before": None, "event": None}


def bare(text: str, fields: dict[str, Any]) -> object:
    """What the library alone makes of it: its outcome, or that it raises."""
    try:
        return jmespath.search(text, document(fields))
    except Exception:  # noqa: BLE001 — it raises what it likes
        return RAISES


@pytest.mark.parametrize("wish", WISHES, ids=lambda wish: wish.written)
def test_a_condition_does_with_the_bare_library_what_the_table_says(wish: Wish) -> None:
    outcomes = bare(wish.written, wish.meant), bare(wish.written, wish.other)
    if wish.bare == RAISES:
        assert outcomes == (RAISES, RAISES)
    elif wish.bare == WORKS:
        assert outcomes == (True, False)
    else:
        assert RAISES not in outcomes
        assert True not in outcomes


def test_of_twenty_one_five_work_ten_raise_and_six_never_fire() -> None:
    assert Counter(wish.bare for wish in WISHES) == {WORKS: 5, RAISES: 10, SILENT: 6}


@pytest.mark.parametrize("wish", WISHES, ids=lambda wish: wish.written)
def test_every_condition_works_or_is_refused_with_the_text_that_works(wish: Wish) -> None:
    faults = lint(wish.written, about=SubjectKind.PRODUCT)
    assert bool(faults) == bool(wish.corrected)
    right = wish.corrected or wish.written
    if faults:
        assert mended(wish.written, about=SubjectKind.PRODUCT) == right
        assert any(fault.fix is not None and fault.fix in fault.help for fault in faults)
    assert evaluate(right, document(wish.meant)).value is True
    assert evaluate(right, document(wish.other)).value is False


@pytest.mark.parametrize("wish", [wish for wish in WISHES if wish.corrected], ids=lambda wish: wish.written)
def test_the_advice_says_the_piece_to_write_or_the_whole_of_it(wish: Wish) -> None:
    first = lint(wish.written, about=SubjectKind.PRODUCT)[0]
    assert wish.corrected in first.help or first.applied_to(wish.written) == wish.corrected
