"""A door with its inbox, and shops that post at it: what the tests of receiving share."""

from __future__ import annotations

import base64
import hmac
import itertools
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import sqlalchemy as sa
from prometheus_client import CollectorRegistry
from sqlalchemy.engine import Connection
from starlette.applications import Starlette
from starlette.types import ASGIApp, Message

from rules_engine.core.delivery import DeliveryId, StoreAlias
from rules_engine.core.store import Store
from rules_engine.database import inbox as stored
from rules_engine.database.engine import Database
from rules_engine.database.inbox import Inbox, StoredDelivery
from rules_engine.database.tables import deliveries
from rules_engine.metrics import Metrics
from rules_engine.receive import Doors, webhook_routes
from rules_engine.vendors import VENDORS, ecwid

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
APP_SECRET, OLD_APP_SECRET, OTHER_APP_SECRET = "app-secret", "old-app-secret", "other-app-secret"
KEY = "whsec_" + base64.b64encode(b"a key of the middleware").decode()
FORGED_KEY = "whsec_" + base64.b64encode(b"a key of somebody else").decode()


def count(connection: Connection) -> int:
    return connection.execute(sa.select(sa.func.count()).select_from(deliveries)).scalar_one()


def store(alias: str, **values: object) -> Store:
    model = VENDORS[str(values["vendor"])].SETTINGS
    return Store(StoreAlias(alias), model.model_validate(values))


ECWID: Mapping[str, object] = {
    "vendor": "ecwid",
    "token": "secret_token",
    "client_secret": [APP_SECRET, OLD_APP_SECRET],
}
STORES = (
    store("web", store_id=1003, **ECWID),
    store("outlet", store_id=1004, **ECWID),
    store("elsewhere", store_id=1005, **{**ECWID, "client_secret": OTHER_APP_SECRET}),
    store(
        "ksa",
        vendor="zid",
        store_id=37213,
        authorization="authorization",
        manager_token="manager-token",
        webhook_username="engine",
        webhook_password="password",
    ),
    store(
        "b2b",
        vendor="zave",
        base_url="https://zave.example",
        auth_header="Authorization",
        auth_value="value",
        tenant="tenant-1",
        webhook_secret=KEY,
    ),
    store("brands", vendor="axim", base_url="https://axim.example", token="token", webhook_secret=KEY),
    replace(store("later", store_id=1006, **{**ECWID, "client_secret": ""}), missing=("LATER_TOKEN", "LATER_SECRET")),
)


@dataclass
class Clock:
    """The time at the door."""

    now: datetime = NOW

    def __call__(self) -> datetime:
        return self.now


@dataclass
class Front:
    """A door with its inbox, and a client before it."""

    client: httpx.AsyncClient
    database: Database
    clock: Clock
    app: ASGIApp
    registry: CollectorRegistry = field(default_factory=CollectorRegistry)

    async def post(self, alias: str, posted: Posted) -> httpx.Response:
        return await self.client.post(
            f"/webhooks/{alias}", content=posted.body, headers=dict(posted.headers), params=dict(posted.query)
        )

    def stored(self) -> list[StoredDelivery]:
        return list(reversed(self.database.read_now(stored.recent)))

    def counted(self, alias: str, answer: str) -> float | None:
        return self.registry.get_sample_value("rules_engine_deliveries_total", {"store": alias, "answer": answer})


@asynccontextmanager
async def front(path: Path, *, limit: int = 2000, patience: float = 10.0) -> AsyncIterator[Front]:
    database, clock, registry = Database.from_url(f"sqlite:///{path}"), Clock(), CollectorRegistry()
    database.write_now(deliveries.metadata.create_all)
    numbers = itertools.count(1)
    async with Inbox(database, limit=limit) as inbox:
        routes = webhook_routes(
            Doors(STORES),
            inbox,
            now=clock,
            new_id=lambda: DeliveryId(f"d{next(numbers)}"),
            metrics=Metrics(registry),
            patience=patience,
        )
        app = Starlette(routes=routes)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://engine") as client:
            yield Front(client, database, clock, app, registry)
    database.close()


@dataclass(frozen=True)
class Posted:
    """A webhook as a shop sends it."""

    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)


def by_ecwid(
    *,
    secret: str = APP_SECRET,
    shop: object = 1003,
    event: str = "e-1",
    type_: object = "product.updated",
    at: datetime = NOW,
    **more: object,
) -> Posted:
    created = int(at.timestamp())
    body = {"eventId": event, "eventCreated": created, "storeId": shop, "entityId": 17, "eventType": type_, **more}
    headers = {"X-Ecwid-Webhook-Signature": ecwid.sign(secret, created, event), "User-Agent": "Ecwid"}
    return Posted(json.dumps(body).encode(), headers, {"eventtype": str(type_), "token": "hush"})


def by_zid(body: bytes = b'{"id": "5", "store_id": 37213, "sku": "A"}', *, password: str = "password") -> Posted:
    credentials = base64.b64encode(f"engine:{password}".encode()).decode()
    return Posted(body, {"Authorization": f"Basic {credentials}"}, {"event": "product.update", "token": "hush"})


def by_middleware(body: bytes | None = None, *, key: str = KEY, id_: str = "msg_1", at: datetime = NOW) -> Posted:
    product = {"_id": "p1", "id": "p1", "tenant": "tenant-1", "name": "Licence", "stock": 0}
    content = json.dumps({"type": "product.updated", "data": product}).encode() if body is None else body
    # Signed here and not by the library, which takes only text: a stranger thing than text may come.
    stamp = str(int(at.timestamp()))
    digest = hmac.digest(base64.b64decode(key.removeprefix("whsec_")), f"{id_}.{stamp}.".encode() + content, "sha256")
    signature = "v1," + base64.b64encode(digest).decode()
    return Posted(content, {"webhook-id": id_, "webhook-timestamp": stamp, "webhook-signature": signature})


GENUINE = {"web": by_ecwid(), "ksa": by_zid(), "b2b": by_middleware(), "brands": by_middleware()}


async def raw(app: ASGIApp, path: str, headers: list[tuple[bytes, bytes]], messages: list[Message]) -> int:
    """The status of an answer to a request that no well-behaved client would send."""
    waiting, answers = iter(messages), list[Message]()

    async def receive() -> Message:
        return next(waiting)

    async def send(message: Message) -> None:
        answers.append(message)

    scope: dict[str, Any] = {
        "type": "http",
        "method": "POST",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": headers,
    }
    await app(scope, receive, send)
    return int(answers[0]["status"])
