"""A call is written down before it is made, and its outcome after; what failed for good waits for a person."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from rules_engine.core.action import ActionKey, ActionKind, Aspect, SlotRef
from rules_engine.core.delivery import StoreAlias
from rules_engine.core.errors import DatabaseError
from rules_engine.core.holds import Hold, HoldState, Slot
from rules_engine.core.plan import ActionState, Case, PlannedAction, Step
from rules_engine.core.rule import RuleCode
from rules_engine.core.subject import ProductId, product
from rules_engine.database import ledger, outbox, tables
from rules_engine.database.lanes import Look, due_looks, schedule_looks
from rules_engine.database.ledger import load_cases
from rules_engine.database.outbox import Attempt, AttemptResult

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
WEB, KSA = StoreAlias("web"), StoreAlias("ksa")
FIRST, OTHER = RuleCode("first"), RuleCode("other")
PRODUCT = product("17")
SLOT = SlotRef(ProductId("17"), Aspect.MEMBERSHIP, "c1")
HOLD = Hold(FIRST, PRODUCT, wish=False, episode=1, state=HoldState.PENDING, since=NOW)
ACTION = PlannedAction(
    key=ActionKey("abc-1"),
    kind=ActionKind.REMOVE_FROM_CATEGORY,
    slot=SLOT,
    target="c1",
    wish=False,
    step=Step.TAKE,
    rules=(FIRST,),
    about=PRODUCT,
    state=ActionState.PENDING,
    created_at=NOW,
)
REQUEST = {"method": "POST", "path": "/categories/c1/unassignProducts", "body": {"productIds": [17]}}


def plan(connection: sa.Connection, *actions: PlannedAction, holds: tuple[Hold, ...] = ()) -> None:
    """Store these actions, and these holds on the slot, as a turn would have left them."""
    for action in actions:
        case = Case(product(action.slot.product), actions={action.key: action})
        ledger.save_case(connection, WEB, Case(case.ref), case, now=NOW)
    if holds:
        case = Case(PRODUCT, slots={SLOT: Slot(SLOT, baseline=True, since=NOW, holds=holds)})
        ledger.save_case(connection, WEB, Case(PRODUCT), case, now=NOW)


def load(connection: sa.Connection) -> Case:
    return ledger.load_cases(connection, WEB, [PRODUCT], now=NOW)[PRODUCT]


def hold_states(connection: sa.Connection) -> dict[str, HoldState]:
    query = sa.select(tables.holds.c.rule, tables.holds.c.state)
    return {rule: HoldState(state) for rule, state in connection.execute(query)}


def attempt(connection: sa.Connection, *actions: PlannedAction, call: str = "call-1") -> None:
    keys = [action.key for action in actions]
    outbox.write_attempts(connection, WEB, call, keys, REQUEST, now=NOW + SECOND)


def record(connection: sa.Connection, *results: AttemptResult, call: str = "call-1") -> None:
    outbox.record_attempts(connection, WEB, call, results, status=200, milliseconds=120)


def open_actions(connection: sa.Connection) -> list[PlannedAction]:
    case = load_cases(connection, WEB, [PRODUCT], now=NOW)[PRODUCT]
    return [action for action in case.actions.values() if action.state.is_open]


def outcomes(connection: sa.Connection) -> list[tuple[str, str, str]]:
    query = sa.select(tables.attempts.c.call, tables.attempts.c.action, tables.attempts.c.outcome)
    return [(call, key, outcome) for call, key, outcome in connection.execute(query.order_by(tables.attempts.c.id))]


def test_the_outcome_of_an_attempt_is_unknown_until_the_answer(connection: sa.Connection) -> None:
    second = replace(ACTION, key=ActionKey("abc-2"))
    attempt(connection, ACTION, second)
    assert outcomes(connection) == [("call-1", "abc-1", "unknown"), ("call-1", "abc-2", "unknown")]
    record(connection, AttemptResult(second.key, "failed for now", "the shop is busy"))
    assert outcomes(connection) == [("call-1", "abc-1", "unknown"), ("call-1", "abc-2", "failed for now")]


def test_an_answer_belongs_to_its_own_call_and_store(connection: sa.Connection) -> None:
    attempt(connection, ACTION, call="lost")
    attempt(connection, ACTION, call="heard")
    outbox.write_attempts(connection, KSA, "heard", [ACTION.key], REQUEST, now=NOW)
    record(connection, AttemptResult(ACTION.key, "done"), call="heard")
    assert [outcome for _, _, outcome in outcomes(connection)] == ["unknown", "done", "unknown"]


def test_no_actions_and_no_results_change_nothing(connection: sa.Connection) -> None:
    attempt(connection)
    record(connection)
    assert outcomes(connection) == []


def dead(connection: sa.Connection, action: PlannedAction = ACTION, *holds: Hold) -> PlannedAction:
    """The action after one attempt that the shop refused for good."""
    letter = replace(action, state=ActionState.DEAD, attempts=1, reason="400: no such category")
    plan(connection, letter, holds=holds)
    attempt(connection, letter)
    record(connection, AttemptResult(letter.key, "failed", "400: no such category"))
    return letter


def test_a_dead_letter_comes_with_everything_that_was_tried(connection: sa.Connection) -> None:
    letter = dead(connection)
    plan(connection, replace(ACTION, key=ActionKey("abd-1")))
    tried = Attempt("call-1", NOW + SECOND, REQUEST, 200, 120, "failed", "400: no such category")
    assert outbox.dead_letter(connection, "ab") == outbox.DeadLetter(WEB, letter, (tried,))


def test_a_prefix_names_one_dead_letter_or_none(connection: sa.Connection) -> None:
    for key in ("abc-1", "abc-2"):
        dead(connection, replace(ACTION, key=ActionKey(key)))
    assert outbox.dead_letter(connection, "abc-2").action.key == "abc-2"
    with pytest.raises(DatabaseError, match="More than one"):
        outbox.dead_letter(connection, "abc")
    for prefix in ("x", "%", "abc_1"):
        with pytest.raises(DatabaseError, match="There is no dead letter"):
            outbox.dead_letter(connection, prefix)


def test_dead_letters_are_listed_oldest_first(connection: sa.Connection) -> None:
    letters = [dead(connection, replace(ACTION, key=ActionKey(key))) for key in "cab"]
    assert [letter.action for letter in outbox.dead_letters(connection)] == letters
    assert [letter.action for letter in outbox.dead_letters(connection, WEB, limit=2)] == letters[:2]
    assert outbox.dead_letters(connection, KSA) == []


@pytest.mark.parametrize("step", [Step.GIVE_BACK, Step.MOMENT])
def test_a_dead_letter_that_is_tried_again_is_looked_at_first(connection: sa.Connection, step: Step) -> None:
    action = replace(ACTION, step=step)
    letter = dead(connection, action)
    schedule_looks(connection, WEB, [PRODUCT], due_at=NOW + 600 * SECOND, reason="lag")
    outbox.retry_dead_letter(connection, letter.key, now=NOW)
    assert open_actions(connection) == [action]
    assert due_looks(connection, WEB, now=NOW, limit=9) == [Look(PRODUCT, NOW, "a dead letter is tried again")]


def test_a_rule_may_take_again_what_a_person_has_tried_again(connection: sa.Connection) -> None:
    refused = replace(HOLD, state=HoldState.NEVER_TAKEN, takes=1)
    letter = dead(connection, ACTION, refused, replace(refused, rule=OTHER), replace(refused, state=HoldState.OWED))
    outbox.retry_dead_letter(connection, letter.key, now=NOW)
    query = sa.select(tables.holds.c.rule, tables.holds.c.state, tables.holds.c.takes).order_by(tables.holds.c.id)
    assert [tuple(row) for row in connection.execute(query)] == [
        ("first", "released", 0),
        ("other", "never taken", 1),
        ("first", "owed", 1),
    ]
    again = replace(ACTION, created_at=NOW + SECOND)
    plan(connection, again)
    assert open_actions(connection) == [ACTION]
    assert [look.ref for look in due_looks(connection, WEB, now=NOW, limit=9)] == [PRODUCT]


def test_dropping_what_was_to_be_taken_ends_the_hold_as_never_taken(connection: sa.Connection) -> None:
    unrelated = replace(HOLD, rule=OTHER)
    owed = replace(HOLD, state=HoldState.OWED)
    letter = dead(connection, ACTION, HOLD, unrelated, owed)
    assert sorted(load(connection).slots) == [SLOT]
    outbox.drop_dead_letter(connection, letter.key, now=NOW, reason="Sara: the category is going anyway")
    query = sa.select(tables.holds.c.rule, tables.holds.c.state, tables.holds.c.ended_at)
    assert [tuple(row) for row in connection.execute(query.order_by(tables.holds.c.id))] == [
        ("first", "never taken", NOW),
        ("other", "pending", None),
        ("first", "owed", None),
    ]
    assert load(connection).slots[SLOT].baseline is True
    (row,) = connection.execute(sa.select(tables.actions)).mappings().all()
    assert (row["state"], row["reason"]) == ("cancelled", "Sara: the category is going anyway")
    assert [look.ref for look in due_looks(connection, WEB, now=NOW, limit=9)] == [PRODUCT]


def test_dropping_what_was_to_be_given_back_forgets_it_with_the_slot(connection: sa.Connection) -> None:
    owed = replace(HOLD, state=HoldState.OWED)
    letter = dead(connection, replace(ACTION, step=Step.GIVE_BACK), owed)
    outbox.drop_dead_letter(connection, letter.key, now=NOW, reason="")
    (row,) = connection.execute(sa.select(tables.holds)).mappings().all()
    assert (row["state"], row["reason"], row["changed_at"], row["ended_at"]) == ("released", "forgotten", NOW, NOW)
    assert load(connection).slots == {}


def test_dropping_what_was_to_be_given_back_leaves_what_is_to_be_taken(connection: sa.Connection) -> None:
    letter = dead(connection, replace(ACTION, step=Step.GIVE_BACK), HOLD)
    outbox.drop_dead_letter(connection, letter.key, now=NOW, reason="")
    assert hold_states(connection) == {"first": "pending"}


def test_a_moment_that_is_dropped_touches_no_hold(connection: sa.Connection) -> None:
    letter = dead(connection, replace(ACTION, step=Step.MOMENT), HOLD, replace(HOLD, rule=OTHER, state=HoldState.OWED))
    outbox.drop_dead_letter(connection, letter.key, now=NOW, reason="")
    assert hold_states(connection) == {"first": "pending", "other": "owed"}


def test_only_a_dead_letter_can_be_judged_and_only_once(connection: sa.Connection) -> None:
    plan(connection, replace(ACTION, key=ActionKey("alive")))
    letter = dead(connection)
    outbox.drop_dead_letter(connection, letter.key, now=NOW, reason="")
    for key in (ActionKey("alive"), letter.key, ActionKey("unknown")):
        with pytest.raises(DatabaseError, match="no dead letter"):
            outbox.retry_dead_letter(connection, key, now=NOW)
        with pytest.raises(DatabaseError, match="no dead letter"):
            outbox.drop_dead_letter(connection, key, now=NOW, reason="")


def test_actions_are_counted_by_store_and_state(connection: sa.Connection) -> None:
    plan(connection, ACTION, replace(ACTION, key=ActionKey("2")), replace(ACTION, key=ActionKey("3"), attempts=1))
    dead(connection, replace(ACTION, key=ActionKey("4")))
    assert outbox.action_counts(connection) == {(WEB, ActionState.PENDING): 3, (WEB, ActionState.DEAD): 1}
