"""Sweeps as they are stored: asked for, under way, and what the last ones found."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from rules_engine.core.delivery import StoreAlias
from rules_engine.core.sweep import Sweep, SweepKind, SweepState

from .rows import given
from .tables_people import sweeps


def request_sweep(
    connection: sa.Connection,
    store: StoreAlias,
    kind: SweepKind,
    *,
    now: datetime,
    reason: str,
    is_dry: bool = False,
    since: datetime | None = None,
) -> int:
    """Ask for a sweep; its id. One of the same kind that waits already is the one that is meant."""
    waiting = sa.select(sweeps.c.id).where(
        sweeps.c.store == store,
        sweeps.c.kind == kind.value,
        sweeps.c.state == SweepState.WAITING.value,
        sweeps.c.is_dry.is_(is_dry),
    )
    known = connection.execute(waiting.order_by(sweeps.c.id).limit(1)).scalar_one_or_none()
    if known is not None:
        return int(known)
    row: dict[str, object] = {
        "store": store,
        "kind": kind.value,
        "reason": reason,
        "state": SweepState.WAITING.value,
        "requested_at": now,
        "cursor": "",
        "is_dry": is_dry,
        "since": since,
        "found": {},
        "examples": {},
    }
    made = connection.execute(sa.insert(sweeps), row).inserted_primary_key
    return int(made[0]) if made is not None else 0


def request_for_new_rules(connection: sa.Connection, store: StoreAlias, *, now: datetime, reason: str) -> int:
    """Ask, once newer rules are in force, for the sweep that decides what is known by them; its id.

    One that runs begins again by itself when its rules are no longer in force, so that it is the one that is meant.
    """
    kind, running = SweepKind.RULES, SweepState.RUNNING.value
    query = sa.select(sweeps.c.id).where(sweeps.c.store == store, sweeps.c.kind == kind.value)
    # Locked, so that it does not end by the older rules meanwhile.
    begun = connection.execute(query.where(sweeps.c.state == running).with_for_update()).scalars().first()
    return int(begun) if begun is not None else request_sweep(connection, store, kind, now=now, reason=reason)


def find_sweep(connection: sa.Connection, id_: int) -> Sweep | None:
    """The sweep with this id."""
    row = connection.execute(sa.select(sweeps).where(sweeps.c.id == id_)).one_or_none()
    return None if row is None else _from_row(row)


_OPEN = (
    sa.select(sweeps)
    .where(sweeps.c.store == given("store"))
    .where(sweeps.c.state.in_([state.value for state in SweepState if state.is_open]))
    .order_by(sweeps.c.id)
)


def open_sweeps(connection: sa.Connection, store: StoreAlias) -> list[Sweep]:
    """The sweeps of a store that are not at their end, the one that runs first, then the oldest."""
    found = [_from_row(row) for row in connection.execute(_OPEN, {"store": store})]
    return sorted(found, key=lambda sweep: sweep.state is not SweepState.RUNNING)


def last_sweep(connection: sa.Connection, store: StoreAlias, kinds: Iterable[SweepKind]) -> Sweep | None:
    """The last sweep of one of these kinds that came to its end and was not dry, or None."""
    query = sa.select(sweeps).where(
        sweeps.c.store == store,
        sweeps.c.kind.in_(sorted(kind.value for kind in kinds)),
        sweeps.c.state == SweepState.DONE.value,
        sweeps.c.is_dry.is_(False),
    )
    row = connection.execute(query.order_by(sweeps.c.finished_at.desc(), sweeps.c.id.desc()).limit(1)).one_or_none()
    return None if row is None else _from_row(row)


def newest_sweep(connection: sa.Connection, store: StoreAlias, kinds: Iterable[SweepKind]) -> Sweep | None:
    """The sweep of one of these kinds that was asked for last and is not dry, whatever became of it, or None."""
    query = sa.select(sweeps).where(
        sweeps.c.store == store, sweeps.c.kind.in_(sorted(kind.value for kind in kinds)), sweeps.c.is_dry.is_(False)
    )
    row = connection.execute(query.order_by(sweeps.c.id.desc()).limit(1)).one_or_none()
    return None if row is None else _from_row(row)


def connected_at(connection: sa.Connection, store: StoreAlias) -> datetime | None:
    """When the store was connected: the start of the first sweep that learned it. None where none was ever begun."""
    query = sa.select(sa.func.min(sweeps.c.started_at)).where(
        sweeps.c.store == store, sweeps.c.kind == SweepKind.LEARNING.value
    )
    started: datetime | None = connection.execute(query).scalar_one()
    return started


def stop_waiting(connection: sa.Connection, store: StoreAlias, kind: SweepKind, *, now: datetime, reason: str) -> None:
    """Stop the sweeps of a kind that have not begun: another does what they would have done."""
    connection.execute(
        sa.update(sweeps)
        .where(sweeps.c.store == store, sweeps.c.kind == kind.value, sweeps.c.state == SweepState.WAITING.value)
        .values(state=SweepState.STOPPED.value, finished_at=now, reason=reason)
    )


def save_sweep(connection: sa.Connection, sweep: Sweep) -> None:
    """Write a sweep as it is now."""
    connection.execute(
        sa.update(sweeps)
        .where(sweeps.c.id == sweep.id)
        .values(
            reason=sweep.reason,
            state=sweep.state.value,
            started_at=sweep.started_at,
            finished_at=sweep.finished_at,
            cursor=sweep.cursor,
            total=sweep.total,
            seen=sweep.seen,
            calls=sweep.calls,
            since=sweep.since,
            found=dict(sweep.found),
            examples={word: list(shown) for word, shown in sweep.examples.items()},
        )
    )


def _from_row(row: sa.Row[Any]) -> Sweep:
    return Sweep(
        id=row.id,
        store=StoreAlias(row.store),
        kind=SweepKind(row.kind),
        reason=row.reason,
        state=SweepState(row.state),
        requested_at=row.requested_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
        cursor=row.cursor,
        total=row.total,
        seen=row.seen,
        calls=row.calls,
        is_dry=row.is_dry,
        since=row.since,
        found=row.found,
        examples={word: tuple(shown) for word, shown in row.examples.items()},
    )
