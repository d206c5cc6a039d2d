"""A rule under another code goes on where the former one was; what a deleted rule holds stays, and is said."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from engine_world import WEB, Cut, World, rulebook

from rules_engine.core.changes import Renamed
from rules_engine.core.holds import HoldState
from rules_engine.core.rule import RuleCode
from rules_engine.database.rulebooks import active
from rules_engine.database.tables import activations, episodes, holds, notices, traces
from rules_engine.database.vanished import Vanished
from rules_engine.lane.rules import Activated, put_in_force
from rules_engine.sandbox import Fault
from rules_engine.sandbox.ecwid_catalogue import FEATURED

pytestmark = pytest.mark.anyio

RUNNER = "37208339"
OLD, NEW = "sold-out-leaves", "gone-from-featured"


def rules(*codes: str, more: str = "", stock: int = 0) -> str:
    text = "rules:\n"
    for code in codes:
        text += f"""
  {code}:
    stores: [web]
    while: {{product.stock: {{at_most: {stock}}}}}
    do: [{{remove_from_category: Featured}}]
    {more}
"""
    return text


def renamed(former: str = OLD, code: str = NEW) -> str:
    return rules(code, more=f"formerly: {former}")


def is_featured(world: World, id_: str = RUNNER) -> bool:
    return id_ in world.members(WEB)[str(FEATURED)]


async def held(world: World) -> list[tuple[str, str]]:
    return [(row["rule"], row["state"]) for row in await world.every(holds)]


def open_world(path: Path, text: str, cut: Cut | None = None) -> World:
    return World(path, text, only=(WEB,), cut=cut or Cut())


async def put(world: World, text: str) -> Activated:
    activate = partial(put_in_force, rulebook=rulebook(text), stores=[WEB], now=world.clock(), reason="test")
    return await world.database.write(activate)


async def test_a_renamed_rule_gives_back_what_it_took_under_its_former_code(tmp_path: Path) -> None:
    async with open_world(tmp_path / "e.db", rules(OLD)) as world:
        world.web.sell_out(RUNNER)
        await world.settle()
        activated = await put(world, renamed())
        assert activated.moved == {Renamed(RuleCode(OLD), RuleCode(NEW)): 1}
        await world.settle()
        assert await held(world) == [(NEW, HoldState.HOLDING)]
        assert len(world.web.writes) == 1
        world.web.restock(RUNNER, 5)
        await world.settle()
        assert is_featured(world)
        assert {row["rule"] for row in await world.every(episodes)} == {NEW}


async def test_a_call_that_waits_is_made_under_the_new_code_once(tmp_path: Path) -> None:
    async with open_world(tmp_path / "e.db", rules(OLD)) as world:
        world.web.faults.append(Fault(status=503, where="write"))
        world.web.sell_out(RUNNER)
        await world.deliver()
        await world.run(WEB)
        await world.adopt(renamed())
        await world.settle()
        assert [call.status for call in world.web.writes] == [503, 200]
        assert await held(world) == [(NEW, HoldState.HOLDING)]


async def test_a_rule_that_is_renamed_back_and_forth_keeps_what_it_holds(tmp_path: Path) -> None:
    async with open_world(tmp_path / "e.db", rules(OLD)) as world:
        world.web.sell_out(RUNNER)
        await world.settle()
        for text in (renamed(), renamed(NEW, OLD), renamed()):
            await world.adopt(text)
            await world.settle()
        assert await held(world) == [(NEW, HoldState.HOLDING)]
        assert len(world.web.writes) == 1


async def test_two_rules_that_become_one_hold_once_and_give_back_once(tmp_path: Path) -> None:
    async with open_world(tmp_path / "e.db", rules(OLD, NEW)) as world:
        world.web.sell_out(RUNNER)
        await world.settle()
        assert len(await held(world)) == 2
        await world.adopt(renamed())
        await world.settle()
        still = [each for each in await held(world) if each[1] == HoldState.HOLDING]
        assert still == [(NEW, HoldState.HOLDING)]
        world.web.restock(RUNNER, 5)
        await world.settle()
        assert is_featured(world)
        assert len(world.web.writes) == 2


async def test_killed_while_it_is_renamed_all_went_over_or_nothing_did(tmp_path: Path) -> None:
    ends = [await rename_and_fall(tmp_path / f"{is_after}.db", is_after=is_after) for is_after in (False, True)]
    assert ends == [[(OLD, HoldState.HOLDING)], [(NEW, HoldState.HOLDING)]]


async def rename_and_fall(path: Path, *, is_after: bool) -> list[tuple[str, str]]:
    async with open_world(path, rules(OLD)) as world:
        world.web.sell_out(RUNNER)
        await world.settle()
        world.cut = world.database.cut = Cut(1, is_after=is_after)
        with pytest.raises(Exception, match="killed"):
            await put(world, renamed())
        world.database.cut = Cut()
        return await held(world)


async def test_what_a_deleted_rule_holds_stays_and_the_operator_is_told_of_how_many_products(tmp_path: Path) -> None:
    async with open_world(tmp_path / "e.db", rules(OLD)) as world:
        world.web.sell_out(RUNNER)
        await world.settle()
        activated = await put(world, rules("unrelated", stock=-5))
        assert activated.vanished == (Vanished(WEB, RuleCode(OLD), 1),)
        assert activated.sentences()[0].startswith(f"{OLD} is gone from web and holds 1 product: give back or")
        await world.settle()
        assert await held(world) == [(OLD, HoldState.HOLDING)]
        assert not is_featured(world)


# Every version that ran.


async def test_each_trace_names_the_version_of_the_rules_by_which_it_was_decided(tmp_path: Path) -> None:
    first, second = rules(OLD), rules(OLD, more="title: another")
    async with open_world(tmp_path / "e.db", first) as world:
        world.web.sell_out(RUNNER)
        await world.settle()
        await world.adopt(second)
        world.web.restock(RUNNER, 5)
        await world.settle()
        versions = [row["rulebook"] for row in await world.every(traces)]
        assert list(dict.fromkeys(versions)) == [rulebook(first).hash, rulebook(second).hash]
        ran = [row["rulebook"] for row in await world.every(activations)]
        assert ran == [rulebook(first).hash, rulebook(second).hash]
        in_force = await world.database.read(active)
        assert in_force is not None
        assert in_force.texts == rulebook(second).texts


# Notices.

TELLS = rules(OLD).replace("Featured}]", "Featured}, {notify: {webhook: floor}}]")


async def waiting(world: World) -> Sequence[tuple[str, str, str]]:
    return [(row["rule"], row["target"], row["called"]) for row in await world.every(notices)]


@pytest.mark.parametrize("at", [1, 2, 3, 4, 5, 6])
async def test_what_a_rule_tells_is_written_once_with_what_it_decided(tmp_path: Path, at: int) -> None:
    cut = Cut(at, is_after=at % 2 == 0)
    async with open_world(tmp_path / "e.db", TELLS) as world:
        world.web.sell_out(RUNNER)
        world.cut = world.database.cut = cut
        await world.settle_or_fall()
        if world.cut.has_fallen:
            await world.restart()
            await world.settle(within=timedelta(minutes=5))
        assert not is_featured(world)
        assert await waiting(world) == [(OLD, "floor", "Trail Runner")]
