"""What a host runs: `serve`, `worker`, `migrate` and `release`."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, fields
from functools import partial

import structlog
import typer
import uvicorn
from prometheus_client import disable_created_metrics

from rules_engine import logs
from rules_engine.app import build, compile_rules, open_stores, utc_now
from rules_engine.core.changes import Changes, changes_between
from rules_engine.core.errors import RulebookError, SettingsError
from rules_engine.core.rule import Rulebook
from rules_engine.core.store import StoresFile
from rules_engine.database.engine import Database
from rules_engine.database.engine import migrate as bring_up_to_date
from rules_engine.lane.rules import Activated, put_in_force
from rules_engine.rulebook import read_rule_texts
from rules_engine.settings import Settings

from .output import FINDINGS, AsJson, complain, in_plain_words, problem_fields, say, say_json
from .rules import count, left_out

log = structlog.stdlib.get_logger(__name__)

LAST_ANSWERS = 5
"""Seconds that requests get to be answered after SIGTERM. With what lanes get for their turns it stays below 20."""


class Server(uvicorn.Server):
    """uvicorn, which ends with exit code 0 when it was asked to end."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop on SIGTERM and SIGINT. uvicorn itself raises the signal again afterwards, and would end by it."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        try:
            yield
        finally:
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.remove_signal_handler(number)


def serve() -> None:
    """Receive webhooks and run the lanes, until SIGTERM.

    One process does it all on SQLite: it makes or updates its tables, puts the rule files in force if they are valid,
    and answers on HOST and PORT. stores.yaml has to be valid, else nothing is served; rule files that are not are
    refused as a whole, and the last good ones run on. A store whose variables are not set waits and says so.
    """
    with in_plain_words():
        settings = Settings.from_environment()
        logs.configure(settings.log_format, settings.log_level)
        # A second series for every counter, which only says when it first counted. (The library has no type here.)
        disable_created_metrics()  # type: ignore[no-untyped-call]
        listener = _listen(settings)
        with listener:
            engine = build(settings)
            config = uvicorn.Config(
                engine.app,
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                ws="none",
                lifespan="on",
                timeout_graceful_shutdown=LAST_ANSWERS,
            )
            log.info("listening", url=_url(listener), stores=[store.alias for store in engine.stores])
            server = Server(config)
            server.run(sockets=[listener])
    if not server.started:
        raise typer.Exit(FINDINGS)


def _listen(settings: Settings) -> socket.socket:
    """The socket to serve on. Taking it first means that a second server touches nothing."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        return socket.create_server((settings.host, settings.port), family=family, backlog=2048)
    except OSError as error:
        raise SettingsError(
            f"Port {settings.port} of {settings.host} cannot be listened on ({_plain_reason(error)}): set PORT and "
            "HOST to a free one."
        ) from error


def _plain_reason(error: OSError) -> str:
    """Why, in the system's words: Python adds the address to them. Below zero it is the resolver that counts."""
    if error.errno is not None and error.errno > 0:
        return os.strerror(error.errno)
    return str(error.strerror or error)


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def worker(*, as_json: AsJson = False) -> None:
    """Run lanes only, beside web processes that receive.

    On SQLite there is none to start: `rules-engine serve` runs the lanes itself.
    """
    with in_plain_words(as_json=as_json):
        settings = Settings.from_environment()
        if not settings.database_url.startswith("sqlite"):
            Database.from_url(settings.database_url).close()  # refuses what this release cannot use, with the reason
    sentence = "No worker is needed: on SQLite, `rules-engine serve` runs the lanes itself."
    if as_json:
        say_json({"needed": False, "reason": sentence})
    else:
        say(sentence)


def migrate(*, as_json: AsJson = False) -> None:
    """Bring the database's tables to those of this release.

    It prints their revision. `serve` and `release` do it too; running it again changes nothing.
    """
    with in_plain_words(as_json=as_json):
        settings = Settings.from_environment()
        revision = bring_up_to_date(settings.database_url)
    if as_json:
        say_json({"revision": revision})
    else:
        say(f"The database is at revision {revision}.")


def release(*, as_json: AsJson = False) -> None:
    """Check the files, migrate, and put the rules in force.

    Made for a host's release phase: when stores.yaml or a rule file is invalid it prints every problem, changes
    nothing, and ends with 1, so that the release does not go out. What is known already is then looked at by the new
    rules.
    """
    with in_plain_words(as_json=as_json):
        settings = Settings.from_environment()
        file = open_stores(settings, os.environ)
        stores = file.stores
        rulebook = compile_rules(read_rule_texts(settings.rules), file)
        revision = bring_up_to_date(settings.database_url)
        database = Database.from_url(settings.database_url)
        try:
            aliases = [store.alias for store in stores]
            activated = database.write_now(
                partial(put_in_force, rulebook=rulebook, stores=aliases, now=utc_now(), reason="release")
            )
        finally:
            database.close()
        changes = _changes(activated, rulebook, file)
    for problem in rulebook.warnings:
        complain(problem.render())
    for store in stores:
        if store.missing:
            complain(store.parked_because)
    for target in file.notify:
        if target.missing:
            complain(target.silent_because)
    for sentence in activated.sentences():
        complain(sentence)
    if as_json:
        say_json(
            {
                "revision": revision,
                "rulebook": rulebook.hash,
                "is_new": activated.is_new,
                "changes": changes and asdict(changes),
                "rules": [rule.code for rule in rulebook.rules],
                "warnings": [problem_fields(problem) for problem in rulebook.warnings],
                "left_out": left_out(rulebook),
                "gone": [asdict(each) for each in activated.vanished],
                "waiting": {store.alias: store.parked_because for store in stores if store.missing},
            }
        )
        return
    say(f"The database is at revision {revision}.")
    what = f"Rulebook {rulebook.hash[:12]} with {count(len(rulebook.rules), 'rule')}"
    say(f"{what} is in force now." if activated.is_new else f"{what} was in force already.")
    _say_changes(changes)


def _changes(activated: Activated, rulebook: Rulebook, file: StoresFile) -> Changes | None:
    """What is other than before; None where nothing was put in force, or what was cannot be read any more."""
    if not activated.is_new:
        return None
    try:
        before = compile_rules(activated.before.texts, file) if activated.before else Rulebook(rulebook.hash)
    except RulebookError:
        return None  # it was made by another release, or for other stores
    return changes_between(before, rulebook)


def _say_changes(changes: Changes | None) -> None:
    if changes is None:
        return
    for what in fields(changes):
        codes = getattr(changes, what.name)
        if codes:
            say(f"  {what.name}: {', '.join(map(str, codes))}")
    if changes.is_empty:
        say("  No rule is other than before.")
