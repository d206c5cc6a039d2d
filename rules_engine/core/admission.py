"""What becomes of an action that the limits of its rule judge: let through, held back, or not to be done at all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from .action import ActionKey
from .holds import Hold, HoldState
from .observe import moved
from .plan import ActionState, Case, PlannedAction, Step
from .question import QuestionId


def is_ordered(case: Case, action: PlannedAction) -> bool:
    """Whether a person ordered it, so that no limit holds it back."""
    if action.step is Step.UNDO:
        return True
    slot = case.slots.get(action.slot)
    owed = (hold for hold in (slot.open_holds if slot else ()) if hold.state is HoldState.OWED)
    return action.step is Step.GIVE_BACK and any(hold.is_ordered and hold.rule == action.rules[0] for hold in owed)


def let_through(case: Case, key: ActionKey, *, at: datetime | None) -> Case:
    """The case with an action that may be sent. With `at` it is admitted, and counts; else it is judged when it is due.

    What it was asked for stays named, if it was asked for.
    """
    action = case.actions[key]
    if action.state is not ActionState.HELD:
        return _with(case, replace(action, admitted_at=at))
    # One that was called for before is tried again, not for the first time.
    state = ActionState.WAITING if action.attempts else ActionState.PENDING
    return _with(case, replace(action, state=state, reason="", admitted_at=at))


def held_back(case: Case, key: ActionKey, reason: str, *, question: QuestionId | None) -> Case:
    """The case with an action that is not to be sent now: because of a question, or until a category fills again."""
    action = case.actions[key]
    return _with(
        case,
        replace(action, state=ActionState.HELD, reason=reason, question=question, admitted_at=None, is_whole=False),
    )


def refused(case: Case, key: ActionKey, reason: str, *, at: datetime) -> Case:
    """The case without an action that a person does not want: what it was to take is left for the rest of the stretch.

    What it was to give back stays as it is, and is owed no more.
    """
    action = case.actions[key]
    who = (action.rules[0], action.about)

    def end(hold: Hold) -> Hold:
        if (hold.rule, hold.subject) != who:
            return hold
        is_untaken = hold.state in {HoldState.PENDING, HoldState.SENT} and hold.wish == action.wish
        if action.step is Step.TAKE and is_untaken:
            return moved(hold, HoldState.NEVER_TAKEN, reason, at=at)
        if action.step is Step.GIVE_BACK and hold.state is HoldState.OWED:
            return moved(hold, HoldState.RELEASED, reason, at=at)
        return hold

    ended = replace(action, state=ActionState.CANCELLED, reason=reason, due_at=None, admitted_at=None)
    return _with_holds(_with(case, ended), action, end)


def _with(case: Case, action: PlannedAction) -> Case:
    return replace(case, actions={**case.actions, action.key: action})


def _with_holds(case: Case, action: PlannedAction, change: Callable[[Hold], Hold]) -> Case:
    slot = case.slots.get(action.slot)
    if slot is None:
        return case
    changed = replace(slot, holds=tuple(change(hold) for hold in slot.holds))
    return replace(case, slots={**case.slots, action.slot: changed})
