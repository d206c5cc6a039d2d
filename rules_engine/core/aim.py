"""What a slot should be, and the one open action that makes it so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID, uuid5

from .action import ActionKey, ActionKind, Aspect, SlotRef, SlotValue
from .bounds import WAITS_UNTIL, Bounds, Wait
from .holds import Hold, HoldState, Slot
from .observe import TOOK, SlotCase, moved, settle_sent
from .plan import ActionState, PlannedAction, Step
from .rule import RuleCode
from .view import UNSEEN, Unseen

NAMESPACE = UUID("6f0f3a52-6d1c-5a0e-9a43-4b7d1f0c2e11")
"""The namespace of all idempotency keys."""

OUT_OF_HOURS = "waits for the hours in which its rule may act"
"""The reason of an action that was tried before and is out of its rule's hours now."""
STOPPED = "everything is paused"
"""The reason of what is not called because a person stopped everything."""
STOPPED_FOR = timedelta(hours=1)
"""An undoing that is stopped is looked at again after this; that everything is resumed brings it back sooner."""

_NOT_CALLED = frozenset({ActionState.PENDING, ActionState.HELD, ActionState.WAITING})
_ONLY_DECIDED = frozenset({ActionState.PENDING, ActionState.HELD})
MAY_NOT_ACT = "its rule may not act now, and nothing was taken"
"""Why a hold ends that only wanted something, when its rule is paused, only watches, or is gone."""
ONCE = frozenset({Step.MOMENT, Step.UNDO})
"""The steps that no hold stands behind: what they make is what people would have made."""


@dataclass(frozen=True, slots=True)
class Aim:
    """What a slot should be, and by whose word. `holder` is None when the baseline is wanted."""

    wish: SlotValue
    holder: Hold | None
    debtor: Hold | None = None

    @property
    def speaker(self) -> Hold | None:
        """The hold in whose name it is done: within the hours and limits of its rule."""
        return self.holder or self.debtor


def wanted(slot: Slot, order: Mapping[RuleCode, int], live: frozenset[RuleCode]) -> Aim | None:
    """The first holder's wish in rule order, else the baseline where it is owed, else nothing.

    A rule that may not act (`live` are those that may) and took nothing leaves the word to others. Of several that are
    owed something, what a person ordered comes first, then a rule that may act.
    """
    claims = sorted((h for h in slot.holds if h.state.is_claim), key=lambda h: (is_mute(h, live), _rank(h, order)))
    if claims:
        return Aim(claims[0].wish, claims[0])
    debts = (h for h in slot.holds if h.state is HoldState.OWED)
    owed = sorted(debts, key=lambda h: (not h.is_ordered, h.rule not in live, _rank(h, order)))
    return Aim(slot.baseline, None, owed[0]) if owed else None


def is_mute(hold: Hold, live: frozenset[RuleCode]) -> bool:
    """Whether a hold took nothing, and its rule may not act."""
    return hold.state is HoldState.PENDING and hold.takes == 0 and hold.rule not in live


def _rank(hold: Hold, order: Mapping[RuleCode, int]) -> tuple[int, str]:
    return (order.get(hold.rule, len(order) + 1), hold.rule)


def aim(case: SlotCase, bounds: Bounds) -> SlotCase:
    """The one open action that makes the slot what it should be, or none; due within the hours of its rule.

    Rules that are not live may neither take nor give back, except for what a person ordered; and nothing is done
    while a person has stopped everything.
    """
    return _in_hours(_aimed(case, bounds), bounds)


