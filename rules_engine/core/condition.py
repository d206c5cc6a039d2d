"""Conditions as values, and judging them: met, unmet, or cannot tell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from .delivery import EventType, StoreAlias
from .subject import SubjectKind


class Truth(StrEnum):
    """What a condition can be. Only `met` counts; under `while`, `cannot tell` keeps the present state."""

    MET = "met"
    UNMET = "unmet"
    CANNOT_TELL = "cannot tell"


@dataclass(frozen=True, slots=True)
class Finding:
    """What judging one condition found: where in the rule (`while/product.stock`), how it stands, and why in words.

    `text` is like `3, must be at most 0`. `parts` are the findings of an `all`, `any`, `none` or a meaning.
    """

    path: str
    truth: Truth
    text: str = ""
    parts: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class Document:
    """What a condition sees: one subject now and as last seen, the event, the store and the time there.

    `fields` and `before` are a `Product` or a `Category`; held slots show their baseline in both. `now` is aware, in
    the store's time zone. `events` is empty when the subject is looked at without one.
    """

    kind: SubjectKind
    fields: Mapping[str, Any]
    now: datetime
    store: StoreAlias
    vendor: str = ""
    before: Mapping[str, Any] | None = None
    events: frozenset[EventType] = field(default_factory=frozenset)
    event_time: datetime | None = None
