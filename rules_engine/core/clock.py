"""Spans of time and hours of the day as rules write them, read and said; nothing here reads a clock."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, tzinfo

from .explain import listed
from .fields import WEEKDAYS

_UNITS = {
    "second": timedelta(seconds=1),
    "minute": timedelta(minutes=1),
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
    "week": timedelta(weeks=1),
}
UNITS = tuple(f"{unit}s" for unit in _UNITS)
"""The units of a span, as a message lists them. Months and years have no fixed length."""

_SHORT = {"s": "second", "sec": "second", "min": "minute", "h": "hour", "hr": "hour", "d": "day", "w": "week"}
UNIT_WORDS = (*_UNITS, *UNITS, *_SHORT)
"""Every word for a unit that is read, without regard to capitals."""

_PART = re.compile(r"(\d{1,6}(?:\.\d{1,3})?)\s*([A-Za-z]+)")
_SPAN = re.compile(rf"{_PART.pattern}(?:(?:\s*,\s*|\s+and\s+|\s+){_PART.pattern})*")
LONGEST = timedelta(days=3660)


def read_duration(text: str) -> timedelta | None:
    """The span that a text names, such as `15 minutes`, `1 hour 30 minutes`, `14 days`, `2 h`; None if it names none.

    A span is more than nothing and at most ten years.
    """
    stripped = text.strip()
    if len(stripped) > 100 or _SPAN.fullmatch(stripped) is None:
        return None
    total = timedelta(0)
    for number, word in _PART.findall(stripped):
        lower = word.casefold().rstrip(".")
        unit = _UNITS.get(_SHORT.get(lower, lower.removesuffix("s")))
        if unit is None:
            return None
        total += float(number) * unit
    return total if timedelta(0) < total <= LONGEST else None


def say_duration(span: timedelta) -> str:
    """A span in words, by its two largest units: `9 minutes`, `2 hours 5 minutes`, `14 days`, `less than a second`."""
    seconds = int(span.total_seconds())
    if seconds < 1:
        return "less than a second"
    parts: list[str] = []
    for name, unit in (("day", 86_400), ("hour", 3600), ("minute", 60), ("second", 1)):
        number, seconds = divmod(seconds, unit)
        if number:
            parts.append(f"{number} {name}" + ("" if number == 1 else "s"))
        if len(parts) == 2 or (parts and number == 0):
            break
    return " ".join(parts)


def say_time(when: datetime, *, at: datetime, zone: tzinfo) -> str:
    """A time to come as it is said `at` some time, in a zone: `09:00 (Asia/Riyadh)`; with its date on another day."""
    is_same_day = when.astimezone(zone).date() == at.astimezone(zone).date()
    return f"{when.astimezone(zone):{'%H:%M' if is_same_day else '%Y-%m-%d %H:%M'}} ({zone})"


@dataclass(frozen=True, slots=True)
class Hours:
    """When a rule may act, in the store's time zone: from `start` up to, not including, `end`, on these weekdays.

    Without times the whole day; without `weekdays` (0 is Monday) every day. A window from 22:00 to 06:00 spans
    midnight, and belongs to the day on which it begins.
    """

    start: time | None = None
    end: time | None = None
    weekdays: frozenset[int] = frozenset()

    def opens_at(self, now: datetime) -> datetime | None:
        """When the rule may act next (aware UTC), or None when it may now. `now` is aware, in the store's time zone."""
        starts = []
        for begin, end in self._windows(now):
            if begin <= now.astimezone(UTC) < end:
                return None
            if begin > now.astimezone(UTC):
                starts.append(begin)
        return min(starts)

    def _windows(self, now: datetime) -> Iterator[tuple[datetime, datetime]]:
        """The windows that begin from yesterday on, for more than a week."""
        start, end = self.start or time(0), self.end or time(0)
        for ahead in range(-1, 9):
            day = now.date() + timedelta(days=ahead)
            if self.weekdays and day.weekday() not in self.weekdays:
                continue
            last = day if start < end else day + timedelta(days=1)
            begin = datetime.combine(day, start, now.tzinfo).astimezone(UTC)
            yield begin, datetime.combine(last, end, now.tzinfo).astimezone(UTC)

    def __str__(self) -> str:
        times = f"between {self.start:%H:%M} and {self.end:%H:%M}" if self.start and self.end else ""
        days = f"on {listed(WEEKDAYS[day] for day in sorted(self.weekdays))}" if self.weekdays else ""
        return " ".join(part for part in (times, days) if part)
