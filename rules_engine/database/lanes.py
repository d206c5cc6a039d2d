"""Lanes and looks: who works for a store, how fast it may call, and which subjects are to be looked at when."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any, TypedDict, Unpack

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from rules_engine.core.delivery import StoreAlias
from rules_engine.core.errors import LaneLostError
from rules_engine.core.subject import SubjectKind, SubjectRef

from .rows import any_given, chunks, given, insert_for, insert_in, upsert
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


_LANE_COLUMNS = [lanes.c[name] for name in LaneRow.__dataclass_fields__]
_LANE = sa.select(*_LANE_COLUMNS).where(lanes.c.store == given("store"))


def load_lane(connection: sa.Connection, store: StoreAlias) -> LaneRow:
    """The lane of a store; one that never ran is new."""
    row = connection.execute(_LANE, {"store": store}).one_or_none()
    return LaneRow() if row is None else LaneRow(*row)


def load_lanes(connection: sa.Connection) -> dict[StoreAlias, LaneRow]:
    """Every lane that ever ran, for those who watch."""
    rows = connection.execute(sa.select(lanes.c.store, *_LANE_COLUMNS).order_by(lanes.c.store))
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


_IS_OURS = sa.and_(
    lanes.c.store == given("of_store"), lanes.c.owner == given("of_owner"), lanes.c.epoch == given("of_epoch")
)
_RENEW = sa.update(lanes).where(_IS_OURS).values(lease_until=given("until"))
_RELEASE = sa.update(lanes).where(_IS_OURS).values(owner="", lease_until=None)
_CHECK = sa.select(lanes.c.epoch).where(_IS_OURS).with_for_update()


def renew(
    connection: sa.Connection, store: StoreAlias, owner: str, epoch: int, *, now: datetime, lease: timedelta
) -> None:
    """Keep the lane for another `lease` from now. Raises `LaneLostError` when it was taken since."""
    renewed = connection.execute(_RENEW, {**_ours(store, owner, epoch), "until": now + lease})
    if renewed.rowcount != 1:
        raise _lost(store)


def release(connection: sa.Connection, store: StoreAlias, owner: str, epoch: int) -> None:
    """Let the lane go, for anyone to take at once; nothing happens when it was taken since."""
    connection.execute(_RELEASE, _ours(store, owner, epoch))


def check_epoch(connection: sa.Connection, store: StoreAlias, owner: str, epoch: int) -> None:
    """Raise `LaneLostError` unless the lane is still ours; until this transaction ends, nobody else can take it."""
    if connection.execute(_CHECK, _ours(store, owner, epoch)).one_or_none() is None:
        raise _lost(store)


def _ours(store: StoreAlias, owner: str, epoch: int) -> dict[str, Any]:
    """What `_IS_OURS` is given."""
    return {"of_store": store, "of_owner": owner, "of_epoch": epoch}


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
    schedule_each(connection, store, [(ref, due_at, reason) for ref in dict.fromkeys(refs)])


def schedule_each(
    connection: sa.Connection, store: StoreAlias, wanted: Iterable[tuple[SubjectRef, datetime, str]]
) -> None:
    """`schedule_looks` for subjects that are each to be looked at by a time of their own, for a reason of its own."""
    rows = [_look_columns(store, ref, due_at, reason) for ref, due_at, reason in wanted]
    if rows:
        connection.execute(_keeping_the_earlier(connection.dialect.name), rows)


def look_now(
    connection: sa.Connection, store: StoreAlias, refs: Iterable[SubjectRef], *, now: datetime, reason: str
) -> None:
    """Have these subjects looked at now, because a person asked.

    Also a look that is due already moves to `now`: a turn may have taken it before what is asked for was written, and
    would clear it.
    """
    upsert(connection, looks, [_look_columns(store, ref, now, reason) for ref in dict.fromkeys(refs)])


@cache
def _keeping_the_earlier(dialect: str) -> sqlite.Insert | postgresql.Insert:
    statement = insert_in(dialect, looks)
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


_LOOK_ORDER = (looks.c.due_at, looks.c.kind, looks.c.id)
_DUE = sa.select(looks).where(looks.c.store == given("store"), looks.c.due_at <= given("now")).limit(given("limit"))
_DUE_OLDEST, _DUE_NEWEST = _DUE.order_by(*_LOOK_ORDER), _DUE.order_by(*(column.desc() for column in _LOOK_ORDER))


def due_looks(
    connection: sa.Connection, store: StoreAlias, *, now: datetime, limit: int, newest_first: bool = False
) -> list[Look]:
    """The looks that are due, those that have waited longest first, or last. They stay until they are cleared."""
    query = _DUE_NEWEST if newest_first else _DUE_OLDEST
    rows = connection.execute(query, {"store": store, "now": now, "limit": limit})
    return [Look(SubjectRef(SubjectKind(row.kind), row.id), row.due_at, row.reason, row.failures) for row in rows]


_CLEAR = sa.delete(looks).where(
    looks.c.store == given("store"),
    looks.c.kind == given("kind"),
    looks.c.id.in_(any_given("ids")),
    looks.c.due_at <= given("not_after"),
)


def clear_looks(
    connection: sa.Connection, store: StoreAlias, refs: Iterable[SubjectRef], *, not_after: datetime
) -> None:
    """Forget the looks at these subjects that were due at `not_after`, when the turn took them; later ones stay."""
    wanted = dict.fromkeys(refs)
    for kind in SubjectKind:
        for ids in chunks(ref.id for ref in wanted if ref.kind is kind):
            connection.execute(_CLEAR, {"store": store, "kind": kind.value, "ids": ids, "not_after": not_after})


_DROP = sa.delete(looks).where(
    looks.c.store == given("store"),
    looks.c.kind == given("kind"),
    looks.c.id.in_(any_given("ids")),
    looks.c.reason == given("reason"),
)


def drop_looks(connection: sa.Connection, store: StoreAlias, refs: Iterable[SubjectRef], *, reason: str) -> None:
    """Forget the looks at these subjects that were planned for this reason, whenever they are due."""
    wanted = dict.fromkeys(refs)
    for kind in SubjectKind:
        for ids in chunks(ref.id for ref in wanted if ref.kind is kind):
            connection.execute(_DROP, {"store": store, "kind": kind.value, "ids": ids, "reason": reason})


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


_NEXT_WAKE = sa.select(sa.func.min(looks.c.due_at)).where(looks.c.store == given("store"))


def next_wake(connection: sa.Connection, store: StoreAlias) -> datetime | None:
    """When the next look of the store is due, or None when there is none."""
    earliest: datetime | None = connection.execute(_NEXT_WAKE, {"store": store}).scalar_one()
    return earliest


# Written out, not bound: SQLite uses a partial index only for a term that it can see when it plans.
_IS_PENDING = deliveries.c.state == sa.literal_column("'pending'")
_WITH_WORK = sa.union(
    sa.select(deliveries.c.store).where(_IS_PENDING, deliveries.c.store != ""),
    sa.select(looks.c.store).where(looks.c.due_at <= given("now")),
    sa.select(sweeps.c.store).where(sweeps.c.finished_at.is_(None)),
)


def stores_with_work(connection: sa.Connection, *, now: datetime) -> list[StoreAlias]:
    """The stores with a pending delivery, a due look or an open sweep, by name."""
    return [StoreAlias(store) for store in sorted(connection.execute(_WITH_WORK, {"now": now}).scalars())]


def stores_to_probe(connection: sa.Connection, *, now: datetime) -> list[StoreAlias]:
    """The parked stores that are to be tried now, by name: their time has come, or a person asked."""
    query = sa.select(lanes.c.store).where(lanes.c.parked_because != "", lanes.c.probe_at <= now)
    return [StoreAlias(store) for store in connection.execute(query.order_by(lanes.c.store)).scalars()]
