"""What was done in a span of time and what still stands open, counted, for those who want it short.

Every query walks over a span of an index, or over what is open: never over all that was ever done.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from rules_engine.core.delivery import StoreAlias
from rules_engine.core.plan import ActionState, PlannedAction, Step
from rules_engine.core.question import QuestionState
from rules_engine.core.rule import RuleCode
from rules_engine.core.subject import ProductId, SubjectKind, SubjectRef
from rules_engine.core.view import Fields

from .products import beside_product, fields_from_row, product_columns
from .rows import action_from_row
from .tables import actions, attempts, looks, notices
from .tables_people import questions


@dataclass(frozen=True, slots=True)
class Deeds:
    """What one rule did of one kind in one store: to how many products, and to which first."""

    store: StoreAlias
    rule: RuleCode
    step: Step
    products: int
    first: tuple[ProductId, ...]


@dataclass(frozen=True, slots=True)
class SetAside:
    """The subjects that could not be looked at: how many, and the first with the reasons, by kind and id."""

    subjects: int = 0
    first: tuple[tuple[SubjectRef, str], ...] = ()


@dataclass(frozen=True, slots=True)
class KeptWaiting:
    """The actions that a floor keeps back: of how many products, and the first of them with their products' fields."""

    products: int = 0
    first: tuple[tuple[PlannedAction, Fields], ...] = ()


def deeds_since(connection: sa.Connection, since: datetime, *, first: int) -> list[Deeds]:
    """What rules did since then, by store, rule and kind, with the `first` products of each.

    What somebody else had done already is nothing that we did, nor is what was given up.
    """
    was_done = sa.or_(
        sa.and_(attempts.c.outcome == "done", actions.c.state != ActionState.DEAD.value),
        # The answer was lost, or said nothing, and a later read showed it.
        sa.and_(attempts.c.outcome != "nothing to do", actions.c.state == ActionState.CONFIRMED.value),
    )
    what = (actions.c.store, actions.c.rule, actions.c.step)
    done = (
        sa.select(*what, actions.c.product, sa.func.min(attempts.c.id).label("at"))
        .join(actions, actions.c.key == attempts.c.action)
        .where(attempts.c.started_at >= since, was_done)
        .group_by(*what, actions.c.product)
        .subquery()
    )
    kind = (done.c.store, done.c.rule, done.c.step)
    numbered = sa.select(
        *kind,
        done.c.product,
        sa.func.row_number().over(partition_by=kind, order_by=done.c.at).label("number"),
        sa.func.count().over(partition_by=kind).label("products"),
    ).subquery()
    query = sa.select(numbered).where(numbered.c.number <= first)
    found: dict[tuple[str, str, str], Deeds] = {}
    for row in connection.execute(query.order_by(*numbered.c["store", "step", "rule", "number"])):
        key = (row.store, row.rule, row.step)
        before = found[key].first if key in found else ()
        chosen = (*before, ProductId(row.product))
        found[key] = Deeds(StoreAlias(row.store), RuleCode(row.rule), Step(row.step), row.products, chosen)
    return list(found.values())


def count_kept_waiting(
    connection: sa.Connection, store: StoreAlias, rules: Iterable[RuleCode], *, first: int
) -> KeptWaiting:
    """What `never_leave` keeps back in a store, oldest first. `rules` are those that say so and may act.

    Of what was asked about only what a person agreed to is among it; and nothing that was let through since and is only
    to be looked at once more.
    """
    is_asked = sa.exists().where(questions.c.id == actions.c.question, questions.c.state != QuestionState.YES.value)
    which = sa.and_(
        actions.c.store == store,
        actions.c.state == ActionState.HELD.value,
        actions.c.rule.in_(sorted(rules)),
        actions.c.admitted_at.is_(None),
        ~is_asked,
    )
    products = connection.execute(sa.select(sa.func.count(actions.c.product.distinct())).where(which)).scalar_one()
    of_product = sa.select(sa.func.min(actions.c.seq)).where(which).group_by(actions.c.product)
    query = (
        sa.select(actions, *product_columns())
        .select_from(beside_product(actions))
        .where(actions.c.seq.in_(of_product))
        .order_by(actions.c.seq)
        .limit(first)
    )
    rows = connection.execute(query) if products else ()
    return KeptWaiting(products, tuple((action_from_row(row), fields_from_row(row)) for row in rows))


def last_deeds(connection: sa.Connection, store: StoreAlias, rules: Iterable[RuleCode]) -> dict[RuleCode, datetime]:
    """When each of these rules was last called for in the store, as far as that is remembered; others are left out."""
    found: dict[RuleCode, datetime] = {}
    for rule in rules:
        last = sa.select(sa.func.max(actions.c.called_at)).where(actions.c.store == store, actions.c.rule == rule)
        at: datetime | None = connection.execute(last).scalar_one()
        if at is not None:
            found[rule] = at
    return found


def last_told(connection: sa.Connection, store: StoreAlias) -> dict[RuleCode, datetime]:
    """When each rule last had people told of something in the store, as far as that is remembered."""
    query = (
        sa.select(notices.c.rule, sa.func.max(notices.c.at)).where(notices.c.store == store).group_by(notices.c.rule)
    )
    return {RuleCode(rule): at for rule, at in connection.execute(query)}


def count_set_aside(connection: sa.Connection, store: StoreAlias, *, first: int) -> SetAside:
    """The subjects of a store that could not be looked at, and are tried again later."""
    which = sa.and_(looks.c.store == store, looks.c.failures > 0)
    subjects = connection.execute(sa.select(sa.func.count()).select_from(looks).where(which)).scalar_one()
    query = sa.select(looks).where(which).order_by(looks.c.kind, looks.c.id).limit(first)
    rows = connection.execute(query) if subjects else ()
    return SetAside(subjects, tuple((SubjectRef(SubjectKind(row.kind), row.id), row.reason) for row in rows))


def count_dead(connection: sa.Connection) -> dict[StoreAlias, int]:
    """How many actions were given up and wait for a person, by store."""
    query = (
        sa.select(actions.c.store, sa.func.count())
        .where(actions.c.state == ActionState.DEAD.value)
        .group_by(actions.c.store)
    )
    return {StoreAlias(store): count for store, count in connection.execute(query)}
