"""Following what a command asked for: a lane does it, in the server or else here, and the command waits for it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated

import sqlalchemy as sa
import typer

from rules_engine import logs
from rules_engine.app import Engine, Outside, build, open_stores
from rules_engine.core.delivery import StoreAlias
from rules_engine.core.errors import DatabaseError
from rules_engine.core.store import Store
from rules_engine.database.engine import Database, is_current
from rules_engine.database.lanes import load_lane
from rules_engine.database.rulebooks import active
from rules_engine.dispatch.embedded import is_dead
from rules_engine.settings import LogLevel, Settings

from .rules import asked_stores

LOOK_EVERY = 0.1
"""Seconds between looks at what the server makes of it."""

IsDone = Callable[[sa.Connection], bool]
"""Says whether what was asked for has come to its end."""

Wait = Annotated[float, typer.Option("--wait", min=0, metavar="SECONDS", help="How long to wait for the outcome.")]
"""The option of every command that follows what it asked for."""

LONG_ENOUGH = 60.0
"""Seconds to wait unless said otherwise: longer than the lease of a server that was killed."""


@contextmanager
def open_database(settings: Settings) -> Iterator[Database]:
    """The database that a server uses, for one command.

    Raises `DatabaseError` when there is none yet, or when its tables are not those of this release.
    """
    file = _file_of(settings.database_url)
    if file is not None and not file.exists():
        raise DatabaseError(
            f"There is no database {file} yet: `rules-engine serve` makes it; DATABASE_URL says which it is."
        )
    database = Database.from_url(settings.database_url)
    try:
        if not is_current(database):
            raise DatabaseError("The database's tables are not those of this release: run `rules-engine migrate`.")
        yield database
    finally:
        database.close()


def _file_of(url: str) -> Path | None:
    """The file of a SQLite URL; None for any other, because opening it says better what is wrong with it."""
    try:
        parsed = sa.make_url(url)
    except (sa.exc.ArgumentError, ValueError):
        return None
    return Path(parsed.database) if parsed.database and parsed.get_backend_name() == "sqlite" else None


def find_store(settings: Settings, alias: StoreAlias) -> Store:
    """The store of stores.yaml with this name, as this environment has it. Raises `SettingsError`."""
    return asked_stores(open_stores(settings, os.environ).stores, alias)[0]


def follow(
    settings: Settings, database: Database, store: StoreAlias, is_done: IsDone, *, seconds: float, outside: Outside
) -> str:
    """Wait until it is done, for at most `seconds`; run the store's lane here when nobody else does.

    Gives nothing, or a sentence about what it still waits for.
    """
    within = timedelta(seconds=seconds)
    try:
        return asyncio.run(_Follower(settings, database, store, is_done, outside).follow(outside.now() + within))
    except (KeyboardInterrupt, asyncio.CancelledError):  # Ctrl-C: which of the two depends on what it interrupts
        return "You stopped waiting for it: it stays asked for, and is done while `rules-engine serve` runs."


class _Follower:
    def __init__(
        self, settings: Settings, database: Database, store: StoreAlias, is_done: IsDone, outside: Outside
    ) -> None:
        self._settings = settings
        self._database = database
        self._store = store
        self._is_done = is_done
        self._outside = outside

    async def follow(self, until: datetime) -> str:
        """Look until it is done or the time is up."""
        while not await self._database.read(self._is_done):
            if self._outside.now() >= until:
                return await self._database.read(self._why_waiting)
            if not await self._database.read(self._is_served) and await self._run_here(until):
                is_done = await self._database.read(self._is_done)
                return "" if is_done else await self._database.read(self._why_waiting)
            await self._outside.sleep(LOOK_EVERY)
        return ""

    def _is_served(self, connection: sa.Connection) -> bool:
        lane = load_lane(connection, self._store)
        has_lease = lane.lease_until is not None and lane.lease_until > self._outside.now()
        return bool(lane.owner) and has_lease and not is_dead(lane.owner)

    async def _run_here(self, until: datetime) -> bool:
        """Run the lane until it is done or has to rest for too long; False when somebody else has the lane now."""
        # Its log lines are for a server; here people wait for one answer.
        logs.configure(self._settings.log_format, LogLevel.ERROR)
        engine = build(self._settings, outside=self._outside, runs_lanes=False)
        try:
            async with engine.network:
                return await self._run_lane(engine, until)
        finally:
            engine.database.close()

    async def _run_lane(self, engine: Engine, until: datetime) -> bool:
        if self._store not in engine.lanes:
            return True  # nobody will ever run it
        async with engine.dispatch.exclusive(self._store) as tenure:
            if tenure is None:
                return False
            while not await self._database.read(self._is_done):
                rest = await engine.run_lane(tenure)
                # What the lane rests for may be another thing, such as a condition that has to last for a day.
                is_done = await self._database.read(self._is_done)
                if is_done or rest.until is None or rest.until >= until:
                    break
                await self._outside.sleep(max(0.0, (rest.until - self._outside.now()).total_seconds()))
        return True

    def _why_waiting(self, connection: sa.Connection) -> str:
        lane = load_lane(connection, self._store)
        known = open_stores(self._settings, os.environ).stores
        store = next((each for each in known if each.alias == self._store), None)
        if store is None:
            return f"stores.yaml has no store {self._store} any more, so nobody works for it."
        if store.missing:
            return store.parked_because
        if lane.parked_because:
            return f"{self._store} is parked: {lane.parked_because} Then run `rules-engine probe {self._store}`."
        if active(connection) is None:
            return "No rules are in force yet: run `rules-engine release`."
        if lane.blocked_until is not None and lane.blocked_until > self._outside.now():
            return f"{self._store} is left alone until {lane.blocked_until:%H:%M:%S} UTC; then it goes on by itself."
        return f"The lane of {self._store} has not finished with it; it goes on while `rules-engine serve` runs."
