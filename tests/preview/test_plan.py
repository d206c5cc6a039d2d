"""What a rulebook would do is shown by product and rule, with what it costs, and is what a lane then does."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from engine_world import KSA, WEB, World, empty_database, rulebook, stores
from hypothesis import given, settings
from hypothesis import strategies as st
from remembered import NOON, SHOP, a_category, a_product, dump, remember

from rules_engine.core.delivery import StoreAlias
from rules_engine.core.plan import ActionState
from rules_engine.core.rule import RuleCode
from rules_engine.database.engine import Database
from rules_engine.database.tables import actions
from rules_engine.preview.plan import Difference, RulePlan, StorePlan, preview
from rules_engine.preview.plan_lines import Doing
from rules_engine.sandbox import Fault
from rules_engine.sandbox.zid_catalogue import GIFTS
from rules_engine.vendors import VENDORS

LEAVES = """
  sold-out-leaves:
    stores: [web]
    while: {product.stock: {at_most: 0}}
    do: [{remove_from_category: Featured}]
"""
STAYS = """
  sale-stays:
    stores: [web]
    while: {product.categories: {contains: Sale}}
    do: [{add_to_category: Featured}]
"""
HIDES = """
  unpublished-are-shown:
    stores: [web]
    while: {product.published: false}
    do: [show]
