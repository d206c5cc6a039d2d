"""A sandbox shop that speaks Zave IT's API: bare arrays in, whole collections out, traps included."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from copy import deepcopy
from typing import Any

from .deliveries import Answered
from .exchange import Answer, Asked, Call, Endpoint, Now, Record
from .shop import Id, iso
from .standard import StandardShop

TENANT = "tenant-id-1"
AUTH_VALUE = "Bearer b2b-access"
WEBHOOK_SECRET = "whsec_emF2ZS1zYW5kYm94LXNlY3JldC0xMjM0NQ=="  # noqa: S105 - signs nothing but this sandbox's webhooks

FEATURED, LICENCES = "collection-id-1", "collection-id-2"
"""The collections of the sample."""
NEW = "property-id-1"
"""The property of the sample."""


class ZaveShop(StandardShop):
    """A Zave IT tenant. All ids are opaque text.

    `products` are Zave's own objects by id, their `categories` the collections that they are in; `collections` and
    `properties` are `{_id, name, tenant}` by id; `with_property` holds the products of each property. No reads
    are documented, so there are none.
    """

    NAME = "zave"
    EDITS = StandardShop.EDITS.union(("add_product", "add_collection"))

    def __init__(
        self,
        *,
        now: Now,
        new_id: Callable[[], str],
        tenant: str = TENANT,
        auth_header: str = "Authorization",
        auth_value: str = AUTH_VALUE,
        webhook_secret: str = WEBHOOK_SECRET,
        rate_per_minute: float | None = None,
        on_call: Callable[[Call], None] | None = None,
        on_answer: Callable[[Answered], None] | None = None,
    ) -> None:
        self.tenant = tenant
        self.auth_header = auth_header
        self.auth_value = auth_value
        self.webhook_secret = webhook_secret
        self.products: dict[str, Record] = {}
        self.list_prices: dict[str, list[Record]] = {}
        self.collections: dict[str, Record] = {}
        self.properties: dict[str, Record] = {}
        self.with_property: dict[str, list[str]] = {}
        super().__init__(now=now, new_id=new_id, rate_per_minute=rate_per_minute, on_call=on_call, on_answer=on_answer)

    # People edit.

    def add_collection(self, name: str, *, id_: str | None = None, tenant: str | None = None) -> str:
        """A new collection; gives its id."""
        collection_id = id_ or self.new_id()
        self.collections[collection_id] = {"_id": collection_id, "name": name, "tenant": tenant or self.tenant}
        return collection_id

    def add_product(self, *, collection_ids: Iterable[str] = (), price: float = 100.0, **fields: Any) -> str:
        """A new product with Zave's fields (`_id`, `sku`, `stock`, …) and one price line; gives its id."""
        product_id = str(fields.pop("_id", None) or self.new_id())
        at = iso(self.now())
        self.list_prices[product_id] = [
            {"price": price, "subscription_term": None, "payment_period": None, "amount": 1}
        ]  # fmt: skip
        self.products[product_id] = {
            "_id": product_id,
            "sku": product_id,
            "name": product_id,
            "stock": 0,
            "shop_enabled": True,
            "status": {"active": True, "deleted": False},
            "categories": list(collection_ids),
            "tenant": self.tenant,
            "type": "hardware",
            "subscription": False,
            "resell": True,
            "msp": False,
            "sales_channel": "web",
            "currency": {"code": "NOK"},
            "country": {"code": "NO"},  # which YAML 1.1 would read as false
            "created": at,
            "updated": at,
            "products": deepcopy(self.list_prices[product_id]),
        } | fields  # fmt: skip
        self._emit("product.created", product_id)
        return product_id

    def edit_product(self, product_id: Id, **changes: Any) -> None:
        """Change Zave's fields of a product."""
        product = self.products[str(product_id)]
        if product != product | changes:
            product |= changes
            self._touch(str(product_id))

    def sell_out(self, product_id: Id) -> None:
        """Nothing is left. The free text `stock_status` goes on saying what it said."""
        self.edit_product(product_id, stock=0)

    def restock(self, product_id: Id, pieces: int) -> None:
        """There are `pieces` again."""
        self.edit_product(product_id, stock=pieces)

    def assign(self, product_id: Id, target_id: Id) -> None:
        """Put a product in a collection."""
        if target_id not in self.collections:
            raise KeyError(target_id)
        kept = self.products[str(product_id)]["categories"]
        self.edit_product(product_id, categories=list(dict.fromkeys([*kept, str(target_id)])))

    def unassign(self, product_id: Id, target_id: Id) -> None:
        """Take a product out of a collection."""
        kept = self.products[str(product_id)]["categories"]
        self.edit_product(product_id, categories=[one for one in kept if one != str(target_id)])

    def delete_product(self, product_id: Id) -> None:
        """Delete a product: it is announced with `status.deleted`."""
        product = self.products[str(product_id)]
        product |= {"status": {"active": False, "deleted": True}, "updated": iso(self.now())}
        self._emit("product.deleted", str(product_id))
        del self.products[str(product_id)]
        for members in self.with_property.values():
            if product_id in members:
                members.remove(str(product_id))

    # The API.

    def endpoints(self) -> Sequence[Endpoint]:
        """The three documented writes."""
        return (
            Endpoint("PUT", "/v2/product/category/{id}/products/remove", self._remove),
            Endpoint("PUT", "/v2/product/category/{id}/products/add", self._add),
            Endpoint("PUT", "/v2/product/property/{id}/products/remove", self._remove_property),
        )

    def refuse(self, asked: Asked) -> Answer | None:
        """Not documented; 401 is what such an API most often says."""
        is_known = asked.headers.get(self.auth_header.lower()) == self.auth_value
        return None if is_known else self.error(asked, 401, "Unauthorized")

    def error(self, asked: Asked, status: int, message: str) -> Answer:  # noqa: ARG002 - the shape of a shop
        """Not documented; the usual shape of such an API."""
        return Answer(status, {"statusCode": status, "message": message})

    def _refuse_write(self, asked: Asked, groups: dict[str, Record]) -> Answer | None:
        """Zave's documentation: the body is a bare array, ownership is checked, and all is done or nothing."""
        if not isinstance(asked.body, list) or not all(isinstance(one, str) and one for one in asked.body):
            return self.error(asked, 400, "The body must be an array of product ids")
        group = groups.get(asked.params["id"])
        if group is None or any(one not in self.products for one in asked.body):
            return self.error(asked, 404, "Not found")
        tenants = {group["tenant"], *(self.products[one]["tenant"] for one in asked.body)}
        return None if tenants == {self.tenant} else self.error(asked, 403, "Not of this tenant")

    def _remove(self, asked: Asked) -> Answer:
        refusal = self._refuse_write(asked, self.collections)
        if refusal is not None:
            return refusal
        for product_id in asked.really(asked.body):
            self.unassign(product_id, asked.params["id"])
        return self._collection(asked)

    def _add(self, asked: Asked) -> Answer:
        """Zave's documentation: adding applies defaults (status flags and pricing), so it may change more."""
        refusal = self._refuse_write(asked, self.collections)
        if refusal is not None:
            return refusal
        for product_id in asked.really(asked.body):
            if asked.params["id"] not in self.products[product_id]["categories"]:
                self.edit_product(
                    product_id,
                    categories=[*self.products[product_id]["categories"], asked.params["id"]],
                    status={"active": True, "deleted": False},
                    products=deepcopy(self.list_prices[product_id]),
                )
        return self._collection(asked)

    def _remove_property(self, asked: Asked) -> Answer:
        refusal = self._refuse_write(asked, self.properties)
        if refusal is not None:
            return refusal
        members = self.with_property[asked.params["id"]]
        for product_id in asked.really(asked.body):
            if product_id in members:
                members.remove(product_id)
                self._touch(product_id)
        left = [self.shown(one) for one in members]
        return Answer(200, {**self.properties[asked.params["id"]], "products": left})

    def _collection(self, asked: Asked) -> Answer:
        """Zave's documentation: the answer is the updated collection with whole products."""
        collection_id = asked.params["id"]
        found = [self.shown(one) for one in self.memberships()[collection_id]]
        return Answer(200, {**self.collections[collection_id], "products": found})

    def shown(self, product_id: str) -> Record:
        """A product as Zave shows it."""
        return dict(self.products[product_id])

    def view(self) -> Record:
        """Products and collections by id."""
        return deepcopy({"products": self.products, "collections": self.collections, "properties": self.with_property})

    def memberships(self) -> dict[str, list[str]]:
        """The products of each collection."""
        found: dict[str, list[str]] = {one: [] for one in self.collections}
        for product in self.products.values():
            for collection_id in product["categories"]:
                found.setdefault(collection_id, []).append(product["_id"])
        return found

    def fill(self) -> None:
        """A dealer: laptop-1 to be sold out, a licence that sells at stock 0, and what belongs to somebody else."""
        self.add_collection("Featured", id_=FEATURED)
        self.add_collection("Licences", id_=LICENCES)
        self.add_collection("Elsewhere", id_="collection-id-9", tenant="tenant-id-9")
        featured = (FEATURED,)
        self.add_product(
            _id="laptop-1", sku="LAP-1", name="Laptop 13", stock=20, stock_status="20 in rest", price=9990.0,
            distributor={"name": "Also", "active": True}, collection_ids=featured,
        )  # fmt: skip
        self.add_product(_id="laptop-2", sku="LAP-2", name="Laptop 15", stock=4, price=12990.0, collection_ids=featured)
        self.add_product(_id="dock-1", sku="DOCK-1", name="Dock", stock=31, price=1490.0, collection_ids=featured)
        self.add_product(_id="mouse-1", sku="MOU-1", name="Mouse", stock=80, price=290.0)
        self.add_product(
            _id="licence-1", sku="LIC-1", name="Office licence", stock=0, type="licence", subscription=True,
            collection_ids=(FEATURED, LICENCES), price=99.0,
        )  # fmt: skip
        self.add_product(_id="foreign-1", sku="FOR-1", name="Somebody else's", stock=1, tenant="tenant-id-9")
        self.properties[NEW] = {"_id": NEW, "name": "New", "tenant": self.tenant}
        self.with_property[NEW] = ["laptop-1", "dock-1"]

    def _touch(self, product_id: str) -> None:
        self.products[product_id]["updated"] = iso(self.now())
        self._emit("product.updated", product_id)
