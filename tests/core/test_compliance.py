"""JMESPath's own compliance suite: what is evaluated yields exactly what the suite says."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import jmespath
import pytest

from rules_engine.core.expression import compiled, evaluate, fields_in
from rules_engine.core.syntax import MAX_DEPTH, depth_of, parse
from rules_engine.core.traps import lint

SUITE = Path(__file__).parent.parent / "data" / "jmespath"


@dataclass(frozen=True, slots=True)
class Case:
    """One expression of the suite: what it yields for a document, or that it is an error."""

    file: str
    expression: str
    document: object
    result: object
    is_error: bool


def suite() -> Iterator[Case]:
    """Every case of the suite, without its benchmarks, which name no outcome."""
    for path in sorted(SUITE.glob("*.json")):
        for part in json.loads(path.read_text(encoding="utf-8")):
            for case in part["cases"]:
                if "bench" not in case:
                    yield Case(path.stem, case["expression"], part["given"], case.get("result"), "error" in case)


CASES = list(suite())


def exactly(value: object) -> str:
    """A value with its type: `1`, `1.0` and `true` differ."""
    return json.dumps(value)


def outcome(case: Case) -> str:
    """How a case went: `right`, `refused` before it is evaluated, or `wrong`."""
    try:
        compiled(case.expression)
    except jmespath.exceptions.JMESPathError:
        return "refused"
    found = evaluate(case.expression, case.document)  # type: ignore[arg-type]  # the suite asks lists and texts too
    if case.is_error:
        return "right" if found.failure else "wrong"
    is_right = not found.failure and exactly(found.value) == exactly(case.result)
    return "right" if is_right else "wrong"


def test_the_whole_suite_is_there() -> None:
    assert len(CASES) == 862
    assert Counter(case.is_error for case in CASES) == {False: 724, True: 138}


def test_the_pinned_library_is_the_one_that_the_suite_describes() -> None:
    for case in CASES:
        if not case.is_error and outcome(case) != "refused":
            found = jmespath.search(case.expression, case.document)
            assert exactly(found) == exactly(case.result), case


def test_every_case_is_right_or_an_error_that_is_refused() -> None:
    counted = Counter((outcome(case), case.is_error) for case in CASES)
    assert counted == {("right", False): 724, ("right", True): 45, ("refused", True): 93}


@pytest.mark.parametrize("file", sorted({case.file for case in CASES}))
def test_every_expression_of_the_suite_is_read_as_the_library_reads_it(file: str) -> None:
    for case in CASES:
        if case.file == file and outcome(case) != "refused":
            tree = parse(case.expression)
            assert tree.root == compiled(case.expression).parsed
            assert depth_of(tree.root) <= MAX_DEPTH


def test_what_the_suite_calls_malformed_is_refused_at_load() -> None:
    malformed = [case for case in CASES if case.is_error and outcome(case) == "refused"]
    assert [case.expression for case in malformed if not lint(case.expression)] == []


def test_the_lint_and_the_search_for_fields_bear_every_expression_of_the_suite() -> None:
    for case in CASES:
        lint(case.expression)
        fields_in(case.expression)
