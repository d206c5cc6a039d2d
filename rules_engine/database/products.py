"""What names a product and says how its slots are, without the shop's own object, which may be large."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import sqlalchemy as sa

from rules_engine.core.delivery import StoreAlias
from rules_engine.core.subject import ProductId, SubjectKind
from rules_engine.core.view import Fields

from .rows import chunks
from .tables import snapshots

_FIELDS = ("name", "sku", "category_ids", "category_names", "brand", "brand_id", "brand_names", "published")


def fields_of(connection: sa.Connection, store: StoreAlias, products: Iterable[str]) -> dict[ProductId, Fields]:
    """These fields of the products as last seen, by id; nothing for those that were never seen."""
    found: dict[ProductId, Fields] = {}
    for ids in chunks(dict.fromkeys(products)):
        query = sa.select(snapshots.c.id, *product_columns()).where(
            snapshots.c.store == store, snapshots.c.kind == SubjectKind.PRODUCT.value, snapshots.c.id.in_(ids)
        )
        found |= {ProductId(row.id): fields_from_row(row) for row in connection.execute(query)}
    return found


def product_columns() -> Iterator[sa.ColumnElement[Any]]:
    """The columns that `fields_from_row` reads, of the product's snapshot."""
    yield snapshots.c.id.label("of_id")
    yield from (snapshots.c.fields[name].as_json().label(f"of_{name}") for name in _FIELDS)


def beside_product(table: sa.Table) -> sa.Join:
    """The rows of a table that names a store and a product, each with the product's snapshot where there is one."""
    is_it = sa.and_(
        snapshots.c.store == table.c.store,
        snapshots.c.kind == SubjectKind.PRODUCT.value,
        snapshots.c.id == table.c.product,
    )
    return table.outerjoin(snapshots, is_it)


def fields_from_row(row: sa.Row[Any]) -> Fields:
    """The product's fields in a row that has `product_columns`; empty if it was never seen."""
    if row.of_id is None:
        return {}
    found: Mapping[str, Any] = {name: getattr(row, f"of_{name}") for name in _FIELDS}
    # An absent field and one that is null look alike here; only of a brand does null say something, beside its id.
    return {name: value for name, value in found.items() if value is not None or name in {"brand", "brand_id"}}
