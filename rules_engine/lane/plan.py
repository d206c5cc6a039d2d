"""Planning a turn: from a page of deliveries and looks to the cases, traces and looks that are to be committed."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial

import structlog

from rules_engine.core.condition import Truth
from rules_engine.core.decide import decide
from rules_engine.core.delivery import DeliveryId, EventType
from rules_engine.core.directory import Directory
from rules_engine.core.errors import PermanentError
from rules_engine.core.moments import Moment
from rules_engine.core.outcome import answered
from rules_engine.core.plan import Case, Episode, EpisodeKey, Notice, Trace
from rules_engine.core.rule import Rule, longest_pause
from rules_engine.core.sighting import Context, Decision, Sighting
from rules_engine.core.store import Store
from rules_engine.core.subject import ALL, ProductId, Snapshot, SubjectKind, SubjectRef, category, product
from rules_engine.database.catalogue import actions_of_target, category_episodes, known_categories
from rules_engine.database.engine import Database
from rules_engine.database.ledger import load_cases
from rules_engine.vendors.base import AnyVendor

from .floors import Floors
from .gate import Gate
from .judged import Judged
from .members import Members, Read, why_look
from .page import LaterLook, Page, Visit
from .read import Seen

log = structlog.stdlib.get_logger(__name__)


@dataclass(slots=True)
class Plan:
    """What a turn decided, to be committed as one. `cases` are pairs of before and after.

    `products` may have actions to send. `set_aside` are deliveries that could not be decided, `failed` subjects that
    could not be read or decided, each with its reason. `looks` say when a subject is to be looked at again. `members`
    are the products of the categories of which this turn read them all, by the category's id. `notices` are for
    people. `urgent` are the products that webhooks were about. `judged` is what the limits of rules came to.
    """

    cases: list[tuple[Case, Case]] = field(default_factory=list)
    traces: list[Trace] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)
    looks: dict[SubjectRef, LaterLook] = field(default_factory=dict)
    set_aside: dict[DeliveryId, str] = field(default_factory=dict)
    failed: dict[SubjectRef, str] = field(default_factory=dict)
    gone_categories: list[SubjectRef] = field(default_factory=list)
    members: dict[str, frozenset[str]] = field(default_factory=dict)
    urgent: set[ProductId] = field(default_factory=set)
    judged: Judged = field(default_factory=lambda: Judged({}))

    @property
    def products(self) -> list[ProductId]:
        """The products that this turn looked at."""
        return [ProductId(after.ref.id) for _, after in self.cases if after.ref.kind is SubjectKind.PRODUCT]

    @property
    def changed_categories(self) -> bool:
        """Whether what is known of categories changed, so that names may mean something else."""
        return any(
            after.ref.kind is SubjectKind.CATEGORY
            and ((before.snapshot, before.is_gone) != (after.snapshot, after.is_gone))
            for before, after in self.cases
        )


@dataclass(slots=True)
class Planner:
    """Plans turns of one store. Reads the shop and the database, and writes nothing.

    `is_stopped` says that a person stopped everything in this store. While it `is_learning`, nothing that is seen is a
    moment. `gathering` is the sweep that these turns are pages of, at whose end it is judged what rules want anew.
    """

    store: Store
    vendor: AnyVendor
    database: Database
    read: Read
    rules: tuple[Rule, ...]
    directory: Directory
    now: Callable[[], datetime]
    lag: timedelta
    is_stopped: bool = False
    is_learning: bool = False
    gathering: int | None = None
    _plan: Plan = field(default_factory=Plan, init=False)
    _members: Members = field(init=False)
    _moments: list[Moment] = field(default_factory=list, init=False)
    _stretches: dict[EpisodeKey, Episode] = field(default_factory=dict, init=False)

    async def plan(self, page: Page) -> Plan:
        """The plan for a page. Raises what reading raises; then nothing is planned and the page stays."""
        await self._begin()
        visits, unreadable = page.visits(self.vendor)
        self._plan.set_aside |= unreadable
        seen = await self._read(visits.values())
        self._give_up(seen.failed, visits)
        kinds = {
            kind: [v for v in visits.values() if v.ref.kind is kind and v.ref not in seen.failed]
            for kind in SubjectKind
        }
        if category(ALL) in visits:
            kinds[SubjectKind.CATEGORY] = [*self._listed(seen), *await self._vanished(seen)]
        await self._decide_categories(kinds[SubjectKind.CATEGORY], seen)
        await self._decide_brands(kinds[SubjectKind.BRAND], seen)
        products = {visit.ref: visit for visit in kinds[SubjectKind.PRODUCT]}
        # A shop may show another product than the one that was asked for: a variant's parent.
        others = {ref: Visit(ref) for ref in seen.snapshots if ref.kind is SubjectKind.PRODUCT and ref not in visits}
        delivered = [ref for ref, visit in products.items() if visit.deliveries] + [*others] * bool(page.deliveries)
        self._plan.urgent |= {ProductId(ref.id) for ref in delivered}
        products |= others
        asked = {visit.ref for visit in visits.values() if visit.look is not None}
        await self._decide_products(products, await self._with_members(products, seen, asked))
        return self._plan

    async def plan_categories(self) -> Plan:
        """The plan after listing all categories of the store."""
        await self._begin()
        seen = await self.read([category(ALL)])
        self._give_up(seen.failed, {category(ALL): Visit(category(ALL))})
        await self._decide_categories([*self._listed(seen), *await self._vanished(seen)], seen)
        products: dict[SubjectRef, Visit] = {}
        await self._decide_products(products, await self._with_members(products, seen))
        return self._plan

    async def plan_sightings(self, snapshots: Iterable[Snapshot]) -> Plan:
        """The plan for products that the answer to a write showed."""
        await self._begin()
        seen = Seen(snapshots={snapshot.ref: snapshot for snapshot in snapshots})
        await self._decide_products({ref: Visit(ref) for ref in seen.snapshots}, seen)
        return self._plan

    async def plan_swept(self, visits: Iterable[Visit], seen: Seen) -> Plan:
        """The plan for products that a sweep read, or, where `seen` is empty, remembers."""
        await self._begin()
        await self._decide_products({visit.ref: visit for visit in visits}, seen)
        return self._plan

    async def unsettled(self, refs: Collection[SubjectRef]) -> list[SubjectRef]:
        """Of these categories those that a rule about them holds for, or will by what is remembered: to be read."""
        await self._begin()
        found: list[SubjectRef] = []
        for ref, case in (await self._load(refs)).items():
            decision = self._decide(case, Sighting(ref, self.now()), Visit(ref))
            after = decision.case.episodes if decision else case.episodes
            has_moment = decision is not None and bool(decision.moments)
            if has_moment or after != case.episodes or any(each.truth is Truth.MET for each in after.values()):
                found.append(ref)
        return found

    async def _begin(self) -> None:
        self._members = Members(self.store, self.vendor, self.database, self.read, self.rules)
        self._plan, self._moments = Plan(members=self._members.known), []
        self._stretches = await self.database.read(partial(category_episodes, store=self.store.alias))

    # ------------------------------------------------------------------------------------ read

    async def _read(self, visits: Iterable[Visit]) -> Seen:
        """Read what can be read of these subjects; the rest is known by what deliveries carried."""
        able = self.vendor.CAPABILITIES
        can = {
            SubjectKind.PRODUCT: able.can_read,
            SubjectKind.CATEGORY: able.can_read_categories,
            SubjectKind.BRAND: not able.can_read,  # only shops that show nothing else ask for a brand to be looked at
        }
        return await self.read([visit.ref for visit in visits if can[visit.ref.kind]])

    def _give_up(self, failed: Mapping[SubjectRef, str], visits: Mapping[SubjectRef, Visit]) -> None:
        """Subjects that alone cannot be read or decided are set aside, never the page."""
        for ref, reason in failed.items():
            visit = visits.get(ref)
            if visit is None:
                continue
            log.error("a subject is set aside", store=self.store.alias, subject=str(ref), reason=reason)
            self._plan.set_aside |= dict.fromkeys(visit.deliveries, reason)
            self._plan.failed[ref] = reason

    def _listed(self, seen: Seen) -> list[Visit]:
        return [Visit(ref) for ref in seen.snapshots if ref.kind is SubjectKind.CATEGORY]

    async def _vanished(self, seen: Seen) -> list[Visit]:
        """Categories that were known and that a complete list no longer shows."""
        if SubjectKind.CATEGORY not in seen.listed:
            return []
        known = await self.database.read(partial(known_categories, store=self.store.alias))
        seen.missing |= {ref for ref in known if ref not in seen.snapshots}
        return [Visit(ref) for ref in known if ref not in seen.snapshots]

    # ------------------------------------------------------------------------------------ categories and brands

    async def _decide_categories(self, visits: Sequence[Visit], seen: Seen) -> None:
        cases = await self._load(visit.ref for visit in visits)
        for visit in visits:
            before = cases[visit.ref]
            decision = self._decide(before, self._sighting(visit, seen), visit)
            if decision is None:
                continue
            self._plan.cases.append((before, decision.case))
            self._count(decision)
            self._moments += decision.moments
            self._stretches |= {key: e for key, e in decision.case.episodes.items() if key[1] == visit.ref}
            if decision.case.is_gone and not before.is_gone:
                self._plan.gone_categories.append(visit.ref)
        gone = {ref.id for ref in self._plan.gone_categories}
        shown = [case.snapshot for _, case in self._plan.cases if case.snapshot is not None and not case.is_gone]
        if gone or shown:
            fresh = Directory.from_snapshots(shown, names=self.store.settings.names)
            entries = {id_: entry for id_, entry in self.directory.categories.items() if id_ not in gone}
            back = set(fresh.categories)
            self.directory = replace(
                self.directory,
                categories={**entries, **fresh.categories},
                gone=frozenset((self.directory.gone - back) | gone),
            )

    async def _decide_brands(self, visits: Sequence[Visit], seen: Seen) -> None:
        """A brand that a call did not find: if a read does not find it either, its actions are dead letters."""
        for visit in visits:
            waiting = await self.database.read(partial(actions_of_target, store=self.store.alias, target=visit.ref.id))
            owners = {product(action.slot.product): action for action in waiting}
            for ref, case in (await self._load(owners)).items():
                after = case
                if visit.ref in seen.missing:
                    gone = PermanentError(f"The brand {visit.ref.id} does not exist in the shop.")
                    for action in waiting:
                        if product(action.slot.product) == ref and action.key in after.actions:
                            after = answered(
                                after,
                                action.key,
                                gone,
                                at=self.now(),
                                retry_in=timedelta(0),
                                is_proven=False,
                                counts=True,
                                directory=self.directory,
                            )
                self._plan.cases.append((case, after))

    # ------------------------------------------------------------------------------------ products

    async def _with_members(
        self, products: dict[SubjectRef, Visit], seen: Seen, asked: Collection[SubjectRef] = ()
    ) -> Seen:
        """Read the products that rules about categories want something of, and add them to the turn."""
        for ref in await self._members.find(self._plan.cases, self._moments, asked, seen):
            products.setdefault(ref, Visit(ref))
        self._take_back(self._members.unlisted)
        return seen

    def _take_back(self, refs: Mapping[SubjectRef, str]) -> None:
        """Nothing counts that was decided of these categories, whose members cannot be read: they are tried later."""
        for ref, reason in refs.items():
            log.error("a category is set aside", store=self.store.alias, subject=str(ref), reason=reason)
        for before, after in self._plan.cases:
            if after.ref in refs:
                kept = {key: episode for key, episode in self._stretches.items() if key[1] != after.ref}
                self._stretches = {**kept, **before.episodes}
        self._plan.cases = [pair for pair in self._plan.cases if pair[1].ref not in refs]
        self._plan.traces = [trace for trace in self._plan.traces if trace.subject not in refs]
        self._plan.notices = [notice for notice in self._plan.notices if notice.subject not in refs]
        self._plan.looks = {ref: look for ref, look in self._plan.looks.items() if ref not in refs}
        self._moments = [moment for moment in self._moments if moment.subject not in refs]
        self._plan.failed |= refs

    async def _decide_products(self, visits: Mapping[SubjectRef, Visit], seen: Seen) -> None:
        cases = await self._load(visits)
        planned = {after.ref: after for _, after in self._plan.cases}  # what a look at its brand came to
        decided: dict[SubjectRef, Case] = {}
        for ref, visit in visits.items():
            if ref in seen.failed:
                self._give_up({ref: seen.failed[ref]}, visits)
                continue
            case = self._decide_product(planned.get(ref, cases[ref]), visit, seen)
            if case is not None:
                decided[ref] = case
        decided = self._members.mark_whole(await self._judged(decided, cases))
        self._plan.cases = [pair for pair in self._plan.cases if pair[1].ref not in decided]
        self._plan.cases += [(cases[ref], case) for ref, case in decided.items()]

    async def _judged(
        self, decided: Mapping[SubjectRef, Case], before: Mapping[SubjectRef, Case]
    ) -> dict[SubjectRef, Case]:
        """The decided products once the limits of all rules are heard; what is to be told and kept is in the plan."""
        floors = Floors(self.store.alias, self.database, self._members, self.rules, self.directory)
        gate = Gate(self.store.alias, self.database, self.rules, floors, self.now(), self.gathering)
        categories = [pair for pair in self._plan.cases if pair[1].ref.kind is SubjectKind.CATEGORY]
        judged = await gate.judge(decided, before, categories)
        plan = self._plan
        plan.judged = judged
        plan.notices = [_with_what_became(notice, judged.traces) for notice in plan.notices] + judged.notices
        plan.traces += judged.traces
        for ref, look in judged.looks.items():
            if ref not in plan.looks or look.due_at < plan.looks[ref].due_at:
                plan.looks[ref] = look
        return judged.cases

    def _decide_product(self, case: Case, visit: Visit, seen: Seen) -> Case | None:
        """The case after everything that was seen, or None when deciding broke: then nothing of the visit counts."""
        decisions: list[Decision] = []
        for sighting in self._sightings(visit, seen):
            decision = self._decide(case, sighting, visit)
            if decision is None:
                return None
            if decision.is_late:
                log.info("a late delivery changes nothing", store=self.store.alias, subject=str(case.ref))
            case = decision.case
            decisions.append(decision)
        for decision in decisions:
            self._count(decision)
        return case

    # ------------------------------------------------------------------------------------ decide

    async def _load(self, refs: Iterable[SubjectRef]) -> dict[SubjectRef, Case]:
        takes = longest_pause(self.rules)
        load = partial(load_cases, store=self.store.alias, refs=list(refs), now=self.now(), lag=self.lag, takes=takes)
        return await self.database.read(load)

    def _sightings(self, visit: Visit, seen: Seen) -> list[Sighting]:
        """What this turn saw of a product: one read, or the deliveries one by one, or nothing but what we remember."""
        if self.vendor.CAPABILITIES.can_read or visit.ref in seen.snapshots:
            return [self._sighting(visit, seen)]
        base = Sighting(visit.ref, self.now(), caused_by=visit.caused_by)
        carried = [
            replace(
                base,
                snapshot=snapshot,
                is_gone=event.type is EventType.PRODUCT_DELETED,
                events=frozenset({event.type}),
                event_time=event.version,
            )
            for event, snapshot in visit.sightings()
        ]
        # A look is for what is remembered, also when a delivery came with it that is late and changes nothing.
        return [*carried, base] if visit.look is not None or not carried else carried

    def _sighting(self, visit: Visit, seen: Seen) -> Sighting:
        return Sighting(
            visit.ref,
            self.now(),
            snapshot=seen.snapshots.get(visit.ref),
            is_gone=visit.ref in seen.missing,
            events=frozenset(visit.events),
            event_time=visit.event_time,
            caused_by=visit.caused_by,
            is_learning=self.is_learning,
        )

    def _count(self, decision: Decision) -> None:
        """Let a decision count: what it says goes into the plan."""
        ref = decision.case.ref
        self._plan.traces += decision.traces
        self._plan.notices += decision.notices
        if decision.look_at is not None:
            self._plan.looks[ref] = LaterLook(decision.look_at, why_look(decision.case, decision.look_at, self.rules))

    def _decide(self, case: Case, sighting: Sighting, visit: Visit) -> Decision | None:
        """The decision; a subject that breaks it is set aside alone, with its deliveries."""
        context = Context(
            store=self.store.alias,
            vendor=self.vendor.NAME,
            rules=self.rules,
            directory=self.directory,
            capabilities=self.vendor.CAPABILITIES,
            zone=self.store.zone,
            lag=self.lag,
            stretches=self._stretches,
            moments=tuple(self._moments),
            is_stopped=self.is_stopped,
        )
        try:
            return decide(case, sighting, context)
        except Exception as error:  # whatever it is, it must not stop the other products of the page
            log.exception("deciding failed", store=self.store.alias, subject=str(case.ref))
            self._give_up({case.ref: f"deciding failed: {error!r}"}, {visit.ref: visit})
            return None


def _with_what_became(notice: Notice, traces: Iterable[Trace]) -> Notice:
    """What people are told, with what the limits of the rule made of it: nobody is told that what waits is done."""
    said = [trace.text for trace in traces if (trace.rule, trace.subject) == (notice.rule, notice.subject)]
    return replace(notice, text="; ".join([notice.text, *said])) if said else notice
