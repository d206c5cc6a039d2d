"""Reading an expression: the library's tree, and the place of each part in the text."""

from __future__ import annotations

import pytest
from expression_texts import ANY_TEXT, EXPRESSIONS
from hypothesis import given

from rules_engine.core.expression import compiled
from rules_engine.core.syntax import children_of, depth_of, is_literal_sound, parse, scan, walk


@given(EXPRESSIONS)
def test_a_tree_is_the_librarys_own(text: str) -> None:
    try:
        theirs = compiled(text).parsed
    except ValueError:
        return
    assert parse(text).root == theirs


@given(EXPRESSIONS)
def test_every_part_lies_within_the_whole(text: str) -> None:
    try:
        tree = parse(text)
    except ValueError:
        return
    for node in walk(tree.root):
        span = tree.span(node)
        if span is not None:
            assert 0 <= span[0] < span[1] <= len(text)
            assert tree.source(node) == tree.source(node).strip()


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("product.stock > `1`", ["product.stock > `1`", "product.stock", "product", "stock", "`1`"]),
        ("(a || b) && c", ["(a || b) && c", "(a || b)", "a", "b", "c"]),
        ("a.b.c", ["a.b.c", "a", "b", "c"]),
        ("!a", ["!a", "a"]),
        ("f(a, &b)", ["f(a, &b)", "a", "&b", "b"]),
    ],
)
def test_a_part_is_where_it_is_written(text: str, parts: list[str]) -> None:
    tree = parse(text)
    assert [tree.source(node) for node in walk(tree.root)] == parts


def test_parentheses_belong_to_a_part_unless_it_is_asked_for_bare() -> None:
    tree = parse("( a == b ) && c")
    first = children_of(tree.root)[0]
    assert tree.span(first) == (0, 10)
    assert tree.span(first, is_bare=True) == (2, 8)


def test_a_path_that_goes_on_behind_parentheses_is_one_part() -> None:
    tree = parse("(a.b).c")
    assert tree.source(tree.root) == "(a.b).c"


@given(ANY_TEXT)
def test_any_text_has_words_that_cover_all_but_its_blanks(text: str) -> None:
    words = scan(text)
    assert "".join(word.text for word in words) == "".join(char for char in text if char not in " \t\n\r") or any(
        blank in word.text for word in words for blank in " \t\n\r"
    )
    assert all(text[word.start : word.end] == word.text for word in words)


@pytest.mark.parametrize("written", ["`1`", "`true`", '`"a"`', "`[1, 2]`", '`"\\`"`'])
def test_json_between_backticks_is_sound(written: str) -> None:
    assert is_literal_sound(written)


@pytest.mark.parametrize("written", ["`a`", "`NaN`", "`-Infinity`", "`01`", "``", "`1,5`", "`" + "[" * 5000 + "`"])
def test_anything_else_between_backticks_is_not(written: str) -> None:
    assert not is_literal_sound(written)


def test_depth_counts_levels() -> None:
    assert depth_of(parse("a").root) == 1
    assert depth_of(parse("!(!(a))").root) == 3
