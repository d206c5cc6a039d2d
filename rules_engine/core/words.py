"""The words of conditions, and what each means for a value that is known."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from enum import Enum, StrEnum
from operator import ge, gt, le, lt
from typing import Any

from .explain import listed, show
from .fields import FieldType

Comparison = Callable[[Any, Any], bool]
"""An order of two numbers, two texts or two times."""


class Truth(StrEnum):
    """What a condition can be. Only `met` counts; under `while`, `cannot tell` keeps the present state."""

    MET = "met"
    UNMET = "unmet"
    CANNOT_TELL = "cannot tell"


class Word(StrEnum):
    """What a condition says about a field as it is."""

    IS = "is"
    IS_NOT = "is_not"
    AT_MOST = "at_most"
    AT_LEAST = "at_least"
    MORE_THAN = "more_than"
    LESS_THAN = "less_than"
    BETWEEN = "between"
    ONE_OF = "one_of"
    NONE_OF = "none_of"
    CONTAINS = "contains"
    CONTAINS_ANY = "contains_any"
    STARTS_WITH = "starts_with"
    ENDS_WITH = "ends_with"
    MATCHES = "matches"
    EMPTY = "empty"
    NOT_EMPTY = "not_empty"
    NEWER_THAN = "newer_than"
    OLDER_THAN = "older_than"


class Change(StrEnum):
    """What a condition says about how a field changed since it was last seen."""

    BECOMES = "becomes"
    WAS = "was"
    CHANGES = "changes"
    RISES_ABOVE = "rises_above"
    FALLS_BELOW = "falls_below"


class Emptiness(Enum):
    """`empty` and `not_empty` where a value could stand, as in `becomes: empty`."""

    EMPTY = "empty"
    NOT_EMPTY = "not_empty"


@dataclass(frozen=True, slots=True)
class Written:
    """A value as a rule file has it: its source text (`0123`, `1.10`, `NO`), and what YAML 1.2 reads in it."""

    text: str
    value: str | bool | int | float


Value = str | bool | int | float | Written
"""A value in a condition. Rule files give `Written`; a plain value stands for itself."""


@dataclass(frozen=True, slots=True)
class Names:
    """One thing's name in several languages: it is called what any of them says."""

    texts: tuple[str, ...]


def text_of(value: Value) -> str:
    """The value as text: its source text where it was written in a file."""
    if isinstance(value, Written):
        return value.text
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


def plain(value: Value) -> str | bool | int | float:
    """The value as YAML 1.2 reads it."""
    return value.value if isinstance(value, Written) else value


