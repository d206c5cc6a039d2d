"""Ecwid: webhooks that name a product or category, which is then read; memberships are changed per category."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated, ClassVar
from urllib.parse import parse_qs, urlsplit

from pydantic import Field

from rules_engine.core.action import (
    Action,
    ActionKind,
    Done,
    Interpretation,
    LookAgain,
    NothingToDo,
    Reading,
    Request,
    Response,
    Verdict,
)
from rules_engine.core.delivery import Delivery, Event, EventType, Normalised
from rules_engine.core.errors import NotPreparedError, SignatureError
from rules_engine.core.store import Capabilities, Secret, StoreSettings
from rules_engine.core.subject import ALL, SubjectKind, SubjectRef, category, product
from rules_engine.vendors import answers
from rules_engine.vendors.answers import RotatingSecrets, identity, mapping, objects, text
from rules_engine.vendors.base import Vendor
from rules_engine.vendors.ecwid_catalogue import TOP, categories_seen, products_seen, top_level

WORDS = {
    "product.created": EventType.PRODUCT_CREATED,
    "product.updated": EventType.PRODUCT_UPDATED,  # also stock, price, brand and categories: there is no stock topic
    "product.deleted": EventType.PRODUCT_DELETED,
    "category.created": EventType.CATEGORY_CREATED,
    "category.updated": EventType.CATEGORY_UPDATED,  # also when its list of products changes
    "category.deleted": EventType.CATEGORY_DELETED,
}
"""Ecwid's documentation, "Webhooks". The other topics (orders, customers, the application) are not ours."""

SIGNATURE = "x-ecwid-webhook-signature"
OLDEST = timedelta(hours=25)  # Ecwid's documentation: 27 retries over 24 hours, all with the first `eventCreated`
NEWEST = timedelta(minutes=5)  # inferred: clocks differ
PAGE = 100  # Ecwid's documentation: the highest `limit`; also the most products in a write (2000 are allowed)
CALLS = {ActionKind.ADD_TO_CATEGORY: "assignProducts", ActionKind.REMOVE_FROM_CATEGORY: "unassignProducts"}
_ID = re.compile(r"[0-9]{1,18}")


class EcwidStore(StoreSettings):
    """An Ecwid store in stores.yaml. `token` is the app's access token for it, `client_secret` signs the webhooks."""

    store_id: Annotated[str, Field(pattern=r"^[0-9]{1,18}$")]
    token: Secret
    client_secret: RotatingSecrets

    @property
    def shop_id(self) -> str:
        """The `storeId` of the webhooks' bodies."""
        return self.store_id

    @property
    def webhook_secrets(self) -> tuple[str, ...]:
        """The app's client secrets; an unset one is none."""
        return tuple(secret for secret in self.client_secret if secret.strip())


def sign(secret: str, created: int, event_id: str) -> str:
    """The signature of a webhook: base64 of HMAC-SHA256 over `{eventCreated}.{eventId}` (Ecwid's documentation)."""
    message = f"{created}.{event_id}".encode()
    return base64.b64encode(hmac.digest(secret.encode("utf-8", "surrogatepass"), message, hashlib.sha256)).decode()


