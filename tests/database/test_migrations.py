"""The revisions make exactly the tables that the code uses."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy.engine import Connection

from rules_engine.core.errors import DatabaseError
from rules_engine.database.engine import Database, is_current, migrate
from rules_engine.database.tables import metadata


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
    assert migrate(url) == "0002"
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
    assert done == ["0002", "0002"]


def test_a_database_of_a_later_release_is_refused_with_a_sentence(url: str, database: Database) -> None:
    migrate(url)
    database.write_now(lambda connection: connection.execute(sa.text("UPDATE alembic_version SET version_num='9999'")))
    assert not is_current(database)
    with pytest.raises(DatabaseError, match="'9999', which this release does not know"):
        migrate(url)


def test_revisions_leave_the_logging_of_the_program_alone(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    migrate(url)
    assert capsys.readouterr() == ("", "")
