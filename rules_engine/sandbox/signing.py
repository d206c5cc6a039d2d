"""How each shop proves that a delivery comes from it."""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import UTC, datetime

from standardwebhooks import Webhook


def ecwid_signature(client_secret: str, *, event_created: int, event_id: str) -> str:
    """The value of `X-Ecwid-Webhook-Signature`.

    Ecwid's documentation: base64 of HMAC-SHA256 with the app's client_secret over `eventCreated.eventId`; nothing else
    of the body is signed.
    """
    message = f"{event_created}.{event_id}".encode()
    return base64.b64encode(hmac.new(client_secret.encode(), message, hashlib.sha256).digest()).decode()


def basic(username: str, password: str) -> str:
    """The value of `Authorization` by HTTP Basic, which Zid sends when a subscription names a user and a password."""
    return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()


def standard_headers(secret: str, *, id_: str, at: datetime, body: bytes) -> dict[str, str]:
    """The three headers of Standard Webhooks for a body sent at `at` (aware), signed by the reference library."""
    at = at.astimezone(UTC)
    return {
        "webhook-id": id_,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": Webhook(secret).sign(msg_id=id_, timestamp=at, data=body.decode()),
    }
