"""`questions`: what is asked is listed and shown whole, and a person answers it once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from command_house import LAPTOP, House, Shop, poll

from rules_engine.core.delivery import StoreAlias
from rules_engine.core.question import Question, QuestionId, QuestionKind, QuestionState
from rules_engine.core.rule import RuleCode
from rules_engine.database.questions import save_questions
from rules_engine.database.tables import actions, snapshots

WEB, KSA = StoreAlias("web"), StoreAlias("ksa")
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
FOREVER = datetime(2100, 1, 1, tzinfo=UTC)
FIRST, SECOND = "aaaaaaaa-1", "aaaaaaaa-2"
RULE = "sold-out-leaves-featured"


def question(
    id_: str, state: QuestionState = QuestionState.OPEN, expires: datetime = FOREVER, store: StoreAlias = WEB
) -> Question:
    return Question(
        id=QuestionId(id_),
        store=store,
        rule=RuleCode(RULE),
        kind=QuestionKind.TAKE,
        reason="it wants to take 2 products within a day; its limit is 1 product a day",
        fingerprint="f",
        state=state,
        asked_at=NOW,
        expires_at=expires,
        answered_at=None if state.is_waiting else NOW + timedelta(hours=1),
        said="the feed was wrong" if state is QuestionState.NO else "",
    )


def held_back(id_: str, product: str) -> dict[str, Any]:
    return {
        "key": f"key-{product}",
        "store": WEB,
        "kind": "remove_from_category",
        "product": product,
        "aspect": "membership",
        "slot_target": "9691094",
        "target": "9691094",
        "wish": False,
        "step": "take",
        "rules": [RULE],
        "rule": RULE,
        "about_kind": "product",
        "about_id": product,
        "state": "held back",
        "created_at": NOW,
        "caused_by": [],
        "question": id_,
    }


def seen(kind: str, id_: str, fields: Mapping[str, Any]) -> dict[str, Any]:
    return {"store": WEB, "kind": kind, "id": id_, "revision": 1, "seen_at": NOW, "is_gone": False, "fields": fields}


def ask(connection: sa.Connection, asked: Question) -> None:
    save_questions(connection, [asked])
    for product in ("17", "18") if asked.id == FIRST else ():
        connection.execute(sa.insert(actions).values(held_back(asked.id, product)))
        name = {"id": product, "name": f"Runner {product}", "sku": f"RUN-{product}"}
        connection.execute(sa.insert(snapshots).values(seen("product", product, name)))


@pytest.fixture
def house(tmp_path: Path) -> House:
    house = House(tmp_path)
    house.run("migrate")
    return house


@pytest.fixture
def shops(house: House) -> Iterator[Mapping[str, Shop]]:
    with house.shops() as shops:
        yield shops


def having(house: House, *asked: Question) -> House:
    with house.database() as database:
        for each in asked:
            database.write_now(partial(ask, asked=each))
    return house


def test_none_are_said_to_be_none(house: House) -> None:
    assert house.run("questions").stdout == "There are no questions.\n"
    assert house.run_json("questions") == {"questions": [], "notes": []}


def test_the_list_says_what_is_asked_of_how_many_products(house: House) -> None:
    having(house, question(FIRST), question(SECOND, QuestionState.NO))
    said = house.run("questions").stdout.splitlines()
    assert said[0].split()[:3] == ["id", "asked", "(UTC)"]
    assert said[1].startswith("aaaaaaaa  2026-03-01 12:00:00  web    sold-out-leaves-featured  2")
    asks = f"May {RULE} act on 2 products? It asks because it wants to take 2 products within a day; its limit is 1 "
    assert said[1].endswith(f"{asks}product a day.")
    assert len(said) == 2
    everything = house.run_json("questions", "list", "--all")["questions"]
    assert [(each["id"], each["state"]) for each in everything] == [(FIRST, "open"), (SECOND, "no")]
    assert house.run_json("questions", "--store", "ksa")["questions"] == []


def test_what_was_answered_is_told_as_over_with_its_products(house: House) -> None:
    having(house, question(FIRST, QuestionState.NO), question(SECOND, QuestionState.VOID))
    said = house.run("questions", "--all").stdout
    assert f"no     {RULE} asked to act on 2 products, because it wants to take 2 products within a day; its" in said
    assert f"void   {RULE} asked, because it wants" in said


def test_a_store_that_there_is_not_is_wrong_usage(house: House) -> None:
    result = house.run("questions", "--store", "wbe")
    assert result.exit_code == 2
    assert 'stores.yaml has no store "wbe": did you mean "web"?' in result.stderr


def test_a_store_that_is_gone_may_still_have_questions(house: House) -> None:
    having(house, question(FIRST, store=StoreAlias("old")))
    assert [each["id"] for each in house.run_json("questions", "--store", "old")["questions"]] == [FIRST]


def test_options_before_a_subcommand_are_not_silently_lost(house: House) -> None:
    for options in (["--store", "ksa"], ["--json"], ["--all"]):
        assert house.run("questions", *options, "list").exit_code == 2


def test_one_is_shown_with_its_products_by_name_and_what_the_answers_do(house: House) -> None:
    house.run("release")
    having(house, question(FIRST))
    said = house.run("questions", "show", "aaaa").stdout
    assert said.startswith(f"{FIRST} of web, open\n  May {RULE} act on 2 products?")
    assert "  the rule: Sold-out products leave Featured and come back when restocked, " in said
    assert "featured.yaml:1" in said
    assert "  asked 2026-03-01 12:00:00 (UTC); without an answer by 2100-01-01 00:00:00 it is a no\n" in said
    assert "  yes: each product is looked at again" in said
    assert "  no: nothing of it is done." in said
    assert "  taken out of category 9691094: 2 products\n    Runner 17 (RUN-17)\n    Runner 18 (RUN-18)\n" in said
    assert "    Runner 17 (RUN-17)\n    and 1 more\n" in house.run("questions", "show", FIRST, "--limit", "1").stdout
    shown = house.run_json("questions", "show", FIRST)
    assert [each["product"]["name"] for each in shown["products"]] == ["Runner 17", "Runner 18"]
    assert shown["known"]["file"].endswith("featured.yaml")


@pytest.mark.parametrize(("id_", "said"), [("aaaaaaaa", "write more of its id"), ("zz", "There is no question 'zz'")])
def test_an_id_that_names_none_or_several_changes_nothing(house: House, id_: str, said: str) -> None:
    having(house, question(FIRST), question(SECOND))
    for command in (["show", id_], ["yes", id_], ["no", id_]):
        result = house.run("questions", *command)
        assert result.exit_code == 1
        assert said in result.stderr
    assert len(house.run_json("questions")["questions"]) == 2


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (
            question(FIRST, QuestionState.NO),
            "answered with no at 2026-03-01 13:00 UTC (the feed was wrong): that stands",
        ),
        (question(FIRST, QuestionState.YES), "answered with yes at 2026-03-01 13:00 UTC: that stands"),
        (question(FIRST, QuestionState.VOID), "is void: its rule was edited, is gone or is back"),
        (question(FIRST, QuestionState.EXPIRED, NOW), "Nobody answered this question by 2026-03-01 12:00 UTC"),
        (question(FIRST, QuestionState.OPEN, NOW), "Nobody answered this question by 2026-03-01 12:00 UTC"),
        (question(FIRST, QuestionState.GATHERING), "The whole catalogue is still being planned"),
        (question(FIRST, store=StoreAlias("old")), "stores.yaml has no store old any more"),
    ],
)
def test_what_takes_no_answer_says_why_in_a_sentence(house: House, asked: Question, said: str) -> None:
    having(house, asked)
    for command in ("yes", "no"):
        result = house.run("questions", command, FIRST)
        assert result.exit_code == 1
        assert said in result.stderr
        assert len(result.stderr.splitlines()) == 1
    assert [each["state"] for each in house.run_json("questions", "--all")["questions"]] == [asked.state]


def test_an_answer_that_no_lane_can_act_on_yet_is_kept_and_says_what_it_waits_for(house: House) -> None:
    having(house, question(FIRST))
    result = house.run("questions", "no", FIRST, "--because", "the feed is wrong", "--wait", "5")
    assert result.exit_code == 1
    assert "No rules are in force yet" in result.stderr
    assert house.run_json("questions") == {"questions": [], "notes": []}
    assert house.run_json("questions", "show", FIRST)["said"] == "the feed is wrong"


# A rule that is gone.


def take_out(house: House, web: Shop) -> None:
    """Let the shipped rule take the laptop out of Featured, and then be deleted."""
    with house.serving() as server:
        web.edit("sell_out", LAPTOP)
        assert set(web.deliver(server.url)) == {200}
        poll(lambda: web.writes("unassignProducts"))
        assert server.stop() == 0
    (house.rules / "featured.yaml").unlink()
    assert f"{RULE} is gone from web and holds 1 product: give back or keep?" in house.run("release").stderr


@pytest.mark.parametrize("word", ["yes", "no"])
def test_what_a_deleted_rule_holds_is_given_back_or_kept(house: House, shops: Mapping[str, Shop], word: str) -> None:
    take_out(house, shops["web"])
    asked = house.run_json("questions")["questions"][0]
    assert (asked["rule"], asked["kind"], asked["products"]) == (RULE, "gone", 1)
    said = house.run("questions", "show", asked["id"]).stdout
    assert f"{RULE} is gone and holds 1 product: give back (yes) or keep (no)?" in said
    assert "the rule: Sold-out products leave Featured and come back when restocked" in said
    assert "  taken out of Featured (9691094): 1 product\n" in said
    result = house.run("questions", word, asked["id"][:8], "--because", "spring")
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith(f"{RULE} of web: {word} for 1 product.\n")
    assert bool(shops["web"].writes("/assignProducts")) is (word == "yes")
    assert ("  done: 1 change\n" in result.stdout) is (word == "yes")
    assert house.run("questions").stdout == "There are no questions.\n"
    assert f"answered with {word}" in house.run("questions", "yes", asked["id"]).stderr


def test_a_give_back_that_fails_is_a_finding_that_is_named(house: House, shops: Mapping[str, Shop]) -> None:
    take_out(house, shops["web"])
    shops["web"].fail(status=422, times=1, where="write")
    asked = house.run_json("questions")["questions"][0]
    result = house.run("questions", "yes", asked["id"])
    assert result.exit_code == 1
    assert "  given up: 1 change\n" in result.stdout
    assert "put into Featured (9691094): " in result.stdout
    assert "`rules-engine dead-letters` lists what failed." in result.stdout


def test_a_store_that_is_gone_is_named_and_a_no_lets_go_of_what_is_held_there(
    house: House, shops: Mapping[str, Shop]
) -> None:
    take_out(house, shops["web"])
    stores = house.rules / "stores.yaml"
    stores.write_text(stores.read_text().replace("  web:", "  elsewhere:", 1))
    for file in house.rules.glob("*.yaml"):
        if file.name != "stores.yaml":
            file.unlink()
    assert "stores.yaml has no store web any more; its rules hold 1 product there" in house.run("release").stderr
    result = house.run("questions")
    assert "stores.yaml has no store web any more" in result.stderr
    asked = house.run_json("questions")["questions"][0]
    assert "stores.yaml no longer has: keep them (no)?" in house.run("questions", "show", asked["id"]).stdout
    assert house.run("questions", "yes", asked["id"]).exit_code == 1
    result = house.run("questions", "no", asked["id"])
    assert result.exit_code == 0, result.output
    assert "All stays as it is now" in result.stdout
    assert house.run("questions").stderr == ""


# A rule that asks first.

ASKS = """
rules:
  asks-first:
    stores: [web]
    while: {product.stock: {at_most: 0}}
    do: [{remove_from_category: Featured}]
    ask_first: always
