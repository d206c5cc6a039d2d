"""Times and slots in the words of an answer to "why?"."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Any

from rules_engine.core.action import Aspect, SlotRef, SlotValue
from rules_engine.core.clock import read_duration, say_duration
from rules_engine.core.directory import Directory
from rules_engine.core.plan import PlannedAction
from rules_engine.core.question import QuestionId
from rules_engine.core.view import label_of

_AGO = re.compile(r"(.+?)\s+ago", re.IGNORECASE)
_IN = re.compile(r"in\s+(.+)", re.IGNORECASE)
_CLOCK = re.compile(r"(?:(today|yesterday|tomorrow)\s+)?(\d{1,2}):(\d{2})", re.IGNORECASE)
_FURTHEST = timedelta(days=36_525)
_DAYS = {"yesterday": -1, "today": 0, "tomorrow": 1}


def read_time(text: str, now: datetime, zone: tzinfo) -> datetime | None:
    """The time (aware) that a person writes, in the store's zone unless it names another; None if it is none.

    `2026-11-20 14:00`, `2026-11-20`, `14:00`, `yesterday 14:00`, `2 hours ago`, `in 30 minutes`, `now`, ISO 8601.
    What is further away than any shop remembers or plans is no time: it could not be reckoned with.
    """
    found = _read_time(text, now, zone)
    return found if found is not None and abs(found - now) <= _FURTHEST else None


def _read_time(text: str, now: datetime, zone: tzinfo) -> datetime | None:
    asked = text.strip()
    ago, ahead, clock = _AGO.fullmatch(asked), _IN.fullmatch(asked), _CLOCK.fullmatch(asked)
    try:
        if asked.casefold() == "now":
            return now
        if ago or ahead:
            span = read_duration((ago or ahead)[1])  # type: ignore[index]  # one of them is a match
            return None if span is None else now - span if ago else now + span
        if clock:
            day = now.astimezone(zone).date() + timedelta(days=_DAYS[(clock[1] or "today").lower()])
            return datetime.combine(day, time(int(clock[2]), int(clock[3])), zone)
        if re.fullmatch(r"\d{4}-\d{2}-\d{2}", asked):
            return datetime.combine(date.fromisoformat(asked), time(0), zone)
        found = datetime.fromisoformat(asked)
        found = found if found.tzinfo else found.replace(tzinfo=zone)
        return found.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


@dataclass(frozen=True, slots=True)
class Clock:
    """Says times in a store's zone, as seen from `now` (aware)."""

    now: datetime
    zone: tzinfo

    def at(self, at: datetime) -> str:
        """`14:03` today, else `20 November 14:03`, with the year where it is another."""
        local, here = at.astimezone(self.zone), self.now.astimezone(self.zone)
        if local.date() == here.date():
            return f"{local:%H:%M}"
        year = "" if local.year == here.year else f" {local.year}"
        return f"{local.day} {local:%B}{year} {local:%H:%M}"

    def ago(self, at: datetime) -> str:
        """`2 minutes ago`, `in 9 minutes`, or `now`, to the unit that matters."""
        span = abs(at - self.now)
        for unit in (timedelta(days=1), timedelta(hours=1), timedelta(minutes=1), timedelta(seconds=1)):
            if span >= 2 * unit or (span >= unit and unit < timedelta(hours=1)):
                said = say_duration(span // unit * unit)
                return f"{said} ago" if at < self.now else f"in {said}"
        return "now"

    def both(self, at: datetime) -> str:
        """`14:03, 2 minutes ago`."""
        return f"{self.at(at)}, {self.ago(at)}"

    def when(self, at: datetime) -> str:
        """`at 14:12, in 9 minutes`, `on 20 November 14:03, 2 days ago`."""
        is_today = at.astimezone(self.zone).date() == self.now.astimezone(self.zone).date()
        return f"{'at' if is_today else 'on'} {self.both(at)}"


def sentence(text: str) -> str:
    """The text with a capital at its beginning."""
    return text[:1].upper() + text[1:]


def why_held_back(action: PlannedAction, asked: Collection[QuestionId]) -> str:
    """Why an action that is held back is not sent, and where its question is told, if that is `asked` still."""
    reason = action.reason.rstrip(".") or "it is looked at once more before it is sent"
    if action.question is None or action.question not in asked:
        return reason
    return f"{reason}; `rules-engine questions show {action.question[:8]}` tells what is asked"


@dataclass(frozen=True, slots=True)
class SlotWords:
    """One slot of a product in words. `fields` are the product's, which know names."""

    slot: SlotRef
    fields: Mapping[str, Any]
    directory: Directory

    @property
    def place(self) -> str:
        """What people call the category: `Featured (9691094)`."""
        label = label_of(self.slot, self.fields)
        names = self.directory.category_names(self.slot.target)
        return f"{names[0]} ({self.slot.target})" if label == f"category {self.slot.target}" and names else label

    def brand(self, value: SlotValue) -> str:
        """What people call a brand: `the brand "Acme"`."""
        known = (self.fields.get("brand_names") or {}).get(value) or self.directory.brand_name(str(value))
        return f'the brand "{known or value}"'

    def is_so(self, value: SlotValue) -> str:
        """`is in Featured (9691094)`, `is hidden`, `has no brand`."""
        match self.slot.aspect:
            case Aspect.MEMBERSHIP:
                return f"is in {self.place}" if value else f"is not in {self.place}"
            case Aspect.VISIBILITY:
                return "is shown" if value else "is hidden"
            case Aspect.BRAND:
                return "has no brand" if value is None else f"has {self.brand(value)}"

    def keeps(self, wish: SlotValue, what: str) -> str:
        """`keeps the product out of Featured (9691094)`."""
        match self.slot.aspect:
            case Aspect.MEMBERSHIP:
                return f"keeps {what} in {self.place}" if wish else f"keeps {what} out of {self.place}"
            case Aspect.VISIBILITY:
                return f"keeps {what} {'shown' if wish else 'hidden'}"
            case Aspect.BRAND:
                return f"keeps {what} without a brand" if wish is None else f"keeps {self.brand(wish)} on {what}"

    def make(self, wish: SlotValue, what: str) -> str:
        """What is to be done: `take the product out of Featured (9691094)`."""
        match self.slot.aspect:
            case Aspect.MEMBERSHIP:
                return f"put {what} into {self.place}" if wish else f"take {what} out of {self.place}"
            case Aspect.VISIBILITY:
                return f"{'show' if wish else 'hide'} {what}"
            case Aspect.BRAND:
                return f"take the brand off {what}" if wish is None else f"give {what} {self.brand(wish)}"

    def returns(self, baseline: SlotValue, what: str) -> str:
        """What a give-back does: `the product goes back into Featured (9691094)`."""
        match self.slot.aspect:
            case Aspect.MEMBERSHIP:
                return f"{what} goes back into {self.place}" if baseline else f"{what} leaves {self.place} again"
            case Aspect.VISIBILITY:
                return f"{what} is {'shown' if baseline else 'hidden'} again"
            case Aspect.BRAND:
                if baseline is None:
                    return f"{what} loses its brand again"
                return f"{what} gets {self.brand(baseline)} back"
