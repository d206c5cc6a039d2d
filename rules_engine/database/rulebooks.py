"""The rulebooks that ran: every text by its hash, and which of them is in force."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from rules_engine.core.errors import DatabaseError, LaneLostError
from rules_engine.core.rule import RulebookHash

from .rows import insert_for
from .tables import activations, rulebooks


@dataclass(frozen=True, slots=True)
class Activation:
    """A rulebook in force: the id of the moment when it was made active, its hash, and its texts by path."""

    id: int
    hash: RulebookHash
    texts: Mapping[str, str]


def store_rulebook(connection: sa.Connection, hash_: RulebookHash, texts: Mapping[str, str], *, now: datetime) -> None:
    """Keep the texts of a rulebook under their hash; one that is known already stays as it is."""
    statement = insert_for(connection, rulebooks).on_conflict_do_nothing()
    connection.execute(statement, {"hash": hash_, "texts": dict(texts), "stored_at": now})


def activate(
    connection: sa.Connection, hash_: RulebookHash, *, now: datetime, reason: str, is_anew: bool = False
) -> int:
    """Put a stored rulebook in force; the id of its activation, an old one when it is in force already.

    With `is_anew` it is activated again even so: turns that are under way are then rolled back and decided again.
    Raises `DatabaseError` when no rulebook of this hash is stored.
    """
    if connection.execute(sa.select(rulebooks.c.hash).where(rulebooks.c.hash == hash_)).one_or_none() is None:
        raise DatabaseError(f"There is no rulebook {hash_!r} to make active: store its texts first.")
    newest = connection.execute(_NEWEST).one_or_none()
    if newest is not None and newest.rulebook == hash_ and not is_anew:
        return int(newest.id)
    row = {"rulebook": hash_, "activated_at": now, "reason": reason}
    connection.execute(sa.insert(activations), row)
    return int(connection.execute(_NEWEST).one().id)


_NEWEST = sa.select(activations.c.id, activations.c.rulebook).order_by(activations.c.id.desc()).limit(1)


_ACTIVE = _NEWEST.add_columns(rulebooks.c.texts).join(rulebooks, rulebooks.c.hash == activations.c.rulebook)


def active(connection: sa.Connection) -> Activation | None:
    """The rulebook in force, or None before the first."""
    row = connection.execute(_ACTIVE).one_or_none()
    return None if row is None else Activation(row.id, RulebookHash(row.rulebook), row.texts)


def newest_activation(connection: sa.Connection) -> int | None:
    """The id of the activation in force, or None before the first."""
    newest = connection.execute(_NEWEST).one_or_none()
    return None if newest is None else int(newest.id)


def check_activation(connection: sa.Connection, id_: int) -> None:
    """Raise `LaneLostError` when newer rules are in force than those of this activation."""
    if newest_activation(connection) != id_:
        raise LaneLostError("Newer rules are in force; this turn is rolled back and decided again by them.")


def stored_rulebooks(connection: sa.Connection, prefix: str) -> dict[RulebookHash, Mapping[str, str]]:
    """The texts of every rulebook that ran and whose hash begins like this."""
    begins = sa.func.substr(rulebooks.c.hash, 1, len(prefix)) == prefix.lower()
    rows = connection.execute(sa.select(rulebooks.c.hash, rulebooks.c.texts).where(begins).order_by(rulebooks.c.hash))
    return {RulebookHash(row.hash): row.texts for row in rows}


def texts_that_ran(connection: sa.Connection, *, limit: int) -> list[Mapping[str, str]]:
    """The texts of the rulebooks that were in force last, the newest first."""
    newest = sa.select(rulebooks.c.texts).join(activations, rulebooks.c.hash == activations.c.rulebook)
    return list(connection.execute(newest.order_by(activations.c.id.desc()).limit(limit)).scalars())
