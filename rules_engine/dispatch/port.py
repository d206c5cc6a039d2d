"""The port of an engine that runs lanes: ring the doorbell, serve the lanes, be the only one in a lane."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from rules_engine.core.delivery import StoreAlias
from rules_engine.lane.tenure import Rest, Tenure

RunLane = Callable[[Tenure], Awaitable[Rest]]
"""Runs a store's lane once, for whoever has it."""


class Dispatch(Protocol):
    """Who runs lanes. Our tables are the queue; a fault here can only cost delay, never correctness."""

    def ring(self, store: StoreAlias) -> None:
        """There is work for this store. Cheap, never raises, and may be lost: what is due is also found by looking."""
        ...

    async def serve(self, run_lane: RunLane) -> None:
        """Run every lane that has work, until cancelled."""
        ...

    def exclusive(self, store: StoreAlias) -> AbstractAsyncContextManager[Tenure | None]:
        """Be the only one who runs this lane; yields None when another worker has it."""
        ...
