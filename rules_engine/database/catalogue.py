"""What is known of a store's catalogue as a whole: its subjects, categories, and what rules want of those."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from rules_engine.core.action import Aspect
from rules_engine.core.condition import Truth
from rules_engine.core.delivery import StoreAlias
from rules_engine.core.directory import Directory
from rules_engine.core.holds import HoldState
from rules_engine.core.plan import Episode, EpisodeKey, PlannedAction
from rules_engine.core.rule import RuleCode
from rules_engine.core.store import Capabilities, Store
from rules_engine.core.subject import Snapshot, SubjectKind, SubjectRef, product

from .ledger import snapshot_from_row
from .rows import OPEN_ACTIONS, action_from_row, any_given, chunks, given
from .tables import actions, episodes, holds, snapshots

STEP = 100
"""Subjects that are read at once by who may stop before the end."""


def known_subjects(connection: sa.Connection, store: StoreAlias) -> list[SubjectRef]:
    """Every product and category that was seen and is not gone, by kind and id."""
    kinds = (SubjectKind.PRODUCT, SubjectKind.CATEGORY)
    return [ref for kind in kinds for ref in _subjects(connection, store, kind, is_gone=False)]


def known_categories(connection: sa.Connection, store: StoreAlias) -> list[SubjectRef]:
    """Every category that was seen and is not gone, by id."""
    return _subjects(connection, store, SubjectKind.CATEGORY, is_gone=False)


def gone_categories(connection: sa.Connection, store: StoreAlias) -> list[str]:
    """The ids of the categories that once were and no longer exist."""
    return [ref.id for ref in _subjects(connection, store, SubjectKind.CATEGORY, is_gone=True)]


_SUBJECTS = (
    sa.select(snapshots.c.id)
    .where(snapshots.c.store == given("store"), snapshots.c.kind == given("kind"))
    .where(snapshots.c.is_gone == given("is_gone"))
    .order_by(snapshots.c.id)
)


def _subjects(connection: sa.Connection, store: StoreAlias, kind: SubjectKind, *, is_gone: bool) -> list[SubjectRef]:
    found = connection.execute(_SUBJECTS, {"store": store, "kind": kind.value, "is_gone": is_gone})
    return [SubjectRef(kind, id_) for id_ in found.scalars()]


def newest_fields(
    connection: sa.Connection, store: StoreAlias, kind: SubjectKind, *, since: datetime, limit: int
) -> Iterator[Mapping[str, Any]]:
    """The fields of the subjects that were seen since then and are not gone, at most `limit`, the newest first.

    They are read in steps, so that who has seen enough can stop.
    """
    newest = sa.select(snapshots.c.id).where(
        snapshots.c.store == store,
        snapshots.c.kind == kind.value,
        snapshots.c.is_gone.is_(False),
        snapshots.c.seen_at >= since,
    )
    ids = connection.execute(newest.order_by(snapshots.c.seen_at.desc(), snapshots.c.id).limit(limit)).scalars().all()
    for chunk in chunks(ids, STEP):
        query = sa.select(snapshots.c.fields).where(
            snapshots.c.store == store, snapshots.c.kind == kind.value, snapshots.c.id.in_(chunk)
        )
        yield from (fields for fields in connection.execute(query).scalars() if fields is not None)


_CATEGORIES = (
    sa.select(snapshots)
    .where(snapshots.c.store == given("store"), snapshots.c.kind == SubjectKind.CATEGORY.value)
    .where(snapshots.c.is_gone.is_(False))
    .order_by(snapshots.c.id)
)


def categories(connection: sa.Connection, store: StoreAlias) -> list[Snapshot]:
    """Every category that was seen and is not gone, by id."""
    found = (snapshot_from_row(row) for row in connection.execute(_CATEGORIES, {"store": store}))
    return [snapshot for snapshot in found if snapshot is not None]


def load_directory(connection: sa.Connection, store: Store, capabilities: Capabilities) -> Directory:
    """The store's names and ids, from its categories as last seen and the names of stores.yaml."""
    return Directory.from_snapshots(
        categories(connection, store.alias),
        names=store.settings.names,
        gone=gone_categories(connection, store.alias),
        brands_are_names=capabilities.brands_are_names,
    )


