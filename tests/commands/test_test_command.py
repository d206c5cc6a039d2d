"""`test` plays the tests of the rules without secrets, database or network, and says what differs and why."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from command_house import House

PASSING = """\
tests:
  sold-out-leaves-featured:
    - name: a sold-out product leaves
      given: {product: {sku: A-1, stock: 0, categories: [Featured, Shoes]}}
      expect: [{remove_from_category: Featured}]
"""
FAILING = """\
    - name: three are not few & <not> "sold out"
      given: {product: {sku: A-1, stock: 3, categories: [Featured]}}
      expect: [{remove_from_category: Featured}]
"""
ALONE = """\
rules:
  low-stock-is-hidden:
    stores: [web]
    while: {product.stock: {at_most: 2}}
    do: [hide]
tests:
  low-stock-is-hidden:
    - name: two are few
      given: {product: {stock: 2}}
      expect: [hide]
"""


RULES = """\
meanings:
  sold out:
    product.tracks_stock: true
    product.can_be_ordered: false
rules:
  sold-out-leaves-featured:
    stores: [web]
    while: sold out
    do: [{remove_from_category: Featured}]
  end-of-line-leaves-its-brand:
    stores: [brands]
    as_soon_as: {product.tags: {contains: end-of-line}}
    do: [unassign_brand]
