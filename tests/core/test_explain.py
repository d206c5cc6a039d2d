"""Explaining findings: every line names its field, how it stands, and the gap; what made the whole what it is."""

from __future__ import annotations

from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Any

import pytest
from core_builders import LEAVES
from hypothesis import given
from strategies import conditions, documents

from rules_engine.core.condition import (
    All,
    AnyOf,
    Change,
    Condition,
    Document,
    Emptiness,
    Expression,
    Finding,
    Happens,
    Meaning,
    NoneOf,
    Test,
    Transition,
    Truth,
    Word,
    Written,
    judge,
)
from rules_engine.core.delivery import EventType, StoreAlias
from rules_engine.core.explain import because, explained, label, leaves, telling, tree
from rules_engine.core.judge import whole_condition
from rules_engine.core.subject import SubjectKind

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
SOLD_OUT = Test("product.stock", Word.AT_MOST, Written("0", 0))
ALWAYS = Test("product.attributes.Featured", Word.IS, Written("always", "always"))


def seen(before: dict[str, Any] | None = None, **fields: Any) -> Document:
    return Document(SubjectKind.PRODUCT, fields, NOW, StoreAlias("web"), before=before)


def says(condition: Condition, document: Document) -> str:
    return label(judge(condition, document))


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (SOLD_OUT, "stock is 3, must be at most 0"),
        (Test("product.tags", Word.CONTAINS, "Sale"), 'tags are "New", must contain "Sale"'),
        (Test("product.tags[0]", Word.IS, "Sale"), 'product.tags[0] is "New", must be "Sale"'),
        (Test("product.attributes.Shoe size", Word.IS, "42"), 'Shoe size is "41", must be "42"'),
        (Test("product.published", Word.IS, True), "published is not known"),  # the value that is asked for
        (Test("product.stock", Word.IS, "many"), 'stock is 3, which cannot be compared: must be "many"'),
        (Test("before.stock", Word.IS, 3), "before.stock is 5, must be 3"),
        (Test("category.name", Word.IS, "Shoes"), "a product has no category.name"),
        (Test("product.created_at", Word.NEWER_THAN, "14 days"), "created 20 days ago, must be newer than 14 days"),
        (Test("product.updated_at", Word.OLDER_THAN, "14 days"), "updated 2 hours ago, must be older than 14 days"),
        (Test("product.raw.sale.starts", Word.OLDER_THAN, "1 h"), "starts is in 3 days, must be older than 1 h"),
        (Transition("product.stock", Change.FALLS_BELOW, 3), "stock was 5, now 3, must fall below 3"),
        (Transition("product.tags", Change.BECOMES, Emptiness.EMPTY), 'tags were "Old", now "New", must become empty'),
        (Happens("deleted"), "the event is product.updated, must be deleted"),
        (Expression("product.stock < `1`"), "the expression is false, must be true"),
        (Expression("product.stock"), "the expression yields 3, must yield true or false"),
        (Expression("product.price > `1`"), "product.price is not known"),
    ],
)
def test_an_unmet_condition_says_the_gap_and_names_its_field(condition: Condition, expected: str) -> None:
    document = seen(
        {"stock": 5, "tags": ["Old"]},
        stock=3,
        tags=["New"],
        attributes={"Shoe size": "41"},
        created_at="2026-11-02T09:00:00Z",
        updated_at="2026-11-22T07:00:00Z",
        raw={"sale": {"starts": "2026-11-25T09:00:00Z"}},
    )
    assert says(condition, replace(document, events=frozenset({EventType.PRODUCT_UPDATED}))) == expected


def test_what_is_met_says_what_is_seen() -> None:
    assert says(SOLD_OUT, seen(stock=0)) == "stock is 0"
    assert says(Test("product.created_at", Word.OLDER_THAN, "14 days"), seen(created_at="2026-11-02T09:00Z")) == (
        "created 20 days ago"
    )
    assert says(SOLD_OUT, seen(tracks_stock=False)) == "stock is unlimited, must be at most 0"
    assert says(Happens("deleted"), seen({})) == "there is no event, must be deleted"


def test_a_long_expression_in_the_place_of_a_field_is_cut() -> None:
    long = f"product.tags[?@ == '{'x' * 100}'] | [0]"
    said = says(Test(long, Word.IS, "x"), seen(tags=["x" * 100]))
    assert said.startswith("product.tags[?@ == 'xxx")
    assert "x… is " in said


def test_a_finding_is_a_tree_of_lines() -> None:
    sellable = Meaning("sellable", All((Test("product.published", Word.IS, True), NoneOf((SOLD_OUT,)))))
    condition = All((sellable, AnyOf((Test("product.brand", Word.IS, "Acme"), Test("product.price", Word.IS, 1)))))
    finding = judge(condition, seen(published=True, stock=0, brand="Globex"), path="while")
    assert explained(finding) == [
        "✗ all of",
        "  ✗ sellable",
        "    ✓ published is true",
        "    ✗ none of",
        "      ✓ stock is 0",
        "  ? any of",
        '    ✗ brand is "Globex", must be "Acme"',
        "    ? price is not known",
    ]
    assert [depth for depth, _ in tree(finding)] == [0, 1, 2, 2, 3, 1, 2, 2]


def test_what_stands_under_unless_is_a_part_of_its_own() -> None:
    rule = replace(LEAVES, unless=ALWAYS)
    finding = whole_condition(rule, seen(stock=0, attributes={"Featured": "Always"}))
    assert explained(finding) == ["✓ stock is 0", "✗ unless: applies", '  ✓ Featured is "Always"']
    assert because(finding) == ('unless/product.attributes.Featured: met: "Always"',)
    assert finding.truth is Truth.UNMET


def test_an_all_of_with_one_part_or_inside_another_has_no_line() -> None:
    one = All((SOLD_OUT,))
    assert explained(judge(one, seen(stock=0))) == ["✓ stock is 0"]
    assert explained(judge(All((one, All((SOLD_OUT, SOLD_OUT)))), seen(stock=0))) == [
        *("✓ all of", "  ✓ stock is 0", "  ✓ stock is 0", "  ✓ stock is 0")
    ]


def test_what_makes_a_none_of_unmet_is_what_is_met_in_it() -> None:
    brand = Test("product.brand", Word.IS, "Acme")
    finding = judge(NoneOf((SOLD_OUT, brand)), seen(stock=0, brand="Globex"), path="while")
    assert because(finding) == ("while/none/product.stock: met: 0",)
    assert len(list(telling(judge(NoneOf((SOLD_OUT, brand)), seen(stock=1, brand="x"))))) == 2


@given(conditions, documents)
def test_every_leaf_has_one_line_and_something_tells(condition: Condition, document: Document) -> None:
    finding: Finding = judge(condition, document, path="while")
    lines = [each for _, each in tree(finding)]
    assert [each for each in lines if not each.parts and each.text] == [each for each in leaves(finding) if each.text]
    assert set(telling(finding)) <= set(leaves(finding))
    assert len(explained(finding)) == len(lines)


@given(conditions, documents)
def test_a_trace_keeps_the_whole_finding_as_plain_values(condition: Condition, document: Document) -> None:
    finding = judge(condition, document, path="while")
    assert finding.plain() == asdict(finding)
