"""What `check` finds before it happens: where it is told, in what words, and that what it advises helps."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import pytest

from rules_engine.core.problem import Problem, Severity
from rules_engine.core.rule import Rulebook
from rules_engine.core.store import Store
from rules_engine.rulebook.conflicts import report_conflicts
from rules_engine.rulebook.report import Report
from rules_engine.vendors import VENDORS

Compile = Callable[..., Rulebook]
Find = Callable[[str | Mapping[str, str]], tuple[Problem, ...]]


@pytest.fixture(scope="session")
def conflicts(compiled: Compile, stores: tuple[Store, ...]) -> Find:
    """What is found in one rule file, or in several by path."""

    def find(text: str | Mapping[str, str]) -> tuple[Problem, ...]:
        texts = {"rules/a.yaml": text} if isinstance(text, str) else text
        rulebook, report = compiled(texts), Report()
        for path, content in texts.items():
            report.add_file(path, content)
        report_conflicts(report, rulebook, stores, VENDORS)
        return report.problems

    return find


def rule(code: str, condition: str, do: str, more: str = "") -> str:
    return f"  {code}:\n    stores: [web]\n    while: {{{condition}}}\n    do: [{do}]\n{more}"


def rules(*texts: str) -> str:
    return "rules:\n" + "".join(texts)


HIDES = rule("sold-out-is-hidden", "product.stock: 0", "hide")
SHOWS = rule("acme-is-shown", "product.brand: Acme", "show")

NEVER = """\
rules:
  r:
    stores: [web]
    while:
      product.stock: {at_most: 0}
      all:
        - product.brand: Acme
        - product.in_stock: true
    do: [hide]
"""
MEANINGS = """\
meanings:
  sold out: {product.stock: {at_most: 0}}
  plenty: {product.stock: {at_least: 5}}
rules:
  r:
    stores: [web]
    while:
      all:
        - sold out
        - plenty
    do: [hide]
"""
ONE_WAY = """\
rules:
  r:
    stores: [web]
    while:
      product.brand: not_empty
      any:
        - product.stock: 3
        - product.brand: empty
    do: [hide]
"""
FOR_EVER = """\
rules:
  r:
    about: category
    stores: [ksa]
    while: {category.product_count: {more_than: 100}}
    do: [empty_category]
