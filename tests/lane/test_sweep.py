"""A sweep finds what no webhook told: lost ones, deletions, edits that fire none; and makes nothing of what is so."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from engine_world import KSA, WEB, World
from sweep_world import CREATED_GOES, QUIET, asked, find, known, sweep_world, swept

from rules_engine.core.action import Request
from rules_engine.core.delivery import StoreAlias
from rules_engine.core.subject import product
from rules_engine.core.sweep import SweepKind, SweepState
from rules_engine.database.tables import actions, history, holds, looks, snapshots, traces
from rules_engine.sandbox.ecwid_catalogue import FEATURED, SHOES
from rules_engine.sandbox.faults import Fault
from rules_engine.sandbox.zid_catalogue import SANDALS, SHIRT

pytestmark = pytest.mark.anyio

RUNNER, PRINT, HILL = "37208339", "37208341", "37208345"
BOTH = [(WEB, RUNNER), (KSA, SHIRT)]


def is_featured(world: World, id_: str) -> bool:
    return id_ in world.members(WEB)[str(FEATURED)]


# What it finds.


async def test_a_lost_webhook_is_found_and_the_rule_acts(tmp_path: Path) -> None:
    async with sweep_world(tmp_path / "e.db") as world:
        await known(world)
        world.web.sell_out(RUNNER)
        world.web.deliveries.clear()  # the webhook is lost
        world.clock.move(minutes=10)
        await world.settle()
        assert is_featured(world, RUNNER)
        sweep = await swept(world, WEB)
        assert not is_featured(world, RUNNER)
        assert (sweep.found["changed"], sweep.found["planned"]) == (1, 1)
        assert sweep.examples["changed"] == ("TR-1 (37208339): can_be_ordered was yes, is no",)
        began = [row for row in await world.every(traces) if row["text"].startswith("its condition began")]
        assert began[-1]["caused_by"] == ["a test asked"]


@pytest.mark.parametrize(("alias", "id_"), BOTH)
async def test_a_deleted_product_is_found_to_be_gone_by_a_read(tmp_path: Path, alias: StoreAlias, id_: str) -> None:
    async with sweep_world(tmp_path / "e.db", alias, QUIET) as world:
        await known(world)
        world.shops[alias].delete_product(id_)
        world.shops[alias].deliveries.clear()
        sweep = await swept(world, alias)
        assert sweep.found["gone"] == 1
        assert (await world.case(alias, product(id_))).is_gone
        asked_for = [call for call in world.shops[alias].calls if call.path.rstrip("/").endswith(id_)]
        assert [call.status for call in asked_for] == [404]  # the list alone says nothing of it


async def test_an_edit_by_a_person_that_fires_no_webhook_is_respected(tmp_path: Path) -> None:
    async with sweep_world(tmp_path / "e.db") as world:
        await known(world)
        world.web.sell_out(RUNNER)
        await world.settle()
        assert not is_featured(world, RUNNER)
        world.clock.move(minutes=30)
        world.web.assign(RUNNER, FEATURED)
        world.web.deliveries.clear()
        world.clock.move(minutes=30)
        sweep = await swept(world, WEB)
        assert is_featured(world, RUNNER)
        assert sweep.found["undone"] == 1
        assert "a person changed back what sold-out-leaves did" in sweep.examples["undone"][0]


async def test_a_change_whose_webhook_may_still_come_is_no_drift(tmp_path: Path) -> None:
    async with sweep_world(tmp_path / "e.db") as world:
        await known(world)
        world.web.edit_product(RUNNER, price=11.0)
        world.web.deliveries.clear()
        sweep = await swept(world, WEB)
        assert sweep.found == {"fresh": 1}  # it is said all the same: whether the webhook is lost nobody can tell yet
        assert sweep.examples["fresh"] == ("TR-1 (37208339): price was 10.0, is 11.0",)
        assert (await world.case(WEB, product(RUNNER))).snapshot.fields["price"] == 11.0  # type: ignore[union-attr]


async def test_while_a_store_is_learned_nothing_is_too_fresh_to_say(tmp_path: Path) -> None:
    async with sweep_world(tmp_path / "e.db", KSA, QUIET) as world:
        world.ksa.add_product(sku="NEW-1", quantity=3)
        world.ksa.deliveries.clear()
        sweep = await swept(world, KSA, SweepKind.LEARNING)
        assert sweep.found == {"new": sweep.seen}


async def test_what_is_new_or_was_changed_back_within_two_minutes_is_too_fresh_to_say(tmp_path: Path) -> None:
    async with sweep_world(tmp_path / "e.db") as world:
        await known(world)
        world.web.sell_out(RUNNER)
        await world.settle(within=timedelta(seconds=30))
        world.clock.move(minutes=10)
        assert (await swept(world, WEB)).found == {}
        world.web.assign(RUNNER, FEATURED)
        world.web.add_product(sku="NEW-1", quantity=5)
        world.web.deliveries.clear()
        assert (await swept(world, WEB)).found == {"fresh": 2}


async def test_a_product_that_nobody_told_of_counts_as_created(tmp_path: Path) -> None:
    async with sweep_world(tmp_path / "e.db", KSA, CREATED_GOES) as world:
        await known(world)
        assert not world.ksa.writes  # what was there when the store was connected was not created since
        made = world.ksa.add_product(sku="NEW-1", quantity=3)
        world.ksa.deliveries.clear()
        world.clock.move(minutes=3)  # longer than a webhook takes
        sweep = await swept(world, KSA)
        assert made in world.members(KSA)[str(SANDALS)]
        assert sweep.found["new"] == 1


# What it leaves alone.


@pytest.mark.parametrize(("alias", "id_"), BOTH)
async def test_a_quiet_catalogue_writes_no_trace_and_makes_no_write(
    tmp_path: Path, alias: StoreAlias, id_: str
) -> None:
    async with sweep_world(tmp_path / "e.db", alias, QUIET) as world:
        await known(world)
        tables = (traces, actions, holds, history, looks)
        before = [await world.every(table) for table in tables]
        old = await world.every(snapshots)
        sweep = await swept(world, alias)
        assert sweep.found == {}
        assert [await world.every(table) for table in tables] == before
        new = await world.every(snapshots)
        assert [row | {"seen_at": None} for row in new] == [row | {"seen_at": None} for row in old]
        assert all(row["seen_at"] >= sweep.started_at for row in new if row["kind"] == "product")
        assert not world.shops[alias].writes
        assert sweep.seen == sum(1 for row in new if row["kind"] == "product")


async def test_a_quiet_page_is_one_statement_and_not_one_for_each_product(tmp_path: Path) -> None:
    async with sweep_world(tmp_path / "e.db", WEB, QUIET) as world:
        for number in range(80):
            world.web.add_product(sku=f"P-{number}")
        await known(world)
        told: list[str] = []
        sa.event.listen(world.database.writer, "before_cursor_execute", lambda *given: told.append(str(given[2])))
        await swept(world, WEB)
        assert sum("UPDATE snapshots" in statement for statement in told) == 1


async def test_a_dry_run_changes_nothing_but_its_own_row(tmp_path: Path) -> None:
    async with sweep_world(tmp_path / "e.db") as world:
        await known(world)
        world.web.sell_out(RUNNER)
        world.web.delete_product(PRINT)
        world.web.deliveries.clear()
        world.clock.move(minutes=10)
        await world.settle()
        tables = (traces, actions, holds, history, looks, snapshots)
        before = [await world.every(table) for table in tables]
        sweep = await swept(world, WEB, is_dry=True)
        assert [await world.every(table) for table in tables] == before
        assert len(world.web.writes) == 1  # that of the learning
        assert (sweep.found["changed"], sweep.found["gone"], sweep.found["planned"]) == (1, 1, 1)
        # What it showed is done by a real one.
        real = await swept(world, WEB)
        assert (dict(real.found), real.seen) == (dict(sweep.found), sweep.seen)
        assert not is_featured(world, RUNNER)


async def test_learning_fires_no_moment_and_lets_stretches_act(tmp_path: Path) -> None:
    rules = """
