"""`rules-engine reconcile`: walk over whole catalogues now, and tell what webhooks did not."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Annotated

import sqlalchemy as sa
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

from rules_engine.app import Outside, open_stores
from rules_engine.core.delivery import StoreAlias
from rules_engine.core.errors import SettingsError
from rules_engine.core.question import QuestionId, QuestionState
from rules_engine.core.store import Store
from rules_engine.core.sweep import Sweep, SweepKind, SweepState
from rules_engine.database.engine import Database
from rules_engine.database.lanes import load_lane
from rules_engine.database.questions import load_questions
from rules_engine.database.sweeps import connected_at, find_sweep, request_sweep
from rules_engine.preview.plan_text import count
from rules_engine.settings import Settings
from rules_engine.vendors import VENDORS

from .follow import follow, open_database
from .output import AsJson, in_plain_words, say, say_json
from .repair import finish
from .rules import asked_stores

A_DAY = 86_400.0
LINE_EVERY = timedelta(seconds=10)
"""Where there is no terminal, one line says so often how far it is."""

FOUND = {
    "new": "not known until now",
    "changed": "changed without a webhook",
    "gone": "gone without a webhook",
    "undone": "changed back by people",
    "fresh": "new or changed within the last 2 minutes: too fresh to say, since the webhook may still come",
    "planned": "to be changed by rules now",
    "held": "kept waiting, so that no category gets too empty",
    "asked": "kept waiting for an answer, or for the end of the sweep",
}
"""What a sweep finds, by its word, for people."""
WOULD = {
    "planned": "to be changed by rules, if it were not a dry run",
    "held": "that would wait, so that no category gets too empty",
    "asked": "of rules with limits, which would be judged at the end",
}
DRIFT = ("new", "changed", "gone", "undone")


def reconcile(
    stores: Annotated[list[str] | None, typer.Argument(metavar="[STORE]...", help="Their names; else all.")] = None,
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Read and decide, and keep and call nothing.")] = False,
    report_drift: Annotated[
        bool,
        typer.Option(
            "--report-drift",
            help="End with 1 when something is not as webhooks told it. "
            "A change of the last 2 minutes does not count: its webhook may still come.",
        ),
    ] = False,
    rules: Annotated[
        bool, typer.Option("--rules", help="Decide what is known by the rules again; read only what they want.")
    ] = False,
    wait: Annotated[float, typer.Option("--wait", min=0, metavar="SECONDS", help="How long to wait.")] = A_DAY,
    as_json: AsJson = False,
) -> None:
    """Read whole catalogues now, and tell what webhooks did not.

    Finds lost webhooks, deleted products and edits that fire no webhook; rules act on what they are about. It keeps
    within the shop's rate and lets webhooks go first. Ctrl-C stops the waiting, not the sweep.
    """
    outside = Outside()
    with in_plain_words(as_json=as_json):
        if rules and dry_run:
            raise SettingsError("With --rules there is nothing to read: `rules-engine plan` shows what rules would do.")
        settings = Settings.from_environment()
        known = open_stores(settings, os.environ).stores
        chosen = [asked_stores(known, name)[0] for name in dict.fromkeys(stores or [])] or list(known)
        with open_database(settings) as database:
            errands = [_Errand(settings, database, outside, store, as_json=as_json) for store in chosen]
            told = [_reconcile(errand, is_of_rules=rules, is_dry=dry_run, wait=wait) for errand in errands]
    if as_json:
        say_json({"stores": [each.fields() for each in told]})
    waits = " ".join(each.waits for each in told if each.waits)
    has_drift = report_drift and any(each.has_drift for each in told)
    has_failed = any(each.sweep is not None and each.sweep.state is SweepState.STOPPED for each in told)
    is_vain = bool(stores) and all(each.cannot for each in told)
    finish(waits, is_fine=not (has_drift or has_failed or is_vain))


@dataclass(frozen=True, slots=True)
class _Errand:
    settings: Settings
    database: Database
    outside: Outside
    store: Store
    as_json: bool


@dataclass(frozen=True, slots=True)
class _Told:
    """What came of one store."""

    store: StoreAlias
    sweep: Sweep | None = None
    cannot: str = ""
    waits: str = ""
    questions: tuple[QuestionId, ...] = ()

    @property
    def has_drift(self) -> bool:
        return self.sweep is not None and any(self.sweep.found.get(word) for word in DRIFT)

    def fields(self) -> dict[str, object]:
        """As JSON shows it."""
        shown: dict[str, object] = {
            "store": self.store,
            "cannot": self.cannot or None,
            "waits": self.waits or None,
            "has_drift": self.has_drift,
            "questions": list(self.questions),
        }
        if self.sweep is None:
            return shown
        return shown | {
            "sweep": self.sweep.id,
            "kind": self.sweep.kind.value,
            "state": self.sweep.state.value,
            "reason": self.sweep.reason,
            "is_dry": self.sweep.is_dry,
            "started_at": self.sweep.started_at,
            "finished_at": self.sweep.finished_at,
            "products": self.sweep.seen,
            "calls": self.sweep.calls,
            "found": dict(self.sweep.found),
            "examples": {word: list(shown) for word, shown in self.sweep.examples.items()},
        }


def _reconcile(errand: _Errand, *, is_of_rules: bool, is_dry: bool, wait: float) -> _Told:
    alias = errand.store.alias
    if errand.store.missing:
        return _Told(alias, waits=errand.store.parked_because)
    vendor = VENDORS[errand.store.settings.vendor]
    if not is_of_rules and not vendor.CAPABILITIES.can_list:
        cannot = (
            f"{alias}: {vendor.TITLE} cannot list its products, so none is read: what its webhooks say is all that is "
            f"known. `rules-engine reconcile {alias} --rules` decides that again."
        )
        if not errand.as_json:
            say(cannot)
        return _Told(alias, cannot=cannot)
    id_ = errand.database.write_now(
        partial(_ask, store=alias, is_of_rules=is_of_rules, is_dry=is_dry, now=errand.outside.now())
    )
    with _shown(errand) as progress:
        is_done = partial(_is_done, id_=id_, progress=progress)
        waits = follow(errand.settings, errand.database, alias, is_done, seconds=wait, outside=errand.outside)
    sweep = errand.database.read_now(partial(find_sweep, id_=id_))
    lane = errand.database.read_now(partial(load_lane, store=alias))
    if lane.parked_because and not waits and sweep is not None and sweep.state.is_open:
        waits = f"{alias} is parked: {lane.parked_because} Then run `rules-engine probe {alias}`: the sweep goes on."
    asked = errand.database.read_now(partial(load_questions, store=alias, states=[QuestionState.OPEN]))
    if sweep is not None and not errand.as_json:
        _say(sweep)
        if asked:
            say(f"  {count(len(asked), 'question')} of this store to answer: `rules-engine questions --store {alias}`.")
    return _Told(alias, sweep, waits=waits, questions=tuple(each.id for each in asked))


def _ask(connection: sa.Connection, *, store: StoreAlias, is_of_rules: bool, is_dry: bool, now: datetime) -> int:
    if is_of_rules:
        return request_sweep(connection, store, SweepKind.RULES, now=now, reason="a person asked for the rules")
    # What was never seen before is learned: nothing that happened before then is a moment.
    is_known = is_dry or connected_at(connection, store) is not None
    kind = SweepKind.ASKED if is_known else SweepKind.LEARNING
    return request_sweep(connection, store, kind, now=now, reason="a person asked for it", is_dry=is_dry)


def _is_done(connection: sa.Connection, *, id_: int, progress: _Shown) -> bool:
    sweep = find_sweep(connection, id_)
    if sweep is None:
        return True
    progress.show(sweep)
    return not sweep.state.is_open or bool(load_lane(connection, sweep.store).parked_because)


# While it runs.


class _Rate(ProgressColumn):
    """Products a second."""

    def render(self, task: Task) -> Text:
        """The rate of the last while, or a dash."""
        speed = task.finished_speed or task.speed
        return Text(f"{speed:,.0f} a second" if speed else "–")


@dataclass(slots=True)
class _Shown:
    """Shows how far a sweep is: by a bar on a terminal, else by a line now and then, or not at all."""

    outside: Outside
    progress: Progress | None
    is_silent: bool
    _told_at: datetime | None = field(default=None, init=False)

    def show(self, sweep: Sweep) -> None:
        """Show the sweep as it stands."""
        if self.progress is not None:
            self.progress.update(self.progress.task_ids[0], completed=sweep.seen, total=sweep.total)
            return
        now = self.outside.now()
        if self.is_silent or not sweep.seen or (self._told_at is not None and now - self._told_at < LINE_EVERY):
            return
        self._told_at = now
        of = f" of {sweep.total:,}" if sweep.total is not None else ""
        say(f"{sweep.store}: {sweep.seen:,}{of} products, {count(sweep.calls, 'call')}")


@contextmanager
def _shown(errand: _Errand) -> Iterator[_Shown]:
    console = Console()
    if errand.as_json or not console.is_terminal:
        yield _Shown(errand.outside, None, errand.as_json)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), _Rate(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        progress.add_task(errand.store.alias, total=None)
        yield _Shown(errand.outside, progress, is_silent=False)


# When it has ended, or nobody waits any more.


def _say(sweep: Sweep) -> None:
    read = count(sweep.seen, "product") + (f", {count(sweep.calls, 'call')}" if sweep.calls else "")
    match sweep.state:
        case SweepState.DONE:
            said = f"{sweep.store}: {read}{_took(sweep)}."
        case SweepState.STOPPED:
            said = f"{sweep.store}: stopped after {read}: {sweep.reason}."
        case _:
            said = f"{sweep.store}: {read} so far."
    say(said + (" Nothing was kept or called." if sweep.is_dry else ""))
    words = FOUND | WOULD if sweep.is_dry else FOUND
    for word, meaning in words.items():
        number = sweep.found.get(word, 0)
        if not number:
            continue
        say(f"  {number:,} {meaning}")
        examples = sweep.examples.get(word, ())
        for sentence in examples:
            say(f"    {' '.join(sentence.splitlines())}")
        if number > len(examples) > 0:
            say(f"    and {number - len(examples):,} more")
    if not sweep.found and sweep.state is SweepState.DONE:
        say("  All products are as they were known.")


def _took(sweep: Sweep) -> str:
    if sweep.started_at is None or sweep.finished_at is None:
        return ""
    return f", {round((sweep.finished_at - sweep.started_at).total_seconds()):,} s"
