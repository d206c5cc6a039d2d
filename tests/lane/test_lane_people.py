"""People edit while rules hold: they win, what is gone is let go, and rules that meet in one slot agree."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from engine_world import B2B, KSA, WEB, World, paths

from rules_engine.core.action import Request
from rules_engine.core.delivery import StoreAlias
from rules_engine.core.holds import HoldState
from rules_engine.core.subject import product
from rules_engine.database.tables import holds, looks
from rules_engine.sandbox import Fault
from rules_engine.sandbox.ecwid_catalogue import CLEARANCE, FEATURED, SHOES
from rules_engine.sandbox.zave import FEATURED as COLLECTION
from rules_engine.sandbox.zid_catalogue import GIFTS, HAT, PERFUME, VOUCHER

pytestmark = pytest.mark.anyio

RUNNER, PRINT = "37208339", "37208341"

TWO_RULES = """
rules:
  sold-out-leaves:
    stores: [web]
    while: {product.stock: {at_most: 0}}
    do: [{remove_from_category: Featured}]
  dear-leaves:
    stores: [web]
    while: {product.price: {more_than: 100}}
    do: [{remove_from_category: Featured}]
"""
MOVES = """
rules:
  sold-out-moves:
    stores: [web]
    while: {product.stock: {at_most: 0}}
    do: [{remove_from_category: Featured}, {add_to_category: Clearance}]
"""
AGAINST_EACH_OTHER = """
rules:
  sold-out-leaves:
    stores: [web]
    while: {product.stock: {at_most: 0}}
    do: [{remove_from_category: Featured}]
  dear-stays:
    stores: [web]
    while: {product.price: {more_than: 100}}
    do: [{add_to_category: Featured}]
