"""The webhook endpoint alone, in a process of its own, with one of three inboxes behind it.

`door_server.py none|single|group STORES DATABASE`. Its one line of output is its port. It runs until SIGTERM.
"""

from __future__ import annotations

import os
import socket
import sys
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import uvicorn
from starlette.applications import Starlette

from rules_engine import logs
from rules_engine.core.delivery import DeliveryId
from rules_engine.database.engine import Database, migrate
from rules_engine.database.inbox import Accepted, Arrival, Inbox
from rules_engine.receive import Doors, webhook_routes
from rules_engine.rulebook import load_stores
from rules_engine.settings import LogFormat, LogLevel
from rules_engine.vendors import VENDORS


class ForgetfulInbox(Inbox):
    """Takes everything and stores nothing: what the endpoint costs without being durable."""

    async def accept(self, arrival: Arrival) -> Accepted:
        """The answer that the real inbox would give."""
        return Accepted(arrival.delivery.id)


def inbox_of(kind: str, database: Database) -> Inbox:
    """The inbox of this kind: it stores nothing, or commits each alone, or lets those that wait share a commit."""
    match kind:
        case "none":
            return ForgetfulInbox(database)
        case "single":
            return Inbox(database, batch=1)
        case _:
            return Inbox(database)


def main(kind: str, stores_path: str, database_url: str) -> None:
    """Serve until SIGTERM."""
    logs.configure(LogFormat.JSON, LogLevel.INFO)
    text = Path(stores_path).read_text(encoding="utf-8")
    stores = load_stores(text, path=stores_path, vendors=VENDORS, environment=os.environ).stores
    migrate(database_url)
    database = Database.from_url(database_url)
    inbox = inbox_of(kind, database)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        async with inbox:
            yield
        database.close()

    routes = webhook_routes(
        Doors(stores), inbox, now=lambda: datetime.now(UTC), new_id=lambda: DeliveryId(uuid.uuid4().hex)
    )
    listener = socket.create_server(("127.0.0.1", 0), backlog=2048)
    sys.stdout.write(f"{listener.getsockname()[1]}\n")
    sys.stdout.flush()
    config = uvicorn.Config(
        Starlette(routes=routes, lifespan=lifespan),
        loop="uvloop",
        http="httptools",
        log_config=None,
        access_log=False,
        server_header=False,
        ws="none",
    )
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main(*sys.argv[1:])
