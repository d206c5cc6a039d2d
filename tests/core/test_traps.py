"""The traps of JMESPath: each is caught where it is, with the text to write instead, and that text is sound."""

from __future__ import annotations

from typing import Any

import pytest
from expression_texts import ANY_TEXT, EXPRESSIONS
from hypothesis import given
from hypothesis import strategies as st

from rules_engine.core.expression import compiled, evaluate
from rules_engine.core.subject import SubjectKind
from rules_engine.core.syntax import MAX_LENGTH
from rules_engine.core.traps import Fault, lint, mended


@pytest.mark.parametrize(
    ("text", "code", "underlined", "advice"),
    [
        ("!product.published", "jmespath-not", "!product.published", "`!(product.published)`"),
        ("product.stock > `0` && !product.published", "jmespath-not", "!product.published", "`!(product.published)`"),
        ('product.brand == "Nike"', "jmespath-bare-word", '"Nike"', "'Nike' in single quotes"),
        ("product.brand == Nike", "jmespath-bare-word", "Nike", "'Nike'"),
        ("brand == 'Nike'", "jmespath-bare-word", "brand", "`product.brand`"),
        ("prodct.brand == 'Nike'", "unknown-field", "prodct", '"product"'),
        ("product.brnd == 'Nike'", "unknown-field", "brnd", "`product.brand`"),
        ("before.stok > `1`", "unknown-field", "stok", "`before.stock`"),
        ("now.tme == '09:00'", "unknown-field", "tme", "`now.time`"),
        ("product.stock <= 0", "jmespath-number", "0", "`0`, with the backticks"),
        ("product.stock <= -1", "jmespath-number", "-1", "`-1`, with the backticks"),
        ("product.price > 3.5", "jmespath-number", "3.5", "`3.5`, with the backticks"),
        ("contains(product.tags, 3)", "jmespath-number", "3", "`3`, with the backticks"),
        ("product.published == true", "jmespath-literal", "true", "`true`, with the backticks"),
        ("product.brand == `Nike`", "jmespath-literal", "`Nike`", "'Nike'"),
        ("product.published = `true`", "jmespath-equals", "=", "`==`"),
        ("product.published and product.in_stock", "jmespath-word", "and", "`&&`"),
        ("product.published OR product.in_stock", "jmespath-word", "OR", "`||`"),
        ("not product.published", "jmespath-word", "not product.published", "`!(product.published)`"),
        ("not(product.published)", "jmespath-word", "not(product.published)", "`!(product.published)`"),
        ("contain(product.tags, 'a')", "jmespath-function", "contain", '"contains"'),
        ("contains(product.tags)", "jmespath-function", "contains", ""),
        ("length(product.tags)", "jmespath-not-a-condition", "length(product.tags)", "> `0`"),
        ("product.stock", "jmespath-not-a-condition", "product.stock", "compare"),
        ("product.in_stock && product.stock", "jmespath-not-a-condition", "product.stock", "product.stock > `0`"),
        ("product.tags[?@ == 'a']", "jmespath-not-a-condition", "product.tags[?@ == 'a']", ""),
        ("'text'", "jmespath-not-a-condition", "'text'", ""),
        ("product.variants[?in_stock][0].sku == 'a'", "jmespath-below", "product.variants[?in_stock][0]", ")[0]`"),
        ("product.variants[*].price[-1] == `1`", "jmespath-below", "product.variants[*].price[-1]", "[*].price)[-1]`"),
        ("product.variants[0][1].sku == 'a'", "jmespath-below", "variants[0][1]", ""),
        ("product.brand == “Nike”", "jmespath-syntax", "“Nike”", "'Nike' in single quotes"),
        ("product.brand == 'Nike", "jmespath-syntax", "'Nike", "'Nike' in single quotes"),
        ("product.stock >", "jmespath-syntax", ">", ""),
        ("product.stock > `1`)", "jmespath-syntax", ")", ""),
        ("  ", "jmespath-syntax", " ", ""),
        ("a" * (MAX_LENGTH + 1), "jmespath-too-long", "a", "meaning"),
        ("(" * 900 + "a" + ")" * 900, "jmespath-too-deep", "(", "meaning"),
        ("!" * 60 + "(product.in_stock)", "jmespath-too-deep", "!", "meaning"),
    ],
)
def test_a_trap_is_caught_where_it_is(text: str, code: str, underlined: str, advice: str) -> None:
    fault = lint(text)[0]
    assert (fault.code, text[fault.offset : fault.offset + fault.length]) == (code, underlined)
    assert advice in fault.help


