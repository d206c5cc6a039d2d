"""The hold table, row by row: what happens when a condition ends, and when a read shows the old value."""

from __future__ import annotations

from dataclasses import replace

from core_builders import (
    FEATURED,
    FEW,
    LAG,
    LEAVES,
    START,
    Bench,
    holding,
    membership,
    removes,
    sold_out,
    stock,
    taken,
    while_,
)

from rules_engine.core.action import ActionKind, Done, LookAgain, NothingToDo
from rules_engine.core.condition import Test, Word
from rules_engine.core.errors import AuthenticationError, PermanentError, TemporaryError
from rules_engine.core.holds import HoldState
from rules_engine.core.plan import ActionState, Step
from rules_engine.core.retry import MAX_ATTEMPTS

# ----------------------------------------------------------------------------------------- pending


def test_a_met_rule_decides_to_take_and_a_pending_hold_remembers_the_baseline() -> None:
    desk = sold_out()
    assert desk.hold().state is HoldState.PENDING
    assert desk.case().slots[membership()].baseline is True
    action = desk.action()
    assert (action.kind, action.target, action.step) == (ActionKind.REMOVE_FROM_CATEGORY, FEATURED, Step.TAKE)


def test_pending_is_dropped_when_the_condition_ends_and_nothing_is_called() -> None:
    desk = sold_out()
    desk.later(seconds=1).sees(stock=3)
    assert desk.hold().state is HoldState.RELEASED
    assert not desk.actions()
    assert not desk.is_held()


def test_pending_stays_pending_while_a_read_shows_the_old_value() -> None:
    desk = sold_out()
    key = desk.action().key
    desk.later(seconds=1).sees()
    assert desk.hold().state is HoldState.PENDING
    assert desk.action().key == key


def test_somebody_else_did_it_first_as_a_read_shows_and_nothing_is_owed() -> None:
    desk = sold_out()
    desk.later(seconds=1).sees(category_ids=[])
    assert desk.hold().state is HoldState.RELEASED
    desk.later(seconds=1).sees(stock=3)
    assert not desk.actions()


def test_somebody_else_did_it_first_as_the_shop_answers_and_nothing_is_owed() -> None:
    desk = sold_out()
    desk.calls(NothingToDo())
    assert desk.hold().state is HoldState.RELEASED
    desk.later(seconds=1).sees(category_ids=[], stock=3)
    assert not desk.actions()


# -------------------------------------------------------------------------------------------- sent


def test_an_attempt_makes_the_hold_sent_before_the_call() -> None:
    desk = sold_out()
    desk.attempts()
    assert desk.hold().state is HoldState.SENT
    assert desk.action().state is ActionState.SENT


def test_sent_and_a_read_shows_it_done_so_it_was_us() -> None:
    desk = sold_out()
    desk.attempts()
    desk.later(seconds=1).sees(category_ids=[])
    assert desk.hold().state is HoldState.HOLDING
    assert desk.hold().takes == 1


def test_sent_and_a_read_shows_the_old_value_so_the_same_row_is_sent_again() -> None:
    desk = sold_out()
    key = desk.attempts()
    desk.later(seconds=1).sees()
    assert desk.hold().state is HoldState.SENT
    assert [action.key for action in desk.to_send()] == [key]
    desk.calls()
    assert desk.hold().state is HoldState.TAKEN
    assert desk.memory.actions[key].attempts == 2


def test_sent_and_the_shop_has_nothing_to_do_at_the_second_attempt_so_it_was_us() -> None:
    desk = sold_out()
    desk.attempts()
    desk.later(seconds=1).sees()
    desk.calls(NothingToDo())
    assert desk.hold().state is HoldState.TAKEN


def test_sent_and_the_condition_ends_and_a_read_shows_the_old_value_so_nothing_was_taken() -> None:
    desk = sold_out()
    desk.attempts()
    desk.later(seconds=1).sees(stock=3)
    assert desk.hold().state is HoldState.RELEASED
    assert not desk.actions()


