"""Rows for tests about questions: holds that rules have, and questions with what is held back for them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from rules_engine.core.delivery import StoreAlias
from rules_engine.core.holds import HoldState
from rules_engine.core.plan import ActionState
from rules_engine.core.question import Question, QuestionKind, QuestionState, question_id
from rules_engine.core.rule import RuleCode
from rules_engine.database.lanes import due_looks
from rules_engine.database.questions import load_questions, save_questions
from rules_engine.database.tables import actions, holds
from rules_engine.database.vanished import Fingerprints

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
WEB, KSA = StoreAlias("web"), StoreAlias("ksa")
OLD, NEW = RuleCode("old"), RuleCode("new")
NONE: Fingerprints = {WEB: {}, KSA: {}}


def hold(
    connection: sa.Connection,
    rule: RuleCode = OLD,
    id_: str = "1",
    *,
    state: HoldState = HoldState.HOLDING,
    takes: int = 1,
    store: StoreAlias = WEB,
    is_ordered: bool = False,
) -> None:
    row: dict[str, Any] = {
        "store": store,
        "product": id_,
        "aspect": "membership",
        "target": "7",
        "rule": rule,
        "subject_kind": "product",
        "subject_id": id_,
        "wish": False,
        "episode": 1,
        "takes": takes,
        "state": state.value,
        "cause": [],
        "since": NOW,
        "is_ordered": is_ordered,
        "ended_at": None if state.is_open else NOW,
    }
    connection.execute(sa.insert(holds).values(row))


def ask(
    connection: sa.Connection,
    rule: RuleCode = OLD,
    *,
    kind: QuestionKind = QuestionKind.TAKE,
    state: QuestionState = QuestionState.OPEN,
    products: tuple[str, ...] = (),
) -> Question:
    asked = Question(question_id(WEB, rule, kind, NOW), WEB, rule, kind, "too many", "as asked", state, NOW)
    save_questions(connection, [asked])
    for id_ in products:
        row: dict[str, Any] = {
            "key": f"{asked.id}-{id_}",
            "store": WEB,
            "kind": "remove_from_category",
            "product": id_,
            "aspect": "membership",
            "slot_target": "7",
            "target": "7",
            "wish": False,
            "step": "take",
            "rules": [rule],
            "about_kind": "product",
            "about_id": id_,
            "state": ActionState.HELD.value,
            "created_at": NOW,
            "caused_by": [],
            "rule": rule,
            "question": asked.id,
        }
        connection.execute(sa.insert(actions).values(row))
    return asked


def states(connection: sa.Connection) -> dict[tuple[RuleCode, QuestionKind], QuestionState]:
    return {(each.rule, each.kind): each.state for each in load_questions(connection, states=QuestionState)}


def looked_at(connection: sa.Connection, now: datetime = NOW) -> list[str]:
    return [look.ref.id for look in due_looks(connection, WEB, now=now, limit=10)]
