"""What to write in place of values that do not fit."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules_engine.core.fields import FieldType
from rules_engine.core.words import Word
from rules_engine.rulebook.value_advice import (
    clock_advice,
    comparison,
    days_advice,
    flag_advice,
    form_advice,
    hours_advice,
    number_advice,
)

STOCK, PRICE = "product.stock", "product.price"


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("three", "write 3"),
        ("none", "write 0"),
        ("19,90", "write 19.90"),
        ("1.299,90", "write 1299.90"),
        ("1,299.90", "write 1299.90"),
        ("€ 20", "write 20"),
        ("€20", "write 20"),
        ("20 EUR", "write 20"),
        ("19,90 €", "write 19.90"),
        ("1,000", "write it in digits, such as 10 or 19.90"),
        ("<= 3", "write `product.price: {at_most: 3}`"),
        ("more than 3", "write `product.price: {more_than: 3}`"),
        ("3 to 7", "write `product.price: {between: [3, 7]}`"),
        ("7-3", "write it in digits, such as 10 or 19.90"),
    ],
)
def test_a_number_is_written_in_digits(text: str, advice: str) -> None:
    assert number_advice(text, PRICE, None, is_quoted=False) == advice


def test_a_number_in_quotes_needs_none() -> None:
    assert number_advice("3", STOCK, Word.AT_MOST, is_quoted=True) == "write 3 without the quotes"


def test_another_field_is_compared_by_an_expression() -> None:
    advice = number_advice("product.compare_at_price", PRICE, Word.LESS_THAN, is_quoted=False)
    assert advice == "to compare two fields write `jmespath: product.price < product.compare_at_price`"


@pytest.mark.parametrize(
    ("text", "meant"), [("<= 3", "at_most: 3"), (">=1.5", "at_least: 1.5"), ("1 – 3", "between: [1, 3]"), ("3", "")]
)
def test_a_sign_before_a_number_is_a_word(text: str, meant: str) -> None:
    assert comparison(text) == meant


@pytest.mark.parametrize(
    ("text", "advice"),
    [("Yes", "write true"), ("hidden", "write false"), ("0", "write false"), ("maybe", "write true or false")],
)
def test_a_flag_is_true_or_false(text: str, advice: str) -> None:
    assert flag_advice(text, is_quoted=False) == advice


@pytest.mark.parametrize(
    ("text", "meant"),
    [("9am", "09:00"), ("12 am", "00:00"), ("12pm", "12:00"), ("9:30 p.m.", "21:30"), ("9.30", "09:30")],
)
def test_a_time_of_day_has_hours_and_minutes(text: str, meant: str) -> None:
    assert clock_advice(text) == f"write {meant}"


@pytest.mark.parametrize("text", ["24:00", "25", "noon", "9:75"])
def test_no_time_of_day_is_guessed(text: str) -> None:
    assert clock_advice(text) == "write it as 09:00; midnight is 00:00"


def test_two_times_of_day_are_said_at_once() -> None:
    assert hours_advice("9", "17") == "write `between: 09:00 and 17:00`"
    assert hours_advice("9", "late") == ""


@pytest.mark.parametrize(
    ("text", "kind", "advice"),
    [
        ("27/11/2026", FieldType.DATE, "write 2026-11-27"),
        ("1.2.2026", FieldType.DATE, "write 2026-02-01"),
        ("2/3/2026", FieldType.DATE, "write it as 2026-01-31: year, month, day"),
        ("31.11.2026", FieldType.TIME, "write it as 2026-01-31 or 2026-01-31T09:00: year, month, day"),
        ("2026-02-30", FieldType.DATE, "the calendar has no such day: look at its month and day"),
        ("Tue.", FieldType.WEEKDAY, "write tuesday"),
        ("weekends", FieldType.WEEKDAY, "write `now.weekday: {one_of: [saturday, sunday]}`"),
        ("monday or friday", FieldType.WEEKDAY, "write `now.weekday: {one_of: [monday, friday]}`"),
        ("saterday", FieldType.WEEKDAY, 'did you mean "saturday"?'),
    ],
)
def test_a_day_is_written_in_one_way(text: str, kind: FieldType, advice: str) -> None:
    assert form_advice(text, kind) == advice


@given(st.text(max_size=80), st.sampled_from(FieldType), st.booleans())
def test_there_is_advice_for_any_text(text: str, kind: FieldType, is_quoted: bool) -> None:
    assert form_advice(text, kind)
    assert flag_advice(text, is_quoted=is_quoted)
    assert number_advice(text, STOCK, None, is_quoted=is_quoted)


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("monday and friday", "monday, tuesday, wednesday, thursday, friday"),
        ("[Thu, Sat]", "thursday, friday, saturday"),
        ("saturday to monday", "saturday, sunday, monday"),
        ("sunday and sunday", "sunday"),
        ("friday", "friday, saturday"),
        ("soon and later", "friday, saturday"),
        ("…", "friday, saturday"),
    ],
)
def test_days_between_two_are_written_out(text: str, days: str) -> None:
    assert days_advice(text) == f"write `now.weekday: {{one_of: [{days}]}}`"
