"""A test of a rule is played by the one core: what it gives is shown, what the rule asks for is done, time passes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules_engine.core.problem import Place
from rules_engine.core.rule import Effect, EffectKind, Every, Identified, Named, Rule, Under
from rules_engine.core.scenario import Expected, Glimpse, Scenario
from rules_engine.core.store import Store
from rules_engine.preview.scenario_result import Played, details, explanation, play, story
from rules_engine.rulebook import compile_rulebook, compile_scenarios, load_stores
from rules_engine.vendors import VENDORS

STORES = (Path(__file__).parents[2] / "rules" / "stores.yaml").read_text(encoding="utf-8")

SOLD_OUT = """
  leaves:
    stores: [web]
    while: {product.stock: {at_most: 0}}
    do: [{remove_from_category: Featured}]
"""
OPPOSITE = {EffectKind.HIDE: EffectKind.SHOW, EffectKind.SHOW: EffectKind.HIDE}


@cache
def stores() -> Mapping[str, Store]:
    return {store.alias: store for store in load_stores(STORES, path="s", vendors=VENDORS, environment=None).stores}


def the_rule(text: str) -> Rule:
    made = compile_rulebook({"rules/a.yaml": f"rules:\n{text}"}, stores=list(stores().values()), vendors=VENDORS)
    return made.rules[0]


def played(text: str, test: str) -> Played:
    """Play the one test, written as in a file, of the one rule."""
    book = compile_rulebook({"rules/a.yaml": f"rules:\n{text}"}, stores=list(stores().values()), vendors=VENDORS)
    rule = book.rules[0]
    texts = {"rules/tests/a.yaml": f"tests:\n  {rule.code}:\n    - name: it\n{test}"}
    (scenario,) = compile_scenarios(texts, book, stores=list(stores().values()))
    return play_one(scenario, rule)


def play_one(scenario: Scenario, rule: Rule) -> Played:
    store = stores()[scenario.store or rule.stores[0]]
    return play(scenario, rule, store, VENDORS[store.settings.vendor](store.settings))


def quick(product: dict[str, Any], text: str = SOLD_OUT, **more: Any) -> Played:
    """Play a test that expects nothing, to see what the rule does."""
    rule = the_rule(text)
    made = Scenario(rule.code, "it", Place("t", 1, 1), rule.about, Glimpse(product), Expected.NOTHING, **more)
    return play_one(made, rule)


def removes(name: str) -> Effect:
    return Effect(EffectKind.REMOVE_FROM_CATEGORY, (Named(name),))


def later(after: timedelta = timedelta(minutes=5), **fields: Any) -> Glimpse:
    return Glimpse(fields, after=after)


# What is given.


def test_what_is_not_given_is_known_to_be_empty() -> None:
    text = """
  untagged:
    stores: [brands]
    while: {product.tags: empty, product.name: empty, product.brand: empty, product.stock: {at_least: 1000}}
    do: [{assign_brand: Acme}]
"""
    assert quick({"sku": "A-1"}, text).actual == ("assign_brand: Acme",)


def test_a_product_is_published_and_unlimited_unless_the_test_says_otherwise() -> None:
    text = """
  hides:
    stores: [web]
    while: {product.published: true, product.tracks_stock: false, product.can_be_ordered: true}
    do: [hide]
