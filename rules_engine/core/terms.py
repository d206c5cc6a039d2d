"""What a condition can be, as values: tests of fields, changes, events, expressions, and how they are joined."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from . import expression
from .fields import read_path
from .finding import Kind
from .words import Change, Emptiness, Value, Word


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


Leaf = Test | Transition | Happens | Expression
"""A condition that looks at the document itself."""

Condition = All | AnyOf | NoneOf | Test | Transition | Happens | Expression | Meaning


def has_transition(condition: Condition) -> bool:
    """Whether the condition, or a part of it, is true for a moment only: it looks at a change or an event."""
    return any(is_transition(leaf) for leaf in leaves_of(condition))


def happens_in(condition: Condition) -> bool:
    """Whether the condition, or a part of it, asks for an event by `happens`."""
    return any(isinstance(leaf, Happens) for leaf in leaves_of(condition))


def fields_of(condition: Condition) -> frozenset[str]:
    """The document's fields that the condition uses, as `product.stock`; the whole of `product` as `product`."""
    found: set[str] = set()
    for leaf in leaves_of(condition):
        if isinstance(leaf, Test | Transition):
            where = read_path(leaf.field)
            found |= {where.field} if where else expression.fields_in(leaf.field)
        elif isinstance(leaf, Expression):
            found |= expression.fields_in(leaf.text)
    return frozenset(found)


def leaves_of(condition: Condition) -> Iterator[Leaf]:
    """What the condition is made of, in the order in which the rule names it."""
    match condition:
        case All(parts) | AnyOf(parts) | NoneOf(parts):
            for part in parts:
                yield from leaves_of(part)
        case Meaning(_, inner):
            yield from leaves_of(inner)
        case _:
            yield condition


def is_transition(leaf: Leaf) -> bool:
    """Whether the leaf is true for a moment only."""
    match leaf:
        case Test():
            where = read_path(leaf.field)
            return where.is_moment if where else expression.looks_at_moment(leaf.field)
        case Expression():
            return expression.looks_at_moment(leaf.text)
        case _:
            return True


def kind_of(leaf: Leaf) -> tuple[Kind, str]:
    """What kind of condition the leaf is, and what it looks at: the field, the event or the expression."""
    match leaf:
        case Test(field):
            return Kind.FIELD, field
        case Transition(field):
            return Kind.CHANGE, field
        case Happens(what):
            return Kind.EVENT, what
        case Expression(text):
            return Kind.EXPRESSION, text
