"""`plan --since`: what the rules on disk would have done in the last days, beside what really happened."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from command_house import House
from remembered import SHOP, a_category, a_product, dump, remember

from rules_engine.core.delivery import StoreAlias

WEB = StoreAlias("web")
RULE = """
rules:
  sold-out-leaves-featured:
    stores: [web]
    while: {product.stock: {at_most: 0}}
    do: [{remove_from_category: Featured}]
"""


@pytest.fixture
def house(tmp_path: Path) -> House:
    """A house whose web shop was first seen three days ago; yesterday the gift card was sold out."""
    house = House(tmp_path)
    for name in ("brands.yaml", "categories.yaml"):
        (house.rules / name).unlink()
    house.write("featured.yaml", RULE)
    house.run("migrate")
    now = datetime.now(UTC)
    with house.database() as database:
        remember(database, WEB, SHOP, at=now - timedelta(days=3))
        remember(database, WEB, [a_product("3", "Gift Card", stock=0)], at=now - timedelta(days=1))
    return house


def test_a_backtest_is_a_table_and_the_first_difference_explained(house: House) -> None:
    result = house.run("plan", "--since", "7d", "--store", "web")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0].startswith("web (Ecwid), ")
    assert lines[0].endswith("(UTC): 4 products, 5 changes. 1 rule would have done otherwise.")
    assert lines[2].startswith("rule ")
    assert "then: products  flips  calls  now: products  flips  calls  difference" in lines[2]
    assert lines[3].split() == ["sold-out-leaves-featured", "0", "0", "0", "3", "0", "2", "with", "3", "products"]
    assert "  then: it was left alone" in result.stdout
    assert "  because while/product.stock: met: 0" in result.stdout
    assert "Nothing was recorded before " in result.stdout


def test_programs_get_everything_as_one_object(house: House) -> None:
    made = house.run_json("plan", "--since", "2 days", "--store", "web")
    (store,) = made["stores"]
    (rule,) = store["rules"]
    assert rule["now"] == {"products": 3, "takes": 1, "returns": 0, "moments": 0, "flips": 0, "calls": 1}
    assert (rule["then"]["products"], rule["differs"]) == (0, 3)
    assert set(rule["first"]) == {"at", "product", "called", "then", "now", "because"}


def test_a_comment_is_not_steered_by_names(house: House) -> None:
    with house.database() as database:
        at = datetime.now(UTC) - timedelta(days=6)
        remember(database, WEB, [a_product("8", "<b>|`@all`\n## big", stock=0)], at=at)
    said = house.run("plan", "--since", "7d", "--store", "web", "--markdown").stdout
    assert "&#60;b&#62;&#124;&#96;&#64;all&#96; &#35;&#35; big" in said
    assert said.count("<details>") == said.count("</details>") == 1


def test_more_than_is_kept_says_from_when_on_there_is_something(house: House) -> None:
    result = house.run("plan", "--since", "90d")
    assert result.exit_code == 2
    assert "there is something from " in result.stderr
    assert "Write `--since 30d`" in result.stderr
    assert house.run("plan", "--since", "90d", RETENTION_DAYS="100").exit_code == 0


@pytest.mark.parametrize("span", ["soon", "", "-7d"])
def test_a_span_that_is_none_is_wrong_usage(house: House, span: str) -> None:
    result = house.run("plan", f"--since={span}")
    assert result.exit_code == 2
    assert "is no span of time: write `7d`" in result.stderr


def test_other_rules_are_not_compared_over_time(house: House) -> None:
    result = house.run("plan", "--since", "7d", "--against", "main")
    assert result.exit_code == 2
    assert "leave out --against" in result.stderr


def test_a_rule_that_nobody_has_is_wrong_usage(house: House) -> None:
    result = house.run("plan", "--since", "7d", "--rule", "sold-out-leaves-feature")
    assert result.exit_code == 2
    assert 'did you mean "sold-out-leaves-featured"?' in result.stderr


def test_without_a_database_or_a_history_it_says_what_to_do(tmp_path: Path, house: House) -> None:
    assert house.run("plan", "--since", "7d", "--store", "ksa").stdout.startswith(
        "ksa (Zid): nothing was seen of it in that time. Run `rules-engine serve`"
    )
    shutil.move(house.file, tmp_path / "away.db")
    result = house.run("plan", "--since", "7d")
    assert result.exit_code == 1
    assert "`rules-engine serve` makes it" in result.stderr


def test_a_backtest_leaves_the_database_as_it_was_and_a_shops_words_steer_no_terminal(house: House) -> None:
    with house.database() as database:
        remember(database, StoreAlias("ksa"), [a_category("1", "\x1b[2Jx"), a_product("2", "\x1b[2Jy", stock=0)])
    before = dump(house.file)
    result = house.run("plan", "--since", "7d")
    assert "\x1b" not in result.stdout
    assert dump(house.file) == before
