"""What walking over a store's whole catalogue asks of the snapshots: what is known, what was not seen, what is new."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime

import sqlalchemy as sa

from rules_engine.core.delivery import StoreAlias
from rules_engine.core.plan import ActionState
from rules_engine.core.subject import SubjectKind, SubjectRef, product

from .rows import chunks
from .tables import actions, snapshots

_UNCLEAR = tuple(state.value for state in (ActionState.SENT, ActionState.WAITING, ActionState.DONE))


def products_after(
    connection: sa.Connection, store: StoreAlias, last: str, *, limit: int, unseen_since: datetime | None = None
) -> list[SubjectRef]:
    """At most `limit` known products that are not gone, by id, after the id `last`.

    With `unseen_since` only those that were last seen before that time.
    """
    query = sa.select(snapshots.c.id).where(
        snapshots.c.store == store,
        snapshots.c.kind == SubjectKind.PRODUCT.value,
        snapshots.c.id > last,
        snapshots.c.is_gone.is_(False),
    )
    if unseen_since is not None:
        query = query.where(snapshots.c.seen_at < unseen_since)
    return [product(id_) for id_ in connection.execute(query.order_by(snapshots.c.id).limit(limit)).scalars()]


def count_products(connection: sa.Connection, store: StoreAlias) -> int:
    """How many products are known and not gone."""
    query = sa.select(sa.func.count()).where(
        snapshots.c.store == store, snapshots.c.kind == SubjectKind.PRODUCT.value, snapshots.c.is_gone.is_(False)
    )
    return int(connection.execute(query).scalar_one())


def is_anything_known(connection: sa.Connection, store: StoreAlias) -> bool:
    """Whether any product or category was ever seen and is not gone."""
    kinds = (SubjectKind.PRODUCT.value, SubjectKind.CATEGORY.value)
    known = sa.exists().where(snapshots.c.store == store, snapshots.c.kind.in_(kinds), snapshots.c.is_gone.is_(False))
    return connection.execute(sa.select(known)).scalar_one() is True


def never_seen(connection: sa.Connection, store: StoreAlias, refs: Collection[SubjectRef]) -> set[SubjectRef]:
    """Those of these products of which nothing is known, not even that they are gone."""
    known: set[str] = set()
    for ids in chunks(ref.id for ref in refs):
        query = sa.select(snapshots.c.id).where(
            snapshots.c.store == store, snapshots.c.kind == SubjectKind.PRODUCT.value, snapshots.c.id.in_(ids)
        )
        known |= set(connection.execute(query).scalars())
    return {ref for ref in refs if ref.id not in known}


def mark_seen(connection: sa.Connection, store: StoreAlias, refs: Iterable[SubjectRef], *, at: datetime) -> None:
    """Remember that these products were seen, as they were known already."""
    for ids in chunks(ref.id for ref in refs):
        connection.execute(
            sa.update(snapshots)
            .where(
                snapshots.c.store == store,
                snapshots.c.kind == SubjectKind.PRODUCT.value,
                snapshots.c.id.in_(ids),
                snapshots.c.seen_at < at,
            )
            .values(seen_at=at)
        )


def with_unclear_actions(connection: sa.Connection, store: StoreAlias, refs: Collection[SubjectRef]) -> set[SubjectRef]:
    """Those of these products with an action that was called for and not confirmed: memory cannot judge them."""
    found: set[str] = set()
    for ids in chunks(ref.id for ref in refs):
        query = sa.select(actions.c.product).where(
            actions.c.store == store, actions.c.product.in_(ids), actions.c.state.in_(_UNCLEAR)
        )
        found |= set(connection.execute(query.distinct()).scalars())
    return {ref for ref in refs if ref.id in found}
