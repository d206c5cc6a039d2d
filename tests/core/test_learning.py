"""A store that is read for the first time: nothing that is seen is a moment, and stretches act at once."""

from __future__ import annotations

from dataclasses import replace

import pytest
from core_builders import EMPTIES, FEATURED, LEAVES, SALE, SOLD_OUT, UNPUBLISHED, Bench, as_soon_as, removes

from rules_engine.core.condition import Happens
from rules_engine.core.delivery import EventType
from rules_engine.core.rule import Effect, EffectKind, Rule
from rules_engine.core.sighting import Decision, Sighting
from rules_engine.core.subject import Snapshot, SubjectKind, SubjectRef, category, complete, product

AT_FIRST_SIGHT = replace(as_soon_as(SOLD_OUT, removes("Featured")), acts_at_first_sight=True)
WHEN_CREATED = as_soon_as(Happens("created"), removes("Featured"))
PLAIN = as_soon_as(SOLD_OUT, removes("Featured"))
OF_CATEGORY = replace(
    as_soon_as(UNPUBLISHED, Effect(EffectKind.EMPTY_CATEGORY)), about=SubjectKind.CATEGORY, acts_at_first_sight=True
)


def shows(desk: Bench, ref: SubjectRef, *, is_learning: bool, **fields: object) -> Decision:
    events = frozenset({EventType.PRODUCT_CREATED}) if ref.kind is SubjectKind.PRODUCT else frozenset()
    snapshot = Snapshot(ref, complete({"id": ref.id, **fields}))
    return desk.decides(Sighting(ref, desk.at, snapshot, events=events, is_learning=is_learning))


@pytest.mark.parametrize("rule", [AT_FIRST_SIGHT, WHEN_CREATED], ids=["first_sight: act", "happens: created"])
def test_while_learning_the_first_sight_is_no_moment_whatever_a_rule_says_of_it(rule: Rule) -> None:
    for is_learning in (True, False):
        desk = Bench((rule,))
        shows(desk, product("p1"), is_learning=is_learning, stock=0, category_ids=[FEATURED])
        assert bool(desk.actions()) is not is_learning


def test_what_changed_before_the_store_was_learned_is_no_moment() -> None:
    for is_learning in (True, False):
        desk = Bench((PLAIN,))
        desk.sees(stock=5)
        desk.later(seconds=1)
        shows(desk, product("p1"), is_learning=is_learning, stock=0, category_ids=[FEATURED])
        assert bool(desk.actions()) is not is_learning


def test_a_stretch_acts_on_what_learning_finds() -> None:
    desk = Bench((LEAVES,))
    shows(desk, product("p1"), is_learning=True, stock=0, category_ids=[FEATURED])
    assert desk.action().target == FEATURED


def test_a_category_that_is_learned_has_no_moment_either() -> None:
    found = [
        shows(Bench((OF_CATEGORY, EMPTIES)), category(SALE), is_learning=is_learning, name="Sale", published=False)
        for is_learning in (True, False)
    ]
    assert [len(decision.moments) for decision in found] == [0, 1]
    assert all(episode.number == 1 for decision in found for episode in decision.case.episodes.values())
    assert len(found[0].case.episodes) == 1
