"""`migrate`, `release` and `worker`: what a host runs beside the server."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
import sqlalchemy as sa
from command_house import House

from rules_engine.app import utc_now
from rules_engine.core.rule import Rulebook, RulebookHash
from rules_engine.database.rulebooks import Activation, active
from rules_engine.database.tables import holds
from rules_engine.lane.rules import put_in_force

LITERAL = 'stores:\n  web: {vendor: ecwid, store_id: 1003, token: secret_abc, client_secret: "${S}"}\n'


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def in_force(house: House) -> Activation | None:
    with house.database() as database:
        return database.read_now(active)


def test_migrate_makes_the_tables_and_names_their_revision_every_time(house: House) -> None:
    first = house.run("migrate")
    assert first.exit_code == 0
    assert first.stdout.startswith("The database is at revision 0")
    assert house.run_json("migrate")["revision"] in first.stdout


def test_release_puts_the_rules_in_force_once(house: House) -> None:
    first = house.run_json("release")
    assert first["is_new"] is True
    assert len(first["rules"]) == 5
    again = house.run("release")
    assert again.exit_code == 0
    assert "was in force already" in again.stdout
    found = in_force(house)
    assert found is not None
    assert found.hash == first["rulebook"]


def test_a_release_with_invalid_rules_says_all_and_changes_nothing(house: House) -> None:
    house.run("release")
    before = in_force(house)
    house.write("more.yaml", "rules:\n  a: {while: sold out, do: [vanish]}\n  b: {while: 3, do: [hide]}\n")
    result = house.run("release")
    assert result.exit_code == 1
    assert "rules/more.yaml:2:" in result.stderr
    assert "rules/more.yaml:3:" in result.stderr
    assert "nothing was changed" in result.stderr
    assert in_force(house) == before


def test_a_first_release_with_invalid_stores_does_not_even_make_a_database(house: House) -> None:
    house.write("stores.yaml", LITERAL)
    result = house.run("release")
    assert result.exit_code == 1
    assert "is a secret and must not stand in a file" in result.stderr
    assert "secret_abc" not in result.output
    assert not house.file.exists()
    assert house.run_json("release", code=1)["problems"][0]["code"] == "literal-secret"


def test_a_release_names_the_stores_that_wait_for_a_variable(house: House) -> None:
    del house.environment["KSA_MANAGER_TOKEN"]
    result = house.run("release", KSA_MANAGER_TOKEN="")
    assert result.exit_code == 0
    assert "ksa waits: set KSA_MANAGER_TOKEN" in result.stderr


def test_a_release_names_who_cannot_be_told_for_want_of_a_variable(house: House) -> None:
    stores = (house.rules / "stores.yaml").read_text(encoding="utf-8")
    house.write("stores.yaml", stores + "\nnotify: {floor: '${FLOOR_WEBHOOK}'}\n")
    result = house.run("release")
    assert result.exit_code == 0
    assert "floor is not told: set FLOOR_WEBHOOK" in result.stderr
    assert "floor" not in house.run("release", FLOOR_WEBHOOK="https://chat.example/x").stderr


def test_no_worker_is_needed_on_sqlite(house: House) -> None:
    result = house.run("worker")
    assert result.exit_code == 0
    assert result.stdout == "No worker is needed: on SQLite, `rules-engine serve` runs the lanes itself.\n"
    assert house.run_json("worker")["needed"] is False
    assert not house.file.exists()


def test_a_worker_on_a_database_that_this_release_cannot_use_says_so(house: House) -> None:
    house.environment["DATABASE_URL"] = "postgres://somebody:password@db.example/engine"
    result = house.run("worker")
    assert result.exit_code == 2
    assert "PostgreSQL" in result.stderr
    assert "password" not in result.output


TWO = """
rules:
  one: {stores: [web], while: sold out, do: [hide]}
  two: {stores: [web], while: {product.published: true}, do: [{remove_from_category: Shoes}]}
"""


def test_a_release_says_what_is_other_than_before(house: House) -> None:
    house.write("more.yaml", TWO)
    first = house.run_json("release")
    assert {"one", "two"} <= set(first["changes"]["added"])
    edited = TWO.replace("one:", "uno:").replace("while: sold out", "formerly: one, while: sold out")
    house.write(
        "more.yaml", edited.replace("Shoes", "Featured") + "  three: {stores: [web], while: sold out, do: [show]}"
    )
    (house.rules / "brands.yaml").unlink()
    said = house.run("release").stdout
    assert "  added: three\n" in said
    assert "  removed: brand-cleared-leaves-brand-categories, end-of-line-products-lose-their-brand\n" in said
    assert "  edited: two\n" in said
    assert "  renamed: one → uno\n" in said
    assert house.run_json("release")["changes"] is None
    house.write("note.yaml", "# nothing\nrules: {}\n")
    assert "No rule is other than before." in house.run("release").stdout


def test_a_release_over_rules_that_this_one_cannot_read_is_no_failure(house: House) -> None:
    house.run("release")
    with house.database() as database:
        broken = {"rules/old.yaml": "rules: {a: {while: from another age, do: [vanish]}}"}
        rulebooks = Rulebook(RulebookHash("old"), texts=broken)
        database.write_now(partial(put_in_force, rulebook=rulebooks, stores=[], now=utc_now(), reason="test"))
    assert house.run_json("release")["changes"] is None


def test_a_release_warns_of_what_a_deleted_rule_still_holds(house: House) -> None:
    house.run("release")
    with house.database() as database:
        database.write_now(partial(hold, rule="gone-rule"))
    house.write("more.yaml", TWO)
    assert "gone-rule is gone from web and holds 1 product: give back or keep?" in house.run("release").stderr
    gone = {"store": "web", "rule": "gone-rule", "products": 1, "is_stray": False}
    assert house.run_json("release")["gone"] == [gone]


def hold(connection: sa.Connection, rule: str) -> None:
    row: dict[str, object] = {"store": "web", "product": "1", "aspect": "membership", "target": "7", "rule": rule}
    row |= {"subject_kind": "product", "subject_id": "1", "state": "holding", "episode": 1, "takes": 1}
    connection.execute(sa.insert(holds).values(**row, cause=[], wish=False, since=utc_now()))
