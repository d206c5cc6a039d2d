"""A witness as a merchandiser reads it: `a product with stock 0 and brand Acme, in Featured`."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from typing import Any

from .age import moment_of
from .clock import say_duration
from .condition import Document, look
from .demands import Demand, Side
from .explain import listed, show
from .fields import FieldPath, FieldType, read_path
from .look import Unknown
from .terms import Expression, Happens, Transition
from .witness import Witness
from .words import Names, is_blank


def in_words(witness: Witness) -> str:
    """The witness by what the conditions look at, and by nothing else."""
    document = witness.document
    text = f"a {document.kind}{_described(document, _fields(witness.demands, Side.NOW))}"
    if document.before is not None:
        earlier = Document(document.kind, document.before, witness.before_at, document.store, document.vendor)
        was = _described(earlier, _fields(witness.demands, Side.BEFORE))
        text += f", and before that one{was}" if was else ""
    return text + _occasion(witness)


def _fields(demands: Iterable[Demand], side: Side) -> dict[FieldPath, bool]:
    """The plain fields that demands look at, in their order, and whether one of them asks for something to be there."""
    found: dict[FieldPath, bool] = {}
    for demand in demands:
        path = read_path(demand.field)
        is_both = isinstance(demand.leaf, Transition)
        if path is not None and path.root in {"product", "category"} and (demand.side is side or is_both):
            found[path] = found.get(path, False) or demand.asks_for_something
    return found


def _described(document: Document, paths: Mapping[FieldPath, bool]) -> str:
    """` with stock 0 and brand Acme, created 9 days ago, in Featured`, or nothing."""
    parts: list[str] = []
    behind: list[str] = []
    places: list[str] = []
    for path, is_asked in paths.items():
        seen, kind = look(_text_of(path), document)
        if isinstance(seen, Unknown) or (not is_asked and is_blank(seen)):
            continue
        if path.name in {"categories", "category_ids"} and not path.rest:
            places += [name for name in _places(seen) if name not in places]
        elif path.name in _AGED and kind is FieldType.TIME and not is_blank(seen):
            behind.append(f"{_AGED[path.name]} {_time(seen, kind, document)}")
        else:
            parts.append(f"{_called(path)} {_value(seen)}")
    with_ = [f" with {listed(parts)}"] if parts else [""]
    behind += [f"in {listed(places)}"] if places else []
    return ", ".join([*with_, *behind]) if parts else f" {', '.join(behind)}" if behind else ""


def _text_of(path: FieldPath) -> str:
    return ".".join((path.root, path.name, *path.rest))


def _called(path: FieldPath) -> str:
    return path.rest[-1] if path.rest else path.name


_AGED = {"created_at": "created", "updated_at": "updated"}


def _places(seen: object) -> list[str]:
    if not isinstance(seen, list):
        return []
    return [_plain(item) for item in seen[:5]] or ["no category"]


def _time(seen: object, kind: FieldType, document: Document) -> str:
    moment = moment_of(seen, kind, document.now)
    if moment is None:
        return _plain(seen)
    age = document.now - moment
    return f"{say_duration(age)} ago" if age.total_seconds() >= 0 else f"on {moment:%Y-%m-%d %H:%M}"


def _value(seen: object) -> str:
    if isinstance(seen, list):
        return listed(_plain(item) for item in seen[:5]) or "empty"
    return _plain(seen)


def _plain(seen: object) -> str:
    """A value without the quotes that nobody needs."""
    if isinstance(seen, Names):
        return _plain(" / ".join(seen.texts) or None)
    if seen == math.inf:
        return "unlimited"
    if isinstance(seen, str) and re.fullmatch(r"[\w][\w &.-]{0,39}", seen.strip()):
        return seen.strip()
    return show(seen)


def _occasion(witness: Witness) -> str:
    """When, where and on what event, as far as a condition looks at these."""
    document, text = witness.document, ""
    roots = {path.root for demand in witness.demands if (path := read_path(demand.field)) is not None}
    has_event = any(isinstance(demand.leaf, Happens) and demand.is_met for demand in witness.demands)
    if has_event or "event" in roots:
        names = sorted(str(event).rpartition(".")[2] for event in document.events)
        text += f", when it is {listed(names)}" if names else ""
    if "now" in roots:
        text += f", on {document.now:%A %Y-%m-%d at %H:%M}"
    if "store" in roots:
        text += f", in the store {document.store}"
    expressions = [demand.leaf.text for demand in witness.demands if isinstance(demand.leaf, Expression)]
    if expressions:
        text += _raw_parts(document.fields, expressions)
    return text


def _raw_parts(fields: Mapping[str, Any], texts: Iterable[str]) -> str:
    """What expressions look at, since nobody reads it off them."""
    asked = sorted({name for text in texts for name in re.findall(r"\b(?:product|category)\.(\w+)", text)})
    known = [name for name in asked if name in fields and name != "raw"]
    shown = [f"{name} {_inner(fields[name])}" for name in known]
    return f" ({listed(shown)})" if shown else ""


def _inner(value: object) -> str:
    if isinstance(value, Mapping):
        return listed(f"{key} {_plain(item)}" for key, item in value.items()) or "empty"
    if isinstance(value, list):
        inner = [_inner(item) if isinstance(item, Mapping) else _plain(item) for item in value[:5]]
        return listed(inner) or "empty"
    return _plain(value)
