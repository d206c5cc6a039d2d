"""Between rows and values: the holds and actions of the tables, and statements that SQLite and PostgreSQL share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from itertools import islice
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from rules_engine.core.action import ActionKey, ActionKind, Aspect, SlotRef
from rules_engine.core.delivery import StoreAlias
from rules_engine.core.holds import Hold, HoldState
from rules_engine.core.plan import ActionState, PlannedAction, Step
from rules_engine.core.question import QuestionId
from rules_engine.core.rule import RuleCode
from rules_engine.core.subject import ProductId, SubjectKind, SubjectRef

T = TypeVar("T")

ROWS_AT_ONCE = 500
"""How many values one IN list takes: well below SQLite's 32,766 parameters, and a plan that stays the same."""

OPEN_HOLDS = tuple(state.value for state in HoldState if state.is_open)
OPEN_ACTIONS = tuple(state.value for state in ActionState if state.is_open)


def chunks(values: Iterable[T], size: int = ROWS_AT_ONCE) -> Iterator[list[T]]:
    """The distinct values in lists of at most `size`, in their first order."""
    distinct = iter(dict.fromkeys(values))
    while chunk := list(islice(distinct, size)):
        yield chunk


def given(name: str) -> sa.BindParameter[Any]:
    """A value that a statement gets when it runs.

    Statements of every turn are built once, with such values: to build one costs eight times what it costs to run it.
    """
    return sa.bindparam(name)


def any_given(name: str) -> sa.BindParameter[Any]:
    """The values of an IN list that a statement gets when it runs, at most `ROWS_AT_ONCE`."""
    return sa.bindparam(name, expanding=True)


def beside(column: sa.Column[str]) -> sa.ColumnElement[str]:
    """A text column as a term that leads no index, where another index finds fewer rows.

    SQLite takes an equal store or rule to be rarer than any span of time, and they are not.
    """
    return column + sa.literal("")


def insert_for(connection: sa.Connection, table: sa.Table) -> sqlite.Insert | postgresql.Insert:
    """An insert that can say `on conflict`, in the words of the connection's database."""
    return insert_in(connection.dialect.name, table)


def insert_in(dialect: str, table: sa.Table) -> sqlite.Insert | postgresql.Insert:
    """An insert that can say `on conflict`, in the words of this dialect."""
    return postgresql.insert(table) if dialect == "postgresql" else sqlite.insert(table)


def upsert(
    connection: sa.Connection,
    table: sa.Table,
    rows: Sequence[Mapping[str, Any]],
    *,
    by: tuple[str, ...] = (),
    keep: tuple[str, ...] = (),
) -> None:
    """Insert the rows, or overwrite those that are there already, except for their columns in `keep`.

    `by` names the unique columns (the primary key unless said otherwise). All rows have the same columns.
    """
    if rows:
        unique = by or tuple(column.name for column in table.primary_key)
        connection.execute(_upsert(connection.dialect.name, table, unique, keep, tuple(rows[0])), rows)


@cache  # building the statement costs more than running it
def _upsert(
    dialect: str, table: sa.Table, by: tuple[str, ...], keep: tuple[str, ...], columns: tuple[str, ...]
) -> sa.Insert:
    statement = insert_in(dialect, table)
    changed = {name: statement.excluded[name] for name in columns if name not in by and name not in keep}
    return statement.on_conflict_do_update(index_elements=by, set_=changed)


def slot_columns(ref: SlotRef) -> dict[str, str]:
    """The columns that name a slot, in `slots` and `holds`."""
    return {"product": ref.product, "aspect": ref.aspect.value, "target": ref.target}


def slot_from_row(row: sa.Row[Any]) -> SlotRef:
    """The slot that a row of `slots` or `holds` names."""
    return SlotRef(ProductId(row.product), Aspect(row.aspect), row.target)


def hold_columns(store: StoreAlias, slot: SlotRef, hold: Hold) -> dict[str, Any]:
    """A hold as the table keeps it, without `id` and `ended_at`."""
    return {
        "store": store,
        **slot_columns(slot),
        "rule": hold.rule,
        "subject_kind": hold.subject.kind.value,
        "subject_id": hold.subject.id,
        "wish": hold.wish,
        "episode": hold.episode,
        "takes": hold.takes,
        "state": hold.state.value,
        "is_left": hold.is_left,
        "reason": hold.reason,
        "cause": list(hold.cause),
        "since": hold.since,
        "changed_at": hold.changed_at,
        "is_ordered": hold.is_ordered,
        "stood": hold.stood,
    }


def hold_from_row(row: sa.Row[Any]) -> Hold:
    """A row of `holds` as a value."""
    return Hold(
        rule=RuleCode(row.rule),
        subject=SubjectRef(SubjectKind(row.subject_kind), row.subject_id),
        wish=row.wish,
        episode=row.episode,
        state=HoldState(row.state),
        since=row.since,
        takes=row.takes,
        is_left=row.is_left,
        reason=row.reason,
        cause=tuple(row.cause),
        changed_at=row.changed_at,
        is_ordered=row.is_ordered,
        stood=row.stood,
        id=row.id,
    )


def action_columns(store: StoreAlias, action: PlannedAction) -> dict[str, Any]:
    """An action as the outbox keeps it."""
    return {
        "key": action.key,
        "store": store,
        "kind": action.kind.value,
        "product": action.slot.product,
        "aspect": action.slot.aspect.value,
        "slot_target": action.slot.target,
        "target": action.target,
        "wish": action.wish,
        "step": action.step.value,
        "rules": list(action.rules),
        "about_kind": action.about.kind.value,
        "about_id": action.about.id,
        "state": action.state.value,
        "attempts": action.attempts,
        "is_whole": action.is_whole,
        "created_at": action.created_at,
        "due_at": action.due_at,
        "done_at": action.done_at,
        "reason": action.reason,
        "caused_by": list(action.caused_by),
        "rule": action.rules[0],
        "admitted_at": action.admitted_at,
        "called_at": action.called_at,
        "question": action.question,
    }


def action_from_row(row: sa.Row[Any]) -> PlannedAction:
    """A row of `actions` as a value."""
    return PlannedAction(
        key=ActionKey(row.key),
        kind=ActionKind(row.kind),
        slot=SlotRef(ProductId(row.product), Aspect(row.aspect), row.slot_target),
        target=row.target,
        wish=row.wish,
        step=Step(row.step),
        rules=tuple(RuleCode(rule) for rule in row.rules),
        about=SubjectRef(SubjectKind(row.about_kind), row.about_id),
        state=ActionState(row.state),
        created_at=row.created_at,
        due_at=row.due_at,
        attempts=row.attempts,
        done_at=row.done_at,
        reason=row.reason,
        caused_by=tuple(row.caused_by),
        is_whole=row.is_whole,
        admitted_at=row.admitted_at,
        called_at=row.called_at,
        question=QuestionId(row.question) if row.question is not None else None,
    )
