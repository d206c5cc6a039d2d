"""What a rulebook may say, compiled: rules, the targets of their actions, and the rulebook as a value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NewType

from .action import ActionKind
from .condition import Condition
from .delivery import StoreAlias
from .problem import Place, Problem
from .subject import SubjectKind

RuleCode = NewType("RuleCode", str)
"""A rule's identity: the key under `rules:`. Its holds hang on it."""

RulebookHash = NewType("RulebookHash", str)


class Trigger(StrEnum):
    """The first word of a rule."""

    WHILE = "while"
    AS_SOON_AS = "as_soon_as"


class Mode(StrEnum):
    """How far a rule may go."""

    LIVE = "live"
    WATCH = "watch"
    PAUSED = "paused"


class Afterwards(StrEnum):
    """What happens to what a `while` rule took, when its condition ends."""

    PUT_BACK = "put back"
    LEAVE = "leave"


class EffectKind(StrEnum):
    """What a rule may ask for: every kind of action, and emptying the category that the rule is about."""

    ADD_TO_CATEGORY = "add_to_category"
    REMOVE_FROM_CATEGORY = "remove_from_category"
    ASSIGN_BRAND = "assign_brand"
    UNASSIGN_BRAND = "unassign_brand"
    SHOW = "show"
    HIDE = "hide"
    EMPTY_CATEGORY = "empty_category"

    @property
    def actions(self) -> frozenset[ActionKind]:
        """The actions that a shop must be able to do, both ways, for this effect."""
        return _NEEDS[self]


_MEMBERSHIP = frozenset({ActionKind.ADD_TO_CATEGORY, ActionKind.REMOVE_FROM_CATEGORY})
_BRAND = frozenset({ActionKind.ASSIGN_BRAND, ActionKind.UNASSIGN_BRAND})
_VISIBILITY = frozenset({ActionKind.SHOW, ActionKind.HIDE})
_NEEDS = {
    EffectKind.ADD_TO_CATEGORY: _MEMBERSHIP,
    EffectKind.REMOVE_FROM_CATEGORY: _MEMBERSHIP,
    EffectKind.EMPTY_CATEGORY: _MEMBERSHIP,
    EffectKind.ASSIGN_BRAND: _BRAND,
    EffectKind.UNASSIGN_BRAND: _BRAND,
    EffectKind.SHOW: _VISIBILITY,
    EffectKind.HIDE: _VISIBILITY,
}


@dataclass(frozen=True, slots=True)
class Named:
    """A category or brand by its name, or by a path such as `Home / Featured`."""

    name: str


@dataclass(frozen=True, slots=True)
class Identified:
    """A category or brand by the shop's id."""

    id: str


@dataclass(frozen=True, slots=True)
class Under:
    """Every category below this one that the product is in; only for taking products out."""

    target: Named | Identified


@dataclass(frozen=True, slots=True)
class Every:
    """Every category that the product is in (`all`); only for taking products out."""


Target = Named | Identified | Under | Every


@dataclass(frozen=True, slots=True)
class Effect:
    """One line of `do`. `targets` is empty for what needs none."""

    kind: EffectKind
    targets: tuple[Target, ...] = ()
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. `order` is its place in rule order: files by path, rules top to bottom; the earlier wins."""

    code: RuleCode
    order: int
    place: Place
    about: SubjectKind
    trigger: Trigger
    condition: Condition
    effects: tuple[Effect, ...]
    stores: tuple[StoreAlias, ...]
    title: str = ""
    unless: Condition | None = None
    mode: Mode = Mode.LIVE
    because: str = ""
    afterwards: Afterwards = Afterwards.PUT_BACK
    acts_at_first_sight: bool = False

    @property
    def is_while(self) -> bool:
        """Whether the rule holds its effects for a stretch of time."""
        return self.trigger is Trigger.WHILE

    @property
    def leaves(self) -> bool:
        """Whether what the rule took stays as it is when its condition ends."""
        return self.afterwards is Afterwards.LEAVE


@dataclass(frozen=True, slots=True)
class Rulebook:
    """All rules in rule order, with the texts that they were compiled from (path → text) and their hash.

    `warnings` are worth saying but refuse nothing. `left_out` says for a rule without `stores:` which stores it does
    not run for, and why.
    """

    hash: RulebookHash
    rules: tuple[Rule, ...] = ()
    texts: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[Problem, ...] = ()
    left_out: Mapping[RuleCode, Mapping[StoreAlias, str]] = field(default_factory=dict)

    def for_store(self, store: StoreAlias) -> tuple[Rule, ...]:
        """The rules that run for this store, in rule order."""
        return tuple(rule for rule in self.rules if store in rule.stores)
