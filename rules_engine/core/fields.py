"""The fields that conditions may name, with their types, and how a dotted path is read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from .subject import SubjectKind


class FieldType(StrEnum):
    """What a field holds, in the words of an error message."""

    TEXT = "text"
    ID = "an id"
    NUMBER = "a number"
    FLAG = "true or false"
    NAMES = "a list of names"
    IDS = "a list of ids"
    OBJECTS = "a list of objects"
    TIME = "a time"
    DATE = "a date"
    CLOCK = "a time of day"
    WEEKDAY = "a day of the week"
    ANY = "anything"


PRODUCT: Mapping[str, FieldType] = {
    "id": FieldType.ID,
    "sku": FieldType.TEXT,
    "name": FieldType.TEXT,
    "brand": FieldType.TEXT,
    "brand_id": FieldType.ID,
    "stock": FieldType.NUMBER,
    "tracks_stock": FieldType.FLAG,
    "in_stock": FieldType.FLAG,
    "can_be_ordered": FieldType.FLAG,
    "published": FieldType.FLAG,
    "price": FieldType.NUMBER,
    "compare_at_price": FieldType.NUMBER,
    "on_sale": FieldType.FLAG,
    "currency": FieldType.TEXT,
    "categories": FieldType.NAMES,
    "category_ids": FieldType.IDS,
    "tags": FieldType.NAMES,
    "attributes": FieldType.OBJECTS,
    "variants": FieldType.OBJECTS,
    "created_at": FieldType.TIME,
    "updated_at": FieldType.TIME,
    "raw": FieldType.ANY,
}

CATEGORY: Mapping[str, FieldType] = {
    "id": FieldType.ID,
    "name": FieldType.TEXT,
    "path": FieldType.TEXT,
    "parent_id": FieldType.ID,
    "published": FieldType.FLAG,
    "product_count": FieldType.NUMBER,
    "raw": FieldType.ANY,
}

EVENT: Mapping[str, FieldType] = {"type": FieldType.ID, "time": FieldType.TIME}
STORE: Mapping[str, FieldType] = {"alias": FieldType.ID, "vendor": FieldType.ID}
NOW: Mapping[str, FieldType] = {"date": FieldType.DATE, "time": FieldType.CLOCK, "weekday": FieldType.WEEKDAY}

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")

ROOTS = ("product", "category", "before", "event", "store", "now")

MOMENT_ROOTS = frozenset({"before", "event"})
"""What only a moment has: a condition that looks at these is a transition."""


def subject_fields(kind: SubjectKind | None) -> Mapping[str, FieldType]:
    """The fields of the subject that a rule is about; None (a meaning, not yet used) allows those of both."""
    if kind is SubjectKind.PRODUCT:
        return PRODUCT
    if kind is SubjectKind.CATEGORY:
        return CATEGORY
    return {**CATEGORY, **PRODUCT}


def fields_below(root: str, kind: SubjectKind | None = None) -> Mapping[str, FieldType]:
    """The fields below a root of the document; nothing for an unknown root."""
    if root == "before":
        return subject_fields(kind)
    return _BELOW.get(root, {})


_BELOW = {"product": PRODUCT, "category": CATEGORY, "event": EVENT, "store": STORE, "now": NOW}


@dataclass(frozen=True, slots=True)
class FieldPath:
    """A plain dotted path: `product.stock`, `product.attributes.Shoe size`, `product.raw.details.weight`."""

    root: str
    name: str
    rest: tuple[str, ...] = ()

    @property
    def field(self) -> str:
        """The document's field that the path looks at, without what is below it."""
        return f"{self.root}.{self.name}"

    @property
    def is_moment(self) -> bool:
        """Whether only a moment has it."""
        return self.root in MOMENT_ROOTS

    def type_of(self, kind: SubjectKind | None = None) -> FieldType | None:
        """What the path holds, or None where there is no such field."""
        found = fields_below(self.root, kind).get(self.name)
        if not self.rest:
            return found
        return FieldType.ANY if self.name in {"attributes", "raw"} and found is not None else None


_PATH = re.compile(r"(\w+)\.([A-Za-z_]\w*)(?:\.(.+))?", re.DOTALL)
_PLAIN_NAME = re.compile(
    r"""(?:[^\[\]()|&<>=!@`{}*'"] | (?<=\w)['&](?=\w) | (?<=[ ])&(?=[ ]) | (?<=[ ])[(\[][\w .,/%-]+[)\]])+""",
    re.VERBOSE,
)
"""What people call an attribute, and what is no expression: `Size (EU)`, `Colour & trim`, `Maker's mark`."""
_QUOTED_NAME = re.compile(r'"([^"\\\x00-\x1f]+)"')
_DOTTED = re.compile(r"[\w-]+(?:\.[\w-]+)*")


@lru_cache(maxsize=4096)
def read_path(text: str) -> FieldPath | None:
    """The plain path that `text` is, or None when it has to be read as a JMESPath expression.

    Everything after `product.attributes.` is one name, also with blanks or dots in it; any sign may stand in it where
    it is written in double quotes.
    """
    match = _PATH.fullmatch(text.strip())
    if match is None or match[1] not in ROOTS:
        return None
    root, name, rest = match[1], match[2], match[3]
    if rest is None:
        return FieldPath(root, name)
    if name == "attributes":
        if quoted := _QUOTED_NAME.fullmatch(rest.strip()):
            return FieldPath(root, name, (quoted[1],))
        return FieldPath(root, name, (rest.strip(),)) if _PLAIN_NAME.fullmatch(rest) else None
    return FieldPath(root, name, tuple(rest.split("."))) if _DOTTED.fullmatch(rest) else None
