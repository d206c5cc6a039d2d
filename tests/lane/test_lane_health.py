"""How fast and when a shop is called: its rate, its wishes, the breaker, parking, and as few calls as can be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from itertools import pairwise
from pathlib import Path

import pytest
from engine_world import B2B, KSA, WEB, World

from rules_engine.core.delivery import StoreAlias
from rules_engine.core.retry import BREAKER_OPENS_AFTER, BREAKER_PROBES_AFTER, PARKED_PROBES_AFTER
from rules_engine.database.inbox import DeliveryState
from rules_engine.database.lanes import save_lane
from rules_engine.sandbox import Call, Fault
from rules_engine.sandbox.ecwid_catalogue import FEATURED
from rules_engine.sandbox.zave import FEATURED as COLLECTION
from rules_engine.sandbox.zid_catalogue import GIFTS

pytestmark = pytest.mark.anyio

RUNNER = "37208339"


def times(calls: Sequence[Call]) -> list[datetime]:
    return [call.at for call in calls if call.at is not None]


def pauses(calls: Sequence[Call]) -> list[timedelta]:
    return [later - earlier for earlier, later in pairwise(times(calls))]


async def park(world: World, alias: StoreAlias, *, times: int = 1000) -> None:
    world.shops[alias].faults.append(replace(Fault(status=403), times=times))


# Parked.


async def test_a_store_without_its_secrets_is_left_alone_as_a_parked_one_is(tmp_path: Path) -> None:
    async with World(tmp_path / "engine.db", only=(WEB,)) as world:
        lane = world.lanes[WEB]
        lane.store = replace(lane.store, missing=("WEB_TOKEN",))
        world.web.sell_out(RUNNER)
        await world.deliver()
        rest = await world.run(WEB)
        assert (rest.until, rest.is_blocked) == (world.clock() + PARKED_PROBES_AFTER, True)
        assert world.web.calls == []
        lane.store = replace(lane.store, missing=())
        await world.settle()
        assert await world.deliveries(DeliveryState.PENDING) == []


async def test_a_parked_store_is_probed_every_quarter_of_an_hour_and_nothing_is_dropped(tmp_path: Path) -> None:
    async with World(tmp_path / "engine.db", only=(WEB,)) as world:
        await park(world, WEB)
        for pieces in range(5):
            world.web.restock(RUNNER, pieces + 20)
        world.web.sell_out(RUNNER)
        await world.settle(within=timedelta(hours=2))
        assert len(world.web.calls) == 8
        assert min(pauses(world.web.calls)) >= PARKED_PROBES_AFTER
        assert "refuses our token" in (await world.lane(WEB)).parked_because
        assert len(await world.deliveries(DeliveryState.PENDING)) == 6
        world.web.faults.clear()
        await world.settle()
        assert (await world.lane(WEB)).parked_because == ""
        assert RUNNER not in world.members(WEB)[str(FEATURED)]
        assert await world.deliveries(DeliveryState.PENDING) == []


@pytest.mark.parametrize("fault", [Fault(status=500), Fault(status=402), Fault.drop_before_applying(where="read")])
async def test_a_probe_that_fails_in_another_way_waits_as_long(tmp_path: Path, fault: Fault) -> None:
    async with World(tmp_path / "engine.db", only=(WEB,)) as world:
        world.web.faults += [Fault(status=403), replace(fault, times=3)]
        world.web.sell_out(RUNNER)
        await world.settle(within=timedelta(hours=2))
        assert min(pauses(world.web.calls[:5])) >= PARKED_PROBES_AFTER
        assert RUNNER not in world.members(WEB)[str(FEATURED)]


async def test_a_shop_that_cannot_be_read_is_tried_by_the_call_that_is_due(tmp_path: Path) -> None:
    async with World(tmp_path / "engine.db", only=(B2B,)) as world:
        await park(world, B2B, times=3)
        world.b2b.sell_out("laptop-1")
        await world.settle(within=timedelta(hours=2))
        assert len(world.b2b.writes) == 4
        assert min(pauses(world.b2b.writes)) >= PARKED_PROBES_AFTER
        assert "laptop-1" not in world.members(B2B)[COLLECTION]


async def test_a_parked_store_keeps_no_other_from_its_work(tmp_path: Path) -> None:
    async with World(tmp_path / "engine.db", only=(WEB, KSA, B2B)) as world:
        await park(world, WEB)
        world.web.sell_out(RUNNER)
        world.ksa.publish_category(GIFTS, False)
        world.b2b.sell_out("laptop-1")
        await world.settle()
        assert str(GIFTS) not in world.members(KSA)
        assert "laptop-1" not in world.members(B2B)[COLLECTION]
        assert RUNNER in world.members(WEB)[str(FEATURED)]


async def test_a_probe_that_a_person_asks_for_is_made_at_once(tmp_path: Path) -> None:
    async with World(tmp_path / "engine.db", only=(WEB,)) as world:
        await park(world, WEB, times=1)
        world.web.sell_out(RUNNER)
        await world.settle(within=timedelta(minutes=1))
        assert len(world.web.calls) == 1
        await world.database.write(partial(save_lane, store=WEB, probe_at=world.clock()))
        await world.settle(within=timedelta(minutes=1))
        assert RUNNER not in world.members(WEB)[str(FEATURED)]


# The breaker and what the shop asks for.


async def test_after_five_failures_in_a_row_the_shop_is_left_alone_and_tried_within_half_a_minute(
    tmp_path: Path,
) -> None:
    async with World(tmp_path / "engine.db", only=(WEB,)) as world:
        world.web.faults.append(Fault(status=503, times=12))
        world.web.sell_out(RUNNER)
        await world.settle()
        for pause in pauses(world.web.calls)[BREAKER_OPENS_AFTER - 1 : 11]:
            assert BREAKER_PROBES_AFTER / 2 <= pause <= BREAKER_PROBES_AFTER + timedelta(seconds=1)
        assert RUNNER not in world.members(WEB)[str(FEATURED)]
        lane = await world.lane(WEB)
        assert (lane.failures, lane.blocked_until) == (0, None)


@pytest.mark.parametrize("where", ["read", "write"])
async def test_a_shop_that_says_when_is_not_called_before(tmp_path: Path, where: str) -> None:
    async with World(tmp_path / "engine.db", only=(WEB,)) as world:
        fault = Fault(status=429, headers={"Retry-After": "90"}, where="read" if where == "read" else "write")
        world.web.faults.append(fault)
        world.web.sell_out(RUNNER)
        await world.settle()
        at, refused = times(world.web.calls), [call.status for call in world.web.calls].index(429)
        assert at[refused + 1] - at[refused] >= timedelta(seconds=90)
        assert RUNNER not in world.members(WEB)[str(FEATURED)]


async def test_a_shop_that_asked_to_wait_is_left_alone_by_other_work_too(tmp_path: Path) -> None:
    async with World(tmp_path / "engine.db", only=(WEB,)) as world:
        world.web.faults.append(Fault(status=429, headers={"Retry-After": "90"}, where="write"))
        world.web.sell_out(RUNNER)
        await world.deliver()
        await world.run(WEB)
        calls = len(world.web.calls)
        world.clock.move(seconds=10)
        world.web.sell_out("37208345")
        await world.settle(within=timedelta(seconds=70))
        assert len(world.web.calls) == calls


# The rate.


async def test_a_shop_is_never_called_more_often_than_its_rate_allows(tmp_path: Path) -> None:
    async with World(tmp_path / "engine.db", only=(KSA,)) as world:
        ids = [world.ksa.add_product(en=f"Gift {n}", quantity=5, category_ids=(GIFTS,)) for n in range(66)]
        await world.settle()
        world.ksa.publish_category(GIFTS, False)
        await world.settle()
        assert str(GIFTS) not in world.members(KSA)
        world.clock.move(minutes=5)  # the bucket is full again
        first = len(world.ksa.calls)
        world.ksa.publish_category(GIFTS, True)
        await world.settle()
        assert set(ids) < world.members(KSA)[str(GIFTS)]
        at = times(world.ksa.calls)[first:]
        for start in range(len(at)):
            for end in range(start + 61, len(at)):
                assert end - start < 60 + (at[end] - at[start]).total_seconds() + 1
        assert {call.status for call in world.ksa.calls} == {200}  # the sandbox counts, too


# As few calls as can be.


async def test_products_that_sell_out_together_leave_in_one_call(tmp_path: Path) -> None:
    async with World(tmp_path / "engine.db", only=(WEB,)) as world:
        ids = [world.web.add_product(quantity=5, category_ids=(FEATURED,)) for _ in range(30)]
        await world.settle()
        reads = len(world.web.calls)
        for id_ in ids:
            world.web.sell_out(id_)
        await world.deliver()
        await world.run(WEB)
        (call,) = world.web.writes
        assert call.body == {"productIds": ids}
        assert len(world.web.calls) - reads <= 4


async def test_fifty_webhooks_about_one_product_are_one_read(tmp_path: Path) -> None:
    async with World(tmp_path / "engine.db", only=(WEB,)) as world:
        for pieces in range(50):
            world.web.restock(RUNNER, pieces + 100)
        await world.deliver()
        await world.run(WEB)
        assert [call.path.rpartition("/")[2] for call in world.web.calls] == ["categories", RUNNER]
        assert len(await world.deliveries(DeliveryState.PLANNED)) == 50


async def test_out_and_back_before_anybody_looked_is_no_call(tmp_path: Path) -> None:
    async with World(tmp_path / "engine.db", only=(WEB, B2B)) as world:
        world.web.sell_out(RUNNER)
        world.web.restock(RUNNER, 5)
        world.b2b.sell_out("laptop-1")
        world.clock.move(seconds=1)
        world.b2b.restock("laptop-1", 5)
        await world.settle()
        assert world.web.writes == world.b2b.writes == []


async def test_out_and_back_while_the_shop_is_away_is_no_call(tmp_path: Path) -> None:
    async with World(tmp_path / "engine.db", only=(WEB,)) as world:
        world.refused[WEB] = 3
        world.web.sell_out(RUNNER)
        await world.deliver()
        await world.run(WEB)
        world.web.restock(RUNNER, 5)
        await world.settle()
        assert world.web.writes == []
