"""The demo's story: what people do in the four shops, and what must have become of the catalogue after each step."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from . import axim, ecwid_catalogue, zave, zid_catalogue
from .axim import AximShop
from .ecwid import EcwidShop
from .shop import Id, Shop
from .zave import ZaveShop
from .zid import ZidShop

RUNNER, WALKER = 37208339, 37208340
"""The Ecwid products that the story is about."""


@dataclass(frozen=True, slots=True)
class Scene:
    """One step in one shop.

    `edit` is what a person does there. `away` names the products that each category then lacks, compared with the
    beginning; everything else must be as it was. `calls` is how many writing calls the engine makes for it. `shows` are
    the categories worth showing. `delivers_again` sends the last webhook once more. With `keeps_echoes` the webhooks
    that the shop sends about the engine's own calls wait for the next scene.
    """

    store: str
    title: str
    calls: int
    shows: Sequence[Id]
    edit: Callable[[], object] | None = None
    away: Mapping[Id, Sequence[Id]] = field(default_factory=dict)
    delivers_again: bool = False
    keeps_echoes: bool = False


def scenes(web: EcwidShop, ksa: ZidShop, b2b: ZaveShop, brands: AximShop) -> list[Scene]:
    """The whole story, in order."""
    return [*_at_ecwid(web), *_at_zid(ksa), *_at_zave(b2b), *_at_axim(brands)]


def _at_ecwid(shop: EcwidShop) -> Iterable[Scene]:
    featured, acme, globex = ecwid_catalogue.FEATURED, ecwid_catalogue.ACME, ecwid_catalogue.GLOBEX
    sold_out: Mapping[Id, Sequence[Id]] = {featured: [RUNNER]}
    yield Scene(
        "web",
        "Trail Runner sells out: it leaves Featured",
        edit=lambda: shop.sell_out(RUNNER),
        calls=1,
        shows=[featured],
        away=sold_out,
        keeps_echoes=True,
    )
    yield Scene(
        "web",
        "the same webhook is delivered again: it is known, and nothing happens",
        calls=0,
        shows=[featured],
        away=sold_out,
        delivers_again=True,
        keeps_echoes=True,
    )
    yield Scene(
        "web",
        "the shop echoes the engine's own call: nothing is new in it, and nothing happens",
        calls=0,
        shows=[featured],
        away=sold_out,
    )
    yield Scene(
        "web",
        "Trail Runner is restocked: it returns to Featured",
        edit=lambda: shop.restock(RUNNER, 5),
        calls=1,
        shows=[featured],
    )
    yield Scene(
        "web",
        "City Walker gets a new price: the engine sees it, and its brand, for the first time",
        edit=lambda: shop.edit_product(WALKER, price=79.0),
        calls=0,
        shows=[acme, globex],
    )
    yield Scene(
        "web",
        "the brand of City Walker is cleared: it leaves the categories under Brands",
        edit=lambda: shop.set_brand(WALKER, None),
        calls=2,  # one for each category
        shows=[acme, globex],
        away={acme: [WALKER], globex: [WALKER]},
    )


def _at_zid(shop: ZidShop) -> Iterable[Scene]:
    summer = zid_catalogue.SUMMER
    members = shop.memberships()[str(summer)]
    yield Scene(
        "ksa",
        "Summer is unpublished: one call takes it off all its products, and the engine keeps who they were",
        edit=lambda: shop.publish_category(summer, False),  # noqa: FBT003 - as one would say it
        calls=1,
        shows=[summer],
        away={summer: members},
    )
    yield Scene(
        "ksa",
        "Summer is published again: its products return",
        edit=lambda: shop.publish_category(summer, True),  # noqa: FBT003 - as one would say it
        calls=len(members),
        shows=[summer],
    )


def _at_zave(shop: ZaveShop) -> Iterable[Scene]:
    yield Scene(
        "b2b",
        "Laptop 13 sells out: it is removed from Featured, and the answer proves it",
        edit=lambda: shop.sell_out("laptop-1"),
        calls=1,
        shows=[zave.FEATURED],
        away={zave.FEATURED: ["laptop-1"]},
    )
    yield Scene(
        "b2b",
        "Laptop 13 is restocked: it returns",
        edit=lambda: shop.restock("laptop-1", 3),
        calls=1,
        shows=[zave.FEATURED],
    )


def _at_axim(shop: AximShop) -> Iterable[Scene]:
    drills = ["drill-1", "drill-2"]

    def for_both(**changes: Any) -> None:
        for drill in drills:
            shop.edit_product(drill, **changes)

    yield Scene(
        "brands",
        "both drills get a new price: the engine sees them, and their brand, for the first time",
        edit=lambda: for_both(price=19.0),
        calls=0,
        shows=[axim.ACME],
    )
    yield Scene(
        "brands",
        "both drills reach the end of their line: one call unassigns them from their brand",
        edit=lambda: for_both(tags=["tools", "end-of-line"]),
        calls=1,
        shows=[axim.ACME],
        away={axim.ACME: drills},
    )


def members_without(shop: Shop, away: Mapping[Id, Sequence[Id]]) -> dict[str, frozenset[str]]:
    """The members of every category (at Axim: brand) of the shop as it is now, less those that are `away`."""
    gone = {str(category): {str(product) for product in products} for category, products in away.items()}
    return {one: frozenset(ids) - gone.get(one, set()) for one, ids in shop.memberships().items()}


def shown(shop: Shop, category: Id) -> tuple[str, list[str]]:
    """The name of a category (at Axim: brand) and the names of its products, in the shop's order."""
    catalogue = shop.view()
    groups = next(catalogue[name] for name in ("categories", "collections", "brands") if name in catalogue)
    products = [catalogue["products"][one]["name"] for one in shop.memberships()[str(category)]]
    group = groups[str(category)]
    return _text(group.get("name") or group.get("names")), [_text(name) for name in products]


def _text(name: str | Mapping[str, str]) -> str:
    """A name, in English where there is more than one."""
    return name if isinstance(name, str) else name.get("en") or next(iter(name.values()), "")
