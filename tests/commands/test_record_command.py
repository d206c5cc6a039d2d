"""`record` makes a test of what a delivery led to: what it prints, `test` loads and plays with the same result."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache, partial
from pathlib import Path
from typing import Any

import anyio
import pytest
from command_house import House
from engine_world import World

from rules_engine.core.delivery import Delivery, DeliveryId, StoreAlias
from rules_engine.core.subject import product
from rules_engine.database import arrivals
from rules_engine.database.inbox import Arrival
from rules_engine.sandbox.story import RUNNER, scenes

RULE = "sold-out-leaves-featured"
RULES_OF = {
    "web": (RULE, "brand-cleared-leaves-brand-categories"),
    "ksa": ("unpublished-category-is-emptied",),
    "b2b": ("sold-out-leaves-featured-b2b",),
    "brands": ("end-of-line-products-lose-their-brand",),
}


async def _play_the_story(path: Path) -> None:
    async with World(path) as world:
        await world.settle()
        for scene in scenes(world.web, world.ksa, world.b2b, world.brands):
            if scene.edit is not None:
                scene.edit()
                await world.settle()


@cache
def told(folder: Path) -> Path:
    """A database in which the demo's story was played, for all tests of this file."""
    path = folder / "story.db"
    anyio.run(_play_the_story, path)
    return path


