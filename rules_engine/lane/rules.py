"""The rulebook in force, as the database says, compiled once for each activation."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy.engine import Connection

from rules_engine.core.changes import Renamed, renames
from rules_engine.core.delivery import StoreAlias
from rules_engine.core.errors import RulebookError
from rules_engine.core.rule import Rulebook, RuleCode
from rules_engine.database.lanes import look_at_all
from rules_engine.database.ledger import TAKES_REMEMBERED
from rules_engine.database.renames import held_by, rename_rule
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


@dataclass(frozen=True, slots=True)
class Activated:
    """What putting a rulebook in force came to. `is_new` says whether anything changed.

    `before` is what was in force until then. `moved` says of how many products something went over from a rule's
    former code to its own, `orphaned` of how many products rules still hold something that are in no file any more.
    """

    is_new: bool
    before: Activation | None = None
    moved: Mapping[Renamed, int] = field(default_factory=dict)
    orphaned: Mapping[RuleCode, int] = field(default_factory=dict)

    def sentences(self) -> list[str]:
        """What an operator should know of it."""
        said = [f"{each.code} takes over what {each.former} held: {_products(n)}." for each, n in self.moved.items()]
        said += [
            f"{code} is gone and still holds something of {_products(n)}: that stays as it is. Bring the rule back, or "
            f"name it under `formerly:` in the rule that takes its place."
            for code, n in self.orphaned.items()
        ]
        return said


def _products(number: int) -> str:
    return f"{number} product{'' if number == 1 else 's'}"


def put_in_force(
    connection: Connection, rulebook: Rulebook, stores: Sequence[StoreAlias], *, now: datetime, reason: str
) -> Activated:
    """Make a rulebook the active one, and have everything that is known looked at by its rules.

    In the same transaction what renamed rules hold goes over to their new codes. The rulebook that is active already
    is left alone.
    """
    before = active(connection)
    store_rulebook(connection, rulebook.hash, rulebook.texts, now=now)
    if activate(connection, rulebook.hash, now=now, reason=reason) == (before.id if before else None):
        return Activated(is_new=False, before=before)
    guards = {rule.code: rule.guards for rule in rulebook.rules}
    moved: dict[Renamed, int] = {}
    for each in renames(rulebook):
        takes = max(TAKES_REMEMBERED, guards[each.code].at_most_every or TAKES_REMEMBERED)
        moved[each] = rename_rule(connection, each.former, each.code, now=now, takes=takes)
    orphaned = held_by(connection, except_for={rule.code for rule in rulebook.rules})
    for store in stores:
        look_at_all(connection, store, due_at=now, reason="new rules")
    return Activated(
        is_new=True, before=before, moved={each: count for each, count in moved.items() if count}, orphaned=orphaned
    )
