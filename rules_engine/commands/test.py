"""What merchandisers run on the tests of their rules: `test`."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated

import typer

from rules_engine.app import compile_rules, open_stores
from rules_engine.core.errors import RulebookError, SettingsError
from rules_engine.core.problem import Severity
from rules_engine.core.rule import Rule, RuleCode
from rules_engine.core.scenario import Scenario
from rules_engine.core.store import StoresFile
from rules_engine.preview.scenario_junit import junit
from rules_engine.preview.scenario_result import Played, details, explanation, play, story
from rules_engine.rulebook import compile_scenarios, read_rule_texts, read_test_texts, read_text
from rules_engine.settings import Settings
from rules_engine.vendors import VENDORS

from .output import FINDINGS, AsJson, in_plain_words, say, say_json
from .rules import count, no_such_rule

TESTS = "tests"
"""The folder beside the rules that holds nothing but tests."""


_UNFIT = frozenset(
    {
        *("no-store", "unknown-store", "unknown-webhook", "lacks-field", "cannot-do"),
        *("needs-reading", "cannot-put-back", "say-afterwards"),
    }
)
"""What is wrong with a rule only because of the stores that it meets."""


@dataclass(frozen=True, slots=True)
class Suite:
    """Rules that are compiled together, and the tests of them that are to be played.

    `files` counts those of a folder outside RULES, and `unfit` says of some of them why they cannot run here.
    """

    rules: tuple[Rule, ...]
    scenarios: tuple[Scenario, ...]
    files: int = 0
    unfit: Mapping[str, str] = field(default_factory=dict)


def play_tests(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[PATH]...", help="A file or folder of rules or tests instead of RULES."),
    ] = None,
    *,
    rule: Annotated[str | None, typer.Option("--rule", metavar="CODE", help="Only the tests of this rule.")] = None,
    report: Annotated[
        Path | None, typer.Option("--junit", metavar="FILE", help="Also write JUnit XML, for build servers.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Play the tests of the rules, offline.

    The tests stand under `tests:` beside the rules, and in RULES/tests/*.yaml. Each shows a product to its rule and
    says what is expected; a shop in miniature answers, so that no secrets, no database and no network are needed.
    Rules without tests are named at the end.
    """
    with in_plain_words(as_json=as_json):
        settings = offline_settings()
        stores = open_stores(settings, None)
        suites = _only(list(_suites(paths or [], settings, stores)), rule)
        played = [each for suite in suites for each in _play(suite, stores)]
        if report is not None:
            _write(report, junit(played))
    results = [each for each, _ in played]
    untested = _without_tests(suites)
    unfit = {file: why for suite in suites for file, why in suite.unfit.items()}
    if as_json:
        say_json(_as_json(results, untested, unfit))
    else:
        _say(results, untested)
        if unfit:
            files = count(sum(suite.files for suite in suites), "file")
            say(f"{files}, {len(unfit)} cannot run in your stores: {', '.join(unfit)}.")
    if not all(each.is_ok for each in results):
        raise typer.Exit(FINDINGS)


def offline_settings() -> Settings:
    """The settings of a command that needs no more of its environment than where the files are."""
    return Settings.from_environment({name: os.environ.get(name, "") for name in ("RULES", "STORES")})


def play_one(scenario: Scenario, rule: Rule, stores: StoresFile) -> Played:
    """Play one test in the store that it names, else in the first of its rule."""
    alias = scenario.store or rule.stores[0]
    store = next(each for each in stores.stores if each.alias == alias)
    return play(scenario, rule, store, VENDORS[store.settings.vendor](store.settings))


# Which tests.


def _suites(paths: Sequence[Path], settings: Settings, stores: StoresFile) -> Iterator[Suite]:
    """The tests of RULES, or those of each path. Raises `RulebookError` with the problems of the files."""
    home = Path(settings.rules).resolve()
    if not paths:
        yield _folder(home, stores)
    for path in paths:
        full = path.resolve()
        if not full.exists():
            raise SettingsError(f"There is no file or folder {path}.")
        if full == home:
            yield _folder(home, stores)
        elif not _belongs_to(home, full):
            yield _foreign(full, stores) if full.is_dir() else _file(path, stores)
        else:
            yield _part(home, full, stores)


def _belongs_to(home: Path, path: Path) -> bool:
    """Whether a path is part of the rules in RULES, or of the tests beside them; the library is not."""
    return path.is_relative_to(home) and path.relative_to(home).parts[0] != "library"


def _folder(folder: Path, stores: StoresFile) -> Suite:
    rulebook = compile_rules(read_rule_texts(folder), stores)
    beside = compile_scenarios(read_test_texts(folder), rulebook, stores=stores.stores)
    return Suite(rulebook.rules, (*rulebook.scenarios, *beside))


