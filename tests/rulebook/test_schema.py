"""The schemas that editors are given: complete, explained, and of one mind with the loader."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft7Validator
from schema_reader import VALIDATORS, as_editors_see, keys_of, refusals, refusals_of_stores, underlined, written

from rules_engine.core.fields import CATEGORY, PRODUCT, FieldType
from rules_engine.core.rule import EffectKind
from rules_engine.core.store import StoreSettings
from rules_engine.core.words import Change, Word
from rules_engine.rulebook import compile, stores  # noqa: A004 — the module of that name
from rules_engine.rulebook import schema_texts as texts
from rules_engine.rulebook import schema_texts_files as texts_files
from rules_engine.rulebook.effects import NOTIFY
from rules_engine.rulebook.given import GIVEN_KEYS
from rules_engine.rulebook.notify import TARGET_KEYS
from rules_engine.rulebook.rules import KEYS
from rules_engine.rulebook.scenario import KEYS as TEST_KEYS
from rules_engine.rulebook.schema import SchemaKind, schema_of, schema_text
from rules_engine.rulebook.schema_conditions import example_of
from rules_engine.rulebook.shown import VARIANT
from rules_engine.rulebook.vocabulary import FITTING
from rules_engine.vendors import VENDORS

ROOT = Path(__file__).parents[2]
RULES = ROOT / "rules"
README = (ROOT / "README.md").read_text(encoding="utf-8")

MODELINE = re.compile(r"# yaml-language-server: \$schema=(\S+)\n")
SHIPPED = sorted(path for path in RULES.rglob("*.yaml"))

FIELD_OF = {
    FieldType.TEXT: "product.brand",
    FieldType.ID: "product.id",
    FieldType.NUMBER: "product.stock",
    FieldType.FLAG: "product.published",
    FieldType.NAMES: "product.tags",
    FieldType.IDS: "product.category_ids",
    FieldType.OBJECTS: "product.variants",
    FieldType.TIME: "product.created_at",
    FieldType.DATE: "now.date",
    FieldType.CLOCK: "now.time",
    FieldType.WEEKDAY: "now.weekday",
    FieldType.ANY: "product.attributes.Size",
}

Json = dict[str, Any]
PRODUCT_RULE: Json = {"while": {"product.stock": 0}, "do": [{"remove_from_category": "Featured"}]}
CATEGORY_RULE: Json = {"about": "category", "while": {"category.published": False}, "do": ["empty_category"]}
TEST: Json = {"name": "t", "given": {"product": {"stock": 3}}, "expect": "nothing"}


def rule(**keys: Any) -> str:
    """A file with one rule that has these keys besides what it needs."""
    base = CATEGORY_RULE if keys.get("about") == "category" else PRODUCT_RULE
    kept = {key: value for key, value in base.items() if key != "while" or "as_soon_as" not in keys}
    return written({"rules": {"r": {**kept, **keys}}})


def needed_with(key: str, value: Any) -> Json:
    """What else a rule has to say that says this."""
    if key == "first_sight":
        return {"as_soon_as": {"product.stock": 0}}
    return {"because": "later"} if value == "paused" else {}


def trial(**keys: Any) -> str:
    """A file with a rule and a test of it that has these keys besides what it needs."""
    about_category = "category" in keys.get("given", {})
    tested = CATEGORY_RULE if about_category else PRODUCT_RULE
    return written({"rules": {"r": tested}, "tests": {"r": [{**TEST, **keys}]}})


def both_say_yes(text: str) -> bool:
    """Whether editor and loader take a rule file. They have to be of one mind."""
    said, refused = underlined(text), refusals(text)
    assert bool(said) == bool(refused), (text, said, [problem.render() for problem in refused])
    return not said


def test_the_tables_of_texts_are_those_of_the_loader() -> None:
    assert list(texts.RULE_KEYS) == list(KEYS)
    assert list(texts.FILE_KEYS) == list(compile.KEYS)
    assert set(texts.WORDS) == {*Word, *Change}
    assert {name for name in texts.FIELDS if name.startswith("product.")} == {f"product.{name}" for name in PRODUCT}
    assert {name for name in texts.FIELDS if name.startswith("category.")} == {f"category.{name}" for name in CATEGORY}
    assert set(texts.ACTIONS) == {*EffectKind, NOTIFY}
    assert list(texts_files.STORES_KEYS) == list(stores.KEYS)
    assert tuple(texts_files.TARGET_KEYS) == TARGET_KEYS
    assert set(texts_files.STORE_KEYS) >= set(StoreSettings.model_fields)
    assert list(texts_files.TEST_KEYS) == list(TEST_KEYS)
    assert set(texts_files.GIVEN_KEYS) == {"product", "category", "products", *GIVEN_KEYS}
    assert set(texts_files.VARIANT_KEYS) == set(VARIANT)


@pytest.mark.parametrize("kind", SchemaKind)
def test_a_schema_is_one_and_every_key_is_described_with_an_example(kind: SchemaKind) -> None:
    schema = schema_of(kind, VENDORS)
    Draft7Validator.check_schema(schema)
    known = list(keys_of(schema))
    assert len(known) > 30  # it is really walked
    for place, value in known:
        said = schema["definitions"][value["$ref"].rsplit("/", 1)[1]] if set(value) == {"$ref"} else value
        assert said.get("description"), place
        names_values = said.get("enum") or "const" in said or said.get("type") == "boolean"
        assert said.get("examples") or names_values, place


@pytest.mark.parametrize("kind", SchemaKind)
def test_every_example_in_a_schema_fits_where_it_stands(kind: SchemaKind) -> None:
    schema = schema_of(kind, VENDORS)
    validator = VALIDATORS[kind]
    for place, value in keys_of(schema):
        for example in value.get("examples", ()):
            assert not list(
                validator.evolve(schema=value | {"definitions": schema["definitions"]}).iter_errors(example)
            ), place


@pytest.mark.parametrize("kind", SchemaKind)
def test_patterns_mean_the_same_in_python_and_javascript(kind: SchemaKind) -> None:
    patterns = re.findall(r'"pattern": "((?:[^"\\]|\\.)*)"', schema_text(kind, VENDORS))
    assert patterns
    only_python = re.compile(r"\(\?[^:!=]|\\\\[AZwdDW]|[*+?}]\+")
    assert [pattern for pattern in patterns if only_python.search(pattern)] == []


@pytest.mark.parametrize("kind", SchemaKind)
def test_the_schema_that_is_shipped_is_the_one_that_the_code_makes(kind: SchemaKind) -> None:
    shipped = (RULES / "schema" / f"{kind}.json").read_text(encoding="utf-8")
    assert shipped == schema_text(kind, VENDORS), "run `rules-engine schema --write`"


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: str(path.relative_to(RULES)))
def test_every_shipped_file_names_its_schema_and_is_valid_by_it(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    named = MODELINE.match(text)
    assert named is not None, "the first line is `# yaml-language-server: $schema=…`"
    schema = (path.parent / named[1]).resolve()
    pointer = json.loads(schema.read_text(encoding="utf-8")).get("$ref")  # the library's leads to that of the rules
    schema = (schema.parent / pointer).resolve() if pointer else schema
    assert schema.parent == RULES / "schema"
    assert underlined(text, SchemaKind(schema.stem)) == []


def test_the_readme_s_rules_are_valid_and_its_wrong_ones_are_underlined() -> None:
    blocks = [block for block in re.findall(r"```yaml\n(.*?)```", README, re.DOTALL) if "rules:" in block]
    assert len(blocks) >= 2
    for block in blocks:
        assert bool(underlined(block)) == block.startswith("# rules/broken.yaml"), block


@pytest.mark.parametrize(("key", "said"), texts.RULE_KEYS.items())
def test_the_examples_of_a_rule_s_keys_load(key: str, said: texts.Said) -> None:
    for example in said.examples:
        about = {"about": "category"} if example == "category" else {}
        assert both_say_yes(rule(**{**about, **needed_with(key, example), key: example}))


@pytest.mark.parametrize(("name", "said"), [*texts.FIELDS.items(), *texts.GROUPS.items(), ("happens", texts.HAPPENS)])
def test_the_examples_of_fields_and_groups_load(name: str, said: texts.Said) -> None:
    about = "category" if name.startswith("category.") else "product"
    for example in said.examples:
        assert both_say_yes(rule(about=about, as_soon_as={name: example}))


@pytest.mark.parametrize("kind", FieldType)
def test_the_examples_of_words_load_wherever_the_word_fits(kind: FieldType) -> None:
    for word in FITTING[kind]:
        trigger = "as_soon_as" if isinstance(word, Change) else "while"
        assert both_say_yes(rule(**{trigger: {FIELD_OF[kind]: {word.value: example_of(word, kind)}}}))


@pytest.mark.parametrize(("kind", "said"), texts.ACTIONS.items())
def test_the_examples_of_actions_load(kind: str, said: texts.Said) -> None:
    about = "category" if kind == EffectKind.EMPTY_CATEGORY else "product"
    for example in said.examples:
        assert both_say_yes(rule(about=about, do=[kind if example == kind else {kind: example}]))


@pytest.mark.parametrize(("key", "said"), texts_files.TEST_KEYS.items())
def test_the_examples_of_tests_load(key: str, said: texts.Said) -> None:
    for example in said.examples:
        assert both_say_yes(trial(**{key: example}))


@pytest.mark.parametrize("key", texts_files.GIVEN_KEYS)
def test_the_examples_of_what_is_given_load(key: str) -> None:
    for example in texts_files.GIVEN_KEYS[key].examples if key not in {"category", "products"} else ():
        assert both_say_yes(trial(given={"product": {"sku": "A-1"}, key: example}))
    for example in texts_files.CATEGORY_GIVEN_KEYS[key].examples if key != "product" else ():
        assert both_say_yes(trial(given={"category": {"published": False}, key: example}))


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_store_with_every_example_of_its_vendor_loads(vendor: str) -> None:
    known = schema_of(SchemaKind.STORES, VENDORS)["definitions"][f"store-{vendor}"]["properties"]
    store = {key: value["examples"][0] for key, value in known.items() if key != "vendor"}
    text = written({"stores": {"web": {"vendor": vendor, **store}}})
    assert underlined(text, SchemaKind.STORES) == []
    assert refusals_of_stores(text) == []


VALUES = st.one_of(
    st.sampled_from(["0", "3.5", "true", "NO", "Acme", "empty", "not empty", "null", "''", "'5'", "15", "{}", "[]"]),
    st.sampled_from(["[a, b]", "[3, 7]", "3 and 7", "2026-01-31", "09:00", "9:00 and 17:00", "monday", "14 days"]),
    st.integers().map(str),
    st.text("abc 019:-", min_size=1).map(lambda text: f"'{text}'"),
)


@given(
    field=st.sampled_from([*FIELD_OF.values(), "product.raw.a", "before.stock", "'length(product.tags)'"]),
    word=st.sampled_from([None, *Word, *Change]),
    value=VALUES,
    trigger=st.sampled_from(["while", "as_soon_as", "unless"]),
)
def test_editor_and_loader_are_of_one_mind_about_every_condition(
    field: str, word: str | None, value: str, trigger: str
) -> None:
    # `between` with its ends the wrong way round, a day that is not there and a blank text are no matter of shape
    said = value if word is None else f"{{{word}: {value}}}"
    also = "    while: {product.stock: 0}\n" if trigger == "unless" else ""
    both_say_yes(f"rules:\n  r:\n{also}    {trigger}:\n      {field}: {said}\n    do: [hide]\n")


def test_yaml_is_read_as_editors_do() -> None:
    assert as_editors_see("a: NO\nb: 22:30\nc: 1.5\nd:\n") == {"a": "NO", "b": "22:30", "c": 1.5, "d": None}
