"""Zid's webhooks: only who knows the password is taken, and anything becomes our words."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from rules_engine.core.delivery import Delivery, DeliveryId, Event, EventType, StoreAlias
from rules_engine.core.errors import SignatureError
from rules_engine.core.subject import SubjectRef, category, product
from rules_engine.vendors.zid import Zid, ZidStore

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
KEYS = {"vendor": "zid", "store_id": "37213", "authorization": "a", "manager_token": "m"}
STORE = ZidStore.model_validate({**KEYS, "webhook_username": "engine", "webhook_password": ["new", "old"]})
GUARDED_BY_QUERY = ZidStore.model_validate({**KEYS, "webhook_token": "t-1", "allow_query_token": True})
ZID = Zid(STORE)
SHIRT = {
    "id": "p-1",
    "store_id": "37213",
    "sku": "Z-1",
    "structure": "standalone",
    "updated_at": "2026-03-01T11:59:00Z",
}
SUMMER = {"id": 540, "names": {"en": "Summer"}, "sub_categories": []}


def delivery(
    body: object = None, headers: Mapping[str, str] | None = None, query: Mapping[str, str] | None = None
) -> Delivery:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Delivery(DeliveryId("d"), StoreAlias("ksa"), NOW, raw, headers or {}, query or {})


def basic(credentials: str, scheme: str = "Basic") -> dict[str, str]:
    return {"authorization": f"{scheme} {base64.b64encode(credentials.encode()).decode()}"}


def said(body: object, event: str | None = None) -> Event:
    normalised = ZID.normalise(delivery(body, query={} if event is None else {"event": event}))
    assert normalised.is_readable
    [one] = normalised.events
    assert bool(normalised.reason) is (one.type is EventType.UNKNOWN)
    return one


# verify


@pytest.mark.parametrize("headers", [basic("engine:new"), basic("engine:old"), basic("engine:new", "basic")])
def test_each_password_opens(headers: Mapping[str, str]) -> None:
    ZID.verify(delivery(headers=headers), STORE.webhook_secrets)


@pytest.mark.parametrize(
    "headers",
    [{}, basic("engine:"), basic("engine:wrong"), basic("other:new"), basic("new"), basic("engine:new", "Bearer"),
     {"authorization": ""}, {"authorization": "Basic"}, {"authorization": "Basic !"},
     {"authorization": "Basic é\ud800"}, {"authorization": "engine:new"}],
)  # fmt: skip
def test_a_wrong_password_is_refused(headers: Mapping[str, str]) -> None:
    with pytest.raises(SignatureError):
        ZID.verify(delivery(headers=headers), STORE.webhook_secrets)


def test_a_token_in_the_query_needs_a_word_of_its_own() -> None:
    shown = delivery(query={"token": "t-1"})
    Zid(GUARDED_BY_QUERY).verify(shown, GUARDED_BY_QUERY.webhook_secrets)
    for wrong in ("", " ", "t-2", "\ud800"):
        with pytest.raises(SignatureError):
            Zid(GUARDED_BY_QUERY).verify(delivery(query={"token": wrong}), GUARDED_BY_QUERY.webhook_secrets)
    with pytest.raises(SignatureError):
        ZID.verify(shown, ("Token t-1",))
    assert STORE.model_copy(update={"webhook_token": ("t-1",)}).webhook_secrets == STORE.webhook_secrets


def test_a_token_does_not_pass_as_a_password() -> None:
    with pytest.raises(SignatureError):
        Zid(GUARDED_BY_QUERY).verify(delivery(headers=basic("t-1")), GUARDED_BY_QUERY.webhook_secrets)


@pytest.mark.parametrize("keys", [{}, {"webhook_token": "t"}, {"allow_query_token": True}])
def test_a_store_without_a_guard_is_refused(keys: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match="webhook_password"):
        ZidStore.model_validate({**KEYS, **keys})


def test_an_unset_password_opens_nothing() -> None:
    store = ZidStore.model_validate({**KEYS, "webhook_username": "engine", "webhook_password": ""})
    with pytest.raises(SignatureError):
        Zid(store).verify(delivery(headers=basic("engine:")), store.webhook_secrets)


@given(st.dictionaries(st.just("authorization"), st.text() | st.text().map("Basic ".__add__)),
       st.dictionaries(st.sampled_from(["token", "event"]), st.text()), st.binary())  # fmt: skip
def test_whoever_has_no_password_is_refused_in_one_way(
    headers: dict[str, str], query: dict[str, str], body: bytes
) -> None:
    for zid in (ZID, Zid(GUARDED_BY_QUERY)):
        with pytest.raises(SignatureError):
            zid.verify(delivery(body, headers, query), zid.settings.webhook_secrets)


# normalise


@pytest.mark.parametrize(
    ("event", "kind"),
    [
        ("product.create", EventType.PRODUCT_CREATED),
        ("product.update", EventType.PRODUCT_UPDATED),
        ("product.publish", EventType.PRODUCT_UPDATED),
        ("product.delete", EventType.PRODUCT_DELETED),
        ("category.create", EventType.CATEGORY_CREATED),
        ("category.update", EventType.CATEGORY_UPDATED),
        ("category.delete", EventType.CATEGORY_DELETED),
    ],
)
def test_every_word_becomes_ours(event: str, kind: EventType) -> None:
    subject = product("p-1") if event.startswith("product") else category("540")
    for body in (SHIRT if event.startswith("product") else SUMMER, {"id": subject.id}):
        one = said(body, event)
        assert (one.type, one.vendor_type, one.subject, one.snapshot) == (kind, event, subject, None)


@pytest.mark.parametrize(
    ("body", "event", "kind", "subject"),
    [
        (SHIRT, None, EventType.PRODUCT_UPDATED, product("p-1")),
        (SHIRT, "", EventType.PRODUCT_UPDATED, product("p-1")),
        (SHIRT, "category.delete", EventType.PRODUCT_UPDATED, product("p-1")),
        (SUMMER, None, EventType.CATEGORY_UPDATED, category("540")),
        (SUMMER, "product.delete", EventType.CATEGORY_UPDATED, category("540")),
        ({"id": 1}, None, EventType.UNKNOWN, None),
        ({"id": 1, "sku": "a", "names": {}}, None, EventType.UNKNOWN, None),
        (SHIRT, "order.create", EventType.UNKNOWN, None),
        ({"order": 1}, "order.create", EventType.UNKNOWN, None),
        ({**SHIRT, "store_id": 99}, "product.update", EventType.UNKNOWN, None),
    ],
)
def test_the_body_says_what_the_url_does_not(
    body: object, event: str | None, kind: EventType, subject: SubjectRef | None
) -> None:
    one = said(body, event)
    assert (one.type, one.subject) == (kind, subject)


@pytest.mark.parametrize("event", ["product.create", "product.update", "product.delete", None])
def test_what_happens_to_a_variant_updates_its_product(event: str | None) -> None:
    one = said({**SHIRT, "structure": "child", "parent_id": "p-0"}, event)
    assert (one.type, one.subject) == (EventType.PRODUCT_UPDATED, product("p-0"))


def test_the_version_is_the_time_of_the_state() -> None:
    assert said(SHIRT).version == datetime(2026, 3, 1, 11, 59, tzinfo=UTC)
    riyadh = Zid(STORE.model_copy(update={"time_zone": "Asia/Riyadh"}))
    [event] = riyadh.normalise(delivery({**SHIRT, "updated_at": "2026-03-01 14:59:00"})).events
    assert event.version == datetime(2026, 3, 1, 11, 59, tzinfo=UTC)


def test_the_same_delivery_has_the_same_key() -> None:
    query = {"event": "product.update"}
    first = ZID.normalise(delivery(SHIRT, query=query))
    assert (first.duplicate_for, first.shop_id) == (None, "37213")
    others = [
        ZID.normalise(delivery({**SHIRT, "sku": "Z-2"}, query=query)),
        ZID.normalise(delivery(SHIRT, query={"event": "product.publish"})),
        Zid(STORE.model_copy(update={"store_id": "1"})).normalise(delivery(SHIRT, query=query)),
    ]
    assert ZID.normalise(delivery(SHIRT, query=query | {"token": "x"})).duplicate_key == first.duplicate_key
    assert len({first.duplicate_key, *(other.duplicate_key for other in others)}) == 4


@pytest.mark.parametrize("updated_at", [None, "", "soon"])
def test_a_body_without_a_time_is_a_duplicate_for_a_minute_only(updated_at: object) -> None:
    normalised = ZID.normalise(delivery({**SHIRT, "updated_at": updated_at}, query={"event": "product.update"}))
    assert normalised.duplicate_for == timedelta(seconds=60)


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"<a>", {}, {"id": None}, {"id": "a/b", "sku": ""}, {"id": "*", "sku": 1}]
)
def test_an_unreadable_body_says_so(body: object) -> None:
    normalised = ZID.normalise(delivery(body, query={"event": "product.update"}))
    assert (normalised.events, normalised.is_readable) == ((), False)
    assert normalised.reason


@given(
    body=st.binary(max_size=40)
    | st.dictionaries(
        st.sampled_from([*SHIRT, *SUMMER, "parent_id"]), st.none() | st.integers() | st.text() | st.just("child")
    ),
    query=st.dictionaries(st.just("event"), st.text() | st.just("product.update")),
    zone=st.text(max_size=10),
)
def test_any_delivery_is_normalised(body: object, query: dict[str, str], zone: str) -> None:
    zid = Zid(STORE.model_copy(update={"time_zone": zone}))
    assert len(zid.normalise(delivery(body, query=query)).duplicate_key) == 64
