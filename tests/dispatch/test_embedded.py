"""Lanes in one process: rung, woken by their clocks, owned by one worker at a time, and never in a busy loop."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from engine_world import Cut, CutDatabase

from rules_engine.core.delivery import StoreAlias
from rules_engine.core.errors import LaneLostError
from rules_engine.core.subject import product
from rules_engine.database.engine import Database
from rules_engine.database.lanes import acquire, check_epoch, load_lane, save_lane, schedule_looks
from rules_engine.database.tables import metadata
from rules_engine.dispatch.embedded import AFTER_A_FAULT, LEASE, Embedded, is_dead, process_name
from rules_engine.lane.tenure import Rest, Tenure

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
WEB, KSA = StoreAlias("web"), StoreAlias("ksa")


@dataclass
class Time:
    """A time that only the test moves; who sleeps is woken in the order of time."""

    now: datetime = NOW
    sleepers: list[tuple[datetime, asyncio.Future[None]]] = field(default_factory=list)

    def __call__(self) -> datetime:
        return self.now

    async def sleep(self, seconds: float) -> None:
        waking = asyncio.get_running_loop().create_future()
        self.sleepers.append((self.now + timedelta(seconds=seconds), waking))
        await waking

    async def move(self, seconds: float) -> None:
        end = self.now + timedelta(seconds=seconds)
        await let_all_run()
        while due := sorted((at for at, waking in self.sleepers if at <= end and not waking.done())):
            self.now = max(self.now, due[0])
            for at, waking in self.sleepers:
                if at <= self.now and not waking.done():
                    waking.set_result(None)
            await let_all_run()
        self.now = end


async def let_all_run() -> None:
    """Let every task run until it waits for time or a bell."""
    for _ in range(50):
        await asyncio.sleep(0)


@dataclass
class Runs:
    """A lane that notes when it ran, and rests as it is told."""

    time: Time
    rests: list[Rest | Exception] = field(default_factory=list)
    ran: list[tuple[StoreAlias, datetime]] = field(default_factory=list)
    stores: frozenset[StoreAlias] = frozenset({WEB, KSA})

    async def __call__(self, tenure: Tenure) -> Rest:
        self.ran.append((tenure.store, self.time()))
        rest = self.rests.pop(0) if self.rests and tenure.store == WEB else Rest()
        if isinstance(rest, Exception):
            raise rest
        return rest

    @property
    def web(self) -> list[float]:
        """The seconds at which the web store's lane ran."""
        return [(at - NOW).total_seconds() for store, at in self.ran if store == WEB]


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def runs(time: Time) -> Runs:
    return Runs(time)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[CutDatabase]:
    database = CutDatabase.open(f"sqlite:///{tmp_path / 'engine.db'}", Cut())
    database.write_now(metadata.create_all)
    yield database
    database.close()


@pytest.fixture
def embedded(database: Database, time: Time) -> Embedded:
    return Embedded(database, [WEB, KSA], now=time, sleep=time.sleep)


@pytest.fixture
async def serving(embedded: Embedded, runs: Runs, time: Time) -> AsyncIterator[Embedded]:
    task = asyncio.create_task(embedded.serve(runs))
    await time.move(0)
    yield embedded
    embedded.stop()
    await asyncio.wait_for(task, 5)


async def look(database: Database, at: datetime) -> None:
    await database.write(partial(schedule_looks, store=WEB, refs=[product("1")], due_at=at, reason="test"))


async def take(database: Database, owner: str, time: Time) -> int | None:
    return await database.write(partial(acquire, store=WEB, owner=owner, now=time(), lease=LEASE))


async def test_every_lane_runs_at_the_start_and_then_rests(serving: Embedded, runs: Runs, time: Time) -> None:
    assert sorted(store for store, _ in runs.ran) == [KSA, WEB]
    await time.move(60)
    assert len(runs.ran) == 2


async def test_a_ring_wakes_the_lane_that_it_is_for(serving: Embedded, runs: Runs, time: Time) -> None:
    serving.ring(WEB)
    serving.ring(WEB)
    serving.ring(StoreAlias("unknown"))
    await time.move(0)
    assert [store for store, _ in runs.ran].count(WEB) == 2
    assert [store for store, _ in runs.ran].count(KSA) == 1


async def test_a_lane_wakes_when_it_said(embedded: Embedded, runs: Runs, time: Time) -> None:
    runs.rests = [Rest(NOW + timedelta(seconds=7)), Rest(NOW + timedelta(seconds=8))]
    task = asyncio.create_task(embedded.serve(runs))
    await time.move(20)
    assert runs.web == [0, 7, 8]
    embedded.stop()
    await asyncio.wait_for(task, 5)


async def test_a_lane_whose_shop_is_to_be_left_alone_is_not_woken_by_bells(
    embedded: Embedded, runs: Runs, time: Time
) -> None:
    runs.rests = [Rest(NOW + timedelta(seconds=30), is_blocked=True)]
    task = asyncio.create_task(embedded.serve(runs))
    for _ in range(29):
        await time.move(1)
        embedded.ring(WEB)
    assert runs.web == [0]
    await time.move(2)
    assert runs.web == [0, 30]
    embedded.ring(WEB)
    await time.move(0)
    assert runs.web == [0, 30, 31]
    embedded.stop()
    await asyncio.wait_for(task, 5)


async def test_work_that_nobody_rang_for_is_found_within_a_second(
    serving: Embedded, runs: Runs, time: Time, database: Database
) -> None:
    await look(database, NOW)
    await time.move(1)
    assert runs.web == [0, 1]