def test_sent_and_the_condition_ends_and_a_read_shows_it_done_so_it_is_given_back() -> None:
    desk = sold_out()
    desk.attempts()
    desk.later(seconds=1).sees(stock=3, category_ids=[])
    assert desk.hold().state is HoldState.OWED
    assert desk.action().step is Step.GIVE_BACK


def test_sent_and_nothing_can_be_seen_so_what_may_have_been_taken_is_given_back() -> None:
    desk = sold_out()
    desk.attempts()
    desk.rules = (replace(LEAVES, condition=stock(Word.AT_MOST, -1)),)
    desk.later(seconds=1).recalls()
    assert desk.hold().state is HoldState.OWED
    action = desk.action()
    assert (action.step, action.kind) == (Step.GIVE_BACK, ActionKind.ADD_TO_CATEGORY)


def test_an_answer_that_proves_nothing_leaves_it_to_a_read() -> None:
    desk = sold_out()
    desk.calls(LookAgain("404 for a batch"))
    assert desk.hold().state is HoldState.SENT
    desk.later(seconds=2).sees()
    assert desk.to_send()


def test_a_temporary_error_waits_until_the_action_is_due() -> None:
    desk = sold_out()
    desk.calls(TemporaryError("busy"))
    assert desk.action().state is ActionState.WAITING
    assert not desk.to_send()
    desk.later(seconds=2).sees()
    assert desk.to_send()
    assert desk.hold().state is HoldState.SENT


def test_a_failed_call_that_happened_after_all_is_ours() -> None:
    desk = sold_out()
    desk.calls(TemporaryError("no answer"))
    desk.later(seconds=1).sees(category_ids=[])
    assert desk.hold().state is HoldState.HOLDING
    assert not desk.actions()


def test_a_permanent_failure_to_take_ends_the_hold_as_never_taken() -> None:
    desk = sold_out()
    desk.calls(PermanentError("no"))
    assert desk.hold().state is HoldState.NEVER_TAKEN
    desk.later(seconds=1).sees()
    assert not desk.actions()
    desk.later(seconds=1).sees(stock=3)
    assert not desk.actions()


def test_a_parked_store_brings_no_action_nearer_to_its_end() -> None:
    desk = sold_out()
    for _ in range(MAX_ATTEMPTS + 2):
        desk.calls(AuthenticationError("who are you?"))
        desk.later(minutes=15).sees()
    assert desk.hold().state is HoldState.SENT
    assert desk.to_send()


def test_a_shop_that_is_away_brings_no_action_nearer_to_its_end() -> None:
    desk = sold_out()
    for _ in range(MAX_ATTEMPTS + 2):
        key = desk.attempts()
        desk.hears(TemporaryError("unavailable"), key, counts=False)
        desk.later(minutes=1).sees()
    assert desk.to_send()


def test_too_many_failures_make_a_dead_letter_and_nothing_was_taken() -> None:
    desk = sold_out()
    for _ in range(MAX_ATTEMPTS):
        desk.later(minutes=1).sees()
        desk.calls(TemporaryError("500"))
    assert desk.hold().state is HoldState.NEVER_TAKEN
    assert not desk.actions()
    desk.later(minutes=1).sees()
    assert not desk.actions()


# ------------------------------------------------------------------------------------------- taken


def test_taken_is_given_back_when_the_condition_ends() -> None:
    desk = taken()
    assert desk.hold().state is HoldState.TAKEN
    desk.later(seconds=1).sees(category_ids=[], stock=3)
    assert desk.hold().state is HoldState.OWED
    assert (desk.action().step, desk.action().wish) == (Step.GIVE_BACK, True)


def test_taken_and_a_read_shows_the_old_value_within_the_lag_so_we_wait() -> None:
    desk = taken()
    decision = desk.later(minutes=9).sees()
    assert desk.hold().state is HoldState.TAKEN
    assert not desk.to_send()
    assert decision.look_at == START.replace(second=1) + LAG


def test_taken_and_a_read_shows_the_old_value_after_the_lag_so_it_did_not_happen_and_is_tried_again() -> None:
    desk = taken()
    key = desk.action().key
    desk.later(minutes=10).sees()
    assert [action.key for action in desk.to_send()] == [key]
    assert desk.hold().state is HoldState.SENT


