"""Where a product stood in a category, on a whole engine: known from the shop's own list, kept, and said."""

from __future__ import annotations

from pathlib import Path

import pytest
from engine_world import WEB, World

from rules_engine.core.subject import product
from rules_engine.database.tables import traces
from rules_engine.sandbox.ecwid_catalogue import FEATURED

pytestmark = pytest.mark.anyio

LEAVES = """
rules:
  sold-out-leaves:
    stores: [web]
    while: {product.stock: {at_most: 0}}
    do: [{remove_from_category: Featured}]
"""


async def test_a_product_of_ecwid_knows_where_it_stood_and_is_said_to_come_back_at_the_end(tmp_path: Path) -> None:
    async with World(tmp_path / "e.db", LEAVES, only=(WEB,)) as world:
        members = [id_ for id_, each in world.web.products.items() if FEATURED in each["categoryIds"]]
        second = members[1]
        world.web.restock(second, 5)
        await world.settle()
        world.web.sell_out(second)
        await world.settle()
        case = await world.case(WEB, product(str(second)))
        (hold,) = [hold for slot in case.slots.values() for hold in slot.holds if hold.wish is False]
        assert hold.stood == f"2 of {len(members)}"
        world.web.restock(second, 5)
        await world.settle()
        said = [row["text"] for row in await world.every(traces) if "gives back" in row["text"]]
        assert len(said) == 1
        assert said[0].endswith(
            f"; it stood {hold.stood}, and the shop does not restore the position inside the category"
        )
