"""A shop, its people and the engine over a long time: all that may happen to them."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import sqlalchemy as sa
from engine_world import CutError
from lane_law import FIRST, SECOND, TOP, Law
from ledger_rules import RuleFile
from ledger_witness import Witness

from rules_engine.core.action import Aspect, SlotRef
from rules_engine.core.delivery import StoreAlias
from rules_engine.core.holds import HoldState
from rules_engine.core.order import Order, OrderKind
from rules_engine.core.question import Question, QuestionKind, QuestionState
from rules_engine.core.rule import RuleCode
from rules_engine.core.subject import ProductId, product
from rules_engine.core.sweep import SweepKind
from rules_engine.core.view import shown
from rules_engine.database.answers import Contents, answer, contents_of
from rules_engine.database.lanes import look_now
from rules_engine.database.ledger import load_cases
from rules_engine.database.orders import give_orders
from rules_engine.database.questions import load_questions
from rules_engine.database.sweeps import request_sweep
from rules_engine.database.tables import holds
from rules_engine.lane.gate import NOBODY
from rules_engine.lane.rules import pause_in_force, resume_in_force
from rules_engine.sandbox import Call

LOOKED_AT = "a person has it looked at"
KEPT = (
    sa.select(holds)
    .where(holds.c.state == HoldState.RELEASED.value, holds.c.takes > 0)
    .where(sa.or_(holds.c.reason.startswith("kept"), holds.c.reason.in_(("a person said no", NOBODY))))
    .order_by(holds.c.id)
)
"""What was taken and is not given back, because of what people said or did not say."""


@dataclass
class Town(Law):
    """A `Law` whose rules come and go, ask, and are stopped, before a witness who judges every effect as it happens.

    `file` are the rules; `stopped` those that are paused by command, or an empty name for all. `unanswered` are the
    questions of which it is known that nobody answered in time, `kept` the holds that ended without being given back.
    `next_id` is the id of the next product. While it `is_deaf` the webhooks of the next change by the engine are lost.
    """

    file: RuleFile = field(init=False)
    witness: Witness = field(init=False)
    unanswered: set[str] = field(default_factory=set)
    kept: set[int] = field(default_factory=set)
    next_id: int = 7
    is_deaf: bool = False

    def __post_init__(self) -> None:
        self.file = RuleFile(self.alias)
        self.witness = Witness(self.file, self.world.clock, self.shop.memberships, self.people, self.stock)

    def text(self) -> str:
        """The rule file as it is now."""
        return self.file.text()

    @property
    def stopped(self) -> set[str]:
        """The rules that a person stopped, an empty name for all."""
        return self.witness.stopped

    # ------------------------------------------------------------------------------------ what happens to the shop

    async def begin(self) -> None:
        """A shop with six products, known to the engine, whose calls are judged from now on."""
        await super().begin()
        for id_ in ("4", "5", "6"):
            self.add(id_, FIRST, SECOND)
        await self.live(minutes=1)
        self.shop.on_call = self._hears

    def _hears(self, call: Call) -> None:
        self.witness.hears(call)
        if call.is_write and self.is_deaf:
            self.is_deaf = False
            self.lose()

    def lose_echo(self) -> None:
        """The webhooks of the next change that the engine makes will be lost."""
        self.is_deaf = True

    def sell(self, id_: str, number: int) -> None:
        """The stock changes."""
        if self.stock.get(id_, number) != number:
            super().sell(id_, number)
            self.witness.sold(id_)

    def publish(self, *, is_published: bool) -> None:
        """The second category is published or not."""
        if self.is_published != is_published:
            super().publish(is_published=is_published)
            self.witness.is_published = is_published
            self.witness.turns()

    def delete(self, id_: str) -> None:
        """A person deletes a product."""
        if id_ in self.stock:
            super().delete(id_)
            self.witness.ends(id_)

    def add(self, id_: str, *into: str) -> None:
        """A person adds a product."""
        super().add(id_, *into)
        self.witness.begins(id_)

    def add_another(self) -> None:
        """A person adds a product under an id that there never was."""
        self.add(str(self.next_id), FIRST)
        self.next_id += 1

    async def edit(self, id_: str, target: str) -> bool:
        """A person changes a membership, where the engine sees it as it is and nothing is under way; whether it was."""
        if self.is_down or id_ not in self.stock:
            return False
        is_ours = (target in self.in_shop(id_)) is not (target in self.people[id_])
        if not await super().edit(id_, target):
            return False
        self.witness.edited(id_, target, value=target in self.in_shop(id_), is_ours=is_ours)
        return True

    def _is_calm(self, id_: str, target: str, *, is_in: bool) -> bool:
        """Whether the engine knows how the slot is, and of all calls that it made for it what came of them."""
        case = self._read(partial(load_cases, store=self.alias, refs=[product(id_)], now=self.world.clock()))[
            product(id_)
        ]
        ref = SlotRef(ProductId(id_), Aspect.MEMBERSHIP, target)
        if case.snapshot is not None and shown(case.snapshot.fields, ref) is not is_in:
            return False
        if any(each.slot == ref and each.state.is_open and each.attempts for each in case.actions.values()):
            return False
        held = case.slots[ref].open_holds if ref in case.slots else ()
        return all(hold.state is not HoldState.SENT for hold in held)

    # ------------------------------------------------------------------------------------ what happens to the rules

    async def ordain(self, **changes: Any) -> None:
        """The rules are edited: fields of the rule file become others. Any: of several types."""
        self.file = replace(self.file, **changes)
        self.witness.adopts(self.file)
        self.world.rules = self.text()
        if not self.is_down:
            with suppress(CutError):
                await self.world.adopt(self.text())
            self.is_down = self.world.cut.has_fallen

    async def rename(self) -> None:
        """All rules get other codes, which say what they were."""
        if not self.is_down and not self.file.removed:
            await self.ordain(renamed=self.file.renamed + 1)

    async def all_run(self) -> None:
        """All rules are in the file and in force."""
        await self.go_on()
        await self.ordain(removed=frozenset(), paused=frozenset())

    async def stop(self, name: str) -> None:
        """A person stops a rule, or everything, by command."""
        if self.is_down or name in self.file.removed:
            return
        code = RuleCode(self.file.code(name))
        now = self.world.clock()
        await self._commit(partial(pause_in_force, store=StoreAlias(""), rule=code, because="a person", now=now))
        self.stopped.add(name)

    async def go_on(self) -> None:
        """A person lets everything go on that was stopped."""
        for name in sorted(self.stopped) if not self.is_down else ():
            code = RuleCode(self.file.code(name))
            resume = partial(resume_in_force, stores=[self.alias], store=StoreAlias(""), rule=code)
            await self._commit(partial(resume, now=self.world.clock()))
            self.stopped.discard(name)

    # ------------------------------------------------------------------------------------ what people tell the engine

    async def sweep(self) -> None:
        """A person asks for a walk over the whole catalogue."""
        ask = partial(request_sweep, store=self.alias, kind=SweepKind.ASKED, now=self.world.clock(), reason="a person")
        await self._commit(ask)

    async def answers(self, *, is_yes: bool) -> None:
        """A person answers all questions that are open."""
        if self.is_down:
            return
        now = self.world.clock()
        for question in self._asked(QuestionState.OPEN):
            if question.expires_at is None or question.expires_at > now:
                contents = self._read(partial(contents_of, question=question))
                is_said = is_yes or not self._can_keep(contents)
                give = partial(answer, question=question, is_yes=is_said, said="", now=now, stores=[self.alias])
                await self._commit(give)
                await self._heed(question, contents, is_yes=is_said)

    async def _heed(self, question: Question, contents: Contents, *, is_yes: bool) -> None:
        ids, name = [str(id_) for id_ in contents.products], question.rule.rsplit("-", 1)[0]
        is_take = question.kind is QuestionKind.TAKE
        if is_yes:
            self.witness.agreed |= {(id_, is_take) for id_ in ids}
        if question.kind is QuestionKind.GONE:
            self.witness.bar(ids, [name])
        elif is_take and not is_yes:
            for action in contents.actions:
                self.witness.refused(action.slot.product, action.slot.target, name)
        if not is_yes:
            await self.live(minutes=1)

    def _can_keep(self, contents: Contents) -> bool:
        """Whether it is plain what keeping comes to: all of it was taken, and nothing of it is held by others too."""
        still_open = self._rows(sa.select(holds).where(holds.c.ended_at.is_(None)))
        held = Counter((row.product, row.target) for row in still_open)
        return all(
            each.hold.state is HoldState.HOLDING and held[each.slot.product, each.slot.target] == 1
            for each in contents.held
        )

    async def order(self, id_: str, kind: OrderKind) -> None:
        """A person has a product given back, kept, or taken again."""
        if id_ not in self.stock or self.is_down or self.stopped or self.file.removed or self.file.paused:
            return
        now = self.world.clock()
        given = [(ProductId(id_), Order(0, kind, RuleCode(""), None, now, LOOKED_AT))]

        def write(connection: sa.Connection) -> None:
            give_orders(connection, self.alias, given)
            look_now(connection, self.alias, [product(id_)], now=now, reason=LOOKED_AT)

        await self._commit(write)
        if kind is OrderKind.RESUME:
            self.witness.frees(id_)
        else:
            self.witness.bar([id_])
            self.witness.agreed.add((id_, False))
        await self.live(minutes=1)
        if kind is OrderKind.KEEP:
            await self._rest()

    async def _commit(self, work: Any) -> None:  # what a command commits; Any: it gives whatever it likes
        """Commit as a command does, which is a process of its own and is not killed."""
        cut = self.world.cut
        if not cut.has_fallen:
            at, cut.at = cut.at, None
            await self.world.database.write(work)
            cut.at = at if at is None or at > cut.steps else cut.steps + 1

    # ------------------------------------------------------------------------------------ what the engine does

    async def live(self, **span: float) -> None:
        """Time passes, and the engine works; what it told people is heeded."""
        await super().live(**span)
        if not self.is_down:
            self._heed_questions()
        seen = self.witness.rests(is_alive=not self.is_down)
        if not self.is_down:
            self._heed_what_stays()
        self.judge(seen)

    def judge(self, seen: set[str]) -> None:
        """The engine has worked, and decided about the products that it has `seen`."""

    def _heed_questions(self) -> None:
        """Of a rule one thing is asked at a time. What nobody answered in time counts as a no."""
        asked = self._asked(QuestionState.OPEN, QuestionState.GATHERING, QuestionState.EXPIRED)
        waiting = [question for question in asked if question.state.is_waiting]
        twice = [each for each, count in Counter((each.rule, each.kind) for each in waiting).items() if count > 1]
        assert not twice, twice
        name = self.file.code("gone")
        is_first = [each for each in waiting if (each.rule, each.kind) == (name, QuestionKind.TAKE)]
        self.witness.is_asked({each.id: each.asked_at for each in is_first if each.state is QuestionState.OPEN})
        for question in asked:
            if question.state is QuestionState.EXPIRED and question.id not in self.unanswered:
                self.unanswered.add(question.id)
                if question.kind is QuestionKind.TAKE:
                    inside = self._read(partial(contents_of, question=question))
                    self.witness.bar([str(id_) for id_ in inside.products], [question.rule.rsplit("-", 1)[0]])

    def _heed_what_stays(self) -> None:
        """What was taken and is not to be given back is how people made it from then on."""
        for row in self._rows(KEPT):
            if row.id in self.kept:
                continue
            self.kept.add(row.id)
            if row.product in self.people and row.target != TOP:
                others = sa.select(holds.c.id).where(holds.c.product == row.product, holds.c.target == row.target)
                is_held = bool(self._rows(others.where(holds.c.ended_at.is_(None))))
                # A call that was under way when it was said may have given it back all the same.
                is_in = row.wish if is_held else row.target in self.in_shop(row.product)
                (self.people[row.product].add if is_in else self.people[row.product].discard)(row.target)

    async def _rest(self) -> None:
        """Nothing goes wrong any more, and what is under way comes to its end."""
        self.shop.faults.clear()
        self.world.cut.at = None if not self.is_down else self.world.cut.at
        await self.live(minutes=30)
        await self.live(minutes=0)

    def _asked(self, *states: QuestionState) -> list[Question]:
        return self._read(partial(load_questions, store=self.alias, states=states))

    def _rows(self, query: sa.Select[Any]) -> list[sa.Row[Any]]:
        """What a query finds, also while the process is dead; Any: rows of any table."""
        return self._read(lambda connection: list(connection.execute(query).all()))
