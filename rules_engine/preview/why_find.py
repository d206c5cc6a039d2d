"""Finding the product or category that a person means: by id, SKU, a variant's SKU, or name, in every store."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum

import sqlalchemy as sa

from rules_engine.core.delivery import StoreAlias
from rules_engine.core.explain import closest
from rules_engine.core.subject import SubjectKind, SubjectRef
from rules_engine.core.words import fold
from rules_engine.database.tables import snapshots


class By(IntEnum):
    """What of a subject was named; the first that finds anything in a store counts there."""

    ID = 0
    SKU = 1
    VARIANT = 2
    NAME = 3


@dataclass(frozen=True, slots=True)
class Match:
    """A subject that may be meant. `called` is its name, else its SKU or id."""

    store: StoreAlias
    ref: SubjectRef
    called: str
    sku: str = ""
    is_gone: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    """What a person may mean. `near` is a word that is known and was probably meant, when nothing matches."""

    matches: tuple[Match, ...] = ()
    near: str = ""
    is_any_known: bool = False

    @property
    def is_clear(self) -> bool:
        """Whether each store has at most one."""
        return len({match.store for match in self.matches}) == len(self.matches)


_KINDS = (SubjectKind.PRODUCT, SubjectKind.CATEGORY)


def find(connection: sa.Connection, what: str, stores: Collection[StoreAlias]) -> Found:
    """The products, else the categories, that `what` names in these stores. `category:17` names one by kind and id.

    Text compares without regard to case, ids exactly. In each store the best of id, SKU, variant's SKU and name counts.
    """
    best: dict[tuple[SubjectKind, StoreAlias], tuple[By, list[Match]]] = {}
    words: set[str] = set()
    is_any_known = False
    kind, _, id_ = what.strip().partition(":")
    for match, names in _subjects(connection, stores):
        is_any_known = True
        if kind in _KINDS:
            by = By.ID if (match.ref.kind, match.ref.id) == (kind, id_.strip()) else None
        else:
            by = _matched(what, match, names)
        if by is None:
            words |= {match.called, match.sku, *(text for texts in names for text in texts)}
            continue
        place = (match.ref.kind, match.store)
        known = best.setdefault(place, (by, []))
        if by < known[0]:
            best[place] = (by, [match])
        elif by == known[0]:
            known[1].append(match)
    for kind_ in _KINDS:
        found = [match for (of, _), (_, some) in best.items() if of is kind_ for match in some]
        if found:
            order = list(stores)
            matches = sorted(found, key=lambda each: (order.index(each.store), each.ref.id))
            return Found(tuple(matches), is_any_known=True)
    return Found(near=closest(what.strip(), sorted(words - {""})), is_any_known=is_any_known)


def _matched(what: str, match: Match, names: tuple[Sequence[str], Sequence[str]]) -> By | None:
    variants, called = names
    wanted = fold(what)
    if match.ref.id == what.strip():
        return By.ID
    if match.sku and fold(match.sku) == wanted:
        return By.SKU
    if wanted in map(fold, variants):
        return By.VARIANT
    return By.NAME if wanted in map(fold, called) else None


def _subjects(
    connection: sa.Connection, stores: Collection[StoreAlias]
) -> Iterator[tuple[Match, tuple[list[str], list[str]]]]:
    """Every subject that was ever seen, with its variants' SKUs and its names. The database reads the JSON."""
    fields = snapshots.c.fields
    query = sa.select(
        snapshots.c.store,
        snapshots.c.kind,
        snapshots.c.id,
        snapshots.c.is_gone,
        fields["sku"].as_string().label("sku"),
        fields["name"].as_string().label("name"),
        fields["path"].as_string().label("path"),
        fields["names"].as_json().label("names"),
        fields["variants"].as_json().label("variants"),
    ).where(snapshots.c.store.in_(list(stores)), snapshots.c.kind.in_([kind.value for kind in _KINDS]))
    for row in connection.execute(query.order_by(snapshots.c.store, snapshots.c.kind, snapshots.c.id)):
        ref = SubjectRef(SubjectKind(row.kind), row.id)
        names = [name for name in (row.name, row.path, *_texts(row.names)) if name]
        variants = [each.get("sku") for each in _items(row.variants) if isinstance(each, dict)]
        called = row.name or row.sku or row.id
        match = Match(StoreAlias(row.store), ref, called, row.sku or "", row.is_gone)
        yield match, (_texts(variants), names)


def _items(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _texts(value: object) -> list[str]:
    return [item for item in _items(value) if isinstance(item, str)]
