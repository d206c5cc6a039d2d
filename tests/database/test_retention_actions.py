"""Actions that ended go with the traces of them; what something open still needs stays however old it is."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from question_rows import NOW, ask, hold

from rules_engine.core.holds import HoldState
from rules_engine.core.plan import ActionState
from rules_engine.core.question import QuestionState
from rules_engine.database import retention as forgetting
from rules_engine.database.retention import Pruned, Retention, prune
from rules_engine.database.tables import actions, holds
from rules_engine.database.tables_people import questions

DAY = timedelta(days=1)
OLD, RECENT = NOW - 31 * DAY, NOW - 29 * DAY


def an_action(connection: sa.Connection, **changes: Any) -> None:
    """An action about product 1 and category 7 that ended long ago, unless `changes` say otherwise; of no question."""
    ask(connection, products=("1",))
    ended = {"state": ActionState.CONFIRMED.value, "created_at": OLD, "question": None}
    connection.execute(sa.update(actions).values({**ended, **changes}))
    connection.execute(sa.delete(questions))


def pruned(connection: sa.Connection, **retention: Any) -> Pruned:
    return prune(connection, now=NOW, retention=Retention(**retention))


@pytest.mark.parametrize("state", ActionState)
def test_an_action_goes_a_month_after_it_was_planned_unless_it_is_open_or_a_dead_letter(
    connection: sa.Connection, state: ActionState
) -> None:
    an_action(connection, state=state.value)
    assert pruned(connection).actions == int(not (state.is_open or state is ActionState.DEAD))


@pytest.mark.parametrize("name", ["created_at", "called_at", "done_at"])
def test_what_counts_within_a_window_that_still_runs_stays(connection: sa.Connection, name: str) -> None:
    an_action(connection, **{name: RECENT})
    assert pruned(connection).actions == 0


def test_a_shorter_retention_forgets_no_call_that_a_rule_may_look_back_to(connection: sa.Connection) -> None:
    an_action(connection, called_at=NOW - 20 * DAY)
    assert pruned(connection, records=7 * DAY).actions == 0  # `at_most_every` may say 30 days
    connection.execute(sa.update(actions).values(called_at=None))
    assert pruned(connection, records=7 * DAY).actions == 1


@pytest.mark.parametrize(
    ("state", "ended_at", "is_kept"),
    [
        (HoldState.HOLDING, None, True),
        (HoldState.OWED, None, True),
        (HoldState.RELEASED, RECENT, True),
        (HoldState.RELEASED, OLD, False),
    ],
)
def test_what_a_hold_is_explained_by_stays_as_long_as_the_hold_matters(
    connection: sa.Connection, state: HoldState, ended_at: Any, *, is_kept: bool
) -> None:
    an_action(connection)
    hold(connection, state=state)
    connection.execute(sa.update(holds).values(ended_at=ended_at))
    assert pruned(connection).actions == int(not is_kept)


def test_a_hold_of_another_slot_keeps_nothing(connection: sa.Connection) -> None:
    an_action(connection)
    hold(connection, id_="2")
    assert pruned(connection).actions == 1


@pytest.mark.parametrize(
    ("state", "answered_at", "is_kept"),
    [
        (QuestionState.OPEN, None, True),
        (QuestionState.GATHERING, None, True),
        (QuestionState.NO, RECENT, True),
        (QuestionState.YES, OLD, False),
    ],
)
def test_what_was_in_a_question_goes_with_it(
    connection: sa.Connection, state: QuestionState, answered_at: Any, *, is_kept: bool
) -> None:
    ask(connection, state=state, products=("1",))
    connection.execute(sa.update(actions).values(state=ActionState.CANCELLED.value, created_at=OLD))
    connection.execute(sa.update(questions).values(answered_at=answered_at))
    first, second = pruned(connection), pruned(connection)
    assert first.actions + second.actions == int(not is_kept)
    assert first.questions + second.questions == int(not is_kept)


def test_they_go_in_steps(connection: sa.Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forgetting, "STEP", 2)
    ask(connection, products=("1", "2", "3"))
    ended = {"state": ActionState.CANCELLED.value, "created_at": OLD, "question": None}
    connection.execute(sa.update(actions).values(ended))
    first = pruned(connection)
    assert (first.actions, first.is_complete) == (2, False)
    assert pruned(connection).actions == 1
