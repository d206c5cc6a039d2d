"""What a sandbox Ecwid store holds, and how people edit it."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Sequence
from copy import deepcopy
from datetime import datetime, timedelta
from typing import Any

from .deliveries import Answered
from .exchange import Call, Now, Record
from .shop import Id, Shop, without

TOP = 0
"""The id of the top level: Ecwid's documentation: a product that loses its last category is assigned to it."""

FEATURED, SHOES, BRANDS, ACME, GLOBEX, CLEARANCE = range(9691094, 9691100)
"""The categories of the sample."""


class EcwidCatalogue(Shop):
    """Categories keep their products in an order; ids are numbers.

    `products` and `categories` are Ecwid's own objects by id, without what follows from others; `members` the ordered
    products of each category (0 is the top level).
    """

    NAME = "ecwid"
    EDITS = Shop.EDITS.union(
        ("set_brand", "set_unlimited", "publish_category", "edit_category", "delete_category"),
        ("add_product", "add_category"),
    )

    def __init__(
        self,
        *,
        now: Now,
        new_id: Callable[[], str],
        count_lag: timedelta,
        rate_per_minute: float | None,
        on_call: Callable[[Call], None] | None,
        on_answer: Callable[[Answered], None] | None,
    ) -> None:
        self.count_lag = count_lag
        self.products: dict[int, Record] = {}
        self.categories: dict[int, Record] = {}
        self.members: dict[int, dict[int, None]] = {TOP: {}}
        self.deleted: dict[int, datetime] = {}
        self._newest = 37208000  # the highest id of a product so far, deleted ones included: ids are not used again
        self._counts: dict[int, tuple[int, datetime]] = {}
        # Ecwid's documentation: hammering after a 429 lengthens the block.
        super().__init__(
            now=now,
            new_id=new_id,
            rate_per_minute=rate_per_minute,
            counts_refused=True,
            on_call=on_call,
            on_answer=on_answer,
        )

    # People edit.

    def add_category(self, name: str, *, parent_id: Id = TOP, enabled: bool = True, id_: Id | None = None) -> int:
        """A new category; gives its id."""
        category_id = int(id_) if id_ is not None else max(self.categories, default=9691000) + 1
        self.categories[category_id] = {"id": category_id, "parentId": int(parent_id), "name": name, "enabled": enabled}
        self.members[category_id] = {}
        self._emit("category.created", category_id)
        return category_id

    def add_product(self, *, category_ids: Iterable[Id] = (), brand: str | None = None, **fields: Any) -> int:
        """A new product with Ecwid's fields (`sku`, `name`, `quantity`, `unlimited`, …); gives its id."""
        product_id = int(fields.pop("id", self._newest + 1))
        self._newest = max(self._newest, product_id)
        at = self.now()
        self.products[product_id] = {
            "id": product_id,
            "sku": f"SKU-{product_id}",
            "name": f"Product {product_id}",
            "unlimited": "quantity" not in fields,
            "outOfStockVisibilityBehaviour": "SHOW",
            "enabled": True,
            "price": 10.0,
            "categoryIds": [],
            "attributes": [],
            "combinations": [],
            "created": time_text(at),
            "createTimestamp": int(at.timestamp()),
            "updated": time_text(at),
            "updateTimestamp": int(at.timestamp()),
        } | fields  # fmt: skip
        for category_id in category_ids:
            self._join(product_id, int(category_id))
        if brand is not None:
            self._set_attribute(self.products[product_id], {"alias": "BRAND", "value": brand})
        self._emit("product.created", product_id)
        return product_id

    def edit_product(self, product_id: Id, **changes: Any) -> None:
        """Change Ecwid's fields of a product, `categoryIds` and `attributes` among them."""
        self.change(int(product_id), changes)

    def sell_out(self, product_id: Id) -> None:
        """Nothing is left of the product and its variations."""
        self.restock(product_id, 0)

    def restock(self, product_id: Id, pieces: int) -> None:
        """There are `pieces` of the product, and of each of its variations."""
        combinations = deepcopy(self.products[int(product_id)]["combinations"])
        for combination in combinations:
            combination |= {"quantity": pieces, "unlimited": False}
        self.change(int(product_id), {"quantity": pieces, "unlimited": False, "combinations": combinations})

    def set_unlimited(self, product_id: Id) -> None:
        """Stock is no longer counted."""
        self.change(int(product_id), {"unlimited": True})

    def set_brand(self, product_id: Id, name: str | None) -> None:
        """Another brand; None takes the attribute away, an empty text leaves it there, blank."""
        product = self.products[int(product_id)]
        if name is not None:
            self.change(int(product_id), {"attributes": [{"alias": "BRAND", "value": name}]})
        elif any(attribute["type"] == "BRAND" for attribute in product["attributes"]):
            product["attributes"] = [one for one in product["attributes"] if one["type"] != "BRAND"]
            self._touch(product["id"])

    def publish_category(self, category_id: Id, is_published: bool) -> None:  # noqa: FBT001 - as one would say it
        """Show a category in the shop, or hide it."""
        self.edit_category(category_id, enabled=is_published)

    def edit_category(self, category_id: Id, **changes: Any) -> None:
        """Change `name`, `enabled` or `parentId` of a category."""
        category = self.categories[int(category_id)]
        if category != category | changes:
            category |= changes
            self._emit("category.updated", category["id"])

    def assign(self, product_id: Id, target_id: Id) -> None:
        """Put a product at the end of a category."""
        self.assign_all([int(product_id)], int(target_id))

    def unassign(self, product_id: Id, target_id: Id) -> None:
        """Take a product out of a category."""
        self.unassign_all([int(product_id)], int(target_id))

    def delete_product(self, product_id: Id) -> None:
        """Delete a product; `GET /products/deleted` remembers it."""
        product = self.products.pop(int(product_id))
        for category_id in product["categoryIds"]:
            self._note_count(category_id)
            del self.members[category_id][product["id"]]
        self.deleted[product["id"]] = self.now()
        self._emit("product.deleted", product["id"])

    def delete_category(self, category_id: Id) -> None:
        """Delete a category; products that were in no other are promoted to the top level."""
        for product_id in list(self.members[int(category_id)]):
            self._leave(product_id, int(category_id))
        del self.categories[int(category_id)], self.members[int(category_id)]
        self._emit("category.deleted", int(category_id))

    # What follows from it.

    def change(self, product_id: int, changes: Record) -> None:
        """Change fields of a product and say so, if anything changed."""
        product = self.products[product_id]
        before = deepcopy(product)
        for attribute in changes.get("attributes", ()):
            self._set_attribute(product, attribute)
        if "quantity" in changes:
            product["unlimited"] = False
        product |= without(changes, "attributes", "categoryIds")
        if product["unlimited"]:
            product.pop("quantity", None)  # Ecwid's documentation: absent when unlimited
        else:
            product.setdefault("quantity", 0)
        wanted: Sequence[int] = (product | changes)["categoryIds"]
        joined = [one for one in wanted if self._join(product_id, one)]
        left = [one for one in list(product["categoryIds"]) if one not in wanted and self._leave(product_id, one)]
        if product != before:
            self._touch(product_id)
        for category_id in [*joined, *left]:
            self._emit("category.updated", category_id)

    def _set_attribute(self, product: Record, wish: Record) -> None:
        """Ecwid's documentation: the brand is the attribute of the type BRAND, which a write names by its alias."""
        type_ = wish.get("alias", "CUSTOM")
        for attribute in product["attributes"]:
            is_meant = attribute["type"] == type_ if "alias" in wish else (
                attribute["id"] == wish.get("id") or attribute["name"] == wish.get("name")
            )  # fmt: skip
            if is_meant:
                attribute["value"] = wish.get("value", "")
                return
        name = wish.get("name", type_.capitalize())
        number = len(product["attributes"]) + 1
        product["attributes"].append(
            {"id": number, "name": name, "type": type_, "value": wish.get("value", ""), "show": "DESCR"}
        )

    def would_change(self, product_id: int, category_id: int, *, adds: bool) -> bool:
        """Whether the product is not in the category yet, or can leave it: the top level is left only for another."""
        category_ids = self.products[product_id]["categoryIds"]
        return category_id not in category_ids if adds else category_id in category_ids and category_ids != [TOP]

    def assign_all(self, product_ids: Sequence[int], category_id: int) -> None:
        """Put products at the end of a category, and say so for those that were not in it."""
        self._announce([one for one in product_ids if self._join(one, category_id)], category_id)

    def unassign_all(self, product_ids: Sequence[int], category_id: int) -> None:
        """Take products out of a category, and say so for those that were in it."""
        self._announce([one for one in product_ids if self._leave(one, category_id)], category_id)

    def _announce(self, changed: Sequence[int], category_id: int) -> None:
        """Ecwid's documentation: one call fires `product.updated` and `category.updated`."""
        for product_id in changed:
            self._touch(product_id)
        if changed:
            self._emit("category.updated", category_id)

    def _join(self, product_id: int, category_id: int) -> bool:
        if not self.would_change(product_id, category_id, adds=True):
            return False
        self._note_count(category_id)
        product = self.products[product_id]
        product["categoryIds"].append(category_id)
        self.members[category_id][product_id] = None  # Ecwid's documentation: new members go to the end
        return True

    def _leave(self, product_id: int, category_id: int) -> bool:
        if not self.would_change(product_id, category_id, adds=False):
            return False
        self._note_count(category_id)
        product = self.products[product_id]
        product["categoryIds"].remove(category_id)
        del self.members[category_id][product_id]
        if not product["categoryIds"]:
            self._join(product_id, TOP)  # Ecwid's documentation: assigned to the top level automatically
        return True

    def _note_count(self, category_id: int) -> None:
        old, changed_at = self._counts.get(category_id, (0, self.now() - self.count_lag))
        has_settled = self.now() >= changed_at + self.count_lag
        self._counts[category_id] = (len(self.members[category_id]) if has_settled else old, self.now())

    def _touch(self, product_id: int) -> None:
        at = self.now()
        self.products[product_id] |= {"updated": time_text(at), "updateTimestamp": int(at.timestamp())}
        self._emit("product.updated", product_id)

    def count_shown(self, category_id: int) -> int:
        """A category's `productCount`: Ecwid's documentation: it lags."""
        count = len(self.members[category_id])
        old, changed_at = self._counts.get(category_id, (count, self.now() - self.count_lag))
        return old if self.now() < changed_at + self.count_lag else count

    def fill(self) -> None:
        """A shoe shop. 37208339 is in Featured and Shoes, 37208340 has the brand that its categories are about."""
        self.add_category("Featured", id_=FEATURED)
        self.add_category("Shoes", id_=SHOES)
        self.add_category("Brands", id_=BRANDS)
        self.add_category("Acme", parent_id=BRANDS, id_=ACME)
        self.add_category("Globex", parent_id=BRANDS, id_=GLOBEX)
        self.add_category("Clearance", enabled=False, id_=CLEARANCE)  # shown only to those who ask for hidden ones
        both = (FEATURED, SHOES)
        self.add_product(id=37208339, sku="TR-1", name="Trail Runner", quantity=12, category_ids=both)
        self.add_product(
            id=37208340, sku="CW-1", name="City Walker", quantity=7, brand="Acme", category_ids=(ACME, GLOBEX, SHOES)
        )
        self.add_product(id=37208341, sku="LP-1", name="Limited Print", quantity=3, category_ids=(FEATURED,))
        self.add_product(id=37208342, sku="GC-50", name="Gift Card", category_ids=(FEATURED,))  # unlimited
        self.add_product(
            id=37208343, sku="NS-1", name="Next Season Boot", quantity=0, category_ids=both,
            outOfStockVisibilityBehaviour="ALLOW_PREORDER",
        )  # fmt: skip
        self.add_product(
            id=37208344, sku="ST-0", name="Summer Top", quantity=0, category_ids=both,
            combinations=[
                {"id": 1, "sku": "ST-S", "quantity": 0, "unlimited": False, "price": 12.0},
                {"id": 2, "sku": "ST-M", "quantity": 4, "unlimited": False, "price": 12.0},
            ],
        )  # fmt: skip
        self.add_product(id=37208345, sku="HW-1", name="Hill Walker", quantity=9, brand="Globex", category_ids=both)
        self.add_product(id=37208346, sku="OS-1", name="Old Sandal", quantity=2, category_ids=(CLEARANCE, SHOES))
        self._counts.clear()  # all this was long ago

    @abstractmethod
    def _emit(self, event: str, entity_id: int) -> None:
        """Queue the webhook of a change."""


def is_in_stock(stocked: Record) -> bool:
    """Whether a product or a variation has stock of its own."""
    return bool(stocked.get("unlimited") or stocked.get("quantity", 0) > 0)


def time_text(at: datetime) -> str:
    """A time as Ecwid writes it: `2026-01-31 10:00:00 +0000`."""
    return at.strftime("%Y-%m-%d %H:%M:%S %z")
