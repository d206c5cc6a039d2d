"""Rules that were paused while they asked: others act meanwhile, and what they take is theirs alone."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
from engine_world import WEB, World
from gate_world import featured, say, sell, sold_out_leaves, stock, the_question

from rules_engine.core.delivery import StoreAlias
from rules_engine.core.rule import RuleCode
from rules_engine.lane.rules import pause_in_force

pytestmark = pytest.mark.anyio

CHEAP = """
  cheap-leaves:
    stores: [web]
    {word}: {{product.price: {{at_most: 1}}}}
    do: [{{remove_from_category: Featured}}]
"""


async def cheap_while_paused(world: World) -> list[str]:
    """Four shoes sell out, which is asked about; the rule is paused, and the first shoe becomes cheap."""
    shoes = stock(world, 4)
    await world.settle()
    await sell(world, shoes)
    everywhere, rule = StoreAlias(""), RuleCode("sold-out-leaves")
    put = partial(pause_in_force, store=everywhere, rule=rule, because="prices are wrong", now=world.clock())
    await world.database.write(put)
    world.web.edit_product(shoes[0], price=0.5)
    await world.settle()
    return shoes


async def test_what_another_rule_took_comes_back_after_a_no_to_the_paused_one(tmp_path: Path) -> None:
    rules = sold_out_leaves("limits: {per_day: 3 products}") + CHEAP.format(word="while")
    async with World(tmp_path / "e.db", rules, only=(WEB,)) as world:
        shoes = await cheap_while_paused(world)
        assert featured(world, shoes) == shoes[1:]
        await say(world, await the_question(world), is_yes=False)
        world.web.edit_product(shoes[0], price=50)
        await world.settle()
        assert sorted(featured(world, shoes)) == sorted(shoes)


async def test_a_moment_is_done_though_a_paused_rule_asks_about_the_same(tmp_path: Path) -> None:
    rules = sold_out_leaves("limits: {per_day: 3 products}") + CHEAP.format(word="as_soon_as")
    async with World(tmp_path / "e.db", rules, only=(WEB,)) as world:
        shoes = await cheap_while_paused(world)
        assert featured(world, shoes) == shoes[1:]
