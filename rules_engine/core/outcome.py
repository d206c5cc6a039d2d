"""What an answer of the shop means for the case of a product: its action, its holds and what we know of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from .action import ActionKey, Done, LookAgain, NothingToDo, Verdict
from .directory import Directory
from .errors import AuthenticationError, PermanentError, TemporaryError
from .holds import HoldState, Slot
from .observe import SlotCase, gave_up, held_on, moved, overruled_by, settle_debt, shown_as_done, took
from .plan import ActionState, Case, PlannedAction, Step
from .retry import MAX_ATTEMPTS
from .subject import Snapshot
from .view import with_slots


def attempted(case: Case, key: ActionKey, *, at: datetime) -> Case:
    """The case once an attempt is written, before the call: from now on it may be our doing."""
    planned = case.actions[key]

    action = replace(planned, state=ActionState.SENT, attempts=planned.attempts + 1, due_at=None, called_at=at)
    slot_case = _slot_case(case, action)
    if action.step is Step.TAKE:
        slot_case = slot_case.with_holds(
            lambda hold: (
                moved(hold, HoldState.SENT, "", at=at)
                if hold.state is HoldState.PENDING and hold.wish == action.wish
                else hold
            )
        )
    return _with(case, slot_case)


def answered(
    case: Case,
    key: ActionKey,
    verdict: Verdict,
    *,
    at: datetime,
    retry_in: timedelta,
    is_proven: bool,
    counts: bool,
    directory: Directory,
) -> Case:
    """The case after the shop's answer to an attempt.

    `is_proven` says that this shop's answer proves the effect, as a read would. `counts` is false for a failure of
    the whole shop (no answer, too many requests, unavailable): it does not bring the action nearer to its end.
    """
    action = case.actions[key]
    slot_case = _slot_case(case, action)
    match verdict:
        case Done() | NothingToDo():
            owed = (hold for hold in slot_case.slot.open_holds if hold.state is HoldState.OWED)
            is_owed = any(hold.wish == action.wish for hold in owed)  # an earlier call of ours may have done it
            is_ours = isinstance(verdict, Done) or action.attempts > 1 or is_owed
            is_shown = is_proven or (isinstance(verdict, Done) and verdict.is_shown)
            slot_case = _done(slot_case, action, at=at, is_ours=is_ours, is_shown=is_shown)
            return _with_effect(_with(case, slot_case), action, directory=directory)
        case LookAgain():
            # It stays sent until a read tells; if that shows nothing done, it is due again then.
            unclear = replace(action, reason=verdict.reason, due_at=at + retry_in)
            return _with(case, replace(slot_case, action=unclear))
        case AuthenticationError():
            return _with(case, _wait(slot_case, action, str(verdict), at=at, retry_in=retry_in, counts=False))
        case TemporaryError():
            is_last = counts and action.attempts >= MAX_ATTEMPTS
            if is_last:
                return _with(case, gave_up(slot_case, str(verdict), at=at))
            return _with(case, _wait(slot_case, action, str(verdict), at=at, retry_in=retry_in, counts=counts))
        case PermanentError():
            return _with(case, gave_up(slot_case, str(verdict), at=at))


def _slot_case(case: Case, action: PlannedAction) -> SlotCase:
    slot = case.slots.get(action.slot) or Slot(action.slot, baseline=None, since=action.created_at)
    return SlotCase(slot, value=action.wish, action=action)


def _with(case: Case, slot_case: SlotCase) -> Case:
    actions = dict(case.actions)
    for action in (*slot_case.closed, *([slot_case.action] if slot_case.action else [])):
        actions[action.key] = action
    slots = dict(case.slots)
    if slot_case.slot.holds:
        slots[slot_case.slot.ref] = slot_case.slot
    return replace(case, actions=actions, slots=slots)


def _done(slot_case: SlotCase, action: PlannedAction, *, at: datetime, is_ours: bool, is_shown: bool) -> SlotCase:
    if not is_ours:
        return _done_by_another(slot_case, action, at=at)
    if is_shown:
        slot_case = slot_case.close(ActionState.CONFIRMED, "the answer shows it", at=at)
        return shown_as_done(slot_case, action, at=at)
    done = replace(action, state=ActionState.DONE, done_at=at, due_at=None, reason="")
    slot_case = replace(slot_case, action=done)
    if action.step is Step.TAKE:
        return held_on(slot_case.with_holds(lambda hold: took(hold, action, HoldState.TAKEN, at=at)), action, at=at)
    return slot_case


def _done_by_another(slot_case: SlotCase, action: PlannedAction, *, at: datetime) -> SlotCase:
    """The shop had nothing to do at our first attempt: somebody else did it, and nothing is owed."""
    slot_case = slot_case.close(ActionState.CONFIRMED, "it was so already", at=at)
    if action.step is Step.TAKE:
        slot_case = slot_case.with_holds(
            lambda hold: (
                moved(hold, HoldState.RELEASED, "somebody else did it first", at=at)
                if hold.state is HoldState.SENT and hold.wish == action.wish
                else overruled_by(action, hold, at=at)
            )
        )
    if action.step is Step.GIVE_BACK or action.wish == slot_case.slot.baseline:
        slot_case = slot_case.with_holds(lambda hold: settle_debt(hold, "somebody else gave it back", at=at))
    return slot_case.rebased(action.wish) if action.step is Step.TAKE else slot_case


def _wait(
    slot_case: SlotCase, action: PlannedAction, reason: str, *, at: datetime, retry_in: timedelta, counts: bool
) -> SlotCase:
    # At least one attempt is remembered: it says that what a read shows may be our doing.
    attempts = action.attempts if counts else max(1, action.attempts - 1)
    waiting = replace(action, state=ActionState.WAITING, attempts=attempts, due_at=at + retry_in, reason=reason)
    return replace(slot_case, action=waiting)


def _with_effect(case: Case, action: PlannedAction, *, directory: Directory) -> Case:
    """What was done is known from now on, in the same breath: our own echo then equals what we know."""
    if case.snapshot is None:
        return case
    fields = with_slots(case.snapshot.fields, {action.slot: action.wish}, directory)
    if fields == dict(case.snapshot.fields):
        return case
    snapshot = Snapshot(case.ref, fields, case.snapshot.version)
    return replace(case, snapshot=snapshot, revision=case.revision + 1)
