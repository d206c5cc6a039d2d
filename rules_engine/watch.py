"""What an operator and a host look at: `/healthz`, `/readyz` and `/metrics`."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from sqlalchemy.engine import Connection
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from rules_engine.core.delivery import StoreAlias
from rules_engine.core.errors import DatabaseError
from rules_engine.core.holds import HoldState
from rules_engine.core.pause import Pause
from rules_engine.core.store import NotifyTarget
from rules_engine.database.answers import questions_by_store
from rules_engine.database.catalogue import hold_counts
from rules_engine.database.engine import Database
from rules_engine.database.inbox import Pending, pending_by_store
from rules_engine.database.lanes import LaneRow, load_lanes
from rules_engine.database.pauses import open_pauses
from rules_engine.lane.rules import InForce, Rules
from rules_engine.lane.turn import Lane
from rules_engine.metrics import Metrics
from rules_engine.receive import Doors

NOT_RECONCILING = "off: what webhooks did not tell is found only by `rules-engine reconcile`"
TOO_LONG = timedelta(seconds=60)
"""Deliveries that waited so long while no lane ran are an alarm."""


@dataclass(frozen=True, slots=True)
class _State:
    in_force: InForce | None
    pending: dict[StoreAlias, Pending]
    lanes: dict[StoreAlias, LaneRow]
    questions: dict[StoreAlias, int]
    pauses: list[Pause]


def watch_routes(
    database: Database,
    doors: Doors,
    rules: Rules,
    metrics: Metrics,
    *,
    lanes: Mapping[StoreAlias, Lane],
    now: Callable[[], datetime],
    admin_token: str | None,
    notify: Sequence[NotifyTarget] = (),
    is_reconciling: bool = True,
) -> list[Route]:
    """The routes for watching. `/metrics` wants `Authorization: Bearer` and the admin token; unset, it is a 404."""

    def look(connection: Connection) -> _State:
        return _State(
            rules.in_force(connection),
            pending_by_store(connection),
            load_lanes(connection),
            questions_by_store(connection),
            open_pauses(connection),
        )

    async def healthz(_request: Request) -> Response:
        return JSONResponse({"alive": True})

    async def readyz(_request: Request) -> Response:
        try:
            state = await database.read(look)
        except DatabaseError as error:
            return JSONResponse({"ready": False, "reason": str(error)}, 503)
        waiting = {door.alias: reason for door in doors.all() if (reason := _why_waiting(door.alias, state, now()))}
        waiting |= {door.alias: door.store.parked_because for door in doors.all() if door.store.missing}
        waiting |= {
            alias: f"no longer in stores.yaml, and {pending.count} of its deliveries wait"
            for alias, pending in state.pending.items()
            if doors.find(alias) is None
        }
        reason = _why_not_ready(state, rules, now(), set(waiting))
        body: dict[str, object] = {"ready": not reason, "stores": waiting} | ({"reason": reason} if reason else {})
        unnamed = ((alias, lane.names.waiting_rules) for alias, lane in lanes.items())
        held_up = {alias: dict(waiting_rules) for alias, waiting_rules in unnamed if waiting_rules}
        body |= {"waiting_rules": held_up} if held_up else {}
        body |= {"refused_rules": rules.refused} if rules.refused else {}
        body |= {"questions": sum(state.questions.values())} if state.questions else {}
        body |= {"paused": [_paused(each) for each in state.pauses]} if state.pauses else {}
        silent = {target.name: target.silent_because for target in notify if target.missing}
        body |= {"notify": silent} if silent else {}
        body |= {} if is_reconciling else {"reconcile": NOT_RECONCILING}
        return JSONResponse(body, 503 if reason else 200)

    async def measured(request: Request) -> Response:
        if not admin_token:
            return JSONResponse({"error": "Not found."}, 404)
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        is_admin = hmac.compare_digest(given.strip().encode(), admin_token.encode())
        if not is_admin or scheme.casefold() != "bearer":
            return JSONResponse({"error": "Send Authorization: Bearer and the ADMIN_TOKEN."}, 401)
        try:
            state = await database.read(look)
            held = await database.read(hold_counts)
        except DatabaseError as error:
            return JSONResponse({"error": str(error)}, 503)
        _set_gauges(metrics, doors, state, now())
        _set_people_gauges(metrics, doors, state.questions, held)
        return Response(generate_latest(metrics.registry), media_type=CONTENT_TYPE_LATEST)

    return [
        Route("/healthz", healthz, methods=["GET"]),
        Route("/readyz", readyz, methods=["GET"]),
        Route("/metrics", measured, methods=["GET"]),
    ]


def _why_waiting(alias: StoreAlias, state: _State, now: datetime) -> str:
    """Why a store's work waits for a person or for its shop, in a sentence, or nothing."""
    lane = state.lanes.get(alias)
    if lane is None:
        return ""
    if lane.parked_because:
        return f"parked: {lane.parked_because}"
    if lane.failures and lane.blocked_until and lane.blocked_until > now:
        return f"left alone until {lane.blocked_until:%H:%M:%S} UTC after {lane.failures} failed calls in a row"
    return ""


def _why_not_ready(state: _State, rules: Rules, now: datetime, waiting: set[StoreAlias]) -> str:
    if state.in_force is None:
        return f"No rules are in force: {rules.problem}"
    for alias, pending in state.pending.items():
        lane = state.lanes.get(alias)
        # A store that was left alone until lately is only about to be called again.
        known = [at for at in (lane.last_turn_at, lane.blocked_until) if at] if lane else []
        is_idle = not known or now - max(known) > TOO_LONG
        if now - pending.oldest > TOO_LONG and is_idle and alias not in waiting:
            seconds = round((now - pending.oldest).total_seconds())
            waiting_ones = "1 delivery" if pending.count == 1 else f"{pending.count} deliveries"
            return f"{waiting_ones} of {alias} pending, the oldest for {seconds} s, and its lane does not run."
    return ""


def _set_gauges(metrics: Metrics, doors: Doors, state: _State, now: datetime) -> None:
    for door in doors.all():
        pending = state.pending.get(door.alias)
        lane = state.lanes.get(door.alias)
        metrics.pending.labels(door.alias).set(pending.count if pending else 0)
        metrics.oldest.labels(door.alias).set((now - pending.oldest).total_seconds() if pending else 0)
        metrics.parked.labels(door.alias).set(1 if lane and lane.parked_because else 0)
        if lane and lane.last_turn_at:
            metrics.since_turn.labels(door.alias).set((now - lane.last_turn_at).total_seconds())


def _set_people_gauges(
    metrics: Metrics,
    doors: Doors,
    questions: Mapping[StoreAlias, int],
    held: Mapping[tuple[StoreAlias, HoldState], int],
) -> None:
    """Also of stores that stores.yaml no longer has: what is held there waits for a person."""
    served = {door.alias for door in doors.all()}
    for alias in served | set(questions):
        metrics.questions.labels(alias).set(questions.get(alias, 0))
    for alias in served | {alias for alias, _ in held}:
        for state in HoldState:
            if state.is_open:
                metrics.holds.labels(alias, state.value).set(held.get((alias, state), 0))


def _paused(pause: Pause) -> str:
    """What is paused, where, since when and why."""
    where = f" in {pause.store}" if pause.store else ""
    return f"{pause.rule or 'everything'}{where}: paused {pause.reason}"
