"""A page of a lane's work: deliveries and looks that are due, collapsed to the subjects that they are about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

import structlog
from sqlalchemy.engine import Connection

from rules_engine.core.delivery import DeliveryId, Event, EventType, StoreAlias
from rules_engine.core.subject import Snapshot, SubjectRef
from rules_engine.database.inbox import StoredDelivery, claim_pending
from rules_engine.database.lanes import Look, due_looks
from rules_engine.vendors.base import AnyVendor

log = structlog.stdlib.get_logger(__name__)

PAGE = 200
"""Deliveries, or looks, that one turn takes."""
BESIDE = 50
"""Looks that a turn takes beside deliveries: one call reads them. A rule about dates may have looks at a whole
catalogue due at midnight, and webhooks are not to wait for those."""


@dataclass(frozen=True, slots=True)
class LaterLook:
    """When a subject is to be looked at again, and why."""

    due_at: datetime
    reason: str


@dataclass(slots=True)
class Visit:
    """Why one subject is looked at in this turn, and what its deliveries say about it.

    `carried` are the states that deliveries brought, for shops that cannot be read. `is_deleted` says that the newest
    of them was a deletion.
    """

    ref: SubjectRef
    deliveries: list[DeliveryId] = field(default_factory=list)
    look: Look | None = None
    events: set[EventType] = field(default_factory=set)
    event_time: datetime | None = None
    carried: list[tuple[datetime, Event]] = field(default_factory=list)

    @property
    def caused_by(self) -> tuple[str, ...]:
        """The deliveries that caused the visit, else the reason of the look."""
        if self.deliveries:
            return tuple(self.deliveries)
        return (self.look.reason,) if self.look else ()

    def sightings(self) -> list[tuple[Event, Snapshot | None]]:
        """The carried states, oldest first: shops that cannot be read are folded in the order of versions."""
        return [(event, event.snapshot) for _, event in sorted(self.carried, key=lambda pair: pair[0])]


@dataclass(frozen=True, slots=True)
class Page:
    """One turn's work: deliveries and looks that were due at `taken_at`."""

    deliveries: tuple[StoredDelivery, ...]
    looks: tuple[Look, ...]
    taken_at: datetime

    @property
    def is_empty(self) -> bool:
        """Whether nothing is due."""
        return not self.deliveries and not self.looks

    def visits(self, vendor: AnyVendor) -> tuple[dict[SubjectRef, Visit], dict[DeliveryId, str]]:
        """The subjects of the page: fifty webhooks about one product are one visit.

        With them, the deliveries that the adapter fails to read, though it could when they came, each with the reason.
        """
        visits: dict[SubjectRef, Visit] = {}
        unreadable: dict[DeliveryId, str] = {}
        for stored in self.deliveries:
            try:
                events = vendor.normalise(stored.delivery).events
            except Exception as error:  # whatever it is, it must not stop the other deliveries of the page
                log.exception("a stored delivery could not be read", store=stored.delivery.store)
                unreadable[stored.delivery.id] = f"reading it failed: {error!r}"
                continue
            for event in events:
                if event.subject is None:
                    continue
                visit = visits.setdefault(event.subject, Visit(event.subject))
                visit.deliveries.append(stored.delivery.id)
                visit.events.add(event.type)
                version = event.version or stored.delivery.received_at
                visit.event_time = max(visit.event_time or version, version)
                visit.carried.append((version, event))
        for look in self.looks:
            visits.setdefault(look.ref, Visit(look.ref)).look = look
        return visits, unreadable


def take_page(connection: Connection, store: StoreAlias, *, now: datetime, limit: int = PAGE) -> Page:
    """What is due now: the oldest deliveries, then looks. Everything stays until the turn commits.

    Of the looks come those that have waited longest and, for a quarter of the page, the newest: what a person asks for
    now is not to wait behind a whole catalogue.
    """
    deliveries: Sequence[StoredDelivery] = claim_pending(connection, store, limit)
    at_most = min(limit, BESIDE) if deliveries else limit
    looks = {look.ref: look for look in due_looks(connection, store, now=now, limit=at_most)}
    if len(looks) == at_most > 3:
        kept = dict(list(looks.items())[: at_most - at_most // 4])
        newest = due_looks(connection, store, now=now, limit=at_most // 4, newest_first=True)
        looks = kept | {look.ref: look for look in newest}
    return Page(tuple(deliveries), tuple(looks.values()), now)
