"""Products and categories that nobody has: put together from values for single fields, to be judged like real ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import combinations
from typing import Any

from jmespath.exceptions import JMESPathError

from .candidates import Age, Asked, Choice, clocks, lists, names, numbers, texts, times
from .condition import Document
from .delivery import EventType, StoreAlias
from .demands import EVENT, SIGHT, STORE, Demand, Group, Side, group_of_field
from .expression import compiled, fields_in
from .fields import FieldType, read_path, subject_fields
from .subject import SubjectKind, complete
from .syntax import Node, children_of
from .terms import Expression, Happens, Test, Transition
from .words import Emptiness, plain

_PRODUCT: Mapping[str, Mapping[str, Any]] = {
    "sku": {"sku": "A-1"},
    "name": {"name": "Boot", "names": ["Boot"]},
    "brand": {"brand": None},
    "brand_id": {"brand_id": None},
    "stock": {"stock": 5, "tracks_stock": True},
    "published": {"published": True},
    "price": {"price": 20, "compare_at_price": None},
    "currency": {"currency": "USD"},
    "tags": {"tags": []},
    "variants": {"variants": []},
    "created_at": {"created_at": Age(timedelta(days=30))},
    "updated_at": {"updated_at": Age(timedelta(days=1))},
}
_CATEGORY: Mapping[str, Mapping[str, Any]] = {
    "name": {"name": "Sale", "names": ["Sale"]},
    "path": {"path": "Sale"},
    "parent_id": {"parent_id": None},
    "published": {"published": True},
    "product_count": {"product_count": 5},
}
_BLANK: Mapping[SubjectKind, Mapping[str, Mapping[str, Any]]] = {
    SubjectKind.PRODUCT: _PRODUCT,
    SubjectKind.CATEGORY: _CATEGORY,
}
"""What is known of a subject of which a rule asks nothing else."""


@dataclass(frozen=True, slots=True)
class Imagined:
    """Subjects of one kind, in one of these stores, around a time. While it `is_alive`, nothing is ever deleted."""

    kind: SubjectKind
    stores: tuple[tuple[StoreAlias, str], ...]
    now: datetime
    is_alive: bool = True

    def values(self, group: Group, demands: Sequence[Demand], hints: Sequence[object] = ()) -> Choice:
        """What can be tried for one group, as parts of documents."""
        if group == SIGHT:
            return Choice(({"is_known": True}, {"is_known": False}))
        if group == STORE:
            return Choice(tuple({"store": store} for store in self.stores))
        if group == EVENT:
            asks_time = any(demand.field == "event.time" for demand in demands)
            return Choice(tuple({"events": events} for events in self._events()), is_complete=not asks_time)
        asked = [(demand.field, asked_of(demand)) for demand in demands]
        if group[1] == "now":
            found = clocks([(field.strip().removeprefix("now."), each) for field, each in asked], self.now)
            return Choice(tuple({"now": value} for value in found.values), is_complete=found.is_complete)
        return self._fields(group, asked, hints)

    def _events(self) -> Iterator[frozenset[EventType]]:
        kinds = ("updated", "created") if self.is_alive else ("updated", "created", "deleted")
        types = [EventType(f"{self.kind}.{kind}") for kind in kinds]
        for size in (1, 0, 2, 3):
            yield from map(frozenset, combinations(types, size))

    def _fields(self, group: Group, asked: list[tuple[str, Asked]], hints: Sequence[object]) -> Choice:
        name = str(group[1])
        if name == "stock":
            return _stocks([each for field, each in asked if field.strip().endswith(".stock")], hints)
        if name == "price":
            return _prices([each for field, each in asked if not field.strip().endswith("on_sale")], hints)
        every = [each for _, each in asked]
        if name in {"attributes", "raw"} and len(group) > 2:
            found = texts(every, hints, is_any=True)
            return _as_fields(found, lambda value: {name: {group[2:]: value}})
        kind = subject_fields(self.kind).get(name)
        if name == "name":
            found = names(every, hints)
            return _as_fields(found, lambda value: {"name": value[0] if value else None, "names": value or []})
        match kind:
            case FieldType.NUMBER:
                found = numbers(every, hints, is_count=name == "product_count")
            case FieldType.FLAG:
                found = Choice((True, False))
            case FieldType.NAMES | FieldType.IDS:
                found = lists(every, hints)
            case FieldType.TIME:
                found = times(every)
            case FieldType.OBJECTS:
                found = _objects(name, hints)
            case _:
                found = texts(every, hints)
        return _as_fields(found, lambda value: {name: value})

    # ------------------------------------------------------------------------------------ documents

    def part(self, value: Mapping[str, Any]) -> Document:
        """A document of which only one part is known."""
        return self._document(self._made({"": value.get("fields", {})}, self.now), value, value.get("now", self.now))

    def whole(self, chosen: Mapping[Group, Mapping[str, Any]]) -> tuple[Document, datetime]:
        """A document with these parts, and all else as it usually is; and when it was seen before."""
        others = {key: value for group, part in chosen.items() if len(group) == 1 for key, value in part.items()}
        sides: dict[Side, dict[str, Mapping[str, Any]]] = {Side.NOW: {}, Side.BEFORE: {}}
        moments: dict[Side, datetime | None] = {Side.NOW: self.now, Side.BEFORE: None}
        for group, part in chosen.items():
            if len(group) == 1:
                continue
            side = Side.NOW if group[0] is Side.NOW else Side.BEFORE
            if "now" in part:
                moments[side] = part["now"]
            else:
                sides[side]["/".join(map(str, group[1:]))] = part["fields"]
        now = moments[Side.NOW] or self.now
        before_at = moments[Side.BEFORE] or now - timedelta(hours=1)
        blank = _BLANK[self.kind]
        fields = self._made({**blank, **sides[Side.NOW]}, now)
        is_known = others.get("is_known", bool(sides[Side.BEFORE]))
        before = self._made({**blank, **sides[Side.NOW], **sides[Side.BEFORE]}, now) if is_known else None
        return self._document(fields, others, now, before), before_at

    def _made(self, parts: Mapping[str, Mapping[str, Any]], now: datetime) -> dict[str, Any]:
        """The fields of these parts together, with what follows from them."""
        found: dict[str, Any] = {"id": "1"} if len(parts) > 1 else {}
        if len(parts) > 1 and self.kind is SubjectKind.PRODUCT:
            found |= {"attributes": {}, "category_ids": [], "raw": {}}
        for part in parts.values():
            for name, value in part.items():
                if name in {"attributes", "raw"} and isinstance(value, Mapping) and _is_by_path(value):
                    found[name] = _nested(found.get(name, {}), value)
                else:
                    found[name] = (now - value.span).isoformat() if isinstance(value, Age) else value
        if self.kind is not SubjectKind.PRODUCT:
            return found
        if len(parts) > 1:
            if found.get("brand") and not found.get("brand_id"):
                found["brand_id"] = f"id of {found['brand']}"
            ids = [(f"id of {name}", name) for name in found.pop("categories", ())]
            found["category_names"] = {id_: [name] for id_, name in ids}
            found["category_ids"] = [*found["category_ids"], *(id_ for id_, _ in ids)]
        return complete(found)

    def _document(
        self,
        fields: Mapping[str, Any],
        others: Mapping[str, Any],
        now: datetime,
        before: Mapping[str, Any] | None = None,
    ) -> Document:
        alias, vendor = others.get("store", self.stores[0])
        events = others.get("events", frozenset({EventType(f"{self.kind}.updated")}))
        return Document(self.kind, fields, now, alias, vendor, before, events, event_time=now if events else None)


def asked_of(demand: Demand) -> Asked:
    """What the demand asks of its field. Only tests of plain fields come here."""
    if isinstance(demand.leaf, Happens) or not isinstance(demand.leaf, Test):
        raise TypeError("only a test asks something of a field")
    return Asked.from_test(demand.leaf, is_met=demand.is_met)


def _as_fields(choice: Choice, made: Any) -> Choice:
    return Choice(tuple({"fields": made(value)} for value in choice.values), is_complete=choice.is_complete)


def _stocks(asked: Sequence[Asked], hints: Sequence[object]) -> Choice:
    found: list[dict[str, Any]] = []
    for value in numbers(asked, hints).values:
        if value is None:
            found.append({"stock": None, "tracks_stock": False})
        else:
            found.append({"stock": value, "tracks_stock": True})
    found += [{**each, "can_be_ordered": True} for each in found if each["tracks_stock"] and each["stock"] <= 0]
    return Choice(tuple({"fields": each} for each in found))


def _prices(asked: Sequence[Asked], hints: Sequence[object]) -> Choice:
    every = numbers(asked, hints).values
    pairs = [{"price": price, "compare_at_price": compare} for price in every for compare in (None, *every)]
    return Choice(tuple({"fields": pair} for pair in pairs[:_MOST_PAIRS]), is_complete=len(pairs) <= _MOST_PAIRS)


_MOST_PAIRS = 1000


def _objects(name: str, hints: Sequence[object]) -> Choice:
    if name == "attributes":
        return Choice(({}, {"Size": "M"}))
    stocks = [hint for hint in numbers((), hints).values if hint is not None]
    variants = [{"id": "1-1", "sku": None, "stock": stock, "in_stock": stock > 0, "price": stock} for stock in stocks]
    texts_ = [{"id": "1-1", "sku": hint} for hint in hints if isinstance(hint, str)]
    return Choice(([], [{"id": "1-1", "sku": None}], *([each] for each in (*variants, *texts_))))


def _is_by_path(value: Mapping[Any, Any]) -> bool:
    return bool(value) and all(isinstance(key, tuple) for key in value)


def _nested(known: Mapping[str, Any], values: Mapping[tuple[Any, ...], Any]) -> dict[str, Any]:
    """The object with values at paths."""
    done = dict(known)
    for (name, *rest), value in values.items():
        below = done.get(name)
        done[name] = _nested(below if isinstance(below, Mapping) else {}, {tuple(rest): value}) if rest else value
    return done


# ---------------------------------------------------------------------------------------- expressions


def groups_seen(demand: Demand, kind: SubjectKind) -> list[Group]:
    """What an expression, or a change of any kind, looks at."""
    leaf = demand.leaf
    if isinstance(leaf, Transition) and read_path(leaf.field) is not None:
        found = [group_of_field(leaf.field, side, kind) for side in Side]
        return [group for group in found if group is not None]
    text = leaf.text if isinstance(leaf, Expression) else demand.field
    sides = tuple(Side) if isinstance(leaf, Transition) else (demand.side,)
    groups: list[Group | None] = []
    for field in sorted({*fields_in(text), *_deep(text)}):
        root, _, name = field.partition(".")
        if root == "before":
            groups.append(group_of_field(f"{kind}.{name}", Side.BEFORE, kind))
        elif name and field not in {"product.raw", "product.attributes", "category.raw"}:
            groups += [group_of_field(field, side, kind) for side in sides]
    return list(dict.fromkeys(group for group in groups if group is not None))


def hints_of(demands: Sequence[Demand]) -> tuple[object, ...]:
    """The values that expressions compare with."""
    found: list[object] = []
    for demand in demands:
        leaf = demand.leaf
        if isinstance(leaf, Test | Transition) and leaf.value is not None:
            values = leaf.value if isinstance(leaf.value, tuple) else (leaf.value,)
            found += [plain(value) for value in values if not isinstance(value, Emptiness)]
        text = leaf.text if isinstance(leaf, Expression) else demand.field
        found += [value for node in _nodes(text) if node.get("type") == "literal" for value in _flat(node["value"])]
    return tuple({repr(value): value for value in found}.values())


def _flat(value: object) -> list[object]:
    return [item for each in value for item in _flat(each)] if isinstance(value, list) else [value]


def _nodes(text: str) -> list[Node]:
    try:
        todo: list[Node] = [compiled(text).parsed] if text else []
    except JMESPathError:
        return []
    found: list[Node] = []
    while todo:
        node = todo.pop()
        found.append(node)
        todo += children_of(node)
    return found


def _deep(text: str) -> set[str]:
    """The attributes, and the parts of the shop's own object, that an expression names one by one."""
    paths = [path for node in _nodes(text) if len(path := _path_of(node)) > 2]
    return {".".join(path) for path in paths if path[1] in {"attributes", "raw"}}


def _path_of(node: Node) -> tuple[str, ...]:
    if node.get("type") == "field":
        return (str(node["value"]),)
    if node.get("type") == "subexpression":
        parts = [_path_of(child) for child in children_of(node)]
        return tuple(name for part in parts for name in part) if all(parts) else ()
    return ()
