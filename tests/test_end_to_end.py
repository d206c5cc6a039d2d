"""From a shop's webhook to the shop's API, for all four shops, by the rules that are shipped."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from engine_world import B2B, BRANDS, KSA, WEB, World, paths

from rules_engine.core.holds import HoldState
from rules_engine.core.subject import product
from rules_engine.database.inbox import DeliveryState
from rules_engine.sandbox.axim import ACME
from rules_engine.sandbox.ecwid_catalogue import ACME as ACME_CATEGORY
from rules_engine.sandbox.ecwid_catalogue import FEATURED, GLOBEX, SHOES
from rules_engine.sandbox.zave import FEATURED as COLLECTION
from rules_engine.sandbox.zid_catalogue import SHIRT, SUMMER

pytestmark = pytest.mark.anyio

RUNNER, WALKER, PRINT = "37208339", "37208340", "37208341"


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with World(tmp_path / "engine.db") as world:
        yield world


async def test_a_sold_out_product_leaves_featured_at_ecwid_and_returns(world: World) -> None:
    before = world.members(WEB)
    world.web.sell_out(RUNNER)
    await world.settle()
    assert world.members(WEB)[str(FEATURED)] == before[str(FEATURED)] - {RUNNER}
    assert world.members(WEB)[str(SHOES)] == before[str(SHOES)]
    world.web.restock(RUNNER, 5)
    await world.settle()
    assert world.members(WEB) == before
    assert paths(world.web.writes) == [
        f"POST /categories/{FEATURED}/unassignProducts",
        f"POST /categories/{FEATURED}/assignProducts",
    ]


async def test_a_product_that_loses_its_brand_leaves_the_categories_below_brands(world: World) -> None:
    world.web.edit_product(WALKER, name="City Walker 2")  # the first sight: its brand is known from now on
    await world.settle()
    assert world.web.writes == []
    world.web.set_brand(WALKER, None)
    await world.settle()
    members = world.members(WEB)
    assert WALKER in members[str(SHOES)]
    assert str(ACME_CATEGORY) not in members
    assert str(GLOBEX) not in members
    world.web.set_brand(WALKER, "Acme")
    await world.settle()
    assert len(world.web.writes) == 2  # a moment gives nothing back


async def test_a_product_first_seen_without_a_brand_has_not_lost_it(world: World) -> None:
    world.web.set_brand(WALKER, None)
    await world.settle()
    assert world.web.writes == []


async def test_an_unpublished_category_lets_go_of_its_products_in_one_call_and_has_them_back(world: World) -> None:
    before = world.members(KSA)
    world.ksa.publish_category(SUMMER, False)
    await world.settle()
    assert str(SUMMER) not in world.members(KSA)
    assert paths(world.ksa.writes) == [f"DELETE /v1/managers/store/categories/{SUMMER}/products/delete"]
    slot = next(iter((await world.case(KSA, product(SHIRT))).slots.values()))
    assert (slot.baseline, slot.holds[0].state) == (True, HoldState.HOLDING)
    world.ksa.publish_category(SUMMER, True)
    await world.settle()
    assert world.members(KSA) == before
    assert len(world.ksa.writes) == 1 + len(before[str(SUMMER)])


async def test_a_sold_out_product_leaves_featured_at_zave_and_returns(world: World) -> None:
    before = world.members(B2B)
    world.b2b.sell_out("laptop-1")
    await world.settle()
    assert world.members(B2B)[COLLECTION] == before[COLLECTION] - {"laptop-1"}
    slot = next(iter((await world.case(B2B, product("laptop-1"))).slots.values()))
    assert slot.holds[0].state is HoldState.HOLDING  # the answer showed it
    world.b2b.restock("laptop-1", 3)
    await world.settle()
    assert world.members(B2B) == before
    assert paths(world.b2b.writes) == [
        f"PUT /v2/product/category/{COLLECTION}/products/remove",
        f"PUT /v2/product/category/{COLLECTION}/products/add",
    ]


async def test_products_at_their_end_of_line_lose_their_brand_at_axim_in_one_call(world: World) -> None:
    for drill in ("drill-1", "drill-2"):
        world.brands.restock(drill, 1)
    await world.settle()
    for drill in ("drill-1", "drill-2"):
        world.brands.tag(drill, "end-of-line")
    await world.settle()
    assert world.members(BRANDS)[ACME] == {"saw-1"}
    (call,) = world.brands.writes
    assert call.body == {"id": ACME, "productIds": ["drill-1", "drill-2"]}


async def test_a_product_first_seen_at_its_end_of_line_is_left_alone(world: World) -> None:
    world.brands.tag("drill-1", "end-of-line")
    await world.settle()
    assert world.brands.writes == []


async def test_the_same_webhook_again_and_our_own_echo_change_nothing(world: World) -> None:
    world.web.sell_out(RUNNER)
    world.ksa.publish_category(SUMMER, False)
    world.b2b.sell_out("laptop-1")
    await world.deliver()
    for alias in (WEB, KSA, B2B):
        await world.run(alias)
    traces, calls = await world.count_traces(), {alias: len(shop.writes) for alias, shop in world.shops.items()}
    assert calls == {WEB: 1, KSA: 1, B2B: 1, BRANDS: 0}
    assert all(world.shops[alias].deliveries for alias in (WEB, KSA, B2B))  # the echoes wait
    for alias in (WEB, KSA, B2B):
        first = world.shops[alias].answered[0].outgoing
        again = await world.shops[alias].send(world.door, f"http://engine/webhooks/{alias}", first)
        assert again.status == 200
    await world.settle()
    assert await world.count_traces() == traces
    assert {alias: len(shop.writes) for alias, shop in world.shops.items()} == calls


async def test_unlimited_stock_preorders_and_variants_in_stock_are_not_sold_out(world: World) -> None:
    before = world.members(WEB)
    for id_ in ("37208342", "37208343", "37208344"):
        world.web.edit_product(id_, name="renamed")
    world.b2b.edit_product("licence-1", name="renamed")  # a licence sells at stock 0
    await world.settle()
    assert world.members(WEB) == before
    assert world.web.writes == world.b2b.writes == []


async def test_a_product_in_its_last_category_is_promoted_and_demoted_again(world: World) -> None:
    before = world.members(WEB)
    world.web.sell_out(PRINT)
    await world.settle()
    assert world.members(WEB)["0"] == {PRINT}  # Ecwid's own doing
    world.web.restock(PRINT, 1)
    await world.settle()
    assert world.members(WEB) == before
    assert await world.dead() == []


async def test_every_delivery_of_the_story_is_planned(world: World) -> None:
    world.web.sell_out(RUNNER)
    world.ksa.publish_category(SUMMER, False)
    world.b2b.sell_out("laptop-1")
    world.brands.tag("drill-1", "end-of-line")
    await world.settle()
    assert await world.deliveries(DeliveryState.PENDING) == []
    assert await world.deliveries(DeliveryState.SET_ASIDE) == []
    assert all(answer.status == 200 for shop in world.shops.values() for answer in shop.answered)


async def test_the_same_wish_in_a_later_stretch_is_another_action(world: World) -> None:
    for _ in range(2):
        world.web.sell_out(RUNNER)
        await world.settle()
        world.web.restock(RUNNER, 5)
        await world.settle()
    assert len(world.web.writes) == 4
    assert RUNNER in world.members(WEB)[str(FEATURED)]
