"""Tests of rules as JSON Schema: what the shop shows, and what the rule is expected to do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rules_engine.core.fields import FieldType, subject_fields
from rules_engine.core.rule import EffectKind
from rules_engine.core.scenario import Expected
from rules_engine.core.subject import SubjectKind

from . import schema_forms as forms
from .effects import CATEGORY_KINDS
from .given import EVENTS, MOST_MEMBERS, MOST_SIGHTINGS
from .schema_conditions import EXAMPLES, said_of, value
from .schema_forms import TEXT, of_form, one_or_more
from .schema_rules import kinds_of, lines, one_or_list
from .schema_texts import Json, Said
from .schema_texts_files import CATEGORY_GIVEN_KEYS, GIVEN_KEYS, LATER_AFTER, TEST_KEYS, TESTS, VARIANT_KEYS
from .shown import VARIANT

_LISTS = frozenset({FieldType.NAMES, FieldType.IDS})
_SUBJECTS = (SubjectKind.PRODUCT, SubjectKind.CATEGORY)


def tests() -> Json:
    """What stands below `tests:`."""
    test: Json = {"$ref": "#/definitions/test"}
    several: Json = {"anyOf": [test, {"type": "array", "items": test}]}
    return {"type": ["object", "null"], "additionalProperties": several}


def file() -> Json:
    """A file of tests, which holds nothing else."""
    return {
        "type": ["object", "null"],
        "properties": {"tests": TESTS.with_(tests())},
        "additionalProperties": False,
    }


def definitions() -> dict[str, Json]:
    """The test, and what it refers to besides actions."""
    found = {"test": _test()}
    for about in _SUBJECTS:
        found |= {f"given-{about}": _given(about), f"shown-{about}": _shown(about), f"expect-{about}": _expect(about)}
    return found


def _test() -> Json:
    shapes: Mapping[str, Json] = {
        "name": TEXT,
        "store": TEXT,
        "at": of_form(forms.MOMENT),
        "given": {"type": "object"},
        "after": of_form(forms.SPAN),
        "expect": {},
    }
    return {
        "type": "object",
        "properties": {name: said.with_(shapes[name]) for name, said in TEST_KEYS.items()},
        "required": ["name", "given", "expect"],
        "additionalProperties": False,
        "if": {"properties": {"given": {"required": [SubjectKind.CATEGORY.value]}}, "required": ["given"]},
        "then": {"properties": dict(_of(SubjectKind.CATEGORY))},
        "else": {"properties": dict(_of(SubjectKind.PRODUCT))},
    }


def _of(about: SubjectKind) -> Iterator[tuple[str, Json]]:
    for name in ("given", "expect"):
        yield name, {"$ref": f"#/definitions/{name}-{about}"}


def _given(about: SubjectKind) -> Json:
    shown: Json = {"$ref": f"#/definitions/shown-{about}"}
    said = CATEGORY_GIVEN_KEYS if about is SubjectKind.CATEGORY else GIVEN_KEYS
    seen = {
        about.value: said[about].with_({"allOf": [shown]}),
        "event": said["event"].with_({"enum": list(EVENTS)}),
        "unknown": said["unknown"].with_(one_or_more(_field_name(about))),
    }
    later = _map({"after": LATER_AFTER.with_(of_form(forms.SPAN)), **seen})
    held = lines(kinds_of(about), is_exact=True)
    keys = seen | {
        "before": said["before"].with_({"allOf": [shown]}),
        "held": said["held"].with_({"anyOf": [held, {"type": "array", "items": held}]}),
        "then": said["then"].with_({"anyOf": [later, {"type": "array", "items": later, "maxItems": MOST_SIGHTINGS}]}),
    }
    if about is SubjectKind.CATEGORY:
        members: Json = {"type": "array", "items": TEXT, "uniqueItems": True, "maxItems": MOST_MEMBERS}
        keys["products"] = said["products"].with_(members)
    return _map(keys) | {"required": [about.value]}


def _map(properties: Mapping[str, Json]) -> Json:
    return {"type": "object", "properties": properties, "additionalProperties": False}


def _field_name(about: SubjectKind) -> Json:
    names = subject_fields(about)
    return of_form(rf"\s*(?:{about}\.)?(?:{'|'.join(names)})\s*")


def _expect(about: SubjectKind) -> Json:
    kinds = (*kinds_of(about), *(kind for kind in EffectKind if kind in CATEGORY_KINDS))
    line = lines(dict.fromkeys(kinds), is_exact=True)
    words: list[Json] = [{"const": word.value, "description": _EXPECTED[word]} for word in Expected]
    return {"anyOf": [*words, *one_or_list(line)["anyOf"]]}


_EXPECTED: Mapping[Expected, str] = {
    Expected.NOTHING: "The rule changes nothing.",
    Expected.ASKS: "The rule asks a person first, and changes nothing before a yes.",
    Expected.CANNOT_TELL: "A field that is needed is unknown, so the rule changes nothing.",
}


def _shown(about: SubjectKind) -> Json:
    return _map({name: _of_field(about, name, kind) for name, kind in subject_fields(about).items()})


def _of_field(about: SubjectKind, name: str, kind: FieldType) -> Json:
    text = said_of(f"{about}.{name}").text
    if name == "variants":
        variant = {key: said.with_(_or_nothing(value(VARIANT[key]))) for key, said in VARIANT_KEYS.items()}
        said = Said("Its variants.", ([{"sku": "A-1-XL", "stock": 3}],))
        return said.with_({"type": ["array", "null"], "items": _map(variant)})
    if name == "attributes":
        return Said("Its attributes, by their names.", ({"Featured": "always"},)).with_({"type": ["object", "null"]})
    if kind is FieldType.ANY:
        return Said(text, ({"weight": 2},)).with_({})
    example: Any = EXAMPLES[kind][0]
    if kind in _LISTS:
        return Said(text, ([example],)).with_({"type": ["array", "null"], "items": TEXT})
    return Said(text, (example,)).with_(_or_nothing(value(kind)))


def _or_nothing(schema: Json) -> Json:
    """The same, or nothing; a text may be blank."""
    if schema == TEXT:
        return {"type": [*TEXT["type"], "null"]}
    types = schema["type"]
    return schema | {"type": [*([types] if isinstance(types, str) else types), "null"]}
