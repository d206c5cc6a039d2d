"""What merchandisers read in the morning: `note`."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial
from typing import Annotated

import sqlalchemy as sa
import typer

from rules_engine.app import Outside, compile_rules, open_stores
from rules_engine.core.clock import read_duration
from rules_engine.core.delivery import StoreAlias
from rules_engine.core.errors import SettingsError
from rules_engine.core.store import Store
from rules_engine.lane.rules import Rules
from rules_engine.preview.note import StoreNote, gather_note
from rules_engine.preview.note_text import as_plain, lines_of_note
from rules_engine.preview.why_words import read_time
from rules_engine.settings import Settings

from .follow import open_database
from .output import AsJson, in_plain_words, say, say_json, say_lines
from .rules import asked_stores

StoreOption = Annotated[str | None, typer.Option("--store", metavar="STORE", help="Only of this store.")]
SinceOption = Annotated[
    str,
    typer.Option(
        "--since",
        metavar="TIME",
        help="What was done since then: `24h`, `3 days`, or a time in the store's time zone, as `yesterday 18:00`.",
    ),
]


def note(*, since: SinceOption = "24h", store: StoreOption = None, as_json: AsJson = False) -> None:
    """Tell what rules did lately and what waits for people, store by store.

    What was taken and returned, what is still held, owed or left to people, questions, pauses, what was given up, and
    rules that did nothing. It reads the database and asks no shop. A target of `notify:` in stores.yaml gets the same
    note every morning with `morning_note: 08:00`.
    """
    with in_plain_words(as_json=as_json):
        settings = Settings.from_environment()
        file = open_stores(settings, None)
        stores = asked_stores(file.stores, store)
        now = Outside().now()
        times = {each.alias: _since(since, now, each) for each in stores}
        rules = Rules(partial(compile_rules, file=file))
        kept = timedelta(days=settings.retention_days)

        def read(connection: sa.Connection) -> list[StoreNote]:
            in_force = rules.in_force(connection)
            rules_of = {each.alias: in_force.rules_for(each.alias) for each in stores} if in_force else {}
            found: dict[StoreAlias, StoreNote] = {}
            for at in dict.fromkeys(times.values()):  # a time of day is another moment in another zone
                alike = [each for each in stores if times[each.alias] == at]
                gathered = gather_note(connection, alike, rules_of, since=at, now=now, kept=kept)
                found |= {each.store: each for each in gathered}
            return [found[each.alias] for each in stores]

        with open_database(settings) as database:
            notes = database.read_now(read)
    if as_json:
        say_json({"stores": [as_plain(each) for each in notes], "rules": rules.problem or None})
        return
    for number, each in enumerate(notes):
        if number:
            say()
        say_lines(lines_of_note(each))
    if rules.problem:
        say()
        say(f"No rules are in force: {rules.problem}.")


def _since(text: str, now: datetime, store: Store) -> datetime:
    """The time that is meant. Raises `SettingsError` for what is none, or is still to come."""
    span = read_duration(text)
    at = now - span if span is not None else read_time(text, now, store.zone)
    if at is None or at > now:
        raise SettingsError(f"--since {text!r} is no time that has gone by: write 24h, 3 days or `yesterday 18:00`.")
    return at
