"""The composition root: settings in, a running engine and its Starlette app out."""

from __future__ import annotations

import asyncio
import os
import random
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import structlog
from sqlalchemy.engine import Connection
from starlette.applications import Starlette

from rules_engine.core.delivery import DeliveryId, StoreAlias
from rules_engine.core.errors import DatabaseError, RulebookError, SettingsError
from rules_engine.core.rule import Rulebook
from rules_engine.core.store import NotifyTarget, Store, StoresFile
from rules_engine.database.engine import Database, migrate
from rules_engine.database.inbox import Inbox
from rules_engine.database.lanes import load_lanes, save_lane
from rules_engine.database.retention import Retention, prune
from rules_engine.dispatch.embedded import Embedded
from rules_engine.lane.calls import Send
from rules_engine.lane.rules import Rules, put_in_force
from rules_engine.lane.turn import Lane, Rest, Tenure
from rules_engine.metrics import Metrics
from rules_engine.network import Network
from rules_engine.receive import Doors, webhook_routes
from rules_engine.rulebook import compile_rulebook, load_stores, read_rule_texts
from rules_engine.settings import Settings
from rules_engine.vendors import VENDORS
from rules_engine.watch import watch_routes

log = structlog.stdlib.get_logger(__name__)

PRUNE_EVERY = timedelta(hours=1)
RESTART_AFTER = 5.0
"""Seconds until lanes that all broke at once are started again."""
LONGEST_GOODBYE = 10.0
"""Seconds that lanes may take to finish their turn when the process is told to stop; what is left is redone."""


def utc_now() -> datetime:
    """The time; the one place where the engine reads the clock."""
    return datetime.now(UTC)


def new_id() -> str:
    """A new id for a delivery or a call."""
    return uuid.uuid4().hex


def open_stores(settings: Settings, environment: Mapping[str, str] | None) -> StoresFile:
    """What stores.yaml says. Raises `RulebookError` with every problem, or `SettingsError` without a file."""
    path = Path(settings.stores)
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise SettingsError(
            f"STORES names {path}, which cannot be read ({error.strerror}): set it to a file."
        ) from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"{path} is not UTF-8 text: save it as UTF-8.") from error
    return load_stores(text, path=str(path), vendors=VENDORS, environment=environment)


def compile_rules(texts: Mapping[str, str], file: StoresFile) -> Rulebook:
    """The rulebook of these texts for these stores. Raises `RulebookError` with every problem."""
    return compile_rulebook(texts, stores=file.stores, vendors=VENDORS, notify=file.notify_names)


@dataclass(frozen=True, slots=True)
class Outside:
    """Time, randomness and ids, which a test brings its own of. `chance` is from 0 up to, not including, 1."""

    now: Callable[[], datetime] = utc_now
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    chance: Callable[[], float] = random.random
    new_id: Callable[[], str] = new_id


