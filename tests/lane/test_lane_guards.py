"""What holds rules back, on a whole engine: no product is left without a category, and no rule acts too often."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from engine_world import KSA, WEB, World, paths

from rules_engine.core.delivery import StoreAlias
from rules_engine.sandbox import Fault
from rules_engine.sandbox.ecwid_catalogue import CLEARANCE, FEATURED, SHOES, TOP
from rules_engine.sandbox.zid_catalogue import GIFTS, SUMMER

pytestmark = pytest.mark.anyio

HOUR = timedelta(hours=1)


def sold_out(more: str) -> str:
    return f"""
rules:
  sold-out-leaves:
    stores: [web]
    while: {{product.stock: {{at_most: 0}}}}
    do: [{{remove_from_category: Featured}}]
    {more}
"""


FALLS_BACK = sold_out("if_no_category_is_left: {add_to_category: Clearance}")


def categories_of(world: World, id_: int) -> set[str]:
    return {category for category, members in world.members(WEB).items() if str(id_) in members}


async def test_a_product_that_leaves_its_last_category_is_never_without_one(tmp_path: Path) -> None:
    async with World(tmp_path / "e.db", FALLS_BACK, only=(WEB,)) as world:
        lonely = world.web.add_product(category_ids=[FEATURED], name="Lonely", quantity=3, unlimited=False)
        await world.settle()
        seen: list[set[str]] = []

        def after_call(_alias: StoreAlias, _request: object) -> None:
            seen.append(categories_of(world, lonely))

        world.after_call = after_call
        world.web.sell_out(lonely)
        await world.settle()
        assert categories_of(world, lonely) == {str(CLEARANCE)}
        writes = [path for path in paths(world.web.writes) if "assign" in path]
        assert [path.rsplit("/", 1)[1] for path in writes] == ["assignProducts", "unassignProducts"]
        world.web.restock(lonely, 4)
        await world.settle()
        assert categories_of(world, lonely) == {str(FEATURED)}
        assert len(seen) > 3
        assert all(each and str(TOP) not in each for each in seen)


async def test_a_rule_that_acts_every_so_often_waits_also_over_days_and_restarts(tmp_path: Path) -> None:
    async with World(tmp_path / "e.db", sold_out("at_most_every: 3 days"), only=(WEB,)) as world:
        shoe = world.web.add_product(category_ids=[FEATURED, CLEARANCE], name="Shoe", quantity=0, unlimited=False)
        await world.settle()
        assert str(FEATURED) not in categories_of(world, shoe)
        world.web.restock(shoe, 4)
        await world.settle()
        await world.restart()
        world.clock.move(hours=48)
        world.web.sell_out(shoe)
        await world.settle()
        assert str(FEATURED) in categories_of(world, shoe)
        await world.settle(within=24 * HOUR)
        assert str(FEATURED) not in categories_of(world, shoe)


AT_NIGHT = """
  cheap-stands-in-clearance:
    stores: [web]
    while: {product.price: {at_most: 1000}}
    do: [{add_to_category: Clearance}]
    between: 02:00 and 04:00
"""


async def test_an_add_that_waits_for_its_hours_holds_back_no_other_rule(tmp_path: Path) -> None:
    async with World(tmp_path / "e.db", sold_out("") + AT_NIGHT, only=(WEB,)) as world:
        kept = world.web.add_product(category_ids=[FEATURED, SHOES], name="Kept", quantity=3, unlimited=False)
        lonely = world.web.add_product(category_ids=[FEATURED], name="Lonely", quantity=3, unlimited=False)
        await world.settle()
        world.web.sell_out(kept)
        world.web.sell_out(lonely)
        await world.settle()
        assert categories_of(world, kept) == {str(SHOES)}
        assert categories_of(world, lonely) == {str(FEATURED)}  # its last one goes when the other is there


async def test_a_rule_that_moves_a_product_adds_it_first_whenever_its_hours_open(tmp_path: Path) -> None:
    moves = sold_out("between: 02:00 and 04:00").replace("Featured}]", "Featured}, {add_to_category: Clearance}]")
    async with World(tmp_path / "e.db", moves, only=(WEB,)) as world:
        moved = world.web.add_product(category_ids=[FEATURED, SHOES], name="Moved", quantity=0, unlimited=False)
        await world.settle()
        assert categories_of(world, moved) == {str(FEATURED), str(SHOES)}
        await world.settle(within=24 * HOUR)
        assert categories_of(world, moved) == {str(CLEARANCE), str(SHOES)}
        writes = [path for path in paths(world.web.writes) if "assign" in path]
        assert [path.rsplit("/", 1)[1] for path in writes] == ["assignProducts", "unassignProducts"]


TWO_TAKERS = f"""
rules:
  sold-out-leaves:
    stores: [ksa]
    while: {{product.stock: {{at_most: 0}}}}
    do: [{{remove_from_category: {{id: {GIFTS}}}}}]
  unpublished-category-is-emptied:
    about: category
    stores: [ksa]
    while: {{category.published: false}}
    must_last: 2 hours
    do: [empty_category]
    if_no_category_is_left: {{add_to_category: {{id: {SUMMER}}}}}
"""


async def test_a_category_that_is_emptied_is_closed_also_to_whom_another_rule_took_out_before(tmp_path: Path) -> None:
    async with World(tmp_path / "e.db", TWO_TAKERS, only=(KSA,)) as world:
        lonely = world.ksa.add_product(en="Lonely", quantity=3, category_ids=[GIFTS])
        await world.settle()
        world.ksa.publish_category(GIFTS, False)
        world.ksa.sell_out(lonely)
        await world.settle(within=HOUR)
        assert lonely not in {one for members in world.members(KSA).values() for one in members}
        await world.settle(within=2 * HOUR)
        assert lonely in world.members(KSA)[str(SUMMER)]


async def test_a_rule_that_moves_a_product_takes_it_out_only_once_the_add_is_done(tmp_path: Path) -> None:
    moves = sold_out("").replace("Featured}]", "Featured}, {add_to_category: Clearance}]")
    async with World(tmp_path / "e.db", moves, only=(WEB,)) as world:
        moved = world.web.add_product(category_ids=[FEATURED, SHOES], name="Moved", quantity=3, unlimited=False)
        await world.settle()
        seen: list[set[str]] = []

        def after_call(_alias: StoreAlias, _request: object) -> None:
            seen.append(categories_of(world, moved))

        world.after_call = after_call
        world.web.faults.append(Fault(status=500, path="/assignProducts", where="write"))
        world.web.sell_out(moved)
        await world.settle()
        assert categories_of(world, moved) == {str(CLEARANCE), str(SHOES)}
        assert {str(SHOES)} not in seen
