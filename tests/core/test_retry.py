"""The table of retries, row by row."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules_engine.core.retry import BREAKER_PROBES_AFTER, FIRST, LONGEST, breaker_pause, retry_delay

chances = st.floats(0, 1, exclude_max=True)


@pytest.mark.parametrize(
    ("attempt", "least", "most"), [(1, 1, 2), (2, 2, 4), (3, 4, 8), (4, 8, 16), (5, 16, 32), (6, 30, 60), (99, 30, 60)]
)
def test_the_delay_doubles_up_to_a_minute_and_is_spread_over_its_upper_half(
    attempt: int, least: int, most: int
) -> None:
    assert retry_delay(attempt, chance=0) == timedelta(seconds=least)
    assert retry_delay(attempt, chance=0.5) == timedelta(seconds=(least + most) / 2)
    assert retry_delay(attempt, chance=0.999) < timedelta(seconds=most)


@given(st.integers(1, 10**6), chances)
def test_no_two_tries_are_further_apart_than_a_minute(attempt: int, chance: float) -> None:
    assert FIRST / 2 <= retry_delay(attempt, chance=chance) <= LONGEST


@given(st.integers(1, 20), chances, st.floats(0, 10_000))
def test_what_the_shop_asked_for_is_never_undercut(attempt: int, chance: float, asked: float) -> None:
    assert retry_delay(attempt, chance=chance, asked=asked) >= timedelta(seconds=asked)


@given(chances)
def test_an_open_breaker_probes_within_half_a_minute(chance: float) -> None:
    assert BREAKER_PROBES_AFTER / 2 <= breaker_pause(chance=chance) <= BREAKER_PROBES_AFTER
