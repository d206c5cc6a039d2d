"""What is known of products, beside the rows that name them."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa
from question_rows import NEW, NOW, WEB, hold

from rules_engine.database.holdings import Among, open_holdings
from rules_engine.database.products import fields_of
from rules_engine.database.tables import snapshots


@pytest.mark.parametrize(
    ("seen", "known"),
    [
        (None, {}),
        ({"name": "Boot"}, {"name": "Boot", "brand": None, "brand_id": None}),
    ],
)
def test_of_a_product_that_was_never_seen_nothing_is_known_not_even_that_it_has_no_brand(
    connection: sa.Connection, seen: dict[str, Any] | None, known: dict[str, Any]
) -> None:
    hold(connection, NEW, "1")
    if seen is not None:
        row = {"store": WEB, "kind": "product", "id": "1", "revision": 1, "seen_at": NOW, "is_gone": False}
        connection.execute(sa.insert(snapshots).values(row | {"fields": seen}))
    (holding,) = open_holdings(connection, Among())
    assert holding.fields == known
    assert fields_of(connection, WEB, ["1"]) == ({"1": known} if seen is not None else {})
