"""A sandbox shop that speaks Zid's API and sends Zid's unsigned webhooks, traps included."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from urllib.parse import urlencode

import httpx

from .deliveries import Answered, Outgoing
from .exchange import Answer, Asked, Call, Endpoint, Now, Record, encoded
from .shop import whole_number
from .signing import basic
from .zid_catalogue import ZidCatalogue

STORE_ID = 37213
AUTHORIZATION = "ksa-authorization"
MANAGER_TOKEN = "ksa-manager-token"  # noqa: S105 - opens nothing but this sandbox
USERNAME = "engine"
PASSWORD = "ksa-webhook-password"  # noqa: S105 - opens nothing but this sandbox

CATEGORIES = "/v1/managers/store/categories"

EDITABLE = frozenset(
    {"sku", "name", "price", "sale_price", "quantity", "is_infinite", "is_published", "is_draft", "attributes"}
)
"""The fields of a product that a PATCH takes."""


class ZidShop(ZidCatalogue):
    """A Zid store: `app` is its API, `deliver` sends its webhooks until too many of them fail (`is_suspended`).

    `absent_status` is the answer to the removal of a membership that is not there: 404 or 204, Zid does not say.
    `next_host` begins the `next` of a list: an `http://` URL that leads nowhere, for those who would follow it.
    """

    NAME = "zid"

    def __init__(
        self,
        *,
        now: Now,
        new_id: Callable[[], str],
        store_id: int = STORE_ID,
        authorization: str = AUTHORIZATION,
        manager_token: str = MANAGER_TOKEN,
        username: str = USERNAME,
        password: str = PASSWORD,
        rate_per_minute: float | None = 60,
        says_retry_after: bool = True,
        absent_status: int = 404,
        next_host: str = "http://api.zid.invalid",
        on_call: Callable[[Call], None] | None = None,
        on_answer: Callable[[Answered], None] | None = None,
    ) -> None:
        self._store_id = store_id
        self.authorization = authorization
        self.manager_token = manager_token
        self.username = username
        self.password = password
        self.says_retry_after = says_retry_after
        self.absent_status = absent_status
        self.next_host = next_host
        self.products = {}
        self.categories = {}
        self.child_ids = {}
        self.failed_at: list[datetime] = []
        super().__init__(now=now, new_id=new_id, rate_per_minute=rate_per_minute, on_call=on_call, on_answer=on_answer)

    @property
    def store_id(self) -> int:
        """The number of the store."""
        return self._store_id

    # The API.

    def endpoints(self) -> Sequence[Endpoint]:
        """Products end in a slash, the manager's paths do not."""
        category = CATEGORIES + "/{category}"
        product = "/v1/products/{product}/"
        return (
            Endpoint("DELETE", category + "/products/delete", self._detach),
            Endpoint("PUT", category + "/publishing", self._publish),
            Endpoint("GET", category + "/view", self._get_category),
            Endpoint("GET", CATEGORIES, self._list_categories),
            Endpoint("PATCH", product + "categories/bulk-add/", self._add_many),
            Endpoint("DELETE", product + "categories/{category}/", self._remove),
            Endpoint("POST", product + "categories/", self._add),
            Endpoint("GET", product, self._get_product),
            Endpoint("PATCH", product, self._patch_product),
            Endpoint("GET", "/v1/products/", self._list_products),
            Endpoint("PATCH", "/v1/products/", self._patch_products),
        )

    def refuse(self, asked: Asked) -> Answer | None:
        """Zid's documentation: the store's token is `X-Manager-Token` or `Access-Token`, by path.

        A bad token may answer with a redirect to a login page.
        """
        token_header = "x-manager-token" if asked.path.startswith("/v1/managers/") else "access-token"
        is_known = (
            asked.headers.get("authorization") == f"Bearer {self.authorization}"
            and asked.headers.get(token_header) == self.manager_token
            and asked.headers.get("store-id", str(self.store_id)) == str(self.store_id)
        )
        return None if is_known else Answer(302, b"", {"Location": "/login"})

    def error(self, asked: Asked, status: int, message: str) -> Answer:
        """Zid's documentation: the shapes differ from part to part, and the words may be Arabic."""
        if asked.path.startswith("/v1/managers/"):
            words = {"type": "error", "code": str(status), "name": "خطأ", "description": f"حدث خطأ: {message}"}
            return Answer(status, {"status": "error", "message": words})
        if status == 404:
            return Answer(status, {"detail": message})
        return Answer(status, {"error": {"code": str(status), "message": message, "fields": {}}})

    def too_many(self, asked: Asked, seconds: int) -> Answer:
        """Zid's documentation: 429, with `Retry-After` only sometimes."""
        answer = super().too_many(asked, seconds)
        return answer if self.says_retry_after else replace(answer, headers={})

    def _detach(self, asked: Asked) -> Answer:
        category_id = self._category(asked)
        if category_id is None:
            return self.error(asked, 404, "Not found")
        answer = self._managed("category", self._counted(category_id))  # the old count: made before anything is done
        for product_id in asked.really(self.members(category_id)):
            self.unassign(product_id, category_id)
        return answer

    def _publish(self, asked: Asked) -> Answer:
        category_id = self._category(asked)
        if category_id is None:
            return self.error(asked, 404, "Not found")
        wish = asked.body.get("is_published") if isinstance(asked.body, dict) else None
        if wish not in ("0", "1"):  # Zid's documentation: text
            return self.error(asked, 422, 'is_published must be "0" or "1"')
        if not asked.is_pretence:
            self.publish_category(category_id, wish == "1")
        return self._managed("category", self._counted(category_id))

    def _get_category(self, asked: Asked) -> Answer:
        category_id = self._category(asked)
        if category_id is None:
            return self.error(asked, 404, "Not found")
        return self._managed("categories", self._tree(category_id))  # one object under the plural

    def _list_categories(self, asked: Asked) -> Answer:  # noqa: ARG002 - the shape of an endpoint
        tops = [one for one, category in self.categories.items() if category["parent_id"] is None]
        return Answer(200, {"status": "object", "categories": [self._tree(one) for one in tops]})

    def _add_many(self, asked: Asked) -> Answer:
        return self._add_to(asked, asked.body.get("ids") if isinstance(asked.body, dict) else None)

    def _add(self, asked: Asked) -> Answer:
        return self._add_to(asked, [asked.body.get("id")] if isinstance(asked.body, dict) else None)

    def _add_to(self, asked: Asked, ids: object) -> Answer:
        product_id = asked.params["product"]
        if not isinstance(ids, list) or not all(str(one).isdecimal() for one in ids):
            return self.error(asked, 400, "The id of a category is a number")
        if product_id not in self.products or any(int(one) not in self.categories for one in ids):
            return self.error(asked, 404, "Not found.")
        for category_id in asked.really(ids):
            self.assign(product_id, category_id)
        return Answer(200, {"categories": self.shown(product_id)["categories"]})

    def _remove(self, asked: Asked) -> Answer:
        product_id, category_id = asked.params["product"], asked.params["category"]
        if product_id not in self.products:
            return self.error(asked, 404, "Not found.")
        if category_id not in self.owner(product_id)["category_ids"]:
            return Answer(204) if self.absent_status == 204 else self.error(asked, self.absent_status, "Not found.")
        if not asked.is_pretence:
            self.unassign(product_id, category_id)
        return Answer(204)

    def _get_product(self, asked: Asked) -> Answer:
        product_id = asked.params["product"]
        if product_id not in self.products:
            return self.error(asked, 404, "Not found.")
        return Answer(200, self.shown(product_id))

    def _patch_product(self, asked: Asked) -> Answer:
        product_id = asked.params["product"]
        if product_id not in self.products:
            return self.error(asked, 404, "Not found.")
        if not isinstance(asked.body, dict) or not asked.body.keys() <= EDITABLE:
            return self.error(asked, 400, "There is no such field")
        if not asked.is_pretence:
            self.edit_product(product_id, **asked.body)
        return Answer(200, self.shown(product_id))

    def _patch_products(self, asked: Asked) -> Answer:
        items = (
            asked.body if isinstance(asked.body, list) and all(isinstance(one, dict) for one in asked.body) else None
        )
        if items is None or len(items) > 50 or not all(one.keys() <= EDITABLE | {"id"} for one in items):
            return self.error(asked, 400, "At most 50 products, each with its id and known fields")
        if any(one.get("id") not in self.products for one in items):
            return self.error(asked, 404, "Not found.")
        for one in asked.really(items):
            self.edit_product(one["id"], **{name: value for name, value in one.items() if name != "id"})
        return Answer(200, [self.shown(one["id"]) for one in items])

    def _list_products(self, asked: Asked) -> Answer:
        """A page; children are listed only when asked for by id."""
        page, size = whole_number(asked.query.get("page"), 1), whole_number(asked.query.get("page_size"), 10)
        if not page or not size:
            return self.error(asked, 404, "Invalid page.")
        size = min(size, 100)
        if "id__in" in asked.query:
            found = [one for one in asked.query["id__in"].split(",") if one in self.products]
        else:
            found = [one for one, product in self.products.items() if product["structure"] != "child"]
        start = (page - 1) * size
        if start and start >= len(found):
            return self.error(asked, 404, "Invalid page.")
        shown = [self.shown(one) for one in found[start : start + size]]
        following = self._page_url(asked, page + 1) if start + size < len(found) else None
        previous = self._page_url(asked, page - 1) if page > 1 else None
        return Answer(200, {"count": len(found), "next": following, "previous": previous, "results": shown})

    def _page_url(self, asked: Asked, page: int) -> str:
        """Zid's documentation: an absolute URL with `http://`, though the API is reached by https only."""
        return f"{self.next_host}{asked.path}?{urlencode({**asked.query, 'page': page})}"

    def _category(self, asked: Asked) -> int | None:
        category_id = whole_number(asked.params["category"], 0)
        return category_id if category_id in self.categories else None

    def _counted(self, category_id: int) -> Record:
        return self.shown_category(category_id, len(self.members(category_id)))

    def _tree(self, category_id: int) -> Record:
        below = [one for one, category in self.categories.items() if category["parent_id"] == category_id]
        return self._counted(category_id) | {"sub_categories": [self._tree(one) for one in below]}

    def _managed(self, key: str, value: Record) -> Answer:
        message = {"type": "object", "code": None, "name": None, "description": None}
        return Answer(200, {"status": "object", key: value, "message": message})

    # The webhooks.

    @property
    def is_suspended(self) -> bool:
        """Zid's documentation: 30 failures in 60 minutes suspend a webhook; what waits is discarded."""
        hour = timedelta(minutes=60)
        return len([at for at in self.failed_at if self.now() - at < hour]) >= 30

    def webhook(self, event: str, resource: Record) -> Outgoing:
        """A webhook, not queued: the bare resource. Only the query of the URL that was subscribed names the event."""
        return Outgoing(self.new_id(), event, encoded(resource), {"event": event})

    def headers_for(self, outgoing: Outgoing) -> dict[str, str]:  # noqa: ARG002 - nothing depends on the body
        """HTTP Basic, as the subscription asked for; there is no signature, no delivery id and no time."""
        return {"Authorization": basic(self.username, self.password)}

    def queue(self, outgoing: Outgoing) -> None:
        """Let a webhook wait, unless deliveries are suspended: then it is lost, as at Zid."""
        if self.is_suspended:
            self.lost.append(outgoing)
        else:
            super().queue(outgoing)

    async def send(self, client: httpx.AsyncClient, url: str, outgoing: Outgoing) -> Answered:
        """Send one webhook; Zid's documentation: 429 is no failure."""
        answer = await super().send(client, url, outgoing)
        if answer.status not in (200, 429):
            self.failed_at.append(self.now())
        return answer

    def _put_back(self, failed: Sequence[Outgoing]) -> None:
        """Zid's documentation: pending events are discarded when deliveries are suspended."""
        super()._put_back(failed)
        if self.is_suspended:
            self.lost += self.deliveries
            self.deliveries.clear()

    def _emit_product(self, event: str, product_id: str) -> None:
        self.queue(self.webhook(event, self.shown(product_id)))

    def _emit_category(self, event: str, category_id: int) -> None:
        self.queue(self.webhook(event, {**self._counted(category_id), "store_id": self.store_id}))
