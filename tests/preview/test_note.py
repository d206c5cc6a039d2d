"""The morning note tells what was done and what waits, by name, and is three lines long where neither is."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from engine_world import KSA, WEB, World, stores

from rules_engine.core.delivery import StoreAlias
from rules_engine.core.plan import Step
from rules_engine.core.question import Question, QuestionId, QuestionKind, QuestionState
from rules_engine.core.rule import RuleCode
from rules_engine.core.subject import product
from rules_engine.core.sweep import SweepKind, SweepState
from rules_engine.database import tallies
from rules_engine.database.lanes import postpone_look, save_lane
from rules_engine.database.questions import save_questions
from rules_engine.database.sweeps import find_sweep, request_sweep, save_sweep
from rules_engine.database.tables import actions, holds
from rules_engine.lane.rules import pause_in_force
from rules_engine.preview.note import StoreNote, gather_note
from rules_engine.preview.note_text import as_plain, lines_of_note
from rules_engine.sandbox import Fault

pytestmark = pytest.mark.anyio

RULES = """
rules:
  sold-out:
    stores: [web]
    while: {product.stock: 0}
    do: [{remove_from_category: {id: 101}}]
    never_leave: {fewer_than: 1, in: {id: 101}}
  news:
    stores: [web]
    as_soon_as: {product.stock: {becomes: 7}}
    do: [{add_to_category: {id: 102}}]
  idle:
    stores: [web]
    while: {product.stock: {at_least: 1000}}
    do: [hide]
  asleep:
    stores: [web]
    mode: paused
    because: not yet
    while: {product.stock: {at_least: 1000}}
    do: [hide]
