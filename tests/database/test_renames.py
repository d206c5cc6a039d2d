"""A rule with another code goes on with what the former one held."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from rules_engine.core.holds import HoldState
from rules_engine.core.plan import ActionState
from rules_engine.core.rule import RuleCode
from rules_engine.database import renames
from rules_engine.database.tables import actions, episodes, holds

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
OLD, NEW, OTHER = RuleCode("old"), RuleCode("new"), RuleCode("other")


def add_hold(
    connection: sa.Connection,
    rule: RuleCode,
    product: str = "1",
    *,
    state: HoldState = HoldState.HOLDING,
    episode: int = 1,
    takes: int = 0,
    store: str = "web",
) -> int:
    row: dict[str, Any] = {
        "store": store,
        "product": product,
        "aspect": "membership",
        "target": "7",
        "rule": rule,
        "subject_kind": "product",
        "subject_id": product,
        "wish": False,
        "episode": episode,
        "takes": takes,
        "state": state.value,
        "cause": [],
        "since": NOW,
        "ended_at": None if state.is_open else NOW,
    }
    return int(connection.execute(sa.insert(holds).values(row).returning(holds.c.id)).scalar_one())


def add_episode(connection: sa.Connection, rule: RuleCode, number: int, truth: str = "met", id_: str = "1") -> None:
    row = {"store": "web", "rule": rule, "kind": "product", "id": id_, "number": number, "truth": truth, "since": NOW}
    connection.execute(sa.insert(episodes).values(row))


def add_action(
    connection: sa.Connection,
    rules: list[RuleCode],
    state: ActionState = ActionState.PENDING,
    age: timedelta = DAY * 9,
    called_at: datetime | None = None,
) -> None:
    count = connection.execute(sa.select(sa.func.count()).select_from(actions)).scalar_one()
    row = {"key": f"k{count}", "store": "web", "kind": "remove", "product": "1", "aspect": "membership"}
    row |= {"slot_target": "7", "target": "7", "step": "take", "about_kind": "product", "about_id": "1"}
    more = {
        "wish": False,
        "rules": rules,
        "state": state.value,
        "created_at": NOW - age,
        "caused_by": [],
        "called_at": called_at,
    }
    connection.execute(sa.insert(actions).values(row | more))


def rename(connection: sa.Connection) -> int:
    return renames.rename_rule(connection, OLD, NEW, now=NOW)


def held(connection: sa.Connection) -> list[tuple[str, str, int, str]]:
    columns = (holds.c.rule, holds.c.product, holds.c.episode, holds.c.state)
    return [tuple(row) for row in connection.execute(sa.select(*columns).order_by(holds.c.id))]


def stretches(connection: sa.Connection) -> list[tuple[str, str, int, str]]:
    columns = (episodes.c.rule, episodes.c.id, episodes.c.number, episodes.c.truth)
    return [tuple(row) for row in connection.execute(sa.select(*columns).order_by(episodes.c.rule, episodes.c.id))]


def test_stretches_and_open_holds_move_in_all_stores_and_the_products_are_counted(connection: sa.Connection) -> None:
    add_episode(connection, OLD, 3)
    add_hold(connection, OLD, episode=3)
    add_hold(connection, OLD, state=HoldState.OWED, episode=2)
    add_hold(connection, OLD, store="ksa", state=HoldState.STEPPED_BACK)
    add_hold(connection, OTHER)
    assert rename(connection) == 2
    assert held(connection) == [
        (NEW, "1", 3, HoldState.HOLDING),
        (NEW, "1", 2, HoldState.OWED),
        (NEW, "1", 1, HoldState.STEPPED_BACK),
        (OTHER, "1", 1, HoldState.HOLDING),
    ]
    assert stretches(connection) == [(NEW, "1", 3, "met")]


def test_an_ended_hold_moves_only_with_the_stretch_that_still_runs(connection: sa.Connection) -> None:
    add_episode(connection, OLD, 2)
    add_hold(connection, OLD, state=HoldState.RELEASED, episode=1)
    add_hold(connection, OLD, state=HoldState.RELEASED, episode=2)
    assert rename(connection) == 0
    assert [row[0] for row in held(connection)] == [OLD, NEW]


def test_a_stretch_of_the_new_code_counts_and_the_holds_move_into_it(connection: sa.Connection) -> None:
    add_episode(connection, OLD, 5)
    add_episode(connection, OLD, 1, id_="2")
    add_episode(connection, NEW, 2, "unmet")
    add_hold(connection, OLD, episode=5)
    rename(connection)
    assert held(connection) == [(NEW, "1", 2, HoldState.HOLDING)]
    assert stretches(connection) == [(NEW, "1", 2, "unmet"), (NEW, "2", 1, "met")]


@pytest.mark.parametrize(
    ("old", "new", "goes_on"),
    [
        (HoldState.HOLDING, HoldState.HOLDING, NEW),
        (HoldState.HOLDING, HoldState.PENDING, OLD),
        (HoldState.SENT, HoldState.STEPPED_BACK, OLD),
        (HoldState.PENDING, HoldState.PENDING, NEW),
        (HoldState.PENDING, HoldState.TAKEN, NEW),
        (HoldState.STEPPED_BACK, HoldState.PENDING, NEW),
    ],
)
def test_of_two_holds_on_a_slot_the_one_that_took_it_goes_on(
    connection: sa.Connection, old: HoldState, new: HoldState, goes_on: RuleCode
) -> None:
    ids = {OLD: add_hold(connection, OLD, state=old), NEW: add_hold(connection, NEW, state=new)}
    rename(connection)
    is_open = sa.select(holds.c.id, holds.c.rule).where(holds.c.ended_at.is_(None))
    assert connection.execute(is_open).all() == [(ids[goes_on], NEW)]
    reasons = connection.execute(sa.select(holds.c.reason).where(holds.c.ended_at.is_not(None))).scalars().all()
    assert reasons == ["old is new now, which holds it"]


@pytest.mark.parametrize("which", [OLD, NEW])
def test_what_is_owed_stays_owed_beside_the_other_hold(connection: sa.Connection, which: RuleCode) -> None:
    for rule in (OLD, NEW):
        add_hold(connection, rule, state=HoldState.OWED if rule == which else HoldState.HOLDING)
    rename(connection)
    assert sorted(row[3] for row in held(connection)) == [HoldState.HOLDING, HoldState.OWED]


def test_actions_that_matter_still_are_the_new_rule_s(connection: sa.Connection) -> None:
    add_action(connection, [OLD])
    add_action(connection, [OTHER, OLD, NEW])
    add_action(connection, [OLD], ActionState.DEAD)
    add_action(connection, [OLD], ActionState.CONFIRMED)
    add_action(connection, [OLD], ActionState.CONFIRMED, age=DAY / 2)
    add_action(connection, [RuleCode("older")])
    add_action(connection, [OLD], ActionState.CANCELLED, called_at=NOW - DAY / 2)  # it counts against limits
    rename(connection)
    rules = list(connection.execute(sa.select(actions.c.rules).order_by(actions.c.seq)).scalars())
    assert rules == [[NEW], [OTHER, NEW], [NEW], [OLD], [NEW], ["older"], [NEW]]
