"""Who holds what of which product, for people who ask, and for those who tell rules what to do with it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from rules_engine.core.action import Aspect, SlotRef, SlotValue
from rules_engine.core.condition import Truth
from rules_engine.core.delivery import StoreAlias
from rules_engine.core.holds import Hold, HoldState
from rules_engine.core.plan import ActionState, PlannedAction, Step
from rules_engine.core.rule import RuleCode
from rules_engine.core.subject import SubjectKind, SubjectRef
from rules_engine.core.view import Fields

from .products import beside_product, fields_from_row, product_columns
from .rows import action_from_row, chunks, hold_from_row, slot_from_row
from .tables import actions, episodes, holds, slots
from .vanished import UNSETTLED


@dataclass(frozen=True, slots=True)
class Holding:
    """A hold, and what is known of its product: `fields` has its names, and how its slots are; empty if never seen."""

    store: StoreAlias
    slot: SlotRef
    hold: Hold
    baseline: SlotValue
    fields: Fields = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Counted:
    """The holds of some states, of so many products; the first of them, oldest first."""

    products: int = 0
    first: tuple[Holding, ...] = ()


@dataclass(frozen=True, slots=True)
class Deed:
    """What a moment did to a product, and what is known of that."""

    store: StoreAlias
    action: PlannedAction
    fields: Fields


@dataclass(frozen=True, slots=True)
class Total:
    """How many holds of one rule in one store stand alike."""

    store: StoreAlias
    rule: RuleCode
    state: HoldState
    count: int


@dataclass(frozen=True, slots=True)
class Among:
    """Which holds are meant: all, or those of one rule, of one store, or of these subjects (by store)."""

    rule: RuleCode | None = None
    store: StoreAlias | None = None
    subjects: Collection[tuple[StoreAlias, SubjectRef]] | None = None

    def are_holds(self) -> sa.ColumnElement[bool]:
        """The holds that are meant, as a term."""
        terms: list[sa.ColumnElement[bool]] = [sa.true()]
        if self.rule is not None:
            terms.append(holds.c.rule == self.rule)
        if self.store is not None:
            terms.append(holds.c.store == self.store)
        if self.subjects is not None:
            of_one = [sa.and_(holds.c.store == store, _is_of(ref)) for store, ref in self.subjects]
            terms.append(sa.or_(sa.false(), *of_one))
        return sa.and_(*terms)


def _is_of(ref: SubjectRef) -> sa.ColumnElement[bool]:
    if ref.kind is SubjectKind.PRODUCT:
        return holds.c.product == ref.id
    is_in_it = sa.and_(holds.c.aspect == Aspect.MEMBERSHIP.value, holds.c.target == ref.id)
    return sa.or_(is_in_it, sa.and_(holds.c.subject_kind == ref.kind.value, holds.c.subject_id == ref.id))


def open_holdings(connection: sa.Connection, among: Among, *, limit: int | None = None) -> list[Holding]:
    """The open holds among these: what is owed first, then those that last longest."""
    is_owed = sa.case((holds.c.state == HoldState.OWED.value, 0), else_=1)
    query = _with_products(holds.c.ended_at.is_(None), among).order_by(is_owed, holds.c.since, holds.c.id)
    return list(_holdings(connection, query.limit(limit)))


def unsettled_holdings(connection: sa.Connection, store: StoreAlias, rule: RuleCode) -> list[Holding]:
    """What a rule took in a store and nobody ordered yet what becomes of it, in the order in which it was taken."""
    query = _with_products(UNSETTLED, Among(rule, store)).order_by(holds.c.id)
    return list(_holdings(connection, query))


def count_holds(
    connection: sa.Connection,
    store: StoreAlias,
    states: Collection[HoldState],
    *,
    first: int,
    changed_since: datetime | None = None,
    reason: str = "",
) -> Counted:
    """The open holds of a store in these states; of each product the first.

    Or those of them that came into them since then, or whose reason has this in it.
    """
    which = sa.and_(
        holds.c.store == store, holds.c.ended_at.is_(None), holds.c.state.in_(sorted(state.value for state in states))
    )
    if changed_since is not None:
        which = sa.and_(which, holds.c.changed_at >= changed_since)
    if reason:
        which = sa.and_(which, holds.c.reason.contains(reason, autoescape=True))
    products = connection.execute(sa.select(sa.func.count(holds.c.product.distinct())).where(which)).scalar_one()
    if not products:
        return Counted()
    of_product = sa.select(sa.func.min(holds.c.id)).where(which).group_by(holds.c.product)
    oldest = _with_products(holds.c.id.in_(of_product), Among()).order_by(holds.c.since, holds.c.id).limit(first)
    return Counted(products, tuple(_holdings(connection, oldest)))


def kept_out(connection: sa.Connection, among: Among) -> list[Holding]:
    """The holds that ended in a stretch that still runs and were refused, or ended by order: it takes no more."""
    is_of_its_stretch = sa.exists().where(
        episodes.c.store == holds.c.store,
        episodes.c.rule == holds.c.rule,
        episodes.c.kind == holds.c.subject_kind,
        episodes.c.id == holds.c.subject_id,
        episodes.c.number == holds.c.episode,
        episodes.c.truth == Truth.MET.value,
    )
    is_out = sa.or_(holds.c.state == HoldState.NEVER_TAKEN.value, holds.c.is_ordered.is_(True))
    query = _with_products(sa.and_(holds.c.ended_at.is_not(None), is_out, is_of_its_stretch), among)
    return list(_holdings(connection, query.order_by(holds.c.since, holds.c.id)))


def held_back(connection: sa.Connection, store: StoreAlias, products: Iterable[str]) -> list[PlannedAction]:
    """The actions of these products that wait for an answer, for room in a category, or for a rule that is paused.

    They come in the order in which they were planned.
    """
    is_held = sa.and_(actions.c.state == ActionState.HELD.value, actions.c.store == store)
    found = [
        (row.seq, action_from_row(row))
        for ids in chunks(dict.fromkeys(products))
        for row in connection.execute(sa.select(actions).where(is_held, actions.c.product.in_(ids)))
    ]
    return [action for _, action in sorted(found, key=lambda pair: pair[0])]


def totals(connection: sa.Connection, among: Among) -> list[Total]:
    """How many open holds there are among these, by store, rule and state."""
    by = (holds.c.store, holds.c.rule, holds.c.state)
    query = sa.select(*by, sa.func.count()).where(holds.c.ended_at.is_(None), among.are_holds()).group_by(*by)
    return [
        Total(StoreAlias(store), RuleCode(rule), HoldState(state), count)
        for store, rule, state, count in connection.execute(query.order_by(*by))
    ]


def deeds(connection: sa.Connection, rule: RuleCode, store: StoreAlias | None, *, since: datetime) -> list[Deed]:
    """What moments of a rule did since then, newest first; of several on one slot only the last."""
    was_done = actions.c.state.in_((ActionState.CONFIRMED.value, ActionState.DONE.value))
    query = (
        sa.select(actions, *product_columns())
        .select_from(beside_product(actions))
        .where(actions.c.rule == rule, actions.c.step == Step.MOMENT.value, was_done, actions.c.done_at >= since)
        .where(actions.c.attempts > 0)
    )
    if store is not None:
        query = query.where(actions.c.store == store)
    found: dict[tuple[str, SlotRef], Deed] = {}
    for row in connection.execute(query.order_by(actions.c.done_at.desc(), actions.c.seq.desc())):
        action = action_from_row(row)
        found.setdefault((row.store, action.slot), Deed(StoreAlias(row.store), action, fields_from_row(row)))
    return list(found.values())


def holders_beside(
    connection: sa.Connection, rule: RuleCode, store: StoreAlias | None
) -> dict[tuple[StoreAlias, SlotRef], list[Hold]]:
    """What others hold of the slots that this rule holds or has acted on, by the codes of their rules."""
    mine = holds.alias("mine")
    held = sa.select(*mine.c["store", "product", "aspect", "target"]).where(
        mine.c.rule == rule, mine.c.ended_at.is_(None)
    )
    acted_on = sa.select(*actions.c["store", "product", "aspect", "slot_target"]).where(actions.c.rule == rule)
    others = sa.select(holds).where(holds.c.ended_at.is_(None), holds.c.rule != rule)
    if store is not None:
        held, acted_on = held.where(mine.c.store == store), acted_on.where(actions.c.store == store)
        others = others.where(holds.c.store == store)
    # A set that is made once: both may be many, and must not be gone through for each hold of the others.
    slot = sa.tuple_(*holds.c["store", "product", "aspect", "target"])
    query = others.where(slot.in_(sa.union(held, acted_on)))
    found: dict[tuple[StoreAlias, SlotRef], list[Hold]] = defaultdict(list)
    for row in connection.execute(query.order_by(holds.c.rule, holds.c.id)):
        found[StoreAlias(row.store), slot_from_row(row)].append(hold_from_row(row))
    return dict(found)


def rules_with_holds(connection: sa.Connection) -> list[RuleCode]:
    """The rules that hold something, or of which an action is kept, also those that are gone."""
    known = sa.union(sa.select(holds.c.rule).where(holds.c.ended_at.is_(None)), sa.select(actions.c.rule))
    return [RuleCode(rule) for rule in sorted(connection.execute(known).scalars()) if rule]


def _with_products(is_meant: sa.ColumnElement[bool], among: Among) -> sa.Select[Any]:
    is_its_slot = sa.and_(*(slots.c[name] == holds.c[name] for name in ("store", "product", "aspect", "target")))
    return (
        sa.select(holds, slots.c.baseline.label("baseline"), *product_columns())
        .select_from(beside_product(holds).outerjoin(slots, is_its_slot))
        .where(is_meant, among.are_holds())
    )


def _holdings(connection: sa.Connection, query: sa.Select[Any]) -> Iterator[Holding]:
    for row in connection.execute(query):
        yield Holding(StoreAlias(row.store), slot_from_row(row), hold_from_row(row), row.baseline, fields_from_row(row))