@pytest.mark.parametrize(
    "text",
    [
        "contains(product.tags, 'end-of-line')",
        "product.stock <= `0` && product.brand == 'Nike'",
        "!(product.published)",
        "!contains(product.tags, 'a')",
        "product.variants[0].stock > `0`",
        "product.variants[?stock > `0`] | length(@) > `0`",
        "product.raw.parts[?\"odd name\" == 'x'].sku | contains(@, 'A-1')",
        "length(product.variants[?stock == `0`]) == length(product.variants)",
        "product.attributes.\"Shoe size\" == '42'",
        "product.raw.any.thing[0].at_all == 'x'",
        "before == `null` || before.stock != product.stock",
        "event.type == 'product.created' && store.vendor == 'ecwid' && now.weekday == 'monday'",
        "product.published",
        "product.raw.flag",
        "starts_with(product.name, 'it\\'s `here` and \"there\"')",
        "max_by(product.variants, &stock).stock > `3`",
        "product.stock > `-1`",
    ],
)
def test_a_sound_expression_is_left_alone(text: str) -> None:
    assert lint(text, about=SubjectKind.PRODUCT) == ()


def test_a_left_side_need_not_be_true_or_false() -> None:
    assert lint("length(product.tags)", is_condition=False) == ()


def test_every_unknown_field_is_told_at_once() -> None:
    assert [fault.code for fault in lint("product.stok > `1` && product.brnd == 'a'")] == ["unknown-field"] * 2


