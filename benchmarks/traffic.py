"""Webhooks as bytes, and keep-alive connections that post them: as fast as they are answered, or at a steady rate."""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import cast

from rules_engine.sandbox.ecwid import CLIENT_SECRET, STORE_ID
from rules_engine.sandbox.signing import ecwid_signature


@dataclass(frozen=True, slots=True)
class Posted:
    """When a webhook was sent and when its answer was there, in seconds of the machine's clock."""

    sent: float
    answered: float


@dataclass(frozen=True, slots=True)
class Flood:
    """How many webhooks were answered, and in how many seconds."""

    count: int
    seconds: float

    @property
    def per_second(self) -> float:
        """Webhooks a second."""
        return self.count / self.seconds


def webhook(product_id: int) -> bytes:
    """A signed Ecwid webhook about a product, as the bytes of a whole HTTP request; each has an id of its own."""
    event_id, created = str(uuid.uuid4()), int(time.time())
    signature = ecwid_signature(CLIENT_SECRET, event_created=created, event_id=event_id)
    body = json.dumps(
        {
            "eventId": event_id,
            "eventCreated": created,
            "storeId": STORE_ID,
            "entityId": product_id,
            "eventType": "product.updated",
        }
    ).encode()
    head = (
        "POST /webhooks/web?eventtype=product.updated HTTP/1.1\r\n"
        "Host: 127.0.0.1\r\n"
        "Content-Type: application/json; charset=UTF-8\r\n"
        f"X-Ecwid-Webhook-Signature: {signature}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


class Connection(asyncio.Protocol):
    """One keep-alive connection with one request under way at a time.

    An HTTP client that builds and parses everything would need more of the processor than the server that is measured.
    """

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._received = b""
        self._answer: asyncio.Future[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep what to write to."""
        # uvloop's transports are of a class of their own.
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Collect an answer; any status but 200 fails the request."""
        self._received += data
        head, separator, body = self._received.partition(b"\r\n\r\n")
        if not separator or self._answer is None or len(body) < _length(head):
            return
        self._received = b""
        answer, self._answer = self._answer, None
        if head.startswith(b"HTTP/1.1 200 "):
            answer.set_result(None)
        else:
            answer.set_exception(ConnectionError(f"the engine answered {head[:16]!r} {body[:200]!r}"))

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail the request that is under way."""
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(ConnectionError(f"the engine hung up: {exc}"))

    async def post(self, request: bytes) -> None:
        """Send one request and wait for its answer. Raises `ConnectionError` unless it is 200."""
        assert self._transport is not None
        self._answer = answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        await answer

    def close(self) -> None:
        """Hang up."""
        if self._transport is not None:
            self._transport.close()


def _length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line.partition(b":")[2])
    return 0


@asynccontextmanager
async def connected(port: int, count: int) -> AsyncIterator[Sequence[Connection]]:
    """So many connections to a port of this machine."""
    loop = asyncio.get_running_loop()
    connections = [(await loop.create_connection(Connection, "127.0.0.1", port))[1] for _ in range(count)]
    try:
        yield connections
    finally:
        for connection in connections:
            connection.close()


async def flood(port: int, requests: Iterable[bytes], *, connections: int, seconds: float = 60.0) -> Flood:
    """Post as fast as answers come, until there are no more requests or the time is up."""
    waiting = iter(requests)
    async with connected(port, connections) as opened:
        started = time.perf_counter()
        until = started + seconds

        async def keep_posting(connection: Connection) -> int:
            count = 0
            while time.perf_counter() < until and (request := next(waiting, None)) is not None:
                await connection.post(request)
                count += 1
            return count

        counts = await asyncio.gather(*(keep_posting(connection) for connection in opened))
        return Flood(sum(counts), time.perf_counter() - started)


async def steadily(port: int, requests: Sequence[bytes], *, per_second: float, connections: int = 16) -> list[Posted]:
    """Post by the clock, whether or not earlier ones are answered; gives the times of each."""
    async with connected(port, connections) as opened:
        idle: asyncio.Queue[Connection] = asyncio.Queue()
        for connection in opened:
            idle.put_nowait(connection)
        started = time.perf_counter()

        async def post(number: int, request: bytes) -> Posted:
            await asyncio.sleep(max(0.0, started + number / per_second - time.perf_counter()))
            connection = await idle.get()
            sent = time.time()
            await connection.post(request)
            answered = time.time()
            idle.put_nowait(connection)
            return Posted(sent, answered)

        return list(await asyncio.gather(*(post(number, request) for number, request in enumerate(requests))))
