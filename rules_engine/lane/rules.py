"""The rulebook in force, as the database says, compiled once for each activation."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.engine import Connection

from rules_engine.core.delivery import StoreAlias
from rules_engine.core.errors import RulebookError
from rules_engine.core.rule import Rulebook
from rules_engine.database.catalogue import known_subjects
from rules_engine.database.lanes import schedule_looks
from rules_engine.database.rulebooks import Activation, activate, active, store_rulebook

Compile = Callable[[Mapping[str, str]], Rulebook]
"""Texts by path → a rulebook. Raises `RulebookError`."""


@dataclass(frozen=True, slots=True)
class InForce:
    """A rulebook, and the id of the activation that put it in force: a turn may commit only under the newest."""

    activation: int
    rulebook: Rulebook


class Rules:
    """Gives the rulebook in force.

    `problem` says why there is none; `refused` why the files on disk are not it, for `/readyz` and the logs.
    """

    def __init__(self, compile_: Compile) -> None:
        self._compile = compile_
        self._known: InForce | None = None
        self._misfit: int | None = None
        self.problem = ""
        self.refused = ""

    def in_force(self, connection: Connection) -> InForce | None:
        """The rulebook in force, or None while there is none that this process understands."""
        found = active(connection)
        if found is None:
            self.problem = self.refused or "no rulebook is active yet: run `rules-engine release`"
            return None
        if self._known is not None and self._known.activation == found.id:
            return self._known
        return self._adopt(found)

    def _adopt(self, found: Activation) -> InForce | None:
        if found.id == self._misfit:
            return None
        try:
            rulebook = self._compile(found.texts)
        except RulebookError as error:
            self._misfit, self._known = found.id, None
            first = error.problems[0]
            self.problem = (
                f"the active rulebook does not fit this release or stores.yaml: {first.place}: {first.message}"
            )
            return None
        self.problem = ""
        self._known = InForce(found.id, rulebook)
        return self._known


def put_in_force(
    connection: Connection, rulebook: Rulebook, stores: Sequence[StoreAlias], *, now: datetime, reason: str
) -> bool:
    """Make a rulebook the active one, and have everything that is known looked at by its rules.

    Gives whether anything changed: the rulebook that is active already is left alone.
    """
    before = active(connection)
    store_rulebook(connection, rulebook.hash, rulebook.texts, now=now)
    if activate(connection, rulebook.hash, now=now, reason=reason) == (before.id if before else None):
        return False
    for store in stores:
        schedule_looks(connection, store, known_subjects(connection, store), due_at=now, reason="new rules")
    return True
