"""What is recorded of a span of time: how subjects were, what the engine did with them, and the calls that it made."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

import sqlalchemy as sa

from rules_engine.core.action import SlotRef, SlotValue
from rules_engine.core.condition import Truth
from rules_engine.core.delivery import EventType, StoreAlias
from rules_engine.core.plan import Episode, EpisodeKey, PlannedAction
from rules_engine.core.rule import RuleCode
from rules_engine.core.subject import SubjectKind, SubjectRef
from rules_engine.database.history import State, states_of
from rules_engine.database.inbox import DeliveryState
from rules_engine.database.rows import action_from_row, chunks, hold_from_row, slot_from_row
from rules_engine.database.tables import actions, attempts, deliveries, episodes, history, holds, slots, snapshots

from .backtest_timeline import Doings, Stood
from .catalogue import NewNames

NOT_OURS = "it was so already"
"""The reason of a call after which the shop said that somebody else had done it."""

_CREATED = {SubjectKind.PRODUCT: EventType.PRODUCT_CREATED, SubjectKind.CATEGORY: EventType.CATEGORY_CREATED}


@dataclass(frozen=True, slots=True)
class Recorded:
    """One subject: all its states that are known, the oldest first, and what was done with it."""

    ref: SubjectRef
    states: tuple[State, ...]
    doings: Doings = field(default_factory=Doings)


@dataclass(frozen=True, slots=True)
class CallsMade:
    """How many calls were made for actions: by rule (one for several rules counts for each), and in all."""

    by_rule: Mapping[RuleCode, int]
    total: int


def every_subject(connection: sa.Connection, store: StoreAlias, kind: SubjectKind) -> list[str]:
    """The ids of all subjects of a kind that were ever seen, also of those that are gone."""
    query = sa.select(snapshots.c.id).where(snapshots.c.store == store, snapshots.c.kind == kind.value)
    return list(connection.execute(query.order_by(snapshots.c.id)).scalars())


def known_since(connection: sa.Connection, store: StoreAlias) -> datetime | None:
    """When the first change that is kept was seen; None where none is."""
    query = sa.select(history.c.until).where(history.c.store == store).order_by(history.c.until).limit(1)
    return connection.execute(query).scalar_one_or_none()


def recorded(
    connection: sa.Connection, store: StoreAlias, kind: SubjectKind, ids: Sequence[str], names: NewNames
) -> list[Recorded]:
    """What is recorded of these subjects, under the present codes of the rules. Seven queries for every 500 ids."""
    states = states_of(connection, store, kind, ids)
    stretches = _episodes(connection, store, kind, ids, names)
    done: dict[str, list[PlannedAction]] = {}
    held: dict[str, list[Stood]] = {}
    kept: dict[str, dict[SlotRef, SlotValue]] = {}
    for chunk in chunks(ids if kind is SubjectKind.PRODUCT else ()):
        for action in _actions(connection, store, chunk, names):
            done.setdefault(action.slot.product, []).append(action)
        for stood in _holds(connection, store, chunk, names):
            held.setdefault(stood.slot.product, []).append(stood)
        for row in connection.execute(sa.select(slots).where(slots.c.store == store, slots.c.product.in_(chunk))):
            kept.setdefault(row.product, {})[slot_from_row(row)] = row.baseline
    return [
        Recorded(
            ref,
            tuple(states[ref]),
            Doings(
                tuple(done.get(ref.id, ())), tuple(held.get(ref.id, ())), kept.get(ref.id, {}), stretches.get(ref, {})
            ),
        )
        for ref in (SubjectRef(kind, id_) for id_ in ids)
        if ref in states
    ]


def _actions(
    connection: sa.Connection, store: StoreAlias, ids: Sequence[str], names: NewNames
) -> Iterator[PlannedAction]:
    """The actions for which calls were made, unless somebody else had done it."""
    query = sa.select(actions).where(
        actions.c.store == store, actions.c.product.in_(ids), actions.c.attempts > 0, actions.c.reason != NOT_OURS
    )
    for row in connection.execute(query.order_by(actions.c.seq)):
        action = action_from_row(row)
        present = tuple(names.get(rule, rule) for rule in action.rules)
        yield replace(action, rules=present)


def _holds(connection: sa.Connection, store: StoreAlias, ids: Sequence[str], names: NewNames) -> Iterator[Stood]:
    query = sa.select(holds).where(holds.c.store == store, holds.c.product.in_(ids), holds.c.takes > 0)
    for row in connection.execute(query.order_by(holds.c.id)):
        hold = hold_from_row(row)
        yield Stood(slot_from_row(row), replace(hold, rule=names.get(hold.rule, hold.rule)), row.ended_at)


def _episodes(
    connection: sa.Connection, store: StoreAlias, kind: SubjectKind, ids: Sequence[str], names: NewNames
) -> dict[SubjectRef, dict[EpisodeKey, Episode]]:
    found: dict[SubjectRef, dict[EpisodeKey, Episode]] = {}
    for chunk in chunks(ids):
        query = sa.select(episodes).where(
            episodes.c.store == store, episodes.c.kind == kind.value, episodes.c.id.in_(chunk)
        )
        for row in connection.execute(query):
            ref, rule = SubjectRef(kind, row.id), RuleCode(row.rule)
            episode = Episode(row.number, Truth(row.truth), row.since)
            found.setdefault(ref, {})[names.get(rule, rule), ref] = episode
    return found


def calls_made(connection: sa.Connection, store: StoreAlias, since: datetime, names: NewNames) -> CallsMade:
    """The calls that were made for actions since then, also those that failed."""
    made = (
        sa.select(actions.c.rule, attempts.c.call)
        .select_from(attempts.join(actions, actions.c.key == attempts.c.action))
        .where(attempts.c.store == store, attempts.c.started_at > since)
        .distinct()
        .subquery()
    )
    by_rule: dict[RuleCode, int] = {}
    for rule, count in connection.execute(sa.select(made.c.rule, sa.func.count()).group_by(made.c.rule)):
        present = names.get(RuleCode(rule), RuleCode(rule))
        by_rule[present] = by_rule.get(present, 0) + count
    total = connection.execute(sa.select(sa.func.count(made.c.call.distinct()))).scalar_one()
    return CallsMade(by_rule, total)


Births = Mapping[SubjectRef, Sequence[tuple[datetime, EventType]]]
"""When the webhooks were decided that told of a new product or category, with what they told."""


def births(connection: sa.Connection, store: StoreAlias, since: datetime) -> Births:
    """The webhooks since then that said of a subject that it was created, as far as their rows are kept.

    Of all that webhooks tell, this alone is not seen by looking: their bodies are not needed.
    """
    found: dict[SubjectRef, list[tuple[datetime, EventType]]] = {}
    query = sa.select(deliveries.c.subjects, deliveries.c.planned_at).where(
        deliveries.c.store == store,
        deliveries.c.state == DeliveryState.PLANNED.value,
        deliveries.c.vendor_type.contains("creat"),
        deliveries.c.planned_at > since,
    )
    for named, planned_at in connection.execute(query.order_by(deliveries.c.planned_at)):
        for subject in named:
            kind, _, id_ = subject.partition(":")
            if kind in _CREATED:
                ref = SubjectRef(SubjectKind(kind), id_)
                found.setdefault(ref, []).append((planned_at, _CREATED[ref.kind]))
    return found
