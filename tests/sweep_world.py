"""A world whose lanes walk over whole catalogues: asking for sweeps, and what they came to."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from pathlib import Path

from engine_world import WEB, Cut, World

from rules_engine.core.delivery import StoreAlias
from rules_engine.core.sweep import Sweep, SweepKind, SweepState
from rules_engine.database.sweeps import find_sweep, last_sweep, open_sweeps, request_sweep

SOLD_OUT_LEAVES = """
rules:
  sold-out-leaves:
    stores: [web]
    while: {product.stock: {at_most: 0}}
    do: [{remove_from_category: Featured}]
"""

CREATED_GOES = """
rules:
  new-goes-to-sandals:
    stores: [ksa]
    as_soon_as: {happens: created}
    do: [{add_to_category: {id: "542"}}]
"""

QUIET = """
rules:
  never:
    stores: [web, ksa]
    while: {product.sku: no-such-sku}
    do: [hide]
"""


def sweep_world(path: Path, alias: StoreAlias = WEB, rules: str = SOLD_OUT_LEAVES, cut: Cut | None = None) -> World:
    """A world of one shop that lists its products."""
    return World(path, rules, only=(alias,), cut=cut or Cut())


async def known(world: World) -> None:
    """Let everything be known: the catalogue is learned, and the webhooks about it are forgotten."""
    for alias, shop in world.shops.items():
        shop.deliveries.clear()
        await swept(world, alias, SweepKind.LEARNING)
    world.clock.move(minutes=10)


async def asked(world: World, alias: StoreAlias, kind: SweepKind = SweepKind.ASKED, *, is_dry: bool = False) -> int:
    """Ask for a sweep; its id."""
    ask = partial(request_sweep, store=alias, kind=kind, now=world.clock(), reason="a test asked", is_dry=is_dry)
    return await world.database.write(ask)


async def find(world: World, id_: int) -> Sweep:
    """The sweep with this id as it stands."""
    sweep = await world.database.read(partial(find_sweep, id_=id_))
    assert sweep is not None
    return sweep


async def swept(world: World, alias: StoreAlias, kind: SweepKind = SweepKind.ASKED, *, is_dry: bool = False) -> Sweep:
    """Ask for a sweep and let everything come to rest; the sweep at its end."""
    id_ = await asked(world, alias, kind, is_dry=is_dry)
    await world.settle(within=timedelta(seconds=30))
    sweep = await find(world, id_)
    assert sweep.state is SweepState.DONE, sweep
    return sweep


async def waiting(world: World, alias: StoreAlias) -> list[Sweep]:
    """The sweeps that are not at their end."""
    return await world.database.read(partial(open_sweeps, store=alias))


async def ended(world: World, alias: StoreAlias) -> list[SweepKind]:
    """The kinds of which a sweep came to its end."""
    found = [await world.database.read(partial(last_sweep, store=alias, kinds=[kind])) for kind in SweepKind]
    return [sweep.kind for sweep in found if sweep is not None]


def reads(world: World, alias: StoreAlias) -> int:
    """How many calls read products so far."""
    return sum(1 for call in world.shops[alias].calls if not call.is_write and "/products" in call.path)
