"""A scripted run with real processes: shops that send webhooks, and an engine that is killed again and again."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Any, ClassVar

import httpx
import sqlalchemy as sa
from command_house import House, Server, poll

from rules_engine.app import utc_now
from rules_engine.core.plan import ActionState
from rules_engine.database.inbox import DeliveryState, pending_by_store
from rules_engine.database.lanes import stores_with_work
from rules_engine.database.outbox import action_counts
from rules_engine.database.tables import actions, attempts, deliveries
from rules_engine.sandbox import axim, ecwid_catalogue, zave

LONGEST_END = 180.0
"""Seconds for everything to come to its end after the last start: stores may be left alone for up to a minute."""
FAILURES_AT_ZID = 20
"""Zid suspends a webhook after 30 failures in an hour, and forgets what waits: what a run is not about."""

Members = dict[str, frozenset[str]]


@dataclass
class Yard:
    """One shop of the run: its doors for other processes, what was taken from it, and what it should come to.

    `baseline` are the members of every category; `away` those that are to be gone, as (category, product).
    """

    alias: str
    base_url: str
    client: httpx.Client
    accepted: list[str] = field(default_factory=list)
    failures: int = 0
    baseline: Members = field(default_factory=dict)
    away: set[tuple[str, str]] = field(default_factory=set)

    def edit(self, what: str, *with_: object, **changes: object) -> str:
        """A person edits; gives the id of what was made."""
        made = self._post("edit", {"do": what, "with": list(with_), "changes": changes})
        return str(made["gave"])

    def fail(self, **fault: object) -> int:
        """Let a coming call go wrong; gives how many are to go wrong now."""
        queued: int = self._post("faults", fault)["faults"]
        return queued

    def open_gates(self) -> None:
        """Let the calls go on that wait."""
        self._post("open", {})

    def deliver_one(self, engine_url: str) -> bool:
        """Deliver one webhook and note what the engine took; False when there is none, or nobody takes it."""
        wish = {"url": f"{engine_url}/webhooks/{self.alias}", "at_most": 1}
        for answer in self._post("deliver", wish)["answers"]:
            if answer["status"] == 200:
                self.accepted.append(answer["answer"]["delivery"])
                return True
            self.failures += 1
        return False

    def state(self) -> dict[str, Any]:
        """How the shop is."""
        shown: dict[str, Any] = self.client.get(f"{self.base_url}/__sandbox/state").json()
        return shown

    def used_faults(self) -> int:
        """How many calls went wrong so far."""
        return int(self.state()["used_faults"])

    def members(self) -> Members:
        """The products of each category now."""
        return {category: frozenset(ids) for category, ids in self.state()["memberships"].items()}

    def expected(self) -> Members:
        """The baseline, with what is held away."""
        return {
            category: frozenset(one for one in ids if (category, one) not in self.away)
            for category, ids in self.baseline.items()
        }

    def _post(self, door: str, wish: Mapping[str, object]) -> Any:
        answer = self.client.post(f"{self.base_url}/__sandbox/{door}", json=wish)
        assert answer.is_success, answer.text
        return answer.json()


@dataclass
class Toggle:
    """Something that a person may change back and forth. The third change is the last: a rule takes a product at most
    three times a day.
    """

    shop: str
    target: str
    kind: str
    away: tuple[tuple[str, str], ...]
    changes: int = 0

    LIMIT: ClassVar[Mapping[str, int]] = {"stock": 5, "brand": 1, "line": 1, "category": 2}
    """How often each may be changed; what is a moment gives nothing back."""


@dataclass
class Run:
    """The run. Everything that is random comes from `random`, but for what the machine makes of it."""

    house: House
    random: Random
    yards: dict[str, Yard]
    toggles: list[Toggle] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    """What engines said that broke by themselves, before they were killed."""
    kills_in_flight: int = 0
    """Kills while the engine was known to wait for the answer to a call that writes."""

    def fill(self) -> None:
        """Give the shops many products, since each may be toggled a few times only."""
        web, ksa, b2b, brands = (self.yards[alias] for alias in ("web", "ksa", "b2b", "brands"))
        featured, shoes, acme = (
            str(one) for one in (ecwid_catalogue.FEATURED, ecwid_catalogue.SHOES, ecwid_catalogue.ACME)
        )
        for _ in range(40):
            made = web.edit("add_product", quantity=5, category_ids=[featured, shoes])
            self.toggles.append(Toggle("web", made, "stock", ((featured, made),)))
        for _ in range(20):
            made = web.edit("add_product", brand="Acme", category_ids=[acme, shoes])
            self.toggles.append(Toggle("web", made, "brand", ((acme, made),)))
        for number in range(20):
            made = b2b.edit("add_product", _id=f"thing-{number}", stock=3, collection_ids=[zave.FEATURED])
            self.toggles.append(Toggle("b2b", made, "stock", ((zave.FEATURED, made),)))
        for number in range(20):
            made = brands.edit("add_product", id=f"tool-{number}", stock=3, tags=["tools"], brand_id=axim.ACME)
            self.toggles.append(Toggle("brands", made, "line", ((axim.ACME, made),)))
        for number in range(3):
            season = ksa.edit("add_category", f"Season {number}")
            members = [ksa.edit("add_product", en="Thing", quantity=2, category_ids=[season]) for _ in range(3)]
            self.toggles.append(Toggle("ksa", season, "category", tuple((season, one) for one in members)))
        for yard in self.yards.values():
            yard.baseline = yard.members()

    def edit(self, shop: str = "") -> None:
        """A person makes one change that a rule minds, in this shop or any."""
        able = [one for one in self.toggles if one.changes < Toggle.LIMIT[one.kind] and shop in ("", one.shop)]
        if able:
            self._change(self.random.choice(able))

    def _change(self, toggle: Toggle) -> None:
        yard, goes = self.yards[toggle.shop], toggle.changes % 2 == 0
        toggle.changes += 1
        match toggle.kind:
            case "stock" if goes:
                yard.edit("sell_out", toggle.target)
            case "stock":
                yard.edit("restock", toggle.target, 4)
            case "brand":
                yard.edit("set_brand", toggle.target, None)
            case "line":
                yard.edit("tag", toggle.target, "tools", "end-of-line")
            case "category":
                yard.edit("publish_category", toggle.target, not goes)
        if goes:
            yard.away |= set(toggle.away)
        else:
            yard.away -= set(toggle.away)

    # One life of the engine.

    def live_until_killed(self) -> None:
        """Start the engine, let webhooks flow, and kill it at some moment."""
        how = self.random.choices(("while it starts", "at any moment", "during a call"), (1, 5, 4))[0]
        match how:
            case "while it starts":
                self._kill_while_starting()
            case "at any moment":
                self._kill_at_any_moment()
            case "during a call":
                self._kill_during_a_call()
        said = (self.house.folder / "stderr").read_text(encoding="utf-8")
        if "Traceback" in said:
            self.faults.append(f"{how}: {said}")

    def _kill_while_starting(self) -> None:
        moment = self.random.uniform(0.2, 1.2)
        with self.house.process("serve", PORT="0", HOST="127.0.0.1"):
            threading.Event().wait(moment)  # the process is killed on the way out

    def _kill_at_any_moment(self) -> None:
        moment = self.random.uniform(0.0, 0.5)
        if self.random.random() < 0.5:
            yard = self.yards[self.random.choice(("web", "b2b", "brands"))]
            yard.fail(**self.random.choice(FAULTS))
        with self.house.serving() as engine:
            killer = threading.Timer(moment, engine.process.kill)
            killer.start()
            while engine.process.poll() is None:
                if self.random.random() < 0.5:
                    self.edit()
                self._deliver(engine, failing=self._may_fail())
            killer.join()

    def _kill_during_a_call(self) -> None:
        """The shop does what it is asked only after the engine is dead: the engine cannot know."""
        yard = self.yards[self.random.choice(("web", "b2b", "brands"))]
        with self.house.serving() as engine:
            # Faults are used up in order, so when all are, the slow one is the one under way.
            all_used = yard.used_faults() + yard.fail(kind="slow", where="write")
            self.edit(yard.alias)
            deadline = time.monotonic() + 2
            while time.monotonic() < deadline and yard.used_faults() < all_used:
                self._deliver(engine, failing=self._may_fail())
            self.kills_in_flight += yard.used_faults() >= all_used
            engine.process.kill()
            engine.process.wait()
        yard.open_gates()

    def _may_fail(self) -> list[Yard]:
        return [y for y in self.yards.values() if y.alias != "ksa" or y.failures < FAILURES_AT_ZID]

    def _deliver(self, engine: Server, *, failing: list[Yard]) -> None:
        self.random.choice(failing).deliver_one(engine.url)

    # The end.

    def settle(self) -> None:
        """Start the engine and leave it alone until nothing is left to do."""
        with self.house.serving() as engine:
            poll(lambda: self._has_settled(engine), seconds=LONGEST_END)
            assert engine.stop() == 0

    def _has_settled(self, engine: Server) -> bool:
        for yard in self.yards.values():
            while yard.deliver_one(engine.url):
                pass
            if yard.state()["waiting"]:
                return False
        with self.house.database() as database:
            return bool(database.read_now(_is_idle))

    # What is left in the database.

    def unplanned(self) -> set[str]:
        """Deliveries that the engine took and did not plan."""
        planned = sa.select(deliveries.c.id).where(
            deliveries.c.state.in_((DeliveryState.PLANNED.value, DeliveryState.IGNORED.value))
        )
        return {one for yard in self.yards.values() for one in yard.accepted} - set(self._column(planned))

    def unknown_outcomes(self) -> int:
        """Calls that were begun by an engine that did not live to note their outcome."""
        return len(set(self._column(sa.select(attempts.c.call).where(attempts.c.outcome == "unknown"))))

    def dead_letters(self) -> list[str]:
        """The reasons of the actions that the engine gave up."""
        return self._column(sa.select(actions.c.reason).where(actions.c.state == ActionState.DEAD.value))

    def calls(self) -> int:
        """How many calls that write the engine began."""
        return len(set(self._column(sa.select(attempts.c.call))))

    def _column(self, query: sa.Select[str]) -> list[str]:
        with self.house.database() as database:
            return database.read_now(lambda connection: [text for (text,) in connection.execute(query)])


FAULTS: tuple[dict[str, object], ...] = (
    {"kind": "drop", "was_applied": True, "where": "write"},
    {"kind": "drop", "where": "write"},
    {"kind": "answer", "status": 503, "where": "write"},
    {"kind": "answer", "status": 429, "where": "write", "headers": {"Retry-After": "1"}},
)
"""What goes wrong in the shops beside the kills."""


def _is_idle(connection: sa.Connection) -> bool:
    to_do = (ActionState.PENDING, ActionState.SENT, ActionState.WAITING)
    counts = action_counts(connection)
    return (
        not pending_by_store(connection)
        and not stores_with_work(connection, now=utc_now())
        and not any(state in to_do for _, state in counts)
    )


@contextmanager
def crash_run(house: House, seed: int) -> Iterator[Run]:
    """A run whose shops are up and filled, and known to an engine that has stopped."""
    with house.shops() as shops, httpx.Client() as client:
        yards = {alias: Yard(alias, shop.base_url, client) for alias, shop in shops.items()}
        run = Run(house, Random(seed), yards)
        run.fill()
        run.settle()
        yield run
