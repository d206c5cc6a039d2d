"""Which actions of a product may be sent, in what order, and when it is to be looked at for them."""

from __future__ import annotations

from datetime import datetime

from rules_engine.core.action import ActionKind
from rules_engine.core.plan import ActionState, Case, PlannedAction

ADDS = frozenset({ActionKind.ADD_TO_CATEGORY, ActionKind.ASSIGN_BRAND, ActionKind.SHOW})
"""What goes first, so that a product never loses its last category on the way to another."""

TO_SEND = frozenset({ActionState.PENDING, ActionState.WAITING, ActionState.SENT})
"""The states of an action that still has a call to make."""


def next_to_send(case: Case, *, top: str | None) -> list[PlannedAction]:
    """The actions of a product that may be sent as soon as they are due: adds before removes.

    From the category `top`, which the shop leaves only for another, a product is removed once its adds were seen.
    """
    unfinished = [action for action in case.actions.values() if action.state in TO_SEND]
    adds = [action for action in unfinished if action.kind in ADDS]
    is_unseen = any(action.kind in ADDS and action.state is ActionState.DONE for action in case.actions.values())
    return adds or [action for action in unfinished if not (is_unseen and action.target == top)]


def open_since(case: Case, *, now: datetime, top: str | None) -> datetime | None:
    """When a product with open actions is to be looked at again for them, or None when nothing is to be sent."""
    due = [action.due_at or now for action in next_to_send(case, top=top)]
    return max(now, min(due)) if due else None
