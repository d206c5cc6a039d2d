"""`note`: what rules did lately and what waits for people, printed for each store."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_house import House


@pytest.fixture
def house(tmp_path: Path) -> House:
    house = House(tmp_path)
    assert house.run("release").exit_code == 0
    return house


def test_the_note_is_printed_for_every_store(house: House) -> None:
    result = house.run("note")
    assert result.exit_code == 0, result.output
    titles = [line for line in result.stdout.splitlines() if ", since " in line]
    assert [title.partition(",")[0] for title in titles] == ["web", "ksa", "b2b", "brands"]
    assert "Asia/Riyadh" in titles[1]
    assert "Nothing was taken or returned, and nothing waits for you." in result.stdout


def test_the_note_needs_no_secret(house: House) -> None:
    house.environment = {name: value for name, value in house.environment.items() if name in {"RULES", "DATABASE_URL"}}
    assert house.run("note", "--store", "web").exit_code == 0


def test_as_json_the_note_is_one_object(house: House) -> None:
    found = house.run_json("note", "--store", "ksa", "--since", "3 days")
    assert [each["store"] for each in found["stores"]] == ["ksa"]
    assert (found["rules"], found["stores"][0]["done"], found["stores"][0]["held"]["products"]) == (None, [], 0)


@pytest.mark.parametrize("since", ["24h", "3 days", "yesterday 18:00", "2026-01-31", "2 hours ago"])
def test_since_is_a_span_or_a_time(house: House, since: str) -> None:
    assert house.run("note", "--since", since).exit_code == 0


@pytest.mark.parametrize("since", ["24", "soon", "in 2 hours", "9999-01-01"])
def test_since_what_is_no_time_gone_by_is_said_with_what_to_write(house: House, since: str) -> None:
    result = house.run("note", "--since", since)
    assert result.exit_code == 2
    assert "write 24h, 3 days or `yesterday 18:00`" in result.stderr


def test_a_store_that_there_is_not_is_wrong_usage(house: House) -> None:
    assert house.run("note", "--store", "wbe").exit_code == 2


def test_without_rules_in_force_the_note_says_so(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.run("migrate")
    result = house.run("note")
    assert result.exit_code == 0
    assert "No rules are in force: no rulebook is active yet" in result.stdout
