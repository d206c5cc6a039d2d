"""Strict YAML: what is refused and where, what is kept as written, and that no text can do harm."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules_engine.core.problem import Place, Problem
from rules_engine.rulebook.masks import mask_all
from rules_engine.rulebook.report import MOST_PROBLEMS, Report
from rules_engine.rulebook.yaml import ListNode, MapNode, Node, ScalarNode, read_yaml


def read(text: str) -> tuple[Node | None, Report]:
    report = Report()
    report.add_file("a.yaml", text)
    return read_yaml(text, path="a.yaml", report=report), report


def value(text: str) -> object:
    node, report = read(f"x: {text}\n")
    assert not report.problems
    assert isinstance(node, MapNode)
    scalar = node.get("x")
    assert isinstance(scalar, ScalarNode)
    return scalar.written.value


@pytest.mark.parametrize(
    ("code", "text", "line", "column"),
    [
        ("alias", "a: 1\nb: *a\n", 2, 4),
        ("alias", "a: 1\nb:\n  <<: *a\n", 3, 3),
        ("alias", "a: 1\nb:\n  <<: [*a, *a]\n", 3, 3),
        ("alias", "a: 1\nb: [x, *a]\n", 2, 8),
        ("anchor", "a: &a 1\n", 1, 4),
        ("tag", "a: !!python/object x\n", 1, 4),
        ("tag", "!t\na: 1\n", 1, 1),
        ("directive", "%YAML 1.1\n---\na: 1\n", 1, 1),
        ("several-documents", "a: 1\n---\nb: 2\n", 2, 1),
        ("tab", "a:\n\tb: 1\n", 2, 1),
        ("doubled-key", "a: 1\nb: 2\na: 3\n", 3, 1),
        ("doubled-key", "x: {a: 1, a: 2}\n", 1, 11),
        ("bad-key", "? [a]\n: b\n", 1, 3),
        ("bad-character", "a: b\nc: \x00\n", 2, 4),
        ("too-deep", "a: " + "[" * 60 + "]" * 60, 1, 53),
        ("too-large", "a" * (1024 * 1024 + 1), 1, 1),
        ("yaml-syntax", "a: b: c\n", 1, 4),
        ("yaml-syntax", "a: [1, 2\n", 1, 4),
        ("yaml-syntax", "a: @home\n", 1, 4),
        ("yaml-syntax", 'a: "\\q"\n', 1, 5),
        ("yaml-syntax", "a:\n  - b\n c: d\n", 3, 2),
    ],
)
def test_what_yaml_may_not_do_is_refused_at_its_place(code: str, text: str, line: int, column: int) -> None:
    _, report = read(text)
    first = report.problems[0]
    assert (first.code, first.place.line, first.place.column) == (code, line, column)


def test_an_alias_bomb_is_refused_before_it_grows() -> None:
    bomb = "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 40))
    node, report = read(bomb)
    assert node is None
    assert {problem.code for problem in report.problems} == {"anchor", "alias"}


@pytest.mark.parametrize(
    "text",
    [
        *("a: *secret\n", "a: &secret 1\n", "a: !secret 1\n", "a: %secret\n", "a: b: secret\n", "a: 'b' secret\n"),
        *("a: \u201csecret\u201d\n", "a: 'secret\n", "a: [secret\n", 'a: "\\secret"\n', "a=secret\nb: c\n"),
    ],
)
def test_what_stands_in_a_file_with_passwords_is_not_repeated(text: str) -> None:
    report = Report()
    report.add_file("stores.yaml", text, mask_all)
    read_yaml(text, path="stores.yaml", report=report)
    first = report.problems[0]
    assert "secret" not in first.render().replace("a=secret", "")
    assert first.place.length == 1


@pytest.mark.parametrize("sign", ["\u00a0", "\u200b", "\u00ad", "\ufeff"])
def test_a_key_with_a_sign_that_nobody_sees_is_refused(sign: str) -> None:
    _, report = read(f"a: 1\nsto{sign}ck: 2\n")
    assert [(problem.code, problem.place.line) for problem in report.problems] == [("bad-character", 2)]


def test_a_key_in_quotes_may_have_any_sign() -> None:
    assert read('"Shoe\u00a0size": 42\n')[1].problems == ()


def test_curly_quotes_that_are_part_of_a_text_may_be_meant() -> None:
    assert read("a: \u201cSale\u201d products\nb: '\u201cSale\u201d'\n")[1].problems == ()


def test_what_a_terminal_would_obey_is_not_shown() -> None:
    assert read("a: b\nc: \x1b[2Jx\n")[1].problems[0].source == "c: \ufffd[2Jx"


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("0123", 123),
        ("1.10", 1.1),
        ("-3", -3),
        ("1e3", 1000.0),
        ("true", True),
        ("FALSE", False),
        ("NO", "NO"),
        ("on", "on"),
        ("22:30", "22:30"),
        ("2026-01-31", "2026-01-31"),
        ("0o17", "0o17"),
        ("1_000", "1_000"),
        (".inf", ".inf"),
        (".nan", ".nan"),
        ("'12'", "12"),
        ("1e9999", "1e9999"),
        ("9" * 50, "9" * 50),
    ],
)
def test_yaml_1_2_is_read_without_surprises(text: str, meant: object) -> None:
    found = value(text)
    assert found == meant
    assert type(found) is type(meant)


@pytest.mark.parametrize("text", ["0123", "1.10", "NO", "true", "0x1F"])
def test_the_source_text_is_kept(text: str) -> None:
    node, _ = read(f"[{text}]")
    assert isinstance(node, ListNode)
    scalar = node.items[0]
    assert isinstance(scalar, ScalarNode)
    assert scalar.written.text == text


def test_an_empty_file_is_an_empty_map() -> None:
    node, report = read("# nothing yet\n")
    assert isinstance(node, MapNode)
    assert not node.entries
    assert not report.problems


def test_a_piece_of_an_expression_is_found_in_every_style() -> None:
    text = 'a: "x <= 0"\nb: |\n  y\n  <= 0\nc: >-\n  z <= 1\n  && w <= 0\n'
    node, report = read(text)
    assert isinstance(node, MapNode)
    places = []
    for key in ("a", "b", "c"):
        scalar = node.get(key)
        assert isinstance(scalar, ScalarNode)
        place = report.place_in(scalar, scalar.text.index("0"), 1)
        places.append((place.line, place.column))
    assert places == [(1, 10), (4, 6), (7, 11)]


def test_one_file_cannot_fill_the_report() -> None:
    _, report = read("".join(f"a{n}: &a 1\n" for n in range(500)))
    assert len(report.problems) == MOST_PROBLEMS + 1
    assert {problem.code for problem in report.problems} == {"anchor", "too-many-problems"}


@given(st.text() | st.text(alphabet=" \t\n-:[]{},#&*!|>'\"%@`?ab0\\"))
def test_any_text_is_a_tree_or_a_problem_with_a_place(text: str) -> None:
    node, report = read(text)
    assert (node is None) <= bool(report.problems)
    assert all(problem.place.line >= 1 and problem.place.column >= 1 for problem in report.problems)
    assert all(problem.render() for problem in report.problems)


def test_the_caret_stands_below_its_word_also_after_a_tab() -> None:
    problem = Problem(Place("a.yaml", 1, 4), "wrong-type", "not this", source="a:\tb")
    assert problem.render().splitlines()[1:] == ["    1 | a:\tb", "      |   \t^"]
