"""A rulebook from texts: what rules become, for which stores they run, and that no text can do harm."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules_engine.core.action import ActionKind
from rules_engine.core.condition import (
    All,
    AnyOf,
    Change,
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
from rules_engine.core.delivery import StoreAlias
from rules_engine.core.errors import RulebookError
from rules_engine.core.rule import (
    Afterwards,
    EffectKind,
    Every,
    Identified,
    Mode,
    Named,
    Rule,
    Rulebook,
    Trigger,
    Under,
)
from rules_engine.core.store import Capabilities, Store
from rules_engine.core.subject import SubjectKind
from rules_engine.rulebook.compile import compile_rulebook, hash_of
from rules_engine.rulebook.conditions import MAX_PARTS
from rules_engine.rulebook.files import read_rule_texts, read_text
from rules_engine.rulebook.rules import KEYS as RULE_KEYS
from rules_engine.rulebook.stores import load_stores
from rules_engine.rulebook.vendor import VendorSpec
from rules_engine.vendors import VENDORS
from rules_engine.vendors.axim import Axim

Compile = Callable[..., Rulebook]
Refuse = Callable[..., list[Any]]
SHIPPED = Path(__file__).parents[2] / "rules"

FULL = """\
meanings:
  sold out: {product.stock: {at_most: 0}}
rules:
  first:
    title: One rule
    stores: [web]
    while: sold out
    unless: {product.attributes.Featured: always}
    do:
      - remove_from_category: [Featured, {id: 0123}, {under: Home / Brands}, all]
      - hide
    mode: watch
    because: we want to see it first
    afterwards: leave
  second:
    about: category
    while: {category.published: false}
    do: [empty_category]
  third:
    as_soon_as: {happens: created}
    do: {assign_brand: {id: 7}}
    first_sight: act
