"""Writing a test from a delivery: what its rules saw then, and what they did because of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from rules_engine.core.action import Aspect, SlotRef
from rules_engine.core.condition import Truth
from rules_engine.core.delivery import StoreAlias
from rules_engine.core.holds import Hold, HoldState
from rules_engine.core.plan import PlannedAction, Step, Trace
from rules_engine.core.rule import EffectKind, Rule, RuleCode
from rules_engine.core.scenario import Expected
from rules_engine.core.store import Store
from rules_engine.core.subject import SubjectKind, SubjectRef, category, product
from rules_engine.core.view import with_slots
from rules_engine.database.inbox import StoredDelivery
from rules_engine.database.ledger import load_cases
from rules_engine.database.results import results_for
from rules_engine.database.rows import hold_from_row, slot_from_row
from rules_engine.database.tables import holds
from rules_engine.vendors.base import AnyVendor

from .scenario_given import Wanted
from .scenario_plain import plainly
from .why_facts import Asked, Facts, gather

MOST_MEMBERS = 100
"""So many products of a category stand in a test: a few show as much."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """A test of one rule as plain values, ready to be written; `expect` is what really happened.

    `notes` are sentences for people that stand above it, `traces` what the rule said when it happened.
    """

    rule: RuleCode
    name: str
    subject: SubjectRef
    store: StoreAlias
    given: Mapping[str, Any]
    expect: tuple[Mapping[str, Any] | str, ...] | str
    at: str = ""
    notes: tuple[str, ...] = ()
    traces: tuple[str, ...] = field(default=())


def record(
    connection: sa.Connection,
    stored: StoredDelivery,
    rules: Sequence[Rule],
    store: Store,
    vendor: AnyVendor,
    *,
    is_asked: bool = False,
    now: datetime,
    kept_since: datetime,
) -> list[Recorded]:
    """A test for each of these rules that had something to say about the delivery, in rule order. Reads only.

    When it `is_asked` for the rules there are tests of them in any case, as long as the engine still knows what their
    subject was like. From `kept_since` on nothing of the history was forgotten.
    """
    came = results_for(
        connection, store.alias, stored.subjects, cause=stored.delivery.id, since=stored.delivery.received_at
    )
    caused = [trace for trace in came.traces if stored.delivery.id in trace.caused_by]
    actions = [action for action in came.actions if _is_caused(action, stored, caused)]
    found = []
    for rule in rules:
        told = [trace for trace in caused if trace.rule == rule.code]
        ref = _subject(rule, stored, told)
        if ref is None or (not is_asked and not any(trace.subject == ref for trace in told)):
            continue
        one = _Recorder(connection, stored, rule, store, vendor, now=now, kept_since=kept_since)
        made = one.record(ref, told, [action for action in actions if action.rules[0] == rule.code])
        if made is not None:
            found.append(made)
    return found


def _is_caused(action: PlannedAction, stored: StoredDelivery, caused: Sequence[Trace]) -> bool:
    """Whether the delivery led to it. What is done to a category's products names no delivery, but was decided then."""
    if stored.delivery.id in action.caused_by:
        return True
    is_of_category = action.about.kind is SubjectKind.CATEGORY and action.about in {trace.subject for trace in caused}
    end = stored.planned_at or stored.delivery.received_at
    return is_of_category and min(trace.at for trace in caused) <= action.created_at <= end


def _subject(rule: Rule, stored: StoredDelivery, told: Iterable[Trace]) -> SubjectRef | None:
    """What the test is about: the first subject of the delivery of which the rule had something to say."""
    mine = [ref for ref in stored.subjects if ref.kind is rule.about]
    named = [trace.subject for trace in told if trace.subject.kind is rule.about]
    return next((ref for ref in mine if ref in named), next(iter([*named, *mine]), None))


