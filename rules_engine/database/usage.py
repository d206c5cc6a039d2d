"""How much rules did lately, for their limits: the products that count, and what waits to be let through."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import sqlalchemy as sa

from rules_engine.core.action import ActionKind
from rules_engine.core.delivery import StoreAlias
from rules_engine.core.limits import KINDS, UNFINISHED
from rules_engine.core.plan import ActionState, PlannedAction
from rules_engine.core.question import QuestionId, QuestionKind
from rules_engine.core.rule import RuleCode
from rules_engine.core.subject import ProductId
from rules_engine.core.sweep import SweepKind

from .rows import action_from_row, beside, chunks
from .sweeps import last_sweep
from .tables import actions


def counted_products(
    connection: sa.Connection, store: StoreAlias, rule: RuleCode, kind: QuestionKind, *, since: datetime
) -> frozenset[ProductId]:
    """The products that count against a limit of this rule which looks back to `since`, as `core.limits.counts` says.

    There are hardly more of them than the limit allows.
    """
    steps = [step.value for step, counted in KINDS.items() if counted is kind]
    of_rule = (actions.c.store == store, actions.c.rule == rule, actions.c.step.in_(steps))
    called = sa.select(actions.c.product).where(*of_rule, actions.c.called_at >= since)
    states = sorted(state.value for state in UNFINISHED)
    # Of a rule everything is kept that it ever did, and little of the store is unfinished.
    under_way = sa.select(actions.c.product).where(
        actions.c.store == store,
        beside(actions.c.rule) == rule,
        actions.c.step.in_(steps),
        actions.c.state.in_(states),
        actions.c.admitted_at.is_not(None),
    )
    return frozenset(ProductId(id_) for id_ in connection.execute(sa.union(called, under_way)).scalars())


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


def held_removes(connection: sa.Connection, store: StoreAlias, rule: RuleCode, category: str) -> list[PlannedAction]:
    """What a rule would take out of a category and is held back, whyever, those that wait longest first."""
    query = sa.select(actions).where(
        actions.c.store == store,
        actions.c.rule == rule,
        actions.c.kind == ActionKind.REMOVE_FROM_CATEGORY.value,
        actions.c.target == category,
        actions.c.state == ActionState.HELD.value,
    )
    rows = connection.execute(query.order_by(actions.c.created_at, actions.c.product))
    return [action_from_row(row) for row in rows]
