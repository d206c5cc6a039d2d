"""The revisions make exactly the tables that the code uses."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Thread

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy.engine import Connection

from rules_engine.core.errors import DatabaseError
from rules_engine.database.columns import microseconds
from rules_engine.database.engine import Database, _revisions, is_current, migrate
from rules_engine.database.rows import action_from_row, hold_from_row
from rules_engine.database.tables import actions, holds, metadata


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'rules 100% engine.db'}"


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    database = Database.from_url(url)
    yield database
    database.close()


def differences(connection: Connection) -> list[object]:
    """What Alembic would still change, types and indexes included."""
    context = MigrationContext.configure(connection, opts={"compare_type": True})
    return list(compare_metadata(context, metadata))


def schema(connection: Connection) -> dict[str, str]:
    """The statement that made each index, as SQLite keeps it."""
    rows = connection.execute(sa.text("SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"))
    return {row.name: row.sql for row in rows}


def test_the_revisions_make_the_tables_that_the_code_uses(url: str, database: Database) -> None:
    assert migrate(url) == "0004"
    assert database.read_now(differences) == []


def test_the_revisions_make_the_same_indexes_as_the_tables_say(url: str, database: Database, tmp_path: Path) -> None:
    migrate(url)
    plain = Database.from_url(f"sqlite:///{tmp_path / 'plain.db'}")
    plain.write_now(metadata.create_all)
    assert database.read_now(schema) == plain.read_now(schema)
    plain.close()


def test_migrating_twice_changes_nothing(url: str) -> None:
    assert migrate(url) == migrate(url)


def test_a_database_is_current_once_it_is_migrated(url: str, database: Database) -> None:
    assert not is_current(database)
    migrate(url)
    assert is_current(database)


def test_two_that_migrate_at_once_both_find_it_done(url: str) -> None:
    done: list[str] = []
    threads = [Thread(target=lambda: done.append(migrate(url))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert done == ["0004", "0004"]


def test_a_database_of_a_later_release_is_refused_with_a_sentence(url: str, database: Database) -> None:
    migrate(url)
    database.write_now(lambda connection: connection.execute(sa.text("UPDATE alembic_version SET version_num='9999'")))
    assert not is_current(database)
    with pytest.raises(DatabaseError, match="'9999', which this release does not know"):
        migrate(url)


def test_revisions_leave_the_logging_of_the_program_alone(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    migrate(url)
    assert capsys.readouterr() == ("", "")


NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def kept_by_0002(connection: Connection) -> None:
    """A hold and four actions, as the release before questions and limits left them."""
    config = _revisions()
    config.attributes["connection"] = connection
    command.upgrade(config, "0002")
    then = sa.MetaData()
    then.reflect(connection, only=("actions", "holds"))
    slot = {"store": "web", "product": "17", "aspect": "membership"}
    row = {
        **slot,
        "slot_target": "c1",
        "target": "c1",
        "wish": False,
        "kind": "remove_from_category",
        "step": "take",
        "rules": ["leaves", "other"],
        "about_kind": "product",
        "about_id": "17",
        "caused_by": [],
        "is_whole": False,
        "created_at": microseconds(NOW),
        "done_at": None,
        "reason": "",
        "attempts": 0,
    }
    later = microseconds(NOW + timedelta(minutes=1))
    known: dict[str, dict[str, object]] = {
        "waits": {"state": "pending"},
        "called": {"state": "sent", "attempts": 1},
        "done": {"state": "done", "attempts": 2, "done_at": later},
        "found so": {"state": "confirmed", "done_at": later},
    }
    for key, changes in known.items():
        connection.execute(sa.insert(then.tables["actions"]).values({**row, "key": key, **changes}))
    hold = {
        **slot,
        "target": "c1",
        "rule": "leaves",
        "subject_kind": "product",
        "subject_id": "17",
        "wish": False,
        "episode": 1,
        "takes": 1,
        "state": "holding",
        "is_left": False,
        "reason": "",
        "cause": ["d-1"],
        "since": microseconds(NOW),
    }
    connection.execute(sa.insert(then.tables["holds"]).values(hold))


def test_what_an_earlier_release_did_still_counts_and_is_still_held(url: str, database: Database) -> None:
    database.write_now(kept_by_0002)
    assert migrate(url) == "0004"
    found = {row.key: row for row in database.read_now(lambda c: c.execute(sa.select(actions)).all())}
    assert {row.rule for row in found.values()} == {"leaves"}
    later = NOW + timedelta(minutes=1)
    called = {key: action_from_row(row).called_at for key, row in found.items()}
    assert called == {"waits": None, "called": NOW, "done": later, "found so": None}
    admitted = {key for key, row in found.items() if action_from_row(row).admitted_at is not None}
    assert admitted == {"called", "done"}, "what was sent already needs no leave"
    hold = hold_from_row(database.read_now(lambda c: c.execute(sa.select(holds)).one()))
    assert (hold.rule, hold.takes, hold.is_ordered, hold.stood) == ("leaves", 1, False, "")
