"""Acting: the open actions of the products that this turn looked at, in the fewest calls, adds before removes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from urllib.parse import urlsplit

import structlog
from sqlalchemy.engine import Connection

from rules_engine.core.action import (
    Action,
    ActionKey,
    Done,
    LookAgain,
    NothingToDo,
    Outcome,
    Request,
    Response,
    Verdict,
)
from rules_engine.core.directory import Directory
from rules_engine.core.errors import AuthenticationError, CallError, LaneLostError, PermanentError, TemporaryError
from rules_engine.core.outcome import answered, attempted
from rules_engine.core.plan import ActionState, Case, PlannedAction, Step
from rules_engine.core.rule import RuleCode
from rules_engine.core.store import Store
from rules_engine.core.subject import ProductId, Snapshot, SubjectRef, product
from rules_engine.database.engine import Database
from rules_engine.database.lanes import clear_looks, look_now, save_lane, schedule_looks
from rules_engine.database.ledger import load_cases, save_case
from rules_engine.database.outbox import AttemptResult, record_attempts, write_attempts
from rules_engine.metrics import Metrics
from rules_engine.vendors.base import AnyVendor

from .calls import Calls, NotNowError
from .due import ADDS, next_to_send, open_since
from .page import LaterLook

log = structlog.stdlib.get_logger(__name__)

BUSY = frozenset({408, 409, 425, 429, 449, 502, 503, 504})
"""The shop as a whole is busy or away: that brings no action nearer to its end."""

_READY = frozenset({ActionState.PENDING, ActionState.WAITING})
_AT_REST = _READY | {ActionState.HELD}


@dataclass(frozen=True, slots=True)
class Actor:
    """What acting for one store needs. `fence` raises `LaneLostError` when the turn may no longer write.

    `members` are all the products of a category, by its id, where this very turn read them. `urgent` are the products
    of which a webhook was about; `looks` say when deciding wanted a product to be looked at again; `is_waited_for` says
    whether more webhooks wait for this turn to end. Of the `judged` rules only what was admitted is sent.
    """

    store: Store
    vendor: AnyVendor
    database: Database
    calls: Calls
    directory: Directory
    fence: Callable[[Connection], None]
    now: Callable[[], datetime]
    new_id: Callable[[], str]
    metrics: Metrics
    members: Mapping[str, frozenset[str]]
    urgent: Collection[ProductId]
    looks: Mapping[SubjectRef, LaterLook]
    is_waited_for: Callable[[], Awaitable[bool]]
    judged: Collection[RuleCode]


@dataclass(slots=True)
class Acted:
    """What acting came to: products that answers showed, and when to go on if the store had to be left alone."""

    sightings: list[Snapshot] = field(default_factory=list)
    until: datetime | None = None


async def act(actor: Actor, products: Iterable[ProductId]) -> Acted:
    """Make the calls that are due for these products; what cannot be sent now stays, and a look brings it back."""
    refs = [product(id_) for id_ in products]
    acted = Acted()
    try:
        cases = await _cases(actor, refs)
        adds = _due(actor, cases, is_add=True)
        if adds:
            await _perform(actor, adds, acted)
            cases = await _cases(actor, refs)
        await _perform(actor, _due(actor, cases, is_add=False), acted)
    except NotNowError as error:
        acted.until = error.until
    except AuthenticationError as error:
        log.error("the shop refuses our credentials: the store is parked", store=actor.store.alias, reason=str(error))
        acted.until = actor.calls.health.probe_at
    return acted


async def _cases(actor: Actor, refs: Sequence[SubjectRef]) -> list[Case]:
    load = partial(load_cases, store=actor.store.alias, refs=refs, now=actor.now())
    return list((await actor.database.read(load)).values())


def _due(actor: Actor, cases: Iterable[Case], *, is_add: bool) -> list[PlannedAction]:
    """What may be sent now: of a product that still has an add to make, no remove."""
    now, top = actor.now(), actor.vendor.CAPABILITIES.promotes_to
    due = [
        action
        for case in cases
        for action in next_to_send(case, now=now, top=top)
        if action.state in _READY
        and (action.kind in ADDS) is is_add
        and (action.due_at is None or action.due_at <= now)
        and (action.admitted_at is not None or action.step is Step.UNDO or action.rules[0] not in actor.judged)
    ]
    return sorted(due, key=lambda action: action.created_at)


async def _perform(actor: Actor, planned: Sequence[PlannedAction], acted: Acted) -> None:
    """Make these calls, those for webhooks first. The others make way for webhooks that wait, after one at least.

    What is left stays open, and so does the look that brings it back.
    """
    by_key = {action.key: action for action in planned}
    has_gone_on = False
    for request in sorted(await _prepare(actor, planned), key=lambda request: not _is_urgent(actor, request)):
        if not _is_urgent(actor, request):
            if has_gone_on and await actor.is_waited_for():
                return
            has_gone_on = True
        await actor.calls.allow(request.cost)
        await _call(actor, request, [by_key[action.key] for action in request.actions], acted)


def _is_urgent(actor: Actor, request: Request) -> bool:
    """Whether a webhook caused the call, or it empties a category for which this turn read all members."""
    return any(action.is_whole or action.product in actor.urgent for action in request.actions)


async def _prepare(actor: Actor, planned: Sequence[PlannedAction]) -> tuple[Request, ...]:
    """The requests for these actions; one for which none can be built becomes a dead letter alone."""
    wanted = _as_actions(actor, planned)
    try:
        return actor.vendor.prepare(wanted)
    except PermanentError:
        sound: list[Action] = []
        for each in wanted:
            action = replace(each, is_whole=False)  # without the one that is refused they are not the whole any more
            try:
                actor.vendor.prepare([action])
            except PermanentError as error:
                await actor.database.write(partial(_refuse, actor, action, error))
            else:
                sound.append(action)
        return actor.vendor.prepare(sound) if sound else ()


def _as_actions(actor: Actor, planned: Sequence[PlannedAction]) -> list[Action]:
    """The actions as an adapter takes them.

    One call for a whole category takes out whatever is in it: only where these are all of its members, read just now.
    """
    leaving: dict[str, set[str]] = {}
    for action in planned:
        if action.is_whole:
            leaving.setdefault(action.target, set()).add(action.slot.product)
    whole = {id_ for id_, products in leaving.items() if products == actor.members.get(id_, frozenset())}
    return [Action(a.key, a.kind, a.slot.product, a.target, is_whole=a.is_whole and a.target in whole) for a in planned]


def _refuse(actor: Actor, action: Action, error: PermanentError, connection: Connection) -> None:
    actor.fence(connection)
    _apply(connection, actor, {action.key: error}, {action.product: [action.key]}, counts=True)


async def _call(actor: Actor, request: Request, planned: Sequence[PlannedAction], acted: Acted) -> None:
    """One call: the attempt is written and committed first, so that after a crash we know that it may be our doing."""
    call = actor.new_id()
    started = actor.now()
    await actor.database.write(partial(_write_attempts, actor, request, call, started))
    response: Response | None = None
    try:
        response = await actor.calls.send(request)
        interpretation = actor.vendor.interpret(request, response)
        outcomes, sightings = interpretation.outcomes, interpretation.sightings
    except CallError as error:
        verdict = error if isinstance(error, TemporaryError | PermanentError) else TemporaryError(str(error))
        outcomes = tuple(Outcome(action.key, verdict) for action in request.actions)
        sightings = ()
    except Exception as error:  # a fault of ours in reading an answer must not stop the lane, nor lose the attempt
        log.exception("an answer could not be interpreted", store=actor.store.alias)
        verdict = TemporaryError(f"The answer could not be interpreted: {error!r}.")
        outcomes = tuple(Outcome(action.key, verdict) for action in request.actions)
        sightings = ()
    verdicts = {outcome.action: outcome.verdict for outcome in outcomes}
    _count(actor, response, list(verdicts.values()))
    milliseconds = round((actor.now() - started).total_seconds() * 1000)
    await actor.database.write(
        lambda connection: _record(
            actor, request, call, verdicts, response=response, milliseconds=milliseconds, connection=connection
        )
    )
    acted.sightings += sightings
    log.info(
        "called",
        store=actor.store.alias,
        method=request.method,
        path=urlsplit(request.url).path,
        status=response.status if response else None,
        milliseconds=milliseconds,
        actions=len(planned),
        outcome=_word(next(iter(verdicts.values()))),
    )
    refused = next((each for each in verdicts.values() if isinstance(each, AuthenticationError)), None)
    if refused is not None:
        raise refused


def _count(actor: Actor, response: Response | None, verdicts: Sequence[Verdict]) -> None:
    """Tell the store's health what the answer showed. A call without an answer was counted where it failed."""
    for verdict in verdicts:
        actor.metrics.calls.labels(store=actor.store.alias, outcome=_word(verdict)).inc()
    if response is None:
        return
    refused = next((verdict for verdict in verdicts if isinstance(verdict, AuthenticationError)), None)
    failed = next((verdict for verdict in verdicts if isinstance(verdict, TemporaryError)), None)
    if refused is not None:
        actor.calls.failed(refused)
    elif failed is not None and (response.status in BUSY or response.status >= 500):
        actor.calls.failed(failed)
    else:
        actor.calls.succeeded()  # the shop is well, whatever it thinks of this call


