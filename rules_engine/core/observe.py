"""What a sighting of a slot says about its holds and its open action, by the hold table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from .action import SlotValue
from .holds import Hold, HoldState, Slot
from .plan import ActionState, PlannedAction, Step
from .retry import FIRST, MAX_ATTEMPTS
from .rule import RuleCode
from .view import UNSEEN, Unseen

OURS = frozenset({HoldState.SENT, HoldState.TAKEN, HoldState.HOLDING, HoldState.OWED})
"""States in which what the slot shows may be our doing."""
TOOK = frozenset({HoldState.TAKEN, HoldState.HOLDING})
_TRIED = frozenset({ActionState.SENT, ActionState.WAITING, ActionState.HELD})
"""States of an action that was called for, when nobody knows what came of it."""


@dataclass(frozen=True, slots=True)
class SlotCase:
    """One slot as it is being settled.

    `value` is what the slot is taken to be: what the shop shows, or what we know better while a shop lags.
    `is_certain` is false while a call was made for it and nobody can say whether it happened.
    `action` is its one open action. `closed` are actions that ended on the way; `notes` say why, by rule. `look_at` is
    when the product must be looked at again for this slot's sake. `label` is what people call it.
    """

    slot: Slot
    value: SlotValue | Unseen
    action: PlannedAction | None = None
    closed: tuple[PlannedAction, ...] = ()
    notes: tuple[tuple[RuleCode, str], ...] = ()
    look_at: datetime | None = None
    label: str = ""
    is_certain: bool = True

    @property
    def called(self) -> str:
        """The slot as a sentence names it."""
        return self.label or str(self.slot.ref)

    def close(self, state: ActionState, reason: str, *, at: datetime) -> SlotCase:
        """Without its open action, which ends in `state`."""
        if self.action is None:
            return self
        done_at = at if state is ActionState.CONFIRMED and self.action.done_at is None else self.action.done_at
        ended = replace(self.action, state=state, reason=reason, due_at=None, done_at=done_at)
        return replace(self, action=None, closed=(*self.closed, ended))

    def with_holds(self, change: Callable[[Hold], Hold]) -> SlotCase:
        """With every open hold changed."""
        if not self.slot.holds:
            return self
        holds = tuple(change(hold) if hold.state.is_open else hold for hold in self.slot.holds)
        return replace(self, slot=replace(self.slot, holds=holds))

    def rebased(self, value: SlotValue) -> SlotCase:
        """With another baseline."""
        return self if self.slot.baseline == value else replace(self, slot=replace(self.slot, baseline=value))

    def note(self, rule: RuleCode, text: str) -> SlotCase:
        """With a sentence for the trace of a rule."""
        return replace(self, notes=(*self.notes, (rule, text)))


def moved(hold: Hold, state: HoldState, reason: str, *, at: datetime) -> Hold:
    """The hold in another state."""
    if hold.state is state and hold.reason == reason:
        return hold
    return replace(hold, state=state, reason=reason, changed_at=at)


def observe(
    case: SlotCase, *, at: datetime, lag: timedelta, is_fresh: bool, insisting: frozenset[RuleCode] = frozenset()
) -> SlotCase:
    """What the shop shows, judged by the hold table. `is_fresh` is false when nothing was seen, only remembered.

    `insisting` are the rules that take again what a person put back.
    """
    return _insist_anew(_observed(case, at=at, lag=lag, is_fresh=is_fresh, insisting=insisting), insisting, at=at)


def _insist_anew(case: SlotCase, insisting: frozenset[RuleCode], *, at: datetime) -> SlotCase:
    """With the holds that had stepped back, and whose rule was edited to insist since then, as takers again."""
    for hold in case.slot.holds:
        if hold.state is HoldState.STEPPED_BACK and hold.rule in insisting:
            case = case.note(hold.rule, f"a person undid it ({case.called}): it insists now")
    return case.with_holds(
        lambda hold: (
            moved(hold, HoldState.PENDING, "it insists", at=at)
            if hold.state is HoldState.STEPPED_BACK and hold.rule in insisting
            else hold
        )
    )


def _observed(
    case: SlotCase, *, at: datetime, lag: timedelta, is_fresh: bool, insisting: frozenset[RuleCode]
) -> SlotCase:
    if not is_fresh or case.value is UNSEEN:
        return _resend_unknown(case)
    value: SlotValue = case.value
    if case.action is not None:
        case = _observe_action(case, case.action, value, at=at, lag=lag)
    else:
        case = _observe_holds(case, value, insisting, at=at)
    case = _observe_third_value(case, value, at=at)
    if not any(_is_ours(hold, case.slot, value) for hold in case.slot.holds) and case.value == value:
        # Nothing of this slot is ours: whatever it shows was made by people or other systems.
        case = case.rebased(value)
    return case


def _is_ours(hold: Hold, slot: Slot, value: SlotValue) -> bool:
    """Whether what the slot shows may be this hold's doing; also when it was overruled, but what it took is there.

    One that insists and waits with that is pending too, and by nobody overruled: a person undid what it took.
    """
    if hold.state in OURS:
        return True
    is_there = hold.state is HoldState.PENDING and hold.takes > 0 and hold.wish == value
    return is_there and any(other.state.is_claim and other.wish != hold.wish for other in slot.holds)


def _resend_unknown(case: SlotCase) -> SlotCase:
    """A sent action whose outcome nobody can read is sent again: calls are idempotent by state."""
    action = case.action
    if action is None or action.attempts == 0 or action.state not in _TRIED:
        return case
    if action.state is ActionState.SENT:
        action = replace(action, state=ActionState.WAITING, due_at=None)
    return replace(case, action=action, is_certain=False)


def _observe_third_value(case: SlotCase, value: SlotValue, *, at: datetime) -> SlotCase:
    """What is owed is forgiven when a person chose something else than what was taken, and than what was before."""
    known = {case.slot.baseline, *(hold.wish for hold in case.slot.open_holds)}
    if case.value != value or value in known:
        return case
    return case.with_holds(lambda hold: settle_debt(hold, "a person chose otherwise", at=at))


def _observe_action(
    case: SlotCase, action: PlannedAction, value: SlotValue, *, at: datetime, lag: timedelta
) -> SlotCase:
    if value == action.wish:
        return _observe_as_wished(case, action, value, at=at)
    if action.state is ActionState.SENT:
        return _not_done(case, replace(action, state=ActionState.WAITING), at=at)
    if action.state is ActionState.WAITING:
        return _not_done(case, action, at=at)
    if action.state is ActionState.DONE:
        since = action.done_at or action.created_at
        if at < since + lag:
            # The shop said done and lags behind itself: look again, each time after twice as long.
            pause = max(FIRST, at - since)
            return replace(case, value=action.wish, look_at=min(since + lag, at + pause))
        reason = "the shop said done, but a later read still shows the old value"
        case = case.with_holds(lambda hold: _was_sent(hold, action, at=at))
        return _not_done(case, replace(action, state=ActionState.WAITING, due_at=None, reason=reason), at=at)
    return case


def _observe_as_wished(case: SlotCase, action: PlannedAction, value: SlotValue, *, at: datetime) -> SlotCase:
    if action.attempts > 0:
        case = case.close(ActionState.CONFIRMED, "a read shows it", at=at)
        return shown_as_done(case, action, at=at)
    case = case.close(ActionState.CANCELLED, "it was so already", at=at)
    if action.step is Step.GIVE_BACK:
        return case.with_holds(lambda hold: settle_debt(hold, "somebody else gave it back", at=at))
    if action.step is Step.TAKE:
        case = case.with_holds(
            lambda hold: (
                moved(hold, HoldState.RELEASED, "somebody else did it first", at=at)
                if hold.state is HoldState.PENDING and hold.wish == value
                else hold
            )
        )
    return case


def shown_as_done(case: SlotCase, action: PlannedAction, *, at: datetime) -> SlotCase:
    """The holds after proof that our action happened."""
    if action.step is Step.GIVE_BACK or action.wish == case.slot.baseline:
        case = case.with_holds(lambda hold: settle_debt(hold, "given back", at=at))
    if action.step is Step.TAKE:
        case = held_on(case.with_holds(lambda hold: took(hold, action, HoldState.HOLDING, at=at)), action, at=at)
    return case


def held_on(case: SlotCase, action: PlannedAction, *, at: datetime) -> SlotCase:
    """The slot once a take is done: what is owed by who had taken the same is the taker's to give back, if it will."""
    takers = (hold for hold in case.slot.open_holds if hold.state in TOOK and hold.wish == action.wish)
    taker = next((hold for hold in takers if not hold.is_left), None)
    if taker is None:
        return case
    reason = f"{taker.rule} holds it on"
    return case.with_holds(lambda hold: settle_debt(hold, reason, at=at) if hold.wish == action.wish else hold)


