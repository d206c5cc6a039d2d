"""Work without end: expressions that double what they are given are given up, and all others are not."""

from __future__ import annotations

import pytest

from rules_engine.core.bounded import TooMuchWorkError, search
from rules_engine.core.expression import compiled, evaluate

DOCUMENT = {"product": {"tags": ["sale", "new"], "name": "Shoe", "raw": {"lines": list(range(500))}}}


@pytest.mark.parametrize(
    "text",
    [
        "product.tags" + " | [@, @][]" * 150,
        "product.name" + " | [@, @]" * 150,
        "to_string(product.name" + " | [@, @]" * 90 + ")",
        "product.name" + " | join('', [@, @])" * 90,
        "product.name" + " | to_string([@])" * 100,
        f"(product.name{' | [@, @]' * 60}) == (product.name{' | [@, @]' * 60})",
        f"contains([product.name{' | [@, @]' * 60}], product.name{' | [@, @]' * 60})",
        "product.raw.lines" + " | map(&[@, @][], [@, @])[]" * 60,
        "product" + " | {a: @, b: @}" * 100,
        "product.raw.lines" + "[][]" + " | [@, @][] | reverse(@)" * 60,
    ],
)
def test_what_doubles_with_every_step_is_given_up(text: str) -> None:
    assert "too much work" in evaluate(text, DOCUMENT).failure


@pytest.mark.parametrize(
    "text",
    [
        "length(product.raw.lines[?@ > `10`]) > `3`",
        "sum(product.raw.lines) == `124750`",
        "sort(product.raw.lines)[-1] == `499`",
        "length(to_string(product.raw)) > `1000`",
        "product.raw.lines == product.raw.lines",
    ],
)
def test_a_large_product_is_no_trouble(text: str) -> None:
    assert evaluate(text, DOCUMENT).value is True


def test_the_bound_counts_steps_and_what_is_built() -> None:
    tree = compiled("length([product.tags, product.tags][]) > `3`").parsed
    assert search(tree, DOCUMENT, work=100) is True
    with pytest.raises(TooMuchWorkError):
        search(tree, DOCUMENT, work=10)


def test_ten_thousand_variants_are_within_the_bound() -> None:
    variants = [{"sku": f"A-{n}", "stock": n % 7, "price": n} for n in range(10_000)]
    text = "length(product.variants[?stock == `0` && price > `5` && starts_with(sku, 'A')]) > `1000`"
    assert evaluate(text, {"product": {"variants": variants}}).value is True
