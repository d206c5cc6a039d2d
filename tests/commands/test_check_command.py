"""`check` tells everything that is wrong with the files, where it is and what to write, and needs nothing else."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from command_house import House
from remembered import a_product, remember

from rules_engine.app import Outside
from rules_engine.core.delivery import StoreAlias
from rules_engine.database.engine import migrate

BROKEN_RULES = """\
rules:
  first:
    while: {product.stok: 0}
    do: [{remove_from_category: Featured}]
  second:
    stores: [nowhere]
    while: {product.stock: 0}
    do: [vanish]
"""
LITERAL = 'stores:\n  web: {vendor: ecwid, store_id: 1003, token: secret_abc, client_secret: "${S}"}\n'
TELLING = "[{notify: {webhook: floor}}]"
FOR_ALL = """\
rules:
  hidden-when-sold-out:
    while: {product.stock: {at_most: 0}}
    do: [hide]
"""
LINE = """\
rules:
  ends:
    stores: [web]
    while: {product.attributes.Lin: Ends}
    do: [hide]
"""
WRONG_TESTS = """\
tests:
  sold-out-leaves-featurd: []
  sold-out-leaves-featured:
    - name: it leaves, whatever that means
      given: {product: {stock: 0}}
"""
GOOD_TESTS = """\
tests:
  sold-out-leaves-featured:
    - name: what is there stays, said in a file of its own
      given: {product: {stock: 3, categories: [Featured]}}
      expect: nothing
