"""Lanes and looks: who works for a store, how fast it may call, and which subjects are to be looked at when."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypedDict, Unpack

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from rules_engine.core.delivery import StoreAlias
from rules_engine.core.errors import LaneLostError
from rules_engine.core.subject import SubjectKind, SubjectRef

from .rows import chunks, insert_for, upsert
from .tables import deliveries, lanes, looks
from .tables_people import sweeps


@dataclass(frozen=True, slots=True)
class LaneRow:
    """What a lane remembers between turns. `tokens` is None until the first call fills the bucket.

    `blocked_until`: the shop asked to wait, or the breaker is open. `failures` counts those in a row. A parked lane
    says why in `parked_because` and tries again at `probe_at`. `owner`, `epoch` and `lease_until` say whose it is.
    """

    tokens: float | None = None
    tokens_at: datetime | None = None
    blocked_until: datetime | None = None
    failures: int = 0
    parked_because: str = ""
    probe_at: datetime | None = None
    last_turn_at: datetime | None = None
    wake_at: datetime | None = None
    owner: str = ""
    epoch: int = 0
    lease_until: datetime | None = None


class LaneColumns(TypedDict, total=False):
    """What a turn may save of its lane; whose the lane is changes only by `acquire`, `renew` and `release`."""

    tokens: float | None
    tokens_at: datetime | None
    blocked_until: datetime | None
    failures: int
    parked_because: str
    probe_at: datetime | None
    last_turn_at: datetime | None
    wake_at: datetime | None


@dataclass(frozen=True, slots=True)
class Look:
    """A subject that is to be looked at, why, and how often that failed so far."""

    ref: SubjectRef
    due_at: datetime
    reason: str
    failures: int = 0


def load_lane(connection: sa.Connection, store: StoreAlias) -> LaneRow:
    """The lane of a store; one that never ran is new."""
    columns = [lanes.c[name] for name in LaneRow.__dataclass_fields__]
    row = connection.execute(sa.select(*columns).where(lanes.c.store == store)).one_or_none()
    return LaneRow() if row is None else LaneRow(*row)


def load_lanes(connection: sa.Connection) -> dict[StoreAlias, LaneRow]:
    """Every lane that ever ran, for those who watch."""
    columns = [lanes.c[name] for name in LaneRow.__dataclass_fields__]
    rows = connection.execute(sa.select(lanes.c.store, *columns).order_by(lanes.c.store))
    return {StoreAlias(store): LaneRow(*rest) for store, *rest in rows}


def acquire(connection: sa.Connection, store: StoreAlias, owner: str, *, now: datetime, lease: timedelta) -> int | None:
    """Take the lane when it is free, its lease has run out, or it is ours; its new epoch, or None while another has it.

    Every taking counts the epoch up, so that whoever had it before, even under the same name, can no longer commit.
    """
    connection.execute(insert_for(connection, lanes).on_conflict_do_nothing(), {"store": store})
    may_take = sa.or_(lanes.c.owner.in_(("", owner)), lanes.c.lease_until.is_(None), lanes.c.lease_until <= now)
    taken = connection.execute(
        sa.update(lanes)
        .where(lanes.c.store == store, may_take)
        .values(owner=owner, epoch=lanes.c.epoch + 1, lease_until=now + lease)
    )
    if taken.rowcount != 1:
        return None
    epoch: int = connection.execute(sa.select(lanes.c.epoch).where(lanes.c.store == store)).scalar_one()
    return epoch


def renew(
    connection: sa.Connection, store: StoreAlias, owner: str, epoch: int, *, now: datetime, lease: timedelta
) -> None:
    """Keep the lane for another `lease` from now. Raises `LaneLostError` when it was taken since."""
    renewed = connection.execute(sa.update(lanes).where(_is_ours(store, owner, epoch)).values(lease_until=now + lease))
    if renewed.rowcount != 1:
        raise _lost(store)


def release(connection: sa.Connection, store: StoreAlias, owner: str, epoch: int) -> None:
    """Let the lane go, for anyone to take at once; nothing happens when it was taken since."""
    ours = sa.update(lanes).where(_is_ours(store, owner, epoch))
    connection.execute(ours.values(owner="", lease_until=None))


def check_epoch(connection: sa.Connection, store: StoreAlias, owner: str, epoch: int) -> None:
    """Raise `LaneLostError` unless the lane is still ours; until this transaction ends, nobody else can take it."""
    query = sa.select(lanes.c.epoch).where(_is_ours(store, owner, epoch)).with_for_update()
    if connection.execute(query).one_or_none() is None:
        raise _lost(store)


def _is_ours(store: StoreAlias, owner: str, epoch: int) -> sa.ColumnElement[bool]:
    return sa.and_(lanes.c.store == store, lanes.c.owner == owner, lanes.c.epoch == epoch)


def _lost(store: StoreAlias) -> LaneLostError:
    return LaneLostError(f"Another worker took the lane of {store}; this turn is rolled back and done again there.")


def save_lane(connection: sa.Connection, store: StoreAlias, **columns: Unpack[LaneColumns]) -> None:
    """Write these columns of the lane and leave the others as they are."""
    if columns:
        upsert(connection, lanes, [{"store": store, **columns}])


def schedule_looks(
    connection: sa.Connection, store: StoreAlias, refs: Iterable[SubjectRef], *, due_at: datetime, reason: str
) -> None:
    """Have these subjects looked at by `due_at`; one that is to be looked at earlier stays as it is.

    A turn clears the looks that it took before it schedules new ones: the other way round they would be cleared too.
    """
    statement = _keeping_the_earlier(insert_for(connection, looks))
    rows = [_look_columns(store, ref, due_at, reason) for ref in dict.fromkeys(refs)]
    if rows:
        connection.execute(statement, rows)


def look_now(
    connection: sa.Connection, store: StoreAlias, refs: Iterable[SubjectRef], *, now: datetime, reason: str
) -> None:
    """Have these subjects looked at now, because a person asked.

    Also a look that is due already moves to `now`: a turn may have taken it before what is asked for was written, and
    would clear it.
    """
    upsert(connection, looks, [_look_columns(store, ref, now, reason) for ref in dict.fromkeys(refs)])


def _keeping_the_earlier(statement: sqlite.Insert | postgresql.Insert) -> sqlite.Insert | postgresql.Insert:
    return statement.on_conflict_do_update(
        index_elements=list(looks.primary_key),
        set_={"due_at": statement.excluded.due_at, "reason": statement.excluded.reason},
        where=statement.excluded.due_at < looks.c.due_at,
    )


def _look_columns(
    store: StoreAlias, ref: SubjectRef, due_at: datetime, reason: str, failures: int = 0
) -> dict[str, Any]:
    return {
        "store": store,
        "kind": ref.kind.value,
        "id": ref.id,
        "due_at": due_at,
        "reason": reason,
        "failures": failures,
    }


def due_looks(
    connection: sa.Connection, store: StoreAlias, *, now: datetime, limit: int, newest_first: bool = False
) -> list[Look]:
    """The looks that are due, those that have waited longest first, or last. They stay until they are cleared."""
    query = sa.select(looks).where(looks.c.store == store, looks.c.due_at <= now)
    order = (looks.c.due_at, looks.c.kind, looks.c.id)
    rows = connection.execute(query.order_by(*(c.desc() if newest_first else c for c in order)).limit(limit))
    return [Look(SubjectRef(SubjectKind(row.kind), row.id), row.due_at, row.reason, row.failures) for row in rows]


def clear_looks(
    connection: sa.Connection, store: StoreAlias, refs: Iterable[SubjectRef], *, not_after: datetime
) -> None:
    """Forget the looks at these subjects that were due at `not_after`, when the turn took them; later ones stay."""
    wanted = dict.fromkeys(refs)
    for kind in SubjectKind:
        for ids in chunks(ref.id for ref in wanted if ref.kind is kind):
            connection.execute(
                sa.delete(looks).where(
                    looks.c.store == store,
                    looks.c.kind == kind.value,
                    looks.c.id.in_(ids),
                    looks.c.due_at <= not_after,
                )
            )


def postpone_look(
    connection: sa.Connection, store: StoreAlias, ref: SubjectRef, *, due_at: datetime, reason: str
) -> None:
    """Look at the subject again at `due_at`, because looking failed: one failure more, for this reason."""
    statement = insert_for(connection, looks)
    statement = statement.on_conflict_do_update(
        index_elements=list(looks.primary_key),
        set_={
            "due_at": statement.excluded.due_at,
            "reason": statement.excluded.reason,
            "failures": looks.c.failures + 1,
        },
    )
    connection.execute(statement, _look_columns(store, ref, due_at, reason, failures=1))


def next_wake(connection: sa.Connection, store: StoreAlias) -> datetime | None:
    """When the next look of the store is due, or None when there is none."""
    query = sa.select(sa.func.min(looks.c.due_at)).where(looks.c.store == store)
    earliest: datetime | None = connection.execute(query).scalar_one()
    return earliest


def stores_with_work(connection: sa.Connection, *, now: datetime) -> list[StoreAlias]:
    """The stores with a pending delivery, a due look or an open sweep, by name."""
    # Written out, not bound: SQLite uses a partial index only for a term that it can see when it plans.
    is_pending = deliveries.c.state == sa.literal_column("'pending'")
    waiting = sa.select(deliveries.c.store).where(is_pending, deliveries.c.store != "")
    due = sa.select(looks.c.store).where(looks.c.due_at <= now)
    swept = sa.select(sweeps.c.store).where(sweeps.c.finished_at.is_(None))
    return [StoreAlias(store) for store in sorted(connection.execute(sa.union(waiting, due, swept)).scalars())]


def stores_to_probe(connection: sa.Connection, *, now: datetime) -> list[StoreAlias]:
    """The parked stores that are to be tried now, by name: their time has come, or a person asked."""
    query = sa.select(lanes.c.store).where(lanes.c.parked_because != "", lanes.c.probe_at <= now)
    return [StoreAlias(store) for store in connection.execute(query.order_by(lanes.c.store)).scalars()]
