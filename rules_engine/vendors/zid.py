"""Zid: webhooks with a bare product or category behind a password; memberships change one by one or all at once."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from datetime import UTC, timedelta, tzinfo
from typing import Annotated, ClassVar, Self
from urllib.parse import parse_qs, urlsplit
from zoneinfo import ZoneInfo

from pydantic import ConfigDict, Field, model_validator
from pydantic.config import JsonDict

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
from rules_engine.core.delivery import Delivery, Event, EventType, Normalised
from rules_engine.core.errors import NotPreparedError, SignatureError
from rules_engine.core.store import Capabilities, Secret, StoreSettings
from rules_engine.core.subject import ALL, Snapshot, SubjectKind, SubjectRef, category, product
from rules_engine.vendors import answers
from rules_engine.vendors.answers import RotatingSecrets, identity, mapping, moment, number, objects, text
from rules_engine.vendors.base import Vendor
from rules_engine.vendors.zid_catalogue import categories_seen, lacks_variants, parent_of, product_seen

WORDS = {
    "product.create": EventType.PRODUCT_CREATED,
    "product.update": EventType.PRODUCT_UPDATED,
    "product.publish": EventType.PRODUCT_UPDATED,  # says nothing more than that the product is to be read
    "product.delete": EventType.PRODUCT_DELETED,
    "category.create": EventType.CATEGORY_CREATED,
    "category.update": EventType.CATEGORY_UPDATED,
    "category.delete": EventType.CATEGORY_DELETED,
}
"""Zid's documentation, "Webhooks". The body does not name the event: `?event=` in the URL that was registered does."""

MARKS = {
    SubjectKind.PRODUCT: {"sku", "structure", "quantity", "is_infinite", "sale_price", "variants", "stocks"},
    SubjectKind.CATEGORY: {"sub_categories", "products_count", "names"},
}
"""Keys that Zid documents for one kind of resource only: they tell what a body is about when the URL does not."""

BATCH = 50  # Zid's documentation: the most items of a bulk call; inferred for `page_size` and `id__in`
PRODUCTS, CATEGORIES = "/v1/products/", "/v1/managers/store/categories"
NO_STAMP = timedelta(seconds=60)  # two equal bodies without `updated_at` may be two changes, when they are far apart
MEMBERSHIPS = frozenset({ActionKind.ADD_TO_CATEGORY, ActionKind.REMOVE_FROM_CATEGORY})
QUERY_TOKEN: JsonDict = {
    "required": ["webhook_token", "allow_query_token"],
    "properties": {"allow_query_token": {"const": True}},
}
"""What a store needs where no password guards its door, as editors are told."""


class ZidStore(StoreSettings):
    """A Zid store in stores.yaml: the app's `authorization`, the store's `manager_token`, and what guards the door.

    Zid signs nothing. A webhook's subscription holds a user name and password, which come back as HTTP Basic. A token
    in the URL's query (`?token=`) is taken only with `allow_query_token`, because hosts log queries.
    """

    model_config = ConfigDict(json_schema_extra={"anyOf": [{"required": ["webhook_password"]}, QUERY_TOKEN]})

    store_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
    authorization: Secret
    manager_token: Secret
    webhook_username: str = ""
    webhook_password: RotatingSecrets = ()
    webhook_token: RotatingSecrets = ()
    allow_query_token: bool = False

    @model_validator(mode="after")
    def _has_a_guard(self) -> Self:
        if not self.webhook_password and not (self.webhook_token and self.allow_query_token):
            raise ValueError(
                "give webhook_username and webhook_password, or webhook_token with allow_query_token: true"
            )
        return self

    @property
    def shop_id(self) -> str:
        """The `store_id` of the webhooks' bodies."""
        return self.store_id

    @property
    def webhook_secrets(self) -> tuple[str, ...]:
        """What a delivery may show: `Basic user:password`, or `Token …` where a query token is allowed."""
        tokens = self.webhook_token if self.allow_query_token else ()
        passwords = [f"Basic {self.webhook_username}:{one}" for one in self.webhook_password if one.strip()]
        return (*passwords, *(f"Token {one}" for one in tokens if one.strip()))


