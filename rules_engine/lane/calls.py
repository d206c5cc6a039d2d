"""Calling one store's API: within its rate, behind its circuit breaker, and not at all while it is parked."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from rules_engine.core.action import Request, Response
from rules_engine.core.errors import AuthenticationError, CallError, TemporaryError
from rules_engine.core.retry import BREAKER_OPENS_AFTER, PARKED_PROBES_AFTER, breaker_pause, retry_delay
from rules_engine.core.store import Capabilities
from rules_engine.database.lanes import LaneColumns, LaneRow

Send = Callable[[Request], Awaitable[Response]]
"""Makes one call. Raises `TemporaryError` when no answer came."""

HIDDEN = b"(hidden)"
LONGEST_WAIT = timedelta(seconds=1)
"""A lane waits so long for a token; past that it returns and says when to wake it."""


class NotNowError(CallError):
    """The store may not be called before `until`: no token, the shop asked to wait, or the breaker is open."""

    def __init__(self, until: datetime) -> None:
        super().__init__(f"not before {until:%H:%M:%S} UTC")
        self.until = until


@dataclass(frozen=True, slots=True)
class Health:
    """What the calls of a store have shown: the tokens left, how long it is to be left alone, and why it is parked.

    `failures` counts failed calls in a row.
    """

    tokens: float
    tokens_at: datetime
    blocked_until: datetime | None = None
    failures: int = 0
    parked_because: str = ""
    probe_at: datetime | None = None

    @classmethod
    def from_row(cls, row: LaneRow, capabilities: Capabilities, *, now: datetime) -> Health:
        """As the lane remembers it; a bucket starts full."""
        tokens = float(capabilities.burst) if row.tokens is None else row.tokens
        return cls(tokens, row.tokens_at or now, row.blocked_until, row.failures, row.parked_because, row.probe_at)

    def columns(self) -> LaneColumns:
        """As the lane is to remember it."""
        return {
            "tokens": self.tokens,
            "tokens_at": self.tokens_at,
            "blocked_until": self.blocked_until,
            "failures": self.failures,
            "parked_because": self.parked_because,
            "probe_at": self.probe_at,
        }

    def refilled(self, capabilities: Capabilities, *, now: datetime) -> Health:
        """With the tokens that time has brought."""
        passed = max(0.0, (now - self.tokens_at).total_seconds())
        tokens = min(float(capabilities.burst), self.tokens + passed * capabilities.rate)
        return replace(self, tokens=tokens, tokens_at=now)

    def after_success(self) -> Health:
        """A call was answered as calls should be: the breaker is closed and nothing is parked."""
        return replace(self, blocked_until=None, failures=0, parked_because="", probe_at=None)

    def after_failure(self, error: CallError, *, now: datetime, chance: float) -> Health:
        """A call failed: park the store, wait as it asked, or open the breaker after several in a row."""
        if isinstance(error, AuthenticationError) or self.parked_because:
            # A probe that fails in any other way shows as little that the shop lets us in again.
            reason = str(error) if isinstance(error, AuthenticationError) else self.parked_because
            return replace(self, parked_because=reason, probe_at=now + PARKED_PROBES_AFTER)
        if not isinstance(error, TemporaryError):
            return replace(self, failures=0)
        failures = self.failures + 1
        until = self.blocked_until
        if error.delay is not None:
            until = now + retry_delay(failures, chance=chance, asked=error.delay)
        if failures >= BREAKER_OPENS_AFTER:
            until = max(until or now, now + breaker_pause(chance=chance))
        return replace(self, failures=failures, blocked_until=until)


class Calls:
    """The one place where a lane's calls go out. `health` is to be saved with the lane; `made` counts the calls."""

    def __init__(
        self,
        send: Send,
        health: Health,
        capabilities: Capabilities,
        *,
        secrets: Sequence[str] = (),
        now: Callable[[], datetime],
        sleep: Callable[[float], Awaitable[None]],
        chance: Callable[[], float],
    ) -> None:
        self.health = health
        self._send = send
        self._capabilities = capabilities
        self._secrets = [secret.encode() for secret in secrets]
        self._now = now
        self._sleep = sleep
        self._chance = chance
        self._line = asyncio.Lock()
        self.made = 0

    async def allow(self, cost: float = 1.0) -> None:
        """Wait at most a second until a call may be made, and spend its token. Raises `NotNowError`.

        Calls at the same time wait in line, each for the next token: a turn that reads more than the bucket holds
        would otherwise be given up half-way, again and again.
        """
        async with self._line:
            now = self._now()
            if self.health.blocked_until is not None and self.health.blocked_until > now:
                raise NotNowError(self.health.blocked_until)
            self.health = self.health.refilled(self._capabilities, now=now)
            short = (cost - self.health.tokens) / self._capabilities.rate
            if short > LONGEST_WAIT.total_seconds():
                raise NotNowError(now + timedelta(seconds=short))
            self.health = replace(self.health, tokens=self.health.tokens - cost)
            if short > 0:
                await self._sleep(short)

    def room_in(self, spare: float) -> timedelta:
        """In how long a call can be made that leaves `spare` tokens to others; nothing when it can be made now."""
        now = self._now()
        if self.health.blocked_until is not None and self.health.blocked_until > now:
            return self.health.blocked_until - now
        tokens = self.health.refilled(self._capabilities, now=now).tokens
        return timedelta(seconds=max(0.0, (1 + spare - tokens) / self._capabilities.rate))

    async def send(self, request: Request) -> Response:
        """Make a call that was allowed. A failure to get an answer counts against the store, and is raised."""
        self.made += 1
        try:
            return self._without_secrets(await self._send(request))
        except CallError as error:
            self.failed(error)
            raise

    def _without_secrets(self, response: Response) -> Response:
        """A shop that repeats our credentials must not bring them into the log, a trace or the database."""
        body = response.body
        for secret in self._secrets:
            body = body.replace(secret, HIDDEN)
        return response if body == response.body else replace(response, body=body)

    def failed(self, error: CallError) -> None:
        """Count a failure that the answer showed."""
        self.health = self.health.after_failure(error, now=self._now(), chance=self._chance())

    def succeeded(self) -> None:
        """Count an answer that was as it should be."""
        self.health = self.health.after_success()

    def retry_in(self, attempt: int, error: object) -> timedelta:
        """How long an action waits after a failed attempt."""
        asked = error.delay if isinstance(error, TemporaryError) else None
        return retry_delay(max(1, attempt), chance=self._chance(), asked=asked)
