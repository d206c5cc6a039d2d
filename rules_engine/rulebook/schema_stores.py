"""stores.yaml as JSON Schema: for each vendor its own keys, from the settings in its file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic.fields import FieldInfo

from . import schema_forms as forms
from .masks import is_secret, takes_list
from .schema_conditions import said_of
from .schema_forms import of_form, one_or_more, whole
from .schema_texts import Json, Said
from .schema_texts_files import STORE_KEYS, STORES_KEYS, TARGET_KEYS
from .vendor import VendorSpec

_SECRET = of_form(forms.VARIABLE)
_PLAIN: Json = {"type": ["string", "number"], "pattern": whole(forms.NO_VARIABLE)}
"""A text or an id, which may be a number; a variable stands only in a secret's place."""


def file() -> Json:
    """stores.yaml."""
    stores: Json = {
        "type": "object",
        "minProperties": 1,
        "propertyNames": {"pattern": whole(forms.ALIAS)},
        "additionalProperties": {"$ref": "#/definitions/store"},
    }
    notify: Json = {
        "type": ["object", "null"],
        "propertyNames": {"pattern": whole(forms.NOTIFY_NAME)},
        "additionalProperties": {"anyOf": [_SECRET, _target()]},
    }
    keys = {"stores": stores, "notify": notify}
    return {
        "type": "object",
        "properties": {name: said.with_(keys[name]) for name, said in STORES_KEYS.items()},
        "required": ["stores"],
        "additionalProperties": False,
    }


def _target() -> Json:
    """Somebody who is told, with more than a URL."""
    forms_of = {"url": _SECRET, "morning_note": of_form(forms.CLOCK), "time_zone": of_form(forms.TIME_ZONE)}
    return {
        "type": "object",
        "properties": {name: TARGET_KEYS[name].with_(form) for name, form in forms_of.items()},
        "required": ["url"],
        "additionalProperties": False,
        "dependencies": {"time_zone": ["morning_note"]},
    }


def definitions(vendors: Mapping[str, VendorSpec]) -> dict[str, Json]:
    """The store, and the store of each vendor."""
    vendor = STORE_KEYS["vendor"].with_({"enum": list(vendors)})
    store: Json = {
        "type": "object",
        "properties": {"vendor": vendor},
        "required": ["vendor"],
        "allOf": [
            {
                "if": {"properties": {"vendor": {"const": name}}, "required": ["vendor"]},
                "then": {"$ref": f"#/definitions/store-{name}"},
            }
            for name in vendors
        ],
    }
    return {"store": store} | {f"store-{name}": _store(name, spec, vendor) for name, spec in vendors.items()}


def _store(name: str, spec: VendorSpec, vendor: Json) -> Json:
    """A store of one vendor. What its settings demand of several keys together stands in their `json_schema_extra`."""
    shapes = spec.SETTINGS.model_json_schema()
    fields = spec.SETTINGS.model_fields
    required = [key for key, field in fields.items() if field.is_required()]
    if not spec.DEFAULT_BASE_URL and "base_url" not in required:
        required.append("base_url")
    properties = {key: _key(name, key, field, shapes["properties"][key]) for key, field in fields.items()}
    return {
        "type": "object",
        "properties": properties | {"vendor": vendor},
        "required": required,
        "additionalProperties": False,
    } | {key: shapes[key] for key in ("anyOf", "allOf", "oneOf") if key in shapes}


def _key(vendor: str, key: str, field: FieldInfo, shape: Mapping[str, Any]) -> Json:
    """One key of a store; `shape` is what pydantic says of it. Any: a JSON Schema."""
    said = Said(field.description) if field.description else STORE_KEYS.get(f"{vendor}.{key}") or STORE_KEYS[key]
    if is_secret(field):
        return said.with_(one_or_more(_SECRET) if takes_list(field) else _SECRET)
    return said.with_(_COMMON[key] if key in _COMMON else _plain(shape))


def _plain(shape: Mapping[str, Any]) -> Json:
    """What is no secret, from what pydantic says of it."""
    match shape.get("type"):
        case "string":
            known = {name: shape[name] for name in ("pattern", "minLength", "enum") if name in shape}
            return _PLAIN | known
        case "object":
            names = shape.get("propertyNames", {}).get("enum")
            if names is None:
                return {"type": "object", "additionalProperties": _PLAIN}
            mapped = {name: Said(said_of(f"product.{name}").text, (name,)).with_(_PLAIN) for name in names}
            return {"type": "object", "properties": mapped, "additionalProperties": False}
        case _:
            return {name: shape[name] for name in ("type", "minimum", "maximum", "enum") if name in shape}


_COMMON: Mapping[str, Json] = {
    "vendor": {"type": "string"},
    "base_url": of_form(forms.BASE_URL),
    "time_zone": of_form(forms.TIME_ZONE),
    "names": {
        "type": "object",
        "properties": {
            name: STORE_KEYS[f"names.{name}"].with_({"type": "object", "additionalProperties": _PLAIN})
            for name in ("categories", "brands")
        },
        "additionalProperties": False,
    },
}
