"""What a rulebook would do to a store's catalogue as it was last seen: the same deciding, and nothing is done."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial

from rules_engine.core.action import ActionKind
from rules_engine.core.changes import Changes, changes_between, fingerprint
from rules_engine.core.clock import say_duration
from rules_engine.core.condition import Truth
from rules_engine.core.decide import decide
from rules_engine.core.judge import is_ripe, unknown_name
from rules_engine.core.moments import Moment
from rules_engine.core.pause import Pause, as_paused
from rules_engine.core.plan import Case, Episode, EpisodeKey, PlannedAction
from rules_engine.core.rule import Mode, Rule, Rulebook, RuleCode, longest_pause
from rules_engine.core.sighting import Context, Decision, Sighting
from rules_engine.core.store import Store
from rules_engine.core.subject import SubjectKind, SubjectRef
from rules_engine.database.engine import Database
from rules_engine.database.vanished import vanished
from rules_engine.vendors.base import AnyVendor

from .catalogue import PAGE, Catalogue, NewNames, new_names, open_catalogue, renamed, renamed_episodes
from .plan_asks import Asked, HeldBefore, Noted, Wishes, change_notes, floor_categories
from .plan_calls import Calls, Cost
from .plan_lines import Compared, Doing, Line, category_called, compare


@dataclass(frozen=True, slots=True)
class RulePlan:
    """What one rule would do in one store.

    `met` counts the products of which its condition would hold, `cannot_tell` those of which nobody can say; for a rule
    about categories both count categories. `holds` counts the products of which it holds something already.
    `waits_for` says which of its names means nothing here, or what else keeps it all from acting. `asks` says what it
    would ask people first, or what would wait; it, `irreversible` and `loses` are sentences for people.
    """

    rule: Rule
    lines: tuple[Line, ...] = ()
    met: int = 0
    cannot_tell: int = 0
    holds: int = 0
    waits_for: str = ""
    asks: tuple[str, ...] = ()
    irreversible: tuple[str, ...] = ()
    loses: tuple[str, ...] = ()

    @property
    def is_idle(self) -> bool:
        """Whether the rule neither does nor holds anything in this store."""
        return not (self.lines or self.met or self.holds or self.waits_for) and self.rule.mode is not Mode.PAUSED


@dataclass(frozen=True, slots=True)
class StorePlan:
    """What a rulebook would do in one store. `rules` are in rule order.

    `products` and `categories` count what is known of the catalogue. `cost` is None where only some of the rules are
    shown. `orphans` are rules that run here no more and still hold something: of how many products. `notes` say what
    putting the rules in force does to what is held and asked now. `pauses` are the rules that a command paused. `open`
    counts the calls that were decided before and are not this plan's doing. `failed` are products that could not be
    decided, each with the reason. `differs` is the difference from another rulebook, if asked for.
    """

    store: Store
    title: str
    products: int
    categories: int
    rules: tuple[RulePlan, ...] = ()
    cost: Cost | None = None
    orphans: Mapping[RuleCode, int] = field(default_factory=dict)
    notes: tuple[Noted, ...] = ()
    pauses: Mapping[RuleCode, Pause] = field(default_factory=dict)
    open: int = 0
    failed: Mapping[str, str] = field(default_factory=dict)
    differs: tuple[Difference, ...] | None = None

    def only(self, codes: Iterable[RuleCode]) -> StorePlan:
        """The plan of these rules alone, as they do among all others."""
        wanted = frozenset(codes)
        differs = self.differs and tuple(each for each in self.differs if each.line.rule in wanted)
        rules = tuple(each for each in self.rules if each.rule.code in wanted)
        orphans = {code: count for code, count in self.orphans.items() if code in wanted}
        notes = tuple(note for note in self.notes if note[0] in wanted)
        return replace(self, rules=rules, cost=None, orphans=orphans, notes=notes, differs=differs)

    @property
    def lines(self) -> tuple[Line, ...]:
        """What would happen, apart from what rules that only watch would do."""
        return tuple(line for each in self.rules for line in each.lines if not line.is_watched)


@dataclass(frozen=True, slots=True)
class Difference:
    """A line that only one of two rulebooks has: the new one (`is_new`) or the other."""

    line: Line
    is_new: bool


def preview(
    database: Database,
    store: Store,
    vendor: AnyVendor,
    rulebook: Rulebook,
    *,
    now: datetime,
    lag: timedelta,
    against: Rulebook | None = None,
    in_force: Rulebook | None = None,
) -> StorePlan:
    """What `rulebook` would do to the catalogue of a store; with `against`, also where that one would do otherwise.

    With the rulebook that is `in_force` it is also said what becomes of what its rules hold now.
    Nothing is written and nobody is called. What is in memory grows with what would change, not with the catalogue.
    Raises `DatabaseError`.
    """
    takes = longest_pause([*rulebook.rules, *(against.rules if against is not None else ())])
    catalogue = open_catalogue(database, store, vendor.CAPABILITIES, now=now, lag=lag, takes=takes)
    asked = database.read_now(partial(Asked.of, store=store.alias))
    ours = _Preview(catalogue, store, vendor, as_paused(rulebook.for_store(store.alias), asked.pauses, store.alias))
    theirs = None
    if against is not None:
        # A rule that has another code by now is the same rule: its lines are compared under the present one.
        names = new_names(rulebook.rules)
        running = as_paused(against.for_store(store.alias), asked.pauses, store.alias)
        present = [replace(rule, code=names.get(rule.code, rule.code)) for rule in running]
        theirs = _Preview(catalogue, store, vendor, tuple(present), names=names)
    differs: list[Difference] = []
    for page in catalogue.pages():
        new = ours.plan(page)
        if theirs is not None:
            differs += _differences(new, theirs.plan(page))
    changes = None if in_force is None else changes_between(in_force, rulebook)
    prints = {rule.code: fingerprint(rule) for rule in rulebook.for_store(store.alias)}
    plan = ours.finished(asked, changes, prints)
    return plan if theirs is None else replace(plan, differs=tuple(sorted(differs, key=lambda each: each.line.order)))


def _differences(new: Sequence[Line], old: Sequence[Line]) -> Iterator[Difference]:
    """The lines that only one side has; what was taken and would be taken by both is no difference."""
    mine, other = set(new), set(old)
    yield from (Difference(line, is_new=True) for line in new if line not in other)
    yield from (Difference(line, is_new=False) for line in old if line not in mine)


class _Preview:
    """One rulebook on one catalogue, page by page."""

    def __init__(
        self,
        catalogue: Catalogue,
        store: Store,
        vendor: AnyVendor,
        rules: tuple[Rule, ...],
        *,
        names: NewNames | None = None,
    ) -> None:
        self._catalogue = catalogue
        self._store = store
        self._vendor = vendor
        self._rules = rules
        self._names = {**(names or {}), **new_names(rules)}
        self._lines: list[Line] = []
        self._met: Counter[RuleCode] = Counter()
        self._untold: Counter[RuleCode] = Counter()
        self._unripe: Counter[RuleCode] = Counter()
        self._members: dict[str, set[str]] = {}
        self._wishes = Wishes(catalogue.now)
        self._floored = floor_categories(rules, catalogue.directory)
        self._failed: dict[str, str] = {}
        self._open = 0
        self._calls = Calls(vendor)
        self._context = self._decided_categories(rules, counts=True)
        self._watched = frozenset(rule.code for rule in rules if rule.mode is Mode.WATCH)
        self._as_if_live: Context | None = None
        if self._watched:
            # What a rule that only watches would do, the others being as they are.
            live = tuple(replace(rule, mode=Mode.LIVE) if rule.code in self._watched else rule for rule in rules)
            self._as_if_live = self._decided_categories(live, counts=False)
        self._emptied = {rule.code for rule in rules if rule.about is SubjectKind.CATEGORY}
        refs = [case.ref for case in catalogue.categories]
        self._pending: list[SubjectRef] = refs  # a lane looks at categories first, and its turns take both

    # ------------------------------------------------------------------------------------ decide

    def _decided_categories(self, rules: tuple[Rule, ...], *, counts: bool) -> Context:
        """What deciding products needs to know, once the rules about categories are judged for every category."""
        stretches: dict[EpisodeKey, Episode] = renamed_episodes(self._catalogue.stretches, self._names)
        moments: list[Moment] = []
        context = Context(
            store=self._store.alias,
            vendor=self._vendor.NAME,
            rules=rules,
            directory=self._catalogue.directory,
            capabilities=self._vendor.CAPABILITIES,
            zone=self._store.zone,
            lag=self._catalogue.lag,
        )
        if not any(rule.about is SubjectKind.CATEGORY for rule in rules):
            return replace(context, stretches=stretches)
        for case in self._catalogue.categories:
            decision = self._decide(renamed(case, self._names), context)
            if decision is None:
                continue
            stretches |= decision.case.episodes
            moments += decision.moments
            if counts:
                self._count(decision)
                self._unripe.update(code for code in self._waiting(decision.case, rules))
        return replace(context, stretches=stretches, moments=tuple(moments))

    def _waiting(self, case: Case, rules: Sequence[Rule]) -> Iterator[RuleCode]:
        """The rules whose condition holds for a category, but not for as long as they ask."""
        for rule in rules:
            episode = case.episodes.get((rule.code, case.ref))
            is_met = rule.is_while and episode is not None and episode.truth is Truth.MET
            if is_met and episode is not None and not is_ripe(rule, episode, self._catalogue.now):
                yield rule.code

    def _decide(self, case: Case, context: Context) -> Decision | None:
        """The decision by what is remembered; a subject that breaks it is named, as a lane sets it aside alone."""
        try:
            return decide(case, self._sighting(case), context)
        except Exception as error:  # noqa: BLE001  # whatever it is, it must not hide what the others would do
            self._failed[str(case.ref)] = f"deciding failed: {error!r}"
            return None

    def _sighting(self, case: Case) -> Sighting:
        """What a lane would see now, if nothing changed since: where it reads, what is remembered is seen again."""
        able = self._vendor.CAPABILITIES
        can_read = able.can_read if case.ref.kind is SubjectKind.PRODUCT else able.can_read_categories
        seen = case.snapshot if can_read else None
        return Sighting(case.ref, self._catalogue.now, snapshot=seen, caused_by=("a plan",))

    def _count(self, decision: Decision) -> None:
        for code, truth in decision.truths.items():
            if truth is Truth.CANNOT_TELL:
                self._untold[code] += 1
            elif truth is Truth.MET:
                self._met[code] += 1

    def plan(self, page: Iterable[Case]) -> list[Line]:
        """What would happen to a page of products."""
        found: list[Line] = []
        actions: list[PlannedAction] = []
        for remembered in page:
            case = renamed(remembered, self._names)
            self._note_members(case)
            compared = self._compared(case)
            if compared is None:
                continue
            found += compared.lines
            actions += compared.actions
            self._open += compared.open
            self._look(case.ref)
        self._calls.plan(actions)
        self._lines += found
        return found

    def _compared(self, case: Case) -> Compared | None:
        decision = self._decide(case, self._context)
        if decision is None:
            return None
        self._count(decision)
        self._wishes.note(decision.case.actions.values())
        at = self._catalogue.now
        compared = compare(case, decision, self._context, at=at)
        if self._as_if_live is None:
            return compared
        would = self._decide(case, self._as_if_live)
        if would is None:
            return compared
        self._wishes.note(would.case.actions.values(), only=self._watched)
        lines = compare(case, would, self._as_if_live, at=at, watched=self._watched).lines
        return replace(compared, lines=(*compared.lines, *(line for line in lines if line.is_watched)))

    def _look(self, ref: SubjectRef) -> None:
        self._pending.append(ref)
        while len(self._pending) >= PAGE:
            self._calls.look_at(self._pending[:PAGE])
            self._pending = self._pending[PAGE:]

    def _note_members(self, case: Case) -> None:
        """Remember who is in a category: one call empties only what has no other members, and floors count them."""
        if (self._emptied or self._floored) and case.snapshot is not None:
            for id_ in case.snapshot.fields.get("category_ids", ()):
                self._members.setdefault(id_, set()).add(case.ref.id)

    # ------------------------------------------------------------------------------------ conclude

    def finished(self, asked: Asked, changes: Changes | None, prints: Mapping[RuleCode, str]) -> StorePlan:
        """The plan of the store."""
        self._calls.look_at(self._pending)
        whole = self._calls.empty({id_: frozenset(members) for id_, members in self._members.items()})
        held: Counter[RuleCode] = Counter()
        for code, count in self._catalogue.held.items():
            held[self._names.get(code, code)] += count
        lines: dict[RuleCode, list[Line]] = {}
        pauses = {rule.code: pause for rule in self._rules if (pause := asked.pause_of(rule)) is not None}
        for line in self._lines:
            if line.doing is Doing.CALLED_OFF and line.rule in pauses:
                continue  # it is decided again once the rule goes on: that is the doing of the pause, not of the plan
            lines.setdefault(line.rule, []).append(line)
        rules = tuple(self._rule_plan(rule, lines.get(rule.code, ()), held, whole) for rule in self._rules)
        held_now = [HeldBefore.of(each.rule, each.holds, each.lines) for each in rules]
        orphans = self._orphans()
        return StorePlan(
            store=self._store,
            title=self._vendor.TITLE,
            products=len(self._catalogue.products),
            categories=len(self._catalogue.categories),
            rules=rules,
            cost=self._calls.cost(),
            orphans=orphans,
            notes=tuple(change_notes(held_now, changes, orphans, asked, prints)),
            pauses=pauses,
            open=self._open,
            failed=self._failed,
        )

    def _orphans(self) -> dict[RuleCode, int]:
        """What rules hold that run here no more, apart from what was ordered already."""
        codes = dict.fromkeys((*self._names, *(rule.code for rule in self._rules)), "")
        read = partial(vanished, in_force={self._store.alias: codes})
        gone = self._catalogue.database.read_now(read)
        return {each.rule: each.products for each in gone if each.store == self._store.alias}

    def _rule_plan(
        self, rule: Rule, lines: Sequence[Line], held: Mapping[RuleCode, int], whole: Sequence[str]
    ) -> RulePlan:
        emptied = [id_ for id_ in whole if rule.code in self._emptied]
        directory = self._catalogue.directory
        return RulePlan(
            rule=rule,
            lines=tuple(sorted(lines, key=lambda line: line.order)),
            met=self._met[rule.code],
            cannot_tell=self._untold[rule.code],
            holds=held.get(rule.code, 0),
            waits_for=unknown_name(rule, directory) or self._ripening(rule),
            asks=self._asks(rule),
            irreversible=tuple(self._irreversible(rule, lines, [category_called(id_, directory) for id_ in emptied])),
            loses=tuple(self._losses(lines)),
        )

    def _asks(self, rule: Rule) -> tuple[str, ...]:
        """What it would ask first, and what its floors would make wait."""
        former = [old for old, code in self._names.items() if code == rule.code]
        read = partial(self._wishes.asks, store=self._store.alias, rule=rule, former=former)
        asks = self._catalogue.database.read_now(read) if rule.guards.may_ask else []
        return (*asks, *self._wishes.floors(rule, self._members, self._catalogue.directory))

    def _ripening(self, rule: Rule) -> str:
        unripe, span = self._unripe[rule.code], rule.guards.must_last
        if not unripe or span is None:
            return ""
        categories = "1 category" if unripe == 1 else f"{unripe} categories"
        return f"its condition must last {say_duration(span)}, and does not yet for {categories}"

    def _irreversible(self, rule: Rule, lines: Sequence[Line], emptied: Sequence[str]) -> Iterator[str]:
        """What could not simply be taken back."""
        kinds = {line.kind for line in lines if line.doing in {Doing.TAKEN, Doing.ONCE}}
        if any(line.doing is Doing.ONCE for line in lines):
            yield "acts once: what it does is never given back"
        elif kinds and rule.is_while and rule.leaves:
            yield "`afterwards: leave`: what it does stays so when its condition ends"
        able = self._vendor.CAPABILITIES.actions
        if ActionKind.UNASSIGN_BRAND in kinds and ActionKind.ASSIGN_BRAND not in able:
            yield f"{self._vendor.TITLE} cannot give a product its brand back"
        for name in emptied:
            yield f"one call takes every product out of {name}; only the engine remembers which they were"
        last = {line.product for line in lines if line.is_last}
        if last:
            top = self._vendor.CAPABILITIES.promotes_to
            where = f", and the shop puts them into {category_called(top, self._catalogue.directory)}" if top else ""
            yield f"{len(last)} of the products would be in no category any more{where}"

    def _losses(self, lines: Sequence[Line]) -> Iterator[str]:
        """What a return to a category costs."""
        loses = self._vendor.CAPABILITIES.loses
        if not loses:
            return
        back = {line.product for line in lines if line.doing is Doing.RETURNED}
        out = {
            line.product for line in lines if line.doing is Doing.TAKEN and line.kind is ActionKind.REMOVE_FROM_CATEGORY
        }
        if back:
            yield f"what comes back loses {loses}"
        elif out:
            yield f"what comes back later loses {loses}"