def _foreign(folder: Path, stores: StoresFile) -> Suite:
    """A folder that was not written for these stores, such as the library: files that cannot run here are left out."""
    texts, unfit = read_rule_texts(folder), dict[str, str]()
    try:
        rulebook = compile_rules(texts, stores)
    except RulebookError as error:
        unfit = _unfit(error)
        if len(unfit) == len(texts):
            raise
        rulebook = compile_rules({path: text for path, text in texts.items() if path not in unfit}, stores)
    beside = compile_scenarios(read_test_texts(folder), rulebook, stores=stores.stores)
    return Suite(rulebook.rules, (*rulebook.scenarios, *beside), len(texts), unfit)


def _unfit(error: RulebookError) -> dict[str, str]:
    """The files of which the stores are all that is wrong, each with the reason. Raises the error for any other."""
    found: dict[str, str] = {}
    for problem in error.problems:
        if problem.severity is Severity.WARNING:
            continue
        if problem.code not in _UNFIT:
            raise error
        found.setdefault(problem.place.path, problem.message)
    return found


def _file(path: Path, stores: StoresFile) -> Suite:
    """A file that stands alone, such as one of the library."""
    rulebook = compile_rules({str(path): read_text(path)}, stores)
    return Suite(rulebook.rules, rulebook.scenarios)


def _part(home: Path, path: Path, stores: StoresFile) -> Suite:
    """The rules of one file or folder within RULES, which share meanings with the others, with all their tests.

    Of a file of tests, or the folder of them, only these tests.
    """
    whole = _folder(home, stores)
    inside = f"{home.name}/{path.relative_to(home).as_posix()}"

    def is_inside(file: str) -> bool:
        return file == inside or file.startswith(f"{inside}/")

    if path.relative_to(home).parts[0] == TESTS:
        tests = tuple(each for each in whole.scenarios if is_inside(each.place.path))
        tested = {each.rule for each in tests}
        return Suite(tuple(each for each in whole.rules if each.code in tested), tests)
    rules = tuple(each for each in whole.rules if is_inside(each.place.path))
    codes = {each.code for each in rules}
    return Suite(rules, tuple(each for each in whole.scenarios if each.rule in codes))


def _only(suites: list[Suite], code: str | None) -> list[Suite]:
    """The suites with one rule only, where one is asked for. Raises `SettingsError` where there is none."""
    if code is None:
        return suites
    known = [rule.code for suite in suites for rule in suite.rules]
    if code not in known:
        raise no_such_rule(code, known)
    wanted = RuleCode(code)
    return [
        replace(
            suite,
            rules=tuple(rule for rule in suite.rules if rule.code == wanted),
            scenarios=tuple(scenario for scenario in suite.scenarios if scenario.rule == wanted),
        )
        for suite in suites
    ]


def _play(suite: Suite, stores: StoresFile) -> Iterator[tuple[Played, float]]:
    """Every test as it was played, with the seconds that it took."""
    rules = {rule.code: rule for rule in suite.rules}
    for scenario in suite.scenarios:
        start = time.perf_counter()
        played = play_one(scenario, rules[scenario.rule], stores)
        yield played, time.perf_counter() - start


def _without_tests(suites: Sequence[Suite]) -> list[str]:
    tested = {scenario.rule for suite in suites for scenario in suite.scenarios}
    return [rule.code for suite in suites for rule in suite.rules if rule.code not in tested]


# How it is told.


def _say(results: Sequence[Played], untested: Sequence[str]) -> None:
    for each in results:
        say(f"{'✓' if each.is_ok else '✗'} {each.scenario.rule} › {each.scenario.name}")
        if not each.is_ok:
            say(f"    {'place':<11}{each.scenario.place}")
            for part, lines in details(each):
                for number, line in enumerate(lines):
                    say(f"    {part if number == 0 else '':<11}{line}")
    failed = sum(not each.is_ok for each in results)
    if results:
        say(f"{count(len(results), 'test')}: {len(results) - failed} passed, {failed} failed.")
    else:
        say(
            "There are no tests: write them under `tests:` beside the rules or in a file of the folder `tests`, or let "
            "`rules-engine record DELIVERY` write one from what a shop really sent."
        )
    if untested and results:
        say(f"Rules without tests: {', '.join(untested)}.")


def _as_json(results: Sequence[Played], untested: Sequence[str], unfit: Mapping[str, str]) -> dict[str, object]:
    failed = sum(not each.is_ok for each in results)
    return {
        "passed": len(results) - failed,
        "failed": failed,
        "without_tests": list(untested),
        "cannot_run": dict(unfit),
        "tests": [
            {
                "rule": each.scenario.rule,
                "name": each.scenario.name,
                "file": each.scenario.place.path,
                "line": each.scenario.place.line,
                "passed": each.is_ok,
                "expected": list(each.expected),
                "actual": list(each.actual),
                "truth": each.truth.value if each.truth else None,
                "condition": explanation(each),
                "story": story(each),
            }
            for each in results
        ],
    }


def _write(file: Path, text: str) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise SettingsError(f"--junit names {file}, which cannot be written ({error.strerror}).") from error
