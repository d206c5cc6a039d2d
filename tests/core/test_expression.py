"""JMESPath in rules: each trap is caught with the text to write instead, and no text can do harm."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules_engine.core.expression import compiled, evaluate, fields_in, looks_at_moment
from rules_engine.core.subject import SubjectKind
from rules_engine.core.syntax import MAX_LENGTH
from rules_engine.core.traps import lint


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
        ("product.brand == “Nike”", "jmespath-syntax", "“Nike”", "'Nike' in single quotes"),
        ("product.brand == 'Nike", "jmespath-syntax", "'", "single quotes"),
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


def test_only_fields_of_the_document_itself_are_found() -> None:
    text = "product.variants[?stock > `0`].sku == [x] || contains(keys(product.raw), now.date)"
    assert fields_in(text) == {"product.variants", "x", "product.raw", "now.date"}
    assert fields_in("map(&x.y, product.tags) == [product.id, store.alias]") == {
        *("product.tags", "product.id", "store.alias")
    }
    assert looks_at_moment("product.stock > before.stock")
    assert not looks_at_moment("product.raw.before == 'x'")


def test_evaluating_says_what_failed() -> None:
    document = {"product": {"stock": "three", "raw": {}}}
    assert evaluate("product.stock == 'three'", document).value is True
    assert "unlike types" in evaluate("product.stock > `1`", document).failure
    assert evaluate("sum(product.stock) > `1`", document).failure.startswith("the expression failed: In function sum()")
    assert evaluate("product.", document).failure
    assert evaluate("`a`", document).failure


TEXTS = st.text(max_size=30) | st.text(alphabet="ab.!&|=<>()[]{}`'\"*@?,:0-1 \\", max_size=30)


@given(TEXTS, st.booleans())
def test_any_text_is_sound_or_has_faults_inside_of_it(text: str, is_condition: bool) -> None:
    faults = lint(text, is_condition=is_condition)
    for fault in faults:
        assert 0 <= fault.offset <= len(text)
        assert fault.length >= 1
        assert fault.message
    if not faults:
        assert compiled(text)


@given(TEXTS)
def test_evaluating_never_raises(text: str) -> None:
    found = evaluate(text, {"product": {"stock": 3}, "a": [1, "x", None], "b": {"a": True}})
    assert not (found.failure and found.value is not None)
    fields_in(text)