"""
    assert quick({}, text).actual == ("hide",)
    assert quick({"published": False}, text).actual == ("nothing",)


@pytest.mark.parametrize(
    "sold_out",
    [
        {"stock": 0},
        {"in_stock": False},
        {"can_be_ordered": False},
        {"tracks_stock": True},
        {"variants": [{"sku": "A", "stock": 0}, {"sku": "B", "stock": 0}]},
    ],
    ids=str,
)
def test_sold_out_can_be_said_in_any_way(sold_out: dict[str, Any]) -> None:
    assert quick({**sold_out, "categories": ["Featured"]}).actual == ("remove_from_category: Featured",)


@pytest.mark.parametrize("on_sale", [{"on_sale": True}, {"price": 10, "compare_at_price": 20}], ids=str)
def test_on_sale_can_be_said_with_or_without_prices(on_sale: dict[str, Any]) -> None:
    text = "  sale:\n    stores: [web]\n    while: {product.on_sale: true}\n    do: [{add_to_category: Sale}]\n"
    assert quick(on_sale, text).actual == ("add_to_category: Sale",)
    assert quick({**on_sale, "categories": ["Sale"]}, text, then=(later(on_sale=False),)).actual == ("nothing",)


def test_what_nobody_knows_cannot_be_told() -> None:
    given = Glimpse({"categories": ["Featured"]}, frozenset({"stock"}))
    rule = the_rule(SOLD_OUT)
    made = Scenario(rule.code, "it", Place("t", 1, 1), rule.about, given, Expected.CANNOT_TELL)
    found = play_one(made, rule)
    assert found.is_ok
    assert found.actual == ("cannot tell",)
    assert explanation(found) == ["? stock is not known"]


def test_an_unmet_condition_is_not_one_that_cannot_be_told() -> None:
    rule = the_rule(SOLD_OUT)
    made = Scenario(rule.code, "it", Place("t", 1, 1), rule.about, Glimpse({"stock": 3}), Expected.CANNOT_TELL)
    found = play_one(made, rule)
    assert not found.is_ok
    assert found.actual == ("nothing: the condition is unmet",)


def test_a_brand_has_its_id_also_where_stores_yaml_names_none() -> None:
    text = """
  ends:
    stores: [brands]
    while: {product.brand: Globex}
    do: [unassign_brand]
"""
    assert quick({"brand": "Globex"}, text).actual == ("unassign_brand",)
    assert quick({"brand": "Acme"}, text).actual == ("nothing",)


# Categories.


def test_categories_are_made_of_the_names_in_the_test_and_the_rule() -> None:
    text = """
  unbranded:
    stores: [web]
    while: {product.brand: empty}
    do: [{remove_from_category: {under: Brands}}]
"""
    found = quick({"categories": ["Brands / Nike", "Brands / Nike / Shoes", "Sale"]}, text)
    assert sorted(found.actual) == [
        "remove_from_category: Brands / Nike",
        "remove_from_category: Brands / Nike / Shoes",
    ]


def test_a_short_name_means_the_category_whose_path_another_line_tells() -> None:
    text = SOLD_OUT.replace("Featured", "Home / Featured")
    assert quick({"stock": 0, "categories": ["Featured"]}, text).actual == ("remove_from_category: Home / Featured",)


def test_a_stroke_without_blanks_is_part_of_a_name() -> None:
    text = SOLD_OUT.replace("Featured", "Bed/Bath")
    found = quick({"stock": 0, "categories": ["Bed/Bath", "Home / Bed"]}, text)
    assert found.actual == ("remove_from_category: Bed/Bath",)


def test_a_category_can_be_given_by_its_id() -> None:
    text = SOLD_OUT.replace("Featured", "{id: 9691094}")
    assert quick({"stock": 0, "category_ids": ["9691094", "7"]}, text).actual == ("remove_from_category: 9691094",)


def test_two_categories_of_one_name_make_the_rule_wait_as_in_a_real_shop() -> None:
    found = quick({"stock": 0, "categories": ["Home / Featured", "Summer / Featured"]})
    assert found.actual == ("nothing",)
    assert "categories are called" in story(found)[0]


def test_expected_lines_mean_what_the_product_was_in_when_it_was_shown() -> None:
    text = SOLD_OUT.replace("Featured", "all")
    rule = the_rule(text)
    everything = Effect(EffectKind.REMOVE_FROM_CATEGORY, (Every(),))
    below = Effect(EffectKind.REMOVE_FROM_CATEGORY, (Under(Named("Home")),))
    shown = Glimpse({"stock": 0, "categories": ["Home / Shoes", "Sale"]})
    for expect, is_ok in [((everything,), True), ((below,), False), ((below, removes("Sale")), True)]:
        assert play_one(Scenario(rule.code, "it", Place("t", 1, 1), rule.about, shown, expect), rule).is_ok is is_ok


def test_the_order_of_expected_lines_does_not_count_and_their_number_does() -> None:
    text = SOLD_OUT.replace("Featured", "[Featured, Sale]")
    rule = the_rule(text)
    shown = Glimpse({"stock": 0, "categories": ["Featured", "Sale"]})
    for expect, is_ok in [
        ((removes("sale"), removes("Featured")), True),
        ((removes("Featured"),), False),
        ((removes("Featured"), removes("Sale"), removes("Sale")), False),
        ((Effect(EffectKind.REMOVE_FROM_CATEGORY, (Named("Sale"), Named("Featured"))),), True),
        ((Effect(EffectKind.REMOVE_FROM_CATEGORY, (Identified("Sale"),)), removes("Featured")), True),
    ]:
        assert play_one(Scenario(rule.code, "it", Place("t", 1, 1), rule.about, shown, expect), rule).is_ok is is_ok


# What was before, what is held, and what comes later.


def test_before_is_like_given_but_for_what_it_says() -> None:
    text = """
  unbranded:
    stores: [web]
    as_soon_as: {product.brand: {becomes: empty}}
    do: [{remove_from_category: {under: Brands}}]
