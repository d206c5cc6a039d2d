"""How much rules did lately, as the database counts it, and what a turn relies on."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from rules_engine.core.action import ActionKey, ActionKind, Aspect, SlotRef
from rules_engine.core.delivery import StoreAlias
from rules_engine.core.errors import LaneLostError
from rules_engine.core.limits import KINDS, Used, counts
from rules_engine.core.plan import ActionState, Case, PlannedAction, Step
from rules_engine.core.question import Question, QuestionId, QuestionKind, QuestionState
from rules_engine.core.rule import RuleCode
from rules_engine.core.subject import ProductId, product
from rules_engine.core.sweep import SweepKind, SweepState
from rules_engine.database.ledger import load_cases, save_case
from rules_engine.database.outbox import retry_dead_letter
from rules_engine.database.questions import confirm_states, save_questions
from rules_engine.database.sweeps import find_sweep, request_sweep, save_sweep
from rules_engine.database.usage import (
    catalogue_size,
    counted_products,
    held_for,
    held_removes,
    leaving_products,
    mark_held,
    used_by,
)

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
WEB, KSA = StoreAlias("web"), StoreAlias("ksa")
RULE, OTHER = RuleCode("leaves"), RuleCode("other")
ASKED = QuestionId("asked")
AGREED = QuestionId("agreed")
BASE = PlannedAction(
    key=ActionKey("0"),
    kind=ActionKind.REMOVE_FROM_CATEGORY,
    slot=SlotRef(ProductId("0"), Aspect.MEMBERSHIP, "c1"),
    target="c1",
    wish=False,
    step=Step.TAKE,
    rules=(RULE, OTHER),
    about=product("0"),
    state=ActionState.PENDING,
    created_at=NOW,
)


def an_action(number: int, **changes: Any) -> PlannedAction:
    """The action of this number, about a product of its own."""
    slot = replace(BASE.slot, product=ProductId(str(number)))
    return replace(BASE, key=ActionKey(f"k{number}"), slot=slot, **changes)


def plan(connection: sa.Connection, *planned: PlannedAction, store: StoreAlias = WEB) -> None:
    """Store these actions as a turn would have left them."""
    for action in planned:
        ref = product(action.slot.product)
        save_case(connection, store, Case(ref), Case(ref, actions={action.key: action}), now=NOW)


times = st.none() | st.integers(0, 180).map(lambda minutes: NOW - timedelta(minutes=minutes))
stored = st.builds(
    lambda number, rules, step, state, admitted, called: an_action(
        number, rules=rules, step=step, state=state, admitted_at=admitted, called_at=called
    ),
    st.integers(0, 4),
    st.sampled_from([(RULE,), (OTHER,), (RULE, OTHER), (OTHER, RULE)]),
    st.sampled_from(Step),
    st.sampled_from(ActionState),
    times,
    times,
)


@given(st.lists(stored, max_size=8), st.sampled_from(list(QuestionKind)[:2]))
def test_the_database_counts_as_the_core_says(
    memory: sa.Engine, planned: list[PlannedAction], kind: QuestionKind
) -> None:
    planned = [replace(each, key=ActionKey(str(place))) for place, each in enumerate(planned)]
    since = NOW - HOUR
    with memory.connect() as connection:
        plan(connection, *planned)
        plan(connection, an_action(9, admitted_at=NOW), store=KSA)
        found = counted_products(connection, WEB, RULE, kind, since=since)
        among = frozenset({ProductId("1"), ProductId("2"), ProductId("77")})
        used = used_by(connection, WEB, RULE, kind, since=since, among=among)
        connection.rollback()
    of_rule = (each for each in planned if each.rules[0] == RULE and KINDS.get(each.step) is kind)
    assert found == {each.slot.product for each in of_rule if counts(each, since=since)}
    assert used == Used(len(found), found & among)


def test_an_action_that_is_opened_again_still_counts_for_its_last_call(connection: sa.Connection) -> None:
    called = an_action(1, state=ActionState.CANCELLED, admitted_at=NOW, called_at=NOW, attempts=1)
    plan(connection, called)
    plan(connection, an_action(1))
    assert counted_products(connection, WEB, RULE, QuestionKind.TAKE, since=NOW - HOUR) == {"1"}
    loaded = load_cases(connection, WEB, [product("1")], now=NOW)[product("1")].actions[called.key]
    assert (loaded.state, loaded.attempts, loaded.called_at) == (ActionState.PENDING, 0, NOW)


def test_what_is_held_back_counts_from_when_its_question_is_found_to_be_needless(connection: sa.Connection) -> None:
    plan(connection, an_action(1, state=ActionState.HELD, question=ASKED), an_action(2, state=ActionState.HELD))
    assert counted_products(connection, WEB, RULE, QuestionKind.TAKE, since=NOW - HOUR) == set()
    mark_held(connection, ASKED, reason="", admitted_at=NOW)
    assert counted_products(connection, WEB, RULE, QuestionKind.TAKE, since=NOW - HOUR) == {"1"}
    assert [each.slot.product for each in held_for(connection, [ASKED])] == ["1"]


def test_what_waits_for_room_is_listed_by_how_long_it_waits(connection: sa.Connection) -> None:
    later = NOW + HOUR
    plan(
        connection,
        an_action(3, state=ActionState.HELD),
        an_action(2, state=ActionState.HELD, created_at=later),
        an_action(1, state=ActionState.HELD, created_at=later),
        an_action(4),
        an_action(5, state=ActionState.HELD, rules=(OTHER, RULE)),
        an_action(6, state=ActionState.HELD, target="c2"),
    )
    found = held_removes(connection, WEB, RULE, "c1", due_by=NOW, limit=2)
    assert [each.slot.product for each in found] == ["3", "1"]


def test_what_waits_for_an_answer_or_for_its_hours_does_not_wait_for_room(connection: sa.Connection) -> None:
    agreed = Question(AGREED, WEB, RULE, QuestionKind.TAKE, "", "", QuestionState.YES, asked_at=NOW)
    save_questions(connection, [agreed, replace(agreed, id=ASKED, state=QuestionState.OPEN)])
    plan(
        connection,
        an_action(1, state=ActionState.HELD, question=ASKED),
        an_action(2, state=ActionState.HELD, question=AGREED),
        an_action(3, state=ActionState.HELD, due_at=NOW + HOUR),
        an_action(4, state=ActionState.HELD, due_at=NOW),
    )
    found = held_removes(connection, WEB, RULE, "c1", due_by=NOW, limit=9)
    assert [each.slot.product for each in found] == ["2", "4"]


def test_what_leaves_a_category_is_what_may_be_called_for_and_what_was(connection: sa.Connection) -> None:
    plan(
        connection,
        an_action(1, admitted_at=NOW),
        an_action(2),  # not let through yet
        an_action(3, rules=(OTHER,)),
        an_action(4, state=ActionState.DONE, admitted_at=NOW),
        an_action(5, state=ActionState.HELD, admitted_at=NOW),
        an_action(6, state=ActionState.CONFIRMED, admitted_at=NOW),
        an_action(7, target="c2", admitted_at=NOW),
        an_action(8, kind=ActionKind.ADD_TO_CATEGORY, admitted_at=NOW),
    )
    assert leaving_products(connection, WEB, "c1", guarded={RULE}) == {"1", "3", "4"}


def test_the_size_of_a_catalogue_is_what_the_last_complete_sweep_found(connection: sa.Connection) -> None:
    assert catalogue_size(connection, WEB) is None
    for place, (kind, seen) in enumerate(
        [(SweepKind.LEARNING, 90), (SweepKind.NIGHTLY, 100), (SweepKind.CHANGES, 3), (SweepKind.RULES, 80)]
    ):
        id_ = request_sweep(connection, WEB, kind, now=NOW, reason="")
        sweep = find_sweep(connection, id_)
        assert sweep is not None
        ended = replace(sweep, state=SweepState.DONE, finished_at=NOW + place * HOUR, seen=seen)
        save_sweep(connection, ended)
    assert catalogue_size(connection, WEB) == 100


def test_a_turn_that_relied_on_a_question_is_lost_once_that_is_answered(connection: sa.Connection) -> None:
    question = Question(ASKED, WEB, RULE, QuestionKind.TAKE, "", "", QuestionState.OPEN, asked_at=NOW)
    save_questions(connection, [question])
    confirm_states(connection, {ASKED: QuestionState.OPEN})
    save_questions(connection, [replace(question, state=QuestionState.YES)])
    with pytest.raises(LaneLostError):
        confirm_states(connection, {ASKED: QuestionState.OPEN})


def test_a_give_back_that_is_tried_again_needs_room_again(connection: sa.Connection) -> None:
    dead = an_action(1, step=Step.GIVE_BACK, state=ActionState.DEAD, admitted_at=NOW, question=ASKED, attempts=8)
    plan(connection, dead)
    retry_dead_letter(connection, dead.key, now=NOW + HOUR)
    again = load_cases(connection, WEB, [product("1")], now=NOW)[product("1")].actions[dead.key]
    assert (again.state, again.admitted_at, again.question) == (ActionState.PENDING, None, None)
    assert counted_products(connection, WEB, RULE, QuestionKind.GIVE_BACK, since=NOW) == set()


def test_what_a_rule_did_long_ago_is_not_read_to_count_what_it_does(connection: sa.Connection) -> None:
    seen: list[tuple[str, Any]] = []
    sa.event.listen(connection, "before_cursor_execute", lambda *a: seen.append((a[2], a[3])))
    counted_products(connection, WEB, RULE, QuestionKind.TAKE, since=NOW)
    [(text, values)] = seen
    plan = [row[-1] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}", values)]
    assert [said for said in plan if "SEARCH" in said] == [
        "SEARCH actions USING INDEX ix_actions_called (store=? AND rule=? AND called_at>?)",
        "SEARCH actions USING INDEX ix_actions_state (state=? AND store=?)",
    ]


def test_who_waits_longest_is_found_without_reading_all_that_is_held_back(connection: sa.Connection) -> None:
    seen: list[tuple[str, Any]] = []
    sa.event.listen(connection, "before_cursor_execute", lambda *a: seen.append((a[2], a[3])))
    held_removes(connection, WEB, RULE, "c1", due_by=NOW, limit=1)
    [(text, values)] = seen
    plan = [row[-1] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}", values)]
    assert plan[0] == "SEARCH actions USING INDEX ix_actions_held (store=? AND rule=? AND target=?)"
    assert not [said for said in plan if "ORDER BY" in said]
