"""Whatever goes wrong at a shop, on reads and on writes, it ends as it should, and nothing is called without end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from engine_world import B2B, BRANDS, KSA, WEB, World, paths, shipped_rules

from rules_engine.core.action import Request
from rules_engine.core.delivery import StoreAlias
from rules_engine.core.holds import HoldState
from rules_engine.core.plan import ActionState
from rules_engine.core.retry import MAX_ATTEMPTS
from rules_engine.core.subject import ALL, product
from rules_engine.database.inbox import DeliveryState
from rules_engine.database.tables import actions, looks
from rules_engine.sandbox import AximShop, Fault
from rules_engine.sandbox.axim import ACME
from rules_engine.sandbox.ecwid_catalogue import FEATURED
from rules_engine.sandbox.faults import Where
from rules_engine.sandbox.zave import FEATURED as COLLECTION
from rules_engine.sandbox.zid_catalogue import GIFTS, PERFUME, VOUCHER

pytestmark = pytest.mark.anyio

RUNNER, PRINT = "37208339", "37208341"
AT_AXIM = """
rules:
  nothing-left:
    stores: [brands]
    while: {product.stock: {at_most: 0}}
    do: [unassign_brand]
"""
STORIES: Mapping[StoreAlias, tuple[str, tuple[str, str]]] = {
    WEB: (str(FEATURED), (RUNNER, PRINT)),
    KSA: (str(GIFTS), (PERFUME, VOUCHER)),
    B2B: (COLLECTION, ("laptop-1", "laptop-2")),
    BRANDS: (ACME, ("drill-1", "drill-2")),
}
"""For each shop a place, and the two products that leave it and return to it."""


def leave(world: World, alias: StoreAlias) -> None:
    if alias == KSA:
        world.ksa.publish_category(GIFTS, False)
        return
    for id_ in STORIES[alias][1]:
        world.shops[alias].sell_out(id_)


def come_back(world: World, alias: StoreAlias) -> None:
    if alias == KSA:
        world.ksa.publish_category(GIFTS, True)
        return
    for id_ in STORIES[alias][1]:
        world.shops[alias].restock(id_, 5)


def open_world(path: Path, alias: StoreAlias) -> World:
    return World(path / "engine.db", only=(alias,), rules=AT_AXIM if alias == BRANDS else shipped_rules())


def is_in(world: World, alias: StoreAlias) -> set[str]:
    place, ids = STORIES[alias]
    return world.members(alias).get(place, set()) & set(ids)


def answer(status: int, **headers: str) -> Fault:
    return Fault(status=status, headers={name.replace("_", "-"): value for name, value in headers.items()})


FAULTS: Mapping[str, Callable[[], Fault]] = {
    "500": lambda: answer(500),
    "three times 500": lambda: replace(answer(500), times=3),
    "429 that says when": lambda: answer(429, Retry_After="7"),
    "429": lambda: answer(429),
    "409": lambda: answer(409),
    "449": lambda: answer(449),
    "503, seven times": lambda: replace(answer(503), times=7),
    "garbage after doing it": Fault.garbage,
    "garbage instead of doing it": lambda: Fault.garbage(was_applied=False),
    "broken off after doing it": Fault.drop_after_applying,
    "broken off before doing it": Fault.drop_before_applying,
    "no answer in time": lambda: Fault.slow(asyncio.Event()),
    "a login page": Fault.login,
    "a lie": Fault.lie,
    "half of it, then 500": lambda: Fault.partial(1),
    "success: false": AximShop.refusal,
}
ALIKE = {"409", "449", "429", "three times 500"}
"""What every vendor file judges by one and the same function: tried with one of them."""
WHERE: tuple[Where, ...] = ("read", "write")
READS = {"500", "429 that says when", "503, seven times", "garbage after doing it", "no answer in time", "a login page"}
CASES: list[tuple[StoreAlias, Where, str]] = [
    (alias, where, name)
    for alias in STORIES
    for where in WHERE
    for name in FAULTS
    if (where == "write" or (alias in {WEB, KSA} and name in READS))
    and (name == "success: false") <= (alias == BRANDS)
    and (name in ALIKE) <= (alias == WEB)
    and (alias, name) != (BRANDS, "a lie")  # nothing could show it: Axim documents no reads
]


@pytest.mark.parametrize(("alias", "where", "name"), CASES)
async def test_a_shop_with_a_fault_ends_as_expected(tmp_path: Path, alias: StoreAlias, where: Where, name: str) -> None:
    async with open_world(tmp_path, alias) as world:
        shop = world.shops[alias]
        before = world.members(alias)
        for go, expected in ((leave, set()), (come_back, set(STORIES[alias][1]))):
            shop.faults.append(replace(FAULTS[name](), where=where))
            calls = len(shop.calls)
            go(world, alias)
            await world.settle()
            assert shop.faults == []
            assert is_in(world, alias) == expected
            assert len(shop.calls) - calls < 40
        assert world.members(alias) == before
        assert await world.dead() == []
        assert await world.deliveries(DeliveryState.PENDING) == []
        lane = await world.lane(alias)
        assert lane.parked_because == ""
        assert lane.blocked_until is None or lane.blocked_until <= world.clock()


@pytest.mark.parametrize("alias", STORIES)
async def test_a_shop_that_nobody_reaches_is_served_when_it_is_back(tmp_path: Path, alias: StoreAlias) -> None:
    async with open_world(tmp_path, alias) as world:
        world.refused[alias] = 12
        leave(world, alias)
        await world.settle()
        assert is_in(world, alias) == set()
        assert await world.dead() == []


async def hold_states(world: World, alias: StoreAlias, id_: str) -> list[HoldState]:
    case = await world.case(alias, product(id_))
    ended = [hold.state for holds in case.ended.values() for hold in holds]
    return ended + [hold.state for slot in case.slots.values() for hold in slot.holds]


async def action_states(world: World, alias: StoreAlias) -> list[str]:
    return [row["state"] for row in await world.every(actions) if row["store"] == alias]


@pytest.mark.parametrize("alias", STORIES)
async def test_a_call_that_is_refused_for_good_is_made_once_and_waits_for_a_person(
    tmp_path: Path, alias: StoreAlias
) -> None:
    async with open_world(tmp_path, alias) as world:
        world.shops[alias].faults.append(replace(answer(422), where="write"))
        leave(world, alias)
        await world.settle()
        letters = await world.dead()
        assert [letter.action.attempts for letter in letters] == [1, 1]
        assert len(world.shops[alias].writes) == 1
        assert is_in(world, alias) == set(STORIES[alias][1])
        assert await hold_states(world, alias, STORIES[alias][1][0]) == [HoldState.NEVER_TAKEN]
        come_back(world, alias)
        await world.settle()
        assert len(world.shops[alias].writes) == 1  # nothing was taken, so nothing is owed


@pytest.mark.parametrize("alias", STORIES)
async def test_a_call_that_always_fails_becomes_a_dead_letter(tmp_path: Path, alias: StoreAlias) -> None:
    async with open_world(tmp_path, alias) as world:
        world.shops[alias].faults.append(replace(answer(500), where="write", times=1000))
        leave(world, alias)
        await world.settle()
        assert {letter.action.attempts for letter in await world.dead()} == {MAX_ATTEMPTS}
        assert len(world.shops[alias].writes) <= 2 * MAX_ATTEMPTS
        assert (await world.lane(alias)).parked_because == ""


async def test_a_shop_that_is_only_busy_brings_no_action_to_its_end(tmp_path: Path) -> None:
    async with open_world(tmp_path, WEB) as world:
        world.web.faults.append(replace(answer(503), where="write", times=3 * MAX_ATTEMPTS))
        leave(world, WEB)
        await world.settle(within=timedelta(hours=2))
        assert await world.dead() == []
        assert is_in(world, WEB) == set()


async def test_what_is_owed_stays_owed_when_giving_back_fails_for_good(tmp_path: Path) -> None:
    async with open_world(tmp_path, WEB) as world:
        leave(world, WEB)
        await world.settle()
        world.web.faults.append(replace(answer(422), where="write", times=1000))
        come_back(world, WEB)
        await world.settle()
        assert HoldState.OWED in await hold_states(world, WEB, RUNNER)
        calls = len(world.web.writes)
        world.web.edit_product(RUNNER, name="another look")
        await world.settle()
        assert len(world.web.writes) == calls  # a dead letter is not tried again by itself


async def test_one_deleted_product_does_not_keep_the_others_of_its_call(tmp_path: Path) -> None:
    async with open_world(tmp_path, WEB) as world:
        leave(world, WEB)

        def delete(_alias: StoreAlias, request: Request) -> None:
            if "/products" in request.url and int(PRINT) in world.web.products:
                world.web.delete_product(PRINT)  # after it was read, before the call

        world.after_call = delete
        await world.settle()
        assert [call.status for call in world.web.writes] == [404, 200]
        assert is_in(world, WEB) == set()
        assert sorted(await action_states(world, WEB)) == [ActionState.CONFIRMED, ActionState.GONE]


async def test_one_deleted_product_does_not_keep_the_others_where_nothing_can_be_read(tmp_path: Path) -> None:
    async with open_world(tmp_path, B2B) as world:
        leave(world, B2B)
        del world.b2b.products["laptop-2"]  # and its webhook is lost
        await world.settle()
        assert is_in(world, B2B) == set()
        assert [letter.action.slot.product for letter in await world.dead()] == ["laptop-2"]
        assert [call.status for call in world.b2b.writes] == [404, 200, 404]


async def test_a_brand_that_is_gone_makes_dead_letters_of_its_actions(tmp_path: Path) -> None:
    async with open_world(tmp_path, BRANDS) as world:
        leave(world, BRANDS)
        del world.brands.brands[ACME]
        await world.settle()
        assert paths(world.brands.calls) == ["POST /brands/unassign-products", f"GET /brands/{ACME}"]
        assert [letter.action.slot.product for letter in await world.dead()] == ["drill-1", "drill-2"]


async def test_a_brand_that_is_there_after_all_is_taken_off(tmp_path: Path) -> None:
    async with open_world(tmp_path, BRANDS) as world:
        world.brands.faults.append(answer(404))
        leave(world, BRANDS)
        await world.settle()
        assert is_in(world, BRANDS) == set()
        assert await world.dead() == []


async def test_what_axim_says_is_believed_since_nothing_could_show_otherwise(tmp_path: Path) -> None:
    async with open_world(tmp_path, BRANDS) as world:
        world.brands.faults.append(Fault.lie())
        leave(world, BRANDS)
        await world.settle()
        assert len(world.brands.writes) == 1
        assert await hold_states(world, BRANDS, "drill-1") == [HoldState.HOLDING]


async def test_a_lie_that_never_ends_becomes_a_dead_letter(tmp_path: Path) -> None:
    async with open_world(tmp_path, WEB) as world:
        world.web.faults.append(Fault.lie(times=1000))
        world.web.sell_out(RUNNER)
        await world.settle(within=timedelta(hours=6))
        assert [letter.action.attempts for letter in await world.dead()] == [MAX_ATTEMPTS]
        assert len(world.web.writes) == MAX_ATTEMPTS


async def test_the_top_level_is_left_only_when_the_shop_shows_the_other_category(tmp_path: Path) -> None:
    async with open_world(tmp_path, WEB) as world:
        before = world.members(WEB)
        world.web.sell_out(PRINT)  # its last category: Ecwid puts it at the top level
        await world.settle()
        world.web.faults.append(Fault.lie(path="assignProducts"))
        world.web.restock(PRINT, 1)
        await world.settle()
        assert world.members(WEB) == before
        assert [call.path.rpartition("/")[2] for call in world.web.writes][-1] == "unassignProducts"


async def test_a_remove_that_waits_for_an_add_causes_no_reads(tmp_path: Path) -> None:
    async with open_world(tmp_path, WEB) as world:
        world.web.sell_out(PRINT)
        await world.settle()
        reads = len(world.web.calls) - len(world.web.writes)
        world.web.faults.append(replace(answer(500), where="write", times=4))
        world.web.restock(PRINT, 1)
        await world.settle()
        assert len(world.web.calls) - len(world.web.writes) - reads < 20


async def test_a_shop_that_refuses_to_list_its_categories_is_asked_again_and_it_is_said(tmp_path: Path) -> None:
    async with World(tmp_path / "engine.db", only=(WEB,)) as world:
        world.web.faults.append(Fault(status=400, where="read", path="/categories"))
        await world.settle()
        [look] = await world.every(looks)
        assert (look["kind"], look["id"], look["failures"]) == ("category", ALL, 1)
        assert "400" in look["reason"]
        assert "sold-out-leaves-featured" in world.lanes[WEB].names.waiting_rules
        await world.settle(within=timedelta(hours=2))
        assert await world.every(looks) == []
        assert world.lanes[WEB].names.waiting_rules == {}


@pytest.mark.parametrize("restarts", [False, True])
async def test_what_a_rule_left_undone_for_want_of_a_name_is_done_once_the_name_is_known(
    tmp_path: Path, *, restarts: bool
) -> None:
    async with World(tmp_path / "engine.db", only=(WEB,)) as world:
        world.web.faults.append(Fault(status=400, where="read", path="/categories"))
        world.web.sell_out(RUNNER)
        await world.settle()
        assert RUNNER in world.members(WEB)[str(FEATURED)]
        if restarts:
            await world.restart()
            world.clock.move(minutes=1)  # past the lease of the process that ended
        await world.settle(within=timedelta(hours=2))
        assert RUNNER not in world.members(WEB)[str(FEATURED)]
        assert len(world.web.writes) == 1
