"""What came of something that was asked for: what rules did about its subjects since, and the calls that followed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from rules_engine.core.action import ActionKey
from rules_engine.core.condition import Truth
from rules_engine.core.delivery import StoreAlias
from rules_engine.core.plan import ActionState, PlannedAction, Trace
from rules_engine.core.rule import RuleCode
from rules_engine.core.subject import SubjectKind, SubjectRef

from .rows import action_from_row, beside, chunks
from .tables import actions, attempts, looks, traces


@dataclass(frozen=True, slots=True)
class Results:
    """The traces, oldest first, and the actions as they stand now, in the order in which they were planned."""

    traces: tuple[Trace, ...] = ()
    actions: tuple[PlannedAction, ...] = ()


def results_for(
    connection: sa.Connection, store: StoreAlias, subjects: Iterable[SubjectRef], *, cause: str, since: datetime
) -> Results:
    """What was decided about these subjects since then, or because of the delivery `cause`, and what was called."""
    wanted = set(subjects)
    # Sorted here: for their order SQLite would read through all that was ever done.
    query = sa.select(traces).where(beside(traces.c.store) == store, traces.c.at >= since)
    told = []
    for row in sorted(connection.execute(query), key=lambda row: row.id):
        ref = SubjectRef(SubjectKind(row.kind), row.subject)
        if ref in wanted or cause in row.caused_by:
            told.append(
                Trace(RuleCode(row.rule), ref, row.at, Truth(row.truth), row.text, row.finding, tuple(row.caused_by))
            )
    tried = sa.select(attempts.c.action).where(attempts.c.store == store, attempts.c.started_at >= since)
    is_recent = sa.or_(actions.c.created_at >= since, actions.c.key.in_(tried))
    recent = sa.select(actions).where(beside(actions.c.store) == store, is_recent)
    found = (action_from_row(row) for row in sorted(connection.execute(recent), key=lambda row: row.seq))
    return Results(
        tuple(told),
        tuple(each for each in found if cause in each.caused_by or wanted & {each.about, _product_of(each)}),
    )


def find_actions(connection: sa.Connection, keys: Iterable[ActionKey]) -> list[PlannedAction]:
    """The actions with these keys as they stand now, in the order in which they were planned."""
    found = [
        (row.seq, action_from_row(row))
        for chunk in chunks(keys)
        for row in connection.execute(sa.select(actions).where(actions.c.key.in_(chunk)))
    ]
    return [action for _, action in sorted(found, key=lambda pair: pair[0])]


def is_quiet(
    connection: sa.Connection, store: StoreAlias, subjects: Iterable[SubjectRef], *, asked_at: datetime
) -> bool:
    """Whether the subjects were looked at since then, and no action of theirs waits for its first answer.

    What is held back, or may be called for only later because of the hours of its rule, is not waited for.
    """
    wanted = set(subjects)
    for kind in SubjectKind:
        for ids in chunks(ref.id for ref in wanted if ref.kind is kind):
            is_due = sa.select(looks.c.id).where(
                looks.c.store == store, looks.c.kind == kind.value, looks.c.id.in_(ids), looks.c.due_at <= asked_at
            )
            is_theirs = (actions.c.about_kind == kind.value) & actions.c.about_id.in_(ids)
            if kind is SubjectKind.PRODUCT:
                is_theirs |= actions.c.product.in_(ids)
            is_due_now = sa.or_(actions.c.due_at.is_(None), actions.c.due_at <= asked_at)
            is_open = sa.or_(
                actions.c.state == ActionState.SENT.value,
                sa.and_(actions.c.state == ActionState.PENDING.value, is_due_now),
            )
            under_way = sa.select(actions.c.key).where(actions.c.store == store, is_open, is_theirs)
            if connection.execute(is_due.limit(1)).first() or connection.execute(under_way.limit(1)).first():
                return False
    return True


def _product_of(action: PlannedAction) -> SubjectRef:
    return SubjectRef(SubjectKind.PRODUCT, action.slot.product)
