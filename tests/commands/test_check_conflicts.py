"""`check` prints the product on which rules fight, and fails only for what can never be."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_house import House

FIGHT = """\
rules:
  sold-out-is-hidden:
    stores: [web]
    while: {product.stock: {at_most: 0}}
    do: [hide]
  acme-is-shown:
    stores: [web]
    while: {product.brand: Acme}
    do: [show]
"""
NEVER = """\
rules:
  never:
    stores: [web]
    while: {product.stock: 3, product.tracks_stock: false}
    do: [hide]
"""


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def test_rules_that_fight_are_a_warning_with_a_product_on_which_they_do(house: House) -> None:
    house.write("fight.yaml", FIGHT)
    result = house.run("check")
    assert result.exit_code == 0
    assert "rules/fight.yaml:9:10: warning: `hide` of sold-out-is-hidden (line 5) wants the opposite" in result.stdout
    assert "for example a product with stock 0 and brand Acme\n" in result.stdout
    assert result.stdout.endswith("no errors, 1 warning.\n")
    (problem,) = house.run_json("check")["problems"]
    assert (problem["code"], problem["severity"]) == ("rules-fight", "warning")
    assert "a product with stock 0 and brand Acme" in problem["message"]


def test_a_rule_that_nothing_can_meet_is_an_error(house: House) -> None:
    house.write("never.yaml", NEVER)
    found = house.run_json("check", code=1)
    assert [problem["code"] for problem in found["problems"]] == ["never-true"]
    assert found["valid"] is False, "as the exit code says"
    assert found["problems"][0]["message"] == (
        "nothing can ever meet this rule: product.stock must be 3 and product.tracks_stock must be false"
    )