def _aimed(case: SlotCase, bounds: Bounds) -> SlotCase:
    at, live = bounds.at, bounds.live
    goal = wanted(case.slot, bounds.order, live)
    if goal is None:
        unwanted = case.action is not None and case.action.step not in ONCE
        return case.close(*_given_up_as(case.action), at=at) if unwanted else _retargeted(case)
    action = case.action
    if case.value is not UNSEEN and action is not None:
        first = _overtaken_by(action, goal)
        if not _serves(action, goal, bounds, is_certain=case.is_certain):
            case = _called_off(case, action, at=at)
        elif first is not None:
            case = left_to(first, case, action, bounds)
    case = _mark_overruled(case, goal, at=at)
    if case.value is UNSEEN:
        return _kept_through_pause(case, goal, bounds)
    if case.value == goal.wish and case.is_certain:
        case = _mark_leading(case, goal, at=at)
        if case.action is not None and case.action.state in _NOT_CALLED:
            case = case.close(ActionState.CANCELLED, "it is so already", at=at)
        return case
    speaker = goal.speaker
    if speaker is None or not bounds.may_speak(speaker):
        kept = _kept_through_pause(case, goal, bounds)
        if kept is not case:
            return kept
        is_stopped = case.action is not None and case.action.state in _NOT_CALLED
        reason = STOPPED if bounds.is_stopped else "its rule may not act now"
        return case.close(ActionState.CANCELLED, reason, at=at) if is_stopped else case
    if case.action is not None:
        return _retargeted(case)
    return _start(case, goal, speaker, bounds)


def _kept_through_pause(case: SlotCase, goal: Aim, bounds: Bounds) -> SlotCase:
    """With an action that people were asked for held back while its rule is paused; else the same slot."""
    is_ordered = goal.speaker is not None and goal.speaker.is_ordered
    if case.action is None or is_ordered or not bounds.outlasts_pause(case.action):
        return case
    return replace(case, action=replace(case.action, state=ActionState.HELD))


def _in_hours(case: SlotCase, bounds: Bounds) -> SlotCase:
    """With an action that is due when its rule may act: judged anew each time, because hours may have been edited."""
    action = case.action
    if action is None or action.state not in _NOT_CALLED:
        return case
    if action.step is Step.UNDO:
        return replace(case, action=_unless_stopped(action, bounds))
    goal = wanted(case.slot, bounds.order, bounds.live)
    speaker = goal.speaker if goal is not None else None
    opening = bounds.opening(speaker.rule if speaker is not None else action.rules[0])
    if speaker is not None and speaker.is_ordered:
        opening = None
    if action.state in _ONLY_DECIDED:
        return replace(case, action=replace(action, due_at=opening))
    is_ours = action.reason == OUT_OF_HOURS
    if opening is not None and (is_ours or action.due_at is None or action.due_at < opening):
        return replace(case, action=replace(action, due_at=opening, reason=OUT_OF_HOURS))
    if opening is None and is_ours:
        return replace(case, action=replace(action, due_at=None, reason=""))
    return case


def _unless_stopped(action: PlannedAction, bounds: Bounds) -> PlannedAction:
    """The undoing, which a person ordered: no hours hold it back, only that a person stopped everything."""
    if bounds.is_stopped:
        return replace(action, due_at=bounds.at + STOPPED_FOR, reason=STOPPED)
    return replace(action, due_at=None, reason="") if action.reason == STOPPED else action


def _given_up_as(action: PlannedAction | None) -> tuple[ActionState, str]:
    if action is not None and action.state is ActionState.DONE:
        return ActionState.CANCELLED, "done, and since then something else is wanted"
    return ActionState.CANCELLED, "no longer wanted"


def _serves(action: PlannedAction, goal: Aim, bounds: Bounds, *, is_certain: bool) -> bool:
    """Whether the open action does what is wanted now, in the name of what wants it."""
    if action.wish != goal.wish:
        return False
    if action.state not in _NOT_CALLED or not is_certain:
        return True
    is_other_step = action.step not in ONCE and (action.step is Step.TAKE) is (goal.holder is None)
    is_ordered = goal.speaker is not None and goal.speaker.is_ordered
    may_be_done = is_ordered or action.rules[0] in bounds.live or bounds.outlasts_pause(action)
    return not is_other_step and (action.attempts > 0 or may_be_done)


def _overtaken_by(action: PlannedAction, goal: Aim) -> RuleCode | None:
    """The rule that does it now instead of the one that only decided to: by its own hours, and counted as its own."""
    if goal.speaker is None or action.state not in _ONLY_DECIDED or action.step in ONCE:
        return None
    is_other = (goal.speaker.rule, goal.speaker.subject) != (action.rules[0], action.about)
    return goal.speaker.rule if is_other else None


