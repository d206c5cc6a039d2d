"""What of stores.yaml a message may show: everything but what is, or could be, a secret."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import get_args
from urllib.parse import urlsplit

from pydantic.fields import FieldInfo

from rules_engine.core.store import SecretField, StoreSettings

from .report import Mask
from .vendor import VendorSpec
from .yaml import ListNode, MapNode, Node, ScalarNode

VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")

_OPEN_KEYS = frozenset(StoreSettings.model_fields)
"""The keys of every store, none of which holds a secret."""


def is_secret(field: FieldInfo) -> bool:
    """Whether a field of a store's settings holds a secret, or several."""
    return any(isinstance(mark, SecretField) for mark in (*field.metadata, *_marks(field.annotation)))


def takes_list(field: FieldInfo) -> bool:
    """Whether a field takes a list."""
    return any(kind in {tuple, list} or getattr(kind, "__origin__", None) in {tuple, list} for kind in _kinds(field))


def _kinds(field: FieldInfo) -> Iterator[object]:
    yield field.annotation
    yield from get_args(field.annotation)


def _marks(annotation: object) -> Iterator[object]:
    """What is noted on an annotation at any depth, as in `Secret | None`."""
    yield from getattr(annotation, "__metadata__", ())
    for inner in get_args(annotation):
        yield from _marks(inner)


def mask_all(_number: int, line: str) -> str:
    """The line without any value: for a file that cannot be read, in which anything could be a secret."""
    match = re.fullmatch(r"(\s*(?:- +)?(?:[\w-]+:(?= |$) *)?)(.*)", line, re.DOTALL)
    if match is None or not match[2] or VARIABLE.fullmatch(match[2].strip()):
        return line
    return f"{match[1]}…"


def mask_secrets(root: Node, vendors: Mapping[str, VendorSpec]) -> Mask:
    """A mask that hides every value which is not known to be harmless, `${NAME}` excepted."""
    hidden: dict[int, list[tuple[int, int | None]]] = {}
    for node in _secrets(root, vendors):
        for number in range(node.place.line, node.last_line + 1):
            start = node.place.column - 1 if number == node.place.line else 0
            end = node.last_column - 1 if number == node.last_line else None
            hidden.setdefault(number, []).append((start, end))

    def mask(number: int, line: str) -> str:
        for start, end in sorted(hidden.get(number, ()), reverse=True):
            line = line[:start] + "…" + ("" if end is None else line[end:])
        return line

    return mask


def _secrets(root: Node, vendors: Mapping[str, VendorSpec]) -> Iterator[ScalarNode]:
    if not isinstance(root, MapNode):
        yield from _values(root)
        return
    for key, stores in root:
        if key.text == "notify" and isinstance(stores, MapNode):
            for _, target in stores:
                yield from _secrets_of_target(target)
            continue
        if key.text != "stores" or not isinstance(stores, MapNode):
            yield from _values(stores)
            continue
        for _, store in stores:
            yield from _secrets_of_store(store, vendors)


def _secrets_of_target(target: Node) -> Iterator[ScalarNode]:
    if not isinstance(target, MapNode):
        yield from _values(target)
        return
    for key, value in target:
        if key.text not in {"morning_note", "time_zone"}:
            yield from _values(value)


def _secrets_of_store(store: Node, vendors: Mapping[str, VendorSpec]) -> Iterator[ScalarNode]:
    if not isinstance(store, MapNode):
        yield from _values(store)
        return
    vendor = store.get("vendor")
    spec = vendors.get(vendor.text) if isinstance(vendor, ScalarNode) else None
    fields = spec.SETTINGS.model_fields if spec else {}
    harmless = _OPEN_KEYS | {name for name, field in fields.items() if not is_secret(field)}
    for key, value in store:
        if key.text not in harmless or (key.text == "base_url" and _has_password(value)):
            yield from _values(value)


def _has_password(node: Node) -> bool:
    if not isinstance(node, ScalarNode):
        return True
    try:
        return "@" in node.text or bool(urlsplit(node.text).query)
    except ValueError:
        return True


def _values(node: Node) -> Iterator[ScalarNode]:
    if isinstance(node, ScalarNode):
        if node.text and not VARIABLE.fullmatch(node.text.strip()):
            yield node
        return
    for inner in node.items if isinstance(node, ListNode) else (value for _, value in node):
        yield from _values(inner)
