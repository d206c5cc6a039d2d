"""Every error of a rule file: its code, its line, what the caret underlines, and the advice."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

RULE = "rules:\n  r:\n    while: {WHILE}\n    do: [hide]\n"
MOMENT = "rules:\n  r:\n    as_soon_as: {MOMENT}\n    do: [hide]\n"
DO = "rules:\n  r:\n    while: {product.stock: 0}\n    do:\n      - DO\n"
KEY = "rules:\n  r:\n    while: {product.stock: 0}\n    do: [hide]\n    KEY\n"


def condition(text: str) -> str:
    return RULE.replace("{WHILE}", text)


def moment(text: str) -> str:
    return MOMENT.replace("{MOMENT}", text)


def effect(text: str) -> str:
    return DO.replace("DO", text)


def key(text: str) -> str:
    return KEY.replace("KEY", text)


FILES = [
    ("unknown-key", "rule: {}\n", 1, "rule", 'did you mean "rules"?'),
    ("wrong-shape", "rules: [a]\n", 1, "[", "in the place of the `-`"),
    ("wrong-shape", "just text\n", 1, "just text", "write `rules:` first"),
    ("bad-code", "rules:\n  two words: {}\n", 2, "two words", "letters, digits"),
    ("wrong-shape", "rules:\n  r: later\n", 2, "later", "`while:` or `as_soon_as:`"),
    ("meaning-circle", "meanings:\n  a: b\n  b: a\n", 3, "a", "instead of `a`"),
    (
        "unknown-meaning",
        condition("sold ot") + "meanings:\n  sold out: {product.stock: 0}\n",
        3,
        "sold ot",
        '"sold out"',
    ),
    ("unknown-meaning", condition("product.stock > 3"), 3, "product.stock > 3", "{more_than: 3}"),
]

RULES = [
    ("unknown-key", key("tittle: x"), 5, "tittle", 'did you mean "title"?'),
    ("missing-key", "rules:\n  r:\n    do: [hide]\n", 2, "r", "`while:` for a stretch"),
    ("missing-key", "rules:\n  r:\n    while: {product.stock: 0}\n", 2, "r", "`do:`"),
    ("two-triggers", key("as_soon_as: {product.stock: 1}"), 5, "as_soon_as", "`as_soon_as:` for a moment"),
    ("about-brand", key("about: brand"), 5, "brand", "`product.brand`"),
    ("unknown-value", key("about: categry"), 5, "categry", 'did you mean "category"?'),
    ("unknown-value", key("mode: wach"), 5, "wach", 'did you mean "watch"?'),
    ("missing-key", key("mode: paused"), 5, "mode", "`because: …`"),
    ("unknown-value", key("afterwards: put bak"), 5, "put bak", 'did you mean "put back"?'),
    ("moment-puts-back", moment("{product.stock: 0}") + "    afterwards: put back\n", 5, "put back", "`while:`"),
    ("needless-key", key("first_sight: act"), 5, "act", "leave `first_sight` out"),
    ("unknown-value", moment("{product.stock: 0}") + "    first_sight: wait\n", 5, "wait", "leave it out"),
    ("unknown-store", key("stores: [wep]"), 5, "wep", 'did you mean "web"?'),
    ("missing-value", key("stores: []"), 5, "[", "name a store"),
    ("wrong-shape", key("stores: [{a: b}]"), 5, "{", "`stores: [web]`"),
    ("wrong-shape", key("title: [a]"), 5, "[", "`title: …`"),
    ("wrong-shape", key("mode: [live]"), 5, "[", "one of live"),
]

CONDITIONS = [
    ("unknown-field", condition("{product.stok: 0}"), 3, "product.stok", "did you mean `product.stock`?"),
    ("unknown-field", condition("{stock: 0}"), 3, "stock", "did you mean `product.stock`?"),
    ("unknown-field", condition("{product.name.en: Shoe}"), 3, "product.name.en", ""),
    ("unknown-field", condition("{m: true}") + "meanings:\n  m: {product.stock: 0}\n", 3, "m", "`all: [m]`"),
    ("unknown-word", condition("{product.stock: {atmost: 0}}"), 3, "atmost", 'did you mean "at_most"?'),
    ("word-does-not-fit", condition("{product.brand: {at_most: 3}}"), 3, "at_most", "it takes: "),
    ("word-does-not-fit", condition("{product.categories: Featured}"), 3, "product.categories", "{contains: Featured}"),
    ("word-does-not-fit", moment("{product.tags: {becomes: sale}}"), 3, "sale", "{contains: sale}"),
    ("word-does-not-fit", moment("{product.raw.x: {changes: true}}"), 3, "changes", "another field"),
    ("word-does-not-fit", moment("{product.published: {becomes: empty}}"), 3, "becomes", "`product.published: true`"),
    ("wrong-type", condition("{product.stock: five}"), 3, "five", "write 5"),
    ("wrong-type", condition('{product.stock: {at_most: "0"}}'), 3, '"0"', "without the quotes"),
    ("wrong-type", condition("{product.published: NO}"), 3, "NO", "write false"),
    ("wrong-type", condition("{now.weekday: mondy}"), 3, "mondy", 'did you mean "monday"?'),
    ("wrong-type", condition("{now.time: {at_least: 25:00}}"), 3, "25:00", "09:00"),
    ("wrong-type", condition("{now.date: 1.2.2026}"), 3, "1.2.2026", "2026-02-01"),
    ("wrong-type", condition("{product.created_at: {at_most: lately}}"), 3, "lately", "2026-01-31"),
    (
        "wrong-type",
        condition("{product.created_at: {at_least: 14 days ago}}"),
        3,
        "14 days ago",
        "`newer_than: 14 days`",
    ),
    (
        "wrong-type",
        condition("{product.created_at: {at_least: the last 2 weeks}}"),
        3,
        "the last 2 weeks",
        "newer_than",
    ),
    ("wrong-type", condition("{product.created_at: {less_than: 30 days}}"), 3, "30 days", "`older_than: 30 days`"),
    ("wrong-type", condition("{product.created_at: {at_least: yesterday}}"), 3, "yesterday", "`newer_than: 1 day`"),
    ("wrong-type", condition("{now.date: {at_least: yesterday}}"), 3, "yesterday", "2026-01-31"),
    ("word-does-not-fit", condition("{now.date: {newer_than: 3 days}}"), 3, "newer_than", "product.created_at"),
    ("bad-span", condition("{product.created_at: {newer_than: 14}}"), 3, "14", "`newer_than: 14 days`"),
    (
        "wrong-shape",
        condition("{product.created_at: {older_than: [14 days, 30 days]}}"),
        3,
        "[",
        "`older_than: 14 days`",
    ),
    ("wrong-shape", condition("{product.created_at: {older_than: ~}}"), 3, "~", "write `older_than: 14 days`"),
    ("bad-span", condition("{product.created_at: {older_than: 2026-01-31}}"), 3, "2026-01-31", "15 minutes or 14 days"),
    ("word-does-not-fit", condition("{product.stock: {newer_than: 3 days}}"), 3, "newer_than", "it takes: "),
    ("unknown-word", condition("{product.created_at: {newer: 3 days}}"), 3, "newer", "write `newer_than:`"),
    ("wrong-type", moment("{product.brand: {changes: no}}"), 3, "no", "`none: ["),
    ("wrong-type", moment("{product.brand: {changes: false}}"), 3, "false", "`none: ["),
    ("wrong-type", condition("{product.attributes.Weight: {at_least: heavy}}"), 3, "heavy", "in digits"),
    ("wrong-order", condition("{product.stock: {between: [7, 3]}}"), 3, "[", "[3, 7]"),
    ("wrong-shape", condition("{product.stock: {between: 3}}"), 3, "3", "[3, 7]"),
    ("wrong-shape", condition("{product.brand: [A, B]}"), 3, "[", "{one_of: [A, B]}"),
    ("wrong-shape", condition("{product.tags: [A, B]}"), 3, "[", "{contains_any: [A, B]}"),
    ("wrong-shape", condition("[{product.stock: 0}]"), 3, "[", "`all:`"),
    ("wrong-shape", condition("{any: {product.stock: 0}}"), 3, "product.stock", "write `- `"),
    ("wrong-shape", condition("{product.brand: {is: [A]}}"), 3, "[", ""),
    ("missing-value", condition("{product.brand: }"), 3, "", "`product.brand: empty`"),
    ("missing-value", condition('{product.brand: ""}'), 3, '""', "`product.brand: empty`"),
    ("missing-value", condition("{product.brand: {one_of: []}}"), 3, "[", "at least one"),
    ("missing-value", condition("{}"), 3, "{", "name of a meaning"),
    ("missing-value", condition(""), 3, "", "name of a meaning"),
    ("missing-value", condition("{product.brand: {}}"), 3, "{", "`is: …`"),
    ("unknown-event", moment("{happens: creatd}"), 3, "creatd", 'did you mean "created"?'),
    ("change-outside-moment", condition("{product.brand: {becomes: empty}}"), 3, "becomes", "`as_soon_as:`"),
    ("change-outside-moment", condition("{happens: created}"), 3, "happens", "`as_soon_as:`"),
    ("change-outside-moment", condition("{jmespath: before.brand == 'A'}"), 3, "before.brand", "`as_soon_as:`"),
    ("change-outside-moment", condition("m") + "meanings:\n  m: {product.brand: {was: A}}\n", 3, "m", "`as_soon_as:`"),
    ("wrong-subject", condition("{category.published: false}"), 3, "category.published", "`about: category`"),
]

EXPRESSIONS = [
    ("jmespath-number", condition('{jmespath: "product.stock <= 0"}'), 3, "0", "`0`, with the backticks"),
    ("jmespath-number", condition('{"product.stock > 3 && x": 1}'), 3, "3", "`3`, with the backticks"),
    ("jmespath-bare-word", condition("{jmespath: 'product.brand == \"Nike\"'}"), 3, '"Nike"', "single quotes"),
    ("jmespath-not", condition('{jmespath: "!product.published"}'), 3, "!product.published", "`!(product.published)`"),
    ("unknown-field", condition('{jmespath: "product.stok > `1`"}'), 3, "stok", "`product.stock`"),
    ("jmespath-syntax", condition('{jmespath: "product.stock >"}'), 3, ">", ""),
    ("wrong-shape", condition("{jmespath: [a]}"), 3, "[", "`all:`"),
]

EFFECTS = [
    ("unknown-action", effect("hid"), 5, "hid", 'did you mean "hide"?'),
    ("missing-value", effect("remove_from_category"), 5, "remove_from_category", "`remove_from_category: NAME`"),
    ("missing-value", effect("assign_brand: ''"), 5, "''", "{id: …}"),
    ("missing-value", effect("remove_from_category: []"), 5, "[", "at least one"),
    ("missing-value", effect("remove_from_category: {id: }"), 5, "", "9691094"),
    ("missing-value", "rules:\n  r:\n    while: {product.stock: 0}\n    do: []\n", 4, "[", "one of add_to_category"),
    ("wrong-shape", effect("{hide: true}"), 5, "true", "`- hide` alone"),
    ("wrong-shape", effect("[hide]"), 5, "[", "`- action`"),
    ("wrong-shape", effect("remove_from_category: {under: [A]}"), 5, "[", "{under: NAME}"),
    ("wrong-shape", effect("assign_brand: [A, B]"), 5, "[", "`assign_brand: NAME`"),
    ("wrong-target", effect("add_to_category: all"), 5, "all", "name the category"),
    ("wrong-target", effect("add_to_category: {under: A}"), 5, "under", "name the category"),
    ("unknown-key", effect("remove_from_category: {undr: A}"), 5, "undr", 'did you mean "under"?'),
    ("wrong-subject", effect("empty_category"), 5, "empty_category", "`about: category`"),
]

STORES = [
    ("cannot-do", effect("hide") + "    stores: brands\n", 5, "hide", "assign_brand, unassign_brand"),
    (
        "cannot-do",
        effect("remove_from_category: {under: Sale}") + "    stores: b2b\n    afterwards: leave\n",
        5,
        "{",
        "name the categories",
    ),
    ("lacks-field", condition("{product.tags: {contains: x}}") + "    stores: web\n", 3, "product.tags", "Ecwid shows"),
    (
        "lacks-field",
        condition("m") + "    stores: web\nmeanings:\n  m: {jmespath: \"contains(product.tags, 'x')\"}\n",
        3,
        "m",
        "stock, ",
    ),
    ("no-store", condition("{product.tags: {contains: x}}"), 2, "r", "web (Ecwid) has no product.tags"),
]


@pytest.mark.parametrize(
    ("code", "text", "line", "underlined", "advice"),
    [*FILES, *RULES, *CONDITIONS, *EXPRESSIONS, *EFFECTS, *STORES],
)
def test_an_error_names_its_place_and_what_to_write(
    refused: Callable[[str], list[Any]], code: str, text: str, line: int, underlined: str, advice: str
) -> None:
    found = refused(text)
    assert [(problem.code, problem.line, problem.underlined.strip()) for problem in found] == [(code, line, underlined)]
    assert advice in found[0].help


def test_a_value_of_nothing_but_blanks_is_refused_at_once(refused: Callable[[str], list[Any]]) -> None:
    found = refused(condition("{product.stock: {between: '3" + 200_000 * " " + "7'}}"))
    assert [problem.code for problem in found] == ["wrong-shape"]


def test_the_whole_of_a_correction_is_written_for_the_quotes_in_which_it_stands(
    refused: Callable[[str], list[Any]],
) -> None:
    found = refused(condition("{jmespath: 'product.name =~ \"boot\"'}"))
    assert found[0].help.endswith("All in all, write `product.name == ''boot''`")
