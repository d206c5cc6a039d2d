"""The outbox: the actions that are to be made, every attempt at them, and the dead letters that wait for a person."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from rules_engine.core.action import ActionKey
from rules_engine.core.delivery import StoreAlias
from rules_engine.core.errors import DatabaseError
from rules_engine.core.holds import HoldState
from rules_engine.core.plan import ActionState, PlannedAction, Step
from rules_engine.core.subject import product

from .lanes import look_now
from .rows import OPEN_HOLDS, action_from_row
from .tables import actions, attempts, holds, slots

UNKNOWN = "unknown"
"""The outcome of an attempt until its answer is recorded; after a crash it stays."""


@dataclass(frozen=True, slots=True)
class AttemptResult:
    """What came of an attempt at one action, in a word, and why."""

    key: ActionKey
    outcome: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One call that was made for an action. `request` holds method, path and body, no headers.

    `outcome` is a word such as `done` or `failed for now`, or `unknown` when the answer never came to be recorded.
    """

    call: str
    started_at: datetime
    request: Mapping[str, Any]
    status: int | None
    milliseconds: int | None
    outcome: str
    reason: str


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """An action that was given up, and what was tried, oldest first."""

    store: StoreAlias
    action: PlannedAction
    attempts: tuple[Attempt, ...] = ()


def write_attempts(
    connection: sa.Connection,
    store: StoreAlias,
    call: str,
    keys: Iterable[ActionKey],
    request: Mapping[str, Any],
    *,
    now: datetime,
) -> None:
    """Record that one request is about to be made for these actions; commit this before the call.

    `call` is the request's own id. What follows for the actions and their holds is saved with their cases.
    """
    row = {"call": call, "store": store, "started_at": now, "request": dict(request), "outcome": UNKNOWN}
    rows = [row | {"action": key} for key in keys]
    if rows:
        connection.execute(sa.insert(attempts), rows)


_RECORD_ATTEMPT = sa.update(attempts).where(
    attempts.c.store == sa.bindparam("of_store"),
    attempts.c.call == sa.bindparam("of_call"),
    attempts.c.action == sa.bindparam("of_key"),
)


def record_attempts(
    connection: sa.Connection,
    store: StoreAlias,
    call: str,
    results: Sequence[AttemptResult],
    *,
    status: int | None,
    milliseconds: int | None,
) -> None:
    """Record what came of a call, for each of its actions. `status` is None when no answer came."""
    rows = [
        {
            "of_store": store,
            "of_call": call,
            "of_key": result.key,
            "status": status,
            "milliseconds": milliseconds,
            "outcome": result.outcome,
            "reason": result.reason,
        }
        for result in results
    ]
    if rows:
        connection.execute(_RECORD_ATTEMPT, rows)


def dead_letters(connection: sa.Connection, store: StoreAlias | None = None, limit: int = 100) -> list[DeadLetter]:
    """The actions that were given up, oldest first, of one store or of all; without their attempts."""
    query = sa.select(actions).where(actions.c.state == ActionState.DEAD.value)
    if store is not None:
        query = query.where(actions.c.store == store)
    rows = connection.execute(query.order_by(actions.c.seq).limit(limit))
    return [DeadLetter(StoreAlias(row.store), action_from_row(row)) for row in rows]


def dead_letter(connection: sa.Connection, key_prefix: str) -> DeadLetter:
    """The one dead letter whose key starts like this, with every attempt at it.

    Raises `DatabaseError` when there is none, or more than one.
    """
    query = sa.select(actions).where(
        actions.c.state == ActionState.DEAD.value, actions.c.key.startswith(key_prefix, autoescape=True)
    )
    found = connection.execute(query.limit(2)).all()
    if not found:
        raise DatabaseError(f"There is no dead letter {key_prefix!r}: `rules-engine dead-letters` lists them.")
    if len(found) > 1:
        raise DatabaseError(f"More than one dead letter starts with {key_prefix!r}: write more of its key.")
    row = found[0]
    tried = connection.execute(sa.select(attempts).where(attempts.c.action == row.key).order_by(attempts.c.id))
    return DeadLetter(StoreAlias(row.store), action_from_row(row), tuple(_attempt_from_row(each) for each in tried))


def _attempt_from_row(row: sa.Row[Any]) -> Attempt:
    return Attempt(
        call=row.call,
        started_at=row.started_at,
        request=row.request,
        status=row.status,
        milliseconds=row.milliseconds,
        outcome=row.outcome,
        reason=row.reason,
    )