@pytest.fixture
def house(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> House:
    made = House(tmp_path)
    shutil.rmtree(made.rules / "tests", ignore_errors=True)
    made.environment |= {"RETENTION_DAYS": "3650"}  # the story's clock is not today's
    base = tmp_path_factory.getbasetemp()
    for file in told(base).parent.glob("story.db*"):
        shutil.copy(file, tmp_path / file.name.replace("story.db", made.file.name))
    return made


def deliveries(house: House, *more: str) -> list[dict[str, Any]]:
    """The deliveries that were planned, oldest first."""
    found: list[dict[str, Any]] = house.run_json("deliveries", "--limit", "1000", *more)["deliveries"]
    return [each for each in reversed(found) if each["state"] == "planned"]


def recorded(house: House) -> dict[str, list[dict[str, Any]]]:
    """All tests that deliveries led to, by rule."""
    found: dict[str, list[dict[str, Any]]] = {}
    for each in deliveries(house):
        result = house.run("record", each["id"])
        if result.exit_code == 0:
            for test in house.run_json("record", each["id"])["tests"]:
                found.setdefault(test["rule"], []).append(test)
    return found


def first_of(house: House, rule: str) -> tuple[str, Mapping[str, Any]]:
    """The first delivery that led to something for a rule, and its test."""
    for each in deliveries(house):
        if house.run("record", each["id"], "--rule", rule).exit_code == 0:
            (test,) = house.run_json("record", each["id"], "--rule", rule)["tests"]
            if test["expect"] != "nothing":
                return each["id"], test
    raise AssertionError(f"nothing was recorded for {rule}")


def test_every_rule_of_the_story_is_recorded_as_it_happened(house: House) -> None:
    found = recorded(house)
    assert {rule: [test["expect"] for test in tests] for rule, tests in found.items()} == {
        RULE: [[{"remove_from_category": "Featured"}], [{"add_to_category": "Featured"}]],
        "brand-cleared-leaves-brand-categories": [
            [{"remove_from_category": "Brands / Acme"}, {"remove_from_category": "Brands / Globex"}]
        ],
        "unpublished-category-is-emptied": [["empty_category"], [{"add_to_category": "Summer"}]],
        "sold-out-leaves-featured-b2b": [[{"remove_from_category": "Featured"}], [{"add_to_category": "Featured"}]],
        "end-of-line-products-lose-their-brand": [["unassign_brand"], ["unassign_brand"]],
    }
    assert [test["notes"] for tests in found.values() for test in tests if test["differs"]] == []


def test_what_is_recorded_of_any_delivery_for_any_rule_is_played_as_recorded(house: House) -> None:
    count = 0
    for each in deliveries(house):
        for rule in RULES_OF[each["store"]]:
            result = house.run("record", each["id"], "--rule", rule, "--write")
            if "is about a" in result.output:
                continue  # the delivery is about a category and the rule about products, or the reverse
            assert result.exit_code == 0, result.output
            assert "the rule did something else" not in result.output, result.output
            count += 1
    played = house.run_json("test", str(house.rules / "tests"))
    assert (played["passed"], played["failed"]) == (count, 0)
    assert count > 20


def test_a_recorded_test_has_the_fields_that_its_rule_looks_at_in_the_words_of_tests(house: House) -> None:
    id_, test = first_of(house, RULE)
    assert test["given"] == {
        "product": {"sku": "TR-1", "name": "Trail Runner", "stock": 0, "categories": ["Featured", "Shoes"]}
    }
    text = house.run("record", id_).stdout
    assert text == (
        "tests:\n"
        f"  {RULE}:\n"
        f"    # Recorded from delivery {id_} (product.updated), product {RUNNER}.\n"
        f"    - name: {test['name']}\n"
        "      store: web\n"
        "      given:\n"
        "        product:\n"
        "          sku: TR-1\n"
        "          name: Trail Runner\n"
        "          stock: 0\n"
        "          categories: [Featured, Shoes]\n"
        "      expect:\n"
        "        - {remove_from_category: Featured}\n"
    )


def test_what_was_before_and_what_was_held_are_part_of_it(house: House) -> None:
    given = recorded(house)[RULE][1]["given"]
    assert given["before"] == {"stock": 0}
    assert given["held"] == [{"remove_from_category": "Featured"}]
    cleared = recorded(house)["brand-cleared-leaves-brand-categories"][0]
    assert cleared["given"]["before"] == {"brand": "Acme"}
    assert "brand: null\n" in cleared["yaml"]


def test_writing_adds_to_the_file_of_the_rule_and_keeps_what_stands_there(house: House) -> None:
    first, _ = first_of(house, RULE)
    file = house.rules / "tests" / f"{RULE}.yaml"
    file.parent.mkdir(exist_ok=True)
    mine = (
        "# ours\n"
        "tests:\n"
        f"  {RULE}:   # the important one\n"
        "    - name: by hand    # do not touch\n"
        "      given: {product: {stock: 3, categories: ['Featured']}}\n"
        "      expect: nothing\n"
    )
    file.write_text(mine, encoding="utf-8")
    result = house.run("record", first, "--write")
    assert result.exit_code == 0, result.output
    assert f"added to {file}." in result.stdout
    text = file.read_text(encoding="utf-8")
    assert text.startswith(mine)
    assert "# Recorded from delivery" in text[len(mine) :]
    assert house.run_json("test", str(file))["passed"] == 2


def test_a_delivery_is_recorded_once(house: House) -> None:
    first, _ = first_of(house, RULE)
    assert house.run("record", first, "--write").exit_code == 0
    before = (house.rules / "tests" / f"{RULE}.yaml").read_text(encoding="utf-8")
    assert before.startswith("# yaml-language-server: $schema=../schema/tests.json\n")
    again = house.run("record", first, "--write")
    assert again.exit_code == 2
    assert f"This test is there already, at rules/tests/{RULE}.yaml:5:" in again.stderr
    assert (house.rules / "tests" / f"{RULE}.yaml").read_text(encoding="utf-8") == before


def test_where_the_shop_did_something_else_a_comment_says_so_and_the_test_passes(house: House) -> None:
    first, _ = first_of(house, RULE)
    rules = (house.rules / "featured.yaml").read_text(encoding="utf-8")
    (house.rules / "featured.yaml").write_text(rules.replace("remove_from_category: Featured", "hide", 1))
    (test,) = house.run_json("record", first)["tests"]
    assert test["differs"]
    assert test["expect"] == ["hide"]
    assert "In the shop the rule did something else: remove_from_category: Featured" in test["notes"][-1]
    assert "a change of the rule since may be the reason" in test["notes"][-1]
    assert house.run("record", first, "--write").exit_code == 0
    played = house.run_json("test", str(house.rules / "tests"))
    assert (played["passed"], played["failed"]) == (1, 0)


def test_a_delivery_can_be_named_as_answers_show_it_in_short(house: House) -> None:
    first, test = first_of(house, RULE)
    assert test["name"].endswith(f"({first[:8]})")
    (short,) = house.run_json("record", first[:8], "--rule", RULE)["tests"]
    assert short == test


def test_a_rule_that_had_nothing_to_say_can_be_named(house: House) -> None:
    quiet = next(each for each in deliveries(house, "--store", "web") if house.run("record", each["id"]).exit_code)
    result = house.run("record", quiet["id"])
    assert "No rule had anything to say about delivery" in result.stderr
    assert "Name one with --rule" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "said", "code"),
    [
        (("nowhere",), "There is no delivery nowhere", 1),
        (("{first}", "--rule", "sold-out-leaves-feature"), f'did you mean "{RULE}"?', 2),
        (("{first}", "--rule", "unpublished-category-is-emptied"), "For web there is no rule", 2),
    ],
)
def test_what_cannot_be_recorded_is_said_in_a_sentence(
    house: House, arguments: tuple[str, ...], said: str, code: int
) -> None:
    first = deliveries(house, "--store", "web")[0]["id"]
    result = house.run("record", *(each.format(first=first) for each in arguments))
    assert result.exit_code == code
    assert said in result.stderr


def test_a_delivery_that_waits_is_recorded_later(house: House) -> None:
    web = StoreAlias("web")
    arrival = Arrival(
        Delivery(DeliveryId("d-1"), web, datetime(2026, 3, 1, 12, tzinfo=UTC), b"{}"),
        web,
        scope="web",
        duplicate_key="another",
        vendor_type="product.updated",
        subjects=(product(str(RUNNER)),),
    )
    with house.database() as database:
        database.write_now(partial(arrivals.insert, rows=[arrivals.row_of(arrival)]))
    result = house.run("record", "d-1")
    assert result.exit_code == 1
    assert result.stderr == "Delivery d-1 waits to be decided: record it when it is planned.\n"