"""
SOLD_OUT, NEWS, IDLE = (RuleCode(code) for code in ("sold-out", "news", "idle"))
NAMES = {1: "Boot", 2: "Hat", 3: "Scarf", 4: "Glove", 5: "Belt", 6: "Bag", 7: "Tie"}
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """A shop whose products are all in Featured, known to the engine, the day before."""
    async with World(tmp_path / "engine.db", RULES, only=(WEB,)) as world:
        for id_ in list(world.web.products):
            world.web.delete_product(id_)
        world.web.add_category("Featured", id_="101")
        world.web.add_category("New", id_="102")
        for id_, name in NAMES.items():
            world.web.add_product(id=id_, name=name, quantity=3, category_ids=[101])
        world.web.add_product(id=8, name="Coat", quantity=3, category_ids=[101])  # so that there is room for the others
        await world.settle()
        world.clock.time += DAY
        yield world


async def sell(world: World, *ids: int, stock: int = 0) -> None:
    for id_ in ids:
        world.web.restock(id_, stock)
    await world.settle()


async def note(world: World, *, since: timedelta = DAY, zone: str = "UTC") -> StoreNote:
    of = next(store for store in stores() if store.alias == WEB)
    of = replace(of, settings=of.settings.model_copy(update={"time_zone": zone}))
    now = world.clock()

    def read(connection: sa.Connection) -> StoreNote:
        in_force = world.lanes[WEB].rules.in_force(connection)
        assert in_force is not None
        [found] = gather_note(
            connection, [of], {WEB: in_force.rules_for(WEB)}, since=now - since, now=now, kept=30 * DAY
        )
        return found

    return await world.database.read(read)


async def text(world: World, *, since: timedelta = DAY) -> list[str]:
    return lines_of_note(await note(world, since=since))


async def write(world: World, work: Callable[..., object], **given: Any) -> None:
    await world.database.write(partial(work, **given))


async def test_the_note_of_a_quiet_shop_is_three_lines(world: World) -> None:
    id_ = await world.database.write(
        partial(request_sweep, store=WEB, kind=SweepKind.NIGHTLY, now=world.clock(), reason="every night")
    )
    sweep = await world.database.read(partial(find_sweep, id_=id_))
    assert sweep is not None
    done = replace(sweep, state=SweepState.DONE, finished_at=world.clock(), seen=1200, found={"changed": 3, "new": 0})
    await write(world, save_sweep, sweep=done)
    world.clock.time += DAY * 12
    title, nothing, swept = await text(world)
    assert title.startswith("web, since ")
    assert nothing == (
        "Nothing was taken or returned, and nothing waits for you. "
        "Of 3 rules, idle did nothing for the longest (nothing in the last 30 days)."
    )
    assert swept.startswith("Last sweep ")
    assert swept.endswith(": 1,200 products, 3 changed without a webhook.")


async def test_what_was_taken_and_returned_is_told_by_rule_with_the_first_products_by_name(world: World) -> None:
    await sell(world, 1, 2, 3, 4, 5)
    await sell(world, 2, stock=3)
    await sell(world, 6, stock=7)
    found = await note(world)
    told = [(each.rule, each.step, each.products) for each in found.done]
    assert sorted(told) == [(NEWS, Step.MOMENT, 1), (SOLD_OUT, Step.GIVE_BACK, 1), (SOLD_OUT, Step.TAKE, 5)]
    said = lines_of_note(found)
    assert said[1:3] == ["Taken: 5 products", "• sold-out: 5 products (Boot, Hat, Scarf and 2 more)"]
    assert said[3:5] == ["Returned: 1 product", "• sold-out: 1 product (Hat)"]
    assert said[5:7] == ["Moments: 1 product", "• news: 1 product (Bag)"]


async def test_what_was_done_before_the_span_is_not_told_again(world: World) -> None:
    await sell(world, 1)
    world.clock.time += HOUR * 25
    await sell(world, 2)
    assert [(each.products, [n.name for n in each.names]) for each in (await note(world)).done] == [(1, ["Hat"])]
    assert [each.products for each in (await note(world, since=DAY * 2)).done] == [2]


async def test_what_somebody_else_had_done_and_what_was_given_up_is_nothing_that_we_did(world: World) -> None:
    world.web.faults.append(Fault(status=422, where="write"))
    await sell(world, 1)
    found = await note(world)
    assert (found.done, found.dead, found.held.products) == ((), 1, 0)
    assert "Given up: 1 action. Look at them with `rules-engine dead-letters --store web`." in lines_of_note(found)


async def test_what_was_done_though_its_answer_was_lost_is_told(world: World) -> None:
    world.web.faults.append(Fault.drop_after_applying())
    await sell(world, 1)
    assert [(each.rule, each.step, each.products) for each in (await note(world)).done] == [(SOLD_OUT, Step.TAKE, 1)]


async def test_what_is_still_held_is_told_oldest_first_and_the_rest_is_counted(world: World) -> None:
    for id_ in NAMES:
        await sell(world, id_)
        world.clock.time += HOUR
    found = await note(world)
    assert found.held.products == 7
    assert [each.product.id for each in found.held.first] == ["1", "2", "3", "4", "5"]
    said = lines_of_note(found)
    at = said.index("Held: 7 products, those for the longest first")
    assert said[at + 1].startswith("• Boot is not in Featured (101), since ")
    assert said[at + 1].endswith(" (sold-out)")
    assert said[at + 6] == "• and 2 more products"


async def test_where_a_person_won_since_is_told_with_how_they_put_it(world: World) -> None:
    await sell(world, 1, 2)
    world.clock.time += HOUR
    world.web.assign(1, 101)
    await world.settle()
    said = await text(world)
    at = said.index("Left to people, who put it otherwise: 1 product")
    assert said[at + 1].startswith("• Boot is in Featured (101) (sold-out, ")
    world.clock.time += DAY * 2
    assert (await note(world)).stepped_back.products == 0


async def test_what_is_owed_is_told_with_what_is_to_come_back_and_why_it_did_not(world: World) -> None:
    await sell(world, 1)
    late = {"state": "owed", "reason": "The shop says 503.", "changed_at": world.clock() - HOUR * 3}
    await write(world, lambda connection: connection.execute(sa.update(holds).values(late)))
    said = await text(world)
    at = said.index("Owed and not given back yet: 1 product")
    assert said[at + 1] == "• Boot goes back into Featured (101), due 3 hours ago (sold-out: The shop says 503.)"


def question(id_: str, at: datetime, kind: QuestionKind = QuestionKind.TAKE) -> Question:
    reason = "it would act on 2 products within an hour, and may on 1"
    return Question(QuestionId(id_), WEB, SOLD_OUT, kind, reason, "f", QuestionState.OPEN, at)


async def test_questions_are_told_with_the_commands_that_answer_them(world: World) -> None:
    await sell(world, 1, 2)
    asked_at = world.clock()
    await write(world, save_questions, asked=[question("aaaaaaaa-1", asked_at)])
    await write(world, save_questions, asked=[question("bbbbbbbb-2", asked_at, QuestionKind.GONE)])
    asked = sa.update(actions).values(question="aaaaaaaa-1", state="held back")
    await write(world, lambda connection: connection.execute(asked))
    world.clock.time += HOUR * 2
    said = await text(world)
    at = said.index("Waiting for your answer: 2 questions")
    assert said[at + 1] == (
        "• sold-out (2 products): it would act on 2 products within an hour, and may on 1, asked 2 hours ago. "
        "Answer with `rules-engine questions yes aaaaaaaa`, or no."
    )
    assert "keep: `rules-engine questions no bbbbbbbb`" in said[at + 2]


async def test_what_never_leave_keeps_waiting_is_told_with_the_category(world: World) -> None:
    await sell(world, 1, 2)
    waits = "would leave Featured with fewer than 4 products; waits until there are more"
    values = {"state": "held back", "reason": waits, "admitted_at": None}
    kept = sa.update(actions).where(actions.c.product == "1").values(values)
    await write(world, lambda connection: connection.execute(kept))
    said = await text(world)
    at = said.index("Kept waiting by `never_leave`, until there is room: 1 product")
    assert said[at + 1] == f"• take Boot out of Featured (101) (sold-out: {waits})"
    await write(world, save_questions, asked=[question("aaaaaaaa-1", world.clock())])
    asked = sa.update(actions).where(actions.c.product == "1").values(question="aaaaaaaa-1")
    await write(world, lambda connection: connection.execute(asked))
    assert (await note(world)).kept_waiting.products == 0, "it is told with its question"


async def kept_waiting(world: World, **values: object) -> int:
    held = sa.update(actions).where(actions.c.product == "1").values(state="held back", **values)
    await write(world, lambda connection: connection.execute(held))
    return (await note(world)).kept_waiting.products


@pytest.mark.parametrize(
    ("state", "is_told"),
    [
        (QuestionState.YES, True),
        (QuestionState.NO, False),
        (QuestionState.EXPIRED, False),
        (QuestionState.VOID, False),
    ],
)
async def test_of_what_was_asked_about_only_a_yes_can_be_kept_waiting_by_never_leave(
    world: World, state: QuestionState, *, is_told: bool
) -> None:
    await sell(world, 1)
    asked = replace(question("aaaaaaaa-1", world.clock()), state=state, answered_at=world.clock())
    await write(world, save_questions, asked=[asked])
    assert await kept_waiting(world, admitted_at=None, question="aaaaaaaa-1") == is_told


async def test_what_was_let_through_and_is_only_looked_at_once_more_is_not_kept_waiting(world: World) -> None:
    await sell(world, 1)
    assert await kept_waiting(world, admitted_at=None) == 1
    assert await kept_waiting(world, admitted_at=world.clock()) == 0


async def test_never_leave_keeps_nothing_waiting_of_a_paused_rule_or_of_one_without_it(world: World) -> None:
    await sell(world, 1)
    assert await kept_waiting(world, admitted_at=None) == 1
    assert await kept_waiting(world, rule="idle") == 0
    assert await kept_waiting(world, rule="sold-out") == 1
    await write(world, pause_in_force, store=WEB, rule=SOLD_OUT, because="prices are wrong", now=world.clock())
    assert (await note(world)).kept_waiting.products == 0


async def test_a_product_that_flips_too_often_is_told_with_the_time_when_it_goes_on(world: World) -> None:
    for _ in range(3):
        await sell(world, 1)
        await sell(world, 1, stock=3)
    assert (await note(world)).put_off.products == 0
    await sell(world, 1)
    said = await text(world)
    at = said.index("Put off, because a rule acted on them too often or too lately: 1 product")
    assert said[at + 1].startswith(
        "• take Boot out of Featured (101) (sold-out: taken 3 times in 24 hours; waits until "
    )


async def test_a_pause_is_told_with_the_command_that_ends_it(world: World) -> None:
    now = world.clock()
    await write(world, pause_in_force, store=WEB, rule=RuleCode(""), because="stock-taking", now=now)
    assert "Paused now: everything, because stock-taking. Go on with `rules-engine resume --store web`." in (
        await text(world)
    )


async def test_pauses_parked_stores_and_what_could_not_be_looked_at_are_told(world: World) -> None:
    now = world.clock()
    await write(world, pause_in_force, store=WEB, rule=SOLD_OUT, because="prices are wrong", now=now)
    await write(world, pause_in_force, store=StoreAlias(""), rule=RuleCode(""), because="stock-taking", now=now)
    await write(world, pause_in_force, store=KSA, rule=RuleCode(""), because="of another store", now=now)
    await write(world, partial(save_lane, parked_because="The shop refuses the token."), store=WEB)
    failed = {"ref": product("1"), "due_at": now, "reason": "The shop says 500."}
    await write(world, postpone_look, store=WEB, **failed)
    said = await text(world)
    assert "Parked: The shop refuses the token." in said
    paused = [line for line in said if line.startswith("Paused ")]
    assert ["sold-out, because prices are wrong" in line for line in paused] == [True, False]
    assert "everything, because stock-taking" in paused[1]
    at = said.index("Could not be looked at: 1 subject, tried again every hour")
    assert said[at + 1] == "• product:1: The shop says 500."


async def test_rules_that_did_nothing_and_hold_nothing_are_told_with_for_how_long(world: World) -> None:
    await sell(world, 6, stock=7)
    world.clock.time += DAY * 12
    await sell(world, 1)
    found = await note(world)
    assert [each.rule for each in found.idle] == [IDLE, NEWS]
    assert found.rules == 3  # one is paused
    assert "Did nothing: idle (nothing in the last 30 days) and news (last 12 days ago)" in lines_of_note(found)


async def test_a_rule_that_holds_something_is_not_idle(world: World) -> None:
    await sell(world, 1)
    world.clock.time += DAY * 12
    assert SOLD_OUT not in [each.rule for each in (await note(world)).idle]


async def test_times_are_those_of_the_store(world: World) -> None:
    world.clock.time = world.clock().replace(hour=22, minute=30)
    riyadh = lines_of_note(await note(world, since=HOUR, zone="Asia/Riyadh"))
    assert riyadh[0] == "web, since 00:30 (Asia/Riyadh)"


async def test_as_values_the_note_says_the_same(world: World) -> None:
    await sell(world, 1)
    plain: Any = as_plain(await note(world))
    boot = {"id": "1", "sku": "SKU-1", "name": "Boot"}
    assert plain["done"] == [{"rule": "sold-out", "step": "take", "products": 1, "first": [boot]}]
    assert plain["held"]["first"][0]["text"] == "Boot is not in Featured (101)"
    assert plain["parked_because"] is None


async def test_the_counts_walk_over_spans_of_indexes_and_over_what_is_open(world: World) -> None:
    said: list[str] = []

    def read(connection: sa.Connection) -> None:
        def explain(_c: Any, _k: Any, statement: str, parameters: Any, *_: Any) -> None:  # Any: what SQLAlchemy gives
            if statement.startswith("SELECT"):
                rows = connection.connection.cursor().execute(f"EXPLAIN QUERY PLAN {statement}", parameters)
                said.extend(row[3] for row in rows)

        sa.event.listen(connection, "before_cursor_execute", explain)
        now = world.clock()
        tallies.deeds_since(connection, now - DAY, first=3)
        tallies.last_deeds(connection, WEB, [SOLD_OUT])
        tallies.count_dead(connection)
        tallies.count_set_aside(connection, WEB, first=3)

    await world.database.read(read)
    assert len(said) > 5
    walks = [
        each for each in said if each.startswith("SCAN ") and each.removeprefix("SCAN ") in {"actions", "attempts"}
    ]
    assert walks == []
