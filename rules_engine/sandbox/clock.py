"""What shops and tests take instead of the real time and real randomness."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta


class ManualClock:
    """A clock that stands still until somebody moves it; calling it gives the time, aware UTC."""

    def __init__(self, time: datetime = datetime(2026, 1, 31, 10, tzinfo=UTC)) -> None:
        self.time = time

    def __call__(self) -> datetime:
        """The time."""
        return self.time

    def move(self, **by: float) -> None:
        """Move on, by the words of `timedelta`: `move(minutes=5)`."""
        self.time += timedelta(**by)


def numbered(prefix: str = "event") -> Callable[[], str]:
    """A factory of ids that are the same in every run: `event-1`, `event-2`, …"""
    count = 0

    def new_id() -> str:
        nonlocal count
        count += 1
        return f"{prefix}-{count}"

    return new_id
