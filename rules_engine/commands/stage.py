"""The stage of the demo: an engine on SQLite and the four sandbox shops, with real HTTP between them, on loopback."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import sqlalchemy as sa

import rules_engine
from rules_engine.app import Engine, build, new_id, utc_now
from rules_engine.core.delivery import StoreAlias
from rules_engine.core.errors import SettingsError
from rules_engine.core.plan import ActionState
from rules_engine.database.inbox import pending_by_store
from rules_engine.database.lanes import stores_with_work
from rules_engine.database.outbox import action_counts
from rules_engine.database.tables import traces
from rules_engine.lane.tenure import Rest, Tenure
from rules_engine.sandbox import Answered, Call, Shop
from rules_engine.sandbox.server import serve, serve_app
from rules_engine.sandbox.stores import BY_ALIAS, ENVIRONMENT, at_the_sandbox
from rules_engine.sandbox.story import Scene, members_without
from rules_engine.settings import Settings

POLL = 0.02
"""Seconds between two looks at whether a scene has come to its end."""
PATIENCE = 10.0
"""Seconds after which a scene that has not come to its end has failed; most take less than half a second."""

_TO_DO = frozenset({ActionState.PENDING, ActionState.SENT, ActionState.WAITING})


@dataclass(frozen=True, slots=True)
class Ruled:
    """What a rule did about a subject, as its trace says it."""

    store: str
    rule: str
    subject: str
    text: str


@dataclass(frozen=True, slots=True)
class Happened:
    """A call that a store's shop got, or a webhook that it sent with its answer."""

    store: str
    event: Call | Answered


Event = Ruled | Happened
"""Something to tell."""

Members = Mapping[str, frozenset[str]]
"""The products of each category (at Axim: brand) of a shop, all as text."""


def shipped_rules() -> Path:
    """The directory of the rules that come with the source. Raises `SettingsError` when it is not there."""
    folders = (Path(rules_engine.__file__).parent.parent / "rules", Path("rules"))
    for folder in folders:
        if (folder / "stores.yaml").is_file():
            return folder
    raise SettingsError(
        "The demo plays with the rules/ of the source, which are not here: run it in a clone, as `make demo`."
    )


@dataclass(slots=True)
class Stage:
    """The engine and the shops, by the stores' aliases, and what happened there that `tell` has not been told yet."""

    engine: Engine
    engine_url: str
    shops: Mapping[str, Shop]
    base_urls: Mapping[str, str]
    client: httpx.AsyncClient
    turns: Mapping[str, asyncio.Lock]
    tell: Callable[[Event], None]
    _untold: list[Happened]
    patience: float = PATIENCE
    _last_trace: int = field(default=0, init=False)

    def door(self, alias: str) -> str:
        """Where the webhooks of a store go."""
        return f"{self.engine_url}/webhooks/{alias}"

    async def play(self, scene: Scene, wanted: Members) -> str:
        """Play a scene until nothing is left to do. Gives why it did not end in `wanted`, or nothing when it did."""
        shop, door = self.shops[scene.store], self.door(scene.store)
        calls_before = len(shop.writes)
        if scene.delivers_again:
            await shop.redeliver_last(self.client, door)
        else:
            if scene.edit is not None:
                scene.edit()
            # While we hold the turn, the lane cannot begin one: it finds all these webhooks together afterwards, as it
            # does whenever they come faster than it works.
            async with self.turns[scene.store]:
                await shop.deliver(self.client, door)
        deadline = time.monotonic() + self.patience
        while not await self._is_over(scene, wanted):
            if time.monotonic() > deadline:
                return f"it did not come to its end within {self.patience:g} seconds"
            if not scene.keeps_echoes:
                await shop.deliver(self.client, door)
            await self.tell_news()
            await asyncio.sleep(POLL)
        await self.tell_news()
        made = len(shop.writes) - calls_before
        return "" if made == scene.calls else f"the shop got {made} calls that write, not {scene.calls}"

    async def tell_news(self) -> None:
        """Tell what happened since the last time, in order."""
        while self._untold:
            happened = self._untold.pop(0)
            if isinstance(happened.event, Call):
                await self._tell_rules()  # what was decided is committed before it is done
            self.tell(happened)
        await self._tell_rules()

    async def has_dead_letters(self, alias: str) -> bool:
        """Whether the engine gave up an action of the store."""
        counts = await self.engine.database.read(action_counts)
        return bool(counts.get((StoreAlias(alias), ActionState.DEAD)))

    async def keep_playing(self) -> None:
        """Deliver what the shops have to say, and tell what happens, until cancelled."""
        async with asyncio.TaskGroup() as group:
            for alias, shop in self.shops.items():
                group.create_task(shop.keep_delivering(self.client, self.door(alias)))
            while True:
                await self.tell_news()
                await asyncio.sleep(POLL)

    async def _is_over(self, scene: Scene, wanted: Members) -> bool:
        shop = self.shops[scene.store]
        if self.turns[scene.store].locked() or not await self.engine.database.read(partial(_is_idle, scene.store)):
            return False
        return (scene.keeps_echoes or not shop.deliveries) and members(shop) == wanted

    async def _tell_rules(self) -> None:
        for id_, ruled in await self.engine.database.read(partial(_traces_after, self._last_trace)):
            self._last_trace = id_
            self.tell(ruled)


