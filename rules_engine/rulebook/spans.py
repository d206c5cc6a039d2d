"""Spans of time as rules and tests write them: `15 minutes`, `14 days`."""

from __future__ import annotations

import re
from datetime import timedelta

from rules_engine.core.clock import LONGEST, UNITS, read_duration, say_duration

from .report import Report
from .yaml import Node, ScalarNode

_NUMBER = re.compile(r"\d+(?:\.\d+)?")


def read_span(report: Report, node: Node, name: str, *, most: timedelta = LONGEST) -> timedelta | None:
    """A span of at most `most`; None if it is none, which is reported. `name` is what it is written after."""
    if not isinstance(node, ScalarNode) or node.is_null or not node.text.strip():
        report.error(node.place, "wrong-shape", f"`{name}` takes a span of time", f"write `{name}: 15 minutes`")
        return None
    text = node.text.strip()
    span = read_duration(text)
    if span is None:
        if _NUMBER.fullmatch(text):
            said, advice = f"`{name}` needs a unit after {text[:20]}", f"write `{name}: {text[:20]} minutes`"
        else:
            said, advice = f'"{text[:60]}" is no span of time', f"write it as 15 minutes or 14 days; {_units()}"
        report.error(node.place, "bad-span", said, advice)
        return None
    if span > most:
        said = f"{text[:60]} is more than `{name}` can be"
        report.error(node.place, "bad-span", said, f"write at most {say_duration(most)}")
        return None
    return span


def _units() -> str:
    return f"units are {', '.join(UNITS)}"