"""


@pytest.fixture
def house(tmp_path: Path) -> House:
    """Two rules without tests; the environment has no secrets and no database."""
    made = House(tmp_path)
    made.environment = {"RULES": str(made.rules)}
    stores = (made.rules / "stores.yaml").read_text(encoding="utf-8")
    shutil.rmtree(made.rules)
    made.rules.mkdir()
    made.write("stores.yaml", stores)
    made.write("featured.yaml", RULES)
    return made


def write_tests(house: House, text: str, name: str = "featured.yaml") -> Path:
    folder = house.rules / "tests"
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


def test_tests_that_pass_are_told_one_a_line_and_rules_without_tests_at_the_end(house: House) -> None:
    write_tests(house, PASSING)
    result = house.run("test")
    assert result.exit_code == 0, result.output
    assert result.stdout == (
        "✓ sold-out-leaves-featured › a sold-out product leaves\n"
        "1 test: 1 passed, 0 failed.\n"
        "Rules without tests: end-of-line-leaves-its-brand.\n"
    )


def test_a_test_that_fails_shows_expected_against_actual_and_the_reason(house: House) -> None:
    write_tests(house, PASSING + FAILING)
    result = house.run("test", "--rule", "sold-out-leaves-featured")
    assert result.exit_code == 1
    assert result.stdout == (
        "✓ sold-out-leaves-featured › a sold-out product leaves\n"
        '✗ sold-out-leaves-featured › three are not few & <not> "sold out"\n'
        "    place      rules/tests/featured.yaml:6:13\n"
        "    expected   remove_from_category: Featured\n"
        "    actual     nothing\n"
        "    condition  ✗ sold out\n"
        "                 ✓ tracks_stock is true\n"
        "                 ✗ can_be_ordered is true, must be false\n"
        "    story      it did nothing\n"
        "2 tests: 1 passed, 1 failed.\n"
    )


def test_tests_may_stand_beside_the_rules(house: House) -> None:
    house.write("low.yaml", ALONE)
    result = house.run("test")
    assert result.exit_code == 0
    assert "✓ low-stock-is-hidden › two are few\n" in result.stdout


def test_rules_without_any_test_are_told_how_to_get_some(house: House) -> None:
    result = house.run("test")
    assert result.exit_code == 0
    assert result.stdout.startswith("There are no tests: write them under `tests:`")


def test_a_test_of_no_rule_is_refused_with_its_place(house: House) -> None:
    write_tests(house, PASSING.replace("sold-out-leaves-featured", "sold-out-leaves-feature"))
    result = house.run("test")
    assert result.exit_code == 1
    assert "rules/tests/featured.yaml:2:3: error: there is no rule" in result.stderr
    assert 'did you mean "sold-out-leaves-featured"?' in result.stderr


def test_a_rule_that_there_is_not_is_wrong_usage(house: House) -> None:
    result = house.run("test", "--rule", "sold-out-leaves-feature")
    assert result.exit_code == 2
    assert 'did you mean "sold-out-leaves-featured"?' in result.stderr


def test_a_path_that_there_is_not_is_wrong_usage(house: House) -> None:
    result = house.run("test", "nowhere")
    assert result.exit_code == 2
    assert result.stderr == "There is no file or folder nowhere.\n"


def test_a_rule_file_is_tested_alone_with_the_meanings_of_the_others(house: House) -> None:
    write_tests(house, PASSING)
    house.write("low.yaml", ALONE)
    found = house.run_json("test", str(house.rules / "featured.yaml"))
    assert (found["passed"], found["without_tests"]) == (1, ["end-of-line-leaves-its-brand"])
    assert house.run_json("test", str(house.rules / "low.yaml"))["passed"] == 1
    assert house.run_json("test")["passed"] == 2


def test_a_file_of_tests_is_played_alone(house: House) -> None:
    file = write_tests(house, PASSING)
    house.write("low.yaml", ALONE)
    found = house.run_json("test", str(file))
    assert [each["name"] for each in found["tests"]] == ["a sold-out product leaves"]
    assert found["without_tests"] == []
    assert house.run_json("test", str(file.parent))["passed"] == 1


def test_rules_outside_the_rulebook_stand_for_themselves(house: House) -> None:
    library = house.rules / "library"
    library.mkdir(exist_ok=True)
    (library / "low.yaml").write_text(ALONE, encoding="utf-8")
    elsewhere = house.folder / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "low.yaml").write_text(ALONE, encoding="utf-8")
    for path in (library / "low.yaml", elsewhere, elsewhere / "low.yaml"):
        found = house.run_json("test", str(path))
        assert [each["rule"] for each in found["tests"]] == ["low-stock-is-hidden"], path


def test_programs_get_every_test_with_its_reasons(house: House) -> None:
    write_tests(house, PASSING + FAILING)
    found = house.run_json("test", "--rule", "sold-out-leaves-featured", code=1)
    assert (found["passed"], found["failed"], found["without_tests"]) == (1, 1, [])
    assert found["tests"][1] == {
        "rule": "sold-out-leaves-featured",
        "name": 'three are not few & <not> "sold out"',
        "file": "rules/tests/featured.yaml",
        "line": 6,
        "passed": False,
        "expected": ["remove_from_category: Featured"],
        "actual": ["nothing"],
        "truth": "unmet",
        "condition": ["✗ sold out", "  ✓ tracks_stock is true", "  ✗ can_be_ordered is true, must be false"],
        "story": ["it did nothing"],
    }


def test_build_servers_get_junit_xml(house: House) -> None:
    write_tests(house, PASSING + FAILING)
    report = house.folder / "reports" / "rules.xml"
    assert house.run("test", "--junit", str(report)).exit_code == 1
    suite = ET.fromstring(report.read_text(encoding="utf-8")).find("testsuite")
    assert suite is not None
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("2", "1", "0")
    good, bad = suite.findall("testcase")
    assert good.get("classname") == "rules.tests.featured.sold-out-leaves-featured"
    assert good.find("failure") is None
    assert bad.get("name") == 'three are not few & <not> "sold out"'
    failure = bad.find("failure")
    assert failure is not None
    assert failure.get("message") == "expected remove_from_category: Featured, and it was nothing"
    assert "    ✗ sold out\n" in (failure.text or "")


def test_junit_xml_is_sound_whatever_a_name_holds(house: House) -> None:
    write_tests(house, PASSING.replace("a sold-out product leaves", '"a\\u0001b ]]> \\uFFFE"'))
    report = house.folder / "rules.xml"
    result = house.run("test", "--junit", str(report))
    if result.exit_code == 0:  # else the loader takes no such name
        case = ET.fromstring(report.read_text(encoding="utf-8")).find("testsuite/testcase")
        assert case is not None
        assert case.get("name") == "a�b ]]> �"


def test_a_report_that_cannot_be_written_is_wrong_usage(house: House) -> None:
    write_tests(house, PASSING)
    (house.folder / "file").write_text("")
    result = house.run("test", "--junit", str(house.folder / "file" / "rules.xml"))
    assert result.exit_code == 2
    assert "cannot be written" in result.stderr


def test_files_that_are_wrong_are_told_to_programs_too(house: House) -> None:
    write_tests(house, PASSING.replace("stock: 0", "stok: 0"))
    result = house.run("test", "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["problems"][0]["code"] == "unknown-field"
