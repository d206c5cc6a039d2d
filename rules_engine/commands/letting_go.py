"""`forget` and `release-hold`: what a person lets a rule keep out for good, or take again."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial
from typing import Annotated, NoReturn

import sqlalchemy as sa
import typer

from rules_engine.app import Outside, open_stores
from rules_engine.core.bounds import WAITS_UNTIL
from rules_engine.core.delivery import StoreAlias
from rules_engine.core.errors import SettingsError
from rules_engine.core.holds import HoldState
from rules_engine.core.order import OrderKind
from rules_engine.core.rule import RuleCode
from rules_engine.core.store import StoresFile
from rules_engine.core.subject import SubjectKind
from rules_engine.database.holdings import Among, Holding, kept_out, open_holdings
from rules_engine.preview.naming import ProductName
from rules_engine.preview.why_find import Found, Match, find
from rules_engine.settings import Settings

from .follow import LONG_ENOUGH, Wait, open_database
from .ordering import Wanted, find_rule, give_and_follow, rules_in_force, tell
from .output import FINDINGS, AsJson, in_plain_words, say, say_json
from .rules import asked_stores
from .why import RuleOption, StoreOption, say_not_found

KEPT = "kept by a person"
RELEASED = "released by a person"

Sku = typer.Argument(metavar="SKU", help="The product, by SKU, id or name.")


def forget(
    sku: Annotated[str, Sku],
    *,
    rule: RuleOption = None,
    store: StoreOption = None,
    wait: Wait = LONG_ENOUGH,
    as_json: AsJson = False,
) -> None:
    """Forget what rules took from a product: it stays as it is now, for good.

    What rules hold of it, or still owe to it, is let go of, and nothing is ever given back: a product that was taken
    out of a category stays out when it is restocked. The rules take nothing of it again in this stretch; in a later
    one they may, and find it as it is now. With --rule only what that rule holds. The shop is not called.
    """
    outside = Outside()
    with in_plain_words(as_json=as_json):
        settings = Settings.from_environment()
        file = open_stores(settings, os.environ)
        with open_database(settings) as database:
            found = database.read_now(partial(_products, file=file, sku=sku, store=store))
            if isinstance(found, Found):
                _say_not_one(sku, found, as_json=as_json)
            of = database.read_now(partial(_rule, settings=settings, file=file, code=rule))
            among = Among(of or None, subjects=[(match.store, match.ref) for match in found])
            held = database.read_now(partial(open_holdings, among=among))
            if not held:
                _say_nothing(f"No rule holds anything of {found[0].called}.", as_json=as_json)
            wanted = _orders(held, OrderKind.KEEP, of, KEPT)
            came, waits = give_and_follow(settings, database, wanted, stores=file.stores, wait=wait, outside=outside)
    tell(came, waits, as_json=as_json)


def release_hold(
    rule: Annotated[str, typer.Argument(metavar="RULE", help="The code of the rule.")],
    sku: Annotated[str | None, typer.Argument(metavar="[SKU]", help="Only this product, by SKU, id or name.")] = None,
    *,
    store: StoreOption = None,
    wait: Wait = LONG_ENOUGH,
    as_json: AsJson = False,
) -> None:
    """Let a rule take again what it stepped back from.

    A rule steps back for a product when a person undoes what it did, and takes it no more after a no, a refusal of the
    shop, or `undo`: until its condition ends. This lets it take again now, if its condition still holds.
    """
    outside = Outside()
    with in_plain_words(as_json=as_json):
        settings = Settings.from_environment()
        file = open_stores(settings, os.environ)
        with open_database(settings) as database:
            of = database.read_now(partial(_rule, settings=settings, file=file, code=rule))
            aliases = {each.alias for each in asked_stores(file.stores, store)}
            subjects = None
            if sku is not None:
                found = database.read_now(partial(_products, file=file, sku=sku, store=store))
                if isinstance(found, Found):
                    _say_not_one(sku, found, as_json=as_json)
                subjects = [(match.store, match.ref) for match in found]
            stepped = database.read_now(partial(_stepped_back, among=Among(of, subjects=subjects)))
            meant = [holding for holding in stepped if holding.store in aliases]
            if not meant:
                among = Among(of, StoreAlias(store) if store is not None else None, subjects)
                _say_nothing(database.read_now(partial(_why_none, among=among)), as_json=as_json)
            wanted = _orders(meant, OrderKind.RESUME, of, RELEASED)
            came, waits = give_and_follow(settings, database, wanted, stores=file.stores, wait=wait, outside=outside)
    tell(came, waits, as_json=as_json)


def _rule(connection: sa.Connection, settings: Settings, file: StoresFile, code: str | None) -> RuleCode:
    return RuleCode("") if code is None else find_rule(connection, rules_in_force(connection, settings, file), code)


def _products(connection: sa.Connection, file: StoresFile, sku: str, store: str | None) -> list[Match] | Found:
    """The product in each store that knows it, or what was found instead."""
    found = find(connection, sku, [each.alias for each in asked_stores(file.stores, store)])
    if found.matches and any(match.ref.kind is not SubjectKind.PRODUCT for match in found.matches):
        raise SettingsError(f"{sku!r} is a category: name a product, by its SKU, id or name.")
    return list(found.matches) if found.matches and found.is_clear else found


def _stepped_back(connection: sa.Connection, among: Among) -> list[Holding]:
    """What the rule takes no more, though its stretch runs."""
    is_back = [
        holding
        for holding in open_holdings(connection, among)
        if holding.hold.state is HoldState.STEPPED_BACK
        or (holding.hold.state is HoldState.OWED and holding.hold.is_ordered)
    ]
    return [*is_back, *kept_out(connection, among)]


def _why_none(connection: sa.Connection, among: Among) -> str:
    """That there is nothing to release, or what the rule waits for where it wants something."""
    put_off = next((each for each in open_holdings(connection, among) if WAITS_UNTIL in each.hold.reason), None)
    if put_off is not None:
        named = ProductName.from_fields(put_off.slot.product, put_off.fields)
        return f"{among.rule} did not step back from {named}, but is put off: {put_off.hold.reason}."
    return f"{among.rule} stepped back from nothing here: it takes what its condition says."


def _orders(held: Sequence[Holding], kind: OrderKind, rule: RuleCode, because: str) -> list[Wanted]:
    """One order for each product."""
    wanted: dict[tuple[str, str], Wanted] = {}
    for holding in held:
        named = ProductName.from_fields(holding.slot.product, holding.fields)
        wanted.setdefault((holding.store, named.id), Wanted(holding.store, named, kind, rule, because))
    return list(wanted.values())


def _say_not_one(sku: str, found: Found, *, as_json: bool) -> NoReturn:
    say_not_found(sku, found, as_json=as_json)
    raise typer.Exit(FINDINGS)


def _say_nothing(text: str, *, as_json: bool) -> NoReturn:
    if as_json:
        say_json({"orders": [], "waits": None, "notes": [text]})
    else:
        say(text)
    raise typer.Exit(FINDINGS)
