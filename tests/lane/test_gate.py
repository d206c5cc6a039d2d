"""The gate on a whole engine: limits, questions and their answers, in a shop of Ecwid."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from engine_world import WEB, World
from gate_world import (
    DAY,
    HOUR,
    asked,
    featured,
    held,
    restock,
    said,
    say,
    sell,
    sold_out_leaves,
    stock,
    the_question,
    told,
)

from rules_engine.core.action import Request
from rules_engine.core.delivery import StoreAlias
from rules_engine.core.order import Order, OrderKind
from rules_engine.core.question import Question, QuestionKind, QuestionState
from rules_engine.core.rule import RuleCode
from rules_engine.core.subject import ProductId, product
from rules_engine.database.answers import answer
from rules_engine.database.lanes import look_now
from rules_engine.database.orders import give_orders
from rules_engine.database.outbox import dead_letters, retry_dead_letter
from rules_engine.database.tables import notices
from rules_engine.sandbox import Fault
from rules_engine.sandbox.ecwid_catalogue import FEATURED

pytestmark = pytest.mark.anyio

THREE_A_DAY = sold_out_leaves("limits: {per_day: 3 products}")
WEEK = 7 * DAY


async def test_a_rule_acts_without_asking_up_to_its_limit(tmp_path: Path) -> None:
    async with World(tmp_path / "e.db", THREE_A_DAY, only=(WEB,)) as world:
        shoes = stock(world, 3)
        await world.settle()
        await sell(world, shoes)
        assert featured(world, shoes) == []
        assert await asked(world) == []


async def test_what_does_not_fit_together_is_not_begun_at_all(tmp_path: Path) -> None:
    async with World(tmp_path / "e.db", THREE_A_DAY, only=(WEB,)) as world:
        shoes = stock(world, 4)
        await world.settle()
        await sell(world, shoes)
        question = await the_question(world)
        assert featured(world, shoes) == shoes
        assert question.reason == "it wants to take 4 products within a day; its limit is 3 a day"
        assert (question.kind, question.state) == (QuestionKind.TAKE, QuestionState.OPEN)
        assert question.expires_at == question.asked_at + WEEK
        assert {row["question"] for row in await held(world)} == {question.id}
        assert "held back: it wants to take 4 products within a day" in (await said(world, shoes[0]))[-1]


async def test_with_webhooks_what_was_done_stays_and_the_rest_waits(tmp_path: Path) -> None:
    async with World(tmp_path / "e.db", THREE_A_DAY, only=(WEB,)) as world:
        shoes = stock(world, 6)
        await world.settle()
        for shoe in shoes:
            await sell(world, [shoe])
        assert featured(world, shoes) == shoes[3:]
        question = await the_question(world)
        assert question.reason == "it wants to take 1 product after 3 within the last day; its limit is 3 a day"
        assert [row["product"] for row in await held(world)] == shoes[3:]


async def test_a_day_later_there_is_room_again_but_what_was_asked_waits_for_its_answer(tmp_path: Path) -> None:
    async with World(tmp_path / "e.db", THREE_A_DAY, only=(WEB,)) as world:
        first, second, third = stock(world, 3), stock(world, 3), stock(world, 2)
        await world.settle()
        await sell(world, first)
        world.clock.move(hours=24, seconds=1)
        await sell(world, second)
        assert featured(world, second) == []
        await sell(world, third)
        assert featured(world, third) == third
        await world.settle(within=2 * DAY)
        assert featured(world, third) == third
        assert len(await asked(world)) == 1


async def test_yes_does_what_was_asked_and_is_still_wanted(tmp_path: Path) -> None:
    async with World(tmp_path / "e.db", THREE_A_DAY, only=(WEB,)) as world:
        shoes = stock(world, 5)
        await world.settle()
        await sell(world, shoes)
        world.web.restock(shoes[4], 1)
        world.web.deliveries.clear()  # nobody tells: it is found when the product is looked at for the answer
        await say(world, await the_question(world), is_yes=True)
        assert featured(world, shoes) == [shoes[4]]
        assert await held(world) == []
        assert "a person said yes: goes ahead" in await said(world, shoes[0])
        more = stock(world, 1)
        await world.settle()
        await sell(world, more)
        assert featured(world, more) == more  # what was done by a yes counts
        assert len(await asked(world)) == 1


async def test_no_leaves_the_products_alone_until_their_stretch_ends(tmp_path: Path) -> None:
    async with World(tmp_path / "e.db", THREE_A_DAY, only=(WEB,)) as world:
        shoes = stock(world, 4)
        await world.settle()
        await sell(world, shoes)
        await say(world, await the_question(world), is_yes=False)
        assert await held(world) == []
        world.web.edit_product(shoes[0], name="Another name")
        await world.settle(within=2 * DAY)
        assert featured(world, shoes) == shoes
        assert "a person said no: left alone until the rule's condition ends" in await said(world, shoes[0])
        assert await asked(world) == []
        await restock(world, shoes[:1])
        await sell(world, shoes[:1])
        assert featured(world, shoes) == shoes[1:]  # a new stretch is a new wish


async def test_nobody_answers_for_a_week_and_that_is_a_no(tmp_path: Path) -> None:
    async with World(tmp_path / "e.db", THREE_A_DAY, only=(WEB,)) as world:
        shoes = stock(world, 4)
        await world.settle()
        await sell(world, shoes)
        question = await the_question(world)
        world.clock.move(hours=7 * 24 - 1)
        await world.settle()
        assert await asked(world) == [question]
        await world.settle(within=2 * HOUR)
        (expired,) = await asked(world, WEB, QuestionState.EXPIRED)
        assert expired.id == question.id
        assert await held(world) == []
        assert featured(world, shoes) == shoes
        assert "nobody answered within 7 days: left alone until the rule's condition ends" in await said(
            world, shoes[3]
        )


async def test_a_rule_that_was_edited_is_judged_anew(tmp_path: Path) -> None:
    async with World(tmp_path / "e.db", THREE_A_DAY, only=(WEB,)) as world:
        shoes = stock(world, 4)
        await world.settle()
        await sell(world, shoes)
        question = await the_question(world)
        await world.adopt(sold_out_leaves("limits: {per_day: 10 products}"))
        await world.settle()
        (void,) = await asked(world, WEB, QuestionState.VOID)
        assert void.id == question.id
        assert featured(world, shoes) == []


async def test_a_rule_that_was_edited_and_still_wants_too_much_asks_again(tmp_path: Path) -> None:
    async with World(tmp_path / "e.db", THREE_A_DAY, only=(WEB,)) as world:
        shoes = stock(world, 4)
        await world.settle()
        await sell(world, shoes)
        await world.adopt(sold_out_leaves("limits: {per_day: 2 products}"))
        await world.settle()
        question = await the_question(world)
        assert question.reason.endswith("its limit is 2 a day")
        assert {row["question"] for row in await held(world)} == {question.id}
        assert featured(world, shoes) == shoes


async def test_a_rule_that_has_no_limits_any_more_goes_ahead(tmp_path: Path) -> None:
    async with World(tmp_path / "e.db", THREE_A_DAY, only=(WEB,)) as world:
        shoes = stock(world, 4)
        await world.settle()
        await sell(world, shoes)
        await world.adopt(sold_out_leaves())
        await world.settle()
        assert featured(world, shoes) == []
        assert await asked(world) == []


async def test_giving_back_is_counted_apart_and_goes_on_while_the_rule_asks_to_take(tmp_path: Path) -> None:
    async with World(tmp_path / "e.db", THREE_A_DAY, only=(WEB,)) as world:
        taken, more = stock(world, 3), stock(world, 2)
        await world.settle()
        await sell(world, taken)
        await sell(world, more)
        await restock(world, taken[:2])
        assert featured(world, taken) == taken[:2]
        await sell(world, taken[:2])
        assert featured(world, taken) == taken[:2]  # it joins the question, though it counts already
        assert len(await asked(world)) == 1


async def test_giving_back_too_much_is_asked_for_and_no_keeps_it_out(tmp_path: Path) -> None:
    async with World(tmp_path / "e.db", sold_out_leaves("limits: {per_hour: 2 products}"), only=(WEB,)) as world:
        shoes = stock(world, 4)
        await world.settle()
        await sell(world, shoes[:2])
        world.clock.move(minutes=61)
        await sell(world, shoes[2:])
        await restock(world, shoes)
        question = await the_question(world)
        assert question.kind is QuestionKind.GIVE_BACK
        assert question.reason == "it wants to give back 4 products within an hour; its limit is 2 an hour"
        assert featured(world, shoes) == []
        await say(world, question, is_yes=False)
        await world.settle(within=2 * DAY)
        assert featured(world, shoes) == []
        assert "a person said no: it stays as it is" in await said(world, shoes[0])
        for shoe in shoes:
            assert (await world.case(WEB, product(shoe))).slots == {}


async def test_what_is_no_longer_wanted_leaves_the_question(tmp_path: Path) -> None:
    async with World(tmp_path / "e.db", THREE_A_DAY, only=(WEB,)) as world:
        shoes = stock(world, 4)
        await world.settle()
        await sell(world, shoes)
        await restock(world, shoes[1:])
        assert [row["product"] for row in await held(world)] == shoes[:1]
        await say(world, await the_question(world), is_yes=True)
        assert featured(world, shoes) == shoes[1:]


async def test_people_are_told_once_that_a_rule_asks(tmp_path: Path) -> None:
    rules = sold_out_leaves("limits: {per_day: 3 products}").replace(
        "Featured}]", "Featured}, {notify: {webhook: floor}}]"
    )
    async with World(tmp_path / "e.db", rules, only=(WEB,)) as world:
        shoes = stock(world, 5)
        await world.settle()
        await sell(world, shoes[:4])
        await sell(world, shoes[4:])
        (notice,) = await told(world)
        assert notice["text"] == (
            "asks: it wants to take 4 products within a day; its limit is 3 a day; may it? `rules-engine questions`"
        )
        assert notice["called"] == "sold-out-leaves"


async def test_people_are_not_told_that_something_is_done_which_is_held_back(tmp_path: Path) -> None:
    rules = sold_out_leaves("limits: {per_day: 3 products}").replace(
        "Featured}]", "Featured}, {notify: {webhook: floor}}]"
    )
    async with World(tmp_path / "e.db", rules, only=(WEB,)) as world:
        shoes = stock(world, 5)
        await world.settle()
        await sell(world, shoes[:4])
        await sell(world, shoes[4:])
        texts = [row["text"] for row in await world.every(notices) if not row["text"].startswith("asks")]
        assert len(texts) == 5
        assert all("held back: it wants to take 4 products within a day" in text for text in texts)


async def test_a_shop_that_is_down_for_hours_lets_no_more_through_than_the_limit(tmp_path: Path) -> None:
    async with World(tmp_path / "e.db", sold_out_leaves("limits: {per_hour: 2 products}"), only=(WEB,)) as world:
        shoes = stock(world, 4)
        await world.settle()
        world.web.faults.append(Fault(status=503, path="/unassignProducts", where="write", times=10_000))
        for id_ in shoes[:2]:
            world.web.sell_out(id_)
        await world.settle(within=timedelta(minutes=2))
        world.clock.move(hours=3)
        for id_ in shoes[2:]:
            world.web.sell_out(id_)
        await world.settle(within=timedelta(minutes=2))
        assert len(await asked(world)) == 1  # the first two may be called any minute: they still count
        world.web.faults.clear()
        await world.settle()
        assert featured(world, shoes) == shoes[2:]


async def test_a_dead_letter_that_a_person_has_tried_again_is_judged_again(tmp_path: Path) -> None:
    async with World(tmp_path / "e.db", sold_out_leaves("limits: {per_day: 2 products}"), only=(WEB,)) as world:
        shoes = stock(world, 4)
        await world.settle()
        world.web.faults.append(Fault(status=400, path="/unassignProducts", where="write", times=1))
        await sell(world, shoes[:1])
        (letter,) = await world.database.read(dead_letters)
        await sell(world, shoes[1:2])
        world.clock.move(hours=23)
        await world.database.write(lambda c: retry_dead_letter(c, letter.action.key, now=world.clock()))
        await world.settle()
        assert featured(world, shoes[:1]) == []  # it was called today, so it needs no more room
        await sell(world, shoes[2:3])
        assert featured(world, shoes[2:3]) == shoes[2:3]


COUNTS_FIRST = """
  cheap-leaves:
    stores: [web]
    while: {product.price: {at_most: 1}}
    do: [{remove_from_category: Featured}]
    never_leave: fewer than 1 product in Featured
