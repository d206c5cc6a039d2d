"""How a subject was at any time is told by what its changes overwrote."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from strategies import json_values

from rules_engine.core.action import ActionKey, ActionKind, Aspect, Done, SlotRef
from rules_engine.core.delivery import StoreAlias
from rules_engine.core.directory import Directory
from rules_engine.core.outcome import answered
from rules_engine.core.plan import ActionState, Case, PlannedAction, Step
from rules_engine.core.rule import RulebookHash, RuleCode
from rules_engine.core.subject import ProductId, Snapshot, SubjectKind, category, product
from rules_engine.database import ledger, tables
from rules_engine.database.history import LARGEST_RAW, Known, known_at, rulebook_at, states_of
from rules_engine.database.rulebooks import activate, store_rulebook

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
WEB = StoreAlias("web")
PRODUCT = product("17")


def later(minutes: float) -> datetime:
    return NOW + minutes * MINUTE


def save(connection: sa.Connection, at: datetime, *, is_gone: bool = False, **fields: Any) -> None:
    """The product is seen like this, by a turn that counts no revision: that is the ledger's to mend."""
    before = load(connection, at)
    seen = before.snapshot if is_gone else Snapshot(PRODUCT, fields)
    after = replace(before, snapshot=seen, seen_at=at, is_gone=is_gone)
    ledger.save_case(connection, WEB, before, after, now=at)


def load(connection: sa.Connection, at: datetime) -> Case:
    return ledger.load_cases(connection, WEB, [PRODUCT], now=at)[PRODUCT]


def known(connection: sa.Connection, at: datetime, *, kept_since: datetime = NOW - timedelta(days=30)) -> Known:
    return known_at(connection, WEB, PRODUCT, at, kept_since=kept_since)


def fields_at(connection: sa.Connection, minutes: float) -> dict[str, Any] | None:
    snapshot = known(connection, later(minutes)).snapshot
    return None if snapshot is None else dict(snapshot.fields)


def rows(connection: sa.Connection) -> list[dict[str, Any]]:
    return [dict(row) for row in connection.execute(sa.select(tables.history)).mappings()]


@contextmanager
def rolled_back(memory: sa.Engine) -> Iterator[sa.Connection]:
    with memory.connect() as connection:
        yield connection
        connection.rollback()


NAMES = st.sampled_from(["stock", "name", "tags", "updated_at", "product_count"])
STATES = st.dictionaries(NAMES, json_values, max_size=4)


@given(states=st.lists(st.none() | STATES, max_size=8))
def test_whatever_was_saved_is_known_of_the_time_from_then_to_the_next(
    memory: sa.Engine, states: list[dict[str, Any] | None]
) -> None:
    with rolled_back(memory) as connection:
        for number, fields in enumerate(states):
            save(connection, later(number), **(fields or {}), is_gone=fields is None)
        assert known(connection, later(-0.5)) == Known(None)
        last: dict[str, Any] | None = None
        for number, fields in enumerate(states):
            last = last if fields is None else fields
            found = known(connection, later(number + 0.5))
            assert (None if found.snapshot is None else found.snapshot.fields) == last
            assert (found.is_gone, found.is_exact) == (fields is None, True)


def test_nothing_is_known_of_a_subject_that_nobody_told_about(connection: sa.Connection) -> None:
    assert known(connection, NOW) == Known(None)


def test_a_change_costs_one_row_with_what_it_overwrote(connection: sa.Connection) -> None:
    save(connection, later(0), id="17", stock=3, name="Boot")
    save(connection, later(1), id="17", stock=0, name="Boot", tags=["sale"])
    save(connection, later(2), id="17", stock=0, name="Boot", tags=["sale"])
    first, second = rows(connection)
    assert (first["revision"], first["fields"]) == (0, None)
    assert (second["revision"], second["until"]) == (1, later(1))
    assert (second["fields"], second["absent"]) == ({"stock": 3}, ["tags"])


def test_since_when_it_is_so_and_how_it_was_before(connection: sa.Connection) -> None:
    save(connection, later(0), stock=3)
    save(connection, later(1), stock=0)
    found = known(connection, later(5))
    assert (found.since, found.before_until) == (later(1), later(1))
    assert found.before == Snapshot(PRODUCT, {"stock": 3})


def test_what_moves_by_itself_makes_no_other_state_before(connection: sa.Connection) -> None:
    save(connection, later(0), stock=3)
    save(connection, later(1), stock=0, updated_at="10:01")
    save(connection, later(2), stock=0, updated_at="10:02")
    found = known(connection, later(5))
    assert (found.since, found.before_until) == (later(2), later(1))
    assert found.before == Snapshot(PRODUCT, {"stock": 3})


