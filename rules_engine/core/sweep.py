"""Sweeps: walks over a whole catalogue, and what they found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from .delivery import StoreAlias


class SweepKind(StrEnum):
    """Why a whole catalogue is walked over, and how."""

    LEARNING = "learning"
    """A store was connected: everything is read for the first time. Nothing that is seen is a moment."""
    NIGHTLY = "nightly"
    """Everything is read, every night."""
    CHANGES = "changes"
    """What the shop says was updated since the last time is read."""
    ASKED = "asked"
    """A person asked for it, or the store was parked until now: everything is read."""
    RULES = "rules"
    """New rules are in force: everything is decided from memory; what they want something of is then read."""

    @property
    def is_complete(self) -> bool:
        """Whether it shows which products there are, so that those it does not show may be gone."""
        return self in {SweepKind.LEARNING, SweepKind.NIGHTLY, SweepKind.ASKED}


class SweepState(StrEnum):
    """Where a sweep stands. Of one store at most one runs; the others wait."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    STOPPED = "stopped"
    """A newer one took its place, or the store cannot do it; the reason says which."""

    @property
    def is_open(self) -> bool:
        """Whether it still has something to do."""
        return self in {SweepState.WAITING, SweepState.RUNNING}


@dataclass(frozen=True, slots=True)
class Sweep:
    """One sweep of one store.

    `cursor` is where it goes on, as its own words for pages say it; empty at the start. `total` is how many products
    the shop says there are, None while nobody knows. `seen` counts products that were looked at; `calls` counts reads.
    `found` counts by word what differed from what was known (`changed`, `new`, `gone`, `undone`); `examples` are the
    first of each, as sentences. A dry one reads and decides, and keeps nothing but its `found`.
    """

    id: int
    store: StoreAlias
    kind: SweepKind
    reason: str
    state: SweepState
    requested_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    cursor: str = ""
    total: int | None = None
    seen: int = 0
    calls: int = 0
    is_dry: bool = False
    since: datetime | None = None
    found: Mapping[str, int] = field(default_factory=dict)
    examples: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