"""


async def test_an_answer_that_comes_while_a_turn_is_under_way_is_heard(tmp_path: Path) -> None:
    async with World(tmp_path / "e.db", THREE_A_DAY + COUNTS_FIRST, only=(WEB,)) as world:
        shoes, cheap = stock(world, 5), stock(world, 1)
        await world.settle()
        await sell(world, shoes[:4])
        question = await the_question(world)
        world.web.sell_out(shoes[4])
        world.web.edit_product(cheap[0], price=0.5)
        answered: list[str] = []

        def answer_now(_alias: StoreAlias, request: Request) -> None:
            if "categories/" in request.url and not answered:  # the members are counted: questions were read before
                answered.append(request.url)
                _answer_at_once(world, question)

        world.after_call = answer_now
        await world.settle()
        assert answered
        assert featured(world, shoes) == shoes[4:]
        other = await the_question(world)
        assert other.reason == "it wants to take 1 product after 4 within the last day; its limit is 3 a day"
        assert [row["product"] for row in await held(world)] == shoes[4:]


async def test_what_a_person_said_yes_to_counts_from_then_on(tmp_path: Path) -> None:
    async with World(tmp_path / "e.db", THREE_A_DAY, only=(WEB,)) as world:
        shoes = stock(world, 5)
        await world.settle()
        await sell(world, shoes[:4])
        question = await the_question(world)
        world.web.sell_out(shoes[4])
        await world.deliver()
        _answer_at_once(world, question)
        await world.settle()
        assert featured(world, shoes) == shoes[4:]
        assert len(await asked(world)) == 1


async def test_what_a_person_orders_is_held_back_by_no_limit(tmp_path: Path) -> None:
    async with World(tmp_path / "e.db", sold_out_leaves("limits: {per_hour: 2 products}"), only=(WEB,)) as world:
        shoes = stock(world, 4)
        await world.settle()
        await sell(world, shoes[:2])
        world.clock.move(minutes=61)
        await sell(world, shoes[2:])
        await _order_back(world, shoes)
        assert featured(world, shoes) == shoes
        assert await asked(world) == []


async def test_moments_count_as_taking_and_a_no_leaves_them_undone(tmp_path: Path) -> None:
    rules = THREE_A_DAY.replace("while:", "as_soon_as:")
    async with World(tmp_path / "e.db", rules, only=(WEB,)) as world:
        shoes = stock(world, 4)
        await world.settle()
        await sell(world, shoes)
        assert featured(world, shoes) == shoes
        await say(world, await the_question(world), is_yes=False)
        await world.settle(within=2 * DAY)
        assert featured(world, shoes) == shoes
        assert "a person said no: not done" in await said(world, shoes[0])


async def test_the_hours_of_a_rule_are_kept_also_after_a_yes(tmp_path: Path) -> None:
    rules = sold_out_leaves("limits: {per_day: 3 products}", "between: 08:00 and 18:00")
    async with World(tmp_path / "e.db", rules, only=(WEB,)) as world:
        shoes = stock(world, 4)
        await world.settle()
        world.clock.time = world.clock().replace(hour=12)
        await sell(world, shoes)
        world.clock.time = world.clock().replace(hour=20)
        await say(world, await the_question(world), is_yes=True)
        assert featured(world, shoes) == shoes
        await world.settle(within=13 * HOUR)
        assert featured(world, shoes) == []
        assert world.clock().hour >= 8


async def test_outside_its_hours_a_rule_neither_counts_nor_asks(tmp_path: Path) -> None:
    rules = sold_out_leaves("limits: {per_day: 3 products}", "between: 08:00 and 18:00")
    async with World(tmp_path / "e.db", rules, only=(WEB,)) as world:
        shoes = stock(world, 4)
        await world.settle()
        world.clock.time = world.clock().replace(hour=20)
        await sell(world, shoes)
        assert await asked(world) == []
        await world.settle(within=13 * HOUR)
        assert len(await asked(world)) == 1
        assert featured(world, shoes) == shoes
        assert str(FEATURED) in world.members(WEB)


def _answer_at_once(world: World, question: Question) -> None:
    with world.database.writer.begin() as connection:
        answer(connection, question, is_yes=True, said="", now=world.clock(), stores=list(world.lanes))


async def _order_back(world: World, ids: list[str]) -> None:
    """A person has the rule give these back."""
    order = Order(0, OrderKind.GIVE_BACK, RuleCode("sold-out-leaves"), None, world.clock(), "a person undid it")
    given = [(ProductId(id_), order) for id_ in ids]
    await world.database.write(partial(give_orders, store=WEB, given=given))
    refs = [product(id_) for id_ in ids]
    await world.database.write(partial(look_now, store=WEB, refs=refs, now=world.clock(), reason="a person"))
    await world.settle()


async def test_a_question_of_which_nothing_is_left_is_void_and_holds_up_nobody(tmp_path: Path) -> None:
    async with World(tmp_path / "e.db", THREE_A_DAY, only=(WEB,)) as world:
        shoes = stock(world, 4)
        await world.settle()
        await sell(world, shoes)
        question = await the_question(world)
        await restock(world, shoes)
        assert await asked(world) == []
        assert [each.id for each in await asked(world, WEB, QuestionState.VOID)] == [question.id]
        await sell(world, shoes[:1])
        assert featured(world, shoes) == shoes[1:]


async def test_a_question_in_which_one_product_is_left_stays_open(tmp_path: Path) -> None:
    async with World(tmp_path / "e.db", THREE_A_DAY, only=(WEB,)) as world:
        shoes = stock(world, 4)
        await world.settle()
        await sell(world, shoes)
        question = await the_question(world)
        await restock(world, shoes[1:])
        assert await the_question(world) == question
