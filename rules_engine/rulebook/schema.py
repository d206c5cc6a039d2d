"""JSON Schemas of rule files, stores.yaml and files of tests: with them editors complete, explain and underline.

They are made from what the loader itself goes by, and say the same of the shape of a file. What is more than shape they
cannot see, and `rules-engine check` tells: whether a meaning, a store, a rule or somebody to be told is there; whether
a JMESPath expression is sound; whether a store's shop can do an action, or has a field; which category a name means;
circles of meanings; changes that a meaning brings under `while`; what a rule without actions of its own does not need;
whether a rule is stricter than its file and its hours than its days, and takes products out of what it never leaves;
whether two values of `between` are in order, a day exists, and a field can ever hold a value; how long a span may be;
what is doubled; how YAML is written, quotes around a number or a word among it. Times they want in the form that
messages show.

They keep to draft-07, which the YAML language server of editors understands, and to regular expressions that mean the
same in Python and JavaScript.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from . import schema_conditions, schema_rules, schema_stores, schema_tests
from .schema_texts import Json
from .vendor import VendorSpec

FOLDER = "schema"
"""The folder in that of the rules where the schemas stand."""

_DRAFT = "http://json-schema.org/draft-07/schema#"
_WIDTH = 110
"""Characters of a line, the key not counted."""


class SchemaKind(StrEnum):
    """What there is a schema of."""

    RULES = "rules"
    """Rule files."""
    STORES = "stores"
    """stores.yaml."""
    TESTS = "tests"
    """Files of tests."""


def schema_of(kind: SchemaKind, vendors: Mapping[str, VendorSpec]) -> Json:
    """The schema of a kind of file, draft-07."""
    match kind:
        case SchemaKind.RULES:
            definitions = schema_rules.definitions() | schema_conditions.definitions() | schema_tests.definitions()
            return _schema("Rules", schema_rules.file(schema_tests.tests()), definitions)
        case SchemaKind.STORES:
            return _schema("Stores", schema_stores.file(), schema_stores.definitions(vendors))
        case SchemaKind.TESTS:
            target = {"target": schema_rules.definitions()["target"]}
            return _schema("Tests of rules", schema_tests.file(), target | schema_tests.definitions())


def schema_text(kind: SchemaKind, vendors: Mapping[str, VendorSpec]) -> str:
    """The schema as the file has it: what fits in a line stands in one."""
    return _written(schema_of(kind, vendors), "") + "\n"


def _schema(title: str, file: Json, definitions: Mapping[str, Json]) -> Json:
    return {"$schema": _DRAFT, "title": title, **file, "definitions": dict(definitions)}


def _written(value: Any, indent: str) -> str:  # whatever JSON holds
    line = json.dumps(value, ensure_ascii=False)
    if len(indent) + len(line) <= _WIDTH or not isinstance(value, dict | list) or not value:
        return line
    inner = indent + "  "
    if isinstance(value, list):
        parts, (start, end) = [_written(item, inner) for item in value], "[]"
    else:
        parts = [f"{json.dumps(key, ensure_ascii=False)}: {_written(each, inner)}" for key, each in value.items()]
        start, end = "{}"
    lines = ",\n".join(inner + part for part in parts)
    return f"{start}\n{lines}\n{indent}{end}"
