"""A rule that is gone: what it holds stays until a person says, and then it is given back, or kept for good."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
from engine_world import B2B, WEB, World, rulebook

from rules_engine.core.delivery import StoreAlias
from rules_engine.core.errors import DatabaseError
from rules_engine.core.holds import HoldState
from rules_engine.core.question import Question, QuestionKind, QuestionState
from rules_engine.database.answers import answer, came_of_orders
from rules_engine.database.questions import load_questions
from rules_engine.database.tables import holds, slots
from rules_engine.lane.rules import Activated, put_in_force
from rules_engine.sandbox import Fault
from rules_engine.sandbox.ecwid_catalogue import FEATURED

pytestmark = pytest.mark.anyio

OLD, NEW = "sold-out-leaves", "gone-from-featured"
NOTHING, ALSO_NOTHING = "rules: {}\n", "rules: {} # as before\n"
PLACES = {WEB: ("37208339", str(FEATURED)), B2B: ("laptop-1", "collection-id-1")}
"""In each shop a product, and the category that it is in."""
EVERYWHERE = [WEB, B2B]


def rules(code: str = OLD, stores: str = "web, b2b", more: str = "") -> str:
    return f"""
rules:
  {code}:
    stores: [{stores}]
    while: {{product.stock: {{at_most: 0}}}}
    do: [{{remove_from_category: Featured}}]
    afterwards: put back
    {more}
