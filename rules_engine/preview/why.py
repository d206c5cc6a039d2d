"""Why rules did, or did not do, something with a product or category: now, at a past time, or at one to come."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from rules_engine.core.explain import listed
from rules_engine.core.pause import Pause, as_paused
from rules_engine.core.plan import ActionState, PlannedAction, Step
from rules_engine.core.rule import Mode, Rule, Rulebook
from rules_engine.core.store import Store
from rules_engine.vendors.base import AnyVendor

from .why_facts import Asked, Facts, gather
from .why_find import Match
from .why_rule import RuleWhy, explain_rule
from .why_words import Clock, why_held_back


@dataclass(frozen=True, slots=True)
class InForce:
    """The rulebook that is explained. `since` is when it was put in force; None: it never was, it comes from files.

    `pauses` are what people had stopped by command.
    """

    rulebook: Rulebook
    since: datetime | None = None
    pauses: tuple[Pause, ...] = ()


@dataclass(frozen=True, slots=True)
class Next:
    """Something that comes next: when (None: as soon as may be), and what. What `is_held_back` waits for its reason."""

    at: datetime | None
    text: str
    is_held_back: bool = False


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """A rule that does not run for the store, and why not."""

    rule: Rule
    reason: str


@dataclass(frozen=True, slots=True)
class Why:
    """The whole answer about one subject of one store. `notes` are what stands in the way of everything there."""

    facts: Facts
    in_force: InForce
    called: str
    sku: str
    notes: tuple[str, ...]
    rules: tuple[RuleWhy, ...]
    elsewhere: tuple[Elsewhere, ...]
    next: tuple[Next, ...]

    @property
    def clock(self) -> Clock:
        """Says times in the store's zone."""
        return Clock(self.facts.asked.now, self.facts.store.zone)


def explain(
    connection: sa.Connection,
    match: Match,
    *,
    store: Store,
    vendor: AnyVendor,
    in_force: InForce,
    asked: Asked,
) -> Why:
    """Why the rules that are asked about did or did not act on what was found. It reads the database and no shop."""
    facts = gather(connection, store, vendor, match.ref, asked)
    running = as_paused(in_force.rulebook.for_store(store.alias), in_force.pauses, store.alias)
    rules: list[RuleWhy] = []
    for rule in running:
        if asked.only in {None, rule.code}:
            rules += (each for each in _of_rule(connection, rule, facts) if each.finding is not None or each.held)
    elsewhere = [
        Elsewhere(rule, _left_out(in_force.rulebook, rule, store))
        for rule in in_force.rulebook.rules
        if store.alias not in rule.stores and rule.about is match.ref.kind and asked.only in {None, rule.code}
    ]
    return Why(
        facts=facts,
        in_force=in_force,
        called=str(facts.fields.get("name") or match.called),
        sku=str(facts.fields.get("sku") or match.sku),
        notes=tuple(_notes(facts, in_force)),
        rules=tuple(rules),
        elsewhere=tuple(elsewhere),
        next=() if asked.is_past else tuple(_next(facts, rules)),
    )


def _of_rule(connection: sa.Connection, rule: Rule, facts: Facts) -> Iterator[RuleWhy]:
    """How one rule stands; a rule about categories is told for a product if it holds something of it."""
    if rule.about is facts.ref.kind:
        yield explain_rule(rule, facts)
        return
    subjects = {
        hold.subject: None
        for slot in facts.case.slots.values()
        for hold in slot.open_holds
        if hold.rule == rule.code and hold.subject.kind is not facts.ref.kind
    }
    for subject in subjects:
        category = gather(connection, facts.store, facts.vendor, subject, facts.asked)
        yield explain_rule(rule, facts, category)


def _left_out(rulebook: Rulebook, rule: Rule, store: Store) -> str:
    reason = rulebook.left_out.get(rule.code, {}).get(store.alias)
    return reason or f"its `stores:` names {listed(rule.stores)}"


