"""What people were asked, ordered and paused, and sweeps, go when they are old and over; what is open never goes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from question_rows import NOW, WEB, ask

from rules_engine.core.question import QuestionState
from rules_engine.core.sweep import SweepKind, SweepState
from rules_engine.database.retention import Pruned, Retention, prune
from rules_engine.database.tables import actions
from rules_engine.database.tables_people import orders, pauses, questions, sweeps

DAY = timedelta(days=1)
OLD, RECENT = NOW - 31 * DAY, NOW - 29 * DAY


def pruned(connection: sa.Connection) -> Pruned:
    return prune(connection, now=NOW, retention=Retention())


def ids(connection: sa.Connection, table: sa.Table) -> list[int]:
    return list(connection.execute(sa.select(table.c.id).order_by(table.c.id)).scalars())


def add(connection: sa.Connection, table: sa.Table, **row: Any) -> None:
    connection.execute(sa.insert(table).values(row))


@pytest.mark.parametrize("state", QuestionState)
@pytest.mark.parametrize(("at", "is_old"), [(OLD, True), (RECENT, False)])
def test_an_answered_question_goes_after_a_month(
    connection: sa.Connection, state: QuestionState, at: Any, *, is_old: bool
) -> None:
    ask(connection, state=state)
    connection.execute(sa.update(questions).values(answered_at=None if state.is_waiting else at))
    assert pruned(connection).questions == (is_old and not state.is_waiting)


def test_a_question_that_an_action_still_names_stays(connection: sa.Connection) -> None:
    ask(connection, state=QuestionState.NO, products=("1",))
    connection.execute(sa.update(questions).values(answered_at=OLD))
    assert pruned(connection).questions == 0
    connection.execute(sa.delete(actions))
    assert pruned(connection).questions == 1


def test_orders_go_once_they_are_carried_out_and_open_ones_never(connection: sa.Connection) -> None:
    order: Mapping[str, Any] = {"store": WEB, "product": "1", "kind": "keep", "rule": "r", "because": "told", "at": OLD}
    for id_, done_at in enumerate([None, OLD, RECENT]):
        add(connection, orders, id=id_, **order, wish=None, expects=None, done_at=done_at, outcome="")
    assert pruned(connection).orders == 1
    assert ids(connection, orders) == [0, 2]


def test_pauses_go_once_they_have_ended(connection: sa.Connection) -> None:
    for id_, ended in enumerate([None, OLD, RECENT]):
        add(connection, pauses, id=id_, store=WEB, rule="r", because="told", since=OLD - DAY, resumed_at=ended)
    assert pruned(connection).pauses == 1
    assert ids(connection, pauses) == [0, 2]


def test_of_old_sweeps_the_last_of_each_kind_stays_and_all_that_learned(connection: sa.Connection) -> None:
    done, stopped, running = SweepState.DONE, SweepState.STOPPED, SweepState.RUNNING
    given = [
        (SweepKind.LEARNING, done, OLD, False),
        (SweepKind.LEARNING, done, OLD, False),
        (SweepKind.NIGHTLY, done, OLD, False),  # 2: a newer one is there
        (SweepKind.NIGHTLY, stopped, OLD, False),  # 3
        (SweepKind.NIGHTLY, done, OLD, False),
        (SweepKind.NIGHTLY, done, OLD, True),  # 5: it was dry
        (SweepKind.CHANGES, done, OLD, False),  # 6
        (SweepKind.CHANGES, done, RECENT, False),
        (SweepKind.CHANGES, running, None, False),
        (SweepKind.CHANGES, stopped, RECENT, False),
    ]
    for id_, (kind, state, finished_at, is_dry) in enumerate(given, start=0):
        row = {"id": id_, "store": WEB, "kind": kind, "state": state, "reason": "", "requested_at": OLD}
        add(connection, sweeps, **row, finished_at=finished_at, is_dry=is_dry, found={}, examples={})
    assert pruned(connection).sweeps == 4
    assert ids(connection, sweeps) == [0, 1, 4, 7, 8, 9]