CORRECTED = [
    # `!` binds more strongly than the dot.
    ("product.in_stock && !product.published", "jmespath-not", "product.in_stock && !(product.published)"),
    (
        "contains(product.tags, 'a') || !product.published",
        "jmespath-not",
        "contains(product.tags, 'a') || !(product.published)",
    ),
    (
        "product.variants[?!@.in_stock] | length(@) > `0`",
        "jmespath-not",
        "product.variants[?!(@.in_stock)] | length(@) > `0`",
    ),
    ("not_null(!product.published, `true`)", "jmespath-not", "not_null(!(product.published), `true`)"),
    ("!product.variants[0].in_stock", "jmespath-not", "!(product.variants[0].in_stock)"),
    ("!!product.published", "jmespath-not", "!(!(product.published))"),
    ("(!product).published", "jmespath-not", "!(product.published)"),
    ("!product.stock > `0`", "jmespath-not", "!(product.stock > `0`)"),
    ("!product.brand == 'Nike'", "jmespath-not", "!(product.brand == 'Nike')"),
    ("!(`0` < product.stock < `5`)", "jmespath-compare", "!(`0` < product.stock && product.stock < `5`)"),
    ("!(contains(product.stock, `5`))", "jmespath-function", "!(product.stock == `5`)"),
    ("(product.price.amount) > `5`", "jmespath-below", "(product.price) > `5`"),
    ("!product.stock", "jmespath-not", "!(product.stock > `0`)"),
    # Text without single quotes.
    ('contains(product.tags, "sale")', "jmespath-bare-word", "contains(product.tags, 'sale')"),
    ("contains(product.tags, sale)", "jmespath-bare-word", "contains(product.tags, 'sale')"),
    ('"Nike" == product.brand', "jmespath-bare-word", "'Nike' == product.brand"),
    (
        'product.variants[?sku == "A-1"] | length(@) > `0`',
        "jmespath-bare-word",
        "product.variants[?sku == 'A-1'] | length(@) > `0`",
    ),
    ("product.brand == New Balance", "jmespath-bare-word", "product.brand == 'New Balance'"),
    ("product.brand == Ünal", "jmespath-bare-word", "product.brand == 'Ünal'"),
    ("product.brand == end-of-line", "jmespath-hyphen", "product.brand == 'end-of-line'"),
    ("product.brand == “Nike”", "jmespath-syntax", "product.brand == 'Nike'"),
    ("product.brand == ‘Levi’s’", "jmespath-syntax", None),
    ("'product.brand' == 'Nike'", "jmespath-quoted-field", "product.brand == 'Nike'"),
    ('"product.stock" > `0`', "jmespath-quoted-field", "product.stock > `0`"),
    ("`product.stock` > `0`", "jmespath-literal", "product.stock > `0`"),
    ("contains('product.tags', 'sale')", "jmespath-quoted-field", "contains(product.tags, 'sale')"),
    # Words and signs of other languages.
    ("product.brand in [\"Nike\", 'Acme']", "jmespath-word", "contains(['Nike', 'Acme'], product.brand)"),
    ("product.brand in ('Nike', 'Acme')", "jmespath-word", "contains(['Nike', 'Acme'], product.brand)"),
    ("'sale' not in product.tags", "jmespath-word", "!contains(product.tags, 'sale')"),
    ("product.brand is null", "jmespath-word", "product.brand == `null`"),
    ("product.brand is not None", "jmespath-word", "product.brand != `null`"),
    ("product.tags is empty", "jmespath-word", "!(product.tags)"),
    ("product.tags is not empty", "jmespath-word", "!(!(product.tags))"),
    ("product.name contains 'shoe'", "jmespath-word", "contains(product.name, 'shoe')"),
    ("product.stock between 1 and 5", "jmespath-word", "product.stock >= `1` && product.stock <= `5`"),
    ("AND(product.published, product.in_stock)", "jmespath-word", "(product.published && product.in_stock)"),
    ("if product.published", "jmespath-word", "product.published"),
    ("product.stock == 0 AND NOT product.published", "jmespath-number", "product.stock == `0` && !(product.published)"),
    ("not product.brand == 'Nike'", "jmespath-word", "!(product.brand == 'Nike')"),
    ("not contains(product.tags, 'a')", "jmespath-word", "!contains(product.tags, 'a')"),
    ("product.stock <> `0`", "jmespath-equals", "product.stock != `0`"),
    ("product.stock => `5`", "jmespath-equals", "product.stock >= `5`"),
    ("product.stock === `0`", "jmespath-equals", "product.stock == `0`"),
    ("product.stock !== `0`", "jmespath-equals", "product.stock != `0`"),
    ("product.stock ≤ `0`", "jmespath-equals", "product.stock <= `0`"),
    ("product.stock < = `0`", "jmespath-equals", "product.stock <= `0`"),
    ("product.published & product.in_stock", "jmespath-word", "product.published && product.in_stock"),
    ("$.product.stock > `0`", "jmespath-syntax", "product.stock > `0`"),
    ("product.on_sale == TRUE", "jmespath-literal", "product.on_sale == `true`"),
    # Numbers and literals.
    ("product.price > `3,5`", "jmespath-literal", "product.price > `3.5`"),
    ("product.price > 1,000", "jmespath-number", "product.price > `1000`"),
    ("product.sku == 007", "jmespath-number", "product.sku == '007'"),
    ("product.variants.0.stock > `0`", "jmespath-number", "product.variants[0].stock > `0`"),
    ("now.date >= 2026-11-27", "jmespath-number", "now.date >= '2026-11-27'"),
    # Names that are no plain words.
    ("product.raw.free-shipping == `true`", "jmespath-hyphen", 'product.raw."free-shipping" == `true`'),
    ("product.attributes.Shoe size == '42'", "jmespath-syntax", "product.attributes.\"Shoe size\" == '42'"),
    ("product.attributes['Shoe size'] == '42'", "jmespath-syntax", "product.attributes.\"Shoe size\" == '42'"),
    ("product.raw.größe == 'x'", "jmespath-syntax", "product.raw.\"größe\" == 'x'"),
    ("product.compare-at-price > `0`", "jmespath-hyphen", "product.compare_at_price > `0`"),
    ("product.tags['sale']", "jmespath-syntax", "contains(product.tags, 'sale')"),
    # Below a list or a text there is nothing.
    ("sum(product.variants.stock) < `5`", "jmespath-below", "sum(product.variants[].stock) < `5`"),
    ("product.tags.sale", "jmespath-below", "contains(product.tags, 'sale')"),
    ("product.tags.length > `0`", "jmespath-below", "length(product.tags) > `0`"),
    ("product.brand.name == 'Nike'", "jmespath-below", "product.brand == 'Nike'"),
    (
        "product.variants[?stok > `0`] | length(@) > `0`",
        "unknown-field",
        "product.variants[?stock > `0`] | length(@) > `0`",
    ),
    # Unlike kinds.
    ("product.price == '9.99'", "jmespath-compare", "product.price == `9.99`"),
    ("'5' < product.price", "jmespath-compare", "`5` < product.price"),
    ("'123' < product.sku", "jmespath-compare", "to_number(product.sku) > `123`"),
    ('contains(product.raw.sizes, "XL")', "jmespath-bare-word", "contains(product.raw.sizes, 'XL')"),
    ("product.sku == `123`", "jmespath-compare", "product.sku == '123'"),
    ("product.sku > `123`", "jmespath-compare", "to_number(product.sku) > `123`"),
    ("product.sku > '123'", "jmespath-compare", "to_number(product.sku) > `123`"),
    ("product.published == 'true'", "jmespath-compare", "product.published == `true`"),
    ("product.in_stock != 'no'", "jmespath-compare", "product.in_stock != `false`"),
    ("product.in_stock == `0`", "jmespath-compare", "product.in_stock == `false`"),
    ("product.tags == 'sale'", "jmespath-compare", "contains(product.tags, 'sale')"),
    ("product.tags != 'sale'", "jmespath-compare", "!contains(product.tags, 'sale')"),
    ("product.tags > `2`", "jmespath-compare", "length(product.tags) > `2`"),
    ("product.brand == ['Nike', 'Acme']", "jmespath-compare", "contains(['Nike', 'Acme'], product.brand)"),
    ("product.variants[*].stock > `0`", "jmespath-compare", "length(product.variants[?stock > `0`]) > `0`"),
    ("`0` < product.stock < `10`", "jmespath-compare", "`0` < product.stock && product.stock < `10`"),
    ("now.weekday == 'Monday'", "jmespath-compare", "now.weekday == 'monday'"),
    ("event.type == 'created'", "jmespath-compare", "event.type == 'product.created'"),
    # Functions.
    ('product.name.startsWith("x")', "jmespath-function", "starts_with(product.name, 'x')"),
    ("product.tags.contains('sale')", "jmespath-function", "contains(product.tags, 'sale')"),
    ("count(product.tags) > `2`", "jmespath-function", "length(product.tags) > `2`"),
    ("starts_with(product.tags, 'sa')", "jmespath-function", "length(product.tags[?starts_with(@, 'sa')]) > `0`"),
    ("starts_with(product.name, `5`)", "jmespath-function", "starts_with(product.name, '5')"),
    ("contains(product.name, `5`)", "jmespath-function", "contains(product.name, '5')"),
    ("contains(product.category_ids, `5`)", "jmespath-function", "contains(product.category_ids, '5')"),
    ("contains('sale', product.tags)", "jmespath-function", "contains(product.tags, 'sale')"),
    ("contains(product.stock, `5`)", "jmespath-function", "product.stock == `5`"),
    ("length(product.stock) > `1`", "jmespath-function", "product.stock > `1`"),
    (
        "sort_by(product.variants, stock)[0].stock > `1`",
        "jmespath-function",
        "sort_by(product.variants, &stock)[0].stock > `1`",
    ),
    ("map(product.variants, &stock) == `[1]`", "jmespath-function", "map(&stock, product.variants) == `[1]`"),
    # A single `|`.
    ("product.stock > `0` | product.on_sale", "jmespath-pipe", "product.stock > `0` || product.on_sale"),
    (
        "product.variants[?stock > `0`] | length(@) > `0` && product.published",
        "jmespath-pipe",
        "(product.variants[?stock > `0`] | length(@) > `0`) && product.published",
    ),
    (
        "product.published && product.variants | length(@) > `0`",
        "jmespath-pipe",
        "product.published && (product.variants | length(@) > `0`)",
    ),
    # What is neither true nor false.
    (
        "product.brand == 'Nike' || 'Acme'",
        "jmespath-not-a-condition",
        "product.brand == 'Nike' || product.brand == 'Acme'",
    ),
    (
        "product.brand != 'Nike' && 'Acme'",
        "jmespath-not-a-condition",
        "product.brand != 'Nike' && product.brand != 'Acme'",
    ),
    ("product.stock && product.in_stock", "jmespath-not-a-condition", "product.stock > `0` && product.in_stock"),
    ("product.tags && product.in_stock", "jmespath-not-a-condition", "length(product.tags) > `0` && product.in_stock"),
    ("product.brand", "jmespath-not-a-condition", "product.brand != `null`"),
    (
        "product.variants[?stock] | length(@) > `0`",
        "jmespath-not-a-condition",
        "product.variants[?stock > `0`] | length(@) > `0`",
    ),
    (
        "product.in_stock || product.variants",
        "jmespath-not-a-condition",
        "product.in_stock || length(product.variants) > `0`",
    ),
    # Several at once.
    (
        'product.stock = 0 and (product.brand == "Nike" or product.brand == Acme)',
        "jmespath-equals",
        "product.stock == `0` && (product.brand == 'Nike' || product.brand == 'Acme')",
    ),
]


