"""What time alone changes happens when it is due, also after a restart, and webhooks never wait for it."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest
from engine_world import BRANDS, KSA, WEB, Cut, World, paths

from rules_engine.core.action import Request
from rules_engine.core.delivery import StoreAlias
from rules_engine.core.subject import product
from rules_engine.database.lanes import look_now, schedule_looks
from rules_engine.database.tables import holds, looks
from rules_engine.lane.page import BESIDE, PAGE, take_page
from rules_engine.sandbox.axim import ACME
from rules_engine.sandbox.ecwid_catalogue import FEATURED
from rules_engine.sandbox.zid_catalogue import GIFTS, HAT, PERFUME, SANDAL, SHIRT

pytestmark = pytest.mark.anyio

RUNNER = "37208339"
MINUTE = timedelta(minutes=1)
LISTS = "/v1/products/"


def emptied(must_last: str = "must_last: 15 minutes") -> str:
    return f"""
rules:
  unpublished-category-is-emptied:
    about: category
    stores: [ksa]
    while: {{category.published: false}}
    {must_last}
    do: [empty_category]
"""


def sold_out(more: str) -> str:
    return f"""
rules:
  sold-out-leaves:
    stores: [web]
    while: {{product.stock: {{at_most: 0}}}}
    do: [{{remove_from_category: Featured}}]
    {more}
"""


def ksa_world(path: Path, rules: str | None = None, cut: Cut | None = None) -> World:
    return World(path, rules or emptied(), only=(KSA,), cut=cut or Cut())


def is_featured(world: World, id_: str) -> bool:
    return id_ in world.members(WEB)[str(FEATURED)]


async def look_at(world: World, kind: str) -> list[tuple[timedelta, str]]:
    rows = [row for row in await world.every(looks) if row["kind"] == kind]
    return [(row["due_at"] - world.clock(), row["reason"]) for row in rows]


# Categories.


async def test_the_members_of_a_category_are_read_when_its_stretch_ripens_and_not_before(tmp_path: Path) -> None:
    async with ksa_world(tmp_path / "e.db") as world:
        world.ksa.publish_category(GIFTS, False)
        await world.settle(within=10 * MINUTE)
        assert str(GIFTS) in world.members(KSA)
        assert not [call for call in world.ksa.calls if "page=" in call.query]
        [(wait, reason)] = await look_at(world, "category")
        assert timedelta(0) < wait <= 15 * MINUTE
        assert reason == "it is to be seen whether it lasts"
        await world.settle(within=15 * MINUTE)
        assert str(GIFTS) not in world.members(KSA)
        assert len(world.ksa.writes) == 1  # all of its members at once


async def test_a_category_that_is_back_before_it_ripens_keeps_its_members(tmp_path: Path) -> None:
    async with ksa_world(tmp_path / "e.db") as world:
        world.ksa.publish_category(GIFTS, False)
        await world.settle(within=10 * MINUTE)
        world.ksa.publish_category(GIFTS, True)
        await world.settle(within=30 * MINUTE)
        assert world.ksa.writes == []
        assert await world.every(holds) == []


async def test_a_rule_that_is_edited_to_wait_no_more_empties_what_has_waited(tmp_path: Path) -> None:
    async with ksa_world(tmp_path / "e.db") as world:
        world.ksa.publish_category(GIFTS, False)
        await world.settle(within=5 * MINUTE)
        world.ksa.edit_category(GIFTS, names={"en": "Gifts"})  # seen once more, past what the rule will ask for
        world.clock.move(minutes=2)
        await world.settle(within=MINUTE)
        await world.adopt(emptied("must_last: 30 seconds"))
        await world.settle(within=MINUTE)
        assert str(GIFTS) not in world.members(KSA)


async def test_killed_anywhere_a_stretch_that_ripens_empties_its_category_all_the_same(tmp_path: Path) -> None:
    steps = await ripen(tmp_path / "whole.db", Cut())
    assert steps > 6
    for at in range(1, steps + 1):
        await ripen(tmp_path / f"{at}.db", Cut(at, is_after=at % 2 == 0))


async def ripen(path: Path, cut: Cut) -> int:
    """The story in which a stretch ripens while the process is killed at the cut; the steps that it took."""
    async with ksa_world(path) as world:
        world.ksa.publish_category(GIFTS, False)
        await world.settle(within=10 * MINUTE)
        world.cut = world.database.cut = cut
        await world.settle_or_fall()
        if world.cut.has_fallen:
            await world.restart()
            await world.settle()
        assert str(GIFTS) not in world.members(KSA), cut
        assert await world.dead() == []
        return cut.steps


# Products.


async def test_what_has_to_last_is_taken_when_it_has_without_another_webhook(tmp_path: Path) -> None:
    async with World(tmp_path / "e.db", sold_out("must_last: 15 minutes"), only=(WEB,)) as world:
        world.web.sell_out(RUNNER)
        await world.settle(within=MINUTE)
        assert is_featured(world, RUNNER)
        [(_, reason)] = await look_at(world, "product")
        assert reason == "it is to be seen whether it lasts"
        await world.restart()
        await world.settle(within=20 * MINUTE)
        assert not is_featured(world, RUNNER)


async def test_when_hours_open_what_waited_is_sent_in_the_turn_that_looks(tmp_path: Path) -> None:
    async with World(tmp_path / "e.db", sold_out("between: 09:00 and 17:00"), only=(WEB,)) as world:
        world.clock.time = world.clock().replace(hour=20)
        world.web.sell_out(RUNNER)
        await world.settle(within=timedelta(hours=12))
        assert world.web.writes == []
        calls = len(world.web.calls)
        await world.settle(within=timedelta(hours=13, minutes=30))
        assert not is_featured(world, RUNNER)
        assert world.clock().hour == 9
        assert "unassign" in "".join(paths(world.web.calls[calls:]))


# Webhooks go first.

ONE_BY_ONE = """
rules:
  in-stock-is-hidden:
    stores: [ksa]
    while: {product.stock: {at_least: 1}}
    do: [hide]
