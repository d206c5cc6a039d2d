"""New rules are decided for the whole catalogue from memory; only what they want something of is read."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from engine_world import BRANDS, KSA, WEB, World
from sweep_world import QUIET, SOLD_OUT_LEAVES, find, known, reads, sweep_world, swept, waiting

from rules_engine.core.action import Request
from rules_engine.core.delivery import StoreAlias
from rules_engine.core.plan import ActionState
from rules_engine.core.subject import product
from rules_engine.core.sweep import SweepKind, SweepState
from rules_engine.database.tables import looks, notices
from rules_engine.database.tables_people import questions
from rules_engine.lane import sweep as sweeping
from rules_engine.sandbox.ecwid_catalogue import FEATURED
from rules_engine.sandbox.zid_catalogue import GIFTS, SANDAL

pytestmark = pytest.mark.anyio

RUNNER, BOOT = "37208339", "37208343"
SOON = timedelta(seconds=30)


def is_featured(world: World, id_: str) -> bool:
    return id_ in world.members(WEB)[str(FEATURED)]


async def test_a_catalogue_of_which_new_rules_want_nothing_costs_no_call(tmp_path: Path) -> None:
    async with sweep_world(tmp_path / "e.db", WEB, QUIET) as world:
        for number in range(600):
            world.web.add_product(sku=f"P-{number}", quantity=5)
        await known(world)
        before = len(world.web.calls)
        await world.adopt(QUIET.replace("no-such-sku", "nor-this-one"))
        [sweep] = await waiting(world, WEB)
        assert sweep.kind is SweepKind.RULES
        await world.settle(within=SOON)
        sweep = await find(world, sweep.id)
        assert (sweep.state, sweep.seen, sweep.total, sweep.calls) == (SweepState.DONE, 608, 608, 0)
        assert len(world.web.calls) == before


async def test_what_new_rules_want_is_read_and_done_and_nothing_else_is(tmp_path: Path) -> None:
    async with sweep_world(tmp_path / "e.db", WEB, QUIET) as world:
        await known(world)
        before = reads(world, WEB)
        await world.adopt(SOLD_OUT_LEAVES)
        await world.settle(within=SOON)
        assert not is_featured(world, BOOT)
        asked_for = [call.path for call in world.web.calls if not call.is_write and "/products" in call.path]
        assert set(asked_for[before:]) == {f"/api/v3/1003/products/{BOOT}"}


async def test_a_rule_that_is_edited_gives_back_what_it_no_longer_wants(tmp_path: Path) -> None:
    async with sweep_world(tmp_path / "e.db", WEB, SOLD_OUT_LEAVES) as world:
        await known(world)
        assert not is_featured(world, BOOT)
        await world.adopt(SOLD_OUT_LEAVES.replace("at_most: 0", "at_most: -5"))
        await world.settle(within=SOON)
        assert is_featured(world, BOOT)


async def test_what_was_called_for_and_is_not_confirmed_is_read_first(tmp_path: Path) -> None:
    async with sweep_world(tmp_path / "e.db", WEB, SOLD_OUT_LEAVES) as world:
        await known(world)

        def fall(_alias: StoreAlias, request: Request) -> None:
            world.cut.has_fallen = world.cut.has_fallen or request.method == "POST"

        world.after_call = fall
        world.web.sell_out(RUNNER)
        await world.settle_or_fall()
        await world.restart()
        world.after_call = lambda _alias, _request: None
        case = await world.case(WEB, product(RUNNER))
        assert [action.state for action in case.actions.values()] == [ActionState.SENT]
        await world.database.write(lambda connection: connection.execute(sa.delete(looks)))
        world.web.deliveries.clear()
        await world.adopt(SOLD_OUT_LEAVES.replace("at_most: 0", "at_most: -5"))
        await world.settle(within=SOON)
        assert is_featured(world, RUNNER)


async def test_newer_rules_begin_again_from_the_first_product(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweeping, "REMEMBERED", 3)
    async with sweep_world(tmp_path / "e.db", WEB, QUIET) as world:
        await known(world)
        world.web.sell_out(RUNNER)  # one of the first three
        await world.settle()
        await world.adopt(QUIET.replace("no-such-sku", "nor-this-one"))
        [first] = await waiting(world, WEB)
        world.cut.at, world.cut.is_after = world.cut.steps + 2, True  # after its first page
        await world.settle_or_fall()
        await world.restart()
        assert (await find(world, first.id)).seen == 3
        await world.adopt(SOLD_OUT_LEAVES)
        assert [sweep.id for sweep in await waiting(world, WEB)] == [first.id]  # it begins again: no other is needed
        await world.settle(within=SOON)
        done = await find(world, first.id)
        assert (done.state, done.seen) == (SweepState.DONE, 8)
        assert not is_featured(world, RUNNER)
        assert not is_featured(world, BOOT)


async def test_a_new_rule_about_categories_comes_out_right(tmp_path: Path) -> None:
    emptied = """
