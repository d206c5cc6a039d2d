"""A shop, its people and the engine over a long time: what may happen to them, and what has to be true all the same.

The model is a dict: the categories of each product as people made them. What rules want of it is said once more here,
in a few lines that share nothing with the engine.
"""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import sqlalchemy as sa
from engine_world import CutError
from lane_law import CALM, FIRST, LAST, SECOND, THIRD, TOP, UNFINISHED, Law

from rules_engine.core.action import Aspect, SlotRef
from rules_engine.core.delivery import StoreAlias
from rules_engine.core.holds import HoldState
from rules_engine.core.order import Order, OrderKind
from rules_engine.core.plan import Step
from rules_engine.core.question import QuestionKind, QuestionState
from rules_engine.core.rule import RuleCode
from rules_engine.core.subject import ProductId, SubjectKind, category, product
from rules_engine.core.sweep import SweepKind
from rules_engine.core.view import shown
from rules_engine.database.answers import Contents, answer, contents_of
from rules_engine.database.lanes import look_now
from rules_engine.database.ledger import load_cases
from rules_engine.database.orders import give_orders
from rules_engine.database.questions import load_questions
from rules_engine.database.sweeps import request_sweep
from rules_engine.database.tables import actions, holds, traces
from rules_engine.database.tables_people import questions
from rules_engine.lane.rules import pause_in_force, resume_in_force

HOUR = timedelta(hours=1)
MOST = 3
"""So many products may the first rule take within an hour without asking."""
LOOKED_AT = "a person has it looked at"


@dataclass(frozen=True, slots=True)
class Fence:
    """How a person left a slot that a rule had taken, or that no rule wants anything of."""

    value: bool
    at: datetime


