"""Judging conditions: met, unmet, or cannot tell, and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, NamedTuple

from . import expression
from .age import AGES, compare_age, show_age
from .delivery import EventType, StoreAlias
from .explain import show
from .fields import FieldType, read_path
from .finding import Finding, Kind
from .look import NOT_KNOWN, Unknown, as_jmespath_document, lead_of, shown, unordered, value_of
from .subject import SubjectKind
from .terms import (
    All,
    AnyOf,
    Condition,
    Expression,
    Happens,
    Leaf,
    Meaning,
    NoneOf,
    Test,
    Transition,
    fields_of,
    happens_in,
    has_transition,
    is_transition,
    kind_of,
)
from .words import (
    Change,
    Emptiness,
    Truth,
    Value,
    Word,
    Written,
    all_,
    any_,
    compare,
    not_,
    phrase,
)

__all__ = [
    "All",
    "AnyOf",
    "Change",
    "Condition",
    "Document",
    "Emptiness",
    "Expression",
    "Finding",
    "Happens",
    "Meaning",
    "NoneOf",
    "Test",
    "Transition",
    "Truth",
    "Value",
    "Word",
    "Written",
    "as_jmespath_document",
    "fields_of",
    "happens_in",
    "has_transition",
    "judge",
]


@dataclass(frozen=True, slots=True)
class Document:
    """What a condition sees: one subject now and as last seen, the event, the store and the time there.

    `fields` and `before` are a `Product` or a `Category`; held slots show their baseline in both. `now` is aware, in
    the store's time zone. `events` is empty when the subject is looked at without one.
    """

    kind: SubjectKind
    fields: Mapping[str, Any]
    now: datetime
    store: StoreAlias
    vendor: str = ""
    before: Mapping[str, Any] | None = None
    events: frozenset[EventType] = field(default_factory=frozenset)
    event_time: datetime | None = None


def judge(condition: Condition, document: Document, *, transitions: Truth | None = None, path: str = "") -> Finding:
    """How a condition stands for a document, and why. Never raises.

    `transitions` is what every transition counts as, and every look at `before` or `event`; None judges them by the
    document. `path` is where the condition stands in its rule, such as `while`.
    """
    return _Judge(document, transitions).find(condition, path)


def look(field_: str, document: Document) -> tuple[object, FieldType]:
    """What a field, or an expression in its place, shows of a document (a value, or `Unknown`), and its type."""
    judging = _Judge(document, None)
    return judging.look(field_), judging.type_of(field_)


class _Told(NamedTuple):
    """How a leaf stands and why; `lead` makes a sentence of it."""

    truth: Truth
    text: str
    lead: str = ""


class _Judge:
    """Judges conditions for one document."""

    def __init__(self, document: Document, transitions: Truth | None) -> None:
        self._document = document
        self._transitions = transitions

    def find(self, condition: Condition, path: str) -> Finding:
        match condition:
            case All(parts):
                found = self._parts(parts, path, "all")
                return Finding(path, all_(part.truth for part in found), parts=found, kind=Kind.ALL)
            case AnyOf(parts):
                found = self._parts(parts, path, "any")
                return Finding(path, any_(part.truth for part in found), parts=found, kind=Kind.ANY)
            case NoneOf(parts):
                found = self._parts(parts, path, "none")
                return Finding(path, not_(any_(part.truth for part in found)), parts=found, kind=Kind.NONE)
            case Meaning(name, inner):
                part = self.find(inner, _below(path, name))
                return Finding(path, part.truth, parts=(part,), kind=Kind.MEANING, name=name)
            case _:
                return self._leaf(condition, path)

    def _parts(self, parts: tuple[Condition, ...], path: str, word: str) -> tuple[Finding, ...]:
        """The parts' findings. The `all` that a plain map is needs no word in the path."""
        is_map = word == "all" and all(isinstance(part, Leaf) for part in parts)
        inner = path if is_map else _below(path, word)
        return tuple(self.find(part, inner) for part in parts)

    def _leaf(self, leaf: Leaf, path: str) -> Finding:
        counted = self._transitions if is_transition(leaf) else None
        if counted is not None:
            kind, name = kind_of(leaf)
            return Finding(_leaf_path(leaf, path), counted, "a change, not looked at here", kind=kind, name=name)
        match leaf:
            case Test():
                found = self._test(leaf)
            case Transition():
                found = self._transition(leaf)
            case Happens():
                found = self._happens(leaf)
            case Expression():
                found = self._expression(leaf)
        kind, name = kind_of(leaf)
        return Finding(_leaf_path(leaf, path), found.truth, found.text, kind=kind, name=name, lead=found.lead)

    def _test(self, test: Test) -> _Told:
        seen = self.look(test.field)
        if isinstance(seen, Unknown):
            return _untold(seen, test.field)
        values = test.value if isinstance(test.value, tuple) else (test.value,)
        truth = self._compare(test.word, test.field, seen, values)
        age = show_age(seen, self.type_of(test.field), self._document.now) if test.word in AGES else ""
        said = age or shown(test.field, seen)
        asked = "" if truth is Truth.MET else phrase(test.word, values)
        return _Told(truth, _worded(truth, said, asked), lead_of(test.field, seen, is_age=bool(age)))

    def _transition(self, change: Transition) -> _Told:
        if self._document.before is None:
            return _Told(Truth.UNMET, "seen for the first time, which is no change")
        now, was = self.look(change.field), self.look(change.field, is_before=True)
        if isinstance(now, Unknown):
            return _untold(now, change.field)
        if isinstance(was, Unknown):
            return _Told(Truth.CANNOT_TELL, f"before: {was.reason}")
        truth = self._changed(change, now, was)
        values = () if change.value is None else (change.value,)
        said = f"{shown(change.field, was)}, now {shown(change.field, now)}"
        return _Told(truth, _worded(truth, said, phrase(change.word, values)), lead_of(change.field, was, is_past=True))

    def _changed(self, change: Transition, now: object, was: object) -> Truth:
        match change.word:
            case Change.BECOMES:
                return all_((self._is(change, now), not_(self._is(change, was))))
            case Change.WAS:
                return all_((self._is(change, was), not_(self._is(change, now))))
            case Change.CHANGES:
                return Truth.MET if unordered(now) != unordered(was) else Truth.UNMET
            case Change.RISES_ABOVE:
                first, then = Word.AT_MOST, Word.MORE_THAN
            case Change.FALLS_BELOW:
                first, then = Word.AT_LEAST, Word.LESS_THAN
        if change.value is None or isinstance(change.value, Emptiness):
            return Truth.CANNOT_TELL
        ends = [
            self._compare(first, change.field, was, (change.value,)),
            self._compare(then, change.field, now, (change.value,)),
        ]
        return all_(ends)

    def _is(self, change: Transition, seen: object) -> Truth:
        if isinstance(change.value, Emptiness):
            word = Word.EMPTY if change.value is Emptiness.EMPTY else Word.NOT_EMPTY
            return self._compare(word, change.field, seen, ())
        values = () if change.value is None else (change.value,)
        return self._compare(Word.IS, change.field, seen, values)

    def _happens(self, happens: Happens) -> _Told:
        seen = sorted(str(event) for event in self._document.events)
        truth = Truth.MET if f"{self._document.kind}.{happens.what}" in seen else Truth.UNMET
        text = _worded(truth, ", ".join(seen) or "no event", f"be {happens.what}")
        return _Told(truth, text, "the event is" if seen else "there is")

    def _expression(self, asked: Expression) -> _Told:
        seen = self._evaluate(asked.text)
        if isinstance(seen, Unknown):
            return _untold(seen, asked.text)
        if not isinstance(seen, bool):
            return _Told(Truth.CANNOT_TELL, f"yields {show(seen)}, must yield true or false", "the expression")
        truth = Truth.MET if seen else Truth.UNMET
        return _Told(truth, "true" if seen else "false, must be true", "the expression is")

    def type_of(self, field_: str) -> FieldType:
        """What a field holds; anything for what is no plain path."""
        where = read_path(field_)
        return (where.type_of(self._document.kind) if where else None) or FieldType.ANY

    def _compare(self, word: Word, field_: str, seen: object, values: tuple[Value, ...]) -> Truth:
        kind, now = self.type_of(field_), self._document.now
        if word in AGES:
            return compare_age(word, seen, values, kind, now)
        return compare(word, seen, values, kind, now.tzinfo or UTC)

    def look(self, field_: str, *, is_before: bool = False) -> object:
        """What a field shows: a value, or `Unknown`."""
        where = read_path(field_)
        if where is None:
            return self._evaluate(field_, is_before=is_before)
        if where.root in {"store", "now", "event"}:
            found = self._document_part(where.root)
            if where.name in found:
                return found[where.name]
            return Unknown("there is no event" if where.root == "event" else NOT_KNOWN, is_absent=not found)
        looks_back = is_before or where.root == "before"
        if where.root not in {"before", self._document.kind.value}:
            return Unknown(f"a {self._document.kind} has no {where.field}")
        fields = self._document.before if looks_back else self._document.fields
        return _first_sight() if fields is None else value_of(fields, where, self._document.kind)

    def _document_part(self, root: str) -> Mapping[str, object]:
        found = self._jmespath_document[root]
        return found if isinstance(found, dict) else {}

    @cached_property
    def _jmespath_document(self) -> dict[str, Any]:
        return as_jmespath_document(self._document)

    def _evaluate(self, text: str, *, is_before: bool = False) -> object:
        kind, before = self._document.kind, self._document.before
        mentioned = expression.fields_in(text)
        fields = before if is_before else self._document.fields
        if fields is None or (before is None and "before" not in mentioned and _names_below("before", mentioned)):
            return _first_sight()
        for root, known in ((kind.value, fields), ("before", before or {})):
            unknown = [name for name in sorted(_names_below(root, mentioned)) if name not in known]
            if unknown and (root != "before" or before is not None):
                return Unknown(f"{root}.{unknown[0]} is not known")
        whole = self._jmespath_document
        if is_before:
            whole = {**whole, kind.value: whole["before"]}
        found = expression.evaluate(text, whole)
        if found.failure:
            return Unknown(found.failure)
        return Unknown("the expression yields nothing") if found.value is None else found.value


def _below(path: str, name: str) -> str:
    return f"{path}/{name}" if path else name


def _first_sight() -> Unknown:
    return Unknown("seen for the first time, so there is no before", is_absent=True)


def _untold(unknown: Unknown, field_: str) -> _Told:
    """Nothing to compare: unmet where there is nothing to look at, else it cannot be told."""
    truth = Truth.UNMET if unknown.is_absent else Truth.CANNOT_TELL
    return _Told(truth, unknown.reason, lead_of(field_) if unknown.reason == NOT_KNOWN else "")


def _leaf_path(leaf: Leaf, path: str) -> str:
    match leaf:
        case Test(field_) | Transition(field_):
            return _below(path, field_)
        case Happens():
            return _below(path, "happens")
        case Expression():
            return _below(path, "jmespath")


def _worded(truth: Truth, shown: str, asked: str) -> str:
    if truth is Truth.MET:
        return shown
    return f"{shown}, must {asked}" if truth is Truth.UNMET else f"{shown}, which cannot be compared: must {asked}"


def _names_below(root: str, mentioned: frozenset[str]) -> set[str]:
    return {name.split(".", 1)[1] for name in mentioned if name.startswith(f"{root}.")}
