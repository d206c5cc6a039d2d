"""What a yes is worth: for the rule as it was asked for, and, where that is paused, once it runs again."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
import sqlalchemy as sa
from engine_world import WEB, World
from gate_world import asked, featured, held, restock, said, say, sell, sold_out_leaves, stock, the_question
from sweep_world import known, swept

from rules_engine.core.delivery import StoreAlias
from rules_engine.core.order import Order, OrderKind
from rules_engine.core.question import Question, QuestionKind, QuestionState
from rules_engine.core.rule import RuleCode
from rules_engine.core.subject import ProductId, product
from rules_engine.database.answers import answer
from rules_engine.database.lanes import look_now
from rules_engine.database.orders import give_orders
from rules_engine.database.tables import actions, looks
from rules_engine.lane import sweep as sweeping
from rules_engine.lane.asking import UNANSWERED
from rules_engine.lane.rules import pause_in_force, resume_in_force

pytestmark = pytest.mark.anyio

LIMIT = "limits: {per_day: 3 products}"
THREE_A_DAY = sold_out_leaves(LIMIT)
FLOOR = "never_leave: fewer than 1 products in Featured"
TWO_A_DAY = sold_out_leaves("limits: {per_day: 2 products}")
OTHER_CONDITION = THREE_A_DAY.replace("at_most: 0", "at_most: 1")
EVERYWHERE = StoreAlias("")
RULE = "sold-out-leaves"
SOLD_OUT = "37208343"


async def answer_at_once(world: World, question: Question, *, is_yes: bool = True) -> None:
    """A person answers, and the lane has not heard of it yet."""
    told = partial(answer, question=question, is_yes=is_yes, said="", now=world.clock(), stores=list(world.lanes))
    await world.database.write(told)


async def pause(world: World, rule: str = RULE) -> None:
    put = partial(pause_in_force, store=EVERYWHERE, rule=RuleCode(rule), because="prices are wrong", now=world.clock())
    await world.database.write(put)


async def resume(world: World, rule: str = RULE) -> None:
    stores = list(world.lanes)
    end = partial(resume_in_force, stores=stores, store=EVERYWHERE, rule=RuleCode(rule), now=world.clock())
    await world.database.write(end)
    await world.settle()


# The rule is edited.


@pytest.mark.parametrize("edited", [TWO_A_DAY, OTHER_CONDITION])
async def test_a_yes_does_not_outlive_an_edit_of_its_rule(tmp_path: Path, edited: str) -> None:
    async with World(tmp_path / "e.db", THREE_A_DAY, only=(WEB,)) as world:
        shoes = stock(world, 4)
        await world.settle()
        await sell(world, shoes)
        old = await the_question(world)
        await answer_at_once(world, old)
        await world.adopt(edited)
        await world.settle()
        assert featured(world, shoes) == shoes
        new = await the_question(world)
        assert new.id != old.id
        assert {row["question"] for row in await held(world)} == {new.id}


async def test_a_yes_that_waits_for_the_hours_of_its_rule_does_not_outlive_an_edit(tmp_path: Path) -> None:
    hours = "between: 08:00 and 18:00"
    rules = sold_out_leaves("limits: {per_day: 3 products}", hours)
    async with World(tmp_path / "e.db", rules, only=(WEB,)) as world:
        shoes = stock(world, 4)
        await world.settle()
        world.clock.time = world.clock().replace(hour=12)
        await sell(world, shoes)
        world.clock.time = world.clock().replace(hour=20)
        await say(world, await the_question(world), is_yes=True)
        await world.adopt(sold_out_leaves("limits: {per_day: 2 products}", hours))
        await world.settle()
        world.clock.move(hours=13)
        await world.settle()
        assert featured(world, shoes) == shoes
        assert (await the_question(world)).reason.endswith("its limit is 2 a day")


async def test_what_was_let_through_and_not_called_yet_is_judged_by_the_edited_rule(tmp_path: Path) -> None:
    planned = 0
    for at in range(1, 8):
        async with World(tmp_path / f"{at}.db", THREE_A_DAY, only=(WEB,)) as world:
            shoes = stock(world, 3)
            await world.settle()
            for id_ in shoes:
                world.web.sell_out(id_)
            await world.deliver()
            world.cut.at, world.cut.steps = at, 0
            await world.settle_or_fall()
            await world.restart()
            rows = await world.every(actions)
            if any(row["called_at"] for row in rows):
                break
            planned += len(rows)
            await world.adopt(TWO_A_DAY)
            await world.settle()
            assert featured(world, shoes) == shoes
            assert (await the_question(world)).reason.startswith("it wants to take 3 products")
    assert planned


# The rule is paused.


async def test_a_yes_during_a_pause_counts_once_the_rule_runs_again(tmp_path: Path) -> None:
    async with World(tmp_path / "e.db", THREE_A_DAY, only=(WEB,)) as world:
        shoes = stock(world, 5)
        await world.settle()
        await sell(world, shoes)
        await pause(world)
        await say(world, await the_question(world), is_yes=True)
        assert featured(world, shoes) == shoes
        waits = "a person said yes; its rule is paused, and it goes ahead once that is resumed"
        assert {row["reason"] for row in await held(world)} == {waits}
        await restock(world, shoes[4:])
        await resume(world)
        assert featured(world, shoes) == shoes[4:]
        assert await asked(world) == []
        assert "a person said yes: goes ahead" in await said(world, shoes[0])


@pytest.mark.parametrize("rule", [RULE, ""])
async def test_what_waits_for_an_answer_waits_on_through_a_pause(tmp_path: Path, rule: str) -> None:
    async with World(tmp_path / "e.db", THREE_A_DAY, only=(WEB,)) as world:
        shoes = stock(world, 4)
        await world.settle()
        await sell(world, shoes)
        question = await the_question(world)
        await pause(world, rule)
        for id_ in shoes:
            world.web.edit_product(id_, name="Another name")
        await world.settle()
        assert await the_question(world) == question
        assert len(await held(world)) == len(shoes)
        await resume(world, rule)
        assert await the_question(world) == question
        await say(world, question, is_yes=True)
        assert featured(world, shoes) == []


async def test_a_yes_during_a_pause_counts_also_where_a_floor_is_to_be_kept(tmp_path: Path) -> None:
    async with World(tmp_path / "e.db", sold_out_leaves(LIMIT, FLOOR), only=(WEB,)) as world:
        shoes = stock(world, 5)
        await world.settle()
        await sell(world, shoes)
        await pause(world)
        await say(world, await the_question(world), is_yes=True)
        assert featured(world, shoes) == shoes
        await resume(world)
        assert featured(world, shoes) == []
        assert await asked(world) == []


async def test_what_was_agreed_before_a_pause_is_not_asked_again_after_it(tmp_path: Path) -> None:
    hours = "between: 08:00 and 18:00"
    async with World(tmp_path / "e.db", sold_out_leaves("limits: {per_day: 3 products}", hours), only=(WEB,)) as world:
        shoes = stock(world, 4)
        await world.settle()
        world.clock.time = world.clock().replace(hour=12)
        await sell(world, shoes)
        world.clock.time = world.clock().replace(hour=20)
        await say(world, await the_question(world), is_yes=True)
        assert {row["state"] for row in await world.every(actions)} == {"pending"}
        await pause(world)
        for id_ in shoes:
            world.web.edit_product(id_, name="Another name")
        await world.settle()
        world.clock.move(hours=14)
        await world.settle()
        assert featured(world, shoes) == shoes
        await resume(world)
        assert featured(world, shoes) == []
        assert await asked(world) == []


async def test_a_no_during_a_pause_is_heard_at_once(tmp_path: Path) -> None:
    async with World(tmp_path / "e.db", THREE_A_DAY, only=(WEB,)) as world:
        shoes = stock(world, 4)
        await world.settle()
        await sell(world, shoes)
        await pause(world)
        await say(world, await the_question(world), is_yes=False)
        assert await held(world) == []
        await resume(world)
        assert featured(world, shoes) == shoes
        assert await asked(world) == []


async def test_a_question_that_nobody_answers_expires_in_a_pause_too(tmp_path: Path) -> None:
    async with World(tmp_path / "e.db", THREE_A_DAY, only=(WEB,)) as world:
        shoes = stock(world, 4)
        await world.settle()
        await sell(world, shoes)
        await pause(world)
        refs = [product(id_) for id_ in shoes]
        await world.database.write(partial(look_now, store=WEB, refs=refs, now=world.clock(), reason="a person asked"))
        await world.settle()
        world.clock.move(days=7, seconds=1)
        await world.settle()
        assert await held(world) == []
        assert len(await asked(world, WEB, QuestionState.EXPIRED)) == 1


async def test_a_rule_that_is_paused_with_a_question_keeps_no_other_from_acting(tmp_path: Path) -> None:
    rules = (
        THREE_A_DAY
        + """
  cheap-leaves:
    stores: [web]
    while: {product.price: {at_most: 1}}
    do: [{remove_from_category: Featured}]