@dataclass(slots=True)
class _Recorder:
    """Writes the test of one rule."""

    connection: sa.Connection
    stored: StoredDelivery
    rule: Rule
    store: Store
    vendor: AnyVendor
    now: datetime
    kept_since: datetime
    notes: list[str] = field(default_factory=list)

    def record(self, ref: SubjectRef, told: Sequence[Trace], actions: Sequence[PlannedAction]) -> Recorded | None:
        """The test; None when nothing is known of its subject at that time."""
        stored = self.stored
        at = next(
            (trace.at for trace in told if trace.subject == ref), stored.planned_at or stored.delivery.received_at
        )
        facts = gather(self.connection, self.store, self.vendor, ref, Asked(at, max(self.now, at), self.kept_since))
        if facts.known.snapshot is None:
            return None
        wanted = Wanted(self.rule, facts.directory)
        given = self._given(facts, wanted, actions, at)
        truth = next((trace.truth for trace in told if trace.subject == ref), None)
        others = len(stored.subjects) - 1
        if others > 0:
            self.notes.append(f"The delivery names {others + 1} products or categories; this is {ref}.")
        if wanted.has_replaced:
            self.notes.append("What looked personal or secret was replaced, also where the rule may look at it.")
        if wanted.looks_at_raw:
            self.notes.append(f"The rule looks at {ref.kind}.raw, the shop's own object, which is not written down.")
        if not facts.known.is_exact:
            self.notes.append("How it was then is no longer kept: this is the oldest state that still is.")
        local = at.astimezone(self.store.zone)
        needs_time = wanted.looks_at_time or self.rule.guards.hours is not None
        return Recorded(
            rule=self.rule.code,
            name=f"as delivered on {local:%Y-%m-%d} at {local:%H:%M} ({stored.delivery.id[:8]})",
            subject=ref,
            store=self.store.alias,
            given=given,
            expect=self._expect(facts, wanted, actions, truth),
            at=f"{local:%Y-%m-%d %H:%M}" if needs_time else "",
            notes=tuple(self.notes),
            traces=tuple(dict.fromkeys(trace.text for trace in told)),
        )

    # ------------------------------------------------------------------------------------ given

    def _given(self, facts: Facts, wanted: Wanted, actions: Sequence[PlannedAction], at: datetime) -> dict[str, Any]:
        """`given` as a test has it: the subject, what was before, what was held, what happened."""
        ref = facts.ref
        fields, unknown = wanted.given(self._as_seen(facts, facts.fields, actions))
        given: dict[str, Any] = {str(ref.kind): fields}
        if ref.kind is SubjectKind.CATEGORY and (skus := self._skus(facts, actions, at)):
            given["products"] = skus
        given |= self._before(facts, wanted, fields, actions)
        if held := self._held(facts, wanted, at):
            given["held"] = held
        if (event := self._event()) != "updated":
            given["event"] = event
        if unknown:
            given["unknown"] = [f"{ref.kind}.{name}" for name in unknown]
        return given

    def _as_seen(self, facts: Facts, fields: Mapping[str, Any], actions: Sequence[PlannedAction]) -> Mapping[str, Any]:
        """The fields as conditions saw them: held slots at their baseline, and without what came of it."""
        if facts.ref.kind is not SubjectKind.PRODUCT:
            return fields
        moments = {
            action.slot: (not action.wish) if action.slot.aspect is not Aspect.BRAND else (action.target or None)
            for action in actions
            if action.step is Step.MOMENT and (action.slot.aspect is not Aspect.BRAND or action.wish is None)
        }
        return facts.as_people_made_it(with_slots(fields, moments, facts.directory))

    def _before(
        self, facts: Facts, wanted: Wanted, fields: Mapping[str, Any], actions: Sequence[PlannedAction]
    ) -> dict[str, Any]:
        """`before`, with what was otherwise; empty where nothing was, which a moment has to know."""
        is_new = facts.known.since is not None and facts.known.since >= self.stored.delivery.received_at
        earlier = facts.known.before if is_new else facts.known.snapshot
        if earlier is None:
            return {}
        were, _ = wanted.given(
            facts.as_people_made_it(earlier.fields) if is_new else self._as_seen(facts, earlier.fields, actions)
        )
        names = [*were, *(name for name in ("stock", "tracks_stock") if name in fields and name not in were)]
        other = {name: were.get(name) for name in names if were.get(name) != fields.get(name)}
        if "tracks_stock" in fields and "stock" in other:
            other.pop("tracks_stock", None)
        return {"before": other} if other or not self.rule.is_while else {}

    def _held(self, facts: Facts, wanted: Wanted, at: datetime) -> list[Any]:
        """What the rule held already, as lines of `do`."""
        if not self.rule.is_while:
            return []
        lines: list[Any] = []
        for slot, hold in self._holds(facts.ref, at):
            if facts.ref.kind is SubjectKind.CATEGORY:
                return [str(EffectKind.EMPTY_CATEGORY)]
            line = self._line(_held_as(slot, hold), slot.target or str(hold.wish or ""), facts, wanted)
            if line not in lines:
                lines.append(line)
        return lines

    def _holds(self, ref: SubjectRef, at: datetime) -> list[tuple[SlotRef, Hold]]:
        """The holds of the rule for this subject that were taken before and open at that time."""
        query = sa.select(holds).where(
            holds.c.store == self.store.alias,
            holds.c.rule == self.rule.code,
            holds.c.subject_kind == ref.kind.value,
            holds.c.subject_id == ref.id,
            holds.c.since < at,
            holds.c.takes > 0,
            sa.or_(holds.c.ended_at.is_(None), holds.c.ended_at >= at),
        )
        found = [
            (slot_from_row(row), hold_from_row(row)) for row in self.connection.execute(query.order_by(holds.c.id))
        ]
        for _, hold in found:
            if hold.state is HoldState.STEPPED_BACK and hold.changed_at is not None and hold.changed_at < at:
                self.notes.append("A person had undone what the rule did, so that it stood back; no test can say that.")
        return [
            (slot, hold)
            for slot, hold in found
            if hold.state is not HoldState.STEPPED_BACK or hold.changed_at is None or hold.changed_at >= at
        ]

    def _skus(self, facts: Facts, actions: Sequence[PlannedAction], at: datetime) -> list[str]:
        """The products of a category that matter: those that were called for, held, or in it."""
        ids = [action.slot.product for action in actions if action.about == facts.ref]
        ids += [slot.product for slot, _ in self._holds(facts.ref, at)]
        ids += facts.fields.get("member_ids") or ()
        refs = [product(id_) for id_ in dict.fromkeys(ids)][:MOST_MEMBERS]
        cases = load_cases(self.connection, self.store.alias, refs, now=at, lag=timedelta(0))
        skus = []
        for ref in refs:
            snapshot = cases[ref].snapshot
            skus.append(str((snapshot.fields.get("sku") if snapshot else None) or ref.id))
        return [str(plainly(sku, is_article_number=True)) for sku in dict.fromkeys(skus)]

    def _event(self) -> str:
        """What the delivery says that happened: created, updated or deleted."""
        if self.stored.has_body:
            said = [event.type for event in self.vendor.normalise(self.stored.delivery).events]
            for word in ("deleted", "created"):
                if any(str(type_).endswith(word) for type_ in said):
                    return word
            return "updated"
        word = self.stored.vendor_type.rpartition(".")[2]
        return {"delete": "deleted", "create": "created"}.get(
            word, word if word in {"deleted", "created"} else "updated"
        )

    # ------------------------------------------------------------------------------------ expect

    def _expect(
        self, facts: Facts, wanted: Wanted, actions: Sequence[PlannedAction], truth: Truth | None
    ) -> tuple[Mapping[str, Any] | str, ...] | str:
        """What the rule did because of the delivery, as lines of `expect`."""
        mine = [action for action in actions if action.about == facts.ref and (action.attempts or action.state.is_open)]
        lines: list[Any] = []
        for action in mine:
            is_own = facts.ref == category(action.target)
            if is_own and action.wish is False:
                line: Any = str(EffectKind.EMPTY_CATEGORY)
            else:
                line = self._line(EffectKind(action.kind.value), action.target, facts, wanted)
            if facts.ref.kind is SubjectKind.PRODUCT or line not in lines:
                lines.append(line)
        if lines:
            return tuple(lines)
        return str(Expected.CANNOT_TELL if truth is Truth.CANNOT_TELL else Expected.NOTHING)

    def _line(self, kind: EffectKind, target: str, facts: Facts, wanted: Wanted) -> Any:
        """One line of `do`, with the target as the test calls it."""
        if kind in {EffectKind.HIDE, EffectKind.SHOW, EffectKind.UNASSIGN_BRAND}:
            return str(kind)
        if kind is EffectKind.ASSIGN_BRAND:
            known = (facts.fields.get("brand_names") or {}).get(target) or facts.directory.brand_name(target)
            return {str(kind): plainly(known) if known else {"id": target}}
        if facts.ref == category(target):
            called = facts.fields.get("name")
        else:
            ids = wanted.given({**facts.fields, "category_ids": [target]})[0].get("category_ids", ())
            called = None if target in ids else wanted.called(target, facts.fields)
        return {str(kind): plainly(called) if called else {"id": target}}


def _held_as(slot: SlotRef, hold: Hold) -> EffectKind:
    match slot.aspect:
        case Aspect.VISIBILITY:
            return EffectKind.SHOW if hold.wish else EffectKind.HIDE
        case Aspect.BRAND:
            return EffectKind.UNASSIGN_BRAND if hold.wish is None else EffectKind.ASSIGN_BRAND
        case Aspect.MEMBERSHIP:
            return EffectKind.ADD_TO_CATEGORY if hold.wish else EffectKind.REMOVE_FROM_CATEGORY
