"""What a decision would change, line by line: one line for each thing about one product, in words that people use."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from rules_engine.core.action import ActionKind, Aspect, SlotRef, SlotValue
from rules_engine.core.aim import call_for, wanted
from rules_engine.core.clock import say_duration
from rules_engine.core.condition import Truth
from rules_engine.core.directory import Directory
from rules_engine.core.holds import Hold, HoldState, Slot
from rules_engine.core.judge import ripens_at
from rules_engine.core.observe import TOOK
from rules_engine.core.plan import ActionState, Case, PlannedAction, Step
from rules_engine.core.rule import Rule, RuleCode
from rules_engine.core.sighting import Context, Decision
from rules_engine.core.subject import SubjectKind

from .naming import ProductName


class Doing(StrEnum):
    """What would happen to one thing about a product."""

    TAKEN = "taken"
    """A rule takes it, and gives it back when its condition ends, unless it says otherwise."""
    ONCE = "once"
    """A moment: done, and never given back."""
    RETURNED = "returned"
    """What a rule took is given back."""
    OVERRULED = "overruled"
    """A rule wants it, but an earlier one wants otherwise."""
    WAITS = "waits"
    """A rule's condition holds, but something keeps it from acting now."""
    LEFT = "left"
    """A rule lets go of it, and it stays as the rule made it."""
    CALLED_OFF = "called off"
    """It was decided before, no call was made yet, and it would no longer be done."""