"""


async def test_a_webhook_that_comes_while_a_catalogue_is_worked_on_goes_before_the_rest(tmp_path: Path) -> None:
    nothing = ONE_BY_ONE.replace("at_least: 1", "at_least: 1000")
    async with ksa_world(tmp_path / "e.db", nothing) as world:
        world.ksa.sell_out(SANDAL)
        for id_ in (SHIRT, HAT, PERFUME):
            world.ksa.edit_product(id_, price=60.0)
        await world.settle()
        await world.adopt(ONE_BY_ONE)
        posting: list[asyncio.Task[None]] = []

        def slow(_alias: StoreAlias, request: Request) -> None:
            if request.actions:
                world.clock.move(seconds=3)
                if len(world.ksa.writes) == 1:
                    world.ksa.restock(SANDAL, 5)
                    posting.append(asyncio.create_task(world.deliver()))

        world.after_call = slow
        await world.run(KSA)
        await asyncio.gather(*posting)
        waiting = [SHIRT, HAT, PERFUME]
        first = [call.path for call in world.ksa.writes]
        await world.settle()
        hidden = [call.path.rstrip("/").rpartition("/")[2] for call in world.ksa.writes]
        assert sorted(hidden) == sorted([*waiting, SANDAL])
        assert len(first) <= 2
        assert hidden.index(SANDAL) <= len(first)


async def test_a_page_takes_few_looks_beside_deliveries_and_many_without(tmp_path: Path) -> None:
    async with World(tmp_path / "e.db", only=(WEB,)) as world:
        many = [product(str(number)) for number in range(PAGE + 100)]
        now = world.clock()
        await world.database.write(lambda c: schedule_looks(c, WEB, many, due_at=now - MINUTE, reason="midnight"))
        alone = await world.database.read(lambda c: take_page(c, WEB, now=now))
        assert len(alone.looks) == PAGE
        world.web.sell_out(RUNNER)
        await world.deliver()
        beside = await world.database.read(lambda c: take_page(c, WEB, now=world.clock()))
        assert (len(beside.deliveries), len(beside.looks)) == (1, BESIDE)


async def test_what_a_person_asks_for_does_not_wait_behind_a_catalogue(tmp_path: Path) -> None:
    async with World(tmp_path / "e.db", only=(WEB,)) as world:
        many = [product(str(number)) for number in range(PAGE * 3)]
        now = world.clock()
        await world.database.write(lambda c: schedule_looks(c, WEB, many, due_at=now - MINUTE, reason="midnight"))
        await world.database.write(lambda c: look_now(c, WEB, [product(RUNNER)], now=now, reason="a person asked"))
        taken = [look.ref for look in (await world.database.read(lambda c: take_page(c, WEB, now=now))).looks]
        assert product(RUNNER) in taken
        assert taken[0] == many[0]
        assert len(set(taken)) == len(taken) == PAGE


# Shops that cannot be read.


async def test_what_time_ends_is_given_back_by_a_shop_whose_answer_settled_all_there_was_to_do(tmp_path: Path) -> None:
    saturdays = """
rules:
  no-brand-on-saturdays:
    stores: [brands]
    while: {now.weekday: saturday}
    do: [unassign_brand]
"""
    async with World(tmp_path / "e.db", saturdays, only=(BRANDS,)) as world:
        assert world.clock().strftime("%A") == "Saturday"
        mug = world.brands.add_product(brand_id=ACME, name="Mug")
        # Whatever posts for this shop says nothing of what we do.
        world.after_call = lambda _alias, _request: world.brands.deliveries.clear()
        await world.settle()
        assert world.brands.products[mug]["brand"] is None
        await world.settle(within=timedelta(days=1))
        assert world.clock().strftime("%A") == "Sunday"
        assert world.brands.products[mug]["brand"]["id"] == ACME
