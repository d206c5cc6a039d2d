"""Answers: what a question is about, and what the answer of a person sets going."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

import sqlalchemy as sa

from rules_engine.core.delivery import StoreAlias
from rules_engine.core.errors import DatabaseError
from rules_engine.core.holds import HoldState
from rules_engine.core.order import Order, OrderKind
from rules_engine.core.plan import PlannedAction, Step
from rules_engine.core.question import Question, QuestionId, QuestionKind, QuestionState
from rules_engine.core.rule import RuleCode
from rules_engine.core.subject import ProductId, SubjectKind, SubjectRef, product

from .holdings import Holding, unsettled_holdings
from .lanes import look_now
from .orders import give_orders
from .questions import find_questions, save_questions
from .rows import OPEN_ACTIONS, OPEN_HOLDS, action_from_row, chunks
from .tables import actions, holds, slots
from .tables_people import orders, questions
from .usage import mark_held
from .vanished import UNSETTLED

_WAITING = tuple(state.value for state in QuestionState if state.is_waiting)


@dataclass(frozen=True, slots=True)
class Contents:
    """What is in a question: the actions that wait for its answer, or what a vanished rule holds."""

    actions: tuple[PlannedAction, ...] = ()
    held: tuple[Holding, ...] = ()

    @property
    def products(self) -> tuple[ProductId, ...]:
        """The products that it is about."""
        of_actions = (action.slot.product for action in self.actions)
        return tuple(dict.fromkeys((*of_actions, *(each.slot.product for each in self.held))))

    @property
    def subjects(self) -> tuple[SubjectRef, ...]:
        """What has to be looked at when it is answered: the products, and the categories that their rule is about."""
        about = (action.about for action in self.actions if action.about.kind is SubjectKind.CATEGORY)
        return (*dict.fromkeys(about), *(product(id_) for id_ in self.products))


def the_question(connection: sa.Connection, begins: str) -> Question:
    """The one question whose id begins like this. Raises `DatabaseError` when there is none, or more than one."""
    is_it = questions.c.id.startswith(begins, autoescape=True)
    found = connection.execute(sa.select(questions.c.id).where(is_it).limit(2)).scalars().all() if begins else []
    if not found:
        raise DatabaseError(f"There is no question {begins!r}: `rules-engine questions` lists them.")
    if len(found) > 1:
        raise DatabaseError(f"More than one question begins with {begins!r}: write more of its id.")
    return find_questions(connection, found)[found[0]]


def contents_of(connection: sa.Connection, question: Question) -> Contents:
    """What is in a question now. Once it is answered, the actions that were in it; what was held is no longer in it."""
    if question.kind is QuestionKind.GONE:
        return Contents(held=tuple(unsettled_holdings(connection, question.store, question.rule)))
    query = sa.select(actions).where(actions.c.question == question.id, actions.c.store == question.store)
    found = [action_from_row(row) for row in connection.execute(query.order_by(actions.c.seq))]
    is_waiting = question.state.is_waiting
    return Contents(actions=tuple(action for action in found if action.state.is_open or not is_waiting))


def count_products(connection: sa.Connection, asked: Iterable[Question]) -> dict[QuestionId, int]:
    """Of how many products each of these questions is, or was when it was answered; one of none is left out."""
    known = list(asked)
    number = sa.func.count(actions.c.product.distinct())
    found: dict[QuestionId, int] = {}
    for ids in chunks(each.id for each in known):
        query = (
            sa.select(actions.c.question, number)
            .join(questions, questions.c.id == actions.c.question)
            .where(
                actions.c.question.in_(ids),
                sa.or_(actions.c.state.in_(OPEN_ACTIONS), questions.c.state.not_in(_WAITING)),
            )
        )
        found |= {QuestionId(id_): count for id_, count in connection.execute(query.group_by(actions.c.question))}
    gone = {(each.store, each.rule): each.id for each in known if each.kind is QuestionKind.GONE}
    if gone:
        query = sa.select(holds.c.store, holds.c.rule, sa.func.count(holds.c.product.distinct())).where(UNSETTLED)
        for store, rule, count in connection.execute(query.group_by(holds.c.store, holds.c.rule)):
            if (store, rule) in gone:
                found[gone[store, rule]] = count
    return found


def questions_by_store(connection: sa.Connection) -> dict[StoreAlias, int]:
    """How many questions wait for a person in each store; one without is left out."""
    is_open = questions.c.state == QuestionState.OPEN.value
    query = sa.select(questions.c.store, sa.func.count()).where(is_open).group_by(questions.c.store)
    return {StoreAlias(store): count for store, count in connection.execute(query)}


def answer(
    connection: sa.Connection,
    question: Question,
    *,
    is_yes: bool,
    said: str,
    now: datetime,
    stores: Iterable[StoreAlias],
) -> Contents:
    """Write down the answer, and have everything in the question looked at now; what was in it.

    For a vanished rule, orders are given: to give back what it holds, or to keep it. Nobody works for a store that is
    not among `stores`: there a no keeps at once what is held. Raises `DatabaseError` when nothing is to be answered.
    """
    refused = _why_not(connection, question, now) or _why_stray(
        question, is_yes=is_yes, is_stray=question.store not in set(stores)
    )
    if refused:
        raise DatabaseError(refused)
    state = QuestionState.YES if is_yes else QuestionState.NO
    save_questions(connection, [replace(question, state=state, answered_at=now, said=said)])
    inside = contents_of(connection, question)  # after the answer, when nothing can join any more
    if question.kind is not QuestionKind.GONE:
        reason = f"a person said {'yes' if is_yes else 'no'}"
        if is_yes:
            mark_held(connection, question.id, reason=reason, admitted_at=now)  # it counts from now on
        look_now(connection, question.store, inside.subjects, now=now, reason=reason)
    elif question.store in set(stores):
        _order(connection, question, OrderKind.GIVE_BACK if is_yes else OrderKind.KEEP, said=said, now=now)
    else:
        _keep_at_once(connection, question, said=said, now=now)
    return inside


def _why_not(connection: sa.Connection, question: Question, now: datetime) -> str:
    """Why a question takes no answer, or nothing."""
    at = f"{question.answered_at:%Y-%m-%d %H:%M} UTC" if question.answered_at else "before"
    match question.state:
        case QuestionState.OPEN if question.expires_at is None or question.expires_at > now:
            return ""
        case QuestionState.OPEN | QuestionState.EXPIRED:
            until = f" by {question.expires_at:%Y-%m-%d %H:%M} UTC" if question.expires_at else ""
            return (
                f"Nobody answered this question{until}, which counts as no: it is asked again when it comes up again."
            )
        case QuestionState.GATHERING:
            return "The whole catalogue is still being planned: wait until it is known what is to be asked."
        case QuestionState.VOID:
            return (
                "This question is void: its rule was edited, is gone or is back, or wants nothing of it any more; what "
                "it wants is judged anew."
            )
        case _:
            because = f" ({question.said})" if question.said else ""
            again = _how_again(connection, question) if question.state is QuestionState.NO else ""
            return f"This question was answered with {question.state.value} at {at}{because}: that stands.{again}"


def _how_again(connection: sa.Connection, question: Question) -> str:
    """What to do for the rule to want again what was refused; nothing where it cannot, as with moments.

    It names one product: without it, `release-hold` also lets the rule take what people put back, in every store.
    """
    in_it = sa.select(actions.c.seq).where(actions.c.question == question.id, actions.c.step == Step.TAKE.value)
    if connection.execute(in_it.limit(1)).first() is None:
        return ""
    command = f"rules-engine release-hold {question.rule} SKU --store {question.store}"
    return f" `{command}` lets the rule take one product again, or ask about it."


def _why_stray(question: Question, *, is_yes: bool, is_stray: bool) -> str:
    if not is_stray or (question.kind is QuestionKind.GONE and not is_yes):
        return ""
    return f"stores.yaml has no store {question.store} any more, so nothing can be done there: add it back first."


def _order(connection: sa.Connection, question: Question, kind: OrderKind, *, said: str, now: datetime) -> None:
    """Order it for every product of which the rule holds anything, also where it had stepped back."""
    of_rule = (holds.c.store == question.store, holds.c.rule == question.rule, holds.c.state.in_(OPEN_HOLDS))
    query = sa.select(holds.c.product).where(*of_rule, holds.c.is_ordered.is_(False)).distinct()
    products = [ProductId(id_) for id_ in connection.execute(query.order_by(holds.c.product)).scalars()]
    because = why_ordered(kind, said)
    order = Order(0, kind, question.rule, None, now, because)
    give_orders(connection, question.store, [(id_, order) for id_ in products])
    look_now(connection, question.store, [product(id_) for id_ in products], now=now, reason=because)


def why_ordered(kind: OrderKind, said: str) -> str:
    """Why something is given back or kept after a question, as orders and holds say it."""
    wanted = "given back" if kind is OrderKind.GIVE_BACK else "kept as it is"
    return f"a person wants it {wanted}" + (f": {said}" if said else "")


def _keep_at_once(connection: sa.Connection, question: Question, *, said: str, now: datetime) -> None:
    """End what the rule holds: what is so now stays so. A slot goes with its last hold."""
    of_rule = (holds.c.store == question.store, holds.c.rule == question.rule, holds.c.state.in_(OPEN_HOLDS))
    ended = {"state": HoldState.RELEASED.value, "changed_at": now, "ended_at": now}
    connection.execute(sa.update(holds).where(*of_rule).values(reason=why_ordered(OrderKind.KEEP, said), **ended))
    still_held = sa.exists().where(
        *(holds.c[name] == slots.c[name] for name in ("store", "product", "aspect", "target")),
        holds.c.state.in_(OPEN_HOLDS),
    )
    connection.execute(sa.delete(slots).where(slots.c.store == question.store, ~still_held))


@dataclass(frozen=True, slots=True)
class CameOf:
    """What came of one order: about which product, and in a sentence, which is empty until it is carried out."""

    product: ProductId
    outcome: str


def came_of_orders(connection: sa.Connection, store: StoreAlias, rule: RuleCode, *, at: datetime) -> list[CameOf]:
    """What came of the orders that were given at this time about what a rule held, in the order of the products."""
    query = sa.select(orders.c.product, orders.c.outcome).where(
        orders.c.at == at, orders.c.store == store, orders.c.rule == rule
    )
    return [CameOf(ProductId(id_), outcome) for id_, outcome in connection.execute(query.order_by(orders.c.id))]


def has_open_orders(connection: sa.Connection, store: StoreAlias, rule: RuleCode) -> bool:
    """Whether anything that was ordered about what a rule holds is still to be carried out."""
    is_open = (orders.c.store == store, orders.c.rule == rule, orders.c.done_at.is_(None))
    return connection.execute(sa.select(orders.c.id).where(*is_open).limit(1)).first() is not None
