"""Playing a test of a rule: the one core decides, and a shop in miniature does what is asked and shows it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, tzinfo

from rules_engine.core.action import ActionKind, Aspect, Done, SlotRef, SlotValue
from rules_engine.core.condition import Finding, Truth
from rules_engine.core.decide import decide
from rules_engine.core.delivery import EventType
from rules_engine.core.directory import Unresolved
from rules_engine.core.holds import Hold, HoldState, Slot
from rules_engine.core.judge import whole_condition
from rules_engine.core.moments import Moment
from rules_engine.core.outcome import answered, attempted
from rules_engine.core.plan import ActionState, Case, Episode, Notice, PlannedAction, Step
from rules_engine.core.rule import Effect, EffectKind, Identified, Mode, Named, Rule, longest_pause
from rules_engine.core.scenario import Glimpse, Scenario
from rules_engine.core.sighting import Context, Decision, Sighting, document_of
from rules_engine.core.store import Store
from rules_engine.core.subject import ProductId, Snapshot, SubjectKind, SubjectRef, product
from rules_engine.core.view import as_people_made_it
from rules_engine.vendors.base import AnyVendor

from .scenario_memory import Memory
from .scenario_shop import Shop, Shown, subject_id

MONDAY_NOON = datetime(2026, 3, 2, 12, 0)  # noqa: DTZ001 — the store's time zone is added
"""When a test happens that does not say when."""

A_MINUTE = timedelta(minutes=1)
"""What lies between `before` and `given` unless the test says otherwise."""

STEP = timedelta(seconds=1)
"""What lies at least between two looks: the shop's own echo comes so long after our call."""

LAG = timedelta(minutes=10)
A_DAY = timedelta(days=1)
"""How far back it is remembered at least when the rule acted: within a day it takes a product a few times only."""

MOST_LOOKS = 2_000
"""After so many looks a test is given up: its rule would never rest."""

_FIRST = frozenset({ActionKind.ADD_TO_CATEGORY, ActionKind.ASSIGN_BRAND, ActionKind.SHOW})
_TAKES = frozenset({Step.TAKE, Step.MOMENT})
_TO_SEND = frozenset({ActionState.PENDING, ActionState.WAITING, ActionState.SENT})


@dataclass(frozen=True, slots=True)
class Deed:
    """One call that the rule made. `target` is what it names there: a category's path or id, a brand, or nothing."""

    at: datetime
    kind: ActionKind
    product: str
    target: str
    id: str
    step: Step


@dataclass(frozen=True, slots=True)
class Told:
    """What the rule said at one look: when (aware, in the store's time zone), about what, and the sentence."""

    at: datetime
    subject: SubjectRef
    text: str


@dataclass(frozen=True, slots=True)
class Run:
    """What happened in a test. `deeds` are the calls from the last glimpse on, `story` is everything that was said.

    `member_of` are the categories of the product when the last glimpse was seen. `finding` is how the condition stood
    at last; None for a subject that is gone. `earlier` are the calls before the last glimpse, which was seen at
    `shown_at`; the test ended at `ended_at`, and at `pending_at` the rule would have looked again (aware, UTC).
    `asks` says that from the last glimpse on the rule asked a person, and waited for the answer.
    """

    deeds: tuple[Deed, ...]
    story: tuple[Told, ...]
    notices: tuple[Notice, ...]
    finding: Finding | None
    member_of: tuple[str, ...]
    shop: Shop
    zone: tzinfo
    earlier: tuple[Deed, ...]
    shown_at: datetime
    ended_at: datetime
    pending_at: datetime | None
    is_restless: bool = False
    asks: bool = False


def run(scenario: Scenario, rule: Rule, store: Store, vendor: AnyVendor) -> Run:
    """Play a test. The tested rule alone is in force, and live whatever its mode says: a test is about its meaning."""
    return _Player(scenario, replace(rule, mode=Mode.LIVE), store, vendor).play()


