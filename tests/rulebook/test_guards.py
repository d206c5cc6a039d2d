"""What holds a rule back: what its keys become, and what is refused because it would not be kept."""

from __future__ import annotations

from collections.abc import Callable
from datetime import time, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules_engine.core.clock import Hours
from rules_engine.core.errors import RulebookError
from rules_engine.core.rule import NO_GUARDS, Guards, Identified, Named, Rulebook
from rules_engine.rulebook.guards import KEYS
from rules_engine.rulebook.hours import read_hours
from rules_engine.rulebook.report import Report
from rules_engine.rulebook.yaml import MapNode, read_yaml

Compile = Callable[..., Rulebook]
Refuse = Callable[..., list[Any]]

STRETCH = "rules:\n  r:\n    stores: [web]\n    while: {product.stock: 0}\n    do:\n      - remove_from_category: A\n"
MOMENT = STRETCH.replace("while", "as_soon_as")
TELLING = "rules:\n  r:\n    stores: [web]\n    while: {product.stock: 0}\n    do:\n      - notify: {webhook: floor}\n"
SHOWING = "rules:\n  r:\n    stores: [web]\n    while: {product.stock: 0}\n    do: \n      - show\n"
LINE = 7
DAYS = {"mon": 0, "tue": 1, "wed": 2, "thu": 3, "fri": 4, "sat": 5, "sun": 6}


def guards(compiled: Compile, *lines: str, rule: str = STRETCH) -> Guards:
    return compiled(rule + "".join(f"    {line}\n" for line in lines)).rules[0].guards


def test_a_rule_that_names_no_guard_has_the_usual_ones(compiled: Compile) -> None:
    assert guards(compiled) == NO_GUARDS
    assert NO_GUARDS.flap_limit == 3


def test_every_guard_becomes_what_it_says(compiled: Compile) -> None:
    found = guards(
        compiled,
        *("must_last: 15 minutes", "at_most_every: 1 day", "insist: true", "flap_limit: 5"),
        *("between: 9:00 and 17:30", "weekdays: monday to friday"),
        "if_no_category_is_left: {add_to_category: [Unsorted, {id: 0042}]}",
    )
    hours = Hours(time(9), time(17, 30), frozenset(range(5)))
    fallbacks = (Named("Unsorted"), Identified("0042"))
    assert found == Guards(timedelta(minutes=15), timedelta(days=1), 5, True, hours, fallbacks)


def test_a_moment_may_wait_and_keep_apart_too(compiled: Compile) -> None:
    found = guards(compiled, "at_most_every: 30 days", "between: [22:00, 6:00]", "weekdays: sun", rule=MOMENT)
    assert (found.at_most_every, found.hours) == (timedelta(days=30), Hours(time(22), time(6), frozenset({6})))


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("monday", "mon"),
        ("Sat", "sat"),
        ("[mon, Wednesday]", "mon wed"),
        ("friday to monday", "fri sat sun mon"),
        ("mon to tue, saturday and sunday", "mon tue sat sun"),
        ("[mon to wed, sun]", "mon tue wed sun"),
        ("monday to sunday", "mon tue wed thu fri sat sun"),
        ("wed to wed", "wed"),
        ("monday to sunday and friday", "mon tue wed thu fri sat sun"),
    ],
)
def test_weekdays_are_days_and_ranges_of_days(compiled: Compile, text: str, days: str) -> None:
    hours = guards(compiled, f"weekdays: {text}").hours
    assert hours == Hours(weekdays=frozenset(DAYS[day] for day in days.split()))