rules:
  unpublished-category-is-emptied:
    about: category
    stores: [ksa]
    while: {category.published: false}
    do: [empty_category]
"""
    async with sweep_world(tmp_path / "e.db", KSA, QUIET) as world:
        await known(world)
        world.ksa.publish_category(GIFTS, False)
        await world.settle(within=SOON)
        members = world.members(KSA)[str(GIFTS)]
        assert members
        await world.adopt(emptied)
        await world.settle(within=SOON)
        assert str(GIFTS) not in world.members(KSA)
        world.clock.move(hours=1)
        await world.adopt(emptied.replace("false", "true") + "    mode: live\n")
        await world.settle(within=SOON)
        assert world.members(KSA)[str(GIFTS)] == members


async def test_a_shop_that_cannot_be_read_is_decided_from_memory_too(tmp_path: Path) -> None:
    rule = """
rules:
  no-brand:
    stores: [brands]
    while: {product.stock: {at_most: %d}}
    do: [unassign_brand]
"""
    async with World(tmp_path / "e.db", rule % -1, only=(BRANDS,)) as world:
        for id_ in world.brands.products:
            world.brands.edit_product(id_, price=1.5)
        await world.settle()
        assert not world.brands.writes
        await world.adopt(rule % 1000)
        await world.settle(within=SOON)
        assert world.brands.writes


@pytest.mark.parametrize(("limit", "acts"), [(1, False), (2, True)])
async def test_new_rules_do_nothing_at_all_where_the_whole_is_over_a_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: int, acts: bool
) -> None:
    monkeypatch.setattr(sweeping, "REMEMBERED", 3)
    async with sweep_world(tmp_path / "e.db", WEB, QUIET) as world:
        await known(world)
        world.web.sell_out(RUNNER)  # in the first page; the boot, sold out as well, is in the second
        await world.settle(within=SOON)
        await world.adopt(SOLD_OUT_LEAVES + f"    limits: {{per_day: {limit} products}}\n")
        await world.settle(within=SOON)
        assert [is_featured(world, id_) for id_ in (RUNNER, BOOT)] == [not acts, not acts]
        assert [row["state"] for row in await world.every(questions)] == ["yes" if acts else "open"]


async def test_nothing_is_walked_over_where_nothing_is_known(tmp_path: Path) -> None:
    async with sweep_world(tmp_path / "e.db", WEB, QUIET) as world:
        assert await waiting(world, WEB) == []
        assert SANDAL


OLD_IS_TOLD = """
rules:
  old-is-told:
    stores: [web]
    as_soon_as: {product.created_at: {older_than: 2 hours}}
    do: [{notify: {webhook: floor}}]
"""


async def test_a_moment_that_only_tells_is_told_once_also_if_memory_showed_it(tmp_path: Path) -> None:
    async with sweep_world(tmp_path / "e.db", WEB, QUIET) as world:
        shoe = str(world.web.add_product(name="Shoe", quantity=5))
        await known(world)
        world.clock.move(hours=3)
        await world.adopt(OLD_IS_TOLD)
        await world.settle(within=SOON)
        told = [row["subject"] for row in await world.every(notices)]
        assert shoe in told
        await swept(world, WEB)
        assert [row["subject"] for row in await world.every(notices)] == told
