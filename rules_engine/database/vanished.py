"""Rules that are gone and still hold something: people are asked about it once, and until then it stays as it is."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

import sqlalchemy as sa

from rules_engine.core.delivery import StoreAlias
from rules_engine.core.holds import HoldState
from rules_engine.core.order import OrderKind
from rules_engine.core.plan import ActionState
from rules_engine.core.question import Question, QuestionId, QuestionKind, QuestionState, question_id
from rules_engine.core.rule import RuleCode
from rules_engine.core.subject import product

from .lanes import look_now
from .questions import find_questions, load_questions, save_questions
from .rows import OPEN_ACTIONS, any_given, given
from .tables import actions, holds
from .tables_people import orders, questions

Fingerprints = Mapping[StoreAlias, Mapping[RuleCode, str]]
"""The rules that are in force in each store of stores.yaml, with the fingerprint of each."""

RULE_WAS_EDITED = "its rule was edited; it is looked at anew"
ITS_RULE_IS_GONE = "its rule is in no rule file any more, or not for this store"
RULE_IS_GONE = "it is in no rule file any more, or not for this store"
STORE_IS_GONE = "stores.yaml has no such store any more"

_WAITING = (QuestionState.GATHERING, QuestionState.OPEN)

_took = sa.or_(
    holds.c.state.in_([s.value for s in (HoldState.SENT, HoldState.TAKEN, HoldState.HOLDING, HoldState.OWED)]),
    sa.and_(holds.c.state == HoldState.PENDING.value, holds.c.takes > 0),  # overruled by another rule, for now
)
_is_ordered = sa.exists().where(
    orders.c.store == holds.c.store,
    orders.c.product == holds.c.product,
    orders.c.done_at.is_(None),
    orders.c.kind.in_([OrderKind.GIVE_BACK.value, OrderKind.KEEP.value]),
    orders.c.rule.in_([holds.c.rule, ""]),
    orders.c.aspect == "",
)
UNSETTLED = sa.and_(holds.c.ended_at.is_(None), _took, holds.c.is_ordered.is_(False), ~_is_ordered)
"""The holds that took something of which nobody ordered yet what becomes of it."""


@dataclass(frozen=True, slots=True)
class Vanished:
    """A rule that is gone from a store, or whose store is gone, and of how many products it holds something."""

    store: StoreAlias
    rule: RuleCode
    products: int
    is_stray: bool = False


def vanished(connection: sa.Connection, in_force: Fingerprints) -> list[Vanished]:
    """What rules hold that are not in force in its store, by store and rule; what was ordered already is left out."""
    query = (
        sa.select(holds.c.store, holds.c.rule, sa.func.count(holds.c.product.distinct()))
        .where(UNSETTLED)
        .group_by(holds.c.store, holds.c.rule)
        .order_by(holds.c.store, holds.c.rule)
    )
    return [
        Vanished(StoreAlias(store), RuleCode(rule), products, is_stray=store not in in_force)
        for store, rule, products in connection.execute(query)
        if rule not in in_force.get(store, {})
    ]


def stray_holds(connection: sa.Connection, stores: Iterable[StoreAlias]) -> dict[StoreAlias, int]:
    """Of how many products rules hold something in each store but these, of which stores.yaml knows nothing."""
    query = (
        sa.select(holds.c.store, sa.func.count(holds.c.product.distinct()))
        .where(UNSETTLED, holds.c.store.not_in(sorted(stores)))
        .group_by(holds.c.store)
        .order_by(holds.c.store)
    )
    return {StoreAlias(store): products for store, products in connection.execute(query)}


def review_questions(
    connection: sa.Connection, in_force: Fingerprints, *, now: datetime, swept: Collection[StoreAlias] = ()
) -> list[Vanished]:
    """Ask about what vanished rules hold, and void the questions that these rules leave no ground. What is asked about.

    A question about a rule that was edited or is gone is void, and its products are looked at again, unless the store
    is among the `swept`, whose whole catalogue is decided anyhow; so is one about what a rule holds that is back, or
    that holds nothing any more. An answer is worth nothing either for what was not called yet, once the rule is
    another: that is judged anew, and until then says so. Every other question stays as it is.
    """
    gone = {(each.store, each.rule): each for each in vanished(connection, in_force)}
    waiting = load_questions(connection, states=_WAITING)
    asked = {(each.store, each.rule): each for each in waiting if each.kind is QuestionKind.GONE}
    groundless = [each for about, each in asked.items() if about not in gone]
    edited = [
        each
        for each in waiting
        if each.kind is not QuestionKind.GONE and in_force.get(each.store, {}).get(each.rule) != each.fingerprint
    ]
    _void(connection, [each.id for each in (*groundless, *edited)], now=now)
    for each in edited:
        if each.store not in swept:
            _look_at_held_back(connection, each, now=now)
    _forget_answers(connection, in_force, now=now, swept=swept)
    asking = [
        replace(asked.get(about) or _about(each, now), reason=STORE_IS_GONE if each.is_stray else RULE_IS_GONE)
        for about, each in gone.items()
    ]
    save_questions(connection, asking)
    return list(gone.values())


def _about(each: Vanished, now: datetime) -> Question:
    return Question(
        id=question_id(each.store, each.rule, QuestionKind.GONE, now),
        store=each.store,
        rule=each.rule,
        kind=QuestionKind.GONE,
        reason="",
        fingerprint="",
        state=QuestionState.OPEN,
        asked_at=now,
    )


def _void(connection: sa.Connection, ids: Iterable[QuestionId], *, now: datetime) -> None:
    voided = sa.update(questions).where(questions.c.id.in_(sorted(ids)))
    connection.execute(voided.values(state=QuestionState.VOID.value, answered_at=now))


def _look_at_held_back(connection: sa.Connection, question: Question, *, now: datetime) -> None:
    query = sa.select(actions.c.product).where(
        actions.c.question == question.id, actions.c.state.in_(OPEN_ACTIONS), actions.c.store == question.store
    )
    refs = [product(id_) for id_ in connection.execute(query.distinct()).scalars()]
    look_now(connection, question.store, refs, now=now, reason=f"{question.rule} is no longer what was asked about")


# What is held back was called for before it was asked, if ever.
_is_undone = actions.c.state.in_([ActionState.PENDING.value, ActionState.HELD.value])


def _forget_answers(
    connection: sa.Connection, in_force: Fingerprints, *, now: datetime, swept: Collection[StoreAlias]
) -> None:
    """Let what was agreed with people for another text of its rule be judged anew."""
    asked = sa.select(actions.c.question).where(_is_undone, actions.c.question.is_not(None)).distinct()
    found = find_questions(connection, [QuestionId(id_) for id_ in connection.execute(asked).scalars()])
    for each in found.values():
        if in_force.get(each.store, {}).get(each.rule) == each.fingerprint:
            continue
        if each.store not in swept:
            _look_at_held_back(connection, each, now=now)
        told = RULE_WAS_EDITED if each.rule in in_force.get(each.store, {}) else ITS_RULE_IS_GONE
        reason = sa.case((actions.c.state == ActionState.HELD.value, told), else_=actions.c.reason)
        about = sa.update(actions).where(actions.c.question == each.id, _is_undone)
        connection.execute(about.values(question=None, admitted_at=None, reason=reason))


def forget_admissions(connection: sa.Connection) -> None:
    """Let what the limits of rules let through, and nobody called for yet, be judged anew by newer rules.

    What people said yes to stays agreed.
    """
    is_decided = sa.and_(actions.c.state == ActionState.PENDING.value, actions.c.question.is_(None))
    connection.execute(sa.update(actions).where(is_decided).values(admitted_at=None))


# What was answered, or was not in time, and is not done yet is so for the rule, however it is called.
_ANSWERED = (QuestionState.YES, QuestionState.NO, QuestionState.EXPIRED)
_IS_ANSWERED = sa.and_(
    questions.c.rule == given("former"),
    questions.c.state.in_([state.value for state in _ANSWERED]),
    sa.exists().where(actions.c.question == questions.c.id, _is_undone),
)
_MOVE_QUESTIONS = (
    sa.update(questions).where(sa.or_(questions.c.id.in_(any_given("ids")), _IS_ANSWERED)).values(rule=given("code"))
)
_MOVE_ORDERS = (
    sa.update(orders).where(orders.c.rule == given("former"), orders.c.done_at.is_(None)).values(rule=given("code"))
)


def rename_in_questions(connection: sa.Connection, former: RuleCode, code: RuleCode, *, now: datetime) -> None:
    """Let what is asked, answered and ordered of a rule go on under its new code.

    Where the same is asked of the new code already, the question of the former one is void: what is in it joins that.
    """
    waiting = load_questions(connection, states=_WAITING)
    taken = {(each.store, each.kind) for each in waiting if each.rule == code}
    own = [each for each in waiting if each.rule == former]
    doubles = [each for each in own if (each.store, each.kind) in taken]
    if doubles:
        _void(connection, [each.id for each in doubles], now=now)
    for each in doubles:
        _look_at_held_back(connection, each, now=now)
    moved = [each.id for each in own if each not in doubles]
    connection.execute(_MOVE_QUESTIONS, {"former": former, "code": code, "ids": moved})
    connection.execute(_MOVE_ORDERS, {"former": former, "code": code})