def test_a_product_that_comes_back_has_no_state_before(connection: sa.Connection) -> None:
    save(connection, later(0), stock=3)
    save(connection, later(1), is_gone=True)
    save(connection, later(2), stock=3)
    assert fields_at(connection, 3) == {"stock": 3}
    assert known(connection, later(3)).before is None
    assert known(connection, later(1.5)).is_gone


def test_a_large_object_of_the_shop_is_not_kept_once_it_changed(connection: sa.Connection) -> None:
    save(connection, later(0), stock=3, raw={"text": "x" * LARGEST_RAW})
    save(connection, later(1), stock=3, raw={"text": "short"})
    save(connection, later(2), stock=3, raw={"text": "other"})
    assert fields_at(connection, 0) == {"stock": 3}
    assert fields_at(connection, 1) == {"stock": 3, "raw": {"text": "short"}}
    assert sum(len(str(row)) for row in rows(connection)) < LARGEST_RAW


def test_our_own_effect_is_remembered_as_a_change_of_the_time_when_it_was_done(connection: sa.Connection) -> None:
    save(connection, later(0), category_ids=["c1"])
    before = load(connection, later(1))
    slot = SlotRef(ProductId("17"), Aspect.MEMBERSHIP, "c1")
    action = PlannedAction(
        key=ActionKey("k1"),
        kind=ActionKind.REMOVE_FROM_CATEGORY,
        slot=slot,
        target="c1",
        wish=False,
        step=Step.MOMENT,
        rules=(RuleCode("r"),),
        about=PRODUCT,
        state=ActionState.SENT,
        created_at=NOW,
        attempts=1,
    )
    sent = replace(before, actions={action.key: action})
    done = answered(
        sent,
        action.key,
        Done(),
        at=later(1),
        retry_in=MINUTE,
        is_proven=False,
        counts=True,
        directory=Directory(),
    )
    ledger.save_case(connection, WEB, before, done, now=later(1))
    assert (fields_at(connection, 0.9) or {})["category_ids"] == ["c1"]
    assert (fields_at(connection, 1) or {})["category_ids"] == []


def test_the_time_before_what_was_forgotten_is_not_known_exactly(connection: sa.Connection) -> None:
    save(connection, later(0), stock=3)
    save(connection, later(10), stock=0)
    connection.execute(sa.delete(tables.history).where(tables.history.c.until < later(5)))
    assert known(connection, later(6), kept_since=later(5)).is_exact
    old = known(connection, later(4), kept_since=later(5))
    assert (old.snapshot, old.is_exact) == (Snapshot(PRODUCT, {"stock": 3}), False)
    assert known(connection, later(11), kept_since=later(20)).is_exact


def test_categories_and_stores_with_the_same_id_keep_their_own_history(connection: sa.Connection) -> None:
    save(connection, later(0), stock=3)
    save(connection, later(1), stock=0)
    assert known_at(connection, StoreAlias("ksa"), PRODUCT, NOW, kept_since=NOW) == Known(None)
    assert known_at(connection, WEB, category("17"), NOW, kept_since=NOW) == Known(None)


@pytest.mark.parametrize(("minutes", "expected"), [(-1, None), (0, "one"), (4.9, "one"), (5, "two"), (9, "one")])
def test_the_rulebook_that_was_in_force_at_a_time(
    connection: sa.Connection, minutes: float, expected: str | None
) -> None:
    for at, hash_ in ((0, "one"), (5, "two"), (9, "one")):
        store_rulebook(connection, RulebookHash(hash_), {"rules/a.yaml": hash_}, now=later(at))
        activate(connection, RulebookHash(hash_), now=later(at), reason="test")
    found = rulebook_at(connection, later(minutes))
    assert (found.hash if found else None) == expected
    assert found is None or found.texts == {"rules/a.yaml": expected}


@given(states=st.lists(st.none() | STATES, max_size=8))
def test_all_states_are_told_at_once_as_they_are_told_one_by_one(
    memory: sa.Engine, states: list[dict[str, Any] | None]
) -> None:
    with rolled_back(memory) as connection:
        for number, fields in enumerate(states):
            save(connection, later(number), **(fields or {}), is_gone=fields is None)
        found = states_of(connection, WEB, SubjectKind.PRODUCT, ["17", "nobody"])
        assert list(found) == ([PRODUCT] if states else [])
        for state in found.get(PRODUCT, ()):
            if state.since is not None:
                then = known(connection, state.since)
                assert (then.snapshot and then.snapshot.fields, then.is_gone) == (state.fields, state.is_gone)
                assert then.since == state.since
