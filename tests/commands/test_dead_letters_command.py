"""`dead-letters`: what was given up is listed and shown whole, and a person has it tried again or drops it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest
import sqlalchemy as sa
from command_house import LAPTOP, House, Shop, poll

from rules_engine.core.action import ActionKey, ActionKind, Aspect, SlotRef
from rules_engine.core.delivery import StoreAlias
from rules_engine.core.plan import ActionState, Case, PlannedAction, Step
from rules_engine.core.rule import RuleCode
from rules_engine.core.subject import ProductId, product
from rules_engine.database import ledger, outbox
from rules_engine.database.outbox import AttemptResult

WEB = StoreAlias("web")
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
REQUEST = {"method": "POST", "path": "/categories/c1/unassignProducts", "body": '{"productIds":[17]}'}
FIRST, SECOND, THIRD = "aaaaaaaa-1", "aaaaaaaa-2", "bbbbbbbb-3"


def dead(key: str, product_id: str = "17") -> PlannedAction:
    return PlannedAction(
        key=ActionKey(key),
        kind=ActionKind.REMOVE_FROM_CATEGORY,
        slot=SlotRef(ProductId(product_id), Aspect.MEMBERSHIP, "c1"),
        target="c1",
        wish=False,
        step=Step.TAKE,
        rules=(RuleCode("sold-out"),),
        about=product(product_id),
        state=ActionState.DEAD,
        created_at=NOW,
        attempts=1,
        reason="The shop says 422.",
        caused_by=("d-1",),
    )


def bury(connection: sa.Connection, keys: tuple[str, ...]) -> None:
    for key in keys:
        action = dead(key)
        case = Case(product(action.slot.product), actions={action.key: action})
        ledger.save_case(connection, WEB, Case(case.ref), case, now=NOW)
        outbox.write_attempts(connection, WEB, f"call-{key}", [action.key], REQUEST, now=NOW)
        result = AttemptResult(action.key, "failed for good", "The shop says 422.")
        outbox.record_attempts(connection, WEB, f"call-{key}", [result], status=422, milliseconds=80)


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


@pytest.fixture
def graves(house: House) -> House:
    """A house with three dead letters, two of whose keys begin alike."""
    house.run("migrate")
    with house.database() as database:
        database.write_now(partial(bury, keys=(FIRST, SECOND, THIRD)))
    return house


@pytest.fixture
def shops(house: House) -> Iterator[Mapping[str, Shop]]:
    with house.shops() as shops:
        yield shops


def give_up(house: House, web: Shop) -> str:
    """Let a call be refused for good; the key of the dead letter that it becomes."""
    web.fail(status=422, times=1, where="write")
    with house.serving() as server:
        web.edit("sell_out", LAPTOP)
        assert set(web.deliver(server.url)) == {200}
        key: str = poll(lambda: house.run_json("dead-letters")["dead_letters"])[0]["key"]
        assert server.stop() == 0
    return key


def test_none_are_said_to_be_none(house: House) -> None:
    house.run("migrate")
    assert house.run("dead-letters").stdout == "There are no dead letters.\n"
    assert house.run("dead-letters", "retry", "--all").stdout == "There are no dead letters.\n"
    assert house.run_json("dead-letters") == {"dead_letters": []}


def test_the_list_is_oldest_first_with_keys_just_long_enough_to_tell_them_apart(graves: House) -> None:
    lines = graves.run("dead-letters").stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["key", FIRST, SECOND, THIRD]
    assert "remove from category c1, product 17  sold-out  1" in lines[1]
    assert lines[1].endswith("The shop says 422.")
    assert graves.run("dead-letters", "list").stdout.splitlines() == lines


def test_the_list_can_be_of_one_store(graves: House) -> None:
    assert graves.run_json("dead-letters", "--store", "ksa")["dead_letters"] == []
    found = graves.run_json("dead-letters", "list", "--store", "web", "--limit", "1")["dead_letters"]
    assert [(each["key"], each["store"], each["reason"]) for each in found] == [(FIRST, "web", "The shop says 422.")]


def test_options_before_a_subcommand_are_not_silently_lost(graves: House) -> None:
    assert graves.run("dead-letters", "--store", "ksa", "list").exit_code == 2
    assert graves.run("dead-letters", "--json", "list").exit_code == 2


def test_one_is_shown_with_every_call_that_was_made_for_it(graves: House) -> None:
    said = graves.run("dead-letters", "show", "b").stdout
    assert said.startswith(f"{THIRD} of web\n  remove from category c1, product 17, to take, for sold-out\n")
    assert "because of the deliveries d-1" in said
    assert '/categories/c1/unassignProducts {"productIds":[17]} → 422 after 80 ms, failed for good' in said
    assert graves.run_json("dead-letters", "show", THIRD)["tried"][0]["status"] == 422


@pytest.mark.parametrize(("key", "said"), [("aaaaaaaa", "write more of its key"), ("zzz", "There is no dead letter")])
def test_a_key_that_names_none_or_several_changes_nothing(graves: House, key: str, said: str) -> None:
    for command in (["show", key], ["retry", key], ["drop", key, "--because", "sold off"]):
        result = graves.run("dead-letters", *command)
        assert result.exit_code == 1
        assert said in result.stderr
    assert len(graves.run_json("dead-letters")["dead_letters"]) == 3


def test_one_is_dropped_with_a_reason(graves: House) -> None:
    assert graves.run("dead-letters", "drop", THIRD).exit_code == 2
    assert graves.run("dead-letters", "drop", THIRD, "--because", " ").exit_code == 2
    result = graves.run("dead-letters", "drop", THIRD, "--because", "sold off")
    assert result.stdout == "Dropped: remove from category c1, product 17, of web.\n"
    assert [each["key"] for each in graves.run_json("dead-letters")["dead_letters"]] == [FIRST, SECOND]
    assert graves.run_json("dead-letters", "drop", SECOND, "--because", "sold off")["dropped"] == SECOND


@pytest.mark.parametrize("arguments", [[], [THIRD, "--all"], [THIRD, "--store", "web"]])
def test_a_retry_is_of_one_or_of_all(graves: House, arguments: list[str]) -> None:
    assert graves.run("dead-letters", "retry", *arguments).exit_code == 2


def test_a_retry_that_no_lane_can_make_yet_says_what_it_waits_for(graves: House) -> None:
    result = graves.run("dead-letters", "retry", THIRD, "--wait", "5")
    assert result.exit_code == 1
    assert "No rules are in force yet" in result.stderr


def test_a_retried_call_is_made_when_it_is_still_wanted(house: House, shops: Mapping[str, Shop]) -> None:
    web = shops["web"]
    key = give_up(house, web)
    assert len(web.writes()) == 1
    result = house.run("dead-letters", "retry", key[:8])
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("remove from category 9691094, Trail Runner (TR-1): ")
    assert [call["status"] for call in web.writes()] == [422, 200]
    assert house.run_json("dead-letters")["dead_letters"] == []


def test_a_retried_call_that_is_refused_again_is_a_dead_letter_again(house: House, shops: Mapping[str, Shop]) -> None:
    web = shops["web"]
    key = give_up(house, web)
    web.fail(status=422, times=1, where="write")
    found = house.run_json("dead-letters", "retry", "--all", "--store", "web", code=1)
    assert [(each["key"], each["state"]) for each in found["retried"]] == [(key, "dead")]


def test_a_retried_call_that_nobody_wants_any_more_is_not_made(house: House, shops: Mapping[str, Shop]) -> None:
    web = shops["web"]
    key = give_up(house, web)
    web.edit("restock", LAPTOP, 5)
    found = house.run_json("dead-letters", "retry", key)
    assert [each["state"] for each in found["retried"]] == ["cancelled"]
    assert len(web.writes()) == 1
