"""A plan says what rules would ask first, what would wait, and what becomes of what is held and asked now."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
import sqlalchemy as sa
from engine_world import WEB, World, empty_database, rulebook, stores
from remembered import NOON, SHOP, remember

from rules_engine.core.changes import fingerprint
from rules_engine.core.delivery import StoreAlias
from rules_engine.core.question import Question, QuestionKind, QuestionState, question_id
from rules_engine.core.rule import RuleCode
from rules_engine.core.sweep import SweepKind
from rules_engine.database.engine import Database
from rules_engine.database.pauses import add_pause
from rules_engine.database.questions import save_questions
from rules_engine.database.sweeps import request_sweep
from rules_engine.database.tables import actions
from rules_engine.database.tables_people import sweeps
from rules_engine.lane.rules import pause_in_force
from rules_engine.preview.plan import StorePlan, preview
from rules_engine.preview.plan_fields import plan_fields
from rules_engine.preview.plan_markdown import markdown_of_plan
from rules_engine.preview.plan_text import text_of_plan
from rules_engine.vendors import VENDORS

LAG = timedelta(seconds=600)
OLD = RuleCode("leaves")
RUNNER = "37208339"
UNCOUNTED = "and the products are not counted yet: `rules-engine reconcile` does"
WANTS = "it wants to take 2 products"


def rules(more: str = "", code: str = "leaves", stock: int = 0) -> str:
    return f"""
rules:
  {code}:
    stores: [web]
    while: {{product.stock: {{at_most: {stock}}}}}
    do: [{{remove_from_category: Featured}}]
    {more}
