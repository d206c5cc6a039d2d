"""What a rulebook may say, compiled: rules, the targets of their actions, and the rulebook as a value."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, NewType

from .action import ActionKind
from .clock import Hours
from .condition import Condition
from .delivery import StoreAlias
from .problem import Place, Problem
from .subject import SubjectKind

if TYPE_CHECKING:
    from .scenario import Scenario

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
    """One line of `do`. `targets` is empty for what needs none; `places` says where each of them stands."""

    kind: EffectKind
    targets: tuple[Target, ...] = ()
    place: Place | None = None
    places: tuple[Place, ...] = ()


FLAP_LIMIT = 3
"""So many times within 24 hours a rule takes one product, unless it says otherwise."""


HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Limit:
    """On how many products a rule may act within a rolling hour or day in one store; taking and giving back apart.

    `amount` is a number of products, or with `is_percent` a share of those that the last complete sweep found.
    """

    amount: int
    per: timedelta
    is_percent: bool = False


@dataclass(frozen=True, slots=True)
class Floor:
    """A category that a rule never leaves with `fewer_than` products (`never_leave`)."""

    fewer_than: int
    target: Named | Identified
    place: Place | None = field(default=None, compare=False)


LONGEST_PAUSE = timedelta(days=30)
"""The most that `at_most_every` may say: so far back it is remembered what a rule did to a product."""

ASK_TO_EMPTY_OVER = 100
"""A rule that empties categories asks before it takes more products than this, whatever it says itself."""


@dataclass(frozen=True, slots=True)
class Guards:
    """What holds a rule back, and what it does besides, as far as one product tells.

    `must_last` is how long the condition of a `while` rule has to hold before it takes. `at_most_every` is the least
    time between two times that the rule acts on one product. `flap_limit` is how often it takes one product within 24
    hours. `insists` takes again what a person put back. `hours` say when the rule may act, both ways. `fallbacks` are
    the categories to which a product is added when the rule would leave it without any; `fallback_places` says where
    each of them stands. `limits`, `floors` and `ask_over` are judged over all products of a store together: a breach of
    a limit, or more than `ask_over` products within an hour, becomes a question; what is beyond a floor waits.
    """

    must_last: timedelta | None = None
    at_most_every: timedelta | None = None
    flap_limit: int = FLAP_LIMIT
    insists: bool = False
    hours: Hours | None = None
    fallbacks: tuple[Named | Identified, ...] = ()
    fallback_places: tuple[Place, ...] = field(default=(), compare=False)
    limits: tuple[Limit, ...] = ()
    floors: tuple[Floor, ...] = ()
    ask_over: int | None = None

    @property
    def may_ask(self) -> bool:
        """Whether the rule may come to ask a person before it acts."""
        return bool(self.limits) or self.ask_over is not None

    @property
    def is_judged(self) -> bool:
        """Whether what the rule decides is judged over all products together before it is sent."""
        return self.may_ask or bool(self.floors)


NO_GUARDS = Guards()


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. `order` is its place in rule order: files by path, rules top to bottom; the earlier wins.

    `notifies` are the names, in stores.yaml, of those who are told when it acts. `formerly` are codes that it had
    before: their holds are its own.
    """

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
    guards: Guards = NO_GUARDS
    notifies: tuple[str, ...] = ()
    formerly: tuple[RuleCode, ...] = ()

    @property
    def is_while(self) -> bool:
        """Whether the rule holds its effects for a stretch of time."""
        return self.trigger is Trigger.WHILE

    @property
    def leaves(self) -> bool:
        """Whether what the rule took stays as it is when its condition ends."""
        return self.afterwards is Afterwards.LEAVE


@dataclass(frozen=True, slots=True)
class FieldUse:
    """A field that the condition of a rule looks at, and where: `product.stock`, `product.attributes.Shoe size`.

    `via` is the meaning that it is in; the place is then where the rule names the meaning.
    """

    field: str
    place: Place
    via: str = ""


@dataclass(frozen=True, slots=True)
class Rulebook:
    """All rules in rule order, with the texts that they were compiled from (path → text) and their hash.

    `warnings` are worth saying but refuse nothing. `left_out` says for a rule without `stores:` which stores it does
    not run for, and why. `scenarios` are the tests that stand beside the rules. `uses` says which fields each rule
    looks at, also in `unless`.
    """

    hash: RulebookHash
    rules: tuple[Rule, ...] = ()
    texts: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[Problem, ...] = ()
    left_out: Mapping[RuleCode, Mapping[StoreAlias, str]] = field(default_factory=dict)
    scenarios: tuple[Scenario, ...] = ()
    uses: Mapping[RuleCode, tuple[FieldUse, ...]] = field(default_factory=dict)

    def for_store(self, store: StoreAlias) -> tuple[Rule, ...]:
        """The rules that run for this store, in rule order."""
        return tuple(rule for rule in self.rules if store in rule.stores)


def longest_pause(rules: Iterable[Rule]) -> timedelta:
    """The longest `at_most_every` of these rules: so far back it matters when a rule acted."""
    return max((rule.guards.at_most_every or timedelta(0) for rule in rules), default=timedelta(0))
