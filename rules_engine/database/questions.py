"""Questions as they are stored: asked by lanes, answered by people."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from rules_engine.core.delivery import StoreAlias
from rules_engine.core.errors import LaneLostError
from rules_engine.core.plan import ActionState
from rules_engine.core.question import Question, QuestionId, QuestionKind, QuestionState
from rules_engine.core.rule import RuleCode

from .rows import any_given, chunks, given, upsert
from .tables import actions
from .tables_people import questions


def save_questions(connection: sa.Connection, asked: Iterable[Question]) -> None:
    """Write these questions as they are now."""
    upsert(connection, questions, [_columns(question) for question in asked])


_ASKED = (
    sa.select(questions)
    .where(questions.c.state.in_(any_given("states")))
    .order_by(questions.c.asked_at, questions.c.id)
)
_ASKED_OF_STORE = _ASKED.where(questions.c.store == given("store"))


def load_questions(
    connection: sa.Connection,
    store: StoreAlias | None = None,
    *,
    states: Iterable[QuestionState] = (QuestionState.GATHERING, QuestionState.OPEN),
) -> list[Question]:
    """The questions in these states, of one store or of all, those asked first before others."""
    wanted = {"states": sorted(state.value for state in states)}
    query, more = (_ASKED, {}) if store is None else (_ASKED_OF_STORE, {"store": store})
    return [_from_row(row) for row in connection.execute(query, wanted | more)]


def find_questions(connection: sa.Connection, ids: Iterable[QuestionId]) -> dict[QuestionId, Question]:
    """The questions with these ids, whatever their state."""
    query = sa.select(questions).where(questions.c.id.in_(sorted(set(ids))))
    found = (_from_row(row) for row in connection.execute(query))
    return {question.id: question for question in found}


def confirm_states(connection: sa.Connection, relied: Mapping[QuestionId, QuestionState]) -> None:
    """Raise `LaneLostError` unless these questions still stand as a turn found them; nobody answers until it commits.

    Else what joins a question just when it is answered would never be looked at for the answer.
    """
    for ids in chunks(sorted(relied)):
        query = sa.select(questions.c.id, questions.c.state).where(questions.c.id.in_(ids)).with_for_update()
        for row in connection.execute(query.order_by(questions.c.id)):
            if QuestionState(row.state) is not relied[QuestionId(row.id)]:
                raise LaneLostError("A question was answered that this turn relied on; it is decided again.")


_IS_HELD = sa.and_(actions.c.question == questions.c.id, actions.c.state == ActionState.HELD.value)
_VOID = (
    sa.update(questions)
    .where(questions.c.id.in_(any_given("ids")), questions.c.state == QuestionState.OPEN.value)
    .where(~sa.exists().where(_IS_HELD))
    .values(state=QuestionState.VOID.value, answered_at=given("now"))
)


def void_emptied(connection: sa.Connection, ids: Iterable[QuestionId], *, now: datetime) -> None:
    """Void those of these questions that wait for a person, and in which nothing is left that was asked for."""
    for some in chunks(sorted(set(ids))):
        connection.execute(_VOID, {"ids": some, "now": now})


def _columns(question: Question) -> dict[str, Any]:
    return {
        "id": question.id,
        "store": question.store,
        "rule": question.rule,
        "kind": question.kind.value,
        "reason": question.reason,
        "fingerprint": question.fingerprint,
        "state": question.state.value,
        "asked_at": question.asked_at,
        "expires_at": question.expires_at,
        "answered_at": question.answered_at,
        "said": question.said,
        "sweep": question.sweep,
    }


def _from_row(row: sa.Row[Any]) -> Question:
    return Question(
        id=QuestionId(row.id),
        store=StoreAlias(row.store),
        rule=RuleCode(row.rule),
        kind=QuestionKind(row.kind),
        reason=row.reason,
        fingerprint=row.fingerprint,
        state=QuestionState(row.state),
        asked_at=row.asked_at,
        expires_at=row.expires_at,
        answered_at=row.answered_at,
        said=row.said,
        sweep=row.sweep,
    )
