"""A store as stores.yaml describes it, and what its vendor can do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, time, tzinfo
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field

from .action import ActionKind
from .delivery import StoreAlias


@dataclass(frozen=True, slots=True)
class SecretField:
    """Marks a field of a store's settings that holds a secret: in stores.yaml it may only be `${NAME}`."""


Secret = Annotated[str, SecretField()]
"""One secret, written `${NAME}` in stores.yaml."""

Secrets = Annotated[tuple[str, ...], SecretField()]
"""One secret or a list of them (for rotation: the new one first), each written `${NAME}`."""


SHORTEST_SECRET = 8
"""Characters: what is shorter may be a word that answers use, and guards nothing anyway."""


class Names(BaseModel):
    """Names that stores.yaml gives to ids, for shops that cannot be asked, and to override look-ups elsewhere."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    categories: Mapping[str, str] = Field(default_factory=dict)
    brands: Mapping[str, str] = Field(default_factory=dict)


class StoreSettings(BaseModel):
    """What every store has in stores.yaml; each vendor file extends it with its own keys.

    Ids in YAML may be numbers or text; they are kept as their source text.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", coerce_numbers_to_str=True)

    vendor: str
    base_url: str | None = None
    time_zone: str = "UTC"
    names: Names = Field(default_factory=Names)

    @property
    def shop_id(self) -> str | None:
        """The id by which a body names this store, for vendors with one URL for all stores."""
        return None

    @property
    def webhook_secrets(self) -> tuple[str, ...]:
        """The secrets that sign this store's deliveries; any of them will do. Without one, no delivery is taken."""
        return ()


@dataclass(frozen=True, slots=True)
class Store:
    """A configured store. `missing` names the unset environment variables that park it."""

    alias: StoreAlias
    settings: StoreSettings
    missing: tuple[str, ...] = ()

    @property
    def zone(self) -> ZoneInfo:
        """The store's time zone: what `now` and its times mean in its rules."""
        return ZoneInfo(self.settings.time_zone)

    @property
    def secrets(self) -> tuple[str, ...]:
        """Everything secret in the settings that is long enough to be told from ordinary text."""
        found: list[str] = []
        for name, kind in type(self.settings).model_fields.items():
            if any(isinstance(mark, SecretField) for mark in kind.metadata):
                value = getattr(self.settings, name)
                found += [value] if isinstance(value, str) else value or ()
        return tuple(secret for secret in found if len(secret) >= SHORTEST_SECRET)

    @property
    def parked_because(self) -> str:
        """Why the store cannot work as configured, in a sentence, or empty."""
        if not self.missing:
            return ""
        names = ", ".join(self.missing)
        return f"{self.alias} waits: set {names} in the environment and restart."


@dataclass(frozen=True, slots=True)
class NotifyTarget:
    """Somebody whom rules may tell what they did: a name for the URL of a Slack-compatible webhook.

    Who has the URL can write there, so it is a secret. `missing` names the unset environment variable for which
    nothing can be told. `morning_note` is the time of day, in `zone`, at which it gets the note about all stores; None
    where it gets none.
    """

    name: str
    url: str = field(repr=False)
    missing: str = ""
    morning_note: time | None = None
    zone: tzinfo = UTC

    @property
    def silent_because(self) -> str:
        """Why nothing can be told, in a sentence, or empty."""
        return f"{self.name} is not told: set {self.missing} in the environment and restart." if self.missing else ""


@dataclass(frozen=True, slots=True)
class StoresFile:
    """What stores.yaml says: the stores, and whom rules may notify, each in its order."""

    stores: tuple[Store, ...] = ()
    notify: tuple[NotifyTarget, ...] = ()

    @property
    def notify_names(self) -> tuple[str, ...]:
        """The names that rules may use after `notify:`."""
        return tuple(target.name for target in self.notify)


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a vendor's API can do.

    `rate` and `burst` are calls a second and calls at once. `batch` is the most products in one write. `can_read`:
    products can be fetched by id; `can_list`: all products can be paged; `can_list_changes`: also only those that were
    updated since some time; `can_read_categories`: the category tree can be fetched. `empties_whole`: there is one call
    that removes every member of a category. `promotes_to` is the id of
    the category in which the shop puts a product that lost its last one. `proves_by_answer`: a done answer counts as
    seen. `brands_are_names`: a brand has no id but its name. `has_one_door`: one webhook URL serves all stores of an
    app. `loses` says in words what a put-back cannot restore. `busy_status` is the status that asks this shop to
    deliver later.
    """

    actions: frozenset[ActionKind]
    rate: float
    burst: int
    batch: int
    can_read: bool = True
    can_list: bool = True
    can_list_changes: bool = False
    can_read_categories: bool = True
    can_empty_category: bool = False
    empties_whole: bool = False
    promotes_to: str | None = None
    proves_by_answer: bool = False
    brands_are_names: bool = False
    has_one_door: bool = False
    loses: str = ""
    busy_status: int = 503
