"""How much a rule may do, what it never leaves too empty, when it asks: what its keys become, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from schema_reader import refusals, underlined

from rules_engine.core.changes import changes_between
from rules_engine.core.delivery import StoreAlias
from rules_engine.core.errors import RulebookError
from rules_engine.core.rule import ASK_TO_EMPTY_OVER, DAY, HOUR, Floor, Guards, Identified, Limit, Named, Rulebook
from rules_engine.rulebook.amounts import MOST_PRODUCTS, Amount, meant_amount, read_amount

Compile = Callable[..., Rulebook]
Refuse = Callable[..., list[Any]]

STRETCH = "rules:\n  r:\n    stores: [web]\n    while: {product.stock: 0}\n    do:\n      - remove_from_category: A\n"
MOMENT = STRETCH.replace("while", "as_soon_as")
HIDING = STRETCH.replace("remove_from_category: A", "hide")
TELLING = STRETCH.replace("remove_from_category: A", "notify: {webhook: floor}")
BELOW = STRETCH.replace("category: A", "category: {under: Brands}")
EMPTYING = (
    "rules:\n  r:\n    about: category\n    stores: [web]\n    while: {category.published: false}\n"
    "    do: [empty_category]\n"
)
PLAIN = STRETCH.replace("    stores: [web]\n", "")
LINE = 7


def guards(compiled: Compile, *lines: str, rule: str = STRETCH) -> Guards:
    return compiled(rule + "".join(f"    {line}\n" for line in lines)).rules[0].guards


def limits(compiled: Compile, own: str, ceilings: str = "") -> tuple[Limit, ...]:
    top = f"limits: {ceilings}\n" if ceilings else ""
    return compiled(top + STRETCH + (f"    limits: {own}\n" if own else "")).rules[0].guards.limits


# ------------------------------------------------------------------------------------------------ limits


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("200 products", Amount(200)),
        ("200", Amount(200)),
        ("1 product", Amount(1)),
        ("200 Products", Amount(200)),
        ("10 percent", Amount(10, is_percent=True)),
        ("10%", Amount(10, is_percent=True)),
        ("100 %", Amount(100, is_percent=True)),
        (str(MOST_PRODUCTS), Amount(MOST_PRODUCTS)),
    ],
)
def test_a_limit_is_a_number_of_products_or_a_share(compiled: Compile, text: str, amount: Amount) -> None:
    for key, span in (("per_hour", HOUR), ("per_day", DAY)):
        assert limits(compiled, f"{{{key}: {text}}}") == (Limit(amount.number, span, amount.is_percent),)


def test_a_moment_and_a_rule_that_hides_are_limited_too(compiled: Compile) -> None:
    for rule in (MOMENT, HIDING, EMPTYING, STRETCH.replace("    do:", "    mode: watch\n    do:")):
        assert guards(compiled, "limits: {per_day: 5}", rule=rule).limits == (Limit(5, DAY),)


@pytest.mark.parametrize(
    ("ceilings", "own", "both"),
    [
        ("{per_day: 200}", "", (Limit(200, DAY),)),
        ("{per_day: 200}", "{per_day: 50}", (Limit(50, DAY),)),
        ("{per_day: 200}", "{per_day: 200}", (Limit(200, DAY),)),
        ("{per_day: 200}", "{per_hour: 300}", (Limit(300, HOUR), Limit(200, DAY))),
        ("{per_day: 200}", "{per_day: 20%}", (Limit(20, DAY, is_percent=True), Limit(200, DAY))),
        ("{per_hour: 9, per_day: 50%}", "{per_day: 10%}", (Limit(10, DAY, is_percent=True), Limit(9, HOUR))),
    ],
)
def test_a_ceiling_holds_where_the_rule_is_not_stricter(
    compiled: Compile, ceilings: str, own: str, both: tuple[Limit, ...]
) -> None:
    assert limits(compiled, own, ceilings) == both


@given(st.integers(1, 300), st.integers(1, 300), st.booleans())
def test_no_rule_may_do_more_than_its_file_allows(compiled: Compile, own: int, most: int, is_share: bool) -> None:
    unit, cap = (" percent", 100) if is_share else ("", 300)
    own, most = min(own, cap), min(most, cap)
    codes = []
    try:
        limits(compiled, f"{{per_day: {own}{unit}}}", f"{{per_day: {most}{unit}}}")
    except RulebookError as error:
        codes = [problem.code for problem in error.problems]
    assert codes == (["looser-limit"] if own > most else [])


def test_a_looser_limit_names_the_place_of_the_ceiling(refused: Refuse, compiled: Compile) -> None:
    text = f"limits: {{per_hour: 20, per_day: 200 products}}\n{STRETCH}    limits: {{per_day: 201}}\n"
    (found,) = refused(text)
    assert (found.code, found.line, found.underlined) == ("looser-limit", LINE + 1, "201")
    assert "`per_day: 200 products`" in found.help
    with pytest.raises(RulebookError) as caught:
        compiled(text)
    assert "at rules/a.yaml:1:33" in caught.value.problems[0].message


def test_ceilings_are_for_the_rules_of_their_own_file(compiled: Compile) -> None:
    other = STRETCH.replace("  r:", "  s:")
    book = compiled({"rules/a.yaml": f"limits: {{per_day: 5}}\n{STRETCH}", "rules/b.yaml": other})
    assert [rule.guards.limits for rule in book.rules] == [(Limit(5, DAY),), ()]


def test_ceilings_say_nothing_to_a_rule_that_only_tells_somebody(compiled: Compile) -> None:
    assert compiled(f"limits: {{per_day: 5}}\n{TELLING}").rules[0].guards.limits == ()


def test_ceilings_are_read_wherever_they_stand_and_once(refused: Refuse, compiled: Compile) -> None:
    assert compiled(f"{STRETCH}limits: {{per_day: 5}}\n").rules[0].guards.limits == (Limit(5, DAY),)
    several = STRETCH + STRETCH.partition("\n")[2].replace("  r:", "  s:")
    (found,) = refused(f"limits: {{per_day: 0}}\n{several}")
    assert (found.code, found.line) == ("bad-limit", 1)


def test_a_share_warns_where_nobody_can_count_all_products(compiled: Compile) -> None:
    share = STRETCH.replace("web", "b2b").replace("category: A", "category: Featured") + "    afterwards: leave\n"
    book = compiled(f"{share}    limits: {{per_day: 10%, per_hour: 5}}\n")
    assert [(problem.code, problem.place.line) for problem in book.warnings] == [("needs-reading", 8)]
    assert "number of products" in book.warnings[0].help
    assert compiled(f"{share}    limits: {{per_day: 10}}\n").warnings == ()
    assert compiled(f"{STRETCH}    limits: {{per_day: 10%}}\n").warnings == ()


# ------------------------------------------------------------------------------------------------ never_leave


@pytest.mark.parametrize(
    ("rule", "text", "floor"),
    [
        (STRETCH, "fewer than 4 products in A", Floor(4, Named("A"))),
        (STRETCH, "Fewer than 1 product in a", Floor(1, Named("a"))),
        (STRETCH, 'fewer than 4 products in "Home / A"', Floor(4, Named("Home / A"))),
        (STRETCH, "fewer than 4 products in ' A '", Floor(4, Named("A"))),
        (STRETCH, "{fewer_than: 4, in: A}", Floor(4, Named("A"))),
        (STRETCH, "{fewer_than: 4, in: {id: 9691094}}", Floor(4, Identified("9691094"))),
        (BELOW, "fewer than 4 products in Acme", Floor(4, Named("Acme"))),
        (STRETCH.replace("category: A", "category: all"), "fewer than 2 products in B", Floor(2, Named("B"))),
        (EMPTYING, "fewer than 2 products in B", Floor(2, Named("B"))),
        (STRETCH.replace(": A", ": Home / A"), "fewer than 2 products in A", Floor(2, Named("A"))),
        (STRETCH.replace(": A", ": {id: 7}"), "fewer than 2 products in A", Floor(2, Named("A"))),
        (MOMENT, "fewer than 2 products in A", Floor(2, Named("A"))),
    ],
)
def test_a_floor_is_a_category_and_how_few_are_too_few(compiled: Compile, rule: str, text: str, floor: Floor) -> None:
    assert guards(compiled, f"never_leave: {text}", rule=rule).floors == (floor,)


def test_several_floors_stand_in_a_list_each_with_the_place_of_its_name(compiled: Compile) -> None:
    rule = STRETCH.replace("category: A", "category: [A, B]")
    found = guards(compiled, 'never_leave: [fewer than 4 products in A, {fewer_than: 2, in: "B"}]', rule=rule).floors
    assert [floor.place and (floor.place.line, floor.place.column, floor.place.length) for floor in found] == [
        (LINE, 44, 1),
        (LINE, 67, 3),
    ]


def test_a_number_in_the_place_of_a_name_is_warned_of(compiled: Compile) -> None:
    book = compiled(f"{BELOW}    never_leave: fewer than 4 products in 9691094\n")
    assert [problem.code for problem in book.warnings] == ["wrong-target"]
    assert "{id: 9691094}" in book.warnings[0].help
    assert compiled(f'{BELOW}    never_leave: fewer than 4 products in "42"\n').warnings == ()


def test_a_floor_needs_a_shop_that_shows_who_is_in_a_category(refused: Refuse, compiled: Compile) -> None:
    text = PLAIN.replace(": A", ": Featured") + "    never_leave: fewer than 4 products in Featured\n"
    named = text.replace("    while", "    stores: [b2b]\n    afterwards: leave\n    while")
    (found,) = refused(named)
    assert (found.code, found.line, found.underlined) == ("needs-reading", 8, "Featured")
    (without_categories,) = refused(named.replace("b2b", "brands"))
    assert without_categories.code == "cannot-do"
    book = compiled(text + "    afterwards: leave\n")
    assert book.rules[0].stores == ("web", "ksa")
    assert "`never_leave` cannot be kept" in book.left_out[book.rules[0].code][StoreAlias("b2b")]


# ------------------------------------------------------------------------------------------------ ask_first


@pytest.mark.parametrize(
    ("text", "over"),
    [
        ("over 100 products", 100),
        ("over 100", 100),
        ("100 products", 100),
        ("100", 100),
        ("Over 1 product", 1),
        ("over 0 products", 0),
        ("always", 0),
        ("Always", 0),
    ],
)
def test_a_rule_asks_over_so_many_products(compiled: Compile, text: str, over: int) -> None:
    for rule in (STRETCH, MOMENT, HIDING):
        found = guards(compiled, f"ask_first: {text}", rule=rule)
        assert (found.ask_over, found.may_ask) == (over, True)
    assert not guards(compiled).may_ask


def test_a_rule_that_empties_categories_always_asks_over_a_hundred(compiled: Compile, refused: Refuse) -> None:
    assert guards(compiled, rule=EMPTYING).ask_over == ASK_TO_EMPTY_OVER == 100
    assert guards(compiled, "ask_first: over 20 products", rule=EMPTYING).ask_over == 20
    assert guards(compiled, "ask_first: over 100", rule=EMPTYING).ask_over == 100
    (found,) = refused(f"{EMPTYING}    ask_first: over 101 products\n")
    assert (found.code, found.line, found.underlined) == ("looser-limit", LINE, "over 101 products")
    assert "`ask_first: over 100 products`" in found.help


# ------------------------------------------------------------------------------------------------ all of them


@pytest.mark.parametrize("line", ["limits: {per_day: 5}", "never_leave: fewer than 4 products in A", "ask_first: 7"])
def test_a_rule_that_only_tells_somebody_needs_none_of_them(refused: Refuse, line: str) -> None:
    (found,) = refused(f"{TELLING}    {line}\n")
    assert (found.code, found.line, found.underlined) == ("needless-key", LINE, line.partition(":")[0])


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", "limits: {per_day: 5}"),
        ("limits: {per_day: 5}", "limits: {per_day: 6}"),
        ("limits: {per_day: 5}", "limits: {per_hour: 5}"),
        ("limits: {per_day: 5}", "limits: {per_day: 5%}"),
        ("", "never_leave: fewer than 4 products in A"),
        ("never_leave: fewer than 4 products in A", "never_leave: fewer than 3 products in A"),
        ("", "ask_first: always"),
        ("ask_first: 7", "ask_first: 8"),
    ],
)
def test_a_rule_whose_limits_changed_is_edited(compiled: Compile, before: str, after: str) -> None:
    books = [compiled(STRETCH + (f"    {line}\n" if line else "")) for line in (before, after)]
    assert changes_between(*books).edited == ("r",)


def test_a_ceiling_that_changed_edits_the_rules_below_it_and_a_floor_that_moved_does_not(compiled: Compile) -> None:
    books = [compiled(f"limits: {{per_day: {most}}}\n{STRETCH}") for most in (5, 6)]
    assert changes_between(*books).edited == ("r",)
    one, moved = f"{STRETCH}    never_leave: fewer than 4 products in A\n", "{fewer_than: 4, in: A}"
    other = STRETCH + f"    never_leave: {moved}\n"
    assert changes_between(compiled(one), compiled(other)).is_empty


@given(
    st.sampled_from(["limits: {per_day: %s}", "limits: {per_hour: %s}", "ask_first: %s", "never_leave: %s"]),
    st.one_of(
        st.builds(
            "{}{}{}{}".format,
            st.sampled_from(["", "over ", "fewer than ", "Fewer  than "]),
            st.integers(-2, 1_000_002),
            st.sampled_from(["", " ", " products", " Product", "products", " percent", "%", " categories", ".5"]),
            st.sampled_from(["", " in A", " in B", "  in  A "]),
        ),
        st.sampled_from(["always", "ALWAYS", "0099", "over 000", "~", "true", "[5]", "[]", "{}", "100 percent", "0%"]),
        st.sampled_from(["{fewer_than: 4, in: A}", "{fewer_than: '4', in: {id: 3}}", "[fewer than 4 products in A]"]),
    ),
)
def test_editor_and_loader_are_of_one_mind_about_every_limit(line: str, value: str) -> None:
    text = f"{PLAIN.replace(': A', ': [A, B]')}    {line % value}\n"
    assert bool(underlined(text)) == bool(refusals(text)), text


@given(st.integers(1, MOST_PRODUCTS), st.booleans())
def test_an_amount_is_read_as_it_is_said(number: int, is_percent: bool) -> None:
    amount = Amount(min(number, 100) if is_percent else number, is_percent)
    assert read_amount(str(amount)) == amount == meant_amount(str(amount))
    assert amount.is_sound


@given(st.text(max_size=40))
def test_what_is_meant_by_any_text_can_be_written(text: str) -> None:
    meant = meant_amount(text)
    assert meant is None or (meant.is_sound and read_amount(str(meant)) == meant)


@given(
    st.sampled_from(["limits", "never_leave", "ask_first"]),
    st.text(st.characters(categories=("L", "N", "P", "Zs")), max_size=30),
)
def test_any_text_is_a_guard_or_refused_in_its_line(compiled: Compile, key: str, value: str) -> None:
    lines = {LINE}
    try:
        compiled(f"{STRETCH}    {key}: '{value.replace(chr(39), chr(39) * 2)}'\n")
    except RulebookError as error:
        lines = {problem.place.line for problem in error.problems}
    assert lines == {LINE}
