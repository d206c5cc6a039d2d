"""Playing rules over one timeline: the one core decides, and a shop in miniature does at once what it is told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from rules_engine.core.action import ActionKind, Aspect, Done, SlotRef, SlotValue
from rules_engine.core.aim import call_for
from rules_engine.core.condition import Finding, Truth
from rules_engine.core.decide import decide
from rules_engine.core.directory import Directory
from rules_engine.core.holds import Hold, HoldState, Slot
from rules_engine.core.judge import is_ripe, ripens_at, whole_condition
from rules_engine.core.moments import Moment
from rules_engine.core.observe import TOOK
from rules_engine.core.outcome import answered, attempted
from rules_engine.core.plan import ActionState, Case, Episode, EpisodeKey, PlannedAction, Step, Trace
from rules_engine.core.rule import Rule, RuleCode
from rules_engine.core.sighting import Context, Sighting, document_of
from rules_engine.core.store import Store
from rules_engine.core.subject import ProductId, Snapshot, SubjectKind, SubjectRef
from rules_engine.core.view import Fields, as_people_made_it, shown, with_slots
from rules_engine.vendors.base import AnyVendor

from .backtest_timeline import Doings, Sight, Timeline
from .scenario_memory import Memory

STEP = timedelta(milliseconds=1)
"""What lies at least between two looks."""

MOST_LOOKS = 20_000
"""After so many looks at one subject it is given up: the rules would never rest."""

_FIRST = frozenset({ActionKind.ADD_TO_CATEGORY, ActionKind.ASSIGN_BRAND, ActionKind.SHOW})
_TO_SEND = frozenset({ActionState.PENDING, ActionState.WAITING, ActionState.SENT})


class RestlessError(Exception):
    """The rules look at one subject again and again, without an end."""


@dataclass(frozen=True, slots=True)
class CategoryTurn:
    """What rules about categories came to at one look at a category: how they stand, and the moments that came."""

    at: datetime
    category: str
    stretches: Mapping[EpisodeKey, Episode]
    moments: tuple[Moment, ...] = ()


@dataclass(frozen=True, slots=True)
class Stage:
    """Where a rulebook is played: one store from `since` to `until` (aware UTC).

    `turns` are those of the rules about categories, in the order of time. `takes` is how far back it counts when a rule
    acted.
    """

    store: Store
    vendor: AnyVendor
    rules: tuple[Rule, ...]
    directory: Directory
    lag: timedelta
    takes: timedelta
    since: datetime
    until: datetime
    turns: Sequence[CategoryTurn] = ()


@dataclass(frozen=True, slots=True)
class Deed:
    """One change of one slot by a rule. `turn` is when it was decided, `at` when it was done (aware UTC).

    One that was done before the span and still stands when it begins `is_start`; then both times are the span's start.
    """

    rule: RuleCode
    about: SubjectRef
    slot: SlotRef
    wish: SlotValue
    step: Step
    kind: ActionKind
    target: str
    turn: datetime
    at: datetime
    is_start: bool = False

    @classmethod
    def of(cls, action: PlannedAction, at: datetime, rule: RuleCode) -> Deed:
        """The deed of an action that was done."""
        return cls(
            rule, action.about, action.slot, action.wish, action.step, action.kind, action.target, action.created_at, at
        )


class Player:
    """One subject while rules are played over its timeline. `deeds` are what they did, in order."""

    def __init__(self, line: Timeline, stage: Stage, *, until: datetime | None = None) -> None:
        self._line = line
        self._stage = stage
        self._until = until or stage.until
        self._able = stage.vendor.CAPABILITIES
        self._memory = Memory(stage.lag, stage.takes)
        self._people: Fields | None = line.start
        self._categories = line.categories
        self._effects: dict[SlotRef, SlotValue] = {}
        self._stretches: dict[EpisodeKey, Episode] = {}
        self._at = stage.since
        self._due: datetime | None = None
        self._looks = 0
        self._before: tuple[Case, Sighting, Context] | None = None
        self.deeds: list[Deed] = []
        self.turns: list[CategoryTurn] = []
        self.said: dict[RuleCode, Trace] = {}

    # ------------------------------------------------------------------------------------ the course of time

    def play(self, doings: Doings | None = None) -> Player:
        """Play the whole timeline. What really was held when the span begins (`doings`) says since when it was so.

        Raises whatever deciding raises, and `RestlessError`.
        """
        turns = list(self._stage.turns)
        while turns and turns[0].at <= self._stage.since:
            self._stretches |= turns.pop(0).stretches
        if self._line.start is not None:
            self._begin(self._line.start, doings or Doings())
        events: list[CategoryTurn | Sight] = [*turns, *self._line.sights]
        for event in sorted(events, key=lambda each: (each.at, isinstance(each, Sight))):
            if event.at > self._until:
                break
            self._wait_until(event.at)
            self._at = max(self._at + STEP, event.at)
            self._take_place(event)
        self._wait_until(self._until)
        return self

    def _is_concerned(self, turn: CategoryTurn) -> bool:
        """Whether the product is looked at because of its category: it may be in it, or a rule acts on that."""
        slot = SlotRef(ProductId(self._line.ref.id), Aspect.MEMBERSHIP, turn.category)
        return turn.category in self._categories or slot in self._effects

    def _begin(self, start: Fields, doings: Doings) -> None:
        """The first look. What rules take at it they had taken before: that is no deed of this time."""
        ref, since = self._line.ref, self._stage.since
        seen = Snapshot(ref, start)
        case = Case(ref, seen, revision=1, seen_at=since, episodes=self._running(doings), slots=self._left(doings))
        self._memory.save(case)
        # What was really held is taken at once: when the rule's hours opened for it is past.
        held_then = frozenset(each.slot for each in doings.holds if each.is_open(since))
        self._settle(Sighting(ref, since, self._snapshot(), caused_by=("the start",)), anyway=held_then)
        held = self._memory.load(ref, self._at)
        self.turns = [CategoryTurn(since, ref.id, held.episodes)] if ref.kind is SubjectKind.CATEGORY else []
        self._memory.actions = {key: each for key, each in self._memory.actions.items() if each.state.is_open}
        self.deeds = [
            start_deed(slot.ref, hold, slot.baseline, since)
            for slot in held.slots.values()
            for hold in slot.open_holds
            if hold.state in TOOK and hold.takes > 0 and shown(self._shown(), slot.ref) == hold.wish
        ]

    def _running(self, doings: Doings) -> dict[EpisodeKey, Episode]:
        """The stretches that really ran already, and since when: what must last has lasted where it was held."""
        ref, since = self._line.ref, self._stage.since
        lasts = {rule.code: rule.guards.must_last or timedelta(0) for rule in self._stage.rules if rule.is_while}
        held = [each.hold for each in doings.holds if each.is_open(since)]
        running = [((hold.rule, hold.subject), hold.since - lasts.get(hold.rule, timedelta(0))) for hold in held]
        running += [(key, each.since) for key, each in doings.episodes.items() if each.truth is Truth.MET]
        found: dict[EpisodeKey, Episode] = {}
        for key, began in running:
            if key[0] in lasts and key[1] == ref and began <= since and (key not in found or began < found[key].since):
                found[key] = Episode(1, Truth.MET, began)
        return found

    def _left(self, doings: Doings) -> dict[SlotRef, Slot]:
        """The slots that rules had stepped back from, because a person had put back what they took."""
        since, known = self._stage.since, {rule.code for rule in self._stage.rules}
        slots: dict[SlotRef, Slot] = {}
        opened = [each for each in doings.holds if each.is_open(since)]
        for each in opened:
            value = shown(self._line.shown, each.slot)
            is_overruled = any(other.slot == each.slot and other.hold.wish == value for other in opened)
            if value == each.hold.wish or is_overruled or each.hold.rule not in known:
                continue
            hold = replace(each.hold, id=None, episode=1, state=HoldState.STEPPED_BACK, cause=())
            before = slots.get(each.slot)
            baseline = shown(self._people, each.slot)
            if isinstance(baseline, bool | str | None):
                slots[each.slot] = Slot(each.slot, baseline, since, (*(before.holds if before else ()), hold))
        return slots

    def _take_place(self, event: CategoryTurn | Sight) -> None:
        ref = self._line.ref
        if isinstance(event, CategoryTurn):
            self._stretches |= event.stretches
            if self._people is not None and self._is_concerned(event):
                self._settle(self._sighting("its category"), moments=event.moments)
            return
        self._people = event.fields
        if event.fields is None:
            self._effects.clear()
            self._settle(Sighting(ref, self._at, is_gone=True, events=event.events, event_time=self._at))
            return
        for slot in event.touched:
            self._effects.pop(slot, None)
        version = None if self._able.can_read else self._at
        seen = Snapshot(ref, self._shown(), version)
        told = self._at if event.events else None
        self._settle(Sighting(ref, self._at, seen, events=event.events, event_time=told, caused_by=("a change",)))

    def _wait_until(self, end: datetime) -> None:
        """Let time pass; what is due within it is looked at then."""
        while self._due is not None and self._due <= end:
            self._at = max(self._at + STEP, self._due)
            self._due = None
            if self._people is not None:
                self._settle(self._sighting("time alone"))

    # ------------------------------------------------------------------------------------ looking and acting

    def _shown(self) -> Fields:
        """What the shop shows: what people made, and what the rules that are played did to it."""
        people = self._people or {}
        return with_slots(people, self._effects, self._stage.directory) if self._effects else people

    def _snapshot(self) -> Snapshot | None:
        able = self._able.can_read if self._line.ref.kind is SubjectKind.PRODUCT else self._able.can_read_categories
        return Snapshot(self._line.ref, self._shown()) if able else None

    def _sighting(self, cause: str) -> Sighting:
        return Sighting(self._line.ref, self._at, self._snapshot(), caused_by=(cause,))

    def _settle(
        self, sighting: Sighting, *, moments: tuple[Moment, ...] = (), anyway: frozenset[SlotRef] = frozenset()
    ) -> None:
        """Decide, make the calls that may be made, and look again where those show something that nobody asked for."""
        self._decide(sighting, moments)
        while self._act(anyway):
            self._at += STEP
            self._decide(self._sighting("what was done"), ())

    def _decide(self, sighting: Sighting, moments: tuple[Moment, ...]) -> None:
        self._looks += 1
        if self._looks > MOST_LOOKS:
            raise RestlessError(f"the rules looked at it {MOST_LOOKS:,} times and did not come to rest")
        context = self._context(moments)
        before = self._memory.load(sighting.ref, self._at)
        decision = decide(before, sighting, context)
        self._memory.save(decision.case)
        self._before = (before, sighting, context)
        self.said |= {trace.rule: trace for trace in decision.traces}
        waits = [each.due_at for each in decision.case.actions.values() if each.state.is_open and each.due_at]
        times = [*([decision.look_at] if decision.look_at else []), *waits]
        self._due = max(min(times), self._at + STEP) if times else None
        if sighting.ref.kind is SubjectKind.CATEGORY:
            self._note_turn(before, decision.case, decision.moments)

    def _context(self, moments: tuple[Moment, ...]) -> Context:
        stage = self._stage
        return Context(
            store=stage.store.alias,
            vendor=stage.vendor.NAME,
            rules=stage.rules,
            directory=stage.directory,
            capabilities=self._able,
            zone=stage.store.zone,
            lag=stage.lag,
            stretches=self._stretches,
            moments=moments,
        )

    def _note_turn(self, before: Case, after: Case, moments: tuple[Moment, ...]) -> None:
        """Keep a look at a category that products have to know of: a rule turned, ripened, or had its moment."""
        rules = {rule.code: rule for rule in self._stage.rules}
        turned = {
            key: episode
            for key, episode in after.episodes.items()
            if before.episodes.get(key) != episode
            or (key[0] in rules and self._ripened(rules[key[0]], episode, before.seen_at))
        }
        if turned or moments:
            self.turns.append(CategoryTurn(self._at, after.ref.id, turned, moments))

    def _ripened(self, rule: Rule, episode: Episode, before: datetime | None) -> bool:
        is_new = before is None or before < ripens_at(rule, episode)
        return is_new and is_ripe(rule, episode, self._at)

    def _act(self, anyway: frozenset[SlotRef]) -> bool:
        """Make the calls that are due, adds before removes; says whether another look would show more than we know."""
        ref = self._line.ref
        if ref.kind is not SubjectKind.PRODUCT or self._people is None:
            return False
        is_to_look = False
        while due := list(self._callable(anyway)):
            for action in due:
                is_to_look |= self._call(ref, action)
        return is_to_look

    def _callable(self, anyway: frozenset[SlotRef]) -> Iterator[PlannedAction]:
        case = self._memory.load(self._line.ref, self._at)
        waiting = [action for action in case.actions.values() if action.state in _TO_SEND]
        due = [each for each in waiting if each.slot in anyway or each.due_at is None or each.due_at <= self._at]
        yield from [each for each in due if each.kind in _FIRST] or due

    def _call(self, ref: SubjectRef, action: PlannedAction) -> bool:
        self._memory.save(attempted(self._memory.load(ref, self._at), action.key, at=self._at))
        self._effects[action.slot] = action.wish
        case = answered(
            self._memory.load(ref, self._at),
            action.key,
            Done(is_shown=True),
            at=self._at,
            retry_in=timedelta(0),
            is_proven=True,
            counts=True,
            directory=self._stage.directory,
        )
        self._memory.save(case)
        self.deeds.append(Deed.of(action, self._at, action.rules[0]))
        return self._promote(action) or action.step is Step.MOMENT

    def _promote(self, action: PlannedAction) -> bool:
        """Some shops put a product that lost its last category into one of their own."""
        top = self._able.promotes_to
        fields = self._shown()
        if top is None or action.kind is not ActionKind.REMOVE_FROM_CATEGORY or fields.get("category_ids") != []:
            return False
        self._effects[SlotRef(ProductId(self._line.ref.id), Aspect.MEMBERSHIP, top)] = True
        return True

    # ------------------------------------------------------------------------------------ how a rule stood

    @property
    def fields(self) -> Fields:
        """The subject as it was shown at last; empty where nothing was."""
        return self._shown()

    def finding(self, rule: Rule) -> Finding | None:
        """How the rule's condition stood at the last look, as it saw the subject; None where nothing was seen."""
        if self._before is None:
            return None
        before, sighting, context = self._before
        after = self._memory.load(self._line.ref, self._at)
        if after.snapshot is None or after.is_gone:
            return None
        was = before.snapshot.fields if before.snapshot and not before.is_gone else None
        document = document_of(
            self._as_seen(after.snapshot.fields, after, context),
            None if was is None else self._as_seen(was, before, context),
            sighting,
            context,
        )
        return whole_condition(rule, document)

    def _as_seen(self, fields: Fields, case: Case, context: Context) -> Fields:
        return as_people_made_it(fields, case.slots.values(), context.directory)

    def hold_of(self, rule: RuleCode) -> Hold | None:
        """What the rule holds or wants to hold of the subject at last."""
        case = self._memory.load(self._line.ref, self._at)
        return next((hold for slot in case.slots.values() for hold in slot.open_holds if hold.rule == rule), None)


def start_deed(slot: SlotRef, hold: Hold, baseline: SlotValue, since: datetime) -> Deed:
    """What a rule holds when the span begins."""
    kind, target = call_for(slot, baseline, hold.wish)
    return Deed(hold.rule, hold.subject, slot, hold.wish, Step.TAKE, kind, target, since, since, is_start=True)
