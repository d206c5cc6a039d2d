"""What the gate came to, as a value, and how it is committed with its turn."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy.engine import Connection

from rules_engine.core.delivery import StoreAlias
from rules_engine.core.plan import ActionState, Case, Notice, PlannedAction, Trace
from rules_engine.core.question import Question, QuestionId, QuestionState
from rules_engine.core.subject import SubjectRef
from rules_engine.database.lanes import drop_looks
from rules_engine.database.questions import confirm_states, save_questions, void_emptied

from .asking import UNANSWERED
from .members import Change
from .page import LaterLook


@dataclass(slots=True)
class Judged:
    """What the gate came to: the cases, and what is to be committed with them.

    `questions` are new or have changed; `relied` says how those stood that mattered, as has to be confirmed when it is
    committed.
    """

    cases: dict[SubjectRef, Case]
    traces: list[Trace] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)
    looks: dict[SubjectRef, LaterLook] = field(default_factory=dict)
    questions: dict[QuestionId, Question] = field(default_factory=dict)
    relied: dict[QuestionId, QuestionState] = field(default_factory=dict)


def keep(connection: Connection, judged: Judged, changes: Iterable[Change], *, now: datetime) -> None:
    """Write what the gate came to, in the transaction of the turn. Raises `LaneLostError` if an answer came between.

    `changes` are the cases that the turn has written: a question of which they left nothing is void.
    """
    confirm_states(connection, judged.relied)
    save_questions(connection, judged.questions.values())
    void_emptied(connection, (id_ for before, after in changes for id_ in _left(before, after)), now=now)


def forget_expiry(connection: Connection, store: StoreAlias, changes: Iterable[Change]) -> None:
    """Forget the looks for the last day of a question, at products that are in none any more.

    Call it before the looks of the turn are written: a product may be in another question.
    """
    refs = [after.ref for before, after in changes if _left(before, after)]
    drop_looks(connection, store, refs, reason=UNANSWERED)


def _left(before: Case, after: Case) -> set[QuestionId]:
    """The questions that something of this product was in, and is not any more."""
    was, is_ = ({(a.key, a.question) for a in each.actions.values() if _is_in_one(a)} for each in (before, after))
    return {id_ for _, id_ in was - is_ if id_ is not None}


def _is_in_one(action: PlannedAction) -> bool:
    return action.state is ActionState.HELD and action.question is not None
