"""From a webhook that is accepted to the call that it leads to, at a steady rate, through the whole engine."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from benchmarks.shop import FIRST_PRODUCT
from benchmarks.stage import StageError, engine_and_shop
from benchmarks.traffic import Posted, steadily, webhook


@dataclass(frozen=True, slots=True)
class Latencies:
    """Seconds from sending a webhook to its 200 (`to_answer`), and from its 200 to the shop's getting the call."""

    to_answer: list[float]
    to_call: list[float]
    per_second: float
    reads: int
    writes: int


def percentile(values: list[float], percent: float) -> float:
    """The value that so many percent of the values do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, round(len(ordered) * percent / 100))]


async def measure_latency(folder: Path, *, webhooks: int, per_second: float, warm_up: int = 100) -> Latencies:
    """One webhook for each of so many sold-out products in Featured: each leads to a read and to a call.

    Raises `StageError` if a product is still in Featured at the end.
    """
    total = warm_up + webhooks
    async with engine_and_shop(folder, products=total, windows=1, is_limited=False) as stage:
        posts = [webhook(FIRST_PRODUCT + number) for number in range(total)]
        posted = await steadily(stage.port, posts, per_second=per_second)
        calls = await stage.settled_calls()
        written = _first_writes(calls)
    if len(written) < total:
        raise StageError(f"{total - len(written)} of {total} products were never called for")
    measured = [(one, written[FIRST_PRODUCT + number]) for number, one in enumerate(posted)][warm_up:]
    return Latencies(
        to_answer=[one.answered - one.sent for one, _ in measured],
        to_call=[_since_answered(one, called) for one, called in measured],
        per_second=per_second,
        reads=sum(call["method"] == "GET" for call in calls),
        writes=sum(call["method"] != "GET" for call in calls),
    )


def _first_writes(calls: list[dict[str, Any]]) -> dict[int, float]:
    """When the shop got the first write about each product, in seconds of the machine's clock."""
    first: dict[int, float] = {}
    for call in calls:
        if call["method"] != "GET" and call["status"] == 200:
            for id_ in call["body"]["productIds"]:
                first.setdefault(id_, datetime.fromisoformat(call["at"]).timestamp())
    return first


def _since_answered(one: Posted, called: float) -> float:
    # The call may come before the client has read the answer to its webhook.
    return max(0.0, called - one.answered)
