"""Deliveries signed by Standard Webhooks."""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook

from rules_engine.core.delivery import Delivery, DeliveryId, EventType, StoreAlias
from rules_engine.core.errors import SettingsError, SignatureError
from rules_engine.core.subject import Snapshot, product
from rules_engine.vendors.standard_webhooks import normalise, sign, verify

# The vector of the reference implementation.
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
BODY = b'{"test": 2432232314}'
AT = datetime.fromtimestamp(1614265330, UTC)
HEADERS = {
    "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
    "webhook-timestamp": "1614265330",
    "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
}
OTHER = "whsec_" + base64.b64encode(b"another key of the store").decode()


def delivery(headers: Mapping[str, str] = HEADERS, body: bytes = BODY, at: datetime = AT) -> Delivery:
    return Delivery(DeliveryId("d-1"), StoreAlias("b2b"), at, body, headers)


def message(type_: object, content: object, headers: Mapping[str, str] = HEADERS) -> Delivery:
    return delivery(headers, json.dumps({"type": type_, "timestamp": "2021-02-25T15:02:10Z", "data": content}).encode())


def look(body: Mapping[str, object]) -> Snapshot | str:
    if "id" not in body:
        return "No id."
    updated = datetime.fromisoformat(str(body["updated"])) if "updated" in body else None
    return Snapshot(product(str(body["id"])), {"id": str(body["id"])}, updated)


def test_the_reference_implementations_vector_is_verified() -> None:
    verify(delivery(), [SECRET])


def test_the_reference_implementations_vector_is_signed() -> None:
    east = AT.astimezone(timezone(timedelta(hours=3)))
    assert sign(SECRET, message_id=HEADERS["webhook-id"], sent_at=east, body=BODY) == HEADERS


@given(
    st.text(min_size=1).map(str.encode), st.binary(min_size=1), st.from_regex(r"[a-zA-Z0-9_-]{1,40}", fullmatch=True)
)
def test_what_is_signed_is_verified_here_and_by_the_reference(body: bytes, key: bytes, message_id: str) -> None:
    secret = "whsec_" + base64.b64encode(key).decode()
    headers = sign(secret, message_id=message_id, sent_at=AT, body=body)
    verify(delivery(headers, body), [secret])
    assert headers["webhook-signature"] == Webhook(secret).sign(message_id, AT, body.decode())


def test_any_secret_and_any_item_will_do() -> None:
    both = f"v1,AAAA {HEADERS['webhook-signature']} v1,BBBB"
    verify(delivery({**HEADERS, "webhook-signature": both}), [OTHER, SECRET])


def test_a_secret_may_lack_its_prefix_and_its_padding() -> None:
    secret = base64.b64encode(b"ten bytes!").decode()
    headers = sign(secret, message_id="m", sent_at=AT, body=BODY)
    verify(delivery(headers), ["whsec_" + secret.rstrip("=")])


@pytest.mark.parametrize(
    "item", ["v1", "v1,", ",", "", "v2,AAAA", "v1a,AAAA", "v1,%%%", "v1,é", "v1,A", "v1,AAAA,BBBB", "v1 ,AAAA", "\x00"]
)
def test_a_malformed_item_is_skipped(item: str) -> None:
    good = HEADERS["webhook-signature"]
    verify(delivery({**HEADERS, "webhook-signature": f"{item} {good}"}), [SECRET])
    with pytest.raises(SignatureError):
        verify(delivery({**HEADERS, "webhook-signature": item}), [SECRET])


@pytest.mark.parametrize("version", ["v2", "v1a", "V1", ""])
def test_a_signature_of_another_version_does_not_count(version: str) -> None:
    signature = HEADERS["webhook-signature"].replace("v1", version)
    with pytest.raises(SignatureError):
        verify(delivery({**HEADERS, "webhook-signature": signature}), [SECRET])


@pytest.mark.parametrize("name", HEADERS)
def test_each_header_is_needed_and_signed(name: str) -> None:
    with pytest.raises(SignatureError, match=name):
        verify(delivery({key: value for key, value in HEADERS.items() if key != name}), [SECRET])
    changed = {"webhook-id": "msg_other", "webhook-timestamp": "1614265331", "webhook-signature": "v1,AAAA"}[name]
    with pytest.raises(SignatureError):
        verify(delivery({**HEADERS, name: changed}), [SECRET])


