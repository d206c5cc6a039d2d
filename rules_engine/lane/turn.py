"""A lane's turn for one store: take what is due, read, decide, commit, act; again, until nothing is due."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial

import structlog
from sqlalchemy.engine import Connection

from rules_engine.core.action import Aspect
from rules_engine.core.delivery import StoreAlias
from rules_engine.core.errors import AuthenticationError, CallError, LaneLostError
from rules_engine.core.retry import PARKED_PROBES_AFTER
from rules_engine.core.store import Store
from rules_engine.core.subject import ALL, SubjectKind, category
from rules_engine.core.sweep import Sweep, SweepKind, SweepState
from rules_engine.database.catalogue import known_subjects, products_of_slot
from rules_engine.database.engine import Database
from rules_engine.database.inbox import claim_pending, mark_planned, set_aside
from rules_engine.database.lanes import (
    LaneColumns,
    check_epoch,
    clear_looks,
    load_lane,
    look_now,
    next_wake,
    postpone_look,
    save_lane,
    schedule_each,
    schedule_looks,
)
from rules_engine.database.ledger import save_cases
from rules_engine.database.notices import add_notices
from rules_engine.database.rulebooks import check_activation
from rules_engine.database.sweeps import open_sweeps
from rules_engine.database.traces import add_traces
from rules_engine.metrics import Metrics
from rules_engine.vendors.base import AnyVendor

from .act import Actor, act
from .asking import conclude_gathering
from .calls import LONGEST_WAIT, Calls, Health, NotNowError, Send
from .due import open_since
from .judged import forget_expiry, keep
from .names import Names
from .page import Page, take_page
from .plan import Plan, Planner
from .read import read_subjects
from .rules import InForce, Rules
from .schedule import Timetable
from .sweep import Step, Walk, next_open, pause_before
from .tenure import Rest, Tenure

log = structlog.stdlib.get_logger(__name__)

BUDGET = timedelta(seconds=5)
"""A turn ends after this, so that a lane never keeps others from it for long."""
SET_ASIDE_FOR = timedelta(hours=1)
"""When a subject that spoiled its own turn is looked at again."""


@dataclass(slots=True)
class Lane:
    """One store's lane. `run` never raises for what a shop or a rule does; it says when to be woken.

    `lag` is how long the shop may show an old value after it said done. `names` says what names mean in the store, and
    which rules wait for one. With `sweeps` it asks for sweeps of the catalogue by itself, as
    they become due; those that others ask for it does in any case.
    """

    store: Store
    vendor: AnyVendor
    database: Database
    rules: Rules
    send: Send
    metrics: Metrics
    now: Callable[[], datetime]
    new_id: Callable[[], str]
    lag: timedelta = timedelta(seconds=600)
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    chance: Callable[[], float] = random.random
    sweeps: bool = False
    names: Names = field(init=False)
    _epoch: int | None = field(default=None, init=False)
    _timetable: Timetable = field(init=False)
    _had_turn: bool = field(default=False, init=False)
    _dry: dict[int, set[str]] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        self.names = Names(self.store, self.vendor.CAPABILITIES)
        self._timetable = Timetable(self._alias, self.vendor.CAPABILITIES, self.store.zone, is_on=self.sweeps)

    async def run(self, tenure: Tenure) -> Rest:
        """Work until nothing is due or the budget is spent. Raises `LaneLostError` when the lane is somebody else's."""
        if tenure.epoch != self._epoch:
            # Somebody else may have had the lane in between: nothing that this process remembers counts.
            self._epoch = tenure.epoch
            self.names.forget()
            self._timetable.forget()
            self._dry.clear()
        if self.store.missing:
            return Rest(self.now() + PARKED_PROBES_AFTER, is_blocked=True)  # as a store that the shop refuses
        started = self.now()
        row = await self.database.read(partial(load_lane, store=self.store.alias))
        health = Health.from_row(row, self.vendor.CAPABILITIES, now=started)
        calls = Calls(
            self.send,
            health,
            self.vendor.CAPABILITIES,
            secrets=self.store.secrets,
            now=self.now,
            sleep=self.sleep,
            chance=self.chance,
        )
        try:
            rest = await self._run(tenure, calls, until=started + BUDGET)
        except NotNowError as error:
            rest = Rest(error.until, is_blocked=True)
        except AuthenticationError as error:
            log.error("the shop refuses our credentials: the store is parked", store=self._alias, reason=str(error))
            rest = Rest(calls.health.probe_at, is_blocked=True)
        except CallError as error:
            until = self.now() + calls.retry_in(calls.health.failures, error)
            if calls.health.blocked_until is not None and calls.health.blocked_until > self.now():
                until = calls.health.blocked_until  # an open breaker is tried sooner than a single call
            log.warning("the shop could not be read; its work waits", store=self._alias, reason=str(error), until=until)
            rest = Rest(until, is_blocked=True)
        await self.database.write(partial(self._save, tenure, calls, rest.until))
        return rest

    @property
    def _alias(self) -> StoreAlias:
        return self.store.alias

    def _save(self, tenure: Tenure, calls: Calls, wake: datetime | None, connection: Connection) -> None:
        check_epoch(connection, self._alias, tenure.owner, tenure.epoch)
        columns: LaneColumns = {**calls.health.columns(), "last_turn_at": self.now(), "wake_at": wake}
        save_lane(connection, self._alias, **columns)

    async def _run(self, tenure: Tenure, calls: Calls, *, until: datetime) -> Rest:
        if calls.health.parked_because:
            if calls.health.probe_at is not None and calls.health.probe_at > self.now():
                return Rest(calls.health.probe_at, is_blocked=True)
            await self._probe(calls)
            await self._timetable.ask_after_parking(self.database, partial(self._check_owner, tenure), now=self.now())
        while self.now() < until:
            in_force = await self.database.read(self.rules.in_force)
            if in_force is None:
                return Rest()
            try:
                rest = await self._go_on(tenure, calls, in_force, until)
            except LaneLostError as error:
                # Newer rules, or another worker: what was planned is rolled back, and planned again by whoever may.
                log.info("a turn was rolled back", store=self._alias, reason=str(error))
                await self.database.write(partial(self._check_owner, tenure))
                continue
            if rest is not None:
                return rest
        return Rest(self.now())

    async def _go_on(self, tenure: Tenure, calls: Calls, in_force: InForce, until: datetime) -> Rest | None:
        """Do what is next, a turn or a page of a sweep. Gives the rest that the lane is to take then, if any."""
        await self._timetable.ask(self.database, partial(self._check_owner, tenure), now=self.now())
        if self.names.is_list_due(self.now()):
            await self._list_categories(tenure, calls, in_force)
        elif not self.names.is_checked(in_force.activation):
            self._check_names(in_force)
        page, sweep = await self.database.read(self._take)
        pause = pause_before(sweep, calls, self.vendor.CAPABILITIES, is_alone=page.is_empty)
        if sweep is not None and (page.is_empty or (self._had_turn and not pause)):
            if pause:
                if pause > LONGEST_WAIT:
                    return Rest(self.now() + pause)
                await self.sleep(pause.total_seconds())
                return None
            self._had_turn = False
            wait_until = await self._sweep(tenure, calls, in_force, sweep, until)
        elif page.is_empty:
            wakes = [await self.database.read(partial(next_wake, store=self._alias)), self._timetable.next_at]
            return Rest(min((at for at in wakes if at is not None), default=None))
        else:
            self._had_turn = True
            wait_until = await self._turn(tenure, calls, in_force, page, until)
        return None if wait_until is None else Rest(wait_until, is_blocked=True)

    def _check_owner(self, tenure: Tenure, connection: Connection) -> None:
        check_epoch(connection, self._alias, tenure.owner, tenure.epoch)

    async def _probe(self, calls: Calls) -> None:
        """Try one read of a parked store. It stays parked, by the error, if the shop still refuses us."""
        log.info("trying the parked store", store=self._alias)
        if self.vendor.CAPABILITIES.can_read_categories:
            request = self.vendor.read([category(ALL)])[0]
            await calls.allow(request.cost)
            response = await calls.send(request)
            try:
                self.vendor.parse(request, response)
            except CallError as error:
                calls.failed(error)
                raise
            log.info("the store is let in again", store=self._alias)
        else:
            log.info("the shop cannot be read, so the next call that is due tries it", store=self._alias)
        calls.succeeded()

    # ------------------------------------------------------------------------------------ the turn

    async def _turn(
        self, tenure: Tenure, calls: Calls, in_force: InForce, page: Page, until: datetime
    ) -> datetime | None:
        """One page: read, decide, commit, act. Gives when to go on if the store has to be left alone."""
        planner = self._planner(in_force, calls)
        plan = await planner.plan(page)
        await self._commit(tenure, in_force, page, plan)
        return await self._act(tenure, calls, in_force, planner, plan, until=until)

    async def _act(
        self, tenure: Tenure, calls: Calls, in_force: InForce, planner: Planner, plan: Plan, *, until: datetime
    ) -> datetime | None:
        """Make the calls that a plan came to. Gives when to go on if the store has to be left alone."""
        for _ in range(3):  # answers may show products, which are decided like any others
            acted = await act(self._actor(tenure, calls, in_force, plan, until), plan.products)
            if not acted.sightings or acted.until is not None:
                return acted.until
            page = Page((), (), self.now())
            plan = await planner.plan_sightings(acted.sightings)
            await self._commit(tenure, in_force, page, plan)
        return None

    # ------------------------------------------------------------------------------------ sweeps

    def _take(self, connection: Connection) -> tuple[Page, Sweep | None]:
        """What is due, and the sweep that goes on when nothing else is."""
        return take_page(connection, self._alias, now=self.now()), next_open(open_sweeps(connection, self._alias))

    async def _sweep(
        self, tenure: Tenure, calls: Calls, in_force: InForce, sweep: Sweep, until: datetime
    ) -> datetime | None:
        """One page of a sweep: read, decide, commit with how far it came, act."""
        is_begun = sweep.state is SweepState.RUNNING or sweep.is_dry
        if sweep.kind.is_complete and not is_begun and not self.names.is_listed_since(sweep.requested_at):
            await self._list_categories(tenure, calls, in_force)
        planner = self._planner(in_force, calls)
        planner.is_learning = sweep.kind is SweepKind.LEARNING
        planner.gathering = sweep.id
        walk = Walk(
            self._alias, self.vendor, self.database, calls, planner, activation=in_force.activation, dry=self._dry
        )
        step = await walk.page(sweep)
        await self._commit(tenure, in_force, Page((), (), step.at), step.plan, step)
        if step.is_last:
            self._timetable.forget()
            planner.gathering = None  # what is found from now on, nobody would conclude
            ended = step.sweep
            log.info("a sweep has ended", store=self._alias, kind=ended.kind, seen=ended.seen, found=dict(ended.found))
        if sweep.kind is SweepKind.RULES:
            return None  # what rules want is looked at first: memory is no reason to call
        return await self._act(tenure, calls, in_force, planner, step.plan, until=until)

    def _planner(self, in_force: InForce, calls: Calls) -> Planner:
        return Planner(
            store=self.store,
            vendor=self.vendor,
            database=self.database,
            read=partial(read_subjects, self.vendor, calls),
            rules=in_force.rules_for(self._alias),
            directory=self.names.directory,
            now=self.now,
            lag=self.lag,
            is_stopped=in_force.is_stopped(self._alias),
        )

    async def _is_waited_for(self, until: datetime) -> bool:
        """Whether the budget is spent and webhooks wait."""
        if self.now() < until:
            return False
        return bool(await self.database.read(partial(claim_pending, store=self._alias, limit=1)))

    def _actor(self, tenure: Tenure, calls: Calls, in_force: InForce, plan: Plan, until: datetime) -> Actor:
        return Actor(
            store=self.store,
            vendor=self.vendor,
            database=self.database,
            calls=calls,
            directory=self.names.directory,
            fence=partial(self._fence, tenure, in_force),
            now=self.now,
            new_id=self.new_id,
            metrics=self.metrics,
            members=plan.members,
            urgent=plan.urgent,
            looks=plan.looks,
            is_waited_for=partial(self._is_waited_for, until),
            judged=frozenset(rule.code for rule in in_force.rules_for(self._alias) if rule.guards.is_judged),
        )

    def _fence(self, tenure: Tenure, in_force: InForce, connection: Connection) -> None:
        check_epoch(connection, self._alias, tenure.owner, tenure.epoch)
        check_activation(connection, in_force.activation)

    async def _commit(
        self, tenure: Tenure, in_force: InForce, page: Page, plan: Plan, step: Step | None = None
    ) -> None:
        await self.database.write(partial(self._write, tenure, in_force, page, plan, step=step))
        self.metrics.turns.labels(store=self._alias).inc()
        if plan.changed_categories:
            await self.database.read(self.names.load)
            self._check_names(in_force)
        for trace in plan.traces:
            log.info(
                trace.text, store=self._alias, rule=trace.rule, subject=str(trace.subject), truth=trace.truth.value
            )

    def _write(
        self, tenure: Tenure, in_force: InForce, page: Page, plan: Plan, connection: Connection, *, step: Step | None
    ) -> None:
        """Everything that must survive, or nothing: deliveries planned, cases, traces, notices, looks."""
        now = self.now()
        if step is not None:
            step.keep(connection)  # before the rules are checked: newer ones rely on a sweep that has not ended
        self._fence(tenure, in_force, connection)
        aside = {
            id_: reason for id_, reason in plan.set_aside.items() if id_ in {d.delivery.id for d in page.deliveries}
        }
        mark_planned(connection, [d.delivery.id for d in page.deliveries if d.delivery.id not in aside], now=now)
        for id_, reason in aside.items():
            set_aside(connection, id_, reason)
        save_cases(connection, self._alias, plan.cases, now=now)
        add_traces(connection, self._alias, in_force.rulebook.hash, plan.traces)
        add_notices(connection, self._alias, plan.notices, now=now)
        clear_looks(connection, self._alias, [look.ref for look in page.looks], not_after=page.taken_at)
        forget_expiry(connection, self._alias, plan.cases)
        top = self.vendor.CAPABILITIES.promotes_to
        due = ((after.ref, open_since(after, now=now, top=top)) for _, after in plan.cases)
        looks = [(ref, at, "an open action") for ref, at in due if at is not None]
        looks += [(ref, look.due_at, look.reason) for ref, look in plan.looks.items()]
        schedule_each(connection, self._alias, looks)
        for ref, reason in plan.failed.items():
            postpone_look(connection, self._alias, ref, due_at=now + SET_ASIDE_FOR, reason=reason)
        for ref in plan.gone_categories:
            touched = products_of_slot(connection, self._alias, Aspect.MEMBERSHIP, ref.id)
            look_now(connection, self._alias, touched, now=now, reason=f"{ref} no longer exists")
        rules = in_force.rulebook.for_store(self._alias)
        if plan.changed_categories and self.names.is_found(connection, rules):
            known = [ref for ref in known_subjects(connection, self._alias) if ref.kind is SubjectKind.PRODUCT]
            schedule_looks(connection, self._alias, known, due_at=now, reason="a rule waited for a name, now known")
        keep(connection, plan.judged, plan.cases, now=now)
        if step is not None and step.is_last:
            conclude_gathering(connection, self._alias, step.sweep.id, in_force.rules_for(self._alias), now=now)

    # ------------------------------------------------------------------------------------ categories

    async def _list_categories(self, tenure: Tenure, calls: Calls, in_force: InForce) -> None:
        """List the store's categories: names need them, rules about them are judged, and what is gone is found."""
        await self.database.read(self.names.load)
        if self.vendor.CAPABILITIES.can_read_categories:
            started = self.now()
            planner = self._planner(in_force, calls)
            planner.is_learning = self._timetable.is_learning
            plan = await planner.plan_categories()
            await self._commit(tenure, in_force, Page((), (), started), plan)
            await self.database.read(self.names.load)
            self.names.listed_at = started
        self._check_names(in_force)

    def _check_names(self, in_force: InForce) -> None:
        self.names.check(in_force.rulebook.for_store(self._alias), in_force.activation)
