"""What comes between the parts of a turn: refused lists, a person's hand in the outbox, a shop that repeats secrets."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa
from engine_world import ENVIRONMENT, KSA, WEB, World

from rules_engine.core.action import Reading, Request, Response
from rules_engine.core.delivery import StoreAlias
from rules_engine.core.errors import PermanentError
from rules_engine.core.subject import ALL, product
from rules_engine.database.tables import actions, attempts
from rules_engine.sandbox import Fault
from rules_engine.sandbox.ecwid_catalogue import FEATURED, SHOES
from rules_engine.sandbox.zid_catalogue import GIFTS, PERFUME, VOUCHER
from rules_engine.vendors import VENDORS
from rules_engine.vendors.zid import Zid

pytestmark = pytest.mark.anyio

RUNNER = "37208339"
LEAVES_BOTH = """
rules:
  sold-out-leaves:
    stores: [web]
    while: {product.stock: {at_most: 0}}
    do: [{remove_from_category: [Featured, Shoes]}]
"""


class Unlisted(Zid):
    """A shop that refuses for good to list its products, and shows each alone."""

    def parse(self, request: Request, response: Response) -> Reading:
        """The reading, unless it is the list of all products."""
        if request.subjects == (product(ALL),):
            raise PermanentError("no lists for you")
        return super().parse(request, response)


async def test_no_member_is_taken_for_a_category_whose_members_cannot_be_listed(tmp_path: Path) -> None:
    async with World(tmp_path / "engine.db", only=(KSA,), vendors={**VENDORS, "zid": Unlisted}) as world:
        world.ksa.publish_category(GIFTS, False)
        world.ksa.restock(PERFUME, 9)  # so that one of the members is looked at in the same turn
        await world.settle()
        assert world.members(KSA)[str(GIFTS)] == {PERFUME, VOUCHER}
        assert world.ksa.writes == []


async def test_what_a_person_calls_off_while_its_turn_comes_is_decided_again(tmp_path: Path) -> None:
    async with World(tmp_path / "engine.db", LEAVES_BOTH, only=(WEB,)) as world:

        def call_off_the_rest(_alias: StoreAlias, request: Request) -> None:
            if request.actions:
                world.after_call = lambda _alias, _request: None
                pending = sa.update(actions).where(actions.c.state == "pending")
                world.database.write_now(lambda connection: connection.execute(pending.values(state="cancelled")))

        world.after_call = call_off_the_rest
        world.web.sell_out(RUNNER)
        await world.settle()
        assert len(world.web.writes) == 2  # still wanted, so it was opened again; and the lane did not break
        assert {RUNNER} & (world.members(WEB)[str(FEATURED)] | world.members(WEB)[str(SHOES)]) == set()


async def test_a_token_that_the_shop_repeats_is_stored_nowhere(tmp_path: Path) -> None:
    async with World(tmp_path / "engine.db", LEAVES_BOTH, only=(WEB,)) as world:
        said = {"errorMessage": f"token {ENVIRONMENT['WEB_TOKEN']} may not do this"}
        world.web.faults = [Fault(status=400, body=said, where="write", times=2)]
        world.web.sell_out(RUNNER)
        await world.settle()
        reasons = [row["reason"] for table in (actions, attempts) for row in await world.every(table)]
        assert any("token (hidden) may not" in reason for reason in reasons)
        assert not any(ENVIRONMENT["WEB_TOKEN"] in reason for reason in reasons)
