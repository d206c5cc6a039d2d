"""The ledger: what is known of every subject, who holds what, and what rules did; cases are loaded and saved whole."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from rules_engine.core.action import ActionKey, SlotRef
from rules_engine.core.condition import Truth
from rules_engine.core.delivery import StoreAlias
from rules_engine.core.holds import Hold, HoldState, Slot
from rules_engine.core.order import Order
from rules_engine.core.plan import ActionState, Case, Episode, EpisodeKey, PlannedAction, Step
from rules_engine.core.rule import RuleCode
from rules_engine.core.subject import Snapshot, SubjectKind, SubjectRef

from . import history
from .columns import Instant
from .orders import open_orders, settle_orders
from .rows import (
    OPEN_ACTIONS,
    OPEN_HOLDS,
    action_columns,
    action_from_row,
    any_given,
    chunks,
    given,
    hold_columns,
    hold_from_row,
    slot_columns,
    slot_from_row,
    upsert,
)
from .tables import actions, episodes, holds, slots, snapshots

TAKES_REMEMBERED = timedelta(hours=24)
"""How far back `Case.recent_takes` goes at least: the window in which a rule may take one product a few times only."""


@dataclass(slots=True)
class _Draft:
    """A case while its rows come in."""

    ref: SubjectRef
    snapshot: Snapshot | None = None
    revision: int = 0
    seen_at: datetime | None = None
    is_gone: bool = False
    slots: dict[SlotRef, tuple[Any, datetime]] = field(default_factory=dict)
    holds: dict[SlotRef, list[Hold]] = field(default_factory=lambda: defaultdict(list))
    ended: dict[SlotRef, list[Hold]] = field(default_factory=lambda: defaultdict(list))
    episodes: dict[EpisodeKey, Episode] = field(default_factory=dict)
    actions: dict[ActionKey, PlannedAction] = field(default_factory=dict)
    takes: dict[RuleCode, dict[datetime, datetime]] = field(default_factory=lambda: defaultdict(dict))
    orders: tuple[Order, ...] = ()

    def finished(self) -> Case:
        return Case(
            ref=self.ref,
            snapshot=self.snapshot,
            revision=self.revision,
            seen_at=self.seen_at,
            is_gone=self.is_gone,
            slots={
                slot: Slot(slot, baseline, since, tuple(self.holds.get(slot, ())))
                for slot, (baseline, since) in self.slots.items()
            },
            episodes=self.episodes,
            actions=self.actions,
            recent_takes={rule: tuple(sorted(times.values())) for rule, times in self.takes.items()},
            ended={slot: tuple(ended) for slot, ended in self.ended.items()},
            orders=self.orders,
        )


_Drafts = Mapping[SubjectRef, _Draft]


def load_cases(
    connection: sa.Connection,
    store: StoreAlias,
    refs: Iterable[SubjectRef],
    *,
    now: datetime,
    lag: timedelta = timedelta(0),
    takes: timedelta = TAKES_REMEMBERED,
) -> dict[SubjectRef, Case]:
    """What is remembered of each of these subjects; an empty case where nothing is.

    A slot comes with its open holds. Of the ended holds come those of a stretch that still runs, in `Case.ended`. Of
    the actions come the open ones, the dead ones of a slot that still has a hold, and those done within the last
    `lag`, of which a late delivery may not know yet. `recent_takes` goes back for `takes`, at least for a day; it has
    one time for each turn in which a rule took the product, or had its moment, and counts only what was attempted.
    Six queries for every 500 ids.
    """
    drafts = {ref: _Draft(ref) for ref in refs}
    for chunk in chunks(ref.id for ref in drafts):
        _load_snapshots(connection, store, chunk, drafts)
        _load_episodes(connection, store, chunk, drafts)
    for chunk in chunks(ref.id for ref in drafts if ref.kind is SubjectKind.PRODUCT):
        _load_slots(connection, store, chunk, drafts)
        _load_holds(connection, store, chunk, drafts)
        since = now - max(takes, TAKES_REMEMBERED)
        _load_actions(connection, store, chunk, drafts, since=since, done_since=now - lag)
        for product, orders in open_orders(connection, store, chunk).items():
            drafts[SubjectRef(SubjectKind.PRODUCT, product)].orders = orders
    return {ref: draft.finished() for ref, draft in drafts.items()}


def _product(row: sa.Row[Any]) -> SubjectRef:
    return SubjectRef(SubjectKind.PRODUCT, row.product)


def _load_snapshots(connection: sa.Connection, store: StoreAlias, ids: list[str], drafts: _Drafts) -> None:
    for row in _find_subjects(connection, snapshots, store, ids, drafts):
        draft = drafts.get(SubjectRef(SubjectKind(row.kind), row.id))
        if draft is not None:  # a product and a category may have the same id
            draft.snapshot = snapshot_from_row(row)
            draft.revision, draft.seen_at, draft.is_gone = row.revision, row.seen_at, row.is_gone


def _load_episodes(connection: sa.Connection, store: StoreAlias, ids: list[str], drafts: _Drafts) -> None:
    for row in _find_subjects(connection, episodes, store, ids, drafts):
        ref = SubjectRef(SubjectKind(row.kind), row.id)
        if ref in drafts:
            drafts[ref].episodes[RuleCode(row.rule), ref] = Episode(row.number, Truth(row.truth), row.since)


def _find_subjects(
    connection: sa.Connection, table: sa.Table, store: StoreAlias, ids: list[str], drafts: _Drafts
) -> sa.CursorResult[Any]:
    kinds = sorted({ref.kind.value for ref in drafts})
    return connection.execute(_SUBJECTS[table], {"store": store, "kinds": kinds, "ids": ids})


_SUBJECTS = {
    table: sa.select(table).where(
        table.c.store == given("store"), table.c.kind.in_(any_given("kinds")), table.c.id.in_(any_given("ids"))
    )
    for table in (snapshots, episodes)
}


_SLOTS = sa.select(slots).where(slots.c.store == given("store"), slots.c.product.in_(any_given("ids")))


def _load_slots(connection: sa.Connection, store: StoreAlias, ids: list[str], drafts: _Drafts) -> None:
    for row in connection.execute(_SLOTS, {"store": store, "ids": ids}):
        drafts[_product(row)].slots[slot_from_row(row)] = (row.baseline, row.since)


_IS_OF_ITS_EPISODE = sa.and_(
    episodes.c.store == holds.c.store,
    episodes.c.rule == holds.c.rule,
    episodes.c.kind == holds.c.subject_kind,
    episodes.c.id == holds.c.subject_id,
)
_HOLDS = (
    sa.select(holds)
    .select_from(holds.outerjoin(episodes, _IS_OF_ITS_EPISODE))
    .where(holds.c.store == given("store"), holds.c.product.in_(any_given("ids")))
    .where(sa.or_(holds.c.state.in_(OPEN_HOLDS), episodes.c.number == holds.c.episode))
    .order_by(holds.c.id)
)


def _load_holds(connection: sa.Connection, store: StoreAlias, ids: list[str], drafts: _Drafts) -> None:
    for row in connection.execute(_HOLDS, {"store": store, "ids": ids}):
        draft, slot, hold = drafts[_product(row)], slot_from_row(row), hold_from_row(row)
        if hold.state.is_open:
            draft.holds[slot].append(hold)
            draft.slots.setdefault(slot, (None, hold.since))
        else:
            draft.ended[slot].append(hold)


_IS_RECENT = sa.or_(actions.c.created_at > given("since"), actions.c.done_at > given("since"))
_WAS_TAKEN = sa.and_(actions.c.step.in_((Step.TAKE.value, Step.MOMENT.value)), actions.c.attempts > 0, _IS_RECENT)
_ACTIONS = (
    sa.select(actions)
    .where(actions.c.store == given("store"), actions.c.product.in_(any_given("ids")))
    .where(
        sa.or_(
            actions.c.state.in_((*OPEN_ACTIONS, ActionState.DEAD.value)),
            _WAS_TAKEN,
            actions.c.done_at > given("done_since"),
        )
    )
    .order_by(actions.c.seq)
)


def _load_actions(
    connection: sa.Connection,
    store: StoreAlias,
    ids: list[str],
    drafts: _Drafts,
    *,
    since: datetime,
    done_since: datetime,
) -> None:
    spans = {"since": since, "done_since": done_since}
    for row in connection.execute(_ACTIONS, {"store": store, "ids": ids, **spans}):
        draft, action = drafts[_product(row)], action_from_row(row)
        has_hold = action.slot in draft.holds or action.slot in draft.ended
        is_just_done = action.done_at is not None and action.done_at > done_since
        if action.state.is_open or is_just_done or (action.state is ActionState.DEAD and has_hold):
            draft.actions[action.key] = action
        acted_at = max(action.created_at, action.done_at or action.created_at)  # its rule's hours may have made it wait
        if action.step in {Step.TAKE, Step.MOMENT} and action.attempts and acted_at > since:
            for rule in action.rules:
                turn = draft.takes[rule]
                turn[action.created_at] = max(acted_at, turn.get(action.created_at, acted_at))


def save_case(connection: sa.Connection, store: StoreAlias, before: Case, after: Case, *, now: datetime) -> None:
    """Write what differs between a case as it was loaded and as it is to be.

    Episodes and actions that `after` leaves out stay as they are, and so do ended holds; a pending hold that is left
    out is deleted, because nothing was taken. An action whose key exists is opened again in place, with attempts
    counted anew: what was tried before was called off. Load the case again before saving it a second time: only then
    do its new holds have their ids.

    Raises ValueError when an open hold that took something is left out instead of ended, or when a hold of `before`
    was never loaded: either would lose what is owed to the shop.
    """
    save_cases(connection, store, [(before, after)], now=now)


def save_cases(
    connection: sa.Connection, store: StoreAlias, pairs: Iterable[tuple[Case, Case]], *, now: datetime
) -> None:
    """`save_case` for each of these pairs of before and after, in few statements: of a large catalogue most are new."""
    changed = [(before, after) for before, after in pairs if before != after]
    _save_snapshots(connection, store, changed, now=now)
    turned = [
        {"store": store, "rule": rule, **_subject(ref), "number": e.number, "truth": e.truth.value, "since": e.since}
        for before, after in changed
        for (rule, ref), e in after.episodes.items()
        if before.episodes.get((rule, ref)) != e
    ]
    upsert(connection, episodes, turned)
    for before, after in changed:
        _save_deeds(connection, store, before, after, now=now)


def _save_deeds(connection: sa.Connection, store: StoreAlias, before: Case, after: Case, *, now: datetime) -> None:
    """What rules hold and do: slots, holds, actions, and the orders that are carried out."""
    _save_slots(connection, store, before, after)
    _save_holds(connection, store, before, after, now=now)
    planned = [action_columns(store, a) for key, a in after.actions.items() if before.actions.get(key) != a]
    upsert(connection, actions, [row for row in planned if row["called_at"]], by=("key",), keep=("created_at",))
    # One that is opened again was called before: that still counts against the limits of its rule.
    uncalled = [row for row in planned if not row["called_at"]]
    upsert(connection, actions, uncalled, by=("key",), keep=("created_at", "called_at"))
    settle_orders(connection, set(after.orders) - set(before.orders), now=now)


def _subject(ref: SubjectRef) -> dict[str, str]:
    return {"kind": ref.kind.value, "id": ref.id}


def _save_snapshots(
    connection: sa.Connection, store: StoreAlias, pairs: Iterable[tuple[Case, Case]], *, now: datetime
) -> None:
    rows: list[dict[str, Any]] = []
    overwritten: list[dict[str, Any]] = []
    for before, after in pairs:
        known = (after.snapshot, after.revision, after.seen_at, after.is_gone)
        if known == (before.snapshot, before.revision, before.seen_at, before.is_gone):
            continue
        revision = after.revision
        if history.is_another(before, after):
            # A revision names one state, also where deciding saw no change: in `raw`, in a time, or in being gone.
            revision = max(after.revision, before.revision + 1)
            until = now if after.seen_at is None or after.seen_at == before.seen_at else after.seen_at
            overwritten.append(history.undoing(store, before, after, until=until))
        row = _snapshot_columns(store, after.ref, after.snapshot)
        rows.append(row | {"revision": revision, "seen_at": after.seen_at or now, "is_gone": after.is_gone})
    history.keep(connection, overwritten)
    upsert(connection, snapshots, rows)


def _snapshot_columns(store: StoreAlias, ref: SubjectRef, snapshot: Snapshot | None) -> dict[str, Any]:
    """The columns of a snapshot. Without one `fields` is JSON's null: a subject that was only ever seen to be gone."""
    return {
        "store": store,
        **_subject(ref),
        "fields": None if snapshot is None else dict(snapshot.fields),
        "version": None if snapshot is None else snapshot.version,
    }