@dataclass
class Ledger(Law):
    """A `Law` whose rules come and go, ask, and are stopped, and in which every effect is judged as it happens.

    `removed` are the rules that are in no file; `lower` is a rule's edit: it minds a piece less. `fences` are the slots
    that must stay as a person left them until something about their product changes. `taken` says when the first rule
    took what without having asked, as the shop saw it; `approved` are the products of which a person said yes.
    `stopped` are the rules that are paused by command, or an empty name for all. `unanswered` are the questions of
    which nobody said anything before all was calm last.
    """

    removed: frozenset[str] = frozenset()
    lower: int = 0
    fences: dict[tuple[str, str], Fence] = field(default_factory=dict)
    was: dict[str, set[str]] = field(default_factory=dict)
    taken: list[tuple[datetime, str]] = field(default_factory=list)
    approved: set[str] = field(default_factory=set)
    stopped: set[str] = field(default_factory=set)
    unanswered: set[str] = field(default_factory=set)

    # ------------------------------------------------------------------------------------ the rules

    @property
    def rules(self) -> tuple[str, ...]:
        """The rules that are in the file."""
        return tuple(name for name in ("gone", "few", "emptied", "much", "keep") if name not in self.removed)

    def text(self) -> str:
        """The rule file as it is now."""
        whole = {
            "gone": ("while: {product.stock: {at_most: 0}}", f"remove_from_category: {{id: {FIRST}}}"),
            "few": (
                f"while: {{product.stock: {{at_most: {2 - self.lower}}}}}",
                f"remove_from_category: {{id: {SECOND}}}",
            ),
            "emptied": ("while: {category.published: false}", "empty_category"),
            "much": ("while: {product.stock: {at_least: 5}}", f"add_to_category: {{id: {THIRD}}}"),
            "keep": ("while: {product.stock: {at_most: 0}}", f"add_to_category: {{id: {SECOND}}}"),
        }
        lines = ["rules:"]
        for name in self.rules:
            when, do = whole[name]
            lines += [f"  {name}:", f"    stores: [{self.alias}]"]
            lines += ["    about: category"] if name == "emptied" else []
            lines += [f"    {when}", f"    do: [{{{do}}}]" if ":" in do else f"    do: [{do}]", "    flap_limit: 99"]
            lines += [f"    limits: {{per_hour: {MOST}}}"] if name == "gone" else []
            lines += ["    mode: paused", "    because: we shall see"] if name in self.paused else []
        return "\n".join(lines) if self.rules else "rules: {}"

    def _wishes(self, name: str, id_: str) -> dict[str, bool]:
        """What a rule wants of a product now."""
        stock = self.stock[id_]
        match name:
            case "gone" if stock <= 0:
                return {FIRST: False}
            case "few" if stock <= 2 - self.lower:
                return {SECOND: False}
            case "emptied" if not self.is_published:
                return {SECOND: False}
            case "much" if stock >= 5:
                return {THIRD: True}
            case "keep" if stock <= 0:
                return {SECOND: True}
            case _:
                return {}

    # ------------------------------------------------------------------------------------ what happens

    async def begin(self) -> None:
        """A shop with six products, known to the engine, whose calls are judged from now on."""
        await super().begin()
        for id_ in ("4", "5", "6"):
            self.add(id_, FIRST, SECOND)
        await self.live(minutes=1)
        self.shop.on_call = lambda _call: self._judge()
        self.was = {id_: self.in_shop(id_) for id_ in self.stock}

    def _changes(self, id_: str | None = None) -> None:
        """What people left alone of this product, or of all, is free again: rules may want it anew."""
        self.fences = {key: fence for key, fence in self.fences.items() if id_ is not None and key[0] != id_}

    def sell(self, id_: str, number: int) -> None:
        """The stock changes."""
        if self.stock.get(id_) != number:
            super().sell(id_, number)
            self._changes(id_)

    def publish(self, *, is_published: bool) -> None:
        """The second category is published or not."""
        if self.is_published != is_published:
            super().publish(is_published=is_published)
            self._changes()

    def delete(self, id_: str) -> None:
        """A person deletes a product."""
        super().delete(id_)
        self.was.pop(id_, None)
        self._changes(id_)

    def add(self, id_: str, *into: str) -> None:
        """A person adds a product."""
        super().add(id_, *into)
        self.was[id_] = self.in_shop(id_)

    async def edit(self, id_: str, target: str) -> bool:
        """A person changes a membership; where the engine had all in hand, it must leave it so from now on."""
        if self.is_down or not await super().edit(id_, target):
            return False
        value = target in self.in_shop(id_)
        self.was[id_] = self.in_shop(id_)
        self.fences.pop((id_, target), None)
        if self._is_in_hand(id_, target, value=value):
            self.fences[id_, target] = Fence(value, self.world.clock())
        return True

    def _is_in_hand(self, id_: str, target: str, *, value: bool) -> bool:
        """Whether the engine knows the product as it is, and every rule that wants it otherwise has had its turn."""
        if self.paused or self.removed or self.stopped or target == SECOND:
            return False
        case = self._read(partial(load_cases, store=self.alias, refs=[product(id_)], now=self.world.clock()))[
            product(id_)
        ]
        if case.snapshot is None or case.snapshot.fields.get("stock") != self.stock[id_]:
            return False
        ref = SlotRef(ProductId(id_), Aspect.MEMBERSHIP, target)
        if shown(case.snapshot.fields, ref) is value and value is not (target in self.people[id_]):
            return False
        states = {hold.rule: hold.state for hold in (case.slots[ref].open_holds if ref in case.slots else ())}
        wanting = [name for name in self.rules if self._wishes(name, id_).get(target, value) is not value]
        known = {HoldState.HOLDING, HoldState.STEPPED_BACK}
        return all(states.get(RuleCode(name)) in known for name in wanting) and set(states.values()) <= known

    async def ordain(self, removed: frozenset[str], paused: frozenset[str], *, lower: int) -> None:
        """The rules are edited: some go, some are paused by their file, one minds another stock."""
        self.removed, self.lower = removed, lower
        await self.revise(paused, is_renamed=False, lasts="")
        self._changes()

    async def sweep(self) -> None:
        """A person asks for a walk over the whole catalogue."""
        ask = partial(request_sweep, store=self.alias, kind=SweepKind.ASKED, now=self.world.clock(), reason="a person")
        await self._commit(ask)

    async def answers(self, *, is_yes: bool) -> None:
        """A person answers all questions that are open."""
        now = self.world.clock()
        for question in self._read(partial(load_questions, store=self.alias, states=[QuestionState.OPEN])):
            contents = self._read(partial(contents_of, question=question))
            if question.expires_at is not None and question.expires_at <= now:
                continue
            is_said = is_yes or not self._can_keep(contents)
            give = partial(answer, question=question, is_yes=is_said, said="", now=now, stores=[self.alias])
            await self._commit(give)
            if question.kind is QuestionKind.GONE or not is_said:  # in this stretch the rule takes no more of it
                self.touched |= {str(id_) for id_ in contents.products}
            if is_said:
                self.approved |= {str(id_) for id_ in contents.products}
            elif not self.is_down:
                for held in contents.held:
                    self._is_as(held.slot.product, held.slot.target, is_in=held.hold.wish is True)
        self._changes()

    def _can_keep(self, contents: Contents) -> bool:
        """Whether it is plain what keeping comes to: all of it was taken, and nothing of it is held by others too."""
        still_open = self._rows(sa.select(holds).where(holds.c.ended_at.is_(None)))
        held = Counter((row.product, row.target) for row in still_open)
        return all(
            each.hold.state is HoldState.HOLDING and held[each.slot.product, each.slot.target] == 1
            for each in contents.held
        )

    def _is_as(self, id_: str, target: str, *, is_in: bool) -> None:
        """From now on this is how people made it."""
        if id_ in self.people and target != TOP:
            (self.people[id_].add if is_in else self.people[id_].discard)(target)

    async def stop(self, rule: str) -> None:
        """A person stops a rule, or everything, by command."""
        if self.is_down or rule in self.removed:
            return
        now = self.world.clock()
        code = RuleCode(rule)
        await self._commit(partial(pause_in_force, store=StoreAlias(""), rule=code, because="a person", now=now))
        self.stopped.add(rule)

    async def go_on(self) -> None:
        """A person lets everything go on that was stopped."""
        for rule in sorted(self.stopped):
            resume = partial(resume_in_force, stores=[self.alias], store=StoreAlias(""), rule=RuleCode(rule))
            await self._commit(partial(resume, now=self.world.clock()))
            if self.is_down:
                return
            self.stopped.discard(rule)
        self._changes()

    async def order(self, id_: str, kind: OrderKind) -> None:
        """A person has a product given back, kept, or taken again."""
        if id_ not in self.stock or self.is_down or self.stopped or self.removed or self.paused:
            return
        now = self.world.clock()
        given = [(ProductId(id_), Order(0, kind, RuleCode(""), None, now, LOOKED_AT))]

        def write(connection: sa.Connection) -> None:
            give_orders(connection, self.alias, given)
            look_now(connection, self.alias, [product(id_)], now=now, reason=LOOKED_AT)

        await self._commit(write)
        self.touched.add(id_)
        self._changes(id_)
        await self.live(minutes=1)
        if kind is OrderKind.KEEP:
            await self._keep(id_, now)

    async def _keep(self, id_: str, since: datetime) -> None:
        """What was kept is how people made it, once nothing is under way."""
        await self._rest()
        of_product = sa.select(holds).where(holds.c.product == id_, holds.c.takes > 0).order_by(holds.c.id)
        kept = of_product.where(holds.c.ended_at >= since, holds.c.reason.startswith("kept"))
        held = {row.target for row in self._rows(of_product.where(holds.c.ended_at.is_(None)))}
        for row in self._rows(kept):
            # A call that was under way when the order came may have given it back all the same.
            is_in = row.wish if row.target in held or id_ not in self.stock else row.target in self.in_shop(id_)
            self._is_as(id_, row.target, is_in=is_in)

    async def _rest(self) -> None:
        """Nothing goes wrong any more, and what is under way comes to its end."""
        self.shop.faults.clear()
        self.world.cut.at = None if not self.is_down else self.world.cut.at
        await self.live(minutes=30)
        await self.live(minutes=0)

    async def _commit(self, work: Any) -> None:  # what a command commits; Any: it gives whatever it likes
        if not self.is_down:
            with suppress(CutError):
                await self.world.database.write(work)
            self.is_down = self.world.cut.has_fallen

    # ------------------------------------------------------------------------------------ what has to be true

    def _judge(self) -> None:
        """After every call: what it did is wanted, and nobody's edit was undone by it."""
        members = self.shop.memberships()
        for id_ in self.stock:
            now = {each for each, inside in members.items() if id_ in inside}
            for target in (now ^ self.was.get(id_, now)) - {TOP}:
                self._judge_effect(id_, target, value=target in now)
            self.was[id_] = now

    def _judge_effect(self, id_: str, target: str, *, value: bool) -> None:
        fence = self.fences.get((id_, target))
        if fence is not None and fence.value is not value:
            self.found.append(f"product {id_}, category {target}: a person's edit of {fence.at} was fought")
        if target == FIRST and not value and target in self.people[id_]:
            if id_ in self.approved:
                self.approved.discard(id_)
            else:
                self.taken.append((self.world.clock(), id_))

    def keeps_limits(self) -> None:
        """In no hour more products were taken than the limit, those aside of which a person said yes."""
        for at, _ in self.taken:
            within = {id_ for when, id_ in self.taken if at <= when < at + HOUR}
            assert len(within) <= MOST, f"{sorted(within)} were taken within an hour of {at}"

    def gives_back_what_was_taken(self) -> None:
        """Nothing was given back that nothing was called for before."""
        called = sa.select(actions).where(actions.c.attempts > 0).order_by(actions.c.seq)
        taken: set[tuple[str, str, str]] = set()
        for row in self._rows(called):
            slot = (row.product, row.aspect, row.slot_target)
            is_back = row.step == Step.GIVE_BACK and row.slot_target != TOP  # where the shop puts products by itself
            assert not is_back or slot in taken, f"never taken: {row}"
            taken |= {slot} if row.step == Step.TAKE else set()

    async def settle(self) -> None:
        """People say yes to everything and stop, the shop answers, a sweep is done, and nothing is left to do."""
        self.shop.faults.clear()
        self.world.cut.at = None if not self.is_down else self.world.cut.at
        await self.live(minutes=0)
        await self.go_on()
        await self.ordain(frozenset(), frozenset(), lower=self.lower)
        await self.sweep()
        await self.live(minutes=70)
        while self._read(partial(load_questions, store=self.alias)):
            await self.answers(is_yes=True)
            await self.live(minutes=70)

    async def look_again(self) -> None:
        """Everything is looked at once more."""
        refs = [product(id_) for id_ in self.stock] + [category(SECOND)]
        look = partial(look_now, store=self.alias, refs=refs, now=self.world.clock(), reason=LOOKED_AT)
        await self._commit(look)

    async def is_at_rest(self) -> None:
        """To decide once more changes nothing, and calls for nothing: what was planned is planned again."""
        before, writes = self._remembered(), len(self.shop.writes)
        await self.look_again()
        await self.live(minutes=1)
        assert self._remembered() == before
        assert len(self.shop.writes) == writes

    async def decides_alike(self) -> None:
        """Whatever is held back, asked or stopped: what is looked at twice is decided the second time as the first."""
        await self._rest()
        await self.look_again()
        await self._rest()
        await self.is_at_rest()

    async def is_quiet(self) -> None:
        """A world in which nothing happens makes no call."""
        self.sleep(8 * 24)  # for so long products may be looked at once more because of a question
        await self.live(hours=2)
        calls = len(self.shop.calls)
        await self.live(hours=20)
        made = [f"{call.method} {call.path}" for call in self.shop.calls[calls:]]
        assert [each for each in made if not each.endswith("/categories")] == []  # which a lane lists when it starts

    def _remembered(self) -> list[Any]:
        """What is held, planned, asked and said; Any: rows."""
        held = sa.select(holds).where(holds.c.ended_at.is_(None)).order_by(holds.c.id)
        planned = sa.select(actions).where(actions.c.state.in_(sorted(UNFINISHED))).order_by(actions.c.key)
        asked = sa.select(questions).order_by(questions.c.id)
        said = sa.select(sa.func.count()).select_from(traces)
        return [self._rows(held), self._rows(planned), self._rows(asked), self._rows(said)]

    def _rows(self, query: sa.Select[Any]) -> list[sa.Row[Any]]:
        """What a query finds, also while the process is dead; Any: rows of any table."""
        return self._read(lambda connection: list(connection.execute(query).all()))

    async def keeps_the_law(self) -> None:
        """Everything settled, the catalogue is the baseline with held slots at their first holder's wish."""
        await self.settle()
        self._heed_silence()
        await self.check(when="settled", is_new=False)
        await self.is_at_rest()
        self.keeps_limits()
        assert not self.found, self.found

    def _heed_silence(self) -> None:
        """What nobody answered in time counts as a no: in this stretch the rule takes no more of it."""
        for question in self._read(partial(load_questions, store=self.alias, states=[QuestionState.EXPIRED])):
            if question.id not in self.unanswered:
                inside = self._read(partial(contents_of, question=question))
                self.touched |= {str(id_) for id_ in inside.products}

    async def calms_down(self) -> None:
        """When all stretches have ended too, the catalogue is as people made it, and nothing is held or owed."""
        for id_ in self.stock:
            self.sell(id_, CALM)
        self.publish(is_published=True)
        await self.settle()
        await self.check(when="calm")
        rows = [row for row in await self.world.every(holds) if row["ended_at"] is None]
        assert not rows, rows  # nor of products that are gone: a sweep has found that, if no webhook told it
        assert not self.found, self.found
        self.touched.clear()
        expired = self._read(partial(load_questions, store=self.alias, states=[QuestionState.EXPIRED]))
        self.unanswered = {question.id for question in expired}

    async def ends(self) -> None:
        """At the end all of it has been true."""
        await self.keeps_the_law()
        await self.calms_down()
        await self.is_quiet()
        self.gives_back_what_was_taken()
        self.keeps_limits()


__all__ = ["FIRST", "LAST", "SECOND", "THIRD", "Ledger", "SubjectKind"]