def _notes(facts: Facts, in_force: InForce) -> Iterator[str]:
    asked, known, clock = facts.asked, facts.known, Clock(facts.asked.now, facts.store.zone)
    if in_force.since is None and asked.is_past:
        yield "No rules were in force then: this is by the rule files of today."
    elif in_force.since is None:
        yield "No rules are in force yet (`rules-engine release` puts them in force): this is by the rule files."
    if not known.is_exact:
        yield (
            f"How it was {clock.when(asked.at)}, is not kept any more: this is the oldest state that is still known. "
            "RETENTION_DAYS says how long that is kept."
        )
    if known.snapshot is None and not known.is_gone:
        yield f"The engine did not know this {facts.ref.kind} yet."
    if known.is_gone:
        yield f"The shop said that this {facts.ref.kind} no longer exists: no rule does anything with it."
    if asked.at > asked.now:
        yield f"This is how it would be {clock.when(asked.at)}, if nothing changes until then."
    stopped = (pause for pause in in_force.pauses if pause.is_of_everything and pause.is_in(facts.store.alias))
    for pause in stopped:
        yield (
            f"A person paused everything ({clock.at(pause.since)}), because {pause.because}: nothing is called. "
            f"`{pause.resume}` lets it go on."
        )
    if asked.is_past:
        return
    if facts.lane.parked_because:
        yield f"The store is parked, and nothing is called: {facts.lane.parked_because}"
    elif facts.lane.blocked_until is not None and facts.lane.blocked_until > asked.now:
        yield f"The shop is left alone until {clock.both(facts.lane.blocked_until)}; then calls go on."
    yield from _orphans(facts, in_force)


def _orphans(facts: Facts, in_force: InForce) -> Iterator[str]:
    """What rules hold that do not run here any more."""
    live = {rule.code for rule in in_force.rulebook.for_store(facts.store.alias)}
    for slot in facts.case.slots.values():
        for hold in slot.open_holds:
            if hold.rule not in live:
                words = facts.words(slot.ref)
                yield f"{hold.rule}, which is in these rules no more, {words.keeps(hold.wish, 'the product')}."


def _next(facts: Facts, rules: Sequence[RuleWhy]) -> Iterator[Next]:
    """What comes next, in the order of time."""
    found = [
        _of_action(facts, action)
        for action in facts.case.actions.values()
        if action.state.is_open and facts.asked.only in {None, *action.rules}
    ]
    for each in rules:
        if each.acts_at is not None and each.rule.mode is Mode.LIVE:
            found.append(Next(each.acts_at, f"{each.rule.code} acts, if its condition is still met then"))
        elif each.turns_at is not None:
            found.append(Next(each.turns_at, f"the clock may turn the condition of {each.rule.code}"))
    if facts.asked.only is None and facts.look is not None and facts.look.due_at not in {each.at for each in found}:
        found.append(Next(facts.look.due_at, f"the {facts.ref.kind} is looked at again: {facts.look.reason}"))
    yield from sorted(found, key=lambda each: each.at or facts.asked.now)


def _of_action(facts: Facts, action: PlannedAction) -> Next:
    words, rule, what = facts.words(action.slot), action.rules[0], "the product"
    deed = words.make(action.wish, what)
    if action.step is Step.GIVE_BACK:
        returns = f"{words.returns(action.wish, what)}, because {rule} gives back what it took"
    else:
        returns = f"{rule} is to {deed}"
    tried = "once" if action.attempts == 1 else f"{action.attempts} times"
    match action.state:
        case ActionState.PENDING if action.due_at is None or action.due_at <= facts.asked.now:
            return Next(None, returns)
        case ActionState.PENDING:
            return Next(action.due_at, f"{returns}, if that is still wanted then")
        case ActionState.WAITING:
            why = f": {action.reason.rstrip('.')}" if action.reason else ""
            return Next(action.due_at, f"{returns}, if that is still wanted then (tried {tried}{why})")
        case ActionState.SENT:
            return Next(action.due_at, f"the shop was asked to {deed}, for {rule}: whether it did is not known yet")
        case ActionState.HELD:
            return Next(None, f"{returns}: {why_held_back(action, facts.questions)}", is_held_back=True)
        case _:
            return Next(action.due_at, f"the shop said done: {deed}, for {rule}; a look is still to show it")
