"""What planned actions cost: the calls to the shop that a lane would make for them, and how long its rate makes it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

from rules_engine.core.action import Action, ActionKind, Request
from rules_engine.core.errors import PermanentError
from rules_engine.core.plan import PlannedAction
from rules_engine.core.subject import SubjectKind, SubjectRef
from rules_engine.vendors.base import AnyVendor

_ADDS = frozenset({ActionKind.ADD_TO_CATEGORY, ActionKind.ASSIGN_BRAND, ActionKind.SHOW})
"""What a lane sends first."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What a plan costs at the shop: `calls` that change something, `reads` before them, and the time for both.

    The time is what the shop's rate alone makes of it, when the engine has not called it for a while. `refused` are
    actions for which no call can be made.
    """

    calls: int = 0
    reads: int = 0
    time: timedelta = timedelta(0)
    refused: int = 0


@dataclass(slots=True)
class Calls:
    """Counts the calls of a plan page by page, as a lane would make them."""

    vendor: AnyVendor
    calls: int = 0
    reads: int = 0
    refused: int = 0
    spent: float = 0.0
    _of_categories: dict[str, list[PlannedAction]] = field(default_factory=dict)

    def look_at(self, refs: Sequence[SubjectRef]) -> None:
        """Count the reads of one turn."""
        able = self.vendor.CAPABILITIES
        can = {SubjectKind.PRODUCT: able.can_read, SubjectKind.CATEGORY: able.can_read_categories}
        wanted = [ref for ref in refs if can.get(ref.kind, False)]
        try:
            requests = self.vendor.read(wanted) if wanted else ()
        except PermanentError:
            requests = ()  # an id that no shop would have: the lane sets it aside
        self.reads += len(requests)
        self.spent += sum(request.cost for request in requests)

    def plan(self, actions: Iterable[PlannedAction]) -> None:
        """Count the calls of one turn. What empties a category is done for the category as a whole, later."""
        sent: list[PlannedAction] = []
        for action in actions:
            is_emptying = action.about.kind is SubjectKind.CATEGORY and action.kind is ActionKind.REMOVE_FROM_CATEGORY
            if is_emptying:
                self._of_categories.setdefault(action.target, []).append(action)
            else:
                sent.append(action)
        for is_add in (True, False):
            self._send([_action(action) for action in sent if (action.kind in _ADDS) is is_add])

    def empty(self, members: dict[str, frozenset[str]]) -> tuple[str, ...]:
        """Count the calls that empty categories; the ids of those that one call would empty whole.

        `members` are the products of each category as they are remembered.
        """
        whole = []
        for id_, actions in self._of_categories.items():
            is_all = {action.slot.product for action in actions} == members.get(id_, frozenset())
            is_whole = is_all and self.vendor.CAPABILITIES.empties_whole
            whole += [id_] if is_whole else []
            self._send([replace(_action(action), is_whole=is_whole) for action in actions])
        self._of_categories.clear()
        return tuple(whole)

    def cost(self) -> Cost:
        """What all of it costs."""
        able = self.vendor.CAPABILITIES
        seconds = max(0.0, self.spent - able.burst) / able.rate
        return Cost(self.calls, self.reads, timedelta(seconds=seconds), self.refused)

    def _send(self, actions: Sequence[Action]) -> None:
        requests = self._prepared(actions)
        self.calls += len(requests)
        self.spent += sum(request.cost for request in requests)

    def _prepared(self, actions: Sequence[Action]) -> tuple[Request, ...]:
        """The requests; an action for which none can be built is counted alone, as a lane sets it aside alone."""
        if not actions:
            return ()
        try:
            return self.vendor.prepare(actions)
        except PermanentError:
            sound: list[Action] = []
            for each in actions:
                alone = replace(each, is_whole=False)
                try:
                    self.vendor.prepare([alone])
                except PermanentError:
                    self.refused += 1
                else:
                    sound.append(alone)
            return self.vendor.prepare(sound) if sound else ()


def _action(action: PlannedAction) -> Action:
    return Action(action.key, action.kind, action.slot.product, action.target)
