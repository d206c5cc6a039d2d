"""The search for a product that meets several conditions at once, and the proof that there is none."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from core_builders import SOLD_OUT, START, as_soon_as, while_
from hypothesis import example, given
from hypothesis import strategies as st

from rules_engine.core.condition import (
    All,
    AnyOf,
    Change,
    Condition,
    Document,
    Emptiness,
    Expression,
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
from rules_engine.core.demands import Ask
from rules_engine.core.rule import Rule
from rules_engine.core.subject import SubjectKind, complete
from rules_engine.core.witness import MOST_WORK, Found, Scene, comes_to_act, find_witness, prove_never
from rules_engine.core.witness_words import in_words

STORES = ((StoreAlias("web"), "ecwid"), (StoreAlias("ksa"), "zid"))
SCENE = Scene(SubjectKind.PRODUCT, STORES, START)


def is_(field: str, word: Word, *value: Any) -> Test:
    return Test(field, word, *value)


def found(*conditions: Condition) -> Found:
    return find_witness([while_(condition) for condition in conditions], SCENE)


def never(*conditions: Condition) -> list[str] | None:
    """What contradicts itself, or None where that is not proven."""
    proof = prove_never([Ask(condition) for condition in conditions], SCENE)
    return [demand.in_words for demand in proof.contradiction] if proof.is_never else None


CONTRADICTIONS: list[tuple[Condition, ...]] = [
    (SOLD_OUT, is_("product.stock", Word.AT_LEAST, 5)),
    (is_("product.stock", Word.AT_LEAST, 1), is_("product.in_stock", Word.IS, False)),
    (is_("product.stock", Word.MORE_THAN, 0), is_("product.can_be_ordered", Word.IS, False)),
    (is_("product.tracks_stock", Word.IS, False), is_("product.in_stock", Word.IS, False)),
    (is_("product.tracks_stock", Word.IS, False), is_("product.stock", Word.LESS_THAN, 1_000_000)),
    (is_("product.brand", Word.IS, "Acme"), is_("product.brand", Word.ONE_OF, ("Globex", "Initech"))),
    (is_("product.brand", Word.IS, "Acme"), NoneOf((is_("product.brand", Word.IS, " ACME "),))),
    (is_("product.brand", Word.EMPTY), is_("product.brand", Word.STARTS_WITH, "A")),
    (is_("product.sku", Word.STARTS_WITH, "A-"), is_("product.sku", Word.STARTS_WITH, "B-")),
    (is_("product.sku", Word.IS, "A-1"), is_("product.sku", Word.MATCHES, "B*")),
    (is_("product.categories", Word.CONTAINS, "Sale"), is_("product.categories", Word.NONE_OF, ("sale", "New"))),
    (is_("product.categories", Word.CONTAINS, "Sale"), is_("product.categories", Word.EMPTY)),
    (is_("product.category_ids", Word.EMPTY), is_("product.category_ids", Word.CONTAINS, "10")),
    (is_("product.attributes.Line", Word.IS, "End"), is_("product.attributes.Line", Word.IS, "Start")),
    (
        is_("product.on_sale", Word.IS, True),
        is_("product.compare_at_price", Word.AT_MOST, 10),
        is_("product.price", Word.AT_LEAST, 10),
    ),
    (is_("product.created_at", Word.NEWER_THAN, "1 day"), is_("product.created_at", Word.OLDER_THAN, "2 days")),
    (is_("product.created_at", Word.LESS_THAN, "2026-01-01"), is_("product.created_at", Word.IS, "2026-01-01")),
    (is_("now.weekday", Word.IS, "monday"), is_("now.weekday", Word.IS, "sunday")),
    (is_("now.date", Word.BETWEEN, ("2026-12-24", "2026-12-26")), is_("now.weekday", Word.IS, "sunday")),
    (is_("now.time", Word.MORE_THAN, "23:59"),),
    (is_("store.alias", Word.IS, "b2b"),),
    (AnyOf(()),),
    (SOLD_OUT, AnyOf((is_("product.stock", Word.IS, 3), All((is_("product.stock", Word.MORE_THAN, 4),))))),
    (Meaning("gone", SOLD_OUT), NoneOf((Meaning("gone", SOLD_OUT),))),
    (Transition("product.stock", Change.RISES_ABOVE, 5), SOLD_OUT),
    (Transition("product.brand", Change.BECOMES, Emptiness.EMPTY), is_("product.brand", Word.IS, "Acme")),
    (Transition("product.brand", Change.WAS, "Acme"), is_("before.brand", Word.IS, "Globex")),
]


@pytest.mark.parametrize("conditions", CONTRADICTIONS)
def test_what_contradicts_itself_is_proven_to_be_never_so(conditions: tuple[Condition, ...]) -> None:
    assert never(*conditions) is not None
    assert found(*conditions).witness is None


def test_the_proof_names_only_what_contradicts_itself() -> None:
    published = is_("product.published", Word.IS, True)
    least = is_("product.stock", Word.AT_LEAST, 5)
    tracked = is_("product.tracks_stock", Word.IS, True)
    said = never(published, tracked, SOLD_OUT, least)
    assert said == ["product.stock must be at most 0", "product.stock must be at least 5"]


def test_the_proof_says_the_opposite_of_what_must_not_be() -> None:
    said = never(SOLD_OUT, NoneOf((is_("product.stock", Word.LESS_THAN, 3),)))
    assert said == ["product.stock must be at most 0", "product.stock must be at least 3"]


POSSIBLE: list[tuple[Condition, ...]] = [
    (NoneOf((NoneOf((SOLD_OUT, is_("product.stock", Word.AT_LEAST, 5))),)),),
    (NoneOf((All((SOLD_OUT, is_("product.stock", Word.AT_LEAST, 5))),)),),
    (SOLD_OUT, is_("product.can_be_ordered", Word.IS, True)),
    (is_("product.stock", Word.AT_LEAST, 10**9), is_("product.tracks_stock", Word.IS, False)),
    (is_("product.stock", Word.MORE_THAN, 3), is_("product.stock", Word.LESS_THAN, 4)),
    (is_("product.name", Word.IS, "Boot"), is_("product.name", Word.IS, "Stiefel")),
    (is_("product.name", Word.STARTS_WITH, "New"), is_("product.name", Word.ENDS_WITH, "(XL)")),
    (is_("product.sku", Word.MATCHES, "SALE-??-*"),),
    (is_("product.sku", Word.STARTS_WITH, "A-"), is_("product.sku", Word.STARTS_WITH, "a-1")),
    (is_("product.categories", Word.CONTAINS, "A"), is_("product.category_ids", Word.CONTAINS, "10")),
    (is_("product.tags", Word.CONTAINS_ANY, ("a", "b")), is_("product.tags", Word.NONE_OF, ("a",))),
    (is_("product.tags", Word.NOT_EMPTY), NoneOf((is_("product.tags", Word.CONTAINS, "something else"),))),
    (is_("product.attributes.Weight", Word.AT_LEAST, 2), is_("product.attributes.Size", Word.IS, "M")),
    (is_("product.raw.details.weight", Word.MORE_THAN, 7), is_("product.raw.details.colour", Word.IS, "red")),
    (is_("product.on_sale", Word.IS, True), is_("product.price", Word.IS, 10)),
    (is_("product.variants", Word.NOT_EMPTY), SOLD_OUT),
    (is_("product.created_at", Word.NEWER_THAN, "3 days"), is_("product.created_at", Word.OLDER_THAN, "2 days")),
    (is_("now.weekday", Word.IS, "sunday"), is_("now.date", Word.AT_LEAST, "2030-01-01")),
    (is_("now.time", Word.BETWEEN, ("22:00", "6:00")), is_("now.time", Word.LESS_THAN, "9:00")),
    (is_("store.vendor", Word.IS, "zid"), SOLD_OUT),
    (Expression("product.stock > `7` && contains(product.tags, 'x')"), is_("product.price", Word.LESS_THAN, 3)),
    (Expression("product.attributes.Line == 'End' && length(product.tags) == `2`"),),
    (Expression("product.raw.details.weight > `5`"),),
    (Expression("product.variants[?stock < `3`] | length(@) > `0`"),),
    (is_("length(product.tags)", Word.AT_LEAST, 3),),
]


@pytest.mark.parametrize("conditions", POSSIBLE)
def test_what_some_product_meets_is_found(conditions: tuple[Condition, ...]) -> None:
    witness = found(*conditions).witness
    assert witness is not None
    assert all(judge(condition, witness.document).truth is Truth.MET for condition in conditions)
    assert never(*conditions) is None


MOMENTS: list[tuple[Rule, ...]] = [
    (as_soon_as(Transition("product.brand", Change.BECOMES, Emptiness.EMPTY)), while_(SOLD_OUT)),
    (as_soon_as(SOLD_OUT), as_soon_as(Transition("product.price", Change.RISES_ABOVE, 10))),
    (as_soon_as(Transition("product.tags", Change.CHANGES)), while_(is_("product.tags", Word.CONTAINS, "x"))),
    (as_soon_as(Expression("before.stock > product.stock")),),
    (as_soon_as(Expression("product.stock == `3`")), while_(is_("product.tags", Word.CONTAINS, "x"))),
    (as_soon_as(Happens("created")), while_(SOLD_OUT)),
    (as_soon_as(SOLD_OUT, acts_at_first_sight=True),),
    (as_soon_as(is_("event.type", Word.IS, "product.created")),),
    (as_soon_as(is_("now.time", Word.AT_LEAST, "18:00")),),
    (as_soon_as(SOLD_OUT, unless=is_("product.brand", Word.IS, "Acme")),),
]


@pytest.mark.parametrize("rules", MOMENTS)
def test_a_moment_is_found_with_what_was_before(rules: tuple[Rule, ...]) -> None:
    witness = find_witness(rules, SCENE).witness
    assert witness is not None
    assert all(comes_to_act(rule, witness) for rule in rules)


def test_two_moments_that_turn_in_opposite_ways_never_meet() -> None:
    rises = as_soon_as(Transition("product.stock", Change.RISES_ABOVE, 0))
    assert find_witness([rises, as_soon_as(SOLD_OUT)], SCENE).is_never


def test_what_an_expression_hides_is_left_open() -> None:
    hidden = Expression("product.stock > `3` && product.stock < `2`")
    result = found(hidden)
    assert (result.witness, result.is_never) == (None, False)


OPEN: list[tuple[Condition, ...]] = [
    tuple(is_("product.sku", word, text) for word, text in ((Word.MATCHES, "?b?"), (Word.ENDS_WITH, "c"))),
    (
        *(is_("product.tags", Word.CONTAINS_ANY, tuple(f"{letter}{n}" for n in range(5))) for letter in "abc"),
        NoneOf((is_("product.tags", Word.CONTAINS, "a0"),)),
    ),
]
"""What a product could be, and is not thought of."""


@pytest.mark.parametrize("conditions", OPEN)
def test_what_is_possible_and_not_thought_of_is_left_open(conditions: tuple[Condition, ...]) -> None:
    result = found(*conditions)
    assert (result.witness, result.is_never) == (None, False)
    assert never(*conditions) is None


@pytest.mark.parametrize("most_work", [*range(1, 40), 60, 100, 200])
def test_a_search_that_gives_up_claims_nothing(most_work: int) -> None:
    for conditions in POSSIBLE:
        rules = [while_(condition) for condition in conditions]
        assert not find_witness(rules, SCENE, most_work=most_work).is_never


def test_a_category_is_found_as_well() -> None:
    scene = Scene(SubjectKind.CATEGORY, STORES, START)
    rule = while_(All((is_("category.product_count", Word.MORE_THAN, 9), is_("category.name", Word.IS, "Sale"))))
    witness = find_witness([rule], scene).witness
    assert witness is not None
    assert in_words(witness) == "a category with product_count 10 and name Sale"
    assert prove_never([Ask(is_("category.product_count", Word.LESS_THAN, 0))], scene).is_never


# ------------------------------------------------------------------------------------ as people read it


@pytest.mark.parametrize(
    ("rules", "text"),
    [
        (
            [while_(All((SOLD_OUT, is_("product.brand", Word.IS, "Acme"))), unless=is_("product.sku", Word.IS, "A"))],
            "a product with stock 0 and brand Acme",
        ),
        (
            [while_(is_("product.categories", Word.CONTAINS, "Featured")), while_(SOLD_OUT)],
            "a product with stock 0, in Featured",
        ),
        ([while_(is_("product.categories", Word.EMPTY))], "a product in no category"),
        ([while_(is_("product.tracks_stock", Word.IS, False))], "a product with tracks_stock false"),
        (
            [while_(is_("product.stock", Word.AT_LEAST, 2)), while_(is_("product.tracks_stock", Word.IS, False))],
            None,
        ),
        ([while_(is_("product.created_at", Word.OLDER_THAN, "9 days"))], "a product created 9 days ago"),
        (
            [as_soon_as(Transition("product.stock", Change.FALLS_BELOW, 3))],
            "a product with stock 1, and before that one with stock 3",
        ),
        ([as_soon_as(Happens("created"))], "a product, when it is created"),
        ([while_(is_("now.time", Word.AT_LEAST, "18:00"))], "a product, on Monday 2026-03-02 at 18:00"),
        ([while_(is_("store.vendor", Word.IS, "zid"))], "a product, in the store ksa"),
        ([while_(Expression("contains(product.tags, 'new')"))], "a product (tags new)"),
    ],
)
def test_a_witness_reads_like_a_sentence(rules: list[Rule], text: str | None) -> None:
    witness = find_witness(rules, SCENE).witness
    assert witness is not None
    if text is None:
        assert "stock unlimited" in in_words(witness)
    else:
        assert in_words(witness).startswith(text)


# ------------------------------------------------------------------------------------ for all conditions

_constants = st.sampled_from([0, 1, 2, 3, 5])
_texts = st.sampled_from(["Acme", "acme ", "Globex", "something else"])
_names = st.sampled_from(["Sale", "New", "something else"])
_days = st.sampled_from(["2026-01-01", "2026-01-02", "2026-03-01"])
_orders = st.sampled_from([Word.IS, Word.IS_NOT, Word.AT_MOST, Word.AT_LEAST, Word.MORE_THAN, Word.LESS_THAN])


def _written(value: object) -> Any:
    return Written(str(value), value) if isinstance(value, int) else value


_leaves: st.SearchStrategy[Condition] = st.one_of(
    st.builds(
        Test, st.sampled_from(["product.stock", "product.price", "product.compare_at_price"]), _orders, _constants
    ),
    st.builds(Test, st.just("product.stock"), _orders, _constants.map(_written)),
    st.builds(
        Test,
        st.sampled_from(["product.in_stock", "product.can_be_ordered", "product.tracks_stock", "product.on_sale"]),
        st.sampled_from([Word.IS, Word.IS_NOT]),
        st.booleans(),
    ),
    st.builds(Test, st.just("product.brand"), st.sampled_from([Word.IS, Word.IS_NOT, Word.STARTS_WITH]), _texts),
    st.builds(Test, st.just("product.name"), st.sampled_from([Word.IS, Word.IS_NOT]), _texts),
    st.builds(
        Test,
        st.just("product.attributes.Line"),
        st.sampled_from([Word.ONE_OF, Word.NONE_OF]),
        st.tuples(_texts, _texts),
    ),
    st.builds(Test, st.sampled_from(["product.brand", "product.tags"]), st.sampled_from([Word.EMPTY, Word.NOT_EMPTY])),
    st.builds(Test, st.just("product.tags"), st.just(Word.CONTAINS), _names),
    st.builds(Test, st.just("product.tags"), st.sampled_from([Word.CONTAINS_ANY, Word.NONE_OF]), st.tuples(_names)),
    st.builds(Test, st.just("product.created_at"), _orders, _days),
    st.builds(Test, st.just("now.date"), _orders, _days),
    st.builds(Test, st.just("now.weekday"), st.just(Word.IS), st.sampled_from(["monday", "sunday"])),
)
_conditions: st.SearchStrategy[Condition] = st.recursive(
    _leaves,
    lambda inner: st.one_of(
        st.builds(All, st.lists(inner, min_size=1, max_size=4).map(tuple)),
        st.builds(AnyOf, st.lists(inner, min_size=1, max_size=3).map(tuple)),
        st.builds(NoneOf, st.lists(inner, min_size=1, max_size=2).map(tuple)),
    ),
    max_leaves=10,
)
_numbers = st.sampled_from([-1, 0, 1, 1.5, 2, 3, 4, 5, 6])
_brands = st.none() | st.sampled_from(["Acme", "ACME", "Globex", "something else", "x", ""])
_products = st.builds(
    lambda stock, tracks, more, price, compare, brand, names, line, tags, created: complete(
        {
            "id": "1",
            "stock": stock if tracks else None,
            "tracks_stock": tracks,
            **({"can_be_ordered": True} if more else {}),
            "price": price,
            "compare_at_price": compare,
            "brand": brand,
            "name": names[0] if names else None,
            "names": names,
            "attributes": {} if line is None else {"Line": line},
            "tags": tags,
            "created_at": created,
        }
    ),
    _numbers,
    st.booleans(),
    st.booleans(),
    st.none() | _numbers,
    st.none() | _numbers,
    _brands,
    st.lists(st.sampled_from(["Acme", "Globex", "x"]), max_size=2, unique=True),
    _brands,
    st.lists(st.sampled_from(["Sale", "New", "x", "something else"]), max_size=3, unique=True),
    st.none()
    | st.sampled_from([f"2026-{day}" for day in ("01-01", "01-01T12:00:00Z", "01-02", "01-03", "03-01", "04-01")]),
)
_moments = st.integers(0, 500).map(lambda days: START - timedelta(days=100) + timedelta(days=days))


@given(_conditions, st.lists(st.tuples(_products, _moments), min_size=1, max_size=15))
@example(
    All((Test("product.stock", Word.IS, 0), Test("product.can_be_ordered", Word.IS, True))),
    [(complete({"stock": 0, "can_be_ordered": True}), START)],
)
def test_no_product_meets_what_is_proven_to_be_never_so(
    condition: Condition, seen: list[tuple[dict[str, Any], datetime]]
) -> None:
    proof = prove_never([Ask(condition)], SCENE)
    for fields, now in seen:
        event = frozenset({EventType.PRODUCT_UPDATED})
        document = Document(SubjectKind.PRODUCT, fields, now, STORES[0][0], STORES[0][1], events=event)
        assert not (proof.is_never and judge(condition, document).truth is Truth.MET)


@given(_conditions, _conditions)
def test_a_witness_meets_every_condition_and_nothing_that_is_never_so_has_one(one: Condition, two: Condition) -> None:
    result = found(one, two)
    if result.witness is not None:
        assert judge(one, result.witness.document).truth is Truth.MET
        assert judge(two, result.witness.document).truth is Truth.MET
        assert never(one, two) is None
    assert result.work <= MOST_WORK + 100


@given(_conditions, _products, _moments)
def test_what_a_product_meets_is_found(condition: Condition, fields: dict[str, Any], now: datetime) -> None:
    document = Document(SubjectKind.PRODUCT, fields, now, STORES[0][0], STORES[0][1])
    if judge(condition, document).truth is Truth.MET:
        assert found(condition).witness is not None


def nested(depth: int) -> Condition:
    """Any of two, in each of which any of two, and so on; none of it possible."""
    if depth == 0:
        return All((SOLD_OUT, is_("product.stock", Word.MORE_THAN, depth)))
    return All(
        (AnyOf((nested(depth - 1), SOLD_OUT)), AnyOf((nested(depth - 1), is_("product.stock", Word.IS, -depth))))
    )


@pytest.mark.parametrize(
    "condition",
    [
        nested(9),
        All(tuple(AnyOf((is_("product.stock", Word.IS, n), is_("product.price", Word.IS, n))) for n in range(60))),
        All(tuple(is_("product.name", Word.CONTAINS, f"part {n}") for n in range(400))),
        All(tuple(NoneOf((is_("product.tags", Word.CONTAINS, f"tag {n}"),)) for n in range(400))),
        All(tuple(is_("now.date", Word.IS_NOT, f"2026-03-{n:02}") for n in range(1, 29))),
        AnyOf(tuple(Expression(f"product.stock > `{n}` && product.stock < `0`") for n in range(40))),
    ],
)
def test_nasty_conditions_come_to_an_end(condition: Condition) -> None:
    result = found(condition)
    assert result.work <= MOST_WORK + 5000
    assert prove_never([Ask(condition)], SCENE).work <= MOST_WORK + 5000
