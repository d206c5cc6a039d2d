"""Conditions as JSON Schema: which fields there are, which words fit them, and what stands after a word."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rules_engine.core.age import AGES
from rules_engine.core.fields import EVENT, NOW, STORE, WEEKDAYS, FieldType, subject_fields
from rules_engine.core.subject import SubjectKind
from rules_engine.core.syntax import MAX_LENGTH
from rules_engine.core.words import Change, Word

from . import schema_forms as forms
from .schema_forms import of_form, one_or_more, whole
from .schema_texts import (
    ATTRIBUTE,
    BEFORE,
    CATEGORY_GROUPS,
    EXPRESSION,
    FIELDS,
    GROUPS,
    HAPPENS,
    RAW,
    WORDS,
    Json,
    Said,
)
from .vocabulary import FITTING, ORDERS, SEVERAL

_TEXTUAL = frozenset({FieldType.TEXT, FieldType.ID, FieldType.NAMES, FieldType.IDS, FieldType.ANY})
_LISTS = frozenset({FieldType.NAMES, FieldType.IDS, FieldType.OBJECTS})
_IS = frozenset({Word.IS, Word.IS_NOT})
_CROSSES = frozenset({Change.RISES_ABOVE, Change.FALLS_BELOW})

_PATTERNS: Mapping[FieldType, str] = {
    FieldType.TIME: forms.TIME,
    FieldType.DATE: forms.DATE,
    FieldType.CLOCK: forms.CLOCK,
    FieldType.WEEKDAY: forms.WEEKDAY,
}

EXAMPLES: Mapping[FieldType, tuple[Any, Any]] = {  # Any: values of any type
    FieldType.TEXT: ("Acme", "Globex"),
    FieldType.ID: (9691094, "A-1"),
    FieldType.NUMBER: (3, 19.9),
    FieldType.FLAG: (True, False),
    FieldType.NAMES: ("Featured", "Sale"),
    FieldType.IDS: (9691094, "A-1"),
    FieldType.OBJECTS: ("empty", "not_empty"),
    FieldType.TIME: ("2026-01-31", "2026-12-01T09:00"),
    FieldType.DATE: ("2026-01-31", "2026-12-01"),
    FieldType.CLOCK: ("09:00", "17:00"),
    FieldType.WEEKDAY: WEEKDAYS[:2],
    FieldType.ANY: ("red", "blue"),
}
"""Two values of each type of field, the smaller first."""

_SIGNS = r"\[\]()|&<>=!@`{}*'" + '"'
"""Signs that stand in every JMESPath expression which is more than a plain path."""


def condition(about: SubjectKind | None, *, is_moment: bool) -> Json:
    """A condition of a rule, by reference. `about` None: a meaning, for any rule."""
    return {"$ref": f"#/definitions/{_name(about, is_moment=is_moment)}"}


def definitions() -> dict[str, Json]:
    """Everything that `condition` refers to, and what these refer to."""
    found: dict[str, Json] = {_name(None, is_moment=True): _condition(None, is_moment=True)}
    for about in (SubjectKind.PRODUCT, SubjectKind.CATEGORY):
        for is_moment in (False, True):
            found[_name(about, is_moment=is_moment)] = _condition(about, is_moment=is_moment)
    for is_moment in (False, True):
        for name, kind in _fields(None, is_moment=is_moment):
            schema = said_of(name).with_({"allOf": [_field(kind, is_moment=is_moment and _is_watched(name))]})
            found[_name_of_field(name, is_moment=is_moment)] = schema
        for kind in FieldType:
            found[_name_of_type(kind, is_moment=is_moment)] = _tested(kind, is_moment=is_moment)
    return found


def value(kind: FieldType) -> Json:
    """One value for a field of this type, as it stands after a word."""
    if kind is FieldType.NUMBER:
        return {"type": "number"}
    if kind is FieldType.FLAG:
        return {"type": "boolean"}
    return forms.TEXT if kind in _TEXTUAL else of_form(_PATTERNS[kind])


def said_of(name: str) -> Said:
    """What is said of a field such as `product.stock` or `before.stock`."""
    root, _, field = name.partition(".")
    if root != "before":
        return FIELDS[name]
    said = FIELDS.get(f"product.{field}") or FIELDS[f"category.{field}"]
    return Said(BEFORE + said.text, said.examples)


def example_of(word: Word | Change, kind: FieldType) -> Any:  # a value of any type
    """What may stand after a word for a field of this type."""
    first, second = EXAMPLES[kind]
    if word in AGES:
        return "14 days"
    if word in {Word.EMPTY, Word.NOT_EMPTY, Change.CHANGES}:
        return True
    if kind is FieldType.ANY and (word in ORDERS or word in _CROSSES):
        first, second = EXAMPLES[FieldType.NUMBER]
    if word is Word.BETWEEN or word in SEVERAL:
        return [first, second]
    return "empty" if kind in _LISTS and (isinstance(word, Change) or word in _IS) else first


def _name(about: SubjectKind | None, *, is_moment: bool) -> str:
    return f"condition-{about or 'any'}{'-moment' if is_moment and about else ''}"


def _name_of_field(name: str, *, is_moment: bool) -> str:
    return f"{name}{'-moment' if is_moment and _is_watched(name) else ''}"


def _name_of_type(kind: FieldType, *, is_moment: bool) -> str:
    return f"{kind.name.lower()}{'-moment' if is_moment else ''}"


def _is_watched(name: str) -> bool:
    """Whether changes of the field can be conditions."""
    root, _, field = name.partition(".")
    return root in {SubjectKind.PRODUCT, SubjectKind.CATEGORY} and field != "raw"


def _fields(about: SubjectKind | None, *, is_moment: bool) -> Iterator[tuple[str, FieldType]]:
    """The fields that a rule about this may name, with their types."""
    for kind in (SubjectKind.PRODUCT, SubjectKind.CATEGORY):
        if about in {None, kind}:
            yield from ((f"{kind}.{name}", type_) for name, type_ in subject_fields(kind).items())
    roots: dict[str, Mapping[str, FieldType]] = {"store": STORE, "now": NOW}
    if is_moment:
        roots |= {"before": subject_fields(about), "event": EVENT}
    yield from ((f"{root}.{name}", type_) for root, known in roots.items() for name, type_ in known.items())


def _condition(about: SubjectKind | None, *, is_moment: bool) -> Json:
    itself = condition(about, is_moment=is_moment)
    several: Json = {"type": "array", "items": itself, "minItems": 1}
    expression: Json = {"type": "string", "pattern": r"\S", "maxLength": MAX_LENGTH}
    groups = CATEGORY_GROUPS if about is SubjectKind.CATEGORY else GROUPS
    properties = {name: said.with_(expression if name == "jmespath" else several) for name, said in groups.items()}
    if is_moment:
        properties["happens"] = HAPPENS.with_({"enum": list(HAPPENS.examples)})
    for name, _ in _fields(about, is_moment=is_moment):
        properties[name] = {"$ref": f"#/definitions/{_name_of_field(name, is_moment=is_moment)}"}
    return {
        "type": ["string", "object"],
        "pattern": r"\S",
        "minProperties": 1,
        "properties": properties,
        "patternProperties": dict(_patterns(about, is_moment=is_moment)),
        "additionalProperties": False,
    }


def _patterns(about: SubjectKind | None, *, is_moment: bool) -> Iterator[tuple[str, Json]]:
    """What may stand on the left besides fields: attributes, parts of `raw`, and JMESPath expressions."""
    subjects = [kind for kind in (SubjectKind.PRODUCT, SubjectKind.CATEGORY) if about in {None, kind}]
    before = ["before"] if is_moment else []
    still, any_ = (_field(FieldType.ANY, is_moment=moment) for moment in (False, is_moment))
    if about is not SubjectKind.CATEGORY:
        yield rf"^product\.attributes\.[^{_SIGNS}]+$", ATTRIBUTE.with_({"allOf": [any_]})
        if is_moment:
            yield rf"^before\.attributes\.[^{_SIGNS}]+$", ATTRIBUTE.with_({"allOf": [still]})
    roots = "|".join([*subjects, *before])
    yield rf"^(?:{roots})\.raw(?:\.[\w-]+)+$", RAW.with_({"allOf": [still]})
    yield f"[{_SIGNS}]", EXPRESSION.with_({"allOf": [any_]})


def _field(kind: FieldType, *, is_moment: bool) -> Json:
    return {"$ref": f"#/definitions/{_name_of_type(kind, is_moment=is_moment)}"}


def _tested(kind: FieldType, *, is_moment: bool) -> Json:
    """What stands after a field of this type: a value, or words with theirs."""
    every: tuple[Word | Change, ...] = (*Word, *Change)
    fitting = [word for word in every if word in FITTING[kind] or (kind in _LISTS and word in _IS)]
    words = {
        word.value: Said(WORDS[word].text, (example_of(word, kind),)).with_(_after(word, kind))
        for word in fitting
        if is_moment or isinstance(word, Word)
    }
    alone = value(kind) if Word.IS in FITTING[kind] else {"type": []}
    if Word.EMPTY in FITTING[kind]:
        alone = _or_empty(alone)
    return alone | {
        "type": [*_types(alone), "object"],
        "minProperties": 1,
        "properties": words,
        "additionalProperties": False,
    }


def _after(word: Word | Change, kind: FieldType) -> Json:
    """What stands after a word for a field of this type."""
    if word in AGES:
        return of_form(forms.SPAN)
    if word is Change.CHANGES:
        return {"const": True}
    if word in {Word.EMPTY, Word.NOT_EMPTY}:
        return {"type": "boolean"}
    if kind in _LISTS and (isinstance(word, Change) or word in _IS):
        return of_form(forms.EMPTINESS)
    one = {"type": "number"} if kind is FieldType.ANY and (word in ORDERS or word in _CROSSES) else value(kind)
    if word is Word.BETWEEN:
        return forms.ends(one, forms.NUMBER_TEXT if one == {"type": "number"} else f"(?:{_PATTERNS[kind]})")
    if word in SEVERAL:
        return one_or_more(one)
    can_be_empty = word in {*_IS, Change.BECOMES, Change.WAS} and Word.EMPTY in FITTING[kind]
    return _or_empty(one) if can_be_empty else one


def _or_empty(schema: Json) -> Json:
    """The same, or `empty` or `not_empty`."""
    types = _types(schema)
    if "string" not in types:
        return schema | {"type": [*types, "string"], "pattern": whole(forms.EMPTINESS)}
    if schema == forms.TEXT:
        return schema
    return schema | {"pattern": f"{schema['pattern']}|{whole(forms.EMPTINESS)}"}


def _types(schema: Json) -> list[str]:
    types = schema["type"]
    return [types] if isinstance(types, str) else list(types)
