"""A database in which catalogues were seen: what previews and their commands read."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from rules_engine.core.delivery import StoreAlias
from rules_engine.core.subject import Snapshot, SubjectRef, category, complete, product
from rules_engine.database.engine import Database
from rules_engine.database.ledger import load_cases, save_case

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
FEATURED, SALE = "9691094", "9691099"


def a_category(id_: str, name: str, **fields: Any) -> Snapshot:
    """A category as it was seen."""
    return Snapshot(category(id_), {"id": id_, "name": name, "names": [name], "parent_id": None} | fields)


def a_product(id_: str, name: str, **fields: Any) -> Snapshot:
    """A product as it was seen: in Featured, published, five of it left, unless said otherwise."""
    seen = {"id": id_, "sku": f"S-{id_}", "name": name, "stock": 5, "price": 10.0, "published": True}
    return Snapshot(product(id_), complete(seen | {"category_ids": [FEATURED]} | fields))


SHOP = (
    a_category(FEATURED, "Featured"),
    a_category(SALE, "Sale"),
    a_product("1", "Trail Runner", stock=0),
    a_product("2", "City Walker", stock=0, category_ids=[FEATURED, SALE]),
    a_product("3", "Gift Card", stock=None),
    a_product("4", "Old Sandal", stock=2, category_ids=[SALE], published=False),
)
"""Two sold-out products in Featured, one of them also in Sale; a gift card; and a sandal that is only in Sale."""


def remember(database: Database, alias: StoreAlias, seen: Iterable[Snapshot], *, at: datetime = NOON) -> None:
    """Have it remembered that these were seen."""
    shown = {snapshot.ref: snapshot for snapshot in seen}
    database.write_now(partial(_remember, alias=alias, shown=shown, at=at))


def _remember(connection: sa.Connection, alias: StoreAlias, shown: dict[SubjectRef, Snapshot], at: datetime) -> None:
    for ref, case in load_cases(connection, alias, shown, now=at).items():
        save_case(connection, alias, case, replace(case, snapshot=shown[ref], revision=1, seen_at=at), now=at)


def dump(file: Path) -> list[str]:
    """Everything that a database file holds, as SQL."""
    with sqlite3.connect(file) as connection:
        lines = list(connection.iterdump())
    connection.close()
    return lines
