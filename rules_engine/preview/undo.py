"""What undoing a rule would do: for each thing that it holds or did, how it goes back, or why it does not."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import sqlalchemy as sa

from rules_engine.core.action import Aspect, SlotRef, SlotValue
from rules_engine.core.clock import read_duration
from rules_engine.core.delivery import StoreAlias
from rules_engine.core.holds import Hold, HoldState
from rules_engine.core.order import OrderKind
from rules_engine.core.rule import RuleCode
from rules_engine.core.subject import product
from rules_engine.core.view import UNSEEN, Fields, Unseen, shown
from rules_engine.database.history import known_at
from rules_engine.database.holdings import Among, Deed, Holding, deeds, holders_beside, open_holdings

from .why_words import SlotWords

Words = Callable[[StoreAlias, SlotRef, Fields], SlotWords]
"""A slot of a product, in words."""

MOMENTS_OF = timedelta(hours=24)
"""So far back moments are undone, unless said otherwise."""

_MINUTES = re.compile(r"(?<=\d)\s*m\b", re.IGNORECASE)
_WAS_TAKEN = frozenset({HoldState.TAKEN, HoldState.HOLDING})


@dataclass(frozen=True, slots=True)
class Undoing:
    """One thing that a rule holds or did, and what undoing does with it.

    `did` and `undoes` are words; `why_not` says why nothing is undone, else it is empty. `at` is when it was done.
    `wish` and `expects` are those of the order that undoes a moment; a hold is given back.
    """

    store: StoreAlias
    slot: SlotRef
    fields: Fields
    at: datetime
    did: str
    kind: OrderKind = OrderKind.GIVE_BACK
    undoes: str = ""
    why_not: str = ""
    wish: SlotValue = None
    expects: SlotValue = None


@dataclass(frozen=True, slots=True)
class ToUndo:
    """What is to be undone: of which rule, in `only` one store or in all, since when (None: whatever it holds).

    `stores` are those of stores.yaml. From `kept_since` on, the history is whole.
    """

    rule: RuleCode
    now: datetime
    kept_since: datetime
    stores: Collection[StoreAlias]
    only: StoreAlias | None = None
    since: datetime | None = None


def read_since(text: str) -> timedelta | None:
    """A span such as `2h`, `90m`, `3d` or `2 hours`; None for what names none. Here `m` is minutes."""
    return read_duration(_MINUTES.sub(" min", text))


def undoings(connection: sa.Connection, asked: ToUndo, words: Words) -> list[Undoing]:
    """Everything that the rule holds, or did lately as a moment, with what undoing does; what was done first first."""
    others = holders_beside(connection, asked.rule, asked.only)
    held = [
        holding
        for holding in open_holdings(connection, Among(asked.rule, asked.only))
        if asked.since is None or holding.hold.since >= asked.since
    ]
    found = [_of_hold(holding, others, words) for holding in held]
    of_holds = {(holding.store, holding.slot) for holding in held}
    since = asked.since if asked.since is not None else asked.now - MOMENTS_OF
    found += [
        _of_moment(connection, deed, others, words, kept_since=asked.kept_since)
        for deed in deeds(connection, asked.rule, asked.only, since=since)
        if (deed.store, deed.action.slot) not in of_holds
    ]
    elsewhere = "this store is not in stores.yaml: nothing can be called for it"
    found = [each if each.store in asked.stores else replace(each, why_not=elsewhere) for each in found]
    return sorted(found, key=lambda each: (each.at, each.store, each.slot))


_Others = Mapping[tuple[StoreAlias, SlotRef], Sequence[Hold]]


def _of_hold(holding: Holding, others: _Others, words: Words) -> Undoing:
    hold, said = holding.hold, words(holding.store, holding.slot, holding.fields)
    made = Undoing(holding.store, holding.slot, holding.fields, hold.since, said.keeps(hold.wish, "it"))
    made = replace(made, undoes=said.returns(holding.baseline, "it"))
    value = shown(holding.fields, holding.slot)
    if hold.state is HoldState.STEPPED_BACK or (hold.state in _WAS_TAKEN and value not in {hold.wish, UNSEEN}):
        return replace(made, why_not="a person changed it back since")
    if hold.state is HoldState.PENDING and hold.takes == 0:
        return replace(made, undoes="it is not done any more: no call was made for it yet")
    alike = [each for each in others.get((holding.store, holding.slot), ()) if each.state.is_claim]
    if any(each.wish == hold.wish for each in alike):
        return replace(made, undoes=f"the rule lets go, but {alike[0].rule} holds it as well")
    if hold.state is HoldState.OWED:
        return replace(made, undoes=f"{made.undoes}: it is owed already")
    return made


def _of_moment(
    connection: sa.Connection, deed: Deed, others: _Others, words: Words, *, kept_since: datetime
) -> Undoing:
    action, said = deed.action, words(deed.store, deed.action.slot, deed.fields)
    made = Undoing(
        deed.store,
        action.slot,
        deed.fields,
        action.done_at or action.created_at,
        f"once: {said.make(action.wish, 'it')}",
        OrderKind.REVERT,
        expects=action.wish,
    )
    before = _before(connection, deed, kept_since=kept_since)
    if isinstance(before, Unseen):
        return replace(made, why_not="how it was before is not known any more")
    made = replace(made, undoes=said.returns(before, "it"), wish=before)
    value = shown(deed.fields, action.slot)
    if value == before:
        return replace(made, why_not="it is as it was before already")
    if not isinstance(value, Unseen) and value != action.wish:
        return replace(made, why_not=f"somebody changed it since: it {said.is_so(value)}")
    holder = next(iter(others.get((deed.store, action.slot), ())), None)
    return replace(made, why_not=f"{holder.rule} holds it") if holder is not None else made


def _before(connection: sa.Connection, deed: Deed, *, kept_since: datetime) -> SlotValue | Unseen:
    """How the slot was before the moment; of a brand that was replaced only the history knows."""
    action = deed.action
    if action.slot.aspect is not Aspect.BRAND:
        return not action.wish
    if action.wish is None:
        return action.target
    known = known_at(connection, deed.store, product(action.slot.product), action.created_at, kept_since=kept_since)
    return shown(known.snapshot.fields, action.slot) if known.snapshot and known.is_exact else UNSEEN
