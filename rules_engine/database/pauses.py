"""Pauses as they are stored: what people stopped, and until when."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa

from rules_engine.core.delivery import StoreAlias
from rules_engine.core.pause import Pause
from rules_engine.core.rule import RuleCode

from .tables_people import pauses


def add_pause(connection: sa.Connection, *, store: StoreAlias, rule: RuleCode, because: str, now: datetime) -> None:
    """Store a pause. It holds from the next activation on: activate the rulebook anew in the same transaction."""
    row = {"store": store, "rule": rule, "because": because, "since": now}
    connection.execute(sa.insert(pauses), row)


def end_pauses(connection: sa.Connection, *, store: StoreAlias, rule: RuleCode, now: datetime) -> int:
    """End the pauses of this very rule and store; how many there were. Activate anew in the same transaction."""
    is_it = sa.and_(pauses.c.store == store, pauses.c.rule == rule, pauses.c.resumed_at.is_(None))
    return connection.execute(sa.update(pauses).where(is_it).values(resumed_at=now)).rowcount


def open_pauses(connection: sa.Connection) -> list[Pause]:
    """What is paused now, longest first."""
    query = sa.select(pauses).where(pauses.c.resumed_at.is_(None)).order_by(pauses.c.id)
    return [_from_row(row) for row in connection.execute(query)]


def pauses_at(connection: sa.Connection, at: datetime) -> list[Pause]:
    """What was paused at that time, longest first."""
    is_on = sa.or_(pauses.c.resumed_at.is_(None), pauses.c.resumed_at > at)
    query = sa.select(pauses).where(pauses.c.since <= at, is_on).order_by(pauses.c.id)
    return [_from_row(row) for row in connection.execute(query)]


def _from_row(row: sa.Row[Any]) -> Pause:
    return Pause(row.id, StoreAlias(row.store), RuleCode(row.rule), row.because, row.since, row.resumed_at)
