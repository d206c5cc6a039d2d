"""`tests:` blocks and files: what a test becomes, and what is refused, with its place."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rules_engine.core.errors import RulebookError
from rules_engine.core.rule import Effect, EffectKind, Identified, Named, Rulebook
from rules_engine.core.scenario import Expected, Glimpse, Scenario
from rules_engine.core.store import Store
from rules_engine.core.subject import SubjectKind
from rules_engine.rulebook import compile_scenarios, read_rule_texts, read_test_texts
from rules_engine.rulebook.given import MOST_MEMBERS, MOST_SIGHTINGS

Compile = Callable[..., Rulebook]
Refuse = Callable[..., list[Any]]

RULES = """\
rules:
  leaves:
    stores: [web, ksa]
    while: {product.stock: {at_most: 0}}
    do: [{remove_from_category: Featured}]
  comes:
    stores: [web]
    as_soon_as: {product.stock: {rises_above: 0}}
    do: [{add_to_category: New}]
  empties:
    about: category
    stores: [ksa]
    while: {category.published: false}
    do: [empty_category]
"""
START = RULES.count("\n") + 1
"""The line on which what is added to the rules begins."""

FULL = """\
tests:
  leaves:
    - name: A sold-out product leaves
      store: ksa
      at: 2026-12-01 10:00
      given:
        product: {sku: 0123, stock: 0, categories: [Featured, Home / Shoes], attributes: {Size: 42, Code: 007}}
        before: {stock: 3, brand: Acme, tags: [new]}
        held: [{remove_from_category: [Sale, {id: 5}]}]
        event: created
        unknown: [product.price, name]
        then:
          - after: 5 minutes
            product: {stock: 5}
            event: updated
          - {unknown: stock}
      after: 20 minutes
      expect:
        - remove_from_category: Featured
        - hide