def test_a_200_that_never_happens_becomes_a_dead_letter() -> None:
    desk = taken()
    for _ in range(MAX_ATTEMPTS - 1):
        desk.later(minutes=10).sees()
        desk.calls()
    desk.later(minutes=10).sees()
    assert desk.hold().state is HoldState.NEVER_TAKEN
    (dead,) = [a for a in desk.memory.actions.values() if a.state is ActionState.DEAD]
    assert "later read still shows the old value" in dead.reason
    desk.later(minutes=10).sees()
    assert not desk.actions()


def test_taken_and_a_read_shows_it_so_it_is_held() -> None:
    desk = holding()
    assert desk.hold().state is HoldState.HOLDING
    assert not desk.actions()


def test_an_answer_that_proves_it_counts_as_a_read() -> None:
    desk = sold_out()
    key = desk.attempts()
    desk.hears(Done(is_shown=True), key)
    assert desk.hold().state is HoldState.HOLDING
    assert not desk.actions()


def test_a_give_back_inside_the_lag_is_not_taken_for_done_because_the_shop_still_shows_the_old_value() -> None:
    desk = taken()
    desk.later(seconds=5).sees(stock=3)  # the shop said done, and still shows the product in Featured
    assert desk.hold().state is HoldState.OWED
    desk.later(seconds=5).sees()
    assert desk.hold().state is HoldState.OWED
    desk.later(seconds=5).sees(category_ids=[])
    desk.calls()
    desk.later(seconds=5).sees(category_ids=[FEATURED])
    assert desk.hold().state is HoldState.RELEASED


def test_a_rule_that_joins_what_another_has_just_taken_does_not_call_it_seen() -> None:
    desk = taken(LEAVES, while_(FEW, removes("Featured"), code="b", order=1))
    assert desk.hold(rule="b").state is HoldState.TAKEN


# ----------------------------------------------------------------------------------------- holding


def test_holding_is_given_back_when_the_condition_ends_and_released_when_a_read_shows_it() -> None:
    desk = holding()
    desk.later(seconds=1).sees(stock=3)
    assert desk.hold().state is HoldState.OWED
    desk.calls()
    assert desk.hold().state is HoldState.OWED
    desk.later(seconds=1).sees(category_ids=[FEATURED])
    assert desk.hold().state is HoldState.RELEASED
    assert not desk.is_held()
    assert not desk.actions()


def test_holding_and_a_read_shows_the_old_value_so_a_person_wins() -> None:
    desk = holding()
    desk.later(seconds=1).sees(category_ids=[FEATURED])
    assert desk.hold().state is HoldState.STEPPED_BACK
    assert "a person" in desk.says()
    assert not desk.actions()


def test_a_held_slot_shows_its_baseline_to_conditions() -> None:
    while_featured = while_(_in_featured(), removes("Featured"))
    desk = Bench((while_featured,))
    desk.sees()
    desk.calls()
    for _ in range(3):
        desk.later(seconds=1).sees(category_ids=[])
    assert desk.hold().state is HoldState.HOLDING
    assert not desk.actions()


def _in_featured() -> Test:
    return Test("product.categories", Word.CONTAINS, "Featured")


def test_a_product_returns_when_the_last_rule_lets_go() -> None:
    desk = holding(LEAVES, while_(FEW, removes("Featured"), code="b", order=1))
    desk.later(seconds=1).sees(stock=1)
    assert desk.hold().state is HoldState.RELEASED
    assert not desk.actions()
    desk.later(seconds=1).sees(stock=3)
    assert desk.hold(rule="b").state is HoldState.OWED
    assert desk.action().kind is ActionKind.ADD_TO_CATEGORY


def test_cannot_tell_keeps_what_is_held() -> None:
    desk = holding()
    del desk.fields["p1"]["stock"]
    desk.later(seconds=1).sees()
    assert desk.hold().state is HoldState.HOLDING
