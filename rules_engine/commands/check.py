"""What merchandisers run on their rule files: `check`."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from rules_engine.app import Outside, open_stores
from rules_engine.core.errors import DatabaseError, SettingsError
from rules_engine.core.problem import Problem
from rules_engine.core.rule import Rulebook
from rules_engine.core.store import Store
from rules_engine.network import Network
from rules_engine.preview.fields import report_unseen
from rules_engine.rulebook.conflicts import report_conflicts
from rules_engine.rulebook.report import Report
from rules_engine.settings import Settings
from rules_engine.vendors import VENDORS

from .check_stores import Listing, ask_stores, places_of_stores, report_listings
from .follow import open_database
from .output import FINDINGS, AsJson, in_plain_words, problem_fields, say, say_json
from .rules import check_files, count, errors_in, left_out, summary

_OFFLINE = ("RULES", "STORES", "DATABASE_URL")
_ASKING = (*_OFFLINE, "ALLOW_PRIVATE_HOSTS")


class Format(StrEnum):
    """How `check` prints what it found."""

    TEXT = "text"
    """For people: each problem with its line and a caret."""
    JSON = "json"
    """For programs: one JSON object."""
    GITHUB = "github"
    """For GitHub Actions: annotations beside the lines of a pull request."""


@dataclass(frozen=True, slots=True)
class Findings:
    """What `check` found. `rulebook` is None when the files are refused; `listings` are of the shops that it asked."""

    problems: tuple[Problem, ...]
    stores: tuple[Store, ...]
    rulebook: Rulebook | None = None
    listings: tuple[Listing, ...] = ()


FormatOption = Annotated[
    Format, typer.Option("--format", help="text for people, json for programs, github for annotations.")
]
StoresOption = Annotated[
    bool,
    typer.Option("--stores", help="Also ask the shops whether they have the categories that the rules name."),
]


def check(*, stores: StoresOption = False, format_: FormatOption = Format.TEXT, as_json: AsJson = False) -> None:
    """Check stores.yaml, all rule files and their tests, offline.

    Every error and warning of every file at once, each with its place and what to write instead; and for which stores
    a rule does not run, and why. It needs no secrets, no database and no network. RULES and STORES say where the files
    are.

    It also looks for what goes wrong later: a condition that no product can ever meet, two rules that want the opposite
    of one product, and a rule that undoes itself for ever. Of each it names the product on which it happens.

    Where the engine's database is at hand (DATABASE_URL), it also warns of fields that rules look at and that nothing
    had which was seen within 30 days; of each store it looks at the newest 5,000 products and categories.

    With --stores it asks every shop for its categories, with the secrets of the environment: a name that a shop does
    not have is an error. A shop that cannot be asked now is a warning, and the others are still asked.
    """
    form = Format.JSON if as_json else format_
    with in_plain_words(as_json=form is Format.JSON):
        names = _ASKING if stores else _OFFLINE
        found = _check(Settings.from_environment({name: os.environ.get(name, "") for name in names}), asks=stores)
    match form:
        case Format.TEXT:
            _say_text(found)
        case Format.JSON:
            _say_json(found)
        case Format.GITHUB:
            _say_annotations(found)
    if errors_in(found.problems):
        raise typer.Exit(FINDINGS)


def _check(settings: Settings, *, asks: bool) -> Findings:
    """What the files say, what arrived and, if asked for, what the shops say. Raises `SettingsError`."""
    checked = check_files(settings)
    found = Findings(checked.problems, checked.stores, checked.rulebook)
    if found.rulebook is None:
        return found
    outside, report = Outside(), Report()
    for path, text in found.rulebook.texts.items():
        report.add_file(path, text)
    report_conflicts(report, found.rulebook, found.stores, VENDORS)
    with suppress(DatabaseError, SettingsError):  # what is not there, or not of this release, tells nothing
        _report_unseen(report, settings, found.rulebook, found.stores, outside)
    if asks:
        live = open_stores(settings, os.environ).stores
        listings = asyncio.run(_ask(settings, live, found.rulebook, outside))
        text = Path(settings.stores).read_text(encoding="utf-8")
        report.add_file(str(settings.stores), text)
        places = places_of_stores(text, str(settings.stores))
        report_listings(report, found.rulebook, live, listings, places)
        found = replace(found, listings=tuple(listings))
    return replace(found, problems=_together(found.problems, report.problems))


def _report_unseen(
    report: Report, settings: Settings, rulebook: Rulebook, stores: Sequence[Store], outside: Outside
) -> None:
    now = outside.now()
    with open_database(settings) as database:
        for store in stores:
            can = VENDORS[store.settings.vendor].CAPABILITIES
            look = partial(report_unseen, report=report, rulebook=rulebook, store=store, capabilities=can, now=now)
            database.read_now(look)


async def _ask(settings: Settings, stores: Sequence[Store], rulebook: Rulebook, outside: Outside) -> list[Listing]:
    async with Network(now=outside.now, allow_private_hosts=settings.allow_private_hosts) as network:
        return await ask_stores(stores, rulebook, network.send, outside)


def _together(offline: Sequence[Problem], online: Sequence[Problem]) -> tuple[Problem, ...]:
    """All problems by place. What is known now says more than the warning that it cannot be known offline."""
    known = {(problem.place, problem.code) for problem in online}
    rest = [problem for problem in offline if (problem.place, problem.code) not in known]
    return tuple(sorted([*rest, *online], key=lambda problem: (problem.place, problem.code)))


# How it is told.


def _say_text(found: Findings) -> None:
    for problem in found.problems:
        say(problem.render())
    if found.rulebook is None:
        say(f"{summary(found.problems)}: these files are refused.")
        return
    rulebook = found.rulebook
    for code, reasons in left_out(rulebook).items():
        say(f"{code} does not run for:")
        for reason in reasons.values():
            say(f"  {reason}")
    for listing in found.listings:
        if not listing.failed:
            say(listing.said)
    rules, files = count(len(rulebook.rules), "rule"), count(len(rulebook.texts), "file")
    tested = f" with {count(len(rulebook.scenarios), 'test')}" if rulebook.scenarios else ""
    say(f"{rules} in {files}{tested} for {count(len(found.stores), 'store')}: {summary(found.problems)}.")


def _say_json(found: Findings) -> None:
    rulebook = found.rulebook
    stores = {store.alias: [r.code for r in rulebook.for_store(store.alias)] for store in found.stores if rulebook}
    say_json(
        {
            "valid": not errors_in(found.problems),
            "problems": [problem_fields(problem) for problem in found.problems],
            "stores": stores,
            "left_out": left_out(rulebook) if rulebook else {},
            "asked": {
                listing.store: {
                    "categories": None if listing.categories is None else len(listing.categories),
                    "failed": listing.failed,
                    "said": listing.said,
                }
                for listing in found.listings
            },
            "rulebook": rulebook.hash if rulebook else None,
        }
    )


def _say_annotations(found: Findings) -> None:
    """GitHub's documentation, "Workflow commands": `::error file=…,line=…,col=…,endColumn=…,title=…::message`."""
    for problem in found.problems:
        text = f"{problem.message}\n{problem.help}" if problem.help else problem.message
        say(_annotation(problem.severity.value, problem, text))
    rulebook = found.rulebook
    for rule in rulebook.rules if rulebook else ():
        for reason in left_out(rulebook).get(rule.code, {}).values() if rulebook else ():
            say(_annotation("notice", Problem(rule.place, "left-out", ""), f"{rule.code} does not run here: {reason}"))


def _annotation(level: str, problem: Problem, text: str) -> str:
    place = problem.place
    values = {
        "file": place.path,
        "line": place.line,
        "col": place.column,
        "endColumn": place.column + place.length,
        "title": problem.code,
    }
    written = ",".join(f"{name}={_escaped(str(value), ':,')}" for name, value in values.items())
    return f"::{level} {written}::{_escaped(text)}"


def _escaped(text: str, more: str = "") -> str:
    """As GitHub reads it: percent signs, line ends and, in properties, colons and commas are written as `%XX`."""
    for sign in ("%", "\r", "\n", *more):
        text = text.replace(sign, f"%{ord(sign):02X}")
    return text
