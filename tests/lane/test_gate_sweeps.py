"""The gate at the end of a sweep, and where a rule about a category wants it all: the whole is judged, then done."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from engine_world import KSA, WEB, World
from gate_world import asked, featured, held, said, say, sell, sold_out_leaves, stock, the_question, told
from sweep_world import asked as ask_sweep
from sweep_world import known, swept

from rules_engine.core.action import Interpretation, Request, Response
from rules_engine.core.delivery import StoreAlias
from rules_engine.core.question import QuestionKind, QuestionState
from rules_engine.core.subject import Snapshot, product
from rules_engine.core.sweep import SweepKind
from rules_engine.database.tables import actions
from rules_engine.sandbox.ecwid_catalogue import FEATURED
from rules_engine.sandbox.zid_catalogue import GIFTS
from rules_engine.vendors import VENDORS
from rules_engine.vendors.ecwid import Ecwid

pytestmark = pytest.mark.anyio

SOLD_OUT = "37208343"
THREE_A_DAY = sold_out_leaves("limits: {per_day: 3 products}")
A_PERCENT = sold_out_leaves("limits: {per_day: 10%}")


async def learned(world: World) -> None:
    """Everything is known, and nothing is sold out."""
    world.web.restock(SOLD_OUT, 3)
    await known(world)


def lose(world: World, ids: list[str]) -> None:
    """They sell out, and no webhook tells."""
    for id_ in ids:
        world.web.sell_out(id_)
    world.web.deliveries.clear()


async def test_a_sweep_that_finds_no_more_than_the_limit_lets_all_of_it_go_ahead(tmp_path: Path) -> None:
    async with World(tmp_path / "e.db", THREE_A_DAY, only=(WEB,)) as world:
        shoes = stock(world, 3)
        await learned(world)
        lose(world, shoes)
        await swept(world, WEB)
        assert featured(world, shoes) == []
        assert await asked(world) == []
        (needless,) = await asked(world, WEB, QuestionState.YES)
        assert (needless.said, needless.reason) == ("within its limits", "within its limits")
        assert "within its limits: goes ahead" in await said(world, shoes[0])
        assert await told(world) == []


async def test_a_sweep_that_finds_more_than_the_limit_does_nothing_and_asks_once(tmp_path: Path) -> None:
    rules = THREE_A_DAY.replace("Featured}]", "Featured}, {notify: {webhook: floor}}]")
    async with World(tmp_path / "e.db", rules, only=(WEB,)) as world:
        shoes = stock(world, 30)
        await learned(world)
        lose(world, shoes)
        await swept(world, WEB)
        question = await the_question(world)
        assert featured(world, shoes) == shoes
        assert question.state is QuestionState.OPEN
        assert question.reason == "it wants to take 30 products within a day; its limit is 3 a day"
        assert {row["product"] for row in await held(world)} == set(shoes)
        assert {row["reason"] for row in await held(world)} == {f"waits for an answer: {question.reason}"}
        (notice,) = await told(world)
        assert notice["text"] == f"asks: {question.reason}; may it? `rules-engine questions`"
        await say(world, question, is_yes=True)
        assert featured(world, shoes) == []


async def test_webhooks_that_come_meanwhile_join_what_a_sweep_gathers(tmp_path: Path) -> None:
    async with World(tmp_path / "e.db", THREE_A_DAY, only=(WEB,)) as world:
        shoes, more = stock(world, 3), stock(world, 3)
        await learned(world)
        lose(world, shoes)
        sold: list[str] = []

        def sell_more(_alias: StoreAlias, request: Request) -> None:
            if "offset=" in request.url and not sold:  # the page is read already that would have shown them
                sold.extend(more)
                for id_ in more:
                    world.web.sell_out(id_)

        world.after_call = sell_more
        await ask_sweep(world, WEB)
        await world.settle()
        assert sold
        assert featured(world, [*shoes, *more]) == [*shoes, *more]
        assert len(await asked(world)) == 1


async def test_new_rules_are_judged_over_the_whole_catalogue_before_the_first_call(tmp_path: Path) -> None:
    async with World(tmp_path / "e.db", sold_out_leaves().replace("at_most: 0", "at_most: -5"), only=(WEB,)) as world:
        shoes = stock(world, 4)
        await learned(world)
        lose(world, shoes)
        await swept(world, WEB)
        await world.adopt(THREE_A_DAY)
        await world.settle()
        assert featured(world, shoes) == shoes
        assert (await the_question(world)).reason.startswith("it wants to take 4 products")


async def test_a_percentage_is_of_what_the_last_complete_sweep_found(tmp_path: Path) -> None:
    async with World(tmp_path / "e.db", A_PERCENT, only=(WEB,)) as world:
        shoes = stock(world, 40)
        sizes = len(world.web.products)
        await learned(world)
        fits = shoes[: sizes // 10]
        await sell(world, fits)
        assert featured(world, fits) == []
        await sell(world, shoes[-1:])
        assert (await the_question(world)).reason == (
            f"it wants to take 1 product after {len(fits)} within the last day; "
            f"its limit is 10 % of {sizes} products a day, which is {sizes // 10}"
        )


async def test_without_a_sweep_a_percentage_always_asks(tmp_path: Path) -> None:
    async with World(tmp_path / "e.db", A_PERCENT, only=(WEB,)) as world:
        shoes = stock(world, 1)
        await world.settle()
        await sell(world, shoes)
        reason = (await the_question(world)).reason
        assert reason.endswith("the products are not counted yet: `rules-engine reconcile` does")
        assert featured(world, shoes) == shoes


@pytest.mark.parametrize("more", ["", "limits: {per_day: 3 products}"])
async def test_a_sweep_takes_nobody_out_of_a_category_that_was_not_counted(tmp_path: Path, more: str) -> None:
    rules = sold_out_leaves("never_leave: fewer than 4 products in Featured", *([more] if more else []))
    async with World(tmp_path / "e.db", rules, only=(WEB,)) as world:
        for id_ in world.members(WEB)[str(FEATURED)]:
            world.web.unassign(id_, FEATURED)
        shoes = stock(world, 6)
        await learned(world)
        lose(world, shoes)
        await swept(world, WEB)
        if more:
            await say(world, await the_question(world), is_yes=True)
        assert len(featured(world, shoes)) == 4


EMPTIES = """
rules:
  unpublished-category-is-emptied:
    about: category
    stores: [ksa]
    while: {category.published: false}
    do: [empty_category]
