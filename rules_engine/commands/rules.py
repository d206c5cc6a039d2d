"""The rule files as several commands take them: all problems of stores.yaml and the rules, and how they are counted."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from rules_engine.app import open_stores
from rules_engine.core.errors import RulebookError, SettingsError
from rules_engine.core.explain import did_you_mean, listed
from rules_engine.core.problem import Problem, Severity
from rules_engine.core.rule import Rulebook
from rules_engine.core.store import Store, StoresFile
from rules_engine.rulebook import compile_rulebook, read_rule_texts, read_test_texts
from rules_engine.settings import Settings
from rules_engine.vendors import VENDORS

_ABOUT_STORES = frozenset({"no-store", "unknown-store", "unknown-webhook"})
"""What every rule would be blamed for while stores.yaml cannot be read."""


@dataclass(frozen=True, slots=True)
class Checked:
    """What is wrong with the files. `rulebook` is None when they are refused; else it has the tests of all files."""

    problems: tuple[Problem, ...]
    stores: tuple[Store, ...] = ()
    rulebook: Rulebook | None = None


def check_files(settings: Settings) -> Checked:
    """All problems of stores.yaml, the rule files and their tests. Needs no secrets, and no more than these files.

    Raises `SettingsError` when there is no stores.yaml.
    """
    problems: list[Problem] = []
    file: StoresFile | None = None
    try:
        file = open_stores(settings, None)
    except RulebookError as error:
        problems += error.problems
    known = file or StoresFile()
    tests: dict[str, str] = {}
    try:
        tests = read_test_texts(settings.rules)
    except RulebookError as error:
        problems += error.problems
    try:
        rulebook = compile_rulebook(
            read_rule_texts(settings.rules),
            stores=known.stores,
            vendors=VENDORS,
            notify=known.notify_names,
            tests=tests,
        )
    except RulebookError as error:
        problems += (problem for problem in error.problems if file is not None or problem.code not in _ABOUT_STORES)
        return Checked(tuple(problems), known.stores)
    problems += rulebook.warnings
    is_sound = all(problem.severity is Severity.WARNING for problem in problems)
    return Checked(tuple(problems), known.stores, rulebook if is_sound else None)


def asked_stores(stores: Sequence[Store], alias: str | None) -> list[Store]:
    """All stores, or the one that is asked for. Raises `SettingsError` where stores.yaml has none of that name."""
    found = [each for each in stores if alias in {None, each.alias}]
    if not found and alias is not None:
        known = [str(each.alias) for each in stores]
        otherwise = f"it has {listed(known)}." if known else "it has none."
        raise SettingsError(f'stores.yaml has no store "{alias}": {did_you_mean(alias, known, otherwise)}')
    return found


def no_such_rule(code: str, known: Collection[str], where: str = "There is") -> SettingsError:
    """What is said of a code that no rule has: the one that is near, or all that there are."""
    otherwise = f"there {'is only' if len(known) == 1 else 'are'} {listed(known)}." if known else "there are none."
    return SettingsError(f'{where} no rule "{code}": {did_you_mean(code, known, otherwise)}')


def left_out(rulebook: Rulebook) -> dict[str, dict[str, str]]:
    """For each rule the stores that it does not run for, and why; as JSON shows it."""
    return {code: {str(store): why for store, why in of.items()} for code, of in rulebook.left_out.items() if of}


def summary(problems: Sequence[Problem]) -> str:
    """How many errors and warnings there are, in words."""
    errors = errors_in(problems)
    return f"{count(errors, 'error')}, {count(len(problems) - errors, 'warning')}"


def errors_in(problems: Sequence[Problem]) -> int:
    """How many of the problems are errors."""
    return sum(problem.severity is Severity.ERROR for problem in problems)


def count(number: int, thing: str) -> str:
    """A number of things: `no rules`, `1 rule`, `3 rules`."""
    return f"{number or 'no'} {thing}{'' if number == 1 else 's'}"