"""
    test = """\
      given:
        product: {categories: [Brands / Acme]}
        before: {brand: Acme}
      expect: [{remove_from_category: Brands / Acme}]
"""
    assert played(text, test).is_ok
    assert not played(text, test.replace("        before: {brand: Acme}\n", "")).is_ok


def test_what_the_rule_did_before_stays_done_and_is_not_counted() -> None:
    shown = {"stock": 5, "categories": ["Featured", "Shoes"]}
    found = quick(shown, before=Glimpse({**shown, "stock": 0}))
    assert found.actual == ("add_to_category: Featured",)
    still = quick({**shown, "stock": 0}, before=Glimpse({**shown, "stock": -1}))
    assert still.actual == ("nothing",)


def test_what_is_held_is_shown_and_given_back() -> None:
    assert quick({"stock": 0, "categories": ["Featured"]}, held=(removes("Featured"),)).actual == ("nothing",)
    assert quick({"stock": 5}, held=(removes("Featured"),)).actual == ("add_to_category: Featured",)


@pytest.mark.parametrize(
    ("do", "held", "back"),
    [
        ("hide", Effect(EffectKind.HIDE), "show"),
        ("{add_to_category: Sale}", Effect(EffectKind.ADD_TO_CATEGORY, (Named("Sale"),)), "remove_from_category: Sale"),
        ("unassign_brand", Effect(EffectKind.UNASSIGN_BRAND), "assign_brand: Acme"),
        ("{assign_brand: Globex}", Effect(EffectKind.ASSIGN_BRAND, (Named("Globex"),)), "assign_brand: Acme"),
    ],
)
def test_every_effect_can_be_held(do: str, held: Effect, back: str) -> None:
    text = f"  held:\n    stores: [web]\n    while: {{product.stock: 0}}\n    do: [{do}]\n"
    assert quick({"stock": 5, "brand": "Acme"}, text, held=(held,)).actual == (back,)
    assert quick({"stock": 0, "brand": "Acme"}, text, held=(held,)).actual == ("nothing",)


def test_a_later_sighting_changes_what_it_says_and_only_that_counts() -> None:
    sold_out = {"stock": 0, "categories": ["Featured", "Shoes"]}
    assert quick(sold_out, then=(later(stock=4),)).actual == ("add_to_category: Featured",)
    assert quick(sold_out, then=(later(name="Trail Runner"),)).actual == ("nothing",)
    assert quick(sold_out, then=(later(stock=4), later(stock=0))).actual == ("remove_from_category: Featured",)


def test_what_a_person_puts_back_by_hand_stays() -> None:
    by_hand = later(categories=["Featured", "Shoes"])
    found = quick({"stock": 0, "categories": ["Featured", "Shoes"]}, then=(by_hand, later(stock=-1)))
    assert found.actual == ("nothing",)
    assert any("a person undid it" in line for line in story(found))


def test_a_product_that_is_deleted_is_never_called_for() -> None:
    gone = Glimpse({}, event="deleted", after=timedelta(minutes=1))
    found = quick({"stock": 0, "categories": ["Featured"]}, then=(gone,))
    assert found.actual == ("nothing",)
    assert explanation(found) == ["what it is about no longer exists"]


def test_an_event_can_be_what_the_rule_waits_for() -> None:
    text = "  new:\n    stores: [web]\n    as_soon_as: {happens: created}\n    do: [{add_to_category: New}]\n"
    test = "      given: {product: {sku: A-1}, event: created}\n      expect: [{add_to_category: New}]\n"
    assert played(text, test).is_ok
    assert not played(text, test.replace("created}\n", "updated}\n")).is_ok


def test_a_shop_that_cannot_be_read_is_played_by_its_deliveries() -> None:
    text = SOLD_OUT.replace("web", "b2b") + "    afterwards: put back\n"
    sold_out = {"stock": 0, "categories": ["Featured"]}
    assert quick(sold_out, text).actual == ("remove_from_category: Featured",)
    assert quick(sold_out, text, then=(later(stock=2),)).actual == ("add_to_category: Featured",)
    assert quick(sold_out, text, then=(later(stock=2), later(stock=0))).actual == ("remove_from_category: Featured",)


# Time.


def test_a_test_happens_on_a_monday_at_noon_in_the_stores_time_zone_or_when_it_says() -> None:
    text = """
  mondays:
    stores: [ksa]
    while: {now.weekday: monday, now.time: {between: 12:00 and 12:30}}
    do: [{add_to_category: Lunch}]
