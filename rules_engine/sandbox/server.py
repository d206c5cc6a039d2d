"""Sandbox shops as real servers on loopback, each on a port of its own as its vendor has a host of its own."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager

import uvicorn
from starlette.applications import Starlette
from starlette.routing import Mount

from .shop import Shop

LOOPBACK = "127.0.0.1"


class ShopServer(uvicorn.Server):
    """A server that leaves the signals to its owner and says when it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.is_up = asyncio.Event()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take none: Ctrl-C belongs to whoever runs the shops."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and say so."""
        await super().startup(sockets)
        self.is_up.set()


@asynccontextmanager
async def serve(shops: Mapping[str, Shop], ports: Mapping[str, int] | None = None) -> AsyncIterator[dict[str, str]]:
    """Run the shops and yield the `base_url` of each by its name; port 0 (the default) takes any free one.

    Raises `OSError` when a port is taken.
    """
    async with AsyncExitStack() as stack:
        base_urls = {}
        for name, shop in shops.items():
            base_urls[name] = await stack.enter_async_context(serve_app(shop.app, (ports or {}).get(name, 0)))
        yield base_urls


@asynccontextmanager
async def serve_app(app: Starlette, port: int = 0) -> AsyncIterator[str]:
    """Run one app on loopback and yield its `base_url`; port 0 takes any free one. Its lifespan is the caller's.

    Raises `OSError` when the port is taken.
    """
    listener = _listen(port)
    # A broken connection is an exception of the app on purpose: only what is critical is worth a line. On the way out
    # an answer that still waits for its gate is given up after a second.
    config = uvicorn.Config(app, log_level="critical", lifespan="off", ws="none", timeout_graceful_shutdown=1)
    server = ShopServer(config)
    running = asyncio.create_task(server.serve(sockets=[listener]))
    up = asyncio.create_task(server.is_up.wait())
    await asyncio.wait({running, up}, return_when=asyncio.FIRST_COMPLETED)
    up.cancel()
    try:
        yield f"http://{LOOPBACK}:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        await running
        listener.close()


def _listen(port: int) -> socket.socket:
    """A socket that says that it is TCP, as `socket.create_server` does not.

    asyncio sends small packets at once only from those, and an answer in two packets waits 40 ms for the other side.
    """
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((LOOPBACK, port))
        listener.listen()
    except OSError:
        listener.close()
        raise
    return listener


def build_app(shops: Mapping[str, Shop]) -> Starlette:
    """All shops in one app, each below `/{name}`: handy to look at, but an engine's `base_url` cannot hold a path."""
    return Starlette(routes=[Mount(f"/{name}", shop.app) for name, shop in shops.items()])
