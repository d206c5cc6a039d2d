"""Zave IT: deliveries carry the product, nothing can be read, and the answer to a write shows the collection."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar
from zoneinfo import ZoneInfo

from pydantic import Field

from rules_engine.core.action import (
    Action,
    ActionKind,
    Done,
    Interpretation,
    Outcome,
    Reading,
    Request,
    Response,
)
from rules_engine.core.delivery import Delivery, Normalised
from rules_engine.core.errors import NotPreparedError, PermanentError, TemporaryError
from rules_engine.core.store import Capabilities, Secret, StoreSettings
from rules_engine.core.subject import Snapshot, SubjectRef
from rules_engine.vendors import answers, standard_webhooks
from rules_engine.vendors.answers import flag, identity, mapping, objects
from rules_engine.vendors.base import Vendor
from rules_engine.vendors.delivered_products import DeliveredSettings, FieldMap, snapshot

CALLS = {ActionKind.ADD_TO_CATEGORY: "add", ActionKind.REMOVE_FROM_CATEGORY: "remove"}
"""Zave's documentation: `PUT /v2/product/category/:id/products/add` and `…/remove`. Its collections are categories."""

WHOLE = frozenset(
    {"_id", "sku", "name", "stock", "shop_enabled", "status", "categories", "tenant", "currency", "updated", "products"}
)
"""What a product in an answer must have to count as seen: one with less would make known fields unknown."""

APART = 2.0
"""Seconds between the single calls into which a batch is taken apart."""


class ZaveStore(DeliveredSettings):
    """A Zave store in stores.yaml. Zave documents neither its address nor how it authenticates: they are settings.

    Every call carries the header `auth_header: auth_value`. Products and collections of another `tenant` are not ours.
    """

    auth_header: str = Field(default="Authorization", pattern=r"^[A-Za-z0-9-]+$")
    auth_value: Secret
    tenant: str = Field(min_length=1)


class Zave(Vendor[ZaveStore]):
    """Zave IT, product API v2. The snapshot of a product is what deliveries and the answers to writes showed."""

    NAME: ClassVar[str] = "zave"
    TITLE: ClassVar[str] = "Zave"
    SETTINGS: ClassVar[type[StoreSettings]] = ZaveStore
    FIELDS: ClassVar[frozenset[str]] = answers.field_names(
        product="id sku name stock tracks_stock in_stock can_be_ordered published price currency categories "
        "category_ids category_names created_at updated_at"
    )
    # Zave's documentation: adding "applies defaults (status flags and pricing)".
    ADD_MAY_CHANGE_MORE = True
    CAPABILITIES: ClassVar[Capabilities] = Capabilities(
        actions=frozenset(CALLS),
        rate=5,  # inferred: no limit is documented, and this is half of what the most generous shop here allows
        burst=10,
        batch=100,  # inferred: no limit is documented; other shops take a hundred products a call
        can_read=False,
        can_list=False,
        can_read_categories=False,
        proves_by_answer=True,  # Zave's documentation: the answer is the updated collection with all its products
        # Zave's documentation: adding "applies defaults (status flags and pricing)"
        loses="prices and status flags, which adding a product to a collection sets to Zave's defaults",
    )
    HEADERS_TO_KEEP: ClassVar[frozenset[str]] = standard_webhooks.HEADERS_TO_KEEP

    def __init__(self, settings: ZaveStore) -> None:
        super().__init__(settings)
        self._map = FieldMap(settings.fields)

    @property
    def fields(self) -> frozenset[str]:
        """`FIELDS` and what the store's `fields:` map."""
        return self.FIELDS | self.settings.mapped_fields

    def verify(self, delivery: Delivery, secrets: Sequence[str]) -> None:
        """Raise `SignatureError` unless it is signed by Standard Webhooks with one of `secrets`, ±5 minutes."""
        standard_webhooks.verify(delivery, secrets)

    def normalise(self, delivery: Delivery) -> Normalised:
        """One event with the product of `data`, in Zave's documented shape or as `fields:` maps it."""
        return standard_webhooks.normalise(delivery, self._delivered)

    def read(self, subjects: Sequence[SubjectRef]) -> tuple[Request, ...]:
        """Always `NotPreparedError`, unless nothing is asked: Zave documents no reads."""
        if subjects:
            raise NotPreparedError(f"Zave cannot be asked for {subjects[0]}: it documents no reads.")
        return ()

    def parse(self, request: Request, response: Response) -> Reading:
        """Always an error: there is no read whose answer this could be."""
        no_read = PermanentError(f"Zave documents no reads, so {request.url} is none.")
        raise answers.error_of(self.TITLE, response) or no_read

    def prepare(self, actions: Sequence[Action]) -> tuple[Request, ...]:
        """One call for each collection and direction, with a bare JSON array of at most a hundred product ids."""
        groups: dict[tuple[ActionKind, str], list[Action]] = {}
        for action in actions:
            groups.setdefault((action.kind, action.target), []).append(action)
        return tuple(
            self._call(kind, target, batch)
            for (kind, target), members in groups.items()
            for batch in answers.batches(members, self.CAPABILITIES.batch)
        )

    def interpret(self, request: Request, response: Response) -> Interpretation:
        """Each action by what the collection in the answer shows: Zave's 200 alone proves nothing.

        A removed product must be absent from `products[]._id` and an added one present, in the collection that was
        named and with products of our tenant only; else it is a `TemporaryError`, for the call may be repeated.
        A 404 for several products names none, and nothing can be read to find the one: each is tried again alone,
        `APART` seconds after the other. A 404 for a single product is permanent.
        """
        error = answers.error_of(self.TITLE, response)
        if error is None:
            return self._shown(request, response)
        if response.status == 404:
            return Interpretation(_taken_apart(request.actions))
        return answers.for_all(request, error)

    def _delivered(self, body: Mapping[str, object]) -> Snapshot | str:
        tenant = identity(body.get("tenant"))
        if tenant not in (None, self.settings.tenant):
            return "The product is another tenant's."
        seen = self._snapshot(body, self._map(_values(body), body))
        return seen or "The delivery's product has no id."

    def _snapshot(self, body: Mapping[str, object], values: Mapping[str, object]) -> Snapshot | None:
        zone = ZoneInfo(self.settings.time_zone)
        return snapshot(values, raw=body, names=self.settings.names, zone=zone)

    def _call(self, kind: ActionKind, target: str, actions: Sequence[Action]) -> Request:
        if kind not in CALLS:
            raise NotPreparedError(f"Zave cannot {kind}: it adds products to collections and removes them.")
        path = f"/v2/product/category/{answers.quoted_id(target, 'category')}/products/{CALLS[kind]}"
        ids = list(dict.fromkeys(answers.checked_id(action.product, "product") for action in actions))
        headers = {self.settings.auth_header: self.settings.auth_value.strip()}
        return answers.send("PUT", self.base_url + path, headers, ids, actions)

    def _shown(self, request: Request, response: Response) -> Interpretation:
        if not request.actions:
            return Interpretation(())
        collection = request.actions[0].target  # `prepare` gives every call one collection and one direction
        try:
            members = self._members(response, collection)
        except TemporaryError as error:
            return answers.for_all(request, error)
        outcomes: list[Outcome] = []
        for action in request.actions:
            is_member = action.product in members
            if is_member is (action.kind is ActionKind.ADD_TO_CATEGORY):
                outcomes.append(Outcome(action.key, Done(is_shown=True)))
            else:
                how = f"product {action.product} is {'still' if is_member else 'not'} in collection {collection}"
                outcomes.append(Outcome(action.key, answers.unclear(self.TITLE, response, how)))
        return Interpretation(tuple(outcomes), self._sightings(members.values(), collection))

    def _members(self, response: Response, collection: str) -> dict[str, dict[str, object]]:
        """The products of the collection in the answer, by id. Raises `TemporaryError` where it proves nothing."""
        answer = mapping(answers.decode_answer(self.TITLE, response))
        listed = answer.get("products")
        if identity(answer.get("_id")) != collection or not isinstance(listed, list):
            raise answers.unclear(self.TITLE, response, f"did not show collection {collection}")
        members = {id_: item for item in objects(listed) if (id_ := identity(item.get("_id")))}
        if len(members) != len(listed):
            raise answers.unclear(self.TITLE, response, f"not every product of collection {collection} has an id")
        if any(identity(item.get("tenant")) not in (None, self.settings.tenant) for item in members.values()):
            raise answers.unclear(self.TITLE, response, f"collection {collection} shows another tenant's products")
        return members

    def _sightings(self, items: Iterable[Mapping[str, object]], collection: str) -> tuple[Snapshot, ...]:
        """The whole products among them, unless deliveries have another shape, or a product contradicts the list."""
        if self.settings.fields:
            return ()
        seen = [self._snapshot(item, _values(item)) for item in items if item.keys() >= WHOLE]
        return tuple(one for one in seen if one and collection in one.fields.get("category_ids", ()))


