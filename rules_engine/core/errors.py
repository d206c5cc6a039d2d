"""Every error that the engine raises on purpose, as one tree.

RulesEngineError
├── DeliveryError              a webhook that is not taken
│   └── SignatureError         not signed by the shop, or too old
├── CallError                  a call to a shop that did not succeed
│   ├── TemporaryError         worth trying again; `delay` says when, if the shop said so
│   └── PermanentError         trying again changes nothing
│       ├── AuthenticationError   the shop refuses our credentials: the store is parked
│       └── NotPreparedError      refused before a request was built
├── RulebookError              rule or store files that are refused, with every problem and its place
├── SettingsError              the environment is wrong; says what to set
└── DatabaseError              the engine's own memory
    ├── OverloadedError        the inbox cannot take more now
    └── LaneLostError          another worker owns the lane, or newer rules are in force: the turn is rolled back
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .problem import Problem


class RulesEngineError(Exception):
    """The base of all errors that the engine raises on purpose. Its text is written for an operator."""


class DeliveryError(RulesEngineError):
    """A webhook that is not taken."""


class SignatureError(DeliveryError):
    """The delivery is not signed by the shop, or it is too old: answered with 401 and never stored."""


class CallError(RulesEngineError):
    """A call to a shop that did not succeed."""


class TemporaryError(CallError):
    """Worth trying again. `delay` is in seconds: what the shop asked for, or None when it did not say."""

    def __init__(self, message: str, *, delay: float | None = None) -> None:
        super().__init__(message)
        self.delay = delay


class PermanentError(CallError):
    """Trying the same call again changes nothing; a person has to look."""


class AuthenticationError(PermanentError):
    """The shop refuses our credentials. The whole store is parked; its work waits and nothing is dropped."""


class NotPreparedError(PermanentError):
    """Refused before a request was built: an empty id, or an action that this shop cannot do."""


class RulebookError(RulesEngineError):
    """Files that are refused as a whole. `problems` holds all of them, in the order of files and lines."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        count = len(self.problems)
        super().__init__(f"{count} problem{'s' if count != 1 else ''} in the rule files")


class SettingsError(RulesEngineError):
    """The environment is wrong. The text says which variable, and what to set."""


class DatabaseError(RulesEngineError):
    """The engine's own database cannot do what was asked."""


class OverloadedError(DatabaseError):
    """The inbox cannot take more now; the shop is asked to deliver again."""


class LaneLostError(DatabaseError):
    """The turn may not commit: another worker owns the lane, or newer rules are in force."""
