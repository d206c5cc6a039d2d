"""What has to be true of a shop, its people and the engine, whenever they come to rest.

How the shop has to be then is said by a `Witness`, which shares nothing with the engine.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import sqlalchemy as sa
from lane_law import CALM, FIRST, LAST, SECOND, UNFINISHED
from ledger_rules import NAMES, SLOTS
from ledger_town import LOOKED_AT, Town

from rules_engine.core.holds import HoldState
from rules_engine.core.question import QuestionState
from rules_engine.core.subject import category, product
from rules_engine.database.lanes import look_now
from rules_engine.database.tables import actions, holds, traces
from rules_engine.database.tables_people import questions

BUSY = sa.select(actions.c.product, actions.c.slot_target).where(actions.c.state.in_(sorted(UNFINISHED)))
"""What something is still to be done to, or to be learnt of."""
SLOW = ("floor", "lasts")
"""Guards for which a rule waits with what it wants though nothing is to be done."""


class Ledger(Town):
    """A `Town` that is held to the law."""

    def judge(self, seen: set[str]) -> None:
        """What the engine looked at and wants nothing of any more is by the law already."""
        if not seen or not all(map(self.witness.may_act, NAMES)):
            return
        busy = set(self._rows(BUSY))
        is_sure = len(self.witness.may_be) == 1
        for id_ in seen:
            for target in (*SLOTS, LAST):
                is_waiting = (target == SECOND and not is_sure) or (target == FIRST and self.file.guard in SLOW)
                if (id_, target) not in busy and not is_waiting and self.witness.is_wrong(id_, target):
                    self._is_broken(id_, target)

    def _is_broken(self, id_: str, target: str) -> None:
        at = self.world.clock()
        self.found.append(f"at {at} product {id_} is in {self.in_shop(id_)}, of people in {self.people[id_]}: {target}")

    async def settle(self) -> None:
        """People say yes to everything and stop, the shop answers, a sweep is done, and nothing is left to do."""
        self.shop.faults.clear()
        self.world.cut.at = None if not self.is_down else self.world.cut.at
        await self.live(minutes=0)
        await self.all_run()
        await self.sweep()
        await self.live(minutes=70)
        while self._asked(QuestionState.OPEN):
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

    def _remembered(self) -> list[Any]:
        """What is held, planned, asked and said; Any: rows."""
        held = sa.select(holds).where(holds.c.ended_at.is_(None)).order_by(holds.c.id)
        planned = sa.select(actions).where(actions.c.state.in_(sorted(UNFINISHED))).order_by(actions.c.key)
        asked = sa.select(questions).order_by(questions.c.id)
        said = sa.select(sa.func.count()).select_from(traces)
        return [self._rows(held), self._rows(planned), self._rows(asked), self._rows(said)]

    async def is_quiet(self) -> None:
        """A world in which nothing happens makes no call."""
        self.sleep(8 * 24)  # for so long products may be looked at once more because of a question
        await self.live(hours=2)
        calls = len(self.shop.calls)
        await self.live(hours=20)
        made = [f"{call.method} {call.path}" for call in self.shop.calls[calls:]]
        assert [each for each in made if not each.endswith("/categories")] == []  # which a lane lists when it starts

    async def keeps_the_law(self) -> None:
        """Everything settled, the catalogue is the baseline with held slots at their first holder's wish."""
        await self.settle()
        self._is_by_the_law()
        owed = sa.select(holds).where(holds.c.ended_at.is_(None), holds.c.state == HoldState.OWED.value)
        assert not self._rows(owed)  # what is held by another too is owed by nobody
        await self.is_at_rest()
        self.witness.check()

    def _is_by_the_law(self) -> None:
        for id_ in self.stock:
            for target in (*SLOTS, LAST):
                if self.witness.is_wrong(id_, target):
                    self._is_broken(id_, target)
        assert not self.found, self.found

    async def calms_down(self) -> None:
        """When all stretches have ended too, the catalogue is as people made it, and nothing is held or owed."""
        for id_ in self.stock:
            self.sell(id_, CALM)
        self.publish(is_published=True)
        await self.settle()
        self._is_by_the_law()
        rows = [row for row in await self.world.every(holds) if row["ended_at"] is None]
        assert not rows, rows  # nor of products that are gone: a sweep has found that, if no webhook told it
        self.witness.check()

    async def ends(self) -> None:
        """At the end all of it has been true."""
        await self.keeps_the_law()
        await self.calms_down()
        await self.is_quiet()
        self.witness.check()