def took(hold: Hold, action: PlannedAction, state: HoldState, *, at: datetime) -> Hold:
    """The hold once its take is done, if this action did it."""
    hold = overruled_by(action, hold, at=at)
    if hold.state is HoldState.OWED and hold.wish == action.wish:
        return replace(hold, takes=max(hold.takes, 1))  # whatever came of its own call, it is taken now
    if hold.wish != action.wish or hold.state not in {HoldState.PENDING, HoldState.SENT, HoldState.TAKEN}:
        return hold
    takes = hold.takes if hold.state is HoldState.TAKEN else hold.takes + 1
    return replace(moved(hold, state, "", at=at), takes=takes)


def overruled_by(action: PlannedAction, hold: Hold, *, at: datetime) -> Hold:
    """The hold once an action for something else is done: what it tried before is undone, whatever came of it."""
    if hold.state is not HoldState.SENT or hold.wish == action.wish:
        return hold
    return moved(hold, HoldState.PENDING, f"overruled by {action.rules[0]}", at=at)


def _was_sent(hold: Hold, action: PlannedAction, *, at: datetime) -> Hold:
    if action.step is Step.TAKE and hold.state is HoldState.TAKEN and hold.wish == action.wish:
        return moved(hold, HoldState.SENT, "the shop said done, but it did not happen", at=at)
    return hold


