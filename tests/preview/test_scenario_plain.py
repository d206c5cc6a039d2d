"""A recorded test keeps no address, number or secret of anybody, and every ordinary word as it was."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from strategies import json_values

from rules_engine.preview.scenario_plain import CARD, EMAIL, PHONE, SECRET, plainly


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("ask jane.doe+shop@mail.example.com now", f"ask {EMAIL} now"),
        ("call +966 50 123 4567", f"call {PHONE}"),
        ("call (030) 1234-5678", f"call {PHONE}"),
        ("call 0501234567", f"call {PHONE}"),
        ("paid with 4111 1111 1111 1111", f"paid with {CARD}"),
        ("paid with 4111111111111111", f"paid with {CARD}"),
        ("secret_abcDEF123456", SECRET),
        ("key sk_live_51Habcdefgh", f"key {SECRET}"),
        ("eyJhbGciOiJIUzI1.eyJzdWIiOiIx.c2ln", SECRET),
        ("d41d8cd98f00b204e9800998ecf8427e", SECRET),
    ],
)
def test_what_is_personal_or_secret_is_replaced(text: str, kept: str) -> None:
    assert plainly(text) == kept


@pytest.mark.parametrize(
    "text",
    [
        "Trail Runner",
        "2026-01-31T09:00:00+00:00",
        "2026-01-31",
        "4006381333931",  # a barcode
        "1.10",
        "Size 42 - 44",
        "سروال صيفي",
        "iPhone 15 Pro 256 GB",
        "0b6a3c1e-0000-4000-8000-000000000001",
        "end-of-line",
        "secret garden",
    ],
)
def test_ordinary_words_and_numbers_stay(text: str) -> None:
    assert plainly(text) == text


def test_digits_in_an_article_number_are_no_phones() -> None:
    assert plainly("0501234567", is_article_number=True) == "0501234567"
    assert plainly([{"sku": "0501234567", "note": "0501234567"}]) == [{"sku": "0501234567", "note": PHONE}]


def test_whole_numbers_are_written_as_such() -> None:
    assert plainly({"price": 19.0, "was": 19.5, "stock": 3}) == {"price": 19, "was": 19.5, "stock": 3}


@given(json_values)
def test_cleaning_twice_changes_nothing_more(value: Any) -> None:
    assert plainly(plainly(value)) == plainly(value)
