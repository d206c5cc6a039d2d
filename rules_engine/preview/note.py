"""The morning note: what rules did since some time, and what waits for people, for each store."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from rules_engine.core.bounds import WAITS_UNTIL
from rules_engine.core.delivery import StoreAlias
from rules_engine.core.holds import HoldState
from rules_engine.core.pause import Pause
from rules_engine.core.plan import PlannedAction, Step
from rules_engine.core.question import Question, QuestionId, QuestionState
from rules_engine.core.rule import Mode, Rule, RuleCode
from rules_engine.core.store import Store
from rules_engine.core.sweep import Sweep, SweepKind
from rules_engine.core.view import Fields
from rules_engine.database.answers import count_products
from rules_engine.database.catalogue import held_by_rule
from rules_engine.database.holdings import Counted, Holding, count_holds
from rules_engine.database.lanes import load_lanes
from rules_engine.database.pauses import open_pauses
from rules_engine.database.questions import load_questions
from rules_engine.database.sweeps import last_sweep
from rules_engine.database.tallies import (
    Deeds,
    KeptWaiting,
    count_dead,
    count_kept_waiting,
    count_set_aside,
    deeds_since,
    last_deeds,
    last_told,
)
from rules_engine.vendors import VENDORS

from .naming import ProductName, Wording, name_products
from .why_words import Clock

FIRST = 5
"""So many of what stands open are named, those that have stood longest first."""
NAMED = 3
"""So many products of what a rule did are named."""

_HELD = (HoldState.TAKEN, HoldState.HOLDING)
_COMPLETE = tuple(kind for kind in SweepKind if kind.is_complete)


@dataclass(frozen=True, slots=True)
class Done:
    """What one rule did of one kind: to how many products, and what people call the first of them."""

    rule: RuleCode
    step: Step
    products: int
    names: tuple[ProductName, ...]


@dataclass(frozen=True, slots=True)
class Stands:
    """One product of a rule, as it stands since then. `text` says how, with the product's name; `reason` why."""

    rule: RuleCode
    product: ProductName
    text: str
    since: datetime
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """What stands in one way: of how many products, and the first of them."""

    products: int = 0
    first: tuple[Stands, ...] = ()


@dataclass(frozen=True, slots=True)
class Open:
    """A question that waits for an answer, and of how many products it is, where that is known."""

    question: Question
    products: int


@dataclass(frozen=True, slots=True)
class Idle:
    """A rule that did nothing and holds nothing; when it last did something, None if nobody remembers it."""

    rule: RuleCode
    last: datetime | None


@dataclass(frozen=True, slots=True)
class StoreNote:
    """The morning note of one store.

    `done` is what rules did since the time that is asked about, and `stepped_back` where people won since; everything
    else is as it stands now. `parked` says why the store cannot work. `rules` counts the rules that may act; `idle` are
    those of them that did nothing, the longest first; what was done longer ago than `kept` is not remembered. `aside`
    are subjects with why they could not be looked at.
    """

    store: StoreAlias
    clock: Clock
    since: datetime
    done: tuple[Done, ...]
    held: Group
    owed: Group
    kept_waiting: Group
    put_off: Group
    stepped_back: Group
    questions: tuple[Open, ...]
    pauses: tuple[Pause, ...]
    parked: str
    dead: int
    set_aside: int
    aside: tuple[tuple[str, str], ...]
    rules: int
    idle: tuple[Idle, ...]
    kept: timedelta
    can_be_swept: bool
    sweep: Sweep | None


@dataclass(frozen=True, slots=True)
class _Everywhere:
    """What is the same for all stores, and what is asked for once for them all."""

    since: datetime
    now: datetime
    kept: timedelta
    deeds: Sequence[Deeds]
    questions: Sequence[Question]
    sizes: Mapping[QuestionId, int]
    pauses: Sequence[Pause]
    dead: Mapping[StoreAlias, int]
    parked: Mapping[StoreAlias, str]


def gather_note(
    connection: sa.Connection,
    stores: Iterable[Store],
    rules_of: Mapping[StoreAlias, Sequence[Rule]],
    *,
    since: datetime,
    now: datetime,
    kept: timedelta,
) -> list[StoreNote]:
    """The note of each of these stores. `rules_of` are the rules in force by store; those times are aware.

    `kept` is how long it is remembered what rules did.
    """
    asked = load_questions(connection, states=[QuestionState.OPEN])
    everywhere = _Everywhere(
        since=since,
        now=now,
        kept=kept,
        deeds=deeds_since(connection, since, first=NAMED),
        questions=asked,
        sizes=count_products(connection, asked),
        pauses=open_pauses(connection),
        dead=count_dead(connection),
        parked={alias: lane.parked_because for alias, lane in load_lanes(connection).items()},
    )
    return [_of_store(connection, each, rules_of.get(each.alias, ()), everywhere) for each in stores]


