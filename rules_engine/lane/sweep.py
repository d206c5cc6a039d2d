"""Sweeping: walking over a store's whole catalogue, page by page, by the same planner as any other turn."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from urllib.parse import urlsplit, urlunsplit

import structlog
from sqlalchemy.engine import Connection

from rules_engine.core.action import Request
from rules_engine.core.delivery import EventType, StoreAlias
from rules_engine.core.errors import AuthenticationError, PermanentError
from rules_engine.core.plan import Case
from rules_engine.core.store import Capabilities
from rules_engine.core.subject import ALL, Snapshot, SubjectKind, SubjectRef, product
from rules_engine.core.sweep import Sweep, SweepKind, SweepState
from rules_engine.database.catalogue import known_categories
from rules_engine.database.engine import Database
from rules_engine.database.lanes import Look, look_now
from rules_engine.database.sweeps import connected_at, save_sweep, stop_waiting
from rules_engine.database.walks import (
    count_products,
    mark_seen,
    never_seen,
    products_after,
    with_unclear_actions,
)
from rules_engine.vendors.base import AnyVendor

from .calls import Calls
from .drift import tell
from .page import Visit
from .plan import Plan, Planner
from .read import Seen, read_list_page

log = structlog.stdlib.get_logger(__name__)

SPARE, SPARE_BESIDE = 0.1, 0.5
"""Parts of the full bucket that a sweep leaves to others: while nothing else waits, and while something does."""
REMEMBERED = 500
"""Products that are decided from memory in one page."""
_LIST, _REST = "list ", "rest "
"""How a cursor begins: with the path of the next page of the list, or with the id of the last product read by it."""
_FIRST = (SweepKind.RULES, SweepKind.LEARNING, SweepKind.ASKED, SweepKind.NIGHTLY, SweepKind.CHANGES)


def next_open(sweeps: Iterable[Sweep]) -> Sweep | None:
    """Which of the open sweeps of a store goes on: new rules come before all, then the one that runs."""
    return min(
        sweeps,
        key=lambda each: (
            each.kind is not SweepKind.RULES,
            each.state is not SweepState.RUNNING,
            _FIRST.index(each.kind),
            each.id,
        ),
        default=None,
    )


def pause_before(sweep: Sweep | None, calls: Calls, capabilities: Capabilities, *, is_alone: bool) -> timedelta:
    """How long the next page of a sweep waits, so that there is always a call left for a webhook.

    Unless it `is_alone`, it may come after every other turn, and only while more than half of the bucket is full.
    """
    if sweep is None or sweep.kind is SweepKind.RULES:
        return timedelta(0)
    return calls.room_in(capabilities.burst * (SPARE if is_alone else SPARE_BESIDE))


@dataclass(frozen=True, slots=True)
class Step:
    """One page of a sweep, to be committed as one: its plan, and the sweep as it is then.

    `same` are the products that were found as they were known; `unclear` those that a turn has to look at. `at` is
    when the page was begun.
    """

    store: StoreAlias
    plan: Plan
    sweep: Sweep
    at: datetime
    same: Sequence[SubjectRef] = ()
    unclear: Sequence[SubjectRef] = ()

    @property
    def is_last(self) -> bool:
        """Whether the sweep has come to its end."""
        return not self.sweep.state.is_open

    def keep(self, connection: Connection) -> None:
        """Write how far the sweep has come, and what it found, in the transaction of its plan."""
        mark_seen(connection, self.store, self.same, at=self.at)
        look_now(connection, self.store, self.unclear, now=self.at, reason=self.sweep.reason)
        if self.sweep.kind.is_complete and not self.sweep.is_dry and self.sweep.started_at == self.at:
            reason = "a sweep of everything took its place"
            stop_waiting(connection, self.store, SweepKind.CHANGES, now=self.at, reason=reason)
        save_sweep(connection, self.sweep)


@dataclass(slots=True)
class Walk:
    """Reads and decides the next page of a sweep of one store, and writes nothing.

    `activation` is that of the rules of the `planner`. `dry` are, by the sweep, the products that a dry one showed:
    it keeps nothing else of them.
    """

    store: StoreAlias
    vendor: AnyVendor
    database: Database
    calls: Calls
    planner: Planner
    activation: int
    dry: dict[int, set[str]] = field(default_factory=dict)

    async def page(self, sweep: Sweep) -> Step:
        """The next page. Raises what reading raises; then nothing is decided, and the same page is next."""
        at = self.planner.now()
        made = self.calls.made
        if sweep.state is SweepState.WAITING or (sweep.is_dry and sweep.id not in self.dry):
            # What a dry one had seen is forgotten with the process that read it: it begins again.
            self.dry[sweep.id] = set()
            total = await self.database.read(partial(count_products, store=self.store))
            sweep = replace(
                sweep, state=SweepState.RUNNING, started_at=at, cursor="", total=total, seen=0, found={}, examples={}
            )
        if sweep.kind is SweepKind.RULES:
            step = await self._remembered(sweep, at)
        elif not self.vendor.CAPABILITIES.can_list:
            step = self._stopped(sweep, at, f"{self.vendor.TITLE} cannot list its products")
        elif sweep.cursor.startswith(_REST):
            step = await self._unseen(sweep, at)
        else:
            step = await self._listed(sweep, at)
        step = replace(step, sweep=replace(step.sweep, calls=step.sweep.calls + self.calls.made - made))
        if step.is_last:
            self.dry.pop(sweep.id, None)
        return replace(step, plan=Plan(), same=(), unclear=()) if sweep.is_dry else step

    # ------------------------------------------------------------------------------------ what the shop shows

    async def _listed(self, sweep: Sweep, at: datetime) -> Step:
        """A page of the shop's list."""
        try:
            seen, following, total = await read_list_page(self.vendor, self.calls, self._request(sweep))
        except AuthenticationError:
            raise
        except PermanentError as error:
            log.error("a page of a list cannot be read", store=self.store, cursor=sweep.cursor, reason=str(error))
            reason = f"{sweep.reason}; the list could not be read to its end: {error}"
            if not sweep.kind.is_complete:
                return self._stopped(sweep, at, reason)
            # What is known is read by id, so that only what nobody knows is left for the next time.
            return Step(self.store, Plan(), replace(sweep, reason=reason, cursor=_REST), at)
        cursor = _LIST + _path(following.url) if following is not None else _REST
        sweep = replace(sweep, cursor=cursor, total=total if total is not None else sweep.total)
        step = await self._decided(sweep, [ref for ref in seen.snapshots if ref.kind is SubjectKind.PRODUCT], seen, at)
        return step if following is not None or sweep.kind.is_complete else self._done(step)

    def _request(self, sweep: Sweep) -> Request:
        """The page that is next: its path is remembered, and whatever opens the shop is built afresh."""
        if sweep.kind is SweepKind.CHANGES and sweep.since is not None:
            first = self.vendor.list_changes(sweep.since)
        else:
            first = self.vendor.read([product(ALL)])[0]
        if not sweep.cursor:
            return first
        here, there = urlsplit(first.url), urlsplit(sweep.cursor.removeprefix(_LIST))
        return replace(first, url=urlunsplit((here.scheme, here.netloc, there.path, there.query, "")))

    async def _unseen(self, sweep: Sweep, at: datetime) -> Step:
        """Known products that the list did not show are read by id: only that says whether they are gone."""
        shown = self.dry[sweep.id] if sweep.is_dry else None
        last = sweep.cursor.removeprefix(_REST)
        since = sweep.started_at if shown is None else None
        batch = self.vendor.CAPABILITIES.batch
        load = partial(products_after, store=self.store, last=last, limit=batch, unseen_since=since)
        refs = await self.database.read(load)
        if not refs:
            return self._done(Step(self.store, Plan(), sweep, at))
        wanted = [ref for ref in refs if shown is None or ref.id not in shown]
        seen = await self.planner.read(wanted) if wanted else Seen()
        step = await self._decided(replace(sweep, cursor=_REST + refs[-1].id), wanted, seen, at)
        return self._done(step) if len(refs) < batch else step

    async def _decided(self, sweep: Sweep, refs: Sequence[SubjectRef], seen: Seen, at: datetime) -> Step:
        """These products decided, by what was seen of them."""
        new = await self.database.read(partial(never_seen, store=self.store, refs=refs))
        connected = await self.database.read(partial(connected_at, store=self.store)) if new else None
        visits: list[Visit] = []
        for ref in refs:
            visit = Visit(ref, look=Look(ref, at, sweep.reason))
            if ref in new and connected is not None and _was_created(seen.snapshots.get(ref), after=connected):
                visit.events.add(EventType.PRODUCT_CREATED)  # the webhook that said so was lost
            visits.append(visit)
        plan = await self.planner.plan_swept(visits, seen)
        found = tell(sweep, plan.cases)
        count = sum(1 for ref in refs if ref in seen.snapshots)
        same = _same(plan)
        plan.cases = [pair for pair in plan.cases if pair[1].ref not in same]
        if sweep.is_dry:
            self.dry[sweep.id] |= {ref.id for ref in refs}
        return Step(self.store, plan, replace(found, seen=found.seen + count), at, same=tuple(same))

    # ------------------------------------------------------------------------------------ what is remembered

    async def _remembered(self, sweep: Sweep, at: datetime) -> Step:
        """Known products decided from memory; what a rule wants something of is then looked at by a turn."""
        activation, _, last = sweep.cursor.partition(" ")
        unclear: list[SubjectRef] = []
        if activation != str(self.activation):
            # Its first page, or newer rules are in force: what was decided by others does not count.
            last, sweep = "", replace(sweep, seen=0, found={}, examples={})
            if any(rule.about is SubjectKind.CATEGORY for rule in self.planner.rules):
                known = await self.database.read(partial(known_categories, store=self.store))
                unclear += await self.planner.unsettled(known)
        load = partial(products_after, store=self.store, last=last, limit=REMEMBERED)
        refs = await self.database.read(load)
        not_known = await self.database.read(partial(with_unclear_actions, store=self.store, refs=refs))
        unclear += sorted(not_known)
        visits = [Visit(ref, look=Look(ref, at, sweep.reason)) for ref in refs if ref not in not_known]
        plan = await self.planner.plan_swept(visits, Seen())
        same = _same(plan)
        plan.cases = [pair for pair in plan.cases if pair[1].ref not in same]
        sweep = replace(tell(sweep, plan.cases), seen=sweep.seen + len(refs))
        sweep = replace(sweep, cursor=f"{self.activation} {refs[-1].id if refs else last}")
        step = Step(self.store, plan, sweep, at, unclear=tuple(unclear))
        return self._done(step) if len(refs) < REMEMBERED else step

    # ------------------------------------------------------------------------------------ its end

    def _done(self, step: Step) -> Step:
        sweep = replace(step.sweep, state=SweepState.DONE, finished_at=self.planner.now(), cursor="")
        return replace(step, sweep=sweep)

    def _stopped(self, sweep: Sweep, at: datetime, reason: str) -> Step:
        ended = replace(sweep, state=SweepState.STOPPED, finished_at=at, cursor="", reason=reason)
        return Step(self.store, Plan(), ended, at)


def _path(url: str) -> str:
    """The path and query of a URL, which is all that is remembered of a page."""
    parts = urlsplit(url)
    return urlunsplit(("", "", parts.path, parts.query, ""))


def _was_created(snapshot: Snapshot | None, *, after: datetime) -> bool:
    """Whether the shop says that the product was made after that time."""
    made = snapshot.fields.get("created_at") if snapshot is not None else None
    try:
        return isinstance(made, str) and datetime.fromisoformat(made) > after
    except (ValueError, TypeError):  # no time, or one without an offset
        return False


def _same(plan: Plan) -> dict[SubjectRef, None]:
    """The subjects that are as they were known, with nothing to do: that they were seen is all there is to keep.

    Not those of which something is told: a moment that only tells would be told again at the next look.
    """
    told = {trace.subject for trace in plan.traces} | {notice.subject for notice in plan.notices}
    return {after.ref: None for before, after in plan.cases if after.ref not in told and _is_same(before, after)}


def _is_same(before: Case, after: Case) -> bool:
    is_quiet = not any(action.state.is_open for action in after.actions.values()) and not after.orders
    return is_quiet and replace(after, seen_at=before.seen_at) == before
