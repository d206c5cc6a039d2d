"""What is old enough goes, in small steps; what still matters stays however old it is."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from rules_engine.core.delivery import Delivery, DeliveryId, StoreAlias
from rules_engine.core.plan import ActionState
from rules_engine.database import retention as forgetting
from rules_engine.database.arrivals import Arrival, DeliveryState, insert, row_of
from rules_engine.database.columns import Instant
from rules_engine.database.engine import Database
from rules_engine.database.notices import NoticeState
from rules_engine.database.retention import Pruned, Retention, prune
from rules_engine.database.tables import (
    actions,
    attempts,
    deliveries,
    history,
    holds,
    metadata,
    notices,
    traces,
)

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database.from_url(f"sqlite:///{tmp_path / 'retention.db'}")
    database.write_now(metadata.create_all)
    yield database
    database.close()


def pruned(database: Database) -> Pruned:
    blind = [StoreAlias("b2b")]
    return database.write_now(lambda connection: prune(connection, now=NOW, retention=Retention(), blind=blind))


def add_delivery(
    database: Database, id_: str, age: timedelta, *, store: str = "web", state: DeliveryState = DeliveryState.PLANNED
) -> None:
    alias = StoreAlias(store)
    delivery = Delivery(DeliveryId(id_), alias, NOW - age, b"{}")
    row = row_of(Arrival(delivery, alias, alias, id_))
    database.write_now(lambda connection: insert(connection, rows=[row]))
    change = deliveries.update().where(deliveries.c.id == id_).values(state=state.value)
    database.write_now(lambda connection: connection.execute(change))


def bodies(database: Database) -> dict[str, bool]:
    """Whether each delivery that is left has its body."""
    query = sa.select(deliveries.c.id, deliveries.c.body.is_not(None))
    return {row[0]: row[1] for row in database.read_now(lambda connection: connection.execute(query).all())}


def plain_row(table: sa.Table, **values: object) -> dict[str, object]:
    """A row of any table: the values given, and something harmless in every other column that needs one."""
    harmless: dict[type[sa.types.TypeEngine[Any]], object] = {
        sa.Text: "x",
        sa.Integer: 0,
        sa.BigInteger: 0,
        sa.Boolean: False,
        sa.JSON: [],
        Instant: NOW,
    }
    needed = {
        column.name: harmless[type(column.type)]
        for column in table.c
        if not column.nullable and column is not table.autoincrement_column
    }
    return {**needed, **values}


def add(database: Database, table: sa.Table, **values: object) -> None:
    database.write_now(lambda connection: connection.execute(table.insert().values(**plain_row(table, **values))))


def left(database: Database, column: sa.Column[str]) -> list[str]:
    return database.read_now(lambda connection: list(connection.execute(sa.select(column).order_by(column)).scalars()))


def test_bodies_go_after_two_days_and_those_of_shops_that_cannot_be_read_after_two_weeks(database: Database) -> None:
    add_delivery(database, "old", 2 * DAY + timedelta(seconds=1))
    add_delivery(database, "young", 2 * DAY)
    add_delivery(database, "blind", 13 * DAY, store="b2b")
    assert pruned(database) == Pruned(bodies=1)
    assert bodies(database) == {"old": False, "young": True, "blind": True}


def test_keys_and_their_rows_go_after_two_weeks(database: Database) -> None:
    add_delivery(database, "old", 14 * DAY + timedelta(seconds=1), store="b2b", state=DeliveryState.IGNORED)
    add_delivery(database, "young", 14 * DAY, store="b2b")
    pruned(database)
    assert bodies(database) == {"young": True}


def test_what_waits_for_its_lane_is_never_too_old(database: Database) -> None:
    add_delivery(database, "waiting", 500 * DAY, state=DeliveryState.PENDING)
    assert pruned(database) == Pruned()
    assert bodies(database) == {"waiting": True}


def test_traces_go_after_thirty_days(database: Database) -> None:
    add(database, traces, rule="old", at=NOW - 30 * DAY - timedelta(seconds=1))
    add(database, traces, rule="young", at=NOW - 30 * DAY)
    assert pruned(database) == Pruned(traces=1)
    assert left(database, traces.c.rule) == ["young"]


def test_how_things_were_goes_with_the_traces(database: Database) -> None:
    add(database, history, id="old", until=NOW - 30 * DAY - timedelta(seconds=1))
    add(database, history, id="young", until=NOW - 30 * DAY)
    assert pruned(database) == Pruned(history=1)
    assert left(database, history.c.id) == ["young"]


@pytest.mark.parametrize("state", ActionState)
def test_attempts_go_after_thirty_days_unless_their_action_is_still_to_be_judged(
    database: Database, state: ActionState
) -> None:
    add(database, actions, key="a", state=state.value)
    add(database, attempts, call="of a", action="a", started_at=NOW - 31 * DAY)
    add(database, attempts, call="of nothing", action="b", started_at=NOW - 31 * DAY)
    add(database, attempts, call="young", action="b", started_at=NOW - 29 * DAY)
    pruned(database)
    is_kept = state.is_open or state is ActionState.DEAD
    assert left(database, attempts.c.call) == (["of a", "young"] if is_kept else ["young"])


def test_ended_holds_go_after_four_hundred_days_and_open_ones_never(database: Database) -> None:
    add(database, holds, rule="ended", ended_at=NOW - 401 * DAY)
    add(database, holds, rule="ended lately", ended_at=NOW - 399 * DAY)
    add(database, holds, rule="open", since=NOW - 4000 * DAY)
    assert pruned(database) == Pruned(holds=1)
    assert left(database, holds.c.rule) == ["ended lately", "open"]


def test_one_step_forgets_five_thousand_and_says_that_more_is_left(database: Database) -> None:
    rows = [plain_row(traces, at=NOW - 40 * DAY) for _ in range(forgetting.STEP + 1)]
    database.write_now(lambda connection: connection.execute(traces.insert(), rows))
    first = pruned(database)
    assert (first.traces, first.is_complete) == (5000, False)
    second = pruned(database)
    assert (second.traces, second.is_complete) == (1, True)


@pytest.mark.parametrize("kind", ["bodies", "deliveries", "traces", "attempts", "holds", "history"])
def test_a_full_step_of_any_kind_is_followed_by_another(kind: str) -> None:
    assert not Pruned(**{kind: forgetting.STEP}).is_complete


def test_what_is_too_old_is_found_without_reading_through_a_table(database: Database) -> None:
    seen: list[tuple[str, tuple[object, ...]]] = []

    def note(_c: object, _cursor: object, statement: str, values: tuple[object, ...], *_: object) -> None:
        seen.append((statement, values))

    sa.event.listen(database.writer, "before_cursor_execute", note)
    pruned(database)
    sa.event.remove(database.writer, "before_cursor_execute", note)

    def plan(connection: sa.Connection) -> list[str]:
        steps = [
            (f"EXPLAIN QUERY PLAN {text}", values) for text, values in seen if text.startswith(("UPDATE", "DELETE"))
        ]
        return [row.detail for text, values in steps for row in connection.exec_driver_sql(text, values)]

    plans = database.read_now(plan)
    assert len(plans) > 5
    assert not [step for step in plans if step.startswith("SCAN")]


def test_notices_are_forgotten_also_those_that_nobody_could_be_told(database: Database) -> None:
    for state in NoticeState:
        for age in (29 * DAY, 31 * DAY):
            add(database, notices, called=f"{state} {age.days}", state=state.value, at=NOW - age)
    assert pruned(database).notices == 3
    assert left(database, notices.c.called) == ["dead 29", "sent 29", "waiting 29"]
