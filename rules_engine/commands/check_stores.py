"""`check --stores`: the categories of the live shops, and what the names in the rules mean there."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rules_engine.app import Outside
from rules_engine.core.delivery import StoreAlias
from rules_engine.core.directory import Directory
from rules_engine.core.errors import CallError
from rules_engine.core.problem import Place
from rules_engine.core.rule import Rulebook
from rules_engine.core.store import Store
from rules_engine.core.subject import ALL, Snapshot, category
from rules_engine.lane.calls import Calls, Health, Send
from rules_engine.lane.read import read_subjects
from rules_engine.preview.names import names_brands, names_categories, report_names
from rules_engine.rulebook.report import Report
from rules_engine.rulebook.yaml import MapNode, read_yaml
from rules_engine.vendors import VENDORS

PATIENCE = 60.0
"""Seconds that a shop may take to show all its categories, in as many pages as they fill."""


@dataclass(frozen=True, slots=True)
class Listing:
    """What a store was asked: `said` tells of it in a sentence.

    `categories` are all that the shop has, None where it was not asked or did not answer; `failed` says that it should
    have. Then nothing is known of its names.
    """

    store: StoreAlias
    said: str
    categories: tuple[Snapshot, ...] | None = None
    failed: bool = False


async def ask_stores(
    stores: Sequence[Store], rulebook: Rulebook, send: Send, outside: Outside, *, patience: float = PATIENCE
) -> list[Listing]:
    """Read the categories of every store whose rules name one, all stores at once; one that fails delays no other.

    Stores whose rules name neither a category nor a brand are left out. Never raises what a shop did.
    """
    asked = [each for each in stores if names_categories(rulebook, each) or names_brands(rulebook, each)]
    return list(await asyncio.gather(*(_ask(each, rulebook, send, outside, patience) for each in asked)))


async def _ask(store: Store, rulebook: Rulebook, send: Send, outside: Outside, patience: float) -> Listing:
    title = VENDORS[store.settings.vendor].TITLE
    if not names_categories(rulebook, store) or not VENDORS[store.settings.vendor].CAPABILITIES.can_read_categories:
        said = f"{store.alias} ({title}) cannot be asked for names: what counts is what stores.yaml says of them."
        return Listing(store.alias, said)
    if store.missing:
        names = ", ".join(store.missing)
        return Listing(store.alias, f"{store.alias} was not asked: set {names} in the environment.", failed=True)
    try:
        async with asyncio.timeout(patience):
            found = await _read(store, send, outside)
    except TimeoutError:
        return _unanswered(store, f"it did not show its categories within {patience:g} seconds")
    except CallError as error:
        return _unanswered(store, str(error))
    except Exception:  # noqa: BLE001 — whatever an answer breaks, the other stores are still checked
        return _unanswered(store, "its answer could not be read")
    said = "1 category was" if len(found) == 1 else f"{len(found) or 'no'} categories were"
    return Listing(store.alias, f"{store.alias} ({title}) was asked: {said} read.", tuple(found))


def _unanswered(store: Store, reason: str) -> Listing:
    return Listing(store.alias, f"{store.alias} could not be asked: {reason.rstrip('.')}.", failed=True)


async def _read(store: Store, send: Send, outside: Outside) -> list[Snapshot]:
    """Every category of the shop, within its rate. Raises `CallError`."""
    vendor = VENDORS[store.settings.vendor](store.settings)
    full = Health(float(vendor.CAPABILITIES.burst), outside.now())
    calls = Calls(
        send,
        full,
        vendor.CAPABILITIES,
        secrets=store.secrets,
        now=outside.now,
        sleep=outside.sleep,
        chance=outside.chance,
    )
    everything = category(ALL)
    seen = await read_subjects(vendor, calls, [everything])
    if everything in seen.failed:
        raise CallError(seen.failed[everything])
    return list(seen.snapshots.values())


def report_listings(
    report: Report,
    rulebook: Rulebook,
    stores: Sequence[Store],
    listings: Sequence[Listing],
    places: Mapping[str, Place],
) -> None:
    """Report the names that mean nothing, or several things, in a store, and warn of stores that did not answer.

    `report` knows the rule files and stores.yaml; `places` says where each store stands there.
    """
    of = {listing.store: listing for listing in listings}
    for store in stores:
        listing = of.get(store.alias)
        if listing is None:
            continue
        if listing.failed:
            advice = "until it is asked, nobody knows whether the names in its rules are right"
            report.warn(places[store.alias], "store-not-asked", listing.said.rstrip("."), advice)
            continue
        vendor = VENDORS[store.settings.vendor]
        directory = Directory.from_snapshots(
            listing.categories or (),
            names=store.settings.names,
            brands_are_names=vendor.CAPABILITIES.brands_are_names,
        )
        report_names(report, rulebook, store, directory, is_listed=listing.categories is not None)


def places_of_stores(text: str, path: str) -> dict[str, Place]:
    """Where the stores of a sound stores.yaml stand, by their names."""
    root = read_yaml(text, path=path, report=Report())
    stores = root.get("stores") if isinstance(root, MapNode) else None
    return {key.text: key.place for key, _ in stores} if isinstance(stores, MapNode) else {}
