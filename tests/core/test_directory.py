"""A store's categories and brands by name."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from core_builders import ACME, BRANDS, DIRECTORY, FEATURED, GLOBEX, SALE
from hypothesis import given
from hypothesis import strategies as st

from rules_engine.core.directory import CategoryEntry, Directory, Unresolved
from rules_engine.core.rule import Every, Identified, Named, Under
from rules_engine.core.store import Names
from rules_engine.core.subject import Snapshot, category
from rules_engine.core.words import fold


def reason(found: object) -> str:
    """Why a name means nothing."""
    assert isinstance(found, Unresolved)
    return found.reason


@pytest.mark.parametrize("name", ["Featured", "featured", "  FEATURED "])
def test_a_category_is_found_by_its_name_however_it_is_written(name: str) -> None:
    assert DIRECTORY.category(Named(name)) == FEATURED


def test_names_are_compared_without_regard_to_their_unicode_form() -> None:
    directory = Directory({"1": CategoryEntry("1", ("Caf\u00e9",))})
    assert directory.category(Named("Cafe\u0301")) == "1"


def test_a_category_is_found_by_its_name_in_any_language() -> None:
    directory = Directory({"1": CategoryEntry("1", ("Shoes", "أحذية"))})
    assert directory.category(Named("أحذية")) == directory.category(Named("Shoes")) == "1"


@pytest.mark.parametrize("path", ["Brands / Acme", "brands/acme"])
def test_a_category_is_found_by_its_path(path: str) -> None:
    assert DIRECTORY.category(Named(path)) == ACME


def test_a_path_may_start_anywhere_on_the_way() -> None:
    above = {
        **DIRECTORY.categories,
        "1": CategoryEntry("1", ("Home",)),
        BRANDS: CategoryEntry(BRANDS, ("Brands",), "1"),
    }
    directory = replace(DIRECTORY, categories=above)
    assert directory.category(Named("Home / Brands / Acme")) == directory.category(Named("Brands / Acme")) == ACME


def test_two_of_one_name_ask_for_the_path() -> None:
    twice = {"1": CategoryEntry("1", ("Sale",), BRANDS), **DIRECTORY.categories}
    said = reason(replace(DIRECTORY, categories=twice).category(Named("Sale")))
    assert "2 categories" in said
    assert '"Brands / Sale"' in said


def test_what_no_path_tells_apart_is_told_apart_by_id() -> None:
    at_the_top = {"1": CategoryEntry("1", ("Sale",), BRANDS), **DIRECTORY.categories}
    said = reason(replace(DIRECTORY, categories=at_the_top).category(Named("Sale")))
    assert said == f'2 categories are called "Sale": write "Brands / Sale" or {{id: {SALE}}}'


@given(st.lists(st.tuples(st.sampled_from(["Sale", "Shoes"]), st.none() | st.sampled_from("123")), max_size=6))
def test_what_is_to_be_written_for_one_of_several_means_just_that_one(tree: list[tuple[str, str | None]]) -> None:
    entries = {str(at): CategoryEntry(str(at), (name,), parent) for at, (name, parent) in enumerate(tree, start=1)}
    directory = Directory(entries)
    found = directory.category(Named("Sale"))
    if isinstance(found, Unresolved) and found.is_ambiguous:
        paths = re.findall(r'"([^"]+)"', found.advice)
        assert all(isinstance(directory.category(Named(path)), str) for path in paths)
        assert found.advice.count(" or ") + 1 == min(5, sum(name == "Sale" for name, _ in tree))


def test_an_unknown_name_comes_with_what_may_be_meant() -> None:
    assert (
        reason(DIRECTORY.category(Named("Featurd"))) == f'no category "Featurd": did you mean "Featured" ({FEATURED})?'
    )
    assert reason(DIRECTORY.category(Named("Bicycles"))) == 'no category "Bicycles"'


def test_a_name_of_the_stores_file_comes_first() -> None:
    directory = replace(DIRECTORY, names=Names(categories={"Featured": "99"}))
    assert directory.category(Named("featured")) == "99"


def test_an_id_is_taken_as_it_is_unless_it_is_gone() -> None:
    assert DIRECTORY.category(Identified("77")) == "77"
    gone = replace(DIRECTORY, gone=frozenset({"77"}))
    assert "no longer exists" in reason(gone.category(Identified("77")))


def test_under_means_the_categories_below_that_the_product_is_in() -> None:
    assert DIRECTORY.targets(Under(Named("Brands")), [FEATURED, ACME, BRANDS]) == (ACME,)


def test_under_reaches_all_levels() -> None:
    deep = {**DIRECTORY.categories, "311": CategoryEntry("311", ("Acme Kids",), ACME)}
    assert replace(DIRECTORY, categories=deep).targets(Under(Named("Brands")), ["311", GLOBEX]) == ("311", GLOBEX)


def test_all_means_every_category_that_the_product_is_in() -> None:
    assert DIRECTORY.targets(Every(), [FEATURED, SALE]) == (FEATURED, SALE)


def test_under_a_name_that_means_nothing_means_nothing() -> None:
    assert "no category" in reason(DIRECTORY.targets(Under(Named("Labels")), [ACME]))


def test_a_brand_is_found_by_the_names_of_the_stores_file_only() -> None:
    assert DIRECTORY.brand(Named("acme")) == "a1"
    assert DIRECTORY.brand(Identified("x")) == "x"
    assert "stores.yaml" in reason(DIRECTORY.brand(Named("Initech")))
    assert reason(DIRECTORY.brand(Named("Acmee"))) == 'no brand "Acmee": did you mean "Acme" (a1)?'
    assert DIRECTORY.brand_name("a1") == "Acme"
    assert DIRECTORY.brand_name("x") is None


def test_a_directory_is_made_of_the_categories_as_last_listed() -> None:
    fields = {"id": "1", "name": "Shoes", "names": ["أحذية", "Shoes"], "parent_id": None}
    directory = Directory.from_snapshots([Snapshot(category("1"), fields)], names=Names(), gone=["2"])
    assert directory.category_names("1") == ("Shoes", "أحذية")
    assert directory.gone == {"2"}


def test_categories_that_are_each_others_parents_do_not_hang_it() -> None:
    circle = Directory({"1": CategoryEntry("1", ("A",), "2"), "2": CategoryEntry("2", ("B",), "1")})
    assert circle.ancestors("1") == ("2", "1")
    assert circle.category(Named("B / A")) == "1"


@given(st.text(max_size=20))
def test_any_name_is_found_or_explained(name: str) -> None:
    found = DIRECTORY.category(Named(name))
    known = {fold(text) for entry in DIRECTORY.categories.values() for text in entry.names}
    assert isinstance(found, str) is (fold(name) in known) or "/" in name


def test_where_brands_are_names_a_brand_is_its_own_id() -> None:
    assert Directory(brands_are_names=True).brand(Named(" Acme ")) == "Acme"
    assert isinstance(Directory().brand(Named("Acme")), Unresolved)


def test_what_was_looked_up_before_counts_for_that_directory_only() -> None:
    one = Directory({"1": CategoryEntry("1", ("Shoes",))})
    assert (one.category(Named("Shoes")), one.category_names("1")) == ("1", ("Shoes",))
    other = replace(one, categories={"2": CategoryEntry("2", ("Shoes",)), "1": CategoryEntry("1", ("Boots",))})
    assert (other.category(Named("Shoes")), other.category_names("1")) == ("2", ("Boots",))
    assert one == Directory(one.categories)
