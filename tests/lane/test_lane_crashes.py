"""Killed at any commit or call, the next process goes on: every shop ends as it should, and no delivery is lost."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from engine_world import B2B, BRANDS, KSA, WEB, Cut, World
from hypothesis import given, settings
from hypothesis import strategies as st

from rules_engine.core.delivery import StoreAlias
from rules_engine.database.inbox import DeliveryState
from rules_engine.sandbox.ecwid_catalogue import FEATURED
from rules_engine.sandbox.zid_catalogue import GIFTS

pytestmark = pytest.mark.anyio

RUNNER, PRINT, HILL = "37208339", "37208341", "37208345"
DRILLS = ("drill-1", "drill-2")

EVERY = 6
"""Every how many steps the process is killed: with both kinds of people every third step, in some seconds."""

Edit = Callable[[World], None]


def leave_at_ecwid(world: World) -> None:
    world.web.sell_out(RUNNER)
    world.web.sell_out(PRINT)  # its last category: Ecwid promotes it to the top level


def return_at_ecwid(world: World) -> None:
    world.web.restock(RUNNER, 5)
    world.web.restock(PRINT, 5)


def tag(*tags: str) -> Edit:
    def edit(world: World) -> None:
        for drill in DRILLS:
            world.brands.tag(drill, *tags)

    return edit


STORIES: dict[StoreAlias, tuple[Edit, Edit]] = {
    WEB: (leave_at_ecwid, return_at_ecwid),
    KSA: (
        lambda world: world.ksa.publish_category(GIFTS, False),
        lambda world: world.ksa.publish_category(GIFTS, True),
    ),
    B2B: (lambda world: world.b2b.sell_out("laptop-1"), lambda world: world.b2b.restock("laptop-1", 5)),
    BRANDS: (tag("seen"), tag("end-of-line")),
}


async def play(path: Path, alias: StoreAlias, cut: Cut, *, goes_on: bool) -> tuple[World, list[dict[str, set[str]]]]:
    """The story of a shop, killed at the cut; what the shop looked like after each of its steps.

    With `goes_on` the shop's people do not wait for the engine: their second edit comes while it is down.
    """
    ends = []
    async with World(path, only=(alias,), cut=cut) as world:
        for edit in STORIES[alias]:
            edit(world)
            await world.settle_or_fall()
            if world.cut.has_fallen and not goes_on:
                await world.restart()
                await world.settle()
            ends.append(world.members(alias))
        if world.cut.has_fallen:
            await world.restart()
            await world.settle()
            ends[-1] = world.members(alias)
        await is_all_done(world)
    return world, ends


async def is_all_done(world: World) -> None:
    """Nothing waits, nothing was given up, and every delivery that was answered with 200 was decided."""
    assert await world.dead() == []
    planned = {one.delivery.id for one in await world.deliveries(DeliveryState.PLANNED)}
    assert await world.deliveries(DeliveryState.PENDING) == await world.deliveries(DeliveryState.SET_ASIDE) == []
    for shop in world.shops.values():
        assert shop.deliveries == shop.lost == []
        taken = [answer.body.decode() for answer in shop.answered if answer.status == 200]
        assert taken or not shop.answered
        assert all(any(f'"{id_}"' in body for id_ in planned) for body in taken)


@pytest.mark.parametrize("goes_on", [False, True], ids=["people wait", "people go on"])
@pytest.mark.parametrize("alias", STORIES)
async def test_killed_before_any_step_the_story_ends_the_same(tmp_path: Path, alias: StoreAlias, goes_on: bool) -> None:
    whole = Cut()
    _, expected = await play(tmp_path / "whole.db", alias, whole, goes_on=goes_on)
    for at in range(4 if goes_on else 1, whole.steps + 1, EVERY):
        cut = Cut(at)
        world, ends = await play(tmp_path / f"{at}.db", alias, cut, goes_on=goes_on)
        assert cut.has_fallen
        assert ends[-1] == expected[-1], f"killed before step {at}"
        assert goes_on or ends == expected, f"killed before step {at}"
        assert len(world.shops[alias].writes) <= 2 * len(expected) * len(expected[-1])


async def test_a_webhook_whose_answer_was_lost_is_delivered_again_and_decided_once(tmp_path: Path) -> None:
    async with World(tmp_path / "engine.db", only=(WEB,)) as world:
        world.cut.at, world.cut.is_after = world.cut.steps + 1, True
        world.web.sell_out(RUNNER)
        await world.settle_or_fall()
        assert world.web.answered[0].status == 503
        await world.restart()
        await world.settle()
        first = [one for one in await world.deliveries(DeliveryState.PLANNED) if one.vendor_type == "product.updated"]
        assert world.web.answered[1].body == b'{"delivery":"%s"}' % first[-1].delivery.id.encode()
        assert len(world.web.writes) == 1


EDITS = st.tuples(st.sampled_from((RUNNER, PRINT, HILL)), st.booleans())
CRASHES = st.integers(1, 40)


@given(st.lists(st.one_of(EDITS, CRASHES), min_size=2, max_size=8))
@settings(max_examples=10)
async def test_whatever_is_sold_out_and_whenever_it_is_killed_featured_shows_what_can_be_bought(
    events: Sequence[tuple[str, bool] | int],
) -> None:
    with TemporaryDirectory() as folder:
        async with World(Path(folder) / "engine.db", only=(WEB,)) as world:
            featured = world.members(WEB)[str(FEATURED)]
            gone: set[str] = set()
            for event in events:
                if isinstance(event, int):
                    world.cut.at = world.cut.steps + event
                    continue
                id_, is_sold_out = event
                world.web.restock(id_, 0 if is_sold_out else 5)
                gone = gone | {id_} if is_sold_out else gone - {id_}
                world.clock.move(hours=9)  # so that no rule takes a product too often in a day
                await world.settle_or_fall()
                if world.cut.has_fallen:
                    await world.restart()
            world.cut.at = None
            await world.settle()
            assert world.members(WEB)[str(FEATURED)] == featured - gone
            await is_all_done(world)