def _of_store(connection: sa.Connection, store: Store, rules: Sequence[Rule], everywhere: _Everywhere) -> StoreNote:
    alias = store.alias
    deeds = [each for each in everywhere.deeds if each.store == alias]
    standing = {
        "held": count_holds(connection, alias, _HELD, first=FIRST),
        "owed": count_holds(connection, alias, [HoldState.OWED], first=FIRST),
        "put off": count_holds(connection, alias, [HoldState.PENDING], first=FIRST, reason=WAITS_UNTIL),
        "stepped back": count_holds(
            connection, alias, [HoldState.STEPPED_BACK], first=FIRST, changed_since=everywhere.since
        ),
    }
    names = name_products(connection, alias, (id_ for each in deeds for id_ in each.first))
    words = _Words(Wording.load(connection, [store]), alias)
    aside = count_set_aside(connection, alias, first=FIRST)
    live = [rule for rule in rules if rule.mode is Mode.LIVE]
    with_floors = [rule.code for rule in live if rule.guards.floors]
    return StoreNote(
        store=alias,
        clock=Clock(everywhere.now, store.zone),
        since=everywhere.since,
        done=tuple(
            Done(each.rule, each.step, each.products, tuple(names[id_] for id_ in each.first)) for each in deeds
        ),
        held=words.group(standing["held"]),
        owed=words.group(standing["owed"]),
        kept_waiting=words.kept_waiting(count_kept_waiting(connection, alias, with_floors, first=FIRST)),
        put_off=words.group(standing["put off"]),
        stepped_back=words.group(standing["stepped back"]),
        questions=tuple(
            Open(each, everywhere.sizes.get(each.id, 0)) for each in everywhere.questions if each.store == alias
        ),
        pauses=tuple(pause for pause in everywhere.pauses if pause.is_in(alias)),
        parked=store.parked_because or everywhere.parked.get(alias, ""),
        dead=everywhere.dead.get(alias, 0),
        set_aside=aside.subjects,
        aside=tuple((str(ref), reason) for ref, reason in aside.first),
        rules=len(live),
        idle=_idle(connection, alias, live, everywhere.since),
        kept=everywhere.kept,
        can_be_swept=VENDORS[store.settings.vendor].CAPABILITIES.can_list,
        sweep=last_sweep(connection, alias, _COMPLETE),
    )


@dataclass(frozen=True, slots=True)
class _Words:
    """Says what stands in a store, by the names that people know."""

    wording: Wording
    store: StoreAlias

    def group(self, counted: Counted) -> Group:
        return Group(counted.products, tuple(self._stands(each) for each in counted.first))

    def kept_waiting(self, kept: KeptWaiting) -> Group:
        """What is not done yet because a category would get too empty."""
        return Group(kept.products, tuple(self._waits(action, fields) for action, fields in kept.first))

    def _waits(self, action: PlannedAction, fields: Fields) -> Stands:
        named = ProductName.from_fields(action.slot.product, fields)
        text = self.wording(self.store, action.slot, fields).make(action.wish, named.short)
        return Stands(action.rules[0], named, text, action.created_at, action.reason)

    def _stands(self, holding: Holding) -> Stands:
        hold, named = holding.hold, ProductName.from_fields(holding.slot.product, holding.fields)
        name, words = named.short, self.wording(self.store, holding.slot, holding.fields)
        match hold.state:
            case HoldState.OWED:
                text = words.returns(holding.baseline, name)
            case HoldState.PENDING:
                text = words.make(hold.wish, name)
            case HoldState.STEPPED_BACK:
                text = f"{name} {words.is_so(holding.baseline)}"
            case _:
                text = f"{name} {words.is_so(hold.wish)}"
        since = hold.since if hold.state in _HELD else hold.changed_at or hold.since
        return Stands(hold.rule, named, text, since, hold.reason)


def _idle(connection: sa.Connection, store: StoreAlias, live: Sequence[Rule], since: datetime) -> tuple[Idle, ...]:
    """The rules that did nothing since then and hold nothing, those that did nothing for the longest first."""
    holding = held_by_rule(connection, store)
    unused = [rule for rule in live if rule.code not in holding]
    last = last_deeds(connection, store, [rule.code for rule in unused])
    if any(rule.notifies for rule in unused):
        for code, at in last_told(connection, store).items():
            last[code] = max(at, last.get(code, at))
    idle = [Idle(rule.code, last.get(rule.code)) for rule in unused]
    waiting = [each for each in idle if each.last is None or each.last < since]
    return tuple(sorted(waiting, key=lambda each: (each.last is not None, each.last, each.rule)))
