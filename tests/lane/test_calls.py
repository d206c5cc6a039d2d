"""The rate of a store, its breaker and its parking, as one value that time and answers change."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules_engine.core.action import Request, Response
from rules_engine.core.errors import AuthenticationError, PermanentError, TemporaryError
from rules_engine.core.retry import BREAKER_OPENS_AFTER, BREAKER_PROBES_AFTER, PARKED_PROBES_AFTER
from rules_engine.core.store import Capabilities
from rules_engine.database.lanes import LaneRow
from rules_engine.lane.calls import LONGEST_WAIT, Calls, Health, NotNowError
from rules_engine.sandbox import ManualClock

pytestmark = pytest.mark.anyio

SHOP = Capabilities(actions=frozenset(), rate=1, burst=10, batch=1)
SECOND = timedelta(seconds=1)


def health(clock: ManualClock) -> Health:
    return Health.from_row(LaneRow(), SHOP, now=clock())


def calls(clock: ManualClock) -> Calls:
    async def send(request: Request) -> Response:
        return Response(200, clock())

    async def sleep(seconds: float) -> None:
        end = clock() + timedelta(seconds=seconds)
        for _ in range(5):
            await asyncio.sleep(0)  # whoever waits at the same time goes first
        clock.time = max(clock(), end)

    return Calls(send, health(clock), SHOP, now=clock, sleep=sleep, chance=lambda: 0.5)


async def test_a_bucket_starts_full_and_then_waits_for_each_token() -> None:
    clock = ManualClock()
    making, start = calls(clock), clock()
    for _ in range(SHOP.burst):
        await making.allow()
    assert clock() == start
    await making.allow()
    assert clock() == start + SECOND


async def test_who_would_have_to_wait_longer_is_told_when_to_come_back() -> None:
    clock = ManualClock()
    making = calls(clock)
    with pytest.raises(NotNowError) as error:
        await making.allow(SHOP.burst + 3)
    assert error.value.until == clock() + 3 * SECOND
    assert making.health.tokens == SHOP.burst


async def test_calls_at_the_same_time_wait_in_line_however_many_they_are() -> None:
    clock = ManualClock()
    making, start = calls(clock), clock()
    allowed: list[datetime] = []

    async def follow() -> None:
        for _ in range(20):
            await making.allow()
            allowed.append(clock())

    async with asyncio.TaskGroup() as group:
        for _ in range(4):
            group.create_task(follow())
    for count, at in enumerate(allowed, 1):
        assert count <= SHOP.burst + (at - start) / SECOND


@given(st.lists(st.tuples(st.floats(0, 20), st.floats(0.5, 3)), max_size=30))
async def test_no_more_is_spent_than_the_bucket_and_the_time_bring(events: list[tuple[float, float]]) -> None:
    clock = ManualClock()
    making, start, spent = calls(clock), clock(), 0.0
    for pause, cost in events:
        clock.move(seconds=pause)
        before = clock()
        try:
            await making.allow(cost)
        except NotNowError:
            continue
        spent += cost
        assert clock() - before <= LONGEST_WAIT
        assert spent <= SHOP.burst + SHOP.rate * (clock() - start) / SECOND + 0.001


def test_a_bucket_holds_no_more_than_its_burst_and_a_clock_that_goes_back_takes_nothing() -> None:
    clock = ManualClock()
    empty = replace(health(clock), tokens=0.0)
    assert empty.refilled(SHOP, now=clock() + timedelta(hours=1)).tokens == SHOP.burst
    assert empty.refilled(SHOP, now=clock() - timedelta(hours=1)).tokens == 0


def test_five_failures_in_a_row_open_the_breaker_and_one_success_closes_it() -> None:
    clock = ManualClock()
    state = health(clock)
    for count in range(1, BREAKER_OPENS_AFTER + 1):
        assert state.blocked_until is None
        state = state.after_failure(TemporaryError("500"), now=clock(), chance=0.5)
        assert state.failures == count
    assert state.blocked_until is not None
    assert BREAKER_PROBES_AFTER / 2 <= state.blocked_until - clock() <= BREAKER_PROBES_AFTER
    assert state.after_success() == health(clock)


def test_a_refusal_that_is_the_calls_own_fault_says_nothing_against_the_shop() -> None:
    clock = ManualClock()
    failing = replace(health(clock), failures=3)
    assert failing.after_failure(PermanentError("400"), now=clock(), chance=0.5).failures == 0


def test_what_a_shop_asks_for_is_never_undercut() -> None:
    clock = ManualClock()
    state = health(clock).after_failure(TemporaryError("429", delay=90), now=clock(), chance=0.0)
    assert state.blocked_until == clock() + 90 * SECOND


def test_a_parked_store_stays_parked_until_a_success_and_says_the_last_refusal() -> None:
    clock = ManualClock()
    parked = health(clock).after_failure(AuthenticationError("403"), now=clock(), chance=0.5)
    assert (parked.parked_because, parked.probe_at) == ("403", clock() + PARKED_PROBES_AFTER)
    clock.move(minutes=15)
    for error, reason in ((TemporaryError("500", delay=1), "403"), (AuthenticationError("401"), "401")):
        parked = parked.after_failure(error, now=clock(), chance=0.5)
        assert (parked.parked_because, parked.probe_at) == (reason, clock() + PARKED_PROBES_AFTER)
    assert parked.after_success().parked_because == ""
    assert parked.after_success().probe_at is None
