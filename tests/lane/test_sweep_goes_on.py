"""A sweep goes on where it was, makes way for webhooks, and keeps within the shop's rate."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from engine_world import KSA, WEB, Cut, World
from sweep_world import QUIET, SOLD_OUT_LEAVES, asked, find, known, reads, sweep_world, swept

from rules_engine.core.action import Request
from rules_engine.core.delivery import StoreAlias
from rules_engine.core.subject import product
from rules_engine.core.sweep import SweepKind, SweepState
from rules_engine.database.sweeps import request_sweep
from rules_engine.database.tables import snapshots
from rules_engine.sandbox.ecwid_catalogue import FEATURED

pytestmark = pytest.mark.anyio

RUNNER, PRINT = "37208339", "37208341"


async def story(path: Path, alias: StoreAlias, cut: Cut) -> tuple[World, object, list[str]]:
    """A catalogue of three pages of which much was missed; what it comes to, however often the engine is killed."""
    world = sweep_world(path, alias, SOLD_OUT_LEAVES, Cut())
    cursors: list[str] = []
    async with world:
        shop = world.shops[alias]
        add = world.web.add_product if alias == WEB else world.ksa.add_product
        ids = [str(add(sku=f"P-{number}", quantity=5)) for number in range(120)]
        await known(world)
        for id_ in ids[::40]:
            shop.delete_product(id_)
        if alias == WEB:
            world.web.sell_out(RUNNER)
            world.web.sell_out(PRINT)
        shop.deliveries.clear()
        world.clock.move(minutes=10)
        asked_for = await asked(world, alias)
        world.cut = world.database.cut = cut
        await world.settle_or_fall()
        if cut.has_fallen:
            await world.restart()
            cursors.append((await find(world, asked_for)).cursor)
            await world.settle()
        sweep = await find(world, asked_for)
        assert sweep.state is SweepState.DONE
        rows = [row for row in await world.every(snapshots) if row["kind"] == "product"]
        ends = (
            sweep.seen,
            dict(sweep.found),
            world.shops[alias].memberships(),
            [(row["id"], row["is_gone"], row["fields"]["sku"]) for row in rows],
        )
        assert all(row["seen_at"] >= sweep.started_at for row in rows)
    return world, ends, cursors


@pytest.mark.parametrize("is_after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("alias", [WEB, KSA])
async def test_killed_at_any_step_it_goes_on_from_its_cursor(tmp_path: Path, alias: StoreAlias, is_after: bool) -> None:
    whole = Cut()
    world, expected, _ = await story(tmp_path / "whole.db", alias, whole)
    calls = reads(world, alias)
    cursors: list[str] = []
    for at in range(1, whole.steps + 1):
        cut = Cut(at, is_after=is_after)
        world, ends, found = await story(tmp_path / f"{at}.db", alias, cut)
        assert cut.has_fallen
        assert ends == expected, f"killed at step {at}"
        assert reads(world, alias) <= calls + 2, "more than the page that was cut was read again"
        cursors += found
    assert any(cursor.startswith("list /") for cursor in cursors)
    assert not [cursor for cursor in cursors if "://" in cursor or "token" in cursor.casefold()]


async def test_webhooks_go_first(tmp_path: Path) -> None:
    async with sweep_world(tmp_path / "e.db") as world:
        for number in range(400):
            world.web.add_product(sku=f"P-{number}", quantity=5)
        await known(world)
        order: list[str] = []

        def note(_alias: StoreAlias, request: Request) -> None:
            order.append("write" if request.method == "POST" else "list" if "offset=" in request.url else "read")
            if order == ["list"]:
                world.web.sell_out(RUNNER)

        id_ = await asked(world, WEB)
        world.after_call = note
        for _ in range(3):
            await world.deliver()
            world.lanes[WEB].names.listed_at = world.clock() + timedelta(hours=1)
            await world.run(WEB)
        assert (await find(world, id_)).state is SweepState.DONE
        del world.after_call
        assert order.count("list") == 5
        assert "write" in order


async def test_it_makes_way_while_the_bucket_is_not_half_full(tmp_path: Path) -> None:
    async with sweep_world(tmp_path / "e.db", KSA, QUIET) as world:
        await known(world)
        lane = await world.lane(KSA)
        assert lane.tokens is not None
        id_ = await asked(world, KSA)
        product_id = next(iter(world.ksa.products))
        for number in range(120):  # a busy shop: one webhook for each look
            world.ksa.edit_product(product_id, price=float(number + 1))
            await world.deliver()
            await world.run(KSA)
            if (await find(world, id_)).state is SweepState.DONE:
                break
        lane = await world.lane(KSA)
        assert all(call.status != 429 for call in world.ksa.calls)
        assert lane.tokens is not None
        assert lane.tokens > 0


async def test_it_keeps_within_the_rate_and_leaves_calls_for_webhooks(tmp_path: Path) -> None:
    async with sweep_world(tmp_path / "e.db", KSA, QUIET) as world:
        for number in range(70 * 50):
            world.ksa.add_product(sku=f"P-{number}", quantity=5)
        world.ksa.deliveries.clear()
        began = world.clock()
        id_ = await asked(world, KSA, SweepKind.LEARNING)
        least = 60.0
        while (await find(world, id_)).state is not SweepState.DONE:
            rest = await world.run(KSA)
            tokens = (await world.lane(KSA)).tokens
            least = min(least, tokens if tokens is not None else least)
            world.clock.time = max(world.clock(), rest.until or world.clock())
        assert all(call.status == 200 for call in world.ksa.calls)
        assert least >= 5
        pages = (3500 + 6) // 50 + 1
        assert timedelta(seconds=pages - 60) < world.clock() - began < timedelta(seconds=pages)


async def test_new_rules_come_before_a_sweep_that_runs(tmp_path: Path) -> None:
    async with sweep_world(tmp_path / "e.db", WEB, QUIET) as world:
        for number in range(300):
            world.web.add_product(sku=f"P-{number}", quantity=5)
        await known(world)
        nightly = await asked(world, WEB, SweepKind.NIGHTLY)

        def fall(_alias: StoreAlias, request: Request) -> None:
            world.cut.has_fallen = world.cut.has_fallen or "offset=200" in request.url

        world.after_call = fall
        await world.settle_or_fall()
        await world.restart()
        world.after_call = lambda _alias, _request: None
        assert (await find(world, nightly)).state is SweepState.RUNNING
        ask = partial(request_sweep, store=WEB, kind=SweepKind.RULES, now=world.clock(), reason="new rules")
        rules = await world.database.write(ask)
        await world.settle(within=timedelta(seconds=30))
        first, second = await find(world, rules), await find(world, nightly)
        assert first.finished_at is not None
        assert second.finished_at is not None
        assert first.finished_at < second.finished_at
        assert second.seen == 308


async def test_a_deleted_product_is_found_also_by_a_sweep_that_new_rules_came_into(tmp_path: Path) -> None:
    async with sweep_world(tmp_path / "e.db", WEB, QUIET) as world:
        gone = str(world.web.add_product(sku="GONE", quantity=5))
        for number in range(300):
            world.web.add_product(sku=f"P-{number}", quantity=5)
        await known(world)
        world.web.delete_product(gone)
        world.web.deliveries.clear()
        nightly = await asked(world, WEB, SweepKind.NIGHTLY)

        def fall(_alias: StoreAlias, request: Request) -> None:
            world.cut.has_fallen = world.cut.has_fallen or "offset=200" in request.url

        world.after_call = fall
        await world.settle_or_fall()
        await world.restart()
        world.after_call = lambda _alias, _request: None
        world.clock.move(minutes=1)
        await asked(world, WEB, SweepKind.RULES)
        await world.settle(within=timedelta(seconds=60))
        assert (await find(world, nightly)).found["gone"] == 1
        assert (await world.case(WEB, product(gone))).is_gone


async def test_a_parked_store_is_swept_when_it_is_let_in_again(tmp_path: Path) -> None:
    async with sweep_world(tmp_path / "e.db") as world:
        await known(world)
        world.lanes[WEB]._timetable.is_on = True
        world.web.token = "another"
        world.web.edit_product(RUNNER, price=3.0)
        await world.settle()
        assert (await world.lane(WEB)).parked_because
        world.web.sell_out(RUNNER)
        world.web.deliveries.clear()
        world.web.token = "secret_web_token"
        world.clock.move(minutes=16)
        await world.settle(within=timedelta(minutes=2))
        assert RUNNER not in world.members(WEB)[str(FEATURED)]
        newest = await find(world, 2)
        assert (newest.kind, newest.reason) == (SweepKind.ASKED, "the store was parked until now")


async def test_what_the_shop_says_changed_is_read_alone(tmp_path: Path) -> None:
    async with sweep_world(tmp_path / "e.db") as world:
        for number in range(250):
            world.web.add_product(sku=f"P-{number}", quantity=5)
        await known(world)
        since = world.clock() - timedelta(minutes=5)
        world.web.sell_out(RUNNER)
        world.web.deliveries.clear()
        world.clock.move(minutes=10)
        ask = partial(
            request_sweep, store=WEB, kind=SweepKind.CHANGES, now=world.clock(), reason="changes", since=since
        )
        id_ = await world.database.write(ask)
        await world.settle(within=timedelta(seconds=30))
        sweep = await find(world, id_)
        assert (sweep.state, sweep.seen, sweep.found["changed"]) == (SweepState.DONE, 1, 1)
        assert sweep.calls == 1
        assert RUNNER not in world.members(WEB)[str(FEATURED)]
        assert (await swept(world, WEB)).found == {}
