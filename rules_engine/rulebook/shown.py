"""What a test says that a shop shows: the fields of a product or category, checked like those of conditions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rules_engine.core.fields import FieldType, subject_fields
from rules_engine.core.subject import SubjectKind
from rules_engine.core.words import read_time

from .report import Report
from .synonyms import field_of
from .yaml import ListNode, MapNode, Node, ScalarNode

VARIANT: Mapping[str, FieldType] = {
    "id": FieldType.ID,
    "sku": FieldType.TEXT,
    "stock": FieldType.NUMBER,
    "in_stock": FieldType.FLAG,
    "price": FieldType.NUMBER,
}
"""The fields of a variant."""

_LISTS = {FieldType.NAMES, FieldType.IDS}


class _WrongError(Exception):
    """A value is wrong, which is reported."""


def read_shown(report: Report, node: Node, about: SubjectKind) -> dict[str, Any] | None:
    """The fields as plain values, by their names without `product.` or `category.`; None if one is wrong.

    Ids, texts and attributes are their source text, numbers numbers, flags flags; nothing written is None.
    """
    if not isinstance(node, MapNode):
        said = f"the fields of a {about} stand here"
        report.error(node.place, "wrong-shape", said, f"write `{about}: {{{_example(about)}}}`")
        return None
    return _fields(report, node, subject_fields(about), about)


def read_field_names(report: Report, node: Node, about: SubjectKind) -> frozenset[str] | None:
    """Names of fields, such as `stock` or `product.stock`, without the subject; None if one is wrong."""
    items = node.items if isinstance(node, ListNode) else (node,)
    known = subject_fields(about)
    found: list[str] = []
    for item in items:
        if not isinstance(item, ScalarNode) or item.is_null:
            report.error(item.place, "wrong-shape", "names of fields stand here", f"write `unknown: [{about}.id]`")
            continue
        name = item.text.strip().removeprefix(f"{about}.")
        if name in known:
            found.append(name)
        else:
            report.unknown(item, "unknown-field", f"a {about} has no field", [f"{about}.{one}" for one in known])
    return frozenset(found) if len(found) == len(items) else None


def empty_of(about: SubjectKind, name: str) -> Any:  # what an empty field is depends on the field
    """What a field holds that is known to be empty."""
    kind = subject_fields(about)[name]
    if kind in _LISTS or name == "variants":
        return []
    return {} if name == "attributes" else None


def is_flag(about: SubjectKind, name: str) -> bool:
    """Whether a field is true or false, and so never empty."""
    return subject_fields(about)[name] is FieldType.FLAG


def _example(about: SubjectKind) -> str:
    return "sku: A-1, stock: 0" if about is SubjectKind.PRODUCT else "name: Sale, published: false"


def _fields(
    report: Report, node: MapNode, known: Mapping[str, FieldType], about: SubjectKind | str
) -> dict[str, Any] | None:
    found: dict[str, Any] = {}
    is_sound = True
    for key, value in node:
        if key.text not in known:
            _refuse_name(report, key, known, about)
            is_sound = False
            continue
        try:
            found[key.text] = _value(report, value, known[key.text], key.text)
        except _WrongError:
            is_sound = False
    return found if is_sound else None


def _refuse_name(report: Report, key: ScalarNode, known: Mapping[str, FieldType], about: SubjectKind | str) -> None:
    root, _, name = key.text.partition(".")
    said = f"a {about} has no field"
    if root == about and name in known:
        report.error(key.place, "unknown-field", f'{said} "{key.text}"', f"write `{name}:` alone")
    elif root in known:
        advice = f"write `{root}: {{{name}: …}}`" if root in {"attributes", "raw"} and name else f"write `{root}: …`"
        report.error(key.place, "unknown-field", f'{said} "{key.text[:60]}"', advice)
    else:
        meant = field_of(key.text, about).partition(".")[2] if isinstance(about, SubjectKind) else ""
        report.unknown(key, "unknown-field", said, () if meant else known, f'did you mean "{meant}"?' if meant else "")


def _value(report: Report, node: Node, kind: FieldType, name: str) -> Any:  # a field of any type
    if isinstance(node, ScalarNode) and node.is_null:
        return [] if kind in _LISTS or name == "variants" else {} if name == "attributes" else None
    if kind in _LISTS:
        return _texts(report, node, name)
    if name == "variants":
        return _variants(report, node)
    if name == "attributes":
        return _attributes(report, node)
    if kind is FieldType.ANY:
        return _plain(node)
    return _scalar(report, node, kind, name)


def _scalar(report: Report, node: Node, kind: FieldType, name: str) -> Any:  # a field of any type
    if not isinstance(node, ScalarNode):
        report.error(node.place, "wrong-shape", f"`{name}` is {kind.value}, not a list or a map", f"write `{name}: …`")
        raise _WrongError
    if kind is FieldType.NUMBER:
        return _number(report, node, name)
    if kind is FieldType.FLAG:
        value = node.written.value
        if isinstance(value, bool):
            return value
        meant = "true" if node.text.casefold() in {"yes", "on", "y", "1"} else "false"
        is_clear = meant == "true" or node.text.casefold() in {"no", "off", "n", "0"}
        advice = f"write `{name}: {meant}`" if is_clear else "write true or false"
        report.error(node.place, "wrong-type", f'"{node.text[:60]}" is not true or false', advice)
        raise _WrongError
    if kind is FieldType.TIME and read_time(node.text) is None:
        said = f'a time stands here, not "{node.text[:60]}"'
        report.error(node.place, "wrong-type", said, "write it as 2026-01-31 or 2026-01-31T09:00")
        raise _WrongError
    return node.text.strip()


def _number(report: Report, node: ScalarNode, name: str) -> int | float:
    value = node.written.value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    advice = "write it in digits without quotes, such as 10 or 19.90"
    if name == "stock" and node.text.strip().casefold() in {"unlimited", "infinite", "infinity"}:
        advice = "for stock without an end write `tracks_stock: false`"
    report.error(node.place, "wrong-type", f'a number stands here, and "{node.text[:60]}" is text', advice)
    raise _WrongError


def _texts(report: Report, node: Node, name: str) -> list[str]:
    if not isinstance(node, ListNode):
        shown = node.text[:60] if isinstance(node, ScalarNode) else "…"
        report.error(node.place, "wrong-type", f"`{name}` is a list", f"write `{name}: [{shown}]`")
        raise _WrongError
    wrong = [item for item in node.items if not isinstance(item, ScalarNode) or item.is_null or not item.text.strip()]
    for item in wrong:
        report.error(item.place, "wrong-shape", f"a text stands here: `{name}` is a list of texts", "write a name")
    if wrong:
        raise _WrongError
    return [item.text.strip() for item in node.items if isinstance(item, ScalarNode)]


def _variants(report: Report, node: Node) -> list[dict[str, Any]]:
    items = node.items if isinstance(node, ListNode) else (None,)
    found = [_fields(report, item, VARIANT, "variant") if isinstance(item, MapNode) else None for item in items]
    if not all(isinstance(item, MapNode) for item in items):
        report.error(
            node.place, "wrong-shape", "`variants` is a list of maps", "write `variants: [{sku: A-1, stock: 3}]`"
        )
    sound = [variant for variant in found if variant is not None]
    if len(sound) < len(found):
        raise _WrongError
    return sound


def _attributes(report: Report, node: Node) -> dict[str, Any]:
    if not isinstance(node, MapNode):
        said = "`attributes` is a map of names and values"
        report.error(node.place, "wrong-shape", said, "write `attributes: {Colour: red}`")
        raise _WrongError
    return {key.text.strip(): _as_sent(value) for key, value in node}


def _as_sent(node: Node) -> Any:  # text, nothing, or what is below it
    """What an attribute holds: always text, also of a number, as shops send it; nothing written is None."""
    match node:
        case MapNode():
            return {key.text: _as_sent(value) for key, value in node}
        case ListNode():
            return [_as_sent(item) for item in node.items]
        case ScalarNode():
            return None if node.is_null else node.text


def _plain(node: Node) -> Any:  # what a shop sends may be anything
    """The tree as plain values; a number that is not written as one would be (`007`, `1.10`) stays text."""
    match node:
        case MapNode():
            return {key.text: _plain(value) for key, value in node}
        case ListNode():
            return [_plain(item) for item in node.items]
        case ScalarNode():
            value = node.written.value
            is_number = isinstance(value, int | float) and not isinstance(value, bool)
            if node.is_null or (is_number and str(value) != node.text):
                return None if node.is_null else node.text
            return value
