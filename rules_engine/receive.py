"""RECEIVE: an HTTP request becomes a genuine, de-duplicated, durable delivery in the inbox; then it is answered."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from rules_engine.core.delivery import Delivery, DeliveryId, EventType, Normalised, StoreAlias
from rules_engine.core.errors import DatabaseError, DeliveryError, SignatureError
from rules_engine.core.store import Store
from rules_engine.database.inbox import Accepted, Arrival, DeliveryState, Inbox
from rules_engine.metrics import Metrics
from rules_engine.vendors import VENDORS
from rules_engine.vendors.base import Vendor

log = structlog.stdlib.get_logger(__name__)

LARGEST = 1024 * 1024
"""Bytes of a body: shops send some kilobytes."""
PATIENCE = 10.0
"""Seconds that a request may take to arrive."""
RETRY_AFTER = "30"
"""Seconds after which a shop may try again what could not be taken now."""
QUERY_TO_KEEP = frozenset({"event", "eventtype", "eventType"})
"""What is stored of a query: where shops name the event. Anything else may be a token."""


@dataclass(frozen=True, slots=True)
class Door:
    """One configured store and the adapter of its shop."""

    store: Store
    vendor: Vendor[Any]  # Any: each vendor has settings of its own

    @property
    def alias(self) -> StoreAlias:
        """The store's name in the URL."""
        return self.store.alias


class Doors:
    """The configured stores, by alias, with the shops that share one URL found by the secret that signed."""

    def __init__(self, stores: Sequence[Store], vendors: Mapping[str, type[Vendor[Any]]] = VENDORS) -> None:
        self._doors = {store.alias: Door(store, vendors[store.settings.vendor](store.settings)) for store in stores}

    def find(self, alias: str) -> Door | None:
        """The door with this alias, or None."""
        return self._doors.get(StoreAlias(alias))

    def all(self) -> tuple[Door, ...]:
        """Every door, in the order of stores.yaml."""
        return tuple(self._doors.values())

    def behind(self, door: Door, secret: str, shop_id: str) -> Door | None:
        """The store with this shop's id among those of the same vendor that share the secret, or None."""
        family = [
            other
            for other in self._doors.values()
            if type(other.vendor) is type(door.vendor) and secret in other.store.settings.webhook_secrets
        ]
        # The alias itself comes first, should two aliases name the same shop.
        family.sort(key=lambda other: other is not door)
        return next((other for other in family if other.store.settings.shop_id == shop_id), None)


class RefusedError(DeliveryError):
    """A request that is answered with an error: its status, a word for the counter, and whether to try again."""

    def __init__(self, status: int, answer: str, message: str, *, retry: bool = False, hang_up: bool = False) -> None:
        super().__init__(message)
        self.status = status
        self.answer = answer
        self.headers = {
            **({"Retry-After": RETRY_AFTER} if retry else {}),
            **({"Connection": "close"} if hang_up else {}),
        }


def webhook_routes(
    doors: Doors,
    inbox: Inbox,
    *,
    now: Callable[[], datetime],
    new_id: Callable[[], DeliveryId],
    metrics: Metrics | None = None,
    patience: float = PATIENCE,
) -> list[Route]:
    """The routes `POST` and `GET /webhooks/{store}`.

    A POST is answered with 200 `{"delivery": id}` once it is durable, also when it is a duplicate, of an unknown type
    or unreadable; else with an error status and `{"error": sentence}`. `patience` is in seconds.
    """
    metrics = metrics or Metrics()

    def refuse(label: str, refusal: RefusedError) -> Response:
        metrics.deliveries.labels(label, refusal.answer).inc()
        log.warning("webhook refused", store=label, status=refusal.status, reason=str(refusal))
        return JSONResponse({"error": str(refusal)}, refusal.status, refusal.headers)

    async def post(request: Request) -> Response:
        door = doors.find(request.path_params["store"])
        if door is None:
            return refuse("", _unknown())  # a name that is not ours must not become a label
        try:
            check_headers(door, request)
            delivery = Delivery(
                id=new_id(),
                store=door.alias,
                body=await read_body(request, patience),
                received_at=now(),
                headers={name.lower(): value for name, value in request.headers.items()},
                query=dict(request.query_params),
            )
            arrival = arrive(doors, door, delivery)
            accepted = await accept(inbox, door, arrival)
        except RefusedError as refusal:
            return refuse(door.alias, refusal)
        except ClientDisconnect:
            metrics.deliveries.labels(door.alias, "disconnected").inc()
            return Response(status_code=400)  # nobody is there to read it
        if accepted.is_duplicate:
            metrics.duplicates.labels(door.alias).inc()
        elif arrival.reason:
            log.info("webhook kept", store=door.alias, delivery=delivery.id, state=arrival.state, reason=arrival.reason)
        metrics.deliveries.labels(door.alias, "duplicate" if accepted.is_duplicate else _ANSWERS[arrival.state]).inc()
        return JSONResponse({"delivery": accepted.id})

    async def get(request: Request) -> Response:
        """Shops such as Zid ask whether somebody is there when a webhook is registered."""
        door = doors.find(request.path_params["store"])
        if door is None:
            return JSONResponse({"error": str(_unknown())}, _unknown().status)
        return JSONResponse({"store": door.alias, "ready": not door.store.missing})

    return [
        Route("/webhooks/{store}", post, methods=["POST"]),
        Route("/webhooks/{store}", get, methods=["GET"]),
    ]


