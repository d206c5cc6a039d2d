"""Rule files as JSON Schema: rules, their guards and their actions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from rules_engine.core.rule import Afterwards, EffectKind, Mode
from rules_engine.core.subject import SubjectKind

from . import schema_forms as forms
from .amounts import MOST_PRODUCTS
from .effects import CATEGORY_KINDS, NOTIFY
from .guards import MOST_TAKES, OF_A_STRETCH
from .schema_conditions import condition
from .schema_forms import TEXT, of_form, one_or_more, whole
from .schema_texts import (
    ACTIONS,
    EXACT_ACTIONS,
    FILE_KEYS,
    FLOORS,
    LIMITS,
    MEANING,
    RULE_KEYS,
    TARGETS,
    Json,
    Said,
)

_SUBJECTS = (SubjectKind.PRODUCT, SubjectKind.CATEGORY)
_CODE: Json = TEXT | {"pattern": whole(forms.CODE)}
_TARGET: Json = {"$ref": "#/definitions/target"}
_TARGETS_OUT: Json = {"$ref": "#/definitions/target-out"}


def file(tests: Json) -> Json:
    """A rule file; `tests` is what stands below `tests:`."""
    meanings: Json = {
        "type": ["object", "null"],
        "additionalProperties": Said(MEANING).with_({"allOf": [condition(None, is_moment=True)]}),
    }
    rules: Json = {
        "type": ["object", "null"],
        "propertyNames": {"pattern": whole(forms.CODE)},
        "additionalProperties": {"$ref": "#/definitions/rule"},
    }
    keys = {"meanings": meanings, "limits": _limits(), "rules": rules, "tests": tests}
    return {
        "type": ["object", "null"],
        "properties": {name: said.with_(keys[name]) for name, said in FILE_KEYS.items()},
        "additionalProperties": False,
    }


def definitions() -> dict[str, Json]:
    """The rule, and what it refers to besides conditions."""
    found = {"rule": _rule(), "target": _target(["id"]), "target-out": _target(["id", "under"])}
    return found | {f"do-{about}": _do(about) for about in _SUBJECTS}


def lines(kinds: Iterable[EffectKind], *, is_exact: bool, notifies: bool = False) -> Json:
    """One line of `do`: an action alone, or with what it takes. `is_exact`: only single categories, as tests say."""
    alone: list[Json] = []
    with_target: dict[str, Json] = {}
    for kind in kinds:
        said = (EXACT_ACTIONS if is_exact else ACTIONS)[kind]
        if kind in CATEGORY_KINDS:
            takes_out = kind is EffectKind.REMOVE_FROM_CATEGORY and not is_exact
            one = _TARGETS_OUT if takes_out else _TARGET
            with_target[kind.value] = said.with_({"anyOf": [one, {"type": "array", "items": one, "minItems": 1}]})
        elif kind is EffectKind.ASSIGN_BRAND:
            with_target[kind.value] = said.with_({"allOf": [_TARGET]})
        else:
            alone.append({"description": said.text, "const": kind.value})
    if notifies:
        told = {"webhook": TARGETS["webhook"].with_(TEXT)}
        with_target[NOTIFY] = ACTIONS[NOTIFY].with_(_one_of(told))
    return {"anyOf": [*alone, _one_of(with_target)]} if with_target else {"anyOf": alone}


def kinds_of(about: SubjectKind) -> tuple[EffectKind, ...]:
    """What a rule about this can do."""
    is_category = about is SubjectKind.CATEGORY
    return tuple(kind for kind in EffectKind if (kind is EffectKind.EMPTY_CATEGORY) == is_category)


def one_or_list(line: Json) -> Json:
    """One of these, or a list of at least one."""
    return {"anyOf": [line, {"type": "array", "items": line, "minItems": 1}]}


def _do(about: SubjectKind) -> Json:
    return one_or_list(lines(kinds_of(about), is_exact=False, notifies=True))


def _one_of(properties: Mapping[str, Json]) -> Json:
    """A map with exactly one of these keys."""
    return {
        "type": "object",
        "properties": properties,
        "minProperties": 1,
        "maxProperties": 1,
        "additionalProperties": False,
    }


def _target(keys: Sequence[str]) -> Json:
    """A category or brand: its name, or a map with one key."""
    under = {"anyOf": [TEXT, _one_of({"id": TARGETS["id"].with_(TEXT)})]}
    of_key = {"id": TEXT, "under": under}
    return TEXT | _one_of({key: TARGETS[key].with_(of_key[key]) for key in keys}) | {"type": [*TEXT["type"], "object"]}


def _rule() -> Json:
    shapes: Mapping[str, Json] = {
        "title": TEXT,
        "about": {"enum": [about.value for about in _SUBJECTS]},
        "stores": one_or_more(TEXT),
        "while": {},
        "as_soon_as": {},
        "unless": {},
        "do": {},
        "mode": {"enum": [mode.value for mode in Mode]},
        "because": TEXT,
        "afterwards": {"enum": [word.value for word in Afterwards]},
        "first_sight": {"const": "act"},
        "must_last": of_form(forms.SPAN),
        "at_most_every": of_form(forms.SPAN),
        "between": forms.ends(of_form(forms.CLOCK), forms.CLOCK),
        "weekdays": one_or_more(of_form(forms.WEEKDAYS_SAID)),
        "insist": {"type": "boolean"},
        "flap_limit": {"type": "integer", "minimum": 1, "maximum": MOST_TAKES},
        "if_no_category_is_left": lines([EffectKind.ADD_TO_CATEGORY], is_exact=True)["anyOf"][0],
        "limits": _limits(),
        "never_leave": one_or_list(_floor()),
        "ask_first": _number_or(forms.ASKING),
        "formerly": one_or_more(_CODE),
    }
    return {
        "type": "object",
        "properties": {name: said.with_(shapes[name]) for name, said in RULE_KEYS.items()},
        "required": ["do"],
        "oneOf": [{"required": ["while"]}, {"required": ["as_soon_as"]}],
        "additionalProperties": False,
        "allOf": list(_when()),
    }


def _limits() -> Json:
    """How many products in an hour and in a day."""
    return {
        "type": "object",
        "properties": {name: said.with_(_number_or(forms.AMOUNT)) for name, said in LIMITS.items()},
        "minProperties": 1,
        "additionalProperties": False,
    }


def _floor() -> Json:
    """A category with how few products are too few, in words or as a map."""
    shapes = {"fewer_than": _number_or(forms.WHOLE_NUMBER), "in": {"allOf": [_TARGET]}}
    return {
        "type": ["string", "object"],
        "pattern": whole(forms.FLOOR),
        "properties": {name: said.with_(shapes[name]) for name, said in FLOORS.items()},
        "required": list(FLOORS),
        "additionalProperties": False,
    }


def _number_or(pattern: str) -> Json:
    """A number of products, or a text of this form."""
    return {"type": ["integer", "string"], "minimum": 1, "maximum": MOST_PRODUCTS, "pattern": whole(pattern)}


def _when() -> Iterator[Json]:
    """What one key of a rule says about the others."""
    yield {
        "if": {"properties": {"about": {"const": SubjectKind.CATEGORY.value}}, "required": ["about"]},
        "then": {"properties": _of(SubjectKind.CATEGORY)},
        "else": {"properties": _of(SubjectKind.PRODUCT)},
    }
    yield {
        "if": {"required": ["as_soon_as"]},
        "then": {"properties": dict.fromkeys(OF_A_STRETCH, False) | {"afterwards": {"const": Afterwards.LEAVE.value}}},
        "else": {"properties": {"first_sight": False}},
    }
    yield {
        "if": {"properties": {"mode": {"const": Mode.PAUSED.value}}, "required": ["mode"]},
        "then": {"required": ["because"]},
    }


def _of(about: SubjectKind) -> dict[str, Json]:
    """The conditions and actions of a rule about this."""
    return {
        "while": condition(about, is_moment=False),
        "as_soon_as": condition(about, is_moment=True),
        "unless": condition(about, is_moment=False),
        "do": {"$ref": f"#/definitions/do-{about}"},
    }
