"""When a failed call is tried again, as a pure table."""

from __future__ import annotations

from datetime import timedelta

FIRST = timedelta(seconds=2)
"""The first retry comes within this."""
LONGEST = timedelta(seconds=60)
"""No two tries are further apart, unless the shop asks for it."""
MAX_ATTEMPTS = 10
"""After so many tries of one action that the shop answered with a failure, it is a dead letter."""
BREAKER_OPENS_AFTER = 5
"""So many failed calls in a row, and the store is left alone for a while."""
BREAKER_PROBES_AFTER = timedelta(seconds=30)
"""How long at most until one call is tried again."""
PARKED_PROBES_AFTER = timedelta(minutes=15)
"""How long a parked store waits between reads that try whether it lets us in again."""


def retry_delay(attempt: int, *, chance: float, asked: float | None = None) -> timedelta:
    """How long to wait after the failed try number `attempt` (from 1).

    Doubles from two seconds up to a minute, spread by `chance` (0 up to, not including, 1) over the upper half, so
    that many actions do not come back at once. `asked` (seconds) is what the shop asked for, which is never undercut.
    """
    doubled = FIRST.total_seconds() * 2 ** min(attempt - 1, 16)
    ceiling = min(doubled, LONGEST.total_seconds())
    wait = ceiling * (0.5 + chance / 2)
    return timedelta(seconds=max(wait, asked or 0.0))


def breaker_pause(*, chance: float) -> timedelta:
    """How long an open breaker waits before its next probe: 15 to 30 seconds."""
    return BREAKER_PROBES_AFTER * (0.5 + chance / 2)
