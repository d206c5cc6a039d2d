"""The benchmarks' shop, in a process of its own: products in the categories that a rule takes them out of.

Its one line of output is its `base_url`. It runs until SIGTERM.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
import uuid
from contextlib import suppress
from datetime import UTC, datetime

import httpx
import uvloop

from rules_engine.sandbox import EcwidShop
from rules_engine.sandbox.server import serve

FIRST_PRODUCT = 37_300_001
WINDOWS = ("Featured", "Spring", "Sale")


def build_shop(products: int, windows: int, *, is_limited: bool, pieces: int = 0) -> EcwidShop:
    """A shop with so many products, each in the first `windows` of the categories and in one that it keeps.

    There are `pieces` of each: none means that all are sold out.
    """
    shop = EcwidShop(
        now=lambda: datetime.now(UTC),
        new_id=lambda: str(uuid.uuid4()),
        rate_per_minute=600 if is_limited else None,
    )
    categories = [shop.add_category(name) for name in WINDOWS]
    # Without it a product would lose its last category, and the shop would promote it to its front page.
    kept = shop.add_category("Everything")
    for number in range(products):
        shop.add_product(id=FIRST_PRODUCT + number, quantity=pieces, category_ids=(kept, *categories[:windows]))
    shop.deliveries.clear()
    return shop


async def main() -> None:
    """Serve the shop."""
    wanted = argparse.ArgumentParser(description=__doc__)
    wanted.add_argument("--products", type=int, required=True)
    wanted.add_argument("--windows", type=int, default=len(WINDOWS))
    wanted.add_argument("--pieces", type=int, default=0, help="of each product; without it all are sold out")
    wanted.add_argument("--limited", action="store_true", help="600 calls a minute, as Ecwid allows")
    wanted.add_argument("--deliver-to", help="where the echoes of our own calls go; without it they are not sent")
    given = wanted.parse_args()
    shop = build_shop(given.products, given.windows, is_limited=given.limited, pieces=given.pieces)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with serve({"web": shop}) as base_urls, httpx.AsyncClient() as client:
        sys.stdout.write(base_urls["web"] + "\n")
        sys.stdout.flush()
        echoing = asyncio.create_task(shop.keep_delivering(client, given.deliver_to)) if given.deliver_to else None
        await stop.wait()
        if echoing is not None:
            echoing.cancel()
            with suppress(asyncio.CancelledError):
                await echoing


if __name__ == "__main__":
    uvloop.run(main())
