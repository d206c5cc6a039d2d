"""What a slot shows, and a product with some slots set otherwise."""

from __future__ import annotations

from typing import Any

import pytest
from core_builders import DIRECTORY, FEATURED, SALE, START, membership
from hypothesis import given
from hypothesis import strategies as st

from rules_engine.core.action import Aspect, SlotRef
from rules_engine.core.holds import Hold, HoldState, Slot
from rules_engine.core.rule import RuleCode
from rules_engine.core.subject import ProductId, product
from rules_engine.core.view import (
    UNSEEN,
    as_people_made_it,
    is_changed,
    named,
    remember_names,
    shown,
    with_slots,
)

BRAND = SlotRef(ProductId("p1"), Aspect.BRAND)
VISIBILITY = SlotRef(ProductId("p1"), Aspect.VISIBILITY)


@pytest.mark.parametrize(
    ("fields", "slot", "value"),
    [
        ({"category_ids": [FEATURED]}, membership(), True),
        ({"category_ids": []}, membership(), False),
        ({}, membership(), UNSEEN),
        (None, membership(), UNSEEN),
        ({"published": False}, VISIBILITY, False),
        ({}, VISIBILITY, UNSEEN),
        ({"brand_id": 7, "brand": "Acme"}, BRAND, "7"),
        ({"brand_id": None, "brand": None}, BRAND, None),
        ({"brand_id": None}, BRAND, None),
        ({"brand": None}, BRAND, None),
        ({"brand": "Acme"}, BRAND, UNSEEN),
        ({"brand": "Acme", "brand_id": None}, BRAND, UNSEEN),
        ({}, BRAND, UNSEEN),
    ],
)
def test_a_slot_shows_what_the_fields_know(fields: dict[str, Any] | None, slot: SlotRef, value: object) -> None:
    assert shown(fields, slot) == value


@given(st.sets(st.sampled_from([FEATURED, SALE, "31", "99"])), st.booleans())
def test_a_slot_that_is_set_shows_it_and_the_others_stay(ids: set[str], wish: bool) -> None:
    fields = with_slots({"category_ids": sorted(ids)}, {membership(): wish}, DIRECTORY)
    assert shown(fields, membership()) is wish
    assert set(fields["category_ids"]) - {FEATURED} == ids - {FEATURED}
    assert with_slots(fields, {membership(): wish}, DIRECTORY) == fields


def test_a_membership_is_not_set_where_memberships_are_unknown() -> None:
    assert "category_ids" not in with_slots({"stock": 1}, {membership(): True}, DIRECTORY)


def test_a_brand_that_is_set_has_its_name() -> None:
    fields = with_slots({"brand": None, "brand_id": None}, {BRAND: "a1"}, DIRECTORY)
    assert (fields["brand"], fields["brand_id"]) == ("Acme", "a1")
    assert with_slots(fields, {BRAND: None}, DIRECTORY)["brand"] is None


def test_a_brand_that_the_store_does_not_name_keeps_the_name_that_was_seen() -> None:
    seen = named({"brand": "Initech", "brand_id": "i1"}, DIRECTORY)
    cleared = with_slots(seen, {BRAND: None}, DIRECTORY)
    assert with_slots(cleared, {BRAND: "i1"}, DIRECTORY)["brand"] == "Initech"
    assert remember_names({"brand": None}, seen)["brand_names"] == {"i1": "Initech"}


def test_categories_have_one_order_and_their_names() -> None:
    fields = named({"category_ids": [SALE, FEATURED], "categories": ["other"]}, DIRECTORY)
    assert fields["category_ids"] == [FEATURED, SALE]
    assert fields["categories"] == ["Featured", "Sale"]


@pytest.mark.parametrize("state", list(HoldState))
def test_people_see_the_baseline_of_what_is_held_and_nothing_else(state: HoldState) -> None:
    hold = Hold(RuleCode("a"), product("p1"), wish=False, episode=1, state=state, since=START)
    slot = Slot(membership(), baseline=True, since=START, holds=(hold,))
    fields = as_people_made_it({"category_ids": []}, [slot], DIRECTORY)
    assert shown(fields, membership()) is state.is_open


def test_what_moves_by_itself_is_no_change() -> None:
    before = {"stock": 1, "updated_at": "1", "raw": {"a": 1}, "product_count": 1}
    assert not is_changed(before, {**before, "updated_at": "2", "raw": {}, "product_count": 2})
    assert is_changed(before, {**before, "stock": 2})
    assert is_changed(None, before)
