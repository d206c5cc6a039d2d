"""Recorded tests are written as a person would write them, and leave a file's other lines alone."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from rules_engine.core.delivery import StoreAlias
from rules_engine.core.rule import RuleCode
from rules_engine.core.subject import product
from rules_engine.preview.scenario_record import Recorded
from rules_engine.preview.scenario_yaml import added_to, as_yaml

EXISTING = """\
# what we know

tests:
  first:     # the first
    - name: a
      given: {product: {stock: 3}}
      expect: nothing

  second:
    - name: b
      expect: nothing   # why not
# the end
"""


def recorded(rule: str = "first", **given_: Any) -> Recorded:
    return Recorded(
        RuleCode(rule), "recorded", product("1"), StoreAlias("web"), {"product": given_ or {"stock": 0}}, ("hide",)
    )


def read(text: str) -> Any:
    return YAML(typ="safe").load(text)


def test_a_test_is_added_at_the_end_of_its_rule_and_nothing_else_moves() -> None:
    text = added_to(EXISTING, [(recorded(), ["Seen once."])])
    assert text == EXISTING.replace(
        "\n\n  second",
        "\n    # Seen once.\n"
        "    - name: recorded\n"
        "      store: web\n"
        "      given:\n"
        "        product:\n"
        "          stock: 0\n"
        "      expect:\n"
        "        - hide\n"
        "\n  second",
    )


def test_a_rule_without_tests_gets_its_own_lines() -> None:
    text = added_to(EXISTING, [(recorded("third"), [])])
    assert list(read(text)["tests"]) == ["first", "second", "third"]
    assert text.startswith(EXISTING.removesuffix("# the end\n"))


@pytest.mark.parametrize(
    "existing",
    [
        "tests:\n  first:\n  - name: a\n    expect: nothing\n",
        "tests:\n      first:\n            - name: a\n              expect: nothing\n",
        "tests:\n  first:\n    -   name: a\n        expect: nothing",
        "tests:\n  first:\n    - name: a\n      expect:\n      - hide\n      # more\n\n\n",
    ],
)
def test_a_test_is_added_however_the_list_is_indented(existing: str) -> None:
    text = added_to(existing, [(recorded(), ["A note."]), (recorded("second"), [])])
    assert [len(tests) for tests in read(text)["tests"].values()] == [2, 1]
    assert text.startswith(existing.rstrip("\n"))


@pytest.mark.parametrize("existing", ["rules: {}\n", "tests:\n  first: []\n", "tests: {first: []}\n", "a: [", "- a\n"])
def test_what_cannot_be_added_to_is_refused(existing: str) -> None:
    with pytest.raises(ValueError, match=r"the file|the tests of"):
        added_to(existing, [(recorded(), [])])


texts = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=20)


@given(st.dictionaries(st.sampled_from(["sku", "name", "brand"]), texts | st.none(), min_size=1))
def test_whatever_a_shop_calls_things_is_read_back_as_it_was(fields: dict[str, Any]) -> None:
    again = added_to(as_yaml([(recorded(**fields), ["A note: {with} [signs] # and more"])]), [(recorded(**fields), [])])
    assert [each["given"]["product"] for each in read(again)["tests"]["first"]] == [fields, fields]