@pytest.mark.parametrize(("text", "code", "whole"), CORRECTED)
def test_a_trap_leads_to_a_sound_expression(text: str, code: str, whole: str | None) -> None:
    faults = lint(text, about=SubjectKind.PRODUCT)
    assert faults[0].code == code
    assert mended(text, about=SubjectKind.PRODUCT) == whole
    if whole is not None:
        assert lint(whole, about=SubjectKind.PRODUCT) == ()
        corrected = next(fault for fault in faults if fault.fix is not None)
        assert whole in corrected.help or corrected.applied_to(text) == whole
        assert (
            str(corrected.fix) in corrected.help or "leave it out" in corrected.help or "did you mean" in corrected.help
        )


@pytest.mark.parametrize(
    ("text", "code", "underlined", "advice"),
    [
        ("now.time >= '09:00'", "jmespath-clock", "now.time", "`now.time: {between: 09:00 and 17:00}`"),
        (
            "product.in_stock && now | time >= '09:00'",
            "jmespath-clock",
            "product.in_stock && now | time >= '09:00'",
            "",
        ),
        ("length(keys(@)) > `3`", "jmespath-clock", "length(keys(@)) > `3`", "now.time"),
        ("contains(values(now), '09:00')", "jmespath-clock", "contains(values(now), '09:00')", "now.time"),
        ("product.price - 5 > `10`", "jmespath-arithmetic", "-", "product.on_sale"),
        ("product.price * `2` > product.compare_at_price", "jmespath-arithmetic", "*", "product.on_sale"),
        ("product.stock-1 > `0`", "jmespath-arithmetic", "stock-1", "product.on_sale"),
        ("product.name.lower() == 'shoe'", "jmespath-function", "product.name.lower()", "overlooks case"),
        ("product.name like '%shoe%'", "jmespath-word", "like", "product.name: {matches:"),
        ("product.created_at > '7 days'", "jmespath-compare", "'7 days'", "product.created_at: {newer_than: 7 days}"),
        ("product.created_at > '27.11.2026'", "jmespath-compare", "'27.11.2026'", "'2026-11-27'"),
        ("product.name > `null`", "jmespath-compare", "product.name > `null`", "== or !="),
        ("product.published > `0`", "jmespath-compare", "product.published > `0`", ""),
        ("product.stock > `1` && product.", "jmespath-syntax", ".", ""),
        ("contains(product.tags, 'a'", "jmespath-syntax", "(", "`)`"),
        ("product.tags[::0] == `[]`", "jmespath-syntax", "product.tags[::0] == `[]`", ""),
        ("&product.stock", "jmespath-function", "&product.stock", ""),
        ("contains(&product.tags, 'a')", "jmespath-function", "contains(&product.tags, 'a')", ""),
        ("now.weekday == 'holiday'", "jmespath-compare", "'holiday'", "monday"),
        ("sum(product.tags) > `1`", "jmespath-function", "sum(product.tags)", ""),
        ("product[?stock > `1`] == `[]`", "jmespath-below", "product[?stock > `1`]", ""),
        ("product.tags[?name == 'a'] == `[]`", "jmespath-below", "name", "`@`"),
        ("{a: product.stock}", "jmespath-not-a-condition", "{a: product.stock}", ""),
    ],
)
def test_a_trap_without_a_certain_correction_says_what_can_be_done(
    text: str, code: str, underlined: str, advice: str
) -> None:
    fault = lint(text, about=SubjectKind.PRODUCT)[0]
    assert (fault.code, text[fault.offset : fault.offset + fault.length]) == (code, underlined)
    assert advice in fault.help


