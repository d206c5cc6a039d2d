"""Rules, products and a bench for trying the core: it remembers cases as the ledger does, and plays the lane."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, time, timedelta, tzinfo
from itertools import count
from typing import Any

from rules_engine.core.action import ActionKey, ActionKind, Aspect, Done, SlotRef, SlotValue, Verdict
from rules_engine.core.clock import Hours
from rules_engine.core.condition import Condition, Test, Word
from rules_engine.core.decide import decide
from rules_engine.core.delivery import EventType, StoreAlias
from rules_engine.core.directory import CategoryEntry, Directory
from rules_engine.core.holds import Hold
from rules_engine.core.moments import Moment
from rules_engine.core.order import Order, OrderKind
from rules_engine.core.outcome import answered, attempted
from rules_engine.core.plan import ActionState, Case, Episode, EpisodeKey, PlannedAction
from rules_engine.core.problem import Place
from rules_engine.core.rule import Afterwards, Effect, EffectKind, Mode, Named, Rule, RuleCode, Target, Trigger
from rules_engine.core.sighting import Context, Decision, Sighting
from rules_engine.core.store import Capabilities, Names
from rules_engine.core.subject import ProductId, Snapshot, SubjectKind, category, complete, product
from rules_engine.preview.scenario_memory import Memory

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
LAG = timedelta(minutes=10)
TAKES_REMEMBERED = timedelta(days=7)
WEB = StoreAlias("web")

FEATURED, SALE, BRANDS, ACME, GLOBEX, UNSORTED, TOP = "10", "20", "30", "31", "32", "40", "0"
DIRECTORY = Directory(
    {
        FEATURED: CategoryEntry(FEATURED, ("Featured",)),
        SALE: CategoryEntry(SALE, ("Sale",)),
        BRANDS: CategoryEntry(BRANDS, ("Brands",)),
        ACME: CategoryEntry(ACME, ("Acme",), BRANDS),
        GLOBEX: CategoryEntry(GLOBEX, ("Globex",), BRANDS),
        UNSORTED: CategoryEntry(UNSORTED, ("Unsorted",)),
    },
    names=Names(brands={"Acme": "a1", "Globex": "g1"}),
)
READABLE = Capabilities(frozenset(ActionKind), rate=10, burst=10, batch=100, can_empty_category=True)
PROMOTING = replace(READABLE, promotes_to=TOP)
UNREADABLE = replace(READABLE, can_read=False, can_list=False, can_read_categories=False, proves_by_answer=True)


def membership(category: str = FEATURED, product_id: str = "p1") -> SlotRef:
    """The slot of a product's membership."""
    return SlotRef(ProductId(product_id), Aspect.MEMBERSHIP, category)


def stock(word: Word, number: int) -> Test:
    """A condition on the stock."""
    return Test("product.stock", word, number)


SOLD_OUT = stock(Word.AT_MOST, 0)
FEW = stock(Word.AT_MOST, 2)


def removes(*targets: Target | str) -> Effect:
    """`remove_from_category`."""
    return Effect(EffectKind.REMOVE_FROM_CATEGORY, _targets(targets))


def adds(*targets: Target | str) -> Effect:
    """`add_to_category`."""
    return Effect(EffectKind.ADD_TO_CATEGORY, _targets(targets))


def _targets(targets: tuple[Target | str, ...]) -> tuple[Target, ...]:
    return tuple(Named(target) if isinstance(target, str) else target for target in targets)


def while_(
    condition: Condition,
    *effects: Effect,
    code: str = "a",
    order: int = 0,
    about: SubjectKind = SubjectKind.PRODUCT,
    unless: Condition | None = None,
    mode: Mode = Mode.LIVE,
    afterwards: Afterwards = Afterwards.PUT_BACK,
) -> Rule:
    """A rule that holds its effects for as long as its condition holds."""
    return Rule(
        RuleCode(code),
        order,
        Place("rules/test.yaml", order + 1, 1),
        about,
        Trigger.WHILE,
        condition,
        effects,
        (WEB,),
        unless=unless,
        mode=mode,
        afterwards=afterwards,
    )


