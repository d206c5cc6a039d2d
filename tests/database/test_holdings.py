"""Who holds what beside a rule."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa
from question_rows import KSA, NEW, OLD, WEB, ask, hold

from rules_engine.core.action import Aspect, SlotRef
from rules_engine.core.delivery import StoreAlias
from rules_engine.core.holds import HoldState
from rules_engine.core.rule import RuleCode
from rules_engine.core.subject import ProductId
from rules_engine.database.holdings import holders_beside
from rules_engine.database.tables import actions

THIRD = RuleCode("third")


def slot(id_: str) -> SlotRef:
    return SlotRef(ProductId(id_), Aspect.MEMBERSHIP, "7")


def test_others_are_told_of_what_a_rule_holds_or_has_acted_on(connection: sa.Connection) -> None:
    ask(connection, OLD, products=("2",))  # it acted on this one and holds it no more
    connection.execute(sa.update(actions).values(rule=OLD))
    for id_, store in (("1", WEB), ("1", KSA)):
        hold(connection, OLD, id_, store=store)
    for id_ in ("1", "2", "3"):
        hold(connection, NEW, id_)
    hold(connection, THIRD, "1")
    hold(connection, THIRD, "2", state=HoldState.RELEASED)
    hold(connection, NEW, "2", store=KSA)
    found = holders_beside(connection, OLD, None)
    codes = {at: [each.rule for each in held] for at, held in found.items()}
    assert codes == {(WEB, slot("1")): [NEW, THIRD], (WEB, slot("2")): [NEW]}
    assert holders_beside(connection, OLD, WEB) == found
    assert holders_beside(connection, OLD, KSA) == {}


@pytest.mark.parametrize("store", [None, WEB])
def test_what_a_rule_holds_is_not_gone_through_for_each_hold_of_the_others(
    connection: sa.Connection, store: StoreAlias | None
) -> None:
    seen: list[tuple[str, Any]] = []
    sa.event.listen(connection, "before_cursor_execute", lambda *a: seen.append((a[2], a[3])))
    holders_beside(connection, OLD, store)
    [(text, values)] = seen
    plan = [row[-1] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}", values)]
    assert not any("CORRELATED" in said for said in plan), plan
