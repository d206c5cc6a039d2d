"""Asking people: what is told of a question, and what comes of it once a whole catalogue was planned."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace
from datetime import datetime

from sqlalchemy.engine import Connection

from rules_engine.core.delivery import StoreAlias
from rules_engine.core.limits import Ceiling, Counted, breach, ceilings
from rules_engine.core.plan import Notice
from rules_engine.core.question import ANSWER_WITHIN, Question, QuestionKind, QuestionState
from rules_engine.core.rule import Rule
from rules_engine.core.subject import ProductId, SubjectRef, product
from rules_engine.core.sweep import SweepState
from rules_engine.database.lanes import look_now, schedule_looks
from rules_engine.database.notices import add_notices
from rules_engine.database.questions import load_questions, save_questions
from rules_engine.database.sweeps import find_sweep
from rules_engine.database.usage import catalogue_size, held_for, mark_held, used_by

WITHIN = "within its limits"
"""What is said of a question that turned out to be needless once the whole catalogue was planned."""
UNANSWERED = "nobody may have answered a question by then"
"""Why what is in a question is looked at when its time is over."""


def counted_for(
    connection: Connection,
    store: StoreAlias,
    rule: Rule,
    kind: QuestionKind,
    limits: Iterable[Ceiling],
    *,
    at: datetime,
    among: Collection[ProductId],
) -> Counted:
    """How many products count against these limits of a rule now, and which of those that are in question."""
    spans = {limit.per for limit in limits}
    return {span: used_by(connection, store, rule.code, kind, since=at - span, among=among) for span in spans}


def notices_of(question: Question, rule: Rule, ref: SubjectRef, *, at: datetime) -> list[Notice]:
    """What people are told of a question that waits for them, for each target of its rule."""
    text = f"asks: {question.reason}; may it? `rules-engine questions`"
    return [Notice(target, rule.code, ref, rule.title or str(rule.code), text, at) for target in rule.notifies]


def conclude_gathering(
    connection: Connection, store: StoreAlias, sweep_id: int, rules: Iterable[Rule], *, now: datetime
) -> list[Question]:
    """Judge as a whole what each rule wants over the catalogue that a sweep walked over, at its end.

    What is within the limits goes ahead: its products are looked at once more, and count from now on. Else people are
    asked. Gives the questions as they stand now. Call it in the transaction that ends the sweep.
    """
    known = {rule.code: rule for rule in rules}
    found = load_questions(connection, store, states=(QuestionState.GATHERING,))
    concluded = [
        _concluded(connection, question, known.get(question.rule), now=now)
        for question in found
        if question.sweep == sweep_id
    ]
    save_questions(connection, concluded)
    return concluded


def _concluded(connection: Connection, question: Question, rule: Rule | None, *, now: datetime) -> Question:
    held = held_for(connection, [question.id])
    products = frozenset(action.slot.product for action in held)
    refs = [product(id_) for id_ in sorted(products)]
    if rule is None or not held:
        look_now(connection, question.store, refs, now=now, reason="what a rule wanted is judged anew")
        return replace(question, state=QuestionState.VOID, answered_at=now)
    sweep = find_sweep(connection, question.sweep) if question.sweep is not None else None
    is_counted = sweep is not None and sweep.kind.is_complete and sweep.state is not SweepState.STOPPED
    size = sweep.seen if sweep is not None and is_counted else catalogue_size(connection, question.store)
    limits = ceilings(rule.guards, question.kind, catalogue=size)
    counted = counted_for(connection, question.store, rule, question.kind, limits, at=now, among=products)
    reason = breach(limits, question.kind, products, counted)
    if not reason:
        mark_held(connection, question.id, reason="", admitted_at=now)
        about = {action.about for action in held}
        look_now(connection, question.store, {*refs, *about}, now=now, reason=f"{question.rule} is {WITHIN}")
        return replace(question, reason=WITHIN, state=QuestionState.YES, answered_at=now, said=WITHIN)
    expires_at = now + ANSWER_WITHIN
    asked = replace(question, state=QuestionState.OPEN, reason=reason, asked_at=now, expires_at=expires_at)
    mark_held(connection, question.id, reason=waits_for(asked))
    schedule_looks(connection, question.store, refs, due_at=expires_at, reason=UNANSWERED)
    add_notices(connection, question.store, notices_of(asked, rule, refs[0], at=now), now=now)
    return asked


def waits_for(question: Question) -> str:
    """Why an action is held back that is in an open question."""
    return f"waits for an answer: {question.reason}"
