"""The law, on a whole engine: whatever people, shops, clocks and kills do, the shop ends as it should."""

from __future__ import annotations

from collections.abc import Sequence
from inspect import isawaitable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from engine_world import B2B, KSA, WEB, World
from hypothesis import given, settings
from hypothesis import strategies as st
from lane_law import CALM, FIRST, HOURS, PLENTY, RULES, SECOND, THIRD, Guard, Law

from rules_engine.core.delivery import StoreAlias

pytestmark = pytest.mark.anyio


class Happening:
    """A method call on the world that says what it is when a test fails."""

    def __init__(self, name: str, args: tuple[object, ...], named: dict[str, object]) -> None:
        self.name, self.args, self.named = name, args, named

    async def __call__(self, law: Law) -> None:
        done: Any = getattr(law, self.name)(*self.args, **self.named)
        if isawaitable(done):
            await done

    def __repr__(self) -> str:
        words = [*map(repr, self.args), *(f"{key}={value!r}" for key, value in self.named.items())]
        return f"{self.name}({', '.join(words)})"


def happening(
    name: str, *args: st.SearchStrategy[Any], **named: st.SearchStrategy[Any]
) -> st.SearchStrategy[Happening]:
    return st.tuples(st.tuples(*args), st.fixed_dictionaries(named)).map(lambda given: Happening(name, *given))


ids = st.sampled_from(["1", "2", "3"])
LASTS = st.sampled_from(["", "15 minutes", "30 hours"])
HAPPENINGS = st.one_of(
    happening("sell", ids, st.sampled_from([0, 1, CALM, PLENTY])),
    happening("sell", ids, st.sampled_from([0, CALM])),
    happening("edit", ids, st.sampled_from([FIRST, SECOND, THIRD])),
    happening("live", minutes=st.sampled_from([0, 5, 47])),
    happening("live", hours=st.sampled_from([1, 7, 26, 100])),
    happening("sleep", st.sampled_from([0.01, 3, 30])),
    happening("flap", ids),
    happening("publish", is_published=st.booleans()),
    happening("delete", ids),
    happening("add", st.just("4"), st.just(FIRST)),
    happening("lose"),
    happening("reverse"),
    happening("repeat", st.integers(0, 9)),
    happening("fail", st.sampled_from(["away", "busy", "lost", "dropped", "lied"])),
    happening("kill", st.integers(1, 15), is_after=st.booleans()),
    happening(
        "revise",
        st.frozensets(st.sampled_from(["gone", "few", "much", "emptied"]), max_size=1),
        is_renamed=st.booleans(),
        lasts=LASTS,
    ),
)
GUARD = st.builds(
    Guard,
    hours=st.sampled_from(sorted(HOURS)),
    lasts=LASTS,
    every=st.sampled_from([0, 0, 5, 60]),
    flaps=st.sampled_from([1, 2, 3, 99]),
    insists=st.booleans(),
    falls_back=st.booleans(),
)
CALM_GUARD = st.builds(Guard, hours=st.sampled_from(sorted(HOURS)), flaps=st.just(99), falls_back=st.just(True))
GUARDS: st.SearchStrategy[dict[str, Guard]] = st.one_of(
    st.fixed_dictionaries(dict.fromkeys(RULES, GUARD)), st.fixed_dictionaries(dict.fromkeys(RULES, CALM_GUARD))
)


async def holds_the_law(alias: StoreAlias, guards: dict[str, Guard], happenings: Sequence[Happening]) -> None:
    with TemporaryDirectory() as folder:
        law = Law(World(Path(folder) / "engine.db", "rules: {}", only=(alias,)), alias, dict(guards))
        law.world.rules = law.text()
        law.world.after_call = lambda _alias, _request: law.after_call()
        async with law.world:
            await law.begin()
            for happens in happenings:
                law.world.clock.move(seconds=1)
                await happens(law)
            await law.ends()


EXAMPLES = 4 if settings.get_current_profile_name() == "engine" else settings().max_examples


@pytest.mark.parametrize("alias", [WEB, KSA, B2B])
@settings(max_examples=EXAMPLES)
@given(GUARDS, st.lists(HAPPENINGS, min_size=3, max_size=12))
async def test_whatever_happens_the_shop_ends_by_the_law(
    alias: StoreAlias, guards: dict[str, Guard], happenings: list[Happening]
) -> None:
    await holds_the_law(alias, guards, happenings)
