"""`pause` and `resume`: stopping a rule, or everything, at once, and letting it go on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import sqlalchemy as sa
import typer

from rules_engine.app import Outside, open_stores
from rules_engine.core.delivery import StoreAlias
from rules_engine.core.errors import SettingsError
from rules_engine.core.explain import listed
from rules_engine.core.pause import Pause
from rules_engine.core.rule import Mode, Rulebook, RuleCode
from rules_engine.core.store import StoresFile
from rules_engine.database.pauses import open_pauses
from rules_engine.lane.rules import pause_in_force, resume_in_force
from rules_engine.settings import Settings

from .follow import open_database
from .ordering import rules_in_force
from .output import FINDINGS, AsJson, in_plain_words, say, say_json
from .rules import asked_stores, no_such_rule

RuleArgument = Annotated[
    str | None, typer.Argument(metavar="[RULE]", help="The code of the rule; without one, everything.")
]
StoreOption = Annotated[str | None, typer.Option("--store", metavar="STORE", help="Only in this store.")]

_EVERYTHING, _EVERYWHERE = RuleCode(""), StoreAlias("")


def pause(
    rule: RuleArgument = None,
    *,
    because: Annotated[str, typer.Option("--because", metavar="REASON", help="Why; it is shown until it is resumed.")],
    store: StoreOption = None,
    as_json: AsJson = False,
) -> None:
    """Stop a rule, or everything, at once.

    A paused rule takes nothing and gives nothing back; what it holds stays as it is. Nothing that was decided is called
    for any more, except what a shop was asked already. Without RULE all rules stop, and so does what people ordered,
    such as `undo`. A pause outlives restarts and new rules; `resume` ends it.
    """
    reason = because.strip()
    now = Outside().now()
    with in_plain_words(as_json=as_json):
        if not reason:
            raise SettingsError("Say in --because why it is paused.")
        settings = Settings.from_environment()
        file = open_stores(settings, None)
        of = _store(file, store)
        with open_database(settings) as database:

            def put(connection: sa.Connection) -> list[Pause]:
                code = _rule(rules_in_force(connection, settings, file), rule, of)
                pause_in_force(connection, store=of, rule=code, because=reason, now=now)
                return open_pauses(connection)

            paused = database.write_now(put)
    new = paused[-1]
    if as_json:
        say_json(_fields(new.rule, of, paused, is_changed=True))
        return
    what = f"{new.rule} is paused" if new.rule else "Everything is paused"
    say(f"{what} in {of or 'every store'}: nothing is taken or given back, and what is held stays as it is.")
    say(f"`{new.resume}` lets it go on.")


def resume(rule: RuleArgument = None, *, store: StoreOption = None, as_json: AsJson = False) -> None:
    """Let a rule, or everything, go on that was paused by `pause`.

    The rules look at everything again that is known, and do what is due by now. Moments that came meanwhile are over.
    """
    now = Outside().now()
    with in_plain_words(as_json=as_json):
        settings = Settings.from_environment()
        file = open_stores(settings, None)
        aliases = [each.alias for each in file.stores]
        with open_database(settings) as database:

            def end(connection: sa.Connection) -> tuple[RuleCode, StoreAlias, int, list[Pause], Rulebook]:
                rulebook = rules_in_force(connection, settings, file)
                paused = open_pauses(connection)
                of = _EVERYWHERE if store is None else StoreAlias(store)
                if of not in {each.store for each in paused}:
                    of = _store(file, store)
                code = _EVERYTHING if rule is None else RuleCode(rule)
                if code not in {each.rule for each in paused}:
                    code = _rule(rulebook, rule, of)
                count = resume_in_force(connection, aliases, store=of, rule=code, now=now)
                return code, of, count, open_pauses(connection), rulebook

            code, of, count, left, rulebook = database.write_now(end)
    notes = _still(code, of, left, rulebook)
    if as_json:
        say_json(_fields(code, of, left, is_changed=bool(count), notes=notes))
    else:
        what, where = code or "Everything", of or "every store"
        say(f"{what} goes on in {where}." if count else _was_not_paused(code, of))
        for note in notes:
            say(note)
    if not count:
        raise typer.Exit(FINDINGS)


def _was_not_paused(rule: RuleCode, store: StoreAlias) -> str:
    where = f"in {store}" if store else "for all stores"
    return f"There is no pause of {rule or 'everything'} {where}: nothing to resume."


def _store(file: StoresFile, store: str | None) -> StoreAlias:
    return _EVERYWHERE if store is None else asked_stores(file.stores, store)[0].alias


def _rule(rulebook: Rulebook, code: str | None, store: StoreAlias) -> RuleCode:
    """The rule that is meant, also by a code that it had before. Raises `SettingsError` where there is none here."""
    if code is None:
        return _EVERYTHING
    found = next((rule for rule in rulebook.rules if code in {rule.code, *rule.formerly}), None)
    if found is None:
        raise no_such_rule(code, [rule.code for rule in rulebook.rules])
    if store and store not in found.stores:
        raise SettingsError(f"{found.code} does not run in {store}; it runs in {listed(found.stores)}.")
    return found.code


def _still(code: RuleCode, store: StoreAlias, left: Sequence[Pause], rulebook: Rulebook) -> list[str]:
    """What keeps the rule, or everything, from acting still."""
    notes = []
    for each in left:
        is_about_it = not code or each.is_of_everything or each.rule == code
        is_there = not store or each.is_in(store)
        if is_about_it and is_there:
            what, of = each.rule or "everything", each.store or "every store"
            notes.append(f"Still paused in {of}: {what}, {each.reason}. `{each.resume}` ends that.")
    found = next((rule for rule in rulebook.rules if rule.code == code), None)
    if found is not None and found.mode is Mode.PAUSED:
        notes.append(f"{found.place} pauses it as well: write `mode: live` there.")
    return notes


def _fields(
    rule: RuleCode, store: StoreAlias, paused: Sequence[Pause], *, is_changed: bool, notes: Sequence[str] = ()
) -> dict[str, object]:
    """As JSON shows what either command did: of which rule and store (null: all), and every pause that runs now."""
    pauses = [
        {"rule": each.rule or None, "store": each.store or None, "because": each.because, "since": each.since}
        for each in paused
    ]
    return {
        "rule": rule or None,
        "store": store or None,
        "is_changed": is_changed,
        "paused": pauses,
        "notes": list(notes),
    }
