"""Limits: what counts, what a rule may still do, and in what words it asks."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules_engine.core.action import ActionKey, ActionKind, Aspect, SlotRef
from rules_engine.core.limits import KINDS, Used, breach, ceilings, counts, needs_catalogue
from rules_engine.core.plan import ActionState, PlannedAction, Step
from rules_engine.core.question import QuestionKind
from rules_engine.core.rule import DAY, HOUR, Guards, Limit, RuleCode
from rules_engine.core.subject import ProductId, product

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
TAKE, GIVE_BACK = QuestionKind.TAKE, QuestionKind.GIVE_BACK


def ids(*numbers: int) -> frozenset[ProductId]:
    return frozenset(ProductId(str(number)) for number in numbers)


def many(count: int, start: int = 0) -> frozenset[ProductId]:
    return ids(*range(start, start + count))


def reason(
    guards: Guards,
    wanted: frozenset[ProductId],
    *,
    hour: frozenset[ProductId] = frozenset(),
    day: frozenset[ProductId] = frozenset(),
    kind: QuestionKind = TAKE,
    catalogue: int | None = None,
) -> str:
    return breach(ceilings(guards, kind, catalogue=catalogue), kind, wanted, {HOUR: Used.of(hour), DAY: Used.of(day)})


def action(state: ActionState, *, called: timedelta | None = None, is_admitted: bool = True) -> PlannedAction:
    return PlannedAction(
        key=ActionKey("key"),
        kind=ActionKind.HIDE,
        slot=SlotRef(ProductId("1"), Aspect.VISIBILITY),
        target="",
        wish=False,
        step=Step.TAKE,
        rules=(RuleCode("hides"),),
        about=product("1"),
        state=state,
        created_at=NOW - DAY,
        admitted_at=NOW - DAY if is_admitted else None,
        called_at=None if called is None else NOW - called,
    )


A_DAY = Guards(limits=(Limit(200, DAY),))
PERCENT = Guards(limits=(Limit(2, DAY, is_percent=True),))
BOTH = Guards(limits=(Limit(5, HOUR), Limit(20, DAY)))
ASKS = Guards(ask_over=100)


@pytest.mark.parametrize(
    ("guards", "wanted", "day", "said"),
    [
        (A_DAY, many(200), ids(), ""),
        (A_DAY, many(240), ids(), "it wants to take 240 products within a day; its limit is 200 a day"),
        (A_DAY, many(200), many(10), ""),  # those that count already need no more room
        (
            A_DAY,
            many(6, 500),
            many(195),
            "it wants to take 6 products after 195 within the last day; its limit is 200 a day",
        ),
        (
            A_DAY,
            many(1, 500),
            many(200),
            "it wants to take 1 product after 200 within the last day; its limit is 200 a day",
        ),
        (A_DAY, many(200), many(300), ""),  # a person said yes to more than the limit: what counts goes on
        (BOTH, many(6), ids(), "it wants to take 6 products within an hour; its limit is 5 an hour"),
        (
            BOTH,
            many(5, 500),
            many(16),
            "it wants to take 5 products after 16 within the last day; its limit is 20 a day",
        ),
        (ASKS, many(100), ids(), ""),
        (ASKS, many(150), ids(), "it wants to take 150 products at once; it asks first over 100"),
        (Guards(ask_over=0), many(1), ids(), "it wants to take 1 product at once; it always asks first"),
        (Guards(), many(100_000), ids(), ""),
    ],
)
def test_a_rule_asks_when_what_it_wants_does_not_fit(
    guards: Guards, wanted: frozenset[ProductId], day: frozenset[ProductId], said: str
) -> None:
    assert reason(guards, wanted, day=day) == said


def test_what_a_rule_did_within_the_hour_counts_for_how_much_it_does_at_once() -> None:
    said = "it wants to take 10 products after 95 within the last hour; it asks first over 100"
    assert reason(ASKS, many(10, 500), hour=many(95)) == said


@pytest.mark.parametrize(
    ("catalogue", "room"),
    [(10_000, 200), (10_049, 200), (10_050, 201), (49, 1), (1, 1), (0, 1)],
)
def test_a_percentage_is_rounded_down_but_at_least_one_product(catalogue: int, room: int) -> None:
    assert reason(PERCENT, many(room), catalogue=catalogue) == ""
    assert reason(PERCENT, many(room + 1), catalogue=catalogue) != ""


def test_a_percentage_of_nobody_knows_how_many_always_asks() -> None:
    said = (
        "it wants to take 1 product within a day; its limit is 2 % a day, and the products are not counted yet: "
        "`rules-engine reconcile` does"
    )
    assert reason(PERCENT, many(1)) == said
    assert needs_catalogue(PERCENT)
    assert not needs_catalogue(BOTH)


def test_a_percentage_says_of_how_many() -> None:
    said = "it wants to take 300 products within a day; its limit is 2 % of 10,000 products a day, which is 200"
    assert reason(PERCENT, many(300), catalogue=10_000) == said


def test_giving_back_has_its_own_words_and_is_never_asked_for_first() -> None:
    said = "it wants to give back 240 products within a day; its limit is 200 a day"
    assert reason(A_DAY, many(240), kind=GIVE_BACK) == said
    assert reason(ASKS, many(240), kind=GIVE_BACK) == ""


@pytest.mark.parametrize(
    ("planned", "does_count"),
    [
        (action(ActionState.PENDING), True),
        (action(ActionState.PENDING, is_admitted=False), False),
        (action(ActionState.HELD, is_admitted=False), False),
        (action(ActionState.HELD), True),  # it is within the limits, and goes out with the next look
        (action(ActionState.WAITING, called=timedelta(days=3)), True),  # it may be called again any time
        (action(ActionState.SENT, called=timedelta(0)), True),
        (action(ActionState.DONE, called=HOUR), True),
        (action(ActionState.DONE, called=HOUR + timedelta(microseconds=1)), False),
        (action(ActionState.CONFIRMED, called=timedelta(minutes=59)), True),
        (action(ActionState.CANCELLED, called=timedelta(minutes=59)), True),  # called is called, whatever came of it
        (action(ActionState.CANCELLED), False),
        (action(ActionState.DEAD, called=timedelta(hours=2)), False),
    ],
)
def test_what_was_called_or_may_be_called_counts(planned: PlannedAction, does_count: bool) -> None:
    assert counts(planned, since=NOW - HOUR) is does_count


def test_taking_and_moments_count_together_and_undoing_not_at_all() -> None:
    assert KINDS == {Step.TAKE: TAKE, Step.MOMENT: TAKE, Step.GIVE_BACK: GIVE_BACK}


events = st.lists(
    st.one_of(
        st.tuples(st.just("want"), st.sets(st.integers(0, 12), min_size=1, max_size=4)),
        st.tuples(st.just("call"), st.integers(0, 30)),
        st.tuples(st.just("fail"), st.integers(0, 30)),
        st.tuples(st.just("die"), st.integers(0, 30)),
        st.tuples(st.just("pass"), st.integers(1, 40)),
    ),
    max_size=60,
)


@given(events, st.integers(1, 4), st.integers(3, 6))
def test_no_window_ever_exceeds_its_limit(happens: list[tuple[str, object]], an_hour: int, a_day: int) -> None:
    """Whatever is wanted and called in whatever order, waits for how long, or never comes to be called."""
    guards = Guards(limits=(Limit(an_hour, HOUR), Limit(a_day, DAY)))
    limits = ceilings(guards, TAKE, catalogue=None)
    outbox: list[PlannedAction] = []
    calls: list[tuple[datetime, ProductId]] = []
    now = NOW
    for what, how in happens:
        if what == "want" and isinstance(how, set):
            wanted = ids(*how)
            counted = {span: Used.of(_counted(outbox, now - span)) for span in (HOUR, DAY)}
            if not breach(limits, TAKE, wanted, counted):
                outbox += [_admitted(product_id, now) for product_id in sorted(wanted)]
        elif what == "pass" and isinstance(how, int):
            now += timedelta(minutes=how * 15)
        elif isinstance(how, int) and outbox:
            place = how % len(outbox)
            one = outbox[place]
            if one.state not in {ActionState.PENDING, ActionState.WAITING}:
                continue
            if what == "die":
                outbox[place] = replace(one, state=ActionState.CANCELLED)
                continue
            calls.append((now, one.slot.product))
            after = ActionState.CONFIRMED if what == "call" else ActionState.WAITING
            outbox[place] = replace(one, state=after, called_at=now)
    for limit in guards.limits:
        for end, _ in calls:
            within = {called for at, called in calls if end - limit.per <= at <= end}
            assert len(within) <= limit.amount


def _counted(outbox: list[PlannedAction], since: datetime) -> frozenset[ProductId]:
    return frozenset(each.slot.product for each in outbox if counts(each, since=since))


def _admitted(product_id: ProductId, now: datetime) -> PlannedAction:
    slot = SlotRef(product_id, Aspect.VISIBILITY)
    return replace(action(ActionState.PENDING), slot=slot, created_at=now, admitted_at=now)