def settle_debt(hold: Hold, reason: str, *, at: datetime) -> Hold:
    """The hold, released if it was owed."""
    return moved(hold, HoldState.RELEASED, reason, at=at) if hold.state is HoldState.OWED else hold


def _not_done(case: SlotCase, action: PlannedAction, *, at: datetime) -> SlotCase:
    """A read shows that an attempt did nothing: try again, unless that was the last time."""
    case = replace(case, action=action)
    if action.attempts < MAX_ATTEMPTS:
        return case
    return gave_up(case, action.reason or "it was tried too often and did not happen", at=at)


def gave_up(case: SlotCase, reason: str, *, at: datetime) -> SlotCase:
    """The open action becomes a dead letter: what was not taken is not owed; what is owed stays owed."""
    action = case.action
    case = case.close(ActionState.DEAD, reason, at=at)
    if action is None or action.step is not Step.TAKE:
        return case
    return case.with_holds(
        lambda hold: (
            moved(hold, HoldState.NEVER_TAKEN, reason, at=at)
            if hold.state in {HoldState.PENDING, HoldState.SENT} and hold.wish == action.wish
            else hold
        )
    )


def _observe_holds(case: SlotCase, value: SlotValue, insisting: frozenset[RuleCode], *, at: datetime) -> SlotCase:
    """Without an open action, a slot that shows something else than we hold was changed by a person."""
    if value == case.slot.baseline:
        case = case.with_holds(lambda hold: settle_debt(hold, "a read shows it given back", at=at))
    case = case.with_holds(lambda hold: settle_sent(hold, value, at=at))
    taken = [hold for hold in case.slot.holds if hold.state in TOOK]
    if any(hold.wish == value for hold in taken) or not taken:
        return case
    for hold in taken:
        then = "it insists" if hold.rule in insisting else "the rule steps back until it ends"
        case = case.note(hold.rule, f"a person undid it ({case.called}): {then}")
    case = case.with_holds(lambda hold: _undone(hold, value, insisting, at=at))
    return case.rebased(value)


def _undone(hold: Hold, value: SlotValue, insisting: frozenset[RuleCode], *, at: datetime) -> Hold:
    """The hold once a person undid what it took: the person wins, unless its rule insists."""
    if hold.state not in TOOK or hold.wish == value:
        return hold
    if hold.rule in insisting:
        return moved(hold, HoldState.PENDING, "it insists", at=at)
    return moved(hold, HoldState.STEPPED_BACK, "a person changed it back", at=at)


def settle_sent(hold: Hold, value: SlotValue | Unseen, *, at: datetime) -> Hold:
    """A hold whose call was called off before its outcome was known: what is shown now is the outcome."""
    if hold.state is not HoldState.SENT:
        return hold
    if hold.wish == value:
        return replace(moved(hold, HoldState.HOLDING, "", at=at), takes=hold.takes + 1)
    return moved(hold, HoldState.PENDING, "", at=at)
