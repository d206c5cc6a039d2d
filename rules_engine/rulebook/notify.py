"""`notify:` of stores.yaml → who is told: names for webhook URLs, which are secrets, and times of morning notes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, time

from rules_engine.core.problem import Place
from rules_engine.core.store import NotifyTarget

from .address import what_is_wrong_with_webhook_url
from .masks import VARIABLE
from .report import Report
from .yaml import MapNode, Node, ScalarNode
from .zones import read_zone

TARGET_KEYS = ("url", "morning_note", "time_zone")
"""The keys of somebody who is told, where there is more to say than the URL."""

_TIME_OF_DAY = re.compile(r"(?:[01]?[0-9]|2[0-3]):[0-5][0-9]")
_NAME = re.compile(r"\w[\w -]{0,63}")


class NotifyTargets:
    """Reads `notify:`."""

    def __init__(self, report: Report, environment: Mapping[str, str] | None) -> None:
        self._report = report
        self._environment = environment

    def read(self, root: Node) -> tuple[NotifyTarget, ...]:
        """The targets, in the order of the file; without those that are wrong, which is reported."""
        node = root.get("notify") if isinstance(root, MapNode) else None
        if node is None or (isinstance(node, ScalarNode) and node.is_null):
            return ()
        if not isinstance(node, MapNode):
            said = "`notify` is a map of names"
            self._report.error(node.place, "wrong-shape", said, "write `notify: {shop-floor: ${SHOP_FLOOR_WEBHOOK}}`")
            return ()
        found = [self._target(key, value) for key, value in node]
        return tuple(target for target in found if target is not None)

    def _target(self, key: ScalarNode, node: Node) -> NotifyTarget | None:
        if not _NAME.fullmatch(key.text):
            said = f'"{key.text[:60]}" cannot name who is told'
            self._report.error(key.place, "bad-alias", said, "use letters, digits, blanks, - and _")
            return None
        if isinstance(node, MapNode):
            return self._described(key, node)
        url = self._url(key, node)
        return None if url is None else NotifyTarget(key.text, url.text, missing=url.missing)

    def _described(self, key: ScalarNode, node: MapNode) -> NotifyTarget | None:
        """A target with more than its URL."""
        is_sound = True
        for inner, _ in node:
            if inner.text not in TARGET_KEYS:
                is_sound = False
                self._report.unknown(inner, "unknown-key", f"`{key.text}` has no key", TARGET_KEYS)
        url, at, zone = (node.get(name) for name in TARGET_KEYS)
        if url is None and is_sound:  # a key that there is not may be meant for it
            advice = f"write `url: ${{{_variable(key)}}}`"
            self._report.error(key.place, "missing-key", f"`{key.text}` needs the webhook's URL", advice)
        address = None if url is None else self._url(key, url)
        note = None if at is None else self._time_of_day(at)
        in_zone = UTC if zone is None else read_zone(self._report, zone)
        if zone is not None and at is None:
            is_sound = False
            advice = "write `morning_note:` too, or leave it out"
            self._report.error(zone.place, "needless-key", "`time_zone` is that of the morning note", advice)
        if not is_sound or address is None or in_zone is None or (at is not None and note is None):
            return None
        return NotifyTarget(key.text, address.text, address.missing, note, in_zone)

    def _time_of_day(self, node: Node) -> time | None:
        text = node.text.strip() if isinstance(node, ScalarNode) else ""
        if _TIME_OF_DAY.fullmatch(text):
            return time.fromisoformat(text.zfill(5))
        said = f'"{text[:60]}" is no time of day' if text else "`morning_note` takes a time of day"
        self._report.error(
            node.place, "wrong-type", said, "write it from 00:00 to 23:59, such as `morning_note: 08:00`"
        )
        return None

    def _url(self, key: ScalarNode, node: Node) -> _Url | None:
        variable = _variable(key)
        advice = f"write `${{{variable}}}` and set {variable} in the environment"
        match = VARIABLE.fullmatch(node.text.strip()) if isinstance(node, ScalarNode) else None
        if match is None:
            is_text = isinstance(node, ScalarNode)
            is_blank = isinstance(node, ScalarNode) and (node.is_null or not node.text.strip())
            what = "is empty" if is_blank else "is a secret and must not stand in a file"
            said = f"the webhook's URL {what}" if is_text else f"`{key.text}` is one URL"
            place = Place(node.place.path, node.place.line, node.place.column)  # its length is part of the secret
            self._report.error(place, "literal-secret" if is_text else "wrong-shape", said, advice)
            return None
        if self._environment is None:
            return _Url(match[0])
        url = self._environment.get(match[1], "").strip()
        wrong = what_is_wrong_with_webhook_url(url) if url else ""
        if wrong:
            said = f"what {match[1]} holds cannot be called: {wrong}"
            self._report.error(node.place, "bad-webhook-url", said, "set it to the URL that the chat gave you")
            return None
        return _Url(url, missing="" if url else match[1])


@dataclass(frozen=True, slots=True)
class _Url:
    """A webhook's URL; `missing` is the unset variable that should hold it."""

    text: str
    missing: str = ""


def _variable(key: ScalarNode) -> str:
    """The environment variable that the URL of this target could be in."""
    return re.sub(r"\W", "_", f"{key.text}_webhook").upper()
