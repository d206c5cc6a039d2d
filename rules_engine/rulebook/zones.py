"""Names of time zones, as stores.yaml writes them."""

from __future__ import annotations

import re
from zoneinfo import ZoneInfo, available_timezones

from rules_engine.core.explain import did_you_mean

from .report import Report
from .yaml import Node, ScalarNode


def read_zone(report: Report, node: Node) -> ZoneInfo | None:
    """The time zone that a text names; None if there is none of that name, which is reported."""
    text = node.text if isinstance(node, ScalarNode) else ""
    if _is_zone(text):
        return ZoneInfo(text)
    advice = "write it as `Asia/Riyadh` or `Europe/Berlin`"
    if not re.fullmatch(r"(?i)(?:utc|gmt)? *[+-]?[0-9:. ]*", text[:60]):
        advice = did_you_mean(text, available_timezones(), advice)
    report.error(node.place, "unknown-time-zone", f'there is no time zone "{text[:60]}"', advice)
    return None


def _is_zone(name: str) -> bool:
    if name not in available_timezones():
        return False
    try:
        ZoneInfo(name)
    except (ValueError, OSError):
        return False
    return True
