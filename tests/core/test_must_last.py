"""Rules whose condition has to last before they take: what counts, what is said, and when it is looked at again."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from core_builders import (
    FEATURED,
    FEW,
    LEAVES,
    SALE,
    SOLD_OUT,
    START,
    UNREADABLE,
    Bench,
    as_soon_as,
    holding,
    membership,
    removes,
    sold_out,
    while_,
)
from hypothesis import given
from hypothesis import strategies as st

from rules_engine.core.action import ActionKind
from rules_engine.core.condition import Test, Truth, Word, Written
from rules_engine.core.holds import HoldState
from rules_engine.core.judge import is_ripe, ripens_at
from rules_engine.core.plan import Episode, Step
from rules_engine.core.rule import Effect, EffectKind, Guards, Mode, Rule, RuleCode
from rules_engine.core.sighting import Decision, Sighting
from rules_engine.core.subject import Snapshot, SubjectKind, category, product

QUARTER = timedelta(minutes=15)
BEGAN = START + timedelta(seconds=1)


def lasting(rule: Rule = LEAVES, span: timedelta = QUARTER) -> Rule:
    """The rule, whose condition must last."""
    return replace(rule, guards=Guards(must_last=span))


WAITS = lasting()


def episode_of(desk: Bench) -> Episode:
    return desk.case().episodes[RuleCode("a"), product("p1")]


def ripe() -> Bench:
    """Sold out for a quarter of an hour, and looked at again."""
    desk = sold_out(WAITS)
    desk.later(minutes=15).sees()
    return desk


# How the stretch is counted


def test_nothing_is_taken_before_the_condition_has_lasted() -> None:
    desk = sold_out(WAITS)
    desk.later(minutes=14, seconds=59).sees()
    assert not desk.actions()
    assert not desk.is_held()


def test_what_has_lasted_is_taken_and_given_back_as_ever() -> None:
    desk = ripe()
    assert desk.action().kind is ActionKind.REMOVE_FROM_CATEGORY
    desk.calls()
    desk.later(seconds=1).sees(category_ids=[])
    assert desk.hold().state is HoldState.HOLDING
    desk.later(seconds=1).sees(stock=3)
    assert desk.action().step is Step.GIVE_BACK


def test_it_is_counted_from_the_first_sighting_that_showed_it() -> None:
    desk = sold_out(WAITS)
    desk.later(minutes=7).sees(price=3)
    assert episode_of(desk).since == BEGAN
    assert ripens_at(WAITS, episode_of(desk)) == BEGAN + QUARTER


def test_a_condition_that_ends_meanwhile_begins_anew() -> None:
    desk = sold_out(WAITS)
    desk.later(minutes=10).sees(stock=1)
    desk.later(minutes=1).sees(stock=0)
    desk.later(minutes=10).sees()
    assert not desk.actions()
    desk.later(minutes=5).sees()
    assert desk.actions()


def test_what_cannot_be_told_does_not_begin_it_anew_and_takes_nothing() -> None:
    desk = sold_out(WAITS)
    desk.later(minutes=10).sees(stock=None, tracks_stock=True)
    desk.later(minutes=5).sees()
    assert not desk.actions()
    desk.later(minutes=1).sees(stock=0)
    assert desk.actions()


def test_unless_ends_it_too() -> None:
    rule = replace(WAITS, unless=Test("product.brand", Word.IS, "Acme"))
    desk = Bench((rule,))
    desk.sees(stock=0, brand="Globex")
    desk.later(minutes=10).sees(brand="Acme")
    desk.later(minutes=5).sees(brand="Globex")
    assert not desk.actions()
    assert desk.last is not None
    assert desk.last.look_at == desk.at + QUARTER


def test_it_delays_the_taking_only() -> None:
    desk = ripe()
    desk.calls()
    desk.later(seconds=1).sees(category_ids=[])
    desk.later(seconds=1).sees(stock=3)
    desk.calls()
    assert desk.hold().state in {HoldState.RELEASED, HoldState.OWED}


def test_the_second_stretch_has_to_last_as_the_first_had() -> None:
    desk = ripe()
    desk.later(minutes=1).sees(stock=3)
    desk.later(minutes=1).sees(stock=0)
    assert not [action for action in desk.to_send() if action.wish is False]
    desk.later(minutes=15).sees()
    assert desk.to_send()


# What edits of the rule do


def test_an_edited_rule_keeps_the_start_of_its_stretch() -> None:
    desk = sold_out(WAITS)
    desk.rules = (lasting(while_(FEW, removes("Featured"))),)
    desk.later(minutes=15).sees()
    assert desk.actions()


def test_what_a_rule_holds_stays_held_when_it_must_last_from_now_on() -> None:
    desk = holding()
    desk.rules = (WAITS,)
    desk.later(minutes=1).sees()
    assert desk.hold().state is HoldState.HOLDING
    assert not desk.actions()
    desk.later(minutes=20).sees()
    assert desk.hold().state is HoldState.HOLDING


@pytest.mark.parametrize("mode", [Mode.WATCH, Mode.PAUSED])
def test_a_rule_that_may_not_act_takes_nothing_when_it_has_lasted(mode: Mode) -> None:
    desk = sold_out(WAITS)
    desk.rules = (replace(WAITS, mode=mode),)
    decision = desk.later(minutes=15).sees()
    assert not desk.actions()
    assert ("has lasted" in desk.says()) is (mode is Mode.WATCH)
    assert decision.look_at is None


# What is said


def test_the_traces_say_that_it_waits_that_it_has_lasted_and_what_is_done() -> None:
    desk = sold_out(WAITS)
    assert desk.says() == "its condition began to hold; it must last 15 minutes, until 09:15 (UTC)"
    desk.later(minutes=5).sees(price=1)
    assert not desk.says()
    desk.later(minutes=10).sees()
    assert desk.says() == "its condition has lasted 15 minutes; takes it out of Featured (10)"
    desk.later(minutes=1).sees()
    assert "lasted" not in desk.says()


def test_what_lasts_till_another_day_says_the_day() -> None:
    desk = sold_out(lasting(span=timedelta(days=3)))
    assert desk.says() == "its condition began to hold; it must last 3 days, until 2026-03-05 09:00 (UTC)"


def test_what_ends_too_early_says_so() -> None:
    desk = sold_out(WAITS)
    desk.later(minutes=5).sees(stock=2)
    assert desk.says() == "its condition ended before it had lasted 15 minutes"
    again = ripe()
    again.calls()
    again.later(minutes=1).sees(category_ids=[], stock=2)
    assert again.says().startswith("its condition ended; ")


def test_a_rule_that_waits_for_a_name_says_so_when_it_has_lasted() -> None:
    desk = Bench((lasting(while_(SOLD_OUT, removes("Nowhere"))),))
    desk.sees(stock=0)
    assert "waits" not in desk.says()
    desk.later(minutes=15).sees()
    assert desk.says().startswith("its condition has lasted 15 minutes; waits: ")


def test_a_rule_that_cannot_tell_what_to_take_says_so_when_it_has_lasted() -> None:
    desk = sold_out(WAITS)
    desk.fields["p1"].pop("category_ids")
    desk.later(minutes=15)
    snapshot = Snapshot(product("p1"), desk.fields["p1"])
    desk.decides(Sighting(product("p1"), desk.at, snapshot))
    assert "cannot tell what it is now, so nothing is called" in desk.says()


def test_people_are_told_when_it_has_lasted_and_not_before() -> None:
    rule = replace(WAITS, notifies=("team",))
    desk = sold_out(rule)
    assert desk.last is not None
    assert not desk.last.notices
    assert not desk.later(minutes=5).sees(stock=3).notices
    desk.later(minutes=1).sees(stock=0)
    (notice,) = desk.later(minutes=15).sees().notices
    assert notice.text.startswith("its condition has lasted 15 minutes")
    assert len(desk.later(minutes=1).sees(stock=3).notices) == 1


def test_people_are_told_once_that_it_has_lasted_also_while_nobody_can_tell() -> None:
    desk = sold_out(replace(WAITS, notifies=("team",)))
    desk.fields["p1"].pop("stock")
    (notice,) = desk.later(minutes=15).sees().notices
    assert notice.text == "its condition has lasted 15 minutes"
    assert not desk.actions()
    assert not desk.later(minutes=1).sees(stock=0).notices
    assert desk.actions()


# When it is looked at again


def test_it_is_looked_at_again_when_it_will_have_lasted() -> None:
    desk = sold_out(WAITS)
    assert desk.last is not None
    assert desk.last.look_at == BEGAN + QUARTER
    assert desk.later(minutes=5).sees(price=1).look_at == BEGAN + QUARTER
    assert desk.later(minutes=10).sees().look_at is None
    assert sold_out(WAITS).later(minutes=5).sees(stock=1).look_at is None


def test_the_earlier_of_two_looks_counts() -> None:
    new = Test("product.created_at", Word.NEWER_THAN, Written("1 day", "1 day"))
    other = while_(new, removes("Sale"), code="b", order=1)
    desk = Bench((WAITS, other))
    created = START - timedelta(hours=23, minutes=50)
    decision = desk.sees(stock=0, created_at=created.isoformat())
    assert decision.look_at == START + timedelta(minutes=10)
    assert desk.later(minutes=10).sees().look_at == START + QUARTER


def test_it_is_looked_at_before_where_time_may_end_the_stretch() -> None:
    new = Test("product.created_at", Word.NEWER_THAN, Written("1 day", "1 day"))
    desk = Bench((lasting(while_(new, removes("Featured"))),))
    created = START - timedelta(hours=23, minutes=50)
    assert desk.sees(created_at=created.isoformat()).look_at == START + timedelta(minutes=10)
    assert desk.later(minutes=10).sees().look_at is None
    assert desk.says() == "its condition ended before it had lasted 15 minutes"


def test_where_the_shop_cannot_be_read_it_goes_by_what_is_known() -> None:
    desk = Bench((WAITS,), UNREADABLE)
    desk.sees(version=START, stock=0)
    desk.later(minutes=15).recalls()
    assert desk.says() == "its condition has lasted 15 minutes; takes it out of Featured (10)"
    desk.later(minutes=1).recalls()
    assert "lasted" not in desk.says()


# Time alone


def test_a_new_product_leaves_when_it_is_no_longer_new() -> None:
    old = Test("product.created_at", Word.OLDER_THAN, Written("14 days", "14 days"))
    desk = Bench((while_(old, removes("Featured")),))
    decision = desk.sees(created_at=(START - timedelta(days=13)).isoformat())
    assert decision.look_at == START + timedelta(days=1)
    desk.later(days=1).sees()
    assert desk.action().kind is ActionKind.REMOVE_FROM_CATEGORY
    assert desk.last is not None
    assert desk.last.look_at is None


@pytest.mark.parametrize("capabilities", [Bench(()).capabilities, UNREADABLE])
def test_a_moment_that_time_brings_comes_once(capabilities: object) -> None:
    old = Test("product.created_at", Word.OLDER_THAN, Written("1 day", "1 day"))
    desk = Bench((as_soon_as(old, removes("Featured")),))
    can_read = capabilities is not UNREADABLE
    desk.capabilities = desk.capabilities if can_read else UNREADABLE
    decision = desk.sees(version=None if can_read else START, created_at=START.isoformat())
    assert decision.look_at == START + timedelta(days=1)
    look = desk.sees if can_read else desk.recalls
    desk.later(days=1)
    look()
    assert desk.says("m") == "its moment came; takes it out of Featured (10)"
    desk.calls()
    desk.later(minutes=30)
    desk.fields["p1"]["category_ids"] = []
    look()
    assert not desk.says("m")
    # A person who puts it back there is not overruled by a moment that is over.
    desk.later(minutes=30).sees(version=None if can_read else desk.at, category_ids=[FEATURED])
    assert not desk.actions()


def test_a_rule_that_is_paused_costs_no_look() -> None:
    monday = Test("now.weekday", Word.IS, "monday")
    assert Bench((while_(monday, removes("Sale")),)).sees().look_at is not None
    assert Bench((while_(monday, removes("Sale"), mode=Mode.PAUSED),)).sees().look_at is None


# Rules about categories


UNPUBLISHED = Test("category.published", Word.IS, False)  # the value that is asked for
EMPTIES = lasting(while_(UNPUBLISHED, Effect(EffectKind.EMPTY_CATEGORY), code="e", about=SubjectKind.CATEGORY))


def sees_category(desk: Bench, *, is_published: bool) -> Decision:
    """Decide on the category, and tell the products how its rules stand."""
    shown = {"id": SALE, "name": "Sale", "published": is_published}
    decision = desk.decides(Sighting(category(SALE), desk.at, Snapshot(category(SALE), shown)))
    desk.stretches |= decision.case.episodes
    return decision


def test_a_category_is_emptied_when_it_has_lasted() -> None:
    desk = Bench((EMPTIES,))
    waits = sees_category(desk, is_published=False)
    assert waits.look_at == START + QUARTER
    assert "must last 15 minutes, until 09:15 (UTC)" in waits.traces[0].text
    desk.sees(category_ids=[FEATURED, SALE])
    assert not desk.actions()
    lasted = sees_category(desk.later(minutes=15), is_published=False)
    assert lasted.traces[0].text == "its condition has lasted 15 minutes"
    assert lasted.look_at is None
    desk.sees()
    assert desk.action().target == SALE


def test_what_a_rule_about_a_category_holds_stays_when_it_must_last_from_now_on() -> None:
    desk = Bench((replace(EMPTIES, guards=Guards()),))
    sees_category(desk, is_published=False)
    desk.sees(category_ids=[FEATURED, SALE])
    desk.calls()
    desk.later(seconds=1).sees(category_ids=[FEATURED])
    desk.rules = (EMPTIES,)
    sees_category(desk, is_published=False)
    desk.sees()
    assert desk.hold(membership(SALE), "e").state is HoldState.HOLDING


def test_a_category_that_is_published_again_in_time_keeps_its_products() -> None:
    desk = Bench((EMPTIES,))
    sees_category(desk, is_published=False)
    desk.sees(category_ids=[FEATURED, SALE])
    decision = sees_category(desk.later(minutes=10), is_published=True)
    assert decision.traces[0].text == "its condition ended before it had lasted 15 minutes"
    desk.later(minutes=10).sees()
    assert not desk.actions()


# For all spans


@given(st.integers(1, 10**6), st.integers(0, 2 * 10**6))
def test_a_stretch_is_ripe_from_the_instant_at_which_it_has_lasted(span: int, after: int) -> None:
    rule = lasting(span=timedelta(seconds=span))
    at = START + timedelta(seconds=after)
    assert is_ripe(rule, Episode(1, Truth.MET, START), at) is (after >= span)
    assert not is_ripe(rule, Episode(1, Truth.UNMET, START), at)
    assert is_ripe(LEAVES, Episode(1, Truth.MET, START), at)


@given(st.lists(st.tuples(st.integers(1, 12), st.sampled_from([0, 3])), min_size=1, max_size=8))
def test_a_product_is_taken_if_and_only_if_its_last_stretch_has_lasted(sightings: list[tuple[int, int]]) -> None:
    desk = Bench((WAITS,))
    began = None
    for minutes, stock in sightings:
        desk.later(minutes=minutes).sees(stock=stock)
        began = (began or desk.at) if stock == 0 else None
        assert bool(desk.actions()) is (began is not None and desk.at >= began + QUARTER)


def test_a_stretch_that_nobody_looked_at_once_it_was_ripe_never_lasted() -> None:
    desk = Bench((WAITS,))
    desk.sees(stock=0)
    desk.later(hours=1).sees(stock=3)
    assert desk.says() == "its condition ended before it had lasted 15 minutes"
