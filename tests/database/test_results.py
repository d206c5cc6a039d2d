"""What came of something is found by when it came, however much was done before."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from question_rows import NOW, WEB, ask

from rules_engine.core.plan import ActionState
from rules_engine.core.subject import product
from rules_engine.database.results import is_quiet, results_for
from rules_engine.database.tables import actions


def test_what_came_before_is_not_read(connection: sa.Connection) -> None:
    seen: list[tuple[str, Any]] = []
    sa.event.listen(connection, "before_cursor_execute", lambda *a: seen.append((a[2], a[3])))
    results_for(connection, WEB, [product("1")], cause="d-1", since=NOW)
    plans = [connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}", values).all() for text, values in seen[:]]
    assert {row[-1] for plan in plans for row in plan if row[-1].startswith(("SEARCH", "SCAN"))} == {
        "SEARCH traces USING INDEX ix_traces_at (at>?)",
        "SEARCH actions USING INDEX ix_actions_created_at (created_at>?)",
        "SEARCH actions USING INDEX sqlite_autoindex_actions_1 (key=?)",
        "SEARCH attempts USING INDEX ix_attempts_started_at (started_at>?)",
    }


LATER = NOW + timedelta(hours=1)


@pytest.mark.parametrize(
    ("state", "due_at", "quiet"),
    [
        (ActionState.PENDING, None, False),
        (ActionState.PENDING, NOW, False),
        (ActionState.PENDING, LATER, True),  # the hours of its rule do not let it act before
        (ActionState.SENT, None, False),
        (ActionState.HELD, None, True),
        (ActionState.WAITING, NOW, True),  # it was answered once
        (ActionState.CONFIRMED, None, True),
    ],
)
def test_nobody_waits_for_what_is_held_back_or_may_be_called_for_only_later(
    connection: sa.Connection, state: ActionState, due_at: datetime | None, *, quiet: bool
) -> None:
    ask(connection, products=("1",))
    connection.execute(sa.update(actions).values(state=state.value, due_at=due_at))
    assert is_quiet(connection, WEB, [product("1")], asked_at=NOW) is quiet
