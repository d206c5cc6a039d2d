"""History: how subjects were before they changed, kept as what each change overwrote."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from rules_engine.core.delivery import StoreAlias
from rules_engine.core.plan import Case
from rules_engine.core.rule import RulebookHash
from rules_engine.core.subject import Snapshot, SubjectKind, SubjectRef
from rules_engine.core.view import is_changed

from .rows import chunks, insert_for
from .tables import activations, history, rulebooks, snapshots

LARGEST_RAW = 4096
"""Bytes: a shop's own object that is larger is not kept once it changed. Of that time, `raw` is not known."""

MOST_STATES = 100
"""How many states are gone back through to find one that differed in more than what moves by itself."""


@dataclass(frozen=True, slots=True)
class Known:
    """What was known of a subject at some time.

    `snapshot` is None when it had not been seen, or only been seen to be gone. `since` is when it became so, None
    where that is not kept. `before` is the last state that differed, apart from what moves by itself, with the time
    until which it was so. `is_exact` is false when the history no longer reaches back that far: then this is the
    oldest state that is still known.
    """

    snapshot: Snapshot | None
    is_gone: bool = False
    since: datetime | None = None
    before: Snapshot | None = None
    before_until: datetime | None = None
    is_exact: bool = True


@dataclass(frozen=True, slots=True)
class Ruling:
    """A rulebook that was in force: its hash, its texts by path, and since when."""

    hash: RulebookHash
    texts: Mapping[str, str]
    since: datetime


@dataclass(frozen=True, slots=True)
class State:
    """Fields (None: none were known) and whether the subject was gone, from `since` on (None: not kept since when)."""

    fields: dict[str, Any] | None
    is_gone: bool
    since: datetime | None = None

    @property
    def is_unseen(self) -> bool:
        """Whether nothing was known of the subject yet."""
        return self.fields is None and not self.is_gone


def is_another(before: Case, after: Case) -> bool:
    """Whether the subject became another, in any field, or gone; also whether it is seen for the first time."""
    return before.seen_at is None or before.is_gone != after.is_gone or _fields(before) != _fields(after)


def undoing(store: StoreAlias, before: Case, after: Case, *, until: datetime) -> dict[str, Any]:
    """How a subject was, now that it is another: the one row that undoes the change.

    Of a subject that is seen for the first time it says that it was not known before.
    """
    old, new = _fields(before), _fields(after) or {}
    changed = None if old is None else {name: value for name, value in old.items() if new.get(name, ...) != value}
    absent = [] if old is None else sorted(new.keys() - old.keys())
    if changed and "raw" in changed and len(json.dumps(changed["raw"])) > LARGEST_RAW:
        del changed["raw"]
        absent = sorted({*absent, "raw"})
    return {
        "store": store,
        "kind": before.ref.kind.value,
        "id": before.ref.id,
        "revision": before.revision,
        "until": until,
        "was_gone": before.is_gone,
        "fields": changed,
        "absent": absent,
    }


def keep(connection: sa.Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Keep rows of `undoing`. The first of two with the same revision stays."""
    if rows:
        connection.execute(insert_for(connection, history).on_conflict_do_nothing(), rows)


def _fields(case: Case) -> dict[str, Any] | None:
    return None if case.snapshot is None else dict(case.snapshot.fields)


def known_at(
    connection: sa.Connection, store: StoreAlias, ref: SubjectRef, at: datetime, *, kept_since: datetime
) -> Known:
    """What was known of a subject at `at` (aware). From `kept_since` on nothing of the history was forgotten."""
    states = _states(connection, store, ref)
    state, is_exact = next(states), False
    while state.since is None or state.since > at:
        older = next(states, None)
        if older is None:
            is_exact = at >= kept_since
            break
        state = older
    else:
        is_exact = True
    if state.is_unseen:
        return Known(None)
    before = _before(state, states)
    return Known(
        _snapshot(ref, state.fields),
        state.is_gone,
        state.since,
        _snapshot(ref, before[0]),
        before[1],
        is_exact,
    )


def _before(state: State, older: Iterator[State]) -> tuple[dict[str, Any] | None, datetime | None]:
    """The fields of the last state that differed, None when that was none, and until when it was so."""
    until = state.since
    for _, earlier in zip(range(MOST_STATES), older, strict=False):
        if earlier.is_gone or earlier.fields is None:
            return None, until
        if is_changed(earlier.fields, state.fields or {}):
            return earlier.fields, until
        until = earlier.since
    return None, None


def _states(connection: sa.Connection, store: StoreAlias, ref: SubjectRef) -> Iterator[State]:
    """Every state that is known of a subject, the present one first; the oldest one has no `since`."""
    of_ref = {"store": store, "kind": ref.kind.value, "id": ref.id}
    present = connection.execute(
        sa.select(snapshots.c.fields, snapshots.c.is_gone).where(
            *(snapshots.c[name] == value for name, value in of_ref.items())
        )
    ).one_or_none()
    state = State(None, is_gone=False) if present is None else State(present.fields, present.is_gone)
    rows = connection.execute(
        sa.select(history)
        .where(*(history.c[name] == value for name, value in of_ref.items()))
        .order_by(history.c.revision.desc())
    )
    for row in rows:
        yield State(state.fields, state.is_gone, since=row.until)
        state = _undone(state, row)
    yield state


def _undone(state: State, row: sa.Row[Any]) -> State:
    """The state before the change that a row undoes."""
    left = {name: value for name, value in (state.fields or {}).items() if name not in row.absent}
    return State(None if row.fields is None else left | row.fields, row.was_gone)


def states_of(
    connection: sa.Connection, store: StoreAlias, kind: SubjectKind, ids: Iterable[str]
) -> dict[SubjectRef, list[State]]:
    """Every state that is known of each of these subjects, the oldest first; two queries for every 500 ids."""
    found: dict[SubjectRef, list[State]] = {}
    for chunk in chunks(ids):
        present = sa.select(snapshots.c.id, snapshots.c.fields, snapshots.c.is_gone).where(
            snapshots.c.store == store, snapshots.c.kind == kind.value, snapshots.c.id.in_(chunk)
        )
        for row in connection.execute(present):
            found[SubjectRef(kind, row.id)] = [State(row.fields, row.is_gone)]
        changes = sa.select(history).where(
            history.c.store == store, history.c.kind == kind.value, history.c.id.in_(chunk)
        )
        for change in connection.execute(changes.order_by(history.c.id, history.c.revision.desc())):
            states = found.setdefault(SubjectRef(kind, change.id), [State(None, is_gone=False)])
            states[-1] = replace(states[-1], since=change.until)
            states.append(_undone(states[-1], change))
    return {ref: states[::-1] for ref, states in found.items()}


def _snapshot(ref: SubjectRef, fields: Mapping[str, Any] | None) -> Snapshot | None:
    return None if fields is None else Snapshot(ref, fields)


def rulebook_at(connection: sa.Connection, at: datetime) -> Ruling | None:
    """The rulebook that was in force at `at`, or None when none was yet."""
    query = (
        sa.select(activations.c.rulebook, activations.c.activated_at, rulebooks.c.texts)
        .join(rulebooks, rulebooks.c.hash == activations.c.rulebook)
        .where(activations.c.activated_at <= at)
        .order_by(activations.c.id.desc())
        .limit(1)
    )
    row = connection.execute(query).one_or_none()
    return None if row is None else Ruling(RulebookHash(row.rulebook), row.texts, row.activated_at)