class Zid(Vendor[ZidStore]):
    """Zid's API v1. Its webhooks may be lost and tell no version for certain: the truth is read."""

    NAME: ClassVar[str] = "zid"
    TITLE: ClassVar[str] = "Zid"
    SETTINGS: ClassVar[type[StoreSettings]] = ZidStore
    FIELDS: ClassVar[frozenset[str]] = answers.field_names(
        product="id sku name names stock tracks_stock in_stock can_be_ordered published price compare_at_price on_sale "
        "categories category_ids category_names attributes variants created_at updated_at",  # Zid knows no brands
        category="id name names path parent_id published product_count",
    )
    CAPABILITIES: ClassVar[Capabilities] = Capabilities(
        # show and hide are inferred: Zid documents the PATCH of a product and its `is_published`, not both at once
        actions=MEMBERSHIPS | {ActionKind.SHOW, ActionKind.HIDE},
        rate=1,  # Zid's documentation: 60 requests a minute for each app and store, a leaky bucket
        burst=60,
        batch=BATCH,
        can_empty_category=True,
        empties_whole=True,
        loses="the position inside the category",  # inferred: the calls take no position
        busy_status=429,  # Zid's documentation: the one failure that does not count towards suspending the webhook
    )
    DEFAULT_BASE_URL: ClassVar[str | None] = "https://api.zid.sa"

    def verify(self, delivery: Delivery, secrets: Sequence[str]) -> None:
        """Raise `SignatureError` unless the delivery shows one of `secrets`, written as in `webhook_secrets`."""
        scheme, _, credentials = delivery.headers.get("authorization", "").strip().partition(" ")
        shown: list[bytes] = []
        if scheme.casefold() == "basic":
            try:
                shown.append(b"Basic " + base64.b64decode(credentials.strip(), validate=True))
            except ValueError as error:
                raise SignatureError("The user name and password cannot be read.") from error
        if self.settings.allow_query_token and delivery.query.get("token", "").strip():
            shown.append(f"Token {delivery.query['token']}".encode("utf-8", "surrogatepass"))
        if not shown:
            raise SignatureError("The user name and password of the webhook are missing.")
        matches = [answers.is_any_of(one, secrets) for one in shown]  # all are compared, so that time tells nothing
        if not any(matches):
            raise SignatureError("The user name or password of the webhook is wrong.")

    def normalise(self, delivery: Delivery) -> Normalised:
        """One event, with the version that `updated_at` names and without a snapshot.

        An event that the URL does not name, or that contradicts the body, is an update of what the body shows.
        """
        word = delivery.query.get("event", "").strip().casefold()
        owner = f"{self.settings.store_id}\n{word}\n".encode("utf-8", "surrogatepass")
        key = hashlib.sha256(owner + delivery.body).hexdigest()
        try:
            body = mapping(answers.decode(delivery.body))
            subject = None if word and word not in WORDS else _subject(word, body)
        except (ValueError, NotPreparedError):
            reason = "The body is not a readable product or category."
            return Normalised((), key, duplicate_for=NO_STAMP, reason=reason, is_readable=False)
        version, shop = moment(body.get("updated_at"), self._zone), identity(body.get("store_id"))
        lasts = NO_STAMP if version is None else None
        if subject is None or shop not in (None, self.settings.store_id):
            reason = "Neither the URL (`?event=`) nor the body says what happened."
            if word and word not in WORDS:
                reason = f"No rule can be about {word}."
            elif subject is not None:
                reason = f"The body is about the store {shop}, which is not this one."
            return Normalised((Event(EventType.UNKNOWN, word),), key, lasts, shop, reason)
        kind = WORDS.get(word)
        if kind is None or not word.startswith(f"{subject.kind}.") or parent_of(body):
            # what happened to a variant is an update of its product
            kind = EventType.PRODUCT_UPDATED if subject.kind is SubjectKind.PRODUCT else EventType.CATEGORY_UPDATED
        return Normalised((Event(kind, word, subject, version),), key, lasts, shop)

    def read(self, subjects: Sequence[SubjectRef]) -> tuple[Request, ...]:
        """Products fifty at a time; one category by itself, several by the list of all, which is a single call."""
        products: list[SubjectRef] = []
        categories: list[SubjectRef] = []
        requests: list[Request] = []
        for ref in dict.fromkeys(subjects):
            if ref.kind is SubjectKind.BRAND:
                raise NotPreparedError("Zid knows no brands, so none can be read.")
            if ref.id != ALL:
                answers.checked_id(ref.id, str(ref.kind))
                (products if ref.kind is SubjectKind.PRODUCT else categories).append(ref)
            elif ref.kind is SubjectKind.PRODUCT:
                requests.append(self._get(f"{PRODUCTS}?page=1&page_size={BATCH}", (ref,)))
            else:
                requests.append(self._get(CATEGORIES, (ref,)))
        if len(categories) == 1:
            requests.append(
                self._get(f"{CATEGORIES}/{answers.quoted_id(categories[0].id, 'category')}/view", categories)
            )
        elif categories:
            requests.append(self._get(CATEGORIES, categories))
        for batch in answers.batches(products, BATCH):
            ids = ",".join(answers.quoted_id(ref.id, "product") for ref in batch)
            path = f"{ids}/" if len(batch) == 1 else f"?id__in={ids}&page_size={BATCH}"
            requests.append(self._get(PRODUCTS + path, batch))
        return tuple(requests)

    def parse(self, request: Request, response: Response) -> Reading:
        """What the answer shows. For a variant its product is read. Missing: a 404, or absence from a full list."""
        asked = request.subjects
        is_single = len(asked) == 1 and asked[0].id != ALL
        if response.status == 404 and is_single:
            return Reading(missing=asked)
        if response.status == 404 and _page_number(request.url) > 1:
            return Reading()  # inferred: products went while we paged, and the list ends before this page
        if error := answers.error_of(self.TITLE, response):
            raise error
        answer = mapping(answers.decode_answer(self.TITLE, response))
        if asked[0].kind is SubjectKind.CATEGORY:
            return self._categories_shown(request, response, answer.get("categories"))
        if is_single:
            if identity(answer.get("id")) != asked[0].id:
                raise answers.unclear(self.TITLE, response, "not about the product that was asked for")
            parent = parent_of(answer)
            return (
                Reading(more=self.read([product(parent)])) if parent else Reading((product_seen(answer, self._zone),))
            )
        items, following = answer.get("results"), text(answer.get("next"))
        if not isinstance(items, list):
            raise answers.unclear(self.TITLE, response, "without a list of products")
        reading = self._products_shown(objects(items), is_all=asked[0].id == ALL)
        if asked[0].id == ALL:
            following_page, total = self._next_page(request, response, following), number(answer.get("count"))
            return Reading(reading.snapshots, more=(*reading.more, *following_page), total=int(total or 0) or None)
        shown = {product(id_) for item in objects(items) if (id_ := identity(item.get("id")))}
        absent = tuple(ref for ref in asked if ref not in shown)
        if following is None and len(shown) == len(items) == number(answer.get("count")):
            return Reading(reading.snapshots, missing=absent, more=reading.more)
        if len(absent) == len(asked):
            raise answers.unclear(self.TITLE, response, "with products that were not asked for")
        # an incomplete answer proves nothing about the rest
        return Reading(reading.snapshots, more=(*reading.more, *self.read(absent)))

    def prepare(self, actions: Sequence[Action]) -> tuple[Request, ...]:
        """One call for all the categories that a product enters; one to empty a category, or one for each product."""
        adds: dict[str, list[Action]] = {}
        removes: dict[str, list[Action]] = {}
        requests: list[Request] = []
        for action in actions:
            path = _path(action.product)
            if action.kind is ActionKind.ADD_TO_CATEGORY:
                adds.setdefault(path, []).append(action)
            elif action.kind is ActionKind.REMOVE_FROM_CATEGORY:
                removes.setdefault(action.target, []).append(action)
            elif action.kind in (ActionKind.SHOW, ActionKind.HIDE):
                requests.append(self._send("PATCH", path, {"is_published": action.kind is ActionKind.SHOW}, [action]))
            else:
                raise NotPreparedError("Zid knows no brands, so none can be assigned or unassigned.")
        entered = {action.target for group in adds.values() for action in group}
        for path, group in adds.items():
            requests += [self._add(path, batch) for batch in answers.batches(group, BATCH)]
        for target, group in removes.items():
            id_ = answers.quoted_id(target, "category")
            if target not in entered and all(action.is_whole for action in group):
                requests.append(self._send("DELETE", f"{CATEGORIES}/{id_}/products/delete", None, group))
                continue
            for action in group:
                requests.append(self._send("DELETE", f"{_path(action.product)}categories/{id_}/", None, [action]))
        return tuple(requests)

    def interpret(self, request: Request, response: Response) -> Interpretation:
        """One verdict for all actions of the call, by the status alone: Zid's messages may be Arabic.

        What the whole-category call answers proves nothing (Zid's documentation: `products_count` may still be the
        old one), nor does a 404, which may mean a membership, a product or a category that is not there.
        """
        return answers.for_all(request, self._verdict(request, response))

    def _add(self, path: str, actions: Sequence[Action]) -> Request:
        """The call that adds one product to the categories of the actions."""
        ids = list(dict.fromkeys(_category_number(action.target) for action in actions))
        if len(ids) == 1:
            return self._send("POST", f"{path}categories/", {"id": ids[0]}, actions)
        return self._send("PATCH", f"{path}categories/bulk-add/", {"ids": ids}, actions)

    def _verdict(self, request: Request, response: Response) -> Verdict:
        products = dict.fromkeys(product(action.product) for action in request.actions)
        targets = dict.fromkeys(category(action.target) for action in request.actions if action.target)
        if response.status == 404:
            return LookAgain(
                "Zid answered 404: what the call names may be gone, or done already.",
                (*([category(ALL)] if targets else []), *products),
            )
        if error := answers.error_of(self.TITLE, response):
            return error
        if request.method == "DELETE" and request.url.endswith("/products/delete"):
            return LookAgain("Zid's answer does not show that the category is empty.", (*targets, *products))
        try:
            answer = mapping(answers.decode(response.body)) if response.body.strip() else {}
            is_refused = bool(answer.get("error")) or answer.get("status") == "error"
        except ValueError:
            is_refused = True  # a page, as of a proxy or a login
        return (
            LookAgain("Zid answered with an error inside a success.", (*targets, *products)) if is_refused else Done()
        )

    def _products_shown(self, items: Sequence[dict[str, object]], *, is_all: bool) -> Reading:
        """The products of a list, and the reads of those that the list shows only in part."""
        snapshots: list[Snapshot] = []
        unseen: list[SubjectRef] = []
        for item in items:
            id_, parent = identity(item.get("id")), parent_of(item)
            if id_ is None:
                continue
            if parent:
                unseen += [] if is_all else [product(parent)]  # among all products is its parent, too
            elif lacks_variants(item):
                unseen.append(product(id_))  # inferred: lists may leave out the variants, which hold the stock
            else:
                snapshots.append(product_seen(item, self._zone))
        known = {snapshot.ref for snapshot in snapshots}
        # one by one: a list would leave out the variants once more
        more = [request for ref in dict.fromkeys(unseen) if ref not in known for request in self.read([ref])]
        return Reading(tuple(snapshots), more=tuple(more))

    def _next_page(self, request: Request, response: Response, following: str | None) -> tuple[Request, ...]:
        """The request for the next page. `next` is absolute and http (Zid's documentation): only its query is used."""
        if following is None:
            return ()
        if _page_number(following) <= _page_number(request.url):
            raise answers.unclear(self.TITLE, response, "with a next page that does not lead on")
        return (self._get(f"{PRODUCTS}?{urlsplit(following).query}", request.subjects),)

    def _categories_shown(self, request: Request, response: Response, found: object) -> Reading:
        """One category of a view, or all of the tree; those asked for that the tree lacks are read by themselves."""
        is_tree = isinstance(found, list)
        snapshots = categories_seen(objects(found) if is_tree else [mapping(found)])
        if request.subjects == (category(ALL),):
            if not is_tree:
                raise answers.unclear(self.TITLE, response, "without a list of categories")
            return Reading(snapshots)
        shown = tuple(snapshot for snapshot in snapshots if snapshot.ref in request.subjects)
        absent = [ref for ref in request.subjects if ref not in {snapshot.ref for snapshot in shown}]
        if absent and len(request.subjects) == 1:
            raise answers.unclear(self.TITLE, response, "not about the category that was asked for")
        return Reading(shown, more=tuple(one for ref in absent for one in self.read([ref])))

    @property
    def _zone(self) -> tzinfo:
        try:
            return ZoneInfo(self.settings.time_zone)
        except (KeyError, ValueError, OSError):
            return UTC

    def _get(self, path: str, subjects: Sequence[SubjectRef]) -> Request:
        return answers.get(self.base_url + path, self._headers, subjects)

    def _send(self, method: str, path: str, body: object, actions: Sequence[Action]) -> Request:
        return answers.send(method, self.base_url + path, self._headers, body, actions)

    @property
    def _headers(self) -> dict[str, str]:
        """Zid's documentation: the store's token is `X-Manager-Token` for some paths and `Access-Token` for others."""
        token = self.settings.manager_token.strip()
        return {
            "Authorization": f"Bearer {self.settings.authorization.strip().removeprefix('Bearer ')}",
            "X-Manager-Token": token,
            "Access-Token": token,
            "Store-Id": self.settings.store_id,
            "Role": "Manager",
            "Accept-Language": "en",
        }