def as_soon_as(
    condition: Condition,
    *effects: Effect,
    code: str = "m",
    order: int = 0,
    about: SubjectKind = SubjectKind.PRODUCT,
    unless: Condition | None = None,
    acts_at_first_sight: bool = False,
) -> Rule:
    """A rule that acts once, when its condition comes to hold."""
    made = while_(condition, *effects, code=code, order=order, about=about, unless=unless)
    return replace(made, trigger=Trigger.AS_SOON_AS, acts_at_first_sight=acts_at_first_sight)


def guarded(rule: Rule, **guards: Any) -> Rule:
    """The rule with these guards."""
    return replace(rule, guards=replace(rule.guards, **guards))


def falls_back(rule: Rule) -> Rule:
    """The rule, which puts a product into Unsorted rather than leave it without a category."""
    return guarded(rule, fallbacks=(Named("Unsorted"),))


def hours(start: int, end: int, *weekdays: int) -> Hours:
    """Whole hours of the day, on these weekdays or on all."""
    return Hours(time(start), time(end), frozenset(weekdays))


@dataclass(slots=True)
class Bench:
    """One store whose shop is played by the test: it says what is seen and what the shop answers."""

    rules: tuple[Rule, ...]
    capabilities: Capabilities = READABLE
    directory: Directory = DIRECTORY
    at: datetime = START
    zone: tzinfo = UTC
    memory: Memory = field(default_factory=lambda: Memory(LAG, TAKES_REMEMBERED))
    stretches: dict[EpisodeKey, Episode] = field(default_factory=dict)
    moments: tuple[Moment, ...] = ()
    fields: dict[str, dict[str, Any]] = field(default_factory=dict)
    last: Decision | None = None
    is_stopped: bool = False
    orders: Iterator[int] = field(default_factory=lambda: count(1))

    def later(self, **by: float) -> Bench:
        """Let time go by."""
        self.at += timedelta(**by)
        return self

    def context(self) -> Context:
        """What deciding is told of the store."""
        return Context(
            WEB,
            "ecwid",
            tuple(sorted(self.rules, key=lambda rule: rule.order)),
            self.directory,
            self.capabilities,
            zone=self.zone,
            lag=LAG,
            stretches=self.stretches,
            moments=self.moments,
            is_stopped=self.is_stopped,
        )

    def case(self, id_: str = "p1") -> Case:
        """What is remembered of a product."""
        return self.memory.load(product(id_), self.at)

    def sees(
        self,
        id_: str = "p1",
        *,
        version: datetime | None = None,
        events: frozenset[EventType] = frozenset(),
        **changes: Any,
    ) -> Decision:
        """Decide on a product that the shop shows, with these fields changed since the last time."""
        shown = self.fields.setdefault(id_, {"id": id_, "stock": 5, "category_ids": [FEATURED], "published": True})
        shown |= changes
        snapshot = Snapshot(product(id_), complete(shown), version)
        return self.decides(Sighting(product(id_), self.at, snapshot, events=events))

    def recalls(self, id_: str = "p1") -> Decision:
        """Decide on a product of which nothing new is seen."""
        return self.decides(Sighting(product(id_), self.at))

    def finds_gone(self, id_: str = "p1") -> Decision:
        """Decide on a product that a read did not find."""
        return self.decides(Sighting(product(id_), self.at, is_gone=True))

    def told(
        self,
        kind: OrderKind,
        rule: str = "a",
        slot: SlotRef | None = None,
        *,
        wish: SlotValue = None,
        expects: SlotValue = None,
    ) -> Bench:
        """Give an order about the product: it is carried out at the next look."""
        ref = product("p1")
        case = self.memory.cases[ref]
        order = Order(next(self.orders), kind, RuleCode(rule), slot, self.at, "a person said so", wish, expects)
        self.memory.cases[ref] = replace(case, orders=(*case.orders, order))
        return self

    def came(self) -> str:
        """What came of the newest order, at the last decision."""
        assert self.last is not None
        return self.last.case.orders[-1].outcome

    def decides(self, sighting: Sighting) -> Decision:
        """Decide, and remember what came of it."""
        case = self.memory.load(sighting.ref, self.at)
        self.last = decide(case, sighting, self.context())
        self.memory.save(self.last.case)
        return self.last

    def says(self, rule: str = "a") -> str:
        """What the last decision said that the rule did."""
        assert self.last is not None
        return "; ".join(trace.text for trace in self.last.traces if trace.rule == rule)

    def actions(self, id_: str = "p1") -> list[PlannedAction]:
        """The open actions of a product."""
        return [action for action in self.case(id_).actions.values() if action.state.is_open]

    def to_send(self, id_: str = "p1") -> list[PlannedAction]:
        """The actions that a lane would send now: adds before removes, and a remove only when no add is left."""
        unfinished = [action for action in self.actions(id_) if action.state is not ActionState.DONE]
        adding = [action for action in unfinished if action.wish not in {False, None}]
        ready = {ActionState.PENDING, ActionState.WAITING}
        return [
            action
            for action in (adding or unfinished)
            if action.state in ready and (action.due_at is None or action.due_at <= self.at)
        ]

    def action(self, id_: str = "p1") -> PlannedAction:
        """The only open action."""
        (found,) = self.actions(id_)
        return found

    def attempts(self, key: ActionKey | None = None, id_: str = "p1") -> ActionKey:
        """Write an attempt at the (only) open action."""
        key = key or self.action(id_).key
        self.memory.save(attempted(self.case(id_), key, at=self.at))
        return key

    def hears(
        self,
        verdict: Verdict,
        key: ActionKey | None = None,
        id_: str = "p1",
        *,
        is_proven: bool | None = None,
        counts: bool = True,
        retry_in: timedelta = timedelta(seconds=2),
    ) -> None:
        """Take the shop's answer to the (only) attempt."""
        key = key or self.action(id_).key
        proven = self.capabilities.proves_by_answer if is_proven is None else is_proven
        case = answered(
            self.case(id_),
            key,
            verdict,
            at=self.at,
            retry_in=retry_in,
            is_proven=proven,
            counts=counts,
            directory=self.directory,
        )
        self.memory.save(case)

    def calls(self, verdict: Verdict | None = None, key: ActionKey | None = None, id_: str = "p1") -> None:
        """Make the (only) call that is planned."""
        key = self.attempts(key, id_)
        self.hears(verdict or Done(), key, id_)

    def hold(self, slot: SlotRef | None = None, rule: str = "a") -> Hold:
        """The rule's newest hold on a slot, open or ended."""
        slot = slot or membership()
        stored = self.memory.cases[product(slot.product)].slots.get(slot)
        found: list[Hold] = [*self.memory.ended.get(slot, ()), *(stored.holds if stored else ())]
        mine = [hold for hold in found if hold.rule == rule]
        return max(mine, key=lambda hold: hold.id or 0)

    def is_held(self, slot: SlotRef | None = None) -> bool:
        """Whether anybody holds the slot."""
        return (slot or membership()) in self.case((slot or membership()).product).slots


