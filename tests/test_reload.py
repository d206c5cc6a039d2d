"""A saved rule file runs at once, whole, or is refused while the last good rules run on."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from functools import partial
from pathlib import Path

import pytest
from engine_world import HOUSE, WEB, World, rulebook
from structlog.testing import capture_logs

from rules_engine.core.delivery import StoreAlias
from rules_engine.database.rulebooks import active
from rules_engine.database.tables import activations, rulebooks, traces
from rules_engine.lane.rules import put_in_force
from rules_engine.reload import RuleFiles, disk_changes
from rules_engine.rulebook import compile_rulebook
from rules_engine.sandbox.ecwid_catalogue import FEATURED
from rules_engine.vendors import VENDORS

pytestmark = pytest.mark.anyio

RUNNER = "37208339"
SOLD_OUT = """\
rules:
  sold-out-leaves:
    stores: [web]
    while: {product.stock: {at_most: 0}}
    do: [{remove_from_category: Featured}]
"""
NOTHING = SOLD_OUT.replace("at_most: 0", "at_most: -5")
WRONG = SOLD_OUT.replace("product.stock", "product.stok").replace("Featured", "Featured, 7: ")


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    folder = tmp_path / "rules"
    folder.mkdir()
    shutil.copy(HOUSE / "rules" / "stores.yaml", folder)
    (folder / "rules.yaml").write_text(NOTHING)
    async with World(tmp_path / "engine.db", NOTHING, only=(WEB,)) as world:
        yield world


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "rules"


@pytest.fixture
def rung() -> list[StoreAlias]:
    return []


@pytest.fixture
async def files(world: World, folder: Path, rung: list[StoreAlias]) -> RuleFiles:
    made = RuleFiles(
        folder=folder,
        stores_file=folder / "stores.yaml",
        stores=[WEB],
        compile=lambda texts: compile_rulebook(texts, stores=[world.lanes[WEB].store], vendors=VENDORS),
        database=world.database,
        rules=world.lanes[WEB].rules,
        now=world.clock,
        sleep=world.sleep,
        on_change=rung.append,
    )
    assert await made.adopt("start")
    return made


async def texts(world: World) -> list[str]:
    """The texts of the rule files in force."""
    found = await world.database.read(active)
    return list(found.texts.values()) if found else []


def save(folder: Path, text: str, name: str = "rules.yaml") -> None:
    (folder / name).write_text(text)


async def count(world: World) -> int:
    return len(await world.every(activations))


async def test_a_saved_rule_runs(world: World, files: RuleFiles, folder: Path, rung: list[StoreAlias]) -> None:
    world.web.sell_out(RUNNER)
    await world.settle()
    assert world.web.writes == []
    save(folder, SOLD_OUT)
    await files.look()
    await world.settle()
    assert RUNNER not in world.members(WEB)[str(FEATURED)]
    assert rung == [WEB]
    assert [row["reason"] for row in await world.every(activations)][-1] == "saved"


async def test_a_wrong_rule_is_refused_with_every_error_and_the_last_good_ones_run_on(
    world: World, files: RuleFiles, folder: Path
) -> None:
    save(folder, SOLD_OUT)
    await files.look()
    save(folder, SOLD_OUT.replace("product.stock", "product.stok").replace("remove_from_category", "remove"))
    with capture_logs() as lines:
        await files.look()
        await files.look()
    said = [line for line in lines if line["event"] == "a problem in the rule files"]
    assert [line["place"] for line in said] == ["rules/rules.yaml:4:13", "rules/rules.yaml:5:11"]
    assert said[0]["help"] == "did you mean `product.stock`?"
    assert "rules.yaml:4:13" in files.rules.refused
    assert await texts(world) == [SOLD_OUT]
    world.web.sell_out(RUNNER)
    await world.settle()
    assert RUNNER not in world.members(WEB)[str(FEATURED)]


async def test_a_rule_that_is_put_right_is_refused_no_more(world: World, files: RuleFiles, folder: Path) -> None:
    for text in (WRONG, NOTHING, WRONG, SOLD_OUT):
        save(folder, text)
        await files.look()
        assert bool(files.rules.refused) is (text == WRONG)
    assert await texts(world) == [SOLD_OUT]


async def test_rules_that_a_release_put_in_force_stay_until_somebody_saves_here(
    world: World, files: RuleFiles, folder: Path
) -> None:
    released = rulebook({"rules/rules.yaml": SOLD_OUT})
    await world.database.write(
        partial(put_in_force, rulebook=released, stores=[WEB], now=world.clock(), reason="release")
    )
    await files.look()
    for text in (WRONG, NOTHING):  # wrong, and put right again: nothing is other than it was
        save(folder, text)
        await files.look()
    assert await texts(world) == [SOLD_OUT]
    assert files.rules.refused == ""
    save(folder, NOTHING + "# now\n")
    await files.look()
    assert await texts(world) == [NOTHING + "# now\n"]


async def test_what_is_no_rule_file_changes_nothing(world: World, files: RuleFiles, folder: Path) -> None:
    before = await count(world)
    for name in (".rules.yaml.swp", "rules.yaml~", "4913", "notes.txt", ".hidden.yaml"):
        save(folder, WRONG, name)
    for place in ("tests", "library"):
        (folder / place).mkdir()
        save(folder, WRONG, f"{place}/wrong.yaml")
    await files.look()
    assert (await count(world), files.rules.refused) == (before, "")


async def test_other_stores_are_said_once_to_want_a_restart(world: World, files: RuleFiles, folder: Path) -> None:
    before = await count(world)
    save(folder, (folder / "stores.yaml").read_text() + "# more\n", "stores.yaml")
    with capture_logs() as lines:
        await files.look()
        await files.look()
    assert [line["event"] for line in lines] == ["stores.yaml was saved: restart to apply it"]
    assert await count(world) == before


async def test_a_folder_that_vanishes_and_comes_back_stops_nothing(
    world: World, files: RuleFiles, folder: Path
) -> None:
    before = await count(world)
    away = await asyncio.to_thread(folder.rename, folder.with_name("away"))
    await files.look()
    assert "there is no folder of rules here" in files.rules.refused
    assert await texts(world) == [NOTHING]
    await asyncio.to_thread(away.rename, folder)
    await files.look()
    assert (files.rules.refused, await count(world)) == ("", before)


async def test_a_file_that_is_being_written_is_taken_when_it_is_whole(
    world: World, files: RuleFiles, folder: Path
) -> None:
    pieces = [SOLD_OUT[: len(SOLD_OUT) // 3], SOLD_OUT[: len(SOLD_OUT) // 2], SOLD_OUT]
    save(folder, pieces.pop(0))

    async def sleep(_seconds: float) -> None:
        if pieces:
            save(folder, pieces.pop(0))

    files.sleep = sleep
    with capture_logs() as lines:
        await files.look()
    assert await texts(world) == [SOLD_OUT]
    assert [line["event"] for line in lines] == ["new rules are in force"]


async def test_rules_that_cannot_be_stored_now_are_stored_at_the_next_look(
    world: World, files: RuleFiles, folder: Path
) -> None:
    save(folder, SOLD_OUT)
    world.cut.at = world.cut.steps + 1
    await files.look()
    assert "could not be stored" in files.rules.refused
    await world.restart()
    files.database = world.database
    await files.look()
    assert (files.rules.refused, await texts(world)) == ("", [SOLD_OUT])


async def test_of_two_processes_that_see_the_same_change_one_puts_it_in_force(
    world: World, files: RuleFiles, folder: Path
) -> None:
    other = RuleFiles(**{name: getattr(files, name) for name in RuleFiles.__match_args__ if name[0] != "_"})
    assert await other.adopt("start")
    before = await count(world)
    save(folder, SOLD_OUT)
    await asyncio.gather(files.look(), other.look())
    assert await count(world) == before + 1


async def test_rules_that_are_saved_while_a_turn_is_under_way_are_the_ones_that_count(
    world: World, files: RuleFiles, folder: Path
) -> None:
    """The turn read the shop by the old rules; it is rolled back, and decided again by the new ones."""
    save(folder, SOLD_OUT)
    await files.look()
    saving: list[asyncio.Task[None]] = []

    def interfere(_alias: object, request: object) -> None:
        if not saving and RUNNER in str(getattr(request, "url", "")):
            save(folder, NOTHING)
            saving.append(asyncio.create_task(files.look()))

    class Slow(type(world.database)):  # type: ignore[misc]  # the class of a fixture
        """Lets the files be saved before the turn commits."""

        async def write(self, work: Callable[..., object]) -> object:
            if saving and asyncio.current_task() is not saving[0]:
                await saving[0]
            return await super().write(work)

    world.database.__class__ = Slow
    world.after_call = interfere
    world.web.sell_out(RUNNER)
    await world.settle()
    assert saving
    assert world.web.writes == []
    assert await world.every(traces) == []
    assert len(await world.every(rulebooks)) == 2


async def test_watching_takes_what_the_bell_rings_for(world: World, files: RuleFiles, folder: Path) -> None:
    async def bell() -> AsyncGenerator[None, None]:
        for text in (WRONG, SOLD_OUT):
            save(folder, text)
            yield None

    await files.watch(bell())
    assert await texts(world) == [SOLD_OUT]


async def test_the_bell_rings_for_a_save_and_for_a_folder_that_is_another_one(tmp_path: Path) -> None:
    folder = tmp_path / "rules"
    folder.mkdir()
    async with asyncio.timeout(20), aclosing(disk_changes(folder, look_every=0.3)) as bell:
        ringing = asyncio.ensure_future(anext(bell))
        while not ringing.done():
            save(folder, NOTHING)
            await asyncio.wait({ringing}, timeout=0.1)
        folder.rename(tmp_path / "old")
        folder.mkdir()
        for _ in range(3):  # for the folder that went, and for the one that is there now
            await anext(bell)


async def test_a_folder_that_is_not_there_is_looked_for_again(tmp_path: Path) -> None:
    async with asyncio.timeout(20), aclosing(disk_changes(tmp_path / "rules", look_every=0.1)) as bell:
        await anext(bell)
        (tmp_path / "rules").mkdir()
        await anext(bell)