CHANGES = frozenset({Doing.TAKEN, Doing.ONCE, Doing.RETURNED})
"""What needs a call to the shop."""


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that would happen to one product by one rule.

    `kind` is the call that does it, `target` the category or brand as people call it. `by` is the rule that overrules.
    `until` is when it may be done, if not at once, in the store's time zone; `because` says why a rule waits. `is_last`
    says that the product would be in no category any more. `is_watched`: the rule only watches, and this is what it
    would do.
    """

    rule: RuleCode
    product: str
    name: str
    sku: str
    doing: Doing
    kind: ActionKind | None = None
    target: str = ""
    by: RuleCode | None = None
    until: datetime | None = None
    because: str = ""
    is_last: bool = False
    is_watched: bool = False

    @property
    def called(self) -> str:
        """The product as people know it: `Trail Runner (RUN-1)`."""
        return str(self.named)

    @property
    def named(self) -> ProductName:
        """The product with all its names."""
        return ProductName(self.product, self.sku, self.name)

    @property
    def order(self) -> tuple[str, str, str]:
        """By name, as a shop assistant would look for it."""
        return (self.name.casefold(), self.sku, self.product)

    @property
    def deed(self) -> str:
        """What would be done, as it follows `would be` or stands alone: `taken out of Featured (10)`."""
        match self.kind:
            case ActionKind.ADD_TO_CATEGORY:
                return f"put into {self.target}"
            case ActionKind.REMOVE_FROM_CATEGORY:
                return f"taken out of {self.target}"
            case ActionKind.ASSIGN_BRAND:
                return f"given the brand {self.target}"
            case ActionKind.UNASSIGN_BRAND:
                return f"freed from the brand {self.target}".rstrip()
            case ActionKind.SHOW:
                return "shown"
            case ActionKind.HIDE:
                return "hidden"
            case None:
                return "changed"

    @property
    def would(self) -> str:
        """The whole line without the product, as it follows `would`: `be taken out of Featured (10)`."""
        match self.doing:
            case Doing.TAKEN:
                return f"be {self.deed}"
            case Doing.ONCE:
                return f"be {self.deed}, once and for all"
            case Doing.RETURNED:
                return f"be given back: {self.deed}"
            case Doing.OVERRULED:
                return f"be {self.deed}, but {self.by} comes first and wants otherwise"
            case Doing.WAITS:
                return "wait" + (f": {self.because}" if self.because else "")
            case Doing.LEFT:
                return f"be let go and stay as it is, {self.deed}"
            case Doing.CALLED_OFF:
                return f"not be {self.deed} any more: that was decided before, and no call was made yet"

    @property
    def item(self) -> str:
        """The product, with what differs from others of which the same is said."""
        word = "until" if self.doing is Doing.WAITS else "not before"
        return self.called + (f", {word} {self.until:%Y-%m-%d %H:%M} ({self.until.tzinfo})" if self.until else "")


@dataclass(frozen=True, slots=True)
class Compared:
    """What one decision would change. `actions` are the new calls; `open` counts those that were decided before."""

    lines: tuple[Line, ...] = ()
    actions: tuple[PlannedAction, ...] = ()
    open: int = 0


def compare(
    before: Case, decision: Decision, context: Context, *, at: datetime, watched: frozenset[RuleCode] = frozenset()
) -> Compared:
    """What differs between a product's case and what deciding made of it. What was decided before is not counted.

    `watched` are rules that were decided as if they were live, though they only watch.
    """
    comparison = _Comparison(before, decision, context, at, watched)
    lines = [*comparison.changes(), *comparison.losers(), *comparison.releases(), *comparison.waits()]
    return Compared(tuple(dict.fromkeys(lines)), tuple(comparison.new), comparison.open)


class _Comparison:
    def __init__(
        self, before: Case, decision: Decision, context: Context, at: datetime, watched: frozenset[RuleCode]
    ) -> None:
        self.before = before
        self.at = at
        self.watched = watched
        self.order, self.live = context.order, context.live
        self.decision = decision
        self.after = decision.case
        self.context = context
        self.new = [
            action
            for key, action in self.after.actions.items()
            if action.state.is_open and not (key in before.actions and before.actions[key].state.is_open)
        ]
        opened = (key for key, action in before.actions.items() if action.state.is_open)
        self.open = sum(key in self.after.actions and self.after.actions[key].state.is_open for key in opened)
        fields = self.after.snapshot.fields if self.after.snapshot else {}
        self.name, self.sku = str(fields.get("name") or ""), str(fields.get("sku") or "")
        self.in_categories = set(fields.get("category_ids", ()))
        self.holds = {hold.id: hold for slot in before.slots.values() for hold in slot.holds}

    def changes(self) -> Iterator[Line]:
        """What would be called for, and what would be called for no longer."""
        doings = {Step.TAKE: Doing.TAKEN, Step.MOMENT: Doing.ONCE}
        left = self._left_without_category()
        for action in self.new:
            yield self._line(
                action.rules[0],
                doings.get(action.step, Doing.RETURNED),
                action.kind,
                self._target(action.slot, action.target),
                until=action.due_at if action.due_at is not None and action.due_at > self.at else None,
                is_last=left and action.kind is ActionKind.REMOVE_FROM_CATEGORY,
            )
        renewed = {(action.slot, action.wish) for action in self.new}
        for key, action in self.before.actions.items():
            ended = self.after.actions.get(key, action)
            is_off = action.state.is_open and action.done_at is None and ended.state is ActionState.CANCELLED
            if is_off and (action.slot, action.wish) not in renewed:
                target = self._target(action.slot, action.target)
                yield self._line(action.rules[0], Doing.CALLED_OFF, action.kind, target)

    def losers(self) -> Iterator[Line]:
        """Who wants something and is newly overruled."""
        for ref, slot in self.after.slots.items():
            goal = wanted(slot, self.order, self.live)
            for hold in slot.open_holds:
                is_new = hold.id is None or self.holds.get(hold.id) != hold
                if goal is not None and goal.holder and hold.state.is_claim and is_new and hold.wish != goal.wish:
                    by = goal.holder.rule
                    yield self._of_slot(hold.rule, Doing.OVERRULED, ref, slot.baseline, hold.wish, by=by)

    def releases(self) -> Iterator[Line]:
        """What is let go and stays as the rule made it."""
        for ref, slot in self.after.slots.items():
            for hold in slot.holds:
                was = self.holds.get(hold.id) if hold.id is not None else None
                is_released = was is not None and was.state in TOOK and hold.state is HoldState.RELEASED
                if is_released and hold.is_left:
                    yield self._of_slot(hold.rule, Doing.LEFT, ref, slot.baseline, hold.wish)

    def waits(self) -> Iterator[Line]:
        """Whose condition holds, and who yet takes nothing now."""
        acting = {rule for action in self.after.actions.values() if action.state.is_open for rule in action.rules}
        for rule in self.context.rules:
            if rule.about is not SubjectKind.PRODUCT or rule.code not in self.live or rule.code in acting:
                continue
            held = [(slot, hold) for slot in self.after.slots.values() for hold in slot.open_holds]
            mine = [(slot, hold) for slot, hold in held if hold.rule == rule.code]
            if all(self._is_waiting(slot, hold) for slot, hold in mine):
                yield from self._waits(rule, [hold for _, hold in mine])

    def _is_waiting(self, slot: Slot, hold: Hold) -> bool:
        goal = wanted(slot, self.order, self.live)
        is_overruled = goal is not None and goal.holder is not None and hold.wish != goal.wish
        return hold.state is HoldState.PENDING and not is_overruled

    def _waits(self, rule: Rule, holds: list[Hold]) -> Iterator[Line]:
        episode = self.after.episodes.get((rule.code, self.after.ref))
        if not rule.is_while or episode is None or episode.truth is not Truth.MET:
            return
        at = self.at
        ripe = ripens_at(rule, episode)
        if ripe > at and rule.guards.must_last:
            because = f"its condition must last {say_duration(rule.guards.must_last)}"
            yield self._line(rule.code, Doing.WAITS, until=ripe, because=because)
        elif holds:
            reason = next((hold.reason for hold in holds if hold.reason), "")
            yield self._line(rule.code, Doing.WAITS, because=reason)

    def _left_without_category(self) -> bool:
        moves = {action.slot.target: action.wish for action in self.new if action.slot.aspect is Aspect.MEMBERSHIP}
        stays = self.in_categories - {id_ for id_, wish in moves.items() if not wish}
        return bool(self.in_categories) and not stays and not any(moves.values())

    def _of_slot(
        self, rule: RuleCode, doing: Doing, ref: SlotRef, old: SlotValue, wish: SlotValue, *, by: RuleCode | None = None
    ) -> Line:
        kind, target = call_for(ref, old, wish)
        return self._line(rule, doing, kind, self._target(ref, target), by=by)

    def _target(self, ref: SlotRef, target: str) -> str:
        if ref.aspect is Aspect.MEMBERSHIP:
            return category_called(target, self.context.directory)
        return self.context.directory.brand_name(target) or target if ref.aspect is Aspect.BRAND else ""

    def _line(
        self,
        rule: RuleCode,
        doing: Doing,
        kind: ActionKind | None = None,
        target: str = "",
        *,
        by: RuleCode | None = None,
        until: datetime | None = None,
        because: str = "",
        is_last: bool = False,
    ) -> Line:
        watches = rule in self.watched
        until = until.astimezone(self.context.zone) if until is not None else None
        return Line(
            rule, self.after.ref.id, self.name, self.sku, doing, kind, target, by, until, because, is_last, watches
        )


def category_called(id_: str, directory: Directory) -> str:
    """A category as people know it: `Featured (10)`."""
    names = directory.category_names(id_)
    return f"{names[0]} ({id_})" if names and names[0] != id_ else f"category {id_}"
