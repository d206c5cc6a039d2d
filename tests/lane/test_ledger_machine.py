"""The law over a long time: two hundred steps of anything that may happen, on a whole engine beside a shop."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Coroutine, Iterator
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import pytest
import structlog
from engine_world import WEB, Cut, empty_database
from hypothesis import seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test
from lane_law import CALM, FIRST, LAST, PLENTY, SECOND, THIRD
from ledger_machine import Ledger
from ledger_rules import FEW, GUARDS, NAMES, RARE
from quick_world import LastingDatabase, QuickWorld

from rules_engine.core.order import OrderKind

STEPS = int(os.environ.get("STEPS", "200"))
EXAMPLES = int(os.environ.get("EXAMPLES", "20"))
PARTS = max(1, EXAMPLES // 25)
"""The examples are spread over so many tests, which may run at once; each has other ones."""
MOST_STORIES = 4
"""How many stories of several steps one example has at most: they take most of the time."""

ids = st.sampled_from(["1", "2", "3", "4", "5", "6"])
names = st.sampled_from(NAMES)
some = st.one_of(st.just(frozenset[str]()), st.just(frozenset[str]()), st.frozensets(names, max_size=2))


@cache
def database() -> LastingDatabase:
    """One database for all examples, in memory where the machine has such a place."""
    memory = Path("/dev/shm")
    folder = Path(mkdtemp(dir=memory if memory.is_dir() else None))
    return LastingDatabase.at(empty_database(folder))


class LedgerMachine(RuleBasedStateMachine):
    """Steps in the life of a shop. Each draws what it needs; what is not possible now does nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.is_sound = True
        self.stories = 0
        database().cut = Cut()
        database().wipe()
        world = QuickWorld(Path(), "rules: {}", only=(WEB,), lasting=database())
        self.law = Ledger(world, WEB, {})
        world.rules = self.law.text()
        self.does(world.start())
        self.does(self.law.begin())

    def does(self, what: Coroutine[Any, Any, Any]) -> None:
        """Let it happen, a second after what happened before."""
        self.law.world.clock.move(seconds=1)
        try:
            self.loop.run_until_complete(what)
        except BaseException:
            self.is_sound = False
            raise

    def has_room(self) -> bool:
        """Whether another story may be played: some examples would draw little else."""
        self.stories += 1
        return self.stories <= MOST_STORIES

    def teardown(self) -> None:
        """It all comes to rest, and the law holds."""
        try:
            if self.is_sound:
                self.does(self.law.ends())
        finally:
            self.loop.run_until_complete(self.law.world.stop())
            self.loop.close()

    @rule(id_=ids, number=st.sampled_from([0, RARE, FEW, CALM, PLENTY]))
    def stock_changes(self, id_: str, number: int) -> None:
        self.law.sell(id_, number)

    @rule(id_=ids, is_out=st.booleans())
    def sells_out_or_not(self, id_: str, is_out: bool) -> None:
        self.law.sell(id_, 0 if is_out else CALM)

    @rule()
    def all_is_sold(self) -> None:
        for id_ in self.law.stock:
            self.law.sell(id_, 0)

    @rule(minutes=st.sampled_from([4, 11]))
    def one_after_another_is_sold(self, minutes: int) -> None:
        if not self.has_room():
            return
        for id_ in self.law.stock:
            self.law.sell(id_, CALM)
        for id_ in sorted(self.law.stock)[-5:]:
            self.does(self.law.live(minutes=minutes))
            self.law.sell(id_, 0)

    @rule(id_=ids, where=st.sampled_from([FIRST, SECOND, THIRD, LAST]))
    def a_person_edits(self, id_: str, where: str) -> None:
        self.does(self.law.edit(id_, where))

    @rule(id_=ids, where=st.sampled_from([FIRST, THIRD, LAST]), is_returned=st.booleans())
    def a_person_undoes_what_a_rule_did(self, id_: str, where: str, is_returned: bool) -> None:
        if not self.has_room():
            return
        taking = {FIRST: 0, THIRD: PLENTY, LAST: RARE}[where]
        for number in (taking, CALM) if is_returned else (taking,):
            self.law.sell(id_, number)
            self.does(self.law.live(minutes=5))
        self.does(self.law.edit(id_, where))
        self.does(self.law.live(minutes=47))

    @rule(id_=ids)
    def a_person_does_what_a_rule_waits_to_do(self, id_: str) -> None:
        """All is sold, the rule has to wait, and meanwhile a person takes the product out; then it is there again."""
        if not self.has_room():
            return
        self.all_is_sold()
        self.does(self.law.live(minutes=5))
        self.does(self.law.edit(id_, FIRST))
        self.does(self.law.live(minutes=5))
        self.law.sell(id_, CALM)
        self.does(self.law.live(minutes=5))

    @rule(said=st.sampled_from(["yes", "no", "nothing", "not yet"]))
    def a_rule_asks(self, said: str) -> None:
        """All is sold, and a person answers, or does not within a week, or will later."""
        if not self.has_room():
            return
        self.all_is_sold()
        self.does(self.law.live(minutes=5))
        if said == "nothing":
            self.law.sleep(200)
        elif said == "not yet":
            self.does(self.law.decides_alike())
        else:
            self.does(self.law.answers(is_yes=said == "yes"))
        self.does(self.law.live(minutes=5))

    @rule(id_=ids, is_first=st.booleans(), is_undone=st.booleans())
    def two_rules_hold_the_same(self, id_: str, is_first: bool, is_undone: bool) -> None:
        """One joins the other; then each lets go in turn, unless a person undoes before what they took."""
        if not self.has_room():
            return
        for is_second in (is_first, not is_first):
            self._wants_it_out(id_, is_second=is_second, is_it=True)
        if is_undone:
            self.does(self.law.edit(id_, SECOND))
            self.does(self.law.live(minutes=5))
        for is_second in (is_first, not is_first):
            self._wants_it_out(id_, is_second=is_second, is_it=False)

    def _wants_it_out(self, id_: str, *, is_second: bool, is_it: bool) -> None:
        """One of the rules that take a product out of the second category wants it now, or no longer."""
        if is_second:
            self.law.publish(is_published=not is_it)
        else:
            self.law.sell(id_, RARE if is_it else CALM)
        self.does(self.law.live(minutes=5))

    @rule(is_published=st.booleans())
    def a_category_is_published(self, is_published: bool) -> None:
        self.law.publish(is_published=is_published)

    @rule(id_=ids, is_heard=st.booleans())
    def a_product_is_deleted(self, id_: str, is_heard: bool) -> None:
        if len(self.law.stock) > 4:
            self.law.delete(id_)
            if not is_heard:
                self.law.lose()

    @rule()
    def a_product_is_added(self) -> None:
        if len(self.law.stock) < 7:
            self.law.add_another()

    @rule(is_echo=st.booleans())
    def webhooks_are_lost(self, is_echo: bool) -> None:
        if is_echo:
            self.law.lose_echo()
        else:
            self.law.lose()

    @rule()
    def webhooks_change_places(self) -> None:
        self.law.reverse()

    @rule(back=st.integers(0, 9))
    def a_webhook_comes_again(self, back: int) -> None:
        self.law.repeat(back)

    @rule(how=st.sampled_from(["away", "busy", "lost", "dropped", "lied"]))
    def a_call_goes_wrong(self, how: str) -> None:
        self.law.fail(how)

    @rule(awaits=st.integers(1, 60), is_after=st.booleans())
    def the_process_is_killed_at_an_await(self, awaits: int, is_after: bool) -> None:
        self.law.kill(awaits, is_after=is_after)

    @rule(minutes=st.sampled_from([0, 0, 5, 47]))
    def the_engine_works(self, minutes: int) -> None:
        self.does(self.law.live(minutes=minutes))

    @rule(hours=st.sampled_from([0.01, 1.0, 30.0, 200.0]))
    def time_passes(self, hours: float) -> None:
        self.law.sleep(hours)

    @rule(removed=some, paused=some, lower=st.integers(0, 1))
    def rules_are_edited(self, removed: frozenset[str], paused: frozenset[str], lower: int) -> None:
        self.does(self.law.ordain(removed=removed, paused=paused - removed, lower=lower))

    @rule(guard=st.sampled_from(sorted(GUARDS)), insists=st.booleans())
    def rules_are_guarded_otherwise(self, guard: str, insists: bool) -> None:
        self.does(self.law.ordain(guard=guard, insists=insists))

    @rule(id_=ids, how=st.sampled_from(["away", "lost", "dropped"]))
    def a_rule_is_edited_while_a_call_is_unanswered(self, id_: str, how: str) -> None:
        """It minds the stock of a product no longer for which it has just called."""
        if not self.has_room():
            return
        self.does(self.law.ordain(lower=0))
        self.law.sell(id_, FEW)
        self.law.fail(how)
        self.law.lose_echo()
        self.does(self.law.live(minutes=0))
        self.does(self.law.ordain(lower=1))
        self.does(self.law.live(minutes=5))

    @rule()
    def rules_are_renamed(self) -> None:
        self.does(self.law.rename())

    @rule()
    def a_sweep_is_asked_for(self) -> None:
        self.does(self.law.sweep())

    @rule(is_yes=st.booleans())
    def questions_are_answered(self, is_yes: bool) -> None:
        self.does(self.law.answers(is_yes=is_yes))

    @rule(name=st.sampled_from(["", *NAMES]))
    def rules_are_stopped(self, name: str) -> None:
        self.does(self.law.stop(name))

    @rule()
    def rules_go_on(self) -> None:
        self.does(self.law.go_on())

    @rule()
    def all_rules_run_again(self) -> None:
        self.does(self.law.all_run())

    @rule(id_=ids, kind=st.sampled_from([OrderKind.GIVE_BACK, OrderKind.KEEP, OrderKind.RESUME]))
    def a_person_orders(self, id_: str, kind: OrderKind) -> None:
        self.does(self.law.order(id_, kind))

    @rule(is_now=st.integers(0, 5))
    def all_is_decided_twice(self, is_now: int) -> None:
        if is_now == 5:
            self.does(self.law.decides_alike())

    @rule(is_now=st.integers(0, 5), is_calm=st.booleans())
    def it_all_settles(self, is_now: int, is_calm: bool) -> None:
        if is_now == 5:  # seldom: it takes as long as thirty other steps
            self.does(self.law.calms_down() if is_calm else self.law.keeps_the_law())


@pytest.fixture(autouse=True)
def silent() -> Iterator[None]:
    """A hundred thousand log lines would take longer than what they tell of."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    yield
    structlog.reset_defaults()


@pytest.mark.parametrize("part", range(PARTS))
def test_whatever_happens_over_a_long_time_the_shop_keeps_the_law(part: int) -> None:
    law = settings(max_examples=-(-EXAMPLES // PARTS), stateful_step_count=STEPS, deadline=None)
    is_hunt = not law.derandomize
    machine = LedgerMachine if is_hunt else seed(part)(LedgerMachine)
    run_state_machine_as_test(machine, settings=law)
