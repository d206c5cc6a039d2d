"""`make bench`: what accepting, acting and batching cost on this machine, as tables. Loopback only, under 3 minutes.

`--small` runs everything briefly, to see that it works; its figures mean little.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import uvloop
from rich.console import Console
from rich.table import Table

from benchmarks.calls import Calls, measure_calls, naive
from benchmarks.door import DoorRates, measure_door, seconds_of_a_sync
from benchmarks.latency import Latencies, measure_latency, percentile
from benchmarks.stage import HERE, StageError


@dataclass(frozen=True, slots=True)
class Size:
    """How much is run."""

    rounds: int
    seconds: float
    most: int
    latency_webhooks: int
    crowd: int
    products: int


FULL = Size(rounds=6, seconds=2.5, most=20_000, latency_webhooks=1500, crowd=1000, products=100)
SMALL = Size(rounds=2, seconds=0.5, most=2_000, latency_webhooks=200, crowd=200, products=20)

TITLES = {
    "none": "verify and parse only, nothing stored",
    "single": "one durable commit for each request",
    "group": "group commit, as the engine does",
}


def door_table(rates: DoorRates) -> Table:
    """Accepted webhooks a second."""
    rounds = len(rates.per_second["none"])
    table = Table(
        title=f"Accepted webhooks a second ({rates.connections} connections, {rounds} paired rounds)",
        caption="median (lowest to highest); the ratio is to the first line in the same round",
        title_justify="left",
    )
    table.add_column("the same endpoint with")
    table.add_column("webhooks a second", justify="right")
    table.add_column("ratio", justify="right")
    for kind, per_second in rates.per_second.items():
        ratio = "1" if kind == "none" else spread(rates.ratios(kind), ".2f")
        table.add_row(TITLES[kind], spread(per_second, ",.0f"), ratio)
    return table


def latency_table(seen: Latencies) -> Table:
    """Webhook to call."""
    table = Table(
        title=f"{len(seen.to_call)} webhooks at {seen.per_second:g} a second, each about another product",
        caption=f"the shop got {seen.reads} reads and {seen.writes} writes",
        title_justify="left",
    )
    table.add_column("milliseconds")
    for heading in ("p50", "p99", "longest"):
        table.add_column(heading, justify="right")
    for title, values in (
        ("sent → answered with 200", seen.to_answer),
        ("answered → the shop has the call", seen.to_call),
    ):
        table.add_row(title, *(f"{percentile(values, percent) * 1000:.1f}" for percent in (50, 99, 100)))
    return table


def calls_table(rows: Sequence[Calls], products: int) -> Table:
    """Calls for a crowd of webhooks."""
    table = Table(
        title=f"Calls for {rows[0].webhooks:,} webhooks about {products} products in 3 categories",
        caption="under the shop's own limit of 600 calls a minute; every product left its three categories",
        title_justify="left",
    )
    table.add_column("webhooks came")
    for heading in ("reads", "writes", "calls", "of the naive calls", "refused (429)"):
        table.add_column(heading, justify="right")
    for row in rows:
        part = f"{row.total / rows[0].total:.1%}"
        table.add_row(row.title, f"{row.reads:,}", f"{row.writes:,}", f"{row.total:,}", part, f"{row.refused}")
    return table


def spread(values: list[float], form: str) -> str:
    """The median, and what it lies between."""
    return f"{median(values):{form}} ({min(values):{form}} to {max(values):{form}})"


async def main(size: Size, console: Console, folder: Path) -> None:
    """Measure, one after the other, and print each table as soon as it is known."""
    sync = seconds_of_a_sync(folder) * 1000
    system = f"{platform.system()}, Python {platform.python_version()}, {os.cpu_count()} processors"
    console.print(f"{system}; a synced write of 4 KiB takes {sync:.2f} ms here\n")
    console.print(
        door_table(await measure_door(folder / "door", rounds=size.rounds, seconds=size.seconds, most=size.most))
    )
    console.print()
    console.print(
        latency_table(await measure_latency(folder / "latency", webhooks=size.latency_webhooks, per_second=100))
    )
    console.print()
    rows = [naive(size.crowd)]
    for place, title, per_second, has_echoes in (
        ("burst", "all at once", None, False),
        ("steady", "100 a second", 100.0, False),
        ("echoes", "100 a second, and the echoes of our own calls", 100.0, True),
    ):
        rows.append(
            await measure_calls(
                folder / place,
                title,
                products=size.products,
                webhooks=size.crowd,
                per_second=per_second,
                has_echoes=has_echoes,
            )
        )
    console.print(calls_table(rows, size.products))


if __name__ == "__main__":
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--small", action="store_true", help="briefly, to see that it works")
    started = time.monotonic()
    out = Console(width=None if sys.stdout.isatty() else 110)
    # Beside the code and not in /tmp, which may be memory: a commit that is not on a disk would cost nothing.
    with tempfile.TemporaryDirectory(prefix=".bench-", dir=HERE) as place:
        for part in ("door", "latency", "burst", "steady", "echoes"):
            (Path(place) / part).mkdir()
        try:
            uvloop.run(main(SMALL if asked.parse_args().small else FULL, out, Path(place)))
        except (StageError, ConnectionError) as error:
            out.print(f"The benchmark could not be run to its end: {error}", style="red")
            sys.exit(1)
    out.print(f"\ndone in {time.monotonic() - started:.0f} seconds")
