"""What operators run when something went wrong: `deliveries`, `replay`, `probe`, and the actions that were given up."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import Annotated

import sqlalchemy as sa
import typer

from rules_engine.app import Outside, open_stores
from rules_engine.core.delivery import DeliveryId, StoreAlias
from rules_engine.core.plan import ActionState, PlannedAction
from rules_engine.core.subject import SubjectRef
from rules_engine.database import inbox
from rules_engine.database.inbox import DeliveryState, StoredDelivery
from rules_engine.database.lanes import load_lane, save_lane
from rules_engine.database.results import Results, is_quiet, results_for
from rules_engine.preview.naming import ProductName, name_products
from rules_engine.settings import Settings

from .follow import LONG_ENOUGH, Wait, find_store, follow, open_database
from .output import FINDINGS, AsJson, complain, in_plain_words, say, say_json, say_table, short_time
from .rules import asked_stores

StoreOption = Annotated[str | None, typer.Option("--store", metavar="STORE", help="Only those of this store.")]
LimitOption = Annotated[int, typer.Option("--limit", min=1, max=10_000, help="At most so many.")]


def deliveries(
    *,
    store: StoreOption = None,
    state: Annotated[DeliveryState | None, typer.Option("--state", help="Only those in this state.")] = None,
    limit: LimitOption = 20,
    as_json: AsJson = False,
) -> None:
    """List the newest deliveries, newest first.

    A delivery is one webhook that was accepted. Its id is what the shop was answered, and what `replay` takes.
    """
    with in_plain_words(as_json=as_json):
        settings = Settings.from_environment()
        with open_database(settings) as database:
            of = StoreAlias(store) if store is not None else None
            found = database.read_now(partial(inbox.recent, store=of, state=state, limit=limit))
        if not found:
            check_store(settings, store)
    if as_json:
        say_json({"deliveries": [delivery_fields(each) for each in found]})
    elif not found:
        say("There are no such deliveries.")
    else:
        say_table(
            ("id", "received (UTC)", "store", "says", "about", "state", "why"), [_delivery_row(each) for each in found]
        )


def replay(
    delivery: Annotated[
        str, typer.Argument(metavar="DELIVERY", help="Its id, as `deliveries` shows it, or how it begins.")
    ],
    *,
    wait: Wait = LONG_ENOUGH,
    as_json: AsJson = False,
) -> None:
    """Let a stored delivery be decided again, and tell what came of it.

    The product is read again and the rules in force decide: what is already as it should be is not called for. When
    its body is no longer kept, what it was about is looked at instead.
    """
    outside = Outside()
    with in_plain_words(as_json=as_json):
        settings = Settings.from_environment()
        with open_database(settings) as database:
            asked_at = outside.now()
            id_ = database.read_now(partial(inbox.the_one, begins=delivery)).delivery.id
            asked = database.write_now(partial(inbox.replay, id_=id_, now=asked_at))
            is_done = partial(_is_replayed, id_=id_, subjects=asked.subjects, asked_at=asked_at)
            waits = follow(settings, database, asked.store, is_done, seconds=wait, outside=outside)
            stored = database.read_now(partial(inbox.find, id_=id_))
            subjects = (*asked.subjects, *(stored.subjects if stored else ()))
            came = database.read_now(
                partial(results_for, store=asked.store, subjects=subjects, cause=id_, since=asked_at)
            )
            ids = [action.slot.product for action in came.actions]
            names = database.read_now(partial(name_products, store=asked.store, ids=ids))
    if as_json:
        shown = delivery_fields(stored) if stored else None
        say_json({"delivery": shown, "waits": waits or None, **_results_fields(came, names)})
    elif stored is not None:
        said = f"Delivery {id_} of {asked.store} is {stored.state.value}"
        say(f"{said}: {stored.reason}" if stored.reason else f"{said}.")
        _say_results(came, names, is_done=not waits)
    is_aside = stored is not None and stored.state is DeliveryState.SET_ASIDE
    finish(waits, is_fine=not is_aside)


def _is_replayed(
    connection: sa.Connection, id_: DeliveryId, subjects: tuple[SubjectRef, ...], asked_at: datetime
) -> bool:
    stored = inbox.find(connection, id_)
    if stored is None:
        return True
    if stored.state is DeliveryState.PENDING:
        return False
    return is_quiet(connection, stored.delivery.store, {*subjects, *stored.subjects}, asked_at=asked_at)


def probe(
    store: Annotated[str, typer.Argument(metavar="STORE", help="Its name in stores.yaml.")],
    *,
    wait: Wait = LONG_ENOUGH,
    as_json: AsJson = False,
) -> None:
    """Try a parked store now, instead of within the quarter of an hour.

    A store is parked when its shop refuses our credentials. Mend them first: a new token takes effect when the server
    is started with it.
    """
    outside = Outside()
    alias = StoreAlias(store)
    with in_plain_words(as_json=as_json):
        settings = Settings.from_environment()
        missing = find_store(settings, alias).parked_because
        with open_database(settings) as database:
            before = database.read_now(partial(load_lane, store=alias))
            asked_at, waits = outside.now(), ""
            if before.parked_because and not missing:
                database.write_now(partial(save_lane, store=alias, probe_at=asked_at))
                is_done = partial(_is_probed, store=alias, asked_at=asked_at)
                waits = follow(settings, database, alias, is_done, seconds=wait, outside=outside)
            lane = database.read_now(partial(load_lane, store=alias))
    because = missing or lane.parked_because
    if as_json:
        say_json(
            {"store": store, "parked_because": because or None, "was_parked": bool(missing or before.parked_because)}
        )
    elif not because:
        say(
            f"{store} is let in again; what waited for it goes on."
            if before.parked_because
            else f"{store} is not parked."
        )
    elif not waits:
        say(missing or f"{store} stays parked: {because}")
    finish(waits if because else "", is_fine=not because)


def _is_probed(connection: sa.Connection, store: StoreAlias, asked_at: datetime) -> bool:
    lane = load_lane(connection, store)
    return not lane.parked_because or lane.probe_at != asked_at


# What several commands ask and print.


def check_store(settings: Settings, store: str | None) -> None:
    """Raise `SettingsError` where stores.yaml has no such store: for who finds nothing of it, which may be why."""
    if store is not None:
        asked_stores(open_stores(settings, None).stores, store)


def finish(waits: str, *, is_fine: bool = True) -> None:
    """Say what something still waits for, and end with 1 unless all is fine."""
    if waits:
        complain(waits)
    if waits or not is_fine:
        raise typer.Exit(FINDINGS)


def delivery_fields(stored: StoredDelivery) -> dict[str, object]:
    """A delivery as JSON shows it, without its body."""
    return {
        "id": stored.delivery.id,
        "store": stored.delivery.store,
        "received_at": stored.delivery.received_at,
        "type": stored.vendor_type,
        "subjects": [str(ref) for ref in stored.subjects],
        "state": stored.state.value,
        "reason": stored.reason or None,
        "planned_at": stored.planned_at,
        "has_body": stored.has_body,
    }


def _delivery_row(stored: StoredDelivery) -> tuple[str, ...]:
    return (
        stored.delivery.id,
        short_time(stored.delivery.received_at),
        stored.delivery.store or f"none, at {stored.door}",
        stored.vendor_type,
        ", ".join(str(ref) for ref in stored.subjects),
        stored.state.value,
        stored.reason,
    )


def action_fields(action: PlannedAction, named: ProductName) -> dict[str, object]:
    """An action about a product as JSON shows it."""
    return {
        "key": action.key,
        "kind": action.kind.value,
        "product": named.plain(),
        "target": action.target or None,
        "step": action.step.value,
        "rules": list(action.rules),
        "state": action.state.value,
        "attempts": action.attempts,
        "created_at": action.created_at,
        "reason": action.reason or None,
    }


def action_words(action: PlannedAction, named: ProductName) -> str:
    """What an action does: `remove from category 1004, Trail Runner (TR-1)`."""
    return f"{action.kind.value.replace('_', ' ')} {action.target}".rstrip() + f", {named}"


def _results_fields(came: Results, names: Mapping[str, ProductName]) -> dict[str, object]:
    """What came of something, as JSON shows it."""
    told = [
        {"rule": each.rule, "subject": str(each.subject), "truth": each.truth.value, "text": each.text}
        for each in came.traces
    ]
    return {"traces": told, "actions": [action_fields(each, names[each.slot.product]) for each in came.actions]}


def _say_results(came: Results, names: Mapping[str, ProductName], *, is_done: bool) -> None:
    """Tell what rules did, and what was called."""
    for trace in came.traces:
        say(f"  {trace.rule} · {trace.subject} · {trace.truth.value}: {trace.text}")
    for action in came.actions:
        say(f"  {action_words(action, names[action.slot.product])}: {came_of(action)}")
    if is_done and not came.traces and not came.actions:
        say("  Nothing was to be done: it is as the rules want it.")


def came_of(action: PlannedAction) -> str:
    """What came of an action, with the reason where there is one: `done`, `not done (a person said no)`."""
    match action.state:
        case ActionState.DONE | ActionState.CONFIRMED:
            return "done"
        case ActionState.GONE:
            return "the product or the category no longer exists"
        case ActionState.CANCELLED:
            word = "not done"
        case ActionState.DEAD:
            word = "given up"
        case ActionState.HELD if action.admitted_at is None:  # else a person said yes, and it is looked at once more
            word = "held back"
        case _:
            word = "still to be done"
    return f"{word} ({action.reason})" if action.reason else word