"""


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def test_the_shipped_rules_are_fine(house: House) -> None:
    result = house.run("check")
    assert result.exit_code == 0
    assert re.fullmatch(r"5 rules in 3 files( with \d+ tests)? for 4 stores: no errors, no warnings\.\n", result.stdout)


def test_check_needs_no_environment_and_leaves_no_database(house: House) -> None:
    house.environment = {"RULES": str(house.rules), "DYNO": "web.1", "PORT": "nonsense", "ALLOW_PRIVATE_HOSTS": "?"}
    house.environment |= {"DATABASE_URL": f"sqlite:///{house.file}"}
    assert house.run("check").exit_code == 0
    assert sorted(path.name for path in house.folder.iterdir()) == ["rules"]


def test_every_error_of_every_file_comes_at_once_with_its_line_and_a_caret(house: House) -> None:
    house.write("broken.yaml", BROKEN_RULES)
    result = house.run("check")
    assert result.exit_code == 1
    assert "rules/broken.yaml:3:13: error:" in result.stdout
    assert "    3 |     while: {product.stok: 0}\n      |             ^^^^^^^^^^^^\n" in result.stdout
    assert "did you mean `product.stock`?" in result.stdout
    assert 'stores.yaml has no store "nowhere"' in result.stdout
    assert '"vanish"' in result.stdout
    assert result.stdout.endswith("3 errors, no warnings: these files are refused.\n")


def test_a_broken_stores_file_hides_no_errors_of_the_rules_and_blames_none_of_them(house: House) -> None:
    house.write("stores.yaml", LITERAL)
    house.write("broken.yaml", BROKEN_RULES.replace("[nowhere]", "[web]").replace("[vanish]", TELLING))
    problems = house.run_json("check", code=1)["problems"]
    assert problems[0]["code"] == "literal-secret"
    assert {Path(problem["path"]).name for problem in problems} == {"stores.yaml", "broken.yaml"}
    assert not {"unknown-store", "no-store", "unknown-webhook"} & {problem["code"] for problem in problems}


def test_a_broken_stores_file_alone_is_an_error(house: House) -> None:
    house.write("stores.yaml", LITERAL)
    result = house.run("check")
    assert result.exit_code == 1
    assert "secret_abc" not in result.output
    assert "1 error, no warnings" in result.stdout


def test_json_says_which_rules_run_where(house: House) -> None:
    found = house.run_json("check")
    assert found["valid"] is True
    assert found["problems"] == []
    assert found["stores"]["b2b"] == ["sold-out-leaves-featured-b2b"]
    assert house.run_json("check", "--format", "text") == json.loads(house.run("check", "--format", "json").stdout)


def test_a_store_that_a_rule_leaves_out_is_named_with_the_reason(house: House) -> None:
    house.write("all.yaml", FOR_ALL)
    result = house.run("check")
    assert result.exit_code == 0
    assert "hidden-when-sold-out does not run for:\n" in result.stdout
    assert "  b2b (Zave) cannot hide" in result.stdout
    assert "cannot hide" in house.run_json("check")["left_out"]["hidden-when-sold-out"]["b2b"]
    notice = next(line for line in house.run("check", "--format", "github").stdout.splitlines() if "b2b" in line)
    assert notice.startswith("::notice file=rules/all.yaml,line=2,col=3,")


def test_warnings_alone_are_fine(house: House) -> None:
    stores = (house.rules / "stores.yaml").read_text()
    house.write("stores.yaml", stores.replace("{Featured: collection-id-1}", "{Other: collection-id-1}"))
    result = house.run("check")
    assert result.exit_code == 0
    assert ": warning:" in result.stdout
    assert "no errors, 1 warning." in result.stdout


def test_what_is_wrong_with_tests_comes_with_what_is_wrong_with_rules(house: House) -> None:
    house.write("broken.yaml", BROKEN_RULES)
    (house.rules / "tests").mkdir()
    house.write("tests/featured.yaml", WRONG_TESTS)
    found = [(Path(each["path"]).name, each["code"]) for each in house.run_json("check", code=1)["problems"]]
    assert ("broken.yaml", "unknown-field") in found
    assert [code for name, code in found if name == "featured.yaml"] == ["unknown-rule", "missing-key"]


def test_wrong_tests_alone_refuse_the_files(house: House) -> None:
    (house.rules / "tests").mkdir()
    house.write("tests/featured.yaml", WRONG_TESTS)
    result = house.run("check")
    assert result.exit_code == 1
    assert 'rules/tests/featured.yaml:2:3: error: there is no rule "sold-out-leaves-featurd"' in result.stdout
    assert result.stdout.endswith("2 errors, no warnings: these files are refused.\n")


def test_a_file_of_tests_that_cannot_be_read_hides_no_errors_of_the_rules(house: House) -> None:
    house.write("broken.yaml", BROKEN_RULES)
    (house.rules / "tests").mkdir()
    (house.rules / "tests" / "old.yaml").write_bytes(b"tests: \xff")
    codes = {problem["code"] for problem in house.run_json("check", code=1)["problems"]}
    assert {"not-utf-8", "unknown-field"} <= codes


def test_a_file_of_tests_that_cannot_be_read_refuses_sound_rules(house: House) -> None:
    (house.rules / "tests").mkdir()
    (house.rules / "tests" / "old.yaml").write_bytes(b"tests: \xff")
    found = house.run_json("check", code=1)
    assert found["valid"] is False
    assert [problem["code"] for problem in found["problems"]] == ["not-utf-8"]


def test_tests_in_files_of_their_own_are_counted_and_are_no_part_of_the_rulebook(house: House) -> None:
    before = house.run_json("check")["rulebook"]
    (house.rules / "tests").mkdir()
    house.write("tests/featured.yaml", GOOD_TESTS)
    assert re.search(r"5 rules in 3 files with \d+ tests? for 4 stores", house.run("check").stdout)
    assert house.run_json("check")["rulebook"] == before


def test_a_field_that_never_arrived_is_a_warning_where_the_engine_remembers_what_did(house: House) -> None:
    house.write("line.yaml", LINE)
    migrate(house.environment["DATABASE_URL"])
    seen = [a_product(str(at), "Boot", brand="Acme", attributes={"Line": "Ends"}) for at in range(5)]
    with house.database() as database:
        remember(database, StoreAlias("web"), seen, at=Outside().now())
    result = house.run("check")
    assert result.exit_code == 0
    assert "no product of `web` seen in 30 days has `product.attributes.Lin`\n" in result.stdout
    assert "help: did you mean `product.attributes.Line`?   [field-never-seen]\n" in result.stdout
    assert result.stdout.endswith("no errors, 1 warning.\n")
    annotation = house.run("check", "--format", "github").stdout
    assert annotation.startswith("::warning file=rules/line.yaml,line=4,col=13,endColumn=35,title=field-never-seen::")
    (problem,) = house.run_json("check")["problems"]
    assert (problem["code"], problem["severity"]) == ("field-never-seen", "warning")


@pytest.mark.parametrize("content", [b"", b"this is no database at all, whatever it is called"])
def test_a_database_that_tells_nothing_is_passed_over(house: House, content: bytes) -> None:
    house.write("line.yaml", LINE)
    house.file.write_bytes(content)
    assert house.run("check").exit_code == 0
    assert house.run("check", DATABASE_URL="postgres://somebody:a-password@host/engine").exit_code == 0


def test_github_gets_one_annotation_for_each_problem_on_one_line(house: House) -> None:
    house.write("broken.yaml", BROKEN_RULES)
    result = house.run("check", "--format", "github")
    assert result.exit_code == 1
    lines = result.stdout.splitlines()
    assert len(lines) == 3
    assert lines[0].startswith("::error file=rules/broken.yaml,line=3,col=13,endColumn=25,title=unknown-field::")
    assert "%0Adid you mean `product.stock`?" in lines[0]


def test_a_missing_stores_file_is_wrong_usage(house: House) -> None:
    (house.rules / "stores.yaml").unlink()
    result = house.run("check")
    assert result.exit_code == 2
    assert "cannot be read" in result.stderr
    assert "Traceback" not in result.output
