"""Where a product stood in a category is kept with the hold that takes it out, and said when it is given back."""

from __future__ import annotations

from dataclasses import replace

import pytest
from core_builders import (
    DIRECTORY,
    FEATURED,
    LEAVES,
    READABLE,
    SOLD_OUT,
    Bench,
    as_soon_as,
    guarded,
    membership,
    removes,
    while_,
)

from rules_engine.core.directory import CategoryEntry, Directory
from rules_engine.core.holds import HoldState
from rules_engine.core.judge import unknown_name
from rules_engine.core.rule import Floor, Identified, Named, Rule
from rules_engine.core.store import Names
from rules_engine.core.subject import Snapshot, category

END = replace(READABLE, loses="the position inside the category")
SAID = "; it stood 2 of 3, and the shop does not restore the position inside the category"


def listed(*members: str) -> Directory:
    """The directory, with these products in Featured."""
    entry = replace(DIRECTORY.categories[FEATURED], member_ids=members)
    return replace(DIRECTORY, categories={**DIRECTORY.categories, FEATURED: entry})


def work(*rules: Rule, directory: Directory | None = None, loses: str = END.loses) -> Bench:
    """A product in Featured that was seen in stock, and then sold out."""
    known = listed("p0", "p1", "p2") if directory is None else directory
    desk = Bench(rules or (LEAVES,), replace(READABLE, loses=loses), known)
    desk.sees()
    desk.later(seconds=1).sees(stock=0)
    return desk


def returns(desk: Bench) -> str:
    """What the rule says when the product is restocked."""
    desk.calls()
    desk.later(seconds=1).sees(category_ids=[])
    desk.directory = listed("p0", "p2")
    desk.later(seconds=1).sees(stock=3)
    return desk.says()


def test_a_directory_knows_where_a_product_stands() -> None:
    fields = {"id": "7", "name": "Sale", "member_ids": ["b", "a"]}
    made = Directory.from_snapshots([Snapshot(category("7"), fields)], names=Names())
    assert [made.standing("7", each) for each in "abc"] == ["2 of 2", "1 of 2", ""]
    assert made.standing("8", "a") == Directory({"7": CategoryEntry("7", ("Sale",))}).standing("7", "a") == ""


def test_a_product_that_is_taken_out_remembers_where_it_stood() -> None:
    assert work().hold().stood == "2 of 3"


def test_giving_back_says_what_the_shop_does_not_restore() -> None:
    said = returns(work())
    assert f"gives back: puts it into Featured (10){SAID}" in said


@pytest.mark.parametrize("directory", [DIRECTORY, listed(), listed("p0", "p2")])
def test_what_nobody_knows_is_not_said(directory: Directory) -> None:
    desk = work(directory=directory)
    assert desk.hold().stood == ""
    assert "it stood" not in returns(desk)


def test_a_shop_that_loses_nothing_says_nothing() -> None:
    desk = work(loses="")
    assert desk.hold().stood == "2 of 3"
    assert "it stood" not in returns(desk)


def test_a_second_rule_knows_it_from_the_first() -> None:
    other = while_(SOLD_OUT, removes("Featured"), code="b", order=1)
    desk = work()
    desk.calls()
    desk.later(seconds=1).sees(category_ids=[])
    desk.rules = (LEAVES, other)
    desk.directory = listed("p0", "p2")
    desk.later(seconds=1).sees(category_ids=[])
    assert desk.hold(rule="b").stood == "2 of 3"


def test_where_it_stood_is_not_asked_anew_after_it_was_given_back_to_the_end() -> None:
    desk = work()
    returns(desk)
    assert desk.hold().stood == "2 of 3"  # the hold that is owed keeps what it knew
    desk.calls()
    desk.directory = listed("p0", "p2", "p1")
    desk.later(seconds=1).sees(category_ids=[FEATURED])
    desk.later(seconds=1).sees(stock=0)
    assert desk.hold().stood == "3 of 3"


def test_a_moment_holds_nothing_and_remembers_nothing() -> None:
    desk = work(as_soon_as(SOLD_OUT, removes("Featured"), code="a"))
    assert not desk.is_held()
    assert desk.action().slot == membership()


# ------------------------------------------------------------------------------------ floors are named


@pytest.mark.parametrize("target", [Named("Featurd"), Identified("10")])
def test_a_rule_waits_for_the_name_of_what_it_never_leaves(target: Named | Identified) -> None:
    rule = guarded(LEAVES, floors=(Floor(4, target),))
    gone = replace(DIRECTORY, gone=frozenset({"10"}))
    desk = work(rule, directory=gone)
    assert unknown_name(rule, gone) != ""
    assert not desk.is_held()
    assert "waits: " in desk.says()


def test_a_rule_whose_floor_is_known_does_not_wait() -> None:
    rule = guarded(LEAVES, floors=(Floor(4, Named("Featured")),))
    assert unknown_name(rule, DIRECTORY) == ""
    assert work(rule).hold().state is HoldState.PENDING
