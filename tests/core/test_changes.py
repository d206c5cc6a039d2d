"""What a new rulebook changes is said rule by rule; where a rule stands in the files is no change."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from engine_world import rulebook

from rules_engine.core.changes import Changes, Renamed, changes_between, fingerprint, renames
from rules_engine.core.rule import Rulebook, RuleCode

ONE, TWO, NEW = RuleCode("one"), RuleCode("two"), RuleCode("new")


def rule(code: str, *, stock: str = "{at_most: 0}", more: str = "") -> str:
    return f"""
  {code}:
    stores: [web]
    while: {{product.stock: {stock}, product.attributes.Line: {{one_of: [a, b]}}, jmespath: "product.price > `3`"}}
    do: [{{remove_from_category: [Featured, {{under: Shoes}}]}}]
    {more}
"""


def book(*rules: str, before: str = "") -> Rulebook:
    return rulebook(before + "rules:" + "".join(rules))


BEFORE = book(rule("one"), rule("two"))


def test_the_same_rules_are_no_change() -> None:
    assert changes_between(BEFORE, BEFORE) == Changes()
    assert Changes().is_empty


def test_rules_that_only_moved_are_no_change() -> None:
    assert changes_between(BEFORE, book(rule("two"), rule("one"), before="# a comment\n\n")).is_empty


@pytest.mark.parametrize(
    "edited",
    [rule("one", stock="{at_most: 1}"), rule("one", more="title: another"), rule("one", more="mode: watch")],
)
def test_a_rule_that_says_something_else_is_edited(edited: str) -> None:
    assert changes_between(BEFORE, book(edited, rule("two"))) == Changes(edited=(ONE,))


def test_an_edited_meaning_edits_the_rules_that_use_it() -> None:
    old, new = (
        book(rule("one"), "\n  two: {stores: [web], while: sold out, do: [hide]}", before=f"meanings: {{{meaning}}}\n")
        for meaning in ("sold out: {product.stock: 0}", "sold out: {product.stock: {at_most: 0}}")
    )
    assert changes_between(old, new) == Changes(edited=(TWO,))


def test_rules_are_added_and_removed() -> None:
    assert changes_between(BEFORE, book(rule("new"), rule("two"))) == Changes(added=(NEW,), removed=(ONE,))


def test_a_rule_under_another_code_is_renamed_and_may_be_edited_as_well() -> None:
    only = book(rule("new", more="formerly: one"), rule("two"))
    assert changes_between(BEFORE, only) == Changes(renamed=(Renamed(ONE, NEW),))
    both = book(rule("new", stock="{at_most: 1}", more="formerly: one"), rule("two"))
    assert changes_between(BEFORE, both) == Changes(renamed=(Renamed(ONE, NEW),), edited=(NEW,))
    assert str(Renamed(ONE, NEW)) == "one → new"


def test_a_former_code_that_is_a_rule_has_no_heir_and_of_two_heirs_the_first_has_it() -> None:
    one, two = BEFORE.rules
    assert renames(replace(BEFORE, rules=(one, replace(two, formerly=(ONE,))))) == []
    heirs = tuple(replace(rule, formerly=(NEW,)) for rule in (one, two))
    assert renames(replace(BEFORE, rules=heirs)) == [Renamed(NEW, ONE)]


def test_a_rule_that_takes_in_another_is_no_new_one() -> None:
    """The former rule is gone then: its heir was there before."""
    merged = book(rule("two", more="formerly: one"))
    assert changes_between(BEFORE, merged) == Changes(removed=(ONE,))


def test_a_fingerprint_is_that_of_what_a_rule_means_and_not_of_its_name_or_place() -> None:
    one = BEFORE.rules[0]
    moved = book(rule("two"), rule("new", more="formerly: one"), before="# a comment\n\n").rules[1]
    assert fingerprint(moved) == fingerprint(one)
    edits = [rule("one", stock="{at_most: 1}"), rule("one", more="mode: watch"), rule("one", more="flap_limit: 2")]
    assert len({fingerprint(book(edit).rules[0]) for edit in edits} | {fingerprint(one)}) == 4


FINGERPRINT = """
from rules_engine.core.changes import fingerprint
from test_changes import book, rule
print(fingerprint(book(rule("one", more="weekdays: [mon, thu, sun]")).rules[0]))
"""


def test_a_fingerprint_is_the_same_in_every_process() -> None:
    here = Path(__file__).parent
    said = {
        subprocess.run(
            [sys.executable, "-c", FINGERPRINT],
            env={"PYTHONPATH": f"{here}{os.pathsep}{here.parent}", "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(said) == 1