"""
LAG = timedelta(seconds=600)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return Path(shutil.copy(empty_database(tmp_path), tmp_path / "engine.db"))


@pytest.fixture
def database(file: Path) -> Iterator[Database]:
    database = Database.from_url(f"sqlite:///{file}")
    remember(database, WEB, SHOP)
    yield database
    database.close()


def plan(database: Database, *rules: str, against: str | None = None, alias: StoreAlias = WEB) -> StorePlan:
    store = next(each for each in stores() if each.alias == alias)
    vendor = VENDORS[store.settings.vendor](store.settings)
    other = None if against is None else rulebook(f"rules: {against}")
    book = rulebook(f"rules: {''.join(rules)}")
    return preview(database, store, vendor, book, now=NOON, lag=LAG, against=other)


def of(plan: StorePlan, code: str) -> RulePlan:
    return next(each for each in plan.rules if each.rule.code == code)


def says(plan: StorePlan, code: str) -> list[str]:
    return [f"{line.called}: {line.would}" for line in of(plan, code).lines]


def differences(plan: StorePlan) -> list[tuple[bool, str, str]]:
    assert plan.differs is not None
    return [(each.is_new, each.line.name, each.line.would) for each in plan.differs]


# ------------------------------------------------------------------------------------ what it shows


def test_what_would_be_taken_is_named_by_product_in_the_order_of_names(database: Database) -> None:
    assert says(plan(database, LEAVES), "sold-out-leaves") == [
        "City Walker (S-2): be taken out of Featured (9691094)",
        "Trail Runner (S-1): be taken out of Featured (9691094)",
    ]


def test_who_is_overruled_is_told_by_whom(database: Database) -> None:
    made = plan(database, STAYS, LEAVES)
    (line,) = (line for line in of(made, "sold-out-leaves").lines if line.doing is Doing.OVERRULED)
    assert (line.called, line.by) == ("City Walker (S-2)", "sale-stays")
    assert line.would == "be taken out of Featured (9691094), but sale-stays comes first and wants otherwise"
    assert says(made, "sale-stays") == ["Old Sandal (S-4): be put into Featured (9691094)"]


def test_what_a_rule_that_only_watches_would_do_is_marked_and_costs_nothing(database: Database) -> None:
    made = plan(database, LEAVES.replace("stores", "mode: watch\n    stores"))
    watched = of(made, "sold-out-leaves").lines
    assert [(line.name, line.is_watched) for line in watched] == [("City Walker", True), ("Trail Runner", True)]
    assert made.lines == ()
    assert made.cost is not None
    assert made.cost.calls == 0


def test_a_rule_that_only_watches_overrules_nobody(database: Database) -> None:
    made = plan(database, STAYS.replace("stores", "mode: watch\n    stores"), LEAVES)
    assert [line.doing for line in of(made, "sold-out-leaves").lines] == [Doing.TAKEN, Doing.TAKEN]


def test_a_rule_that_is_paused_does_nothing_and_is_not_called_idle(database: Database) -> None:
    made = plan(database, LEAVES.replace("stores", "mode: paused\n    because: sale\n    stores"))
    assert of(made, "sold-out-leaves").lines == ()
    assert not of(made, "sold-out-leaves").is_idle


def test_a_rule_that_names_what_is_not_there_waits_and_says_for_what(database: Database) -> None:
    made = plan(database, LEAVES.replace("Featured", "Featurd"))
    assert of(made, "sold-out-leaves").waits_for == 'no category "Featurd": did you mean "Featured" (9691094)?'
    assert made.lines == ()


def test_a_rule_that_is_met_nowhere_is_idle(database: Database) -> None:
    assert of(plan(database, LEAVES.replace("0", "-1")), "sold-out-leaves").is_idle
    assert not of(plan(database, LEAVES), "sold-out-leaves").is_idle


def test_products_of_which_nobody_can_tell_are_counted(database: Database) -> None:
    unknown = LEAVES.replace("product.stock: {at_most: 0}", "product.attributes.Season: winter")
    made = of(plan(database, unknown), "sold-out-leaves")
    assert (made.met, made.cannot_tell) == (0, 4)


def test_what_must_last_waits_until_it_has(database: Database) -> None:
    made = plan(database, LEAVES.replace("stores", "must_last: 15 minutes\n    stores"))
    lines = of(made, "sold-out-leaves").lines
    assert [line.doing for line in lines] == [Doing.WAITS, Doing.WAITS]
    assert {line.until for line in lines} == {NOON + timedelta(minutes=15)}
    assert lines[0].would == "wait: its condition must last 15 minutes"


def test_what_is_outside_its_rules_hours_says_when(database: Database) -> None:
    made = plan(database, LEAVES.replace("stores", "between: 18:00 and 20:00\n    stores"))
    assert [line.item for line in of(made, "sold-out-leaves").lines] == [
        "City Walker (S-2), not before 2026-06-01 18:00 (UTC)",
        "Trail Runner (S-1), not before 2026-06-01 18:00 (UTC)",
    ]


def test_a_time_is_told_in_the_zone_of_the_store(database: Database) -> None:
    remember(database, KSA, [a_product("1", "حذاء", stock=0)])
    hours = "rests: {stores: [ksa], between: 18:00 and 20:00, while: {product.stock: 0}, do: [hide]}"
    (line,) = of(plan(database, f"{{{hours}}}", alias=KSA), "rests").lines
    assert line.item == "حذاء (S-1), not before 2026-06-01 18:00 (Asia/Riyadh)"


def test_a_product_that_would_lose_its_last_category_is_flagged(database: Database) -> None:
    made = of(plan(database, LEAVES), "sold-out-leaves")
    assert [line.name for line in made.lines if line.is_last] == ["Trail Runner"]
    assert "1 of the products would be in no category any more, and the shop puts them into category 0" in (
        made.irreversible
    )


def test_a_product_that_moves_to_another_category_is_not_without_any(database: Database) -> None:
    moves = LEAVES.replace("Featured}]", "Featured}, {add_to_category: Sale}]")
    made = of(plan(database, moves), "sold-out-leaves")
    assert [line.name for line in made.lines if line.is_last] == []
    assert len(made.lines) == 3


def test_what_cannot_be_given_back_is_flagged(database: Database) -> None:
    leaves = of(plan(database, LEAVES.replace("stores", "afterwards: leave\n    stores")), "sold-out-leaves")
    assert "`afterwards: leave`: what it does stays so when its condition ends" in leaves.irreversible
    assert of(plan(database, LEAVES), "sold-out-leaves").loses == (
        "what comes back later loses the position inside the category",
    )
    assert of(plan(database, HIDES), "unpublished-are-shown").loses == ()


def test_calls_are_counted_as_a_lane_makes_them(database: Database) -> None:
    many = [a_product(str(number), f"Product {number}", stock=0) for number in range(1000, 1450)]
    remember(database, WEB, many)
    cost = plan(database, LEAVES).cost
    assert cost is not None
    # 456 subjects are three turns; Ecwid takes a hundred products in a call, and reads categories one by one.
    assert (cost.calls, cost.reads) == (5, 7)
    assert cost.time == timedelta(0)


def test_a_plan_takes_as_long_as_the_shops_rate_lets_it(database: Database) -> None:
    gifts = [a_category("543", "Gifts"), *(a_product(f"g-{n}", f"Gift {n}", category_ids=["543"]) for n in range(90))]
    remember(database, KSA, gifts)
    rule = """
  gifts-are-hidden:
    stores: [ksa]
    while: {product.published: true}
    do: [hide]
