"""Accepted webhooks a second: the same endpoint without a durable commit, with one for each, and with shared ones."""

from __future__ import annotations

import os
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks.shop import FIRST_PRODUCT
from benchmarks.stage import RULES, first_line, running
from benchmarks.traffic import flood, webhook

KINDS = ("none", "single", "group")
"""No commit, one commit for each request, group commit."""


@dataclass(frozen=True, slots=True)
class DoorRates:
    """Webhooks a second in each round, by kind of inbox. The rounds are paired: each ran every kind in turn."""

    per_second: dict[str, list[float]]
    connections: int

    def ratios(self, kind: str) -> list[float]:
        """The rate of a kind relative to no commit in the same round."""
        return [rate / base for rate, base in zip(self.per_second[kind], self.per_second["none"], strict=True)]


async def measure_door(folder: Path, *, rounds: int, seconds: float, most: int, connections: int = 64) -> DoorRates:
    """Run the three endpoints in turn, in an order that rotates from round to round, and take each one's rate.

    A run ends after `seconds` or `most` webhooks. Every webhook is signed, and none comes twice.
    """
    rates: dict[str, list[float]] = {kind: [] for kind in KINDS}
    async with AsyncExitStack() as stack:
        ports = {}
        for kind in KINDS:
            log = folder / f"{kind}.log"
            place = [kind, str(RULES / "stores.yaml"), f"sqlite:///{folder / kind}.db"]
            child = await stack.enter_async_context(running(["-m", "benchmarks.door_server", *place], log=log))
            ports[kind] = int(await first_line(child, log))
        for kind in KINDS:  # to warm up
            await flood(ports[kind], _webhooks(200), connections=connections)
        for number in range(rounds):
            turn = number % len(KINDS)
            for kind in (*KINDS[turn:], *KINDS[:turn]):
                run = await flood(ports[kind], _webhooks(most), connections=connections, seconds=seconds)
                rates[kind].append(run.per_second)
    return DoorRates(rates, connections)


def _webhooks(count: int) -> list[bytes]:
    return [webhook(FIRST_PRODUCT + number) for number in range(count)]


def seconds_of_a_sync(folder: Path, *, count: int = 100) -> float:
    """How long a small write takes until it is on the disk of this folder: the median of some."""
    times = []
    with (folder / "sync").open("wb", buffering=0) as file:
        for _ in range(count):
            started = time.perf_counter()
            file.write(bytes(4096))
            os.fsync(file.fileno())
            times.append(time.perf_counter() - started)
    return median(times)