def test_every_byte_of_the_body_is_signed() -> None:
    with pytest.raises(SignatureError):
        verify(delivery(body=BODY + b" "), [SECRET])


@pytest.mark.parametrize(("seconds", "is_fresh"), [(300, True), (-300, True), (301, False), (-301, False)])
def test_a_delivery_is_fresh_for_five_minutes_both_ways(seconds: int, *, is_fresh: bool) -> None:
    late = delivery(at=AT + timedelta(seconds=seconds))
    if is_fresh:
        verify(late, [SECRET])
    else:
        with pytest.raises(SignatureError, match="five minutes"):
            verify(late, [SECRET])


@pytest.mark.parametrize("stamp", ["soon", "nan", "1_614_265_330", "١٦١٤٢٦٥٣٣٠", "-1", "1614265330.0", "9" * 4000])
def test_a_time_that_is_none_is_refused(stamp: str) -> None:
    with pytest.raises(SignatureError, match="unix seconds"):
        verify(delivery({**HEADERS, "webhook-timestamp": stamp}), [SECRET])


@pytest.mark.parametrize("secret", ["", " ", "whsec_", "whsec_====", "not base64 at all", "ключ"])
def test_a_secret_that_is_no_key_lets_nobody_in(secret: str) -> None:
    signed = f"{HEADERS['webhook-id']}.{HEADERS['webhook-timestamp']}.".encode() + BODY
    forged = base64.b64encode(hmac.digest(b"\x00", signed, "sha256")).decode()
    with pytest.raises(SignatureError, match="no webhook secret"):
        verify(delivery({**HEADERS, "webhook-signature": f"v1,{forged}"}), [secret])
    with pytest.raises(SettingsError):
        sign(secret, message_id="m", sent_at=AT, body=BODY)


def test_an_update_carries_its_product_and_the_shops_own_time() -> None:
    said = normalise(message("product.updated", {"id": 7, "updated": "2021-02-25T15:00:00+00:00"}), look)
    (event,) = said.events
    assert (event.type, event.subject) == (EventType.PRODUCT_UPDATED, product("7"))
    assert event.version == datetime(2021, 2, 25, 15, tzinfo=UTC)
    assert event.snapshot == Snapshot(product("7"), {"id": "7"}, event.version)
    assert said.duplicate_key == HEADERS["webhook-id"]
    assert said.duplicate_for is None


def test_without_the_shops_time_the_deliverys_is_the_version() -> None:
    (event,) = normalise(message("product.created", {"id": 7}), look).events
    assert event.type is EventType.PRODUCT_CREATED
    assert event.version == AT
    assert event.snapshot
    assert event.snapshot.version == AT


def test_a_deletion_is_later_than_the_last_change_and_shows_nothing() -> None:
    (event,) = normalise(message("product.deleted", {"id": 7, "updated": "2021-02-25T15:00:00+00:00"}), look).events
    assert (event.type, event.subject) == (EventType.PRODUCT_DELETED, product("7"))
    assert event.version == AT
    assert event.snapshot is None


@pytest.mark.parametrize("type_", ["order.created", "product", "", None, 5, ["product.updated"]])
def test_a_type_that_is_not_ours_is_unknown(type_: object) -> None:
    said = normalise(message(type_, {"id": 7}), look)
    assert [event.type for event in said.events] == [EventType.UNKNOWN]
    assert said.is_readable


@pytest.mark.parametrize("content", [None, [], "7", {}, {"sku": "A"}])
def test_a_delivery_without_a_product_is_ignored_with_a_reason(content: object) -> None:
    said = normalise(message("product.updated", content), look)
    assert [event.type for event in said.events] == [EventType.UNKNOWN]
    assert said.reason


@pytest.mark.parametrize("body", [b"", b"\xff", b"[]", b"null", b"{", b'{"a": NaN}', b"[" * 5000])
def test_a_body_that_is_no_message_is_unreadable(body: bytes) -> None:
    said = normalise(delivery({}, body), look)
    assert not said.is_readable
    assert said.events == ()
    assert said.reason
    assert said.duplicate_key