def snapshot_from_row(row: sa.Row[Any]) -> Snapshot | None:
    """A row of `snapshots` as a value; None when the subject was only ever seen to be gone."""
    if row.fields is None:
        return None
    return Snapshot(SubjectRef(SubjectKind(row.kind), row.id), row.fields, row.version)


_DELETE_SLOT = sa.delete(slots).where(
    slots.c.store == sa.bindparam("of_store"),
    slots.c.product == sa.bindparam("of_product"),
    slots.c.aspect == sa.bindparam("of_aspect"),
    slots.c.target == sa.bindparam("of_target"),
)


def _save_slots(connection: sa.Connection, store: StoreAlias, before: Case, after: Case) -> None:
    held = {ref: slot for ref, slot in after.slots.items() if slot.open_holds}
    changed = [
        {"store": store, **slot_columns(ref), "baseline": slot.baseline, "since": slot.since}
        for ref, slot in held.items()
        if ref not in before.slots
        or (before.slots[ref].baseline, before.slots[ref].since) != (slot.baseline, slot.since)
    ]
    upsert(connection, slots, changed)
    let_go = [
        {"of_store": store} | {f"of_{name}": value for name, value in slot_columns(ref).items()}
        for ref in before.slots
        if ref not in held
    ]
    if let_go:
        connection.execute(_DELETE_SLOT, let_go)