"""


def test_a_rule_that_nothing_meets_is_an_error_at_the_later_of_the_two_lines(conflicts: Find) -> None:
    (found,) = conflicts(NEVER)
    assert (found.code, found.severity, found.place.line) == ("never-true", Severity.ERROR, 8)
    assert found.message == (
        "nothing can ever meet this rule: product.stock must be at most 0 (line 5) "
        "and product.in_stock must be true (line 8)"
    )


def test_of_meanings_the_lines_that_name_them_are_told(conflicts: Find) -> None:
    (found,) = conflicts(MEANINGS)
    assert (found.code, found.place.line) == ("never-true", 10)
    assert "product.stock must be at most 0 (line 9) and product.stock must be at least 5 (line 10)" in found.message


def test_a_way_of_any_that_nothing_meets_is_a_warning(conflicts: Find) -> None:
    (found,) = conflicts(ONE_WAY)
    assert (found.code, found.severity, found.place.line) == ("never-true", Severity.WARNING, 8)
    assert found.message.startswith("this way of `any` is never so: product.brand must not be empty (line 5)")


def test_an_exception_that_always_applies_is_told(conflicts: Find) -> None:
    text = rules(rule("r", "product.brand: Acme", "hide", "    unless: {product.brand: acme}\n"))
    (found,) = conflicts(text)
    assert found.code == "never-true"
    assert 'product.brand must be "Acme" (line 4) and product.brand must not be "acme" (line 6)' in found.message


def test_a_store_for_which_the_rule_does_not_run_is_named(conflicts: Find) -> None:
    (found,) = conflicts(rules(rule("r", "store.alias: ksa", "hide")))
    assert found.message == 'nothing can ever meet this rule: it runs for web, and store.alias must be "ksa"'


def test_a_fight_is_a_warning_at_the_line_that_loses(conflicts: Find) -> None:
    (found,) = conflicts(rules(HIDES, SHOWS))
    assert (found.code, found.severity, found.place.line) == ("rules-fight", Severity.WARNING, 9)
    assert found.message == (
        "`hide` of sold-out-is-hidden (line 5) wants the opposite and wins, because it comes first: "
        "for example a product with stock 0 and brand Acme"
    )


def test_what_the_warning_advises_ends_the_fight(conflicts: Find) -> None:
    advised = rule("acme-is-shown", "product.brand: Acme", "show", "    unless: {product.stock: 0}\n")
    assert "give it an `unless:`" in conflicts(rules(HIDES, SHOWS))[0].help
    assert conflicts(rules(HIDES, advised)) == ()


def test_a_fight_over_two_files_names_the_other_file(conflicts: Find) -> None:
    (found,) = conflicts({"rules/a.yaml": rules(HIDES), "rules/b.yaml": rules(SHOWS)})
    assert found.place.path == "rules/b.yaml"
    assert "`hide` of sold-out-is-hidden (rules/a.yaml:5) wants the opposite" in found.message


def test_a_moment_that_loses_to_a_hold_is_told_so(conflicts: Find) -> None:
    moment = SHOWS.replace("while: {product.brand: Acme}", "as_soon_as: {product.brand: {becomes: Acme}}")
    (found,) = conflicts(rules(moment, HIDES))
    assert found.place.line == 5
    assert "wins, because what `while` holds beats a moment" in found.message


def test_a_rule_that_nothing_meets_is_not_told_to_fight(conflicts: Find) -> None:
    assert {found.code for found in conflicts(NEVER + SHOWS)} == {"never-true"}


def test_a_rule_that_flips_for_ever_is_told_step_by_step(conflicts: Find) -> None:
    (found,) = conflicts(FOR_EVER)
    assert (found.code, found.severity, found.place.line) == ("rules-cycle", Severity.WARNING, 5)
    assert found.message.endswith(
        "for example a category with product_count 101: "
        "1. its products leave it; 2. it is filled again; 3. its products leave it; and so on"
    )
    assert conflicts(FOR_EVER + "    afterwards: leave\n") == ()


def test_a_time_that_our_own_calls_move_is_told(conflicts: Find) -> None:
    (found,) = conflicts(rules(rule("r", "product.updated_at: {newer_than: 1 day}", "{add_to_category: New}")))
    assert found.code == "rules-cycle"
    assert "where the shop dates our calls in product.updated_at too" in found.message
    assert conflicts(rules(rule("r", "product.created_at: {newer_than: 1 day}", "{add_to_category: New}"))) == ()


def test_sound_rules_are_left_in_peace(conflicts: Find) -> None:
    leaves = rule("leaves", "product.stock: 0", "{remove_from_category: Featured}")
    joins = rule("joins", "product.stock: {at_least: 1}", "{add_to_category: Featured}")
    assert conflicts(rules(leaves, joins)) == ()


def test_many_rules_are_looked_through_quickly(conflicts: Find, compiled: Compile, stores: tuple[Store, ...]) -> None:
    texts = []
    for n in range(300):
        condition = f"product.stock: {{at_most: {n}}}, product.brand: {{one_of: [Acme, B{n}]}}"
        word = "add_to_category" if n % 2 else "remove_from_category"
        texts.append(rule(f"r-{n}", condition, f"{{{word}: C{n // 2 if n < 60 else n}}}"))
    rulebook, report = compiled(rules(*texts)), Report()
    began = time.process_time()
    report_conflicts(report, rulebook, stores, VENDORS)
    assert time.process_time() - began < 3  # it takes a fraction of a second; nobody is to notice it
    assert len(report.problems) == 30