"""


def only(rulebook: Rulebook) -> Scenario:
    (scenario,) = rulebook.scenarios
    return scenario


def test_a_test_becomes_what_it_says(compiled: Compile) -> None:
    found = only(compiled(RULES + FULL))
    assert (found.rule, found.name, found.about) == ("leaves", "A sold-out product leaves", SubjectKind.PRODUCT)
    assert (found.place.line, found.store, found.after) == (START + 2, "ksa", timedelta(minutes=20))
    assert found.given.fields == {
        "sku": "0123",
        "stock": 0,
        "categories": ["Featured", "Home / Shoes"],
        "attributes": {"Size": "42", "Code": "007"},
        "brand": None,
        "tags": [],
    }
    assert (found.given.unknown, found.given.event) == (frozenset({"price", "name"}), "created")
    assert [(effect.kind, effect.targets) for effect in found.held] == [
        (EffectKind.REMOVE_FROM_CATEGORY, (Named("Sale"), Identified("5")))
    ]
    later = Glimpse({"stock": 5}, after=timedelta(minutes=5))
    assert found.then == (later, Glimpse({}, frozenset({"stock"})))
    assert isinstance(found.expect, tuple)
    assert [effect.kind for effect in found.expect] == [EffectKind.REMOVE_FROM_CATEGORY, EffectKind.HIDE]


def test_attributes_are_text_as_shops_send_them_and_the_raw_object_keeps_its_numbers(compiled: Compile) -> None:
    given = "attributes: {Pages: 2, Signed: true, Notes: ~, Sizes: [41, 42]}, raw: {pages: 2, code: 007}"
    test = f"tests: {{leaves: [{{name: n, given: {{product: {{{given}}}}}, expect: nothing}}]}}\n"
    fields = only(compiled(RULES + test)).given.fields
    assert fields["attributes"] == {"Pages": "2", "Signed": "true", "Notes": None, "Sizes": ["41", "42"]}
    assert fields["raw"] == {"pages": 2, "code": "007"}


def test_what_was_before_is_laid_over_what_is(compiled: Compile) -> None:
    before = only(compiled(RULES + FULL)).before
    assert before is not None
    assert (before.fields["stock"], before.fields["brand"], before.fields["sku"]) == (3, "Acme", "0123")
    assert before.fields["categories"] == ["Featured", "Home / Shoes"]


def test_the_time_of_a_test_is_that_of_its_store(stores: tuple[Store, ...], compiled: Compile) -> None:
    riyadh = [
        Store(store.alias, store.settings.model_copy(update={"time_zone": "Asia/Riyadh"}), store.missing)
        for store in stores
    ]
    (found,) = compile_scenarios({"rules/tests/a.yaml": FULL}, compiled(RULES), stores=riyadh)
    assert found.at == datetime(2026, 12, 1, 7, tzinfo=UTC)


def test_a_test_of_a_rule_about_a_category_names_its_products(compiled: Compile) -> None:
    text = "  empties:\n    name: n\n    given: {category: {name: A, published: false}, products: [A-1, 02]}\n"
    found = only(compiled(f"{RULES}tests:\n{text}    expect: empty_category\n"))
    assert (found.about, found.members, found.store) == (SubjectKind.CATEGORY, ("A-1", "02"), "ksa")
    assert found.given.fields == {"name": "A", "published": False}
    back = only(compiled(f"{RULES}tests:\n{text}    expect: [{{add_to_category: A}}]\n"))
    assert isinstance(back.expect, tuple)
    assert back.expect[0].kind is EffectKind.ADD_TO_CATEGORY


@pytest.mark.parametrize(("text", "expected"), [("nothing", Expected.NOTHING), ("cannot tell", Expected.CANNOT_TELL)])
def test_a_test_may_expect_nothing_or_that_nobody_can_tell(compiled: Compile, text: str, expected: Expected) -> None:
    tests = f"tests:\n  comes: [{{name: n, given: {{product: {{}}}}, expect: {text}}}]\n"
    found = only(compiled(RULES + tests))
    assert (found.expect, found.store, found.before, found.given) == (expected, "web", None, Glimpse())


def one(text: str, rule: str = "leaves") -> str:
    """The rules with one test, written in one line."""
    return f"{RULES}tests:\n  {rule}: [{{{text}}}]\n"


def seen(text: str) -> str:
    return one(f"name: n, expect: nothing, given: {{{text}}}")


def product(text: str) -> str:
    return seen(f"product: {{{text}}}")


OUTER = [
    ("unknown-rule", f"{RULES}tests: {{leave: []}}\n", "leave", 'did you mean "leaves"?'),
    ("wrong-shape", f"{RULES}tests: [leaves]\n", "[", "`leaves:` in a line above"),
    ("wrong-shape", f"{RULES}tests: {{leaves: [now]}}\n", "now", "`given:`"),
    ("missing-key", one("given: {product: {}}, expect: nothing"), "{", "`name:`"),
    ("missing-key", one("name: '', given: {product: {}}, expect: nothing"), "''", "`name:`"),
    ("missing-key", one("name: n, expect: nothing"), "{", "`given: {product: {sku: A-1, stock: 0}}`"),
    ("missing-key", one("name: n, given: {product: {}}"), "{", "or nothing"),
    ("unknown-key", one("name: n, given: {product: {}}, expects: nothing, expect: nothing"), "expects", '"expect"?'),
    ("unknown-store", one("name: n, store: b2b, given: {product: {}}, expect: nothing"), "b2b", "web, ksa"),
    ("wrong-type", one("name: n, at: 10:00, given: {product: {}}, expect: nothing"), "10:00", "2026-12-01 09:00"),
    ("wrong-type", one("name: n, at: 2026-12-41 10:00, given: {product: {}}, expect: nothing"), "2026-12-41 10:00", ""),
    ("bad-span", one("name: n, after: later, given: {product: {}}, expect: nothing"), "later", "15 minutes"),
]
EXPECTATIONS = [
    ("missing-value", one("name: n, given: {product: {}}, expect: []"), "[", "`expect: nothing`"),
    ("unknown-value", one("name: n, given: {product: {}}, expect: nothin"), "nothin", 'did you mean "nothing"?'),
    ("wrong-shape", one("name: n, given: {product: {}}, expect: [nothing]"), "nothing", "`expect: nothing`"),
    ("wrong-target", one("name: n, given: {product: {}}, expect: [{remove_from_category: all}]"), "all", "its name"),
    (
        "wrong-target",
        one("name: n, given: {product: {}}, expect: [{notify: {webhook: floor}}]"),
        "notify",
        "leave `notify` out",
    ),
    ("wrong-subject", one("name: n, given: {product: {}}, expect: [empty_category]"), "empty_category", "it can: "),
]
GIVEN = [
    ("unknown-key", seen("product: {}, was: {}"), "was", "before"),
    ("unknown-key", seen("stock: 0"), "stock", "`product: {stock: …}`"),
    ("wrong-subject", seen("category: {name: A}"), "category", "`product:`"),
    ("unknown-key", seen("product: {}, products: [A]"), "products", 'did you mean "product"?'),
    ("wrong-shape", seen("product: A-1"), "A-1", "`product: {sku: A-1, stock: 0}`"),
    ("unknown-event", seen("product: {}, event: update"), "update", 'did you mean "updated"?'),
    ("unknown-field", seen("product: {}, unknown: [product.stok]"), "product.stok", '"product.stock"?'),
    ("contradicting-test", seen("product: {stock: 0}, unknown: [stock]"), "[", "leave `stock` out"),
    ("missing-value", seen("product: {}, before: {published: true}"), "published", "below `product:` too"),
    ("wrong-shape", seen("product: {}, then: [later]"), "later", "`- after: 5 minutes`"),
    ("unknown-key", seen("product: {}, then: [{stock: 5}]"), "stock", "`product: {stock: …}`"),
    ("bad-span", seen("product: {}, then: [{after: 5}]"), "5", "`after: 5 minutes`"),
    ("too-large", seen(f"product: {{}}, then: [{', '.join(['{}'] * (MOST_SIGHTINGS + 1))}]"), "", "another test"),
    ("wrong-target", seen("product: {}, held: [{remove_from_category: {under: A}}]"), "{", "its name"),
    (
        "needless-key",
        one("name: n, expect: nothing, given: {product: {}, held: [hide]}", "comes"),
        "[",
        "leave `held` out",
    ),
    (
        "contradicting-test",
        one("name: n, expect: nothing, given: {category: {}, products: [A, A]}", "empties"),
        "[",
        "keep it once",
    ),
    (
        "wrong-shape",
        one("name: n, expect: nothing, given: {category: {}, products: 3}", "empties"),
        "3",
        "`products: [A-1, A-2]`",
    ),
    (
        "too-large",
        one(
            f"name: n, expect: nothing, given: {{category: {{}}, products: {list(range(MOST_MEMBERS + 1))}}}", "empties"
        ),
        "",
        "a few",
    ),
]
FIELDS = [
    ("unknown-field", product("stok: 0"), "stok", 'did you mean "stock"?'),
    ("unknown-field", product("product.stock: 0"), "product.stock", "write `stock:` alone"),
    ("unknown-field", product("attributes.Colour: red"), "attributes.Colour", "`attributes: {Colour: …}`"),
    ("wrong-type", product("stock: unlimited"), "unlimited", "`tracks_stock: false`"),
    ("wrong-type", product('price: "9"'), '"9"', "without quotes"),
    ("wrong-type", product("published: yes"), "yes", "`published: true`"),
    ("wrong-type", product("categories: Featured"), "Featured", "`categories: [Featured]`"),
    ("wrong-shape", product("tags: [{a: b}]"), "{", "a name"),
    ("wrong-shape", product("sku: [A-1]"), "[", "`sku: …`"),
    ("wrong-type", product("created_at: yesterday"), "yesterday", "2026-01-31"),
    ("wrong-shape", product("attributes: [red]"), "[", "{Colour: red}"),
    ("wrong-shape", product("variants: {sku: A}"), "{", "[{sku: A-1, stock: 3}]"),
    ("unknown-field", product("variants: [{stok: 1}]"), "stok", 'did you mean "stock"?'),
    ("wrong-type", product("variants: [{in_stock: 1}]"), "1", "`in_stock: true`"),
]


@pytest.mark.parametrize(("code", "text", "underlined", "advice"), [*OUTER, *EXPECTATIONS, *GIVEN, *FIELDS])
def test_a_wrong_test_names_its_place_and_what_to_write(
    refused: Refuse, code: str, text: str, underlined: str, advice: str
) -> None:
    (found,) = refused(text)
    assert (found.code, found.underlined) == (code, underlined)
    assert advice in found.help


def test_names_of_tests_are_unique_for_their_rule_also_across_files(compiled: Compile) -> None:
    rulebook = compiled(RULES + FULL)
    again = "tests:\n  leaves: [{name: a SOLD-out product leaves, given: {product: {}}, expect: nothing}]\n"
    with pytest.raises(RulebookError) as caught:
        compile_scenarios({"rules/tests/a.yaml": again}, rulebook, stores=())
    (problem,) = caught.value.problems
    assert (problem.code, problem.place.path, problem.place.line) == ("doubled-test", "rules/tests/a.yaml", 2)
    assert f"rules/a.yaml:{START + 2}:13" in problem.message
    assert compile_scenarios({"a": again.replace("leaves:", "comes:")}, rulebook, stores=())


def test_a_test_of_a_wrong_rule_is_read_all_the_same(refused: Refuse) -> None:
    found = refused(product("stok: 0").replace("product.stock: {at_most", "product.stok: {at_most", 1))
    assert [problem.code for problem in found] == ["unknown-field", "unknown-field"]


def test_a_file_that_cannot_be_read_makes_no_rule_unknown(refused: Refuse) -> None:
    found = refused({"rules/a.yaml": "a: [\n", "rules/b.yaml": "tests: {leaves: []}\n"})
    assert [problem.code for problem in found] == ["yaml-syntax"]


def test_all_problems_of_all_files_of_tests_are_told_at_once(compiled: Compile) -> None:
    texts = {
        "rules/tests/a.yaml": "tests: {leave: []}\nrules: {}\n",
        "rules/tests/b.yaml": "just text\n",
        "rules/tests/c.yaml": "a: [\n",
        "rules/tests/d.yaml": "tests: {leaves: [{name: n, given: {product: {stok: 0}}, expect: nothing}]}\n",
    }
    with pytest.raises(RulebookError) as caught:
        compile_scenarios(texts, compiled(RULES), stores=())
    found = [problem.code for problem in caught.value.problems]
    assert found == ["unknown-rule", "unknown-key", "wrong-shape", "yaml-syntax", "unknown-field"]
    assert all(problem.source for problem in caught.value.problems[:3])


def test_files_of_tests_are_found_below_the_rules(tmp_path: Path) -> None:
    folder = tmp_path / "rules"
    for name in (
        "a.yaml",
        "tests/b.yaml",
        "tests/more/c.yml",
        "tests/.x.yaml",
        "library/l.yaml",
        "library/tests/m.yaml",
    ):
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"# {name}\n", encoding="utf-8")
    assert list(read_test_texts(folder)) == ["rules/tests/b.yaml", "rules/tests/more/c.yml"]
    assert read_test_texts(tmp_path / "nowhere") == {}
    assert list(read_rule_texts(folder)) == ["rules/a.yaml"]
    library = folder / "library"
    assert list(read_rule_texts(library)) == ["library/l.yaml"]
    assert list(read_test_texts(library)) == ["library/tests/m.yaml"]


def test_files_of_tests_that_cannot_be_read_are_told_all_at_once(tmp_path: Path) -> None:
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "a.yaml").write_bytes(b"\xff")
    (tmp_path / "tests" / "b.yaml").write_bytes(b"#" * (1024 * 1024 + 1))
    with pytest.raises(RulebookError) as caught:
        read_test_texts(tmp_path)
    assert [problem.code for problem in caught.value.problems] == ["not-utf-8", "too-large"]


WORDS = st.sampled_from(
    (
        *("name", "store", "at", "given", "after", "expect", "product", "category", "products", "before", "held"),
        *("event", "unknown", "then", "sku", "stock", "categories", "published", "attributes", "variants", "raw"),
        *("created_at", "price", "nothing", "cannot tell", "hide", "remove_from_category", "empty_category", "all"),
        *("id", "under", "notify", "5 minutes", "2026-12-01 10:00", "created", "0", "1.10", "true", "~", "web", "A"),
    )
)
TREES = st.recursive(
    WORDS | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=5),
    max_leaves=15,
)
GLIMPSES = st.fixed_dictionaries({"product": TREES}, optional={"before": TREES, "held": TREES, "then": TREES})
TESTS = st.fixed_dictionaries(
    {"name": WORDS, "given": GLIMPSES, "expect": TREES}, optional={"at": TREES, "after": TREES, "store": TREES}
)


def as_yaml(tree: object) -> str:
    if isinstance(tree, dict):
        return "{" + ", ".join(f'"{key}": {as_yaml(value)}' for key, value in tree.items()) + "}"
    if isinstance(tree, list):
        return "[" + ", ".join(map(as_yaml, tree)) + "]"
    return str(tree) if str(tree).isascii() and str(tree).isalnum() else "'" + str(tree).replace("'", "''") + "'"


@given(
    st.text()
    | TREES.map(as_yaml)
    | st.lists(TESTS | TREES, max_size=2).map(lambda tree: f"{{leaves: {as_yaml(tree)}}}")
)
@example("{leaves: [{name: n, given: {product: {stock: 1.10, raw: {a: [~, 1e3]}}}, expect: hide}]}")
def test_any_text_is_tests_or_is_refused_with_a_place(compiled: Compile, stores: tuple[Store, ...], text: str) -> None:
    rulebook = compiled(RULES)
    try:
        found = compile_scenarios({"rules/tests/a.yaml": f"tests: {text}\n"}, rulebook, stores=stores)
    except RulebookError as error:
        shown = [problem.place.line > 0 and problem.render() for problem in error.problems]
    else:
        shown = [repr(scenario) for scenario in found] or ["none"]
    assert shown
    assert all(shown)


def test_effects_of_tests_keep_their_places(compiled: Compile) -> None:
    expect = only(compiled(RULES + FULL)).expect
    assert isinstance(expect, tuple)
    assert all(isinstance(effect, Effect) and effect.place for effect in expect)
    assert [place.column for place in expect[0].places] == [33]
