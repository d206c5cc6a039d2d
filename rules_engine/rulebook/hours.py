"""`between` and `weekdays` of a rule → the hours in which it may act."""

from __future__ import annotations

import re
from datetime import time

from rules_engine.core.clock import Hours
from rules_engine.core.explain import did_you_mean
from rules_engine.core.fields import WEEKDAYS, FieldType

from .report import Report
from .vocabulary import read_ends
from .yaml import ListNode, MapNode, Node, ScalarNode

_DAYS = {**{day: number for number, day in enumerate(WEEKDAYS)}, **{day[:3]: n for n, day in enumerate(WEEKDAYS)}}
_EXAMPLE = "write `weekdays: monday to friday` or `weekdays: [mon, wed]`"
_OTHERWISE = {
    **dict.fromkeys(("weekend", "weekends"), "write the days, such as `weekdays: [saturday, sunday]`"),
    **dict.fromkeys(
        ("weekdays", "weekday", "workdays", "working days", "business days"),
        "write the days, such as `weekdays: monday to friday`",
    ),
    **dict.fromkeys(("daily", "every day", "all", "everyday", "always"), "leave `weekdays` out"),
}
_LONGEST = 200
"""Characters of the days in one text."""


def read_hours(report: Report, node: MapNode) -> Hours | None:
    """The hours of a rule; None where it names none, or wrong ones, which is reported."""
    times, days = node.get("between"), node.get("weekdays")
    ends = None if times is None else _times(report, times)
    on = frozenset[int]() if days is None else _weekdays(report, days)
    if ends is None and not on:
        return None
    start, end = ends or (None, None)
    return Hours(start, end, on)


def _times(report: Report, node: Node) -> tuple[time, time] | None:
    text = node.text.strip().casefold()[:60] if isinstance(node, ScalarNode) else ""
    meant = _meant(text)
    if meant:
        said = f'"{text}" is not how the hours of a day are written here'
        report.error(node.place, "wrong-type", said, f"write `between: {meant}`")
        return None
    ends = read_ends(report, node, FieldType.CLOCK, example="09:00 and 17:00")
    if ends is None:
        return None
    start, end = (time.fromisoformat(one.text.strip().zfill(5)) for one in ends)
    if start == end:
        said = f"from {start:%H:%M} to {end:%H:%M} there is no time"
        report.error(node.place, "wrong-order", said, "for the whole day leave `between` out")
        return None
    return start, end


def _meant(text: str) -> str:
    """What is probably meant by hours that are written otherwise, such as `9 to 5` or `18:00 and 24:00`, or nothing."""
    match = _LOOSE.fullmatch(text)
    if match is None or _STRICT.fullmatch(text):
        return ""
    start = _clock(match["hour"], match["minute"], match["half"])
    end = _clock(match["hour2"], match["minute2"], match["half2"])
    if end <= start <= 12 * 60 and not match["half2"] and not match["minute2"]:
        end += 12 * 60  # nine to five
    if max(start, end) > 24 * 60 or start == end:
        return ""
    return " and ".join(f"{minutes // 60 % 24:02}:{minutes % 60:02}" for minutes in (start, end))


def _clock(hour: str, minute: str | None, half: str | None) -> int:
    """Minutes since midnight."""
    hours = int(hour) % 12 + (12 if half == "pm" else 0) if half else int(hour)
    return hours * 60 + int(minute or 0)


_LOOSE = re.compile(
    r"(?:from )?(?P<hour>\d\d?)(?:[:.h](?P<minute>[0-5]\d))? ?(?P<half>am|pm)?(?: ?h| o'clock| uhr)?"
    r" ?(?:-|\u2013|to|till|until|and|bis|,) ?"
    r"(?P<hour2>\d\d?)(?:[:.h](?P<minute2>[0-5]\d))? ?(?P<half2>am|pm)?(?: ?h| o'clock| uhr)?"
)
_STRICT = re.compile(r"(?:[01]?\d|2[0-3]):[0-5]\d\s+and\s+(?:[01]?\d|2[0-3]):[0-5]\d")


def _weekdays(report: Report, node: Node) -> frozenset[int]:
    items = node.items if isinstance(node, ListNode) else (node,)
    if not items or (isinstance(node, ScalarNode) and (node.is_null or not node.text.strip())):
        report.error(node.place, "missing-value", "a day is missing here", _EXAMPLE)
        return frozenset()
    numbers = [item for item in items if isinstance(item, ScalarNode) and item.text.strip().isdecimal()]
    if numbers:
        said = "a day is written by its name, because weeks begin on different days in different countries"
        report.error(numbers[0].place, "wrong-type", said, _EXAMPLE)
        return frozenset()
    return frozenset(day for item in items for day in _days(report, item))


def _days(report: Report, node: Node) -> set[int]:
    """The days of one text: `monday`, `mon to fri`, `saturday and sunday`."""
    if not isinstance(node, ScalarNode) or len(node.text) > _LONGEST:
        report.error(node.place, "wrong-shape", "days of the week stand here", _EXAMPLE)
        return set()
    found: set[int] = set()
    for part in re.split(r",| and ", node.text.casefold()):
        names = [name.strip() for name in part.split(" to ")]
        if len(names) == 1 and (dashed := re.fullmatch(r"(\w+)\s*[-–]\s*(\w+)", names[0])) is not None:
            advice = f"write `{dashed[1]} to {dashed[2]}`"
            report.error(node.place, "wrong-type", f'"{part.strip()[:60]}" is no day of the week', advice)
            return set()
        wrong = next((name for name in names if name not in _DAYS), None)
        if wrong is not None or len(names) > 2:
            _refuse(report, node, wrong if wrong is not None else part.strip())
            return set()
        first, last = _DAYS[names[0]], _DAYS[names[-1]]
        found |= {day % 7 for day in range(first, last + 1 if last >= first else last + 8)}
    return found


def _refuse(report: Report, node: ScalarNode, word: str) -> None:
    at = node.text.casefold().find(word)
    place = report.place_in(node, at, len(word)) if word and at >= 0 else node.place
    advice = _OTHERWISE.get(word) or did_you_mean(word, WEEKDAYS, _EXAMPLE)
    report.error(place, "wrong-type", f'a day of the week stands here, not "{word[:60]}"', advice)