def left_to(other: RuleCode, case: SlotCase, action: PlannedAction, bounds: Bounds) -> SlotCase:
    """Without its action, which another rule does instead of one that comes later, or that may not act.

    A rule that may not act does not come to hold what another takes: it took nothing, and may yet be told not to.
    """
    at, rule = bounds.at, action.rules[0]
    if rule in bounds.live:
        return case.close(ActionState.CANCELLED, f"{other} comes first in rule order, and does it", at=at)
    why = "its rule is paused" if rule in bounds.paused else "its rule may not act now"
    case = case.close(ActionState.CANCELLED, f"{why}, and {other} does it", at=at)
    if case.is_certain:
        case = case.with_holds(lambda hold: settle_sent(hold, case.value, at=at) if hold.rule == rule else hold)
    return case.with_holds(
        lambda hold: moved(hold, HoldState.RELEASED, MAY_NOT_ACT, at=at) if is_mute(hold, bounds.live) else hold
    )


def _called_off(case: SlotCase, action: PlannedAction, *, at: datetime) -> SlotCase:
    """Without its action, which is not wanted any more. If it may have happened it counts as if it had.

    Undoing what did not happen is safe; forgetting what did is not.
    """
    case = case.close(*_given_up_as(action), at=at)
    if not case.is_certain:
        return replace(case, value=action.wish, is_certain=True)
    return case.with_holds(lambda hold: settle_sent(hold, case.value, at=at))


def _retargeted(case: SlotCase) -> SlotCase:
    """With an action that takes off the brand that is there now, not the one that was there when it was decided."""
    action = case.action
    if action is None or action.state not in _NOT_CALLED or isinstance(case.value, Unseen) or case.value == action.wish:
        return case
    kind, target = call_for(case.slot.ref, case.value, action.wish)
    return replace(case, action=replace(action, kind=kind, target=target))


def _mark_overruled(case: SlotCase, goal: Aim, *, at: datetime) -> SlotCase:
    """Holds whose wish lost go back to pending: when they lead again, that is another take."""
    if goal.holder is None:
        return case
    leader = goal.holder
    for hold in case.slot.open_holds:
        if hold.state in {*TOOK, HoldState.PENDING} and hold.wish != goal.wish:
            reason = f"overruled by {leader.rule}"
            if hold.reason != reason or hold.state is not HoldState.PENDING:
                case = case.note(hold.rule, f"{case.called}: {reason}")
            lost = moved(hold, HoldState.PENDING, reason, at=at)
            case = case.with_holds(lambda each, old=hold, new=lost: new if each is old else each)  # type: ignore[misc]
    return case


def _mark_leading(case: SlotCase, goal: Aim, *, at: datetime) -> SlotCase:
    """Holds that lead again before what they took was undone hold it as before."""
    return case.with_holds(
        lambda hold: (
            moved(hold, HoldState.HOLDING, "", at=at)
            if hold.state is HoldState.PENDING and hold.takes > 0 and goal.holder and hold.wish == goal.wish
            else hold
        )
    )


