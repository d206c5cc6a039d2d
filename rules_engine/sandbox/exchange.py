"""One call to a sandbox shop: what was asked, what was answered, and how it is remembered."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

import httpx
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

T = TypeVar("T")

Record = dict[str, Any]
"""A JSON object as the shop keeps or shows it."""

Now = Callable[[], datetime]
"""Gives the time, aware."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A call as it came. `body` is the decoded JSON, or None when there is none or it cannot be read.

    `only` bounds how many products of the call may really be changed (None: all); it is how a shop lies.
    """

    method: str
    path: str
    params: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    only: int | None = None

    @classmethod
    async def from_http(cls, request: Request) -> Asked:
        """The call in a request; header names are lower case, the path is without the place of mounting."""
        return cls(
            method=request.method,
            path=str(request.scope["path"]).removeprefix(str(request.scope.get("root_path", ""))),
            params={name: str(value) for name, value in request.path_params.items()},
            query=dict(request.query_params),
            headers={name.lower(): value for name, value in request.headers.items()},
            body=decoded(await request.body()),
        )

    @property
    def is_write(self) -> bool:
        """Every method but GET writes in these four APIs."""
        return self.method not in ("GET", "HEAD")

    @property
    def is_pretence(self) -> bool:
        """Whether the answer is to be that of a success while nothing is done."""
        return self.only == 0

    def really(self, ids: Sequence[T]) -> Sequence[T]:
        """Those of the ids that are to be changed."""
        return ids if self.only is None else ids[: self.only]


def decoded(raw: bytes) -> Any:
    """The JSON in a body, or None when there is none or it cannot be read."""
    try:
        return json.loads(raw) if raw else None
    except ValueError:
        return None


def encoded(body: object) -> bytes:
    """JSON as the shops write it: compact, in UTF-8, not escaped."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


@dataclass(frozen=True, slots=True)
class Answer:
    """What the shop answers. A body of bytes goes out as it is, None is empty, anything else is JSON."""

    status: int
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def to_http(self) -> Response:
        """The answer as a response."""
        if self.body is None or isinstance(self.body, bytes):
            return Response(self.body, self.status, dict(self.headers))
        return Response(encoded(self.body), self.status, {"Content-Type": "application/json", **self.headers})


class BrokenResponse(Response):
    """A response that promises a body and breaks off.

    A real server closes the connection when an app raises after the first bytes; `httpx.ASGITransport` gives the
    exception to the caller as it is. Either way the caller sees a `RemoteProtocolError`.
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - the shape of ASGI
        """Send the head, then break."""
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"64")]})
        raise httpx.RemoteProtocolError("the shop broke the connection")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One call of a vendor's API: its path is Starlette's, as `/products/{id}`."""

    method: str
    path: str
    function: Callable[[Asked], Answer]


@dataclass(frozen=True, slots=True)
class Call:
    """One call as the shop remembers it. `status` is 0 when the connection was broken; `note` names the fault."""

    number: int
    method: str
    path: str
    body: Any
    status: int
    note: str = ""
    query: Mapping[str, str] = field(default_factory=dict)
    at: datetime | None = None

    @property
    def is_write(self) -> bool:
        """Every method but GET writes in these four APIs."""
        return self.method not in ("GET", "HEAD")

    def to_json(self) -> Record:
        """The call for another process to read."""
        return {
            "number": self.number,
            "method": self.method,
            "path": self.path,
            "query": dict(self.query),
            "body": self.body,
            "status": self.status,
            "note": self.note,
            "at": self.at.isoformat() if self.at else None,
        }


class Bucket:
    """A leaky bucket that holds `per_minute` calls and leaks as many each minute.

    `counts_refused` makes refused calls count as well, so that hammering lengthens the block.
    """

    def __init__(self, per_minute: float, now: Now, *, counts_refused: bool = False) -> None:
        self._size = per_minute
        self._now = now
        self._counts_refused = counts_refused
        self._level = 0.0
        self._since = now()

    def pour(self) -> int:
        """0 when the call fits, else after how many seconds the next one will."""
        now = self._now()
        leak = self._size / 60
        self._level = max(0.0, self._level - leak * (now - self._since).total_seconds())
        self._since = now
        fits = self._level + 1 <= self._size
        if fits or self._counts_refused:
            self._level += 1
        return 0 if fits else max(1, math.ceil((self._level + 1 - self._size) / leak))