rules:
  first-sight:
    stores: [web]
    first_sight: act
    as_soon_as: {product.stock: {at_most: 0}}
    do: [{remove_from_category: Shoes}]
  sold-out-leaves:
    stores: [web]
    while: {product.sku: NS-1}
    do: [{remove_from_category: Featured}]
"""
    async with sweep_world(tmp_path / "e.db", WEB, rules) as world:
        await known(world)
        assert "37208343" in world.members(WEB)[str(SHOES)]
        assert not is_featured(world, "37208343")


# Pages.


def many(world: World, alias: StoreAlias, count: int) -> list[str]:
    add = world.web.add_product if alias == WEB else world.ksa.add_product
    return [str(add(sku=f"P-{number}", quantity=5)) for number in range(count)]


@pytest.mark.parametrize(("alias", "page"), [(WEB, 100), (KSA, 50)])
@pytest.mark.parametrize("more", [-1, 0, 1], ids=["one less", "just", "one more"])
async def test_the_borders_of_pages_lose_nothing(tmp_path: Path, alias: StoreAlias, page: int, more: int) -> None:
    async with sweep_world(tmp_path / "e.db", alias, QUIET) as world:
        listed = 8 if alias == WEB else 6
        many(world, alias, 2 * page - listed + more)
        world.shops[alias].deliveries.clear()
        sweep = await swept(world, alias, SweepKind.LEARNING)
        rows = [row for row in await world.every(snapshots) if row["kind"] == "product"]
        assert sweep.seen == sweep.total == len(rows)


@pytest.mark.parametrize(("alias", "page"), [(WEB, 100), (KSA, 50)])
async def test_a_product_that_slips_over_a_border_is_not_declared_gone(
    tmp_path: Path, alias: StoreAlias, page: int
) -> None:
    async with sweep_world(tmp_path / "e.db", alias, QUIET) as world:
        ids = many(world, alias, 2 * page)
        await known(world)
        shop = world.shops[alias]
        lists = [0]

        def delete_one(_alias: StoreAlias, request: Request) -> None:
            if "offset=" in request.url or "page=" in request.url:
                lists[0] += 1
                if lists[0] == 1:  # everything behind the first page moves up by one
                    shop.delete_product(ids[0])
                    shop.deliveries.clear()

        world.after_call = delete_one
        sweep = await swept(world, alias)
        gone = [row["id"] for row in await world.every(snapshots) if row["is_gone"]]
        assert gone == [] or gone == [ids[0]]
        unseen = [row["id"] for row in await world.every(snapshots) if row["seen_at"] < sweep.started_at]
        assert not [id_ for id_ in unseen if id_ in ids]


@pytest.mark.parametrize(("status", "times"), [(400, 1), (500, 2)])
async def test_a_page_that_breaks_the_shop_is_gone_around_by_id(tmp_path: Path, status: int, times: int) -> None:
    async with sweep_world(tmp_path / "e.db", WEB, QUIET) as world:
        many(world, WEB, 150)
        await known(world)
        world.web.faults += [Fault(status=status, path="/products", times=times)]
        sweep = await swept(world, WEB)
        assert "could not be read to its end" in sweep.reason
        assert sweep.seen == 158
        assert not [row for row in await world.every(snapshots) if row["is_gone"]]


async def test_two_that_wait_are_one(tmp_path: Path) -> None:
    async with sweep_world(tmp_path / "e.db", WEB, QUIET) as world:
        first, changes = await asked(world, WEB), await asked(world, WEB, SweepKind.CHANGES)
        assert await asked(world, WEB) == first
        await world.settle(within=timedelta(seconds=30))
        assert (await find(world, first)).state is SweepState.DONE
        stopped = await find(world, changes)
        assert (stopped.state, stopped.reason) == (SweepState.STOPPED, "a sweep of everything took its place")
