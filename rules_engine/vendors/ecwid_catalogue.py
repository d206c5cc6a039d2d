"""Ecwid's products and categories as rules see them."""

from __future__ import annotations

from collections.abc import Iterable

from rules_engine.core.subject import Snapshot, category, complete, product
from rules_engine.vendors import answers
from rules_engine.vendors.answers import identity, moment, number, objects, text

TOP = "0"
"""The id of the top level. Ecwid's documentation: the category 0 ("Store front page"), which no list shows."""


def products_seen(item: dict[str, object]) -> tuple[Snapshot, ...]:
    """The product as rules see it, or nothing if it has no id."""
    id_ = identity(item.get("id"))
    if id_ is None:
        return ()
    updated = moment(item.get("updateTimestamp")) or moment(item.get("updated"))
    fields: dict[str, object] = {
        "id": id_,
        "sku": text(item.get("sku")),
        **_names(item),
        **_stock(item),
        **answers.known(published=answers.flag(item.get("enabled"))),
        **_brand_and_attributes(item),
        **_categories_of(item),
        "price": number(item.get("price")),
        "compare_at_price": number(item.get("compareToPrice")),
        "created_at": answers.stamp(moment(item.get("createTimestamp")) or moment(item.get("created"))),
        "updated_at": answers.stamp(updated),
        "raw": item,
    }
    is_backorder = item.get("outOfStockVisibilityBehaviour") == "ALLOW_PREORDER"
    return (Snapshot(product(id_), complete(fields, allows_backorder=is_backorder), updated),)


def _stock(item: dict[str, object]) -> dict[str, object]:
    """The stock of the product, or of its variants where it has some. What is unknown is left out.

    Ecwid's documentation: `quantity` is absent when `unlimited`; `inStock` is also true when a variation is in stock.
    """
    variants: list[dict[str, object]] = []
    for combination in objects(item.get("combinations")):
        own: dict[str, object] = complete(_quantity(combination))
        stock: dict[str, object] = {name: own[name] for name in ("stock", "in_stock") if name in own}
        id_, sku, price = (
            identity(combination.get("id")),
            text(combination.get("sku")),
            number(combination.get("price")),
        )
        variants.append({"id": id_ or "", "sku": sku, **stock, "price": price})
    fields = _quantity(item)
    if any("stock" not in variant for variant in variants):
        # the product's own quantity says nothing about what its variants hold
        fields = {name: value for name, value in fields.items() if name == "in_stock"}
    return {**fields, "variants": variants}


def _quantity(item: dict[str, object]) -> dict[str, object]:
    quantity, is_unlimited = number(item.get("quantity")), answers.flag(item.get("unlimited"))
    fields = answers.known(in_stock=answers.flag(item.get("inStock")))
    if is_unlimited:
        return {**fields, "stock": None, "tracks_stock": False}
    is_tracked = True if quantity is not None or is_unlimited is False else None
    return {**fields, **answers.known(stock=quantity, tracks_stock=is_tracked)}


def _names(item: dict[str, object]) -> dict[str, object]:
    """The name, and with Ecwid's documented `nameTranslated` every language of it."""
    names = answers.names_of(item.get("name"), item.get("nameTranslated"))
    return {"name": names[0] if names else None, "names": names}


def _brand_and_attributes(item: dict[str, object]) -> dict[str, object]:
    """Ecwid's documentation: the brand is the attribute of type BRAND; absent, null and blank mean none."""
    attributes = objects(item.get("attributes"))
    brands = [text(one.get("value")) for one in attributes if one.get("type") == "BRAND"]
    brand = next((value for value in brands if value), None)
    named = {name: one.get("value") for one in attributes if (name := text(one.get("name")))}
    return {"brand": brand, "brand_id": brand, "attributes": named}


def _categories_of(item: dict[str, object]) -> dict[str, object]:
    """The memberships, the top level (0) among them where Ecwid shows it; nothing if the answer has none of it."""
    ids = item.get("categoryIds")
    if not isinstance(ids, list):
        return {}
    named = ((identity(one.get("id")), text(one.get("name"))) for one in objects(item.get("categories")))
    names = {id_: [name] for id_, name in named if id_ and name}
    return {"category_ids": [id_ for one in ids if (id_ := identity(one))], "category_names": names}


def categories_seen(items: Iterable[dict[str, object]]) -> list[Snapshot]:
    """The categories of one answer, with their paths where all parents are in it too."""
    by_id = {id_: item for item in items if (id_ := identity(item.get("id")))}
    names = {id_: text(item.get("name")) for id_, item in by_id.items()}
    parents = {id_: _parent(item) for id_, item in by_id.items()}
    shown: list[Snapshot] = []
    for id_, item in by_id.items():
        listed = item.get("productIds")
        members = [member for one in listed if (member := identity(one))] if isinstance(listed, list) else None
        # `productCount` lags by minutes (Ecwid's documentation), so it counts only where the members are not shown
        count = number(item.get("productCount")) if members is None else len(members)
        path, is_enabled = answers.path_of(id_, names, parents), answers.flag(item.get("enabled"))
        more = answers.known(path=path, published=is_enabled, member_ids=members, product_count=count)
        fields = {"id": id_, **_names(item), "parent_id": parents[id_], **more, "raw": item}
        shown.append(Snapshot(category(id_), fields))
    return shown


def _parent(item: dict[str, object]) -> str | None:
    parent = identity(item.get("parentId"))
    return None if parent == TOP else parent


def top_level() -> Snapshot:
    """The top level, which exists in every store though no list shows it, so that nothing in it is taken for gone."""
    name = "Store front page"
    fields = {"id": TOP, "name": name, "names": [name], "path": name, "parent_id": None, "published": True}
    return Snapshot(category(TOP), fields)