"""
    assert quick({}, text).actual == ("add_to_category: Lunch",)
    assert quick({}, text, at=datetime(2026, 3, 2, 12, 0)).actual == ("add_to_category: Lunch",)  # noqa: DTZ001
    assert quick({}, text, at=datetime(2026, 3, 3, 12, 0)).actual == ("nothing",)  # noqa: DTZ001


NIGHTS = "  nights:\n    stores: [web]\n    while: {now.time: {between: 22:00 and 06:00}}\n    do: [hide]\n"


@pytest.mark.parametrize(("hours", "did"), [(9, ["nothing"]), (10, ["hide"]), (18, ["hide"]), (19, ["hide", "show"])])
def test_time_alone_turns_a_condition_while_it_passes(hours: int, did: list[str]) -> None:
    found = quick({}, NIGHTS, after=timedelta(hours=hours))
    assert list(found.actual) == did


def test_what_a_rule_does_between_two_sightings_is_not_counted() -> None:
    assert quick({}, NIGHTS, then=(later(timedelta(hours=11), name="Lamp"),)).actual == ("nothing",)
    assert quick({}, NIGHTS, then=(later(timedelta(hours=19), name="Lamp"),)).actual == ("nothing",)


@pytest.mark.parametrize(("minutes", "did"), [(14, "nothing"), (15, "remove_from_category: Featured")])
def test_a_condition_that_must_last_is_looked_at_again_when_it_has(minutes: int, did: str) -> None:
    text = f"{SOLD_OUT}    must_last: 15 minutes\n"
    shown = {"stock": 0, "categories": ["Featured"]}
    assert quick(shown, text, after=timedelta(minutes=minutes)).actual == (did,)
    back = (later(timedelta(minutes=10), stock=1), later(timedelta(minutes=1), stock=0))
    assert quick(shown, text, then=back, after=timedelta(minutes=minutes)).actual == (did,)


def test_a_rule_acts_when_its_hours_begin() -> None:
    text = f"{SOLD_OUT}    between: 14:00 and 16:00\n"
    shown = {"stock": 0, "categories": ["Featured"]}
    assert quick(shown, text, after=timedelta(hours=1)).actual == ("nothing",)
    found = quick(shown, text, after=timedelta(hours=2))
    assert found.actual == ("remove_from_category: Featured",)
    assert f"{found.run.deeds[0].at:%H:%M}" == "14:00"
    sold = (later(timedelta(minutes=5), stock=1),)
    assert quick(shown, text, then=sold, after=timedelta(hours=3)).actual == ("nothing",)


def test_new_products_leave_when_they_are_new_no_longer() -> None:
    text = """
  arrivals:
    stores: [web]
    while: {product.created_at: {newer_than: 14 days}}
    do: [{add_to_category: New}]
