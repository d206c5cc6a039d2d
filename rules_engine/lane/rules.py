"""The rulebook in force, as the database says, compiled once for each activation."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy.engine import Connection

from rules_engine.core.changes import Renamed, fingerprint, renames
from rules_engine.core.delivery import StoreAlias
from rules_engine.core.errors import RulebookError
from rules_engine.core.pause import Pause, as_paused
from rules_engine.core.rule import Rule, Rulebook, RuleCode
from rules_engine.database.ledger import TAKES_REMEMBERED
from rules_engine.database.pauses import add_pause, end_pauses, open_pauses
from rules_engine.database.renames import rename_rule
from rules_engine.database.rulebooks import Activation, activate, active, newest_activation, store_rulebook
from rules_engine.database.sweeps import request_for_new_rules
from rules_engine.database.vanished import Vanished, forget_admissions, review_questions, stray_holds
from rules_engine.database.walks import is_anything_known

Compile = Callable[[Mapping[str, str]], Rulebook]
"""Texts by path → a rulebook. Raises `RulebookError`."""


@dataclass(frozen=True, slots=True)
class InForce:
    """A rulebook, and the id of the activation that put it in force: a turn may commit only under the newest.

    `pauses` are what people stopped by command; each begins and ends with an activation of its own.
    """

    activation: int
    rulebook: Rulebook
    pauses: tuple[Pause, ...] = ()

    def rules_for(self, store: StoreAlias) -> tuple[Rule, ...]:
        """The rules that run for this store, in rule order. Those that a person paused are paused, and say why."""
        return as_paused(self.rulebook.for_store(store), self.pauses, store)

    def is_stopped(self, store: StoreAlias) -> bool:
        """Whether a person stopped everything in this store: then nothing is started, not even what was ordered."""
        return any(pause.is_of_everything and pause.is_in(store) for pause in self.pauses)


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
        newest = newest_activation(connection)
        if self._known is not None and self._known.activation == newest:
            return self._known
        found = active(connection)  # with its texts, which may be long: only when it is another
        if found is None:
            self.problem = self.refused or "no rulebook is active yet: run `rules-engine release`"
            return None
        return self._adopt(connection, found)

    def _adopt(self, connection: Connection, found: Activation) -> InForce | None:
        if found.id == self._misfit:
            return None
        try:
            rulebook = self._compiled(found)
        except RulebookError as error:
            self._misfit, self._known = found.id, None
            first = error.problems[0]
            self.problem = (
                f"the active rulebook does not fit this release or stores.yaml: {first.place}: {first.message}"
            )
            return None
        self.problem = ""
        self._known = InForce(found.id, rulebook, tuple(open_pauses(connection)))
        return self._known

    def _compiled(self, found: Activation) -> Rulebook:
        """The rulebook of an activation. One that only a pause or its end activated anew is not compiled again."""
        if self._known is not None and self._known.rulebook.hash == found.hash:
            return self._known.rulebook
        return self._compile(found.texts)


@dataclass(frozen=True, slots=True)
class Activated:
    """What putting a rulebook in force came to. `is_new` says whether anything changed.

    `before` is what was in force until then. `moved` says of how many products something went over from a rule's
    former code to its own. `vanished` are the rules that are gone and hold something; people are asked about each.
    `strays` are the stores that are gone from stores.yaml, with of how many products rules hold something there.
    """

    is_new: bool
    before: Activation | None = None
    moved: Mapping[Renamed, int] = field(default_factory=dict)
    vanished: tuple[Vanished, ...] = ()
    strays: Mapping[StoreAlias, int] = field(default_factory=dict)

    def sentences(self) -> list[str]:
        """What an operator should know of it."""
        said = [f"{each.code} takes over what {each.former} held: {_products(n)}." for each, n in self.moved.items()]
        said += [
            f"{each.rule} is gone from {each.store} and holds {_products(each.products)}: give back or keep? "
            "`rules-engine questions` takes your answer; until then all stays as it is. If the rule has another name "
            f"now, write `formerly: {each.rule}` in it."
            for each in self.vanished
            if not each.is_stray
        ]
        return said + [stray_store(store, count) for store, count in self.strays.items()]


def stray_store(store: StoreAlias, products: int) -> str:
    """What an operator should know of a store that rules hold products of, and that stores.yaml no longer has."""
    return (
        f"stores.yaml has no store {store} any more; its rules hold {_products(products)} there: add it back to give "
        "them back, or keep them as they are with `rules-engine questions no`."
    )


def _products(number: int) -> str:
    return f"{number} product{'' if number == 1 else 's'}"


def put_in_force(
    connection: Connection, rulebook: Rulebook, stores: Sequence[StoreAlias], *, now: datetime, reason: str
) -> Activated:
    """Make a rulebook the active one, and have everything that is known decided by its rules.

    In the same transaction what renamed rules hold goes over to their new codes, people are asked about what rules
    hold that are gone, and questions about rules that were edited are void. A rulebook that is active already is not
    activated again; only what is asked is reviewed, since stores.yaml may be another.
    """
    before = active(connection)
    store_rulebook(connection, rulebook.hash, rulebook.texts, now=now)
    is_new = activate(connection, rulebook.hash, now=now, reason=reason) != (before.id if before else None)
    moved = _move_renamed(connection, rulebook, now=now) if is_new else {}
    prints = {rule.code: fingerprint(rule) for rule in rulebook.rules}
    in_force = {store: {rule.code: prints[rule.code] for rule in rulebook.for_store(store)} for store in stores}
    swept = [store for store in stores if is_new and is_anything_known(connection, store)]
    gone = review_questions(connection, in_force, now=now, swept=swept)
    if is_new:
        forget_admissions(connection)
    for store in swept:
        request_for_new_rules(connection, store, now=now, reason="new rules")
    strays = stray_holds(connection, stores)
    return Activated(is_new=is_new, before=before, moved=moved, vanished=tuple(gone), strays=strays)


def _move_renamed(connection: Connection, rulebook: Rulebook, *, now: datetime) -> dict[Renamed, int]:
    """Let renamed rules go on under their new codes; of how many products each took something over."""
    guards = {rule.code: rule.guards for rule in rulebook.rules}
    moved: dict[Renamed, int] = {}
    for each in renames(rulebook):
        takes = max(TAKES_REMEMBERED, guards[each.code].at_most_every or TAKES_REMEMBERED)
        moved[each] = rename_rule(connection, each.former, each.code, now=now, takes=takes)
    return {each: count for each, count in moved.items() if count}


def pause_in_force(connection: Connection, *, store: StoreAlias, rule: RuleCode, because: str, now: datetime) -> None:
    """Stop a rule, or everything where `rule` is empty, in one store, or in all where `store` is empty.

    It holds at once: turns that are under way are rolled back before their next call or commit. A pause of the same
    that runs already goes on with the new reason.
    """
    is_there = end_pauses(connection, store=store, rule=rule, now=now)
    add_pause(connection, store=store, rule=rule, because=because, now=now)
    _activate_anew(connection, now=now, reason=f"{rule or 'everything'} is paused{' again' if is_there else ''}")


def resume_in_force(
    connection: Connection, stores: Sequence[StoreAlias], *, store: StoreAlias, rule: RuleCode, now: datetime
) -> int:
    """End the pauses of this rule (empty: of everything) and store (empty: all); how many there were.

    What may have been missed meanwhile in these `stores` is looked at by the rules, from what is known.
    """
    count = end_pauses(connection, store=store, rule=rule, now=now)
    if count:
        reason = f"{rule or 'everything'} is resumed"
        _activate_anew(connection, now=now, reason=reason)
        for alias in stores:
            if store in {"", alias}:
                request_for_new_rules(connection, alias, now=now, reason=reason)
    return count


def _activate_anew(connection: Connection, *, now: datetime, reason: str) -> None:
    """Activate what is in force again. Where nothing is yet, there is no turn to stop: the first finds the pause."""
    in_force = active(connection)
    if in_force is not None:
        activate(connection, in_force.hash, now=now, reason=reason, is_anew=True)