"""


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """A shop with two sold-out products in Featured, and one more that is in it."""
    file = shutil.copy(empty_database(tmp_path), tmp_path / "engine.db")
    database = Database.from_url(f"sqlite:///{file}")
    remember(database, WEB, SHOP)
    yield database
    database.close()


def plan(database: Database, text: str, *, in_force: str | None = None) -> StorePlan:
    store = next(each for each in stores() if each.alias == WEB)
    vendor = VENDORS[store.settings.vendor](store.settings)
    before = None if in_force is None else rulebook(in_force)
    return preview(database, store, vendor, rulebook(text), now=NOON, lag=LAG, in_force=before)


def asks(database: Database, text: str) -> Sequence[str]:
    return plan(database, text).rules[0].asks


# What would be asked.


@pytest.mark.parametrize(
    ("guard", "said"),
    [
        ("limits: {per_day: 1 product}", "it wants to take 2 products within a day; its limit is 1 a day"),
        ("limits: {per_hour: 1}", "it wants to take 2 products within an hour; its limit is 1 an hour"),
        ("ask_first: over 1 products", "it wants to take 2 products at once; it asks first over 1"),
        ("ask_first: always", "it wants to take 2 products at once; it always asks first"),
        (
            "limits: {per_day: 10%}",
            f"{WANTS} within a day; its limit is 10 % a day, {UNCOUNTED}",
        ),
        ("limits: {per_day: 2}", ""),
        ("ask_first: over 2 products", ""),
        ("limits: {per_day: 1}\n    mode: paused\n    because: a move", ""),
        ("limits: {per_day: 1}\n    must_last: 1 hour", ""),
        ('limits: {per_day: 1}\n    between: "01:00 and 02:00"', ""),
    ],
)
def test_what_does_not_fit_would_be_asked_first(database: Database, guard: str, said: str) -> None:
    assert asks(database, rules(guard)) == ((f"would ask first: {said}",) if said else ())


def test_a_rule_that_only_watches_says_what_it_would_ask_if_it_were_live(database: Database) -> None:
    assert len(asks(database, rules("limits: {per_day: 1}\n    mode: watch"))) == 1


def test_a_share_is_of_what_the_last_sweep_found(database: Database) -> None:
    def swept(connection: sa.Connection) -> None:
        id_ = request_sweep(connection, WEB, SweepKind.NIGHTLY, now=NOON, reason="night")
        done = sa.update(sweeps).where(sweeps.c.id == id_)
        connection.execute(done.values(state="done", finished_at=NOON, seen=19))

    database.write_now(swept)
    assert asks(database, rules("limits: {per_day: 10%}"))[0].endswith(
        "its limit is 10 % of 19 products a day, which is 1"
    )
    assert asks(database, rules("limits: {per_day: 11%}")) == ()


def called(connection: sa.Connection, rule: str) -> None:
    row = {"key": "k", "store": WEB, "kind": "remove_from_category", "product": "9", "aspect": "membership"}
    row |= {"slot_target": "7", "target": "7", "step": "take", "about_kind": "product", "about_id": "9"}
    row |= {"state": "confirmed", "rule": rule}
    times = {"created_at": NOON, "called_at": NOON - timedelta(hours=2)}
    connection.execute(sa.insert(actions).values(**row, **times, wish=False, rules=[rule], caused_by=[], attempts=1))


@pytest.mark.parametrize(("code", "more"), [("leaves", ""), ("goes", "\n    formerly: leaves")])
def test_what_was_done_within_the_span_counts_also_under_a_former_code(
    database: Database, code: str, more: str
) -> None:
    database.write_now(partial(called, rule="leaves"))
    text = rules(f"limits: {{per_day: 2, per_hour: 2}}{more}", code)
    said = "would ask first: it wants to take 2 products after 1 within the last day; its limit is 2 a day"
    assert asks(database, text) == (said,)


# What would wait.


@pytest.mark.parametrize(
    ("floor", "said"),
    [
        (2, "1 of 2 would wait: it never leaves Featured with fewer than 2 products, and 3 are in it"),
        (9, "2 of 2 would wait: it never leaves Featured with fewer than 9 products, and 3 are in it"),
        (1, ""),
    ],
)
def test_what_is_beyond_a_floor_would_wait(database: Database, floor: int, said: str) -> None:
    products = "1 product" if floor == 1 else f"{floor} products"
    assert asks(database, rules(f"never_leave: fewer than {products} in Featured")) == ((said,) if said else ())


# What becomes of what is held.


async def held_world(path: Path) -> World:
    """An engine whose rule holds two products of an Ecwid shop."""
    world = World(path / "engine.db", rules(), only=(WEB,))
    await world.__aenter__()
    for id_ in world.web.products:
        world.web.edit_product(id_, price=3.0)
    world.web.sell_out(RUNNER)
    await world.settle()
    return world


def planned(world: World, text: str) -> StorePlan:
    store = next(each for each in stores() if each.alias == WEB)
    vendor = VENDORS[store.settings.vendor](store.settings)
    before = rulebook(rules())
    return preview(world.database, store, vendor, rulebook(text), now=world.clock(), lag=LAG, in_force=before)


def notes(world: World, text: str) -> list[str]:
    return [said for _, said in planned(world, text).notes]


@pytest.mark.anyio
async def test_every_change_of_a_rule_says_what_becomes_of_what_it_holds(tmp_path: Path) -> None:
    world = await held_world(tmp_path)
    assert notes(world, rules()) == []
    assert notes(world, rules("formerly: leaves", "goes")) == ["goes takes over what leaves holds: 2 products."]
    (said,) = notes(world, rules(stock=-5))
    assert said == "leaves was edited and holds 2 products: 2 would be given back, 0 stay held."
    (said,) = notes(world, rules(stock=1000))
    assert said.startswith("leaves was edited and holds 2 products: 2 stay held, ")
    assert said.endswith(" more would be taken.")
    (said,) = notes(world, rules("mode: watch"))
    assert said == "leaves only watches: it keeps the 2 products that it holds, and neither takes nor gives back."
    assert notes(world, rules("mode: paused\n    because: a move")) == []
    (said,) = notes(world, "rules: {}")
    assert said.startswith("leaves is no rule here any more and holds 2 products: you would be asked whether they ")
    lines = list(text_of_plan(planned(world, rules("mode: paused\n    because: a move")), limit=3))
    assert "leaves is paused (a move): keeps what it holds of 2 products." in lines
    await world.stop()


@pytest.mark.anyio
async def test_a_question_about_a_rule_that_is_gone_is_said_to_wait_and_to_end_when_it_is_back(tmp_path: Path) -> None:
    world = await held_world(tmp_path)
    await world.adopt("rules: {}")
    (said,) = notes(world, "rules: {}")
    assert said.endswith("`rules-engine questions` waits for your answer whether they are given back or kept.")
    back = "leaves is back, so nobody is asked any more what becomes of what it holds."
    assert back in notes(world, rules())
    assert back in notes(world, rules("formerly: leaves", "goes"))
    await world.stop()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (rules(), "leaves waits for an answer about no product: `rules-engine questions show "),
        (rules("formerly: leaves", "goes"), "goes waits for an answer about no product: `rules-engine questions show "),
        (rules(stock=1), "The open question of leaves about no product would be void, and judged anew."),
        ("rules: {}", "The open question of leaves about no product would be void, and judged anew."),
    ],
)
def test_an_open_question_waits_or_would_be_void(database: Database, text: str, said: str) -> None:
    kind = QuestionKind.TAKE
    print_ = fingerprint(rulebook(rules()).rules[0])
    asked = Question(question_id(WEB, OLD, kind, NOON), WEB, OLD, kind, "much", print_, QuestionState.OPEN, NOON)
    database.write_now(partial(save_questions, asked=[asked]))
    (note,) = [text for _, text in plan(database, text, in_force=rules()).notes]
    assert note.startswith(said)


# How it is shown.


def test_text_markdown_and_json_say_it(database: Database) -> None:
    made = plan(database, rules("limits: {per_day: 1 product}"))
    said = "would ask first: it wants to take 2 products within a day; its limit is 1 a day"
    assert f"  ! {said}" in list(text_of_plan(made, limit=3))
    assert any("⚠ would ask first&#58; it wants" in line for line in markdown_of_plan(made, limit=3))
    fields = plan_fields(rulebook(rules()), [made], against="", changes=None)["stores"][0]
    assert fields["rules"][0]["asks"] == [said]
    assert fields["notes"] == []
    assert json.dumps(fields)


# What is paused.


def paused(database: Database, *, store: str = "", rule: str = "") -> None:
    database.write_now(partial(add_pause, store=StoreAlias(store), rule=RuleCode(rule), because="a look", now=NOON))


def test_a_rule_that_a_command_paused_says_what_lets_it_go_on(database: Database) -> None:
    paused(database, store="web", rule="leaves")
    made = plan(database, rules())
    said = list(text_of_plan(made, limit=5))
    assert said[0] == "web (Ecwid): nothing would change in 4 products."
    assert said[-1] == (
        "leaves is paused (since 2026-06-01 12:00 UTC, because a look): holds nothing, and takes or gives back "
        "nothing until `rules-engine resume leaves --store web`."
    )


@pytest.mark.anyio
async def test_what_a_paused_rule_had_decided_is_not_told_as_called_off_by_the_plan(tmp_path: Path) -> None:
    text = rules('between: "01:00 and 02:00"')
    async with World(tmp_path / "engine.db", text, only=(WEB,)) as world:
        for id_ in (37208339, 37208341, 37208345):
            world.web.sell_out(id_)
        await world.settle()
        await world.database.write(partial(pause_in_force, store=WEB, rule=OLD, because="a look", now=world.clock()))
        store = next(each for each in stores() if each.alias == WEB)
        vendor = VENDORS[store.settings.vendor](store.settings)
        made = preview(world.database, store, vendor, rulebook(text), now=world.clock(), lag=LAG)
        assert not made.lines


def test_a_pause_is_no_edit_that_voids_a_question(database: Database) -> None:
    at = rulebook(rules()).rules[0]
    asked = Question(
        question_id(WEB, OLD, QuestionKind.TAKE, NOON),
        WEB,
        OLD,
        QuestionKind.TAKE,
        "it wants to",
        fingerprint(at),
        QuestionState.OPEN,
        NOON,
    )
    database.write_now(partial(save_questions, asked=[asked]))
    paused(database)
    assert "leaves waits for an answer about no product" in "".join(text_of_plan(plan(database, rules()), limit=5))


def test_a_pause_of_everything_is_said_once(database: Database) -> None:
    paused(database)
    two = rules() + rules(code="also", stock=2).replace("rules:\n", "")
    said = [line for line in text_of_plan(plan(database, two), limit=5) if "paused" in line]
    (line,) = said
    assert line == (
        "Everything is paused here, since 2026-06-01 12:00 UTC, because a look: no rule takes or gives back anything "
        "until `rules-engine resume`."
    )
