"""Carrying orders out: what a person told us about one product becomes states of holds, and actions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from .action import ActionKey, SlotRef
from .aim import action_key, call_for, deed
from .bounds import Bounds
from .claims import released
from .condition import Truth
from .explain import show
from .holds import Hold, HoldState
from .observe import SlotCase, moved
from .order import Order, OrderKind
from .plan import ActionState, PlannedAction, Step
from .rule import RuleCode
from .seeing import Scene
from .view import Unseen

NOTHING_HELD = "nothing is held that this is about"
"""What came of an order about holds that ended meanwhile, or never were."""

_NAMELESS = RuleCode("")


@dataclass(slots=True)
class CarriedOut:
    """What orders came to: slots and ended holds as they are now, and the orders, each with what came of it.

    `revived` are dead letters that may be tried again. `notes` are for the traces.
    """

    slots: dict[SlotRef, SlotCase]
    ended: dict[SlotRef, tuple[Hold, ...]]
    orders: tuple[Order, ...] = ()
    revived: dict[ActionKey, PlannedAction] = field(default_factory=dict)
    notes: list[tuple[RuleCode, str]] = field(default_factory=list)


def carry_out(scene: Scene, slots: Mapping[SlotRef, SlotCase], bounds: Bounds) -> CarriedOut:
    """Carry out the open orders about a product, oldest first; one that is carried out is never again.

    While a person has stopped everything, those wait that may need a call.
    """
    carrier = _Carrier(scene, slots, bounds)
    return carrier.carry_out(scene.case.orders)


def given_up(orders: tuple[Order, ...], reason: str) -> tuple[Order, ...]:
    """The orders about a product that is gone, or that nobody can know: there is nothing to do for them."""
    return tuple(replace(order, outcome=reason) if order.is_open else order for order in orders)


class _Carrier:
    """Carries orders out at one look."""

    def __init__(self, scene: Scene, slots: Mapping[SlotRef, SlotCase], bounds: Bounds) -> None:
        self._scene = scene
        self._bounds = bounds
        self._done = CarriedOut(dict(slots), dict(scene.case.ended))

    def carry_out(self, orders: tuple[Order, ...]) -> CarriedOut:
        self._done.orders = tuple(self._carried_out(order) for order in orders)
        return self._done

    def _carried_out(self, order: Order) -> Order:
        if not order.is_open or (self._bounds.is_stopped and order.kind is not OrderKind.KEEP):
            return order
        match order.kind:
            case OrderKind.GIVE_BACK:
                came = self._give_back(order)
            case OrderKind.KEEP:
                came = self._keep(order)
            case OrderKind.RESUME:
                came = self._resume(order)
            case OrderKind.REVERT:
                came = [self._revert(order)]
        for rule, text in came:
            if rule:
                self._done.notes.append((rule, f"{order.because}: {text}"))
        said = "; ".join(dict.fromkeys(text for _, text in came))
        return replace(order, outcome=said or NOTHING_HELD)

    def _meant(self, order: Order) -> Iterator[tuple[SlotRef, int]]:
        """The open holds that an order is about: the slot, and their place in it."""
        for ref, slot_case in list(self._done.slots.items()):
            for place, hold in enumerate(slot_case.slot.holds):
                if hold.state.is_open and _is_about(order, ref, hold.rule):
                    yield ref, place

    # ------------------------------------------------------------------------------------ holds that are let go

    def _give_back(self, order: Order) -> list[tuple[RuleCode, str]]:
        """Let go of what is held: it is owed now, and given back whatever its rule may do."""
        return [(self._hold(ref, place).rule, self._let_go(order, ref, place)) for ref, place in self._meant(order)]

    def _let_go(self, order: Order, ref: SlotRef, place: int) -> str:
        slot_case, hold, at = self._done.slots[ref], self._hold(ref, place), self._scene.at
        called = slot_case.called
        if hold.state is HoldState.OWED:
            self._put(ref, place, replace(hold, is_ordered=True, reason=order.because))
            return f"{called}: {self._returning(ref)}"
        # What a rule would have left as it is, is given back too: that is what the order is for.
        slot_case = _with_hold(slot_case, place, replace(hold, is_left=False))
        slot_case = released(slot_case, place, is_fresh=self._scene.sighting.is_fresh, at=at)
        ended = slot_case.slot.holds[place]
        if hold.state is HoldState.PENDING and hold.takes == 0:
            ended = moved(ended, HoldState.NEVER_TAKEN, f"{order.because}, before it was taken", at=at)
        elif ended.state is HoldState.OWED:
            ended = replace(ended, reason=order.because)
        self._done.slots[ref] = _with_hold(slot_case, place, replace(ended, is_ordered=True, is_left=hold.is_left))
        if ended.state is HoldState.OWED:
            return f"{called}: {self._returning(ref)}"
        if hold.state is HoldState.STEPPED_BACK:
            return f"{called}: a person had changed it back already"
        return f"{called}: {ended.reason}"

    def _returning(self, ref: SlotRef) -> str:
        """That the slot is given back, or why that has to wait."""
        slot_case = self._done.slots[ref]
        holder = next((hold for hold in slot_case.slot.holds if hold.state.is_claim), None)
        if holder is not None:
            return f"is given back once {holder.rule} lets go of it"
        letters = (action for action in self._scene.case.actions.values() if action.slot == ref)
        if any(action.state is ActionState.DEAD and action.step is Step.GIVE_BACK for action in letters):
            return "its give-back was given up: `rules-engine dead-letters` lists it"
        return "is given back"

    def _keep(self, order: Order) -> list[tuple[RuleCode, str]]:
        """Let go of what is held without giving anything back: what is so now is as people made it."""
        return [(self._hold(ref, place).rule, self._let_stay(order, ref, place)) for ref, place in self._meant(order)]

    def _let_stay(self, order: Order, ref: SlotRef, place: int) -> str:
        slot_case, hold, at = self._done.slots[ref], self._hold(ref, place), self._scene.at
        is_untaken = hold.state is HoldState.PENDING and hold.takes == 0
        state = HoldState.NEVER_TAKEN if is_untaken else HoldState.RELEASED
        kept = moved(replace(hold, is_ordered=True), state, f"kept, because {order.because}", at=at)
        slot_case = _with_hold(slot_case, place, kept)
        self._done.slots[ref] = slot_case
        others = slot_case.slot.open_holds
        if others:
            rule = next((each.rule for each in others if each.state.is_claim), others[0].rule)
            return f"{slot_case.called}: let go; {rule} still has a say in it"
        if not isinstance(slot_case.value, Unseen):
            slot_case = slot_case.rebased(slot_case.value)
        self._done.slots[ref] = slot_case
        return f"{slot_case.called}: stays as it is, and nothing is given back any more"

    # ------------------------------------------------------------------------------------ holds that take again

    def _resume(self, order: Order) -> list[tuple[RuleCode, str]]:
        """Let rules take again that stepped back for a person, were told no, or were undone."""
        came: list[tuple[RuleCode, str]] = []
        for ref, place in self._meant(order):
            hold = self._hold(ref, place)
            is_undone = hold.state is HoldState.OWED and hold.is_ordered
            if hold.state is not HoldState.STEPPED_BACK and not is_undone:
                continue
            came.append((hold.rule, f"{self._done.slots[ref].called}: {self._again(hold.rule)}"))
            if hold.rule in self._bounds.order:
                again = moved(replace(hold, is_ordered=False), HoldState.PENDING, order.because, at=self._scene.at)
                self._put(ref, place, again)
        for ref, holds in list(self._done.ended.items()):
            meant = [hold for hold in holds if _is_about(order, ref, hold.rule) and self._is_kept_out(hold)]
            if not meant:
                continue
            label = self._slot_case(ref).called
            came += [(hold.rule, f"{label}: {self._again(hold.rule)}") for hold in meant]
            self._done.ended[ref] = tuple(self._opened(each, order) if each in meant else each for each in holds)
            self._revive(ref, {hold.rule for hold in meant})
        if not came and any(True for _ in self._meant(order)):
            return [(_NAMELESS, "the rule did not step back here: there is nothing to resume")]
        return came

    def _again(self, rule: RuleCode) -> str:
        if rule not in self._bounds.order:
            return f"stays as it is, because {rule} does not run here any more"
        return "the rule may take it again while its condition holds" + (
            "" if rule in self._bounds.live else ", once it may act"
        )

    def _is_kept_out(self, hold: Hold) -> bool:
        """Whether only a person, or a refusal, keeps the rule from taking again in a stretch that still runs."""
        stretches = {**self._scene.context.stretches, **self._scene.case.episodes}
        episode = stretches.get((hold.rule, hold.subject))
        is_running = episode is not None and (episode.number, episode.truth) == (hold.episode, Truth.MET)
        return is_running and (hold.state is HoldState.NEVER_TAKEN or hold.is_ordered)

    def _opened(self, hold: Hold, order: Order) -> Hold:
        """The ended hold, no longer in the way of another in the same stretch."""
        if hold.rule not in self._bounds.order:
            return hold
        again = replace(hold, takes=0, is_ordered=False)
        return moved(again, HoldState.RELEASED, order.because, at=self._scene.at)

    def _revive(self, ref: SlotRef, rules: set[RuleCode]) -> None:
        """Let dead letters be decided again that these rules were to take the slot with."""
        for key, action in self._scene.case.actions.items():
            is_take = action.slot == ref and action.step is Step.TAKE and not rules.isdisjoint(action.rules)
            if is_take and action.state is ActionState.DEAD:
                self._done.revived[key] = replace(action, state=ActionState.CANCELLED, reason="to be decided again")

    # ------------------------------------------------------------------------------------ moments that are undone

    def _revert(self, order: Order) -> tuple[RuleCode, str]:
        """Undo what a moment did, if the slot still is as it left it and nobody holds it."""
        if order.slot is None:
            return order.rule, "skipped: it does not say what is to be undone"
        ref = order.slot
        slot_case = self._slot_case(ref)
        skipped = self._why_not(order, slot_case)
        if skipped:
            return order.rule, f"{slot_case.called}: {skipped}"
        slot_case = slot_case.close(ActionState.CANCELLED, order.because, at=self._scene.at)
        kind, target = call_for(ref, order.expects, order.wish)
        action = PlannedAction(
            key=action_key(self._bounds.store, ref, order.rule, str(order.id), Step.UNDO),
            kind=kind,
            slot=ref,
            target=target,
            wish=order.wish,
            step=Step.UNDO,
            rules=(order.rule,),
            about=self._scene.case.ref,
            state=ActionState.PENDING,
            created_at=self._scene.at,
            caused_by=self._bounds.caused_by,
        )
        self._done.slots[ref] = replace(slot_case, action=action)
        return order.rule, deed(kind, slot_case.called, target)

    def _why_not(self, order: Order, slot_case: SlotCase) -> str:
        """Why what a moment did is not undone, or nothing."""
        if self._scene.is_gone(slot_case.slot.ref):
            return "skipped: the category no longer exists"
        if isinstance(slot_case.value, Unseen):
            return "skipped: nobody can tell how it is now"
        if slot_case.value == order.wish:
            return "skipped: somebody changed it back already"
        if slot_case.value != order.expects:
            return f"skipped: somebody changed it since; it is {show(slot_case.value)} now"
        holder = next(iter(slot_case.slot.open_holds), None)
        return f"skipped: {holder.rule} holds it" if holder is not None else ""

    # ------------------------------------------------------------------------------------ the slots

    def _slot_case(self, ref: SlotRef) -> SlotCase:
        return self._done.slots.get(ref) or self._scene.slot_case(ref)

    def _hold(self, ref: SlotRef, place: int) -> Hold:
        return self._done.slots[ref].slot.holds[place]

    def _put(self, ref: SlotRef, place: int, hold: Hold) -> None:
        self._done.slots[ref] = _with_hold(self._done.slots[ref], place, hold)


def _is_about(order: Order, ref: SlotRef, rule: RuleCode) -> bool:
    return order.rule in {"", rule} and order.slot in {None, ref}


def _with_hold(slot_case: SlotCase, place: int, hold: Hold) -> SlotCase:
    holds = (*slot_case.slot.holds[:place], hold, *slot_case.slot.holds[place + 1 :])
    return replace(slot_case, slot=replace(slot_case.slot, holds=holds))