"""


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with World(tmp_path / "engine.db", only=(WEB,)) as world:
        yield world


async def states(world: World, alias: StoreAlias, id_: str) -> list[str]:
    rows = [row for row in await world.every(holds) if (row["store"], row["product"]) == (alias, id_)]
    return [row["state"] for row in rows]


def is_featured(world: World, id_: str) -> bool:
    return id_ in world.members(WEB)[str(FEATURED)]


async def test_a_person_who_puts_a_held_product_back_wins(world: World) -> None:
    world.web.sell_out(RUNNER)
    await world.settle()
    world.web.assign(RUNNER, FEATURED)
    await world.settle()
    assert is_featured(world, RUNNER)
    assert await states(world, WEB, RUNNER) == [HoldState.STEPPED_BACK]
    world.web.restock(RUNNER, 5)
    await world.settle()
    assert is_featured(world, RUNNER)
    assert len(world.web.writes) == 1
    world.web.sell_out(RUNNER)  # a new stretch
    await world.settle()
    assert not is_featured(world, RUNNER)


async def test_what_a_person_removed_first_is_not_put_back(world: World) -> None:
    world.web.edit_product(RUNNER, name="seen")
    await world.settle()
    world.web.unassign(RUNNER, FEATURED)
    world.web.sell_out(RUNNER)
    await world.settle()
    world.web.restock(RUNNER, 5)
    await world.settle()
    assert not is_featured(world, RUNNER)
    assert world.web.writes == []


async def test_what_a_person_removes_between_the_look_and_the_call_is_not_put_back(world: World) -> None:
    def remove(_alias: StoreAlias, request: Request) -> None:
        if request.url.endswith(f"/products/{RUNNER}") and is_featured(world, RUNNER):
            world.web.unassign(RUNNER, FEATURED)

    world.web.sell_out(RUNNER)
    world.after_call = remove
    await world.settle()
    world.web.restock(RUNNER, 5)
    await world.settle()
    assert not is_featured(world, RUNNER)
    assert [call.body for call in world.web.writes] == [{"productIds": [int(RUNNER)]}]


async def test_a_product_deleted_while_held_is_let_go(world: World) -> None:
    world.web.sell_out(RUNNER)
    await world.settle()
    world.web.delete_product(RUNNER)
    await world.settle()
    assert await states(world, WEB, RUNNER) == [HoldState.GONE]
    assert len(world.web.writes) == 1
    assert (await world.case(WEB, product(RUNNER))).is_gone


async def test_a_category_deleted_while_held_is_never_made_again(world: World) -> None:
    world.web.sell_out(RUNNER)
    world.web.sell_out(PRINT)
    await world.settle()
    world.web.delete_category(FEATURED)
    await world.settle()
    assert HoldState.HOLDING not in await states(world, WEB, RUNNER)
    world.web.restock(RUNNER, 5)
    world.web.restock(PRINT, 5)
    await world.settle()
    assert [call.path for call in world.web.writes if str(FEATURED) in call.path] == [world.web.writes[0].path]
    assert FEATURED not in world.web.categories
    assert await world.dead() == []


async def test_a_category_deleted_between_the_look_and_the_call_is_no_dead_letter(world: World) -> None:
    def delete(_alias: StoreAlias, request: Request) -> None:
        if FEATURED in world.web.categories and "/products" in request.url:
            world.web.delete_category(FEATURED)
            world.web.deliveries.clear()  # and nobody says so

    world.web.sell_out(RUNNER)
    world.after_call = delete
    await world.settle()
    assert await world.dead() == []
    assert await states(world, WEB, RUNNER) == [HoldState.GONE]
    assert [call.status for call in world.web.writes] == [404]


async def test_a_deletion_while_a_call_waits_ends_it_where_nothing_can_be_read(tmp_path: Path) -> None:
    async with World(tmp_path / "engine.db", only=(B2B,)) as world:
        world.refused[B2B] = 1
        world.b2b.sell_out("laptop-1")
        await world.deliver()
        await world.run(B2B)
        world.clock.move(milliseconds=100)
        world.b2b.delete_product("laptop-1")
        await world.settle()
        assert (world.b2b.writes, await world.dead()) == ([], [])
        assert (await world.case(B2B, product("laptop-1"))).is_gone


async def test_a_person_who_puts_a_held_product_back_at_zave_wins(tmp_path: Path) -> None:
    async with World(tmp_path / "engine.db", only=(B2B,)) as world:
        world.b2b.sell_out("laptop-1")
        await world.settle()
        world.b2b.assign("laptop-1", COLLECTION)
        await world.settle()
        assert await states(world, B2B, "laptop-1") == [HoldState.STEPPED_BACK]
        assert len(world.b2b.writes) == 1


async def test_a_late_delivery_changes_nothing(tmp_path: Path) -> None:
    async with World(tmp_path / "engine.db", only=(B2B,)) as world:
        world.b2b.restock("laptop-1", 8)
        world.clock.move(seconds=1)
        world.b2b.restock("laptop-1", 0)
        await world.b2b.deliver_out_of_order(world.door, f"http://engine/webhooks/{B2B}", [1])
        await world.settle()
        assert "laptop-1" not in world.members(B2B)[COLLECTION]
        assert len(world.b2b.writes) == 1


async def test_a_member_deleted_while_its_category_is_empty_does_not_keep_the_others(tmp_path: Path) -> None:
    async with World(tmp_path / "engine.db", only=(KSA,)) as world:
        world.ksa.publish_category(GIFTS, False)
        await world.settle()
        world.ksa.delete_product(PERFUME)
        world.ksa.publish_category(GIFTS, True)
        await world.settle()
        assert world.members(KSA)[str(GIFTS)] == {VOUCHER}
        assert await world.dead() == []


async def test_a_product_that_a_person_added_to_an_emptied_category_stays(tmp_path: Path) -> None:
    async with World(tmp_path / "engine.db", only=(KSA,)) as world:
        before = world.members(KSA)
        world.ksa.publish_category(GIFTS, False)
        await world.settle()
        world.ksa.assign(PERFUME, GIFTS)
        await world.settle()
        assert await states(world, KSA, PERFUME) == [HoldState.STEPPED_BACK]
        world.ksa.publish_category(GIFTS, True)
        await world.settle()
        assert world.members(KSA) == before


async def test_a_category_whose_members_cannot_be_listed_is_emptied_later(tmp_path: Path) -> None:
    async with World(tmp_path / "engine.db", only=(KSA,)) as world:
        # Refused for good, when the categories are first listed and for the webhook.
        world.ksa.faults = [Fault(status=400, where="read", path="/v1/products/", times=2)]
        world.ksa.publish_category(GIFTS, False)
        await world.settle()
        assert world.members(KSA)[str(GIFTS)] == {PERFUME, VOUCHER}
        await world.settle(within=timedelta(hours=2))
        assert str(GIFTS) not in world.members(KSA)
        world.ksa.publish_category(GIFTS, True)
        await world.settle()
        assert world.members(KSA)[str(GIFTS)] == {PERFUME, VOUCHER}


async def test_a_category_is_emptied_in_one_call_only_when_its_members_were_just_read(tmp_path: Path) -> None:
    async with World(tmp_path / "engine.db", only=(KSA,)) as world:
        before = world.members(KSA)

        def join(_alias: StoreAlias, request: Request) -> None:
            if request.url.endswith("/products/delete"):
                world.ksa.assign(HAT, GIFTS)
                world.after_call = lambda _alias, _request: None
                world.ksa.deliveries.clear()  # and the webhook that would say so is lost

        world.ksa.faults.append(Fault(status=500, where="write"))
        world.after_call = join
        world.ksa.publish_category(GIFTS, False)
        await world.settle()
        assert world.members(KSA)[str(GIFTS)] == {HAT}  # never taken, so it could never be given back
        world.ksa.publish_category(GIFTS, True)
        await world.settle()
        assert world.members(KSA)[str(GIFTS)] == before[str(GIFTS)] | {HAT}


# Rules that meet.


async def test_a_product_returns_when_the_last_of_two_rules_lets_go(tmp_path: Path) -> None:
    async with World(tmp_path / "engine.db", TWO_RULES, only=(WEB,)) as world:
        world.web.sell_out(RUNNER)
        await world.settle()
        world.web.edit_product(RUNNER, price=200.0)
        await world.settle()
        world.web.restock(RUNNER, 5)
        await world.settle()
        assert not is_featured(world, RUNNER)
        world.web.edit_product(RUNNER, price=20.0)
        await world.settle()
        assert is_featured(world, RUNNER)
        assert len(world.web.writes) == 2


async def test_of_two_rules_that_want_the_opposite_the_earlier_wins(tmp_path: Path) -> None:
    async with World(tmp_path / "engine.db", AGAINST_EACH_OTHER, only=(WEB,)) as world:
        world.web.edit_product(RUNNER, price=200.0)
        await world.settle()
        world.web.sell_out(RUNNER)
        await world.settle()
        assert not is_featured(world, RUNNER)
        world.web.restock(RUNNER, 5)
        await world.settle()
        assert is_featured(world, RUNNER)
        assert len(world.web.writes) == 2


async def test_adds_are_made_before_removes(tmp_path: Path) -> None:
    async with World(tmp_path / "engine.db", MOVES, only=(WEB,)) as world:
        before = world.members(WEB)
        world.web.faults.append(Fault(status=500, where="write"))
        world.web.sell_out(PRINT)
        await world.settle()
        add, remove = f"POST /categories/{CLEARANCE}/assignProducts", f"POST /categories/{FEATURED}/unassignProducts"
        assert paths(world.web.writes) == [add, add, remove]
        assert "0" not in world.members(WEB)  # never without a category, so never promoted
        world.web.restock(PRINT, 5)
        await world.settle()
        assert world.members(WEB) == before


async def test_a_product_with_another_category_is_not_promoted(world: World) -> None:
    world.web.sell_out(RUNNER)
    await world.settle()
    assert RUNNER in world.members(WEB)[str(SHOES)]
    assert "0" not in world.members(WEB)


async def test_a_person_who_moves_a_promoted_product_on_keeps_it_there(world: World) -> None:
    world.web.sell_out(PRINT)
    await world.settle()
    world.web.edit_product(PRINT, categoryIds=[SHOES])
    await world.settle()
    world.web.restock(PRINT, 5)
    await world.settle()
    assert PRINT in world.members(WEB)[str(SHOES)]
    assert is_featured(world, PRINT)
    assert "0" not in world.members(WEB)


async def test_a_rule_that_flaps_waits_for_calm_and_then_acts(world: World) -> None:
    for _ in range(4):
        world.web.sell_out(RUNNER)
        await world.settle()
        world.web.restock(RUNNER, 5)
        await world.settle()
    assert len(world.web.writes) == 6
    world.web.sell_out(RUNNER)
    await world.settle()
    assert is_featured(world, RUNNER)
    await world.settle(within=timedelta(hours=25))
    assert not is_featured(world, RUNNER)
    assert await world.every(looks) == []
