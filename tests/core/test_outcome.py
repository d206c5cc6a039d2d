"""What an answer of the shop means for an action, its hold, and what is known of the product."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from core_builders import FEATURED, LAG, Bench, holding, membership, sold_out

from rules_engine.core.action import Done, LookAgain, NothingToDo, Verdict
from rules_engine.core.directory import Directory
from rules_engine.core.errors import AuthenticationError, PermanentError, TemporaryError
from rules_engine.core.holds import HoldState
from rules_engine.core.outcome import answered as hears
from rules_engine.core.plan import ActionState, PlannedAction
from rules_engine.core.retry import MAX_ATTEMPTS
from rules_engine.core.rule import RuleCode


def answered(verdict: Verdict, *, is_proven: bool = False, attempts: int = 1) -> tuple[Bench, PlannedAction]:
    """A take after this answer to its last attempt."""
    desk = sold_out()
    key = desk.action().key
    for _ in range(attempts):
        desk.attempts(key)
    desk.hears(verdict, key, is_proven=is_proven)
    return desk, desk.memory.actions[key]


@pytest.mark.parametrize(
    ("verdict", "action", "hold"),
    [
        (Done(), ActionState.DONE, HoldState.TAKEN),
        (Done(is_shown=True), ActionState.CONFIRMED, HoldState.HOLDING),
        (NothingToDo(), ActionState.CONFIRMED, HoldState.RELEASED),
        (LookAgain("404"), ActionState.SENT, HoldState.SENT),
        (TemporaryError("429"), ActionState.WAITING, HoldState.SENT),
        (AuthenticationError("401"), ActionState.WAITING, HoldState.SENT),
        (PermanentError("400"), ActionState.DEAD, HoldState.NEVER_TAKEN),
    ],
)
def test_every_verdict_on_a_take(verdict: Verdict, action: ActionState, hold: HoldState) -> None:
    desk, planned = answered(verdict)
    assert planned.state is action
    assert desk.hold().state is hold


@pytest.mark.parametrize(
    ("verdict", "action", "hold"),
    [
        (Done(), ActionState.DONE, HoldState.OWED),
        (Done(is_shown=True), ActionState.CONFIRMED, HoldState.RELEASED),
        (NothingToDo(), ActionState.CONFIRMED, HoldState.RELEASED),
        (LookAgain("404"), ActionState.SENT, HoldState.OWED),
        (TemporaryError("429"), ActionState.WAITING, HoldState.OWED),
        (AuthenticationError("401"), ActionState.WAITING, HoldState.OWED),
        (PermanentError("400"), ActionState.DEAD, HoldState.OWED),
    ],
)
def test_every_verdict_on_a_give_back(verdict: Verdict, action: ActionState, hold: HoldState) -> None:
    desk = holding()
    desk.later(seconds=1).sees(stock=3)
    key = desk.action().key
    desk.calls(verdict)
    assert desk.memory.actions[key].state is action
    assert desk.hold().state is hold


def test_nothing_to_do_at_a_later_attempt_means_that_an_earlier_one_did_it() -> None:
    desk, planned = answered(NothingToDo(), attempts=2)
    assert planned.state is ActionState.DONE
    assert desk.hold().state is HoldState.TAKEN


def test_where_answers_prove_the_effect_done_is_confirmed() -> None:
    desk, planned = answered(Done(), is_proven=True)
    assert planned.state is ActionState.CONFIRMED
    assert planned.done_at == desk.at


def test_what_was_done_is_known_at_once() -> None:
    desk, _ = answered(Done())
    snapshot = desk.case().snapshot
    assert snapshot is not None
    assert snapshot.fields["category_ids"] == []
    assert snapshot.fields["categories"] == []


@pytest.mark.parametrize("verdict", [LookAgain("404"), TemporaryError("429"), PermanentError("400")])
def test_what_was_not_done_is_not_known(verdict: Verdict) -> None:
    desk, _ = answered(verdict)
    snapshot = desk.case().snapshot
    assert snapshot is not None
    assert snapshot.fields["category_ids"] == [FEATURED]


def test_a_failure_waits_for_as_long_as_it_is_told() -> None:
    desk = sold_out()
    key = desk.attempts()
    desk.hears(TemporaryError("429", delay=9), key, retry_in=timedelta(seconds=9))
    assert desk.memory.actions[key].due_at == desk.at + timedelta(seconds=9)
    assert desk.memory.actions[key].reason == "429"


def test_the_last_failure_that_counts_makes_a_dead_letter() -> None:
    assert answered(TemporaryError("500"), attempts=MAX_ATTEMPTS - 1)[1].state is ActionState.WAITING
    assert answered(TemporaryError("500"), attempts=MAX_ATTEMPTS)[1].state is ActionState.DEAD


def test_an_attempt_counts_and_is_no_longer_due() -> None:
    desk = sold_out()
    key = desk.attempts()
    action = desk.memory.actions[key]
    assert (action.state, action.attempts, action.due_at) == (ActionState.SENT, 1, None)


def test_a_dead_take_leaves_no_open_hold_and_no_slot() -> None:
    desk, _ = answered(PermanentError("400"))
    assert membership() not in desk.case().slots
    assert desk.later(seconds=LAG.total_seconds()).sees().case.slots.get(membership()) is None


@pytest.mark.parametrize(("is_taken_by_another", "state"), [(True, HoldState.RELEASED), (False, HoldState.OWED)])
@pytest.mark.parametrize("verdict", [Done(), Done(is_shown=True)])
def test_what_was_owed_is_given_back_by_who_has_taken_the_same_since(
    verdict: Done, is_taken_by_another: bool, state: HoldState
) -> None:
    desk = sold_out()
    planned = desk.action()
    desk.attempts(planned.key)
    case = desk.case()
    slot = case.slots[planned.slot]
    debt = replace(desk.hold(), state=HoldState.OWED, takes=0)  # its stretch ended before its call was answered
    taker = replace(desk.hold(), rule=RuleCode("other"))
    slot = replace(slot, holds=(debt, taker) if is_taken_by_another else (debt,))
    after = hears(
        replace(case, slots={planned.slot: slot}),
        planned.key,
        verdict,
        at=desk.at,
        retry_in=LAG,
        is_proven=False,
        counts=True,
        directory=Directory(),
    )
    first = after.slots[planned.slot].holds[0]
    assert first.state is state
    assert first.reason == ("other holds it on" if is_taken_by_another else debt.reason)
