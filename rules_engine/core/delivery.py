"""What arrived: one POST (a delivery) and what it says (events)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NewType

from .subject import Snapshot, SubjectRef

StoreAlias = NewType("StoreAlias", str)
"""The name that stores.yaml gives a store, as in `/webhooks/{store}`."""

DeliveryId = NewType("DeliveryId", str)


@dataclass(frozen=True, slots=True)
class Delivery:
    """One POST as it arrived. Header names are lower case; `received_at` is aware UTC and serves as *now*."""

    id: DeliveryId
    store: StoreAlias
    received_at: datetime
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)


class EventType(StrEnum):
    """Our words for what happened; every vendor's words are mapped to these."""

    PRODUCT_CREATED = "product.created"
    PRODUCT_UPDATED = "product.updated"
    PRODUCT_DELETED = "product.deleted"
    CATEGORY_CREATED = "category.created"
    CATEGORY_UPDATED = "category.updated"
    CATEGORY_DELETED = "category.deleted"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that a delivery says.

    `vendor_type` is the shop's own word. `subject` is None only for an unknown type. `version` is the shop's time of
    the state that the event describes, where it names one. `snapshot` is the subject as the body carried it, for
    shops whose deliveries carry whole products.
    """

    type: EventType
    vendor_type: str
    subject: SubjectRef | None = None
    version: datetime | None = None
    snapshot: Snapshot | None = None


@dataclass(frozen=True, slots=True)
class Normalised:
    """A delivery in our words.

    `duplicate_key` is the same for every redelivery of one delivery. `duplicate_for` bounds how long a repeated key
    counts as the same delivery (None: as long as keys are kept). `shop_id` is the shop that the body names, where one
    URL serves several shops. `reason` says in a sentence why the delivery is to be ignored or could not be read.
    """

    events: tuple[Event, ...]
    duplicate_key: str
    duplicate_for: timedelta | None = None
    shop_id: str | None = None
    reason: str = ""
    is_readable: bool = True
