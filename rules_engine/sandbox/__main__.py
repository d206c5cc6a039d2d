"""`python -m rules_engine.sandbox`: the four shops of the demo in a process of their own, until it is stopped.

The first line of output is a JSON object: the `base_url` of each shop by its vendor's name.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import sys
import uuid
from datetime import UTC, datetime

from . import SHOPS
from .server import serve


async def main() -> None:
    """Serve until SIGINT or SIGTERM."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError):  # Windows has no such signals for loops
            loop.add_signal_handler(number, stop.set)
    shops = {shop.NAME: shop.sample(now=lambda: datetime.now(UTC), new_id=lambda: str(uuid.uuid4())) for shop in SHOPS}
    async with serve(shops) as base_urls:
        sys.stdout.write(json.dumps(base_urls) + "\n")
        sys.stdout.flush()
        await stop.wait()


if __name__ == "__main__":
    asyncio.run(main())
