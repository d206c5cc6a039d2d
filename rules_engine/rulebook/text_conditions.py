"""What is meant by a condition that is written as a sentence or a formula: `product.stock <= 0`, `not sold out`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping

from rules_engine.core.clock import read_duration, say_duration
from rules_engine.core.explain import closest
from rules_engine.core.fault import write
from rules_engine.core.fields import FieldType, read_path
from rules_engine.core.subject import SubjectKind
from rules_engine.core.traps import mended
from rules_engine.core.words import Word

from .synonyms import field_of, is_opposite, plainly
from .vocabulary import FITTING, has_form

_LONGEST = 200
_SIGNS = {
    "<=": Word.AT_MOST,
    ">=": Word.AT_LEAST,
    "<": Word.LESS_THAN,
    ">": Word.MORE_THAN,
    "==": Word.IS,
    "=": Word.IS,
    "!=": Word.IS_NOT,
    "<>": Word.IS_NOT,
    "is not": Word.IS_NOT,
    "is": Word.IS,
    "equals": Word.IS,
    "is at most": Word.AT_MOST,
    "is at least": Word.AT_LEAST,
    "is less than": Word.LESS_THAN,
    "is more than": Word.MORE_THAN,
    "at most": Word.AT_MOST,
    "at least": Word.AT_LEAST,
    "less than": Word.LESS_THAN,
    "more than": Word.MORE_THAN,
    "contains": Word.CONTAINS,
    "starts with": Word.STARTS_WITH,
    "ends with": Word.ENDS_WITH,
}
_BY_LENGTH = "|".join(re.escape(sign).replace(r"\ ", "[ _]") for sign in sorted(_SIGNS, key=len, reverse=True))
_COMPARED = re.compile(rf"([\w.]+)(?: +|(?=[<>=!]))({_BY_LENGTH}) *(.+)", re.IGNORECASE)
_DENIED = re.compile(r"(?:not +|! *)\(?([^()]+)\)?", re.IGNORECASE)
_CALL = re.compile(r"(and|or|not|if) *\((.+)\)", re.IGNORECASE)
_JOINTS = (
    ("any", re.compile(r" +or +| *\|\| *", re.IGNORECASE)),
    ("all", re.compile(r" +and +| *&& *", re.IGNORECASE)),
)
"""What joins two conditions; what binds them looser comes first."""
_QUOTES = "\"'`“”‘’"
_ORDERS = {Word.AT_MOST, Word.AT_LEAST, Word.LESS_THAN, Word.MORE_THAN}
_EVERYDAY = {
    **dict.fromkeys(("sold out", "out of stock", "not available"), "{product.can_be_ordered: false}"),
    "available": "{product.can_be_ordered: true}",
    "in stock": "{product.in_stock: true}",
    "on sale": "{product.on_sale: true}",
}
"""What shops say every day of a product, where nobody gave it a meaning of their own."""
_LASTING = re.compile(r"(.+) for (?:(?:at least|more than|over) )?([0-9][0-9.]* ?[a-z]+)", re.IGNORECASE)
_PLAIN = re.compile(r"[^\W_][\w .&/-]*")


def condition_of(text: str, meanings: Iterable[str], about: SubjectKind | None) -> str:
    """The condition that is meant, as YAML in braces or as the name of a meaning; empty where that is not clear."""
    if len(text) > _LONGEST:
        return ""
    known = {plainly(name).replace("_", " "): name for name in meanings}
    return _whole(text.strip().removeprefix("=").strip(), known, about)


def _whole(text: str, known: Mapping[str, str], about: SubjectKind | None) -> str:
    everyday = _EVERYDAY.get(plainly(text).replace("_", " "), "") if about is not SubjectKind.CATEGORY else ""
    if name := _meaning(text, known) or everyday or _compared(text, about):
        return name
    call = _CALL.fullmatch(text)
    if call is not None:
        return _called(call[1].casefold(), [part.strip() for part in call[2].split(",")], known, about)
    for group, joint in _JOINTS:
        parts = joint.split(text)
        if len(parts) > 1:
            return _joined(group, [_whole(part.strip(), known, about) for part in parts])
    denied = _DENIED.fullmatch(text)
    return _denied(denied[1].strip(), known, about) if denied else ""


def _called(name: str, given: list[str], known: Mapping[str, str], about: SubjectKind | None) -> str:
    """What spreadsheets write: `AND(a, b)`, `NOT(a)`, `IF(a, TRUE, FALSE)`."""
    if name == "not" and len(given) == 1:
        return _denied(given[0], known, about)
    if name == "if":
        is_plain = [part.casefold() for part in given[1:]] in ([], ["true"], ["true", "false"])
        return _whole(given[0], known, about) if is_plain else ""
    return _joined("all" if name == "and" else "any", [_whole(part, known, about) for part in given])


def _joined(group: str, parts: list[str]) -> str:
    if not all(parts) or len(parts) < 2:
        return ""
    bare = [part[1:-1] for part in parts if part.startswith("{") and not re.match(r"\{(?:all|any|none):", part)]
    fields = {part.split(":", 1)[0] for part in bare}
    if group == "all" and len(bare) == len(parts) == len(fields):
        return f"{{{', '.join(bare)}}}"
    return f"{{{group}: [{', '.join(parts)}]}}"


def _meaning(text: str, known: Mapping[str, str]) -> str:
    return known.get(plainly(text).replace("_", " "), "")


def _denied(text: str, known: Mapping[str, str], about: SubjectKind | None) -> str:
    field = _field(text, about)
    if field and _kind(field, about) is FieldType.FLAG:
        return f"{{{field}: {_flag(is_opposite(text))}}}"
    found = _whole(text, known, about)
    return f"{{none: [{found}]}}" if found else ""


def _field(text: str, about: SubjectKind | None) -> str:
    name = text.strip()
    where = read_path(name)
    if where is not None and where.type_of(about) is not None:
        return name
    return field_of(name, about) if re.fullmatch(r"[\w.-]+", name) else ""


def _flag(value: bool) -> str:  # noqa: FBT001 - the value itself
    return "true" if value else "false"


def _kind(field: str, about: SubjectKind | None) -> FieldType:
    where = read_path(field)
    return (where.type_of(about) if where else None) or FieldType.ANY


def _compared(text: str, about: SubjectKind | None) -> str:
    """`product.stock <= 0` as `{product.stock: {at_most: 0}}`, and a field alone that is true or false."""
    field = _field(text, about)
    if field:
        return f"{{{field}: {_flag(not is_opposite(text))}}}" if _kind(field, about) is FieldType.FLAG else ""
    match = _COMPARED.fullmatch(text)
    field = _field(match[1], about) if match else ""
    if match is None or not field:
        return ""
    word, kind = _SIGNS[match[2].casefold().replace("_", " ")], _kind(field, about)
    if word in {Word.IS, Word.IS_NOT} and kind in {FieldType.NAMES, FieldType.IDS}:
        word = Word.CONTAINS if word is Word.IS else Word.NONE_OF
    value = _value(match[3].strip(), kind, word)
    if kind is FieldType.FLAG and value and is_opposite(match[1]):
        value = _flag(value == "false")
    if not value or (word not in FITTING[kind] and value not in {"empty", "not_empty"}):
        return ""
    return f"{{{field}: {value}}}" if word is Word.IS else f"{{{field}: {{{word}: {value}}}}}"


def _value(text: str, kind: FieldType, word: Word) -> str:
    """A value as YAML writes it; empty where it does not fit the field."""
    is_quoted = len(text) > 1 and text[0] in _QUOTES and text[-1] in _QUOTES
    bare = text[1:-1] if is_quoted else text
    low = bare.casefold()
    if low in {"", "empty", "null", "none", "nil", "blank"}:
        is_number = kind is FieldType.NUMBER and low == "none"
        return "empty" if word in {Word.IS, Word.IS_NOT} and kind is not FieldType.FLAG and not is_number else ""
    if kind is FieldType.FLAG:
        return {"true": "true", "yes": "true", "1": "true", "false": "false", "no": "false", "0": "false"}.get(low, "")
    if kind is FieldType.NUMBER:
        return bare if re.fullmatch(r"-?[0-9]+(?:\.[0-9]+)?", bare) else ""
    if not has_form(bare, kind):
        return ""
    if not is_quoted and re.search(r"[<>=!&|()]| (?:and|or) ", bare):
        return ""
    is_plain = _PLAIN.fullmatch(bare) and low not in {"true", "false"} and not bare.endswith(" ")
    return bare if is_plain else json.dumps(bare, ensure_ascii=False)


def lasting_advice(text: str, meanings: Iterable[str], about: SubjectKind | None) -> str:
    """What to write instead of `sold out for 2 hours`; empty where no span stands at the end."""
    match = _LASTING.fullmatch(text.strip()) if len(text) <= _LONGEST else None
    if match is None or (span := read_duration(match[2])) is None:
        return ""
    condition = condition_of(match[1], meanings, about)
    here = f"`{condition}`" if condition else "the condition alone"
    return f"write {here} here, and `must_last: {say_duration(span)}` in a line of its own below `while:`"


def expression_advice(text: str, about: SubjectKind | None) -> str:
    """What to write where an expression stands in the place of a condition."""
    meant = mended(text.strip().removeprefix("="), about=about) if len(text) <= _LONGEST else None
    if meant is None:
        return 'write an expression as `{jmespath: "…"}`'
    return write(f"{{jmespath: {json.dumps(meant, ensure_ascii=False)}}}")


def meanings_advice(name: str, meanings: Iterable[str]) -> str:
    """What to write where neither a meaning nor a condition can be made out."""
    known = list(meanings)
    by_name = {plainly(one): one for one in known}
    parts = [by_name.get(plainly(part), "") for part in name.split(",")]
    if len(parts) > 1 and all(parts):
        listed = f"[{', '.join(parts)}]"
        return f"write `{{all: {listed}}}` if all of them have to be so, `{{any: {listed}}}` if one is enough"
    near = closest(name, known)
    if near:
        return f'did you mean "{near}"?'
    example = "such as `{product.stock: {at_most: 3}}`"
    if known and len(known) <= 20:
        return f"write a condition, {example}, or the name of a meaning: {', '.join(known)}"
    return f"write a condition, {example}, or say under `meanings:` what this means"
