"""When a store's catalogue is to be walked over: to learn it, every night, and often what the shop says changed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, tzinfo
from functools import partial

from sqlalchemy.engine import Connection

from rules_engine.core.delivery import StoreAlias
from rules_engine.core.store import Capabilities
from rules_engine.core.sweep import Sweep, SweepKind
from rules_engine.database.engine import Database
from rules_engine.database.sweeps import last_sweep, newest_sweep, request_sweep
from rules_engine.database.walks import count_products

NIGHT = time(3)
"""The store's own time of the nightly sweep: few people shop then, and few edit."""
SPREAD = 30
"""Minutes before or after it, another for every store, so that not all begin at once."""
CHANGES_EVERY = timedelta(minutes=15)
SKEW = timedelta(minutes=5)
"""So much further back what changed is asked for: the shop's clock and ours differ, and its lists lag."""

COMPLETE = frozenset(kind for kind in SweepKind if kind.is_complete)


@dataclass(frozen=True, slots=True)
class Past:
    """What the sweeps of a store were so far, those that were dry apart.

    `complete` and `changes` are those that were asked for last, whatever became of them; `ended` is when the last one
    that came to its end, of either, began. `has_learned`: one read everything for the first time, and something was
    there.
    """

    complete: Sweep | None = None
    changes: Sweep | None = None
    ended: datetime | None = None
    has_learned: bool = False


@dataclass(frozen=True, slots=True)
class Wanted:
    """A sweep that is due. `since`: only what changed after this is read."""

    kind: SweepKind
    reason: str
    since: datetime | None = None


def load_past(connection: Connection, store: StoreAlias) -> Past:
    """What the sweeps of a store were so far."""
    ended = last_sweep(connection, store, COMPLETE | {SweepKind.CHANGES})
    learned = last_sweep(connection, store, [SweepKind.LEARNING])
    return Past(
        complete=newest_sweep(connection, store, COMPLETE),
        changes=newest_sweep(connection, store, [SweepKind.CHANGES]),
        ended=ended.started_at if ended is not None else None,
        has_learned=learned is not None and count_products(connection, store) > 0,
    )


def next_sweep(
    past: Past, store: StoreAlias, capabilities: Capabilities, *, zone: tzinfo, now: datetime
) -> tuple[Wanted | None, datetime | None]:
    """The sweep that is due now, if any, and when the next one will be (aware UTC).

    Both are None for a shop that cannot be listed, and while a sweep is under way: ask again when it has ended.
    """
    if not capabilities.can_list:
        return None, None
    if past.complete is None:
        return Wanted(SweepKind.LEARNING, "the store was connected"), None
    if past.complete.state.is_open or (past.changes is not None and past.changes.state.is_open):
        return None, None
    night = night_after(_began(past.complete), store, zone)
    if now >= night:
        if not past.has_learned:
            return Wanted(SweepKind.LEARNING, "nothing of the store is known yet"), None
        return Wanted(SweepKind.NIGHTLY, "the nightly sweep"), None
    if not capabilities.can_list_changes or past.ended is None:
        return None, night
    last = max(_began(sweep) for sweep in (past.complete, past.changes) if sweep is not None)
    if now >= last + CHANGES_EVERY:
        return Wanted(SweepKind.CHANGES, "the sweep of what changed", past.ended - SKEW), None
    return None, min(night, last + CHANGES_EVERY)


def _began(sweep: Sweep) -> datetime:
    return sweep.started_at or sweep.requested_at


def night_after(at: datetime, store: StoreAlias, zone: tzinfo) -> datetime:
    """The next time of the nightly sweep after `at` (aware UTC)."""
    digest = hashlib.sha256(store.encode()).digest()
    offset = timedelta(minutes=int.from_bytes(digest[:4], "big") % (2 * SPREAD + 1) - SPREAD)
    day = at.astimezone(zone).date() - timedelta(days=1)
    while True:
        night = (datetime.combine(day, NIGHT, tzinfo=zone) + offset).astimezone(UTC)
        if night > at:
            return night
        day += timedelta(days=1)


@dataclass(slots=True)
class Timetable:
    """Asks for the sweeps of one store as they become due, unless it is off; others may ask for sweeps beside it.

    `next_at` is when the next one is due, as far as is known. While the store `is_learning`, everything in it is seen
    for the first time.
    """

    store: StoreAlias
    capabilities: Capabilities
    zone: tzinfo
    is_on: bool
    next_at: datetime | None = None
    is_learning: bool = False
    _is_current: bool = False

    def forget(self) -> None:
        """Find out anew at the next chance: a sweep has ended, or somebody else had the lane in between."""
        self.next_at, self.is_learning, self._is_current = None, False, False

    async def ask(self, database: Database, fence: Callable[[Connection], None], *, now: datetime) -> None:
        """Ask for what is due. `fence` raises `LaneLostError` when this lane is no longer ours."""
        if not self.is_on or (self._is_current and (self.next_at is None or now < self.next_at)):
            return
        past = await database.read(partial(load_past, store=self.store))
        wanted, self.next_at = next_sweep(past, self.store, self.capabilities, zone=self.zone, now=now)
        if wanted is not None:
            await database.write(partial(self._request, fence, wanted, now))
        complete = past.complete
        is_learned_now = complete is not None and complete.kind is SweepKind.LEARNING and complete.state.is_open
        self.is_learning = is_learned_now or (wanted is not None and wanted.kind is SweepKind.LEARNING)
        self._is_current = True

    def _request(
        self, fence: Callable[[Connection], None], wanted: Wanted, now: datetime, connection: Connection
    ) -> None:
        fence(connection)
        request_sweep(connection, self.store, wanted.kind, now=now, reason=wanted.reason, since=wanted.since)

    async def ask_after_parking(
        self, database: Database, fence: Callable[[Connection], None], *, now: datetime
    ) -> None:
        """Ask for a sweep because the store was parked until now: what happened meanwhile may have been missed."""
        if self.is_on and self.capabilities.can_list:
            wanted = Wanted(SweepKind.ASKED, "the store was parked until now")
            await database.write(partial(self._request, fence, wanted, now))
            self.forget()
