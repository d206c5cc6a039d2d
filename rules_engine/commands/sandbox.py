"""`rules-engine sandbox`: the four sandbox shops, to try rules of one's own on."""

from __future__ import annotations

import asyncio
import shlex
import signal
import ssl
import uuid
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from typing import Annotated

import httpx
import typer

from rules_engine.sandbox import Answered
from rules_engine.sandbox.server import LOOPBACK, serve
from rules_engine.sandbox.stores import BY_ALIAS, ENVIRONMENT

from .output import FINDINGS, complain, say

FIRST_PORT = 8101
"""The ports are always the same ones, so that stores.yaml can name them."""

Engine = Annotated[str, typer.Option(metavar="URL", help="Where the engine runs that gets the shops' webhooks.")]
Port = Annotated[
    int, typer.Option(metavar="PORT", min=1, max=65532, help="The port of the first shop; the others follow.")
]


def sandbox(*, engine: Engine = "http://127.0.0.1:8000", port: Port = FIRST_PORT) -> None:
    """Run four small shops on this computer, to try rules on, until Ctrl-C.

    They are those of the demo: each speaks its vendor's API, has a few products, and posts its webhooks to an engine
    that you start beside it. It prints what belongs into stores.yaml and into the environment, and how to be the
    shopkeeper. Nothing leaves this computer, and nothing is kept.
    """
    try:
        asyncio.run(_run(engine.rstrip("/"), port))
    except OSError as error:
        complain(f"A port from {port} to {port + len(BY_ALIAS) - 1} is taken ({error.strerror}): choose with --port.")
        raise typer.Exit(FINDINGS) from None


async def _run(engine: str, port: int) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        with suppress(NotImplementedError):  # Windows has no such signals for loops
            loop.add_signal_handler(number, stop.set)
    shops = {
        alias: kind.sample(
            now=lambda: datetime.now(UTC), new_id=lambda: str(uuid.uuid4()), on_answer=partial(_say_answer, alias)
        )
        for alias, kind in BY_ALIAS.items()
    }
    plain = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # trusts nobody: to read all authorities each time is slow
    async with (
        serve(shops, {alias: port + place for place, alias in enumerate(shops)}) as base_urls,
        httpx.AsyncClient(verify=plain, trust_env=False) as client,
    ):
        _say_how_to_use(base_urls, engine)
        sending = [
            asyncio.create_task(shop.keep_delivering(client, f"{engine}/webhooks/{alias}"))
            for alias, shop in shops.items()
        ]
        await stop.wait()
        for task in sending:
            task.cancel()
        await asyncio.gather(*sending, return_exceptions=True)


def _say_how_to_use(base_urls: Mapping[str, str], engine: str) -> None:
    web = base_urls["web"]
    lines = [
        f"Four small shops on {LOOPBACK}, until Ctrl-C. Say in stores.yaml where they are:",
        *(f"  {alias:<8}base_url: {url}    # vendor: {BY_ALIAS[alias].NAME}" for alias, url in base_urls.items()),
        "",
        "Their secrets, for the shell in which you start the engine:",
        *(f"  export {_secrets_of(alias)}" for alias in base_urls),
        "",
        f"Be the shopkeeper; the webhooks go to {engine}/webhooks/NAME, and what came back is shown here:",
        f"""  curl -d '{{"do": "sell_out", "with": [37208339]}}' {web}/__sandbox/edit    # Trail Runner sells out""",
        f"""  curl -d '{{"do": "restock", "with": [37208339, 9]}}' {web}/__sandbox/edit    # and is in stock again""",
        f"  curl {web}/__sandbox/state    # the shop's whole catalogue; every shop has these",
    ]
    for line in lines:
        say(line)


def _secrets_of(alias: str) -> str:
    """The variables of a store, as a shell sets them."""
    return " ".join(
        f"{name}={shlex.quote(value)}" for name, value in ENVIRONMENT.items() if name.startswith(f"{alias.upper()}_")
    )


def _say_answer(alias: str, answer: Answered) -> None:
    said = str(answer.status) if answer.status else "nobody answered: is the engine running?"
    say(f"{alias}  {answer.outgoing.event} → {said}")