class _Player:
    """One test while it is played: a lane in miniature, with durable timers and a shop that never fails."""

    def __init__(self, scenario: Scenario, rule: Rule, store: Store, vendor: AnyVendor) -> None:
        self.scenario = scenario
        self.rule = rule
        self.store = store
        self.vendor = vendor
        self.shop = Shop(scenario, rule, store, vendor)
        self.memory = Memory(LAG, max(A_DAY, longest_pause([rule])))
        self.ref = SubjectRef(scenario.about, subject_id(scenario))
        self.at = self._begin()
        self.due: dict[SubjectRef, datetime] = {}
        self.deeds: list[Deed] = []
        self.story: list[Told] = []
        self.notices: list[Notice] = []
        self.finding: Finding | None = None
        self.looks = 0
        self.asks = False
        self._looked_at = self.at

    # ------------------------------------------------------------------------------------ the course of a test

    def play(self) -> Run:
        """Show every glimpse in turn, let time pass, and tell what came of it."""
        scenario = self.scenario
        self._set_up()
        given = replace(scenario.given, after=self._before_given)
        steps = [*([scenario.before] if scenario.before else []), given, *scenario.then]
        member_of: tuple[str, ...] = ()
        earlier: tuple[Deed, ...] = ()
        shown_at = self.at
        for number, glimpse in enumerate(steps):
            if number > 0:
                self._show(glimpse, is_given=glimpse is given)
            if number == len(steps) - 1:
                earlier = tuple(self.deeds)
                self.deeds, self.notices, self.asks = [], [], False
                member_of = tuple(self.shop.fields(self._subject()).get("category_ids", ()))
            shown_at = self.at
            self._settle(self._sighting(self.ref, glimpse))
            pause = scenario.after if number == len(steps) - 1 else steps[number + 1].after
            self._wait_until(shown_at + pause)
        return Run(
            tuple(self.deeds),
            tuple(self.story),
            tuple(self.notices),
            self.finding,
            member_of,
            self.shop,
            self.store.zone,
            earlier,
            shown_at,
            self.at,
            min(self.due.values(), default=None),
            is_restless=self.looks > MOST_LOOKS,
            asks=self.asks,
        )

    def _begin(self) -> datetime:
        at = self.scenario.at or MONDAY_NOON
        at = at if at.tzinfo else at.replace(tzinfo=self.store.zone)
        return at.astimezone(UTC) - self._before_given

    @property
    def _before_given(self) -> timedelta:
        return (self.scenario.given.after or A_MINUTE) if self.scenario.before else timedelta(0)

    def _set_up(self) -> None:
        scenario = self.scenario
        first = dict(scenario.given.fields)
        unknown = scenario.given.unknown
        if scenario.before:
            first, unknown = first | dict(scenario.before.fields), scenario.before.unknown
        self.shop.shown[scenario.about, self.ref.id] = Shown(scenario.about, self.ref.id, first, unknown)
        if scenario.about is SubjectKind.CATEGORY:
            for sku in scenario.members or ("A-1",):
                member = Shown(SubjectKind.PRODUCT, sku, {"sku": sku, "category_ids": [self.ref.id]})
                self.shop.shown[SubjectKind.PRODUCT, sku] = member
        if scenario.held and self.rule.is_while:
            self._hold(scenario.held)

    def _show(self, glimpse: Glimpse, *, is_given: bool) -> None:
        """Let the shop show a glimpse: what a person or the shop itself changed since the one before."""
        before = self.scenario.before.fields if self.scenario.before else {}
        first = {**self.scenario.given.fields, **before}
        self.at = max(self.at, self._looked_at + STEP)
        self._subject().change(glimpse, since=first if is_given else None)

    def _subject(self) -> Shown:
        return self.shop.shown[self.ref.kind, self.ref.id]

    def _wait_until(self, end: datetime) -> None:
        """Let time pass; whatever is due within it is looked at then, in the order of time."""
        while self.looks <= MOST_LOOKS:
            ref = min(self.due, key=lambda each: self.due[each], default=None)
            if ref is None or self.due[ref] > end:
                break
            self.at = max(self.at, self.due.pop(ref))
            self._settle(self._sighting(ref))
        self.at = max(self.at, end)

    # ------------------------------------------------------------------------------------ looking and acting

    def _sighting(self, ref: SubjectRef, glimpse: Glimpse | None = None) -> Sighting:
        """A look at what the shop shows now; with a glimpse a webhook, which also carries it where nothing is read."""
        shown = self.shop.shown[ref.kind, ref.id]
        event = EventType(f"{ref.kind}.{glimpse.event}") if glimpse else None
        events = frozenset({event} if event else ())
        if glimpse and glimpse.event == "deleted":
            shown.is_gone = True
        if shown.is_gone:
            return Sighting(ref, self.at, is_gone=True, events=events, event_time=self.at)
        if glimpse is None and not self.vendor.CAPABILITIES.can_read:
            return Sighting(ref, self.at)
        version = None if self.vendor.CAPABILITIES.can_read else self.at
        snapshot = Snapshot(ref, self.shop.fields(shown), version)
        return Sighting(ref, self.at, snapshot, events=events, event_time=self.at if events else None)

    def _settle(self, sighting: Sighting) -> None:
        """Decide, make the calls that may be made now, and look again after each round of them."""
        while self.looks <= MOST_LOOKS:
            decision = self._decide(sighting)
            products = [sighting.ref]
            if sighting.ref.kind is SubjectKind.CATEGORY:
                products = self._decide_members(decision.moments)
            acted = [self._act(ref) for ref in products]
            if not any(acted):
                return
            self.at += STEP
            sighting = self._sighting(sighting.ref)

    def _decide_members(self, moments: tuple[Moment, ...]) -> list[SubjectRef]:
        products = [product(id_) for kind, id_ in self.shop.shown if kind is SubjectKind.PRODUCT]
        for ref in products:
            self._decide(self._sighting(ref), moments)
        return products

    def _decide(self, sighting: Sighting, moments: tuple[Moment, ...] = ()) -> Decision:
        self.looks += 1
        self._looked_at = self.at
        context = self._context(moments)
        before = self.memory.load(sighting.ref, self.at)
        decision = decide(before, sighting, context)
        self.memory.save(decision.case)
        self.due.pop(sighting.ref, None)
        waits = [action.due_at for action in decision.case.actions.values() if action.state.is_open and action.due_at]
        looks = [decision.look_at] if decision.look_at else []
        if times := [*looks, *waits]:
            self.due[sighting.ref] = max(min(times), self.at + STEP)
        zone = self.store.zone
        self.story += (
            Told(trace.at.astimezone(zone), trace.subject, self.shop.plainly(trace.text)) for trace in decision.traces
        )
        self.notices += decision.notices
        if sighting.ref == self.ref:
            self._find(before, decision.case, sighting, context)
        return decision

    def _context(self, moments: tuple[Moment, ...]) -> Context:
        stretches = {key: each for key, each in self.memory.episodes.items() if key[1].kind is SubjectKind.CATEGORY}
        gone = {id_ for (kind, id_), each in self.shop.shown.items() if each.is_gone and kind is SubjectKind.CATEGORY}
        return Context(
            store=self.store.alias,
            vendor=self.vendor.NAME,
            rules=(self.rule,),
            directory=replace(self.shop.directory, gone=frozenset(gone)),
            capabilities=self.vendor.CAPABILITIES,
            zone=self.store.zone,
            lag=LAG,
            stretches=stretches,
            moments=moments,
        )

    def _find(self, before: Case, after: Case, sighting: Sighting, context: Context) -> None:
        """How the condition stands. A moment is judged when something was shown, not when our echo came."""
        if after.snapshot is None or after.is_gone:
            self.finding = None
            return
        if not self.rule.is_while and not sighting.events:
            return
        earlier = before.snapshot.fields if before.snapshot and not before.is_gone else None
        directory = context.directory
        document = document_of(
            as_people_made_it(after.snapshot.fields, after.slots.values(), directory),
            as_people_made_it(earlier, before.slots.values(), directory) if earlier is not None else None,
            sighting,
            context,
        )
        self.finding = whole_condition(self.rule, document)

    def _act(self, ref: SubjectRef) -> bool:
        """Make the calls that are due, adds before removes; says whether there were any."""
        case = self.memory.load(ref, self.at)
        waiting = [action for action in case.actions.values() if action.state in _TO_SEND]
        if self._has_to_ask():
            asked = [action for action in waiting if action.step in _TAKES]
            self.asks |= any(action.due_at is None or action.due_at <= self.at for action in asked)
            waiting = [action for action in waiting if action.step not in _TAKES]
        first = [action for action in waiting if action.kind in _FIRST] or waiting
        due = [action for action in first if action.due_at is None or action.due_at <= self.at]
        for action in due:
            self._call(case.ref, action)
        return bool(due)

    def _has_to_ask(self) -> bool:
        """Whether the rule asks before it takes: one product, or as many as the category of the test has."""
        is_category = self.scenario.about is SubjectKind.CATEGORY
        count = len(self.scenario.members or ("A-1",)) if is_category else 1
        guards = self.rule.guards
        is_beyond = any(not limit.is_percent and count > limit.amount for limit in guards.limits)
        return is_beyond or (guards.ask_over is not None and count > guards.ask_over)

    def _call(self, ref: SubjectRef, action: PlannedAction) -> None:
        self.memory.save(attempted(self.memory.load(ref, self.at), action.key, at=self.at))
        self.shop.does(action.slot, action.wish)
        case = answered(
            self.memory.load(ref, self.at),
            action.key,
            Done(),
            at=self.at,
            retry_in=timedelta(0),
            is_proven=self.vendor.CAPABILITIES.proves_by_answer,
            counts=True,
            directory=self.shop.directory,
        )
        self.memory.save(case)
        target = self.shop.called(action.target, is_brand=action.slot.aspect is Aspect.BRAND)
        self.deeds.append(Deed(self.at, action.kind, action.slot.product, target, action.target, action.step))

    # ------------------------------------------------------------------------------------ what is held already

    def _hold(self, effects: Sequence[Effect]) -> None:
        """The rule did this a day ago and holds it: the shop shows it so, and the baseline is the opposite."""
        since = self.at - timedelta(days=1)
        number = Episode(1, Truth.MET, since)
        self.memory.episodes[self.rule.code, self.ref] = number
        owners = [id_ for kind, id_ in self.shop.shown if kind is SubjectKind.PRODUCT]
        cases = {product(id_): Case(product(id_)) for id_ in owners} | {self.ref: Case(self.ref)}
        for owner in owners:
            slots = {}
            for effect in effects:
                for ref, wish, baseline in self._held_slots(effect, ProductId(owner)):
                    hold = Hold(
                        rule=self.rule.code,
                        subject=self.ref,
                        wish=wish,
                        episode=1,
                        state=HoldState.HOLDING,
                        since=since,
                        takes=1,
                        is_left=self.rule.leaves,
                        changed_at=since,
                    )
                    slots[ref] = Slot(ref, baseline, since, (hold,))
                    self.shop.does(ref, wish)
            cases[product(owner)] = replace(cases[product(owner)], slots=slots)
        cases[self.ref] = replace(cases[self.ref], episodes={(self.rule.code, self.ref): number})
        for case in cases.values():
            self.memory.save(case)

    def _held_slots(self, effect: Effect, owner: ProductId) -> list[tuple[SlotRef, SlotValue, SlotValue]]:
        """The slots of an effect that is held: each with what it is held at, and what it was."""
        match effect.kind:
            case EffectKind.HIDE | EffectKind.SHOW:
                is_shown = effect.kind is EffectKind.SHOW
                return [(SlotRef(owner, Aspect.VISIBILITY), is_shown, not is_shown)]
            case EffectKind.UNASSIGN_BRAND | EffectKind.ASSIGN_BRAND:
                was = self.shop.fields(self.shop.shown[SubjectKind.PRODUCT, owner]).get("brand_id")
                names = [target for target in effect.targets if isinstance(target, Named | Identified)]
                wish = next((id_ for id_ in map(self.shop.directory.brand, names) if isinstance(id_, str)), None)
                return [(SlotRef(owner, Aspect.BRAND), wish, was)]
            case EffectKind.EMPTY_CATEGORY:
                return [(SlotRef(owner, Aspect.MEMBERSHIP, self.ref.id), False, True)]
            case _:
                member_of = self.shop.fields(self.shop.shown[SubjectKind.PRODUCT, owner]).get("category_ids", ())
                is_added = effect.kind is EffectKind.ADD_TO_CATEGORY
                found = [self.shop.directory.targets(target, member_of) for target in effect.targets]
                ids = [id_ for each in found if not isinstance(each, Unresolved) for id_ in each]
                return [(SlotRef(owner, Aspect.MEMBERSHIP, id_), is_added, not is_added) for id_ in ids]
