"""`dead-letters`: the actions that were given up, for a person to judge."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Annotated

import sqlalchemy as sa
import typer

from rules_engine.app import Outside
from rules_engine.core.action import ActionKey
from rules_engine.core.delivery import StoreAlias
from rules_engine.core.errors import SettingsError
from rules_engine.core.plan import ActionState, PlannedAction
from rules_engine.core.subject import SubjectRef, product
from rules_engine.database.outbox import (
    Attempt,
    DeadLetter,
    dead_letter,
    drop_dead_letter,
    retry_dead_letter,
)
from rules_engine.database.outbox import dead_letters as load_dead_letters
from rules_engine.database.results import find_actions, is_quiet
from rules_engine.preview.naming import ProductName, name_products
from rules_engine.settings import Settings

from .follow import LONG_ENOUGH, Wait, follow, open_database
from .output import WRONG_USAGE, AsJson, complain, in_plain_words, say, say_json, say_table, short_time, telling_length
from .repair import LimitOption, StoreOption, action_fields, action_words, came_of, check_store, finish

ALL_OF_THEM = 1_000_000

KeyArgument = Annotated[str, typer.Argument(metavar="KEY", help="Its key, or enough of its beginning to name one.")]

app = typer.Typer(
    name="dead-letters",
    invoke_without_command=True,
    rich_markup_mode="markdown",
    help="List, show, retry or drop the actions that were given up.\n\n"
    "A call that the shop refuses for good, or that fails again and again, becomes a dead letter: nothing is called "
    "for it until a person decides. Without a subcommand they are listed.",
    epilog="Example: `rules-engine dead-letters --store web`",
)


@app.callback()
def start(
    context: typer.Context, *, store: StoreOption = None, limit: LimitOption = 100, as_json: AsJson = False
) -> None:
    """List them, unless a subcommand follows."""
    if context.invoked_subcommand is None:
        list_(store=store, limit=limit, as_json=as_json)
    elif as_json or store is not None:
        complain(f"Write the options after {context.invoked_subcommand!r}.")
        raise typer.Exit(WRONG_USAGE)


@app.command("list", epilog="Example: `rules-engine dead-letters list --store web`")
def list_(*, store: StoreOption = None, limit: LimitOption = 100, as_json: AsJson = False) -> None:
    """List the dead letters, oldest first."""
    with in_plain_words(as_json=as_json):
        settings = Settings.from_environment()
        with open_database(settings) as database:
            of = StoreAlias(store) if store is not None else None
            found = database.read_now(partial(load_dead_letters, store=of, limit=limit))
            names = database.read_now(partial(_names, letters=found))
        if not found:
            check_store(settings, store)
    if as_json:
        say_json({"dead_letters": [_fields(letter, names) for letter in found]})
    elif not found:
        say("There are no dead letters.")
    else:
        length = telling_length([letter.action.key for letter in found])
        say_table(
            ("key", "planned (UTC)", "store", "action", "for", "tries", "why"),
            [_row(letter, names, length) for letter in found],
        )


@app.command(epilog="Example: `rules-engine dead-letters show 3f2a81c0`")
def show(key: KeyArgument, *, as_json: AsJson = False) -> None:
    """Show one dead letter, with every call that was made for it."""
    with in_plain_words(as_json=as_json), open_database(Settings.from_environment()) as database:
        letter = database.read_now(partial(dead_letter, key_prefix=key))
        names = database.read_now(partial(_names, letters=[letter]))
    if as_json:
        say_json(_fields(letter, names) | {"tried": [_attempt_fields(attempt) for attempt in letter.attempts]})
        return
    action = letter.action
    say(f"{action.key} of {letter.store}")
    say(f"  {action_words(action, names[action.key])}, to {action.step.value}, for {', '.join(action.rules)}")
    say(f"  given up: {action.reason or 'no reason was recorded'}")
    if action.caused_by:
        say(f"  because of the deliveries {', '.join(action.caused_by)}")
    for attempt in letter.attempts:
        took = "" if attempt.milliseconds is None else f" after {attempt.milliseconds} ms"
        answer = "no answer" if attempt.status is None else f"{attempt.status}{took}"
        said = f"{attempt.outcome}: {attempt.reason}" if attempt.reason else attempt.outcome
        say(f"  {short_time(attempt.started_at)}  {_request_words(attempt)} → {answer}, {said}")


@app.command(epilog="Example: `rules-engine dead-letters retry 3f2a81c0`")
def retry(
    key: Annotated[str | None, typer.Argument(metavar="KEY", help="Its key, or enough of its beginning.")] = None,
    *,
    all_: Annotated[bool, typer.Option("--all", help="Every dead letter.")] = False,
    store: Annotated[str | None, typer.Option("--store", metavar="STORE", help="With --all: of this store.")] = None,
    wait: Wait = LONG_ENOUGH,
    as_json: AsJson = False,
) -> None:
    """Have one dead letter tried again, or --all, and tell what came of it.

    The product is looked at first: what is no longer wanted, or is so already, is not called for.
    """
    outside = Outside()
    with in_plain_words(as_json=as_json):
        if (key is None) is not all_ or (store is not None and not all_):
            raise SettingsError(
                "Write either the KEY of one dead letter, or --all, with --store for those of one store."
            )
        settings = Settings.from_environment()
        with open_database(settings) as database:
            asked_at = outside.now()

            def ask(connection: sa.Connection) -> list[DeadLetter]:
                of = StoreAlias(store) if store is not None else None
                chosen = (
                    load_dead_letters(connection, of, ALL_OF_THEM) if key is None else [dead_letter(connection, key)]
                )
                for letter in chosen:
                    retry_dead_letter(connection, letter.action.key, now=asked_at)
                return chosen

            letters = database.write_now(ask)
            if not letters:
                check_store(settings, store)
            waits = []
            for alias, subjects in _by_store(letters).items():
                is_done = partial(is_quiet, store=alias, subjects=subjects, asked_at=asked_at)
                waits.append(follow(settings, database, alias, is_done, seconds=wait, outside=outside))
            after = database.read_now(partial(find_actions, keys=[letter.action.key for letter in letters]))
            names = database.read_now(partial(_names, letters=letters))
    _tell_retried(after, names, as_json=as_json)
    waiting = " ".join(reason for reason in waits if reason)
    finish(waiting, is_fine=not any(action.state is ActionState.DEAD for action in after))


@app.command(epilog='Example: `rules-engine dead-letters drop 3f2a81c0 --because "sold off"`')
def drop(
    key: KeyArgument,
    *,
    because: Annotated[str, typer.Option("--because", metavar="REASON", help="Why; it is kept with the action.")],
    as_json: AsJson = False,
) -> None:
    """Give a dead letter up for good.

    What it was to take counts as never taken; what it was to give back stays as it is in the shop.
    """
    reason = because.strip()
    outside = Outside()
    with in_plain_words(as_json=as_json):
        if not reason:
            raise SettingsError("Say in --because why it is dropped.")
        with open_database(Settings.from_environment()) as database:

            def ask(connection: sa.Connection) -> DeadLetter:
                letter = dead_letter(connection, key)
                drop_dead_letter(connection, letter.action.key, now=outside.now(), reason=reason)
                return letter

            letter = database.write_now(ask)
            names = database.read_now(partial(_names, letters=[letter]))
    if as_json:
        say_json({"dropped": letter.action.key, "store": letter.store, "reason": reason})
    else:
        say(f"Dropped: {action_words(letter.action, names[letter.action.key])}, of {letter.store}.")


def _tell_retried(after: Sequence[PlannedAction], names: _Names, *, as_json: bool) -> None:
    if as_json:
        say_json({"retried": [action_fields(action, names[action.key]) for action in after]})
    elif not after:
        say("There are no dead letters.")
    for action in () if as_json else after:
        say(f"{action_words(action, names[action.key])}: {came_of(action)}")


_Names = Mapping[ActionKey, ProductName]
"""The product of each action."""


def _names(connection: sa.Connection, letters: Sequence[DeadLetter]) -> dict[ActionKey, ProductName]:
    found: dict[ActionKey, ProductName] = {}
    for alias in dict.fromkeys(letter.store for letter in letters):
        of_store = [letter.action for letter in letters if letter.store == alias]
        named = name_products(connection, alias, (action.slot.product for action in of_store))
        found |= {action.key: named[action.slot.product] for action in of_store}
    return found


def _by_store(letters: Sequence[DeadLetter]) -> dict[StoreAlias, set[SubjectRef]]:
    found: dict[StoreAlias, set[SubjectRef]] = {}
    for letter in letters:
        found.setdefault(letter.store, set()).add(product(letter.action.slot.product))
    return found


def _row(letter: DeadLetter, names: _Names, length: int) -> tuple[str, ...]:
    action = letter.action
    return (
        action.key[:length],
        short_time(action.created_at),
        letter.store,
        action_words(action, names[action.key]),
        ", ".join(action.rules),
        str(action.attempts),
        action.reason,
    )


def _fields(letter: DeadLetter, names: _Names) -> dict[str, object]:
    action = letter.action
    return {"store": letter.store, **action_fields(action, names[action.key]), "caused_by": list(action.caused_by)}


def _attempt_fields(attempt: Attempt) -> dict[str, object]:
    return {
        "call": attempt.call,
        "started_at": attempt.started_at,
        "request": dict(attempt.request),
        "status": attempt.status,
        "milliseconds": attempt.milliseconds,
        "outcome": attempt.outcome,
        "reason": attempt.reason or None,
    }


def _request_words(attempt: Attempt) -> str:
    request = attempt.request
    return " ".join(str(request[name]) for name in ("method", "path", "body") if request.get(name) not in (None, ""))