def _write_attempts(actor: Actor, request: Request, call: str, started: datetime, connection: Connection) -> None:
    actor.fence(connection)
    alias = actor.store.alias
    by_product = _by_product(request)
    cases = load_cases(connection, alias, [product(id_) for id_ in by_product], now=started)
    for id_, keys in by_product.items():
        before = case = cases[product(id_)]
        for key in keys:
            if key not in case.actions or case.actions[key].state not in _READY:
                raise LaneLostError("A person changed what was about to be sent; it is decided again.")
            case = attempted(case, key, at=started)
        save_case(connection, alias, before, case, now=started)
    summary = {"method": request.method, "path": urlsplit(request.url).path, "body": (request.body or b"").decode()}
    write_attempts(connection, alias, call, [action.key for action in request.actions], summary, now=started)
    save_lane(connection, alias, **actor.calls.health.columns())


def _by_product(request: Request) -> dict[ProductId, list[ActionKey]]:
    grouped: dict[ProductId, list[ActionKey]] = {}
    for action in request.actions:
        grouped.setdefault(action.product, []).append(action.key)
    return grouped


def _record(
    actor: Actor,
    request: Request,
    call: str,
    verdicts: dict[ActionKey, Verdict],
    *,
    response: Response | None,
    milliseconds: int,
    connection: Connection,
) -> None:
    actor.fence(connection)
    counts = response is not None and response.status not in BUSY
    _apply(connection, actor, verdicts, _by_product(request), counts=counts)
    results = [AttemptResult(key, _word(verdict), _reason(verdict)) for key, verdict in verdicts.items()]
    status = response.status if response else None
    record_attempts(connection, actor.store.alias, call, results, status=status, milliseconds=milliseconds)
    save_lane(connection, actor.store.alias, **actor.calls.health.columns())


