"""`migrate`, `release` and `worker`: what a host runs beside the server."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_house import House

from rules_engine.database.rulebooks import Activation, active

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
