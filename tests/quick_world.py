"""The engine beside its shops, made for many steps: no HTTP client, and one database for all processes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar, cast
from urllib.parse import urlsplit

import httpx
import sqlalchemy as sa
from engine_world import Cut, CutDatabase, CutError, World
from sqlalchemy.engine import Connection
from starlette.applications import Starlette

from rules_engine.core.action import Request, Response
from rules_engine.core.delivery import StoreAlias
from rules_engine.core.errors import TemporaryError
from rules_engine.database.engine import _in_transaction
from rules_engine.database.tables import metadata

T = TypeVar("T")


class LastingDatabase(CutDatabase):
    """A database that outlives the processes which use it, and in which one may die at a read too.

    What a process leaves behind is in the file alone: its transactions end with it. To open the file anew would cost
    more than all else that a process does here, because SQLAlchemy would have to learn every statement again.
    """

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Read, unless the process is dead or dies now."""
        is_it = self.cut.before()
        await asyncio.sleep(0)
        done = _in_transaction(self._readers.begin(), work)
        self.cut.after(is_it=is_it)
        return done

    def wipe(self) -> None:
        """Forget everything."""
        with self._writer.begin() as connection:
            for table in reversed(metadata.sorted_tables):
                connection.execute(sa.delete(table))

    @classmethod
    def at(cls, path: Path) -> LastingDatabase:
        """The migrated database in this file."""
        database = cls.open(f"sqlite:///{path}", Cut())
        assert isinstance(database, LastingDatabase)
        return database


@dataclass
class Wire:
    """Calls an ASGI app, and nothing around it."""

    app: Any  # an ASGI app

    async def call(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> Response | None:
        """The app's answer, or None when it broke off."""
        parts = urlsplit(url)
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": parts.scheme,
            "server": (parts.hostname, parts.port),
            "client": ("127.0.0.1", 1),
            "root_path": "",
            "path": parts.path,
            "raw_path": parts.path.encode(),
            "query_string": parts.query.encode(),
            "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
        }
        said: dict[str, Any] = {"body": b""}  # status, headers and body as ASGI has them
        is_asked = False

        async def receive() -> dict[str, Any]:
            nonlocal is_asked
            if is_asked:
                return {"type": "http.disconnect"}
            is_asked = True
            return {"type": "http.request", "body": body or b"", "more_body": False}

        async def send(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                said["status"], said["headers"] = message["status"], message["headers"]
            else:
                said["body"] += message.get("body", b"")
                said["is_whole"] = not message.get("more_body", False)

        try:
            await self.app(scope, receive, send)
        except httpx.TransportError:
            return None
        if not said.get("is_whole"):
            return None
        answered = {name.decode().lower(): value.decode() for name, value in said["headers"]}
        return Response(said["status"], cast("Any", None), answered, said["body"])

    async def post(self, url: object, *, content: bytes, headers: Mapping[str, str]) -> SimpleNamespace:
        """As an httpx client posts, for shops that deliver."""
        answer = await self.call("POST", str(url), {**headers, "content-length": str(len(content))}, content)
        if answer is None:
            raise httpx.ReadError("it broke off")
        return SimpleNamespace(status_code=answer.status, content=answer.body)

    async def aclose(self) -> None:
        """There is nothing to close."""


@dataclass
class QuickWorld(World):
    """A `World` on a database that is there already and is wiped first."""

    lasting: LastingDatabase = field(kw_only=True)

    def open_database(self) -> CutDatabase:
        """The one database, for a process that ends at `cut`."""
        self.lasting.cut = self.cut
        return self.lasting

    def open_door(self, app: Starlette) -> httpx.AsyncClient:
        """A wire, which is all of a client that a shop uses."""
        return cast("httpx.AsyncClient", Wire(app))

    async def stop(self) -> None:
        """The process ends; the database is the next one's."""
        await self.inbox.stop()

    async def sleep(self, seconds: float) -> None:
        """The engine's waits, at which a process may die too."""
        is_it = self.cut.before()
        await super().sleep(seconds)
        self.cut.after(is_it=is_it)

    async def _answered(self, alias: StoreAlias, request: Request) -> Response:
        answer = await Wire(self.shops[alias].app).call(request.method, request.url, request.headers, request.body)
        self.clock.move(milliseconds=20)
        if answer is None:
            raise TemporaryError("the connection broke")
        return Response(answer.status, self.clock(), answer.headers, answer.body)


__all__ = ["CutError", "LastingDatabase", "QuickWorld"]
