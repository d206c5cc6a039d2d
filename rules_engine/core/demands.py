"""What a condition demands of a document: its alternatives, each a list of single looks that must turn out so."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from enum import StrEnum

from .fields import read_path
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
    is_transition,
)
from .words import Change, Emptiness, Word, phrase


class Side(StrEnum):
    """Which look at the subject is meant."""

    NOW = "now"
    BEFORE = "before"


@dataclass(frozen=True, slots=True)
class Ask:
    """A condition that is to be met, or to be unmet, by the subject as it is now or as it was last seen.

    At the look before, nothing is a change, as in the engine's own judgement of moments.
    """

    condition: Condition
    is_met: bool = True
    side: Side = Side.NOW


@dataclass(frozen=True, slots=True)
class SeenBefore:
    """Whether the subject was seen before at all."""


@dataclass(frozen=True, slots=True)
class Demand:
    """One look that must turn out met, or unmet. What it looks at is on its `side`, whatever the rule calls it."""

    leaf: Leaf | SeenBefore
    is_met: bool = True
    side: Side = Side.NOW

    @property
    def field(self) -> str:
        """The field that it looks at, as the rule names it; empty for events and expressions."""
        return self.leaf.field if isinstance(self.leaf, Test | Transition) else ""

    @property
    def asks_for_something(self) -> bool:
        """Whether it asks what the field is to be, and not only what it is not to be."""
        if not isinstance(self.leaf, Test):
            return True
        return self.is_met is (self.leaf.word not in {Word.IS_NOT, Word.NONE_OF})

    @property
    def in_words(self) -> str:
        """The demand in a sentence: `product.stock must be at most 0`."""
        match self.leaf:
            case Test(field, word, value):
                values = value if isinstance(value, tuple) else (value,)
                turned = word if self.is_met else _TURNED.get(word)
                asked = phrase(turned, values) if turned else f"not {phrase(word, values)}"
                was = " before" if self.side is Side.BEFORE else ""
                return f"{field} must {asked}{was}"
            case Happens(what):
                return f"it must {'' if self.is_met else 'not '}be {what}"
            case SeenBefore():
                return "it must have been seen before" if self.is_met else "it must be seen for the first time"
            case Expression(text) | Transition(text):
                return f"`{text[:60]}` must {'' if self.is_met else 'not '}be so"


Group = tuple[Hashable, ...]
"""What can be chosen by itself: a field of one look, or fields of it that follow from each other."""

Alternative = tuple[Ask | Demand, ...]

SEEN, FIRST_SEEN = Demand(SeenBefore()), Demand(SeenBefore(), is_met=False)


def alternatives(ask: Ask, kind: SubjectKind) -> tuple[Alternative, ...]:
    """The ways in which a condition can be as asked: one of them must be so, with all that is in it.

    There is none for what can never be so. A condition that is met (or unmet) is so in one of these ways, because
    known-unmet and met follow from parts that are known.
    """
    match ask.condition:
        case Meaning(_, inner):
            return ((Ask(inner, ask.is_met, ask.side),),)
        case All(parts):
            return _joined(parts, ask, needs_every=ask.is_met, is_met=ask.is_met)
        case AnyOf(parts):
            return _joined(parts, ask, needs_every=not ask.is_met, is_met=ask.is_met)
        case NoneOf(parts):
            return _joined(parts, ask, needs_every=ask.is_met, is_met=not ask.is_met)
        case leaf:
            return _of_leaf(leaf, ask, kind)


def _joined(parts: tuple[Condition, ...], ask: Ask, *, needs_every: bool, is_met: bool) -> tuple[Alternative, ...]:
    every = tuple(Ask(part, is_met, ask.side) for part in parts)
    return (every,) if needs_every else tuple((part,) for part in every)


def _of_leaf(leaf: Leaf, ask: Ask, kind: SubjectKind) -> tuple[Alternative, ...]:
    if ask.side is Side.BEFORE and is_transition(leaf):
        return () if ask.is_met else ((),)
    if isinstance(leaf, Transition):
        return _of_transition(leaf, is_met=ask.is_met)
    where = read_path(leaf.field) if isinstance(leaf, Test) else None
    if isinstance(leaf, Test) and where is not None and where.root == "before":
        shifted = Test(f"{kind}{leaf.field.strip()[len('before') :]}", leaf.word, leaf.value)
        was = Demand(shifted, ask.is_met, Side.BEFORE)
        return ((SEEN, was),) if ask.is_met else ((SEEN, was), (FIRST_SEEN,))
    return ((Demand(leaf, ask.is_met, ask.side),),)


def _of_transition(change: Transition, *, is_met: bool) -> tuple[Alternative, ...]:
    """A change as what is now and what was before."""
    tests = _ends(change) if read_path(change.field) is not None else None
    if tests is None:
        return ((SEEN, Demand(change)),) if is_met else ((SEEN, Demand(change, is_met=False)), (FIRST_SEEN,))
    (was, was_met), (now, now_met) = tests
    if is_met:
        return ((SEEN, Demand(was, was_met, Side.BEFORE), Demand(now, now_met)),)
    return ((SEEN, Demand(now, not now_met)), (SEEN, Demand(was, not was_met, Side.BEFORE)), (FIRST_SEEN,))


def _ends(change: Transition) -> tuple[tuple[Test, bool], tuple[Test, bool]] | None:
    """What the change asks of the look before and of the look now; None where only both together can tell."""
    value = change.value
    if change.word in {Change.BECOMES, Change.WAS} and value is not None:
        if isinstance(value, Emptiness):
            test = Test(change.field, Word.EMPTY if value is Emptiness.EMPTY else Word.NOT_EMPTY)
        else:
            test = Test(change.field, Word.IS, value)
        becomes = change.word is Change.BECOMES
        return (test, not becomes), (test, becomes)
    if change.word in _CROSSINGS and value is not None and not isinstance(value, Emptiness):
        first, then = _CROSSINGS[change.word]
        return (Test(change.field, first, value), True), (Test(change.field, then, value), True)
    return None


_CROSSINGS = {
    Change.RISES_ABOVE: (Word.AT_MOST, Word.MORE_THAN),
    Change.FALLS_BELOW: (Word.AT_LEAST, Word.LESS_THAN),
}

_TURNED = {
    Word.IS: Word.IS_NOT,
    Word.IS_NOT: Word.IS,
    Word.ONE_OF: Word.NONE_OF,
    Word.NONE_OF: Word.ONE_OF,
    Word.EMPTY: Word.NOT_EMPTY,
    Word.NOT_EMPTY: Word.EMPTY,
    Word.AT_MOST: Word.MORE_THAN,
    Word.MORE_THAN: Word.AT_MOST,
    Word.AT_LEAST: Word.LESS_THAN,
    Word.LESS_THAN: Word.AT_LEAST,
}
"""The word that says the opposite, for a sentence about a test that must be unmet."""

_TOGETHER = {
    **dict.fromkeys(("stock", "tracks_stock", "in_stock", "can_be_ordered"), "stock"),
    **dict.fromkeys(("price", "compare_at_price", "on_sale"), "price"),
}
"""Fields that follow from each other, under one name."""

STORE: Group = ("store",)
EVENT: Group = ("event",)
SIGHT: Group = ("sight",)


def group_of(demand: Demand, kind: SubjectKind) -> Group | None:
    """What the demand is about; None where only the whole document can tell: expressions, and what changes at all."""
    leaf = demand.leaf
    if isinstance(leaf, SeenBefore):
        return SIGHT
    if isinstance(leaf, Happens):
        return EVENT
    return group_of_field(leaf.field, demand.side, kind) if isinstance(leaf, Test) else None


def group_of_field(field: str, side: Side, kind: SubjectKind) -> Group | None:
    """What a field is chosen with; None for what is no plain path of this subject."""
    where = read_path(field)
    if where is None:
        return None
    if where.root in {"store", "event"}:
        return STORE if where.root == "store" else EVENT
    if where.root == "now":
        return (side, "now")
    if where.root != kind:
        return None
    if where.name == "attributes" and where.rest:
        return (side, "attributes", where.rest[0].strip())
    if where.name == "raw":
        return (side, "raw", *where.rest)
    return (side, _TOGETHER.get(where.name, where.name) if kind is SubjectKind.PRODUCT else where.name)
