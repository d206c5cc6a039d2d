"""Webhooks as https://www.standardwebhooks.com describes them: signed, verified, and read as events about products."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from standardwebhooks import Webhook

from rules_engine.core.delivery import Delivery, Event, EventType, Normalised
from rules_engine.core.errors import SettingsError, SignatureError
from rules_engine.core.subject import Snapshot

from .answers import decode

TOLERANCE = timedelta(minutes=5)
"""How far a delivery's time may be from ours. The reference implementation: five minutes, both ways."""

ID, TIMESTAMP, SIGNATURE = "webhook-id", "webhook-timestamp", "webhook-signature"

HEADERS_TO_KEEP = frozenset({ID, TIMESTAMP})
"""What `normalise` needs of the headers: the delivery's id, stable over retries, and its time."""

EVENT_TYPES: Mapping[str, EventType] = {
    "product.created": EventType.PRODUCT_CREATED,
    "product.updated": EventType.PRODUCT_UPDATED,
    "product.deleted": EventType.PRODUCT_DELETED,
}
"""The types of payload that are used; neither Zave nor Axim documents its own, so these are ours to ask for."""


def sign(secret: str, *, message_id: str, sent_at: datetime, body: bytes) -> dict[str, str]:
    """The three headers of a signed delivery, with names in lower case, as the reference implementation signs it.

    `body` is UTF-8, `sent_at` aware. Raises `SettingsError` for a secret that is not base64 after `whsec_`.
    """
    key = _key(secret)
    if key is None:
        raise SettingsError("A webhook secret is base64 (after whsec_), and this one is not: generate a new one.")
    at = sent_at.astimezone(UTC)  # the library drops the zone instead of converting it
    signature = Webhook(key).sign(message_id, at, body.decode())
    return {ID: message_id, TIMESTAMP: str(int(at.timestamp())), SIGNATURE: signature}


def verify(delivery: Delivery, secrets: Sequence[str]) -> None:
    """Raise `SignatureError` unless one of `secrets` signed the delivery within `TOLERANCE` of `received_at`.

    The library's own `verify` reads the clock and raises `ValueError` for a malformed item, so this is written out:
    HMAC-SHA256 over `{id}.{timestamp}.{body}`; of the items in `webhook-signature`, separated by blanks, those that
    are malformed or of another version than `v1` are skipped, and any match will do. Every secret is compared with
    every item, in constant time, so that the time tells nothing about either.
    """
    absent = [name for name in (ID, TIMESTAMP, SIGNATURE) if not delivery.headers.get(name, "").strip()]
    if absent:
        raise SignatureError(f"The delivery is not signed: it has no {', '.join(absent)}.")
    stamp = delivery.headers[TIMESTAMP].strip()
    at = _time(stamp)
    if at is None:
        raise SignatureError(f"{TIMESTAMP} is not a time in unix seconds.")
    if abs(delivery.received_at - at) > TOLERANCE:
        raise SignatureError(f"The delivery was signed at {at.isoformat()}, more than five minutes from now.")
    try:
        signed = f"{delivery.headers[ID].strip()}.{stamp}.".encode() + delivery.body
    except UnicodeEncodeError as error:
        raise SignatureError(f"{ID} is not text.") from error
    keys = [key for key in map(_key, secrets) if key is not None]
    if not keys:
        raise SignatureError("The store has no webhook secret that is base64 (after whsec_): nothing can be verified.")
    given = list(_signatures(delivery.headers[SIGNATURE]))
    matched = False
    for key in keys:
        expected = hmac.digest(key, signed, hashlib.sha256)
        for candidate in given:
            matched |= hmac.compare_digest(expected, candidate)
    if not matched:
        raise SignatureError("The delivery is not signed with any of the store's webhook secrets.")


def normalise(delivery: Delivery, look: Callable[[Mapping[str, object]], Snapshot | str]) -> Normalised:
    """The payload `{type, timestamp, data}` as one event about the product in `data`; never raises.

    `look` gives the product in `data`, or the reason in a sentence why it is none of ours. The version is the shop's
    own time of the product, or else the delivery's. A deletion is later than the last change that its `data` shows,
    so its version is the later of the two; else a late delivery of that change would bring the product back.
    """
    duplicate_key = delivery.headers.get(ID, "").strip() or hashlib.sha256(delivery.body).hexdigest()
    try:
        message = decode(delivery.body)
    except ValueError as error:
        return Normalised((), duplicate_key, reason=f"The body is not JSON: {error}.", is_readable=False)
    if not isinstance(message, dict):
        return Normalised((), duplicate_key, reason="The body is JSON, but no object.", is_readable=False)
    word = message.get("type")
    vendor_type = word.strip()[:200] if isinstance(word, str) else ""
    type_ = EVENT_TYPES.get(vendor_type)
    if type_ is None:
        return _ignored(vendor_type, duplicate_key, "The type of the delivery is not one that is used.")
    found = look(data) if isinstance(data := message.get("data"), dict) else "The delivery carries no product in data."
    if isinstance(found, str):
        return _ignored(vendor_type, duplicate_key, found)
    at = _time(delivery.headers.get(TIMESTAMP, "").strip())
    if type_ is EventType.PRODUCT_DELETED:
        version = max((time for time in (found.version, at) if time), default=None)
        return Normalised((Event(type_, vendor_type, found.ref, version),), duplicate_key)
    version = found.version or at
    seen = Snapshot(found.ref, found.fields, version)
    return Normalised((Event(type_, vendor_type, found.ref, version, seen),), duplicate_key)


def _ignored(vendor_type: str, duplicate_key: str, reason: str) -> Normalised:
    return Normalised((Event(EventType.UNKNOWN, vendor_type),), duplicate_key, reason=reason)


def _key(secret: str) -> bytes | None:
    """The key of a secret, or None for one that is blank or not base64: an empty key would let anyone sign."""
    text = secret.strip().removeprefix("whsec_")
    return _octets(text.rstrip("=") + "=" * (-len(text.rstrip("=")) % 4)) or None


def _signatures(header: str) -> list[bytes]:
    parts = (item.partition(",") for item in header.split())
    found = (_octets(signature) for version, _, signature in parts if version == "v1")
    return [signature for signature in found if signature]


def _octets(text: str) -> bytes:
    """What base64 stands for; empty for what is not base64."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):  # ValueError: text beyond ASCII
        return b""


def _time(stamp: str) -> datetime | None:
    """Unix seconds as aware UTC, or None. Python's `int` and `float` also take `1_0`, `٣` and `nan`, so not those."""
    if not (stamp.isascii() and stamp.isdigit() and len(stamp) <= 11):
        return None
    return datetime.fromtimestamp(int(stamp), UTC)
