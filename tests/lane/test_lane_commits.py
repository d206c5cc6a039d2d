"""What a turn decided is stored whole or not at all; what spoils it is set aside alone; new rules are obeyed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from engine_world import B2B, WEB, Cut, World, rulebook

from rules_engine.core.action import Interpretation, Reading, Request, Response
from rules_engine.core.delivery import Delivery, Normalised, StoreAlias
from rules_engine.core.errors import LaneLostError, RulebookError
from rules_engine.core.holds import HoldState
from rules_engine.core.problem import Place, Problem
from rules_engine.core.rule import Rulebook
from rules_engine.core.subject import product
from rules_engine.database.engine import Database
from rules_engine.database.inbox import DeliveryState, mark_planned, recent
from rules_engine.database.lanes import acquire, release
from rules_engine.database.tables import actions, holds, snapshots, traces
from rules_engine.lane.rules import Rules, put_in_force
from rules_engine.sandbox import Fault
from rules_engine.sandbox.ecwid_catalogue import FEATURED
from rules_engine.sandbox.zave import FEATURED as COLLECTION
from rules_engine.vendors import VENDORS
from rules_engine.vendors.ecwid import Ecwid

pytestmark = pytest.mark.anyio

RUNNER, PRINT, HILL = "37208339", "37208341", "37208345"


def sold_out(more: str = "", *, do: str = "remove_from_category: Featured", code: str = "sold-out-leaves") -> str:
    return f"""
rules:
  {code}:
    stores: [web]
    while: {{product.stock: {{at_most: 0}}}}
    do: [{{{do}}}]
    {more}
"""


RULES = sold_out()
NONE = """
rules:
  unrelated:
    stores: [web]
    while: {product.name: nothing of the kind}
    do: [{remove_from_category: Shoes}]
