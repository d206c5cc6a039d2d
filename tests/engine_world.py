"""A whole engine beside four sandbox shops, on a clock that only the test and the engine's own waits move."""

from __future__ import annotations

import asyncio
import itertools
import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache, partial
from pathlib import Path
from typing import Any, Self, TypeVar

import httpx
import sqlalchemy as sa
from sqlalchemy.engine import Connection
from starlette.applications import Starlette

from rules_engine.core.action import Request, Response
from rules_engine.core.delivery import DeliveryId, StoreAlias
from rules_engine.core.errors import DatabaseError, TemporaryError
from rules_engine.core.plan import Case
from rules_engine.core.rule import Rulebook
from rules_engine.core.store import Store
from rules_engine.core.subject import SubjectRef
from rules_engine.database import inbox as stored
from rules_engine.database.engine import Database, _in_transaction, migrate
from rules_engine.database.inbox import DeliveryState, Inbox
from rules_engine.database.lanes import LaneRow, acquire, load_lane, renew
from rules_engine.database.ledger import load_cases
from rules_engine.database.outbox import DeadLetter, dead_letters
from rules_engine.database.tables import traces
from rules_engine.lane.rules import Rules, put_in_force
from rules_engine.lane.tenure import Rest, Tenure
from rules_engine.lane.turn import Lane
from rules_engine.metrics import Metrics
from rules_engine.receive import Doors, webhook_routes
from rules_engine.rulebook.compile import compile_rulebook
from rules_engine.rulebook.files import read_rule_texts
from rules_engine.rulebook.stores import load_stores
from rules_engine.sandbox import AximShop, Call, EcwidShop, ManualClock, Shop, ZaveShop, ZidShop, numbered
from rules_engine.vendors import VENDORS

T = TypeVar("T")

HOUSE = Path(__file__).parents[1]
ENVIRONMENT = {
    "WEB_TOKEN": "secret_web_token",
    "WEB_CLIENT_SECRET": "web-client-secret",
    "KSA_AUTHORIZATION": "ksa-authorization",
    "KSA_MANAGER_TOKEN": "ksa-manager-token",
    "KSA_WEBHOOK_PASSWORD": "ksa-webhook-password",
    "B2B_AUTH": "Bearer b2b-access",
    "B2B_WEBHOOK_SECRET": "whsec_emF2ZS1zYW5kYm94LXNlY3JldC0xMjM0NQ==",
    "BRANDS_TOKEN": "brands-access-token",
    "BRANDS_WEBHOOK_SECRET": "whsec_YXhpbS1zYW5kYm94LXNlY3JldC0xMjM0NQ==",
}
WEB, KSA, B2B, BRANDS = (StoreAlias(alias) for alias in ("web", "ksa", "b2b", "brands"))
LEASE = timedelta(seconds=30)
MOST_ROUNDS = 400
"""More turns than any story here needs; past it the engine is going round in circles."""
PATIENT_SPINS = 200
"""Turns of the event loop in which an answer comes, unless the shop waits for something."""


class CutError(DatabaseError):
    """The process was killed: nothing of it goes on."""


@dataclass
class Cut:
    """Kills the process at its `at`-th step (a commit or a call), before the step's effect or after it."""

    at: int | None = None
    is_after: bool = False
    steps: int = 0
    has_fallen: bool = False

    def before(self) -> bool:
        """Count a step; whether it is the one whose effect is the last thing to happen."""
        if self.has_fallen:
            raise CutError("The process is killed.")
        self.steps += 1
        is_it = self.steps == self.at
        if is_it and not self.is_after:
            self.has_fallen = True
            raise CutError("The process is killed.")
        return is_it

    def after(self, *, is_it: bool) -> None:
        """Fall when this was the step."""
        if is_it:
            self.has_fallen = True
        if self.has_fallen:
            raise CutError("The process is killed.")


