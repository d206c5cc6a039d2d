"""A product that sells out where rules fall back to a category, and the calls that are made for it."""

from __future__ import annotations

from core_builders import (
    FEATURED,
    LEAVES,
    READABLE,
    Bench,
    falls_back,
)

from rules_engine.core.action import Done
from rules_engine.core.rule import Rule
from rules_engine.core.store import Capabilities

FALLS_BACK = falls_back(LEAVES)
"""A product that is sold out leaves Featured, for Unsorted if that was its last category."""


def sold_out_in(*rules: Rule, categories: tuple[str, ...] = (FEATURED,), shop: Capabilities = READABLE) -> Bench:
    """A product in these categories that was seen in stock, and then sold out."""
    made = Bench(rules or (FALLS_BACK,), shop)
    made.sees(category_ids=list(categories))
    made.later(seconds=1).sees(stock=0)
    return made


def planned(desk: Bench) -> set[tuple[str, bool]]:
    """The open actions: category, and whether the product comes into it."""
    return {(action.slot.target, bool(action.wish)) for action in desk.actions()}


def work(desk: Bench, *, until: int = 6) -> Bench:
    """Make all calls, each seen at once, until nothing is left to do."""
    for _ in range(until):
        for action in desk.to_send():
            desk.calls(Done(is_shown=True), action.key)
            members = [id_ for id_ in desk.fields["p1"]["category_ids"] if id_ != action.slot.target]
            desk.fields["p1"]["category_ids"] = [*members, *([action.slot.target] if action.wish else [])]
        desk.later(seconds=1).sees()
    assert not desk.actions()
    return desk


def in_shop(desk: Bench) -> set[str]:
    """The categories that the product is in."""
    return set(desk.fields["p1"]["category_ids"])
