"""A sandbox shop that speaks Ecwid's REST API and sends Ecwid's thin webhooks, traps included."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from copy import deepcopy
from datetime import datetime, timedelta
from typing import Any

from .deliveries import Answered, Outgoing
from .ecwid_catalogue import TOP, EcwidCatalogue, is_in_stock, time_text
from .exchange import Answer, Asked, Call, Endpoint, Now, Record, decoded, encoded
from .shop import whole_number
from .signing import ecwid_signature

STORE_ID = 1003
TOKEN = "secret_web_token"  # noqa: S105 - opens nothing but this sandbox
CLIENT_SECRET = "web-client-secret"  # noqa: S105 - signs nothing but this sandbox's webhooks


class EcwidShop(EcwidCatalogue):
    """An Ecwid store: `app` is its API, `deliver` sends its webhooks.

    `count_lag` is how long a category's `productCount` stays old (Ecwid's documentation: some minutes).
    """

    def __init__(
        self,
        *,
        now: Now,
        new_id: Callable[[], str],
        store_id: int = STORE_ID,
        token: str = TOKEN,
        client_secret: str = CLIENT_SECRET,
        rate_per_minute: float | None = 600,
        count_lag: timedelta = timedelta(minutes=5),
        on_call: Callable[[Call], None] | None = None,
        on_answer: Callable[[Answered], None] | None = None,
    ) -> None:
        self.store_id = store_id
        self.token = token
        self.client_secret = client_secret
        super().__init__(
            now=now,
            new_id=new_id,
            count_lag=count_lag,
            rate_per_minute=rate_per_minute,
            on_call=on_call,
            on_answer=on_answer,
        )

    # The API.

    @property
    def base_path(self) -> str:
        """Ecwid's documentation: the store's id stands in the path."""
        return f"/api/v3/{self.store_id}"

    def endpoints(self) -> Sequence[Endpoint]:
        """Reads and writes of the catalogue."""
        return (
            Endpoint("POST", "/categories/{id}/assignProducts", lambda asked: self._write_members(asked, adds=True)),
            Endpoint("POST", "/categories/{id}/unassignProducts", lambda asked: self._write_members(asked, adds=False)),
            Endpoint("GET", "/products/deleted", self._list_deleted),
            Endpoint("GET", "/products/{id}", self._get_product),
            Endpoint("PUT", "/products/{id}", self._put_product),
            Endpoint("GET", "/products", self._list_products),
            Endpoint("GET", "/categories/{id}", self._get_category),
            Endpoint("GET", "/categories", self._list_categories),
        )

    def refuse(self, asked: Asked) -> Answer | None:
        """Ecwid's documentation: a bad token answers 403, not 401. A token is good for its own store only."""
        is_ours = asked.path.startswith(self.base_path + "/")
        is_known = asked.headers.get("authorization") == f"Bearer {self.token}"
        return None if is_ours and is_known else self.error(asked, 403, "Access token is invalid")

    def error(self, asked: Asked, status: int, message: str) -> Answer:  # noqa: ARG002 - the shape of a shop
        """Ecwid's documentation: `errorMessage` and `errorCode`, both optional."""
        return Answer(status, {"errorMessage": message, "errorCode": message.upper().replace(" ", "_")})

    def _write_members(self, asked: Asked, *, adds: bool) -> Answer:
        ids = asked.body.get("productIds") if isinstance(asked.body, dict) else None
        if not isinstance(ids, list) or not all(type(one) is int for one in ids):
            return self.error(asked, 400, "productIds must be a list of numbers")
        if len(ids) > 2000:
            return self.error(asked, 400, "At most 2000 products a call")
        category_id = whole_number(asked.params["id"], TOP)
        if category_id not in self.members:
            return self.error(asked, 404, "Category not found")
        if any(one not in self.products for one in ids):
            return self.error(asked, 404, "Product not found")  # for the whole call: nothing is done
        changes = any(self.would_change(one, category_id, adds=adds) for one in ids)
        for_real = asked.really(ids)
        if adds:
            self.assign_all(for_real, category_id)
        else:
            self.unassign_all(for_real, category_id)
        return Answer(200, {"updateCount" if adds else "deleteCount": int(changes)})  # a flag, not a number of products

    def _get_product(self, asked: Asked) -> Answer:
        product_id = whole_number(asked.params["id"], TOP)
        if product_id not in self.products:
            return self.error(asked, 404, "Product not found")
        return Answer(200, self._shown(product_id))

    def _put_product(self, asked: Asked) -> Answer:
        product_id = whole_number(asked.params["id"], TOP)
        if product_id not in self.products:
            return self.error(asked, 404, "Product not found")
        wrong = self._fault_of(asked.body)
        if wrong:
            return self.error(asked, 400, wrong)
        if not asked.is_pretence:
            self.change(product_id, asked.body)
        return Answer(200, {"updateCount": 1})

    def _fault_of(self, changes: Any) -> str:
        """Why these changes of a product cannot be taken, or empty."""
        if not isinstance(changes, dict) or "id" in changes:
            return "The product must be an object without an id"
        if not all(category_id in self.members for category_id in changes.get("categoryIds", ())):
            return "There is no such category"
        is_known = all(one.get("alias") or one.get("id") or one.get("name") for one in changes.get("attributes", ()))
        return "" if is_known else "An attribute needs an alias, an id or a name"

    def _list_products(self, asked: Asked) -> Answer:
        query = asked.query
        if "productId" in query:  # Ecwid's documentation: other filters are then ignored
            wanted = [int(text) for text in query["productId"].split(",") if text.strip().isdigit()]
            return self._page(asked, [one for one in dict.fromkeys(wanted) if one in self.products], self._shown)
        found: Iterable[int] = self.products
        if "categories" in query:
            chosen = [int(text) for text in query["categories"].split(",") if text.isdigit()]
            found = dict.fromkeys(one for category_id in chosen for one in self.members.get(category_id, ()))
        for name in ("enabled", "inStock"):
            if name in query:
                found = [one for one in found if self._shown(one)[name] is (query[name] == "true")]
        if "updatedFrom" in query:
            found = [one for one in found if self.products[one]["updateTimestamp"] >= _timestamp(query["updatedFrom"])]
        if "updatedTo" in query:
            found = [one for one in found if self.products[one]["updateTimestamp"] <= _timestamp(query["updatedTo"])]
        if query.get("sortBy") == "UPDATED_TIME_ASC":
            found = sorted(found, key=lambda one: self.products[one]["updateTimestamp"])
        return self._page(asked, list(found), self._shown)

    def _list_deleted(self, asked: Asked) -> Answer:
        start = _timestamp(asked.query.get("from_date", "0"))
        end = _timestamp(asked.query.get("to_date", "9999999999"))
        found = [one for one, at in self.deleted.items() if start <= at.timestamp() <= end]
        return self._page(asked, found, lambda one: {"id": one, "date": time_text(self.deleted[one])})

    def _get_category(self, asked: Asked) -> Answer:
        category_id = whole_number(asked.params["id"], TOP)
        if category_id not in self.categories:
            return self.error(asked, 404, "Category not found")
        return Answer(200, self._shown_category(category_id, asked))

    def _list_categories(self, asked: Asked) -> Answer:
        shows_hidden = asked.query.get("hidden_categories") == "true"
        found = [one for one, category in self.categories.items() if category["enabled"] or shows_hidden]
        return self._page(asked, found, lambda one: self._shown_category(one, asked))

    def _page(self, asked: Asked, ids: Sequence[int], show: Callable[[int], Record]) -> Answer:
        offset, limit = whole_number(asked.query.get("offset"), 0), whole_number(asked.query.get("limit"), 100)
        if offset is None or limit is None:
            return self.error(asked, 400, "offset and limit must be numbers")
        items = [show(one) for one in ids[offset : offset + min(limit, 100)]]
        counts = {"total": len(ids), "count": len(items), "offset": offset, "limit": min(limit, 100)}
        return Answer(200, {**counts, "items": items})

    def _shown(self, product_id: int) -> Record:
        product = self.products[product_id]
        kept = [self.categories[one] for one in product["categoryIds"] if one != TOP]
        combinations = [{**one, "inStock": is_in_stock(one)} for one in product["combinations"]]
        place = list(self.members[TOP]).index(product_id) + 1 if product_id in self.members[TOP] else -1
        return {
            **product,
            "inStock": any(is_in_stock(one) for one in [product, *combinations]),
            "categories": [{name: one[name] for name in ("id", "name", "enabled")} for one in kept],
            "defaultCategoryId": next(iter(product["categoryIds"]), TOP),
            "showOnFrontpage": place,
            "combinations": combinations,
        }

    def _shown_category(self, category_id: int, asked: Asked) -> Record:
        shown = {**self.categories[category_id], "productCount": self.count_shown(category_id)}
        is_asked = asked.query.get("productIds") == "true"
        return shown | {"productIds": list(self.members[category_id])} if is_asked else shown

    # The webhooks.

    def webhook(self, event: str, entity_id: int, **changes: Any) -> Outgoing:
        """An Ecwid webhook, not queued; `changes` replace keys of its body, as a forger would."""
        event_id = self.new_id()
        at = int(self.now().timestamp())
        body = {"eventId": event_id, "eventCreated": at, "storeId": self.store_id, "entityId": entity_id}
        body |= {"eventType": event}
        return Outgoing(event_id, event, encoded(body | changes), {"eventtype": event})

    def headers_for(self, outgoing: Outgoing) -> dict[str, str]:
        """Ecwid's signature covers `eventCreated` and `eventId` only, so it never changes."""
        body = decoded(outgoing.body)
        signature = ecwid_signature(self.client_secret, event_created=body["eventCreated"], event_id=body["eventId"])
        return {"X-Ecwid-Webhook-Signature": signature}

    def _emit(self, event: str, entity_id: int) -> None:
        self.queue(self.webhook(event, entity_id))

    def view(self) -> Record:
        """Products and categories by id."""
        categories = {
            str(one): {**shown, "productIds": list(self.members[one])} for one, shown in self.categories.items()
        }
        return deepcopy({"products": {str(one): self._shown(one) for one in self.products}, "categories": categories})

    def memberships(self) -> dict[str, list[str]]:
        """The products of each category in their order; `0` is the top level."""
        return {str(category): [str(one) for one in members] for category, members in self.members.items()}


def _timestamp(text: str) -> float:
    """Unix seconds from either form that Ecwid takes in a query."""
    return float(text) if text.isdigit() else datetime.strptime(text, "%Y-%m-%d %H:%M:%S %z").timestamp()
