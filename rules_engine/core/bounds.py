"""The bounds within which rules may act on one product at one sighting: who may, in what order, when, how often."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo

from .action import ActionKey, SlotRef
from .clock import say_duration, say_time
from .holds import Hold
from .plan import ActionState, PlannedAction
from .rule import NO_GUARDS, Guards, RuleCode
from .subject import SubjectRef

FLAP_WINDOW = timedelta(hours=24)
"""A rule takes one product at most `Guards.flap_limit` times within this, then waits."""

_ONLY_DECIDED = frozenset({ActionState.PENDING, ActionState.HELD})

WAITS_UNTIL = "; waits until "
"""What the reason of a hold has in it that is put off, because its rule acted too often or too lately."""

Who = tuple[RuleCode, SubjectRef]
"""A rule and the subject of its stretch: a rule about categories holds a product once for each category."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Until when (aware UTC) a rule acts on the product no more, and why. Its `text` is the same each time."""

    until: datetime
    said: str
    hour: str

    @property
    def text(self) -> str:
        """The wait as a sentence of a trace."""
        return f"{self.said}{WAITS_UNTIL}{self.hour}"


@dataclass(frozen=True, slots=True)
class Bounds:
    """What deciding about slots needs to know of the rules.

    `live` are the rules that may act at all: not those that are paused, watch, or are gone from the rulebook;
    `paused` are the paused ones. `acts` are the times at which each rule lately acted on this product. `dead` are the
    keys of dead letters, which are not tried again unless a person says so. `fallbacks` are the slots, with whoever
    wants them, that are wanted only because no category would be left. `is_stopped` says that a person stopped
    everything. `loses` says in words what the shop does not restore when something is given back.
    """

    store: str
    at: datetime
    zone: tzinfo = UTC
    order: Mapping[RuleCode, int] = field(default_factory=dict)
    live: frozenset[RuleCode] = frozenset()
    paused: frozenset[RuleCode] = frozenset()
    guards: Mapping[RuleCode, Guards] = field(default_factory=dict)
    acts: Mapping[RuleCode, Sequence[datetime]] = field(default_factory=dict)
    dead: frozenset[ActionKey] = frozenset()
    caused_by: tuple[str, ...] = ()
    fallbacks: frozenset[tuple[SlotRef, Who]] = frozenset()
    is_stopped: bool = False
    loses: str = ""

    def may_speak(self, hold: Hold) -> bool:
        """Whether something may be done in the name of a hold: its rule may act, or a person ordered it."""
        return not self.is_stopped and (hold.rule in self.live or hold.is_ordered)

    def outlasts_pause(self, action: PlannedAction) -> bool:
        """Whether an action stays decided though its rule is paused: people were asked for it, or said yes to it.

        Their answer counts once the rule runs again.
        """
        is_asked = action.question is not None and action.state in _ONLY_DECIDED
        return is_asked and action.rules[0] in self.paused

    def opening(self, rule: RuleCode) -> datetime | None:
        """When the rule's hours let it act next (aware UTC), or None when they let it now."""
        hours = self._guards_of(rule).hours
        return hours.opens_at(self.at.astimezone(self.zone)) if hours is not None else None

    def insists(self, rule: RuleCode) -> bool:
        """Whether the rule takes again what a person put back, and may."""
        return rule in self.live and self._guards_of(rule).insists

    def calm(self, rule: RuleCode, *, is_urgent: bool = False) -> Wait | None:
        """The wait of a rule that took this product too often or too lately, or None when it may take now.

        What is urgent does not wait for the rule's last act: a fallback, without which the product would have no
        category that long, and a call of which nobody knows whether it happened.
        """
        guards = self._guards_of(rule)
        lately = sorted(when for when in self.acts.get(rule, ()) if when > self.at - FLAP_WINDOW)
        waits = [] if is_urgent else [self.pause(rule)]
        if lately and len(lately) >= guards.flap_limit:
            until = lately[-guards.flap_limit] + FLAP_WINDOW
            often = "once" if guards.flap_limit == 1 else f"{guards.flap_limit} times"
            waits.append(Wait(until, f"taken {often} in 24 hours", self._date(until)))
        return max((wait for wait in waits if wait is not None), key=lambda wait: wait.until, default=None)

    def pause(self, rule: RuleCode, *, and_open: Iterable[PlannedAction] = ()) -> Wait | None:
        """The wait of a rule that acts on one product only every so often, or None when it may act now.

        Its actions among `and_open` count as well, though no call was made for them yet.
        """
        span = self._guards_of(rule).at_most_every
        planned = (action.created_at for action in and_open if action.rules[0] == rule)
        last = max((*self.acts.get(rule, ()), *planned), default=None)
        if span is None or last is None or self.at >= last + span:
            return None
        return Wait(last + span, f"acts at most every {say_duration(span)}", self._date(last + span))

    def hour(self, when: datetime) -> str:
        """A time to come in a sentence, in the store's time zone: `09:00 (Asia/Riyadh)`; with its date if it is far."""
        return say_time(when, at=self.at, zone=self.zone)

    def _date(self, when: datetime) -> str:
        return f"{when.astimezone(self.zone):%Y-%m-%d %H:%M} ({self.zone})"

    def _guards_of(self, rule: RuleCode) -> Guards:
        return self.guards.get(rule, NO_GUARDS)
