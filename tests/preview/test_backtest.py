"""Rules that are played over what was recorded do what they really did; others differ where they should."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from engine_world import WEB, World, rulebook, stores
from hypothesis import given, settings
from hypothesis import strategies as st
from remembered import dump

from rules_engine.core.rule import RuleCode
from rules_engine.preview.backtest import RuleBacktest, StoreBacktest, backtest
from rules_engine.preview.backtest_tally import Count
from rules_engine.sandbox.ecwid_catalogue import CLEARANCE, FEATURED, SHOES
from rules_engine.vendors import VENDORS

LAG = timedelta(seconds=600)
RULES = {
    "leaves": "while: {product.stock: {at_most: 0}}\n    do: [{remove_from_category: Featured}]",
    "few": "while: {product.stock: {at_most: 2}}\n    do: [{remove_from_category: Featured}, "
    "{remove_from_category: Shoes}]",
    "joins": "while: {product.price: {less_than: 20}}\n    do: [{add_to_category: Clearance}]",
    "hides": "while: {product.in_stock: false}\n    unless: {product.price: {less_than: 20}}\n    do: [hide]",
    "ripe": "must_last: 2 hours\n    while: {product.stock: {at_most: 0}}\n    do: [hide]",
    "opens": "between: 14:00 and 18:00\n    while: {product.stock: {at_most: 2}}\n    do: [{add_to_category: Shoes}]",
    "insists": "insist: true\n    while: {product.stock: {at_most: 2}}\n    do: [{remove_from_category: Shoes}]",
    "once": "as_soon_as: {product.stock: {at_most: 0}}\n    do: [{add_to_category: Clearance}]",
    "shows": "as_soon_as: {product.stock: {rises_above: 2}}\n    do: [show]",
    "told": "as_soon_as: {happens: created}\n    do: [{add_to_category: Clearance}]",
    "empties": "about: category\n    while: {category.published: false}\n    do: [empty_category]",
    "stays": "afterwards: leave\n    while: {product.stock: {at_most: 0}}\n    do: [{remove_from_category: Shoes}]",
}


def text_of(codes: list[str]) -> str:
    """These rules in this order."""
    return "rules:\n" + "".join(f"  {code}:\n    stores: [web]\n    {RULES[code]}\n" for code in codes)


def played(world: World, rules: str, *, since: datetime) -> StoreBacktest:
    store = next(each for each in stores() if each.alias == WEB)
    vendor = VENDORS[store.settings.vendor](store.settings)
    return backtest(world.database, store, vendor, rulebook(rules), since=since, now=world.clock(), lag=LAG)


def of(made: StoreBacktest, code: str) -> RuleBacktest:
    return next(each for each in made.rules if each.code == RuleCode(code))


def then(made: RuleBacktest) -> Count | None:
    """What really happened, without the calls: how many there would have been is an estimate."""
    return made.then and replace(made.then, calls=0)


def now(made: RuleBacktest) -> Count | None:
    return made.now and replace(made.now, calls=0)


# ------------------------------------------------------------------------------------ the same rules

PRODUCTS = st.integers(0, 2)
DOINGS = st.one_of(
    st.tuples(st.just("restock"), PRODUCTS, st.sampled_from([0, 2, 5])),
    st.tuples(st.just("restock"), PRODUCTS, st.sampled_from([0, 5])),
    st.tuples(st.just("price"), PRODUCTS, st.sampled_from([10.0, 30.0])),
    st.tuples(st.just("toggle"), PRODUCTS, st.sampled_from([FEATURED, SHOES, CLEARANCE])),
    st.tuples(st.just("add"), st.just(0), st.sampled_from([0, 5])),
    st.tuples(st.just("delete"), PRODUCTS, st.just(0)),
    st.tuples(st.just("enable"), PRODUCTS, st.booleans()),
    st.tuples(st.just("publish"), st.sampled_from([SHOES, CLEARANCE]), st.booleans()),
    st.tuples(st.just("wait"), st.just(0), st.sampled_from([1, 5, 30])),
)


async def live(world: World, doing: tuple[str, int, Any]) -> None:
    """Somebody does something in the shop, and the engine lives on for an hour at least."""
    what, which, value = doing
    shop = world.web
    id_ = list(shop.products)[which] if what not in {"publish", "wait", "add"} else which
    match what:
        case "restock":
            shop.restock(id_, value)
        case "price":
            shop.edit_product(id_, price=value)
        case "toggle":
            into = value in shop.products[id_]["categoryIds"]
            (shop.unassign if into else shop.assign)(id_, value)
        case "add":
            shop.add_product(quantity=value, price=10.0, category_ids=[FEATURED])
        case "delete":
            shop.delete_product(id_)
        case "enable":
            shop.edit_product(id_, enabled=value)
        case "publish":
            shop.publish_category(which, value)
    end = world.clock() + timedelta(hours=value if what == "wait" else 1, minutes=7)
    await world.settle(within=end - world.clock())
    world.clock.time = max(world.clock(), end)


async def lived(world: World, doings: list[tuple[str, int, Any]]) -> list[datetime]:
    """A world that has lived through all of it; gives when it began, and when each thing was over."""
    times = [world.clock()]
    await world.settle()
    for doing in doings:
        await live(world, doing)
        times.append(world.clock())
    return times


def in_a_world(play: Callable[[World], Any], rules: str) -> None:
    async def run() -> None:
        with TemporaryDirectory() as folder:
            async with World(Path(folder) / "engine.db", rules=rules, only=(WEB,)) as world:
                await play(world)

    asyncio.run(run())


some_rules = st.lists(st.sampled_from(sorted(RULES)), min_size=1, max_size=4, unique=True).map(text_of)


@settings(max_examples=12)
@given(rules=some_rules, doings=st.lists(DOINGS, min_size=3, max_size=12))
def test_the_rules_that_ran_would_have_done_what_they_did(rules: str, doings: list[tuple[str, int, Any]]) -> None:
    """From any time on, unless something had begun to last before: of that only the end is kept."""

    async def play(world: World) -> None:
        times = (await lived(world, doings))[:-1]
        for since in times[:1] if "must_last" in rules else times:
            made = played(world, rules, since=since)
            assert made.failed == {}
            for each in made.rules:
                assert (each.code, each.first) == (each.code, None)
                assert (each.code, now(each)) == (each.code, then(each))

    in_a_world(play, rules)


# ------------------------------------------------------------------------------------ other rules


async def a_day(world: World) -> datetime:
    """Trail Runner is sold out twice, and comes back each time; gives when that began."""
    since = world.clock()
    await world.settle()
    for stock in (0, 5, 0, 5):
        await live(world, ("restock", 0, stock))
    return since


@pytest.mark.anyio
async def test_a_rule_that_asks_for_less_stock_differs_where_it_acts_no_more(tmp_path: Path) -> None:
    async with World(tmp_path / "engine.db", rules=text_of(["leaves"]), only=(WEB,)) as world:
        since = await a_day(world)
        made = of(played(world, text_of(["leaves"]).replace("at_most: 0", "at_most: -1"), since=since), "leaves")
        assert (made.then, made.now) == (Count(1, 2, 2, 0, 1, 4), Count())
        assert made.differs == 1
        assert made.first is not None
        assert made.first.called.startswith("Trail Runner")
        assert made.first.then.startswith("was taken out of Featured (9691094) at 2026-01-31 10:00")
        assert made.first.now == "would have been left alone"
        assert made.first.because == ("while/product.stock: unmet: 0, must be at most -1",)


@pytest.mark.anyio
async def test_what_must_last_is_not_taken_when_it_does_not(tmp_path: Path) -> None:
    async with World(tmp_path / "engine.db", rules=text_of(["leaves"]), only=(WEB,)) as world:
        since = await a_day(world)
        patient = text_of(["leaves"]).replace("while", "must_last: 3 hours\n    while")
        made = of(played(world, patient, since=since), "leaves")
        assert now(made) == Count()
        assert made.first is not None
        assert "it must last 3 hours" in made.first.because[-1]


@pytest.mark.anyio
async def test_what_the_engine_did_is_not_taken_for_something_that_people_did(tmp_path: Path) -> None:
    async with World(tmp_path / "engine.db", rules=text_of(["leaves"]), only=(WEB,)) as world:
        since = await a_day(world)
        notices = (
            "rules: {notices: {stores: [web], while: {product.categories: {contains: Featured}}, "
            "do: [{add_to_category: Clearance}]}}"
        )
        made = of(played(world, notices, since=since), "notices")
        assert made.now is not None
        assert (made.now.returns, made.now.flips) == (0, 0)


@pytest.mark.anyio
async def test_what_a_person_put_back_stays_with_other_rules_too(tmp_path: Path) -> None:
    async with World(tmp_path / "engine.db", rules=text_of(["leaves"]), only=(WEB,)) as world:
        since = world.clock()
        await world.settle()
        await live(world, ("restock", 0, 0))
        await live(world, ("toggle", 0, FEATURED))
        await live(world, ("wait", 0, 5))
        made = of(played(world, text_of(["leaves"]).replace("at_most: 0", "at_most: 2"), since=since), "leaves")
        assert now(made) == then(made) == Count(products=1, takes=1)
        insisting = text_of(["leaves"]).replace("while", "insist: true\n    while")
        assert now(of(played(world, insisting, since=since), "leaves")) == Count(1, 2, 0, 0, 1)


@pytest.mark.anyio
async def test_a_rule_that_is_no_more_shows_what_it_did(tmp_path: Path) -> None:
    async with World(tmp_path / "engine.db", rules=text_of(["leaves"]), only=(WEB,)) as world:
        since = await a_day(world)
        made = of(played(world, "rules: {}", since=since), "leaves")
        assert (made.now, made.rule) == (None, None)
        assert then(made) == Count(1, 2, 2, 0, 1)
        assert made.first is not None
        assert made.first.because == ("the new rules have no such rule",)


@pytest.mark.anyio
async def test_a_rule_that_has_another_name_now_is_the_same_rule(tmp_path: Path) -> None:
    async with World(tmp_path / "engine.db", rules=text_of(["leaves"]), only=(WEB,)) as world:
        since = await a_day(world)
        renamed = text_of(["leaves"]).replace("  leaves:", "  goes:\n    formerly: leaves")
        made = played(world, renamed, since=since)
        assert [each.code for each in made.rules] == ["goes"]
        assert now(made.rules[0]) == then(made.rules[0])


@pytest.mark.anyio
async def test_a_limit_that_would_have_been_passed_is_told(tmp_path: Path) -> None:
    async with World(tmp_path / "engine.db", rules=text_of(["leaves"]), only=(WEB,)) as world:
        since = world.clock()
        await world.settle()
        for id_ in list(world.web.products):
            world.web.restock(id_, 0)
        await world.settle()
        limited = text_of(["leaves"]).replace("while", "limits: {per_hour: 1}\n    while")
        (note,) = of(played(world, limited, since=since), "leaves").notes
        assert "it would have asked before it had acted on more than 1 products within 1 hour" in note


@pytest.mark.anyio
async def test_a_backtest_writes_nothing(tmp_path: Path) -> None:
    async with World(tmp_path / "engine.db", rules=text_of(["leaves"]), only=(WEB,)) as world:
        since = await a_day(world)
        before = dump(tmp_path / "engine.db")
        calls = len(world.web.calls)
        played(world, text_of(["few", "joins"]), since=since)
        assert dump(tmp_path / "engine.db") == before
        assert len(world.web.calls) == calls


@pytest.mark.anyio
async def test_a_category_that_was_emptied_before_is_empty_from_the_start(tmp_path: Path) -> None:
    async with World(tmp_path / "engine.db", rules=text_of(["empties"]), only=(WEB,)) as world:
        times = await lived(world, [("publish", SHOES, False), ("wait", 0, 5)])
        made = of(played(world, text_of(["empties"]), since=times[1]), "empties")
        assert made.then is not None
        assert made.then.products > 0
        assert now(made) == then(made)
