"""What should be done and what was decided, as values: planned actions, episodes, traces, and the case of a subject."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from .action import ActionKey, ActionKind, SlotRef, SlotValue
from .condition import Truth
from .holds import Hold, Slot
from .order import Order
from .question import QuestionId
from .rule import RuleCode
from .subject import Snapshot, SubjectRef


class Step(StrEnum):
    """Why an action is made; part of its idempotency key."""

    TAKE = "take"
    GIVE_BACK = "give back"
    MOMENT = "moment"
    UNDO = "undo"
    """What a moment did is taken back, because a person said so."""


class ActionState(StrEnum):
    """Where an action stands. The first five are open; the others have ended."""

    PENDING = "pending"
    """Decided, not attempted yet."""
    HELD = "held back"
    """Decided, and kept from being sent: it waits for the answer to a question, for a category to fill again, or, with
    what came of its question, for its rule, which is paused."""
    SENT = "sent"
    """An attempt was written; its outcome is unknown until a read or the answer tells."""
    WAITING = "waiting"
    """An attempt failed for now; it is due again at `due_at`, after another look at the product."""
    DONE = "done"
    """The shop said done; a read has not confirmed it yet."""
    CONFIRMED = "confirmed"
    """Shown by a read, or by an answer that proves it."""
    CANCELLED = "cancelled"
    """No longer wanted, or already so; with a `done_at`, the shop said done but no read had shown it."""
    DEAD = "dead"
    """Given up: a dead letter for a person to judge."""
    GONE = "gone"
    """The product or the category no longer exists."""

    @property
    def is_open(self) -> bool:
        """Whether the action still has something to do or to learn."""
        return self in _OPEN


_OPEN = frozenset({ActionState.PENDING, ActionState.HELD, ActionState.SENT, ActionState.WAITING, ActionState.DONE})


@dataclass(frozen=True, slots=True)
class PlannedAction:
    """One row of the outbox: a change of one slot, with everything that is needed to judge it later.

    `target` is what the shop is called with: the category's id, or the brand's. `rules` are the rules that want it,
    the first being the one that it is done for. `attempts` counts calls. `about` is the subject of that rule.
    `admitted_at` is when the limits of that rule let it be sent, `called_at` when it was last called for; `question` is
    what it waits for while it is held back, or what was answered with yes.
    """

    key: ActionKey
    kind: ActionKind
    slot: SlotRef
    target: str
    wish: SlotValue
    step: Step
    rules: tuple[RuleCode, ...]
    about: SubjectRef
    state: ActionState
    created_at: datetime
    due_at: datetime | None = None
    attempts: int = 0
    done_at: datetime | None = None
    reason: str = ""
    caused_by: tuple[str, ...] = ()
    is_whole: bool = False
    admitted_at: datetime | None = None
    called_at: datetime | None = None
    question: QuestionId | None = None


@dataclass(frozen=True, slots=True)
class Episode:
    """One stretch of one `while` rule and subject: its number from 1, how it stands, and since when.

    `truth` is met or unmet: while nobody can tell, the last known state is kept.
    """

    number: int
    truth: Truth
    since: datetime


EpisodeKey = tuple[RuleCode, SubjectRef]


@dataclass(frozen=True, slots=True)
class Trace:
    """What a rule did about a subject, or why it did not, at one sighting.

    `text` says it in a sentence; `finding` is the explanation of the condition as plain values.
    """

    rule: RuleCode
    subject: SubjectRef
    at: datetime
    truth: Truth
    text: str
    finding: Mapping[str, Any] = field(default_factory=dict)
    caused_by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Notice:
    """Something to tell people: what a rule that notifies did. `target` is a name under `notify:` in stores.yaml.

    `called` is what people call the subject: its name, else its SKU or id.
    """

    target: str
    rule: RuleCode
    subject: SubjectRef
    called: str
    text: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Case:
    """Everything that the engine remembers about one subject of a store.

    `snapshot` is the subject as last known, with our own effects written in; `revision` counts its changes.
    `seen_at` is when it was last looked at; where the shop cannot be read, also from memory. `slots`, `actions` and
    `recent_takes` (when each rule lately took this product or had a moment with it, once for each turn) are empty for a
    category. A slot is there while it has open holds; `ended` keeps the holds that ended in a stretch which still runs,
    so that a rule does not take twice in one stretch. `orders` are what people told us to do with it: those that are
    not carried out yet, and after deciding those that were just now, each with what came of it.
    """

    ref: SubjectRef
    snapshot: Snapshot | None = None
    revision: int = 0
    seen_at: datetime | None = None
    is_gone: bool = False
    slots: Mapping[SlotRef, Slot] = field(default_factory=dict)
    episodes: Mapping[EpisodeKey, Episode] = field(default_factory=dict)
    actions: Mapping[ActionKey, PlannedAction] = field(default_factory=dict)
    recent_takes: Mapping[RuleCode, tuple[datetime, ...]] = field(default_factory=dict)
    ended: Mapping[SlotRef, tuple[Hold, ...]] = field(default_factory=dict)
    orders: tuple[Order, ...] = ()
