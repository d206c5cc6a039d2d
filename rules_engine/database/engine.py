"""The connection to the database: one writer, a few readers, and transactions that end or never happened."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TypeVar

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.pool import ConnectionPoolEntry

from rules_engine.core.errors import DatabaseError, SettingsError

T = TypeVar("T")

PATIENCE = 50
"""How often the switch to WAL is tried again while other processes do the same."""

READERS = 2
"""Threads that read: enough for a lane and a person's question, few enough for a small host."""


class Database:
    """The engine's own database: SQLite in a file, with write-ahead log and a synced commit.

    Work is a function that takes a SQLAlchemy `Connection` and returns a value; it runs in a thread, inside one
    transaction. There is one writer thread, so a write waits for the ones before it and never for a lock of its own
    process; another process on the same file is waited for up to 5 seconds.
    """

    def __init__(self, writer: Engine, readers: Engine) -> None:
        self._writer = writer
        self._readers = readers
        self._writing = ThreadPoolExecutor(max_workers=1, thread_name_prefix="database-writer")
        self._reading = ThreadPoolExecutor(max_workers=READERS, thread_name_prefix="database-reader")
        self._is_closed = False

    @classmethod
    def from_url(cls, url: str) -> Database:
        """Open the database, creating the file where there is none; `migrate` makes its tables.

        Raises `SettingsError` for a URL that this release cannot use, and `DatabaseError` when the file cannot be
        opened or is not a database.
        """
        place = _sqlite_url(url)
        # hide_parameters: what is bound may be a webhook's body, which belongs in no log.
        writer = sa.create_engine(place, pool_size=1, max_overflow=0, hide_parameters=True)
        readers = sa.create_engine(place, pool_size=READERS, max_overflow=0, hide_parameters=True)
        _arrange(writer, begin="BEGIN IMMEDIATE", pragmas=("journal_mode = WAL", "synchronous = FULL"))
        _arrange(readers, begin="BEGIN", pragmas=("query_only = ON",))
        try:
            with writer.begin():
                pass
        except sa.exc.DBAPIError as error:
            writer.dispose()
            raise DatabaseError(
                f"The database file {place.database} cannot be used ({error.orig}): check DATABASE_URL, and that the "
                "directory exists and may be written to."
            ) from None
        return cls(writer, readers)

    @property
    def dialect(self) -> str:
        """The kind of database, as SQLAlchemy names it: `sqlite`."""
        return self._writer.dialect.name

    @property
    def writer(self) -> Engine:
        """The engine behind `write`, for migrations and for tests that listen to its events."""
        return self._writer

    async def write(self, work: Callable[[Connection], T]) -> T:
        """Run `work` in a transaction that writes, and commit it: what it returned is durable when this returns.

        Any exception rolls back; those of the database become a `DatabaseError`. A caller that is cancelled does not
        stop work that has begun: that commits or rolls back by itself.
        """
        return await asyncio.wrap_future(self._begin(self._writing, self._writer, work))

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Run `work` on one consistent state of the database; it cannot write. Raises `DatabaseError`."""
        return await asyncio.wrap_future(self._begin(self._reading, self._readers, work))

    def write_now(self, work: Callable[[Connection], T]) -> T:
        """`write` for the command line, which has no event loop."""
        return self._begin(self._writing, self._writer, work).result()

    def read_now(self, work: Callable[[Connection], T]) -> T:
        """`read` for the command line, which has no event loop."""
        return self._begin(self._reading, self._readers, work).result()

    def _begin(self, threads: ThreadPoolExecutor, engine: Engine, work: Callable[[Connection], T]) -> Future[T]:
        if self._is_closed:
            raise DatabaseError("The database is closed: the engine is stopping.")
        return threads.submit(_in_transaction, engine.begin(), work)

    def close(self) -> None:
        """Finish what was begun, then close every connection. The file stays."""
        self._is_closed = True
        self._writing.shutdown()
        self._reading.shutdown()
        self._readers.dispose()
        self._writer.dispose()


def migrate(url: str) -> str:
    """Bring the tables of the database at `url` to the newest revision, and return its name.

    All revisions are applied in one transaction; of two processes that migrate at once, one waits and finds it done.
    Raises `SettingsError` or `DatabaseError`.
    """
    database = Database.from_url(url)
    try:
        return database.write_now(_upgrade)
    finally:
        database.close()


def is_current(database: Database) -> bool:
    """Whether the tables are those of this release. Raises `DatabaseError`."""
    return database.read_now(_revision) == ScriptDirectory.from_config(_revisions()).get_current_head()


def _upgrade(connection: Connection) -> str:
    config = _revisions()
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError:
        raise DatabaseError(
            f"The database is at revision {_revision(connection)!r}, which this release does not know: it was made by "
            "a later release, so run that one."
        ) from None
    return _revision(connection) or ""


def _revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _revisions() -> Config:
    """Alembic's settings without an alembic.ini, so that they work wherever the package is installed."""
    config = Config()
    place = Path(__file__).with_name("migrations")
    config.set_main_option("script_location", str(place).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def _sqlite_url(url: str) -> sa.URL:
    """The URL of a SQLite file, or `SettingsError`. The text given is never echoed: it may hold a password."""
    try:
        parsed = sa.make_url(url)
    except (sa.exc.ArgumentError, ValueError):
        raise SettingsError(
            "DATABASE_URL is not a database URL: write sqlite:///rules-engine.db, with a path of your own."
        ) from None
    if parsed.drivername.partition("+")[0] in {"postgres", "postgresql"}:
        raise SettingsError(
            "DATABASE_URL names PostgreSQL, which comes with a later release: unset it, or write "
            "sqlite:///rules-engine.db."
        )
    if parsed.drivername not in {"sqlite", "sqlite+pysqlite"}:
        raise SettingsError("DATABASE_URL names an unknown kind of database: write sqlite:///rules-engine.db.")
    if not parsed.database or parsed.database == ":memory:" or parsed.query or parsed.host:
        raise SettingsError(
            "DATABASE_URL has to name a file that outlives the process, without options: write "
            "sqlite:///rules-engine.db, or sqlite:////an/absolute/path."
        )
    return parsed


def _arrange(engine: Engine, *, begin: str, pragmas: tuple[str, ...]) -> None:
    """Let SQLAlchemy begin transactions itself, because sqlite3 begins none for a SELECT and a late one for a write.

    SQLAlchemy's documentation, "Enabling Non-Legacy SQLite Transactional Modes": these two events.
    """

    def on_connect(connection: sqlite3.Connection, _entry: ConnectionPoolEntry) -> None:
        connection.isolation_level = None
        for pragma in ("busy_timeout = 5000", *pragmas, "foreign_keys = ON"):
            _execute_when_free(connection, f"PRAGMA {pragma}")

    def on_begin(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    sa.event.listen(engine, "connect", on_connect)
    sa.event.listen(engine, "begin", on_begin)


def _execute_when_free(connection: sqlite3.Connection, statement: str) -> None:
    """Run a statement outside any transaction, and wait where SQLite itself does not.

    Two processes that switch a new file to WAL at once are told "database is locked" at once, whatever the time-out;
    to begin a transaction waits for as long as the time-out says.
    """
    for _ in range(PATIENCE):
        try:
            connection.execute(statement)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY:
                raise
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("ROLLBACK")
        else:
            return
    connection.execute(statement)


def _in_transaction(transaction: AbstractContextManager[Connection], work: Callable[[Connection], T]) -> T:
    try:
        with transaction as connection:
            return work(connection)
    except sa.exc.DBAPIError as error:
        raise DatabaseError(f"The database could not do what was asked: {error.orig}.") from error
    except sa.exc.SQLAlchemyError as error:
        raise DatabaseError(f"The database could not do what was asked: {error}.") from error
