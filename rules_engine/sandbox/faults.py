"""What a shop can be told to do wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal

Where = Literal["read", "write", "any"]


class FaultKind(StrEnum):
    """The ways in which a call can go wrong."""

    ANSWER = "answer"
    """Another answer than the true one."""
    DROP = "drop"
    """The connection breaks in the middle of the answer."""
    LIE = "lie"
    """The answer of a success, and nothing was done."""
    PARTIAL = "partial"
    """Only the first so many products of the call are done, then the answer of `status`."""
    SLOW = "slow"
    """The answer is true, but waits for `gate`."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong, `times` calls long, for the calls that it concerns.

    `Fault(status=429, headers={"Retry-After": "2"})` answers so without doing anything; without a `body` the vendor's
    own error body is sent (a body of bytes goes out as it is, anything else as JSON). `where` and `path` (a part of the
    path) say which calls are concerned. `was_applied` says that the call is done before it goes wrong.
    """

    status: int = 500
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    times: int = 1
    where: Where = "any"
    path: str = ""
    kind: FaultKind = FaultKind.ANSWER
    was_applied: bool = False
    first: int = 0
    gate: asyncio.Event | None = None

    @classmethod
    def drop_after_applying(cls, *, times: int = 1, where: Where = "write", path: str = "") -> Fault:
        """The call is done, then the connection breaks: the caller cannot know."""
        return cls(kind=FaultKind.DROP, was_applied=True, times=times, where=where, path=path)

    @classmethod
    def drop_before_applying(cls, *, times: int = 1, where: Where = "write", path: str = "") -> Fault:
        """The connection breaks and nothing was done: to the caller this looks just the same."""
        return cls(kind=FaultKind.DROP, times=times, where=where, path=path)

    @classmethod
    def lie(cls, *, times: int = 1, where: Where = "write", path: str = "") -> Fault:
        """The answer of a success without the deed. Where an answer shows the catalogue, it shows it unchanged."""
        return cls(kind=FaultKind.LIE, times=times, where=where, path=path)

    @classmethod
    def partial(cls, first: int, *, status: int = 500, times: int = 1, path: str = "") -> Fault:
        """Only the `first` so many products are done, then the error `status`."""
        return cls(kind=FaultKind.PARTIAL, first=first, status=status, times=times, where="write", path=path)

    @classmethod
    def garbage(cls, *, times: int = 1, where: Where = "any", path: str = "", was_applied: bool = True) -> Fault:
        """200 with JSON that ends too early."""
        return cls(
            status=200, body=b'{"items": [{"id": 1', times=times, where=where, path=path, was_applied=was_applied
        )

    @classmethod
    def slow(cls, gate: asyncio.Event, *, times: int = 1, where: Where = "any", path: str = "") -> Fault:
        """The call waits, before it is done, until somebody sets `gate`; then all is well."""
        return cls(kind=FaultKind.SLOW, gate=gate, times=times, where=where, path=path)

    @classmethod
    def login(cls, *, times: int = 1, where: Where = "any", path: str = "") -> Fault:
        """A redirect to a login page that answers 200 to whoever follows it."""
        return cls(status=302, headers={"Location": "/login"}, body=b"", times=times, where=where, path=path)

    def concerns(self, path: str, *, is_write: bool) -> bool:
        """Whether this call is to go wrong."""
        return self.where in ("any", "write" if is_write else "read") and self.path in path
