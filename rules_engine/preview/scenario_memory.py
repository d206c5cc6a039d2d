"""What the engine remembers while a test of a rule is played: the ledger in memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import count

from rules_engine.core.action import ActionKey, SlotRef
from rules_engine.core.holds import Hold, Slot
from rules_engine.core.plan import ActionState, Case, Episode, EpisodeKey, PlannedAction, Step
from rules_engine.core.rule import RuleCode
from rules_engine.core.subject import SubjectRef


@dataclass(slots=True)
class Memory:
    """Cases as the ledger keeps them: loading a saved case gives what the tables would give.

    `lag` is how long what was done stays with its case, `takes` how far back `Case.recent_takes` goes.
    """

    lag: timedelta
    takes: timedelta
    episodes: dict[EpisodeKey, Episode] = field(default_factory=dict)
    cases: dict[SubjectRef, Case] = field(default_factory=dict)
    actions: dict[ActionKey, PlannedAction] = field(default_factory=dict)
    ended: dict[SlotRef, list[Hold]] = field(default_factory=dict)
    _ids: count[int] = field(default_factory=lambda: count(1))

    def save(self, case: Case) -> None:
        """Keep the case: its slots with the open holds, the others as ended."""
        self.actions |= case.actions
        self.episodes |= case.episodes
        changed = {hold.id: hold for holds in case.ended.values() for hold in holds}
        for ref, known_ended in self.ended.items():
            self.ended[ref] = [changed.get(hold.id, hold) for hold in known_ended]
        slots = {}
        for ref, slot in case.slots.items():
            known = tuple(hold if hold.id else replace(hold, id=next(self._ids)) for hold in slot.holds)
            self.ended.setdefault(ref, []).extend(hold for hold in known if not hold.state.is_open)
            if kept := tuple(hold for hold in known if hold.state.is_open):
                slots[ref] = Slot(ref, slot.baseline, slot.since, kept)
        self.cases[case.ref] = replace(case, slots=slots)

    def load(self, ref: SubjectRef, at: datetime) -> Case:
        """The case as it is remembered; an empty one where nothing is."""
        case = self.cases.get(ref, Case(ref))
        ended = {
            slot: tuple(hold for hold in holds if self._is_of_its_episode(hold))
            for slot, holds in self.ended.items()
            if slot.product == ref.id
        }
        mine = [action for action in self.actions.values() if action.slot.product == ref.id]
        return replace(
            case,
            actions={action.key: action for action in mine if self._is_loaded(action, case, ended, at)},
            recent_takes=self._recent_takes(mine, at),
            ended={slot: holds for slot, holds in ended.items() if holds},
            orders=tuple(order for order in case.orders if order.is_open),
        )

    def _recent_takes(self, actions: list[PlannedAction], at: datetime) -> dict[RuleCode, tuple[datetime, ...]]:
        """When each rule lately acted, once for each turn; its hours may have made it wait until it was done."""
        found: dict[RuleCode, dict[datetime, datetime]] = {}
        for action in actions:
            acted_at = max(action.created_at, action.done_at or action.created_at)
            if action.step in {Step.TAKE, Step.MOMENT} and action.attempts and acted_at > at - self.takes:
                for rule in action.rules:
                    turn = found.setdefault(rule, {})
                    turn[action.created_at] = max(acted_at, turn.get(action.created_at, acted_at))
        return {rule: tuple(sorted(times.values())) for rule, times in found.items()}

    def _is_of_its_episode(self, hold: Hold) -> bool:
        episode = self.episodes.get((hold.rule, hold.subject))
        return episode is not None and episode.number == hold.episode

    def _is_loaded(
        self, action: PlannedAction, case: Case, ended: Mapping[SlotRef, tuple[Hold, ...]], at: datetime
    ) -> bool:
        if action.state is ActionState.DEAD:
            return action.slot in case.slots or bool(ended.get(action.slot))
        return action.state.is_open or (action.done_at is not None and action.done_at > at - self.lag)