"""
    )
    async with World(tmp_path / "e.db", rules, only=(WEB,)) as world:
        shoes = stock(world, 4)
        await world.settle()
        await sell(world, shoes)
        await pause(world)
        world.web.edit_product(shoes[0], price=0.5)
        await world.settle()
        assert featured(world, shoes) == shoes[1:]
        assert [row["product"] for row in await held(world)] == shoes[1:]
        await resume(world)
        assert featured(world, shoes) == shoes[1:]


async def test_a_moment_that_was_agreed_in_a_pause_is_done_after_it(tmp_path: Path) -> None:
    async with World(tmp_path / "e.db", THREE_A_DAY.replace("while:", "as_soon_as:"), only=(WEB,)) as world:
        shoes = stock(world, 4)
        await world.settle()
        await sell(world, shoes)
        await pause(world)
        await say(world, await the_question(world), is_yes=True)
        await restock(world, shoes[3:])
        assert featured(world, shoes) == shoes
        await resume(world)
        assert featured(world, shoes) == shoes[3:]


async def test_what_a_person_ordered_of_a_question_waits_while_everything_is_paused(tmp_path: Path) -> None:
    planned = 0
    for at in range(1, 8):
        async with World(
            tmp_path / f"{at}.db", sold_out_leaves("limits: {per_hour: 2 products}"), only=(WEB,)
        ) as world:
            shoes = stock(world, 4)
            await world.settle()
            await sell(world, shoes[:2])
            world.clock.move(minutes=61)
            await sell(world, shoes[2:])
            await restock(world, shoes)
            assert (await the_question(world)).kind is QuestionKind.GIVE_BACK
            order = Order(0, OrderKind.GIVE_BACK, RuleCode(RULE), None, world.clock(), "a person undid it")
            given = [(ProductId(id_), order) for id_ in shoes]
            await world.database.write(partial(give_orders, store=WEB, given=given))
            refs = [product(id_) for id_ in shoes]
            await world.database.write(partial(look_now, store=WEB, refs=refs, now=world.clock(), reason="a person"))
            world.cut.at, world.cut.steps = at, 0
            await world.settle_or_fall()
            await world.restart()
            if featured(world, shoes):
                break
            planned += sum(row["state"] == "pending" for row in await world.every(actions))
            await pause(world, "")
            await world.settle()
            assert featured(world, shoes) == []
            await resume(world, "")
            assert featured(world, shoes) == shoes
    assert planned


async def test_a_paused_rule_that_is_edited_asks_anew_when_it_is_resumed(tmp_path: Path) -> None:
    async with World(tmp_path / "e.db", THREE_A_DAY, only=(WEB,)) as world:
        shoes = stock(world, 4)
        await world.settle()
        await sell(world, shoes)
        await pause(world)
        await say(world, await the_question(world), is_yes=True)
        await world.adopt(TWO_A_DAY)
        await world.settle()
        assert featured(world, shoes) == shoes
        assert await held(world) == []
        await resume(world)
        assert featured(world, shoes) == shoes
        assert (await the_question(world)).reason.endswith("its limit is 2 a day")


async def test_what_was_asked_goes_ahead_where_the_limit_is_dropped_and_the_floor_is_kept(tmp_path: Path) -> None:
    async with World(tmp_path / "e.db", sold_out_leaves(LIMIT, FLOOR), only=(WEB,)) as world:
        shoes = stock(world, 5)
        await world.settle()
        await sell(world, shoes)
        await the_question(world)
        await world.adopt(sold_out_leaves(FLOOR))
        await world.settle()
        assert featured(world, shoes) == []
        assert await held(world) == []
        assert await asked(world) == []


@pytest.mark.parametrize("is_yes", [True, False])
async def test_an_answer_counts_on_when_its_rule_only_gets_another_name(tmp_path: Path, is_yes: bool) -> None:
    async with World(tmp_path / "e.db", THREE_A_DAY, only=(WEB,)) as world:
        shoes = stock(world, 4)
        await world.settle()
        await sell(world, shoes)
        await answer_at_once(world, await the_question(world), is_yes=is_yes)
        renamed = THREE_A_DAY.replace("sold-out-leaves:", "gone-leaves:").replace(
            "    stores", "    formerly: sold-out-leaves\n    stores"
        )
        await world.adopt(renamed)
        await world.settle()
        assert featured(world, shoes) == ([] if is_yes else shoes)
        assert await asked(world) == []


async def test_new_rules_that_want_too_much_of_what_was_asked_do_none_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweeping, "REMEMBERED", 6)  # what is wanted is in later pages
    async with World(tmp_path / "e.db", sold_out_leaves("ask_first: over 0 products"), only=(WEB,)) as world:
        shoes = stock(world, 260)
        world.web.restock(SOLD_OUT, 3)
        await known(world)
        await sell(world, shoes)
        await the_question(world)
        await world.adopt(sold_out_leaves("limits: {per_day: 250 products}"))
        await world.settle()
        assert featured(world, shoes) == shoes  # more than a page of them, and still nothing was called
        assert (
            await the_question(world)
        ).reason == "it wants to take 260 products within a day; its limit is 250 a day"


# What is planned for a question's last day goes with it.


async def later_looks(world: World) -> list[str]:
    return [row["id"] for row in await world.every(looks) if row["reason"] == UNANSWERED]


@pytest.mark.parametrize("is_yes", [True, False])
async def test_once_it_is_answered_nothing_is_looked_at_for_its_sake(tmp_path: Path, is_yes: bool) -> None:
    async with World(tmp_path / "e.db", THREE_A_DAY, only=(WEB,)) as world:
        shoes = stock(world, 5)
        await world.settle()
        await sell(world, shoes)
        assert sorted(await later_looks(world)) == shoes
        await restock(world, shoes[4:])
        assert sorted(await later_looks(world)) == shoes[:4]  # what is no longer wanted is in no question
        await say(world, await the_question(world), is_yes=is_yes)
        assert await later_looks(world) == []


async def test_what_a_sweep_asked_is_not_looked_at_either_once_it_is_answered(tmp_path: Path) -> None:
    async with World(tmp_path / "e.db", THREE_A_DAY, only=(WEB,)) as world:
        shoes = stock(world, 5)
        await known(world)
        for id_ in shoes:
            world.web.sell_out(id_)
        world.web.deliveries.clear()
        await swept(world, WEB)
        await restock(world, shoes[4:])
        assert set(await later_looks(world)) >= set(shoes[:4])
        assert shoes[4] not in await later_looks(world)
        await say(world, await the_question(world), is_yes=True)
        assert await later_looks(world) == []


async def test_a_question_that_is_void_leaves_no_look_behind(tmp_path: Path) -> None:
    async with World(tmp_path / "e.db", THREE_A_DAY, only=(WEB,)) as world:
        shoes = stock(world, 5)
        await world.settle()
        await sell(world, shoes)
        await world.adopt(sold_out_leaves())
        await world.settle()
        assert featured(world, shoes) == []
        assert await later_looks(world) == []


async def test_the_looks_of_a_turn_are_written_at_once(tmp_path: Path) -> None:
    async with World(tmp_path / "e.db", THREE_A_DAY, only=(WEB,)) as world:
        shoes = stock(world, 30)
        await world.settle()
        for id_ in shoes:
            world.web.sell_out(id_)
        await world.deliver()
        written: list[str] = []
        note = partial(lambda kept, *given: kept.append(given[2]), written)
        sa.event.listen(world.database.writer, "before_cursor_execute", note)
        await world.run(WEB)
        sa.event.remove(world.database.writer, "before_cursor_execute", note)
        assert len(await later_looks(world)) == len(shoes)
        assert len([text for text in written if text.startswith("INSERT INTO looks")]) == 1
