"""Zid's products and categories as rules see them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import tzinfo

from rules_engine.core.subject import Snapshot, category, complete, product
from rules_engine.vendors import answers
from rules_engine.vendors.answers import identity, mapping, moment, number, objects, text


def product_seen(item: dict[str, object], zone: tzinfo) -> Snapshot:
    """The product of a read, with its version; its times are in `zone` where they name no offset."""
    id_, updated = identity(item.get("id")) or "", moment(item.get("updated_at"), zone)
    fields: dict[str, object] = {
        "id": id_,
        "sku": text(item.get("sku")),
        **_names(item.get("name")),
        **_stock(item),
        **_price(item),
        **_categories_of(item),
        **answers.known(published=answers.flag(item.get("is_published"))),
        "attributes": _attributes(item.get("attributes")),
        "created_at": answers.stamp(moment(item.get("created_at"), zone)),
        "updated_at": answers.stamp(updated),
        "raw": item,
    }
    return Snapshot(product(id_), complete(fields), updated)


def parent_of(item: dict[str, object]) -> str | None:
    """The product that this one is a variant of, or None."""
    return identity(item.get("parent_id")) if item.get("structure") == "child" else None


def lacks_variants(item: dict[str, object]) -> bool:
    """Whether this is a parent without the variants that hold its stock: its own quantity of 0 says nothing."""
    return item.get("structure") == "parent" and not objects(item.get("variants"))


def _names(*values: object) -> dict[str, object]:
    """The name in every language; English is preferred, then Arabic. Zid's documentation: either may be missing."""
    spoken = [mapping(value).get(language) for language in ("en", "ar") for value in values]
    names = answers.names_of(*spoken, *values)
    return {"name": names[0] if names else None, "names": names}


def _price(item: dict[str, object]) -> dict[str, object]:
    """What is paid, and what it cost before where there is a sale price."""
    price, sale = number(item.get("price")), number(item.get("sale_price"))
    return {"price": price if sale is None else sale, "compare_at_price": None if sale is None else price}


def _quantity(item: dict[str, object]) -> dict[str, object]:
    """Zid's documentation: `quantity` is null where `is_infinite`; null without it is not known, and never zero."""
    is_infinite, quantity = answers.flag(item.get("is_infinite")), number(item.get("quantity"))
    if is_infinite:
        return {"stock": None, "tracks_stock": False}
    is_tracked = True if quantity is not None or is_infinite is False else None
    return answers.known(stock=quantity, tracks_stock=is_tracked)


def _stock(item: dict[str, object]) -> dict[str, object]:
    """The stock of a product; a parent's own quantity is 0 (Zid's documentation), its variants hold the stock."""
    variants: list[dict[str, object]] = []
    for one in objects(item.get("variants")):
        own: dict[str, object] = complete(_quantity(one))
        stock: dict[str, object] = {name: own[name] for name in ("stock", "in_stock") if name in own}
        price = _price(one)["price"]
        variants.append({"id": identity(one.get("id")) or "", "sku": text(one.get("sku")), **stock, "price": price})
    if variants:
        return {"variants": variants}
    if lacks_variants(item):
        return {"variants": variants} if isinstance(item.get("variants"), list) else {}
    return {"variants": variants, **_quantity(item)}


def _attributes(value: object) -> dict[str, object]:
    """Values by name; inferred: items hold `name` and `value`, each as text or in two languages."""
    found: dict[str, object] = {}
    for one in objects(value):
        content = one.get("value")
        for name in answers.names_of(one.get("name")):
            found[name] = _names(content)["name"] if isinstance(content, dict) else content
    return found


def _categories_of(item: dict[str, object]) -> dict[str, object]:
    """The memberships. Zid's documentation: ids are text here and numbers in category calls."""
    if not isinstance(item.get("categories"), list):
        return {}
    named = {
        id_: _names(one.get("name"))["names"] for one in objects(item["categories"]) if (id_ := identity(one.get("id")))
    }
    return {"category_ids": list(named), "category_names": {id_: names for id_, names in named.items() if names}}


def _nested(items: Sequence[dict[str, object]]) -> Iterator[tuple[dict[str, object], str | None]]:
    """Every category of a tree with the id of the one above it, from the top down."""
    waiting = [(item, identity(item.get("parent_id"))) for item in items]
    for item, parent in waiting:
        yield item, None if parent == "0" else parent  # inferred: the top may be null or 0
        waiting += [(child, identity(item.get("id"))) for child in objects(item.get("sub_categories"))]


def categories_seen(items: Sequence[dict[str, object]]) -> tuple[Snapshot, ...]:
    """The categories of one answer, with their paths where all above them are in it, too."""
    found = {id_: (item, parent) for item, parent in _nested(items) if (id_ := identity(item.get("id")))}
    names = {id_: _names(item.get("names"), item.get("name")) for id_, (item, _) in found.items()}
    first = {id_: text(both["name"]) for id_, both in names.items()}
    parents = {id_: parent for id_, (_, parent) in found.items()}
    shown: list[Snapshot] = []
    for id_, (item, parent) in found.items():
        path, is_published = answers.path_of(id_, first, parents), answers.flag(item.get("is_published"))
        more = answers.known(path=path, published=is_published, product_count=number(item.get("products_count")))
        fields = {"id": id_, **names[id_], "parent_id": parent, **more, "raw": item}
        shown.append(Snapshot(category(id_), fields))
    return tuple(shown)
