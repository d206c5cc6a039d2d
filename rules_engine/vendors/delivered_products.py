"""Products that come in deliveries, where a shop documents no reads: mapped by stores.yaml, typed, never guessed."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime, tzinfo
from typing import Any, Final, TypeVar
from zoneinfo import ZoneInfo

import jmespath
from jmespath.exceptions import JMESPathError
from pydantic import Field, field_validator

from rules_engine.core.store import Names, StoreSettings
from rules_engine.core.subject import ALL, Snapshot, complete, product

from .answers import RotatingSecrets, flag, identity, mapping, moment, number, stamp, text

T = TypeVar("T")

LONGEST_EXPRESSION = 2000
"""Characters of a JMESPath expression in `fields:`."""

FOLLOWS: Mapping[str, tuple[str, ...]] = {
    "stock": ("tracks_stock", "in_stock", "can_be_ordered"),
    "tracks_stock": ("in_stock", "can_be_ordered"),
    "in_stock": ("can_be_ordered",),
    "compare_at_price": ("on_sale",),
    "category_ids": ("categories",),
    "brand_id": ("brand",),
}
"""What can be told of a product once a mapped field is known."""


class DeliveredSettings(StoreSettings):
    """A store whose products are known from deliveries alone.

    `fields` maps our field names to JMESPath expressions over the `data` of a delivery, where its shape is another
    one than the adapter's own. `webhook_secret` is one secret or a list of them.
    """

    base_url: str
    webhook_secret: RotatingSecrets
    fields: Mapping[str, str] = Field(
        default_factory=dict,
        json_schema_extra=lambda schema: schema.update(propertyNames={"enum": [*sorted(MAPPABLE)]}),
    )

    @property
    def webhook_secrets(self) -> tuple[str, ...]:
        """The secrets that sign this store's deliveries; any of them will do."""
        return self.webhook_secret

    @field_validator("fields")
    @classmethod
    def _each_field_can_be_mapped(cls, fields: Mapping[str, str]) -> Mapping[str, str]:
        for name, expression in fields.items():
            if name not in MAPPABLE:
                raise ValueError(f"there is no field {name!r} to map; there are {', '.join(sorted(MAPPABLE))}")
            _search_of(expression)
        return fields

    @field_validator("time_zone")
    @classmethod
    def _the_time_zone_exists(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (LookupError, ValueError, OSError) as error:  # OSError: the name of a directory of zones
            raise ValueError(f"there is no time zone {name!r}; write one like Europe/Oslo") from error
        return name

    @property
    def mapped_fields(self) -> frozenset[str]:
        """What `fields:` makes known, with what follows from it, as `product.tags`."""
        return frozenset(f"product.{field}" for name in self.fields for field in (name, *FOLLOWS.get(name, ())))


class Unknown:
    """What an expression gives that cannot tell."""


UNKNOWN: Final = Unknown()

_PLAIN = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*", re.ASCII)


class FieldMap:
    """The `fields:` of a store, compiled."""

    def __init__(self, fields: Mapping[str, str]) -> None:
        self._searches = {name: _search_of(expression) for name, expression in fields.items()}

    def __call__(self, values: Mapping[str, object], body: Mapping[str, object]) -> dict[str, object]:
        """`values` with the mapped fields in place of the adapter's own; one that cannot be told is left out."""
        found = {name: search(body) for name, search in self._searches.items()}
        kept = {name: value for name, value in values.items() if name not in found}
        return kept | {name: value for name, value in found.items() if not isinstance(value, Unknown)}


def _search_of(expression: str) -> Callable[[Mapping[str, object]], object]:
    """The expression as a function of a body. Raises `ValueError` for one that is no JMESPath or is too long."""
    if len(expression) > LONGEST_EXPRESSION:
        raise ValueError(f"an expression has at most {LONGEST_EXPRESSION} characters")
    if _PLAIN.fullmatch(expression.strip()):
        path = expression.strip().split(".")
        return lambda body: _along(path, body)
    try:
        compiled = jmespath.compile(expression)
    except (JMESPathError, RecursionError) as error:
        raise ValueError(f"{expression!r} is not JMESPath: {error}") from error

    def search(body: Mapping[str, object]) -> object:
        try:
            value: object = compiled.search(body)
        except (JMESPathError, ArithmeticError, LookupError, RecursionError, TypeError, ValueError, AttributeError):
            return UNKNOWN  # jmespath raises bare errors where it compares text with numbers, and the like
        return UNKNOWN if value is None else value

    return search


def _along(path: list[str], body: object) -> object:
    """What stands at the end of a plain path. A null on the way is known to be empty; a key that is absent is not."""
    for key in path:
        if body is None:
            return None
        if not isinstance(body, dict) or key not in body:
            return UNKNOWN
        body = body[key]
    return body


def time(value: object, zone: tzinfo) -> datetime | None:
    """A time as aware UTC: ISO 8601 text, unix seconds, or the milliseconds that JavaScript counts; else None."""
    is_milliseconds = isinstance(value, int | float) and abs(value) > 1e11
    return moment(value / 1000 if is_milliseconds and isinstance(value, int | float) else value, zone)


def snapshot(values: Mapping[str, object], *, raw: Mapping[str, object], names: Names, zone: tzinfo) -> Snapshot | None:
    """The product that `values` describe in our field names, typed and completed; None without an id.

    What has another type than its field is left out: unknown, not empty. `names` gives names to ids. A category
    without a known name goes by its id, so that a product in it is never taken for one without categories. Times
    without an offset are in `zone`. The version is `updated_at`.
    """
    fields: dict[str, Any] = {}
    for name, value in values.items():
        if name in FIT:
            try:
                fields[name] = FIT[name](value, zone)
            except (ValueError, OverflowError):
                continue
    if fields.get("id", ALL) == ALL:
        return None
    fields |= _brand(values, names)
    if "category_ids" in fields:
        fields["category_names"] = _category_names(values["category_ids"], names)
    if "updated_at" in fields and fields["updated_at"] is not None:
        version = datetime.fromisoformat(fields["updated_at"])
    else:
        version = None
    return Snapshot(product(fields["id"]), complete(fields) | {"raw": raw}, version)


def _brand(values: Mapping[str, object], names: Names) -> dict[str, str | None]:
    """`brand` and `brand_id`, from either or both: `{id, name}`, a name, an id, or null for no brand."""
    if "brand" not in values and "brand_id" not in values:
        return {}
    given = values.get("brand")
    parts = given if isinstance(given, dict) else {"name": given} if "brand" in values else {}
    name, id_ = text(parts.get("name")), _id_in(parts)
    if "brand_id" in values:
        id_ = identity(values["brand_id"])
    if id_ is None and name is None:
        told = [values[key] for key in ("brand", "brand_id") if key in values]
        # {"id": null, "name": null} is no brand, {"slug": "acme"} is one that cannot be told
        is_none = all(_is_empty(value) for value in told)
        return {"brand": None, "brand_id": None} if is_none else {}
    name = next((known for known, of in names.brands.items() if of == id_), name)
    id_ = id_ or next((of for known, of in names.brands.items() if known.casefold() == (name or "").casefold()), None)
    return {key: value for key, value in (("brand", name), ("brand_id", id_)) if value is not None}


def _is_empty(value: object) -> bool:
    """Null, blank text, or an object of ids and names that are all so."""
    if isinstance(value, dict):
        return value.keys() <= {"id", "_id", "name"} and all(_is_empty(part) for part in value.values())
    return value is None or (isinstance(value, str) and not value.strip())


def _id_in(value: object) -> str | None:
    """The id of `{"_id": …}`, of `{"id": …}`, or the value itself."""
    parts = mapping(value)
    return identity(parts.get("_id")) or identity(parts.get("id")) or identity(value)


def _category_names(categories: object, names: Names) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for item in categories if isinstance(categories, list) else ():
        id_ = _id_in(item)
        if id_ is not None:
            own = text(mapping(item).get("name"))
            known = [*(name for name, of in names.categories.items() if of == id_), *([own] if own else [])]
            found[id_] = list(dict.fromkeys(known)) or [id_]
    return found


def _needed(value: T | None) -> T:
    if value is None:
        raise ValueError("the value does not fit its field")
    return value


def _words(value: object, _zone: tzinfo) -> str | None:
    return None if _is_empty(value) else _needed(identity(value))


def _number(value: object, _zone: tzinfo) -> int | float | None:
    return None if _is_empty(value) else _needed(number(value))


def _flag(value: object, _zone: tzinfo) -> bool:
    return _needed(flag(value))


def _list(value: object, _zone: tzinfo) -> list[str]:
    if value is not None and not isinstance(value, list):
        raise ValueError("the value is no list")
    return list(dict.fromkeys(_needed(_id_in(item)) for item in value or ()))


def _time(value: object, zone: tzinfo) -> str | None:
    return None if _is_empty(value) else stamp(_needed(time(value, zone)))


def _attributes(value: object, _zone: tzinfo) -> dict[str, Any]:
    if value is not None and not isinstance(value, dict):
        raise ValueError("the value is no object")
    return dict(value or {})


FIT: Mapping[str, Callable[[object, tzinfo], object]] = {
    "id": lambda value, _: _needed(identity(value)),
    "sku": _words,
    "name": _words,
    "stock": lambda value, _: _needed(number(value)),  # null may mean unlimited as well as unknown: never empty
    "tracks_stock": _flag,
    "in_stock": _flag,
    "can_be_ordered": _flag,
    "published": _flag,
    "price": _number,
    "compare_at_price": _number,
    "on_sale": _flag,
    "currency": _words,
    "categories": _list,
    "category_ids": _list,
    "tags": _list,
    "attributes": _attributes,
    "created_at": _time,
    "updated_at": _time,
}
"""What the value of a field must be: each raises `ValueError` for what does not fit. Brands are read by `_brand`."""

MAPPABLE: frozenset[str] = frozenset(FIT) | {"brand", "brand_id"}
"""The fields that `fields:` may map."""
