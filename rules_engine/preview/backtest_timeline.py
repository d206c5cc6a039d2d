"""How people made a product or category over time: its history, without what the engine itself did to it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from rules_engine.core.action import Aspect, SlotRef, SlotValue
from rules_engine.core.delivery import EventType
from rules_engine.core.directory import Directory
from rules_engine.core.holds import Hold
from rules_engine.core.plan import Episode, EpisodeKey, PlannedAction, Step
from rules_engine.core.subject import SubjectRef
from rules_engine.core.view import UNSEEN, Fields, Unseen, is_changed, shown, with_slots
from rules_engine.database.history import State

EARLIEST = datetime.min.replace(tzinfo=UTC)
"""Since when the oldest state that is known has been so."""

SAME_TURN = timedelta(seconds=10)
"""A turn that saw a change commits what it decided, with the deliveries that it was about, within so long."""


@dataclass(frozen=True, slots=True)
class Stood:
    """A hold that took something of a slot, and when it ended (None: it has not)."""

    slot: SlotRef
    hold: Hold
    ended_at: datetime | None = None

    def is_open(self, at: datetime) -> bool:
        """Whether it had begun by then, and not ended."""
        return self.hold.since <= at and (self.ended_at is None or self.ended_at > at)


@dataclass(frozen=True, slots=True)
class Doings:
    """What the engine really did with one product: calls that were made, holds that took, baselines that are kept.

    `episodes` are the stretches as they stand now.
    """

    actions: tuple[PlannedAction, ...] = ()
    holds: tuple[Stood, ...] = ()
    baselines: Mapping[SlotRef, SlotValue] = field(default_factory=dict)
    episodes: Mapping[EpisodeKey, Episode] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Sight:
    """What there was to be seen of a subject from `at` on, as people made it. `fields` is None once it is gone.

    `touched` are the slots that somebody else than the engine changed since the sight before; `events` are those of
    the webhooks that brought it.
    """

    at: datetime
    fields: Fields | None
    touched: frozenset[SlotRef] = frozenset()
    events: frozenset[EventType] = frozenset()


@dataclass(frozen=True, slots=True)
class Timeline:
    """One subject over a span. `start` is how people had made it when the span began, None where it was not known.

    `shown` is what the shop really showed then, with what the engine had done.
    """

    ref: SubjectRef
    start: Fields | None = None
    shown: Fields | None = None
    sights: tuple[Sight, ...] = ()

    @property
    def changes(self) -> int:
        """How often the subject became another, apart from what moves by itself; its first sight counts."""
        seen = [self.start, *(sight.fields for sight in self.sights)]
        return sum(now is None or is_changed(before, now) for before, now in pairwise(seen))

    @property
    def categories(self) -> frozenset[str]:
        """The ids of the categories in which the product ever was, as people made it."""
        seen = (self.start, *(sight.fields for sight in self.sights))
        return frozenset(id_ for fields in seen for id_ in (fields or {}).get("category_ids", ()))


def timeline(
    ref: SubjectRef,
    states: Sequence[State],
    doings: Doings,
    *,
    since: datetime,
    directory: Directory,
    lag: timedelta,
    promotes_to: str | None = None,
    births: Iterable[tuple[datetime, EventType]] = (),
) -> Timeline:
    """The subject from `since` (aware UTC) on. `states` are all that are known of it, the oldest first.

    A change of a slot is the engine's own when a call for it was under way; everything else was done by people or other
    systems. `births` say when webhooks were decided that told of the subject as new.
    """
    walk = _Walk(doings, directory, lag, promotes_to)
    start = shown_then = None
    sights: list[Sight] = []
    last: Sight | None = None
    for number, state in enumerate(states):
        until = states[number + 1].since if number + 1 < len(states) else None
        seen = walk.step(state, until)
        if state.since is None or state.since <= since:
            start, shown_then = (None, None) if state.is_gone else (seen.fields, state.fields)
            last = seen
        elif not state.is_unseen and (last is None or seen.touched or seen.fields != last.fields):
            sights.append(seen)
            last = seen
    return Timeline(ref, start, shown_then, tuple(_with_events(sights, start, births, since)))


class _Walk:
    """Goes through the states of a product in order, and knows at each what people had made of its slots."""

    def __init__(self, doings: Doings, directory: Directory, lag: timedelta, promotes_to: str | None) -> None:
        self._doings = doings
        self._directory = directory
        self._lag = lag
        self._top = promotes_to
        slots = [*(action.slot for action in doings.actions), *(each.slot for each in doings.holds)]
        self._slots = tuple(dict.fromkeys(slots))
        self._people: dict[SlotRef, SlotValue] = {}
        self._before: Fields | None = None

    def step(self, state: State, until: datetime | None) -> Sight:
        """The state as people made it. It lasted `until` the next one (None: it still does)."""
        at = state.since or EARLIEST
        if state.fields is None or state.is_gone:
            self._people, self._before = {}, None
            return Sight(at, None)
        touched = frozenset(self._touched(state, state.fields, until))
        self._before = state.fields
        made = {slot: value for slot, value in self._people.items() if shown(state.fields, slot) not in {UNSEEN, value}}
        fields = with_slots(state.fields, made, self._directory) if made else state.fields
        return Sight(at, fields, touched)

    def _touched(self, state: State, fields: Fields, until: datetime | None) -> Iterator[SlotRef]:
        for slot in self._slots:
            value, was = shown(fields, slot), shown(self._before, slot)
            if isinstance(value, Unseen):
                continue
            if slot not in self._people:
                held = self._held_at_first(slot, value, state.since, until)
                self._people[slot] = value if held is None else self._baseline(slot, held)
            elif value != was and not self._is_ours(slot, value, state.since):
                self._people[slot] = value
                yield slot

    def _held_at_first(
        self, slot: SlotRef, value: SlotValue, since: datetime | None, until: datetime | None
    ) -> Hold | None:
        """The hold that had taken the slot already when the oldest known state began; that is the one we see."""
        if since is not None:
            return None  # it was seen for the first time then
        for each in self._doings.holds:
            began = until is None or each.hold.since < until
            ended = each.ended_at is not None and (until is None or each.ended_at < until)
            if each.slot == slot and each.hold.wish == value and began and not ended:
                return each.hold
        return None

    def _baseline(self, slot: SlotRef, hold: Hold) -> SlotValue:
        """The slot's value before it was held: as it is kept, or given back later, or the opposite."""
        if slot in self._doings.baselines:
            return self._doings.baselines[slot]
        back = (each.wish for each in self._doings.actions if each.slot == slot and each.step is Step.GIVE_BACK)
        return next(back, None if slot.aspect is Aspect.BRAND else not hold.wish)

    def _is_ours(self, slot: SlotRef, value: SlotValue, at: datetime | None) -> bool:
        if at is None:
            return False
        if slot.aspect is Aspect.MEMBERSHIP and slot.target == self._top and value is True:
            # The shop put it there by itself, because our call took its last category.
            return any(each.slot == slot and each.hold.since == at for each in self._doings.holds)
        mine = (action for action in self._doings.actions if action.slot == slot and action.wish == value)
        return any(action.created_at <= at <= self._end(action, at) for action in mine)

    def _end(self, action: PlannedAction, at: datetime) -> datetime:
        """Until when what the slot becomes may be this action's doing."""
        if action.done_at is not None:
            return action.done_at
        return at if action.state.is_open else (action.called_at or action.created_at) + self._lag


def _with_events(
    sights: Sequence[Sight], start: Fields | None, births: Iterable[tuple[datetime, EventType]], since: datetime
) -> Iterator[Sight]:
    """The sights with the events of the webhooks that brought them; one that showed nothing new is a sight too."""
    waiting = sorted((at, event) for at, event in births if at > since)
    fields = start
    for number, sight in enumerate(sights):
        while waiting and waiting[0][0] < sight.at:
            at, event = waiting.pop(0)
            if fields is not None:
                yield Sight(at, fields, events=frozenset({event}))
        end = min([sight.at + SAME_TURN, *(each.at for each in sights[number + 1 : number + 2])])
        events: set[EventType] = set()
        while waiting and waiting[0][0] < end:
            events.add(waiting.pop(0)[1])
        fields = sight.fields
        yield Sight(sight.at, fields, sight.touched, frozenset(events))
    if fields is not None:
        yield from (Sight(at, fields, events=frozenset({event})) for at, event in waiting)
