"""What a dotted path or an expression gets to see of a subject, and how that is said."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from .explain import show
from .fields import CATEGORY, PRODUCT, WEEKDAYS, FieldPath, FieldType, read_path
from .subject import SubjectKind
from .words import Names, fold

if TYPE_CHECKING:
    from .condition import Document


NOT_KNOWN = "not known"
"""Why a field cannot be told that no sighting showed."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """A value that is not known, and why. `is_absent` says that there is nothing to look at: no event, no before."""

    reason: str
    is_absent: bool = False


def value_of(fields: Mapping[str, Any], where: FieldPath, kind: SubjectKind) -> object:
    """What a path shows of a product or category: a plain value, `Names`, infinity for unlimited, or `Unknown`."""
    if where.rest:
        return _value_below(fields, where)
    if where.name == "stock" and kind is SubjectKind.PRODUCT:
        return _stock(fields)
    if where.name == "name":
        return _named(fields)
    if where.name == "categories" and kind is SubjectKind.PRODUCT:
        return _categories(fields)
    if where.name not in fields:
        return Unknown(NOT_KNOWN)
    return fields[where.name]


def _stock(fields: Mapping[str, Any]) -> object:
    if fields.get("tracks_stock") is False:
        return math.inf
    if "stock" not in fields or (fields["stock"] is None and fields.get("tracks_stock") is True):
        return Unknown(NOT_KNOWN)
    return math.inf if fields["stock"] is None else fields["stock"]


def _named(fields: Mapping[str, Any]) -> object:
    if "name" not in fields and "names" not in fields:
        return Unknown(NOT_KNOWN)
    others = fields.get("names")
    every = [fields.get("name"), *(others if isinstance(others, list | tuple) else ())]
    texts = tuple(dict.fromkeys(text for text in every if isinstance(text, str)))
    return Names(texts) if texts or fields.get("name") is None else fields["name"]


def _categories(fields: Mapping[str, Any]) -> object:
    """The categories' names, each in every language that is known."""
    names, ids, categories = fields.get("category_names"), fields.get("category_ids"), fields.get("categories")
    if isinstance(ids, list | tuple) and isinstance(names, Mapping) and names:
        found: list[object] = [_names_of(names, id_) for id_ in ids]
        known = {text for item in found if isinstance(item, Names) for text in item.texts}
        rest = categories if isinstance(categories, list | tuple) else ()
        return [*found, *(item for item in rest if isinstance(item, str) and item not in known)]
    if "categories" in fields:
        return list(categories) if isinstance(categories, list | tuple) else categories
    if ids == []:
        return []
    return Unknown(NOT_KNOWN)


def _names_of(names: Mapping[Any, Any], id_: object) -> object:
    texts = names.get(id_) if isinstance(id_, str) else None
    return Names(tuple(text for text in texts if isinstance(text, str))) if isinstance(texts, list | tuple) else id_


def _value_below(fields: Mapping[str, Any], where: FieldPath) -> object:
    """An attribute, which is empty when the product has none of that name; or part of `raw`, which is then unknown."""
    found = fields.get(where.name)
    if where.name == "attributes":
        if not isinstance(found, Mapping):
            return Unknown(NOT_KNOWN)
        name = where.rest[0]
        by_fold = {fold(key): key for key in found if isinstance(key, str)}
        return found.get(name, found.get(by_fold.get(fold(name))))
    for name in where.rest:
        if not isinstance(found, Mapping) or name not in found:
            return Unknown(NOT_KNOWN)
        found = found[name]
    return found


def shown(field_: str, seen: object) -> str:
    """A looked-up value as a sentence shows it."""
    if isinstance(seen, Names):
        return show(seen.texts[0] if seen.texts else None)
    if isinstance(seen, list):
        return show([item.texts[0] if isinstance(item, Names) and item.texts else item for item in seen])
    if seen == math.inf:
        return f"{field_.rsplit('.', maxsplit=1)[-1]} is unlimited"
    return show(seen)


def lead_of(field_: str, seen: object = None, *, is_past: bool = False, is_age: bool = False) -> str:
    """What makes a sentence of a shown value: `stock is`, `tags are`, `brand was`, `created` before `20 days ago`."""
    where = read_path(field_)
    if seen == math.inf:
        return ""  # it is shown as a sentence of its own
    if where is None:
        text = field_ if len(field_) <= _LONGEST else f"{field_[: _LONGEST - 1]}…"
        return f"{text} was" if is_past else f"{text} is"
    name = where.rest[-1] if where.rest else where.name
    if is_age and name in _AGED:
        return _AGED[name]
    if where.root == "before":
        name = f"before.{name}"
    if where.type_of() in _PLURAL and not where.rest:
        return f"{name} were" if is_past else f"{name} are"
    return f"{name} was" if is_past else f"{name} is"


_LONGEST = 60
_AGED = {"created_at": "created", "updated_at": "updated"}
_PLURAL = frozenset({FieldType.NAMES, FieldType.IDS, FieldType.OBJECTS})


def unordered(seen: object) -> object:
    """A value as changes compare it: the order of a list does not count."""
    return sorted(map(repr, seen)) if isinstance(seen, list) else seen


def as_jmespath_document(document: Document) -> dict[str, Any]:
    """The document as expressions see it. Unlimited stock is null, and so is what is unknown."""
    return {
        "product": None,
        "category": None,
        document.kind.value: _documented(document.kind, document.fields),
        "before": None if document.before is None else _documented(document.kind, document.before),
        "event": _event(document) or None,
        "store": {"alias": str(document.store), "vendor": document.vendor},
        "now": _now(document.now),
    }


def _documented(kind: SubjectKind, fields: Mapping[str, Any]) -> dict[str, Any]:
    names = CATEGORY if kind is SubjectKind.CATEGORY else PRODUCT
    shown = {name: fields[name] for name in names if name in fields}
    if fields.get("tracks_stock") is False and "stock" in shown:
        shown["stock"] = None
    return shown


def _event(document: Document) -> dict[str, Any]:
    """The event that weighs most: gone before new before changed."""
    ranks = {"deleted": 0, "created": 1, "updated": 2}
    types = sorted((str(event) for event in document.events), key=lambda type_: ranks.get(type_.split(".")[-1], 3))
    time = document.event_time.isoformat() if document.event_time else None
    return {"type": types[0], "time": time} if types else {}


def _now(now: datetime) -> dict[str, str]:
    return {"date": now.date().isoformat(), "time": now.strftime("%H:%M"), "weekday": WEEKDAYS[now.weekday()]}
