"""What came of something is found by when it came, however much was done before."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from question_rows import NOW, WEB

from rules_engine.core.subject import product
from rules_engine.database.results import results_for


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
