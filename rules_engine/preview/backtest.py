"""Backtest: a rulebook played over what was recorded of the last days, beside what really happened."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cached_property, partial

import sqlalchemy as sa

from rules_engine.core.action import Aspect
from rules_engine.core.condition import happens_in
from rules_engine.core.directory import Directory
from rules_engine.core.judge import unknown_name
from rules_engine.core.plan import Step
from rules_engine.core.rule import EffectKind, Identified, Mode, Named, Rule, Rulebook, RuleCode, longest_pause
from rules_engine.core.store import Store
from rules_engine.core.subject import SubjectKind, SubjectRef
from rules_engine.core.view import shown
from rules_engine.database.catalogue import load_directory
from rules_engine.database.engine import Database
from rules_engine.vendors.base import AnyVendor

from .backtest_first import First, explained
from .backtest_play import CategoryTurn, Deed, Player, Stage, start_deed
from .backtest_read import Births, CallsMade, Recorded, births, calls_made, every_subject, known_since, recorded
from .backtest_tally import CallCount, Comparison, Count, Tally, by_rule
from .backtest_timeline import Doings, Timeline, timeline
from .catalogue import PAGE, NewNames, new_names

FORGOTTEN = timedelta(days=14)
"""So long it is known when webhooks came."""


@dataclass(frozen=True, slots=True)
class RuleBacktest:
    """One rule in one store: what it really did and what it would have done, None on a side that has no such rule.

    `differs` counts the products with which it did otherwise; `first` is where it did so first. `rule` is None for one
    that is no more. `notes` are sentences for people.
    """

    code: RuleCode
    rule: Rule | None
    then: Count | None
    now: Count | None
    differs: int = 0
    first: First | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StoreBacktest:
    """A rulebook played over what was recorded of one store between `since` and `until` (aware UTC).

    `products` were known in that time, `changes` counts what was seen of them and of categories. `known_since` is when
    the first change that is kept was seen, None where none is. `then` and `now` are all rules together; they are not
    shown where it is not `is_whole`, but of some rules. `failed` are subjects that could not be played, each with the
    reason.
    """

    store: Store
    title: str
    since: datetime
    until: datetime
    products: int
    changes: int
    known_since: datetime | None
    rules: tuple[RuleBacktest, ...] = ()
    then: Count = field(default_factory=Count)
    now: Count = field(default_factory=Count)
    failed: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    is_whole: bool = True

    def only(self, codes: frozenset[RuleCode]) -> StoreBacktest:
        """The backtest of these rules alone, as they did among all others."""
        return replace(self, rules=tuple(each for each in self.rules if each.code in codes), is_whole=False)


def backtest(
    database: Database,
    store: Store,
    vendor: AnyVendor,
    rulebook: Rulebook,
    *,
    since: datetime,
    now: datetime,
    lag: timedelta,
) -> StoreBacktest:
    """Play `rulebook` over what was recorded of a store from `since` until `now`, beside what really happened.

    Nothing is written and nobody is called. A page of products is in memory at a time; what grows besides is what the
    rules do. Raises `DatabaseError`.
    """
    rules = rulebook.for_store(store.alias)
    stage = Stage(
        store=store,
        vendor=vendor,
        rules=rules,
        directory=Directory(names=store.settings.names),
        lag=lag,
        takes=max(timedelta(days=1), longest_pause(rules)),
        since=since,
        until=now,
    )
    return _Backtest(database, stage, new_names(rulebook.rules)).run()


class _Backtest:
    """One rulebook over one store's recorded time. `names` are the present codes of rules that had others."""

    def __init__(self, database: Database, stage: Stage, names: NewNames) -> None:
        self._database = database
        self._stage = stage
        self._names = names
        self._then, self._now = Tally(), Tally()
        self._calls = CallCount(stage.vendor)
        self._comparison = Comparison()
        self._changes = 0
        self._failed: dict[str, str] = {}
        self._births: Births = {}

    def run(self) -> StoreBacktest:
        """Categories first, then the products page by page, then what is to be said of it all."""
        made, known, products = self._database.read_now(self._open)
        self._play_categories()
        count = 0
        for start in range(0, len(products), PAGE):
            for each in self._read(SubjectKind.PRODUCT, products[start : start + PAGE]):
                count += self._play_product(each)
        return self._finished(made, known, count)

    def _open(self, connection: sa.Connection) -> tuple[CallsMade, datetime | None, list[str]]:
        stage, alias = self._stage, self._stage.store.alias
        directory = load_directory(connection, self._stage.store, self._stage.vendor.CAPABILITIES)
        self._stage = replace(stage, directory=directory)
        if any(map(_hears, self._stage.rules)):
            self._births = births(connection, alias, stage.since)
        made = calls_made(connection, alias, stage.since, self._names)
        return made, known_since(connection, alias), every_subject(connection, alias, SubjectKind.PRODUCT)

    def _read(self, kind: SubjectKind, ids: Sequence[str]) -> list[Recorded]:
        read = partial(recorded, store=self._stage.store.alias, kind=kind, ids=ids, names=self._names)
        return self._database.read_now(read)

    # ------------------------------------------------------------------------------------ play

    def _play_categories(self) -> None:
        """Rules about categories: how they stood for every category, for the products to know."""
        if not any(rule.about is SubjectKind.CATEGORY for rule in self._stage.rules):
            return
        turns: list[CategoryTurn] = []
        read = partial(every_subject, store=self._stage.store.alias, kind=SubjectKind.CATEGORY)
        for each in self._read(SubjectKind.CATEGORY, self._database.read_now(read)):
            line = self._line(each)
            self._changes += line.changes
            player = self._played(line, each.doings)
            if player is not None:
                turns += player.turns
        self._stage = replace(self._stage, turns=sorted(turns, key=lambda turn: turn.at))

    def _play_product(self, each: Recorded) -> bool:
        """Play one product and count it on both sides; says whether it was known in that time at all."""
        line = self._line(each)
        if line.start is None and not line.sights:
            return False
        self._changes += line.changes
        really = by_rule(filter(self._is_asked_for, really_done(each.doings, line, self._stage)))
        player = self._played(line, each.doings)
        played = by_rule(filter(self._is_asked_for, player.deeds)) if player is not None else {}
        self._then.add(really)
        self._now.add(played)
        if player is not None:
            self._calls.add(player.deeds)
            self._comparison.add(each.ref, really, played)
        return True

    def _is_asked_for(self, deed: Deed) -> bool:
        """Whether a rule asked for it: not when the shop made a membership by itself, and it is undone afterwards."""
        top = self._stage.vendor.CAPABILITIES.promotes_to
        is_there = deed.slot.aspect is Aspect.MEMBERSHIP and deed.slot.target == top
        return not (is_there and (deed.is_start or deed.step is Step.GIVE_BACK)) or deed.rule in self._adders

    @cached_property
    def _adders(self) -> frozenset[RuleCode]:
        """The rules that put products where the shop puts them by itself."""
        top, directory = self._stage.vendor.CAPABILITIES.promotes_to, self._stage.directory
        return frozenset(
            rule.code
            for rule in self._stage.rules
            for effect in rule.effects
            for target in effect.targets
            if isinstance(target, Named | Identified)
            and effect.kind is EffectKind.ADD_TO_CATEGORY
            and directory.category(target) == top
        )

    def _line(self, each: Recorded) -> Timeline:
        stage = self._stage
        return timeline(
            each.ref,
            each.states,
            each.doings,
            since=stage.since,
            directory=stage.directory,
            lag=stage.lag,
            promotes_to=self._stage.vendor.CAPABILITIES.promotes_to,
            births=self._births.get(each.ref, ()),
        )

    def _played(self, line: Timeline, doings: Doings) -> Player | None:
        try:
            return Player(line, self._stage).play(doings)
        except Exception as error:  # noqa: BLE001  # whatever it is, it must not hide what the others would have done
            self._failed[str(line.ref)] = f"playing it failed: {error!r}"
            return None

    # ------------------------------------------------------------------------------------ conclude

    def _finished(self, made: CallsMade, known: datetime | None, products: int) -> StoreBacktest:
        stage, calls = self._stage, self._calls.by_rule()
        ours = {rule.code: rule for rule in self._stage.rules}
        others = sorted(set(self._then.products) - set(ours))
        return StoreBacktest(
            store=self._stage.store,
            title=self._stage.vendor.TITLE,
            since=stage.since,
            until=stage.until,
            products=products,
            changes=self._changes,
            known_since=known,
            rules=tuple(
                RuleBacktest(
                    code=code,
                    rule=ours.get(code),
                    then=self._then.of(code, made.by_rule.get(code, 0)),
                    now=self._now.of(code, calls[code]) if code in ours else None,
                    differs=self._comparison.products[code],
                    first=self._first(code, ours.get(code)),
                    notes=tuple(self._rule_notes(ours[code], products)) if code in ours else (),
                )
                for code in [*ours, *others]
            ),
            then=self._then.total(made.total),
            now=self._now.total(self._calls.total()),
            failed=self._failed,
            notes=tuple(self._notes()),
        )

    def _first(self, code: RuleCode, rule: Rule | None) -> First | None:
        """Where the rule first did otherwise, explained: its product is played again, up to that time."""
        difference = self._comparison.first.get(code)
        if difference is None:
            return None
        stage = self._stage
        player = self._until(difference.ref, difference.at)
        is_of_product = rule is None or rule.about is SubjectKind.PRODUCT
        judged = player if is_of_product else self._until(difference.about, difference.at)
        return explained(difference, rule, stage, player=player, judged=judged)

    def _until(self, ref: SubjectRef, at: datetime) -> Player:
        """One subject, played again up to that time."""
        (each,) = self._read(ref.kind, [ref.id])
        return Player(self._line(each), self._stage, until=at).play(each.doings)

    def _rule_notes(self, rule: Rule, products: int) -> Iterator[str]:
        if rule.mode is Mode.WATCH:
            yield "only watches: it does nothing, here as in the engine"
        if rule.mode is Mode.PAUSED:
            yield "is paused: it does nothing, here as in the engine"
        waits_for = unknown_name(rule, self._stage.directory)
        if waits_for:
            yield f"waits: {waits_for}"
        if breach := self._calls.breach(rule, products):
            yield breach

    def _notes(self) -> Iterator[str]:
        """What a backtest cannot know, as far as it matters here."""
        able = self._stage.vendor.CAPABILITIES
        if not able.can_read:
            yield (
                f"{self._stage.vendor.TITLE} cannot be read: what its webhooks did not tell is not known, and what "
                "people undid shows only in a later webhook."
            )
        if (
            any(happens_in(rule.condition) for rule in self._stage.rules)
            and self._stage.until - self._stage.since > FORGOTTEN
        ):
            yield "Webhooks are kept for 14 days: of the time before, rules with `happens` saw none."
        if any(rule.guards.must_last for rule in self._stage.rules):
            yield "What must last counts from the start of this time, unless its stretch was held then or still runs."
        if any(rule.about is SubjectKind.CATEGORY for rule in self._stage.rules):
            yield "The number of products in a category is what it really was."


def really_done(doings: Doings, line: Timeline, stage: Stage) -> Iterator[Deed]:
    """What rules really did with a product in the span, and what they held of it when that began."""
    for each in doings.holds:
        is_held = each.is_open(stage.since) and shown(line.shown, each.slot) == each.hold.wish
        if is_held and each.hold.wish != shown(line.start, each.slot):
            baseline = shown(line.start, each.slot)
            was = baseline if isinstance(baseline, bool | str) else None
            yield start_deed(each.slot, each.hold, was, stage.since)
    for action in doings.actions:
        if action.step is not Step.UNDO and action.done_at is not None and stage.since < action.done_at <= stage.until:
            yield Deed.of(action, action.done_at, action.rules[0])


def _hears(rule: Rule) -> bool:
    """Whether the rule looks at what webhooks tell, not only at what is seen because of them."""
    return happens_in(rule.condition) or (rule.unless is not None and happens_in(rule.unless))