def _apply(
    connection: Connection,
    actor: Actor,
    verdicts: dict[ActionKey, Verdict],
    by_product: dict[ProductId, list[ActionKey]],
    *,
    counts: bool,
) -> None:
    """Write what the answer means for every product of the call, and when each is to be looked at again."""
    now = actor.now()
    alias = actor.store.alias
    cases = load_cases(connection, alias, [product(id_) for id_ in by_product], now=now)
    for id_, keys in by_product.items():
        before = case = cases[product(id_)]
        for key in keys:
            case = answered(
                case,
                key,
                verdicts[key],
                at=now,
                retry_in=actor.calls.retry_in(case.actions[key].attempts, verdicts[key]),
                is_proven=actor.vendor.CAPABILITIES.proves_by_answer,
                counts=counts,
                directory=actor.directory,
            )
        save_case(connection, alias, before, case, now=now)
        _schedule(connection, actor, case, now)
    again = {ref for verdict in verdicts.values() if isinstance(verdict, LookAgain) for ref in verdict.subjects}
    schedule_looks(connection, alias, again, due_at=now, reason="an answer that proves nothing")


def _schedule(connection: Connection, actor: Actor, case: Case, now: datetime) -> None:
    """When the product is looked at next: now, or when its only open actions are due again, or when time needs it."""
    opened = [action for action in case.actions.values() if action.state.is_open]
    until = open_since(case, now=now, top=actor.vendor.CAPABILITIES.promotes_to)
    if until is not None and until > now and all(action.state in _AT_REST for action in opened):
        look_now(connection, actor.store.alias, [case.ref], now=until, reason="a call is tried again")
    elif not opened and not actor.vendor.CAPABILITIES.can_read:
        clear_looks(connection, actor.store.alias, [case.ref], not_after=now)
    else:
        return
    later = actor.looks.get(case.ref)
    if later is not None:  # the look for the call, which was sooner, had taken its place
        schedule_looks(connection, actor.store.alias, [case.ref], due_at=later.due_at, reason=later.reason)


def _word(verdict: Verdict) -> str:
    match verdict:
        case AuthenticationError():
            return "refused"
        case TemporaryError():
            return "failed for now"
        case PermanentError():
            return "failed"
        case LookAgain():
            return "unclear"
        case NothingToDo():
            return "nothing to do"
        case Done():
            return "done"


def _reason(verdict: Verdict) -> str:
    match verdict:
        case CallError():
            return str(verdict)
        case LookAgain():
            return verdict.reason
        case _:
            return ""
