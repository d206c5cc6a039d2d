"""What to write instead of fields, words and changes that there are not."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules_engine.core.fields import FieldPath
from rules_engine.core.subject import SubjectKind
from rules_engine.rulebook.advice import broken_list, change_advice, event_advice, field_advice
from rules_engine.rulebook.report import Report
from rules_engine.rulebook.yaml import MapNode, read_yaml


def written(text: str) -> MapNode:
    node = read_yaml(text, path="rules/a.yaml", report=Report())
    assert isinstance(node, MapNode)
    return node


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("{one_of: Acme, Globex}", "write `one_of: [Acme, Globex]`"),
        ("{is: Acme, Globex}", "write `one_of: [Acme, Globex]`"),
        ("{between: 3, 7}", "write `between: [3, 7]`"),
    ],
)
def test_a_list_whose_brackets_were_forgotten_is_written_with_them(text: str, meant: str) -> None:
    found = broken_list(written(text))
    assert found is not None
    assert found[2] == meant


@pytest.mark.parametrize(
    "text",
    [
        "{is: Acme}",
        "{is: Acme, is_not: }",
        "{at_most: 3, 4}",
        "{at_most: a,4}",
        "{one_of: [Acme], Globex: }",
        "{x: 1, y}",
    ],
)
def test_other_braces_hold_no_broken_list(text: str) -> None:
    assert broken_list(written(text)) is None


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("Sold Out", "`sold out` is a meaning: write it alone, as in `all: [sold out]`"),
        ("OR", "write `any:` and a list of conditions below it, each after `- `"),
        ("not product.brand", "write `none:` and the condition below it, as in `- product.brand: …`"),
        ("when", "leave `when` out, and write the condition itself here: `product.stock: {at_most: 3}`"),
        ("product.brand.id", "product.brand has nothing below it: write `product.brand`"),
        ("now", "write each field in a line of its own with `now.` before it, as in `now.weekday: …`"),
        ("store.city", "a store has: alias, vendor"),
        ("product.visible", "did you mean `product.published`? It is true or false."),
        (
            "product.hidden",
            "did you mean `product.published`? It says the opposite: write false where you would say true",
        ),
        (
            "must_last",
            "`must_last:` belongs to the rule: write it in a line of its own below `while:`, not in the condition",
        ),
    ],
)
def test_a_field_that_there_is_not_is_said_in_ours(text: str, advice: str) -> None:
    assert field_advice(text, ["sold out"], SubjectKind.PRODUCT) == advice


def test_something_below_a_variant_is_asked_by_an_expression() -> None:
    assert "product.variants[?" in field_advice("product.variants.stock", [], SubjectKind.PRODUCT)


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("new", "write `happens: created`"),
        ("product.removed", "write `happens: deleted`"),
        ("creatd", 'did you mean "created"?'),
        ("sold", "it knows only created and deleted; for a change of a field write `product.stock: {rises_above: 0}`"),
    ],
)
def test_an_event_that_there_is_not_is_said_in_ours(text: str, advice: str) -> None:
    assert event_advice(text) == advice


@pytest.mark.parametrize(
    ("where", "part"),
    [
        (FieldPath("before", "stock"), "`product.stock`"),
        (FieldPath("now", "date"), "`now.date:`"),
        (FieldPath("store", "alias"), "`stores:`"),
        (FieldPath("event", "type"), "`happens: created`"),
        (FieldPath("product", "raw"), "another field"),
    ],
)
def test_what_is_not_watched_has_something_beside_it_that_is(where: FieldPath, part: str) -> None:
    assert part in change_advice(where)


@given(st.text(max_size=80), st.sampled_from([None, SubjectKind.PRODUCT, SubjectKind.CATEGORY]))
def test_any_field_and_event_has_an_answer(text: str, about: SubjectKind | None) -> None:
    assert field_advice(text, ["sold out"], about)
    assert event_advice(text)


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("product.images", "an attribute of your own is `product.attributes.images`, and what only this shop has"),
        ("product.images", "; the nearest is tags; all fields stand in README.md"),
        ("product.weight", "`product.raw`; all fields stand in README.md"),
        ("before.images", "`before.attributes.images`; the nearest is tags; all fields"),
    ],
)
def test_of_many_fields_only_the_nearest_are_named(text: str, advice: str) -> None:
    found = field_advice(text, (), SubjectKind.PRODUCT)
    assert advice in found
    assert "can_be_ordered, published" not in found


def test_a_few_fields_are_all_named() -> None:
    assert field_advice("store.country", (), SubjectKind.PRODUCT) == "a store has: alias, vendor"


def test_the_readme_has_the_part_in_which_all_fields_stand() -> None:
    readme = (Path(__file__).parent.parent.parent / "README.md").read_text(encoding="utf-8")
    assert "### What conditions see\n" in readme
