"""A sandbox shop that speaks Axim Commerce's brand API, where HTTP 200 can carry a failure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from typing import Any

from .deliveries import Answered
from .exchange import Answer, Asked, Call, Endpoint, Now, Record
from .faults import Fault
from .shop import Id, iso
from .standard import StandardShop

TOKEN = "brands-access-token"  # noqa: S105 - opens nothing but this sandbox
WEBHOOK_SECRET = "whsec_YXhpbS1zYW5kYm94LXNlY3JldC0xMjM0NQ=="  # noqa: S105 - signs nothing but this sandbox's webhooks

ACME, GLOBEX = "663a0cbe516313e5bc94aa87", "663a0cbe516313e5bc94aa88"
"""The brands of the sample."""


class AximShop(StandardShop):
    """An Axim shop. A product has at most one brand; all ids are opaque text.

    `products` and `brands` are by id. `shows_counts` adds the optional `data` block to the answers. No reads of
    products are documented, so there are none.
    """

    NAME = "axim"
    EDITS = StandardShop.EDITS.union(("add_product", "add_brand", "set_brand", "tag", "delete_brand"))

    def __init__(
        self,
        *,
        now: Now,
        new_id: Callable[[], str],
        token: str = TOKEN,
        token_prefix: str = "",
        webhook_secret: str = WEBHOOK_SECRET,
        rate_per_minute: float | None = None,
        shows_counts: bool = False,
        on_call: Callable[[Call], None] | None = None,
        on_answer: Callable[[Answered], None] | None = None,
    ) -> None:
        self.token = token
        self.token_prefix = token_prefix
        self.webhook_secret = webhook_secret
        self.shows_counts = shows_counts
        self.products: dict[str, Record] = {}
        self.brands: dict[str, Record] = {}
        super().__init__(now=now, new_id=new_id, rate_per_minute=rate_per_minute, on_call=on_call, on_answer=on_answer)

    # People edit.

    def add_brand(self, name: str, *, id_: str | None = None) -> str:
        """A new brand; gives its id."""
        brand_id = id_ or self.new_id()
        self.brands[brand_id] = {"id": brand_id, "name": name, "isShow": True, "isFeatured": False}
        return brand_id

    def add_product(self, *, brand_id: str | None = None, **fields: Any) -> str:
        """A new product with `id`, `sku`, `name`, `stock`, `published`, `price`, `tags`; gives its id."""
        product_id = str(fields.pop("id", None) or self.new_id())
        self.products[product_id] = {
            "id": product_id,
            "sku": product_id,
            "name": product_id,
            "brand": self._brand(brand_id),
            "stock": 0,
            "published": True,
            "price": 25.0,
            "tags": [],
            "updated_at": iso(self.now()),
        } | fields  # fmt: skip
        self._emit("product.created", product_id)
        return product_id

    def edit_product(self, product_id: Id, **changes: Any) -> None:
        """Change fields of a product."""
        product = self.products[str(product_id)]
        if product != product | changes:
            product |= changes
            product["updated_at"] = iso(self.now())
            self._emit("product.updated", product["id"])

    def sell_out(self, product_id: Id) -> None:
        """Nothing is left."""
        self.edit_product(product_id, stock=0)

    def restock(self, product_id: Id, pieces: int) -> None:
        """There are `pieces` again."""
        self.edit_product(product_id, stock=pieces)

    def tag(self, product_id: Id, *tags: str) -> None:
        """Give a product these tags and no others."""
        self.edit_product(product_id, tags=list(tags))

    def set_brand(self, product_id: Id, brand_id: str | None) -> None:
        """Another brand, or none."""
        self.edit_product(product_id, brand=self._brand(brand_id))

    def assign(self, product_id: Id, target_id: Id) -> None:
        """Give a product a brand, whatever it had."""
        self.set_brand(product_id, str(target_id))

    def unassign(self, product_id: Id, target_id: Id) -> None:
        """Take the brand away, only where it is this one."""
        if self._brand_id(str(product_id)) == target_id:
            self.set_brand(product_id, None)

    def delete_product(self, product_id: Id) -> None:
        """Delete a product."""
        self._emit("product.deleted", str(product_id))
        del self.products[str(product_id)]

    def delete_brand(self, brand_id: Id) -> None:
        """Delete a brand; its products lose it."""
        for product_id in self.memberships()[str(brand_id)]:
            self.set_brand(product_id, None)
        del self.brands[str(brand_id)]

    # The API.

    def endpoints(self) -> Sequence[Endpoint]:
        """The brand calls; the one that deletes a brand, and with it all its assignments, is left out."""
        return (
            Endpoint("POST", "/brands/unassign-products", self._unassign_products),
            Endpoint("POST", "/brands/assign-products", self._assign_products),
            Endpoint("GET", "/brands/{id}", self._get_brand),
        )

    def refuse(self, asked: Asked) -> Answer | None:
        """Axim's documentation: the header `accessToken`, raw in every example though called a bearer token."""
        is_known = asked.headers.get("accesstoken") == self.token_prefix + self.token
        return None if is_known else self.error(asked, 401, "Invalid access token")

    def error(self, asked: Asked, status: int, message: str) -> Answer:  # noqa: ARG002 - the shape of a shop
        """Axim's documentation: `success` and `message`."""
        return Answer(status, {"success": False, "message": message})

    @staticmethod
    def refusal(*, times: int = 1, message: str = "The products could not be changed") -> Fault:
        """A fault: the write is refused, by HTTP 200 with `success: false`."""
        return Fault(status=200, body={"success": False, "message": message}, times=times, where="write")

    def _refuse_write(self, asked: Asked) -> Answer | None:
        body = asked.body if isinstance(asked.body, dict) else {}
        ids = body.get("productIds")
        is_whole = isinstance(body.get("id"), str) and body["id"] and isinstance(ids, list)
        if not is_whole or not all(isinstance(one, str) for one in ids or ()):
            return self.error(asked, 400, "id and productIds are required")
        return None if body["id"] in self.brands else self.error(asked, 404, "Brand not found")

    def _unassign_products(self, asked: Asked) -> Answer:
        refusal = self._refuse_write(asked)
        if refusal is not None:
            return refusal
        brand_id = asked.body["id"]
        found = [one for one in asked.body["productIds"] if one in self.products and self._brand_id(one) == brand_id]
        for product_id in asked.really(found):  # unknown ids are skipped
            self.unassign(product_id, brand_id)
        return self._success(brand_id, f"{len(found)} products unassigned", {"unassignedCount": len(found)})

    def _assign_products(self, asked: Asked) -> Answer:
        refusal = self._refuse_write(asked)
        if refusal is not None:
            return refusal
        brand_id, ids = asked.body["id"], asked.body["productIds"]
        found = [one for one in ids if one in self.products and self._brand_id(one) != brand_id]
        for product_id in asked.really(found):
            self.assign(product_id, brand_id)
        counts = {"assignedCount": len(found), "skippedCount": len(ids) - len(found)}
        return self._success(brand_id, f"{len(found)} products assigned", counts)

    def _success(self, brand_id: str, message: str, counts: Record) -> Answer:
        body: Record = {"success": True, "message": message}
        if self.shows_counts:
            body["data"] = {"brandId": brand_id, **counts, "productCount": len(self.memberships()[brand_id])}
        return Answer(200, body)

    def _get_brand(self, asked: Asked) -> Answer:
        brand_id = asked.params["id"]
        if brand_id not in self.brands:
            return self.error(asked, 404, "Brand not found")
        shown = {**self.brands[brand_id], "productCount": len(self.memberships()[brand_id])}
        return Answer(200, {"success": True, "data": shown})

    def shown(self, product_id: str) -> Record:
        """A product as the webhooks carry it."""
        return dict(self.products[product_id])

    def view(self) -> Record:
        """Products and brands by id."""
        return deepcopy({"products": self.products, "brands": self.brands})

    def memberships(self) -> dict[str, list[str]]:
        """The products of each brand."""
        found: dict[str, list[str]] = {one: [] for one in self.brands}
        for product_id in self.products:
            brand_id = self._brand_id(product_id)
            if brand_id is not None:
                found.setdefault(brand_id, []).append(product_id)
        return found

    def fill(self) -> None:
        """Two brands; the drills and the saw are Acme's and can reach their end of line."""
        self.add_brand("Acme", id_=ACME)
        self.add_brand("Globex", id_=GLOBEX)
        self.add_product(id="drill-1", sku="DR-1", name="Drill", stock=12, tags=["tools"], brand_id=ACME)
        self.add_product(id="drill-2", sku="DR-2", name="Hammer drill", stock=5, tags=["tools"], brand_id=ACME)
        self.add_product(id="saw-1", sku="SA-1", name="Saw", stock=7, tags=["tools", "garden"], brand_id=ACME)
        self.add_product(id="lamp-1", sku="LA-1", name="Lamp", stock=40, brand_id=GLOBEX)
        self.add_product(id="rope-1", sku="RO-1", name="Rope", stock=3)

    def _brand(self, brand_id: str | None) -> Record | None:
        return {name: self.brands[brand_id][name] for name in ("id", "name")} if brand_id is not None else None

    def _brand_id(self, product_id: str) -> str | None:
        brand: Record | None = self.products[product_id]["brand"]
        return brand["id"] if brand else None
