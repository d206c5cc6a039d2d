"""Judging conditions: what is known, what is not, and the laws of met, unmet and cannot tell."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from itertools import product as pairs
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import conditions, documents, leaf_conditions

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
    Value,
    Word,
    Written,
    as_jmespath_document,
    fields_of,
    happens_in,
    has_transition,
    judge,
)
from rules_engine.core.delivery import EventType, StoreAlias
from rules_engine.core.explain import because
from rules_engine.core.finding import Kind
from rules_engine.core.subject import SubjectKind

MET, UNMET, CANNOT_TELL = Truth.MET, Truth.UNMET, Truth.CANNOT_TELL
NOW = datetime(2026, 1, 31, 9, 5, tzinfo=timezone(timedelta(hours=3)))


def seen(before: dict[str, Any] | None = None, *, kind: SubjectKind = SubjectKind.PRODUCT, **fields: Any) -> Document:
    return Document(kind, fields, NOW, StoreAlias("web"), "ecwid", before=before)


def truth(condition: Condition, document: Document) -> Truth:
    return judge(condition, document).truth


def is_(field: str, value: Value | tuple[Value, ...], word: Word = Word.IS) -> Test:
    return Test(field, word, value)


# Knowing and not knowing


def test_an_absent_field_cannot_be_told_and_an_empty_one_can() -> None:
    brand = is_("product.brand", "Acme")
    assert truth(brand, seen()) is CANNOT_TELL
    assert truth(brand, seen(brand=None)) is UNMET
    assert truth(Test("product.brand", Word.EMPTY), seen(brand="  ")) is MET
    assert truth(Test("product.brand", Word.NOT_EMPTY), seen(brand=None)) is UNMET


def test_an_absent_attribute_is_empty_and_absent_raw_is_unknown() -> None:
    document = seen(attributes={"Featured": "Always", "Größe": "42"}, raw={"a": {"b": None}})
    assert truth(is_("product.attributes.featured", "always"), document) is MET
    assert truth(is_("product.attributes.GRO\u0308SSE", "42"), document) is MET, "in another Unicode form"
    assert truth(is_("product.attributes.Colour", "red"), document) is UNMET
    assert truth(is_("product.raw.a.b", "x"), document) is UNMET
    assert truth(is_("product.raw.a.c", "x"), document) is CANNOT_TELL
    assert truth(is_("product.attributes.Featured", "x"), seen()) is CANNOT_TELL


@pytest.mark.parametrize(
    ("word", "value", "expected"),
    [
        (Word.AT_MOST, 0, UNMET),
        (Word.AT_LEAST, 10**9, MET),
        (Word.MORE_THAN, 5, MET),
        (Word.LESS_THAN, 5, UNMET),
        (Word.EMPTY, (), UNMET),
        (Word.IS, 0, UNMET),
    ],
)
def test_unlimited_stock_is_more_than_any_number(word: Word, value: Value | tuple[Value, ...], expected: Truth) -> None:
    finding = judge(Test("product.stock", word, value), seen(stock=None, tracks_stock=False), path="while")
    assert finding.truth is expected
    assert finding.path == "while/product.stock"
    assert finding.text.startswith("stock is unlimited")


def test_null_stock_is_unlimited_unless_it_is_tracked() -> None:
    assert truth(is_("product.stock", 5, Word.MORE_THAN), seen(stock=None)) is MET
    assert truth(is_("product.stock", 0, Word.AT_MOST), seen(stock=None, tracks_stock=True)) is CANNOT_TELL
    assert truth(is_("product.stock", 0, Word.AT_MOST), seen(stock=0, tracks_stock=False)) is UNMET


def test_unlimited_stock_is_null_in_expressions() -> None:
    document = seen(stock=99, tracks_stock=False)
    assert as_jmespath_document(document)["product"]["stock"] is None
    assert truth(Expression("product.stock > `0`"), document) is CANNOT_TELL


# Words


@pytest.mark.parametrize(
    ("test", "expected"),
    [
        (is_("product.brand", " ÄCME "), MET),
        (is_("product.brand", "A\u0308cme"), MET),
        (is_("product.brand", "Acme"), UNMET),
        (is_("product.brand", "Acme", Word.IS_NOT), MET),
        (is_("product.brand", ("x", "äcme"), Word.ONE_OF), MET),
        (is_("product.brand", ("x", "äcme"), Word.NONE_OF), UNMET),
        (is_("product.brand", "CM", Word.CONTAINS), MET),
        (is_("product.brand", ("x", "me"), Word.CONTAINS_ANY), MET),
        (is_("product.brand", "äc", Word.STARTS_WITH), MET),
        (is_("product.brand", "ME", Word.ENDS_WITH), MET),
        (is_("product.brand", "ä?m*", Word.MATCHES), MET),
        (is_("product.brand", "ä?m", Word.MATCHES), UNMET),
        (is_("product.brand", "[ä]cme", Word.MATCHES), UNMET),
        (is_("product.id", "a1"), UNMET),
        (is_("product.id", "A1"), MET),
        (is_("product.id", "a", Word.STARTS_WITH), UNMET),
        (is_("product.id", "A", Word.STARTS_WITH), MET),
        (is_("product.id", "a?", Word.MATCHES), UNMET),
        (is_("product.id", ("a1", "A1"), Word.ONE_OF), MET),
        (is_("product.brand_id", Written("007", 7)), MET),
        (is_("product.brand_id", Written("7", 7)), UNMET),
        (is_("product.category_ids", Written("0010", 10), Word.CONTAINS), MET),
        (is_("product.category_ids", Written("10", 10), Word.CONTAINS), UNMET),
        (is_("product.attributes.Shoe size", Written("42", 42)), MET),
        (is_("product.attributes.Country", Written("no", "no")), MET),
        (is_("product.attributes.Version", Written("1.10", 1.1)), MET),
        (is_("product.attributes.Version", Written("1.1", 1.1)), UNMET),
        (is_("product.raw.weight", Written("5", 5)), MET),
        (is_("product.raw.weight", Written("5", "5")), CANNOT_TELL),  # it stands in quotes: that is text
        (is_("product.raw.fragile", Written("yes", "yes")), CANNOT_TELL),
        (is_("product.tags", "Sale"), CANNOT_TELL),  # a list is no text
        (is_("product.sku", Written("0123", 123)), MET),
        (is_("product.sku", Written("123", 123)), UNMET),
        (is_("product.currency", Written("NO", "NO")), MET),
        (is_("product.price", Written("1.10", 1.1)), MET),
        (is_("product.price", (1, 2), Word.BETWEEN), MET),
        (is_("product.price", "cheap"), CANNOT_TELL),
        (is_("product.price", 5, Word.AT_MOST), MET),
        (is_("product.compare_at_price", 5, Word.AT_MOST), UNMET),
        (is_("product.compare_at_price", 5, Word.IS_NOT), MET),
        (is_("product.published", True), MET),
        (is_("product.published", 1), CANNOT_TELL),
        (is_("product.tags", "SALE", Word.CONTAINS), MET),
        (is_("product.tags", ("x", "sale"), Word.CONTAINS_ANY), MET),
        (is_("product.tags", ("x", "y"), Word.NONE_OF), MET),
        (is_("product.category_ids", "c1", Word.CONTAINS), UNMET),
        (is_("product.category_ids", "C1", Word.CONTAINS), MET),
        (is_("length(product.tags)", 1, Word.AT_LEAST), MET),
        (is_("product.tags[0]", "sale"), MET),
        (is_("product.tags[7]", "sale"), CANNOT_TELL),
        (is_("product.created_at", "2026-01-01", Word.LESS_THAN), UNMET),
        (is_("product.created_at", "2026-01-01"), MET),
        (is_("product.created_at", "2026-01-01T00:30", Word.LESS_THAN), MET),
        (is_("now.time", ("9:00", "17:00"), Word.BETWEEN), MET),
        (is_("now.time", ("22:00", "6:00"), Word.BETWEEN), UNMET),
        (is_("now.time", ("22:00", "9:05"), Word.BETWEEN), MET),
        (is_("now.date", "2026-01-31"), MET),
        (is_("now.weekday", ("Saturday", "Sunday"), Word.ONE_OF), MET),
        (is_("store.alias", "web"), MET),
        (is_("category.name", "Shoes"), CANNOT_TELL),
    ],
)
def test_each_word_means_what_it_says(test: Test, expected: Truth) -> None:
    document = seen(
        id="A1",
        sku="0123",
        brand="Äcme",
        currency="no",
        price=1.1,
        compare_at_price=None,
        published=True,
        tags=["Sale"],
        category_ids=["C1", "0010"],
        brand_id="007",
        attributes={"Shoe size": "42", "Country": " NO", "Version": "1.10"},
        raw={"weight": 5, "fragile": True},
        created_at="2025-12-31T21:00:00Z",  # midnight of the new year in the store's zone
    )
    assert truth(test, document) is expected


def test_a_name_matches_in_any_language() -> None:
    document = seen(
        name="حذاء", names=["حذاء", "Shoe"], category_ids=["7", "8"], category_names={"7": ["مميز", "Featured"]}
    )
    assert truth(is_("product.name", "SHOE"), document) is MET
    assert truth(is_("product.name", "حذاء"), document) is MET
    assert truth(is_("product.name", "shoe", Word.IS_NOT), document) is UNMET
    assert truth(is_("product.name", "sho", Word.STARTS_WITH), document) is MET
    assert truth(is_("product.categories", "featured", Word.CONTAINS), document) is MET
    assert truth(is_("product.categories", ("مميز",), Word.NONE_OF), document) is UNMET
    category = seen(kind=SubjectKind.CATEGORY, name="مميز", names=["Featured"])
    assert truth(is_("category.name", "featured"), category) is MET


def test_the_hour_that_comes_twice_in_autumn_is_told_apart() -> None:
    now = datetime(2026, 10, 25, 12, 0, tzinfo=ZoneInfo("Europe/Berlin"))
    document = replace(seen(created_at="2026-10-25T02:45:00+02:00"), now=now)
    assert truth(is_("product.created_at", "2026-10-25T02:30:00+01:00", Word.LESS_THAN), document) is MET


def test_no_pattern_takes_long() -> None:
    assert truth(is_("product.brand", "*a" * 200 + "b", Word.MATCHES), seen(brand="a" * 20_000)) is UNMET


# Changes


BECOMES_EMPTY = Transition("product.brand", Change.BECOMES, Emptiness.EMPTY)


@pytest.mark.parametrize(
    ("transition", "before", "now", "expected"),
    [
        (BECOMES_EMPTY, {"brand": "A"}, {"brand": None}, MET),
        (BECOMES_EMPTY, {"brand": ""}, {"brand": None}, UNMET),
        (BECOMES_EMPTY, {"brand": "A"}, {"brand": "B"}, UNMET),
        (BECOMES_EMPTY, {"brand": "A"}, {}, CANNOT_TELL),
        (BECOMES_EMPTY, {}, {"brand": None}, CANNOT_TELL),
        (BECOMES_EMPTY, None, {"brand": None}, UNMET),
        (Transition("product.brand", Change.BECOMES, "b"), {"brand": "A"}, {"brand": "B "}, MET),
        (Transition("product.brand", Change.WAS, "A"), {"brand": "a"}, {"brand": "B"}, MET),
        (Transition("product.brand", Change.WAS, "A"), {"brand": "a"}, {"brand": "A"}, UNMET),
        (Transition("product.brand", Change.CHANGES), {"brand": "A"}, {"brand": "B"}, MET),
        (Transition("product.brand", Change.CHANGES), {"brand": "A"}, {"brand": "A"}, UNMET),
        (Transition("product.tags", Change.CHANGES), {"tags": ["a", "b"]}, {"tags": ["b", "a"]}, UNMET),
        (Transition("product.stock", Change.RISES_ABOVE, 3), {"stock": 3}, {"stock": 4}, MET),
        (Transition("product.stock", Change.RISES_ABOVE, 3), {"stock": 4}, {"stock": 5}, UNMET),
        (Transition("product.stock", Change.RISES_ABOVE, 3), {"stock": 0}, {"stock": None, "tracks_stock": False}, MET),
        (Transition("product.stock", Change.FALLS_BELOW, 3), {"stock": 3}, {"stock": 2}, MET),
        (Transition("product.stock", Change.FALLS_BELOW, 3), {"stock": 2}, {"stock": 1}, UNMET),
        (Transition("length(product.tags)", Change.BECOMES, 2), {"tags": ["a"]}, {"tags": ["a", "b"]}, MET),
    ],
)
def test_a_change_is_between_two_sightings(
    transition: Transition, before: dict[str, Any] | None, now: dict[str, Any], expected: Truth
) -> None:
    assert truth(transition, seen(before, **now)) is expected


def test_an_event_happens_to_the_kind_that_the_rule_is_about() -> None:
    created = replace(seen(), events=frozenset({EventType.PRODUCT_CREATED}))
    assert truth(Happens("created"), created) is MET
    assert truth(Happens("deleted"), created) is UNMET
    assert truth(Happens("created"), replace(created, kind=SubjectKind.CATEGORY)) is UNMET
    assert truth(Happens("created"), seen()) is UNMET
    assert truth(is_("event.type", "product.created"), created) is MET
    assert truth(is_("event.type", "product.created"), seen()) is UNMET


def test_the_first_sight_is_no_change_in_expressions_either() -> None:
    changed = Expression("before.brand != product.brand")
    assert truth(changed, seen(brand="A")) is UNMET
    assert truth(changed, seen({"brand": "B"}, brand="A")) is MET
    assert truth(Expression("before == `null`"), seen(brand="A")) is MET


@pytest.mark.parametrize("counted", list(Truth))
def test_a_given_truth_stands_for_every_change_and_event(counted: Truth) -> None:
    leaves = (BECOMES_EMPTY, Happens("created"), Expression("before.stock > `1`"), is_("before.stock", 3))
    for leaf in leaves:
        assert judge(leaf, seen(), transitions=counted).truth is counted
        assert has_transition(Meaning("m", All((leaf,))))
    stock = is_("product.stock", 3)
    assert judge(stock, seen(stock=3), transitions=counted).truth is MET
    assert not has_transition(stock)
    assert happens_in(NoneOf((Happens("created"),)))
    assert not happens_in(BECOMES_EMPTY)


# Expressions


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("contains(product.tags, 'Sale')", MET),
        ("product.stock == `0`", UNMET),
        ("product.brand == 'x'", CANNOT_TELL),
        ("!(product.brand)", CANNOT_TELL),
        ("product.stock", CANNOT_TELL),
        ("product.stock > 'a'", CANNOT_TELL),
        ("length(product.stock) > `1`", CANNOT_TELL),
        ("product.stock >", CANNOT_TELL),
        ("product.raw.x == 'y'", CANNOT_TELL),
        ("`yes`", CANNOT_TELL),
        ("!" * 1999 + "@", CANNOT_TELL),
        ("store.vendor == 'ecwid' && now.weekday == 'saturday'", MET),
    ],
)
def test_an_expression_says_true_or_false_or_cannot_be_told(text: str, expected: Truth) -> None:
    finding = judge(Expression(text), seen(tags=["Sale"], stock=3))
    assert finding.truth is expected
    assert finding.text


def test_the_fields_of_a_condition_are_found_through_expressions_and_meanings() -> None:
    condition = All(
        (
            Meaning("m", is_("product.attributes.Shoe size", "42")),
            NoneOf((Expression("contains(product.tags, 'x') && product.variants[?stock > `0`].sku == before.sku"),)),
            AnyOf((Transition("length(product.categories)", Change.CHANGES), Happens("created"))),
        )
    )
    assert fields_of(condition) == {
        *("product.attributes", "product.tags", "product.variants", "before.sku", "product.categories")
    }


# Logic and explanation


def of(wanted: Truth) -> Test:
    """A condition that stands as wanted for `seen(stock=0)`."""
    field = "product.price" if wanted is CANNOT_TELL else "product.stock"
    return is_(field, 0 if wanted is MET else 1)


@pytest.mark.parametrize(("left", "right"), list(pairs(Truth, Truth)))
def test_all_any_and_none_follow_kleene(left: Truth, right: Truth) -> None:
    parts = (of(left), of(right))
    both = {left, right}
    every = UNMET if UNMET in both else CANNOT_TELL if CANNOT_TELL in both else MET
    some = MET if MET in both else CANNOT_TELL if CANNOT_TELL in both else UNMET
    assert truth(All(parts), seen(stock=0)) is every
    assert truth(AnyOf(parts), seen(stock=0)) is some
    assert truth(NoneOf(parts), seen(stock=0)) is {MET: UNMET, UNMET: MET, CANNOT_TELL: CANNOT_TELL}[some]


def test_a_decision_explains_itself_by_path() -> None:
    condition = All((Meaning("sold out", is_("product.stock", 0, Word.AT_MOST)), is_("product.brand", "Acme")))
    finding = judge(condition, seen(stock=3, brand="Acme"), path="while")
    assert because(finding) == ("while/all/sold out/product.stock: unmet: 3, must be at most 0",)
    assert finding.parts[1] == Finding(
        "while/all/product.brand", MET, '"Acme"', kind=Kind.FIELD, name="product.brand", lead="brand is"
    )


def test_conditions_are_values() -> None:
    one = All((is_("product.stock", Written("0", 0)), BECOMES_EMPTY))
    assert one == All((is_("product.stock", Written("0", 0)), BECOMES_EMPTY))
    assert len({one, one, All(())}) == 2


@given(conditions, documents, st.none() | st.sampled_from(Truth))
def test_judging_never_raises_and_always_explains(
    condition: Condition, document: Document, transitions: Truth | None
) -> None:
    finding = judge(condition, document, transitions=transitions, path="while")
    assert finding.truth in set(Truth)
    assert all(isinstance(line, str) for line in because(finding))
    assert finding == judge(condition, document, transitions=transitions, path="while")
    hash(condition)
    fields_of(condition)


@given(conditions, documents)
def test_none_is_the_opposite_of_any_and_a_meaning_is_what_it_names(condition: Condition, document: Document) -> None:
    found = truth(condition, document)
    opposite = {MET: UNMET, UNMET: MET, CANNOT_TELL: CANNOT_TELL}[found]
    assert truth(NoneOf((condition,)), document) is opposite
    assert truth(All((condition,)), document) is truth(AnyOf((condition,)), document) is found
    assert truth(Meaning("m", condition), document) is found


@given(leaf_conditions, documents)
def test_knowing_less_never_turns_met_into_unmet(leaf: Condition, document: Document) -> None:
    """Forgetting everything about the subject makes a test of it unknown; it never decides it."""
    is_plain = isinstance(leaf, Test) and leaf.field.startswith(f"{document.kind}.")
    if is_plain:
        assert truth(leaf, replace(document, fields={})) is CANNOT_TELL
