"""Orders and pauses through real lanes and shops: given by a person, carried out at the next look, and only once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest
from engine_world import B2B, BRANDS, KSA, WEB, World

from rules_engine.core.action import Aspect, Request, SlotRef
from rules_engine.core.delivery import StoreAlias
from rules_engine.core.holds import HoldState
from rules_engine.core.order import Order, OrderKind
from rules_engine.core.plan import Step
from rules_engine.core.rule import RuleCode
from rules_engine.core.subject import ProductId, product
from rules_engine.database.lanes import look_now
from rules_engine.database.orders import find_orders, give_orders
from rules_engine.database.tables import actions, holds
from rules_engine.lane.rules import pause_in_force, resume_in_force
from rules_engine.sandbox.axim import ACME
from rules_engine.sandbox.ecwid_catalogue import FEATURED
from rules_engine.sandbox.zave import FEATURED as COLLECTION
from rules_engine.sandbox.zid_catalogue import PERFUME, SUMMER

pytestmark = pytest.mark.anyio

EVERYWHERE, EVERYTHING, RULE = StoreAlias(""), RuleCode(""), RuleCode("sold-out-leaves")
RUNNER = "37208339"
RULES = """
rules:
  sold-out-leaves:
    stores: [STORE]
    while: {product.stock: {at_most: 0}}
    do: [{remove_from_category: PLACE}]
    afterwards: put back
"""
END_OF_LINE = """
rules:
  end-of-line:
    stores: [brands]
    as_soon_as: {product.tags: {contains: end-of-line}}
    do: [unassign_brand]
