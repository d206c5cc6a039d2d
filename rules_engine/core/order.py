"""Orders: what a person told us to do with what rules hold of a product, or did to it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from .action import SlotRef, SlotValue
from .rule import RuleCode


class OrderKind(StrEnum):
    """What is ordered."""

    GIVE_BACK = "give back"
    """The rule gives back what it holds, though its condition may still hold; it takes no more in this stretch."""
    KEEP = "keep"
    """The rule lets go, and what it took stays as it is, for good."""
    RESUME = "resume"
    """The rule had stepped back for a person, or was told no: it takes again."""
    REVERT = "revert"
    """What a moment did is undone, if the slot still is as the moment made it."""


@dataclass(frozen=True, slots=True)
class Order:
    """One order about one product. `slot` is None where all slots are meant that the rule holds of it.

    `rule` is empty where all rules are meant. For `REVERT`, `expects` is how the moment left the slot and `wish` how it
    was before. `because` is the command that gave it, in words; `at` is when. `outcome` says in a sentence what came of
    it; empty until it is carried out.
    """

    id: int
    kind: OrderKind
    rule: RuleCode
    slot: SlotRef | None
    at: datetime
    because: str
    wish: SlotValue = None
    expects: SlotValue = None
    outcome: str = ""

    @property
    def is_open(self) -> bool:
        """Whether it is still to be carried out."""
        return not self.outcome
