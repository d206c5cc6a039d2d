"""Slots, their baselines and who holds them: the ledger's values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from .action import SlotRef, SlotValue
from .rule import RuleCode
from .subject import SubjectRef


class HoldState(StrEnum):
    """Where a hold stands. The first six are open; the last three have ended."""

    PENDING = "pending"
    """Decided; no attempt was written, so nothing was taken yet."""
    SENT = "sent"
    """An attempt was written before the call; its outcome is unknown."""
    TAKEN = "taken"
    """The shop said done; no later read has shown it yet."""
    HOLDING = "holding"
    """A read after the answer showed it."""
    STEPPED_BACK = "stepped back"
    """A person undid it: the rule leaves this slot alone until its condition ends."""
    OWED = "owed"
    """The condition ended and the baseline is to be given back; retried until it is."""
    RELEASED = "released"
    """Given back, or there was nothing to give back."""
    NEVER_TAKEN = "never taken"
    """The shop refused for good to do it, so nothing is owed."""
    GONE = "gone"
    """A read said that the product or the category no longer exists."""

    @property
    def is_open(self) -> bool:
        """Whether the hold still matters."""
        return self not in _ENDED

    @property
    def is_claim(self) -> bool:
        """Whether the hold has a say in what the slot should be."""
        return self in _CLAIMS


_ENDED = frozenset({HoldState.RELEASED, HoldState.NEVER_TAKEN, HoldState.GONE})
_CLAIMS = frozenset({HoldState.PENDING, HoldState.SENT, HoldState.TAKEN, HoldState.HOLDING})


@dataclass(frozen=True, slots=True)
class Hold:
    """One rule's hold on one slot, for one episode of one subject.

    `episode` counts the stretches of this rule and subject from 1; `takes` counts how often this hold took the slot.
    `is_left` marks a hold of a rule that gives nothing back. `cause` names what made the rule take it (deliveries, a
    look). `is_ordered` says that a person ordered it to end: what is owed is given back even while its rule is paused
    or gone, and the rule takes the slot no more in this stretch. `stood` is where the product stood in the category
    before, as a sentence can say it (`4 of 20`), empty where nobody knows. `id` is None until stored.
    """

    rule: RuleCode
    subject: SubjectRef
    wish: SlotValue
    episode: int
    state: HoldState
    since: datetime
    takes: int = 0
    is_left: bool = False
    reason: str = ""
    cause: tuple[str, ...] = ()
    changed_at: datetime | None = None
    is_ordered: bool = False
    stood: str = ""
    id: int | None = None


@dataclass(frozen=True, slots=True)
class Slot:
    """One thing about one product that rules hold: its value before the first hold, and its holders."""

    ref: SlotRef
    baseline: SlotValue
    since: datetime
    holds: tuple[Hold, ...] = ()

    @property
    def open_holds(self) -> tuple[Hold, ...]:
        """The holds that have not ended."""
        return tuple(hold for hold in self.holds if hold.state.is_open)
