"""Axim Commerce: deliveries carry the product, only a brand can be read, and writes give or take a brand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar
from zoneinfo import ZoneInfo

from rules_engine.core.action import (
    Action,
    ActionKind,
    Done,
    Interpretation,
    LookAgain,
    Reading,
    Request,
    Response,
    Verdict,
)
from rules_engine.core.delivery import Delivery, Normalised
from rules_engine.core.errors import NotPreparedError, TemporaryError
from rules_engine.core.store import Capabilities, Secret, StoreSettings
from rules_engine.core.subject import ALL, Snapshot, SubjectKind, SubjectRef, brand
from rules_engine.vendors import answers, standard_webhooks
from rules_engine.vendors.answers import identity, mapping, text
from rules_engine.vendors.base import Vendor
from rules_engine.vendors.delivered_products import DeliveredSettings, FieldMap, snapshot

CALLS = {ActionKind.ASSIGN_BRAND: "assign-products", ActionKind.UNASSIGN_BRAND: "unassign-products"}
"""Axim's documentation: `POST /brands/assign-products` and `/brands/unassign-products`.

`DELETE /brands/{id}` takes the brand from every product it has, and no action here may come to it.
"""

SHAPE = ("id", "sku", "name", "brand", "stock", "published", "price", "tags", "updated_at")
"""What a delivery's `data` holds where `fields:` says nothing. Axim documents no products, so the words are ours."""


class AximStore(DeliveredSettings):
    """An Axim store in stores.yaml. Axim documents no address: `base_url` is a setting.

    Axim's documentation calls the token a bearer token, yet sends it raw in every example: `token_prefix` is the
    word to put before it and a blank, nothing by default.
    """

    token: Secret
    token_prefix: str = ""


class Axim(Vendor[AximStore]):
    """Axim Commerce, brands API. The snapshot of a product is what deliveries showed."""

    NAME: ClassVar[str] = "axim"
    TITLE: ClassVar[str] = "Axim"
    SETTINGS: ClassVar[type[StoreSettings]] = AximStore
    FIELDS: ClassVar[frozenset[str]] = answers.field_names(
        product="id sku name brand brand_id stock tracks_stock in_stock can_be_ordered published price tags updated_at"
    )
    CAPABILITIES: ClassVar[Capabilities] = Capabilities(
        actions=frozenset(CALLS),
        rate=5,  # inferred: no limit is documented, and this is half of what the most generous shop here allows
        burst=10,
        batch=100,  # Axim's documentation: "batches of 100+" are made inside, so a hundred is never split
        can_read=False,
        can_list=False,
        can_read_categories=False,
        proves_by_answer=True,  # inferred: no read could show more than `success: true` says
    )
    HEADERS_TO_KEEP: ClassVar[frozenset[str]] = standard_webhooks.HEADERS_TO_KEEP

    def __init__(self, settings: AximStore) -> None:
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
        """One event with the product of `data`, in our own field names or as `fields:` maps them."""
        return standard_webhooks.normalise(delivery, self._delivered)

    def read(self, subjects: Sequence[SubjectRef]) -> tuple[Request, ...]:
        """One `GET /brands/{id}` for each brand. `NotPreparedError` for all else: no other read is documented."""
        requests: list[Request] = []
        for ref in dict.fromkeys(subjects):
            if ref.kind is not SubjectKind.BRAND or ref.id == ALL:
                raise NotPreparedError(f"Axim cannot be asked for {ref}: it documents the read of one brand only.")
            url = f"{self.base_url}/brands/{answers.quoted_id(ref.id, 'brand')}"
            requests.append(answers.get(url, self._headers, (ref,)))
        return tuple(requests)

    def parse(self, request: Request, response: Response) -> Reading:
        """The brand as `id`, `name` and `raw`, or missing by a 404."""
        if response.status == 404:
            return Reading(missing=request.subjects)
        error = answers.error_of(self.TITLE, response)
        if error is not None:
            raise error
        answer = mapping(answers.decode_answer(self.TITLE, response))
        found = mapping(answer.get("data"))
        shown = tuple(ref for ref in request.subjects if ref.id == identity(found.get("id")))
        if answer.get("success") is not True or not shown:
            raise answers.unclear(self.TITLE, response, f"did not show the brand{answers.said(response)}")
        fields = {"id": shown[0].id, "name": text(found.get("name")), "raw": found}
        return Reading((Snapshot(shown[0], fields),))

    def prepare(self, actions: Sequence[Action]) -> tuple[Request, ...]:
        """One call for each brand and direction, with at most a hundred products.

        To unassign needs the brand that the product has: Axim clears a product's brand only where it equals this one.
        """
        groups: dict[tuple[ActionKind, str], list[Action]] = {}
        for action in actions:
            groups.setdefault((action.kind, action.target), []).append(action)
        return tuple(
            self._call(kind, target, batch)
            for (kind, target), members in groups.items()
            for batch in answers.batches(members, self.CAPABILITIES.batch)
        )

    def interpret(self, request: Request, response: Response) -> Interpretation:
        """One verdict for all actions of the call, by its status and `success` alone.

        Axim's documentation contradicts itself on partial effects and leaves out the block `data` at will, so nothing
        is computed from it: the same call again does no harm. 404 says that the brand is missing, which is read.
        """
        brand_id = request.actions[0].target if request.actions else ""  # `prepare` gives every call one brand
        return answers.for_all(request, self._verdict(brand_id, response))

    def _verdict(self, brand_id: str, response: Response) -> Verdict:
        if response.status == 404:
            return LookAgain(f"Axim answered 404: brand {brand_id} may be gone.", (brand(brand_id),))
        error = answers.error_of(self.TITLE, response)
        if error is not None:
            return error
        try:
            answer = mapping(answers.decode_answer(self.TITLE, response))
        except TemporaryError as unreadable:
            return unreadable
        if answer.get("success") is True:
            return Done(is_shown=True)
        return answers.unclear(self.TITLE, response, f"did not say that it succeeded{answers.said(response)}")

    def _delivered(self, body: Mapping[str, object]) -> Snapshot | str:
        values = self._map({name: body[name] for name in SHAPE if name in body}, body)
        if values.get("stock", 0) is None and "stock" not in self.settings.fields:
            values["tracks_stock"] = False  # our own word: null is unlimited; what a mapped null means is not known
        zone = ZoneInfo(self.settings.time_zone)
        seen = snapshot(values, raw=body, names=self.settings.names, zone=zone)
        return seen or "The delivery's product has no id."

    def _call(self, kind: ActionKind, target: str, actions: Sequence[Action]) -> Request:
        if kind not in CALLS:
            raise NotPreparedError(f"Axim cannot {kind}: it gives products a brand and takes it.")
        ids = list(dict.fromkeys(answers.checked_id(action.product, "product") for action in actions))
        body = {"id": answers.checked_id(target, "brand"), "productIds": ids}
        return answers.send("POST", f"{self.base_url}/brands/{CALLS[kind]}", self._headers, body, actions)

    @property
    def _headers(self) -> dict[str, str]:
        token = f"{self.settings.token_prefix.strip()} {self.settings.token.strip()}".strip()
        return {"accessToken": token}
