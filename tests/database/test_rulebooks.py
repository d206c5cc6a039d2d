"""One rulebook is in force, and a turn that decided by an older one does not commit."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from rules_engine.core.errors import DatabaseError, LaneLostError
from rules_engine.core.rule import RulebookHash
from rules_engine.database import rulebooks, tables
from rules_engine.database.rulebooks import Activation

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
OLD, NEW = RulebookHash("old"), RulebookHash("new")
TEXTS = {"rules/featured.yaml": "rules: {}\n", "rules/ملف.yaml": ""}


@pytest.fixture
def stored(connection: sa.Connection) -> sa.Connection:
    for hash_ in (OLD, NEW):
        rulebooks.store_rulebook(connection, hash_, TEXTS | {"hash": hash_}, now=NOW)
    return connection


def activate(connection: sa.Connection, hash_: RulebookHash) -> int:
    return rulebooks.activate(connection, hash_, now=NOW, reason="release")


def test_nothing_is_in_force_before_the_first(stored: sa.Connection) -> None:
    assert rulebooks.active(stored) is None


def test_the_rulebook_in_force_comes_with_its_texts(stored: sa.Connection) -> None:
    id_ = activate(stored, OLD)
    assert rulebooks.active(stored) == Activation(id_, OLD, TEXTS | {"hash": OLD})


def test_storing_a_known_rulebook_again_keeps_the_first(stored: sa.Connection) -> None:
    rulebooks.store_rulebook(stored, OLD, {}, now=NOW + timedelta(days=1))
    activate(stored, OLD)
    found = rulebooks.active(stored)
    assert found is not None
    assert found.texts == TEXTS | {"hash": OLD}


def test_making_the_one_in_force_active_again_changes_nothing(stored: sa.Connection) -> None:
    first = activate(stored, OLD)
    assert activate(stored, OLD) == first
    assert stored.execute(sa.select(sa.func.count()).select_from(tables.activations)).scalar_one() == 1


def test_going_back_to_an_old_rulebook_is_a_new_activation(stored: sa.Connection) -> None:
    first, second, third = activate(stored, OLD), activate(stored, NEW), activate(stored, OLD)
    assert first < second < third
    assert rulebooks.active(stored) == Activation(third, OLD, TEXTS | {"hash": OLD})


def test_a_rulebook_that_was_never_stored_cannot_be_active(stored: sa.Connection) -> None:
    with pytest.raises(DatabaseError, match="'other'"):
        activate(stored, RulebookHash("other"))


def test_a_turn_by_older_rules_is_lost(stored: sa.Connection) -> None:
    old = activate(stored, OLD)
    rulebooks.check_activation(stored, old)
    activate(stored, NEW)
    with pytest.raises(LaneLostError):
        rulebooks.check_activation(stored, old)