_UPDATE_OPEN = sa.update(holds).where(holds.c.id == sa.bindparam("hold_id")).values(ended_at=sa.null())
_UPDATE_ENDED = (
    sa.update(holds)
    .where(holds.c.id == sa.bindparam("hold_id"))
    .values(ended_at=sa.func.coalesce(holds.c.ended_at, sa.bindparam("end", type_=Instant)))
)


def _holds_of(case: Case) -> list[tuple[SlotRef, Hold]]:
    held = [(slot.ref, hold) for slot in case.slots.values() for hold in slot.holds]
    return held + [(slot, hold) for slot, ended in case.ended.items() for hold in ended]


def _save_holds(connection: sa.Connection, store: StoreAlias, before: Case, after: Case, *, now: datetime) -> None:
    was = {hold.id: (slot, hold) for slot, hold in _holds_of(before)}
    if None in was:
        raise ValueError(f"the case of {before.ref} was not loaded again since its holds were made")
    new: list[dict[str, Any]] = []
    still_open: list[dict[str, Any]] = []
    ended: list[dict[str, Any]] = []
    kept: set[int] = set()
    for slot, hold in _holds_of(after):
        row = hold_columns(store, slot, hold)
        if hold.id is None:
            new.append(row | {"ended_at": None if hold.state.is_open else now})
            continue
        kept.add(hold.id)
        if was.get(hold.id) != (slot, hold):
            (still_open if hold.state.is_open else ended).append(row | {"hold_id": hold.id})
    left_out = [hold for _, hold in was.values() if hold.id not in kept and hold.state.is_open]
    for hold in left_out:
        if hold.state is not HoldState.PENDING:
            raise ValueError(f"the hold of {hold.rule} on {before.ref} is {hold.state}: end it, do not leave it out")
    if new:
        connection.execute(sa.insert(holds), new)
    if still_open:
        connection.execute(_UPDATE_OPEN, still_open)
    if ended:
        connection.execute(_UPDATE_ENDED, [row | {"end": now} for row in ended])
    if left_out:
        connection.execute(sa.delete(holds).where(holds.c.id.in_([hold.id for hold in left_out])))