@dataclass(slots=True)
class Engine:
    """Everything that runs, wired once. Commands use its parts; `app` is what a server serves."""

    settings: Settings
    stores: tuple[Store, ...]
    notify: tuple[NotifyTarget, ...]
    doors: Doors
    database: Database
    inbox: Inbox
    dispatch: Embedded
    rules: Rules
    metrics: Metrics
    outside: Outside
    lanes: dict[StoreAlias, Lane]
    network: Network
    app: Starlette

    async def run_lane(self, tenure: Tenure) -> Rest:
        """Run the lane of a store once."""
        return await self.lanes[tenure.store].run(tenure)

    async def adopt_rules(self) -> bool:
        """Read the rule files and make them the active rules if they are valid; else say why, and run on as before."""
        folder = Path(self.settings.rules)
        try:
            rulebook = compile_rules(read_rule_texts(folder), StoresFile(self.stores, self.notify))
        except RulebookError as error:
            first = error.problems[0]
            self.rules.refused = f"{first.place}: {first.message} ({error})"
            log.error("the rule files are refused; the last good rules run on", problems=len(error.problems))
            for problem in error.problems:
                log.error("a problem in the rule files", place=str(problem.place), problem=problem.message)
            return False
        self.rules.refused = ""
        aliases = [store.alias for store in self.stores]
        put = partial(put_in_force, rulebook=rulebook, stores=aliases, now=self.outside.now(), reason="start")
        try:
            is_new = await self.database.write(put)
        except DatabaseError as error:
            self.rules.refused = f"the rules could not be stored: {error}"
            log.error("the rules could not be stored; the last good ones run on", reason=str(error))
            return False
        if is_new:
            log.info("new rules are in force", rulebook=rulebook.hash[:12], rules=len(rulebook.rules))
        return True

    async def run(self) -> None:
        """Run lanes and housekeeping until cancelled; then finish the turns that are under way, or leave them."""
        serving = asyncio.create_task(self._serve(), name="lanes")
        pruning = asyncio.create_task(self._prune_for_ever(), name="prune")
        try:
            await asyncio.shield(serving)
        finally:
            self.dispatch.stop()
            pruning.cancel()
            done, _ = await asyncio.wait({serving}, timeout=LONGEST_GOODBYE)
            if not done:
                log.warning("turns are left unfinished; they are done again at the next start")
                serving.cancel()
                with suppress(asyncio.CancelledError):
                    await serving

    async def _serve(self) -> None:
        """Run the lanes; whatever breaks them all at once is logged, and they are started again."""
        while True:
            try:
                await self.database.write(self._probe_parked)
                await self.dispatch.serve(self.run_lane)
            except Exception:  # a process that receives and never works would be worse than one that tries again
                log.exception("the lanes broke; they are started again")
                await self.outside.sleep(RESTART_AFTER)
            else:
                return

    def _probe_parked(self, connection: Connection) -> None:
        """At start a parked store is tried at once: the operator may just have mended it."""
        for alias, lane in load_lanes(connection).items():
            if lane.parked_because:
                save_lane(connection, alias, probe_at=self.outside.now())

    async def _prune_for_ever(self) -> None:
        days = timedelta(days=self.settings.retention_days)
        retention = Retention(records=days)
        blind = [door.alias for door in self.doors.all() if not door.vendor.CAPABILITIES.can_read]
        while True:
            try:
                while not (
                    await self.database.write(partial(prune, now=self.outside.now(), retention=retention, blind=blind))
                ).is_complete:
                    await self.outside.sleep(0)
            except Exception:  # housekeeping that stops for ever would fill the disk
                log.exception("could not forget what is old; tried again later")
            await self.outside.sleep(PRUNE_EVERY.total_seconds())


def build(
    settings: Settings,
    *,
    environment: Mapping[str, str] = os.environ,
    send: Send | None = None,
    outside: Outside | None = None,
    runs_lanes: bool = True,
) -> Engine:
    """Wire an engine from its settings. Raises `SettingsError`, `RulebookError` (stores.yaml) or `DatabaseError`.

    `send` replaces the network and `outside` time and randomness, for tests. Without `runs_lanes` it only receives.
    """
    outside = outside or Outside()
    file = open_stores(settings, environment)
    stores = file.stores
    for store in stores:
        if store.missing:
            log.warning("a store is parked", store=store.alias, reason=store.parked_because)
    migrate(settings.database_url)
    database = Database.from_url(settings.database_url)
    doors = Doors(stores)
    metrics = Metrics()
    dispatch = Embedded(database, [store.alias for store in stores], now=outside.now, sleep=outside.sleep)
    inbox = Inbox(database, on_accept=dispatch.ring)
    rules = Rules(partial(compile_rules, file=file))
    network = Network(now=outside.now, allow_private_hosts=settings.allow_private_hosts)
    lanes = {
        door.alias: Lane(
            store=door.store,
            vendor=door.vendor,
            database=database,
            rules=rules,
            send=send or network.send,
            metrics=metrics,
            now=outside.now,
            new_id=outside.new_id,
            lag=timedelta(seconds=settings.lag_seconds),
            sleep=outside.sleep,
            chance=outside.chance,
        )
        for door in doors.all()
    }

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            stack.callback(database.close)
            await stack.enter_async_context(network)
            await engine.adopt_rules()
            running = asyncio.create_task(engine.run(), name="engine") if runs_lanes else None
            await stack.enter_async_context(inbox)
            try:
                yield
            finally:
                if running is not None:
                    running.cancel()
                    with suppress(asyncio.CancelledError):
                        await running

    routes = [
        *webhook_routes(doors, inbox, now=outside.now, new_id=lambda: DeliveryId(outside.new_id()), metrics=metrics),
        *watch_routes(database, doors, rules, metrics, lanes=lanes, now=outside.now, admin_token=settings.admin_token),
    ]
    engine = Engine(
        settings=settings,
        stores=stores,
        notify=file.notify,
        doors=doors,
        database=database,
        inbox=inbox,
        dispatch=dispatch,
        rules=rules,
        metrics=metrics,
        outside=outside,
        lanes=lanes,
        network=network,
        app=Starlette(routes=routes, lifespan=lifespan),
    )
    return engine