def retry_dead_letter(connection: sa.Connection, key: ActionKey, *, now: datetime) -> None:
    """Have a dead letter tried again with a fresh count of attempts: its product is looked at now.

    The look decides whether it is still wanted. Raises `DatabaseError` when the key is no dead letter's.
    """
    anew = {"attempts": 0, "reason": "", "due_at": None, "admitted_at": None, "question": None}
    row = _bury(connection, key, {"state": ActionState.PENDING.value, **anew})
    if row.step == Step.TAKE:
        # Its holds ended as never taken; the rule may take once more, and then opens this very action again.
        _may_take_again(connection, row)
        reopened = sa.update(actions).where(actions.c.key == key)
        connection.execute(reopened.values(state=ActionState.CANCELLED.value, reason="to be decided again"))
    look_now(connection, StoreAlias(row.store), [product(row.product)], now=now, reason="a dead letter is tried again")


def _may_take_again(connection: sa.Connection, row: sa.Row[Any]) -> None:
    of_action = sa.and_(
        holds.c.store == row.store,
        holds.c.product == row.product,
        holds.c.aspect == row.aspect,
        holds.c.target == row.slot_target,
        holds.c.rule.in_(row.rules),
        holds.c.state == HoldState.NEVER_TAKEN.value,
    )
    again = {"state": HoldState.RELEASED.value, "takes": 0, "reason": "a person had it tried again"}
    connection.execute(sa.update(holds).where(of_action).values(again))


def drop_dead_letter(connection: sa.Connection, key: ActionKey, *, now: datetime, reason: str) -> None:
    """Give a dead letter up for good, as a person decided, and have its product looked at now.

    What it was to take ends as never taken; what it was to give back is forgotten. Raises `DatabaseError` when the
    key is no dead letter's.
    """
    row = _bury(connection, key, {"state": ActionState.CANCELLED.value, "reason": reason, "due_at": None})
    if row.step == Step.TAKE:
        unsure = (HoldState.PENDING, HoldState.SENT)
        _end_holds(connection, row, unsure, HoldState.NEVER_TAKEN, reason=reason, now=now)
    elif row.step == Step.GIVE_BACK:
        _end_holds(connection, row, (HoldState.OWED,), HoldState.RELEASED, reason="forgotten", now=now)
    look_now(connection, StoreAlias(row.store), [product(row.product)], now=now, reason="a dead letter was dropped")


def _bury(connection: sa.Connection, key: ActionKey, changes: Mapping[str, Any]) -> sa.Row[Any]:
    """Change a dead letter; of two people who judge the same one, the first is heard."""
    is_it = sa.and_(actions.c.key == key, actions.c.state == ActionState.DEAD.value)
    row = connection.execute(sa.select(actions).where(is_it)).one_or_none()
    if row is None or connection.execute(sa.update(actions).where(is_it).values(changes)).rowcount != 1:
        raise DatabaseError(f"There is no dead letter {key!r}: `rules-engine dead-letters` lists them.")
    return row


def _end_holds(
    connection: sa.Connection,
    row: sa.Row[Any],
    from_states: tuple[HoldState, ...],
    to_state: HoldState,
    *,
    reason: str,
    now: datetime,
) -> None:
    """End the holds of an action's rules on its slot, and let the slot go with its last one."""
    place = {"store": row.store, "product": row.product, "aspect": row.aspect, "target": row.slot_target}
    of_slot = sa.and_(*(holds.c[name] == value for name, value in place.items()))
    of_action = sa.and_(of_slot, holds.c.rule.in_(row.rules), holds.c.state.in_([s.value for s in from_states]))
    ended = sa.update(holds).where(of_action)
    connection.execute(ended.values(state=to_state.value, reason=reason, changed_at=now, ended_at=now))
    # A slot that outlived its last hold would pass its old baseline on to the next one.
    still_open = sa.exists().where(of_slot, holds.c.state.in_(OPEN_HOLDS))
    connection.execute(sa.delete(slots).where(*(slots.c[name] == value for name, value in place.items()), ~still_open))


def action_counts(connection: sa.Connection) -> dict[tuple[StoreAlias, ActionState], int]:
    """How many actions there are by store and state; what there is none of is left out."""
    query = sa.select(actions.c.store, actions.c.state, sa.func.count()).group_by(actions.c.store, actions.c.state)
    return {(StoreAlias(store), ActionState(state)): count for store, state, count in connection.execute(query)}