"""


@pytest.mark.parametrize("word", ["yes", "no"])
def test_what_a_rule_asks_is_done_after_a_yes_and_left_after_a_no(
    house: House, shops: Mapping[str, Shop], word: str
) -> None:
    for file in house.rules.glob("*.yaml"):
        if file.name != "stores.yaml":
            file.unlink()
    house.write("asks.yaml", ASKS)
    with house.serving(RECONCILE="false") as server:
        shops["web"].edit("sell_out", LAPTOP)
        assert set(shops["web"].deliver(server.url)) == {200}
        asked = poll(lambda: [q for q in house.run_json("questions")["questions"] if q["state"] == "open"])[0]
        assert (asked["rule"], asked["kind"], asked["products"]) == ("asks-first", "take", 1)
        assert shops["web"].writes("unassignProducts") == []
        result = house.run("questions", word, asked["id"])
        assert result.exit_code == 0, result.output
        assert bool(shops["web"].writes("unassignProducts")) is (word == "yes")
        assert (": 1 change\n" in result.stdout, "  done: " in result.stdout) == (True, word == "yes")
        assert server.stop() == 0


# ---------------------------------------------------------------------------------------- after the answer


LIMITED = """
rules:
  sold-out-leaves-featured:
    stores: [web]
    while: {product.can_be_ordered: false}
    do: [remove_from_category: Featured]
    limits: {per_day: 1 product}