async def test_a_probe_that_a_person_asked_for_wakes_a_parked_lane(
    embedded: Embedded, runs: Runs, time: Time, database: Database
) -> None:
    runs.rests = [Rest(NOW + timedelta(minutes=15), is_blocked=True)]
    task = asyncio.create_task(embedded.serve(runs))
    await time.move(5)
    await database.write(partial(save_lane, store=WEB, parked_because="403", probe_at=time()))
    await time.move(1)
    assert runs.web[:2] == [0, 6]
    embedded.stop()
    await asyncio.wait_for(task, 5)


async def test_a_lane_that_breaks_is_left_alone_for_a_while_and_keeps_no_other(
    embedded: Embedded, runs: Runs, time: Time, database: Database
) -> None:
    runs.rests = [RuntimeError("a bug"), LaneLostError("somebody else"), RuntimeError("a bug")]
    await look(database, NOW)  # so that the bell rings every second
    task = asyncio.create_task(embedded.serve(runs))
    await time.move(10)
    pause = AFTER_A_FAULT.total_seconds()
    assert runs.web == [0, pause, 2 * pause]
    embedded.ring(KSA)
    await time.move(0)
    assert (KSA, time()) in runs.ran
    embedded.stop()
    await asyncio.wait_for(task, 5)


async def test_a_lane_that_another_worker_has_is_tried_now_and_then_and_taken_when_its_lease_ends(
    database: CutDatabase, runs: Runs, time: Time
) -> None:
    await take(database, "elsewhere:1", time)
    await look(database, NOW)
    before = database.cut.steps
    embedded = Embedded(database, [WEB], now=time, sleep=time.sleep)
    task = asyncio.create_task(embedded.serve(runs))
    await time.move(LEASE.total_seconds() - 1)
    assert runs.ran == []
    assert database.cut.steps - before <= 1 + LEASE / AFTER_A_FAULT
    await time.move(1 + AFTER_A_FAULT.total_seconds())
    assert LEASE.total_seconds() <= runs.web[0] <= (LEASE + AFTER_A_FAULT).total_seconds()
    embedded.stop()
    await asyncio.wait_for(task, 5)


async def test_of_two_workers_one_has_the_lane(database: Database, time: Time) -> None:
    first = Embedded(database, [WEB], now=time, sleep=time.sleep, owner="host-a:1")
    second = Embedded(database, [WEB], now=time, sleep=time.sleep, owner="host-b:1")
    async with first.exclusive(WEB) as mine:
        assert mine is not None
        async with second.exclusive(WEB) as theirs:
            assert theirs is None
        await time.move(3 * LEASE.total_seconds())  # its lease is kept alive
        async with second.exclusive(WEB) as theirs:
            assert theirs is None
    async with second.exclusive(WEB) as theirs:
        assert theirs is not None
        assert theirs.epoch > mine.epoch


async def test_a_worker_whose_lane_was_taken_renews_nothing_and_can_commit_nothing(
    database: Database, time: Time
) -> None:
    first = Embedded(database, [WEB], now=time, sleep=time.sleep, owner="host-a:1")
    async with first.exclusive(WEB) as mine:
        assert mine is not None
        time.now += 2 * LEASE  # the process slept, and with it the one who renews
        epoch = await take(database, "host-b:1", time)
        await time.move(60)
        row = await database.read(partial(load_lane, store=WEB))
        assert (row.owner, row.epoch) == ("host-b:1", epoch)
        with pytest.raises(LaneLostError):
            await database.write(partial(check_epoch, store=WEB, owner=mine.owner, epoch=mine.epoch))
    row = await database.read(partial(load_lane, store=WEB))
    assert row.owner == "host-b:1"


@pytest.fixture
def dead() -> str:
    """A process of this host that ran and ended, as the owner of lanes."""
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    return f"{socket.gethostname()}:{gone.pid}"


async def test_the_lane_of_a_process_that_died_is_taken_at_once(database: Database, time: Time, dead: str) -> None:
    await take(database, dead, time)
    embedded = Embedded(database, [WEB], now=time, sleep=time.sleep)
    async with embedded.exclusive(WEB) as mine:
        assert mine is not None


def test_only_a_process_of_this_host_can_be_known_to_be_dead() -> None:
    assert not is_dead(process_name())
    assert not is_dead(f"{socket.gethostname()}:{os.getppid()}")
    assert not is_dead("elsewhere:999999")
    assert not is_dead("no number")


async def test_stopping_lets_a_lane_finish_what_it_is_at(embedded: Embedded, time: Time) -> None:
    going, may_end = asyncio.Event(), asyncio.Event()
    done: list[StoreAlias] = []

    async def run(tenure: Tenure) -> Rest:
        if tenure.store == WEB:
            going.set()
            await may_end.wait()
        done.append(tenure.store)
        return Rest()

    task = asyncio.create_task(embedded.serve(run))
    await going.wait()
    embedded.stop()
    await let_all_run()
    assert not task.done()
    may_end.set()
    await asyncio.wait_for(task, 5)
    assert done.count(WEB) == 1


async def test_after_stopping_the_lanes_are_free(
    embedded: Embedded, runs: Runs, time: Time, database: Database
) -> None:
    task = asyncio.create_task(embedded.serve(runs))
    await time.move(0)
    embedded.stop()
    await asyncio.wait_for(task, 5)
    assert await take(database, "elsewhere:1", time) is not None