_CATEGORY_EPISODES = sa.select(episodes).where(
    episodes.c.store == given("store"), episodes.c.kind == SubjectKind.CATEGORY.value
)


def category_episodes(connection: sa.Connection, store: StoreAlias) -> dict[EpisodeKey, Episode]:
    """How every rule about categories stands for every category."""
    return {
        (RuleCode(row.rule), SubjectRef(SubjectKind.CATEGORY, row.id)): Episode(row.number, Truth(row.truth), row.since)
        for row in connection.execute(_CATEGORY_EPISODES, {"store": store})
    }


def products_of_slot(connection: sa.Connection, store: StoreAlias, aspect: Aspect, target: str) -> list[SubjectRef]:
    """The products with an open hold or an open action on such a slot, like the membership of one category."""
    held = sa.select(holds.c.product).where(
        holds.c.store == store,
        holds.c.aspect == aspect.value,
        holds.c.target == target,
        holds.c.ended_at.is_(None),
    )
    acted = sa.select(actions.c.product).where(
        actions.c.store == store,
        actions.c.aspect == aspect.value,
        actions.c.slot_target == target,
        actions.c.state.in_(OPEN_ACTIONS),
    )
    return [product(id_) for id_ in sorted(connection.execute(sa.union(held, acted)).scalars())]


def actions_of_target(connection: sa.Connection, store: StoreAlias, target: str) -> list[PlannedAction]:
    """The open actions whose call names this category or brand, in the order in which they were planned."""
    query = sa.select(actions).where(
        actions.c.store == store, actions.c.target == target, actions.c.state.in_(OPEN_ACTIONS)
    )
    return [action_from_row(row) for row in connection.execute(query.order_by(actions.c.seq))]


def held_by_rule(connection: sa.Connection, store: StoreAlias) -> dict[RuleCode, int]:
    """Of how many products each rule holds something now, also rules that are gone."""
    query = (
        sa.select(holds.c.rule, sa.func.count(holds.c.product.distinct()))
        .where(holds.c.store == store, holds.c.ended_at.is_(None))
        .group_by(holds.c.rule)
        .order_by(holds.c.rule)
    )
    return {RuleCode(rule): count for rule, count in connection.execute(query)}


def hold_counts(connection: sa.Connection) -> dict[tuple[StoreAlias, HoldState], int]:
    """How many open holds there are by store and state; what there is none of is left out."""
    query = sa.select(holds.c.store, holds.c.state, sa.func.count()).where(holds.c.ended_at.is_(None))
    rows = connection.execute(query.group_by(holds.c.store, holds.c.state))
    return {(StoreAlias(store), HoldState(state)): count for store, state, count in rows}


def has_taken_from(
    connection: sa.Connection, store: StoreAlias, rule: RuleCode, subject: SubjectRef, *, episode: int
) -> bool:
    """Whether a rule holds or held anything of any product in this stretch of a subject, such as a category."""
    of_stretch = (
        holds.c.store == store,
        holds.c.rule == rule,
        holds.c.subject_kind == subject.kind.value,
        holds.c.subject_id == subject.id,
        holds.c.episode == episode,
    )
    return connection.execute(sa.select(sa.exists().where(*of_stretch))).scalar_one() is True


_HELD = (
    sa.select(holds.c.product)
    .distinct()
    .where(holds.c.store == given("store"), holds.c.ended_at.is_(None))
    .where(holds.c.subject_kind == given("kind"), holds.c.subject_id == given("id"))
    .order_by(holds.c.product)
)
_HELD_BY = _HELD.where(holds.c.rule.in_(any_given("rules")))


def held_products(
    connection: sa.Connection, store: StoreAlias, subject: SubjectRef, rules: Iterable[RuleCode] | None = None
) -> list[SubjectRef]:
    """The products with an open hold that belongs to this subject, such as a category; of these rules, or of any."""
    of = {"store": store, "kind": subject.kind.value, "id": subject.id}
    query, more = (_HELD, {}) if rules is None else (_HELD_BY, {"rules": sorted(rules)})
    ids = connection.execute(query, of | more).scalars()
    return [SubjectRef(SubjectKind.PRODUCT, id_) for id_ in ids]