"""
    shown = {"created_at": "2026-02-20"}
    assert quick(shown, text).actual == ("add_to_category: New",)
    assert quick(shown, text, after=timedelta(days=5)).actual == ("add_to_category: New", "remove_from_category: New")


def test_a_rule_that_insists_takes_again_what_a_person_put_back() -> None:
    text = f"{SOLD_OUT}    insist: true\n"
    by_hand = later(categories=["Featured"])
    found = quick({"stock": 0, "categories": ["Featured"]}, text, then=(by_hand,))
    assert found.actual == ("remove_from_category: Featured",)


def test_a_product_never_loses_its_last_category_where_the_rule_says_so() -> None:
    text = f"{SOLD_OUT}    if_no_category_is_left: {{add_to_category: Unsorted}}\n"
    found = quick({"stock": 0, "categories": ["Featured"]}, text)
    assert found.actual == ("add_to_category: Unsorted", "remove_from_category: Featured")
    assert quick({"stock": 0, "categories": ["Featured", "Sale"]}, text).actual == ("remove_from_category: Featured",)


def test_a_rule_waits_between_two_times_that_it_acts() -> None:
    text = f"{SOLD_OUT}    at_most_every: 2 hours\n"
    again = (later(stock=1), later(stock=0))
    shown = {"stock": 0, "categories": ["Featured"]}
    assert quick(shown, text, then=again, after=timedelta(hours=1)).actual == ("nothing",)
    assert quick(shown, text, then=again, after=timedelta(hours=2)).actual == ("remove_from_category: Featured",)


def test_the_time_between_counts_from_when_its_hours_let_it_act() -> None:
    text = f"{SOLD_OUT}    at_most_every: 3 hours\n    between: 09:00 and 17:00\n"
    again = (later(timedelta(hours=13.5), stock=1), later(timedelta(hours=0.5), stock=0))  # at 9:30 and 10
    shown, evening = {"stock": 0, "categories": ["Featured"]}, datetime(2026, 3, 2, 20, tzinfo=UTC)
    for hours, done in ((1, "nothing"), (3, "remove_from_category: Featured")):
        found = quick(shown, text, at=evening, then=again, after=timedelta(hours=hours))
        assert found.actual == (done,)


# Rules about categories.

EMPTIES = """
  emptied:
    about: category
    stores: [ksa]
    while: {category.published: false}
    do: [empty_category]
"""


def test_a_category_is_emptied_when_all_its_members_are_taken_out() -> None:
    test = """\
      given: {category: {name: Winter, published: false}, products: [A-1, B-2]}
      expect: [empty_category]
"""
    found = played(EMPTIES, test)
    assert found.is_ok
    assert found.run.deeds[0].product == "A-1"
    assert found.run.deeds[1].product == "B-2"


def test_members_that_return_are_one_expected_line() -> None:
    test = """\
      given:
        category: {name: Winter, published: false}
        products: [A-1, B-2]
        then: [{category: {published: true}}]
      expect: [{add_to_category: Winter}]