@given(ANY_TEXT | EXPRESSIONS, st.booleans())
def test_any_text_is_sound_or_has_faults_inside_of_it(text: str, is_condition: bool) -> None:
    faults = lint(text, is_condition=is_condition)
    for fault in faults:
        assert 0 <= fault.offset <= len(text)
        assert fault.length >= 1
        assert fault.message
    if not faults:
        assert compiled(text)


SOUND = [
    "product.stock > `3`",
    "product.brand == 'Nike'",
    "contains(product.tags, 'sale')",
    "!(product.published)",
    "product.price < product.compare_at_price",
    "length(product.variants[?stock > `0`]) > `0`",
    "starts_with(product.sku, 'A-')",
    "product.created_at >= '2026-01-01'",
    "product.attributes.\"Shoe size\" == '42'",
    "before == `null` || before.stock != product.stock",
]
DAMAGES = [
    ("`", ""),
    ("'", '"'),
    ("==", "="),
    ("==", "==="),
    (">=", "=>"),
    ("!=", "<>"),
    ("!(product.published)", "!product.published"),
]


@given(
    st.lists(st.sampled_from(SOUND), min_size=1, max_size=4),
    st.sampled_from([" && ", " || "]),
    st.lists(st.sampled_from(DAMAGES), min_size=1, max_size=3),
    st.sampled_from([("&&", "&&"), ("&&", "and"), ("||", "OR"), ("&&", "&")]),
)
def test_what_is_damaged_in_usual_ways_is_mended_to_what_it_was(
    parts: list[str], joint: str, damages: list[tuple[str, str]], word: tuple[str, str]
) -> None:
    sound = joint.join(parts)
    text = sound
    for old, new in damages:
        text = text.replace(old, new)
    text = text.replace(*word)
    assert lint(sound) == ()
    assert mended(text) == sound


