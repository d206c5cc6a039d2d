"""A rulebook knows where its rules look at fields, and is read together with the files that hold its tests."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from rules_engine.core.errors import RulebookError
from rules_engine.core.rule import Rulebook, RuleCode
from rules_engine.core.store import Store
from rules_engine.rulebook import compile_rulebook
from rules_engine.vendors import VENDORS

Compile = Callable[..., Rulebook]


def test_where_a_rule_looks_at_its_fields_is_kept(compiled: Compile) -> None:
    rulebook = compiled(
        "meanings:\n"
        "  ending: {product.attributes.Line: Ends}\n"
        "rules:\n"
        "  a:\n"
        "    stores: [web]\n"
        "    while: {all: [ending, {product.raw.a.b: 1}, jmespath: 'product.price > `3`']}\n"
        "    unless: {product.attributes.Shoe size: 42}\n"
        "    do: [hide]\n"
    )
    assert [(use.field, use.place.line, use.place.column, use.via) for use in rulebook.uses[RuleCode("a")]] == [
        ("product.attributes.Line", 6, 19, "ending"),
        ("product.raw.a.b", 6, 28, ""),
        ("product.price", 6, 60, ""),
        ("product.attributes.Shoe size", 7, 14, ""),
    ]


def test_tests_in_files_of_their_own_are_read_with_the_rules_and_change_nothing_of_what_they_are(
    stores: tuple[Store, ...],
) -> None:
    rules = "rules: {a: {stores: [web], while: {product.stock: 0}, do: [hide]}}\n"
    tests = "tests: {a: [{name: hides, given: {product: {stock: 0}}, expect: [hide]}]}\n"
    alone = compile_rulebook({"rules/a.yaml": rules}, stores=stores, vendors=VENDORS)
    both = compile_rulebook(
        {"rules/a.yaml": rules}, stores=stores, vendors=VENDORS, tests={"rules/tests/a.yaml": tests}
    )
    assert [scenario.name for scenario in both.scenarios] == ["hides"]
    assert (both.hash, both.texts, both.rules) == (alone.hash, alone.texts, alone.rules)


def test_what_is_wrong_in_files_of_tests_is_told_with_what_is_wrong_in_rules(stores: tuple[Store, ...]) -> None:
    rules = "rules: {a: {stores: [web], while: {product.stok: 0}, do: [hide]}}\n"
    tests = "tests: {a: [{name: hides, given: {product: {stok: 0}}, expect: [hide]}], b: []}\n"
    with pytest.raises(RulebookError) as caught:
        compile_rulebook({"rules/a.yaml": rules}, stores=stores, vendors=VENDORS, tests={"rules/tests/a.yaml": tests})
    found = [(problem.place.path, problem.code) for problem in caught.value.problems]
    assert found[0] == ("rules/a.yaml", "unknown-field")
    assert ("rules/tests/a.yaml", "unknown-rule") in found
    assert len(found) == 3


def test_the_category_for_what_has_none_left_has_its_place(compiled: Compile) -> None:
    text = (
        "rules:\n"
        "  a:\n"
        "    stores: [web]\n"
        "    while: {product.stock: 0}\n"
        "    do: [{remove_from_category: Sale}]\n"
        "    if_no_category_is_left: {add_to_category: [Unsorted, {id: 7}]}\n"
    )
    guards = compiled(text).rules[0].guards
    assert [(place.line, place.column) for place in guards.fallback_places] == [(6, 48), (6, 58)]
    assert len(guards.fallbacks) == 2
