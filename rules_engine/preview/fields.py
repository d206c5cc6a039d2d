"""Which fields of a store's rules nobody ever sent: a rule that looks at one of them can wait for ever."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from rules_engine.core.explain import closest
from rules_engine.core.fields import FieldPath, read_path
from rules_engine.core.look import Unknown, value_of
from rules_engine.core.rule import FieldUse, Rule, Rulebook
from rules_engine.core.store import Capabilities, Store
from rules_engine.core.subject import SubjectKind
from rules_engine.core.words import fold
from rules_engine.database.catalogue import newest_fields
from rules_engine.rulebook.report import Report

DAYS = 30
"""How far back is looked: what was not seen for longer says little about what the shop sends today."""
LEAST = 5
"""From fewer products than these nothing is concluded."""
MOST = 5000
"""So many products, and categories, of one store are looked at, the newest first, so that the answer comes soon."""
MOST_LISTED = 12
"""With more attributes than these the advice lists none."""
MOST_NAMES = 500
"""Names of attributes that are remembered for an advice."""

Fields = Mapping[str, Any]  # Any: whatever shops send


@dataclass(slots=True)
class _Wanted:
    """A field that rules look at, with its uses. `beside` are the names that came where its own was looked for."""

    where: FieldPath
    uses: list[FieldUse] = field(default_factory=list)
    beside: dict[str, None] = field(default_factory=dict)


def report_unseen(
    connection: sa.Connection,
    report: Report,
    rulebook: Rulebook,
    store: Store,
    capabilities: Capabilities,
    *,
    now: datetime,
    most: int = MOST,
) -> None:
    """Warn of each use of a field that no product, or category, of the store had that was seen within 30 days.

    A field counts as had when it came, were it empty. At most `most` of a kind are looked at, the newest first; of
    fewer than 5 nothing is said. `report` knows the rule files.
    """
    rules = rulebook.for_store(store.alias)
    for kind in (SubjectKind.PRODUCT, SubjectKind.CATEGORY):
        wanted = _wanted(rulebook, [rule for rule in rules if rule.about is kind])
        seen = newest_fields(connection, store.alias, kind, since=now - timedelta(days=DAYS), limit=most)
        count = _strike_out(wanted, seen, kind) if wanted else 0
        for each in wanted if count >= LEAST else ():
            is_all = count < most
            said = _said(each.where, kind, store, capabilities, among=0 if is_all else most)
            for use in each.uses:
                via = f' (in "{use.via}")' if use.via else ""
                report.warn(use.place, "field-never-seen", f"{said}{via}", _advice(each, store))


def _wanted(rulebook: Rulebook, rules: Sequence[Rule]) -> list[_Wanted]:
    """What the rules look at of their own subjects, each field once."""
    found: dict[FieldPath, _Wanted] = {}
    for rule in rules:
        for use in rulebook.uses.get(rule.code, ()):
            where = read_path(use.field)
            if where is None or where.root not in {rule.about, "before"}:
                continue
            now = FieldPath(rule.about.value, where.name, where.rest)  # what came before comes as the field itself
            found.setdefault(now, _Wanted(now)).uses.append(use)
    return list(found.values())


def _strike_out(wanted: list[_Wanted], seen: Iterable[Fields], kind: SubjectKind) -> int:
    """Take out what came; gives how many subjects were looked at until nothing was left."""
    count = 0
    for fields in seen:
        count += 1
        wanted[:] = [each for each in wanted if not _has(each, fields, kind)]
        if not wanted:
            break
    return count


def _has(wanted: _Wanted, fields: Fields, kind: SubjectKind) -> bool:
    """Whether it came; else the names that came in its place are remembered."""
    where = wanted.where
    if not where.rest:
        return not isinstance(value_of(fields, where, kind), Unknown)
    inside: object = fields.get(where.name)
    for name in where.rest:
        if not isinstance(inside, Mapping):
            return False
        names = {fold(key) if where.name == "attributes" else key: key for key in inside if isinstance(key, str)}
        found = names.get(fold(name) if where.name == "attributes" else name)
        if found is None:
            if len(wanted.beside) < MOST_NAMES:
                wanted.beside |= dict.fromkeys(names.values())
            return False
        inside = inside[found]
    return True


def _said(where: FieldPath, kind: SubjectKind, store: Store, capabilities: Capabilities, *, among: int) -> str:
    """The warning; `among` is the number of those that were looked at, 0 where these were all that there are."""
    shown = ".".join((where.root, where.name, *where.rest))
    if among:
        plural = "categories" if kind is SubjectKind.CATEGORY else "products"
        return f"none of the {among:,} {plural} of `{store.alias}` that were seen last has `{shown}`"
    if capabilities.can_read:
        return f"no {kind} of `{store.alias}` seen in {DAYS} days has `{shown}`"
    return f"no delivery of `{store.alias}` in {DAYS} days carried `{shown}`"


def _advice(wanted: _Wanted, store: Store) -> str:
    where = wanted.where
    if where.rest:
        near = closest(where.rest[-1], wanted.beside)
        if near:
            return f"did you mean `{'.'.join((where.root, where.name, *where.rest[:-1], near))}`?"
        if wanted.beside and len(wanted.beside) <= MOST_LISTED:
            return f"there came: {', '.join(sorted(wanted.beside))}"
        return "look how the shop writes it"
    if "fields" in type(store.settings).model_fields:
        return f"let whatever posts for the shop send it, or say under `fields:` in stores.yaml where `{where.name}` is"
    return "look at another field: without it the condition cannot be told"
