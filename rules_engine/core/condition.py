"""Conditions as values, and judging them: met, unmet, or cannot tell."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from . import expression
from .delivery import EventType, StoreAlias
from .explain import show
from .fields import FieldType, read_path
from .look import Unknown, as_jmespath_document, shown, unordered, value_of
from .subject import SubjectKind
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
class Finding:
    """What judging one condition found: where in the rule (`while/product.stock`), how it stands, and why in words.

    `text` is like `3, must be at most 0`. `parts` are the findings of an `all`, `any`, `none` or a meaning.
    """

    path: str
    truth: Truth
    text: str = ""
    parts: tuple[Finding, ...] = ()


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


@dataclass(frozen=True, slots=True)
class All:
    """Every part."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """At least one part."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class NoneOf:
    """No part."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Test:
    """A field as it is: `product.stock` `at_most` 0. `value` is one value, or several for words that take a list."""

    __test__ = False  # pytest collects classes of this name otherwise

    field: str
    word: Word
    value: Value | tuple[Value, ...] = ()


@dataclass(frozen=True, slots=True)
class Transition:
    """How a field changed since it was last seen: `product.brand` `becomes` empty. `changes` takes no value."""

    field: str
    word: Change
    value: Value | Emptiness | None = None


@dataclass(frozen=True, slots=True)
class Happens:
    """What happened to the subject: `created`, `updated` or `deleted`."""

    what: str


@dataclass(frozen=True, slots=True)
class Expression:
    """A JMESPath expression that must yield true or false."""

    text: str


@dataclass(frozen=True, slots=True)
class Meaning:
    """A condition with a name."""

    name: str
    condition: Condition


Condition = All | AnyOf | NoneOf | Test | Transition | Happens | Expression | Meaning


def judge(condition: Condition, document: Document, *, transitions: Truth | None = None, path: str = "") -> Finding:
    """How a condition stands for a document, and why. Never raises.

    `transitions` is what every transition counts as, and every look at `before` or `event`; None judges them by the
    document. `path` is where the condition stands in its rule, such as `while`.
    """
    return _Judge(document, transitions).find(condition, path)


def has_transition(condition: Condition) -> bool:
    """Whether the condition, or a part of it, is true for a moment only: it looks at a change or an event."""
    return any(_is_transition(leaf) for leaf in _leaves(condition))


def happens_in(condition: Condition) -> bool:
    """Whether the condition, or a part of it, asks for an event by `happens`."""
    return any(isinstance(leaf, Happens) for leaf in _leaves(condition))


def fields_of(condition: Condition) -> frozenset[str]:
    """The document's fields that the condition uses, as `product.stock`; the whole of `product` as `product`."""
    found: set[str] = set()
    for leaf in _leaves(condition):
        if isinstance(leaf, Test | Transition):
            where = read_path(leaf.field)
            found |= {where.field} if where else expression.fields_in(leaf.field)
        elif isinstance(leaf, Expression):
            found |= expression.fields_in(leaf.text)
    return frozenset(found)


def _leaves(condition: Condition) -> Iterator[Test | Transition | Happens | Expression]:
    match condition:
        case All(parts) | AnyOf(parts) | NoneOf(parts):
            for part in parts:
                yield from _leaves(part)
        case Meaning(_, inner):
            yield from _leaves(inner)
        case _:
            yield condition


def _is_transition(leaf: Test | Transition | Happens | Expression) -> bool:
    match leaf:
        case Test():
            where = read_path(leaf.field)
            return where.is_moment if where else expression.looks_at_moment(leaf.field)
        case Expression():
            return expression.looks_at_moment(leaf.text)
        case _:
            return True


