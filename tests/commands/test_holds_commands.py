"""`holds`, `forget`, `release-hold`, `undo`, `pause` and `resume`: what people see, decide, and what comes of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from command_house import LAPTOP, House, Shop, plain, poll

from rules_engine.sandbox.axim import GLOBEX

RULE = "sold-out-leaves-featured"
FEATURED = "9691094"
RULES = """
rules:
  sold-out-leaves-featured:
    stores: [web]
    while: {product.can_be_ordered: false}
    do: [remove_from_category: Featured]
  end-of-line-loses-its-brand:
    stores: [brands]
    as_soon_as: {product.tags: {contains: end-of-line}}
    do: [unassign_brand]
"""


@pytest.fixture
def house(tmp_path: Path) -> House:
    made = House(tmp_path)
    for file in made.rules.glob("*.yaml"):
        if file.name != "stores.yaml":
            file.unlink()
    made.write("rules.yaml", RULES)
    return made


@pytest.fixture
def shops(house: House) -> Iterator[Mapping[str, Shop]]:
    with house.shops() as shops:
        yield shops


@pytest.fixture
def web(house: House, shops: Mapping[str, Shop]) -> Shop:
    """The web shop, in which the laptop is sold out and was taken out of Featured; no server runs."""
    house.run("release")
    shops["web"].edit("sell_out", LAPTOP)
    walk(house)
    assert len(shops["web"].writes("/unassignProducts")) == 1
    return shops["web"]


def walk(house: House) -> None:
    """Read the web shop anew, and do what is due there: no server is needed for it."""
    result = house.run("reconcile", "web")
    assert result.exit_code == 0, result.output


def held(house: House, *arguments: str) -> list[dict[str, Any]]:
    """Any: whatever JSON says."""
    found: list[dict[str, Any]] = house.run_json("holds", *arguments)["holds"]
    return found


def back(web: Shop) -> int:
    return len(web.writes("/assignProducts"))


# ---------------------------------------------------------------------------------------- holds


def test_nothing_is_held_where_nothing_was_taken(house: House) -> None:
    house.run("release")
    assert house.run("holds").stdout == "Nothing is held.\n"
    assert house.run_json("holds") == {"holds": [], "totals": []}


def test_holds_are_listed_by_name_with_their_totals(house: House, web: Shop) -> None:
    (found,) = held(house)
    assert (found["rule"], found["store"], found["state"]) == (RULE, "web", "holding")
    assert found["product"] == {"id": str(LAPTOP), "sku": "TR-1", "name": "Trail Runner"}
    assert found["what"] == f"is not in Featured ({FEATURED})"
    lines = house.run("holds", str(LAPTOP)).stdout.splitlines()
    assert "Trail Runner (TR-1)" in lines[1]
    assert f"is not in Featured ({FEATURED})" in lines[1]
    assert lines[-1] == f"{RULE}, web: 1 holding"
    assert held(house, "--rule", RULE, "--store", "web", "Featured") == [found]
    assert held(house, "--store", "ksa") == []


def test_holds_say_whose_rule_is_gone_and_what_is_owed_comes_first(house: House, web: Shop) -> None:
    house.write("rules.yaml", "rules: {}\n")
    house.run("release")
    assert "does not run here any more" in held(house)[0]["remark"]
    assert "does not run here any more" in house.run("holds").stdout


def test_an_unknown_rule_store_or_product_is_said_with_what_was_probably_meant(house: House, web: Shop) -> None:
    for command in ("holds --rule sold-out-leaves-featurd", "undo sold-out-leaves-featurd"):
        result = house.run(*command.split())
        assert result.exit_code == 2
        assert f'did you mean "{RULE}"?' in result.stderr
    assert house.run("holds", "--store", "wep").exit_code == 2
    result = house.run("forget", "nothing-like-it")
    assert result.exit_code == 1
    assert "Nobody told the engine about 'nothing-like-it' yet" in result.stderr
    assert house.run("forget", "category:" + FEATURED).exit_code in {1, 2}


# ---------------------------------------------------------------------------------------- forget and release-hold


def test_what_is_forgotten_stays_out_and_no_shop_is_called(house: House, web: Shop) -> None:
    calls = len(web.writes())
    result = house.run("forget", str(LAPTOP))
    assert result.exit_code == 0, result.output
    assert "stays as it is, and nothing is given back any more" in result.stdout
    assert held(house) == []
    assert len(web.writes()) == calls
    again = house.run("forget", str(LAPTOP))
    assert again.exit_code == 1
    assert "No rule holds anything of" in again.stdout


def test_a_rule_takes_again_what_a_person_put_back_once_it_is_released(house: House, web: Shop) -> None:
    assert "stepped back from nothing here" in house.run("release-hold", RULE).stdout
    web.edit("assign", LAPTOP, int(FEATURED))
    walk(house)
    assert held(house)[0]["state"] == "stepped back"
    assert "stepped back: a person put it back" in house.run("holds").stdout
    came = house.run_json("release-hold", RULE, str(LAPTOP))
    assert came["orders"][0]["outcome"].endswith("the rule may take it again while its condition holds")
    assert [action["step"] for action in came["orders"][0]["actions"]] == ["take"]
    assert len(web.writes("/unassignProducts")) == 2


# ---------------------------------------------------------------------------------------- undo


def test_undo_shows_first_and_acts_only_when_it_is_told_to(house: House, web: Shop) -> None:
    shown = house.run("undo", RULE)
    assert shown.exit_code == 0
    assert f"it goes back into Featured ({FEATURED})" in shown.stdout
    assert "1 thing would be undone, none skipped. Nothing is done yet: --apply does it." in shown.stdout
    assert f"`rules-engine pause {RULE}" in shown.stdout, "it still runs"
    assert back(web) == 0
    came = house.run_json("undo", RULE, "--apply")
    assert came["orders"][0]["outcome"] == f"Featured ({FEATURED}): is given back"
    assert came["orders"][0]["actions"][0]["state"] in {"done", "confirmed"}
    assert back(web) == 1
    walk(house)
    assert house.run_json("undo", RULE)["undo"] == []


def test_undo_works_for_a_rule_that_is_paused_or_gone(house: House, web: Shop) -> None:
    assert house.run("pause", RULE, "--because", "the stock is wrong").exit_code == 0
    assert "still runs" not in house.run("undo", RULE).stdout
    house.write("rules.yaml", "rules: {}\n")
    house.run("release")
    assert house.run("undo", RULE, "--apply").exit_code == 0
    assert back(web) == 1


def test_undo_takes_what_was_done_within_a_span(house: House, web: Shop) -> None:
    assert len(house.run_json("undo", RULE, "--since", "90m")["undo"]) == 1
    assert house.run_json("undo", RULE, "--since", "2 hours")["undo"][0]["skipped"] is None
    assert house.run("undo", RULE, "--since", "30 days").stderr == ""
    further = house.run("undo", RULE, "--since", "60d")
    assert further.stderr == (
        "What a moment did more than 30 days ago may be left out: it is not remembered for longer.\n"
    )
    assert "1 thing would be undone" in further.stdout
    house.environment["RETENTION_DAYS"] = "60"
    assert house.run("undo", RULE, "--since", "60d").stderr == ""
    result = house.run("undo", RULE, "--since", "a while")
    assert result.exit_code == 2
    assert "write 2h, 90m, 3d or 2 hours" in result.stderr


def test_undo_gives_a_product_its_brand_again_unless_a_person_chose_another(
    house: House, shops: Mapping[str, Shop]
) -> None:
    brands, rule = shops["brands"], "end-of-line-loses-its-brand"
    with house.serving() as server:
        for edit, value in (("restock", 9), ("tag", "end-of-line")):
            for id_ in ("drill-1", "drill-2"):
                brands.edit(edit, id_, value)
            brands.deliver(server.url)
        poll(lambda: len(house.run_json("undo", rule)["undo"]) == 2)
        brands.edit("set_brand", "drill-2", GLOBEX)
        brands.deliver(server.url)
        poll(lambda: any(each["skipped"] for each in house.run_json("undo", rule)["undo"]))
        assert server.stop() == 0
    shown = {each["product"]["id"]: each for each in house.run_json("undo", rule)["undo"]}
    assert shown["drill-1"]["undoes"] == 'it gets the brand "Acme" back'
    assert shown["drill-2"]["skipped"] == 'somebody changed it since: it has the brand "Globex"'
    (came,) = house.run_json("undo", rule, "--apply")["orders"]
    assert (came["product"]["id"], [action["step"] for action in came["actions"]]) == ("drill-1", ["undo"])
    assert len(brands.writes("/assign-products")) == 1
    again = {each["product"]["id"]: each["skipped"] for each in house.run_json("undo", rule)["undo"]}
    assert again["drill-1"] == "it is as it was before already"


# ---------------------------------------------------------------------------------------- pause and resume


def test_a_paused_rule_is_shown_with_its_reason_and_goes_on_when_it_is_resumed(house: House, web: Shop) -> None:
    paused = house.run("pause", RULE, "--because", "the stock is wrong")
    assert paused.exit_code == 0
    assert f"{RULE} is paused in every store" in paused.stdout
    said = plain(house.run("why", str(LAPTOP), "--rule", RULE).stdout)
    assert "It is paused (since" in said
    assert "because the stock is wrong" in said
    assert "the stock is wrong" in house.run("plan", "--store", "web").stdout
    house.run("release")
    assert "the stock is wrong" in house.run("why", str(LAPTOP), "--rule", RULE).stdout, "it outlives a release"
    resumed = house.run_json("resume", RULE)
    assert resumed == {"rule": RULE, "store": None, "is_changed": True, "paused": [], "notes": []}
    assert "paused" not in house.run("why", str(LAPTOP), "--rule", RULE).stdout


def test_everything_can_be_paused_and_then_nothing_is_done_that_was_ordered(house: House, web: Shop) -> None:
    assert house.run("pause", "--because", "prices are wrong").exit_code == 0
    result = house.run("undo", RULE, "--apply")
    assert result.exit_code == 1
    assert "Everything is paused in web, since" in result.stderr
    assert back(web) == 0
    assert "A person paused everything" in house.run("why", str(LAPTOP)).stdout
    assert house.run("resume").exit_code == 0
    walk(house)
    assert back(web) == 1


def test_a_pause_of_one_store_leaves_the_others_alone(house: House, shops: Mapping[str, Shop]) -> None:
    house.run("release")
    assert house.run("pause", RULE, "--store", "ksa", "--because", "x").exit_code == 2
    assert house.run("pause", "--store", "ksa", "--because", "x").exit_code == 0
    result = house.run("resume")
    assert result.exit_code == 1
    assert "`rules-engine resume --store ksa` ends that." in result.stdout
    assert house.run("resume", "--store", "ksa").exit_code == 0


def test_what_is_not_paused_cannot_be_resumed(house: House) -> None:
    house.run("release")
    for command, said in (
        (("resume", RULE), f"There is no pause of {RULE} for all stores: nothing to resume.\n"),
        (("resume", "--store", "ksa"), "There is no pause of everything in ksa: nothing to resume.\n"),
    ):
        result = house.run(*command)
        assert (result.exit_code, result.stdout) == (1, said)


def test_a_pause_wants_a_rule_that_there_is_and_a_reason(house: House) -> None:
    house.run("release")
    assert house.run("pause", RULE).exit_code == 2
    assert house.run("pause", RULE, "--because", " ").exit_code == 2
    result = house.run("pause", "sold-out-leaves", "--because", "x")
    assert result.exit_code == 2
    assert 'There is no rule "sold-out-leaves"' in result.stderr
    paused = house.run_json("pause", RULE, "--because", "x")
    (pause,) = paused["paused"]
    assert (pause["rule"], pause["store"], pause["because"]) == (RULE, None, "x")
    assert paused == {"rule": RULE, "store": None, "is_changed": True, "paused": [pause], "notes": []}


@pytest.mark.parametrize("command", ["holds", "forget", "release-hold", "undo", "pause", "resume"])
def test_the_commands_teach_what_they_do(house: House, command: str) -> None:
    said = plain(house.run(command, "--help").stdout)
    assert f"Example: rules-engine {command}" in said
    assert "--json" in said


def test_a_store_that_there_is_not_is_said_also_where_nothing_is_found_of_it(house: House) -> None:
    house.run("migrate")
    for command in ("deliveries", "dead-letters", "dead-letters retry --all"):
        result = house.run(*command.split(), "--store", "wep")
        assert result.exit_code == 2, command
        assert 'stores.yaml has no store "wep": did you mean "web"?' in result.stderr
        assert house.run(*command.split(), "--store", "web").exit_code == 0


def test_who_releases_a_hold_that_is_put_off_is_told_until_when(house: House, web: Shop) -> None:
    for _ in range(3):
        for edit in (("restock", LAPTOP, 5), ("sell_out", LAPTOP)):
            web.edit(*edit)
            walk(house)
    result = house.run("release-hold", RULE, str(LAPTOP))
    assert result.exit_code == 1
    assert result.stdout.startswith(
        f"{RULE} did not step back from Trail Runner (TR-1), but is put off: taken 3 times in 24 hours; waits until "
    )
    (hold,) = held(house)
    assert (hold["waits"], hold["what"]) == ("put off", f"to take it out of Featured ({FEATURED})")


def test_a_sweep_says_what_its_store_asks(house: House, shops: Mapping[str, Shop]) -> None:
    house.write("rules.yaml", RULES.replace("do: [remove", "ask_first: always\n    do: [remove"))
    house.run("release")
    shops["web"].edit("sell_out", LAPTOP)
    said = house.run("reconcile", "web").stdout
    (question,) = house.run_json("questions")["questions"]
    assert "  1 question of this store to answer: `rules-engine questions --store web`." in said
    assert house.run_json("reconcile", "web")["stores"][0]["questions"] == [question["id"]]


def test_wrong_usage_is_one_object_for_programs_too(house: House) -> None:
    house.run("migrate")
    for command in (
        ["pause", "--because", " "],
        ["dead-letters", "drop", "k", "--because", " "],
        ["dead-letters", "retry"],
    ):
        assert list(house.run_json(*command, code=2)) == ["error"]
