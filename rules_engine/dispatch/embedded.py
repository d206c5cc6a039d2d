"""Lanes in this process: one task for each store, woken by the door, by its own clock, or by a look every second."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from functools import partial

import structlog
from sqlalchemy.engine import Connection

from rules_engine.core.delivery import StoreAlias
from rules_engine.core.errors import DatabaseError, LaneLostError
from rules_engine.database.engine import Database
from rules_engine.database.lanes import acquire, load_lane, release, renew, stores_to_probe, stores_with_work
from rules_engine.lane.tenure import Rest, Tenure

from .port import RunLane

log = structlog.stdlib.get_logger(__name__)

LEASE = timedelta(seconds=30)
"""After this a lane whose worker died without a word is anyone's."""
RENEW_EVERY = 10.0
LOOK_EVERY = 1.0
"""Seconds between looks for work that nobody rang for, such as what a command asked for."""
AFTER_A_FAULT = timedelta(seconds=5)
"""How long a lane that broke, or that another worker has, is left alone."""


def process_name() -> str:
    """This process, by host and number, as the owner of lanes."""
    return f"{socket.gethostname()}:{os.getpid()}"


def is_dead(owner: str) -> bool:
    """Whether an owner was a process of this host that no longer runs: then its lanes need not wait for their lease."""
    host, _, number = owner.rpartition(":")
    if host != socket.gethostname() or not number.isdecimal():
        return False
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


class Embedded:
    """Runs the lanes of `stores` on asyncio, over a database that this process shares with nobody but commands."""

    def __init__(
        self,
        database: Database,
        stores: Sequence[StoreAlias],
        *,
        now: Callable[[], datetime],
        owner: str = "",
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._database = database
        self._stores = tuple(stores)
        self._now = now
        self._owner = owner or process_name()
        self._sleep = sleep
        self._bells = {store: asyncio.Event() for store in self._stores}
        self._blocked: dict[StoreAlias, datetime] = {}
        self._stopping = False

    def ring(self, store: StoreAlias) -> None:
        """Wake the store's lane, unless its shop is to be left alone: then it wakes by itself."""
        if store in self._bells and self._blocked.get(store, self._now()) <= self._now():
            self._bells[store].set()

    async def serve(self, run_lane: RunLane) -> None:
        """Run all lanes until stopped or cancelled. A fault in one stops neither it nor the others."""
        async with asyncio.TaskGroup() as group:
            looking = group.create_task(self._look_for_work(), name="look for work")
            lanes = [group.create_task(self._keep(store, run_lane), name=f"lane {store}") for store in self._stores]
            await asyncio.gather(*lanes)
            looking.cancel()

    def stop(self) -> None:
        """Let every lane finish what it is at, and no more: then `serve` returns."""
        self._stopping = True
        for bell in self._bells.values():
            bell.set()

    @asynccontextmanager
    async def exclusive(self, store: StoreAlias) -> AsyncIterator[Tenure | None]:
        """Own the store's lane and keep its lease alive; yields None when another worker has it."""
        epoch = await self._database.write(partial(self._acquire, store))
        if epoch is None:
            yield None
            return
        tenure = Tenure(store, self._owner, epoch)
        renewing = asyncio.create_task(self._renew(tenure))
        try:
            yield tenure
        finally:
            renewing.cancel()
            await self._database.write(partial(release, store=store, owner=tenure.owner, epoch=tenure.epoch))

    def _acquire(self, store: StoreAlias, connection: Connection) -> int | None:
        lane = load_lane(connection, store)
        if lane.owner and lane.owner != self._owner and is_dead(lane.owner):
            release(connection, store, lane.owner, lane.epoch)
        return acquire(connection, store, self._owner, now=self._now(), lease=LEASE)

    async def _renew(self, tenure: Tenure) -> None:
        while True:
            await self._sleep(RENEW_EVERY)
            try:
                await self._database.write(
                    partial(
                        renew,
                        store=tenure.store,
                        owner=tenure.owner,
                        epoch=tenure.epoch,
                        now=self._now(),
                        lease=LEASE,
                    )
                )
            except LaneLostError:
                return  # the next commit of the lane finds out, and rolls back
            except DatabaseError as error:
                log.warning("a lease could not be renewed", store=tenure.store, reason=str(error))

    async def _keep(self, store: StoreAlias, run_lane: RunLane) -> None:
        """Own the lane and run it, again and again."""
        while not self._stopping:
            try:
                async with self.exclusive(store) as tenure:
                    if tenure is not None:
                        await self._run(tenure, run_lane)
            except LaneLostError as error:
                log.warning("another worker runs the lane now", store=store, reason=str(error))
            except Exception:  # a lane that broke must not take the others with it
                log.exception("a lane broke; it is tried again", store=store)
            await self._leave_alone(store)

    async def _leave_alone(self, store: StoreAlias) -> None:
        """Wait before the lane is tried again; a bell that goes on ringing must not make that a busy loop."""
        if self._stopping:
            return
        self._bells[store].clear()
        self._blocked[store] = self._now() + AFTER_A_FAULT
        await self._wait(self._bells[store], Rest(self._blocked[store]))

    async def _run(self, tenure: Tenure, run_lane: RunLane) -> None:
        bell = self._bells[tenure.store]
        while not self._stopping:
            bell.clear()
            rest = await run_lane(tenure)
            if rest.is_blocked and rest.until is not None:
                self._blocked[tenure.store] = rest.until
            else:
                self._blocked.pop(tenure.store, None)
            await self._wait(bell, rest)

    async def _wait(self, bell: asyncio.Event, rest: Rest) -> None:
        """Wait for the bell, or for the time that the lane named."""
        if self._stopping:
            return
        if rest.until is None:
            await bell.wait()
            return
        seconds = (rest.until - self._now()).total_seconds()
        if seconds <= 0:
            return
        alarm = asyncio.ensure_future(self._sleep(seconds))
        rung = asyncio.ensure_future(bell.wait())
        try:
            await asyncio.wait({alarm, rung}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            alarm.cancel()
            rung.cancel()

    async def _look_for_work(self) -> None:
        """Ring for what is due and was not rung: looks by the clock, and what another process asked for."""
        while True:
            await self._sleep(LOOK_EVERY)
            try:
                for store in await self._database.read(partial(stores_to_probe, now=self._now())):
                    self._blocked.pop(store, None)  # a person asked for it to be tried before its time
                    self.ring(store)
                for store in await self._database.read(partial(stores_with_work, now=self._now())):
                    self.ring(store)
            except DatabaseError as error:
                log.warning("could not look for work", reason=str(error))