"""


def fill(world: World, count: int) -> list[str]:
    return [world.ksa.add_product(en=f"Gift {n}", quantity=3, category_ids=[GIFTS]) for n in range(count)]


def gifts(world: World) -> set[str]:
    return world.members(KSA).get(str(GIFTS), set())


async def test_a_category_of_many_is_emptied_after_a_yes_by_one_call(tmp_path: Path) -> None:
    async with World(tmp_path / "e.db", EMPTIES, only=(KSA,)) as world:
        fill(world, 150)
        await world.settle()
        everything = gifts(world)
        world.ksa.publish_category(GIFTS, False)
        await world.settle()
        question = await the_question(world, KSA)
        assert gifts(world) == everything
        assert question.reason == f"it wants to take {len(everything)} products at once; it asks first over 100"
        world.ksa.calls.clear()
        await say(world, question, is_yes=True)
        assert gifts(world) == set()
        assert len(world.ksa.writes) == 1
        world.ksa.publish_category(GIFTS, True)
        await world.settle()
        assert gifts(world) == everything


async def test_a_category_of_few_is_emptied_without_asking(tmp_path: Path) -> None:
    async with World(tmp_path / "e.db", EMPTIES, only=(KSA,)) as world:
        fill(world, 20)
        await world.settle()
        world.ksa.publish_category(GIFTS, False)
        await world.settle()
        assert gifts(world) == set()
        assert len(world.ksa.writes) == 1
        assert await asked(world, KSA) == []


async def test_no_to_emptying_a_category_leaves_all_of_it(tmp_path: Path) -> None:
    async with World(tmp_path / "e.db", EMPTIES, only=(KSA,)) as world:
        fill(world, 120)
        await world.settle()
        everything = gifts(world)
        world.ksa.publish_category(GIFTS, False)
        await world.settle()
        await say(world, await the_question(world, KSA), is_yes=False)
        world.clock.move(hours=2)
        await world.settle()
        assert gifts(world) == everything
        assert await asked(world, KSA) == []
        assert world.ksa.writes == []


@pytest.mark.parametrize("is_after", [False, True])
async def test_a_kill_anywhere_admits_nothing_twice_and_loses_nothing(tmp_path: Path, is_after: bool) -> None:
    for at in range(1, 14):
        path = tmp_path / f"{at}.db"
        async with World(path, sold_out_leaves("limits: {per_day: 3 products}"), only=(WEB,)) as world:
            shoes = stock(world, 5)
            await world.settle()
            await sell(world, shoes[:2])
            for id_ in shoes[2:]:
                world.web.sell_out(id_)
            await world.deliver()
            world.cut.at, world.cut.is_after, world.cut.steps = at, is_after, 0
            await world.settle_or_fall()
            await world.restart()
            await world.settle()
            assert featured(world, shoes) == shoes[2:]
            question = await the_question(world)
            assert question.kind is QuestionKind.TAKE
            assert [row["product"] for row in await held(world)] == shoes[2:]
            await say(world, question, is_yes=True)
            assert featured(world, shoes) == []
            keys = [row["key"] for row in await world.every(actions)]
            assert len(keys) == len(set(keys)) == len(shoes)


class AnswersShowProducts(Ecwid):
    """Ecwid, if its answers to writes showed products, as those of a shop that cannot be listed do."""

    def interpret(self, request: Request, response: Response) -> Interpretation:
        known = super().interpret(request, response)
        fields = {"name": "Another", "stock": 0, "category_ids": [str(FEATURED)], "categories": ["Featured"]}
        return replace(known, sightings=(Snapshot(product(SHOWN), fields),))


SHOWN = "990001"


async def test_what_an_answer_shows_after_the_last_page_of_a_sweep_is_judged_like_any_other(tmp_path: Path) -> None:
    rules = (
        THREE_A_DAY
        + """
  cheap-is-hidden:
    stores: [web]
    while: {product.price: {at_most: 1}}
    do: [hide]
"""
    )
    async with World(tmp_path / "e.db", rules, only=(WEB,), vendors={**VENDORS, "ecwid": AnswersShowProducts}) as world:
        shoes = stock(world, 2)
        await learned(world)
        world.web.edit_product(shoes[0], price=0.5)
        world.web.deliveries.clear()
        await swept(world, WEB, SweepKind.CHANGES)
        assert SHOWN in [row["product"] for row in await world.every(actions)]
        assert await asked(world) == []  # no question that waits for the end of a sweep which has ended
