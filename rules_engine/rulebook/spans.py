"""Spans of time as rules and tests write them: `15 minutes`, `14 days`."""

from __future__ import annotations

import re
from datetime import timedelta

from rules_engine.core.age import AGES
from rules_engine.core.clock import LONGEST, UNIT_WORDS, UNITS, read_duration, say_duration
from rules_engine.core.explain import closest

from .report import Report
from .yaml import ListNode, Node, ScalarNode

_NUMBER = re.compile(r"\d+(?:\.\d+)?")


def read_span(report: Report, node: Node, name: str, *, most: timedelta = LONGEST) -> timedelta | None:
    """A span of at most `most`; None if it is none, which is reported. `name` is what it is written after."""
    if not isinstance(node, ScalarNode) or node.is_null or not node.text.strip():
        said = f"`{name}` takes {'one' if isinstance(node, ListNode) else 'a'} span of time"
        report.error(node.place, "wrong-shape", said, f"write `{name}: {_first(node) or _example(name)}`")
        return None
    text = node.text.strip()
    span = read_duration(text)
    if span is None:
        if _NUMBER.fullmatch(text):
            unit = _example(name).partition(" ")[2]
            said, advice = f"`{name}` needs a unit after {text[:20]}", f"write `{name}: {text[:20]} {unit}`"
        else:
            meant = _meant(text)
            advice = f"write `{name}: {meant}`" if meant else f"write it as 15 minutes or 14 days; {_units()}"
            said = f'"{text[:60]}" is no span of time'
        report.error(node.place, "bad-span", said, advice)
        return None
    if span > most:
        said = f"{text[:60]} is more than `{name}` can be"
        report.error(node.place, "bad-span", said, f"write at most {say_duration(most)}")
        return None
    return span


def _first(node: Node) -> str:
    """The first of several spans in a list, or empty."""
    texts = (
        (item.text.strip() for item in node.items if isinstance(item, ScalarNode)) if isinstance(node, ListNode) else ()
    )
    return next((text for text in texts if read_duration(text) is not None), "")


def _example(name: str) -> str:
    return "14 days" if name in AGES else "15 minutes"


def _meant(text: str) -> str:
    """The span that is probably meant by a text that names none, in words, or nothing."""
    lower = " ".join(text[:60].casefold().split())
    for word, number in _NUMBERS.items():
        lower = re.sub(rf"\b{word}\b", number, lower)
    if lower in _OFTEN:
        return _OFTEN[lower]
    clock = re.fullmatch(r"(\d{1,2}):(\d\d)(?::\d\d)?", lower)
    if clock is not None:
        return say_duration(timedelta(hours=int(clock[1]), minutes=int(clock[2]))) if lower.strip("0:") else ""
    if mixed := re.fullmatch(r"(\d{1,3}) ?h(?:ours?|rs?)? ?([0-5]?\d)(?: ?m(?:in)?)?", lower):
        return say_duration(timedelta(hours=int(mixed[1]), minutes=int(mixed[2]))) if lower.strip("0hm ") else ""
    found = re.search(r"(\d{1,6}(?:\.\d{1,3})?)[ -]*([a-z]+)|(?:once )?(?:per|a|an|every) ([a-z]+)", lower)
    if found is None:
        return ""
    number, unit = found[1] or "1", found[2] or found[3]
    if unit in _LONGER:
        number, unit = str(round(float(number) * _LONGER[unit])), "days"
    near = unit if unit in UNIT_WORDS else closest(unit, UNIT_WORDS)
    span = read_duration(f"{number} {near}") if near else None
    return "" if span is None else f"{number} {near}" if len(near) > 3 else say_duration(span)


_OFTEN = {
    **dict.fromkeys(("daily", "day", "every day"), "1 day"),
    **dict.fromkeys(("hourly", "every hour"), "1 hour"),
    **dict.fromkeys(("weekly", "every week"), "1 week"),
    "quarter of an hour": "15 minutes",
    "a quarter of an hour": "15 minutes",
    "half an hour": "30 minutes",
    "half a day": "12 hours",
}
_NUMBERS = {"one": "1", "two": "2", "three": "3", "five": "5", "ten": "10", "fifteen": "15", "thirty": "30"}
_LONGER = {"month": 30, "months": 30, "year": 365, "years": 365}
"""Days of what has no fixed length."""


def _units() -> str:
    return f"units are {', '.join(UNITS)}"
