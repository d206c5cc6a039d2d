"""What an answer to "why?" rests on: everything that was known of one subject at one time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import sqlalchemy as sa

from rules_engine.core.action import Aspect, SlotRef, SlotValue
from rules_engine.core.condition import Document, Truth
from rules_engine.core.delivery import StoreAlias
from rules_engine.core.directory import Directory
from rules_engine.core.holds import Hold, HoldState, Slot
from rules_engine.core.plan import Case, Trace
from rules_engine.core.question import QuestionId, QuestionState
from rules_engine.core.rule import RuleCode
from rules_engine.core.store import Capabilities, Store
from rules_engine.core.subject import SubjectKind, SubjectRef, product
from rules_engine.core.view import UNSEEN, Fields, as_people_made_it, shown
from rules_engine.database.catalogue import load_directory
from rules_engine.database.columns import Instant
from rules_engine.database.history import Known, known_at
from rules_engine.database.lanes import LaneRow, Look, load_lane
from rules_engine.database.ledger import load_cases
from rules_engine.database.questions import load_questions
from rules_engine.database.rows import hold_from_row, slot_from_row
from rules_engine.database.tables import deliveries, holds, looks, traces
from rules_engine.vendors.base import AnyVendor

from .why_words import SlotWords

TRACES = 5
"""How many of the last traces are told."""
TRACES_AFTER = 2
"""How many of those come after the time that is asked about, when that is past."""


MOMENT_CAME = "its moment came"
"""How the trace of a moment begins."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked: about the time `at`, with `now` the time of asking; about all rules, or `only` one.

    `kept_since`: from then on the history is whole.
    """

    at: datetime
    now: datetime
    kept_since: datetime
    lag: timedelta = timedelta(minutes=10)
    only: RuleCode | None = None

    @property
    def is_past(self) -> bool:
        """Whether it is about a time that has gone by."""
        return self.at < self.now


@dataclass(frozen=True, slots=True)
class Told:
    """A trace, and the hash of the rulebook that it came from."""

    trace: Trace
    rulebook: str


@dataclass(frozen=True, slots=True)
class Facts:
    """What was known of one subject. `case` has the holds that were open then; of a past time it has no actions.

    `told` are the last traces, oldest first; `moments` says when the moment of a rule last came. `causes` says for the
    id of a delivery what it was. `questions` are those of the store that wait for an answer.
    """

    store: Store
    vendor: AnyVendor
    ref: SubjectRef
    asked: Asked
    known: Known
    case: Case
    directory: Directory
    lane: LaneRow = field(default_factory=LaneRow)
    look: Look | None = None
    told: tuple[Told, ...] = ()
    moments: Mapping[RuleCode, datetime] = field(default_factory=dict)
    causes: Mapping[str, str] = field(default_factory=dict)
    questions: frozenset[QuestionId] = frozenset()

    @property
    def capabilities(self) -> Capabilities:
        """What the store's shop can do."""
        return self.vendor.CAPABILITIES

    @property
    def fields(self) -> Fields:
        """The subject as it was known, with our own effects."""
        return self.known.snapshot.fields if self.known.snapshot else {}

    def words(self, slot: SlotRef) -> SlotWords:
        """A slot of this product in words."""
        return SlotWords(slot, self.fields, self.directory)

    def as_people_made_it(self, fields: Fields) -> Fields:
        """What conditions see of these fields: held slots at their baseline."""
        if self.ref.kind is not SubjectKind.PRODUCT:
            return fields
        return as_people_made_it(fields, self.case.slots.values(), self.directory)

    def document(self, *, is_before: bool = False) -> Document:
        """What conditions see at the time that is asked about; or saw before the last change, as of then."""
        before = self.known.before.fields if self.known.before else None
        before = None if before is None else self.as_people_made_it(before)
        at = self.asked.at if not is_before else self.known.before_until or self.asked.at
        return Document(
            kind=self.ref.kind,
            fields=before or {} if is_before else self.as_people_made_it(self.fields),
            now=at.astimezone(self.store.zone),
            store=self.store.alias,
            vendor=self.vendor.NAME,
            before=None if is_before else before,
        )


def gather(connection: sa.Connection, store: Store, vendor: AnyVendor, ref: SubjectRef, asked: Asked) -> Facts:
    """Everything that is known of a subject at that time."""
    alias = store.alias
    case = load_cases(connection, alias, [ref], now=asked.now, lag=asked.lag)[ref]
    known = known_at(connection, alias, ref, min(asked.at, asked.now), kept_since=asked.kept_since)
    if asked.is_past:
        case = _past(connection, alias, case, known, asked)
    told = _told(connection, alias, ref, asked)
    wanted = [cause for each in told for cause in each.trace.caused_by]
    wanted += [cause for slot in case.slots.values() for hold in slot.holds for cause in hold.cause]
    return Facts(
        store=store,
        vendor=vendor,
        ref=ref,
        asked=asked,
        known=known,
        case=case,
        directory=load_directory(connection, store, vendor.CAPABILITIES),
        lane=load_lane(connection, alias),
        look=_look(connection, alias, ref),
        told=told,
        moments=_moments(connection, alias, ref, asked),
        causes=_causes(connection, wanted),
        questions=frozenset(each.id for each in load_questions(connection, alias, states=[QuestionState.OPEN])),
    )


