"""What `undo`, `forget` and `release-hold` share: which rule and product is meant, giving orders, and what came."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

import sqlalchemy as sa

from rules_engine.app import Outside, compile_rules
from rules_engine.core.action import SlotRef
from rules_engine.core.delivery import StoreAlias
from rules_engine.core.errors import RulebookError
from rules_engine.core.order import Order, OrderKind
from rules_engine.core.plan import ActionState, PlannedAction, Step
from rules_engine.core.rule import Rulebook, RulebookHash, RuleCode
from rules_engine.core.store import Store, StoresFile
from rules_engine.core.subject import ProductId, SubjectRef, product
from rules_engine.database.engine import Database
from rules_engine.database.holdings import held_back, rules_with_holds
from rules_engine.database.lanes import look_now
from rules_engine.database.orders import are_carried_out, find_orders, give_orders
from rules_engine.database.pauses import open_pauses
from rules_engine.database.products import fields_of
from rules_engine.database.questions import find_questions
from rules_engine.database.results import results_for
from rules_engine.database.rulebooks import active
from rules_engine.preview.asked import how_to_go_on
from rules_engine.preview.naming import ProductName, Wording, slot_plain
from rules_engine.rulebook import read_rule_texts
from rules_engine.settings import Settings

from .follow import follow
from .output import say, say_json
from .repair import action_fields, came_of, finish
from .rules import no_such_rule

MOST_LINES = 50
"""So many products are told of, one line each; the rest is counted, and `--json` has them all."""

_NOT_CALLED_YET = frozenset({ActionState.PENDING, ActionState.SENT})
_BY_ORDER = frozenset({Step.GIVE_BACK, Step.UNDO, Step.TAKE})


def rules_in_force(connection: sa.Connection, settings: Settings, file: StoresFile) -> Rulebook:
    """The rulebook in force, else that of the files; one without rules where neither can be read."""
    in_force = active(connection)
    try:
        texts = in_force.texts if in_force is not None else read_rule_texts(settings.rules)
        return compile_rules(texts, file)
    except RulebookError:
        return Rulebook(RulebookHash(""))


def find_rule(connection: sa.Connection, rulebook: Rulebook, code: str) -> RuleCode:
    """The rule that a person names, also by a code that it had before, or of a rule that is gone.

    Raises `SettingsError` with the nearest code where there is none.
    """
    known = [rule.code for rule in rulebook.rules]
    if code in known:
        return RuleCode(code)
    heir = next((rule.code for rule in rulebook.rules if code in rule.formerly), None)
    if heir is not None:
        return heir
    with_holds = rules_with_holds(connection)
    if code in with_holds:
        return RuleCode(code)
    raise no_such_rule(code, list(dict.fromkeys([*known, *with_holds])))


@dataclass(frozen=True, slots=True)
class Wanted:
    """An order to be given, in words: about which product of which store, of which rule, of one slot or all."""

    store: StoreAlias
    product: ProductName
    kind: OrderKind
    rule: RuleCode
    because: str
    slot: SlotRef | None = None
    wish: bool | str | None = None
    expects: bool | str | None = None

    @property
    def ref(self) -> SubjectRef:
        """The product, as the engine knows it."""
        return product(self.product.id)

    def order(self, at: datetime) -> Order:
        """The order, given at this time; its id comes with storing it."""
        return Order(0, self.kind, self.rule, self.slot, at, self.because, self.wish, self.expects)


@dataclass(frozen=True, slots=True)
class Came:
    """What came of one order: its outcome, empty while it waits, and the calls that it led to.

    `deeds` says of each of those, in words, what it does; `waits`, where one is held back, what that waits for.
    """

    wanted: Wanted
    outcome: str
    actions: tuple[PlannedAction, ...] = ()
    deeds: tuple[str, ...] = ()
    waits: tuple[str, ...] = ()


def give_and_follow(
    settings: Settings,
    database: Database,
    wanted: Sequence[Wanted],
    *,
    stores: Sequence[Store],
    wait: float,
    outside: Outside,
) -> tuple[list[Came], str]:
    """Give these orders, and wait for what comes of them: that, and a sentence about what is still waited for."""
    asked_at = outside.now()
    given = database.write_now(partial(_give, wanted=wanted, at=asked_at))
    waits: list[str] = []
    for store, ids in given.items():
        stopped = database.read_now(partial(_why_stopped, store=store, ids=ids))
        refs = {each.ref for each in wanted if each.store == store}
        is_done = partial(_is_done, store=store, ids=ids, refs=refs, asked_at=asked_at, now=outside.now)
        waits.append(stopped or follow(settings, database, store, is_done, seconds=wait, outside=outside))
    came = database.read_now(partial(_came, wanted=wanted, given=given, asked_at=asked_at, stores=stores))
    waits += dict.fromkeys(text for each in came for text in each.waits)
    return came, " ".join(reason for reason in waits if reason)


def _give(connection: sa.Connection, wanted: Sequence[Wanted], at: datetime) -> dict[StoreAlias, list[int]]:
    given: dict[StoreAlias, list[int]] = {}
    for store in dict.fromkeys(each.store for each in wanted):
        ours = [each for each in wanted if each.store == store]
        given[store] = give_orders(connection, store, [(ProductId(each.ref.id), each.order(at)) for each in ours])
        look_now(connection, store, (each.ref for each in ours), now=at, reason=ours[0].because)
    return given


def _why_stopped(connection: sa.Connection, store: StoreAlias, ids: Sequence[int]) -> str:
    """That orders wait because everything is paused; what needs no call does not wait for that."""
    pause = next((each for each in open_pauses(connection) if each.is_of_everything and each.is_in(store)), None)
    is_waiting = any(order.kind is not OrderKind.KEEP for order in find_orders(connection, ids).values())
    if pause is None or not is_waiting:
        return ""
    return f"Everything is paused in {store}, {pause.reason}: this is done after `{pause.resume}`."


def _is_done(
    connection: sa.Connection,
    *,
    store: StoreAlias,
    ids: Sequence[int],
    refs: set[SubjectRef],
    asked_at: datetime,
    now: Callable[[], datetime],
) -> bool:
    """Whether the orders are carried out, and no call of theirs that is due waits for its first answer."""
    if not are_carried_out(connection, ids):
        return False
    return not any(
        action.state in _NOT_CALLED_YET and (action.due_at is None or action.due_at <= now())
        for action in results_for(connection, store, refs, cause="", since=asked_at).actions
    )


def _came(
    connection: sa.Connection,
    wanted: Sequence[Wanted],
    given: dict[StoreAlias, list[int]],
    asked_at: datetime,
    stores: Sequence[Store],
) -> list[Came]:
    found: list[Came] = []
    wording = Wording.load(connection, stores)
    for store, ids in given.items():
        ours = [each for each in wanted if each.store == store]
        outcomes = find_orders(connection, ids)
        made = results_for(connection, store, {each.ref for each in ours}, cause="", since=asked_at).actions
        # What is held back may have been planned long ago: it is the same action, decided anew.
        held = held_back(connection, store, (each.ref.id for each in ours))
        actions = {action.key: action for action in (*made, *held)}.values()
        questions = find_questions(connection, {action.question for action in held if action.question is not None})
        fields = fields_of(connection, store, (each.ref.id for each in ours))
        for each, id_ in zip(ours, ids, strict=True):
            led_to = tuple(action for action in actions if _is_of(action, each))
            known = fields.get(ProductId(each.ref.id), {})
            deeds = tuple(wording(store, action.slot, known).make(action.wish, "it") for action in led_to)
            waits = tuple(how_to_go_on(a, questions) for a in led_to if a.state is ActionState.HELD)
            found.append(Came(each, outcomes[id_].outcome, led_to, deeds, waits))
    return found


def _is_of(action: PlannedAction, wanted: Wanted) -> bool:
    is_its_rule = wanted.rule in {"", *action.rules}
    is_its_slot = wanted.slot in {None, action.slot} and action.slot.product == wanted.ref.id
    return is_its_rule and is_its_slot and action.step in _BY_ORDER


def tell(came: Sequence[Came], waits: str, *, as_json: bool) -> None:
    """Print what came of orders, and end with 1 unless all are carried out and no call was given up."""
    if as_json:
        say_json({"orders": [_fields(each) for each in came], "waits": waits or None, "notes": []})
    for line in () if as_json else _lines(came):
        say(line)
    given_up = any(action.state is ActionState.DEAD for each in came for action in each.actions)
    finish(waits, is_fine=not given_up and all(each.outcome for each in came))


def _lines(came: Sequence[Came]) -> Iterator[str]:
    for each in came[:MOST_LINES]:
        yield f"{each.wanted.product}, {each.wanted.store}: {each.outcome or 'waits to be looked at'}"
        for action, deed in zip(each.actions, each.deeds, strict=True):
            yield f"  {deed}: {came_of(action)}"
    if len(came) > MOST_LINES:
        done = sum(bool(each.outcome) for each in came)
        yield f"… and {len(came) - MOST_LINES} more; {done} of all {len(came)} are carried out. --json lists them."


def _fields(came: Came) -> dict[str, object]:
    wanted = came.wanted
    return {
        "store": wanted.store,
        "product": wanted.product.plain(),
        "order": wanted.kind.value,
        "rule": wanted.rule or None,
        **slot_plain(wanted.slot),
        "outcome": came.outcome or None,
        "actions": [action_fields(action, wanted.product) for action in came.actions],
        "waits": list(came.waits),
    }