LEAVES = while_(SOLD_OUT, removes("Featured"))
"""A product that is sold out leaves Featured, and comes back."""


def sold_out(*rules: Rule) -> Bench:
    """A product in Featured that was seen in stock, and then sold out."""
    made = Bench(rules or (LEAVES,))
    made.sees()
    made.later(seconds=1).sees(stock=0)
    return made


def taken(*rules: Rule) -> Bench:
    """The product was taken out: the shop said so."""
    made = sold_out(*rules)
    made.calls()
    return made


def holding(*rules: Rule) -> Bench:
    """The product was taken out, and a read showed it."""
    made = taken(*rules)
    made.later(seconds=1).sees(category_ids=[])
    return made


def owing() -> Bench:
    """The condition ended, and the product is not given back yet."""
    made = holding()
    made.later(seconds=1).sees(stock=3)
    return made


UNPUBLISHED = Test("category.published", Word.IS, False)  # the value that is asked for
EMPTIES = while_(UNPUBLISHED, Effect(EffectKind.EMPTY_CATEGORY), code="e", order=5, about=SubjectKind.CATEGORY)
"""Sale is emptied for as long as it is unpublished."""


def sees_category(desk: Bench, *, is_published: bool | None, **fields: object) -> Decision:
    """Decide on the category, and tell the products how its rules stand."""
    shown = {"id": SALE, "name": "Sale", **fields}
    if is_published is not None:
        shown["published"] = is_published
    decision = desk.decides(Sighting(category(SALE), desk.at, Snapshot(category(SALE), shown)))
    desk.stretches |= decision.case.episodes
    return decision