"""
SUMMER_TOP = 37208344


@pytest.fixture
def asking(house: House, shops: Mapping[str, Shop]) -> Shop:
    """The web shop, in which two products are sold out that the rule may not take in one day."""
    for file in house.rules.glob("*.yaml"):
        if file.name != "stores.yaml":
            file.unlink()
    house.write("rules.yaml", LIMITED)
    house.run("release")
    for id_ in (LAPTOP, SUMMER_TOP):
        shops["web"].edit("sell_out", id_)
    assert house.run("reconcile", "web").exit_code == 0
    return shops["web"]


def test_a_hold_that_waits_for_an_answer_names_its_question(house: House, asking: Shop) -> None:
    (asked,) = house.run_json("questions")["questions"]
    found = house.run_json("holds")["holds"]
    assert {(each["state"], each["waits"]) for each in found} == {
        ("pending", f"waits for question {asked['id'][:8]}"),
    }
    assert found[0]["what"] == "to take it out of Featured (9691094)"
    assert f"waits for question {asked['id'][:8]}" in house.run("holds").stdout


def test_who_releases_a_hold_that_a_limit_keeps_back_is_told_what_it_waits_for(house: House, asking: Shop) -> None:
    (asked,) = house.run_json("questions")["questions"]
    assert house.run("questions", "no", asked["id"][:8]).exit_code == 0
    released = house.run("release-hold", RULE)
    (again,) = house.run_json("questions")["questions"]
    id_ = again["id"][:8]
    assert released.exit_code == 1
    assert "taken again" not in released.stdout
    assert "take it out of Featured (9691094): held back" in released.stdout
    assert released.stderr.startswith(f"It waits for question {id_}, because it wants to take 2 products within a day;")
    assert f"`rules-engine questions yes {id_}` or `no {id_}` answers it." in released.stderr
    assert not asking.writes()


def test_an_answered_question_shows_what_was_done_and_what_was_not_with_the_reason(house: House, asking: Shop) -> None:
    (asked,) = house.run_json("questions")["questions"]
    asking.edit("restock", SUMMER_TOP, 5)
    assert house.run("questions", "yes", asked["id"][:8]).exit_code == 0
    shown = house.run("questions", "show", asked["id"][:8]).stdout
    done, not_done = shown.index("taken out of Featured (9691094), done: 1 product"), shown.index(", not done (")
    assert done < shown.index("Trail Runner") < not_done < shown.index("Summer Top")
    assert "it is a no" not in shown
    came = {
        each["product"]["sku"]: each["came"] for each in house.run_json("questions", "show", asked["id"])["products"]
    }
    assert came["TR-1"] == "done"
    assert came["ST-0"].startswith("not done (")


def test_what_a_person_agreed_to_and_is_not_done_yet_is_not_told_as_held_back(house: House, asking: Shop) -> None:
    (asked,) = house.run_json("questions")["questions"]
    house.run("questions", "yes", asked["id"][:8], "--wait", "0")
    shown = house.run("questions", "show", asked["id"][:8]).stdout
    assert "taken out of Featured (9691094), still to be done (a person said yes): 2 products" in shown
    (state,) = {each["waits"] for each in house.run_json("holds")["holds"]}
    assert state == "to be looked at once more: a person said yes"


def test_a_no_says_how_it_is_asked_again(house: House, asking: Shop) -> None:
    (asked,) = house.run_json("questions")["questions"]
    house.run("questions", "no", asked["id"][:8], "--because", "not today")
    again = house.run("questions", "yes", asked["id"][:8])
    assert again.exit_code == 1
    command = f"rules-engine release-hold {RULE} SKU --store web"
    assert (
        f"(not today): that stands. `{command}` lets the rule take one product again, or ask about it." in again.stderr
    )


def test_the_question_of_a_rule_that_is_gone_tells_what_became_of_each_product(house: House, asking: Shop) -> None:
    (asked,) = house.run_json("questions")["questions"]
    house.run("questions", "yes", asked["id"][:8])
    house.write("rules.yaml", "rules: {}\n")
    house.run("release")
    (gone,) = house.run_json("questions")["questions"]
    assert "nothing is given back any more, and no later yes changes that" in (
        house.run("questions", "show", gone["id"]).stdout
    )
    house.run("questions", "no", gone["id"])
    shown = house.run("questions", "show", gone["id"]).stdout
    assert f"  {RULE} was gone and held 2 products: give back (yes) or keep (no)?\n" in shown
    kept = "Featured (9691094): stays as it is, and nothing is given back any more: 2 products"
    assert f"  {kept}\n    Summer Top (ST-0)\n    Trail Runner (TR-1)\n" in shown
    listed = house.run("questions", "--all").stdout
    assert "either answer ends this" not in listed