def members(shop: Shop) -> Members:
    """Who is in which category now."""
    return members_without(shop, {})


def _is_idle(store: str, connection: sa.Connection) -> bool:
    """Whether nothing waits for the store's lane."""
    alias = StoreAlias(store)
    counts = action_counts(connection)
    return (
        alias not in pending_by_store(connection)
        and alias not in stores_with_work(connection, now=utc_now())
        and not any(counts.get((alias, state)) for state in _TO_DO)
    )


def _traces_after(last: int, connection: sa.Connection) -> list[tuple[int, Ruled]]:
    query = sa.select(traces).where(traces.c.id > last).order_by(traces.c.id)
    rows = connection.execute(query)
    return [(row.id, Ruled(row.store, row.rule, f"{row.kind} {row.subject}", row.text)) for row in rows]


@asynccontextmanager
async def open_stage(tell: Callable[[Event], None]) -> AsyncIterator[Stage]:
    """Start the shops and the engine, on free ports and a new database in a directory that is removed afterwards.

    Raises the engine's errors, and `OSError` when there is no free port.
    """
    rules = shipped_rules()
    untold: list[Happened] = []

    def happens(store: str, event: Call | Answered) -> None:
        untold.append(Happened(store, event))

    shops = {
        alias: shop.sample(
            now=utc_now, new_id=new_id, on_call=partial(happens, alias), on_answer=partial(happens, alias)
        )
        for alias, shop in BY_ALIAS.items()
    }
    with TemporaryDirectory(prefix="rules-engine-demo-") as folder:
        async with serve(shops) as base_urls:
            settings = _settings(Path(folder), rules, base_urls)
            # The lanes are run here, because the story holds their turns.
            engine = build(settings, environment=ENVIRONMENT, runs_lanes=False)
            turns = {alias: asyncio.Lock() for alias in shops}
            async with (
                engine.app.router.lifespan_context(engine.app),
                _run_lanes(engine, turns),
                serve_app(engine.app) as engine_url,
                httpx.AsyncClient() as client,
            ):
                yield Stage(engine, engine_url, shops, base_urls, client, turns, tell, untold)


def _settings(folder: Path, rules: Path, base_urls: Mapping[str, str]) -> Settings:
    stores = folder / "stores.yaml"
    text = (rules / "stores.yaml").read_text(encoding="utf-8")
    stores.write_text(at_the_sandbox(text, base_urls), encoding="utf-8")
    return Settings(database_url=f"sqlite:///{folder / 'rules-engine.db'}", rules=rules, stores=stores)


@asynccontextmanager
async def _run_lanes(engine: Engine, turns: Mapping[str, asyncio.Lock]) -> AsyncIterator[None]:
    async def run(tenure: Tenure) -> Rest:
        async with turns[tenure.store]:
            return await engine.run_lane(tenure)

    serving = asyncio.create_task(engine.dispatch.serve(run), name="lanes")
    try:
        yield
    finally:
        engine.dispatch.stop()
        await serving