def _past(connection: sa.Connection, store: StoreAlias, case: Case, known: Known, asked: Asked) -> Case:
    """The case as it was: the holds that were open, and the stretches that ran already."""
    slots: dict[SlotRef, list[Hold]] = {}
    query = sa.select(holds).where(
        holds.c.store == store,
        holds.c.product == (case.ref.id if case.ref.kind is SubjectKind.PRODUCT else ""),
        holds.c.since <= asked.at,
        sa.or_(holds.c.ended_at.is_(None), holds.c.ended_at > asked.at),
    )
    for row in connection.execute(query.order_by(holds.c.id)):
        slots.setdefault(slot_from_row(row), []).append(_as_it_was(hold_from_row(row), asked.at))
    baselines = {
        ref: case.slots[ref].baseline
        if ref in case.slots and case.slots[ref].since <= asked.at
        else _baseline(connection, store, ref, some, asked)
        for ref, some in slots.items()
    }
    return replace(
        case,
        snapshot=known.snapshot,
        is_gone=known.is_gone,
        seen_at=known.since,
        slots={ref: Slot(ref, baselines[ref], some[0].since, tuple(some)) for ref, some in slots.items()},
        episodes={key: episode for key, episode in case.episodes.items() if episode.since <= asked.at},
        actions={},
        recent_takes={},
        ended={},
    )


def _as_it_was(hold: Hold, at: datetime) -> Hold:
    """The hold at an earlier time: what it went through since is not kept, but whether it took something is."""
    if hold.changed_at is not None and hold.changed_at <= at:
        return hold
    state = HoldState.HOLDING if hold.takes > 0 else HoldState.PENDING
    return replace(hold, state=state, reason="", changed_at=None)


def _baseline(connection: sa.Connection, store: StoreAlias, ref: SlotRef, some: list[Hold], asked: Asked) -> SlotValue:
    """The slot's value before the first hold on it, as it was seen when that began."""
    first = some[0]
    then = known_at(connection, store, product(ref.product), first.since, kept_since=asked.kept_since)
    value = shown(then.snapshot.fields if then.snapshot else None, ref)
    if value is UNSEEN or (value == first.wish and first.takes > 0):
        # It was taken in the same instant: what was there is what was there before.
        value = shown(then.before.fields if then.before else None, ref)
    if value is UNSEEN or (value == first.wish and first.takes > 0):
        return None if ref.aspect is Aspect.BRAND else not first.wish
    return value


def _look(connection: sa.Connection, store: StoreAlias, ref: SubjectRef) -> Look | None:
    query = sa.select(looks).where(looks.c.store == store, looks.c.kind == ref.kind.value, looks.c.id == ref.id)
    row = connection.execute(query).one_or_none()
    return None if row is None else Look(ref, row.due_at, row.reason, row.failures)


def _told(connection: sa.Connection, store: StoreAlias, ref: SubjectRef, asked: Asked) -> tuple[Told, ...]:
    """The last traces up to the time that is asked about, and a few after a past one; oldest first."""
    of_ref = sa.select(traces).where(_is_about(store, ref))
    if asked.only is not None:
        of_ref = of_ref.where(traces.c.rule == asked.only)
    older = of_ref.where(traces.c.at <= asked.at).order_by(traces.c.at.desc(), traces.c.id.desc())
    newer = of_ref.where(traces.c.at > asked.at).order_by(traces.c.at, traces.c.id).limit(TRACES_AFTER)
    after = connection.execute(newer).all() if asked.is_past else []
    rows = [*reversed(connection.execute(older.limit(TRACES - len(after))).all()), *after]
    return tuple(
        Told(
            Trace(RuleCode(row.rule), ref, row.at, Truth(row.truth), row.text, row.finding, tuple(row.caused_by)),
            row.rulebook,
        )
        for row in rows
    )


def _moments(connection: sa.Connection, store: StoreAlias, ref: SubjectRef, asked: Asked) -> dict[RuleCode, datetime]:
    query = sa.select(traces.c.rule, sa.func.max(traces.c.at, type_=Instant)).where(
        _is_about(store, ref), traces.c.at <= asked.at, traces.c.text.startswith(MOMENT_CAME)
    )
    return {RuleCode(rule): at for rule, at in connection.execute(query.group_by(traces.c.rule))}


def _is_about(store: StoreAlias, ref: SubjectRef) -> sa.ColumnElement[bool]:
    return sa.and_(traces.c.store == store, traces.c.kind == ref.kind.value, traces.c.subject == ref.id)


def _causes(connection: sa.Connection, ids: Iterable[str]) -> dict[str, str]:
    query = sa.select(deliveries.c.id, deliveries.c.vendor_type).where(deliveries.c.id.in_(sorted(set(ids))))
    return {row.id: row.vendor_type for row in connection.execute(query)}
