"""What is known of a catalogue as a whole: what is gone is left out, and what is wanted of a category is found."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from rules_engine.core.action import ActionKey, ActionKind, Aspect, SlotRef
from rules_engine.core.condition import Truth
from rules_engine.core.delivery import StoreAlias
from rules_engine.core.holds import Hold, HoldState, Slot
from rules_engine.core.plan import ActionState, Case, Episode, PlannedAction, Step
from rules_engine.core.rule import RuleCode
from rules_engine.core.subject import ProductId, Snapshot, SubjectRef, category, product
from rules_engine.database import catalogue
from rules_engine.database.ledger import load_cases, save_case

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
WEB, KSA = StoreAlias("web"), StoreAlias("ksa")
FIRST = RuleCode("first")


def see(connection: sa.Connection, *refs: SubjectRef, store: StoreAlias = WEB) -> None:
    for ref, case in load_cases(connection, store, refs, now=NOW).items():
        seen = replace(case, snapshot=Snapshot(ref, {"id": ref.id}), seen_at=NOW, is_gone=False)
        save_case(connection, store, case, seen, now=NOW)


def miss(connection: sa.Connection, *refs: SubjectRef) -> None:
    for case in load_cases(connection, WEB, refs, now=NOW).values():
        save_case(connection, WEB, case, replace(case, is_gone=True), now=NOW)


def slot_of(id_: str, target: str = "c1") -> SlotRef:
    return SlotRef(ProductId(id_), Aspect.MEMBERSHIP, target)


def hold(connection: sa.Connection, slot: SlotRef, state: HoldState) -> None:
    held = Hold(FIRST, product(slot.product), wish=False, episode=1, state=state, since=NOW)
    case = Case(product(slot.product), slots={slot: Slot(slot, baseline=True, since=NOW, holds=(held,))})
    save_case(connection, WEB, Case(case.ref), case, now=NOW)


def act(connection: sa.Connection, slot: SlotRef, state: ActionState, key: str = "") -> PlannedAction:
    action = PlannedAction(
        key=ActionKey(key or f"{slot}-{state}"),
        kind=ActionKind.REMOVE_FROM_CATEGORY,
        slot=slot,
        target=slot.target,
        wish=False,
        step=Step.TAKE,
        rules=(FIRST,),
        about=product(slot.product),
        state=state,
        created_at=NOW,
    )
    case = Case(product(slot.product), actions={action.key: action})
    save_case(connection, WEB, Case(case.ref), case, now=NOW)
    return action


def test_what_is_known_is_listed_by_kind_without_what_is_gone(connection: sa.Connection) -> None:
    see(connection, category("2"), category("1"), product("1"), product("3"))
    see(connection, product("9"), store=KSA)
    miss(connection, category("2"), product("3"))
    assert catalogue.known_subjects(connection, WEB) == [product("1"), category("1")]
    assert catalogue.known_categories(connection, WEB) == [category("1")]
    assert catalogue.gone_categories(connection, WEB) == ["2"]
    assert catalogue.gone_categories(connection, KSA) == []


def test_a_category_that_is_seen_again_is_not_gone(connection: sa.Connection) -> None:
    see(connection, category("1"))
    miss(connection, category("1"))
    see(connection, category("1"))
    assert catalogue.gone_categories(connection, WEB) == []
    assert catalogue.known_categories(connection, WEB) == [category("1")]


def test_the_episodes_of_categories_are_those_of_one_store_and_no_product(connection: sa.Connection) -> None:
    episode = Episode(2, Truth.MET, NOW)
    for store, ref in ((WEB, category("1")), (WEB, product("1")), (KSA, category("1"))):
        case = Case(ref, episodes={(FIRST, ref): replace(episode, number=2 if store == WEB else 7)})
        save_case(connection, store, Case(ref), case, now=NOW)
    assert catalogue.category_episodes(connection, WEB) == {(FIRST, category("1")): episode}


@pytest.mark.parametrize("state", HoldState)
def test_a_slot_leads_to_the_products_that_have_an_open_hold_on_it(connection: sa.Connection, state: HoldState) -> None:
    hold(connection, slot_of("17"), state)
    hold(connection, slot_of("18", "c2"), state)
    found = catalogue.products_of_slot(connection, WEB, Aspect.MEMBERSHIP, "c1")
    assert found == ([product("17")] if state.is_open else [])
    assert catalogue.products_of_slot(connection, KSA, Aspect.MEMBERSHIP, "c1") == []


@pytest.mark.parametrize("state", ActionState)
def test_a_slot_leads_to_the_products_that_have_an_open_action_on_it(
    connection: sa.Connection, state: ActionState
) -> None:
    act(connection, slot_of("17"), state)
    found = catalogue.products_of_slot(connection, WEB, Aspect.MEMBERSHIP, "c1")
    assert found == ([product("17")] if state.is_open else [])


def test_a_product_with_a_hold_and_an_action_is_found_once(connection: sa.Connection) -> None:
    hold(connection, slot_of("17"), HoldState.SENT)
    act(connection, slot_of("17"), ActionState.SENT)
    assert catalogue.products_of_slot(connection, WEB, Aspect.MEMBERSHIP, "c1") == [product("17")]
    assert catalogue.products_of_slot(connection, WEB, Aspect.VISIBILITY, "c1") == []


def test_the_open_actions_of_a_target_come_in_the_order_of_planning(connection: sa.Connection) -> None:
    second = act(connection, slot_of("18"), ActionState.PENDING, "b")
    first = act(connection, slot_of("17"), ActionState.SENT, "a")
    act(connection, slot_of("19"), ActionState.DEAD)
    act(connection, slot_of("20", "c2"), ActionState.PENDING)
    assert catalogue.actions_of_target(connection, WEB, "c1") == [second, first]
    assert catalogue.actions_of_target(connection, KSA, "c1") == []
