"""The shape of a vendor: six functions in one order, a table of its words, its fields and its capabilities. No I/O."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from datetime import datetime
from typing import Any, ClassVar, Generic, TypeVar

from rules_engine.core.action import Action, Interpretation, Reading, Request, Response
from rules_engine.core.delivery import Delivery, Normalised
from rules_engine.core.errors import NotPreparedError
from rules_engine.core.store import Capabilities, StoreSettings
from rules_engine.core.subject import SubjectRef

S = TypeVar("S", bound=StoreSettings)


class Vendor(ABC, Generic[S]):
    """The adapter of one shop system for one store: bytes and values in, values out.

    A subclass reads top to bottom: its words, `FIELDS`, `CAPABILITIES`, then the six functions.
    """

    NAME: ClassVar[str]
    """The word in stores.yaml."""
    TITLE: ClassVar[str]
    """The name that people know."""
    SETTINGS: ClassVar[type[StoreSettings]]
    FIELDS: ClassVar[frozenset[str]]
    """The fields of `product` and `category` that this shop can fill, as `product.stock`, `category.name`."""
    CAPABILITIES: ClassVar[Capabilities]
    DEFAULT_BASE_URL: ClassVar[str | None] = None
    ADD_MAY_CHANGE_MORE: ClassVar[bool] = False
    """Whether adding a product may change more than its membership: a `while` rule must then say `afterwards`."""
    HEADERS_TO_KEEP: ClassVar[frozenset[str]] = frozenset()
    """The request headers that are stored with a delivery: those that `normalise` needs, none that is secret."""

    def __init__(self, settings: S) -> None:
        self.settings = settings

    @property
    def fields(self) -> frozenset[str]:
        """The fields that this store can fill: `FIELDS`, and what its settings map in addition."""
        return self.FIELDS

    @property
    def base_url(self) -> str:
        """Scheme, host and port, without a slash at the end; the vendor's path is always appended."""
        return (self.settings.base_url or self.DEFAULT_BASE_URL or "").rstrip("/")

    @abstractmethod
    def verify(self, delivery: Delivery, secrets: Sequence[str]) -> None:
        """Raise `SignatureError` unless one of `secrets` signed the delivery and it is fresh at `received_at`."""

    @abstractmethod
    def normalise(self, delivery: Delivery) -> Normalised:
        """The delivery in our words. Never raises: an unknown type is an event, an unreadable body says so."""

    @abstractmethod
    def read(self, subjects: Sequence[SubjectRef]) -> tuple[Request, ...]:
        """The fewest requests that show these subjects. Raises `NotPreparedError` for what cannot be read here."""

    @abstractmethod
    def parse(self, request: Request, response: Response) -> Reading:
        """What the answer to a read shows. Raises `TemporaryError`, `PermanentError` or `AuthenticationError`."""

    def list_changes(self, since: datetime) -> Request:
        """The first page of the products that the shop changed at `since` (aware UTC) or later; `parse` reads it.

        Raises `NotPreparedError` where the shop cannot tell: see `Capabilities.can_list_changes`.
        """
        raise NotPreparedError(f"{self.TITLE} does not list products by the time of their change (since {since}).")

    @abstractmethod
    def prepare(self, actions: Sequence[Action]) -> tuple[Request, ...]:
        """The fewest requests that do these actions, in batches. Raises `NotPreparedError` for an empty id."""

    @abstractmethod
    def interpret(self, request: Request, response: Response) -> Interpretation:
        """What the answer means for each action of the request. Never raises for a status or a body."""


AnyVendor = Vendor[Any]
"""The adapter of some shop system, where it does not matter which."""
