"""`undo`: giving back what a rule took, and taking back what its moments did."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Annotated

import sqlalchemy as sa
import typer

from rules_engine.app import Outside, open_stores
from rules_engine.core.delivery import StoreAlias
from rules_engine.core.errors import SettingsError
from rules_engine.core.order import OrderKind
from rules_engine.core.pause import as_paused
from rules_engine.core.rule import Mode, RuleCode
from rules_engine.core.store import StoresFile
from rules_engine.database.pauses import open_pauses
from rules_engine.database.retention import Retention
from rules_engine.preview.naming import ProductName, Wording, slot_plain
from rules_engine.preview.undo import ToUndo, Undoing, read_since, undoings
from rules_engine.settings import Settings

from .follow import LONG_ENOUGH, Wait, open_database
from .ordering import Wanted, find_rule, give_and_follow, rules_in_force, tell
from .output import AsJson, complain, in_plain_words, say, say_json, say_table, short_time
from .repair import LimitOption
from .rules import asked_stores, count
from .why import StoreOption

UNDONE = "undone by a person"


def undo(
    rule: Annotated[str, typer.Argument(metavar="RULE", help="The code of the rule, also of one that is gone.")],
    *,
    since: Annotated[
        str | None,
        typer.Option("--since", metavar="SPAN", help="Only what it did within this: `2h`, `90m`, `3d`, `2 hours`."),
    ] = None,
    store: StoreOption = None,
    apply: Annotated[bool, typer.Option("--apply", help="Do it; without this it is only shown.")] = False,
    limit: LimitOption = 50,
    wait: Wait = LONG_ENOUGH,
    as_json: AsJson = False,
) -> None:
    """Undo what a rule did: show what that means, or do it with --apply.

    What the rule holds now is given back, though its condition may still be met, and is not taken again in this
    stretch. What its moments did in the last 24 hours is taken back. With --since only what it did within that span. It
    skips what a person changed since, and what another rule holds. It works for a rule that is paused or gone: if the
    rule is wrong, pause it first, then undo, then mend it.
    """
    outside = Outside()
    with in_plain_words(as_json=as_json):
        settings = Settings.from_environment()
        span = _span(since)
        file = open_stores(settings, os.environ)
        remembered = Retention(records=timedelta(days=settings.retention_days)).actions
        if span is not None and span > remembered:
            complain(
                f"What a moment did more than {remembered.days} days ago may be left out: "
                "it is not remembered for longer."
            )
        with open_database(settings) as database:
            look = partial(_look, settings=settings, file=file, asked=_Asked(rule, store, span), outside=outside)
            preview = database.read_now(look)
            if not apply:
                _show(preview, limit, as_json=as_json)
                return
            wanted = _wanted(preview)
            came, waits = give_and_follow(settings, database, wanted, stores=file.stores, wait=wait, outside=outside)
    tell(came, waits, as_json=as_json)


@dataclass(frozen=True, slots=True)
class _Asked:
    rule: str
    store: str | None
    since: timedelta | None


@dataclass(frozen=True, slots=True)
class _Preview:
    """What would be undone. `is_running`: the rule may take others meanwhile; `is_all`: nothing was left out by age."""

    rule: RuleCode
    found: Sequence[Undoing]
    is_running: bool
    is_all: bool


def _span(since: str | None) -> timedelta | None:
    if since is None:
        return None
    span = read_since(since)
    if span is None:
        raise SettingsError(f"--since {since!r} is no span of time: write 2h, 90m, 3d or 2 hours.")
    return span


def _look(connection: sa.Connection, settings: Settings, file: StoresFile, asked: _Asked, outside: Outside) -> _Preview:
    rulebook = rules_in_force(connection, settings, file)
    code = find_rule(connection, rulebook, asked.rule)
    now = outside.now()
    to_undo = ToUndo(
        code,
        now,
        now - timedelta(days=settings.retention_days),
        [each.alias for each in file.stores],
        StoreAlias(asked.store) if asked.store is not None else None,
        now - asked.since if asked.since is not None else None,
    )
    pauses = open_pauses(connection)
    is_running = any(
        rule.code == code and rule.mode is Mode.LIVE
        for each in asked_stores(file.stores, asked.store)
        for rule in as_paused(rulebook.for_store(each.alias), pauses, each.alias)
    )
    found = undoings(connection, to_undo, Wording.load(connection, file.stores))
    return _Preview(code, found, is_running, asked.since is None)


def _wanted(preview: _Preview) -> list[Wanted]:
    """The orders: one for each product that is held, else one for each slot."""
    wanted: dict[object, Wanted] = {}
    for each in preview.found:
        if each.why_not:
            continue
        of_all = preview.is_all and each.kind is OrderKind.GIVE_BACK
        slot = None if of_all else each.slot
        wanted.setdefault(
            (each.store, each.slot.product, each.kind, slot),
            Wanted(
                each.store,
                ProductName.from_fields(each.slot.product, each.fields),
                each.kind,
                preview.rule,
                UNDONE,
                slot,
                each.wish,
                each.expects,
            ),
        )
    return list(wanted.values())


def _show(preview: _Preview, limit: int, *, as_json: bool) -> None:
    if as_json:
        say_json({"rule": preview.rule, "is_running": preview.is_running, "undo": [_fields(e) for e in preview.found]})
        return
    if not preview.found:
        say(f"{preview.rule} holds nothing, and did nothing lately that could be undone.")
        return
    columns = ("store", "done (UTC)", "product", "what it does", "undoing it")
    say_table(columns, [_row(each) for each in preview.found[:limit]])
    say()
    if len(preview.found) > limit:
        say(f"{limit} of {len(preview.found)} are listed; --limit lists more.")
    undone = sum(not each.why_not for each in preview.found)
    skipped = len(preview.found) - undone
    say(f"{count(undone, 'thing')} would be undone, {skipped or 'none'} skipped. Nothing is done yet: --apply does it.")
    if preview.is_running:
        say(
            f"{preview.rule} still runs, and may act on other products meanwhile: "
            f'`rules-engine pause {preview.rule} --because "…"` stops it first.'
        )


def _row(each: Undoing) -> tuple[str, ...]:
    return (
        each.store,
        short_time(each.at),
        str(ProductName.from_fields(each.slot.product, each.fields)),
        each.did,
        f"skipped: {each.why_not}" if each.why_not else each.undoes,
    )


def _fields(each: Undoing) -> dict[str, object]:
    return {
        "store": each.store,
        "product": ProductName.from_fields(each.slot.product, each.fields).plain(),
        **slot_plain(each.slot),
        "done_at": each.at,
        "did": each.did,
        "order": each.kind.value,
        "undoes": None if each.why_not else each.undoes,
        "skipped": each.why_not or None,
    }