"""
HELD = [(WEB, RUNNER, str(FEATURED)), (KSA, PERFUME, str(SUMMER)), (B2B, "laptop-1", str(COLLECTION))]


def rules_of(alias: StoreAlias, place: str) -> str:
    return RULES.replace("STORE", alias).replace("PLACE", place)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with World(tmp_path / "engine.db", rules=rules_of(WEB, "Featured"), only=(WEB,)) as made:
        yield made


async def sell_out(world: World, alias: StoreAlias = WEB, id_: str = RUNNER) -> World:
    """The product is sold out, and the rule has taken it out of its category."""
    world.shops[alias].sell_out(id_)
    await world.settle()
    return world


async def told(
    world: World, kind: OrderKind, alias: StoreAlias = WEB, id_: str = RUNNER, rule: RuleCode = RULE, **more: object
) -> int:
    """Give an order; its id."""
    order = Order(0, kind, rule, at=world.clock(), because="a person said so", **({"slot": None} | more))  # type: ignore[arg-type]  # its own fields
    (number,) = await world.database.write(partial(give_orders, store=alias, given=[(ProductId(id_), order)]))
    look = partial(look_now, store=alias, refs=[product(id_)], now=world.clock(), reason="a person said so")
    await world.database.write(look)
    return number


async def outcome(world: World, number: int) -> str:
    return (await world.database.read(partial(find_orders, ids=[number])))[number].outcome


async def pause(world: World, rule: RuleCode = RULE) -> None:
    stop = partial(pause_in_force, store=EVERYWHERE, rule=rule, because="the stock is wrong", now=world.clock())
    await world.database.write(stop)


async def resume(world: World, rule: RuleCode = RULE) -> int:
    go_on = partial(resume_in_force, stores=list(world.lanes), store=EVERYWHERE, rule=rule, now=world.clock())
    return await world.database.write(go_on)


def is_featured(world: World) -> bool:
    return RUNNER in world.members(WEB).get(str(FEATURED), set())


@pytest.mark.parametrize(("alias", "id_", "place"), HELD)
async def test_what_is_given_back_by_order_is_in_the_shop_again_until_the_next_stretch(
    tmp_path: Path, alias: StoreAlias, id_: str, place: str
) -> None:
    names = {WEB: "Featured", B2B: "Featured", KSA: "Summer"}
    rules = rules_of(alias, names[alias])
    async with World(tmp_path / "engine.db", rules=rules, only=(alias,)) as world:
        assert id_ in world.members(alias)[place]
        await sell_out(world, alias, id_)
        assert id_ not in world.members(alias).get(place, set())
        number = await told(world, OrderKind.GIVE_BACK, alias, id_)
        await world.settle()
        assert (await outcome(world, number)).endswith("is given back")
        assert id_ in world.members(alias)[place]
        world.shops[alias].edit_product(id_, name="another name")
        await world.settle()
        assert id_ in world.members(alias)[place], "it takes no more in this stretch"
        world.shops[alias].restock(id_, 5)
        await world.settle()
        await sell_out(world, alias, id_)
        assert id_ not in world.members(alias).get(place, set())


async def test_a_brand_that_a_moment_took_off_is_given_to_the_product_again(tmp_path: Path) -> None:
    async with World(tmp_path / "engine.db", rules=END_OF_LINE, only=(BRANDS,)) as world:
        world.brands.edit_product("drill-1", name="Drill 1")
        await world.settle()
        world.brands.tag("drill-1", "end-of-line")
        await world.settle()
        assert world.brands.products["drill-1"]["brand"] is None
        slot = SlotRef(ProductId("drill-1"), Aspect.BRAND)
        more = {"slot": slot, "wish": ACME, "expects": None}
        number = await told(world, OrderKind.REVERT, BRANDS, "drill-1", RuleCode("end-of-line"), **more)
        await world.settle()
        assert "drill-1" in world.members(BRANDS)[ACME]
        assert "gives it the brand" in await outcome(world, number)
        calls = len(world.brands.writes)
        await told(world, OrderKind.REVERT, BRANDS, "drill-1", RuleCode("end-of-line"), **more)
        await world.settle()
        assert len(world.brands.writes) == calls, "what is as before is not undone again"


async def test_what_is_kept_stays_out_for_good_and_calls_nobody(world: World) -> None:
    await sell_out(world)
    number = await told(world, OrderKind.KEEP)
    await world.settle()
    assert (await outcome(world, number)).endswith("stays as it is, and nothing is given back any more")
    for _ in range(2):
        world.web.restock(RUNNER, 5)
        await world.settle()
        await sell_out(world)
    assert not is_featured(world)
    assert len(world.web.writes) == 1


async def test_what_a_person_put_back_is_taken_again_once_the_rule_is_told_to(world: World) -> None:
    await sell_out(world)
    world.web.assign(RUNNER, FEATURED)
    await world.settle()
    assert is_featured(world)
    await told(world, OrderKind.RESUME)
    await world.settle()
    assert not is_featured(world)
    world.web.restock(RUNNER, 5)
    await world.settle()
    assert is_featured(world)


async def test_an_order_outlives_a_restart_and_is_carried_out_once(world: World) -> None:
    await sell_out(world)
    number = await told(world, OrderKind.GIVE_BACK)
    await world.restart()
    await world.settle()
    said = await outcome(world, number)
    await told(world, OrderKind.GIVE_BACK)
    await world.settle()
    assert await outcome(world, number) == said
    assert is_featured(world)
    assert [row["attempts"] for row in await world.every(actions) if row["step"] == Step.GIVE_BACK.value] == [1]


async def test_a_rule_that_is_paused_or_gone_gives_back_what_is_ordered(world: World) -> None:
    await sell_out(world)
    await pause(world)
    await world.settle()
    assert not is_featured(world)
    await told(world, OrderKind.GIVE_BACK)
    await world.settle()
    assert is_featured(world)
    await resume(world)
    await world.settle()
    assert is_featured(world), "the stretch still runs"


async def test_a_product_that_is_gone_by_then_ends_its_orders(world: World) -> None:
    await sell_out(world)
    world.web.delete_product(RUNNER)
    world.web.deliveries.clear()
    number = await told(world, OrderKind.GIVE_BACK)
    await world.settle()
    assert await outcome(world, number) == "the product no longer exists"


# ---------------------------------------------------------------------------------------- pauses


async def test_a_paused_rule_neither_takes_nor_gives_back_until_it_is_resumed(world: World) -> None:
    await sell_out(world)
    await pause(world)
    world.web.restock(RUNNER, 5)
    await world.settle()
    assert not is_featured(world)
    assert [row["state"] for row in await world.every(holds)] == [HoldState.HOLDING.value]
    assert await resume(world) == 1
    await world.settle()
    assert is_featured(world)


async def test_a_pause_between_the_look_and_the_call_stops_the_call(world: World) -> None:
    paused = False

    def on_call(_alias: StoreAlias, request: Request) -> None:
        nonlocal paused
        if not paused and request.method == "GET" and RUNNER in request.url:
            paused = True
            work = partial(pause_in_force, store=EVERYWHERE, rule=RULE, because="the stock is wrong", now=world.clock())
            world.database.write_now(work)

    world.after_call = on_call
    await sell_out(world)
    assert paused
    assert world.web.writes == []
    assert is_featured(world)


async def test_a_pause_of_everything_stops_what_was_ordered_too(world: World) -> None:
    await sell_out(world)
    await pause(world, EVERYTHING)
    number = await told(world, OrderKind.GIVE_BACK)
    await world.settle()
    assert await outcome(world, number) == ""
    assert len(world.web.writes) == 1
    await resume(world, EVERYTHING)
    await world.settle()
    assert (await outcome(world, number)).endswith("is given back")
    assert is_featured(world)


async def test_a_pause_outlives_new_rules_and_goes_on_under_a_new_code(world: World) -> None:
    await sell_out(world)
    await pause(world)
    renamed = rules_of(WEB, "Featured").replace("sold-out-leaves:", "gone-from-the-front:")
    await world.adopt(renamed + "    formerly: sold-out-leaves\n")
    world.web.restock(RUNNER, 5)
    await world.settle()
    assert not is_featured(world)
    assert await resume(world, RuleCode("sold-out-leaves")) == 0
    assert await resume(world, RuleCode("gone-from-the-front")) == 1
    await world.settle()
    assert is_featured(world)
