"""`never_leave` on a whole engine: what would leave a category too empty waits until there are more."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from engine_world import KSA, WEB, World, paths
from gate_world import HOUR, asked, featured, held, restock, said, say, sell, sold_out_leaves, stock, the_question

from rules_engine.core.delivery import StoreAlias
from rules_engine.sandbox import Fault
from rules_engine.sandbox.ecwid_catalogue import CLEARANCE, FEATURED, SHOES
from rules_engine.sandbox.zid_catalogue import GIFTS, SUMMER

pytestmark = pytest.mark.anyio

FLOOR = "never_leave: fewer than 4 products in Featured"
FOUR_STAY = sold_out_leaves(FLOOR)
REASON = "would leave Featured with fewer than 4 products; waits until there are more"


def in_featured(world: World) -> set[str]:
    return world.members(WEB)[str(FEATURED)]


def alone(world: World, count: int) -> list[str]:
    """So many new products are all that Featured has."""
    for id_ in in_featured(world):
        world.web.unassign(id_, FEATURED)
    return stock(world, count)


async def test_the_oldest_go_and_those_beyond_the_floor_wait_without_a_question(tmp_path: Path) -> None:
    async with World(tmp_path / "e.db", FOUR_STAY, only=(WEB,)) as world:
        shoes = alone(world, 6)
        await world.settle()
        await sell(world, shoes)
        assert featured(world, shoes) == shoes[2:]
        assert await asked(world) == []
        assert {(row["reason"], row["question"]) for row in await held(world)} == {(REASON, None)}
        assert f"held back: {REASON}" in await said(world, shoes[5])
        assert "waits" not in str(await said(world, shoes[0]))


async def test_who_waits_longest_goes_when_another_product_comes(tmp_path: Path) -> None:
    async with World(tmp_path / "e.db", FOUR_STAY, only=(WEB,)) as world:
        shoes = alone(world, 5)
        await world.settle()
        await sell(world, shoes[1:2])
        await sell(world, shoes[2:3])
        await sell(world, shoes[3:4])
        assert featured(world, shoes) == [shoes[0], *shoes[2:]]
        more = stock(world, 1, categories=(SHOES,))
        await world.settle()
        world.web.assign(more[0], FEATURED)
        await world.settle()
        assert featured(world, shoes) == [shoes[0], *shoes[3:]]
        assert "there is room now: goes ahead" in await said(world, shoes[2])


async def test_a_newer_one_does_not_jump_the_queue(tmp_path: Path) -> None:
    async with World(tmp_path / "e.db", FOUR_STAY, only=(WEB,)) as world:
        shoes = alone(world, 4)
        await world.settle()
        await sell(world, shoes[3:4])
        more = stock(world, 1, categories=(SHOES,))
        await world.settle()
        world.web.assign(more[0], FEATURED)
        world.web.deliveries.clear()  # nobody tells that there is room
        world.clock.move(minutes=5)
        await sell(world, shoes[:1])
        assert featured(world, shoes) == shoes[:3]


async def test_of_several_that_wait_none_is_passed_by_a_newer_one(tmp_path: Path) -> None:
    async with World(tmp_path / "e.db", FOUR_STAY, only=(WEB,)) as world:
        shoes = alone(world, 4)
        await world.settle()
        await sell(world, shoes[2:])
        more = stock(world, 2, categories=(SHOES,))
        await world.settle()
        for id_ in more:
            world.web.assign(id_, FEATURED)
        world.web.deliveries.clear()  # nobody tells that there is room
        world.clock.move(minutes=5)
        await sell(world, shoes[:1])
        assert featured(world, shoes) == shoes[:2]


async def test_who_wants_no_more_keeps_nobody_behind_from_the_room_there_is(tmp_path: Path) -> None:
    async with World(tmp_path / "e.db", FOUR_STAY, only=(WEB,)) as world:
        shoes = alone(world, 5)
        await world.settle()
        for shoe in shoes:
            await sell(world, [shoe])
        more = stock(world, 1, categories=(SHOES,))
        await world.settle()
        assert featured(world, shoes) == shoes[1:]
        for id_ in shoes[1:4]:
            world.web.restock(id_, 5)
        world.web.assign(more[0], FEATURED)
        await world.settle()
        assert featured(world, shoes) == shoes[1:4]


async def test_without_any_word_the_room_is_found_within_an_hour(tmp_path: Path) -> None:
    async with World(tmp_path / "e.db", FOUR_STAY, only=(WEB,)) as world:
        shoes = alone(world, 4)
        await world.settle()
        await sell(world, shoes[:2])
        more = stock(world, 2, categories=(SHOES,))
        await world.settle()
        for id_ in more:
            world.web.assign(id_, FEATURED)
        world.web.deliveries.clear()
        await world.settle(within=timedelta(minutes=30))
        assert featured(world, shoes) == shoes
        await world.settle(within=HOUR)
        assert featured(world, shoes) == shoes[2:]


async def test_what_waits_is_looked_at_once_an_hour_and_no_more(tmp_path: Path) -> None:
    async with World(tmp_path / "e.db", FOUR_STAY, only=(WEB,)) as world:
        shoes = alone(world, 4)
        await world.settle()
        await sell(world, shoes)
        world.web.calls.clear()
        await world.settle(within=timedelta(hours=5, minutes=30))
        assert await held(world) != []
        assert world.web.writes == []
        looks = [path for path in paths(world.web.calls) if path.startswith(f"GET /categories/{FEATURED}")]
        assert 4 <= len(looks) <= 6


async def test_what_is_no_longer_wanted_lets_the_next_one_wait_in_its_place(tmp_path: Path) -> None:
    async with World(tmp_path / "e.db", FOUR_STAY, only=(WEB,)) as world:
        shoes = alone(world, 4)
        await world.settle()
        await sell(world, shoes[:2])
        await restock(world, shoes[:1])
        assert [row["product"] for row in await held(world)] == shoes[1:2]
        more = stock(world, 1, categories=(SHOES,))
        await world.settle()
        world.web.assign(more[0], FEATURED)
        world.web.deliveries.clear()
        await world.settle(within=timedelta(hours=2))
        assert featured(world, shoes) == [shoes[0], *shoes[2:]]


async def test_a_call_that_comes_late_does_not_go_below_the_floor_either(tmp_path: Path) -> None:
    async with World(tmp_path / "e.db", FOUR_STAY, only=(WEB,)) as world:
        shoes = alone(world, 5)
        await world.settle()
        world.web.faults.append(Fault(status=500, path="/unassignProducts", where="write"))
        seen: list[int] = []

        def after_call(_alias: StoreAlias, _request: object) -> None:
            if len(world.web.writes) == 1 and len(in_featured(world)) == 5:
                world.web.unassign(shoes[4], FEATURED)  # a person, while our call is to be tried again
                world.web.deliveries.clear()
            seen.append(len(in_featured(world)))

        world.after_call = after_call
        await sell(world, shoes[:1])
        assert min(seen) == 4
        assert featured(world, shoes) == shoes[:4]
        assert [row["reason"] for row in await held(world)] == [REASON]


async def test_who_waits_to_leave_does_not_arrive_elsewhere_first(tmp_path: Path) -> None:
    rules = FOUR_STAY.replace("Featured}]", "Featured}, {add_to_category: Clearance}]")
    async with World(tmp_path / "e.db", rules, only=(WEB,)) as world:
        shoes = alone(world, 5)
        await world.settle()
        await sell(world, shoes)
        assert featured(world, shoes) == shoes[1:]
        moved = world.members(WEB).get(str(CLEARANCE), set()) & set(shoes)
        assert moved == {shoes[0]}


async def test_the_floor_is_kept_also_after_a_yes(tmp_path: Path) -> None:
    async with World(tmp_path / "e.db", sold_out_leaves("ask_first: over 2 products", FLOOR), only=(WEB,)) as world:
        shoes = alone(world, 7)
        await world.settle()
        await sell(world, shoes)
        question = await the_question(world)
        assert question.reason == "it wants to take 3 products at once; it asks first over 2"  # more may not leave
        assert featured(world, shoes) == shoes
        world.web.unassign(shoes[6], FEATURED)
        await world.settle()
        await say(world, question, is_yes=True)
        assert featured(world, shoes) == shoes[2:6]
        assert {row["reason"] for row in await held(world)} == {REASON}


async def test_what_is_on_its_way_out_counts_as_gone(tmp_path: Path) -> None:
    async with World(tmp_path / "e.db", FOUR_STAY, only=(WEB,)) as world:
        shoes = alone(world, 5)
        await world.settle()
        world.web.faults.append(Fault(status=500, path="/unassignProducts", where="write", times=3))
        world.web.sell_out(shoes[0])
        await world.deliver()
        await world.run(WEB)
        assert featured(world, shoes) == shoes  # the call failed, and is tried again
        world.web.sell_out(shoes[1])
        await world.deliver()
        await world.run(WEB)
        assert [row["product"] for row in await held(world)] == shoes[1:2]
        await world.settle()
        assert featured(world, shoes) == shoes[1:]


ZID = f"""
rules:
  sold-out-leaves:
    stores: [ksa]
    while: {{product.stock: {{at_most: 0}}}}
    do: [{{remove_from_category: {{id: {GIFTS}}}}}]
    never_leave: {{fewer_than: 3, in: {{id: {GIFTS}}}}}