"""


def test_a_rule_becomes_what_it_says(compiled: Compile) -> None:
    first, second, third = compiled(FULL).rules
    assert (first.trigger, first.mode, first.afterwards) == (Trigger.WHILE, Mode.WATCH, Afterwards.LEAVE)
    assert (first.title, first.because, first.order) == ("One rule", "we want to see it first", 0)
    at_most = Test("product.stock", Word.AT_MOST, Written("0", 0))
    assert first.condition == Meaning("sold out", at_most)
    assert first.unless == Test("product.attributes.Featured", Word.IS, Written("always", "always"))
    assert first.effects[0].targets == (Named("Featured"), Identified("0123"), Under(Named("Home / Brands")), Every())
    assert (second.about, second.effects[0].kind) == (SubjectKind.CATEGORY, EffectKind.EMPTY_CATEGORY)
    assert (second.afterwards, third.afterwards) == (Afterwards.PUT_BACK, Afterwards.LEAVE)
    assert (third.acts_at_first_sight, third.order, third.place.line) == (True, 2, 19)


FORTNIGHT = Written("14 days", "14 days")


@pytest.mark.parametrize(
    ("text", "condition"),
    [
        ("{product.brand: empty}", Test("product.brand", Word.EMPTY)),
        ("{product.brand: {is_not: empty}}", Test("product.brand", Word.NOT_EMPTY)),
        ("{product.brand: {empty: false}}", Test("product.brand", Word.NOT_EMPTY)),
        ('{product.brand: "empty"}', Test("product.brand", Word.IS, Written("empty", "empty"))),
        ("{product.sku: 0123}", Test("product.sku", Word.IS, Written("0123", 123))),
        (
            "{product.stock: {between: 3 and 7}}",
            Test("product.stock", Word.BETWEEN, (Written("3", 3), Written("7", 7))),
        ),
        ("{product.created_at: {newer_than: 14 days}}", Test("product.created_at", Word.NEWER_THAN, FORTNIGHT)),
        ('{product.raw.made: {older_than: "14 days"}}', Test("product.raw.made", Word.OLDER_THAN, FORTNIGHT)),
        ("{product.tags: {none_of: A}}", Test("product.tags", Word.NONE_OF, (Written("A", "A"),))),
        ("{product.brand: {becomes: empty}}", Transition("product.brand", Change.BECOMES, Emptiness.EMPTY)),
        ("{product.brand: {changes: true}}", Transition("product.brand", Change.CHANGES)),
        ("{product.stock: {falls_below: 3}}", Transition("product.stock", Change.FALLS_BELOW, Written("3", 3))),
        ("{happens: deleted}", Happens("deleted")),
        ("{jmespath: \"contains(product.tags, 'x')\"}", Expression("contains(product.tags, 'x')")),
        ("{length(product.tags): {at_least: 3}}", Test("length(product.tags)", Word.AT_LEAST, Written("3", 3))),
        (
            "{product.stock: {at_least: 1, at_most: 3}}",
            All(
                (
                    Test("product.stock", Word.AT_LEAST, Written("1", 1)),
                    Test("product.stock", Word.AT_MOST, Written("3", 3)),
                )
            ),
        ),
        (
            "{any: [{product.in_stock: true}, {none: [{product.brand: A}]}]}",
            AnyOf(
                (
                    Test("product.in_stock", Word.IS, Written("true", True)),
                    NoneOf((Test("product.brand", Word.IS, Written("A", "A")),)),
                )
            ),
        ),
    ],
)
def test_a_condition_becomes_a_value(compiled: Compile, text: str, condition: object) -> None:
    text = text.replace("product.tags", "product.categories") if "jmespath" not in text else text
    condition = _renamed(condition)
    store = "brands" if "jmespath" in text else "web"
    do = "unassign_brand"
    rule = compiled(f"rules:\n  r:\n    stores: {store}\n    as_soon_as: {text}\n    do: {do}\n").rules[0]
    assert rule.condition == condition


def _renamed(condition: object) -> object:
    """Ecwid knows no tags, so the cases about lists use the categories."""
    if isinstance(condition, Test):
        return Test(condition.field.replace("product.tags", "product.categories"), condition.word, condition.value)
    return condition


def test_a_meaning_holds_in_every_file(compiled: Compile) -> None:
    texts = {
        "rules/b.yaml": "rules:\n  r:\n    while: sold out\n    do: hide\n",
        "rules/a.yaml": "meanings:\n  sold out: {product.stock: 0}\n",
    }
    assert isinstance(compiled(texts).rules[0].condition, Meaning)


def test_a_name_has_one_meaning_and_a_code_one_rule(refused: Refuse) -> None:
    text = "meanings: {m: {product.stock: 0}}\nrules:\n  r: {while: m, do: hide}\n"
    found = refused({"rules/a.yaml": text, "rules/b.yaml": text})
    assert [(problem.code, problem.line, problem.underlined) for problem in found] == [
        ("doubled-meaning", 1, "m"),
        ("doubled-rule", 3, "r"),
    ]


def test_all_problems_of_all_files_are_told_at_once_in_order(refused: Refuse) -> None:
    bad = "rules:\n  r%s:\n    while: {product.stok: 0}\n    do: hid\n"
    found = refused({"rules/b.yaml": bad % 2, "rules/a.yaml": bad % 1, "rules/c.yaml": "a: [\n"})
    assert [problem.code for problem in found] == ["unknown-field", "unknown-action"] * 2 + ["yaml-syntax"]


def test_a_file_that_cannot_be_read_makes_no_meaning_unknown(refused: Refuse) -> None:
    found = refused({"rules/a.yaml": "a: [\n", "rules/b.yaml": "rules:\n  r: {while: sold out, do: hide}\n"})
    assert [problem.code for problem in found] == ["yaml-syntax"]


def test_meanings_of_meanings_cannot_grow_without_bounds(refused: Refuse) -> None:
    text = "meanings:\n  m0: {product.stock: 0}\n"
    text += "".join(f"  m{n}: {{all: [{', '.join([f'm{n - 1}'] * 9)}]}}\n" for n in range(1, 9))
    assert {problem.code for problem in refused(text)} == {"condition-too-large"}
    assert MAX_PARTS < 9**5


def test_a_long_chain_of_meanings_is_refused(refused: Refuse) -> None:
    text = "meanings:\n" + "".join(f"  m{n}: m{n + 1}\n" for n in range(2000)) + "  m2000: {product.stock: 0}\n"
    assert "condition-too-large" in {problem.code for problem in refused(text)}


def test_a_rule_without_stores_runs_where_it_can_and_says_why_not_elsewhere(compiled: Compile) -> None:
    rulebook = compiled("rules:\n  r:\n    while: {product.brand: A}\n    do: hide\n")
    assert rulebook.rules[0].stores == ("web",)
    reasons = rulebook.left_out[rulebook.rules[0].code]
    assert reasons[StoreAlias("ksa")] == "ksa (Zid) has no product.brand"
    assert reasons[StoreAlias("brands")] == "brands (Axim) cannot hide products"


def test_raw_is_what_the_shop_sends_and_needs_no_field(compiled: Compile) -> None:
    rule = compiled("rules:\n  r:\n    while: {product.raw.ribbon.text: Sale}\n    do: hide\n").rules[0]
    assert rule.stores == ("web", "ksa")


def test_a_name_that_a_shop_cannot_be_asked_for_is_a_warning(compiled: Compile) -> None:
    rule = "rules:\n  r:\n    stores: b2b\n    while: {product.stock: 0}\n    afterwards: leave\n"
    (warning,) = compiled(rule + "    do:\n      - remove_from_category: [featured, Sale]\n").warnings
    assert (warning.code, warning.place.line, warning.place.column) == ("unknown-category", 7, 42)


def test_a_brand_without_an_id_in_stores_yaml_is_a_warning(compiled: Compile) -> None:
    rule = "rules:\n  r:\n    stores: brands\n    as_soon_as: {product.tags: {contains: new}}\n    do:\n"
    (warning,) = compiled(rule + "      - assign_brand: Acme\n").warnings
    assert (warning.code, warning.place.line, warning.place.column) == ("unknown-brand", 6, 23)
    assert warning.help == "give its id in stores.yaml: `names: {brands: {Acme: …}}`"
    assert compiled(rule + "      - assign_brand: {id: 663a}\n").warnings == ()


class OneWayAxim(Axim):
    CAPABILITIES: ClassVar[Capabilities] = replace(Axim.CAPABILITIES, actions=frozenset({ActionKind.UNASSIGN_BRAND}))


@pytest.mark.parametrize("stores_line", ["", "    stores: [b2b]\n"])
def test_where_adding_changes_more_a_rule_must_say_what_happens_afterwards(
    stores: tuple[Store, ...], stores_line: str
) -> None:
    text = (
        f"rules:\n  r:\n{stores_line}    while: {{product.stock: 0}}\n    do:\n      - remove_from_category: Featured\n"
    )
    with pytest.raises(RulebookError) as caught:
        compile_rulebook({"rules/a.yaml": text}, stores=stores, vendors=VENDORS)
    (problem,) = caught.value.problems
    assert (problem.code, problem.place.line) == ("say-afterwards", 2)
    said = text + "    afterwards: put back\n"
    assert StoreAlias("b2b") in compile_rulebook({"a": said}, stores=stores, vendors=VENDORS).rules[0].stores


def test_a_shop_that_cannot_give_back_refuses_put_back(stores: tuple[Store, ...]) -> None:
    vendors: dict[str, VendorSpec] = {**VENDORS, "axim": OneWayAxim}
    text = "rules:\n  r:\n    stores: brands\n    while: {product.stock: 0}\n    do: unassign_brand\n"
    with pytest.raises(RulebookError) as caught:
        compile_rulebook({"a": text}, stores=stores, vendors=vendors)
    assert [problem.code for problem in caught.value.problems] == ["cannot-put-back"]
    left = text + "    afterwards: leave\n"
    assert compile_rulebook({"a": left}, stores=stores, vendors=vendors).rules


def test_the_hash_knows_paths_and_texts_but_not_their_order() -> None:
    assert hash_of({"a": "1", "b": "2"}) == hash_of({"b": "2", "a": "1"})
    assert len({hash_of({"a": "1"}), hash_of({"b": "1"}), hash_of({"a": "2"}), hash_of({"a1": ""}), hash_of({})}) == 5


def test_the_shipped_rulebook_is_valid_for_the_shipped_stores() -> None:
    text = read_text(SHIPPED / "stores.yaml")
    stores = load_stores(text, path="rules/stores.yaml", vendors=VENDORS, environment=None).stores
    rulebook = compile_rulebook(read_rule_texts(SHIPPED), stores=stores, vendors=VENDORS)
    assert [store.alias for store in stores] == ["web", "ksa", "b2b", "brands"]
    assert {rule.code: rule.stores for rule in rulebook.rules} == {
        "sold-out-leaves-featured": ("web",),
        "sold-out-leaves-featured-b2b": ("b2b",),
        "brand-cleared-leaves-brand-categories": ("web",),
        "end-of-line-products-lose-their-brand": ("brands",),
        "unpublished-category-is-emptied": ("ksa",),
    }
    assert not rulebook.warnings


def test_rule_files_are_found_and_the_others_left_alone(tmp_path: Path) -> None:
    folder = tmp_path / "rules"
    for name in ("b.yaml", "summer/a.yaml", "stores.yaml", "tests/t.yaml", "library/l.yaml", ".x.yaml", "notes.txt"):
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"# {name}\n", encoding="utf-8")
    assert read_rule_texts(folder) == {"rules/b.yaml": "# b.yaml\n", "rules/summer/a.yaml": "# summer/a.yaml\n"}


def test_files_that_cannot_be_read_are_told_all_at_once(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(b"x: 1\ny: \xff\n")
    (tmp_path / "b.yaml").write_bytes(b"#" * (1024 * 1024 + 1))
    with pytest.raises(RulebookError) as caught:
        read_rule_texts(tmp_path)
    found = [(problem.code, problem.place.line) for problem in caught.value.problems]
    assert found == [("not-utf-8", 2), ("too-large", 1)]
    with pytest.raises(RulebookError) as caught:
        read_rule_texts(tmp_path / "nowhere")
    assert caught.value.problems[0].code == "no-such-folder"
    with pytest.raises(RulebookError) as caught:
        read_text(tmp_path / "nowhere.yaml")
    assert caught.value.problems[0].code == "unreadable-file"


LEFT = st.sampled_from(
    (
        *("product.stock", "product.brand", "product.tags", "product.attributes.A b", "product.raw.x.y", "now.time"),
        *("category.name", "length(product.tags)", "before.stock", "event.type", "now.weekday", "product.created_at"),
        *("all", "any", "none", "jmespath", "happens", "sold out", "product.stok", "!a.b", "category.x.y"),
        "product.variants[0].stock",
    )
)
VALUES = (
    st.sampled_from(
        ["0", "1.10", "NO", "true", "empty", "'empty'", "~", "created", "09:00", "monday", "sold out", "a and b"]
    )
    | st.sampled_from(['"product.stock > `0`"', '"!product.published"', '"product.brand == Nike"', "'`'", "2026-01-31"])
    | st.text(max_size=6).map(lambda text: "'" + text.replace("'", "''") + "'")
)
RIGHT = st.recursive(
    VALUES,
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda items: "[" + ", ".join(items) + "]")
        | st.dictionaries(st.sampled_from([*Word, *Change, "id", "under", "atmost"]) | LEFT, inner, max_size=3).map(
            lambda entries: "{" + ", ".join(f'"{key}": {value}' for key, value in entries.items()) + "}"
        )
    ),
    max_leaves=8,
)
CONDITIONS = st.dictionaries(LEFT, RIGHT, min_size=1, max_size=3).map(
    lambda entries: "{" + ", ".join(f'"{key}": {value}' for key, value in entries.items()) + "}"
)
KEYS = st.dictionaries(
    st.sampled_from([*RULE_KEYS, "x"]),
    RIGHT
    | st.sampled_from(["category", "brand", "[web]", "put back", "act", "paused", "hide", "[empty_category]"])
    | st.sampled_from(["15 minutes", "09:00 and 17:00", "[09:00, 09:00]", "mon to fri", "[sun]", "3", "true", "old"])
    | st.sampled_from(["fewer than 4 products in A", "over 5 products", "always", "{per_day: 10%}", "{per_hour: 7}"])
    | st.sampled_from(["{add_to_category: B}", "[{remove_from_category: A}]", "[{notify: {webhook: floor}}]"]),
    max_size=5,
)


@st.composite
def rule_files(draw: st.DrawFn) -> str:
    keys = {"do": "[hide]", draw(st.sampled_from(["while", "as_soon_as"])): draw(CONDITIONS), **draw(KEYS)}
    body = "".join(f"    {key}: {value}\n" for key, value in keys.items())
    tests = f"tests: {{r: [{{name: n, given: {{product: {draw(RIGHT)}}}, expect: {draw(RIGHT)}}}]}}\n"
    return f"meanings:\n  sold out: {draw(CONDITIONS)}\nrules:\n  r:\n{body}{draw(st.sampled_from(['', tests]))}"


NOW = datetime(2026, 1, 31, 9, tzinfo=UTC)


def judged(rule: Rule) -> Truth:
    hash((rule, str(rule.guards.hours)))
    document = Document(rule.about, {"stock": 3, "tags": []}, NOW, StoreAlias("web"), before={"stock": None})
    return judge(rule.condition, document).truth


@given(st.text() | rule_files())
def test_any_text_is_a_rulebook_that_can_be_judged_or_a_rulebook_error(text: str) -> None:
    stores = load_stores(
        (SHIPPED / "stores.yaml").read_text("utf-8"), path="rules/stores.yaml", vendors=VENDORS, environment=None
    ).stores
    try:
        rulebook = compile_rulebook({"rules/a.yaml": text}, stores=stores, vendors=VENDORS, notify=("floor",))
    except RulebookError as error:
        rendered = [problem.place.line > 0 and problem.render() for problem in error.problems]
        assert rendered
    else:
        rendered = [f"{judged(rule)}" for rule in rulebook.rules]
    assert all(rendered)
