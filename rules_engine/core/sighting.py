"""What deciding takes and gives: one look at one subject, what is known of its store, and the decision."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo

from .condition import Document, Truth
from .delivery import EventType, StoreAlias
from .directory import Directory
from .moments import Moment
from .plan import Case, Episode, EpisodeKey, Notice, Trace
from .rule import Mode, Rule, RuleCode
from .store import Capabilities
from .subject import Snapshot, SubjectRef
from .view import Fields


@dataclass(frozen=True, slots=True)
class Sighting:
    """One look at one subject: a read, a delivery that carries it, or what we remember where nothing can be read.

    `snapshot` is None when nothing new was seen (`is_fresh` is then false) or when the subject is gone. `at` is when
    it was seen (aware UTC). `caused_by` names the deliveries, or the reason of the look. `is_learning` says that the
    store is being read for the first time: nothing that is seen is a moment, whatever a rule says of first sight.
    """

    ref: SubjectRef
    at: datetime
    snapshot: Snapshot | None = None
    is_gone: bool = False
    events: frozenset[EventType] = frozenset()
    event_time: datetime | None = None
    caused_by: tuple[str, ...] = ()
    is_learning: bool = False

    @property
    def is_fresh(self) -> bool:
        """Whether something was seen, not only remembered."""
        return self.snapshot is not None


@dataclass(frozen=True, slots=True)
class Context:
    """What deciding needs to know about the store. `rules` are the store's, in rule order.

    `stretches` and `moments` are those of the rules about categories: what they want of products. `lag` is how long
    a shop may show an old value after it said done. While `is_stopped`, a person has stopped everything: no action is
    started, not even one that was ordered.
    """

    store: StoreAlias
    vendor: str
    rules: tuple[Rule, ...]
    directory: Directory
    capabilities: Capabilities
    zone: tzinfo = UTC
    lag: timedelta = timedelta(minutes=10)
    stretches: Mapping[EpisodeKey, Episode] = field(default_factory=dict)
    moments: tuple[Moment, ...] = ()
    is_stopped: bool = False

    @property
    def order(self) -> dict[RuleCode, int]:
        """The place of each rule in rule order."""
        return {rule.code: rule.order for rule in self.rules}

    @property
    def live(self) -> frozenset[RuleCode]:
        """The rules that may act."""
        if self.is_stopped:
            return frozenset()
        return frozenset(rule.code for rule in self.rules if rule.mode is Mode.LIVE)

    @property
    def paused(self) -> frozenset[RuleCode]:
        """The rules that neither take nor give back for a while."""
        return frozenset(rule.code for rule in self.rules if rule.mode is Mode.PAUSED)


@dataclass(frozen=True, slots=True)
class Decision:
    """What deciding came to: the case as it is to be remembered, with its open actions, and the traces that say why.

    `moments` are those of rules about categories, to be applied to the members. `look_at` is when the subject should
    be looked at again, if nothing else happens. `notices` are for people. `truths` say how the condition of every rule
    that was judged stands.
    """

    case: Case
    traces: tuple[Trace, ...] = ()
    moments: tuple[Moment, ...] = ()
    look_at: datetime | None = None
    is_late: bool = False
    notices: tuple[Notice, ...] = ()
    truths: Mapping[RuleCode, Truth] = field(default_factory=dict)


def document_of(fields: Fields, before: Fields | None, sighting: Sighting, context: Context) -> Document:
    """The document that conditions see at this sighting. What was seen to be gone is deleted, whatever webhooks say."""
    deleted = EventType(f"{sighting.ref.kind}.deleted")
    events = sighting.events | {deleted} if sighting.is_gone else sighting.events - {deleted}
    return Document(
        kind=sighting.ref.kind,
        fields=fields,
        now=sighting.at.astimezone(context.zone),
        store=context.store,
        vendor=context.vendor,
        before=before,
        events=events,
        event_time=sighting.event_time,
    )
