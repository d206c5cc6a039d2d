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
from rules_engine.database.outbox import ActionResult, Attempt

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
    outbox.write_attempts(connection, WEB, call, actions, REQUEST, now=NOW + SECOND)


def record(connection: sa.Connection, *results: ActionResult, call: str = "call-1") -> None:
    outbox.record(connection, WEB, call, results, status=200, milliseconds=120, now=NOW + 2 * SECOND)


def test_open_actions_come_in_the_order_of_planning(connection: sa.Connection) -> None:
    states = {f"{n}": state for n, state in enumerate(ActionState)}
    made = [replace(ACTION, key=ActionKey(key), state=state) for key, state in reversed(states.items())]
    elsewhere = replace(ACTION, key=ActionKey("x"), slot=replace(SLOT, product=ProductId("18")))
    plan(connection, *made, elsewhere)
    found = outbox.open_actions(connection, WEB, [ProductId("17")])
    assert found == [action for action in made if action.state.is_open]
    assert outbox.open_actions(connection, KSA, [ProductId("17")]) == []
    assert outbox.open_actions(connection, WEB, []) == []


def test_the_order_of_planning_holds_over_many_products(connection: sa.Connection) -> None:
    ids = [ProductId(str(number)) for number in range(600)]
    actions = [replace(ACTION, key=ActionKey(id_), slot=replace(SLOT, product=id_)) for id_ in reversed(ids)]
    plan(connection, *actions)
    assert outbox.open_actions(connection, WEB, ids) == actions


def test_an_attempt_counts_before_the_call(connection: sa.Connection) -> None:
    second = replace(ACTION, key=ActionKey("abc-2"), attempts=2, state=ActionState.WAITING)
    untouched = replace(ACTION, key=ActionKey("abc-3"))
    plan(connection, ACTION, second, untouched)
    attempt(connection, ACTION, second)
    assert outbox.open_actions(connection, WEB, [ProductId("17")]) == [
        replace(ACTION, state=ActionState.SENT, attempts=1),
        replace(second, state=ActionState.SENT, attempts=3),
        untouched,
    ]
    kept = connection.execute(sa.select(tables.attempts)).mappings().all()
    assert [(row["call"], row["action"], row["outcome"]) for row in kept] == [
        ("call-1", "abc-1", "unknown"),
        ("call-1", "abc-2", "unknown"),
    ]


def test_what_was_decided_to_take_counts_as_sent(connection: sa.Connection) -> None:
    both = replace(ACTION, rules=(FIRST, OTHER))
    holding = replace(HOLD, rule=OTHER, state=HoldState.HOLDING)
    bystander = replace(HOLD, rule=RuleCode("bystander"))
    plan(connection, both, holds=(HOLD, holding, bystander))
    attempt(connection, both)
    assert hold_states(connection) == {"first": "sent", "other": "holding", "bystander": "pending"}
    (first, *_) = load(connection).slots[SLOT].holds
    assert first.changed_at == NOW + SECOND


def test_another_slot_s_holds_are_left_alone(connection: sa.Connection) -> None:
    elsewhere = replace(ACTION, slot=replace(SLOT, target="c2"))
    plan(connection, elsewhere, holds=(HOLD,))
    attempt(connection, elsewhere)
    assert hold_states(connection) == {"first": "pending"}


@pytest.mark.parametrize("step", [Step.GIVE_BACK, Step.MOMENT])
def test_only_taking_makes_a_hold_sent(connection: sa.Connection, step: Step) -> None:
    action = replace(ACTION, step=step)
    plan(connection, action, holds=(HOLD,))
    attempt(connection, action)
    assert hold_states(connection) == {"first": "pending"}


def test_what_came_of_a_call_is_recorded_for_each_action(connection: sa.Connection) -> None:
    second = replace(ACTION, key=ActionKey("abc-2"))
    plan(connection, ACTION, second)
    attempt(connection, ACTION, second)
    due_at = NOW + 60 * SECOND
    record(
        connection,
        ActionResult(ACTION.key, ActionState.DONE),
        ActionResult(second.key, ActionState.WAITING, "the shop is busy", due_at=due_at),
    )
    assert outbox.open_actions(connection, WEB, [ProductId("17")]) == [
        replace(ACTION, state=ActionState.DONE, attempts=1, done_at=NOW + 2 * SECOND),
        replace(second, state=ActionState.WAITING, attempts=1, due_at=due_at, reason="the shop is busy"),
    ]
    kept = connection.execute(sa.select(tables.attempts)).mappings().all()
    assert [(row["outcome"], row["status"], row["milliseconds"], row["reason"]) for row in kept] == [
        ("done", 200, 120, ""),
        ("waiting", 200, 120, "the shop is busy"),
    ]


def test_an_answer_belongs_to_its_own_call_only(connection: sa.Connection) -> None:
    plan(connection, ACTION)
    attempt(connection, ACTION, call="lost")
    attempt(connection, ACTION, call="heard")
    record(connection, ActionResult(ACTION.key, ActionState.CONFIRMED, done_at=NOW), call="heard")
    query = sa.select(tables.attempts.c.call, tables.attempts.c.outcome)
    assert {tuple(row) for row in connection.execute(query)} == {("lost", "unknown"), ("heard", "confirmed")}


def test_no_actions_and_no_results_change_nothing(connection: sa.Connection) -> None:
    attempt(connection)
    record(connection)
    assert outbox.action_counts(connection) == {}


def dead(connection: sa.Connection, action: PlannedAction = ACTION, *holds: Hold) -> PlannedAction:
    plan(connection, action, holds=holds)
    attempt(connection, action)
    record(connection, ActionResult(action.key, ActionState.DEAD, "400: no such category"))
    return replace(action, state=ActionState.DEAD, attempts=action.attempts + 1, reason="400: no such category")


def test_a_dead_letter_comes_with_everything_that_was_tried(connection: sa.Connection) -> None:
    letter = dead(connection)
    plan(connection, replace(ACTION, key=ActionKey("abd-1")))
    tried = Attempt("call-1", NOW + SECOND, REQUEST, 200, 120, "dead", "400: no such category")
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


def test_a_dead_letter_that_is_tried_again_is_looked_at_first(connection: sa.Connection) -> None:
    letter = dead(connection)
    schedule_looks(connection, WEB, [PRODUCT], due_at=NOW + 600 * SECOND, reason="lag")
    outbox.retry_dead_letter(connection, letter.key, now=NOW)
    assert outbox.open_actions(connection, WEB, [ProductId("17")]) == [ACTION]
    assert due_looks(connection, WEB, now=NOW, limit=9) == [Look(PRODUCT, NOW, "a dead letter is tried again")]


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
