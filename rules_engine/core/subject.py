"""Products and categories as rules see them, and the snapshots that remember them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, NewType, TypedDict

ProductId = NewType("ProductId", str)
CategoryId = NewType("CategoryId", str)
BrandId = NewType("BrandId", str)

ALL = "*"
"""The id of a reference to every subject of a kind."""


class SubjectKind(StrEnum):
    """What a rule can be about, or what can be read."""

    PRODUCT = "product"
    CATEGORY = "category"
    BRAND = "brand"


@dataclass(frozen=True, slots=True, order=True)
class SubjectRef:
    """Names one product, category or brand of a store; with id `*`, all of them."""

    kind: SubjectKind
    id: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.id}"


def product(id_: str) -> SubjectRef:
    """The reference to a product."""
    return SubjectRef(SubjectKind.PRODUCT, id_)


def category(id_: str) -> SubjectRef:
    """The reference to a category."""
    return SubjectRef(SubjectKind.CATEGORY, id_)


def brand(id_: str) -> SubjectRef:
    """The reference to a brand."""
    return SubjectRef(SubjectKind.BRAND, id_)


class Variant(TypedDict, total=False):
    """A variant of a product. `stock` is None when it is unlimited."""

    id: str
    sku: str | None
    stock: int | float | None
    in_stock: bool
    price: float | None


class Product(TypedDict, total=False):
    """A product as rules see it.

    A key that is absent is *unknown*; None, "" and [] are *known to be empty*. `stock` is None when it is not tracked
    (unlimited): then `tracks_stock` is false. `names` holds the name in every language, `name` the preferred one;
    `category_names` gives every known name of each category by its id. `brand_id` is the shop's id of the brand, or
    the brand's name where the shop has no ids. Ids are text, prices numbers, times ISO 8601 text.
    """

    id: str
    sku: str | None
    name: str | None
    names: list[str]
    brand: str | None
    brand_id: str | None
    stock: int | float | None
    tracks_stock: bool
    in_stock: bool
    can_be_ordered: bool
    published: bool
    price: float | None
    compare_at_price: float | None
    on_sale: bool
    currency: str | None
    categories: list[str]
    category_ids: list[str]
    category_names: dict[str, list[str]]
    tags: list[str]
    attributes: dict[str, Any]
    variants: list[Variant]
    created_at: str | None
    updated_at: str | None
    raw: Any


class Category(TypedDict, total=False):
    """A category as rules see it. `path` is `Home / Shoes / Sale`; `parent_id` is None at the top.

    `names` holds the name in every language. `member_ids` are the products in it, present only where one read shows
    all of them.
    """

    id: str
    name: str | None
    names: list[str]
    path: str | None
    parent_id: str | None
    published: bool
    product_count: int | None
    member_ids: list[str]
    raw: Any


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A subject as it was seen: by a read, in a delivery, or in the answer to a write.

    `fields` is a `Product` or a `Category` (for a brand: `id`, `name`). `version` is the shop's own time of this
    state, where it names one.
    """

    ref: SubjectRef
    fields: Mapping[str, Any]
    version: datetime | None = None


def complete(fields: Mapping[str, Any], *, allows_backorder: bool = False) -> dict[str, Any]:
    """Derive what follows from the other fields of a product: one meaning for every shop and every test.

    - `stock`, `tracks_stock`: where there are variants with a known stock, theirs: the sum, or unlimited if one is.
    - `tracks_stock`: without a word on it, true when `stock` is a number.
    - `in_stock`: unlimited, or more than nothing. `can_be_ordered`: in stock, or `allows_backorder`.
    - `categories`: from `category_ids` and `category_names`. `on_sale`: a compare-at price above the price.

    Nothing is derived from what is unknown (absent).
    """
    done = dict(fields)
    variants = [v for v in done.get("variants") or () if "stock" in v]
    if variants and len(variants) == len(done["variants"]):
        stocks = [v["stock"] for v in variants]
        done["tracks_stock"] = all(stock is not None for stock in stocks)
        done["stock"] = sum(stocks) if done["tracks_stock"] else None
    if "stock" in done:
        done.setdefault("tracks_stock", done["stock"] is not None)
    if done.get("tracks_stock") is False:
        done["stock"] = None
        done["in_stock"] = True
    elif done.get("tracks_stock") is True and done.get("stock") is not None:
        done["in_stock"] = done["stock"] > 0
    if "in_stock" in done:
        done["can_be_ordered"] = bool(done["in_stock"] or done.get("can_be_ordered") or allows_backorder)
    if "category_ids" in done:
        names = done.get("category_names") or {}
        if "categories" not in done or names:
            done["categories"] = [names[id_][0] for id_ in done["category_ids"] if names.get(id_)]
    if "price" in done and "compare_at_price" in done:
        price, compare = done["price"], done["compare_at_price"]
        done["on_sale"] = price is not None and compare is not None and compare > price
    return done
