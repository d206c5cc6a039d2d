"""What is in a question, and what its answer sets going in the same transaction."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa
from question_rows import KSA, NEW, NONE, NOW, OLD, WEB, ask, hold, looked_at

from rules_engine.core.errors import DatabaseError
from rules_engine.core.holds import HoldState
from rules_engine.core.order import OrderKind
from rules_engine.core.plan import ActionState, Step
from rules_engine.core.question import Question, QuestionKind, QuestionState
from rules_engine.core.subject import ProductId
from rules_engine.database.answers import (
    answer,
    came_of_orders,
    contents_of,
    count_products,
    has_open_orders,
    the_question,
)
from rules_engine.database.orders import open_orders, settle_orders
from rules_engine.database.questions import find_questions, load_questions, save_questions
from rules_engine.database.tables import actions, holds, slots
from rules_engine.database.vanished import review_questions

STORES = [WEB, KSA]
LATER = NOW + timedelta(minutes=1)


def gone(connection: sa.Connection, **where: object) -> Question:
    review_questions(connection, where.get("in_force", NONE), now=NOW)  # type: ignore[arg-type]  # given by a test
    (question,) = load_questions(connection)
    return question


def say(connection: sa.Connection, question: Question, *, is_yes: bool) -> None:
    answer(connection, question, is_yes=is_yes, said="told so", now=LATER, stores=STORES)


@pytest.mark.parametrize(("is_yes", "state"), [(True, QuestionState.YES), (False, QuestionState.NO)])
def test_an_answer_is_written_down_and_the_products_are_looked_at(
    connection: sa.Connection, state: QuestionState, *, is_yes: bool
) -> None:
    question = ask(connection, products=("1", "2"))
    ask(connection, NEW, products=("3",))
    say(connection, question, is_yes=is_yes)
    assert find_questions(connection, [question.id])[question.id] == replace(
        question, state=state, answered_at=LATER, said="told so"
    )
    assert set(looked_at(connection, LATER)) == {"1", "2"}


def test_the_categories_that_the_rule_is_about_are_looked_at_as_well(connection: sa.Connection) -> None:
    question = ask(connection, products=("1",))
    connection.execute(sa.update(actions).values(about_kind="category", about_id="7"))
    say(connection, question, is_yes=True)
    assert set(looked_at(connection, LATER)) == {"1", "7"}


def test_what_has_ended_is_no_longer_in_an_open_question_but_stays_in_an_answered_one(
    connection: sa.Connection,
) -> None:
    question = ask(connection, products=("1", "2"))
    connection.execute(sa.update(actions).where(actions.c.product == "1").values(state=ActionState.CANCELLED.value))
    assert contents_of(connection, question).products == ("2",)
    assert count_products(connection, [question]) == {question.id: 1}
    say(connection, question, is_yes=True)
    answered = the_question(connection, question.id)
    assert contents_of(connection, answered).products == ("1", "2")
    assert count_products(connection, [answered]) == {question.id: 2}


@pytest.mark.parametrize(("is_yes", "kind"), [(True, OrderKind.GIVE_BACK), (False, OrderKind.KEEP)])
def test_an_answer_about_a_rule_that_is_gone_orders_it_for_every_product(
    connection: sa.Connection, kind: OrderKind, *, is_yes: bool
) -> None:
    for id_, state in (("1", HoldState.HOLDING), ("2", HoldState.STEPPED_BACK), ("3", HoldState.RELEASED)):
        hold(connection, id_=id_, state=state)
    hold(connection, OLD, "4", store=KSA)
    hold(connection, NEW, "5")
    question = gone(connection, in_force={WEB: {NEW: "f"}, KSA: {OLD: "f"}})
    assert (contents_of(connection, question).products, count_products(connection, [question])) == (
        ("1",),
        {question.id: 1},
    )
    say(connection, question, is_yes=is_yes)
    given = open_orders(connection, WEB, ["1", "2", "3", "5"])
    assert {id_: [(each.kind, each.rule) for each in orders] for id_, orders in given.items()} == {
        ProductId("1"): [(kind, OLD)],
        ProductId("2"): [(kind, OLD)],
    }
    assert set(looked_at(connection, LATER)) == {"1", "2"}
    assert has_open_orders(connection, WEB, OLD)
    settle_orders(connection, [replace(each, outcome="done") for orders in given.values() for each in orders], now=NOW)
    assert not has_open_orders(connection, WEB, OLD)
    assert [each.outcome for each in came_of_orders(connection, WEB, OLD, at=LATER)] == ["done", "done"]


def test_a_no_for_a_store_that_is_gone_lets_go_at_once_and_of_nothing_else(connection: sa.Connection) -> None:
    for id_ in ("1", "2"):
        hold(connection, id_=id_)
        row = {"store": WEB, "product": id_, "aspect": "membership", "target": "7", "baseline": True, "since": NOW}
        connection.execute(sa.insert(slots).values(row))
    hold(connection, NEW, "2")
    hold(connection, OLD, "2", store=KSA)
    review_questions(connection, {KSA: {OLD: "f"}}, now=NOW)
    (question,) = [each for each in load_questions(connection) if each.rule == OLD]
    with pytest.raises(DatabaseError, match="no store web any more"):
        answer(connection, question, is_yes=True, said="", now=LATER, stores=[KSA])
    answer(connection, question, is_yes=False, said="told so", now=LATER, stores=[KSA])
    open_ones = connection.execute(sa.select(holds.c.store, holds.c.rule).where(holds.c.ended_at.is_(None))).all()
    assert {tuple(row) for row in open_ones} == {(WEB, NEW), (KSA, OLD)}
    assert connection.execute(sa.select(slots.c.product)).scalars().all() == ["2"]
    assert not has_open_orders(connection, WEB, OLD)
    reasons = connection.execute(sa.select(holds.c.reason).where(holds.c.ended_at.is_not(None))).scalars()
    assert set(reasons) == {"a person wants it kept as it is: told so"}


@pytest.mark.parametrize("state", [state for state in QuestionState if state is not QuestionState.OPEN])
def test_only_an_open_question_takes_an_answer(connection: sa.Connection, state: QuestionState) -> None:
    question = ask(connection, state=state)
    with pytest.raises(DatabaseError):
        say(connection, question, is_yes=True)
    assert find_questions(connection, [question.id])[question.id].state is state


def test_after_a_no_it_is_said_how_one_product_is_wanted_again_but_not_of_moments(
    connection: sa.Connection,
) -> None:
    question = ask(connection, products=("1",))
    say(connection, question, is_yes=False)
    answered = find_questions(connection, [question.id])[question.id]
    command = (
        f"`rules-engine release-hold {question.rule} SKU --store {question.store}` lets the rule take one product again"
    )
    with pytest.raises(DatabaseError, match=f"that stands. {command}, or ask about it"):
        say(connection, answered, is_yes=True)
    connection.execute(sa.update(actions).values(step=Step.MOMENT.value))
    with pytest.raises(DatabaseError, match=r"that stands\.$"):
        say(connection, answered, is_yes=True)


def test_an_answer_comes_too_late_when_the_time_for_it_is_over(connection: sa.Connection) -> None:
    question = replace(ask(connection), expires_at=LATER)
    save_questions(connection, [question])
    with pytest.raises(DatabaseError, match="which counts as no"):
        say(connection, question, is_yes=True)


@pytest.mark.parametrize("begins", ["", "nothing", "%"])
def test_a_beginning_that_no_question_has_names_none(connection: sa.Connection, begins: str) -> None:
    ask(connection, kind=QuestionKind.GIVE_BACK)
    with pytest.raises(DatabaseError, match="There is no question"):
        the_question(connection, begins)