@pytest.mark.parametrize(
    ("rule", "code", "line", "underlined", "advice"),
    [
        (STRETCH, "bad-span", "must_last: 15", "15", "`must_last: 15 minutes`"),
        (STRETCH, "bad-span", "must_last: 15 minuts", "15 minuts", "`must_last: 15 minutes`"),
        (STRETCH, "bad-span", "must_last: soon", "soon", "units are seconds, minutes"),
        (STRETCH, "bad-span", "must_last: two hrs", "two hrs", "`must_last: 2 hours`"),
        (STRETCH, "bad-span", 'must_last: "01:30"', '"01:30"', "`must_last: 1 hour 30 minutes`"),
        (STRETCH, "bad-span", "at_most_every: daily", "daily", "`at_most_every: 1 day`"),
        (STRETCH, "bad-span", "must_last: 2 months", "2 months", "`must_last: 60 days`"),
        (STRETCH, "bad-span", "must_last: 0 minutes", "0 minutes", "15 minutes"),
        (STRETCH, "wrong-shape", "must_last: ", "", "`must_last: 15 minutes`"),
        (STRETCH, "wrong-shape", "must_last: [1 day]", "[", "`must_last: 1 day`"),
        (STRETCH, "bad-span", "at_most_every: 31 days", "31 days", "at most 30 days"),
        (STRETCH, "wrong-type", "between: 9 to 5", "9 to 5", "`between: 09:00 and 17:00`"),
        (STRETCH, "wrong-type", "between: from 8.30 until 17", "from 8.30 until 17", "`between: 08:30 and 17:00`"),
        (STRETCH, "wrong-type", "between: 10pm - 6am", "10pm - 6am", "`between: 22:00 and 06:00`"),
        (STRETCH, "wrong-type", "between: 17 to 9", "17 to 9", "`between: 17:00 and 09:00`"),
        (STRETCH, "wrong-type", "between: 12am and 12pm", "12am and 12pm", "`between: 00:00 and 12:00`"),
        (STRETCH, "wrong-shape", "between: office hours", "office hours", "`between: 09:00 and 17:00`"),
        (STRETCH, "wrong-type", "between: 9 and 17:00", "9 and 17:00", "`between: 09:00 and 17:00`"),
        (STRETCH, "wrong-type", "between: 09:00 and 24:00", "09:00 and 24:00", "`between: 09:00 and 00:00`"),
        (STRETCH, "wrong-order", "between: 09:00 and 9:00", "09:00 and 9:00", "leave `between` out"),
        (STRETCH, "wrong-type", "weekdays: monday to fryday", "fryday", 'did you mean "friday"?'),
        (STRETCH, "wrong-type", "weekdays: mon-fri", "mon-fri", "`mon to fri`"),
        (STRETCH, "wrong-type", "weekdays: mon to tue to wed", "mon to tue to wed", "monday to friday"),
        (STRETCH, "missing-value", "weekdays: []", "[", "monday to friday"),
        (STRETCH, "wrong-shape", "weekdays: {mon: true}", "{", "monday to friday"),
        (STRETCH, "wrong-type", "insist: yes", "yes", "`insist: true`"),
        (STRETCH, "wrong-type", "flap_limit: three", "three", "`flap_limit: 3`"),
        (STRETCH, "wrong-type", "flap_limit: true", "true", "`flap_limit: 3`"),
        (STRETCH, "wrong-type", "flap_limit: 0", "0", "`flap_limit: 3`"),
        (STRETCH, "wrong-type", "flap_limit: 2.5", "2.5", "`flap_limit: 3`"),
        (STRETCH, "wrong-shape", "if_no_category_is_left: Unsorted", "Unsorted", "{add_to_category: Unsorted}"),
        (STRETCH, "wrong-shape", "if_no_category_is_left: {remove_from_category: A}", "{", "{add_to_category: NAME}"),
        (STRETCH, "wrong-target", "if_no_category_is_left: {add_to_category: all}", "all", "name the category"),
        (STRETCH, "wrong-target", "if_no_category_is_left: {add_to_category: [B, a]}", "a", "another one"),
        (SHOWING, "needless-key", "if_no_category_is_left: {add_to_category: B}", "if_no_category_is_left", "leave"),
        (MOMENT, "needless-key", "must_last: 1 hour", "must_last", "`while:`"),
        (MOMENT, "needless-key", "insist: true", "insist", "`while:`"),
        (MOMENT, "needless-key", "flap_limit: 4", "flap_limit", "`while:`"),
        (TELLING, "needless-key", "insist: true", "insist", "leave `insist` out"),
        (TELLING, "needless-key", "at_most_every: 1 day", "at_most_every", "leave `at_most_every` out"),
        (TELLING, "needless-key", "between: 09:00 and 17:00", "between", "leave `between` out"),
        (STRETCH, "bad-formerly", "formerly: r", "r", "before"),
        (STRETCH, "wrong-shape", "formerly: [a b]", "[", "`formerly: old-code`"),
        (STRETCH, "wrong-shape", "formerly: []", "[", "`formerly: old-code`"),
        (STRETCH, "unknown-key", "must_lasts: 1 day", "must_lasts", 'did you mean "must_last"?'),
    ],
)
def test_a_wrong_guard_names_its_place_and_what_to_write(
    refused: Refuse, rule: str, code: str, line: str, underlined: str, advice: str
) -> None:
    (found,) = refused(f"{rule}    {line}\n")
    assert (found.code, found.line, found.underlined.strip()) == (code, LINE, underlined)
    assert advice in found.help


