"""What merchandisers run before a rule goes live: `plan` shows what the rules on disk would do, and does nothing."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from rules_engine.app import Outside, compile_rules, open_stores
from rules_engine.core.errors import RulebookError, SettingsError
from rules_engine.core.problem import Problem
from rules_engine.core.rule import Rulebook, RuleCode
from rules_engine.core.store import StoresFile
from rules_engine.database.engine import Database
from rules_engine.database.rulebooks import active, stored_rulebooks
from rules_engine.preview.plan import StorePlan, preview
from rules_engine.preview.plan_changes import RuleChanges
from rules_engine.preview.plan_fields import plan_fields
from rules_engine.preview.plan_markdown import escaped, markdown_of_difference, markdown_of_plan
from rules_engine.preview.plan_text import changes_in_words, text_of_difference, text_of_plan
from rules_engine.rulebook import read_rule_texts
from rules_engine.settings import Settings
from rules_engine.vendors import VENDORS

from .backtest import played_back, say_backtest
from .follow import open_database
from .output import AsJson, complain, in_plain_words, say, say_json, say_lines
from .revision import rules_at_revision
from .rules import asked_stores, no_such_rule

SHORTEST_HASH = 6
"""Characters of a rulebook's hash by which it may be named."""

_NEEDED = ("RULES", "STORES", "DATABASE_URL", "LAG_SECONDS", "RETENTION_DAYS")
"""All that a plan takes from the environment: no secret is among it."""

StoreOption = Annotated[str | None, typer.Option("--store", metavar="NAME", help="Only this store of stores.yaml.")]
RuleOption = Annotated[str | None, typer.Option("--rule", metavar="CODE", help="Show only what this rule would do.")]
AgainstOption = Annotated[
    str | None,
    typer.Option(
        "--against",
        metavar="REVISION|FOLDER|HASH",
        help="Show the difference from other rules: those of a git revision, of a folder, or a rulebook that ran.",
    ),
]
SinceOption = Annotated[
    str | None,
    typer.Option(
        "--since",
        metavar="SPAN",
        help="Play the rules over what was recorded of this time, such as 7d, beside what really happened.",
    ),
]
MarkdownOption = Annotated[bool, typer.Option("--markdown", help="Print it as the comment of a pull request.")]
LimitOption = Annotated[
    int, typer.Option("--limit", min=0, metavar="N", help="How many products to name in each list.")
]


@dataclass(frozen=True, slots=True)
class Planned:
    """The plans of the stores, and with which other rules they are compared, if with any."""

    rulebook: Rulebook
    stores: list[StorePlan]
    against: str = ""
    changes: RuleChanges | None = None


def plan(
    *,
    store: StoreOption = None,
    rule: RuleOption = None,
    against: AgainstOption = None,
    since: SinceOption = None,
    markdown: MarkdownOption = False,
    limit: LimitOption = 10,
    as_json: AsJson = False,
) -> None:
    """Show what the rules on disk would do to the catalogue as it was last seen. Nothing is done and nobody is called.

    Which products would be taken out, given back or overruled, by which rule; how many calls that needs and how long it
    takes at the shop's rate; and what could not be undone. It needs no secrets. With --against it shows only what would
    be different from other rules. With --since it shows what they would have done in the last days: with how many
    products, how often, with how many calls, and the first product with which they would have done otherwise.
    """
    with in_plain_words(as_json=as_json):
        if markdown and as_json:
            raise SettingsError("--markdown and --json exclude each other: choose one.")
        if since is not None and against is not None:
            raise SettingsError("--since compares with what really happened: leave out --against.")
        if since is not None:
            made = played_back(_settings(), since, store=store, rule=rule)
            say_backtest(made, as_json=as_json, markdown=markdown)
            return
        planned = _plan(store, rule, against)
    if as_json:
        say_json(plan_fields(planned.rulebook, planned.stores, against=planned.against, changes=planned.changes))
    elif markdown:
        _say_markdown(planned, limit)
    else:
        _say_text(planned, limit)


def _settings() -> Settings:
    return Settings.from_environment({name: os.environ.get(name, "") for name in _NEEDED})


def _plan(store: str | None, rule: str | None, against: str | None) -> Planned:
    settings = _settings()
    file = open_stores(settings, None)
    rulebook = compile_rules(read_rule_texts(settings.rules), file)
    with open_database(settings) as database:
        other = None if against is None else _other_rules(against, settings, file, database)
        codes = None if rule is None else _codes(rule, [rulebook, *([other] if other else [])])
        in_force = _in_force(file, database)
        lag, now = timedelta(seconds=settings.lag_seconds), Outside().now()
        plans = []
        for each in asked_stores(file.stores, store):
            vendor = VENDORS[each.settings.vendor](each.settings)
            made = preview(database, each, vendor, rulebook, now=now, lag=lag, against=other, in_force=in_force)
            plans.append(made if codes is None else made.only(codes))
    changes = None if other is None else RuleChanges.of(other, rulebook)
    return Planned(rulebook, plans, against or "", changes)


def _in_force(file: StoresFile, database: Database) -> Rulebook | None:
    """The rules in force, or None where there are none yet, or none that can be read for these stores."""
    found = database.read_now(active)
    try:
        return compile_rules(found.texts, file) if found is not None else None
    except RulebookError:
        return None


def _codes(code: str, rulebooks: Iterable[Rulebook]) -> set[RuleCode]:
    known = dict.fromkeys(rule.code for rulebook in rulebooks for rule in rulebook.rules)
    if RuleCode(code) not in known:
        raise no_such_rule(code, known)
    return {RuleCode(code)}


def _other_rules(against: str, settings: Settings, file: StoresFile, database: Database) -> Rulebook:
    """The rulebook to compare with: a folder if there is one of that name, else one that ran, else a git revision."""
    if not against.strip():
        raise SettingsError("--against names nothing: write a git revision, a folder, or the hash of rules that ran.")
    texts: Mapping[str, str] | None = None
    if Path(against).is_dir():
        texts = read_rule_texts(Path(against))
    elif len(against) >= SHORTEST_HASH:
        found = database.read_now(lambda connection: stored_rulebooks(connection, against))
        if len(found) > 1:
            raise SettingsError(f"{len(found)} rulebooks that ran begin with {against}: write more of the hash.")
        texts = next(iter(found.values()), None)
    if texts is None:
        texts = rules_at_revision(settings.rules, against)
    try:
        return compile_rules(texts, file)
    except RulebookError as error:
        complain(f"The rules to compare with ({against}) are not valid here:")
        raise RulebookError([_of_other(problem, against) for problem in error.problems]) from error


def _of_other(problem: Problem, against: str) -> Problem:
    return Problem(
        problem.place,
        problem.code,
        f"({against}) {problem.message}",
        source=problem.source,
        help=problem.help,
        severity=problem.severity,
    )


def _say_text(planned: Planned, limit: int) -> None:
    if planned.changes is not None:
        say(changes_in_words(planned.changes, planned.against))
        say()
    for number, each in enumerate(planned.stores):
        if number:
            say()
        lines = text_of_plan if planned.changes is None else text_of_difference
        say_lines(lines(each, limit=limit))


def _say_markdown(planned: Planned, limit: int) -> None:
    say("## What the rules would do")
    if planned.changes is not None:
        say()
        say(escaped(changes_in_words(planned.changes, planned.against)))
    for each in planned.stores:
        say()
        lines = markdown_of_plan if planned.changes is None else markdown_of_difference
        for line in lines(each, limit=limit):
            say(line)
