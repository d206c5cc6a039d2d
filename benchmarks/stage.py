"""What a measurement needs around it: an engine and a shop in processes of their own, over a database of their own."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from rules_engine.sandbox.ecwid import CLIENT_SECRET, TOKEN

HERE = Path(__file__).parent
RULES = HERE / "rules"
SECRETS = {"WEB_TOKEN": TOKEN, "WEB_CLIENT_SECRET": CLIENT_SECRET}
PATIENCE = 30.0
"""Seconds in which a process has to be up."""


class StageError(Exception):
    """A process did not come up, or a run did not end as it has to."""


@dataclass(frozen=True, slots=True)
class Stage:
    """A running engine, by its port, and the shop that it serves, by its address."""

    port: int
    shop_url: str

    async def calls(self) -> list[dict[str, Any]]:
        """The calls that the shop got, oldest first."""
        calls: list[dict[str, Any]] = await self._ask("calls")
        return calls

    async def memberships(self) -> dict[str, list[str]]:
        """The products of each of the shop's categories."""
        return dict((await self._ask("state"))["memberships"])

    async def settled_calls(self, *, quiet: float = 1.5, patience: float = 60.0) -> list[dict[str, Any]]:
        """The calls that the shop got, once none came for `quiet` seconds. Raises `StageError` if that never is so."""
        until = asyncio.get_running_loop().time() + patience
        calls = await self.calls()
        while asyncio.get_running_loop().time() < until:
            await asyncio.sleep(quiet)
            before, calls = calls, await self.calls()
            if len(calls) == len(before):
                return calls
        raise StageError(f"the engine still made calls after {patience:g} seconds")

    async def restock(self, products: Iterable[int], pieces: int) -> None:
        """A person, or an import, says how many pieces there are of these products; the shop sends no webhooks."""
        async with httpx.AsyncClient() as client:
            for id_ in products:
                wish = {"do": "restock", "with": [id_, pieces]}
                (await client.post(f"{self.shop_url}/__sandbox/edit", json=wish)).raise_for_status()

    async def _ask(self, what: str) -> Any:
        async with httpx.AsyncClient() as client:
            return (await client.get(f"{self.shop_url}/__sandbox/{what}")).raise_for_status().json()


@asynccontextmanager
async def running(
    arguments: Sequence[str], *, log: Path, environment: Mapping[str, str] | None = None
) -> AsyncIterator[asyncio.subprocess.Process]:
    """A Python process that is stopped by SIGTERM in the end; its standard error goes to a file."""
    surroundings = {name: value for name, value in os.environ.items() if name != "DYNO"}
    with log.open("wb") as lines:
        child = await asyncio.create_subprocess_exec(
            sys.executable,
            *arguments,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=lines,
            cwd=HERE.parent,
            env={**surroundings, **SECRETS, **(environment or {})},
            limit=1024 * 1024,
        )
    try:
        yield child
    finally:
        if child.returncode is None:
            child.send_signal(signal.SIGTERM)
            try:
                await asyncio.wait_for(child.wait(), PATIENCE)
            except TimeoutError:
                child.kill()
                await child.wait()


async def first_line(child: asyncio.subprocess.Process, log: Path) -> str:
    """What a process says when it is up. Raises `StageError` with the end of its log when it says nothing."""
    assert child.stdout is not None
    line = await asyncio.wait_for(child.stdout.readline(), PATIENCE)
    if not line:
        raise StageError(f"a process did not come up: {end_of(log)}")
    return line.decode().strip()


@asynccontextmanager
async def engine_and_shop(
    folder: Path, *, products: int, windows: int, is_limited: bool, has_echoes: bool = False, pieces: int = 0
) -> AsyncIterator[Stage]:
    """An engine on a new database and a new shop with so many products, each in `windows` categories.

    There are `pieces` of each product: none means that all are sold out.
    """
    port = free_port()
    shop = ["-m", "benchmarks.shop", "--products", str(products), "--windows", str(windows)]
    shop += ["--pieces", str(pieces)]
    shop += ["--limited"] if is_limited else []
    shop += ["--deliver-to", f"http://127.0.0.1:{port}/webhooks/web"] if has_echoes else []
    async with running(shop, log=folder / "shop.log") as shop_child:
        shop_url = await first_line(shop_child, folder / "shop.log")
        describe_shop(folder / "stores.yaml", shop_url)
        environment = {
            "HOST": "127.0.0.1",
            "PORT": str(port),
            "RULES": str(RULES),
            "STORES": str(folder / "stores.yaml"),
            "DATABASE_URL": f"sqlite:///{folder / 'engine.db'}",
            "LOG_FORMAT": "json",
            "LOG_LEVEL": "info",
            "RECONCILE": "off",  # what is measured are webhooks
        }
        engine = ["-m", "benchmarks.engine", *([] if is_limited else ["--unlimited"])]
        async with running(engine, log=folder / "engine.log", environment=environment) as child:
            await _until_ready(port, child, folder / "engine.log")
            yield Stage(port, shop_url)


async def _until_ready(port: int, child: asyncio.subprocess.Process, log: Path) -> None:
    until = asyncio.get_running_loop().time() + PATIENCE
    async with httpx.AsyncClient() as client:
        while child.returncode is None and asyncio.get_running_loop().time() < until:
            try:
                if (await client.get(f"http://127.0.0.1:{port}/readyz")).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            await asyncio.sleep(0.05)
    raise StageError(f"the engine did not come up: {end_of(log)}")


def describe_shop(path: Path, shop_url: str) -> None:
    """Write the stores.yaml of the benchmarks with the shop's address in it."""
    text = (RULES / "stores.yaml").read_text(encoding="utf-8")
    path.write_text(text.replace("http://127.0.0.1:1", shop_url), encoding="utf-8")


def end_of(log: Path) -> str:
    """The last lines that a process wrote."""
    return log.read_text(encoding="utf-8", errors="replace")[-2000:]


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
