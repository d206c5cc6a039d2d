"""`why`: the answer from the command line, while the engine runs or not, without secrets."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from command_house import LAPTOP, House, poll

from rules_engine.core.delivery import StoreAlias
from rules_engine.core.plan import Case
from rules_engine.core.subject import Snapshot, complete, product
from rules_engine.database import ledger

WEB, KSA = StoreAlias("web"), StoreAlias("ksa")
NOW = datetime.now(UTC) - timedelta(days=1)


@pytest.fixture
def house(tmp_path: Path) -> House:
    """A house whose environment has no secrets, with rules in force."""
    house = House(tmp_path)
    house.run("release")
    house.environment = {name: house.environment[name] for name in ("RULES", "DATABASE_URL")}
    return house


def see(house: House, store: StoreAlias, id_: str, **fields: object) -> None:
    ref = product(id_)
    seen = Snapshot(ref, complete({"id": id_, "category_ids": [], "stock": 0, **fields}))
    with house.database() as database:
        save = partial(ledger.save_case, store=store, before=Case(ref), after=Case(ref, seen, 1, NOW), now=NOW)
        database.write_now(save)


def test_a_product_is_explained_in_every_store_that_knows_it(house: House) -> None:
    see(house, WEB, "17", sku="B-1", name="Boot")
    see(house, KSA, "x-1", sku="b-1", name="حذاء")
    result = house.run("why", "b-1")
    assert result.exit_code == 0, result.output
    web, ksa = result.stdout.split("\n\nحذاء (product x-1, SKU b-1) in ksa\n")
    assert web.startswith("Boot (product 17, SKU B-1) in web\n")
    assert "times in Asia/Riyadh" in ksa
    assert "حذاء" not in house.run("why", "b-1", "--store", "web").stdout


def test_one_rule_is_explained_alone(house: House) -> None:
    see(house, WEB, "17", sku="B-1", name="Boot")
    (found,) = house.run_json("why", "B-1", "--rule", "sold-out-leaves-featured")["found"]
    assert [rule["rule"] for rule in found["rules"]] == ["sold-out-leaves-featured"]
    assert found["elsewhere"] == {}


def test_a_rule_that_there_is_not_is_wrong_usage(house: House) -> None:
    see(house, WEB, "17", sku="B-1", name="Boot")
    result = house.run("why", "B-1", "--rule", "sold-out-leaves-feature")
    assert result.exit_code == 2
    assert 'did you mean "sold-out-leaves-featured"?' in result.stderr


def test_a_name_with_a_line_break_makes_no_line_of_its_own(house: House) -> None:
    see(house, WEB, "17", sku="B-1", name="Boot\n  → It keeps the product out of Sale\u2028since yesterday.")
    said = house.run("why", "B-1").stdout.splitlines()
    assert said[0].startswith("Boot   → It keeps the product out of Sale since yesterday. (product 17, SKU B-1) in web")


def test_a_time_further_away_than_anybody_can_reckon_is_wrong_usage(house: House) -> None:
    see(house, WEB, "17", sku="B-1", name="Boot")
    assert house.run("why", "B-1", "--at", "9999-12-31 23:00").exit_code == 2


def test_a_store_or_a_time_that_there_is_not_is_wrong_usage(house: House) -> None:
    see(house, WEB, "17", sku="B-1", name="Boot")
    wrong_store, wrong_time = house.run("why", "B-1", "--store", "wbe"), house.run("why", "B-1", "--at", "soon")
    assert (wrong_store.exit_code, wrong_time.exit_code) == (2, 2)
    assert wrong_store.stderr == 'stores.yaml has no store "wbe": did you mean "web"?\n'
    assert wrong_time.stderr == (
        "--at 'soon' is no time: write 2026-11-20 14:00, 14:00, yesterday 14:00, 2 hours ago or in 2 hours.\n"
    )


def test_two_of_one_name_are_listed(house: House) -> None:
    for id_ in ("17", "18"):
        see(house, WEB, id_, sku=f"B-{id_}", name="Boot")
    result = house.run("why", "boot")
    assert result.exit_code == 1
    assert result.stderr == "More than one is called 'boot': name one by its id, and its store with --store.\n"
    assert result.stdout.splitlines() == [
        "id          store  called  SKU",
        "product:17  web    Boot    B-17",
        "product:18  web    Boot    B-18",
    ]
    assert len(house.run_json("why", "boot", code=1)["matches"]) == 2
    assert house.run("why", "product:18").exit_code == 0


def test_what_nobody_told_the_engine_about_is_said_with_what_may_be_meant(house: House) -> None:
    nothing = house.run("why", "Boot")
    assert (nothing.exit_code, nothing.stderr) == (
        1,
        "Nobody told the engine about any product yet: it knows those that webhooks and sweeps showed.\n",
    )
    see(house, WEB, "17", sku="B-1", name="Boot")
    result = house.run("why", "Boott")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == (
        "Nobody told the engine about 'Boott' yet: it knows the products that webhooks and sweeps showed, by SKU, id "
        "and name. Did you mean 'Boot'?\n"
    )
    assert house.run_json("why", "Boott", code=1) == {"found": [], "matches": [], "near": "Boot"}


def test_without_rules_in_force_the_files_are_explained(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.run("migrate")
    see(house, WEB, "17", sku="B-1", name="Boot")
    assert "! No rules are in force yet (`rules-engine release` puts them in force)" in house.run("why", "17").stdout


def test_rules_in_force_are_explained_whatever_the_files_say(house: House) -> None:
    see(house, WEB, "17", sku="B-1", name="Boot", stock=3)
    house.write("featured.yaml", "rules: [")
    assert "  → This is not so" in house.run("why", "17", "--at", "in 1 hour").stdout


def test_it_is_asked_while_the_engine_runs(tmp_path: Path) -> None:
    house = House(tmp_path)
    with house.shops() as shops, house.serving() as server:
        shops["web"].edit("sell_out", LAPTOP)
        assert set(shops["web"].deliver(server.url)) == {200}
        poll(lambda: shops["web"].writes("/unassignProducts"))
        poll(lambda: "It keeps the product out of Featured (9691094) since" in house.run("why", "TR-1").stdout)
        (found,) = house.run_json("why", "TR-1", "--rule", "sold-out-leaves-featured")["found"]
        assert found["rules"][0]["truth"] == "met"
        assert found["traces"][0]["rulebook"] == found["rulebook"]
