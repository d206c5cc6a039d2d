"""How much rules did lately, for their limits: the products that count, and what waits to be let through."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from rules_engine.core.action import ActionKind
from rules_engine.core.delivery import StoreAlias
from rules_engine.core.limits import KINDS, UNFINISHED, Used
from rules_engine.core.plan import ActionState, PlannedAction
from rules_engine.core.question import QuestionId, QuestionKind, QuestionState
from rules_engine.core.rule import RuleCode
from rules_engine.core.subject import ProductId
from rules_engine.core.sweep import SweepKind

from .rows import action_from_row, beside, chunks
from .sweeps import last_sweep
from .tables import actions
from .tables_people import questions

_UNFINISHED = tuple(sorted(state.value for state in UNFINISHED))


def _steps(kind: QuestionKind) -> tuple[str, ...]:
    return tuple(step.value for step, counted in KINDS.items() if counted is kind)


def _counting(store: StoreAlias, rule: RuleCode, kind: QuestionKind, since: datetime) -> sa.CompoundSelect[Any]:
    """Every product that counts, as `core.limits.counts` says."""
    of_rule = (actions.c.store == store, actions.c.rule == rule, actions.c.step.in_(_steps(kind)))
    called = sa.select(actions.c.product).where(*of_rule, actions.c.called_at >= since)
    # Of a rule much is kept that it did, and little of the store is unfinished.
    under_way = sa.select(actions.c.product).where(
        actions.c.store == store,
        beside(actions.c.rule) == rule,
        actions.c.step.in_(_steps(kind)),
        actions.c.state.in_(_UNFINISHED),
        actions.c.admitted_at.is_not(None),
    )
    return sa.union(called, under_way)


def counted_products(
    connection: sa.Connection, store: StoreAlias, rule: RuleCode, kind: QuestionKind, *, since: datetime
) -> frozenset[ProductId]:
    """The products that count against a limit of this rule which looks back to `since`, as `core.limits.counts` says.

    After a yes to many there are many of them: `used_by` says less, and is there for every page of a turn.
    """
    query = _counting(store, rule, kind, since)
    return frozenset(ProductId(id_) for id_ in connection.execute(query).scalars())


def used_by(
    connection: sa.Connection,
    store: StoreAlias,
    rule: RuleCode,
    kind: QuestionKind,
    *,
    since: datetime,
    among: Collection[ProductId],
) -> Used:
    """How many products count against a limit of this rule which looks back to `since`, and which of those `among`."""
    number = sa.select(sa.func.count()).select_from(_counting(store, rule, kind, since).subquery())
    is_under_way = sa.and_(actions.c.state.in_(_UNFINISHED), actions.c.admitted_at.is_not(None))
    found: set[ProductId] = set()
    for ids in chunks(sorted(among)):
        query = sa.select(actions.c.product).where(
            actions.c.store == store,
            actions.c.product.in_(ids),
            beside(actions.c.rule) == rule,
            actions.c.step.in_(_steps(kind)),
            sa.or_(actions.c.called_at >= since, is_under_way),
        )
        found |= {ProductId(id_) for id_ in connection.execute(query).scalars()}
    return Used(int(connection.execute(number).scalar_one()), frozenset(found))


def catalogue_size(connection: sa.Connection, store: StoreAlias) -> int | None:
    """How many products the last complete sweep of the store found, or None when there was none."""
    sweep = last_sweep(connection, store, [kind for kind in SweepKind if kind.is_complete])
    return None if sweep is None else sweep.seen


def held_for(connection: sa.Connection, ids: Iterable[QuestionId]) -> list[PlannedAction]:
    """The actions that are held back for these questions, in the order in which they were planned."""
    found: list[PlannedAction] = []
    for chunk in chunks(ids):
        query = sa.select(actions).where(actions.c.question.in_(chunk), actions.c.state == ActionState.HELD.value)
        found += [action_from_row(row) for row in connection.execute(query.order_by(actions.c.seq))]
    return found


def mark_held(
    connection: sa.Connection, question: QuestionId, *, reason: str, admitted_at: datetime | None = None
) -> None:
    """Say why what is held back for this question waits; with `admitted_at` it counts from now on.

    It goes out only once its products were looked at.
    """
    held = sa.and_(actions.c.question == question, actions.c.state == ActionState.HELD.value)
    connection.execute(sa.update(actions).where(held).values(reason=reason, admitted_at=admitted_at))


def held_removes(
    connection: sa.Connection, store: StoreAlias, rule: RuleCode, category: str, *, due_by: datetime, limit: int
) -> list[PlannedAction]:
    """What a rule would take out of a category and waits for room there, those that wait longest first.

    Not what waits for an answer, or until later than `due_by` for the hours of its rule.
    """
    is_agreed = sa.exists().where(questions.c.id == actions.c.question, questions.c.state == QuestionState.YES.value)
    query = sa.select(actions).where(
        actions.c.store == store,
        actions.c.rule == rule,
        actions.c.kind == ActionKind.REMOVE_FROM_CATEGORY.value,
        actions.c.target == category,
        # Written out, not bound: SQLite uses a partial index only for a term that it can see when it plans.
        actions.c.state == sa.literal_column("'held back'"),
        sa.or_(actions.c.due_at.is_(None), actions.c.due_at <= due_by),
        sa.or_(actions.c.question.is_(None), is_agreed),
    )
    rows = connection.execute(query.order_by(actions.c.created_at, actions.c.product).limit(limit))
    return [action_from_row(row) for row in rows]


def leaving_products(
    connection: sa.Connection, store: StoreAlias, category: str, *, guarded: Collection[RuleCode]
) -> frozenset[ProductId]:
    """The products that are on their way out of a category; of the `guarded` rules only what was let through is."""
    states = [state.value for state in (*UNFINISHED - {ActionState.HELD}, ActionState.DONE)]
    query = sa.select(actions.c.product).where(
        actions.c.store == store,
        actions.c.kind == ActionKind.REMOVE_FROM_CATEGORY.value,
        actions.c.target == category,
        actions.c.state.in_(sorted(states)),
        sa.or_(actions.c.admitted_at.is_not(None), actions.c.rule.not_in(sorted(guarded))),
    )
    return frozenset(ProductId(id_) for id_ in connection.execute(query).scalars())
