"""When a catalogue is walked over: at connection, every night, and often what changed; each at its own minute."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from engine_world import WEB
from hypothesis import given
from hypothesis import strategies as st
from sweep_world import QUIET, ended, sweep_world, waiting

from rules_engine.core.delivery import StoreAlias
from rules_engine.core.sweep import Sweep, SweepKind, SweepState
from rules_engine.lane.schedule import SKEW, Past, Wanted, next_sweep, night_after
from rules_engine.vendors.axim import Axim
from rules_engine.vendors.ecwid import Ecwid
from rules_engine.vendors.zid import Zid

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
QUARTER = timedelta(minutes=15)
ZONES = ("UTC", "Asia/Riyadh", "Europe/Berlin", "America/Los_Angeles")


def sweep(kind: SweepKind, began: datetime, state: SweepState = SweepState.DONE) -> Sweep:
    return Sweep(1, WEB, kind, "", state, requested_at=began, started_at=began)


LEARNED = Past(complete=sweep(SweepKind.LEARNING, NOON), ended=NOON, has_learned=True)


def due(past: Past, now: datetime, shop: type[Ecwid | Zid | Axim] = Ecwid) -> tuple[Wanted | None, datetime | None]:
    return next_sweep(past, WEB, shop.CAPABILITIES, zone=ZoneInfo("UTC"), now=now)


def test_a_store_that_was_never_swept_is_learned() -> None:
    wanted, _ = due(Past(), NOON)
    assert wanted == Wanted(SweepKind.LEARNING, "the store was connected")


def test_a_shop_that_cannot_list_is_never_swept_by_itself() -> None:
    assert due(Past(), NOON, Axim) == due(LEARNED, NOON + timedelta(days=9), Axim) == (None, None)


def test_nothing_is_asked_for_while_a_sweep_is_under_way() -> None:
    running = replace(LEARNED, complete=sweep(SweepKind.NIGHTLY, NOON, SweepState.RUNNING))
    assert due(running, NOON + timedelta(days=9)) == (None, None)


def test_what_changed_is_asked_for_every_quarter_of_an_hour_and_from_a_little_before() -> None:
    assert due(LEARNED, NOON + QUARTER - timedelta(seconds=1)) == (None, NOON + QUARTER)
    wanted, _ = due(LEARNED, NOON + QUARTER)
    assert wanted == Wanted(SweepKind.CHANGES, "the sweep of what changed", NOON - SKEW)


def test_a_sweep_of_changes_that_was_stopped_leaves_what_changed_to_the_next() -> None:
    stopped = sweep(SweepKind.CHANGES, NOON + QUARTER, SweepState.STOPPED)
    wanted, _ = due(replace(LEARNED, changes=stopped), NOON + 2 * QUARTER)
    assert wanted is not None
    assert wanted.since == NOON - SKEW


def test_a_shop_that_does_not_tell_what_changed_is_swept_every_night() -> None:
    night = night_after(NOON, WEB, ZoneInfo("UTC"))
    assert due(LEARNED, NOON + QUARTER, Zid) == (None, night)
    wanted, _ = due(LEARNED, night, Zid)
    assert wanted is not None
    assert wanted.kind is SweepKind.NIGHTLY


def test_a_shop_of_which_nothing_is_known_is_learned_again_at_night_and_not_all_day() -> None:
    empty = replace(LEARNED, has_learned=False)
    night = night_after(NOON, WEB, ZoneInfo("UTC"))
    assert due(empty, NOON + timedelta(hours=1), Zid) == (None, night)
    wanted, _ = due(empty, night, Zid)
    assert wanted is not None
    assert wanted.kind is SweepKind.LEARNING


@given(st.integers(-3_000_000, 5_000_000), st.text(min_size=1, max_size=9), st.sampled_from(ZONES))
def test_the_night_is_three_o_clock_of_the_store_give_or_take_half_an_hour(minutes: int, alias: str, zone: str) -> None:
    after, store, place = NOON + timedelta(minutes=minutes), StoreAlias(alias), ZoneInfo(zone)
    night = night_after(after, store, place)
    assert after < night <= after + timedelta(hours=26)
    local = night.astimezone(place)
    assert 2 * 60 + 30 <= local.hour * 60 + local.minute <= 3 * 60 + 30 + 60  # an hour more where clocks are changed
    assert night_after(after, store, place) == night
    assert night_after(night, store, place) > night


def test_stores_do_not_all_begin_at_once() -> None:
    nights = {night_after(NOON, StoreAlias(f"store-{number}"), ZoneInfo("UTC")) for number in range(60)}
    assert len(nights) > 20


@pytest.mark.anyio
async def test_a_lane_learns_its_store_and_then_keeps_the_timetable(tmp_path: Path) -> None:
    async with sweep_world(tmp_path / "e.db", WEB, QUIET) as world:
        world.web.deliveries.clear()
        lane = world.lanes[WEB]
        lane._timetable.is_on = True
        began = world.clock()
        rest = await world.run(WEB)
        assert await ended(world, WEB) == [SweepKind.LEARNING]
        assert rest.until is not None
        assert timedelta(minutes=14) < rest.until - began <= QUARTER + timedelta(seconds=5)
        world.clock.time = rest.until
        rest = await world.run(WEB)
        assert SweepKind.CHANGES in await ended(world, WEB)
        world.clock.move(hours=30)
        await world.run(WEB)
        assert SweepKind.NIGHTLY in await ended(world, WEB)
        assert await waiting(world, WEB) == []


@pytest.mark.anyio
async def test_a_lane_asks_for_nothing_unless_it_is_told_to(tmp_path: Path) -> None:
    async with sweep_world(tmp_path / "e.db", WEB, QUIET) as world:
        world.web.deliveries.clear()
        assert (await world.run(WEB)).until is None
        assert not await ended(world, WEB)
        assert not await waiting(world, WEB)
