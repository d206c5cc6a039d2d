"""The category that a product gets when the rules together would leave it without any."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime

from .action import Aspect, SlotRef
from .aim import ONCE, is_mute, wanted
from .bounds import Bounds, Who
from .collect import Fallback, Wants
from .holds import Hold, HoldState
from .moments import Moment, MomentWish
from .observe import SlotCase
from .plan import ActionState, Step
from .view import Fields

Slots = Mapping[SlotRef, SlotCase]


def owners(wants: Wants) -> dict[SlotRef, frozenset[Who]]:
    """For each slot that is somebody's fallback, whose: their holds on it are settled after all others."""
    found: dict[SlotRef, frozenset[Who]] = {}
    for each in wants.fallbacks:
        for ref in each.slots:
            found[ref] = found.get(ref, frozenset()) | {each.who}
    return found


def needed(slots: Slots, wants: Wants, people_see: Fields, *, top: str | None, bounds: Bounds) -> list[Fallback]:
    """The fallbacks that are wanted: of those who take the product out where no category would be left.

    Judged on what all rules want together, as if the fallbacks were not there: otherwise each would make itself
    needless. `people_see` is the product with every held slot at its baseline, its categories known. The category
    `top`, in which the shop puts a product by itself, does not count.
    """
    own = owners(wants)
    left = set(people_see["category_ids"]) - {top}
    for ref, slot_case in slots.items():
        if ref.aspect is Aspect.MEMBERSHIP and ref.target != top:
            is_in = ref.target in left if slot_case.slot.open_holds else slot_case.value is True
            stays = _will_be_in(slot_case, own.get(ref, frozenset()), bounds, is_in=is_in)
            (left.add if stays else left.discard)(ref.target)
    made: set[SlotRef] = set()
    for wish in sorted(wants.moments, key=lambda each: bounds.order.get(each.moment.rule, 0)):
        is_free = wish.slot not in made and not _is_held(slots.get(wish.slot), own.get(wish.slot, frozenset()), bounds)
        if wish.slot.aspect is Aspect.MEMBERSHIP and is_free:
            made.add(wish.slot)
            (left.add if wish.wish else left.discard)(wish.slot.target)
    if left:
        return []
    return [each for each in wants.fallbacks if _takes_out(each, slots, wants)]


def as_moments(fallbacks: Iterable[Fallback], slots: Slots) -> list[MomentWish]:
    """What these fallbacks of moments want, where it is not so and was not given up just now."""
    return [
        MomentWish(each.made, ref, wish=True)
        for each in fallbacks
        if isinstance(each.made, Moment)
        for ref in each.slots
        if ref not in slots or not (slots[ref].value is True or _gave_up(slots[ref]))
    ]


def _gave_up(slot_case: SlotCase) -> bool:
    return any(action.state is ActionState.DEAD for action in slot_case.closed)


def without_needless(each: Fallback, slot_case: SlotCase, *, at: datetime) -> SlotCase:
    """A slot without what a moment decided and did not do yet, because another category is left now."""
    action = slot_case.action
    if action is None or (action.step, action.rules[0], action.about, action.wish) != (Step.MOMENT, *each.who, True):
        return slot_case
    if action.state not in {ActionState.PENDING, ActionState.HELD}:
        return slot_case
    return slot_case.close(ActionState.CANCELLED, "another category is left", at=at)


def _others(slot_case: SlotCase, own: frozenset[Who]) -> tuple[Hold, ...]:
    return tuple(hold for hold in slot_case.slot.open_holds if (hold.rule, hold.subject) not in own)


def _is_held(slot_case: SlotCase | None, own: frozenset[Who], bounds: Bounds) -> bool:
    """Whether a rule holds the slot, so that no moment is heard there."""
    if slot_case is None:
        return False
    goal = wanted(replace(slot_case.slot, holds=_others(slot_case, own)), bounds.order, bounds.live)
    return goal is not None and goal.holder is not None and not is_mute(goal.holder, bounds.live)


def _will_be_in(slot_case: SlotCase, own: frozenset[Who], bounds: Bounds, *, is_in: bool) -> bool:
    """Whether the product will be in the slot's category once everything is done but the fallbacks of `own`."""
    goal = wanted(replace(slot_case.slot, holds=_others(slot_case, own)), bounds.order, bounds.live)
    action = slot_case.action
    if goal is None or goal.holder is None:
        moment = action if action is not None and action.step in ONCE else None
        is_own = moment is not None and (moment.rules[0], moment.about) in own
        return bool(moment.wish) if moment is not None and not is_own else is_in
    leader = goal.holder
    is_idle = leader.state is HoldState.PENDING and action is None
    is_waiting = is_idle and (leader.rule not in bounds.live or bounds.calm(leader.rule) is not None)
    if is_waiting or is_mute(leader, bounds.live):
        return slot_case.value is True  # it is not taken for now
    return bool(goal.wish)


def _takes_out(each: Fallback, slots: Slots, wants: Wants) -> bool:
    """Whether the one with the fallback takes the product out of a category, or has put it into the fallback."""
    memberships = [(ref, case) for ref, case in slots.items() if ref.aspect is Aspect.MEMBERSHIP]
    if isinstance(each.made, Moment):
        acting = (case.action for _, case in memberships if case.action is not None)
        return any(wish.moment == each.made and wish.wish is False for wish in wants.moments) or any(
            (action.step, action.rules[0], action.about, action.wish) == (Step.MOMENT, *each.who, False)
            for action in acting
        )
    holds = ((ref, case, hold) for ref, case in memberships for hold in _claims_of(case, each.who))
    return any(
        (ref in each.slots) if hold.wish else (ref not in each.slots and case.slot.baseline is True)
        for ref, case, hold in holds
    )


def _claims_of(slot_case: SlotCase, who: Who) -> Iterable[Hold]:
    return (h for h in slot_case.slot.open_holds if h.state.is_claim and (h.rule, h.subject) == who)
