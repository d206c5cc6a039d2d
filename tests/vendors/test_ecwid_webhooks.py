"""Ecwid's webhooks: only what its secret signed is taken, and anything becomes our words."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules_engine.core.delivery import Delivery, DeliveryId, EventType, StoreAlias
from rules_engine.core.errors import SignatureError
from rules_engine.core.subject import SubjectRef, category, product
from rules_engine.vendors.ecwid import SIGNATURE, Ecwid, EcwidStore, sign

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
CREATED = int(NOW.timestamp())
STORE = EcwidStore(vendor="ecwid", store_id="1003", token="secret_web", client_secret=("new", "old"))
ECWID = Ecwid(STORE)


def delivery(body: object, headers: Mapping[str, str] | None = None) -> Delivery:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Delivery(DeliveryId("d"), StoreAlias("web"), NOW, raw, headers or {})


def webhook(**changes: object) -> dict[str, object]:
    body = {"eventId": "e-1", "eventCreated": CREATED, "storeId": 1003, "entityId": 1, "eventType": "product.updated"}
    return body | changes


def signed(secret: str = "new", **changes: object) -> Delivery:
    body: dict[str, Any] = webhook(**changes)
    return delivery(body, {SIGNATURE: sign(secret, body["eventCreated"], body["eventId"])})


# verify


@pytest.mark.parametrize("secret", ["new", "old"])
def test_each_secret_signs(secret: str) -> None:
    ECWID.verify(signed(secret), STORE.webhook_secrets)


def test_the_signature_is_what_openssl_makes_of_it() -> None:
    assert sign("client_secret", 1234567, "abc") == "hyhkbso07ZF4DNaozh77BSXToyt38ugWiYtD0HcbimM="


@pytest.mark.parametrize("seconds", [-300, 0, 25 * 3600])
def test_a_delivery_is_fresh_for_a_day_and_an_hour(seconds: int) -> None:
    ECWID.verify(signed(eventCreated=CREATED - seconds), STORE.webhook_secrets)


@pytest.mark.parametrize("seconds", [-301, 25 * 3600 + 1, 10**400, -(10**400)])
def test_a_stale_delivery_is_refused(seconds: int) -> None:
    with pytest.raises(SignatureError, match="too old"):
        ECWID.verify(signed(eventCreated=CREATED - seconds), STORE.webhook_secrets)


@pytest.mark.parametrize(
    "forged",
    [
        signed("other"),
        delivery(webhook()),
        delivery(webhook(), {SIGNATURE: ""}),
        delivery(webhook(), {SIGNATURE: "é\ud800"}),
        delivery(webhook(eventId="e-2"), signed().headers),
        delivery(webhook(eventCreated=CREATED + 1), signed().headers),
        delivery(webhook(eventCreated=str(CREATED)), signed().headers),
        delivery(webhook(eventCreated=True), signed().headers),
        delivery(webhook(eventId=None), signed().headers),
        delivery([], signed().headers),
        delivery(b"{", signed().headers),
    ],
)
def test_a_forged_delivery_is_refused(forged: Delivery) -> None:
    with pytest.raises(SignatureError):
        ECWID.verify(forged, STORE.webhook_secrets)


def test_a_blank_secret_signs_nothing() -> None:
    with pytest.raises(SignatureError):
        ECWID.verify(signed(""), ["", " "])
    assert EcwidStore(vendor="ecwid", store_id="1", token="t", client_secret=("",)).webhook_secrets == ()


@given(
    body=st.binary(max_size=60) | st.dictionaries(st.sampled_from(sorted(webhook())), st.integers() | st.text()),
    headers=st.dictionaries(st.just(SIGNATURE), st.text()),
)
def test_whatever_is_not_signed_is_refused_in_one_way(body: object, headers: dict[str, str]) -> None:
    with pytest.raises(SignatureError):
        ECWID.verify(delivery(body, headers), STORE.webhook_secrets)


# normalise


@pytest.mark.parametrize(
    ("word", "kind", "subject"),
    [
        ("product.created", EventType.PRODUCT_CREATED, product("1")),
        ("product.updated", EventType.PRODUCT_UPDATED, product("1")),
        ("product.deleted", EventType.PRODUCT_DELETED, product("1")),
        ("category.created", EventType.CATEGORY_CREATED, category("1")),
        ("category.updated", EventType.CATEGORY_UPDATED, category("1")),
        ("category.deleted", EventType.CATEGORY_DELETED, category("1")),
        ("order.created", EventType.UNKNOWN, None),
        ("application.installed", EventType.UNKNOWN, None),
    ],
)
def test_every_word_becomes_ours(word: str, kind: EventType, subject: SubjectRef | None) -> None:
    normalised = ECWID.normalise(delivery(webhook(eventType=word)))
    [event] = normalised.events
    assert (event.type, event.vendor_type, event.subject, event.snapshot) == (kind, word, subject, None)
    assert (normalised.duplicate_key, normalised.shop_id, normalised.duplicate_for) == ("e-1", "1003", None)
    assert normalised.is_readable
    assert bool(normalised.reason) is (subject is None)


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"<a>", webhook(entityId=None), webhook(entityId="../x"), webhook(storeId=None), webhook(eventType=7)],
)
def test_an_unreadable_body_says_so(body: object) -> None:
    normalised = ECWID.normalise(delivery(body))
    assert (normalised.events, normalised.is_readable) == ((), False)
    assert normalised.reason
    assert normalised.duplicate_key


@given(st.binary(max_size=60) | st.dictionaries(st.sampled_from(sorted(webhook())), st.integers() | st.text()))
def test_any_body_is_normalised(body: object) -> None:
    assert ECWID.normalise(delivery(body)).duplicate_key
