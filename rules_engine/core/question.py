"""Questions: what a rule may do only after a person said yes, and what becomes of what a vanished rule holds."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NewType
from uuid import NAMESPACE_OID, uuid5

from .delivery import StoreAlias
from .rule import RuleCode

QuestionId = NewType("QuestionId", str)
"""A question's identity; people write how it begins."""

ANSWER_WITHIN = timedelta(days=7)
"""A question that nobody answered so long counts as answered with no. One about a vanished rule stays open."""


class QuestionKind(StrEnum):
    """What is asked."""

    TAKE = "take"
    """May the rule act on so many products? Its limits, or `ask_first`, say that it asks."""
    GIVE_BACK = "give back"
    """May the rule give back so many products at once? No: they stay as they are, and nothing is owed any more."""
    GONE = "gone"
    """A rule is gone and holds products: are they given back (yes), or kept as they are (no)?"""


class QuestionState(StrEnum):
    """Where a question stands. Only an open one waits for a person."""

    GATHERING = "gathering"
    """The whole catalogue is being planned; at its end it is known whether anybody has to be asked."""
    OPEN = "open"
    """It waits for an answer."""
    YES = "yes"
    """Answered with yes, or found needless: what is in it and still wanted is done."""
    NO = "no"
    """Answered with no: what is in it is left until the stretches end."""
    EXPIRED = "expired"
    """Nobody answered in time; as after a no."""
    VOID = "void"
    """The rule was edited, or is back, or wants nothing of it any more: what it wants then is judged anew."""

    @property
    def is_waiting(self) -> bool:
        """Whether the rule starts nothing new meanwhile, and what it wants joins the question."""
        return self in {QuestionState.GATHERING, QuestionState.OPEN}

    @property
    def is_refused(self) -> bool:
        """Whether what is in it is not to be done."""
        return self in {QuestionState.NO, QuestionState.EXPIRED}


def question_id(store: StoreAlias, rule: RuleCode, kind: QuestionKind, asked_at: datetime) -> QuestionId:
    """The identity of what is asked of this rule in this store at this time: the same however often it is decided."""
    return QuestionId(str(uuid5(NAMESPACE_OID, f"{store}\n{rule}\n{kind.value}\n{asked_at.isoformat()}")))


@dataclass(frozen=True, slots=True)
class Question:
    """One question about one rule in one store. The slots in it are the actions that name it.

    `reason` says in a sentence what was breached. `fingerprint` is that of the rule as it was asked for: another
    rule of the same code voids it. `sweep` is the sweep that gathers it. `said` is what the person added to the answer.
    """

    id: QuestionId
    store: StoreAlias
    rule: RuleCode
    kind: QuestionKind
    reason: str
    fingerprint: str
    state: QuestionState
    asked_at: datetime
    expires_at: datetime | None = None
    answered_at: datetime | None = None
    said: str = ""
    sweep: int | None = None