def _subject(word: str, body: dict[str, object]) -> SubjectRef | None:
    """What the body is about, or None if nothing tells. Raises `ValueError`, `NotPreparedError` without a usable id."""
    id_ = identity(body.get("id"))
    if id_ is None:
        raise ValueError("no id")
    kinds = [kind for kind, marks in MARKS.items() if marks & body.keys()]
    if len(kinds) != 1:
        kinds = [kind for kind in MARKS if word.startswith(f"{kind}.")]
    if not kinds:
        return None
    subject = SubjectRef(kinds[0], parent_of(body) or id_ if kinds[0] is SubjectKind.PRODUCT else id_)
    answers.checked_id(subject.id, str(subject.kind))
    return subject


def _page_number(url: str) -> int | float:
    try:
        return number((parse_qs(urlsplit(url).query).get("page") or ["1"])[0]) or 0
    except ValueError:  # no URL at all
        return 0


def _path(product_id: str) -> str:
    return f"{PRODUCTS}{answers.quoted_id(product_id, 'product')}/"


def _category_number(id_: str) -> int | str:
    """Zid's documentation: the id of a category is a number in calls, and text inside products."""
    answers.checked_id(id_, "category")
    return int(id_) if id_.isascii() and id_.isdigit() and len(id_) <= 18 and str(int(id_)) == id_ else id_
