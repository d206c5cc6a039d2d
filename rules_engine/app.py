"""The composition root: settings in, a running engine and its Starlette app out."""

from __future__ import annotations

import asyncio
import os
import random
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import structlog
from sqlalchemy.engine import Connection
from starlette.applications import Starlette

from rules_engine.core.delivery import DeliveryId, StoreAlias
from rules_engine.core.errors import SettingsError
from rules_engine.core.rule import Rulebook
from rules_engine.core.store import Store, StoresFile
from rules_engine.database.engine import Database, migrate
from rules_engine.database.inbox import Inbox
from rules_engine.database.lanes import load_lanes, save_lane
from rules_engine.database.retention import Retention, prune
from rules_engine.dispatch.embedded import Embedded
from rules_engine.lane.calls import Send
from rules_engine.lane.rules import Rules
from rules_engine.lane.tenure import Rest, Tenure
from rules_engine.lane.turn import Lane
from rules_engine.metrics import Metrics
from rules_engine.network import Network
from rules_engine.notify import Notifier
from rules_engine.preview.note import gather_note
from rules_engine.preview.note_text import lines_of_note
from rules_engine.receive import Doors, webhook_routes
from rules_engine.reload import RuleFiles, disk_changes
from rules_engine.rulebook import compile_rulebook, load_stores
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


def _write_note(
    connection: Connection, since: datetime, now: datetime, *, stores: Sequence[Store], rules: Rules, kept: timedelta
) -> list[list[str]]:
    """The morning note of every store, as lines."""
    in_force = rules.in_force(connection)
    rules_of = {store.alias: in_force.rules_for(store.alias) for store in stores} if in_force else {}
    notes = gather_note(connection, stores, rules_of, since=since, now=now, kept=kept)
    return [lines_of_note(note) for note in notes]


@dataclass(frozen=True, slots=True)
class Outside:
    """Time, randomness, ids and a bell for saved files, which a test brings its own of. `chance` is from 0 up to 1."""

    now: Callable[[], datetime] = utc_now
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    chance: Callable[[], float] = random.random
    new_id: Callable[[], str] = new_id
    changes: Callable[[Path], AsyncGenerator[None, None]] = disk_changes


@dataclass(slots=True)
class Engine:
    """Everything that runs, wired once. Commands use its parts; `app` is what a server serves."""

    settings: Settings
    stores: tuple[Store, ...]
    doors: Doors
    database: Database
    inbox: Inbox
    dispatch: Embedded
    rules: Rules
    metrics: Metrics
    outside: Outside
    lanes: dict[StoreAlias, Lane]
    network: Network
    rule_files: RuleFiles
    notifier: Notifier
    app: Starlette

    async def run_lane(self, tenure: Tenure) -> Rest:
        """Run the lane of a store once."""
        return await self.lanes[tenure.store].run(tenure)

    async def adopt_rules(self) -> bool:
        """Read the rule files and make them the active rules if they are valid; else say why, and run on as before."""
        return await self.rule_files.adopt("start")

    async def run(self) -> None:
        """Run lanes and housekeeping until cancelled; then finish the turns that are under way, or leave them."""
        serving = asyncio.create_task(self._serve(), name="lanes")
        beside = [
            asyncio.create_task(self._prune_for_ever(), name="prune"),
            asyncio.create_task(self._watch_for_ever(), name="watch the rule files"),
            asyncio.create_task(self.notifier.run(), name="tell people"),
        ]
        try:
            await asyncio.shield(serving)
        finally:
            self.dispatch.stop()
            for task in beside:
                task.cancel()
            await asyncio.wait(beside)
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

    async def _watch_for_ever(self) -> None:
        while True:
            try:
                await self.rule_files.watch(self.outside.changes(self.rule_files.folder))
            except Exception:  # rules that are saved and never run would be found out too late
                log.exception("the rule files could not be watched; tried again")
            await self.outside.sleep(RESTART_AFTER)

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
    for target in file.notify:
        if target.missing:
            log.warning("notices wait", target=target.name, reason=target.silent_because)
    migrate(settings.database_url)
    database = Database.from_url(settings.database_url)
    doors = Doors(stores)
    metrics = Metrics()
    dispatch = Embedded(database, [store.alias for store in stores], now=outside.now, sleep=outside.sleep)
    inbox = Inbox(database, on_accept=dispatch.ring)
    compile_ = partial(compile_rules, file=file)
    rules = Rules(compile_)
    network = Network(now=outside.now, allow_private_hosts=settings.allow_private_hosts)
    rule_files = RuleFiles(
        folder=settings.rules,
        stores_file=settings.stores,
        stores=[store.alias for store in stores],
        compile=compile_,
        database=database,
        rules=rules,
        now=outside.now,
        sleep=outside.sleep,
        on_change=dispatch.ring,
    )
    notifier = Notifier(
        file.notify,
        database,
        rules,
        send or network.send,
        metrics,
        write_note=partial(_write_note, stores=stores, rules=rules, kept=timedelta(days=settings.retention_days)),
        now=outside.now,
        sleep=outside.sleep,
        chance=outside.chance,
    )
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
            # A command that runs a lane for what it asked for is not to begin a walk that takes an hour.
            sweeps=settings.reconcile and runs_lanes,
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
        *watch_routes(
            database,
            doors,
            rules,
            metrics,
            lanes=lanes,
            now=outside.now,
            admin_token=settings.admin_token,
            notify=file.notify,
            is_reconciling=settings.reconcile,
        ),
    ]
    engine = Engine(
        settings=settings,
        stores=stores,
        doors=doors,
        database=database,
        inbox=inbox,
        dispatch=dispatch,
        rules=rules,
        metrics=metrics,
        outside=outside,
        lanes=lanes,
        network=network,
        rule_files=rule_files,
        notifier=notifier,
        app=Starlette(routes=routes, lifespan=lifespan),
    )
    return engine
