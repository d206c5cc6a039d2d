"""The law: whatever happens, the catalogue ends as people made it, with held slots at their first holder's wish."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import partial
from typing import get_args

from core_builders import FEATURED, PROMOTING, READABLE, SALE, TOP, UNREADABLE, UNSORTED, hours
from core_world import CALM, FALLBACK, Answer, World
from hypothesis import given, settings
from hypothesis import strategies as st

from rules_engine.core.rule import Guards
from rules_engine.core.store import Capabilities

Event = Callable[[World], object]

ids = st.sampled_from(["p1", "p2"])
places = st.integers(0, 5)
answers = st.sampled_from(get_args(Answer))


def event(name: str, *args: st.SearchStrategy[object], **named: st.SearchStrategy[object]) -> st.SearchStrategy[Event]:
    """One thing that happens in the world, with whatever it happens to."""

    def named_event(given: tuple[tuple[object, ...], dict[str, object]]) -> Event:
        return _Event(name, *given)

    return st.tuples(st.tuples(*args), st.fixed_dictionaries(named)).map(named_event)


class _Event:
    """A method call that says what it is when a test fails."""

    def __init__(self, name: str, args: tuple[object, ...], named: dict[str, object]) -> None:
        self.name, self.args, self.named = name, args, named

    def __call__(self, world: World) -> object:
        return getattr(world, self.name)(*self.args, **self.named)

    def __repr__(self) -> str:
        words = [*map(repr, self.args), *(f"{key}={value!r}" for key, value in self.named.items())]
        return f"w.{self.name}({', '.join(words)})"


stocks = st.sampled_from([0, 1, CALM, 9])
common = [
    event("sell", ids, stocks),
    event("sell", ids, stocks),
    event("edit", ids, st.sampled_from([FEATURED, SALE])),
    event("work", ids, answers),
    event("work", ids, answers),
    event("work", ids, st.just("done")),
    event("look", ids),
    event("publish", is_published=st.booleans()),
    event("look_at_category"),
    event("revise", st.integers(0, 2), st.frozensets(st.sampled_from("abcde"), max_size=2)),
    event("tick", st.sampled_from([1, 60, 700, 90_000])),
]
read = [*common, event("look", ids, is_blind=st.booleans())]
told = [
    *common,
    event("deliver", ids, place=places),
    event("deliver", ids, place=places),
    event("deliver_all", ids),
    event("redeliver", ids, places),
]


windows = st.sampled_from([None, hours(10, 16), hours(22, 6), hours(0, 0, 1, 3)])
guards = st.dictionaries(
    st.sampled_from("abcde"),
    st.builds(
        Guards,
        at_most_every=st.sampled_from([None, timedelta(hours=2)]),
        insists=st.booleans(),
        hours=windows,
        fallbacks=st.sampled_from([(), FALLBACK]),
    ),
)


def holds_the_law(capabilities: Capabilities, events: list[Event], guarded: Mapping[str, Guards] | None = None) -> None:
    """Play the events, let it settle, and compare; then end all stretches, and compare again."""
    world = World(capabilities, guarded or {})
    for happens in events:
        world.tick()
        happens(world)
    world.settle()
    for id_ in world.shop:
        fell_back = world.shop[id_] & {UNSORTED} - world.people[id_]
        assert world.shop[id_] - {TOP} - fell_back == world.expected(id_)
        assert world.must_fall_back(id_) <= bool(fell_back) <= world.may_fall_back(id_)
        assert not (fell_back and world.expected(id_))
    for id_ in world.shop:
        world.sell(id_, CALM)
    world.publish(is_published=True)
    world.settle()
    assert world.shop == world.people
    assert not world.unfinished()
    assert all(not world.bench.case(id_).slots for id_ in world.shop)


EXAMPLES = 250 if settings.get_current_profile_name() == "engine" else settings().max_examples
play = partial(st.lists, max_size=22)


@settings(max_examples=EXAMPLES)
@given(play(st.one_of(read)))
def test_whatever_happens_the_catalogue_ends_by_the_law(events: list[Event]) -> None:
    holds_the_law(READABLE, events)


@settings(max_examples=EXAMPLES)
@given(play(st.one_of(read)))
def test_it_does_so_where_the_shop_promotes_products_by_itself(events: list[Event]) -> None:
    holds_the_law(PROMOTING, events)


@settings(max_examples=EXAMPLES)
@given(play(st.one_of(told)))
def test_it_does_so_where_nothing_can_be_read(events: list[Event]) -> None:
    holds_the_law(UNREADABLE, events)


@settings(max_examples=EXAMPLES)
@given(play(st.one_of(read)), guards)
def test_it_does_so_within_hours_with_fallbacks_and_insisting(events: list[Event], guards: dict[str, Guards]) -> None:
    holds_the_law(READABLE, events, guards)


@settings(max_examples=EXAMPLES)
@given(play(st.one_of(read)), guards)
def test_it_does_so_with_all_that_where_the_shop_promotes(events: list[Event], guards: dict[str, Guards]) -> None:
    holds_the_law(PROMOTING, events, guards)


@settings(max_examples=EXAMPLES)
@given(play(st.one_of(told)), guards)
def test_it_does_so_with_all_that_where_nothing_can_be_read(events: list[Event], guards: dict[str, Guards]) -> None:
    holds_the_law(UNREADABLE, events, guards)
