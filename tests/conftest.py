"""Fixtures that all tests share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, settings

from rules_engine.database.tables import metadata

# How long an example takes says something about the machine, not about the engine. The examples are the same every
# time, so that what fails on one machine fails on all; `--hypothesis-profile=hunt` looks for others, and for more.
ENGINE = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("engine", ENGINE, derandomize=True)
settings.register_profile("hunt", ENGINE, max_examples=5000)
settings.load_profile("engine")


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Async tests run on asyncio, as the engine does."""
    return "asyncio"


@pytest.fixture(scope="session")
def memory() -> Iterator[sa.Engine]:
    """A database in memory with all tables and nothing in them: begin, and roll back."""
    engine = sa.create_engine("sqlite://", poolclass=sa.StaticPool)
    with engine.begin() as connection:
        connection.exec_driver_sql("PRAGMA foreign_keys = ON")
        metadata.create_all(connection)
    yield engine
    engine.dispose()


@pytest.fixture
def connection(memory: sa.Engine) -> Iterator[sa.Connection]:
    """A connection for functions over one, whose transaction is never committed."""
    with memory.connect() as connection:
        yield connection
        connection.rollback()
