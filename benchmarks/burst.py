"""`python -m benchmarks.burst`: the calls that an import of 10,000 products leads to, within a minute. Loopback only.

Every product is saved once, which is a webhook each; 500 of them sell out in between, and 200 of those come back. The
shop allows 600 calls a minute, as Ecwid does. `--products 1000` runs it smaller.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import uvloop
from rich.console import Console
from rich.table import Table

from benchmarks.calls import Calls
from benchmarks.shop import FIRST_PRODUCT
from benchmarks.stage import HERE, Stage, StageError, engine_and_shop
from benchmarks.traffic import flood, webhook

PER_MINUTE = 600
"""Calls that the shop allows."""
CONNECTIONS = 32
PIECES = 5


@dataclass(frozen=True, slots=True)
class Import:
    """How large the import is: so many products, of which some sell out and some of those come back."""

    products: int
    sold_out: int
    restocked: int

    @property
    def webhooks(self) -> int:
        """One for each time that a product was saved."""
        return self.products + self.sold_out + self.restocked

    def rows(self, seen: Calls) -> tuple[Calls, ...]:
        """What an engine would make that takes each webhook alone, and what was seen."""
        changes = self.sold_out + self.restocked
        return (
            Calls("one read and one write for each webhook", self.webhooks, self.webhooks, self.webhooks),
            Calls("one read for each, a write for what changed", self.webhooks, self.webhooks, changes),
            seen,
        )


@dataclass(frozen=True, slots=True)
class Burst:
    """What the import led to, in how many seconds the webhooks came and after how many all was as the rule says."""

    calls: Calls
    arrived: float
    settled: float


async def measure_burst(folder: Path, size: Import) -> Burst:
    """Let the import happen. Raises `StageError` unless exactly those that are sold out have left at its end."""
    every = [FIRST_PRODUCT + number for number in range(size.products)]
    sold = every[:: size.products // size.sold_out][: size.sold_out]
    back = sold[: size.restocked]
    half = size.products // 2
    stage_set = engine_and_shop(folder, products=size.products, windows=1, is_limited=True, pieces=PIECES)
    async with stage_set as stage:
        started = time.monotonic()
        await _tell(stage, every[:half])
        await stage.restock(sold, 0)
        await _tell(stage, sold)
        await _tell(stage, every[half:])
        await stage.restock(back, PIECES)
        await _tell(stage, back)
        arrived = time.monotonic() - started
        calls = await stage.settled_calls(quiet=5, patience=300)
        settled = time.monotonic() - started - 5
        members = await stage.memberships()
    left = {str(id_) for id_ in every} - {str(id_) for id_ in sold[size.restocked :]}
    if left not in [set(ids) for ids in members.values()]:
        counts = {id_: len(ids) for id_, ids in members.items()}
        raise StageError(f"{len(left)} products should be left in the category, and there are {counts}")
    reads = sum(call["method"] == "GET" for call in calls)
    refused = sum(call["status"] == 429 for call in calls)
    seen = Calls("the engine", size.webhooks, reads, len(calls) - reads, refused)
    return Burst(seen, arrived, settled)


async def _tell(stage: Stage, products: list[int]) -> None:
    await flood(stage.port, [webhook(id_) for id_ in products], connections=CONNECTIONS)


def table(size: Import, burst: Burst) -> Table:
    """The calls, beside those for each webhook alone."""
    shown = Table(
        title=f"An import of {size.products:,} products: {size.sold_out} sell out, {size.restocked} come back",
        caption=(
            f"{size.webhooks:,} webhooks came within {burst.arrived:.0f} seconds, and all was as the rule says at most "
            f"{burst.settled:.0f} seconds after the first; the shop allows {PER_MINUTE} calls a minute"
        ),
        title_justify="left",
    )
    shown.add_column("what")
    for heading in ("reads", "writes", "calls", "ratio", "minutes of the shop's rate", "refused (429)"):
        shown.add_column(heading, justify="right")
    rows = size.rows(burst.calls)
    for row in rows:
        shown.add_row(
            row.title,
            f"{row.reads:,}",
            f"{row.writes:,}",
            f"{row.total:,}",
            f"{row.total / rows[0].total:.1%}",
            f"{row.total / PER_MINUTE:.1f}",
            f"{row.refused}" if row is burst.calls else "–",
        )
    return shown


def main() -> None:
    """Measure and print."""
    wanted = argparse.ArgumentParser(description=__doc__)
    wanted.add_argument("--products", type=int, default=10_000)
    products = wanted.parse_args().products
    size = Import(products, sold_out=products // 20, restocked=products // 50)
    console = Console(width=None if sys.stdout.isatty() else 130)
    with tempfile.TemporaryDirectory(prefix=".bench-", dir=HERE) as place:
        try:
            console.print(table(size, uvloop.run(measure_burst(Path(place), size))))
        except (StageError, ConnectionError) as error:
            console.print(f"The benchmark could not be run to its end: {error}", style="red")
            sys.exit(1)


if __name__ == "__main__":
    main()