@given(ANY_TEXT | EXPRESSIONS, st.sampled_from([None, SubjectKind.PRODUCT, SubjectKind.CATEGORY]))
def test_a_correction_never_makes_a_text_that_the_grammar_refuses_of_one_that_it_takes(
    text: str, about: SubjectKind | None
) -> None:
    faults = lint(text, about=about)
    if faults and is_read(text):
        for fault in faults:
            assert fault.fix is None or is_read(fault.applied_to(text))


def is_read(text: str) -> bool:
    """Whether the grammar takes it."""
    try:
        return bool(compiled(text))
    except ValueError:
        return False


def product(stock: int, *, is_sold: bool, words: list[str]) -> dict[str, Any]:
    """A product of which all is known and nothing is empty."""
    text = words[0]
    return {
        "id": "1",
        "sku": text,
        "name": text,
        "brand": text,
        "brand_id": "7",
        "stock": stock,
        "tracks_stock": True,
        **dict.fromkeys(("in_stock", "can_be_ordered", "published", "on_sale"), is_sold),
        "price": 1.5,
        "compare_at_price": 3,
        "currency": "EUR",
        "categories": words,
        "category_ids": ["5"],
        "tags": words,
        "attributes": {"Size": "42"},
        "created_at": "2026-01-01T00:00:00+00:00",
        "updated_at": "2026-01-01T00:00:00+00:00",
        "raw": {"a": 1},
        "variants": [{"id": "2", "sku": text, "stock": stock, "in_stock": is_sold, "price": 1.5}],
    }


FIELDS = ["name", "stock", "published", "price", "tags", "variants", "sku", "category_ids", "created_at"]
PIECES = st.sampled_from([f"product.{name}" for name in FIELDS] + ["`1`", "'a'", "`true`", "product.variants[0].stock"])
SIGNS = ["==", "!=", "<", ">=", "&&", "||", "|"]
CONDITIONS = st.recursive(
    PIECES,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(SIGNS), inner).map(" ".join),
        st.tuples(inner, inner).map(lambda two: f"contains({two[0]}, {two[1]})"),
        st.tuples(st.sampled_from(["length", "max", "to_string", "sum", "not_null", "!", ""]), inner).map(
            lambda two: f"{two[0]}({two[1]})"
        ),
        inner.map(lambda text: f"!{text}"),
        st.tuples(inner, st.sampled_from(["[0]", "[]", "[].stock", "[?stock > `0`]", "[?@ == 'a']"])).map("".join),
    ),
    max_leaves=4,
)


@given(CONDITIONS, st.integers(0, 3), st.booleans(), st.lists(st.sampled_from(["a", "b"]), min_size=1, max_size=2))
def test_an_accepted_condition_is_true_or_false_of_every_product_that_is_wholly_known(
    text: str, stock: int, is_sold: bool, words: list[str]
) -> None:
    if lint(text, about=SubjectKind.PRODUCT):
        return
    document = {"product": product(stock, is_sold=is_sold, words=words), "before": None, "event": None}
    found = evaluate(text, document)
    assert isinstance(found.value, bool), (text, found)


def test_several_faults_of_one_line_end_with_the_whole_of_what_to_write() -> None:
    first, *_ = lint('product.stock <= 0 and product.brand == "Nike"')
    assert first.help == (
        "write `0`, with the backticks. All in all, write: product.stock <= `0` && product.brand == 'Nike'"
    )


def test_a_correction_replaces_what_is_underlined() -> None:
    assert Fault(4, 3, "x", "y", fix="two").applied_to("one 222 three") == "one two three"
    assert Fault(4, 3, "x", "y").applied_to("one 222 three") == "one 222 three"
