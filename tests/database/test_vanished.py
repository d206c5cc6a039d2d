"""What rules that are gone hold is asked about once; what was asked of rules that changed is void."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from question_rows import KSA, NEW, NONE, NOW, OLD, WEB, ask, hold, looked_at, states

from rules_engine.core.holds import HoldState
from rules_engine.core.order import Order, OrderKind
from rules_engine.core.plan import ActionState
from rules_engine.core.question import QuestionKind, QuestionState
from rules_engine.core.rule import RuleCode
from rules_engine.core.subject import ProductId, product
from rules_engine.database.answers import count_products
from rules_engine.database.orders import give_orders, open_orders
from rules_engine.database.questions import load_questions
from rules_engine.database.tables import actions, holds
from rules_engine.database.vanished import (
    ITS_RULE_IS_GONE,
    RULE_IS_GONE,
    RULE_WAS_EDITED,
    STORE_IS_GONE,
    Vanished,
    rename_in_questions,
    review_questions,
    stray_holds,
    vanished,
)

# Rules that are gone.


def test_of_the_holds_only_those_that_are_open_are_read(connection: sa.Connection) -> None:
    seen: list[tuple[str, Any]] = []
    sa.event.listen(connection, "before_cursor_execute", lambda *a: seen.append((a[2], a[3])))
    vanished(connection, NONE)
    stray_holds(connection, [WEB])
    count_products(connection, [ask(connection, kind=QuestionKind.GONE)])
    of_holds = [(text, values) for text, values in seen if "FROM holds" in text]
    plans = [connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}", values).all() for text, values in of_holds]
    read = [row[-1] for plan in plans for row in plan if " holds" in row[-1]]
    assert len(read) == len(plans) == 3
    assert all("INDEX ix_holds_open_" in said for said in read), read


def test_one_question_is_asked_about_each_rule_and_store_however_often_it_is_reviewed(
    connection: sa.Connection,
) -> None:
    for id_ in ("1", "1", "2"):
        hold(connection, id_=id_)
    hold(connection, NEW)
    for later in range(3):
        found = review_questions(connection, {WEB: {NEW: "f"}}, now=NOW + timedelta(hours=later))
        assert found == [Vanished(WEB, OLD, 2)]
    asked = load_questions(connection)
    assert [(each.rule, each.kind, each.state) for each in asked] == [(OLD, QuestionKind.GONE, QuestionState.OPEN)]
    assert (asked[0].asked_at, asked[0].expires_at, asked[0].reason) == (NOW, None, RULE_IS_GONE)


@pytest.mark.parametrize("state", HoldState)
@pytest.mark.parametrize("takes", [0, 1])
def test_it_is_asked_about_what_was_taken_or_is_owed_and_nothing_else(
    connection: sa.Connection, state: HoldState, takes: int
) -> None:
    hold(connection, state=state, takes=takes)
    took = {HoldState.SENT, HoldState.TAKEN, HoldState.HOLDING, HoldState.OWED} | (
        {HoldState.PENDING} if takes else set()
    )
    assert bool(review_questions(connection, NONE, now=NOW)) is (state in took)


def test_what_was_ordered_already_is_not_asked_about(connection: sa.Connection) -> None:
    hold(connection, id_="1", is_ordered=True, state=HoldState.OWED)
    for id_, kind, rule in (
        ("2", OrderKind.KEEP, OLD),
        ("3", OrderKind.GIVE_BACK, RuleCode("")),
        ("4", OrderKind.GIVE_BACK, NEW),
        ("5", OrderKind.RESUME, OLD),
    ):
        hold(connection, id_=id_)
        give_orders(connection, WEB, [(ProductId(id_), Order(0, kind, rule, None, NOW, "told"))])
    assert review_questions(connection, NONE, now=NOW) == [Vanished(WEB, OLD, 2)]


def test_the_question_is_void_when_the_rule_is_back_or_holds_nothing_more(connection: sa.Connection) -> None:
    hold(connection)
    hold(connection, NEW)
    review_questions(connection, NONE, now=NOW)
    connection.execute(sa.update(holds).where(holds.c.rule == NEW).values(ended_at=NOW))
    assert review_questions(connection, {WEB: {OLD: "f"}}, now=NOW) == []
    assert set(states(connection).values()) == {QuestionState.VOID}


def test_a_rule_that_left_one_store_is_asked_about_there(connection: sa.Connection) -> None:
    hold(connection)
    hold(connection, store=KSA)
    assert review_questions(connection, {WEB: {OLD: "f"}, KSA: {}}, now=NOW) == [Vanished(KSA, OLD, 1)]


def test_a_store_that_is_gone_is_said_to_be_gone_until_it_is_back(connection: sa.Connection) -> None:
    hold(connection, store=KSA)
    hold(connection, NEW, store=KSA)
    assert review_questions(connection, {WEB: {}}, now=NOW) == [
        Vanished(KSA, NEW, 1, is_stray=True),
        Vanished(KSA, OLD, 1, is_stray=True),
    ]
    assert stray_holds(connection, [WEB]) == {KSA: 1}
    assert {each.reason for each in load_questions(connection)} == {STORE_IS_GONE}
    assert review_questions(connection, {WEB: {}, KSA: {NEW: "f"}}, now=NOW) == [Vanished(KSA, OLD, 1)]
    assert [each.reason for each in load_questions(connection)] == [RULE_IS_GONE]
    assert stray_holds(connection, [WEB, KSA]) == {}


# Rules that changed.


@pytest.mark.parametrize("state", QuestionState)
@pytest.mark.parametrize(("rules", "is_void"), [({OLD: "as asked"}, False), ({OLD: "edited"}, True), ({}, True)])
def test_a_waiting_question_is_void_when_its_rule_was_edited_or_is_gone(
    connection: sa.Connection, state: QuestionState, rules: dict[RuleCode, str], *, is_void: bool
) -> None:
    ask(connection, state=state, products=("1", "2"))
    review_questions(connection, {WEB: rules}, now=NOW)
    was_waiting = state.is_waiting and is_void
    assert states(connection)[OLD, QuestionKind.TAKE] is (QuestionState.VOID if was_waiting else state)
    assert sorted(looked_at(connection)) == (["1", "2"] if is_void else [])
    named = set(connection.execute(sa.select(actions.c.question)).scalars())
    assert (named == {None}) is is_void  # what was answered for another text of the rule is agreed no more


def test_what_was_called_for_keeps_its_answer_and_what_was_only_let_through_does_not(connection: sa.Connection) -> None:
    ask(connection, state=QuestionState.YES, products=("1", "2"))
    connection.execute(sa.update(actions).values(admitted_at=NOW, state=ActionState.PENDING.value))
    sent = {"state": ActionState.SENT.value, "called_at": NOW}
    connection.execute(sa.update(actions).where(actions.c.product == "2").values(sent))
    review_questions(connection, {WEB: {OLD: "edited"}}, now=NOW, swept=[WEB])
    query = sa.select(actions.c.product, actions.c.admitted_at, actions.c.question.is_not(None))
    assert {id_: (at, named) for id_, at, named in connection.execute(query)} == {"1": (None, False), "2": (NOW, True)}
    assert looked_at(connection) == []  # the whole catalogue is decided anyhow


@pytest.mark.parametrize(("rules", "told"), [({OLD: "edited"}, RULE_WAS_EDITED), ({}, ITS_RULE_IS_GONE)])
def test_what_waited_for_an_answer_tells_no_more_of_a_question_that_is_void(
    connection: sa.Connection, rules: dict[RuleCode, str], told: str
) -> None:
    ask(connection, products=("1", "2"))
    connection.execute(sa.update(actions).values(reason="waits for an answer: too many"))
    of_hours = {"state": ActionState.PENDING.value, "reason": "waits for its hours"}
    connection.execute(sa.update(actions).where(actions.c.product == "2").values(of_hours))
    review_questions(connection, {WEB: rules}, now=NOW, swept=[WEB])
    query = sa.select(actions.c.product, actions.c.reason).order_by(actions.c.product)
    assert list(connection.execute(query)) == [("1", told), ("2", "waits for its hours")]


# Rules with another code.


def test_what_is_asked_and_ordered_goes_over_to_the_new_code(connection: sa.Connection) -> None:
    ask(connection)
    ask(connection, kind=QuestionKind.GIVE_BACK, state=QuestionState.YES)
    give_orders(connection, WEB, [(ProductId("1"), Order(0, OrderKind.KEEP, OLD, None, NOW, "told"))])
    rename_in_questions(connection, OLD, NEW, now=NOW)
    assert states(connection) == {
        (NEW, QuestionKind.TAKE): QuestionState.OPEN,
        (OLD, QuestionKind.GIVE_BACK): QuestionState.YES,
    }
    assert [each.rule for each in open_orders(connection, WEB, ["1"])[ProductId("1")]] == [NEW]
    review_questions(connection, {WEB: {NEW: "as asked"}}, now=NOW)
    assert states(connection)[NEW, QuestionKind.TAKE] is QuestionState.OPEN


@pytest.mark.parametrize("state", QuestionState)
def test_an_answer_goes_over_to_the_new_code_as_long_as_something_waits_to_hear_it(
    connection: sa.Connection, state: QuestionState
) -> None:
    ask(connection, state=state, products=("1",))
    rename_in_questions(connection, OLD, NEW, now=NOW)
    review_questions(connection, {WEB: {NEW: "as asked"}}, now=NOW, swept=[WEB])
    goes_over = state is not QuestionState.VOID
    assert states(connection) == {(NEW if goes_over else OLD, QuestionKind.TAKE): state}
    named = connection.execute(sa.select(actions.c.question)).scalar_one()
    assert (named is not None) is goes_over


def test_of_two_questions_that_become_one_that_of_the_new_code_goes_on(connection: sa.Connection) -> None:
    ask(connection, OLD, products=("1",))
    ask(connection, NEW, products=("2",))
    rename_in_questions(connection, OLD, NEW, now=NOW)
    assert states(connection) == {
        (OLD, QuestionKind.TAKE): QuestionState.VOID,
        (NEW, QuestionKind.TAKE): QuestionState.OPEN,
    }
    assert looked_at(connection) == [product("1").id]