def _start(case: SlotCase, goal: Aim, speaker: Hold, bounds: Bounds) -> SlotCase:
    ref = case.slot.ref
    was_tried = speaker.state is HoldState.SENT  # and called off before anybody knew what came of it
    if goal.holder is None:
        step, word = Step.GIVE_BACK, "give back"
    else:
        step, word = Step.TAKE, "take" if speaker.takes == 0 else f"take again {speaker.takes}"
        is_fallback = (ref, (speaker.rule, speaker.subject)) in bounds.fallbacks
        wait = bounds.calm(speaker.rule, is_urgent=is_fallback or was_tried)
        if wait is not None:
            return _wait_for_calm(case, speaker, wait)
    # An edited rule may want the opposite in the same episode: that is another step.
    key = action_key(bounds.store, ref, speaker.rule, str(speaker.episode), f"{word} {goal.wish}")
    if key in bounds.dead or any(done.key == key for done in case.closed):
        return case
    old = case.value if not isinstance(case.value, Unseen) else None
    kind, target = call_for(ref, old, goal.wish)
    rules = [hold.rule for hold in case.slot.holds if hold.state.is_claim and hold.wish == goal.wish and goal.holder]
    action = PlannedAction(
        key=key,
        kind=kind,
        slot=ref,
        target=target,
        wish=goal.wish,
        step=step,
        rules=tuple(dict.fromkeys((speaker.rule, *rules))),
        about=speaker.subject,
        state=ActionState.WAITING if was_tried else ActionState.PENDING,
        created_at=bounds.at,
        attempts=1 if was_tried else 0,
        caused_by=bounds.caused_by,
    )
    if WAITS_UNTIL in speaker.reason:  # the wait is over, whatever else it waits for from here on
        case = case.with_holds(lambda each: replace(each, reason="") if each is speaker else each)
    text = deed(kind, case.called, target)
    text = text if speaker.is_ordered else when_due(text, speaker.rule, bounds)
    if step is Step.GIVE_BACK:
        text = f"gives back: {text}{_what_is_lost(speaker, bounds)}"
    return replace(case, action=action).note(speaker.rule, text)


def _what_is_lost(hold: Hold, bounds: Bounds) -> str:
    """Where the product stood before, which the shop does not restore; the end of a sentence."""
    is_lost = bool(hold.stood and bounds.loses)
    return f"; it stood {hold.stood}, and the shop does not restore {bounds.loses}" if is_lost else ""


def when_due(text: str, rule: RuleCode, bounds: Bounds) -> str:
    """What a rule does, and until when it waits with that if its hours do not let it act now."""
    opening = bounds.opening(rule)
    return text if opening is None else f"{text}; waits until {bounds.hour(opening)}, when it may act"


def _wait_for_calm(case: SlotCase, hold: Hold, wait: Wait) -> SlotCase:
    """The rule acted on this product too often or too lately: it waits, and says so once."""
    case = replace(case, look_at=wait.until if case.look_at is None else min(wait.until, case.look_at))
    if hold.reason == wait.text:
        return case
    case = case.with_holds(lambda each: replace(each, reason=wait.text) if each is hold else each)
    return case.note(hold.rule, f"{case.called}: {wait.text}")


def action_key(store: str, slot: SlotRef, rule: RuleCode, which: str, step: str) -> ActionKey:
    """The idempotency key: the same for the same wish of the same rule in the same episode, for ever."""
    return ActionKey(str(uuid5(NAMESPACE, "\n".join((store, str(slot), rule, which, step)))))


def deed(kind: ActionKind, called: str, target: str) -> str:
    """What an action does to a product, in words."""
    match kind:
        case ActionKind.ADD_TO_CATEGORY:
            return f"puts it into {called}"
        case ActionKind.REMOVE_FROM_CATEGORY:
            return f"takes it out of {called}"
        case ActionKind.ASSIGN_BRAND:
            return f"gives it the brand {target}"
        case ActionKind.UNASSIGN_BRAND:
            return f"takes the brand {target} off it"
        case ActionKind.SHOW:
            return "shows it"
        case ActionKind.HIDE:
            return "hides it"


def call_for(slot: SlotRef, old: SlotValue, wish: SlotValue) -> tuple[ActionKind, str]:
    """The kind of call that makes the slot so, and what it is called with."""
    match slot.aspect:
        case Aspect.MEMBERSHIP:
            return (ActionKind.ADD_TO_CATEGORY if wish else ActionKind.REMOVE_FROM_CATEGORY), slot.target
        case Aspect.VISIBILITY:
            return (ActionKind.SHOW if wish else ActionKind.HIDE), ""
        case Aspect.BRAND:
            # Taking a brand off needs the id of the one that is there: the shop clears only where it is this brand.
            return (
                (ActionKind.ASSIGN_BRAND, str(wish))
                if wish is not None
                else (ActionKind.UNASSIGN_BRAND, str(old or ""))
            )