class CutDatabase(Database):
    """A database whose process may be killed at a commit. It works in the loop's own thread: always the same story."""

    cut: Cut

    @classmethod
    def open(cls, url: str, cut: Cut) -> CutDatabase:
        """The database at `url` for a process that ends at `cut`."""
        database = cls.from_url(url)
        assert isinstance(database, CutDatabase)
        database.cut = cut
        connection = database.writer.raw_connection()
        # Processes die here, the machine does not: what SQLite was given is safe without a synced disk.
        connection.cursor().execute("PRAGMA synchronous = OFF")
        connection.close()
        return database

    async def write(self, work: Callable[[Connection], T]) -> T:
        """Commit, unless the process dies before it; it may also die right after it."""
        is_it = self.cut.before()
        await asyncio.sleep(0)
        done = _in_transaction(self._writer.begin(), work)
        self.cut.after(is_it=is_it)
        return done

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Read, unless the process is dead."""
        if self.cut.has_fallen:
            raise CutError("The process is dead.")
        await asyncio.sleep(0)
        return _in_transaction(self._readers.begin(), work)


@cache
def shipped_rules() -> Mapping[str, str]:
    """The rulebook of the demo."""
    return read_rule_texts(HOUSE / "rules")


@cache
def stores() -> tuple[Store, ...]:
    """The stores of the demo."""
    text = (HOUSE / "rules" / "stores.yaml").read_text()
    return load_stores(text, path="stores.yaml", vendors=VENDORS, environment=ENVIRONMENT).stores


@cache
def compiled(texts: tuple[tuple[str, str], ...]) -> Rulebook:
    """A rulebook for the stores of the demo; its rules may tell the `floor`."""
    return compile_rulebook(dict(texts), stores=stores(), vendors=VENDORS, notify=("floor",))


def rulebook(rules: str | Mapping[str, str]) -> Rulebook:
    """A rulebook from one text, or from texts by path."""
    texts = {"rules/rules.yaml": rules} if isinstance(rules, str) else rules
    return compiled(tuple(texts.items()))


@cache
def empty_database(folder: Path) -> Path:
    """A migrated database to copy, since migrating takes longer than most tests."""
    path = folder / "empty.db"
    migrate(f"sqlite:///{path}")
    return path


@dataclass
class World:
    """Four shops and one engine. `path` is the database file, which outlives a `restart`.

    `refused` says how many more calls to a store find nobody there. `after_call` is called with every call made.
    `runs` counts how often lanes ran.
    """

    path: Path
    rules: str | Mapping[str, str] = field(default_factory=shipped_rules)
    only: Sequence[StoreAlias] = (WEB, KSA, B2B, BRANDS)
    cut: Cut = field(default_factory=Cut)
    clock: ManualClock = field(default_factory=ManualClock)
    refused: dict[StoreAlias, int] = field(default_factory=dict)
    vendors: Mapping[str, Any] = field(default_factory=lambda: VENDORS)  # Any: each vendor has settings of its own
    after_call: Callable[[StoreAlias, Request], None] = lambda _alias, _request: None
    shops: dict[StoreAlias, Shop] = field(init=False)
    lanes: dict[StoreAlias, Lane] = field(init=False)
    database: CutDatabase = field(init=False)
    tenures: dict[StoreAlias, Tenure] = field(default_factory=dict)
    generation: int = 0
    runs: int = 0

    def __post_init__(self) -> None:
        kinds: Mapping[StoreAlias, type[Shop]] = {WEB: EcwidShop, KSA: ZidShop, B2B: ZaveShop, BRANDS: AximShop}
        self.shops = {a: kinds[a].sample(now=self.clock, new_id=numbered(f"{a}-event")) for a in self.only}

    # The engine.

    async def __aenter__(self) -> Self:
        if not self.path.exists():
            shutil.copy(empty_database(self.path.parent), self.path)
        with suppress(CutError):
            await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """A new process on the same database file."""
        self.generation += 1
        self.tenures.clear()
        self.database = self.open_database()
        numbers = itertools.count(1)
        new_id = partial(lambda count, which: f"{which}-{next(count)}", numbers, self.generation)
        doors = Doors([store for store in stores() if store.alias in self.only], self.vendors)
        known = Rules(rulebook)
        self.lanes = {
            door.alias: Lane(
                store=door.store,
                vendor=door.vendor,
                database=self.database,
                rules=known,
                send=partial(self._send, door.alias),
                metrics=Metrics(),
                now=self.clock,
                new_id=new_id,
                sleep=self.sleep,
                chance=lambda: 0.5,
            )
            for door in doors.all()
        }
        self.inbox = Inbox(self.database)
        self.inbox.start()
        routes = webhook_routes(doors, self.inbox, now=self.clock, new_id=lambda: DeliveryId(new_id()))
        self.door = self.open_door(Starlette(routes=routes))
        await self.adopt(self.rules)

    def open_database(self) -> CutDatabase:
        """The database as a new process opens it."""
        return CutDatabase.open(f"sqlite:///{self.path}", self.cut)

    def open_door(self, app: Starlette) -> httpx.AsyncClient:
        """What knocks at the engine's door."""
        return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://engine")

    async def stop(self) -> None:
        """The process ends; whether it was killed makes no difference to what is on disk."""
        await self.inbox.stop()
        await self.door.aclose()
        self.database.close()

    async def restart(self) -> None:
        """End this process and start another on the same file, which is not killed any more."""
        await self.stop()
        self.cut = Cut()
        await self.start()

    async def adopt(self, rules: str | Mapping[str, str]) -> None:
        """Put rules in force."""
        self.rules = rules
        book = rulebook(rules)
        put = partial(put_in_force, rulebook=book, stores=list(self.lanes), now=self.clock(), reason="test")
        await self.database.write(put)

    async def sleep(self, seconds: float) -> None:
        """The engine's waits: time passes at once."""
        self.clock.move(seconds=seconds)

    async def _send(self, alias: StoreAlias, request: Request) -> Response:
        is_it = self.cut.before()
        if self.refused.get(alias, 0) > 0:
            self.refused[alias] -= 1
            raise TemporaryError("nobody is there")
        response = await self._answered(alias, request)
        self.cut.after(is_it=is_it)
        self.after_call(alias, request)
        return response

    async def _answered(self, alias: StoreAlias, request: Request) -> Response:
        transport = httpx.ASGITransport(self.shops[alias].app)
        async with httpx.AsyncClient(transport=transport) as client:
            call = client.request(request.method, request.url, headers=dict(request.headers), content=request.body)
            task = asyncio.create_task(call)
            for _ in range(PATIENT_SPINS):
                if task.done():
                    break
                await asyncio.sleep(0)
            self.clock.move(milliseconds=20)
            if not task.done():
                task.cancel()
                self.clock.move(seconds=30)
                raise TemporaryError("no answer within 30 seconds")
            try:
                answer = task.result()
            except httpx.TransportError as error:
                raise TemporaryError(str(error)) from error
        headers = {name.lower(): value for name, value in answer.headers.items()}
        return Response(answer.status_code, self.clock(), headers, answer.content)

    # What happens.

    async def deliver(self) -> None:
        """Send every webhook that waits."""
        for alias, shop in self.shops.items():
            await shop.deliver(self.door, f"http://engine/webhooks/{alias}")

    async def run(self, alias: StoreAlias) -> Rest:
        """One run of a lane by this process, which keeps what it has, unless another process has it."""
        self.runs += 1
        tenure = await self.tenure(alias)
        if tenure is None:
            row = await self.lane(alias)
            return Rest(row.lease_until, is_blocked=True)
        return await self.lanes[alias].run(tenure)

    async def tenure(self, alias: StoreAlias) -> Tenure | None:
        """The right of this process to run a lane, with a fresh lease; None while another has it."""
        known, now = self.tenures.get(alias), self.clock()
        if known is not None:
            keep = partial(renew, store=alias, owner=known.owner, epoch=known.epoch, now=now, lease=LEASE)
            await self.database.write(keep)
            return known
        owner = f"engine-{self.generation}"
        epoch = await self.database.write(partial(acquire, store=alias, owner=owner, now=now, lease=LEASE))
        if epoch is not None:
            self.tenures[alias] = Tenure(alias, owner, epoch)
        return self.tenures.get(alias)

    async def settle(self, *, within: timedelta = timedelta(minutes=30)) -> None:
        """Deliver webhooks, run lanes and let time pass until nothing is due `within` that time."""
        end = self.clock() + within
        for _ in range(MOST_ROUNDS):
            await self.deliver()
            rests = [await self.run(alias) for alias in self.lanes]
            if any(shop.deliveries for shop in self.shops.values()):
                self.clock.move(milliseconds=100)
                continue
            wake = min((rest.until for rest in rests if rest.until is not None), default=None)
            if wake is None or wake > end:
                self.clock.move(seconds=1)
                return
            self.clock.time = max(self.clock(), wake)
        raise AssertionError("the engine does not come to rest")

    async def settle_or_fall(self) -> None:
        """Settle, or be killed on the way."""
        try:
            await self.settle()
        except Exception:
            if not self.cut.has_fallen:
                raise

    # What was found.

    @property
    def web(self) -> EcwidShop:
        """The Ecwid shop."""
        return self._shop(WEB, EcwidShop)

    @property
    def ksa(self) -> ZidShop:
        """The Zid shop."""
        return self._shop(KSA, ZidShop)

    @property
    def b2b(self) -> ZaveShop:
        """The Zave shop."""
        return self._shop(B2B, ZaveShop)

    @property
    def brands(self) -> AximShop:
        """The Axim shop."""
        return self._shop(BRANDS, AximShop)

    def _shop(self, alias: StoreAlias, kind: type[T]) -> T:
        shop = self.shops[alias]
        assert isinstance(shop, kind)
        return shop

    def members(self, alias: StoreAlias) -> dict[str, set[str]]:
        """The products of each category, without those that have none; the order is the shop's own affair."""
        return {id_: set(members) for id_, members in self.shops[alias].memberships().items() if members}

    async def case(self, alias: StoreAlias, ref: SubjectRef) -> Case:
        """What is remembered of a subject."""
        load = partial(load_cases, store=alias, refs=[ref], now=self.clock())
        return (await self.database.read(load))[ref]

    async def lane(self, alias: StoreAlias) -> LaneRow:
        """What a lane remembers."""
        return await self.database.read(partial(load_lane, store=alias))

    async def dead(self) -> list[DeadLetter]:
        """The dead letters of all stores."""
        return await self.database.read(dead_letters)

    async def deliveries(self, state: DeliveryState) -> list[stored.StoredDelivery]:
        """The stored deliveries in a state."""
        return await self.database.read(partial(stored.recent, state=state, limit=1000))

    async def count_traces(self) -> int:
        """How many traces there are."""
        counted = await self.database.read(
            lambda connection: connection.execute(sa.select(sa.func.count()).select_from(traces)).scalar_one()
        )
        return int(counted)

    async def every(self, table: sa.Table) -> list[dict[str, Any]]:
        """Every row of a table."""
        rows = await self.database.read(lambda connection: connection.execute(sa.select(table)).mappings().all())
        return [dict(row) for row in rows]


def paths(calls: Sequence[Call]) -> list[str]:
    """The calls as method and the end of the path."""
    return [f"{call.method} {call.path.removeprefix('/api/v3/1003')}" for call in calls]