def fold(text: str) -> str:
    """The text as it is compared: without case, outer blanks and differences of Unicode form."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold()).strip()


def not_(truth: Truth) -> Truth:
    """Met for unmet and the reverse; cannot tell stays."""
    return {Truth.MET: Truth.UNMET, Truth.UNMET: Truth.MET}.get(truth, Truth.CANNOT_TELL)


def all_(truths: Iterable[Truth]) -> Truth:
    """Unmet if one is, else cannot tell if one is, else met (Kleene's logic)."""
    found = tuple(truths)  # looked through by identity: hashing an enum takes longer
    return next((truth for truth in (Truth.UNMET, Truth.CANNOT_TELL) if truth in found), Truth.MET)


def any_(truths: Iterable[Truth]) -> Truth:
    """Met if one is, else cannot tell if one is, else unmet (Kleene's logic)."""
    found = tuple(truths)  # looked through by identity: hashing an enum takes longer
    return next((truth for truth in (Truth.MET, Truth.CANNOT_TELL) if truth in found), Truth.UNMET)


def _truth(answer: bool | None) -> Truth:  # noqa: FBT001 — the answer is what is judged
    return Truth.CANNOT_TELL if answer is None else Truth.MET if answer else Truth.UNMET


def is_blank(seen: object) -> bool:
    """Whether a known value is empty: nothing, blank text, an empty list or object."""
    if isinstance(seen, Names):
        return all(not text.strip() for text in seen.texts)
    return seen is None or seen in ([], {}, ()) or (isinstance(seen, str) and not seen.strip())


def compare(word: Word, seen: object, values: tuple[Value, ...], kind: FieldType, zone: tzinfo = UTC) -> Truth:
    """Whether a known value is as the word says. Unlike types: cannot tell. Never raises.

    `seen` is None, a flag, a number (infinity: unlimited), text, `Names`, a list of these, or an object. `kind` is the
    field's type; `zone` is the store's, for times.
    """
    if word in _OPPOSITES:
        return not_(compare(_OPPOSITES[word], seen, values, kind, zone))
    if word is Word.EMPTY:
        return _truth(is_blank(seen))
    if word in _ORDERS:
        return Truth.UNMET if is_blank(seen) else all_(_ordered(word, seen, value, kind, zone) for value in values)
    if word is Word.BETWEEN:
        return Truth.UNMET if is_blank(seen) else _between(seen, values, kind, zone)
    if word in _TEXT_WORDS:
        return any_(_by_text(_TEXT_WORDS[word], seen, value, kind) for value in values)
    if isinstance(seen, list | tuple):
        return _in_list(word, seen, values, kind)
    if word in {Word.CONTAINS, Word.CONTAINS_ANY}:
        return any_(_by_text(lambda text, part: part in text, seen, value, kind) for value in values)
    return any_(_same(seen, value, kind, zone) for value in values)


_OPPOSITES = {Word.IS_NOT: Word.IS, Word.NONE_OF: Word.ONE_OF, Word.NOT_EMPTY: Word.EMPTY}


def _in_list(word: Word, seen: list[object] | tuple[object, ...], values: tuple[Value, ...], kind: FieldType) -> Truth:
    if word is Word.IS:
        return Truth.UNMET if not seen else Truth.CANNOT_TELL
    return any_(_same(item, value, kind) for item in seen for value in values)


def _same(seen: object, value: Value, kind: FieldType, zone: tzinfo = UTC) -> Truth:
    given = plain(value)
    if isinstance(seen, Names):
        return _truth(fold(text_of(value)) in {fold(text) for text in seen.texts})
    if is_blank(seen):
        return _truth(not text_of(value).strip())
    if isinstance(seen, bool):
        return _truth(seen is given if isinstance(given, bool) else None)
    if isinstance(seen, int | float):
        is_number = isinstance(given, int | float) and not isinstance(given, bool)
        return _truth(seen == given if is_number else None)
    if not isinstance(seen, str):
        return Truth.CANNOT_TELL
    if kind in {FieldType.ID, FieldType.IDS}:
        return _truth(seen == text_of(value))
    if kind in {FieldType.TIME, FieldType.CLOCK, FieldType.DATE}:
        return _by_order(lambda left, right: left == right, seen, value, kind, zone)
    return _truth(fold(seen) == fold(text_of(value)))


def _by_text(holds: Callable[[str, str], bool], seen: object, value: Value, kind: FieldType) -> Truth:
    texts = seen.texts if isinstance(seen, Names) else (seen,) if isinstance(seen, str) else ()
    if not texts:
        return Truth.UNMET if is_blank(seen) else Truth.CANNOT_TELL
    as_compared = str if kind in {FieldType.ID, FieldType.IDS} else fold
    return _truth(any(holds(as_compared(text), as_compared(text_of(value))) for text in texts))


def _matches(text: str, pattern: str) -> bool:
    """Whether the whole text fits a pattern in which `*` is any text and `?` any one character.

    Walks both once, going back to the last star only, so that no pattern can take long.
    """
    at = of = mark = 0
    star = -1
    while at < len(text):
        if of < len(pattern) and pattern[of] == "*":
            star, mark = of, at
            of += 1
        elif of < len(pattern) and pattern[of] in {"?", text[at]}:
            at, of = at + 1, of + 1
        elif star >= 0:
            mark += 1
            at, of = mark, star + 1
        else:
            return False
    return not pattern[of:].strip("*")


_TEXT_WORDS: Mapping[Word, Callable[[str, str], bool]] = {
    Word.STARTS_WITH: lambda text, part: text.startswith(part),
    Word.ENDS_WITH: lambda text, part: text.endswith(part),
    Word.MATCHES: _matches,
}

_ORDERS: Mapping[Word, Comparison] = {
    Word.AT_MOST: le,
    Word.AT_LEAST: ge,
    Word.LESS_THAN: lt,
    Word.MORE_THAN: gt,
}


def _ordered(word: Word, seen: object, value: Value, kind: FieldType, zone: tzinfo) -> Truth:
    return _by_order(_ORDERS[word], seen, value, kind, zone)


def _by_order(holds: Comparison, seen: object, value: Value, kind: FieldType, zone: tzinfo) -> Truth:
    given = plain(value)
    if isinstance(seen, int | float) and not isinstance(seen, bool):
        is_number = isinstance(given, int | float) and not isinstance(given, bool)
        return _truth(holds(seen, given) if is_number else None)
    if not isinstance(seen, str):
        return Truth.CANNOT_TELL
    pair: tuple[object, object] | None = None
    if kind is FieldType.TIME:
        pair = _times(seen, text_of(value), zone)
    elif kind in {FieldType.DATE, FieldType.CLOCK}:
        pair = (_padded(seen), _padded(text_of(value)))
    return _truth(None if pair is None else holds(*pair))


def _padded(text: str) -> str:
    """`9:00` as `09:00`, so that times of day compare as text."""
    text = text.strip()
    return text.zfill(5) if ":" in text else text


def _times(seen: str, given: str, zone: tzinfo) -> tuple[object, object] | None:
    """Both as comparable values: days where a day was written, else moments; None where one is no time."""
    is_day = len(given.strip()) == len("2026-01-31")
    read = read_time if is_day else read_instant
    left, right = read(seen, zone), read(given, zone)
    if left is None or right is None:
        return None
    return (left.date(), right.date()) if is_day else (left, right)


def read_time(text: str, zone: tzinfo = UTC) -> datetime | None:
    """An ISO 8601 day or time as an aware time in `zone` (also where it names no zone); None if it is none."""
    try:
        moment = datetime.fromisoformat(text.strip())
        return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(zone)
    except (ValueError, OverflowError):
        return None


def read_instant(text: str, zone: tzinfo = UTC) -> datetime | None:
    """An ISO 8601 day or time, read in `zone` where it names none, in UTC: there no hour comes twice."""
    moment = read_time(text, zone)
    try:
        return moment and moment.astimezone(UTC)
    except OverflowError:
        return None


def _between(seen: object, values: tuple[Value, ...], kind: FieldType, zone: tzinfo) -> Truth:
    if len(values) != 2:
        return Truth.CANNOT_TELL
    low, high = values
    ends = (_ordered(Word.AT_LEAST, seen, low, kind, zone), _ordered(Word.AT_MOST, seen, high, kind, zone))
    spans_midnight = kind is FieldType.CLOCK and _padded(text_of(low)) > _padded(text_of(high))
    return any_(ends) if spans_midnight else all_(ends)


_PHRASES = {
    Word.IS: "be {}",
    Word.IS_NOT: "not be {}",
    Word.AT_MOST: "be at most {}",
    Word.AT_LEAST: "be at least {}",
    Word.MORE_THAN: "be more than {}",
    Word.LESS_THAN: "be less than {}",
    Word.BETWEEN: "be between {}",
    Word.ONE_OF: "be one of {}",
    Word.NONE_OF: "be none of {}",
    Word.CONTAINS: "contain {}",
    Word.CONTAINS_ANY: "contain one of {}",
    Word.STARTS_WITH: "start with {}",
    Word.ENDS_WITH: "end with {}",
    Word.MATCHES: "match {}",
    Word.EMPTY: "be empty",
    Word.NOT_EMPTY: "not be empty",
    Word.NEWER_THAN: "be newer than {}",
    Word.OLDER_THAN: "be older than {}",
    Change.BECOMES: "become {}",
    Change.WAS: "have been {} and be so no more",
    Change.CHANGES: "change",
    Change.RISES_ABOVE: "rise above {}",
    Change.FALLS_BELOW: "fall below {}",
}


def phrase(word: Word | Change, values: tuple[Value | Emptiness, ...]) -> str:
    """What the word asks for: `at most 0` as `be at most 0`."""
    is_span = word is Word.NEWER_THAN or word is Word.OLDER_THAN
    shown = [_asked(value, is_span=is_span) for value in values]
    return _PHRASES[word].format(listed(shown, "and" if word is Word.BETWEEN else "or"))


def _asked(value: Value | Emptiness, *, is_span: bool) -> str:
    """A value as a condition asks for it; `14 days` is no text to compare with, so it needs no quotes."""
    if isinstance(value, Emptiness):
        return value.value.replace("_", " ")
    return text_of(value)[:60] if is_span else _shown(value)


def _shown(value: Value) -> str:
    given = plain(value)
    return text_of(value)[:60] if isinstance(value, Written) and not isinstance(given, str) else show(given)