"""


EVERY = 10
"""Every how many steps somebody interferes: all steps take ten times as long and show the same."""


def is_featured(world: World, id_: str) -> bool:
    return id_ in world.members(WEB)[str(FEATURED)]


def open_world(path: Path, rules: str = RULES) -> World:
    return World(path / "engine.db", rules, only=(WEB,))


# Fences.


def elsewhere(world: World, work: Callable[[Database], object]) -> None:
    """Another process on the same file."""
    database = Database.from_url(f"sqlite:///{world.path}")
    work(database)
    database.close()


async def is_untouched(world: World) -> bool:
    return not any([await world.every(table) for table in (actions, holds, traces)])


async def test_a_turn_whose_deliveries_somebody_else_planned_stores_nothing(tmp_path: Path) -> None:
    async with open_world(tmp_path) as world:

        def plan(database: Database) -> None:
            ids = [one.delivery.id for one in database.read_now(partial(recent, state=DeliveryState.PENDING))]
            database.write_now(partial(mark_planned, ids=ids, now=world.clock()))

        def interfere(_alias: StoreAlias, request: Request) -> None:
            if request.url.endswith(RUNNER):
                elsewhere(world, plan)

        world.web.sell_out(RUNNER)
        world.after_call = interfere
        await world.settle()
        assert await is_untouched(world)
        assert RUNNER not in {row["id"] for row in await world.every(snapshots)}
        assert is_featured(world, RUNNER)


async def test_a_turn_whose_lane_was_taken_stores_nothing(tmp_path: Path) -> None:
    async with open_world(tmp_path) as world:
        later = world.clock() + timedelta(hours=1)
        take = partial(acquire, store=WEB, owner="elsewhere:1", now=later, lease=timedelta(seconds=30))

        def interfere(_alias: StoreAlias, request: Request) -> None:
            if request.url.endswith(RUNNER):
                elsewhere(world, lambda database: database.write_now(take))

        world.web.sell_out(RUNNER)
        world.after_call = interfere
        await world.deliver()
        with pytest.raises(LaneLostError):
            await world.run(WEB)
        assert await is_untouched(world)
        assert len(await world.deliveries(DeliveryState.PENDING)) == 1


async def test_a_turn_under_old_rules_is_decided_again_by_the_new_ones(tmp_path: Path) -> None:
    async with open_world(tmp_path) as world:
        put = partial(put_in_force, rulebook=rulebook(NONE), stores=[WEB], now=world.clock(), reason="test")

        def interfere(_alias: StoreAlias, request: Request) -> None:
            if request.url.endswith(RUNNER):
                elsewhere(world, lambda database: database.write_now(put))

        world.web.sell_out(RUNNER)
        world.after_call = interfere
        await world.settle()
        assert await is_untouched(world)
        assert world.web.writes == []
        assert await world.deliveries(DeliveryState.PENDING) == []


@dataclass
class Interfering(Cut):
    """Not a cut, but another process that does something before the `at`-th step."""

    work: Callable[[], object] = lambda: None

    def before(self) -> bool:
        """Count a step."""
        self.steps += 1
        if self.steps == self.at:
            self.work()
        return False


@pytest.mark.parametrize("how", ["new rules", "the lane is taken"])
async def test_whenever_somebody_interferes_the_story_ends_the_same(tmp_path: Path, how: str) -> None:
    steps = await story(tmp_path / "whole.db", how, at=0)
    for at in range(1, steps + 1, EVERY):
        await story(tmp_path / f"{at}.db", how, at=at)


async def story(path: Path, how: str, *, at: int) -> int:
    cut = Interfering(at)
    async with World(path, RULES, only=(WEB,), cut=cut) as world:

        def take(database: Database) -> None:
            later = world.clock() + timedelta(hours=1)
            got = partial(acquire, store=WEB, owner="elsewhere:1", now=later, lease=timedelta(seconds=30))
            epoch = database.write_now(got)
            assert epoch is not None
            database.write_now(partial(release, store=WEB, owner="elsewhere:1", epoch=epoch))

        def activate(database: Database) -> None:
            book = rulebook(RULES + "    title: another text\n")
            put = partial(put_in_force, rulebook=book, stores=[WEB], now=world.clock(), reason="test")
            database.write_now(put)

        cut.work = partial(elsewhere, world, activate if how == "new rules" else take)
        before = world.members(WEB)
        for sell, expected in ((True, before[str(FEATURED)] - {RUNNER, PRINT}), (False, before[str(FEATURED)])):
            for id_ in (RUNNER, PRINT):
                world.web.restock(id_, 0 if sell else 5)
            try:
                await world.settle()
            except LaneLostError:
                assert how == "the lane is taken"  # new rules are this process's own to take up
                world.tenures.clear()
                await world.settle()
            assert world.members(WEB)[str(FEATURED)] == expected, at
        assert world.members(WEB) == before
        assert await world.deliveries(DeliveryState.PENDING) == []
        assert await world.dead() == []
        return cut.steps


# What spoils a turn.


class Odd(Ecwid):
    """An adapter with a fault of its own about one product."""

    breaks_parse = False
    breaks_normalise = False
    breaks_interpret = False

    def parse(self, request: Request, response: Response) -> Reading:
        """The reading, with a product that no rule can be judged on."""
        reading = super().parse(request, response)
        if not Odd.breaks_parse:
            return reading
        shown = (
            replace(one, fields={**one.fields, "category_ids": 7}) if one.ref == product(RUNNER) else one
            for one in reading.snapshots
        )
        return replace(reading, snapshots=tuple(shown))

    def interpret(self, request: Request, response: Response) -> Interpretation:
        """The meaning of the answer, unless the adapter has a fault."""
        if Odd.breaks_interpret:
            raise ValueError("a fault of the adapter")
        return super().interpret(request, response)

    def normalise(self, delivery: Delivery) -> Normalised:
        """The delivery, unless it is about that product."""
        if Odd.breaks_normalise and RUNNER.encode() in delivery.body:
            raise ValueError("a fault of the adapter")
        return super().normalise(delivery)


@pytest.fixture(autouse=True)
def _odd_is_well() -> None:
    Odd.breaks_parse = Odd.breaks_normalise = Odd.breaks_interpret = False


def odd_world(path: Path) -> World:
    return World(path / "engine.db", RULES, only=(WEB,), vendors={**VENDORS, "ecwid": Odd})


def sell_out_both(world: World) -> None:
    world.web.sell_out(RUNNER)
    world.web.sell_out(HILL)


async def set_aside(world: World) -> list[str]:
    return [one.subjects[0].id for one in await world.deliveries(DeliveryState.SET_ASIDE)]


async def test_a_product_that_breaks_deciding_is_set_aside_alone_and_looked_at_later(tmp_path: Path) -> None:
    async with odd_world(tmp_path) as world:
        sell_out_both(world)
        Odd.breaks_parse = True
        await world.settle()
        assert (is_featured(world, RUNNER), is_featured(world, HILL)) == (True, False)
        assert await set_aside(world) == [RUNNER]
        Odd.breaks_parse = False
        await world.settle(within=timedelta(hours=2))
        assert not is_featured(world, RUNNER)


async def test_nothing_is_sent_for_a_product_that_could_not_be_decided_in_this_turn(tmp_path: Path) -> None:
    async with odd_world(tmp_path) as world:
        world.web.faults.append(Fault(status=503, where="write"))
        world.web.sell_out(RUNNER)
        await world.deliver()
        await world.run(WEB)
        Odd.breaks_parse = True
        await world.settle()
        assert [call.status for call in world.web.writes] == [503]


async def test_a_delivery_that_breaks_the_adapter_is_set_aside_alone(tmp_path: Path) -> None:
    async with odd_world(tmp_path) as world:
        sell_out_both(world)
        await world.deliver()
        Odd.breaks_normalise = True
        await world.settle()
        assert (is_featured(world, RUNNER), is_featured(world, HILL)) == (True, False)
        assert await set_aside(world) == [RUNNER]


async def test_a_product_that_the_shop_refuses_to_show_is_set_aside_alone(tmp_path: Path) -> None:
    async with open_world(tmp_path) as world:
        world.web.faults.append(Fault(status=400, where="read", path="/products", times=2))  # the batch, then the first
        sell_out_both(world)
        await world.settle()
        assert (is_featured(world, RUNNER), is_featured(world, HILL)) == (True, False)
        assert await set_aside(world) == [RUNNER]
        await world.settle(within=timedelta(hours=2))
        assert not is_featured(world, RUNNER)


# Rules that change.


async def hold(world: World) -> None:
    world.web.sell_out(RUNNER)
    await world.settle()
    assert not is_featured(world, RUNNER)


async def test_new_rules_look_at_everything_that_is_known(tmp_path: Path) -> None:
    async with open_world(tmp_path, NONE) as world:
        sell_out_both(world)
        await world.settle()
        assert world.web.writes == []
        await world.adopt(RULES)
        await world.settle()
        assert (is_featured(world, RUNNER), is_featured(world, HILL)) == (False, False)
        assert len(world.web.writes) == 1


async def test_a_late_delivery_does_not_keep_new_rules_from_what_is_remembered(tmp_path: Path) -> None:
    rules = RULES.replace("[web]", "[b2b]") + "    afterwards: put back\n"
    async with World(tmp_path / "engine.db", NONE, only=(B2B,)) as world:
        world.b2b.restock("laptop-1", 8)
        world.clock.move(seconds=1)
        world.b2b.sell_out("laptop-1")
        await world.b2b.deliver_out_of_order(world.door, f"http://engine/webhooks/{B2B}", [1])
        await world.run(B2B)
        await world.adopt(rules)
        await world.settle()  # the late delivery comes with the look for the new rules
        assert "laptop-1" not in world.members(B2B)[COLLECTION]


async def test_the_same_rules_again_change_nothing(tmp_path: Path) -> None:
    async with open_world(tmp_path) as world:
        await hold(world)
        calls = len(world.web.calls)
        await world.adopt(RULES)
        await world.settle()
        assert len(world.web.calls) == calls


@pytest.mark.parametrize("other", [NONE, sold_out("mode: paused\n    because: a test"), sold_out("mode: watch")])
async def test_what_a_deleted_paused_or_watching_rule_holds_is_kept_until_it_is_back(
    tmp_path: Path, other: str
) -> None:
    async with open_world(tmp_path) as world:
        await hold(world)
        await world.adopt(other)
        await world.settle()
        world.web.restock(RUNNER, 5)
        await world.settle()
        assert not is_featured(world, RUNNER)
        assert len(world.web.writes) == 1
        await world.adopt(RULES)
        await world.settle()
        assert is_featured(world, RUNNER)


async def test_a_watching_rule_says_what_it_would_do_and_calls_nothing(tmp_path: Path) -> None:
    async with open_world(tmp_path, sold_out("mode: watch")) as world:
        world.web.sell_out(RUNNER)
        await world.settle()
        assert world.web.writes == []
        assert ["it only watches" in trace["text"] for trace in await world.every(traces)] == [True]


@pytest.mark.parametrize("other", [NONE, sold_out("mode: paused\n    because: a test"), sold_out("mode: watch")])
async def test_a_call_that_waits_is_not_made_for_a_rule_that_no_longer_runs(tmp_path: Path, other: str) -> None:
    async with open_world(tmp_path) as world:
        world.web.faults.append(Fault(status=503, where="write"))
        world.web.sell_out(RUNNER)
        await world.deliver()
        await world.run(WEB)
        await world.adopt(other)
        await world.settle()
        assert is_featured(world, RUNNER)
        assert [call.status for call in world.web.writes] == [503]


async def test_another_do_gives_back_what_is_no_longer_wanted_and_takes_the_new(tmp_path: Path) -> None:
    async with open_world(tmp_path) as world:
        await hold(world)
        await world.adopt(sold_out(do="remove_from_category: Shoes"))
        await world.settle()
        members = world.members(WEB)
        assert RUNNER in members[str(FEATURED)]
        assert all(RUNNER not in ids for place, ids in members.items() if place != str(FEATURED))


async def test_a_rule_that_leaves_gives_nothing_back(tmp_path: Path) -> None:
    async with open_world(tmp_path, sold_out("afterwards: leave")) as world:
        await hold(world)
        world.web.restock(RUNNER, 5)
        await world.settle()
        assert not is_featured(world, RUNNER)
        assert [row["state"] for row in await world.every(holds)] == [HoldState.RELEASED]


def refuse(_texts: Mapping[str, str]) -> Rulebook:
    raise RulebookError([Problem(Place("rules/rules.yaml", 1, 1), "unknown-store", "no store of this name")])


async def test_without_rules_in_force_deliveries_wait(tmp_path: Path) -> None:
    async with open_world(tmp_path) as world:
        world.web.sell_out(RUNNER)
        await world.deliver()
        world.lanes[WEB].rules = Rules(refuse)
        await world.settle()
        assert len(await world.deliveries(DeliveryState.PENDING)) == 1
        await world.restart()
        await world.settle(within=timedelta(minutes=5))
        assert not is_featured(world, RUNNER)


async def test_an_answer_that_the_adapter_fails_to_read_is_judged_by_the_next_read(tmp_path: Path) -> None:
    async with odd_world(tmp_path) as world:
        sell_out_both(world)
        Odd.breaks_interpret = True
        await world.settle()
        assert (is_featured(world, RUNNER), is_featured(world, HILL)) == (False, False)
        assert await world.dead() == []
        assert len(world.web.writes) == 1