"""
    cost = plan(database, rule, alias=KSA).cost
    assert cost is not None
    assert (cost.calls, cost.reads) == (90, 3)
    assert cost.time == timedelta(seconds=90 + 3 - 60)


def test_an_empty_catalogue_is_an_empty_plan(database: Database) -> None:
    made = plan(database, alias=KSA)
    assert (made.products, made.categories, made.rules, made.lines) == (0, 0, (), ())


def test_a_product_that_breaks_deciding_is_named_and_hides_nothing(database: Database) -> None:
    sound = a_product("7", "Broken")
    remember(database, WEB, [replace(sound, fields={**sound.fields, "category_names": 7})])
    made = plan(database, LEAVES)
    assert list(made.failed) == ["product:7"]
    assert len(made.lines) == 2


def test_a_plan_changes_nothing(database: Database, file: Path) -> None:
    before = dump(file)
    assert plan(database, STAYS, LEAVES, HIDES, against=LEAVES).lines
    assert dump(file) == before


# ------------------------------------------------------------------------------------ two rulebooks


def test_equal_rulebooks_do_not_differ(database: Database) -> None:
    assert differences(plan(database, LEAVES, STAYS, against=LEAVES + STAYS)) == []


def test_only_what_differs_is_listed(database: Database) -> None:
    wider = LEAVES.replace("at_most: 0", "at_most: 2").replace("Featured", "Sale")
    assert differences(plan(database, wider, against=LEAVES)) == [
        (True, "City Walker", "be taken out of Sale (9691099)"),
        (False, "City Walker", "be taken out of Featured (9691094)"),
        (True, "Old Sandal", "be taken out of Sale (9691099)"),
        (False, "Trail Runner", "be taken out of Featured (9691094)"),
    ]


def test_a_rule_that_only_has_another_name_does_not_differ(database: Database) -> None:
    renamed = LEAVES.replace("sold-out-leaves:", "empty-shelf:\n    formerly: sold-out-leaves")
    assert differences(plan(database, renamed, against=LEAVES)) == []
    assert len(differences(plan(database, LEAVES.replace("sold-out-leaves", "other"), against=LEAVES))) == 4


def test_the_plan_of_one_rule_is_as_it_is_among_the_others(database: Database) -> None:
    made = plan(database, STAYS, LEAVES, against=LEAVES).only([RuleCode("sold-out-leaves")])
    assert [each.rule.code for each in made.rules] == ["sold-out-leaves"]
    assert Doing.OVERRULED in {line.doing for line in made.lines}
    assert made.cost is None
    assert {each.line.rule for each in made.differs or ()} == {"sold-out-leaves"}
    assert all(isinstance(each, Difference) for each in made.differs or ())


# ------------------------------------------------------------------------------------ with an engine beside it

RULES = {
    "leaves": "while: {product.price: {less_than: LIMIT}}\n    do: [{remove_from_category: Featured}]",
    "joins": "while: {product.stock: {at_most: LIMIT}}\n    do: [{add_to_category: Featured}]",
    "moves": "while: {product.price: {at_least: LIMIT}}\n"
    "    do: [{remove_from_category: Shoes}, {add_to_category: Acme}]",
    "clears": "while: {product.stock: {more_than: LIMIT}}\n    do: [{remove_from_category: all}]",
    "brands": "while: {product.brand: not_empty}\n    do: [{remove_from_category: {under: Brands}}]",
    "hides": "while: {product.in_stock: false}\n    unless: {product.price: {less_than: LIMIT}}\n    do: [hide]",
}


def text_of(chosen: Mapping[str, int]) -> str:
    rules = [
        f"  {code}:\n    stores: [web]\n    {RULES[code].replace('LIMIT', str(n))}\n" for code, n in chosen.items()
    ]
    return "rules:\n" + "".join(rules) if rules else "rules: {}"


some_rules = st.lists(st.tuples(st.sampled_from(sorted(RULES)), st.integers(0, 12)), max_size=4).map(dict).map(text_of)


async def seen_world(file: Path, rules: str) -> World:
    """A world whose engine has seen every product, and holds what these rules hold."""
    world = World(file, rules=rules, only=(WEB,))
    await world.__aenter__()
    for number, id_ in enumerate(world.web.products):
        world.web.edit_product(id_, price=float(number * 2))
    await world.settle()
    return world


def planned(world: World, rules: str, alias: StoreAlias = WEB) -> StorePlan:
    store = next(each for each in stores() if each.alias == alias)
    vendor = VENDORS[store.settings.vendor](store.settings)
    return preview(world.database, store, vendor, rulebook(rules), now=world.clock(), lag=LAG)


async def done_since(world: World, known: set[str]) -> set[tuple[str, str, str]]:
    rows = [row for row in await world.every(actions) if row["key"] not in known]
    done = {ActionState.CONFIRMED, ActionState.DONE}
    return {(row["product"], row["kind"], row["rules"][0]) for row in rows if row["state"] in done and row["attempts"]}


@settings(max_examples=12)
@given(before=some_rules, after=some_rules)
def test_the_plan_is_what_the_lane_then_does(before: str, after: str) -> None:
    async def play(folder: Path) -> None:
        world = await seen_world(folder / "engine.db", before)
        try:
            known = {row["key"] for row in await world.every(actions)}
            made = planned(world, after)
            expected = {
                (line.product, str(line.kind), str(line.rule))
                for line in made.lines
                if line.doing in {Doing.TAKEN, Doing.RETURNED} and not line.target.endswith("(0)")
            }
            calls = len(world.web.writes)
            await world.adopt(after)
            await world.settle()
            # What the shop does by itself, when a product loses its last category, is undone later: not by this plan.
            top = {row["key"] for row in await world.every(actions) if row["target"] == "0"}
            assert await done_since(world, known | top) == expected
            assert made.cost is not None
            assert bool(made.cost.calls) == (len(world.web.writes) > calls)
        finally:
            await world.stop()

    with TemporaryDirectory() as folder:
        asyncio.run(play(Path(folder)))


@pytest.mark.anyio
async def test_what_would_be_given_back_is_shown_with_what_it_loses(tmp_path: Path) -> None:
    world = await seen_world(tmp_path / "engine.db", text_of({"leaves": 5}))
    made = planned(world, text_of({"leaves": 0}))
    assert {line.doing for line in made.lines} == {Doing.RETURNED}
    assert "be given back: put into Featured (9691094)" in {line.would for line in made.lines}
    assert of(made, "leaves").loses == ("what comes back loses the position inside the category",)
    assert of(made, "leaves").holds == 2
    await world.stop()


@pytest.mark.anyio
async def test_what_a_rule_holds_that_is_gone_stays_and_is_asked_about(tmp_path: Path) -> None:
    world = await seen_world(tmp_path / "engine.db", text_of({"leaves": 5}))
    made = planned(world, text_of({"hides": 100}))
    assert made.orphans == {"leaves": 2}
    assert made.lines == ()
    renamed = text_of({"leaves": 5}).replace("  leaves:", "  goes:\n    formerly: leaves")
    assert planned(world, renamed).orphans == {}
    assert planned(world, renamed).lines == ()
    assert of(planned(world, renamed), "goes").holds == 2
    await world.stop()


@pytest.mark.anyio
async def test_what_has_lasted_long_enough_would_be_taken(tmp_path: Path) -> None:
    rules = text_of({"leaves": 5}).replace("stores", "must_last: 1 hour\n    stores")
    world = await seen_world(tmp_path / "engine.db", rules)
    assert {line.doing for line in planned(world, rules).lines} == {Doing.WAITS}
    world.clock.move(hours=2)
    assert {line.doing for line in planned(world, rules).lines} == {Doing.TAKEN}
    await world.stop()


@pytest.mark.anyio
@pytest.mark.parametrize(("span", "hours"), [("12 hours", 1), ("5 days", 30)])
async def test_a_rule_that_acts_only_so_often_waits(tmp_path: Path, span: str, hours: int) -> None:
    rules = text_of({"leaves": 5}).replace("stores", f"at_most_every: {span}\n    stores")
    world = await seen_world(tmp_path / "engine.db", rules)
    for price in (99.0, 1.0):
        world.clock.move(hours=hours)
        for id_ in world.web.products:
            world.web.edit_product(id_, price=price)
        await world.settle()
    waiting = [line for line in planned(world, rules).lines if line.doing is Doing.WAITS]
    assert {line.name for line in waiting} == {"Trail Runner", "Limited Print"}
    assert f"acts at most every {span}; waits until" in waiting[0].would
    await world.stop()


@pytest.mark.anyio
async def test_what_was_decided_before_is_not_this_plans_doing(tmp_path: Path) -> None:
    world = await seen_world(tmp_path / "engine.db", "rules: {}")
    rules = text_of({"leaves": 5})
    world.web.faults.append(Fault(status=503, headers={"Retry-After": "600"}, where="write", times=99))
    await world.adopt(rules)
    await world.run(WEB)
    made = planned(world, rules)
    assert (made.open, made.lines) == (2, ())
    assert made.cost is not None
    assert made.cost.calls == 0
    assert {line.doing for line in planned(world, text_of({"leaves": 0})).lines} == {Doing.CALLED_OFF}
    await world.stop()


@pytest.mark.anyio
async def test_a_category_that_one_call_would_empty_is_flagged(tmp_path: Path) -> None:
    rule = """
rules:
  unpublished-category-is-emptied:
    about: category
    stores: [ksa]
    while: {category.published: false}
    do: [empty_category]
"""
    async with World(tmp_path / "engine.db", rules="rules: {}", only=(KSA,)) as world:
        for id_ in list(world.ksa.products):
            world.ksa.edit_product(id_, price=7.5)
        world.ksa.publish_category(GIFTS, False)
        await world.settle()
        made = planned(world, rule, KSA)
        assert made.cost is not None
        assert made.cost.calls == 1
        (flag,) = of(made, "unpublished-category-is-emptied").irreversible[:1]
        assert flag.endswith(f"({GIFTS}); only the engine remembers which they were")
        calls = len(world.ksa.writes)
        await world.adopt(rule)
        await world.settle()
        assert len(world.ksa.writes) == calls + 1
