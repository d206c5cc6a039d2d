"""Whose a lane is, and when it is to run again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from rules_engine.core.delivery import StoreAlias


@dataclass(frozen=True, slots=True)
class Tenure:
    """A worker's right to run a lane. Every commit checks that it still holds."""

    store: StoreAlias
    owner: str
    epoch: int


@dataclass(frozen=True, slots=True)
class Rest:
    """When a lane is to run again: at `until`, or when it is rung. `is_blocked`: ringing is of no use before."""

    until: datetime | None = None
    is_blocked: bool = False