def test_a_fallback_needs_a_shop_that_shows_the_categories_of_a_product(refused: Refuse, compiled: Compile) -> None:
    text = STRETCH.replace("web", "b2b").replace("category: A", "category: Featured") + "    afterwards: leave\n"
    line = "    if_no_category_is_left: {add_to_category: B}\n"
    (found,) = refused(text + line)
    assert (found.code, found.line) == ("needs-reading", 8)
    anywhere = STRETCH.replace("    stores: [web]\n", "") + line
    assert compiled(anywhere).rules[0].stores == ("web", "ksa")


def test_old_codes_are_kept_for_their_holds(compiled: Compile) -> None:
    assert compiled(f"{STRETCH}    formerly: sold-out\n").rules[0].formerly == ("sold-out",)
    assert compiled(f"{STRETCH}    formerly: [b, a]\n").rules[0].formerly == ("b", "a")


def test_an_old_code_belongs_to_one_rule_and_to_none_of_today(refused: Refuse) -> None:
    other = STRETCH.replace("  r:", "  s:")
    found = refused({"rules/a.yaml": STRETCH + "    formerly: [s, t]\n", "rules/b.yaml": other + "    formerly: t\n"})
    assert [(problem.code, problem.underlined) for problem in found] == [("bad-formerly", "s"), ("bad-formerly", "t")]


def test_a_rule_that_is_wrong_still_has_its_code(refused: Refuse) -> None:
    wrong = STRETCH.replace("  r:", "  s:").replace("stock: 0", "stok: 0")
    found = refused({"rules/a.yaml": STRETCH + "    formerly: s\n", "rules/b.yaml": wrong})
    assert [problem.code for problem in found] == ["bad-formerly", "unknown-field"]


def test_a_rule_can_do_and_tell_or_only_tell(compiled: Compile) -> None:
    both = compiled(f"{STRETCH}      - notify: {{webhook: floor}}\n      - notify: {{webhook: floor}}\n").rules[0]
    assert (len(both.effects), both.notifies) == (1, ("floor",))
    only = compiled(f"{TELLING}    must_last: 1 hour\n").rules[0]
    assert (only.effects, only.notifies, only.guards.must_last) == ((), ("floor",), timedelta(hours=1))


@pytest.mark.parametrize(
    ("line", "code", "underlined", "advice"),
    [
        ("notify: {webhook: flor}", "unknown-webhook", "flor", 'did you mean "floor"?'),
        ("notify: {webhook: kitchen}", "unknown-webhook", "kitchen", "there are: floor, Night shift"),
        ("notify: floor", "wrong-shape", "floor", "{webhook: floor}"),
        ("notify: {url: https://a.example}", "wrong-shape", "{", "{webhook: NAME}"),
        ("notify", "missing-value", "notify", "{webhook: NAME}"),
        ("notfy: {webhook: floor}", "unknown-action", "notfy", 'did you mean "notify"?'),
    ],
)
def test_who_is_told_has_a_name_in_stores_yaml(
    refused: Refuse, line: str, code: str, underlined: str, advice: str
) -> None:
    (found,) = refused(f"{STRETCH}      - {line}\n")
    assert (found.code, found.line, found.underlined) == (code, LINE, underlined)
    assert advice in found.help


def test_each_target_of_an_action_has_its_place(compiled: Compile) -> None:
    text = STRETCH.replace("category: A", "category: [Sale, {under: Brands}, all]")
    (effect,) = compiled(text).rules[0].effects
    assert [(place.line, place.column) for place in effect.places] == [(6, 32), (6, 38), (6, 55)]
    assert len(effect.places) == len(effect.targets)


@given(st.sets(st.sampled_from(sorted(DAYS)), min_size=1), st.times(), st.times())
def test_hours_are_read_as_they_are_written(days: set[str], start: time, end: time) -> None:
    start, end = start.replace(second=0, microsecond=0), end.replace(second=0, microsecond=0)
    text = f"between: {start:%H:%M} and {end:%H:%M}\nweekdays: [{', '.join(days)}]\n"
    report = Report()
    report.add_file("a", text)
    node = read_yaml(text, path="a", report=report)
    assert isinstance(node, MapNode)
    found = read_hours(report, node)
    assert report.has_errors == (start == end)
    assert report.has_errors or found == Hours(start, end, frozenset(DAYS[day] for day in days))


@given(st.sampled_from(KEYS), st.text(st.characters(categories=("L", "N", "P", "Zs")), max_size=12))
def test_a_guard_with_any_value_is_kept_or_refused_with_its_place(compiled: Compile, key: str, value: str) -> None:
    lines = {LINE}
    try:
        compiled(f"{STRETCH}    {key}: '{value.replace(chr(39), chr(39) * 2)}'\n")
    except RulebookError as error:
        lines = {problem.place.line for problem in error.problems}
    assert lines == {LINE}
