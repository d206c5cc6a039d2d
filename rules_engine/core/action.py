"""What is asked of a shop: actions, the slots that they change, and what came of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NewType

from .errors import PermanentError, TemporaryError
from .subject import ProductId, Snapshot, SubjectRef

ActionKey = NewType("ActionKey", str)
"""The idempotency key of an action: one action, one key, for ever."""

SlotValue = bool | str | None
"""What a slot holds: membership and visibility are true or false; a brand is its id, or None."""


class Aspect(StrEnum):
    """What about a product a slot is."""

    MEMBERSHIP = "membership"
    VISIBILITY = "visibility"
    BRAND = "brand"


@dataclass(frozen=True, slots=True, order=True)
class SlotRef:
    """One thing about one product. `target` is the category's id for a membership, else empty."""

    product: ProductId
    aspect: Aspect
    target: str = ""

    def __str__(self) -> str:
        return f"{self.product}/{self.aspect}" + (f"/{self.target}" if self.target else "")


class ActionKind(StrEnum):
    """What can be asked of a shop for one product. Rules write these words."""

    ADD_TO_CATEGORY = "add_to_category"
    REMOVE_FROM_CATEGORY = "remove_from_category"
    ASSIGN_BRAND = "assign_brand"
    UNASSIGN_BRAND = "unassign_brand"
    SHOW = "show"
    HIDE = "hide"


@dataclass(frozen=True, slots=True)
class Action:
    """One change of one product, as an adapter takes it.

    `target` is the category's id, or the brand's id (for `unassign_brand` the one that the product has now), or empty
    for `show` and `hide`. `is_whole` says that the actions of this category in the same batch remove every member
    that it has, as read in this very turn: only then may a shop's whole-category call be used.
    """

    key: ActionKey
    kind: ActionKind
    product: ProductId
    target: str = ""
    is_whole: bool = False


@dataclass(frozen=True, slots=True)
class Done:
    """The shop said that it is done. `is_shown` says that its answer also proves it, as a read would."""

    is_shown: bool = False


@dataclass(frozen=True, slots=True)
class NothingToDo:
    """The shop said that it was so already."""


@dataclass(frozen=True, slots=True)
class LookAgain:
    """The answer proves nothing: read `subjects`, then judge by what they show."""

    reason: str
    subjects: tuple[SubjectRef, ...] = ()


Verdict = Done | NothingToDo | LookAgain | TemporaryError | PermanentError
"""What came of an action. An `AuthenticationError` (a `PermanentError`) parks the whole store."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one action of a request."""

    action: ActionKey
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP call to a shop, as a value. `body` is JSON, already encoded, or None.

    A request that reads names its `subjects`; one that writes carries its `actions`. `cost` is how many calls of the
    shop's rate it uses.
    """

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    subjects: tuple[SubjectRef, ...] = ()
    actions: tuple[Action, ...] = ()
    cost: float = 1.0


@dataclass(frozen=True, slots=True)
class Response:
    """The shop's answer. Header names are lower case; `at` is when it arrived (aware UTC)."""

    status: int
    at: datetime
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a read showed: `snapshots`, what the shop says does not exist (`missing`), and the `more` requests to go on.

    `missing` holds only subjects that were asked for by id. The answer to a read of all categories or all products is
    complete when `more` is empty. `total` is how many products the shop says that such a list has, None where it does
    not say.
    """

    snapshots: tuple[Snapshot, ...] = ()
    missing: tuple[SubjectRef, ...] = ()
    more: tuple[Request, ...] = ()
    total: int | None = None


@dataclass(frozen=True, slots=True)
class Interpretation:
    """What the answer to a write means: an outcome for every action, and the products that the answer showed."""

    outcomes: tuple[Outcome, ...]
    sightings: tuple[Snapshot, ...] = ()
