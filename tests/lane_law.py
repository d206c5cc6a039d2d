"""A whole engine beside one shop whose people do as they like, and the law that the shop has to keep all the same."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta, tzinfo
from functools import partial
from itertools import pairwise
from typing import Any, TypeVar

import sqlalchemy as sa
from engine_world import B2B, KSA, WEB, CutError, World, stores
from sqlalchemy.engine import Connection

from rules_engine.core.action import Aspect, SlotRef
from rules_engine.core.clock import Hours, read_duration
from rules_engine.core.delivery import StoreAlias
from rules_engine.core.holds import HoldState
from rules_engine.core.observe import TOOK
from rules_engine.core.plan import ActionState, Step
from rules_engine.core.subject import ProductId, product
from rules_engine.core.view import shown
from rules_engine.database.engine import _in_transaction
from rules_engine.database.ledger import load_cases
from rules_engine.database.tables import actions, attempts, holds
from rules_engine.sandbox import Fault

T = TypeVar("T")

FIRST, SECOND, THIRD, LAST = "101", "102", "103", "104"
"""Categories: two that rules take products out of, one that they add products to, and the one to fall back to."""
TOP = "0"
CALM, PLENTY = 3, 9
"""A stock that no rule minds, and one of which a rule says that there is much."""
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
SEASON = (date(2026, 2, 1), date(2026, 2, 2))
QUIET_FOR = timedelta(days=9)
"""Nothing that a rule here waits for is farther away: the next of its hours is within a week."""
UNFINISHED = {ActionState.DEAD.value, *(state.value for state in ActionState if state.is_open)}
SLACK = timedelta(seconds=60)
"""A call is made up to so much later than it is decided."""
HOURS: dict[str, Hours | None] = {
    "": None,
    "between: 10:00 and 16:00": Hours(time(10), time(16)),
    "between: 22:00 and 06:00": Hours(time(22), time(6)),
    "weekdays: [tuesday, thursday]": Hours(weekdays=frozenset({1, 3})),
}
"""When a rule may act: the line of its rule file, and what it means."""
QUIET_RUNS = 12
"""More often than that neither a lane runs nor the shop is called in a day on which nothing happens."""


@dataclass(frozen=True, slots=True)
class Guard:
    """What holds one rule back."""

    hours: str = ""
    lasts: str = ""
    every: int = 0
    flaps: int = 3
    insists: bool = False
    falls_back: bool = False

    def lines(self) -> list[str]:
        """The guards as a rule file has them."""
        lines = [self.hours, f"must_last: {self.lasts}" if self.lasts else ""]
        lines += [f"at_most_every: {self.every} hours" if self.every else "", f"flap_limit: {self.flaps}"]
        lines += ["insist: true" if self.insists else ""]
        lines += [f"if_no_category_is_left: {{add_to_category: {{id: {LAST}}}}}" if self.falls_back else ""]
        return [line for line in lines if line]


RULES = ("gone", "few", "emptied", "much", "season", "fresh")
"""All rules in rule order."""
TAKERS = ("gone", "few", "emptied")
"""Those that take products out of categories."""


@dataclass
class Law:
    """One shop, its people, the engine, and what happens to them. `guards` are those of rules by name.

    `people` are the categories of each product as people made them; `stock` is what there is of it. `touched` are the
    products that people moved. The rules were `renamed` so many times. `found` is what broke the law on the way.
    """

    world: World
    alias: StoreAlias
    guards: dict[str, Guard]
    people: dict[str, set[str]] = field(default_factory=dict)
    stock: dict[str, int] = field(default_factory=dict)
    is_published: bool = True
    renamed: int = 0
    paused: frozenset[str] = frozenset()
    touched: set[str] = field(default_factory=set)
    is_down: bool = False
    faults: int = 0
    found: list[str] = field(default_factory=list)

    @property
    def shop(self) -> Any:
        """The sandbox shop, whatever its vendor."""
        return self.world.shops[self.alias]

    # ------------------------------------------------------------------------------------ the rules

    def text(self) -> str:
        """The rule file as it is now."""
        whole = {
            "gone": ("while: {product.stock: {at_most: 0}}", f"{{remove_from_category: {{id: {FIRST}}}}}"),
            "few": (
                "while: {product.stock: {at_most: 2}}",
                f"{{remove_from_category: {{id: {FIRST}}}}}, {{remove_from_category: {{id: {SECOND}}}}}",
            ),
            "emptied": ("while: {category.published: false}", "empty_category"),
            "much": ("while: {product.stock: {at_least: 5}}", f"{{add_to_category: {{id: {THIRD}}}}}"),
            "season": (
                f"while: {{now.date: {{between: [{SEASON[0]}, {SEASON[1]}]}}}}",
                f"{{add_to_category: {{id: {FIRST}}}}}",
            ),
            "fresh": ("while: {product.created_at: {newer_than: 2 days}}", f"{{add_to_category: {{id: {THIRD}}}}}"),
        }
        lines = ["rules:"]
        for name in self.rules:
            when, do = whole[name]
            lines += [f"  {self.code(name, self.renamed)}:", f"    stores: [{self.alias}]"]
            lines += ["    about: category"] if name == "emptied" else []
            lines += [f"    {line}" for line in (when, f"do: [{do}]", *self._guard(name).lines())]
            lines += ["    afterwards: put back"] if self.alias == B2B else []
            lines += ["    mode: paused", "    because: we shall see"] if name in self.paused else []
            lines += [f"    formerly: {self.code(name, self.renamed - 1)}"] if self.renamed else []
        return "\n".join(lines)

    def _guard(self, name: str) -> Guard:
        guard = self.guards.get(name, Guard())
        return guard if name in TAKERS and self.alias != B2B else replace(guard, falls_back=False)

    @property
    def rules(self) -> tuple[str, ...]:
        """The rules that this shop can have."""
        return tuple(name for name in RULES if self.alias != B2B or name != "emptied")

    @staticmethod
    def code(name: str, renamed: int) -> str:
        """The rule's code after so many renames."""
        return f"{name}-{renamed}"

    # ------------------------------------------------------------------------------------ the beginning

    async def begin(self) -> None:
        """A shop with three products and four categories, known to the engine."""
        for id_ in list(self.shop.products):
            if id_ in self.shop.products:  # a child goes with its parent
                self.shop.delete_product(id_)
        for id_ in (FIRST, SECOND, THIRD, LAST):
            add = self.shop.add_collection if self.alias == B2B else self.shop.add_category
            add(f"Category {id_}", id_=id_)
        self.add("1", FIRST)
        self.add("2", FIRST, SECOND)
        self.add("3", SECOND)
        await self.live(minutes=1)

    def add(self, id_: str, *into: str) -> None:
        """A person adds a product."""
        if id_ in self.stock:
            return
        self.stock[id_], self.people[id_] = CALM, set(into)
        match self.alias:
            case "web":
                self.shop.add_product(id=int(id_), name=f"Thing {id_}", quantity=CALM, category_ids=map(int, into))
            case "ksa":
                self.shop.add_product(id=id_, en=f"Thing {id_}", quantity=CALM, category_ids=into)
            case _:
                self.shop.add_product(_id=id_, name=f"Thing {id_}", stock=CALM, collection_ids=into)

    # ------------------------------------------------------------------------------------ what people do

    def sell(self, id_: str, number: int) -> None:
        """The stock changes."""
        if id_ in self.stock:
            self.stock[id_] = number
            self.shop.restock(id_, number)

    async def flap(self, id_: str) -> None:
        """The product is sold out again and again."""
        for number in (0, CALM) * 3:
            self.sell(id_, number)
            await self.live(hours=1)

    def delete(self, id_: str) -> None:
        """A person deletes a product."""
        if id_ in self.stock and len(self.stock) > 1:
            del self.stock[id_], self.people[id_]
            self.shop.delete_product(id_)

    async def edit(self, id_: str, target: str) -> bool:
        """A person changes a membership, if the engine sees it as it is and no call is under way; whether it was."""
        if id_ not in self.stock:
            return False
        if self.alias == B2B:
            await self.live(seconds=0)
        now, people = self.in_shop(id_), self.people[id_]
        is_in = target in now
        wished = people - {target} if is_in else people | {target}
        if not ((now ^ {target}) - {TOP} and wished and self._is_calm(id_, target, is_in=is_in)):
            return False
        self.touched.add(id_)
        self.people[id_] = wished
        which = int(target) if self.alias != B2B else target
        (self.shop.unassign if is_in else self.shop.assign)(id_, which)
        if self.alias == B2B:
            await self.live(seconds=0)
        return True

    def _is_calm(self, id_: str, target: str, *, is_in: bool) -> bool:
        load = partial(load_cases, store=self.alias, refs=[product(id_)], now=self.world.clock())
        case = self._read(load)[product(id_)]
        ref = SlotRef(ProductId(id_), Aspect.MEMBERSHIP, target)
        if case.snapshot is not None and shown(case.snapshot.fields, ref) is not is_in:
            return False
        open_ = [action for action in case.actions.values() if action.slot == ref and action.state.is_open]
        if any(action.attempts for action in open_):
            return False
        held = case.slots[ref].open_holds if ref in case.slots else ()
        return all(hold.state in {*TOOK, HoldState.STEPPED_BACK, HoldState.PENDING} for hold in held)

    def publish(self, *, is_published: bool) -> None:
        """The second category is published or not."""
        if self.alias != B2B:
            self.is_published = is_published
            self.shop.publish_category(SECOND, is_published)

    # ------------------------------------------------------------------------------------ what happens to webhooks

    def lose(self) -> None:
        """The webhooks that wait are lost; where they are all that is ever seen, the shop sends them until taken."""
        if self.alias != B2B:
            self.shop.deliveries.clear()

    def reverse(self) -> None:
        """The webhooks that wait arrive in another order."""
        self.shop.deliveries.reverse()

    def repeat(self, back: int) -> None:
        """A webhook that arrived before arrives again."""
        if self.shop.answered:
            self.shop.queue(self.shop.answered[-1 - back % len(self.shop.answered)].outgoing)

    # ------------------------------------------------------------------------------------ what happens to calls

    def fail(self, how: str) -> None:
        """A coming call goes wrong. Not too often, for what fails ten times is given up."""
        self.faults += 1
        if self.faults > 4:
            return
        made = {
            "away": Fault(status=503),
            "busy": Fault(status=429, headers={"Retry-After": "2"}),
            "lost": Fault.drop_after_applying(),
            "dropped": Fault.drop_before_applying(),
            "lied": Fault.lie(),
        }
        self.shop.faults.append(made[how])

    def kill(self, steps: int, *, is_after: bool) -> None:
        """The process is to be killed at a commit or call soon."""
        if self.world.cut.at is None:
            self.world.cut.at, self.world.cut.is_after = self.world.cut.steps + steps, is_after

    # ------------------------------------------------------------------------------------ what the engine does

    async def live(self, **span: float) -> None:
        """Time passes, and the engine works."""
        if self.is_down:
            self.is_down = False
            await self.world.restart()
        within = timedelta(**span)
        end = self.world.clock() + within
        try:
            await self.world.settle(within=within)
        except Exception:
            if not self.world.cut.has_fallen:
                raise
        self.is_down = self.world.cut.has_fallen
        self.world.clock.time = max(self.world.clock(), end)

    def sleep(self, hours: float) -> None:
        """Time passes, and nobody works."""
        self.world.clock.move(hours=hours)

    async def revise(self, paused: frozenset[str], *, is_renamed: bool, lasts: str) -> None:
        """The rules are edited: some are paused, all are renamed, the first must last otherwise."""
        self.paused = paused & set(self.rules)
        self.renamed += is_renamed
        guard = self._guard("gone")
        self.guards = {**self.guards, "gone": replace(guard, lasts=lasts)}
        self.world.rules = self.text()
        if not self.is_down:
            with suppress(CutError):
                await self.world.adopt(self.text())
            self.is_down = self.world.cut.has_fallen

    # ------------------------------------------------------------------------------------ the law

    def in_shop(self, id_: str) -> set[str]:
        """The categories of a product in the shop."""
        return {category for category, members in self.shop.memberships().items() if id_ in members}

    def _wishes(self, name: str, id_: str) -> dict[str, bool]:
        """What a rule wants of a product now."""
        stock, today = self.stock[id_], self.world.clock().astimezone(self.zone).date()
        match name:
            case "gone" if stock <= 0:
                return {FIRST: False}
            case "few" if stock <= 2:
                return {FIRST: False, SECOND: False}
            case "emptied" if not self.is_published:
                return {SECOND: False}
            case "much" if stock >= 5:
                return {THIRD: True}
            case "season" if SEASON[0] <= today <= SEASON[1]:
                return {FIRST: True}
            case _:
                return {}

    @property
    def zone(self) -> tzinfo:
        """The store's time zone."""
        return next(store.zone for store in stores() if store.alias == self.alias)

    def expected(self, id_: str) -> set[str]:
        """The baseline, with held slots at their first holder's wish, and the fallback where nothing is left."""
        result = set(self.people[id_])
        falls_back = False
        for name in reversed(self.rules):
            for target, wish in self._wishes(name, id_).items():
                (result.add if wish else result.discard)(target)
                falls_back |= not wish and target in self.people[id_] and self._guard(name).falls_back
        return result or ({LAST} if falls_back else set())

    async def settle(self) -> None:
        """People stop, the shop answers, and nothing is left to do; then every product is looked at once more."""
        self.world.cut.at = None if not self.is_down else self.world.cut.at
        self.shop.faults.clear()
        await self.revise(frozenset(), is_renamed=False, lasts=self._guard("gone").lasts)
        await self.live(days=1)
        for id_ in self.stock:
            self.shop.edit_product(id_, name=f"Thing {id_} at {self.world.clock()}")
        if self.alias == WEB:
            self.shop.edit_category(SECOND, name=f"Category at {self.world.clock()}")
        if self.alias == KSA:
            self.shop.edit_category(SECOND, names={"en": f"Category at {self.world.clock()}"})
        await self.world.settle(within=QUIET_FOR)

    async def check(self, *, when: str, is_new: bool = True) -> None:
        """The catalogue is as the law says. In stretches that are not new, rules may have given way to people."""
        for id_ in self.stock:
            if is_new or id_ not in self.touched:
                found, expected = self.in_shop(id_) - {TOP}, self.expected(id_)
                assert found == expected, f"{when}: product {id_} is in {found}, at {self.world.clock()}"

    async def ends(self) -> None:
        """All that holds when everything has settled, all stretches ended, began once more, and ended again."""
        await self.settle()
        await self.check(when="settled", is_new=False)
        await self._calm("calm")
        start = self.world.clock()
        for id_ in self.stock:
            self.sell(id_, {"1": 0, "2": PLENTY}.get(id_, 1))
        self.publish(is_published=False)
        await self.settle()
        await self.check(when="sold out")
        await self._is_quiet()
        self._lets_last(start)
        await self.revise(frozenset(), is_renamed=True, lasts=self._guard("gone").lasts)
        await self.settle()
        await self.check(when="renamed")
        await self._gives_way()
        await self._calm("calm again")
        await self._is_quiet()
        self._keeps_hours_and_limits()
        assert not self.found, self.found

    async def _gives_way(self) -> None:
        """A person who puts a product back wins, unless a rule that took it insists."""
        if "1" in self.stock and FIRST in self.people["1"]:
            if not await self.edit("1", FIRST):
                return
            await self.settle()
            assert (FIRST in self.in_shop("1")) is not any(self._guard(name).insists for name in ("gone", "few"))

    async def _calm(self, when: str) -> None:
        for id_ in self.stock:
            self.sell(id_, CALM)
        self.publish(is_published=True)
        await self.settle()
        await self.check(when=when)
        alive = set(self.stock)
        held = [row for row in await self.world.every(holds) if row["ended_at"] is None and row["product"] in alive]
        assert not held, held
        unfinished = [
            row for row in await self.world.every(actions) if row["product"] in alive and row["state"] in UNFINISHED
        ]
        assert not unfinished, unfinished

    async def _is_quiet(self) -> None:
        """Where nothing happens, nothing is called, and lanes run a few times a day at most."""
        writes, calls, runs = len(self.shop.writes), len(self.shop.calls), self.world.runs
        self.world.clock.move(seconds=1)
        await self.world.settle(within=DAY)
        assert len(self.shop.writes) == writes
        assert len(self.shop.calls) - calls <= QUIET_RUNS
        assert self.world.runs - runs <= QUIET_RUNS

    def _attempts(self) -> list[tuple[str, Any]]:
        """Every call for an action, oldest first, with the name of the rule that it was made for."""
        query = (
            sa.select(attempts.c.started_at, attempts.c.outcome, actions.c.rules, actions.c.product, actions.c.step)
            .join(actions, actions.c.key == attempts.c.action)
            .order_by(attempts.c.id)
        )
        rows = self._read(lambda connection: connection.execute(query).all())
        return [(row.rules[0].rsplit("-", 1)[0], row) for row in rows]

    def _lets_last(self, start: datetime) -> None:
        """No rule took what it minds from `start` on before that had lasted."""
        for name, row in self._attempts():
            lasts = read_duration(self._guard(name).lasts) or timedelta(0)
            assert row.step != Step.TAKE or row.started_at < start or row.started_at >= start + lasts, (name, row)

    def _keeps_hours_and_limits(self) -> None:
        """Nothing was called outside the hours of its rule, and no rule acted too often on one product."""
        acts: dict[tuple[str, str], list[datetime]] = defaultdict(list)
        for name, row in self._attempts():
            assert self._is_open(name, row.started_at), row
            if row.step == Step.TAKE and row.outcome == "done":
                acts[name, row.product].append(row.started_at)
        for (name, id_), times in acts.items():
            guard, turns = self._guard(name), times[:1]
            turns += [at for before, at in pairwise(times) if at - before > SLACK]
            for at in turns:
                within = [each for each in turns if at <= each < at + DAY - SLACK]
                assert len(within) <= guard.flaps, f"{name} took {id_} at {[str(each) for each in within]}"
            if guard.every and not guard.falls_back:  # a fallback is urgent
                for one, other in pairwise(turns):
                    assert other - one >= guard.every * HOUR - SLACK, f"{name} acted on {id_} at {one} and {other}"

    def _is_open(self, name: str, at: datetime) -> bool:
        hours = HOURS[self._guard(name).hours]
        if hours is None:
            return True
        moments = (at, at - SLACK)
        return any(hours.opens_at(each.astimezone(self.zone)) is None for each in moments)

    def _read(self, work: Callable[[Connection], T]) -> T:
        """Read the database, also while the process is dead."""
        return _in_transaction(self.world.database._readers.begin(), work)

    def after_call(self) -> None:
        """What holds after every call: nobody is without a category where every rule falls back."""
        takers = [self._guard(name) for name in TAKERS if name in self.rules]
        if all(each.falls_back and each.flaps > 9 for each in takers):
            self.found += [f"{id_} is in no category" for id_ in self.stock if not self.in_shop(id_) - {TOP}]


def shop_add(shop: Any, id_: str) -> None:
    shop.add_category(f"Category {id_}", id_=id_)


def collection_add(shop: Any, id_: str) -> None:
    shop.add_collection(f"Category {id_}", id_=id_)
