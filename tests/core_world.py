"""A shop as plain dicts, the people who edit it, and the law: what the catalogue should be when all is quiet."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal

from core_builders import (
    FEATURED,
    FEW,
    LAG,
    SALE,
    SOLD_OUT,
    START,
    TOP,
    UNSORTED,
    Bench,
    adds,
    membership,
    removes,
    stock,
    while_,
)

from rules_engine.core.action import ActionKey, Done, NothingToDo, SlotRef
from rules_engine.core.condition import All, Test, Truth, Word
from rules_engine.core.decide import decide
from rules_engine.core.errors import TemporaryError
from rules_engine.core.holds import HoldState
from rules_engine.core.observe import TOOK
from rules_engine.core.plan import ActionState, PlannedAction
from rules_engine.core.rule import NO_GUARDS, Effect, EffectKind, Guards, Mode, Named, Rule
from rules_engine.core.sighting import Decision, Sighting
from rules_engine.core.store import Capabilities
from rules_engine.core.subject import Snapshot, SubjectKind, SubjectRef, category, complete, product

CLEARED = "20"
"""The category that is emptied while it is unpublished: Sale."""

Answer = Literal["done", "lost", "crashed", "refused", "away", "raced"]
"""What becomes of a call: done; done but unanswered, with an error or a crash; not done; or a person was faster."""

CALM = 3
"""A stock at which no rule about the stock is met."""

BESTSELLER = stock(Word.AT_LEAST, 5)
IN_SALE = All((BESTSELLER, Test("product.categories", Word.CONTAINS, "Sale")))


FALLBACK = (Named("Unsorted"),)
"""Where a rule that falls back puts a product rather than leave it without a category."""


def rules(
    edition: int, paused: frozenset[str] = frozenset(), guards: Mapping[str, Guards] | None = None
) -> tuple[Rule, ...]:
    """The rulebook in one of three editions. What a rule no longer takes it never takes again in a later one."""
    firsts: list[Effect] = [removes("Featured"), removes("Featured", "Sale"), removes("Sale")]
    seconds: list[Effect] = [removes("Featured"), adds("Sale"), removes("Sale")]
    made: tuple[Rule, ...] = (
        while_(SOLD_OUT, firsts[edition], code="a", order=0),
        while_(FEW, seconds[edition], code="b", order=1),
        while_(BESTSELLER, adds("Sale"), code="c", order=2),
        while_(IN_SALE, removes("Featured"), code="d", order=3),
        while_(
            Test("category.published", Word.IS, False),  # the value that the rule asks for
            Effect(EffectKind.EMPTY_CATEGORY),
            code="e",
            order=4,
            about=SubjectKind.CATEGORY,
        ),
    )
    made = tuple(replace(rule, guards=(guards or {}).get(rule.code, NO_GUARDS)) for rule in made)
    return tuple(replace(rule, mode=Mode.PAUSED) if rule.code in paused else rule for rule in made)


_WISHES: list[dict[str, dict[str, bool]]] = [
    {"a": {FEATURED: False}, "b": {FEATURED: False}, "c": {SALE: True}, "d": {FEATURED: False}},
    {"a": {FEATURED: False, SALE: False}, "b": {SALE: True}, "c": {SALE: True}, "d": {FEATURED: False}},
    {"a": {SALE: False}, "b": {SALE: False}, "c": {SALE: True}, "d": {FEATURED: False}},
]


@dataclass(frozen=True, slots=True)
class Shown:
    """A product as the shop showed it at one time."""

    stock: int
    categories: frozenset[str]
    version: datetime


@dataclass(slots=True)
class World:
    """One shop with two products, the people in it, and the engine that looks after it."""

    capabilities: Capabilities
    guards: Mapping[str, Guards] = field(default_factory=dict)
    stock: dict[str, int] = field(default_factory=lambda: {"p1": CALM, "p2": CALM})
    shop: dict[str, set[str]] = field(default_factory=dict)
    people: dict[str, set[str]] = field(default_factory=dict)
    is_published: bool = True
    edition: int = 0
    paused: frozenset[str] = frozenset()
    given_way: set[tuple[str, SubjectRef, str, str, bool]] = field(default_factory=set)
    queue: dict[str, list[Shown]] = field(default_factory=lambda: defaultdict(list))
    delivered: dict[str, list[Shown]] = field(default_factory=lambda: defaultdict(list))
    known: dict[str, int] = field(default_factory=dict)
    done: set[ActionKey] = field(default_factory=set)
    looks: dict[str, datetime | None] = field(default_factory=dict)
    bench: Bench = field(init=False)

    def __post_init__(self) -> None:
        self.shop = {"p1": {FEATURED}, "p2": {FEATURED, SALE}}
        self.people = {id_: set(ids) for id_, ids in self.shop.items()}
        self.bench = Bench(rules(0, guards=self.guards), self.capabilities)
        self.look_at_category()
        for id_ in self.shop:
            self.tell(id_)
            self.look(id_)

    # ------------------------------------------------------------------------------------ what happens in the shop

    def tick(self, seconds: float = 1) -> None:
        """Let time go by."""
        self.bench.later(seconds=seconds)

    def tell(self, id_: str) -> None:
        """The shop sends a webhook with the product as it is now, where webhooks carry products."""
        if not self.capabilities.can_read:
            self.queue[id_].append(Shown(self.stock[id_], frozenset(self.shop[id_]), self.bench.at))

    def sell(self, id_: str, number: int) -> None:
        """The stock changes."""
        self.stock[id_] = number
        self.tell(id_)

    def put(self, id_: str, category_id: str, *, is_member: bool) -> None:
        """The membership changes, by whomever. A product that loses its last category may be promoted."""
        (self.shop[id_].add if is_member else self.shop[id_].discard)(category_id)
        if not self.shop[id_] and self.capabilities.promotes_to:
            self.shop[id_].add(TOP)
        self.tell(id_)

    def edit(self, id_: str, category_id: str) -> None:
        """A person changes a membership: where nothing is held, or of what is held quietly, and it is seen at once."""
        self.deliver_all(id_)
        case = self.bench.case(id_)
        ref = membership(category_id, id_)
        is_member = category_id not in self.shop[id_]
        holds = case.slots[ref].open_holds if ref in case.slots else ()
        is_calm = all(hold.state in {*TOOK, HoldState.STEPPED_BACK} for hold in holds)
        if not is_calm or any(action.slot == ref for action in self.bench.actions(id_)):
            return
        after, wished = (each ^ {category_id} for each in (self.shop[id_], self.people[id_]))
        if self.capabilities.promotes_to and not (after and wished):
            return  # what the shop makes of a person's edit by itself is another story
        for hold in holds:
            if hold.state in TOOK and not self._insists(hold.rule):
                self.given_way.add((hold.rule, hold.subject, id_, category_id, not is_member))
        (self.people[id_].add if is_member else self.people[id_].discard)(category_id)
        self.put(id_, category_id, is_member=is_member)
        self.tick()
        self.deliver_all(id_)
        self.look(id_)

    def _insists(self, rule: str) -> bool:
        return rule not in self.paused and self.guards.get(rule, NO_GUARDS).insists

    def publish(self, *, is_published: bool) -> None:
        """The category is published or unpublished; nobody looks yet."""
        self.is_published = is_published

    # ------------------------------------------------------------------------------------ what the engine does

    def revise(self, edition: int, paused: frozenset[str]) -> None:
        """The rulebook changes."""
        self.edition, self.paused = max(edition, self.edition), paused
        self.bench.rules = rules(self.edition, paused, self.guards)

    def look_at_category(self) -> None:
        """The engine reads the category."""
        fields = {"id": CLEARED, "name": "Sale", "published": self.is_published}
        self.bench.decides(Sighting(category(CLEARED), self.bench.at, Snapshot(category(CLEARED), fields)))
        self.bench.stretches |= {key: e for key, e in self.bench.memory.episodes.items() if key[0] == "e"}

    def look(self, id_: str, *, is_blind: bool = False) -> None:
        """The engine looks: it reads where it can, else it goes by what it knows."""
        if not self.capabilities.can_read:
            if id_ in self.known or self.deliver(id_):
                self._decide(id_, None)
            return
        self.known[id_] = self.stock[id_]
        self._decide(id_, Shown(self.stock[id_], frozenset(self.shop[id_]), self.bench.at), is_blind=is_blind)

    def deliver(self, id_: str, *, place: int = 0) -> bool:
        """One of the webhooks that wait arrives; says whether there was one."""
        waiting = self.queue[id_]
        if not waiting:
            return False
        shown = waiting.pop(place % len(waiting))
        self.delivered[id_].append(shown)
        self._deliver(id_, shown)
        return True

    def redeliver(self, id_: str, place: int) -> None:
        """A webhook that arrived before arrives again."""
        if self.delivered[id_]:
            self._deliver(id_, self.delivered[id_][place % len(self.delivered[id_])])

    def deliver_all(self, id_: str) -> None:
        """All webhooks that wait arrive, in order."""
        while self.deliver(id_):
            self.tick()

    def _deliver(self, id_: str, shown: Shown) -> None:
        self._decide(id_, shown)
        if self.bench.last is not None and not self.bench.last.is_late:
            self.known[id_] = shown.stock

    def _decide(self, id_: str, shown: Shown | None, *, is_blind: bool = False) -> None:
        ref = product(id_)
        snapshot = None
        if shown is not None:
            fields = {"id": id_, "stock": shown.stock, "category_ids": sorted(shown.categories)}
            if is_blind:
                del fields["stock"]
            version = None if self.capabilities.can_read else shown.version
            snapshot = Snapshot(ref, complete(fields), version)
        decision = self.bench.decides(Sighting(ref, self.bench.at, snapshot))
        self._decides_the_same_again(decision, Sighting(ref, self.bench.at, snapshot))
        self.looks[id_] = decision.look_at
        if not decision.is_late and not is_blind:
            number = shown.stock if shown else self.known[id_]
            self.given_way = {each for each in self.given_way if each[2] != id_ or self._keeps_way(each, number)}

    def _keeps_way(self, given: tuple[str, SubjectRef, str, str, bool], number: int) -> bool:
        """Whether the stretch in which a rule stepped back still runs, as the engine can see."""
        rule, _, id_, _, _ = given
        return rule in self.paused or self._is_met(rule, id_, number)

    def _decides_the_same_again(self, decision: Decision, sighting: Sighting) -> None:
        again = decide(decision.case, sighting, self.bench.context())
        assert again.case == decision.case

    def work(self, id_: str, answer: Answer) -> None:
        """The engine looks and makes its calls, and this becomes of them."""
        self.look(id_)
        for action in self.bench.to_send(id_):
            self._call(id_, action, answer)
            self.tick()

    def _call(self, id_: str, action: PlannedAction, answer: Answer) -> None:
        assert action.key not in self.done, "a call that was done is made again"
        target, wish = action.slot.target, bool(action.wish)
        is_so = (target in self.shop[id_]) is wish
        is_first = action.attempts == 0
        if self.capabilities.can_read and is_first:
            assert not is_so, "a call for what is so already"
        if answer == "raced" and is_first and not is_so and self._may_be_raced(id_, action.slot):
            if action.step == "take":
                (self.people[id_].add if wish else self.people[id_].discard)(target)
            self.put(id_, target, is_member=wish)
            is_so = True
        self.bench.attempts(action.key, id_)
        self.tick()
        if answer in {"done", "lost", "crashed", "raced"} and not is_so:
            self.put(id_, target, is_member=wish)
        falls_back = bool(self.guards.get(action.rules[0], NO_GUARDS).fallbacks)
        if action.step == "take" and not wish and not is_so and falls_back:
            assert self.shop[id_] - {TOP}, "a rule with a fallback took the last category"
        if answer == "crashed":
            return
        if answer in {"lost", "refused", "away"}:
            self.bench.hears(TemporaryError(answer), action.key, id_, counts=False)
            return
        self.bench.hears(NothingToDo() if is_so else Done(), action.key, id_)
        if not is_so:
            self.done.add(action.key)

    def _may_be_raced(self, id_: str, ref: SlotRef) -> bool:
        case = self.bench.case(id_)
        takes = any(hold.takes > 0 for hold in case.slots[ref].holds)
        is_new = (ref.target in self.people[id_]) is (ref.target in self.shop[id_])
        return self.capabilities.can_read and self.capabilities.promotes_to is None and not takes and is_new

    # ------------------------------------------------------------------------------------ the law

    def _is_met(self, rule: str, id_: str, number: int) -> bool:
        match rule:
            case "a":
                return number <= 0
            case "b":
                return number <= 2
            case "c":
                return number >= 5
            case "d":
                return number >= 5 and SALE in self.people[id_]
            case _:
                stretch = self.bench.stretches.get((self.bench.rules[4].code, category(CLEARED)))
                return stretch is not None and stretch.truth is Truth.MET

    def expected(self, id_: str) -> set[str]:
        """The baseline, with held slots at their first holder's wish."""
        result = set(self.people[id_])
        for target in (FEATURED, SALE):
            for rule in "abcde":
                wish = False if rule == "e" and target == CLEARED else _WISHES[self.edition].get(rule, {}).get(target)
                subject = category(CLEARED) if rule == "e" else product(id_)
                if wish is None or not self._is_met(rule, id_, self.stock[id_]):
                    continue
                if (rule, subject, id_, target, wish) in self.given_way:
                    continue
                (result.add if wish else result.discard)(target)
                break
        return result

    def may_fall_back(self, id_: str) -> bool:
        """Whether a rule with a fallback is met, so that the product may be in it if it is in nothing else."""
        falling = (rule for rule in "abcde" if self.guards.get(rule, NO_GUARDS).fallbacks)
        return any(self._is_met(rule, id_, self.stock[id_]) for rule in falling)

    def must_fall_back(self, id_: str) -> bool:
        """Whether such a rule takes the product out of something that people put it into, and nothing is left."""
        if self.expected(id_):
            return False
        for rule in "abcde":
            subject = category(CLEARED) if rule == "e" else product(id_)
            wishes = {CLEARED: False} if rule == "e" else _WISHES[self.edition].get(rule, {})
            takes = {target for target, wish in wishes.items() if not wish} & self.people[id_]
            kept = {target for target in takes if (rule, subject, id_, target, False) not in self.given_way}
            if kept and self._is_met(rule, id_, self.stock[id_]) and self.guards.get(rule, NO_GUARDS).fallbacks:
                return True
        return False

    def settle(self) -> int:
        """People stop and the shop answers: go on until nothing is left to do. Gives the number of rounds."""
        self.revise(self.edition, frozenset())
        self.look_at_category()
        quiet = 0
        for turn in range(100):
            before = {id_: (self.bench.case(id_).slots, set(self.shop[id_])) for id_ in self.shop}
            for id_ in self.shop:
                self.deliver_all(id_)
                self.work(id_, "done")
                self.tick()
            is_quiet = all(not self.bench.actions(id_) for id_ in self.shop) and not any(self.queue.values())
            unchanged = before == {id_: (self.bench.case(id_).slots, set(self.shop[id_])) for id_ in self.shop}
            quiet = quiet + 1 if is_quiet and unchanged else 0
            later = [at for at in self.looks.values() if at]
            if quiet >= 2 and not later:
                return turn
            due = [a.due_at for id_ in self.shop for a in self.bench.actions(id_) if a.due_at is not None]
            if later and is_quiet:
                self.bench.at = max(self.bench.at, min(later))
            elif unchanged and due:
                self.bench.at = max(self.bench.at, min(due))
            self.tick(60)
        raise AssertionError("it never becomes quiet")

    def unfinished(self) -> list[PlannedAction]:
        """Actions that are open or dead."""
        bad = {ActionState.DEAD, *(state for state in ActionState if state.is_open)}
        return [action for action in self.bench.memory.actions.values() if action.state in bad]


__all__ = ["CALM", "CLEARED", "FALLBACK", "FEATURED", "LAG", "SALE", "START", "TOP", "UNSORTED", "Answer", "World"]
