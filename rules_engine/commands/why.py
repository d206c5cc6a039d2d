"""What merchandisers ask when a rule did something, or did not: `why`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Annotated

import sqlalchemy as sa
import typer

from rules_engine.app import Outside, compile_rules, open_stores
from rules_engine.core.errors import SettingsError
from rules_engine.core.rule import Rulebook, RuleCode
from rules_engine.core.store import Store, StoresFile
from rules_engine.database.history import rulebook_at
from rules_engine.database.pauses import pauses_at
from rules_engine.preview.why import InForce, Why, explain
from rules_engine.preview.why_facts import Asked
from rules_engine.preview.why_find import Found, Match, find
from rules_engine.preview.why_text import as_plain, text_of_why
from rules_engine.preview.why_words import read_time
from rules_engine.rulebook import read_rule_texts
from rules_engine.settings import Settings
from rules_engine.vendors import VENDORS

from .follow import open_database
from .output import FINDINGS, AsJson, complain, in_plain_words, say, say_json, say_lines, say_table
from .rules import asked_stores, no_such_rule

RuleOption = Annotated[str | None, typer.Option("--rule", metavar="CODE", help="Only this rule.")]
StoreOption = Annotated[str | None, typer.Option("--store", metavar="STORE", help="Only in this store.")]
AtOption = Annotated[
    str | None,
    typer.Option(
        "--at",
        metavar="TIME",
        help="As it was, or will be, then: `2026-11-20 14:00`, `14:00` or `yesterday 14:00` in the store's time zone, "
        "`2 hours ago`, `in 2 hours`.",
    ),
]


def why(
    what: Annotated[
        str,
        typer.Argument(
            metavar="WHAT",
            help="A product's SKU, id or name, a variant's SKU, or a category; after -- if it begins with a dash.",
        ),
    ],
    *,
    store: StoreOption = None,
    rule: RuleOption = None,
    at: AtOption = None,
    as_json: AsJson = False,
) -> None:
    """Tell why the rules did, or did not, do something with a product.

    For every rule: each condition ✓ met, ✗ unmet with what is missing, or ? cannot tell; what it holds since when and
    why; what comes next and when; and what happened last. It tells what the engine knows: it reads the database and
    asks no shop, also while the engine runs. It needs no secrets.
    """
    with in_plain_words(as_json=as_json):
        answer = _answer(Settings.from_environment(), _Question(what, store, rule, at))
    if isinstance(answer, Found):
        say_not_found(what, answer, as_json=as_json)
        raise typer.Exit(FINDINGS)
    if as_json:
        say_json({"found": [as_plain(each) for each in answer]})
        return
    for number, each in enumerate(answer):
        if number:
            say()
        say_lines(text_of_why(each))


@dataclass(frozen=True, slots=True)
class _Question:
    what: str
    store: str | None
    rule: str | None
    at: str | None


def _answer(settings: Settings, question: _Question) -> list[Why] | Found:
    """The answers, one for each store that knows it; or what was found instead of one thing in each."""
    file = open_stores(settings, None)
    stores = asked_stores(file.stores, question.store)
    now = Outside().now()
    times = {each.alias: _asked_time(question.at, now, each) for each in stores}
    with open_database(settings) as database:
        found = database.read_now(partial(find, what=question.what, stores=[each.alias for each in stores]))
        if not found.matches or not found.is_clear:
            return found
        answers: list[Why] = []
        for match in found.matches:
            of = next(each for each in stores if each.alias == match.store)
            kept_since = now - timedelta(days=settings.retention_days)
            lag, only = timedelta(seconds=settings.lag_seconds), RuleCode(question.rule) if question.rule else None
            asked = Asked(times[match.store], now, kept_since, lag, only)

            def read(connection: sa.Connection, match: Match = match, of: Store = of, asked: Asked = asked) -> Why:
                in_force = _in_force(connection, settings, file, asked)
                _check_rule(in_force.rulebook, asked.only)
                vendor = VENDORS[of.settings.vendor](of.settings)
                return explain(connection, match, store=of, vendor=vendor, in_force=in_force, asked=asked)

            answers.append(database.read_now(read))
    return answers


def _asked_time(at: str | None, now: datetime, store: Store) -> datetime:
    """The time that is asked about, in the store's zone. Raises `SettingsError` for what is no time."""
    found = now if at is None else read_time(at, now, store.zone)
    if found is None:
        raise SettingsError(
            f"--at {at!r} is no time: write 2026-11-20 14:00, 14:00, yesterday 14:00, 2 hours ago or in 2 hours."
        )
    return found


def _check_rule(rulebook: Rulebook, code: RuleCode | None) -> None:
    codes = [rule.code for rule in rulebook.rules]
    if code is not None and code not in codes:
        raise no_such_rule(code, codes, where="Among the rules that were in force there is")


def _in_force(connection: sa.Connection, settings: Settings, file: StoresFile, asked: Asked) -> InForce:
    """The rulebook that was in force then; before the first one, and without one, the files of today."""
    at = min(asked.at, asked.now)
    ruling, pauses = rulebook_at(connection, at), tuple(pauses_at(connection, at))
    if ruling is None:
        return InForce(compile_rules(read_rule_texts(settings.rules), file), pauses=pauses)
    return InForce(compile_rules(ruling.texts, file), ruling.since, pauses)


def say_not_found(what: str, found: Found, *, as_json: bool) -> None:
    """Say what was found instead of one thing in each store."""
    if as_json:
        matches = [
            {
                "store": each.store,
                "kind": each.ref.kind.value,
                "id": each.ref.id,
                "sku": each.sku or None,
                "name": each.called,
            }
            for each in found.matches
        ]
        say_json({"found": [], "matches": matches, "near": found.near or None})
        return
    if found.matches:
        complain(f"More than one is called {what!r}: name one by its id, and its store with --store.")
        say_table(
            ("id", "store", "called", "SKU"),
            [(str(each.ref), each.store, each.called, each.sku) for each in found.matches],
        )
    elif not found.is_any_known:
        complain("Nobody told the engine about any product yet: it knows those that webhooks and sweeps showed.")
    else:
        near = f" Did you mean {found.near!r}?" if found.near else ""
        complain(
            f"Nobody told the engine about {what!r} yet: it knows the products that webhooks and sweeps showed, by "
            f"SKU, id and name.{near}"
        )
