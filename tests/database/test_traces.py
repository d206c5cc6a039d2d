"""What rules did is kept as it was told, under the rulebook that it came from."""

from __future__ import annotations

from datetime import UTC, datetime

import sqlalchemy as sa

from rules_engine.core.condition import Truth
from rules_engine.core.delivery import StoreAlias
from rules_engine.core.plan import Trace
from rules_engine.core.rule import RulebookHash, RuleCode
from rules_engine.core.subject import product
from rules_engine.database import tables
from rules_engine.database.traces import add_traces

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
RULE, BOOT = RuleCode("sold-out"), product("17")


def test_every_part_of_a_trace_is_kept(connection: sa.Connection) -> None:
    finding = {"path": "while/product.stock", "parts": [None, 3]}
    made = [Trace(RULE, BOOT, NOW, Truth.MET, f"text {n}", finding, ("delivery-1",)) for n in range(2)]
    add_traces(connection, StoreAlias("web"), RulebookHash("h1"), made)
    rows = connection.execute(sa.select(tables.traces).order_by(tables.traces.c.id)).all()
    assert [row.text for row in rows] == ["text 0", "text 1"]
    first = rows[0]
    assert (first.store, first.rulebook, first.rule) == ("web", "h1", RULE)
    assert (first.kind, first.subject, first.at) == ("product", "17", NOW)
    assert (first.truth, first.finding, first.caused_by) == ("met", finding, ["delivery-1"])