class _Judge:
    """Judges conditions for one document."""

    def __init__(self, document: Document, transitions: Truth | None) -> None:
        self._document = document
        self._transitions = transitions

    def find(self, condition: Condition, path: str) -> Finding:
        match condition:
            case All(parts):
                found = self._parts(parts, path, "all")
                return Finding(path, all_(part.truth for part in found), parts=found)
            case AnyOf(parts):
                found = self._parts(parts, path, "any")
                return Finding(path, any_(part.truth for part in found), parts=found)
            case NoneOf(parts):
                found = self._parts(parts, path, "none")
                return Finding(path, not_(any_(part.truth for part in found)), parts=found)
            case Meaning(name, inner):
                part = self.find(inner, _below(path, name))
                return Finding(path, part.truth, parts=(part,))
            case _:
                return self._leaf(condition, path)

    def _parts(self, parts: tuple[Condition, ...], path: str, word: str) -> tuple[Finding, ...]:
        """The parts' findings. The `all` that a plain map is needs no word in the path."""
        is_map = word == "all" and all(isinstance(part, Test | Transition | Happens | Expression) for part in parts)
        inner = path if is_map else _below(path, word)
        return tuple(self.find(part, inner) for part in parts)

    def _leaf(self, leaf: Test | Transition | Happens | Expression, path: str) -> Finding:
        counted = self._transitions if _is_transition(leaf) else None
        match leaf:
            case Test():
                return self._test(leaf, _below(path, leaf.field), counted)
            case Transition():
                return self._transition(leaf, _below(path, leaf.field), counted)
            case Happens():
                return self._happens(leaf, _below(path, "happens"), counted)
            case Expression():
                return self._expression(leaf, _below(path, "jmespath"), counted)

    def _test(self, test: Test, path: str, counted: Truth | None) -> Finding:
        if counted is not None:
            return _counted(path, counted)
        seen = self._look(test.field)
        if isinstance(seen, Unknown):
            return Finding(path, Truth.UNMET if seen.is_absent else Truth.CANNOT_TELL, seen.reason)
        values = test.value if isinstance(test.value, tuple) else (test.value,)
        truth = self._compare(test.word, test.field, seen, values)
        return Finding(path, truth, _worded(truth, shown(test.field, seen), phrase(test.word, values)))

    def _transition(self, change: Transition, path: str, counted: Truth | None) -> Finding:
        if counted is not None:
            return _counted(path, counted)
        if self._document.before is None:
            return Finding(path, Truth.UNMET, "seen for the first time, which is no change")
        now, was = self._look(change.field), self._look(change.field, is_before=True)
        if isinstance(now, Unknown):
            return Finding(path, Truth.CANNOT_TELL, now.reason)
        if isinstance(was, Unknown):
            return Finding(path, Truth.CANNOT_TELL, f"before: {was.reason}")
        truth = self._changed(change, now, was)
        values = () if change.value is None else (change.value,)
        said = f"{shown(change.field, was)}, now {shown(change.field, now)}"
        return Finding(path, truth, _worded(truth, said, phrase(change.word, values)))

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

    def _happens(self, happens: Happens, path: str, counted: Truth | None) -> Finding:
        if counted is not None:
            return _counted(path, counted)
        is_met = f"{self._document.kind}.{happens.what}" in {str(event) for event in self._document.events}
        said = ", ".join(sorted(str(event) for event in self._document.events)) or "no event"
        truth = Truth.MET if is_met else Truth.UNMET
        return Finding(path, truth, _worded(truth, said, f"be {happens.what}"))

    def _expression(self, asked: Expression, path: str, counted: Truth | None) -> Finding:
        if counted is not None:
            return _counted(path, counted)
        seen = self._evaluate(asked.text)
        if isinstance(seen, Unknown):
            return Finding(path, Truth.UNMET if seen.is_absent else Truth.CANNOT_TELL, seen.reason)
        if not isinstance(seen, bool):
            return Finding(path, Truth.CANNOT_TELL, f"yields {show(seen)}, must yield true or false")
        truth = Truth.MET if seen else Truth.UNMET
        return Finding(path, truth, "true" if seen else "false, must be true")

    def _compare(self, word: Word, field_: str, seen: object, values: tuple[Value, ...]) -> Truth:
        where = read_path(field_)
        kind = where.type_of(self._document.kind) if where else None
        return compare(word, seen, values, kind or FieldType.ANY, self._document.now.tzinfo or UTC)

    def _look(self, field_: str, *, is_before: bool = False) -> object:
        where = read_path(field_)
        if where is None:
            return self._evaluate(field_, is_before=is_before)
        if where.root in {"store", "now", "event"}:
            found = self._document_part(where.root)
            if where.name in found:
                return found[where.name]
            return Unknown("there is no event" if where.root == "event" else "not known", is_absent=not found)
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


def _counted(path: str, truth: Truth) -> Finding:
    return Finding(path, truth, "a change, not looked at here")


def _worded(truth: Truth, shown: str, asked: str) -> str:
    if truth is Truth.MET:
        return shown
    return f"{shown}, must {asked}" if truth is Truth.UNMET else f"{shown} cannot be compared: must {asked}"


def _names_below(root: str, mentioned: frozenset[str]) -> set[str]:
    return {name.split(".", 1)[1] for name in mentioned if name.startswith(f"{root}.")}
