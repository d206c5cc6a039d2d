"""A catalogue is read as it was last seen, page by page, and renamed rules find what was theirs."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from core_builders import FEATURED, holding, membership
from engine_world import KSA, WEB, empty_database, rulebook, stores
from hypothesis import given
from hypothesis import strategies as st
from remembered import NOON, SHOP, a_category, a_product, remember
from strategies import cases

from rules_engine.core.plan import Case
from rules_engine.core.rule import RuleCode
from rules_engine.core.subject import product
from rules_engine.database.engine import Database
from rules_engine.preview.catalogue import PAGE, Catalogue, new_names, open_catalogue, renamed
from rules_engine.preview.plan_changes import RuleChanges
from rules_engine.vendors import VENDORS

OLD, NEW = RuleCode("a"), RuleCode("b")


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database.from_url(f"sqlite:///{shutil.copy(empty_database(tmp_path), tmp_path / 'engine.db')}")
    yield database
    database.close()


def opened(database: Database) -> Catalogue:
    store = next(each for each in stores() if each.alias == WEB)
    able = VENDORS[store.settings.vendor].CAPABILITIES
    return open_catalogue(database, store, able, now=NOON, lag=timedelta(minutes=10), takes=timedelta(0))


def test_a_catalogue_has_the_stores_own_products_categories_and_names(database: Database) -> None:
    remember(database, WEB, SHOP)
    remember(database, KSA, [a_product("9", "Hat"), a_category("540", "Summer")])
    catalogue = opened(database)
    assert [ref.id for ref in catalogue.products] == ["1", "2", "3", "4"]
    assert [case.ref.id for case in catalogue.categories] == ["9691094", "9691099"]
    assert catalogue.directory.category_names("9691099") == ("Sale",)


def test_products_come_in_pages_in_which_none_is_missing(database: Database) -> None:
    remember(database, WEB, [a_product(f"{number:04}", "Boot") for number in range(2 * PAGE + 1)])
    catalogue = opened(database)
    pages = list(catalogue.pages())
    assert [len(page) for page in pages] == [PAGE, PAGE, 1]
    assert [case.ref for page in pages for case in page] == list(catalogue.products)


def test_a_renamed_rule_finds_its_holds_and_stretches() -> None:
    case = holding().case()
    found = renamed(case, {OLD: NEW})
    assert [hold.rule for hold in found.slots[membership(FEATURED)].holds] == [NEW]
    assert found.episodes[NEW, product("p1")] == case.episodes[OLD, product("p1")]
    assert (OLD, product("p1")) not in found.episodes
    assert found.recent_takes == {NEW: case.recent_takes[OLD]}


def test_a_stretch_under_the_new_name_counts() -> None:
    old, new = holding().case(), holding().later(hours=1).case()
    own = dict(new.episodes)[OLD, product("p1")]
    both = Case(product("p1"), episodes={**old.episodes, (NEW, product("p1")): own})
    assert renamed(both, {OLD: NEW}).episodes == {(NEW, product("p1")): own}


@given(cases(product("p1")))
def test_without_new_names_everything_stays(case: Case) -> None:
    assert renamed(case, {}) is case
    assert renamed(case, {RuleCode("nobody"): NEW}) == case


@given(cases(product("p1")), st.sampled_from([RuleCode(f"rule-{number}") for number in range(4)]))
def test_after_renaming_the_old_name_is_nowhere(case: Case, code: RuleCode) -> None:
    found = renamed(case, {code: NEW})
    holds = [hold for slot in found.slots.values() for hold in slot.holds]
    ended = [hold for of_slot in found.ended.values() for hold in of_slot]
    assert code not in {hold.rule for hold in [*holds, *ended]}
    assert code not in {rule for rule, _ in found.episodes}
    assert code not in {rule for action in found.actions.values() for rule in action.rules}
    assert len(holds) == sum(len(slot.holds) for slot in case.slots.values())


RULE = "  CODE:\n    stores: [web]\n    while: {product.stock: {at_most: 0}}\n    do: [hide]\n"


def book(*codes: str, more: str = "") -> str:
    return "rules:\n" + more + "".join(RULE.replace("CODE", code) for code in codes)


def changes(old: str, new: str) -> RuleChanges:
    return RuleChanges.of(rulebook(old), rulebook(new))


def test_a_code_that_is_still_in_use_is_not_renamed() -> None:
    text = book("old") + RULE.replace("CODE:", "new:\n    formerly: gone")
    assert new_names(rulebook(text).rules) == {RuleCode("gone"): RuleCode("new")}


def test_rules_that_say_the_same_elsewhere_are_no_change() -> None:
    assert changes(book("a", "b"), "# a comment\n\n" + book("a", "b")).is_empty


def test_rules_that_came_went_and_were_edited_are_told_apart() -> None:
    found = changes(book("a", "b", "c"), book("b", "d").replace("at_most: 0", "at_most: 1", 1))
    assert (found.added, found.removed, found.edited) == (("d",), ("a", "c"), ("b",))
    assert not found.is_reordered


def test_a_rule_with_a_new_name_is_renamed_not_added() -> None:
    found = changes(book("a"), book("a").replace("a:", "b:\n    formerly: a", 1))
    assert (dict(found.renamed), found.added, found.removed, found.edited) == ({"a": "b"}, (), (), ())


def test_another_order_is_a_change_since_another_rule_may_win() -> None:
    assert changes(book("a", "b"), book("b", "a")).is_reordered
    assert not changes(book("a", "b"), book("a", "new", "b")).is_reordered
