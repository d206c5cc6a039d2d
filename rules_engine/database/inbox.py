"""The inbox: deliveries are durable before they are answered, many with one commit, and each is planned once."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from types import TracebackType
from typing import Any, Self

import sqlalchemy as sa
import structlog
from sqlalchemy.engine import Connection

from rules_engine.core.delivery import Delivery, DeliveryId, StoreAlias
from rules_engine.core.errors import DatabaseError, LaneLostError, OverloadedError
from rules_engine.core.subject import SubjectKind, SubjectRef
from rules_engine.database.arrivals import Accepted, Arrival, DeliveryState, insert, plain, row_of
from rules_engine.database.engine import Database
from rules_engine.database.rows import any_given, chunks, given, upsert
from rules_engine.database.tables import deliveries, looks

__all__ = [
    "Accepted",
    "Arrival",
    "DeliveryState",
    "Inbox",
    "Pending",
    "Replay",
    "StoredDelivery",
    "claim_pending",
    "find",
    "mark_planned",
    "pending_by_store",
    "recent",
    "replay",
    "set_aside",
]

log = structlog.stdlib.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class StoredDelivery:
    """A delivery as the inbox keeps it. `seq` is the order of arrival; `has_body` turns false when it is pruned."""

    seq: int
    delivery: Delivery
    door: StoreAlias
    state: DeliveryState
    vendor_type: str = ""
    subjects: tuple[SubjectRef, ...] = ()
    reason: str = ""
    planned_at: datetime | None = None
    has_body: bool = True


@dataclass(frozen=True, slots=True)
class Pending:
    """How many deliveries of a store wait, and when the oldest of them arrived."""

    count: int
    oldest: datetime


@dataclass(frozen=True, slots=True)
class Replay:
    """What a replay set going: the delivery again, or, when its body is pruned, another look at `subjects`."""

    store: StoreAlias
    subjects: tuple[SubjectRef, ...] = ()


@dataclass(slots=True)
class _Waiter:
    """One request that waits for the commit which holds its row."""

    arrival: Arrival
    row: tuple[Any, ...]
    answer: asyncio.Future[Accepted] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Inbox:
    """Group commit: arrivals that come while a commit is running share the next one. There is no timer.

    `limit` bounds how many arrivals may wait for a commit, `batch` how many share one. `on_accept` is called after
    a commit, on the event loop, once for every store that has new pending deliveries: the doorbell of its lane.
    """

    def __init__(
        self,
        database: Database,
        *,
        limit: int = 2000,
        batch: int = 500,
        on_accept: Callable[[StoreAlias], None] = lambda _store: None,
    ) -> None:
        self._database = database
        self._limit = limit
        self._batch = batch
        self._on_accept = on_accept
        self._waiting: deque[_Waiter] = deque()
        self._committing: asyncio.Task[None] | None = None
        self._is_open = False

    async def __aenter__(self) -> Self:
        self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    def start(self) -> None:
        """Begin to accept."""
        self._is_open = True

    async def stop(self) -> None:
        """Accept no more, and commit what waits."""
        self._is_open = False
        if self._committing is not None:
            await self._committing

    @property
    def waiting(self) -> int:
        """How many arrivals wait for a commit that has not begun."""
        return len(self._waiting)

    async def accept(self, arrival: Arrival) -> Accepted:
        """Store the arrival; when this returns it is durable, on disk.

        Raises `OverloadedError` when too many wait already or the engine is stopping, and `DatabaseError` when the
        commit failed; then nothing of it is stored, and the shop should deliver again.
        """
        if not self._is_open:
            raise OverloadedError("The engine is stopping, so its inbox takes nothing more.")
        if len(self._waiting) >= self._limit:
            raise OverloadedError(f"{self._limit} deliveries wait to be stored already.")
        waiter = _Waiter(arrival, row_of(arrival))
        self._waiting.append(waiter)
        if self._committing is None or self._committing.done():
            self._committing = asyncio.create_task(self._commit_until_empty())
        return await waiter.answer

    async def _commit_until_empty(self) -> None:
        while self._waiting:
            batch = [self._waiting.popleft() for _ in range(min(self._batch, len(self._waiting)))]
            await self._commit(batch)

    async def _commit(self, batch: Sequence[_Waiter]) -> None:
        try:
            accepted = await self._database.write(partial(insert, rows=[waiter.row for waiter in batch]))
        except DatabaseError as error:
            if len(batch) > 1 and isinstance(error.__cause__, _ABOUT_A_ROW):
                # Not the disk or a lock but something about a row: the others must not suffer for it.
                for waiter in batch:
                    await self._commit([waiter])
                return
            _fail(batch, error)
        except Exception as error:  # whatever it was, a request that waits for ever would be worse
            log.exception("a commit of the inbox failed in a way that nobody foresaw")
            _fail(batch, DatabaseError(f"The inbox failed: {error!r}."))
        else:
            self._tell(batch, accepted)

    def _tell(self, batch: Sequence[_Waiter], accepted: Sequence[Accepted]) -> None:
        rung: dict[StoreAlias, None] = {}
        for waiter, answer in zip(batch, accepted, strict=True):
            if not waiter.answer.done():
                waiter.answer.set_result(answer)
            if waiter.arrival.state is DeliveryState.PENDING and not answer.is_duplicate:
                rung[waiter.arrival.delivery.store] = None
        for store in rung:
            try:
                self._on_accept(store)
            except Exception:  # a doorbell that fails costs a delay; the deliveries are safe
                log.exception("a lane could not be woken", store=store)


_ABOUT_A_ROW = (sa.exc.IntegrityError, sa.exc.DataError, sa.exc.InterfaceError, sa.exc.ProgrammingError)


def _fail(batch: Iterable[_Waiter], error: DatabaseError) -> None:
    for waiter in batch:
        if not waiter.answer.done():
            # One exception for each: a shared one would collect the tracebacks of all requests.
            waiter.answer.set_exception(DatabaseError(str(error)))


_PENDING = (
    sa.select(deliveries)
    .where(deliveries.c.store == given("of_store"), deliveries.c.state == sa.literal_column("'pending'"))
    .order_by(deliveries.c.seq)
    .limit(given("limit"))
)
_PLANNED = (
    deliveries.update()
    .where(deliveries.c.id.in_(any_given("ids")), deliveries.c.state == DeliveryState.PENDING)
    .values(state=DeliveryState.PLANNED.value, planned_at=given("now"))
)


def claim_pending(connection: Connection, store: StoreAlias, limit: int) -> list[StoredDelivery]:
    """The oldest deliveries of a store that wait. They stay pending until `mark_planned` or `set_aside`."""
    found = connection.execute(_PENDING, {"of_store": store, "limit": limit})
    return [_stored(row) for row in found.mappings()]


def mark_planned(connection: Connection, ids: Iterable[DeliveryId], *, now: datetime) -> None:
    """The fence: every one of `ids` turns from pending to planned, or `LaneLostError` rolls the plan back."""
    for chunk in chunks(ids):
        done = connection.execute(_PLANNED, {"ids": chunk, "now": now})
        if done.rowcount != len(chunk):
            raise LaneLostError(f"{len(chunk) - done.rowcount} deliveries of this turn were planned by somebody else.")


def set_aside(connection: Connection, id_: DeliveryId, reason: str) -> None:
    """Take one pending delivery out of its lane, for a person to look at; raises `LaneLostError` if it is not."""
    is_ours = (deliveries.c.id == id_) & (deliveries.c.state == DeliveryState.PENDING)
    done = connection.execute(
        deliveries.update().where(is_ours).values(state=DeliveryState.SET_ASIDE.value, reason=plain(reason))
    )
    if done.rowcount != 1:
        raise LaneLostError(f"Delivery {id_} was planned by somebody else.")


def replay(connection: Connection, id_: DeliveryId, *, now: datetime) -> Replay:
    """Let a stored delivery be decided again, or its subjects be looked at when its body is pruned.

    Raises `DatabaseError` with a sentence when there is no such delivery, or nothing in it to decide.
    """
    stored = find(connection, id_)
    if stored is None:
        raise DatabaseError(f"There is no delivery {id_}; it may be older than what is kept.")
    store = stored.delivery.store
    if not store:
        raise DatabaseError(f"Delivery {id_} is about a shop that is none of our stores.")
    if stored.has_body:
        connection.execute(
            deliveries.update()
            .where(deliveries.c.id == id_)
            .values(state=DeliveryState.PENDING.value, planned_at=None, reason="")
        )
        return Replay(store)
    if not stored.subjects:
        raise DatabaseError(f"Delivery {id_} names nothing that could be looked at again, and its body is not kept.")
    again = {"store": store, "due_at": now, "reason": f"replay of delivery {id_}", "failures": 0}
    upsert(connection, looks, [{**again, "kind": ref.kind.value, "id": ref.id} for ref in stored.subjects])
    return Replay(store, stored.subjects)


def the_one(connection: Connection, begins: str) -> StoredDelivery:
    """The one delivery whose id is this, or begins so, as answers and names of tests show it.

    Raises `DatabaseError` with a sentence when there is none, or more than one.
    """
    named = sa.select(deliveries).where(deliveries.c.id.startswith(begins, autoescape=True))
    in_order = named.order_by(deliveries.c.id).limit(2)  # a whole id comes before those that go on after it
    found = connection.execute(in_order).mappings().all() if begins else []
    if not found:
        raise DatabaseError(f"There is no delivery {begins}; it may be older than what is kept.")
    if len(found) > 1 and found[0]["id"] != begins:
        raise DatabaseError(f"More than one delivery begins with {begins!r}: write more of its id.")
    return _stored(found[0])


def find(connection: Connection, id_: DeliveryId) -> StoredDelivery | None:
    """The delivery with this id, or None."""
    row = connection.execute(sa.select(deliveries).where(deliveries.c.id == id_)).mappings().one_or_none()
    return None if row is None else _stored(row)


def recent(
    connection: Connection,
    *,
    store: StoreAlias | None = None,
    state: DeliveryState | None = None,
    limit: int = 50,
) -> list[StoredDelivery]:
    """The newest deliveries, newest first: of one store or all, in one state or any."""
    query = sa.select(deliveries).order_by(deliveries.c.seq.desc()).limit(limit)
    if store is not None:
        query = query.where(deliveries.c.store == store)
    if state is not None:
        query = query.where(deliveries.c.state == state)
    return [_stored(row) for row in connection.execute(query).mappings()]


def pending_by_store(connection: Connection) -> dict[StoreAlias, Pending]:
    """How much waits, for every store for which something does."""
    query = (
        sa.select(deliveries.c.store, sa.func.count(), sa.func.min(deliveries.c.received_at))
        .where(deliveries.c.state == sa.literal_column("'pending'"))
        .group_by(deliveries.c.store)
    )
    return {StoreAlias(store): Pending(count, oldest) for store, count, oldest in connection.execute(query)}


def _stored(row: sa.RowMapping) -> StoredDelivery:
    delivery = Delivery(
        id=DeliveryId(row["id"]),
        store=StoreAlias(row["store"]),
        received_at=row["received_at"],
        body=row["body"] or b"",
        headers=row["headers"],
        query=row["query"],
    )
    return StoredDelivery(
        seq=row["seq"],
        delivery=delivery,
        door=StoreAlias(row["door"]),
        state=DeliveryState(row["state"]),
        vendor_type=row["vendor_type"],
        subjects=tuple(_ref(text) for text in row["subjects"]),
        reason=row["reason"],
        planned_at=row["planned_at"],
        has_body=row["body"] is not None,
    )


def _ref(text: str) -> SubjectRef:
    kind, _, id_ = text.partition(":")
    return SubjectRef(SubjectKind(kind), id_)
