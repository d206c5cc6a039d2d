"""One writer, a few readers, and transactions that end or never happened."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from rules_engine.core.errors import DatabaseError, LaneLostError, SettingsError
from rules_engine.database.engine import Database
from rules_engine.database.tables import lanes, metadata

pytestmark = pytest.mark.anyio


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "engine.db"


@pytest.fixture
def database(path: Path) -> Iterator[Database]:
    database = Database.from_url(f"sqlite:///{path}")
    database.write_now(metadata.create_all)
    yield database
    database.close()


def add_lane(connection: Connection, store: str = "web") -> None:
    connection.execute(lanes.insert().values(store=store))


def stores(connection: Connection) -> list[str]:
    return list(connection.execute(sa.select(lanes.c.store).order_by(lanes.c.store)).scalars())


def pragmas(connection: Connection) -> dict[str, object]:
    names = ("journal_mode", "synchronous", "busy_timeout", "foreign_keys", "query_only")
    return {name: connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in names}


async def test_what_was_written_is_there_when_the_file_is_opened_again(path: Path, database: Database) -> None:
    await database.write(add_lane)
    database.close()
    again = Database.from_url(f"sqlite:///{path}")
    assert again.read_now(stores) == ["web"]
    again.close()


async def test_every_commit_is_synced_and_every_wait_is_bounded(database: Database) -> None:
    expected = {"journal_mode": "wal", "synchronous": 2, "busy_timeout": 5000, "foreign_keys": 1}
    assert await database.write(pragmas) == {**expected, "query_only": 0}
    assert await database.read(pragmas) == {**expected, "query_only": 1}


async def test_an_exception_rolls_everything_back(database: Database) -> None:
    def lose(connection: Connection) -> None:
        add_lane(connection)
        raise LaneLostError("another worker owns the lane")

    with pytest.raises(LaneLostError):
        await database.write(lose)
    assert await database.read(stores) == []


async def test_what_the_database_says_becomes_a_sentence_without_what_was_bound(database: Database) -> None:
    await database.write(add_lane)
    with pytest.raises(DatabaseError, match="UNIQUE constraint failed") as caught:
        await database.write(lambda connection: add_lane(connection, "web"))
    assert "'web'" not in str(caught.value)


async def test_a_read_cannot_write(database: Database) -> None:
    with pytest.raises(DatabaseError, match="readonly"):
        await database.read(add_lane)
    assert await database.read(stores) == []


async def test_writes_happen_one_after_the_other(database: Database) -> None:
    def count_up(connection: Connection) -> None:
        found = connection.execute(sa.select(lanes.c.epoch).where(lanes.c.store == "web")).scalar_one()
        connection.execute(lanes.update().values(epoch=found + 1))

    await database.write(add_lane)
    await asyncio.gather(*(database.write(count_up) for _ in range(50)))
    assert await database.read(lambda connection: connection.execute(sa.select(lanes.c.epoch)).scalar_one()) == 50


async def test_a_read_sees_one_state_while_another_process_writes(path: Path, database: Database) -> None:
    other = Database.from_url(f"sqlite:///{path}")

    def look_twice(connection: Connection) -> tuple[list[str], list[str]]:
        before = stores(connection)
        other.write_now(add_lane)
        return before, stores(connection)

    assert await database.read(look_twice) == ([], [])
    assert await database.read(stores) == ["web"]
    other.close()


async def test_a_write_takes_the_lock_before_it_reads(path: Path, database: Database) -> None:
    impatient = sa.create_engine(f"sqlite:///{path}", connect_args={"timeout": 0})

    def meet_another(connection: Connection) -> list[str]:
        with pytest.raises(sa.exc.OperationalError, match="locked"), impatient.begin() as rival:
            rival.exec_driver_sql("BEGIN IMMEDIATE")
        return stores(connection)

    assert await database.write(meet_another) == []
    impatient.dispose()


async def test_a_closed_database_says_so(database: Database) -> None:
    database.close()
    with pytest.raises(DatabaseError, match="closed"):
        await database.read(stores)
    with pytest.raises(DatabaseError, match="closed"):
        database.write_now(add_lane)


@pytest.mark.parametrize("url", ["postgres://u:hush@db/engine", "postgresql://db/engine", "postgresql+psycopg://db/e"])
def test_postgresql_is_refused_until_it_is_there(url: str) -> None:
    with pytest.raises(SettingsError, match="PostgreSQL, which comes with a later release") as caught:
        Database.from_url(url)
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["", "hush", "mysql://u:hush@db/engine", "sqlite://", "sqlite:///:memory:", "sqlite:///x?hush=1", "a://b:c/"]
)
def test_any_other_url_is_refused_with_what_to_write(url: str) -> None:
    with pytest.raises(SettingsError, match=r"DATABASE_URL .*sqlite:///rules-engine.db") as caught:
        Database.from_url(url)
    assert "hush" not in str(caught.value)


def test_a_directory_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatabaseError, match=r"nowhere/engine.db cannot be used .*check DATABASE_URL"):
        Database.from_url(f"sqlite:///{tmp_path}/nowhere/engine.db")


def test_a_file_that_is_no_database_is_refused_and_left_alone(path: Path) -> None:
    path.write_text("a letter to a friend, not a database" * 100)
    with pytest.raises(DatabaseError, match="file is not a database"):
        Database.from_url(f"sqlite:///{path}")
    assert path.read_text().startswith("a letter")


def test_two_may_open_a_new_file_at_once(tmp_path: Path) -> None:
    together = Barrier(2)

    def open_it(number: int) -> None:
        together.wait()
        Database.from_url(f"sqlite:///{tmp_path}/new-{number}.db").close()

    with ThreadPoolExecutor(max_workers=2) as threads:
        for number in range(60):
            list(threads.map(open_it, [number] * 2))
