"""What merchandisers run on their rule files: `check`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

import typer

from rules_engine.app import compile_rules, open_stores
from rules_engine.core.errors import RulebookError
from rules_engine.core.problem import Problem, Severity
from rules_engine.core.rule import Rulebook
from rules_engine.core.store import Store, StoresFile
from rules_engine.rulebook import read_rule_texts
from rules_engine.settings import Settings

from .output import FINDINGS, AsJson, in_plain_words, problem_fields, say, say_json

_ABOUT_STORES = frozenset({"no-store", "unknown-store", "unknown-webhook"})
"""What every rule would be blamed for while stores.yaml cannot be read."""


class Format(StrEnum):
    """How `check` prints what it found."""

    TEXT = "text"
    """For people: each problem with its line and a caret."""
    JSON = "json"
    """For programs: one JSON object."""
    GITHUB = "github"
    """For GitHub Actions: annotations beside the lines of a pull request."""


@dataclass(frozen=True, slots=True)
class Checked:
    """What `check` found. `rulebook` is None when something is wrong."""

    problems: tuple[Problem, ...]
    stores: tuple[Store, ...] = ()
    rulebook: Rulebook | None = None

    @property
    def errors(self) -> int:
        """How many of the problems refuse the rulebook."""
        return sum(problem.severity is Severity.ERROR for problem in self.problems)


FormatOption = Annotated[
    Format, typer.Option("--format", help="text for people, json for programs, github for annotations.")
]


def check(*, format_: FormatOption = Format.TEXT, as_json: AsJson = False) -> None:
    """Check stores.yaml and all rule files, offline.

    Every error and warning of every file at once, each with its place and what to write instead; and for which stores
    a rule does not run, and why. It needs no secrets, no database and no network. RULES and STORES say where the files
    are.
    """
    form = Format.JSON if as_json else format_
    with in_plain_words(as_json=form is Format.JSON):
        checked = check_files()
    match form:
        case Format.TEXT:
            _say_text(checked)
        case Format.JSON:
            _say_json(checked)
        case Format.GITHUB:
            _say_annotations(checked)
    if checked.errors:
        raise typer.Exit(FINDINGS)


def check_files() -> Checked:
    """All problems of stores.yaml and the rule files. Raises `SettingsError` when there is no stores.yaml."""
    wanted = {name: os.environ.get(name, "") for name in ("RULES", "STORES")}
    settings = Settings.from_environment(wanted)
    problems: list[Problem] = []
    file: StoresFile | None = None
    try:
        file = open_stores(settings, None)
    except RulebookError as error:
        problems += error.problems
    known = file or StoresFile()
    try:
        rulebook = compile_rules(read_rule_texts(settings.rules), known)
    except RulebookError as error:
        problems += (problem for problem in error.problems if file is not None or problem.code not in _ABOUT_STORES)
        return Checked(tuple(problems), known.stores)
    if file is None:
        return Checked((*problems, *rulebook.warnings))
    return Checked(rulebook.warnings, known.stores, rulebook)


def left_out(rulebook: Rulebook) -> dict[str, dict[str, str]]:
    """For each rule the stores that it does not run for, and why; as JSON shows it."""
    return {code: {str(store): why for store, why in of.items()} for code, of in rulebook.left_out.items() if of}


def summary(problems: Sequence[Problem]) -> str:
    """How many errors and warnings there are, in words."""
    errors = sum(problem.severity is Severity.ERROR for problem in problems)
    warnings = len(problems) - errors
    return f"{count(errors, 'error')}, {count(warnings, 'warning')}"


def count(number: int, thing: str) -> str:
    """A number of things: `no rules`, `1 rule`, `3 rules`."""
    return f"{number or 'no'} {thing}{'' if number == 1 else 's'}"


def _say_text(checked: Checked) -> None:
    for problem in checked.problems:
        say(problem.render())
    if checked.rulebook is None:
        say(f"{summary(checked.problems)}: these files are refused.")
        return
    rulebook = checked.rulebook
    for code, reasons in left_out(rulebook).items():
        say(f"{code} does not run for:")
        for reason in reasons.values():
            say(f"  {reason}")
    rules, files = count(len(rulebook.rules), "rule"), count(len(rulebook.texts), "file")
    say(f"{rules} in {files} for {count(len(checked.stores), 'store')}: {summary(checked.problems)}.")


def _say_json(checked: Checked) -> None:
    rulebook = checked.rulebook
    stores = {store.alias: [r.code for r in rulebook.for_store(store.alias)] for store in checked.stores if rulebook}
    say_json(
        {
            "valid": rulebook is not None,
            "problems": [problem_fields(problem) for problem in checked.problems],
            "stores": stores,
            "left_out": left_out(rulebook) if rulebook else {},
            "rulebook": rulebook.hash if rulebook else None,
        }
    )


def _say_annotations(checked: Checked) -> None:
    """GitHub's documentation, "Workflow commands": `::error file=…,line=…,col=…,endColumn=…,title=…::message`."""
    for problem in checked.problems:
        text = f"{problem.message}\n{problem.help}" if problem.help else problem.message
        say(_annotation(problem.severity.value, problem, text))
    rulebook = checked.rulebook
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
