"""Forgetting: what is old enough goes, in small steps; what still matters stays however old it is."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from rules_engine.core.delivery import StoreAlias
from rules_engine.core.plan import ActionState
from rules_engine.core.question import QuestionState
from rules_engine.core.rule import LONGEST_PAUSE
from rules_engine.core.sweep import SweepKind, SweepState
from rules_engine.database.arrivals import DeliveryState
from rules_engine.database.tables import actions, attempts, deliveries, history, holds, notices, traces
from rules_engine.database.tables_people import orders, pauses, questions, sweeps

STEP = 5_000
"""Rows of a kind that one transaction forgets at most, so that no webhook waits for it."""


@dataclass(frozen=True, slots=True)
class Retention:
    """How long things are kept after they ended. Open holds and questions, open orders and actions, dead letters,
    waiting deliveries and rulebooks are kept for ever.

    `blind_bodies` is for shops that cannot be read, where a body is the only sight of a product. `keys` are the
    duplicate keys, with the rest of their rows: longer than any shop goes on delivering the same thing.
    """

    bodies: timedelta = timedelta(hours=48)
    blind_bodies: timedelta = timedelta(days=14)
    keys: timedelta = timedelta(days=14)
    records: timedelta = timedelta(days=30)
    ended_holds: timedelta = timedelta(days=400)

    @property
    def actions(self) -> timedelta:
        """How long what was called stays known at least: limits, and how often a rule acts, look back to it."""
        return max(self.records, LONGEST_PAUSE)


@dataclass(frozen=True, slots=True)
class Pruned:
    """How many rows of each kind one step forgot."""

    bodies: int = 0
    deliveries: int = 0
    traces: int = 0
    attempts: int = 0
    holds: int = 0
    history: int = 0
    notices: int = 0
    questions: int = 0
    orders: int = 0
    sweeps: int = 0
    pauses: int = 0
    actions: int = 0

    @property
    def is_complete(self) -> bool:
        """Whether nothing is left to forget; otherwise another step, in a transaction of its own, goes on."""
        return all(count < STEP for count in asdict(self).values())


def prune(
    connection: Connection,
    *,
    now: datetime,
    retention: Retention,
    blind: Collection[StoreAlias] = (),
) -> Pruned:
    """Forget one step of what is too old. `blind` are the stores whose shops cannot be read."""
    return Pruned(
        bodies=_prune_bodies(connection, now, retention, blind),
        deliveries=_delete(connection, deliveries.c.seq, _is_done & (deliveries.c.received_at < now - retention.keys)),
        traces=_delete(connection, traces.c.id, traces.c.at < now - retention.records),
        attempts=_delete(
            connection, attempts.c.id, (attempts.c.started_at < now - retention.records) & ~_is_still_judged
        ),
        holds=_delete(connection, holds.c.id, holds.c.ended_at < now - retention.ended_holds),
        history=_prune_history(connection, now - retention.records),
        actions=_delete(connection, actions.c.seq, _is_forgettable(now, retention)),
        # Also what nobody could be told: its target's address may not be set for years.
        notices=_delete(connection, notices.c.id, notices.c.at < now - retention.records),
        questions=_delete(
            connection, questions.c.id, _is_settled & (questions.c.answered_at < now - retention.records)
        ),
        orders=_delete(connection, orders.c.id, orders.c.done_at < now - retention.records),
        sweeps=_delete(connection, sweeps.c.id, _is_over(now - retention.records)),
        pauses=_delete(connection, pauses.c.id, pauses.c.resumed_at < now - retention.records),
    )


# Nothing that was accepted is lost, so a delivery that waits is never too old.
_is_done = deliveries.c.state != DeliveryState.PENDING.value

# An open action learns from its attempts whether it was us, and a dead letter needs them to be judged.
_is_still_judged = attempts.c.action.in_(
    sa.select(actions.c.key).where(
        actions.c.state.in_([state.value for state in ActionState if state.is_open or state is ActionState.DEAD])
    )
)


# An action that names its question is judged, and told, by the answer.
_is_settled = questions.c.state.not_in([s.value for s in QuestionState if s.is_waiting]) & ~sa.exists().where(
    actions.c.question == questions.c.id
)


def _is_forgettable(now: datetime, retention: Retention) -> sa.ColumnElement[bool]:
    """Actions that ended, that nothing open needs any more, and that count nowhere.

    Limits, and how often a rule takes one product, look back to what was called. What a rule holds is explained by
    what it did for it, also a while after it let go; a question by what was in it, as long as it is there itself.
    """
    before, counted = now - retention.records, now - retention.actions
    has_ended = actions.c.state.not_in([s.value for s in ActionState if s.is_open or s is ActionState.DEAD])
    is_held = sa.exists().where(
        holds.c.store == actions.c.store,
        holds.c.product == actions.c.product,
        holds.c.aspect == actions.c.aspect,
        holds.c.target == actions.c.slot_target,
        sa.or_(holds.c.ended_at.is_(None), holds.c.ended_at >= before),
    )
    is_asked = sa.exists().where(
        questions.c.id == actions.c.question,
        sa.or_(questions.c.answered_at.is_(None), questions.c.answered_at >= before),
    )
    is_old = [actions.c.created_at < before]
    is_old += [sa.or_(column.is_(None), column < counted) for column in (actions.c.called_at, actions.c.done_at)]
    return sa.and_(*is_old, has_ended, ~is_held, ~is_asked)


def _is_over(before: datetime) -> sa.ColumnElement[bool]:
    """Sweeps that ended before then.

    The last of each kind stays: schedules go by it, and shares of a catalogue are of what it found. The learning ones
    stay too: they say since when the store is connected.
    """
    other = sweeps.alias("other")
    is_newer = sa.and_(
        other.c.store == sweeps.c.store,
        other.c.kind == sweeps.c.kind,
        other.c.state == SweepState.DONE.value,
        other.c.is_dry.is_(False),
        other.c.id > sweeps.c.id,
    )
    is_needless = sa.or_(
        sa.exists().where(is_newer), sweeps.c.is_dry.is_(True), sweeps.c.state == SweepState.STOPPED.value
    )
    has_ended = sweeps.c.state.in_([state.value for state in SweepState if not state.is_open])
    is_learning = sweeps.c.kind == SweepKind.LEARNING.value
    return sa.and_(has_ended, sweeps.c.finished_at < before, ~is_learning, is_needless)


def _prune_bodies(connection: Connection, now: datetime, retention: Retention, blind: Collection[StoreAlias]) -> int:
    is_blind = deliveries.c.store.in_(list(blind))
    is_old = sa.case(
        (is_blind, deliveries.c.received_at < now - retention.blind_bodies),
        else_=deliveries.c.received_at < now - retention.bodies,
    )
    oldest = (
        sa.select(deliveries.c.seq)
        .where(deliveries.c.body.is_not(None), deliveries.c.received_at < now - retention.bodies, is_old, _is_done)
        .limit(STEP)
    )
    return connection.execute(deliveries.update().where(deliveries.c.seq.in_(oldest)).values(body=None)).rowcount


def _prune_history(connection: Connection, before: datetime) -> int:
    key = sa.tuple_(*history.primary_key)
    oldest = sa.select(*history.primary_key).where(history.c.until < before).order_by(history.c.until).limit(STEP)
    return connection.execute(sa.delete(history).where(key.in_(oldest))).rowcount


def _delete(connection: Connection, key: sa.Column[Any], is_old: sa.ColumnElement[bool]) -> int:
    oldest = sa.select(key).where(is_old).limit(STEP)
    return connection.execute(sa.delete(key.table).where(key.in_(oldest))).rowcount
