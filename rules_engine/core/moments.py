"""Moments: what a rule does once, as soon as its condition holds, and gives back to nobody."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from .action import ActionKey, SlotRef, SlotValue
from .aim import STOPPED, action_key, call_for, deed, is_mute, left_to, wanted, when_due
from .bounds import Bounds
from .condition import Truth
from .holds import Hold, HoldState
from .judge import Judged
from .observe import SlotCase
from .plan import ActionState, PlannedAction, Step
from .rule import RuleCode
from .subject import SubjectRef
from .view import Unseen


@dataclass(frozen=True, slots=True)
class Moment:
    """A rule's moment for one subject. `revision` is that of the snapshot that showed it: part of the key."""

    rule: RuleCode
    subject: SubjectRef
    revision: int


@dataclass(frozen=True, slots=True)
class MomentWish:
    """What a moment wants of one slot."""

    moment: Moment
    slot: SlotRef
    wish: SlotValue


def make_moment(case: SlotCase, wanting: MomentWish, bounds: Bounds, *, known: frozenset[ActionKey]) -> SlotCase:
    """The slot with the moment's action, unless a hold beats it, an earlier rule was first, or it is so already."""
    rule, wish, at = wanting.moment.rule, wanting.wish, bounds.at
    ref = case.slot.ref
    value = case.value
    if isinstance(value, Unseen):
        return case.note(rule, f"{case.called}: cannot tell what it is now, so nothing is called")
    goal = wanted(case.slot, bounds.order, bounds.live)
    if goal is not None and not (goal.holder is not None and is_mute(goal.holder, bounds.live)):
        if goal.wish == wish or goal.holder is None:
            # What is held or owed already stays so afterwards: there is nothing to give back any more.
            return case.rebased(wish).note(rule, f"{case.called}: {_is_so_by(goal.holder)}")
        return case.note(rule, f"{case.called}: overruled by {goal.holder.rule}")
    if case.action is not None and bounds.outlasts_pause(case.action):
        if value == wish:
            return case.note(rule, f"{case.called}: it is so already")
        case = left_to(rule, case, case.action, bounds)
    if case.action is not None and case.action.wish == wish:
        return case
    if case.action is not None and case.action.created_at == at:
        return case.note(rule, f"{case.called}: overruled by {case.action.rules[0]}")
    case = case.close(ActionState.CANCELLED, f"a later moment of {rule} wants otherwise", at=at)
    if value == wish:
        return case.note(rule, f"{case.called}: it is so already")
    key = action_key(bounds.store, ref, rule, f"{wanting.moment.subject}@{wanting.moment.revision}", Step.MOMENT)
    if key in known:
        return case
    kind, target = call_for(ref, value, wish)
    action = PlannedAction(
        key=key,
        kind=kind,
        slot=ref,
        target=target,
        wish=wish,
        step=Step.MOMENT,
        rules=(rule,),
        about=wanting.moment.subject,
        state=ActionState.PENDING,
        created_at=at,
        caused_by=bounds.caused_by,
    )
    return replace(case, action=action).note(rule, when_due(deed(kind, case.called, target), rule, bounds))


def _is_so_by(holder: Hold | None) -> str:
    is_untaken = holder is not None and holder.state is HoldState.PENDING and holder.takes == 0
    return f"{holder.rule} is to make it so" if holder is not None and is_untaken else "held so already, and stays so"


def lapse(case: SlotCase, judged: Sequence[Judged], bounds: Bounds) -> SlotCase:
    """A moment that had to wait is judged again: if its state parts no longer hold, it lapses and says so."""
    action = case.action
    if action is None or action.step is not Step.MOMENT:
        return case
    if action.state not in {ActionState.PENDING, ActionState.HELD, ActionState.WAITING}:
        return case
    rule = action.rules[0]
    at = bounds.at
    if bounds.outlasts_pause(action):
        return replace(case, action=replace(action, state=ActionState.HELD))
    if rule not in bounds.live:
        reason = f"lapsed: {STOPPED}" if bounds.is_stopped else "lapsed: the rule no longer runs"
        return case.close(ActionState.CANCELLED, reason, at=at)
    standing = next((each for each in judged if each.rule.code == rule), None)
    if standing is not None and standing.stands is Truth.UNMET:
        reason = "lapsed: what it waited for no longer holds"
        return case.close(ActionState.CANCELLED, reason, at=at).note(rule, f"{case.called}: {reason}")
    return case
