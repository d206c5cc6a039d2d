"""A store's catalogue as it was last seen: its categories and names at once, its products page by page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial

import sqlalchemy as sa

from rules_engine.core.action import SlotRef
from rules_engine.core.delivery import StoreAlias
from rules_engine.core.directory import Directory
from rules_engine.core.holds import Hold
from rules_engine.core.plan import Case, Episode, EpisodeKey
from rules_engine.core.rule import Rule, RuleCode
from rules_engine.core.store import Capabilities, Store
from rules_engine.core.subject import SubjectKind, SubjectRef
from rules_engine.database.catalogue import category_episodes, held_by_rule, known_subjects, load_directory
from rules_engine.database.engine import Database
from rules_engine.database.ledger import load_cases

PAGE = 200
"""Subjects that are held in memory at once: as many as a lane looks at in one turn, so that calls count alike."""

NewNames = Mapping[RuleCode, RuleCode]
"""The present code of each rule that had another before."""


@dataclass(frozen=True, slots=True)
class Catalogue:
    """What is remembered of one store. `products` are in the order in which a lane looks at them.

    `held` says of how many products each rule holds something, also a rule that is gone. `stretches` are those of
    rules about categories.
    """

    database: Database
    store: StoreAlias
    directory: Directory
    products: tuple[SubjectRef, ...]
    categories: tuple[Case, ...]
    stretches: Mapping[EpisodeKey, Episode]
    held: Mapping[RuleCode, int]
    now: datetime
    lag: timedelta
    takes: timedelta

    def pages(self) -> Iterator[list[Case]]:
        """What is remembered of the products. Every page is read by itself, so that an engine is not kept waiting."""
        for start in range(0, len(self.products), PAGE):
            wanted = self.products[start : start + PAGE]
            load = partial(_load, store=self.store, refs=wanted, now=self.now, lag=self.lag, takes=self.takes)
            yield self.database.read_now(load)


def open_catalogue(
    database: Database, store: Store, capabilities: Capabilities, *, now: datetime, lag: timedelta, takes: timedelta
) -> Catalogue:
    """The catalogue of a store. `lag` is how long the shop may show an old value, `takes` how far back it is to be
    known when rules acted. Raises `DatabaseError`.
    """

    def read(connection: sa.Connection) -> Catalogue:
        known = known_subjects(connection, store.alias)
        categories = [ref for ref in known if ref.kind is SubjectKind.CATEGORY]
        return Catalogue(
            database=database,
            store=store.alias,
            directory=load_directory(connection, store, capabilities),
            products=tuple(ref for ref in known if ref.kind is SubjectKind.PRODUCT),
            categories=tuple(_load(connection, store.alias, categories, now=now, lag=lag, takes=takes)),
            stretches=category_episodes(connection, store.alias),
            held=held_by_rule(connection, store.alias),
            now=now,
            lag=lag,
            takes=takes,
        )

    return database.read_now(read)


def _load(
    connection: sa.Connection,
    store: StoreAlias,
    refs: Sequence[SubjectRef],
    *,
    now: datetime,
    lag: timedelta,
    takes: timedelta,
) -> list[Case]:
    cases = load_cases(connection, store, refs, now=now, lag=lag, takes=takes)
    return [cases[ref] for ref in refs]


def new_names(rules: Sequence[Rule]) -> NewNames:
    """The present codes of rules that say what they were called `formerly`; a code that is in use stays its own."""
    codes = {rule.code for rule in rules}
    return {old: rule.code for rule in rules for old in rule.formerly if old not in codes}


def renamed_episodes(episodes: Mapping[EpisodeKey, Episode], names: NewNames) -> dict[EpisodeKey, Episode]:
    """The stretches under the present codes of their rules; one that is there already counts."""
    moved = {(names[code], ref): episode for (code, ref), episode in episodes.items() if code in names}
    return moved | {key: episode for key, episode in episodes.items() if key[0] not in names}


def renamed(case: Case, names: NewNames) -> Case:
    """The case as it is once renamed rules have what was theirs under their former codes."""
    if not names:
        return case
    takes: dict[RuleCode, tuple[datetime, ...]] = {}
    for code, times in case.recent_takes.items():
        present = names.get(code, code)
        takes[present] = tuple(sorted({*takes.get(present, ()), *times}))
    return replace(
        case,
        slots={ref: replace(slot, holds=_renamed_holds(slot.holds, names)) for ref, slot in case.slots.items()},
        episodes=renamed_episodes(case.episodes, names),
        actions={
            key: replace(action, rules=tuple(names.get(code, code) for code in action.rules))
            for key, action in case.actions.items()
        },
        recent_takes=takes,
        ended=_renamed_ended(case.ended, names),
    )


def _renamed_ended(ended: Mapping[SlotRef, tuple[Hold, ...]], names: NewNames) -> dict[SlotRef, tuple[Hold, ...]]:
    return {ref: _renamed_holds(holds, names) for ref, holds in ended.items()}


def _renamed_holds(holds: Sequence[Hold], names: NewNames) -> tuple[Hold, ...]:
    return tuple(replace(hold, rule=names[hold.rule]) if hold.rule in names else hold for hold in holds)
