"""The last rows of the hold table: stepped back, owed and gone."""

from __future__ import annotations

from dataclasses import replace

from core_builders import (
    FEATURED,
    SOLD_OUT,
    Bench,
    holding,
    owing,
    while_,
)

from rules_engine.core.action import Aspect, NothingToDo, SlotRef
from rules_engine.core.errors import PermanentError
from rules_engine.core.holds import HoldState
from rules_engine.core.plan import ActionState, Step
from rules_engine.core.rule import Effect, EffectKind
from rules_engine.core.sighting import Sighting
from rules_engine.core.subject import ProductId, product

# ------------------------------------------------------------------------------------ stepped back


def test_stepped_back_is_released_without_a_call_and_the_next_episode_takes_again() -> None:
    desk = holding()
    desk.later(seconds=1).sees(category_ids=[FEATURED])
    desk.later(seconds=1).sees(stock=3)
    assert desk.hold().state is HoldState.RELEASED
    assert not desk.actions()
    desk.later(seconds=1).sees(stock=0)
    assert desk.hold().state is HoldState.PENDING
    assert desk.hold().episode == 2


def test_what_a_person_made_is_the_new_baseline() -> None:
    desk = Bench((while_(SOLD_OUT, Effect(EffectKind.UNASSIGN_BRAND)),))
    brand = SlotRef(ProductId("p1"), Aspect.BRAND)
    desk.sees(stock=0, brand="Acme", brand_id="a1")
    desk.calls()
    desk.later(seconds=1).sees(brand=None, brand_id=None)
    desk.later(seconds=1).sees(brand="Globex", brand_id="g1")
    assert desk.hold(brand).state is HoldState.STEPPED_BACK
    desk.later(seconds=1).sees(stock=3)
    assert not desk.actions()


# -------------------------------------------------------------------------------------------- owed


def test_owed_survives_any_failure() -> None:
    desk = owing()
    desk.calls(PermanentError("no"))
    assert desk.hold().state is HoldState.OWED
    desk.later(days=2).sees()
    assert not desk.actions(), "a dead letter is tried again only when a person says so"
    assert desk.hold().state is HoldState.OWED
    assert desk.is_held()


def test_owed_is_released_when_a_read_shows_it_given_back_whoever_did_it() -> None:
    desk = owing()
    desk.later(seconds=1).sees(category_ids=[FEATURED])
    assert desk.hold().state is HoldState.RELEASED
    assert not desk.actions()


def test_owed_is_released_when_the_shop_has_nothing_to_do() -> None:
    desk = owing()
    desk.calls(NothingToDo())
    assert desk.hold().state is HoldState.RELEASED


def test_owed_that_a_dead_letter_left_is_released_when_a_person_gives_it_back() -> None:
    desk = owing()
    desk.calls(PermanentError("no"))
    desk.later(seconds=1).sees(category_ids=[FEATURED])
    assert desk.hold().state is HoldState.RELEASED


def test_owed_and_the_condition_holds_again_so_it_is_held_on_without_a_call() -> None:
    desk = owing()
    give_back = desk.action().key
    desk.later(seconds=1).sees(stock=0)
    assert desk.hold().state is HoldState.HOLDING
    assert desk.hold().episode == 2
    assert not desk.actions()
    assert desk.memory.actions[give_back].state is ActionState.CANCELLED
    desk.later(seconds=1).sees(stock=3)
    assert desk.action().step is Step.GIVE_BACK
    assert desk.action().key != give_back


def test_owed_and_a_person_chose_a_third_value_so_the_person_wins() -> None:
    desk = Bench((while_(SOLD_OUT, Effect(EffectKind.UNASSIGN_BRAND)),))
    brand = SlotRef(ProductId("p1"), Aspect.BRAND)
    desk.sees(stock=0, brand="Acme", brand_id="a1")
    desk.calls()
    desk.later(seconds=1).sees(brand=None, brand_id=None)
    desk.later(seconds=1).sees(stock=3)
    desk.later(seconds=1).sees(brand="Globex", brand_id="g1")
    assert desk.hold(brand).state is HoldState.RELEASED
    assert not desk.actions()


# -------------------------------------------------------------------------------------------- gone


def test_a_product_that_is_gone_releases_everything_as_gone() -> None:
    desk = owing()
    decision = desk.later(seconds=1).decides(Sighting(product("p1"), desk.at, is_gone=True, caused_by=("d-1",)))
    assert desk.hold().state is HoldState.GONE
    assert not desk.actions()
    assert "no longer exists" in decision.traces[0].text
    assert decision.traces[0].caused_by == ("d-1",)
    assert desk.later(seconds=1).finds_gone().traces == ()


def test_a_category_that_is_gone_releases_its_holds_as_gone() -> None:
    desk = owing()
    desk.directory = replace(desk.directory, gone=frozenset({FEATURED}))
    desk.later(seconds=1).sees()
    assert desk.hold().state is HoldState.GONE
    assert not desk.actions()
