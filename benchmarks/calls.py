"""How many calls a crowd of webhooks about the same products leads to."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from benchmarks.shop import FIRST_PRODUCT, WINDOWS
from benchmarks.stage import StageError, engine_and_shop
from benchmarks.traffic import flood, steadily, webhook


@dataclass(frozen=True, slots=True)
class Calls:
    """What a run led to. `webhooks` counts those that were sent on purpose, not the echoes of our own calls.

    `refused` of the calls came too early for the shop (429): two clocks that count the same rate differ by a moment.
    """

    title: str
    webhooks: int
    reads: int
    writes: int
    refused: int = 0

    @property
    def total(self) -> int:
        """Reads and writes."""
        return self.reads + self.writes


def naive(webhooks: int) -> Calls:
    """What an engine would make that looks at each webhook alone: it reads, and writes to each category."""
    return Calls("naive: each webhook alone", webhooks, webhooks, webhooks * len(WINDOWS))


async def measure_calls(
    folder: Path, title: str, *, products: int, webhooks: int, per_second: float | None, has_echoes: bool = False
) -> Calls:
    """Webhooks in turn about sold-out products that a rule takes out of three categories.

    At once, or at a steady rate; under the shop's own limit of 600 calls a minute. Raises `StageError` if a product is
    still in one of the categories at the end.
    """
    posts = [webhook(FIRST_PRODUCT + number % products) for number in range(webhooks)]
    stage_set = engine_and_shop(folder, products=products, windows=len(WINDOWS), is_limited=True, has_echoes=has_echoes)
    async with stage_set as stage:
        if per_second is None:
            await flood(stage.port, posts, connections=32)
        else:
            await steadily(stage.port, posts, per_second=per_second)
        calls = await stage.settled_calls()
        members = await stage.memberships()
    left = [category for category, ids in members.items() if ids and len(ids) != products]
    full = [category for category, ids in members.items() if len(ids) == products]
    if left or len(full) != 1:
        raise StageError(f"{title}: the shop did not end as the rule says: {members}")
    wrong = [call for call in calls if call["status"] not in {200, 429}]
    if wrong:
        raise StageError(f"{title}: the shop refused {len(wrong)} calls, the first of them {wrong[0]}")
    reads = sum(call["method"] == "GET" for call in calls)
    refused = sum(call["status"] == 429 for call in calls)
    return Calls(title, webhooks, reads, len(calls) - reads, refused)
