"""`holds`: who holds what of which product, since when and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated

import sqlalchemy as sa
import typer

from rules_engine.app import open_stores
from rules_engine.core.action import SlotRef
from rules_engine.core.bounds import WAITS_UNTIL
from rules_engine.core.delivery import StoreAlias
from rules_engine.core.holds import HoldState
from rules_engine.core.rule import Rulebook, RuleCode
from rules_engine.core.store import StoresFile
from rules_engine.database.holdings import Among, Holding, Total, held_back, open_holdings, totals
from rules_engine.database.questions import find_questions
from rules_engine.preview.asked import waits_for
from rules_engine.preview.naming import ProductName, Wording, slot_plain
from rules_engine.preview.why_find import Found, find
from rules_engine.settings import Settings

from .follow import open_database
from .ordering import find_rule, rules_in_force
from .output import FINDINGS, AsJson, in_plain_words, say, say_json, say_table, short_time
from .repair import LimitOption
from .rules import asked_stores
from .why import RuleOption, StoreOption, say_not_found

_WORDS = {
    HoldState.PENDING: "decided, not called for yet",
    HoldState.SENT: "called for, outcome not known yet",
    HoldState.TAKEN: "the shop said done",
    HoldState.HOLDING: "held",
    HoldState.STEPPED_BACK: "stepped back: a person put it back",
    HoldState.OWED: "owed: given back as soon as the shop does it",
}
_TO_BE_DONE = frozenset({HoldState.PENDING, HoldState.SENT})


def holds(
    what: Annotated[
        str | None,
        typer.Argument(metavar="[WHAT]", help="Only of this product or category, by SKU, id or name."),
    ] = None,
    *,
    rule: RuleOption = None,
    store: StoreOption = None,
    limit: LimitOption = 50,
    as_json: AsJson = False,
) -> None:
    """List what rules hold: what is owed first, then what is held longest.

    A rule with `while` holds what it took for as long as its condition is met, and gives it back then. It tells what
    the engine knows, reads the database and asks no shop.
    """
    with in_plain_words(as_json=as_json):
        settings = Settings.from_environment()
        file = open_stores(settings, None)
        with open_database(settings) as database:
            answer = database.read_now(
                partial(_look, settings=settings, file=file, asked=_Asked(what, rule, store, limit))
            )
    if isinstance(answer, Found):
        say_not_found(what or "", answer, as_json=as_json)
        raise typer.Exit(FINDINGS)
    if as_json:
        say_json(_fields(answer))
    else:
        _say(answer)


@dataclass(frozen=True, slots=True)
class _Asked:
    what: str | None
    rule: str | None
    store: str | None
    limit: int


@dataclass(frozen=True, slots=True)
class _Listed:
    """What is listed: the holds, how many there are in all, and what is needed to name them."""

    holdings: Sequence[Holding]
    totals: Sequence[Total]
    rulebook: Rulebook
    wording: Wording
    waiting: Mapping[tuple[StoreAlias, SlotRef, RuleCode], str]

    def what(self, holding: Holding) -> str:
        """How the product is because of the hold, or what is to be done about it."""
        hold, words = holding.hold, self.wording(holding.store, holding.slot, holding.fields)
        if hold.state in _TO_BE_DONE:
            return f"to {words.make(hold.wish, 'it')}"
        return words.is_so(holding.baseline if hold.state is HoldState.STEPPED_BACK else hold.wish)

    def waits(self, holding: Holding) -> str:
        """What keeps it back, or nothing."""
        is_put_off = holding.hold.state is HoldState.PENDING and WAITS_UNTIL in holding.hold.reason
        return self.waiting.get((holding.store, holding.slot, holding.hold.rule), "put off" if is_put_off else "")

    def remark(self, store: StoreAlias, rule: RuleCode) -> str:
        """What is out of the ordinary: nobody works for the store, or the rule is gone."""
        if store not in self.wording.directories:
            return "this store is not in stores.yaml: nothing is called for it"
        if rule not in {each.code for each in self.rulebook.for_store(store)}:
            return "this rule does not run here any more: what it holds stays as it is"
        return ""


def _look(connection: sa.Connection, settings: Settings, file: StoresFile, asked: _Asked) -> _Listed | Found:
    rulebook = rules_in_force(connection, settings, file)
    code = find_rule(connection, rulebook, asked.rule) if asked.rule is not None else None
    # A store that is gone from stores.yaml may still have holds: it is asked about by its name all the same.
    is_gone = asked.store is not None and any(
        total.store == asked.store for total in totals(connection, Among(store=StoreAlias(asked.store)))
    )
    stores = file.stores if is_gone else asked_stores(file.stores, asked.store)
    subjects = None
    if asked.what is not None:
        among = [StoreAlias(asked.store)] if asked.store is not None else [each.alias for each in stores]
        found = find(connection, asked.what, among)
        if not found.matches or not found.is_clear:
            return found
        subjects = [(match.store, match.ref) for match in found.matches]
    meant = Among(code, StoreAlias(asked.store) if asked.store is not None else None, subjects)
    listed = open_holdings(connection, meant, limit=asked.limit)
    return _Listed(
        listed,
        totals(connection, meant),
        rulebook,
        Wording.load(connection, file.stores),
        _waiting(connection, listed),
    )


def _waiting(connection: sa.Connection, listed: Sequence[Holding]) -> dict[tuple[StoreAlias, SlotRef, RuleCode], str]:
    """What those of them wait for that are held back, by store, slot and rule."""
    found: dict[tuple[StoreAlias, SlotRef, RuleCode], str] = {}
    for store in dict.fromkeys(each.store for each in listed):
        kept = held_back(connection, store, (each.slot.product for each in listed if each.store == store))
        questions = find_questions(connection, {action.question for action in kept if action.question is not None})
        found |= {(store, action.slot, action.rules[0]): waits_for(action, questions) for action in kept}
    return found


def _say(answer: _Listed) -> None:
    if not answer.totals:
        say("Nothing is held.")
        return
    columns = ("rule", "store", "since (UTC)", "product", "what", "state", "why")
    say_table(columns, [_row(answer, holding) for holding in answer.holdings])
    say()
    for line in _counts(answer):
        say(line)


def _row(answer: _Listed, holding: Holding) -> tuple[str, ...]:
    hold = holding.hold
    return (
        hold.rule,
        holding.store,
        short_time(hold.since),
        str(ProductName.from_fields(holding.slot.product, holding.fields)),
        answer.what(holding),
        answer.waits(holding) or _WORDS[hold.state],
        "; ".join(part for part in (hold.reason, answer.remark(holding.store, hold.rule)) if part),
    )


def _counts(answer: _Listed) -> Iterator[str]:
    """The totals by rule and state, and how many of them are listed."""
    by_rule: dict[tuple[StoreAlias, RuleCode], Counter[HoldState]] = {}
    for total in answer.totals:
        by_rule.setdefault((total.store, total.rule), Counter())[total.state] += total.count
    for (store, rule), counts in by_rule.items():
        said = ", ".join(f"{counts[state]} {state.value}" for state in HoldState if counts[state])
        remark = answer.remark(store, rule)
        yield f"{rule}, {store}: {said}" + (f" ({remark})" if remark else "")
    every = sum(total.count for total in answer.totals)
    if every > len(answer.holdings):
        yield f"{len(answer.holdings)} of {every} are listed; --limit lists more."


def _fields(answer: _Listed) -> dict[str, object]:
    listed = []
    for holding in answer.holdings:
        hold = holding.hold
        listed.append(
            {
                "rule": hold.rule,
                "store": holding.store,
                "product": ProductName.from_fields(holding.slot.product, holding.fields).plain(),
                **slot_plain(holding.slot),
                "wish": hold.wish,
                "baseline": holding.baseline,
                "what": answer.what(holding),
                "state": hold.state.value,
                "waits": answer.waits(holding) or None,
                "since": hold.since,
                "reason": hold.reason or None,
                "stood": hold.stood or None,
                "because_of": list(hold.cause),
                "is_ordered": hold.is_ordered,
                "remark": answer.remark(holding.store, hold.rule) or None,
            }
        )
    counts = [
        {"store": total.store, "rule": total.rule, "state": total.state.value, "count": total.count}
        for total in answer.totals
    ]
    return {"holds": listed, "totals": counts}
