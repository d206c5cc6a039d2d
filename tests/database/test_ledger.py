"""What is saved of a case comes back, and nothing that is owed gets lost."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from strategies import cases, holds, slot_refs, snapshots, times

from rules_engine.core.action import ActionKey, ActionKind, Aspect, SlotRef
from rules_engine.core.condition import Truth
from rules_engine.core.delivery import StoreAlias
from rules_engine.core.holds import Hold, HoldState, Slot
from rules_engine.core.plan import ActionState, Case, Episode, PlannedAction, Step
from rules_engine.core.rule import RuleCode
from rules_engine.core.subject import ProductId, Snapshot, SubjectRef, brand, category, product
from rules_engine.database import ledger, tables
from rules_engine.database.catalogue import categories, held_products

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
WEB, KSA = StoreAlias("web"), StoreAlias("ksa")
PRODUCT = product("17")
OTHER = product("18")
FEATURED = SlotRef(ProductId("17"), Aspect.MEMBERSHIP, "c1")
RULE = RuleCode("sold-out")
PENDING = Hold(RULE, PRODUCT, wish=False, episode=1, state=HoldState.PENDING, since=NOW)
ACTION = PlannedAction(
    key=ActionKey("k1"),
    kind=ActionKind.REMOVE_FROM_CATEGORY,
    slot=FEATURED,
    target="c1",
    wish=False,
    step=Step.TAKE,
    rules=(RULE,),
    about=PRODUCT,
    state=ActionState.PENDING,
    created_at=NOW,
)


def load(connection: sa.Connection, ref: SubjectRef = PRODUCT, now: datetime = NOW) -> Case:
    return ledger.load_cases(connection, WEB, [ref], now=now)[ref]


def save(connection: sa.Connection, before: Case, after: Case, now: datetime = NOW) -> Case:
    ledger.save_case(connection, WEB, before, after, now=now)
    return load(connection, after.ref, now)


def held(*held_by: Hold, baseline: bool = True) -> dict[SlotRef, Slot]:
    return {FEATURED: Slot(FEATURED, baseline, NOW, held_by)}


def running(number: int = 1) -> dict[tuple[RuleCode, SubjectRef], Episode]:
    return {(RULE, PRODUCT): Episode(number, Truth.MET, NOW)}


def rows(connection: sa.Connection, table: sa.Table) -> list[Mapping[str, Any]]:
    return [dict(row) for row in connection.execute(sa.select(table)).mappings()]


def unnumbered(case: Case) -> Case:
    def without_ids(some: tuple[Hold, ...]) -> tuple[Hold, ...]:
        return tuple(replace(hold, id=None) for hold in some)

    slots = {ref: replace(slot, holds=without_ids(slot.holds)) for ref, slot in case.slots.items()}
    return replace(case, slots=slots, ended={ref: without_ids(some) for ref, some in case.ended.items()})


def remembered(case: Case, now: datetime = NOW) -> Case:
    """What a save and a load leave of a case, said without a database."""

    def is_current(hold: Hold) -> bool:
        episode = case.episodes.get((hold.rule, hold.subject))
        return episode is not None and episode.number == hold.episode

    every = [(slot.ref, hold) for slot in case.slots.values() for hold in slot.holds]
    every += [(ref, hold) for ref, some in case.ended.items() for hold in some]
    ended: dict[SlotRef, tuple[Hold, ...]] = defaultdict(tuple)
    for ref, hold in every:
        if not hold.state.is_open and is_current(hold):
            ended[ref] += (hold,)
    slots = {ref: replace(slot, holds=slot.open_holds) for ref, slot in case.slots.items() if slot.open_holds}
    takes: dict[RuleCode, dict[datetime, datetime]] = defaultdict(dict)
    for action in case.actions.values():
        acted_at = max(action.created_at, action.done_at or action.created_at)
        if action.step in {Step.TAKE, Step.MOMENT} and action.attempts and acted_at > now - timedelta(hours=24):
            for rule in action.rules:
                takes[rule][action.created_at] = max(acted_at, takes[rule].get(action.created_at, acted_at))

    def still_matters(action: PlannedAction) -> bool:
        has_hold = action.slot in slots or action.slot in ended
        was_just_done = action.done_at is not None and action.done_at > now
        return action.state.is_open or was_just_done or (action.state is ActionState.DEAD and has_hold)

    actions = {key: action for key, action in case.actions.items() if still_matters(action)}
    recent = {rule: tuple(sorted(some.values())) for rule, some in takes.items()}
    return replace(case, slots=slots, ended=dict(ended), actions=actions, recent_takes=recent)


@contextmanager
def statements(connection: sa.Connection) -> Iterator[list[str]]:
    seen: list[str] = []

    def note(_c: object, _cursor: object, statement: str, *_: object) -> None:
        seen.append(statement)

    sa.event.listen(connection, "before_cursor_execute", note)
    yield seen
    sa.event.remove(connection, "before_cursor_execute", note)


@contextmanager
def rolled_back(memory: sa.Engine) -> Iterator[sa.Connection]:
    with memory.connect() as connection:
        yield connection
        connection.rollback()


def test_nothing_is_known_of_a_subject_that_was_never_seen(connection: sa.Connection) -> None:
    assert ledger.load_cases(connection, WEB, [PRODUCT, category("17")], now=NOW) == {
        PRODUCT: Case(PRODUCT),
        category("17"): Case(category("17")),
    }


@given(case=cases(PRODUCT), now=times)
def test_a_saved_case_comes_back(memory: sa.Engine, case: Case, now: datetime) -> None:
    with rolled_back(memory) as connection:
        assert unnumbered(save(connection, Case(PRODUCT), case, now)) == remembered(case, now)


@given(case=cases(PRODUCT), data=st.data())
def test_a_case_that_was_loaded_and_changed_comes_back_changed(
    memory: sa.Engine, case: Case, data: st.DataObject
) -> None:
    with rolled_back(memory) as connection:
        before = save(connection, Case(PRODUCT), case)
        after = data.draw(later(before, {action.slot for action in case.actions.values()}))
        loaded = save(connection, before, after)
        assert replace(unnumbered(loaded), recent_takes={}) == replace(unnumbered(remembered(after)), recent_takes={})


@given(one=cases(PRODUCT), two=cases(OTHER))
def test_cases_that_are_saved_together_are_as_if_each_were_saved_alone(memory: sa.Engine, one: Case, two: Case) -> None:
    def left(*saves: Sequence[tuple[Case, Case]]) -> list[list[Mapping[str, Any]]]:
        with rolled_back(memory) as connection:
            for pairs in saves:
                ledger.save_cases(connection, WEB, pairs, now=NOW)
            kept = (tables.snapshots, tables.history, tables.episodes, tables.slots, tables.actions)
            return [rows(connection, table) for table in kept]

    pairs = [(Case(PRODUCT), one), (Case(OTHER), two)]
    assert left(pairs) == left(pairs[:1], pairs[1:])


@st.composite
def later(draw: st.DrawFn, case: Case, acted: set[SlotRef]) -> Case:
    """The case after a turn: holds that moved, pending ones dropped, new ones, newer episodes, actions that went on."""
    slots = {}
    for ref, slot in case.slots.items():
        moved = [
            replace(h, state=draw(st.sampled_from(HoldState)), reason=draw(st.text("ab", max_size=2)))
            for h in slot.holds
        ]
        left = [
            new for old, new in zip(slot.holds, moved, strict=True) if old.state != "pending" or draw(st.booleans())
        ]
        added = draw(st.lists(holds(PRODUCT), max_size=1))
        slots[ref] = replace(slot, holds=(*left, *added), since=draw(st.sampled_from([slot.since, NOW])))
    untouched = slot_refs(PRODUCT).filter(lambda ref: ref not in acted)  # a hold brings a dead action back to mind
    for ref in draw(st.sets(untouched, max_size=1)) - set(slots) - {SlotRef(ProductId("17"), Aspect.BRAND)}:
        slots[ref] = Slot(ref, draw(st.booleans()), NOW, (draw(holds(PRODUCT)),))
    episodes = {key: draw(st.sampled_from([e, replace(e, number=9)])) for key, e in case.episodes.items()}
    actions = {
        key: replace(a, state=draw(st.sampled_from(ActionState)), reason="then") for key, a in case.actions.items()
    }
    snapshot = draw(st.sampled_from([case.snapshot]) | snapshots(PRODUCT))
    return replace(case, slots=slots, episodes=episodes, actions=actions, snapshot=snapshot, revision=case.revision + 1)


@pytest.mark.parametrize("nothing", [None, False, ""])
def test_a_baseline_and_a_wish_of_nothing_are_remembered_as_what_they_are(
    connection: sa.Connection, nothing: bool | str | None
) -> None:
    brand_slot = SlotRef(ProductId("17"), Aspect.BRAND)
    slots = {brand_slot: Slot(brand_slot, nothing, NOW, (replace(PENDING, wish=nothing),))}
    action = replace(ACTION, wish=nothing)
    save(connection, Case(PRODUCT), Case(PRODUCT, seen_at=NOW, slots=slots, actions={action.key: action}))
    slot = load(connection).slots[brand_slot]
    assert (slot.baseline, slot.holds[0].wish, load(connection).actions[action.key].wish) == (nothing,) * 3
    kept = connection.exec_driver_sql("select baseline from slots union all select wish from holds").scalars().all()
    assert None not in kept


def test_an_unchanged_case_costs_no_statement(connection: sa.Connection) -> None:
    case = save(connection, Case(PRODUCT), Case(PRODUCT, seen_at=NOW, slots=held(PENDING), episodes=running()))
    with statements(connection) as seen:
        ledger.save_case(connection, WEB, case, load_equal(case), now=NOW)
    assert seen == []


def load_equal(case: Case) -> Case:
    return replace(case, slots=dict(case.slots), episodes=dict(case.episodes))


def test_only_what_differs_is_written(connection: sa.Connection) -> None:
    before = save(connection, Case(PRODUCT), Case(PRODUCT, seen_at=NOW, slots=held(PENDING), episodes=running()))
    with statements(connection) as seen:
        ledger.save_case(connection, WEB, before, replace(before, episodes=running(2)), now=NOW)
    assert len(seen) == 1
    assert "INTO episodes" in seen[0]
    before = load(connection)
    with statements(connection) as seen:
        ledger.save_case(connection, WEB, before, replace(before, revision=2), now=NOW)
    assert len(seen) == 1
    assert "INTO snapshots" in seen[0]


def test_as_many_queries_for_three_hundred_products_as_for_three(connection: sa.Connection) -> None:
    counts = []
    for many in (3, 300, 501):
        with statements(connection) as seen:
            ledger.load_cases(connection, WEB, [product(str(n)) for n in range(many)], now=NOW)
        counts.append(len(seen))
    assert counts == [6, 6, 12]


def test_the_stores_and_kinds_of_equal_ids_are_kept_apart(connection: sa.Connection) -> None:
    seen = {ref: Snapshot(ref, {"id": "17", "name": str(ref)}) for ref in (PRODUCT, category("17"), brand("17"))}
    for ref, snapshot in seen.items():
        save(connection, Case(ref), Case(ref, snapshot, revision=1, seen_at=NOW))
    ledger.save_case(connection, KSA, Case(PRODUCT), Case(PRODUCT, slots=held(PENDING), seen_at=NOW), now=NOW)
    loaded = ledger.load_cases(connection, WEB, [PRODUCT, category("17")], now=NOW)
    assert {ref: case.snapshot for ref, case in loaded.items()} == {ref: seen[ref] for ref in loaded}
    assert loaded[PRODUCT].slots == {}


def test_the_slot_goes_with_its_last_open_hold_and_the_hold_is_kept(connection: sa.Connection) -> None:
    before = save(connection, Case(PRODUCT), Case(PRODUCT, slots=held(PENDING), episodes=running()))
    (hold,) = before.slots[FEATURED].holds
    after = save(connection, before, replace(before, slots=held(replace(hold, state=HoldState.RELEASED))))
    assert after.slots == {}
    assert after.ended == {FEATURED: (replace(hold, state=HoldState.RELEASED),)}
    assert rows(connection, tables.slots) == []


def test_an_ended_hold_is_forgotten_by_the_next_episode(connection: sa.Connection) -> None:
    ended = {FEATURED: (replace(PENDING, state=HoldState.NEVER_TAKEN),)}
    before = save(connection, Case(PRODUCT), Case(PRODUCT, ended=ended, episodes=running()))
    assert list(before.ended) == [FEATURED]
    assert [row["ended_at"] for row in rows(connection, tables.holds)] == [NOW]
    assert save(connection, before, replace(before, episodes=running(2))).ended == {}


def test_an_ended_hold_of_a_category_s_running_episode_comes_with_the_product(connection: sa.Connection) -> None:
    about = category("c1")
    episode = {(RULE, about): Episode(1, Truth.MET, NOW)}
    save(connection, Case(about), Case(about, seen_at=NOW, episodes=episode))
    ended = {FEATURED: (replace(PENDING, subject=about, state=HoldState.RELEASED),)}
    loaded = save(connection, Case(PRODUCT), Case(PRODUCT, ended=ended))
    assert unnumbered(loaded).ended == ended
    assert loaded.episodes == {}


def test_a_hold_belongs_to_the_episode_of_its_own_subject(connection: sa.Connection) -> None:
    namesake = category(PRODUCT.id)
    for store, ref, rule in ((WEB, namesake, RULE), (KSA, PRODUCT, RULE), (WEB, PRODUCT, RuleCode("other"))):
        episode = {(rule, ref): Episode(1, Truth.MET, NOW)}
        ledger.save_case(connection, store, Case(ref), Case(ref, seen_at=NOW, episodes=episode), now=NOW)
    ended = {FEATURED: (replace(PENDING, state=HoldState.RELEASED),)}
    assert save(connection, Case(PRODUCT), Case(PRODUCT, ended=ended)).ended == {}


def test_a_hold_remembers_when_it_first_ended(connection: sa.Connection) -> None:
    hour = timedelta(hours=1)
    case = save(connection, Case(PRODUCT), Case(PRODUCT, slots=held(PENDING), episodes=running()))
    for after, state, expected in (
        (1, HoldState.RELEASED, NOW + hour),
        (2, HoldState.GONE, NOW + hour),
        (3, HoldState.OWED, None),
        (4, HoldState.RELEASED, NOW + 4 * hour),
    ):
        (hold,) = (*case.ended.get(FEATURED, ()), *(h for slot in case.slots.values() for h in slot.holds))
        changed = replace(case, slots=held(replace(hold, state=state)), ended={})
        case = save(connection, case, changed, NOW + after * hour)
        assert [row["ended_at"] for row in rows(connection, tables.holds)] == [expected]


def test_a_pending_hold_that_is_left_out_was_never_there(connection: sa.Connection) -> None:
    before = save(connection, Case(PRODUCT), Case(PRODUCT, slots=held(PENDING)))
    assert save(connection, before, replace(before, slots={})).slots == {}
    assert rows(connection, tables.holds) == []


@pytest.mark.parametrize("state", [s for s in HoldState if s.is_open and s is not HoldState.PENDING])
def test_an_open_hold_cannot_be_lost(connection: sa.Connection, state: HoldState) -> None:
    before = save(connection, Case(PRODUCT), Case(PRODUCT, slots=held(replace(PENDING, state=state))))
    with pytest.raises(ValueError, match="end it, do not leave it out"):
        save(connection, before, replace(before, slots={}))


def test_a_case_is_not_saved_twice_from_the_same_value(connection: sa.Connection) -> None:
    unloaded = Case(PRODUCT, slots=held(PENDING))
    save(connection, Case(PRODUCT), unloaded)
    with pytest.raises(ValueError, match="not loaded again"):
        save(connection, unloaded, replace(unloaded, revision=2))


def test_an_action_is_opened_again_in_its_own_row(connection: sa.Connection) -> None:
    cancelled = replace(ACTION, state=ActionState.CANCELLED, attempts=2, reason="no longer wanted")
    case = save(connection, Case(PRODUCT), Case(PRODUCT, actions={ACTION.key: cancelled}))
    assert case.actions == {}
    (row,) = rows(connection, tables.actions)
    planned_again = replace(ACTION, created_at=NOW + timedelta(hours=1), due_at=NOW, caused_by=("look",))
    case = save(connection, case, replace(case, actions={ACTION.key: planned_again}))
    assert case.actions == {ACTION.key: replace(planned_again, created_at=NOW)}
    assert [again["seq"] for again in rows(connection, tables.actions)] == [row["seq"]]


def test_an_action_that_was_loaded_is_written_as_it_is_now(connection: sa.Connection) -> None:
    case = save(connection, Case(PRODUCT), Case(PRODUCT, actions={ACTION.key: replace(ACTION, attempts=1)}))
    sent = replace(ACTION, attempts=2, state=ActionState.SENT)
    assert save(connection, case, replace(case, actions={ACTION.key: sent})).actions == {ACTION.key: sent}


def test_what_was_just_done_is_known_for_as_long_as_deliveries_may_lag(connection: sa.Connection) -> None:
    done = replace(ACTION, state=ActionState.CONFIRMED, done_at=NOW - timedelta(minutes=10))
    save(connection, Case(PRODUCT), Case(PRODUCT, actions={done.key: done}))
    for minutes, expected in ((0, {}), (10, {}), (11, {done.key: done})):
        lag = timedelta(minutes=minutes)
        assert ledger.load_cases(connection, WEB, [PRODUCT], now=NOW, lag=lag)[PRODUCT].actions == expected


@pytest.mark.parametrize(
    ("state", "number", "is_there"),
    [
        (HoldState.NEVER_TAKEN, 1, True),
        (HoldState.NEVER_TAKEN, 2, False),
        (HoldState.OWED, 2, True),
    ],
)
def test_a_dead_action_is_known_while_its_slot_has_a_hold(
    connection: sa.Connection, state: HoldState, number: int, is_there: bool
) -> None:
    dead = replace(ACTION, state=ActionState.DEAD)
    slots = held(replace(PENDING, state=state))
    case = Case(PRODUCT, slots=slots, episodes=running(number), actions={dead.key: dead})
    assert (dead.key in save(connection, Case(PRODUCT), case).actions) is is_there


def test_takes_are_counted_once_a_turn_for_a_day_and_only_when_attempted(connection: sa.Connection) -> None:
    other = SlotRef(ProductId("17"), Aspect.MEMBERSHIP, "c2")
    confirmed = replace(ACTION, state=ActionState.CONFIRMED, attempts=1)
    hours_ago = [NOW - timedelta(hours=hours) for hours in range(25)]
    actions = [
        replace(confirmed, key=ActionKey("1"), rules=(RULE, RuleCode("too"))),
        replace(confirmed, key=ActionKey("2"), slot=other),
        replace(confirmed, key=ActionKey("3"), created_at=hours_ago[23]),
        replace(confirmed, key=ActionKey("4"), created_at=hours_ago[24]),
        replace(confirmed, key=ActionKey("5"), created_at=hours_ago[1], attempts=0),
        replace(confirmed, key=ActionKey("6"), created_at=hours_ago[1], step=Step.GIVE_BACK),
    ]
    case = save(connection, Case(PRODUCT), Case(PRODUCT, actions={a.key: a for a in actions}))
    assert case.recent_takes == {RULE: (hours_ago[23], NOW), RuleCode("too"): (NOW,)}
    assert case.actions == {}


def test_moments_and_older_takes_are_counted_where_a_rule_acts_only_every_so_often(connection: sa.Connection) -> None:
    days_ago = [NOW - timedelta(days=days) for days in range(9)]
    confirmed = replace(ACTION, state=ActionState.CONFIRMED, attempts=1)
    actions = [
        replace(confirmed, key=ActionKey("1"), created_at=days_ago[2], step=Step.MOMENT),
        replace(confirmed, key=ActionKey("2"), created_at=days_ago[8], done_at=days_ago[6]),
        replace(confirmed, key=ActionKey("3"), created_at=days_ago[8]),
    ]
    save(connection, Case(PRODUCT), Case(PRODUCT, actions={a.key: a for a in actions}))
    week = ledger.load_cases(connection, WEB, [PRODUCT], now=NOW, takes=timedelta(days=7))[PRODUCT]
    assert week.recent_takes == {RULE: (days_ago[6], days_ago[2])}
    assert ledger.load_cases(connection, WEB, [PRODUCT], now=NOW)[PRODUCT].recent_takes == {}


def test_a_subject_that_was_only_ever_seen_to_be_gone_has_no_snapshot(connection: sa.Connection) -> None:
    gone = Case(PRODUCT, revision=1, seen_at=NOW, is_gone=True)
    assert save(connection, Case(PRODUCT), gone) == gone


def test_held_products_are_those_with_an_open_hold_of_the_subject(connection: sa.Connection) -> None:
    about = category("c1")
    for number, state in enumerate([HoldState.HOLDING, HoldState.OWED, HoldState.RELEASED]):
        ref = product(str(number))
        slot = replace(FEATURED, product=ProductId(ref.id))
        hold = replace(PENDING, subject=about, state=state)
        other = replace(hold, rule=RuleCode("other"))
        save(
            connection, Case(ref), Case(ref, slots={slot: Slot(slot, True, NOW, (hold, other) if number else (hold,))})
        )
    assert held_products(connection, WEB, about) == [product("0"), product("1")]
    assert held_products(connection, WEB, about, [RuleCode("other")]) == [product("1")]
    assert held_products(connection, WEB, about, []) == []
    assert held_products(connection, WEB, category("c2")) == []
    assert held_products(connection, WEB, product("c1")) == []


def test_categories_are_remembered_as_last_seen(connection: sa.Connection) -> None:
    shoes, sale = Snapshot(category("1"), {"name": "Shoes"}), Snapshot(category("2"), {"name": "Outlet"}, version=NOW)
    for snapshot, is_gone in ((shoes, True), (sale, False), (Snapshot(brand("3"), {"name": "Acme"}), False)):
        save(connection, Case(snapshot.ref), Case(snapshot.ref, snapshot=snapshot, seen_at=NOW, is_gone=is_gone))
    assert categories(connection, WEB) == [sale]
    assert categories(connection, KSA) == []
    assert load(connection, category("1")).snapshot == shoes
