"""Every command teaches, ends with the code that was promised, and says what went wrong in one sentence."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from command_house import House, plain

from rules_engine import __version__

ROOT = Path(__file__).parents[2]
COMMANDS = (
    "demo",
    "serve",
    "worker",
    "migrate",
    "release",
    "check",
    "schema",
    "deliveries",
    "replay",
    "probe",
    "dead-letters",
    "dead-letters list",
    "dead-letters show",
    "dead-letters retry",
    "dead-letters drop",
)


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_says_what_it_does_and_shows_an_example(house: House, command: str) -> None:
    result = house.run(*command.split(), "--help")
    assert result.exit_code == 0
    assert f"Example: rules-engine {command}" in plain(result.stdout)


@pytest.mark.parametrize("command", [each for each in COMMANDS if each != "serve"])
def test_every_command_that_prints_can_print_json(house: House, command: str) -> None:
    assert "--json" in house.run(*command.split(), "--help").stdout


def test_help_lists_every_command_and_the_exit_codes(house: House) -> None:
    said = plain(house.run("--help").stdout)
    assert all(command.partition(" ")[0] in said for command in COMMANDS)
    assert "0 when all is fine, 1 when they found something or something failed, 2 when they were used wrongly" in said


def test_the_version_is_that_of_the_package(house: House) -> None:
    assert house.run("--version").stdout.strip() == __version__


@pytest.mark.parametrize("arguments", [["nonsense"], ["check", "--nonsense"], ["replay"], ["deliveries", "--limit=0"]])
def test_wrong_usage_ends_with_2(house: House, arguments: list[str]) -> None:
    assert house.run(*arguments).exit_code == 2


def test_a_wrong_variable_is_one_sentence_and_wrong_usage(house: House) -> None:
    result = house.run("migrate", RETENTION_DAYS="many")
    assert result.exit_code == 2
    assert result.stderr == "RETENTION_DAYS is not usable: set it to a whole number from 1 to 3650.\n"


def test_an_error_is_json_too_when_json_was_asked_for(house: House) -> None:
    result = house.run("deliveries", "--json")
    assert result.exit_code == 1
    assert "There is no database" in json.loads(result.stdout)["error"]
    assert not house.file.exists()


def test_a_database_of_another_kind_is_refused_with_what_to_write_and_without_its_password(house: House) -> None:
    result = house.run("deliveries", DATABASE_URL="postgres://somebody:a-password@host/engine")
    assert result.exit_code == 2
    assert "names PostgreSQL, which comes with a later release" in result.stderr
    assert "a-password" not in result.stderr


def test_a_database_of_another_release_is_not_touched(house: House) -> None:
    house.file.touch()
    result = house.run("deliveries")
    assert result.exit_code == 1
    assert "run `rules-engine migrate`" in result.stderr


def test_python_m_rules_engine_is_the_command(house: House) -> None:
    with house.process("nonsense") as process:
        assert process.wait(timeout=20) == 2
    assert "Usage: rules-engine" in (house.folder / "stderr").read_text()


def test_the_procfile_runs_commands_that_exist() -> None:
    lines = (ROOT / "Procfile").read_text().splitlines()
    assert lines == ["release: rules-engine release", "web: rules-engine serve", "worker: rules-engine worker"]
    assert all(line.split()[-1] in COMMANDS for line in lines)


def test_a_host_starts_no_worker_and_asks_for_every_secret_of_the_shipped_stores() -> None:
    app = json.loads((ROOT / "app.json").read_text())
    assert app["formation"]["worker"]["quantity"] == 0
    assert app["env"]["ADMIN_TOKEN"]["generator"] == "secret"
    stores = (ROOT / "rules" / "stores.yaml").read_text()
    assert set(re.findall(r": \$\{(\w+)\}", stores)) <= set(app["env"])
