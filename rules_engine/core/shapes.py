"""What kinds of values an expression's parts can yield, as far as its form and the document's fields tell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from .fields import ROOTS, FieldType, fields_below
from .subject import SubjectKind


class Kind(StrEnum):
    """A kind of value, in the words of an error message."""

    NOTHING = "nothing"
    FLAG = "true or false"
    NUMBER = "a number"
    TEXT = "text"
    LIST = "a list"
    OBJECT = "an object"


ALL_KINDS = frozenset(Kind)
CALLED: Mapping[str, Kind] = {
    "null": Kind.NOTHING,
    "boolean": Kind.FLAG,
    "number": Kind.NUMBER,
    "string": Kind.TEXT,
    "array": Kind.LIST,
    "object": Kind.OBJECT,
}
"""JMESPath's own names for the kinds."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What a value can be. `fields` are an object's, where all of them are known; `items` are a list's.

    `field_type` and `path` tell the document's field that it is, such as `product.stock`.
    """

    kinds: frozenset[Kind] = ALL_KINDS
    fields: Mapping[str, Shape] | None = None
    items: Shape | None = None
    field_type: FieldType | None = None
    path: str = ""

    @property
    def solid(self) -> frozenset[Kind]:
        """What it can be when it is not nothing."""
        return self.kinds - {Kind.NOTHING}

    def is_only(self, *kinds: Kind) -> bool:
        """Whether it is of these kinds whenever it is something."""
        return bool(self.solid) and self.solid <= set(kinds)

    def __or__(self, other: Shape) -> Shape:
        first, second = (shape if Kind.OBJECT in shape.kinds else None for shape in (self, other))
        fields = first.fields if first and (second is None or second.fields == first.fields) else None
        lists = [shape.items for shape in (self, other) if Kind.LIST in shape.kinds]
        items = None if None in lists or not lists else lists[0]
        if items is not None and len(lists) == 2 and lists[1] is not None and lists[1] != items:
            items = Shape(items.kinds | lists[1].kinds)
        if first is None and second is not None:
            fields = second.fields
        return Shape(self.kinds | other.kinds, fields, items)


def one(*kinds: Kind) -> Shape:
    """A value of these kinds, or nothing."""
    return Shape(frozenset({Kind.NOTHING, *kinds}))


ANYTHING = Shape()
FLAG = Shape(frozenset({Kind.FLAG}))
NUMBER = Shape(frozenset({Kind.NUMBER}))
TEXT = Shape(frozenset({Kind.TEXT}))
OBJECT = Shape(frozenset({Kind.OBJECT}))


def list_of(items: Shape | None) -> Shape:
    """A list, or nothing."""
    return replace(one(Kind.LIST), items=items)


def object_of(fields: Mapping[str, Shape]) -> Shape:
    """An object with these fields and no others, or nothing."""
    return replace(one(Kind.OBJECT), fields=fields)


_NUMBER, _TEXT = one(Kind.NUMBER), one(Kind.TEXT)
_VARIANT = object_of(
    {"id": _TEXT, "sku": _TEXT, "stock": _NUMBER, "in_stock": one(Kind.FLAG), "price": _NUMBER},
)
_OF_TYPE = {
    FieldType.NUMBER: _NUMBER,
    FieldType.FLAG: one(Kind.FLAG),
    FieldType.NAMES: list_of(TEXT),
    FieldType.IDS: list_of(TEXT),
    FieldType.ANY: ANYTHING,
}


def _of_field(root: str, name: str, type_: FieldType) -> Shape:
    if name == "attributes":
        shape = one(Kind.OBJECT)
    elif name == "variants":
        shape = list_of(_VARIANT)
    else:
        shape = _OF_TYPE.get(type_, _TEXT)
    return replace(shape, field_type=type_, path=f"{root}.{name}")


def document(about: SubjectKind | None) -> Shape:
    """The document that conditions see."""
    below = {
        root: {name: _of_field(root, name, type_) for name, type_ in fields_below(root, about).items()}
        for root in ROOTS
    }
    roots = {root: replace(object_of(fields), path=root) for root, fields in below.items()}
    return Shape(frozenset({Kind.OBJECT}), roots)


def of_value(value: object) -> Shape:
    """What a literal is."""
    if value is None:
        return Shape(frozenset({Kind.NOTHING}))
    if isinstance(value, bool):
        return FLAG
    if isinstance(value, int | float):
        return NUMBER
    if isinstance(value, str):
        return TEXT
    if isinstance(value, list):
        items: Shape | None = None
        for item in value[:20]:
            items = of_value(item) if items is None else items | of_value(item)
        return Shape(frozenset({Kind.LIST}), items=items if len(value) <= 20 else None)
    return OBJECT


_YIELDS: Mapping[str, Shape] = {
    **dict.fromkeys(("abs", "ceil", "floor", "length", "sum"), NUMBER),
    **dict.fromkeys(("avg", "to_number"), _NUMBER),
    **dict.fromkeys(("contains", "starts_with", "ends_with"), FLAG),
    **dict.fromkeys(("join", "to_string", "type"), TEXT),
    "keys": list_of(TEXT),
    "values": list_of(None),
    "merge": OBJECT,
}


@dataclass(frozen=True, slots=True)
class Given:
    """What a function is given: the shapes of its values, and of what it asks of each item."""

    values: tuple[Shape, ...] = ()
    each: Shape = field(default=ANYTHING)


def of_call(name: str, given: Given) -> Shape:
    """What a function yields."""
    if name in _YIELDS:
        return _YIELDS[name]
    first = given.values[0] if given.values else ANYTHING
    if name in {"reverse", "sort", "sort_by"}:
        return first
    if name in {"max", "min", "max_by", "min_by"}:
        return (first.items or ANYTHING) | Shape(frozenset({Kind.NOTHING}))
    if name == "map":
        return list_of(given.each)
    if name == "to_array":
        return first if first.is_only(Kind.LIST) else list_of(None)
    if name == "not_null" and given.values:
        found = given.values[0]
        for shape in given.values[1:]:
            found |= shape
        return found
    return ANYTHING
