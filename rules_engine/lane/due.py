"""Which actions of a product may be sent, in what order, and when it is to be looked at for them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from rules_engine.core.action import ActionKind, Aspect
from rules_engine.core.plan import ActionState, Case, PlannedAction

ADDS = frozenset({ActionKind.ADD_TO_CATEGORY, ActionKind.ASSIGN_BRAND, ActionKind.SHOW})
"""What goes first, so that a product never loses its last category on the way to another."""

TO_SEND = frozenset({ActionState.PENDING, ActionState.WAITING, ActionState.SENT})
"""The states of an action that still has a call to make."""


def next_to_send(case: Case, *, now: datetime, top: str | None) -> list[PlannedAction]:
    """The actions of a product that may be sent as soon as they are due: adds before removes.

    An add that waits for its hours, or for another try, holds back only the removes of its own rule, and those that
    might take the product's last category; so does one that is held back, which itself is not sent. From the category
    `top`, which the shop leaves only for another, a product is removed once its adds were seen.
    """
    unfinished = [action for action in case.actions.values() if action.state in TO_SEND]
    adds = [action for action in unfinished if action.kind in ADDS]
    is_unseen = any(action.kind in ADDS and action.state is ActionState.DONE for action in case.actions.values())
    removes = [a for a in unfinished if a.kind not in ADDS and not (is_unseen and a.target == top)]
    if any(action.due_at is None or action.due_at <= now for action in adds):
        return adds
    held = [a for a in case.actions.values() if a.state is ActionState.HELD and a.kind in ADDS]
    if not adds and not held:
        return removes
    waiting = {rule for action in (*adds, *held) for rule in action.rules}
    free = (a for a in removes if waiting.isdisjoint(a.rules) and _keeps_a_category(case, a, removes, top))
    return [*adds, *free]


def _keeps_a_category(case: Case, action: PlannedAction, removes: Sequence[PlannedAction], top: str | None) -> bool:
    """Whether the product is known to be in a category still, once all removes are made; or this is not about one."""
    if action.slot.aspect is not Aspect.MEMBERSHIP:
        return True
    member_of = (case.snapshot.fields if case.snapshot else {}).get("category_ids", ())
    leaving = {each.slot.target for each in removes if each.slot.aspect is Aspect.MEMBERSHIP}
    return bool(set(member_of) - leaving - {top})


def open_since(case: Case, *, now: datetime, top: str | None) -> datetime | None:
    """When a product with open actions is to be looked at again for them, or None when nothing is to be sent."""
    due = [action.due_at or now for action in next_to_send(case, now=now, top=top)]
    return max(now, min(due)) if due else None
