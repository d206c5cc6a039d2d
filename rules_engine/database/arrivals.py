"""Rows for the inbox: what is stored of a genuine delivery, and telling a new one from a repeated one."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from rules_engine.core.delivery import Delivery, DeliveryId, StoreAlias
from rules_engine.core.subject import SubjectRef
from rules_engine.database.columns import microseconds
from rules_engine.database.tables import deliveries

LONGEST_WORD = 200
"""Characters that are kept of a shop's word for an event, and of a duplicate key before it becomes its digest."""


class DeliveryState(StrEnum):
    """Where a delivery stands."""

    PENDING = "pending"
    """Durable, and waits for its store's lane."""
    PLANNED = "planned"
    """Decided; what came of it was committed with this state."""
    IGNORED = "ignored"
    """Genuine, but nothing that rules can be about, or about a shop that is not ours; its body is not stored."""
    UNREADABLE = "unreadable"
    """Genuine, but its body could not be understood; kept so that a person can look."""
    SET_ASIDE = "set aside"
    """Could not be decided although others of its page could; waits for a person and can be replayed."""


_WITH_BODY = frozenset({DeliveryState.PENDING, DeliveryState.UNREADABLE, DeliveryState.SET_ASIDE})


@dataclass(frozen=True, slots=True)
class Arrival:
    """A genuine delivery on its way into the inbox; headers and query hold only what may be stored.

    `delivery.store` is the store that it is about (empty: none of ours), `door` the alias in the URL. The key is
    unique within `scope`, until `duplicate_until` or for as long as keys are kept.
    """

    delivery: Delivery
    door: StoreAlias
    scope: str
    duplicate_key: str
    state: DeliveryState = DeliveryState.PENDING
    duplicate_until: datetime | None = None
    vendor_type: str = ""
    subjects: tuple[SubjectRef, ...] = ()
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Accepted:
    """The answer of the inbox: the id of the delivery, or of the first one when this repeats it."""

    id: DeliveryId
    is_duplicate: bool = False


_COLUMNS = (
    "id, store, door, scope, duplicate_key, duplicate_until, received_at, vendor_type, subjects, headers, query, "
    "body, state, reason"
)
_ID, _SCOPE, _KEY, _RECEIVED_AT = 0, 3, 4, 6
# The one hot statement is written out: SQLAlchemy's own executemany reaches 0.6 of its rate.
_INSERT = (
    f"INSERT INTO deliveries ({_COLUMNS}) VALUES ({', '.join('?' * 14)}) "  # noqa: S608 (names of our own columns)
    "ON CONFLICT (scope, duplicate_key) DO NOTHING"
)
_FIRST = "SELECT id, duplicate_until FROM deliveries WHERE scope = ? AND duplicate_key = ?"
# The seq makes the freed key unique, whatever the keys look like.
_FREE = "UPDATE deliveries SET duplicate_key = duplicate_key || ' until ' || seq WHERE scope = ? AND duplicate_key = ?"


def insert(connection: Connection, *, rows: Sequence[tuple[Any, ...]]) -> list[Accepted]:
    """Store rows of new arrivals in their order; each is accepted as itself or as a repetition of an earlier one."""
    if connection.exec_driver_sql(_INSERT, list(rows)).rowcount == len(rows):
        return [Accepted(DeliveryId(row[_ID])) for row in rows]
    ids = [row[_ID] for row in rows]
    stored = set(connection.execute(sa.select(deliveries.c.id).where(deliveries.c.id.in_(ids))).scalars())
    return [Accepted(DeliveryId(row[_ID])) if row[_ID] in stored else _repeated(connection, row) for row in rows]


def _repeated(connection: Connection, row: tuple[Any, ...]) -> Accepted:
    key = (row[_SCOPE], row[_KEY])
    first, until = connection.exec_driver_sql(_FIRST, key).one()
    if until is None or row[_RECEIVED_AT] < until:
        return Accepted(DeliveryId(first), is_duplicate=True)
    connection.exec_driver_sql(_FREE, key)
    connection.exec_driver_sql(_INSERT, row)
    return Accepted(DeliveryId(row[_ID]))


def row_of(arrival: Arrival) -> tuple[Any, ...]:
    """The values of one row, in the order of `_COLUMNS`, all of them such that every database takes them."""
    delivery = arrival.delivery
    return (
        delivery.id,
        delivery.store,
        arrival.door,
        arrival.scope,
        _key(arrival.duplicate_key),
        None if arrival.duplicate_until is None else microseconds(arrival.duplicate_until),
        microseconds(delivery.received_at),
        plain(arrival.vendor_type)[:LONGEST_WORD],
        json.dumps([str(ref) for ref in arrival.subjects]),
        json.dumps(dict(delivery.headers)),
        json.dumps(dict(delivery.query)),
        delivery.body if arrival.state in _WITH_BODY else None,
        arrival.state.value,
        plain(arrival.reason),
    )


def plain(text: str) -> str:
    """Text without NUL and lone surrogates, which come in bodies and go into no database."""
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode()


def _key(key: str) -> str:
    if len(key) <= LONGEST_WORD and plain(key) == key:
        return key
    return "sha256:" + hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