def _values(body: Mapping[str, object]) -> dict[str, object]:
    """Zave's product in our field names; a key that the body lacks stays unknown."""
    ours = {
        "id": "id",
        "_id": "id",  # the documented one comes later and wins
        "sku": "sku",
        "name": "name",
        "stock": "stock",  # `stock_status` is free text that may contradict it: for display only
        "categories": "category_ids",
        "created": "created_at",
        "updated_at": "updated_at",
        "updated": "updated_at",
    }
    values = {ours[key]: body[key] for key in ours if key in body}
    if flag(body.get("subscription")):
        values["tracks_stock"] = False  # subscriptions and licences are sold at `stock: 0`
    if "currency" in body:
        currency = body["currency"]
        values["currency"] = currency.get("code") if isinstance(currency, dict) else currency
    # `products` are price lines: one is the price, several are prices of terms and periods, of which none is *the* one
    lines = body.get("products")
    if isinstance(lines, list) and len(lines) == 1 and "price" in mapping(lines[0]):
        values["price"] = mapping(lines[0])["price"]
    status = mapping(body.get("status"))
    is_deleted = flag(status.get("deleted"))
    parts = (flag(body.get("shop_enabled")), flag(status.get("active")), None if is_deleted is None else not is_deleted)
    if False in parts or None not in parts:
        values["published"] = False not in parts
    return values


def _taken_apart(actions: Sequence[Action]) -> tuple[Outcome, ...]:
    products = list(dict.fromkeys(action.product for action in actions))
    if len(products) == 1:
        gone = PermanentError(
            f"Zave answered 404: it has no collection {actions[0].target} or no product {products[0]}."
        )
        return tuple(Outcome(action.key, gone) for action in actions)
    reason = f"Zave answered 404 for {len(products)} products and does not say which: each is tried again alone."
    return tuple(
        Outcome(action.key, TemporaryError(reason, delay=(1 + products.index(action.product)) * APART))
        for action in actions
    )
