"""What a sandbox Zid store holds, and how people edit it."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from copy import deepcopy
from typing import Any

from .exchange import Record
from .shop import Id, Shop, iso

SUMMER, SHOES, SANDALS, GIFTS = 540, 541, 542, 543
"""The categories of the sample."""

SHIRT = "0b6a3c1e-0000-4000-8000-000000000001"
HAT = "0b6a3c1e-0000-4000-8000-000000000002"
HAT_SMALL = "0b6a3c1e-0000-4000-8000-000000000003"
HAT_LARGE = "0b6a3c1e-0000-4000-8000-000000000004"
PERFUME = "0b6a3c1e-0000-4000-8000-000000000005"
VOUCHER = "0b6a3c1e-0000-4000-8000-000000000006"
SANDAL = "0b6a3c1e-0000-4000-8000-000000000007"
"""The products of the sample; the hat is a parent, and its sizes are its children."""


class ZidCatalogue(Shop):
    """Product ids are UUIDs. Category ids are numbers here and text inside products, as at Zid.

    `products` and `categories` are Zid's own objects by id, without what follows from others; a product keeps
    `category_ids`, as text. A child is in the categories of its parent.
    """

    EDITS = Shop.EDITS.union(
        ("set_unlimited", "publish_category", "edit_category", "delete_category", "add_product", "add_category"),
    )
    products: dict[str, Record]
    categories: dict[int, Record]
    child_ids: dict[str, list[str]]

    # People edit.

    def add_category(
        self, en: str | None = None, *, ar: str | None = None, parent_id: Id | None = None, id_: Id | None = None
    ) -> int:
        """A new, published category with a name in one or both languages; gives its id."""
        category_id = int(id_) if id_ is not None else max(self.categories, default=539) + 1
        self.categories[category_id] = {
            "id": category_id,
            "names": _languages(en, ar),
            "parent_id": int(parent_id) if parent_id is not None else None,
            "is_published": True,
        }
        self._emit_category("category.create", category_id)
        return category_id

    def add_product(
        self, *, en: str | None = None, ar: str | None = None, category_ids: Iterable[Id] = (), **fields: Any
    ) -> str:
        """A new product with Zid's fields (`id`, `sku`, `quantity`, `is_infinite`, `parent_id`, …); gives its id.

        With `parent_id` it is a child, and that product becomes a parent whose own quantity is 0.
        """
        product_id = str(fields.pop("id", None) or self.new_id())
        parent_id = fields.get("parent_id")
        at = iso(self.now())
        self.products[product_id] = {
            "id": product_id,
            "sku": product_id[-4:],
            "parent_id": None,
            "structure": "child" if parent_id else "standalone",
            "name": _languages(en, ar),
            "price": 50.0,
            "sale_price": None,
            "currency": "SAR",
            "quantity": None if fields.get("is_infinite") else 0,
            "is_infinite": False,
            "is_published": True,
            "is_draft": False,
            "category_ids": [str(one) for one in category_ids],
            "attributes": [],
            "created_at": at,
            "updated_at": at,
        } | fields  # fmt: skip
        if parent_id:
            self.child_ids.setdefault(parent_id, []).append(product_id)
            self.products[parent_id] |= {"structure": "parent", "quantity": 0, "is_infinite": False}
        self._emit_product("product.create", product_id)
        return product_id

    def edit_product(self, product_id: Id, **changes: Any) -> None:
        """Change Zid's fields of a product; whether it is published is announced by an event of its own as well."""
        product = self.products[str(product_id)]
        if "quantity" in changes and changes["quantity"] is not None:
            changes["is_infinite"] = False
        if changes.get("is_infinite"):
            changes["quantity"] = None  # Zid's documentation: unlimited has no quantity
        if product == product | changes:
            return
        was_published = product["is_published"]
        product |= changes
        self._touch(product["id"])
        if product["is_published"] and not was_published:
            self._emit_product("product.publish", product["id"])

    def sell_out(self, product_id: Id) -> None:
        """Nothing is left; of a parent: of none of its variants."""
        self.restock(product_id, 0)

    def restock(self, product_id: Id, pieces: int) -> None:
        """There are `pieces`; of a parent: of each of its variants, while its own quantity stays 0."""
        children = self.children(str(product_id))
        for one in children or [self.products[str(product_id)]]:
            self.edit_product(one["id"], quantity=pieces)

    def set_unlimited(self, product_id: Id) -> None:
        """Stock is no longer counted."""
        self.edit_product(product_id, is_infinite=True)

    def publish_category(self, category_id: Id, is_published: bool) -> None:  # noqa: FBT001 - as one would say it
        """Show a category in the shop, or hide it."""
        self.edit_category(category_id, is_published=is_published)

    def edit_category(self, category_id: Id, **changes: Any) -> None:
        """Change `names`, `is_published` or `parent_id` of a category."""
        category = self.categories[int(category_id)]
        if category != category | changes:
            category |= changes
            self._emit_category("category.update", category["id"])

    def assign(self, product_id: Id, target_id: Id) -> None:
        """Put a product in a category."""
        if int(target_id) not in self.categories:
            raise KeyError(target_id)
        owner = self.owner(str(product_id))
        if str(target_id) not in owner["category_ids"]:
            owner["category_ids"].append(str(target_id))
            self._touch(owner["id"])

    def unassign(self, product_id: Id, target_id: Id) -> None:
        """Take a product out of a category."""
        owner = self.owner(str(product_id))
        if str(target_id) in owner["category_ids"]:
            owner["category_ids"].remove(str(target_id))
            self._touch(owner["id"])

    def delete_product(self, product_id: Id) -> None:
        """Delete a product, and with a parent its children."""
        for one in [*self.children(str(product_id)), self.products[str(product_id)]]:
            self._emit_product("product.delete", one["id"])
            if one["parent_id"]:
                self.child_ids[one["parent_id"]].remove(one["id"])
            del self.products[one["id"]]

    def delete_category(self, category_id: Id) -> None:
        """Delete a category; its products stay."""
        for product_id in self.members(int(category_id)):
            self.products[product_id]["category_ids"].remove(str(category_id))
        self._emit_category("category.delete", int(category_id))
        del self.categories[int(category_id)]

    # What follows from it.

    def owner(self, product_id: str) -> Record:
        """The product that holds the memberships: a child's parent, else itself."""
        product = self.products[product_id]
        return self.products[product["parent_id"]] if product["parent_id"] else product

    def children(self, product_id: str) -> list[Record]:
        """The variants of a parent; none for any other."""
        return [self.products[one] for one in self.child_ids.get(product_id, ())]

    def members(self, category_id: int) -> list[str]:
        """The products in a category, without children."""
        return [one["id"] for one in self.products.values() if str(category_id) in one["category_ids"]]

    def shown(self, product_id: str) -> Record:
        """A product as Zid shows it."""
        product = self.products[product_id]
        shown = {name: value for name, value in product.items() if name != "category_ids"}
        categories = []
        for text in self.owner(product_id)["category_ids"]:
            name = self.categories[int(text)]["names"]
            categories.append({"id": text, "name": name, "slug": f"category-{text}"})
        stock = {"available_quantity": product["quantity"], "is_infinite": product["is_infinite"]}
        return shown | {
            "store_id": self.store_id,
            "categories": categories,
            "stocks": [{"location": {"id": "main", "name": {"en": "Main"}}, **stock}],
            "variants": [self.shown(one["id"]) for one in self.children(product_id)],
        }

    def shown_category(self, category_id: int, count: int) -> Record:
        """A category as Zid shows it in its tree, without what is below it."""
        category = self.categories[category_id]
        names = category["names"]
        return {**category, "name": names.get("en") or names.get("ar"), "products_count": count, "sub_categories": []}

    def view(self) -> Record:
        """Products and categories by id."""
        counts = {one: len(ids) for one, ids in self.memberships().items()}
        return deepcopy(
            {
                "products": {one: self.shown(one) for one in self.products},
                "categories": {str(one): self.shown_category(one, counts[str(one)]) for one in self.categories},
            }
        )

    def memberships(self) -> dict[str, list[str]]:
        """The products of each category, without children."""
        found: dict[str, list[str]] = {str(one): [] for one in self.categories}
        for product in self.products.values():
            for category_id in product["category_ids"]:
                found[category_id].append(product["id"])
        return found

    def fill(self) -> None:
        """A summer shop: the category 540 has four members, among them a parent with variants and an Arabic name."""
        self.add_category("Summer", ar="الصيف", id_=SUMMER)
        self.add_category("Shoes", ar="أحذية", id_=SHOES)
        self.add_category("Sandals", ar="صنادل", parent_id=SHOES, id_=SANDALS)
        self.add_category(ar="هدايا", id_=GIFTS)  # a name in Arabic only
        summer = (SUMMER,)
        self.add_product(id=SHIRT, sku="Z-SHIRT", en="Linen shirt", ar="قميص كتان", quantity=14, category_ids=summer)
        self.add_product(id=HAT, sku="Z-HAT", en="Straw hat", category_ids=summer)
        self.add_product(id=HAT_SMALL, sku="Z-HAT-S", en="Straw hat, small", parent_id=HAT, quantity=3)
        self.add_product(id=HAT_LARGE, sku="Z-HAT-L", en="Straw hat, large", parent_id=HAT, quantity=5)
        self.add_product(id=PERFUME, sku="Z-OUD", ar="عطر العود", quantity=6, category_ids=(SUMMER, GIFTS))
        self.add_product(id=VOUCHER, sku="Z-GIFT", en="Voucher", is_infinite=True, category_ids=(SUMMER, GIFTS))
        self.add_product(id=SANDAL, sku="Z-SANDAL", en="Sandal", ar="صندل", quantity=8, category_ids=(SANDALS,))

    @property
    @abstractmethod
    def store_id(self) -> int:
        """The number of the store, which every resource names."""

    def _touch(self, product_id: str) -> None:
        self.products[product_id]["updated_at"] = iso(self.now())
        self._emit_product("product.update", product_id)

    @abstractmethod
    def _emit_product(self, event: str, product_id: str) -> None:
        """Queue the webhook of a product as it now is."""

    @abstractmethod
    def _emit_category(self, event: str, category_id: int) -> None:
        """Queue the webhook of a category as it now is."""


def _languages(en: str | None, ar: str | None) -> Record:
    """A name as Zid writes it: a language in which there is none is missing."""
    return {language: name for language, name in (("en", en), ("ar", ar)) if name is not None}