_ANSWERS = {
    DeliveryState.PENDING: "accepted",
    DeliveryState.IGNORED: "ignored",
    DeliveryState.UNREADABLE: "unreadable",
}


def check_headers(door: Door, request: Request) -> None:
    """What can be refused before the body is read. Raises `RefusedError`."""
    if request.headers.get("content-encoding", "").strip().lower() not in {"", "identity"}:
        raise RefusedError(415, "encoded", "Send the body as it is: compressed bodies are not taken.", hang_up=True)
    length = request.headers.get("content-length", "")
    if length.isdecimal() and (len(length) > 18 or int(length) > LARGEST):
        raise _too_large()
    if door.store.missing and not any(secret.strip() for secret in door.store.settings.webhook_secrets):
        # Without its secrets nothing can be verified; the shop delivers again when they are there. A store that lacks
        # only what its calls need is open: its deliveries wait with it. Which variables it lacks is no stranger's.
        raise _busy(door, "not configured", "This store is not configured yet; please deliver it again.")


async def read_body(request: Request, patience: float) -> bytes:
    """The whole body, at most `LARGEST` bytes of it and within `patience` seconds.

    Raises `RefusedError`, or Starlette's `ClientDisconnect` when the other side went away.
    """
    chunks: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(patience):
            while True:
                message = await request.receive()
                if message["type"] == "http.disconnect":
                    raise ClientDisconnect
                chunks.append(message.get("body", b""))
                size += len(chunks[-1])
                if size > LARGEST:
                    raise _too_large()
                if not message.get("more_body", False):
                    return b"".join(chunks)
    except TimeoutError:
        raise RefusedError(
            408, "too slow", f"The request took longer than {patience:g} seconds to arrive.", hang_up=True
        ) from None


def arrive(doors: Doors, door: Door, delivery: Delivery) -> Arrival:
    """The row to store for a delivery at this door, once it is known to be genuine. Raises `RefusedError`."""
    secret = _verified(door, delivery)
    kept = replace(
        delivery,
        headers={name: text for name, text in delivery.headers.items() if name in door.vendor.HEADERS_TO_KEEP},
        query={name: text for name, text in delivery.query.items() if name in QUERY_TO_KEEP},
    )
    said = _normalised(door, kept)
    state, reason = _judge(said)
    store, scope = door.alias, str(door.alias)
    if door.vendor.CAPABILITIES.has_one_door:
        scope = "secret:" + hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
        if said.shop_id is not None or said.is_readable:
            owner = doors.behind(door, secret, said.shop_id or "")
            store = owner.alias if owner else StoreAlias("")
            if owner is None:
                state, reason = DeliveryState.IGNORED, "It is about a shop that is none of the configured stores."
    return Arrival(
        delivery=replace(kept, store=store),
        door=door.alias,
        scope=scope,
        duplicate_key=said.duplicate_key,
        duplicate_until=None if said.duplicate_for is None else delivery.received_at + said.duplicate_for,
        state=state,
        vendor_type=said.events[0].vendor_type if said.events else "",
        subjects=tuple(dict.fromkeys(event.subject for event in said.events if event.subject is not None)),
        reason=reason,
    )


async def accept(inbox: Inbox, door: Door, arrival: Arrival) -> Accepted:
    """Store the arrival, or raise the `RefusedError` that asks the shop to deliver again."""
    try:
        return await inbox.accept(arrival)
    except DatabaseError as error:  # also when overloaded
        log.warning("webhook not stored", store=door.alias, reason=str(error))
        raise _busy(door, "busy", "It could not be stored just now; please deliver it again.") from error


def _verified(door: Door, delivery: Delivery) -> str:
    """The secret that signed the delivery."""
    secrets = door.store.settings.webhook_secrets
    try:
        door.vendor.verify(delivery, secrets)
        return next(secret for secret in secrets if len(secrets) == 1 or _is_by(door, delivery, secret))
    except SignatureError as error:
        raise RefusedError(401, "not genuine", str(error)) from error
    except Exception as error:  # a fault of ours in judging what a stranger sent must not open the door
        log.exception("a delivery could not be verified", store=door.alias)
        raise RefusedError(401, "not genuine", "It could not be told who sent this.") from error


def _is_by(door: Door, delivery: Delivery, secret: str) -> bool:
    try:
        door.vendor.verify(delivery, (secret,))
    except SignatureError:
        return False
    return True


def _normalised(door: Door, delivery: Delivery) -> Normalised:
    try:
        return door.vendor.normalise(delivery)
    except Exception:  # the delivery is genuine: it is kept, and can be replayed when the fault is mended
        log.exception("a delivery could not be read", store=door.alias, delivery=delivery.id)
        digest = hashlib.sha256(delivery.body).hexdigest()
        return Normalised((), digest, reason="The engine failed to read it; its log says why.", is_readable=False)


def _judge(said: Normalised) -> tuple[DeliveryState, str]:
    if not said.is_readable:
        return DeliveryState.UNREADABLE, said.reason
    if said.reason or all(event.type is EventType.UNKNOWN for event in said.events):
        return DeliveryState.IGNORED, said.reason or "Nothing in it is something that rules can be about."
    return DeliveryState.PENDING, ""


def _unknown() -> RefusedError:
    return RefusedError(404, "unknown store", "No store of this name is configured here.")


def _too_large() -> RefusedError:
    return RefusedError(413, "too large", f"The body is larger than {LARGEST} bytes.", hang_up=True)


def _busy(door: Door, answer: str, message: str) -> RefusedError:
    return RefusedError(door.vendor.CAPABILITIES.busy_status, answer, message, retry=True)
