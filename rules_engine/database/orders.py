"""Orders as they are stored: given by commands, carried out by lanes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from rules_engine.core.action import Aspect, SlotRef
from rules_engine.core.delivery import StoreAlias
from rules_engine.core.order import Order, OrderKind
from rules_engine.core.rule import RuleCode
from rules_engine.core.subject import ProductId

from .rows import any_given, chunks, given
from .tables_people import orders


def give_orders(connection: sa.Connection, store: StoreAlias, given: Iterable[tuple[ProductId, Order]]) -> list[int]:
    """Store new orders; their ids, in the same order, whatever they carry. Have the products looked at as well."""
    rows = [_columns(store, product, order) for product, order in given]
    if not rows:
        return []
    made = connection.scalars(sa.insert(orders).returning(orders.c.id, sort_by_parameter_order=True), rows)
    return [int(id_) for id_ in made]


def find_orders(connection: sa.Connection, ids: Iterable[int]) -> dict[int, Order]:
    """The orders with these ids as they stand now."""
    found: dict[int, Order] = {}
    for some in chunks(ids):
        for row in connection.execute(sa.select(orders).where(orders.c.id.in_(some))):
            found[row.id] = _from_row(row)
    return found


def are_carried_out(connection: sa.Connection, ids: Iterable[int]) -> bool:
    """Whether nothing of these orders is left to be done."""
    for some in chunks(ids):
        left = sa.select(orders.c.id).where(orders.c.id.in_(some), orders.c.done_at.is_(None))
        if connection.execute(left.limit(1)).first() is not None:
            return False
    return True


_OPEN = (
    sa.select(orders)
    .where(orders.c.store == given("store"), orders.c.product.in_(any_given("ids")), orders.c.done_at.is_(None))
    .order_by(orders.c.id)
)


def open_orders(
    connection: sa.Connection, store: StoreAlias, products: Iterable[str]
) -> dict[ProductId, tuple[Order, ...]]:
    """The orders about these products that are not carried out yet, oldest first."""
    found: dict[ProductId, list[Order]] = defaultdict(list)
    for ids in chunks(products):
        for row in connection.execute(_OPEN, {"store": store, "ids": ids}):
            found[ProductId(row.product)].append(_from_row(row))
    return {product: tuple(each) for product, each in found.items()}


_SETTLE = (
    sa.update(orders)
    .where(orders.c.id == sa.bindparam("of_id"), orders.c.done_at.is_(None))
    .values(outcome=sa.bindparam("came"), done_at=sa.bindparam("done", type_=orders.c.done_at.type))
)


def settle_orders(connection: sa.Connection, carried_out: Iterable[Order], *, now: datetime) -> None:
    """Write what came of these orders."""
    rows = [{"of_id": order.id, "came": order.outcome, "done": now} for order in carried_out if not order.is_open]
    if rows:
        connection.execute(_SETTLE, rows)


def _columns(store: StoreAlias, product: ProductId, order: Order) -> dict[str, Any]:
    return {
        "store": store,
        "product": product,
        "kind": order.kind.value,
        "rule": order.rule,
        "aspect": order.slot.aspect.value if order.slot else "",
        "target": order.slot.target if order.slot else "",
        "wish": order.wish,
        "expects": order.expects,
        "because": order.because,
        "at": order.at,
        "outcome": "",
    }


def _from_row(row: sa.Row[Any]) -> Order:
    return Order(
        id=row.id,
        kind=OrderKind(row.kind),
        rule=RuleCode(row.rule),
        slot=SlotRef(ProductId(row.product), Aspect(row.aspect), row.target) if row.aspect else None,
        at=row.at,
        because=row.because,
        wish=row.wish,
        expects=row.expects,
        outcome=row.outcome,
    )
