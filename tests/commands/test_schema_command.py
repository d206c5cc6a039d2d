"""`schema` prints what editors need, and brings a folder of rules up to this release."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from command_house import House

from rules_engine.rulebook.schema import SchemaKind, schema_text
from rules_engine.vendors import VENDORS


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def test_the_schema_of_rules_is_printed_as_the_file_has_it(house: House) -> None:
    result = house.run("schema")
    assert result.exit_code == 0
    assert result.stdout == (house.rules / "schema" / "rules.json").read_text(encoding="utf-8")


@pytest.mark.parametrize("kind", SchemaKind)
def test_each_schema_is_printed_by_its_name(house: House, kind: SchemaKind) -> None:
    assert json.loads(house.run("schema", kind).stdout) == json.loads(schema_text(kind, VENDORS))


def test_an_empty_folder_of_rules_gets_all_three(house: House) -> None:
    folder = house.folder / "others"
    folder.mkdir()
    result = house.run("schema", "--write", RULES=str(folder))
    assert result.exit_code == 0
    files = [folder / "schema" / f"{kind}.json" for kind in SchemaKind]
    assert result.stdout.splitlines() == [
        *(f"wrote {file}" for file in files),
        "An editor finds them by the first line of a file:",
        "  rule files    # yaml-language-server: $schema=schema/rules.json",
        "  stores.yaml   # yaml-language-server: $schema=schema/stores.json",
        "  tests/*.yaml  # yaml-language-server: $schema=../schema/tests.json",
    ]
    assert [file.read_text(encoding="utf-8") for file in files] == [schema_text(kind, VENDORS) for kind in SchemaKind]


def test_one_that_is_named_is_written_alone_over_the_old_one(house: House) -> None:
    for kind in SchemaKind:
        house.write(f"schema/{kind}.json", "{}")
    written = house.run_json("schema", "stores", "--write")["written"]
    assert written == [str(house.rules / "schema" / "stores.json")]
    assert (house.rules / "schema" / "stores.json").read_text(encoding="utf-8") == schema_text(
        SchemaKind.STORES, VENDORS
    )
    assert (house.rules / "schema" / "rules.json").read_text(encoding="utf-8") == "{}"


def test_without_a_folder_of_rules_nothing_is_made_and_it_says_why(house: House) -> None:
    missing = house.folder / "nowhere"
    result = house.run("schema", "--write", RULES=str(missing))
    assert result.exit_code == 1
    assert result.stderr == f"{missing / 'schema'} cannot be written: No such file or directory.\n"
    assert not missing.exists()


def test_a_folder_that_cannot_be_written_is_json_too(house: House) -> None:
    (house.folder / "others").mkdir()
    (house.folder / "others" / "schema").write_text("a file")
    result = house.run("schema", "--write", "--json", RULES=str(house.folder / "others"))
    assert result.exit_code == 1
    assert "cannot be written" in json.loads(result.stdout)["error"]


def test_another_word_is_wrong_usage(house: House) -> None:
    assert house.run("schema", "shops").exit_code == 2


def test_schemas_are_no_rule_files(house: House) -> None:
    house.run("schema", "--write")
    assert "5 rules in 3 files" in house.run("check").stdout
