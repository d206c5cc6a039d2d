"""What one look at a product shows of its slots: what counts as seen, what lags, and what people did."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from .action import Aspect, SlotRef
from .aim import MAY_NOT_ACT
from .bounds import Bounds
from .holds import Hold, HoldState, Slot
from .observe import TOOK, SlotCase, moved, observe
from .plan import ActionState, Case, PlannedAction
from .sighting import Context, Sighting
from .subject import ProductId
from .view import UNSEEN, Fields, label_of, named, remember_names, shown


@dataclass(frozen=True, slots=True)
class Scene:
    """One look at one product, and what is remembered of it.

    `before` is the product as last known, None at first sight; `fields` is what is seen now, or else remembered.
    """

    case: Case
    sighting: Sighting
    context: Context
    before: Fields | None
    fields: Fields

    @classmethod
    def from_sighting(cls, case: Case, sighting: Sighting, context: Context) -> Scene:
        """The scene of a sighting of a product that is not gone."""
        known = case.snapshot.fields if case.snapshot else {}
        before = known if case.snapshot and not case.is_gone else None
        seen = sighting.snapshot.fields if sighting.snapshot else known
        return cls(case, sighting, context, before, named(remember_names(seen, before), context.directory))

    @property
    def at(self) -> datetime:
        """When the product is looked at (aware UTC)."""
        return self.sighting.at

    @property
    def product(self) -> ProductId:
        """The product's id."""
        return ProductId(self.case.ref.id)

    def membership(self, category_id: str) -> SlotRef:
        """The slot of the product's membership of a category."""
        return SlotRef(self.product, Aspect.MEMBERSHIP, category_id)

    def open_actions(self) -> Iterator[PlannedAction]:
        """The actions that still have something to do or to learn."""
        return (action for action in self.case.actions.values() if action.state.is_open)

    def slot_case(self, ref: SlotRef) -> SlotCase:
        """The slot as it stands; one that nobody holds has what it shows as its baseline."""
        value = shown(self.fields, ref)
        slot = self.case.slots.get(ref) or Slot(ref, baseline=None if value is UNSEEN else value, since=self.at)
        action = next((each for each in self.open_actions() if each.slot == ref), None)
        label = label_of(ref, self.fields)
        if ref.aspect is Aspect.MEMBERSHIP and label.startswith("category "):
            names = self.context.directory.category_names(ref.target)
            label = f"{names[0]} ({ref.target})" if names else label
        return SlotCase(slot, value, action, label=label)

    def is_gone(self, ref: SlotRef) -> bool:
        """Whether the slot is the membership of a category that no longer exists."""
        return ref.aspect is Aspect.MEMBERSHIP and ref.target in self.context.directory.gone


def observed(scene: Scene, ref: SlotRef, bounds: Bounds) -> SlotCase:
    """The slot judged by what the shop shows of it."""
    slot_case = scene.slot_case(ref)
    if scene.is_gone(ref):
        reason = f"category {ref.target} no longer exists"
        slot_case = slot_case.close(ActionState.GONE, reason, at=scene.at)
        return slot_case.with_holds(lambda hold: moved(hold, HoldState.GONE, reason, at=scene.at))
    is_fresh = scene.sighting.is_fresh
    if is_fresh and _is_older_than_our_call(scene, slot_case):
        slot_case, is_fresh = replace(slot_case, value=shown(scene.before, ref)), False
    lagging = _lagging(scene, slot_case) if is_fresh else None
    if lagging is not None and lagging.done_at is not None:
        until = lagging.done_at + scene.context.lag
        slot_case, is_fresh = replace(slot_case, value=lagging.wish, look_at=until), False
    unsure = _never_answered(scene, slot_case)
    if unsure is not None:
        slot_case, is_fresh = replace(slot_case, value=unsure.wish, is_certain=False), False
    # What the shop made by itself no rule asked for, so none insists on it.
    is_promotion = ref.target == scene.context.capabilities.promotes_to
    rules = () if is_promotion else (hold.rule for hold in slot_case.slot.open_holds)
    insisting = frozenset(rule for rule in rules if bounds.insists(rule))
    seen = observe(slot_case, at=scene.at, lag=scene.context.lag, is_fresh=is_fresh, insisting=insisting)
    return _without_the_undecided(scene, seen, bounds)


def _without_the_undecided(scene: Scene, slot_case: SlotCase, bounds: Bounds) -> SlotCase:
    """Without what a rule had only decided or tried to take, once it is paused, only watches, or is gone.

    What people were asked for stays through a pause.
    """
    action = slot_case.action
    kept = (action.rules[0], action.about) if action is not None and bounds.outlasts_pause(action) else None
    failed = action is not None and action.state is ActionState.WAITING and slot_case.is_certain

    def drop(hold: Hold) -> Hold:
        is_undone = hold.state is HoldState.PENDING or (hold.state is HoldState.SENT and failed)
        if hold.rule in scene.context.live or hold.takes > 0 or not is_undone or (hold.rule, hold.subject) == kept:
            return hold
        return moved(hold, HoldState.RELEASED, MAY_NOT_ACT, at=scene.at)

    return slot_case.with_holds(drop)


def _is_older_than_our_call(scene: Scene, slot_case: SlotCase) -> bool:
    """Whether a delivered state may be from before our last call on this slot, where nothing can be read."""
    version = scene.sighting.snapshot.version if scene.sighting.snapshot else None
    if version is None or scene.context.capabilities.can_read:
        return False
    action = slot_case.action
    if action is not None and action.attempts > 0 and action.done_at is None and slot_case.value != action.wish:
        return True  # the call was not answered: what was delivered since cannot tell whether it will happen
    actions = [each for each in scene.case.actions.values() if each.slot == slot_case.slot.ref]
    taken_at = [hold.changed_at for hold in slot_case.slot.holds if hold.state in TOOK and hold.changed_at]
    last = [each.done_at for each in actions if each.done_at] + ([min(taken_at)] if taken_at else [])
    return any(at >= version for at in last)


def _never_answered(scene: Scene, slot_case: SlotCase) -> Hold | None:
    """A hold whose call was never answered and is not made again, where only another answer can settle it."""
    if scene.context.capabilities.can_read:
        return None
    holds = slot_case.slot.open_holds
    owed = [hold for hold in holds if hold.state is HoldState.OWED and hold.takes == 0]
    action = slot_case.action
    sent = [h for h in holds if h.state is HoldState.SENT and (action is None or action.wish != h.wish)]
    return next(iter([*owed, *sent]), None)


def _lagging(scene: Scene, slot_case: SlotCase) -> PlannedAction | None:
    """What the shop said it had done, was called off before a read showed it, and is not shown yet."""
    called_off = (
        (action.done_at, action)
        for action in scene.case.actions.values()
        if action.slot == slot_case.slot.ref and action.state is ActionState.CANCELLED and action.done_at is not None
    )
    done_at, last = max(called_off, key=lambda pair: pair[0], default=(scene.at, None))
    if last is None or last.wish == slot_case.value or scene.at >= done_at + scene.context.lag:
        return None
    # What was done after it speaks for itself, also once a read has confirmed it.
    others = (action for action in scene.case.actions.values() if action.slot == slot_case.slot.ref)
    is_newer_done = any(action.done_at is not None and action.done_at > done_at for action in others)
    return None if is_newer_done else last
