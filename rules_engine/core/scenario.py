"""A rule's test as a value: what the shop shows, what happens then, and what the rule is expected to do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from .delivery import StoreAlias
from .problem import Place
from .rule import Effect, RuleCode
from .subject import SubjectKind


class Expected(StrEnum):
    """What a test can expect besides actions."""

    NOTHING = "nothing"
    """The rule makes no call."""
    CANNOT_TELL = "cannot tell"
    """Its condition is neither met nor unmet, and it makes no call."""
    ASKS = "asks"
    """It asks a person before it takes anything, and makes no call before a yes."""


@dataclass(frozen=True, slots=True)
class Glimpse:
    """What the shop shows at one moment of a test.

    `fields` are those of the product or category that the test names, as plain values: in the first glimpse every
    other field is known to be empty, in a later one it is as it was, with what the rule did. Categories are named or
    given by their path (`Home / Featured`). `unknown` are fields that nobody knows. `event` is created, updated or
    deleted; with deleted the subject is gone. `after` is the time since the glimpse before.
    """

    fields: Mapping[str, Any] = field(default_factory=dict)
    unknown: frozenset[str] = frozenset()
    event: str = "updated"
    after: timedelta = timedelta(0)


@dataclass(frozen=True, slots=True)
class Scenario:
    """One test of one rule.

    `before` is what was seen before `given`: its fields lie over those of `given`. Without it `given` is the first
    sight. `held` are lines of `do` that the rule did earlier and holds. `members` are the SKUs of the products in the
    category, for a rule about categories. `after` is the time that passes once the last glimpse was seen. `expect` is
    about what the rule does from that glimpse on; the order does not count. `at` is when `given` is seen, aware, in
    the store's time zone (None: a Monday at noon).
    """

    rule: RuleCode
    name: str
    place: Place
    about: SubjectKind
    given: Glimpse
    expect: tuple[Effect, ...] | Expected
    before: Glimpse | None = None
    then: tuple[Glimpse, ...] = ()
    held: tuple[Effect, ...] = ()
    members: tuple[str, ...] = ()
    after: timedelta = timedelta(0)
    at: datetime | None = None
    store: StoreAlias | None = None