"""


def gifts(world: World) -> set[str]:
    return world.members(KSA).get(str(GIFTS), set())


async def test_a_shop_that_does_not_say_who_is_in_a_category_is_listed_for_it(tmp_path: Path) -> None:
    async with World(tmp_path / "e.db", ZID, only=(KSA,)) as world:
        for id_ in gifts(world):
            world.ksa.unassign(id_, GIFTS)
        things = [world.ksa.add_product(en=f"Gift {n}", quantity=3, category_ids=[GIFTS, SUMMER]) for n in range(4)]
        await world.settle()
        for id_ in things:
            world.ksa.sell_out(id_)
        await world.settle()
        assert len(gifts(world)) == 3
        waiting = sorted(gifts(world))
        new = world.ksa.add_product(en="New", quantity=3, category_ids=[GIFTS])
        await world.settle()
        assert len(gifts(world)) == 3
        assert new in gifts(world)
        assert len(gifts(world) & set(waiting)) == 2


EMPTIES = """
rules:
  unpublished-category-is-emptied:
    about: category
    stores: [ksa]
    while: {category.published: false}
    do: [empty_category]
    never_leave: {fewer_than: 2, in: {id: %s}}
"""


async def test_a_category_with_a_floor_is_never_emptied_whole(tmp_path: Path) -> None:
    async with World(tmp_path / "e.db", EMPTIES % GIFTS, only=(KSA,)) as world:
        for n in range(6):
            world.ksa.add_product(en=f"Gift {n}", quantity=3, category_ids=[GIFTS, SUMMER])
        await world.settle()
        world.ksa.publish_category(GIFTS, False)
        await world.settle()
        assert len(gifts(world)) == 2
