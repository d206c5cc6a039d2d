"""A shop that says done and does nothing, while the condition of a rule turns again."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from engine_world import WEB, World
from gate_world import featured, said, sold_out_leaves, stock

from rules_engine.sandbox import Fault

pytestmark = pytest.mark.anyio

MINUTES = timedelta(minutes=3)
"""So long the engine works at a time: less than a shop may lag behind itself."""


async def test_a_give_back_that_did_not_happen_is_made_good_though_the_product_sold_out_again(tmp_path: Path) -> None:
    async with World(tmp_path / "e.db", sold_out_leaves(), only=(WEB,)) as world:
        shoes = stock(world, 2)
        await world.settle()
        for number in (0, 5, 0, 5):
            if number and not world.web.used_faults:
                world.web.faults.append(Fault.lie())  # of the first give-back
            for shoe in shoes:
                world.web.restock(shoe, number)
            await world.settle(within=MINUTES)
            world.clock.move(minutes=3)
        await world.settle()
        assert featured(world, shoes) == shoes
        taken = [text for text in await said(world, shoes[0]) if "takes it out" in text]
        assert len(taken) <= 2, "once for each time that it sold out"