class Ecwid(Vendor[EcwidStore]):
    """Ecwid by Lightspeed, REST API v3. Its webhooks carry no product: the truth is read."""

    NAME: ClassVar[str] = "ecwid"
    TITLE: ClassVar[str] = "Ecwid"
    SETTINGS: ClassVar[type[StoreSettings]] = EcwidStore
    FIELDS: ClassVar[frozenset[str]] = answers.field_names(
        product="id sku name names brand brand_id stock tracks_stock in_stock can_be_ordered published price "
        "compare_at_price on_sale categories category_ids category_names attributes variants created_at updated_at",
        category="id name names path parent_id published product_count member_ids",
    )
    CAPABILITIES: ClassVar[Capabilities] = Capabilities(
        actions=frozenset(ActionKind),
        rate=10,  # Ecwid's documentation: 600 requests a minute for each token
        burst=600,
        batch=PAGE,
        can_list_changes=True,  # Ecwid's documentation: `updatedFrom`
        can_empty_category=True,  # product by product: there is no whole-category call
        promotes_to=TOP,  # Ecwid's documentation: a product that loses its last category goes to the top level
        brands_are_names=True,  # Ecwid's documentation: the brand is the value of an attribute
        has_one_door=True,  # Ecwid's documentation: one webhook URL for an app, whatever the store
        loses="the position inside the category",  # Ecwid's documentation: assigned products go to the end
    )
    DEFAULT_BASE_URL: ClassVar[str | None] = "https://app.ecwid.com"

    def verify(self, delivery: Delivery, secrets: Sequence[str]) -> None:
        """Raise `SignatureError` unless one of the client secrets signed it and `eventCreated` is −5 min to 25 h old.

        Only `eventCreated` and `eventId` are signed, so whatever else the body says is a hint to read the truth.
        """
        given = delivery.headers.get(SIGNATURE, "").strip()
        try:
            body = mapping(answers.decode(delivery.body))
        except ValueError as error:
            raise SignatureError("The body is not readable JSON, so it cannot be told who sent it.") from error
        created, event_id = body.get("eventCreated"), body.get("eventId")
        if not given or not isinstance(event_id, str) or not isinstance(created, int) or isinstance(created, bool):
            raise SignatureError("The signature, `eventCreated` or `eventId` is missing.")
        if not answers.is_any_of(given, [sign(secret, created, event_id) for secret in secrets if secret.strip()]):
            raise SignatureError("The signature is not that of the app's client secret.")
        age = int(delivery.received_at.timestamp()) - created
        if not -NEWEST.total_seconds() <= age <= OLDEST.total_seconds():
            raise SignatureError(
                "`eventCreated` is too old, or in the future: this may be an old delivery, sent again."
            )

    def normalise(self, delivery: Delivery) -> Normalised:
        """One event, without a snapshot. The topic is the body's: the `eventtype` in the URL is not signed."""
        digest = hashlib.sha256(delivery.body).hexdigest()
        try:
            body = mapping(answers.decode(delivery.body))
        except ValueError:
            return Normalised((), digest, reason="The body is not readable JSON.", is_readable=False)
        key, shop = text(body.get("eventId")) or digest, identity(body.get("storeId"))
        word, entity = text(body.get("eventType")), identity(body.get("entityId"))
        if word is None or shop is None:
            reason = "The body does not say which store it is about, or what happened."
            return Normalised((), key, shop_id=shop, reason=reason, is_readable=False)
        kind = WORDS.get(word)
        if kind is None:
            unknown = Event(EventType.UNKNOWN, word)
            return Normalised((unknown,), key, shop_id=shop, reason=f"No rule can be about {word}.")
        if entity is None or not _ID.fullmatch(entity):
            reason = f"The body says {word}, but not of which one."
            return Normalised((), key, shop_id=shop, reason=reason, is_readable=False)
        subject = product(entity) if word.startswith("product.") else category(entity)
        return Normalised((Event(kind, word, subject),), key, shop_id=shop)

    def read(self, subjects: Sequence[SubjectRef]) -> tuple[Request, ...]:
        """Products a hundred at a time, categories one by one, all of either in pages of a hundred.

        The top level is no category that can be asked for; it is always there, and shown with any list of categories.
        """
        products: list[SubjectRef] = []
        requests: list[Request] = []
        for ref in dict.fromkeys(subjects):
            if ref.kind is SubjectKind.BRAND:
                raise NotPreparedError(
                    "Ecwid's brands are attributes of its products: they are not read by themselves."
                )
            if ref.id == ALL:
                requests.append(self._page(ref, 0))
            elif ref.kind is SubjectKind.PRODUCT:
                products.append(ref)
            elif ref.id == TOP:
                requests.append(self._get("/categories?limit=1", (ref,)))
            else:
                # inferred: a single category may want to be asked for its products as the list does
                requests.append(self._get(f"/categories/{_checked(ref.id, 'category')}?productIds=true", (ref,)))
        for batch in answers.batches(products, PAGE):
            ids = ",".join(_checked(ref.id, "product") for ref in batch)
            path = f"/products/{ids}" if len(batch) == 1 else f"/products?productId={ids}&limit={PAGE}"
            requests.append(self._get(path, batch))
        return tuple(requests)

    def parse(self, request: Request, response: Response) -> Reading:
        """What the answer shows. Missing: a 404 for one subject, or absence from a complete answer about several."""
        asked = request.subjects
        if response.status == 404 and len(asked) == 1 and asked[0].id not in (ALL, TOP):
            return Reading(missing=asked)
        if error := answers.error_of(self.TITLE, response):
            raise error
        answer = mapping(answers.decode_answer(self.TITLE, response))
        if len(asked) == 1 and asked[0].id == TOP:
            return Reading((top_level(),))
        if len(asked) == 1 and asked[0].id != ALL:
            shown = products_seen(answer) if asked[0].kind is SubjectKind.PRODUCT else categories_seen([answer])
            if [snapshot.ref for snapshot in shown] != list(asked):
                raise answers.unclear(self.TITLE, response, "not about what was asked")
            return Reading(tuple(shown))
        items, total = answer.get("items"), answer.get("total")
        if not isinstance(items, list) or not isinstance(total, int):
            raise answers.unclear(self.TITLE, response, "without a list")
        if asked[0].id == ALL:
            return self._page_shown(request, response, items, total)
        shown = [snapshot for item in objects(items) for snapshot in products_seen(item)]
        absent = tuple(ref for ref in asked if ref not in {snapshot.ref for snapshot in shown})
        shown = [snapshot for snapshot in shown if snapshot.ref in asked]
        if len(shown) == len(items) >= total:
            return Reading(tuple(shown), missing=absent)
        if not shown:
            raise answers.unclear(self.TITLE, response, "with products that were not asked for")
        return Reading(tuple(shown), more=self.read(absent))  # an incomplete answer proves nothing about the rest

    def prepare(self, actions: Sequence[Action]) -> tuple[Request, ...]:
        """One call for each category and direction (a hundred products at most), one for each product otherwise."""
        groups: dict[tuple[ActionKind, str], list[Action]] = {}
        for action in actions:
            what = action.target if action.kind in CALLS else f"{action.product}\n{action.target}"
            groups.setdefault((action.kind, what), []).append(action)
        requests: list[Request] = []
        for (kind, target), members in groups.items():
            for batch in answers.batches(members, PAGE):
                ids = [int(_checked(action.product, "product")) for action in batch]
                method, path, body = "PUT", f"/products/{ids[0]}", _change(batch[0])
                if kind in CALLS:
                    method, path = "POST", f"/categories/{_checked(target, 'category')}/{CALLS[kind]}"
                    body = {"productIds": list(dict.fromkeys(ids))}
                requests.append(answers.send(method, self._url + path, self._authorization, body, batch))
        return tuple(requests)

    def interpret(self, request: Request, response: Response) -> Interpretation:
        """One verdict for all actions of the call: Ecwid does all of them or none.

        Ecwid's documentation: `updateCount` and `deleteCount` are 0 or 1, never a number of products; one unknown
        product makes it 404 for the whole call; 409 and 449 pass; 403 means the token, 402 the plan.
        """
        return answers.for_all(request, self._verdict(request, response))

    def _verdict(self, request: Request, response: Response) -> Verdict:
        subjects = tuple(dict.fromkeys(product(action.product) for action in request.actions))
        if any(action.kind in CALLS for action in request.actions):
            subjects = (category(ALL), *subjects)
        if response.status == 404:
            return LookAgain("Ecwid answered 404: the category or one of the products may be gone.", subjects)
        if error := answers.error_of(self.TITLE, response):
            return error
        try:
            answer = mapping(answers.decode(response.body))
        except ValueError:
            answer = {}
        count = answer.get("updateCount", answer.get("deleteCount"))
        if not isinstance(count, int) or isinstance(count, bool):
            return LookAgain("Ecwid answered without saying whether anything changed.", subjects)
        return Done() if count > 0 else NothingToDo()

    def _page_shown(self, request: Request, response: Response, items: list[object], total: int) -> Reading:
        """One page of all products or categories, and the request for the next one where there is more."""
        kind, query = request.subjects[0], parse_qs(urlsplit(request.url).query)
        offset = int(query["offset"][0])
        if kind.kind is SubjectKind.PRODUCT:
            shown = [snapshot for item in objects(items) for snapshot in products_seen(item)]
        else:
            shown = [*([] if offset else [top_level()]), *categories_seen(objects(items))]
        end = offset + len(items)
        if end < total and not items:
            raise answers.unclear(self.TITLE, response, "with an empty page before the end of the list")
        changed_from = query.get("updatedFrom", [""])[0]
        more = (self._page(kind, end, changed_from),) if end < total else ()
        return Reading(tuple(shown), more=more, total=total)

    def list_changes(self, since: datetime) -> Request:
        """The first page of the products that were updated at `since` or later, a hundred a page."""
        return self._page(product(ALL), 0, str(int(since.timestamp())))

    def _page(self, kind: SubjectRef, offset: int, changed_from: str = "") -> Request:
        if kind.kind is SubjectKind.PRODUCT:
            # Ecwid's documentation: by time of creation the order stands still while products are edited
            only = f"updatedFrom={changed_from}&" if changed_from else ""
            return self._get(f"/products?{only}sortBy=ADDED_TIME_ASC&offset={offset}&limit={PAGE}", (kind,))
        return self._get(f"/categories?productIds=true&hidden_categories=true&offset={offset}&limit={PAGE}", (kind,))

    def _get(self, path: str, subjects: Sequence[SubjectRef]) -> Request:
        return answers.get(self._url + path, self._authorization, subjects)

    @property
    def _url(self) -> str:
        return f"{self.base_url}/api/v3/{self.settings.store_id}"

    @property
    def _authorization(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.settings.token.strip()}"}


def _change(action: Action) -> dict[str, object]:
    """What a PUT of a product says. Ecwid's documentation: the brand is the attribute with the alias BRAND."""
    if action.kind is ActionKind.ASSIGN_BRAND:
        if not action.target.strip():
            raise NotPreparedError("The brand to assign is empty, so no call is built.")
        return {"attributes": [{"alias": "BRAND", "value": action.target}]}
    if action.kind is ActionKind.UNASSIGN_BRAND:
        return {"attributes": [{"alias": "BRAND", "value": ""}]}
    return {"enabled": action.kind is ActionKind.SHOW}


def _checked(id_: str, what: str) -> str:
    """An id of Ecwid: a whole number. One that is none would fail the whole call about all the others."""
    if not _ID.fullmatch(answers.checked_id(id_, what)):
        raise NotPreparedError(f"{id_!r} cannot be the id of a {what} at Ecwid, so no call is built.")
    return id_
