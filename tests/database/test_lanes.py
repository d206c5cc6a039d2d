"""A lane has one owner at a time, and a look that is scheduled happens."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from rules_engine.core.delivery import StoreAlias
from rules_engine.core.errors import LaneLostError
from rules_engine.core.subject import SubjectRef, category, product
from rules_engine.core.sweep import SweepKind, SweepState
from rules_engine.database import lanes, tables
from rules_engine.database.lanes import LaneRow, Look
from rules_engine.database.sweeps import open_sweeps, request_sweep, save_sweep

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
LEASE = timedelta(seconds=30)
WEB, KSA = StoreAlias("web"), StoreAlias("ksa")


def acquire(connection: sa.Connection, owner: str, now: datetime = NOW) -> int | None:
    return lanes.acquire(connection, WEB, owner, now=now, lease=LEASE)


def schedule(connection: sa.Connection, due_at: datetime, *refs: SubjectRef, reason: str = "lag") -> None:
    lanes.schedule_looks(connection, WEB, refs or [product("1")], due_at=due_at, reason=reason)


def due(connection: sa.Connection, now: datetime = NOW, limit: int = 10) -> list[Look]:
    return lanes.due_looks(connection, WEB, now=now, limit=limit)


def test_a_lane_that_never_ran_is_new(connection: sa.Connection) -> None:
    assert lanes.load_lane(connection, WEB) == LaneRow()
    assert lanes.load_lanes(connection) == {}


def test_saving_some_columns_leaves_the_others(connection: sa.Connection) -> None:
    lanes.save_lane(connection, WEB)
    assert lanes.load_lanes(connection) == {}
    lanes.save_lane(connection, WEB, tokens=1.5, tokens_at=NOW, failures=2)
    assert acquire(connection, "one") == 1
    lanes.save_lane(connection, WEB, parked_because="no token", probe_at=NOW + MINUTE, tokens=None)
    expected = LaneRow(
        tokens_at=NOW,
        failures=2,
        parked_because="no token",
        probe_at=NOW + MINUTE,
        owner="one",
        epoch=1,
        lease_until=NOW + LEASE,
    )
    assert lanes.load_lane(connection, WEB) == expected
    assert lanes.load_lanes(connection) == {WEB: expected}


def test_a_lane_has_one_owner_until_its_lease_runs_out(connection: sa.Connection) -> None:
    assert acquire(connection, "one") == 1
    assert acquire(connection, "two") is None
    assert acquire(connection, "two", NOW + LEASE - timedelta(microseconds=1)) is None
    assert acquire(connection, "two", NOW + LEASE) == 2


def test_another_store_s_lane_is_free(connection: sa.Connection) -> None:
    acquire(connection, "one")
    assert lanes.acquire(connection, KSA, "two", now=NOW, lease=LEASE) == 1


def test_whoever_had_the_lane_can_no_longer_commit(connection: sa.Connection) -> None:
    assert acquire(connection, "one") == 1
    lanes.check_epoch(connection, WEB, "one", 1)
    assert acquire(connection, "one") == 2
    lanes.check_epoch(connection, WEB, "one", 2)
    with pytest.raises(LaneLostError):
        lanes.check_epoch(connection, WEB, "one", 1)
    with pytest.raises(LaneLostError):
        lanes.check_epoch(connection, WEB, "two", 2)
    with pytest.raises(LaneLostError):
        lanes.check_epoch(connection, KSA, "one", 2)


def test_renewing_keeps_the_lane_and_its_epoch(connection: sa.Connection) -> None:
    acquire(connection, "one")
    lanes.renew(connection, WEB, "one", 1, now=NOW + LEASE, lease=LEASE)
    assert acquire(connection, "two", NOW + LEASE + LEASE / 2) is None
    lanes.check_epoch(connection, WEB, "one", 1)


def test_a_lane_that_was_taken_is_not_renewed(connection: sa.Connection) -> None:
    acquire(connection, "one")
    acquire(connection, "two", NOW + LEASE)
    with pytest.raises(LaneLostError, match="web"):
        lanes.renew(connection, WEB, "one", 1, now=NOW + LEASE, lease=LEASE)
    assert lanes.load_lane(connection, WEB).owner == "two"


def test_a_released_lane_is_free_at_once_and_its_epoch_goes_on(connection: sa.Connection) -> None:
    acquire(connection, "one")
    lanes.release(connection, WEB, "one", 1)
    assert acquire(connection, "two") == 2
    lanes.release(connection, WEB, "one", 1)
    assert lanes.load_lane(connection, WEB).owner == "two"


def test_looks_are_due_when_their_time_has_come_oldest_first(connection: sa.Connection) -> None:
    schedule(connection, NOW, product("1"))
    schedule(connection, NOW - MINUTE, category("2"), product("2"))
    schedule(connection, NOW + MINUTE, product("3"))
    assert [str(look.ref) for look in due(connection)] == ["category:2", "product:2", "product:1"]
    assert due(connection, limit=1) == [Look(category("2"), NOW - MINUTE, "lag")]
    assert lanes.due_looks(connection, KSA, now=NOW, limit=10) == []


def test_the_earliest_time_of_a_subject_wins(connection: sa.Connection) -> None:
    schedule(connection, NOW, reason="timer")
    schedule(connection, NOW + MINUTE, reason="later")
    assert due(connection, NOW + MINUTE) == [Look(product("1"), NOW, "timer")]
    schedule(connection, NOW - MINUTE, product("1"), product("1"), reason="sooner")
    assert due(connection, NOW + MINUTE) == [Look(product("1"), NOW - MINUTE, "sooner")]


def test_clearing_leaves_what_was_scheduled_for_later(connection: sa.Connection) -> None:
    schedule(connection, NOW, product("1"), category("1"))
    schedule(connection, NOW + MINUTE, product("2"))
    schedule(connection, NOW, product("3"))
    lanes.clear_looks(connection, WEB, [product("1"), product("2")], not_after=NOW)
    assert [look.ref for look in due(connection, NOW + MINUTE)] == [category("1"), product("3"), product("2")]


def test_many_looks_are_cleared_at_once(connection: sa.Connection) -> None:
    refs = [product(str(number)) for number in range(1200)]
    schedule(connection, NOW, *refs)
    lanes.clear_looks(connection, WEB, refs, not_after=NOW)
    assert due(connection) == []


def test_a_look_that_a_person_asks_for_survives_the_turn_that_is_under_way(connection: sa.Connection) -> None:
    schedule(connection, NOW)
    (taken,) = due(connection)
    lanes.look_now(connection, WEB, [product("1")], now=NOW + MINUTE, reason="asked")
    lanes.clear_looks(connection, WEB, [taken.ref], not_after=NOW)
    assert due(connection, NOW + MINUTE) == [Look(product("1"), NOW + MINUTE, "asked")]
    lanes.look_now(connection, WEB, [product("1")], now=NOW, reason="again")
    assert due(connection) == [Look(product("1"), NOW, "again")]


def test_a_look_that_failed_comes_again_and_counts(connection: sa.Connection) -> None:
    schedule(connection, NOW)
    for failures in (1, 2):
        at = NOW + failures * MINUTE
        lanes.postpone_look(connection, WEB, product("1"), due_at=at, reason="the shop is busy")
        assert due(connection, at - MINUTE / 2) == []
        assert due(connection, at) == [Look(product("1"), at, "the shop is busy", failures)]
    lanes.postpone_look(connection, WEB, product("2"), due_at=NOW, reason="a webhook's read failed")
    assert due(connection) == [Look(product("2"), NOW, "a webhook's read failed", 1)]


def test_the_lane_wakes_for_the_earliest_look(connection: sa.Connection) -> None:
    assert lanes.next_wake(connection, WEB) is None
    schedule(connection, NOW + MINUTE, product("1"))
    schedule(connection, NOW, product("2"))
    assert lanes.next_wake(connection, WEB) == NOW
    assert lanes.next_wake(connection, KSA) is None


def add_delivery(connection: sa.Connection, store: str, state: str) -> None:
    connection.execute(
        sa.insert(tables.deliveries).values(
            id=f"{store}-{state}",
            store=store,
            door=store,
            scope=store,
            duplicate_key=state,
            received_at=NOW,
            vendor_type="",
            subjects=[],
            headers={},
            query={},
            state=state,
        )
    )


def test_stores_with_work_have_a_pending_delivery_or_a_due_look(connection: sa.Connection) -> None:
    for store, state in (("a", "pending"), ("b", "planned"), ("", "pending")):
        add_delivery(connection, store, state)
    for store, due_at in (("c", NOW), ("a", NOW), ("d", NOW + MINUTE)):
        lanes.schedule_looks(connection, StoreAlias(store), [product("1")], due_at=due_at, reason="")
    assert lanes.stores_with_work(connection, now=NOW) == ["a", "c"]


def test_a_sweep_that_is_not_at_its_end_is_work_too(connection: sa.Connection) -> None:
    request_sweep(connection, StoreAlias("s"), SweepKind.ASKED, now=NOW, reason="asked")
    assert lanes.stores_with_work(connection, now=NOW) == ["s"]
    [sweep] = open_sweeps(connection, StoreAlias("s"))
    save_sweep(connection, replace(sweep, state=SweepState.DONE, finished_at=NOW))
    assert lanes.stores_with_work(connection, now=NOW) == []


def test_stores_with_work_reads_only_what_is_pending(connection: sa.Connection) -> None:
    seen: list[str] = []
    sa.event.listen(connection, "before_cursor_execute", lambda *a: seen.append(a[2]))
    lanes.stores_with_work(connection, now=NOW)
    plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {seen[0]}", ("", 0)).all()
    assert any("ix_deliveries_pending" in row[-1] for row in plan)
    assert any("ix_sweeps_open" in row[-1] for row in plan)