"""
    assert played(EMPTIES, test).is_ok
    held = test.replace("false", "true").replace("        then: [{category: {published: true}}]\n", "")
    assert played(EMPTIES, held.replace("        products", "        held: [empty_category]\n        products")).is_ok


def test_a_category_that_stays_published_keeps_its_products() -> None:
    test = "      given: {category: {name: Winter, published: true}}\n      expect: nothing\n"
    assert played(EMPTIES, test).is_ok


def test_the_story_of_a_rule_about_categories_names_the_products() -> None:
    test = "      given: {category: {name: Winter, published: false}, products: [A-1]}\n      expect: nothing\n"
    first, second = story(played(EMPTIES, test))
    assert first == "Mon 02 Mar 12:00  category Winter: its condition began to hold"
    assert second.startswith("Mon 02 Mar 12:00  product A-1: takes it out of")
    assert second.endswith(" Winter")


# How it is told.


def test_a_test_that_fails_says_what_was_expected_what_was_and_why() -> None:
    test = (
        "      given: {product: {stock: 3, categories: [Featured]}}\n      expect: [{remove_from_category: Featured}]\n"
    )
    found = played(SOLD_OUT, test)
    assert not found.is_ok
    assert details(found) == [
        ("expected", ["remove_from_category: Featured"]),
        ("actual", ["nothing"]),
        ("condition", ["✗ stock is 3, must be at most 0"]),
        ("story", ["it did nothing"]),
    ]


LASTING = f"{SOLD_OUT}    must_last: 2 hours\n"
IN_FEATURED = "      given: {product: {stock: 0, categories: [Featured]}}\n"
LEAVES_FEATURED = "      expect: [{remove_from_category: Featured}]\n"


def test_a_test_that_ends_too_early_is_told_how_long_to_go_on() -> None:
    found = played(LASTING, IN_FEATURED + LEAVES_FEATURED)
    said = "the test ends Mon 02 Mar 12:00, and the rule looks again Mon 02 Mar 14:00: write `after: 2 hours`"
    assert found.advice == (said,)
    assert details(found)[-1] == ("help", [said])
    assert played(LASTING, f"{IN_FEATURED}      after: 2 hours\n{LEAVES_FEATURED}").is_ok


def test_after_days_the_span_is_rounded_up_to_what_is_enough() -> None:
    hours = f"{SOLD_OUT}    between: 14:10 and 17:00\n    weekdays: tuesday\n"
    (said,) = played(hours, IN_FEATURED + LEAVES_FEATURED).advice
    assert said.endswith("looks again Tue 03 Mar 14:10: write `after: 1 day 3 hours`")
    assert played(hours, f"{IN_FEATURED}      after: 1 day 3 hours\n{LEAVES_FEATURED}").is_ok


def test_a_product_that_is_not_where_the_rule_takes_it_from_is_told() -> None:
    found = played(SOLD_OUT, f"      given: {{product: {{stock: 0, categories: [Shoes]}}}}\n{LEAVES_FEATURED}")
    said = "the product is in no category that the rule takes it out of: write `categories: [Featured]`"
    assert found.advice == (said,)


def test_what_came_before_the_last_sighting_is_told() -> None:
    test = (
        "      given:\n        product: {stock: 0, categories: [Featured]}\n        then: [{product: {stock: 5}}]\n"
        "      expect: [{remove_from_category: Featured}, {add_to_category: Featured}]\n"
    )
    (said,) = played(SOLD_OUT, test).advice
    assert said.startswith("`remove_from_category: Featured` came before the last sighting")


def test_a_condition_that_is_unmet_needs_no_more_advice_and_a_test_that_passes_none() -> None:
    unmet = "      given: {product: {stock: 3, categories: [Shoes]}}\n"
    assert played(SOLD_OUT, unmet + LEAVES_FEATURED).advice == ()
    assert played(SOLD_OUT, IN_FEATURED + LEAVES_FEATURED).advice == ()


@pytest.mark.parametrize("mode", ["watch", "paused\n    because: it is summer"])
def test_a_rule_that_does_not_run_now_is_tested_all_the_same(mode: str) -> None:
    found = quick({"stock": 0, "categories": ["Featured"]}, f"{SOLD_OUT}    mode: {mode}\n")
    assert found.actual == ("remove_from_category: Featured",)


# For all tests.

shown_products = st.fixed_dictionaries(
    {},
    optional={
        "stock": st.none() | st.integers(-1, 3),
        "tracks_stock": st.booleans(),
        "in_stock": st.booleans(),
        "can_be_ordered": st.booleans(),
        "published": st.booleans(),
        "brand": st.sampled_from([None, "Acme", "Globex"]),
        "categories": st.lists(st.sampled_from(["Featured", "Brands / Acme", "Sale"]), unique=True),
        "price": st.none() | st.integers(0, 20),
    },
)
glimpses = st.builds(
    Glimpse,
    shown_products,
    st.frozensets(st.sampled_from(["stock", "categories", "brand", "published"]), max_size=1),
    st.sampled_from(["created", "updated", "deleted"]),
    st.sampled_from([timedelta(0), timedelta(minutes=5), timedelta(days=2)]),
)
texts = st.sampled_from(
    [
        SOLD_OUT,
        SOLD_OUT.replace("web", "b2b") + "    afterwards: put back\n",
        "  r:\n    stores: [web]\n    while: {product.brand: Acme}\n    do: [unassign_brand, hide]\n",
        "  r:\n    stores: [web]\n    as_soon_as: {product.stock: {falls_below: 2}}\n    do: [hide]\n",
    ]
)


@given(texts, glimpses, st.none() | glimpses, st.lists(glimpses, max_size=3))
def test_a_test_expects_exactly_what_it_says_that_the_rule_did(
    text: str, first: Glimpse, before: Glimpse | None, then: list[Glimpse]
) -> None:
    rule = the_rule(text)
    made = Scenario(
        rule.code, "it", Place("t", 1, 1), rule.about, first, Expected.NOTHING, before=before, then=tuple(then)
    )
    found = play_one(made, rule)
    assert play_one(made, rule).actual == found.actual
    assert found.is_ok is (not found.run.deeds)
    assert not found.run.is_restless
