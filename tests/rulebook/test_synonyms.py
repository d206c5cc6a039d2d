"""What other shops, spreadsheets and programs call our fields and words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules_engine.core.fields import FieldType, read_path
from rules_engine.core.subject import SubjectKind
from rules_engine.core.words import Change, Word
from rules_engine.rulebook import synonyms
from rules_engine.rulebook.synonyms import field_of, plainly, word_of
from rules_engine.rulebook.vocabulary import FITTING


@pytest.mark.parametrize(
    ("text", "plain"),
    [("Compare-At Price", "compare_at_price"), ("compareAtPrice", "compare_at_price"), (" Isn't ", "isnt")],
)
def test_a_name_is_read_however_its_words_are_joined(text: str, plain: str) -> None:
    assert plainly(text) == plain


@pytest.mark.parametrize(
    ("text", "about", "field"),
    [
        ("inventory_quantity", None, "product.stock"),
        ("product.title", None, "product.name"),
        ("Product.Published", None, "product.published"),
        ("variant.price", None, "product.price"),
        ("category.title", SubjectKind.CATEGORY, "category.name"),
        ("products", SubjectKind.CATEGORY, "category.product_count"),
        ("before.inventory", SubjectKind.PRODUCT, "before.stock"),
        ("today", None, "now.date"),
        ("now.day", None, "now.weekday"),
        ("product.Season", None, ""),
        ("sold out", None, ""),
        ("x" * 100, None, ""),
    ],
)
def test_a_field_is_known_by_its_other_names(text: str, about: SubjectKind | None, field: str) -> None:
    assert field_of(text, about) == field


@pytest.mark.parametrize(
    ("text", "kind", "advice"),
    [
        ("<=", FieldType.NUMBER, "write `at_most:`"),
        ("atmost", FieldType.NUMBER, 'did you mean "at_most"?'),
        ("in", FieldType.TEXT, "write `one_of:`"),
        ("in", FieldType.NAMES, "write `contains_any:`"),
        ("not_contains", FieldType.NAMES, "write `none_of:`"),
        ("not_contains", FieldType.TEXT, "write `none:` and the condition below it: `- product.x: {contains: …}`"),
        ("before", FieldType.TIME, "write `less_than:`"),
        ("rises", FieldType.NUMBER, "write `jmespath: product.x > before.x` in place of this line"),
        ("begins_with", FieldType.FLAG, "product.x takes: is, is_not, becomes, was, changes"),
    ],
)
def test_a_word_is_known_by_its_other_names(text: str, kind: FieldType, advice: str) -> None:
    assert word_of(text, kind, "product.x") == advice


def test_no_name_of_ours_is_taken_for_another() -> None:
    words = {str(word) for word in [*Word, *Change]}
    assert not words & set(synonyms._WORDS)
    assert not set(synonyms._PRODUCT) & set(synonyms._PRODUCT.values())


def test_every_other_name_means_something_that_there_is() -> None:
    assert set(synonyms._WORDS.values()) <= {str(word) for word in [*Word, *Change]}
    assert all(read_path(f"product.{name}").type_of() for name in synonyms._PRODUCT.values())  # type: ignore[union-attr]
    assert all(read_path(f"category.{name}").type_of() for name in synonyms._CATEGORY.values())  # type: ignore[union-attr]


@given(st.text(max_size=100), st.sampled_from(FieldType), st.sampled_from([None, *SubjectKind][:3]))
def test_any_text_has_an_answer(text: str, kind: FieldType, about: SubjectKind | None) -> None:
    field = field_of(text, about)
    where = read_path(field) if field else None
    assert not field or (where is not None and where.type_of(about) is not None)
    assert word_of(text, kind, "product.stock")
    assert FITTING[kind]