"""


def shop_with(path: Path, alias: StoreAlias, text: str | None = None) -> World:
    return World(path / "engine.db", text or rules(), only=(alias,))


def is_in(world: World, alias: StoreAlias) -> bool:
    product, category = PLACES[alias]
    return product in world.members(alias).get(category, set())


def sell_out(world: World, alias: StoreAlias) -> None:
    world.shops[alias].sell_out(PLACES[alias][0])


async def hold(world: World, alias: StoreAlias) -> None:
    """Let the rule take a product out."""
    if alias == B2B:  # where nothing can be read, only what webhooks showed is known
        world.b2b.restock(PLACES[B2B][0], 8)
        await world.settle()
    sell_out(world, alias)
    await world.settle()
    assert not is_in(world, alias)


async def put(world: World, text: str, stores: list[StoreAlias] | None = None) -> Activated:
    known = list(world.lanes) if stores is None else stores
    work = partial(put_in_force, rulebook=rulebook(text), stores=known, now=world.clock(), reason="test")
    return await world.database.write(work)


async def asked(world: World, *, states: tuple[QuestionState, ...] = (QuestionState.OPEN,)) -> list[Question]:
    return await world.database.read(partial(load_questions, states=states))


async def say(world: World, *, is_yes: bool, stores: list[StoreAlias] | None = None) -> list[str]:
    """Answer the one open question; what came of each order."""
    (question,) = await asked(world)
    at, known = world.clock(), list(world.lanes) if stores is None else stores
    await world.database.write(
        partial(answer, question=question, is_yes=is_yes, said="tidying up", now=at, stores=known)
    )
    await world.settle()
    came = partial(came_of_orders, store=question.store, rule=question.rule, at=at)
    return [each.outcome for each in await world.database.read(came)]


async def states_of_holds(world: World) -> list[str]:
    return [row["state"] for row in await world.every(holds)]


@pytest.mark.parametrize("alias", EVERYWHERE)
async def test_while_nobody_answers_nothing_happens_to_what_it_holds(tmp_path: Path, alias: StoreAlias) -> None:
    async with shop_with(tmp_path, alias) as world:
        await hold(world, alias)
        calls = len(world.shops[alias].writes)
        await put(world, NOTHING)
        world.shops[alias].restock(PLACES[alias][0], 5)
        await world.settle()
        world.clock.move(days=30)
        await world.settle()
        assert not is_in(world, alias)
        assert len(world.shops[alias].writes) == calls
        (question,) = await asked(world)
        assert (question.kind, question.rule, question.expires_at) == (QuestionKind.GONE, OLD, None)


@pytest.mark.parametrize("alias", EVERYWHERE)
async def test_a_yes_gives_back_what_it_holds_although_its_condition_still_holds(
    tmp_path: Path, alias: StoreAlias
) -> None:
    async with shop_with(tmp_path, alias) as world:
        await hold(world, alias)
        await put(world, NOTHING)
        (outcome,) = await say(world, is_yes=True)
        assert "is given back" in outcome
        assert is_in(world, alias)
        assert await states_of_holds(world) == [HoldState.RELEASED]
        assert (await put(world, ALSO_NOTHING)).vanished == ()


@pytest.mark.parametrize("alias", EVERYWHERE)
async def test_a_no_keeps_it_as_it_is_for_good(tmp_path: Path, alias: StoreAlias) -> None:
    async with shop_with(tmp_path, alias) as world:
        await hold(world, alias)
        await put(world, NOTHING)
        calls = len(world.shops[alias].writes)
        (outcome,) = await say(world, is_yes=False)
        assert "stays as it is" in outcome
        world.shops[alias].restock(PLACES[alias][0], 5)
        await world.settle()
        assert not is_in(world, alias)
        assert len(world.shops[alias].writes) == calls
        assert (await states_of_holds(world), await world.every(slots)) == ([HoldState.RELEASED], [])
        assert (await put(world, ALSO_NOTHING)).vanished == ()


async def test_a_yes_is_not_asked_again_while_the_shop_cannot_be_called(tmp_path: Path) -> None:
    async with shop_with(tmp_path, WEB) as world:
        await hold(world, WEB)
        await put(world, NOTHING)
        world.web.faults.append(Fault(status=503, times=3, where="write"))
        (question,) = await asked(world)
        work = partial(answer, question=question, is_yes=True, said="", now=world.clock(), stores=[WEB])
        await world.database.write(work)
        assert (await put(world, ALSO_NOTHING)).vanished == ()
        await world.run(WEB)
        assert (await put(world, NOTHING)).vanished == ()
        await world.settle()
        assert is_in(world, WEB)


async def test_a_rule_that_is_back_goes_on_where_it_was_and_nothing_is_asked_any_more(tmp_path: Path) -> None:
    async with shop_with(tmp_path, WEB) as world:
        await hold(world, WEB)
        await put(world, NOTHING)
        await put(world, rules())
        assert await asked(world) == []
        world.web.restock(PLACES[WEB][0], 5)
        await world.settle()
        assert is_in(world, WEB)


async def test_a_rule_that_is_back_under_another_code_takes_over(tmp_path: Path) -> None:
    async with shop_with(tmp_path, WEB) as world:
        await hold(world, WEB)
        await put(world, NOTHING)
        activated = await put(world, rules(NEW, more=f"formerly: {OLD}"))
        assert activated.sentences() == [f"{NEW} takes over what {OLD} held: 1 product."]
        assert [(each.rule, each.state) for each in await asked(world, states=tuple(QuestionState))] == [
            (NEW, QuestionState.VOID)
        ]
        world.web.restock(PLACES[WEB][0], 5)
        await world.settle()
        assert is_in(world, WEB)


async def test_a_rule_that_leaves_a_store_out_is_asked_about_there_alone(tmp_path: Path) -> None:
    async with World(tmp_path / "engine.db", rules(), only=(WEB, B2B)) as world:
        await hold(world, WEB)
        await hold(world, B2B)
        await put(world, rules(stores="b2b"))
        assert [(each.store, each.rule) for each in await asked(world)] == [(WEB, OLD)]
        await say(world, is_yes=True)
        assert is_in(world, WEB)
        assert not is_in(world, B2B)


async def test_what_is_gone_before_the_answer_is_in_no_answer(tmp_path: Path) -> None:
    async with shop_with(tmp_path, WEB) as world:
        await hold(world, WEB)
        await put(world, NOTHING)
        world.web.delete_product(PLACES[WEB][0])
        await world.settle()
        assert await say(world, is_yes=True) == []
        assert await states_of_holds(world) == [HoldState.GONE]


async def test_a_person_who_put_it_back_meanwhile_has_it_so_and_no_call_is_made(tmp_path: Path) -> None:
    async with shop_with(tmp_path, WEB) as world:
        await hold(world, WEB)
        await put(world, NOTHING)
        world.web.assign(PLACES[WEB][0], FEATURED)
        await world.settle()
        calls = len(world.web.writes)
        await say(world, is_yes=True)
        assert is_in(world, WEB)
        assert len(world.web.writes) == calls


async def test_the_same_rules_for_fewer_stores_ask_about_the_store_that_is_gone(tmp_path: Path) -> None:
    async with World(tmp_path / "engine.db", rules(), only=(WEB, B2B)) as world:
        await hold(world, WEB)
        activated = await put(world, rules(), stores=[B2B])
        assert not activated.is_new
        (said,) = activated.sentences()
        assert said.startswith("stores.yaml has no store web any more; its rules hold 1 product there: add it back to ")
        with pytest.raises(DatabaseError, match="add it back first"):
            await say(world, is_yes=True, stores=[B2B])
        assert await say(world, is_yes=False, stores=[B2B]) == []
        assert (await states_of_holds(world), await world.every(slots)) == ([HoldState.RELEASED], [])
        assert (await put(world, rules(), stores=[B2B])).sentences() == []


async def test_a_store_that_is_back_goes_on_where_it_was(tmp_path: Path) -> None:
    async with World(tmp_path / "engine.db", rules(), only=(WEB, B2B)) as world:
        await hold(world, WEB)
        await put(world, rules(), stores=[B2B])
        assert len(await asked(world)) == 1
        await put(world, rules())
        assert await asked(world) == []
        world.web.restock(PLACES[WEB][0], 5)
        await world.settle()
        assert is_in(world, WEB)
