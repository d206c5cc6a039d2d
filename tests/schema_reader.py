"""Reading files as an editor does, with our schemas; and writing values as a person would."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from typing import Any

from jsonschema import Draft7Validator
from ruamel.yaml import YAML

from rules_engine.core.errors import RulebookError
from rules_engine.core.problem import Problem, Severity
from rules_engine.core.store import StoresFile
from rules_engine.rulebook import compile_rulebook, load_stores
from rules_engine.rulebook.report import Report
from rules_engine.rulebook.schema import SchemaKind, schema_of
from rules_engine.rulebook.yaml import ListNode, MapNode, Node, ScalarNode, read_yaml
from rules_engine.vendors import VENDORS

VALIDATORS = {kind: Draft7Validator(schema_of(kind, VENDORS)) for kind in SchemaKind}

STORES = """\
stores:
  web: {vendor: ecwid, store_id: 1003, token: "${T}", client_secret: "${T}"}
  ksa:
    {vendor: zid, store_id: 37213, authorization: "${T}", manager_token: "${T}", webhook_password: "${T}"}
  brands: {vendor: axim, base_url: "https://axim.example", token: "${T}", webhook_secret: "${T}"}
notify: {floor: "${T}"}
"""

OF_SHOPS = frozenset({"lacks-field", "cannot-do", "no-store", "cannot-put-back", "unknown-category", "unknown-brand"})
"""What depends on the shop, not on the file."""


def as_editors_see(text: str) -> Any:
    """The file as YAML 1.2 values. Any: whatever it holds."""
    report = Report()
    report.add_file("a.yaml", text)
    node = read_yaml(text, path="a.yaml", report=report)
    assert node is not None, report.problems
    return _plain(node)


def underlined(text: str, kind: SchemaKind = SchemaKind.RULES) -> list[str]:
    """What an editor says is wrong with the file."""
    return [error.message for error in VALIDATORS[kind].iter_errors(as_editors_see(text))]


def refusals(text: str) -> list[Problem]:
    """Why the loader refuses a rule file, but for what depends on shops."""
    known = stores()
    try:
        compile_rulebook({"rules/a.yaml": text}, stores=known.stores, vendors=VENDORS, notify=known.notify_names)
    except RulebookError as error:
        errors = [problem for problem in error.problems if problem.severity is Severity.ERROR]
        return [problem for problem in errors if problem.code not in OF_SHOPS]
    return []


def refusals_of_stores(text: str) -> list[Problem]:
    """Why the loader refuses a stores.yaml."""
    try:
        load_stores(text, path="rules/stores.yaml", vendors=VENDORS, environment=None)
    except RulebookError as error:
        return list(error.problems)
    return []


def stores() -> StoresFile:
    """Stores of several vendors, and one who is told."""
    return load_stores(STORES, path="rules/stores.yaml", vendors=VENDORS, environment=None)


def written(value: object) -> str:
    """The value as a person writes it in YAML."""
    out = io.StringIO()
    writer = YAML()
    writer.width = 1000
    writer.dump(value, out)
    return out.getvalue()


def keys_of(schema: Mapping[str, Any], place: str = "") -> Iterator[tuple[str, Any]]:
    """Every key that a schema knows, by where it stands. What a condition on other keys adds to it is left out."""
    inner: dict[str, Any] = dict(schema.get("definitions", {}))
    for word in ("properties", "patternProperties"):
        for key, value in schema.get(word, {}).items():
            yield f"{place}/{key}", value
            inner[key] = value
    inner |= {word: schema[word] for word in ("items", "additionalProperties") if isinstance(schema.get(word), dict)}
    # a part without a type only demands something of keys that are described beside it
    parts = [(word, number, one) for word in ("anyOf", "allOf") for number, one in enumerate(schema.get(word, ()))]
    inner |= {f"{word}/{number}": one for word, number, one in parts if {"type", "anyOf"} & one.keys()}
    for key, value in inner.items():
        yield from keys_of(value, f"{place}/{key}")


def _plain(node: Node) -> Any:  # whatever YAML holds
    match node:
        case MapNode():
            return {key.text: _plain(value) for key, value in node}
        case ListNode():
            return [_plain(item) for item in node.items]
        case ScalarNode():
            return None if node.is_null else node.written.value
