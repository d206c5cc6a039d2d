"""What a test of a rule came to: expected against actual, in the words that the test itself is written in."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from rules_engine.core.action import ActionKind
from rules_engine.core.condition import Truth
from rules_engine.core.directory import Unresolved
from rules_engine.core.explain import explained
from rules_engine.core.rule import Effect, EffectKind, Identified, Named, Rule
from rules_engine.core.scenario import Expected, Scenario
from rules_engine.core.store import Store
from rules_engine.core.subject import SubjectKind
from rules_engine.vendors.base import AnyVendor

from .scenario import Run, run
from .scenario_help import advice
from .scenario_shop import subject_id

_TARGETED = frozenset({ActionKind.ADD_TO_CATEGORY, ActionKind.REMOVE_FROM_CATEGORY, ActionKind.ASSIGN_BRAND})

Line = tuple[str, str]
"""An action as a test compares it: its word, and the id of what it names."""


@dataclass(frozen=True, slots=True)
class Played:
    """A test that was played. `expected` and `actual` are lines as they stand under `expect`.

    `truth` says how the condition stood at last; None when its subject no longer exists. `advice` are sentences that
    help with a test that failed.
    """

    scenario: Scenario
    is_ok: bool
    expected: tuple[str, ...]
    actual: tuple[str, ...]
    truth: Truth | None
    run: Run
    advice: tuple[str, ...] = ()


def play(scenario: Scenario, rule: Rule, store: Store, vendor: AnyVendor) -> Played:
    """Play a test of a rule in one store, and compare what the rule did with what is expected. Reads nothing."""
    ran = run(scenario, rule, store, vendor)
    truth = ran.finding.truth if ran.finding else None
    actual = _actual(scenario, ran)
    if isinstance(scenario.expect, Expected):
        is_ok = not actual and (scenario.expect is Expected.ASKS) is ran.asks
        is_ok = is_ok and (scenario.expect is not Expected.CANNOT_TELL or truth is Truth.CANNOT_TELL)
        expected: tuple[str, ...] = (str(scenario.expect),)
        missing: list[str] = []
    else:
        wanted = [line for effect in scenario.expect for line in _wanted(effect, ran, scenario)]
        is_ok = Counter(wanted) == Counter(actual)
        expected = tuple(_said(line, ran) for line in wanted)
        missing = [_said(line, ran) for line in (Counter(wanted) - Counter(actual)).elements()]
    shown = tuple(_said(line, ran) for line in actual)
    shown = (*shown, str(Expected.ASKS)) if ran.asks else shown or (_nothing(scenario, truth),)
    is_ok = is_ok and not ran.is_restless
    return Played(scenario, is_ok, expected, shown, truth, ran, advice(missing, rule, ran))


def _nothing(scenario: Scenario, truth: Truth | None) -> str:
    """What it is called that no call was made."""
    if truth is Truth.CANNOT_TELL:
        return str(Expected.CANNOT_TELL)
    if scenario.expect is Expected.CANNOT_TELL and truth is not None:
        return f"{Expected.NOTHING}: the condition is {truth}"
    return str(Expected.NOTHING)


def _actual(scenario: Scenario, ran: Run) -> list[Line]:
    """What the rule did, as lines. What it did to the members of a category for its sake is one line."""
    if scenario.about is not SubjectKind.CATEGORY:
        return [(str(deed.kind), deed.id if deed.kind in _TARGETED else "") for deed in ran.deeds]
    by_line: dict[Line, list[str]] = {}
    for deed in ran.deeds:
        by_line.setdefault((str(deed.kind), deed.id if deed.kind in _TARGETED else ""), []).append(deed.product)
    id_ = subject_id(scenario)
    lines: list[Line] = []
    for line, products in by_line.items():
        rounds = max(Counter(products).values())
        is_whole = line == (str(ActionKind.REMOVE_FROM_CATEGORY), id_)  # its rule takes all out, or none
        lines += [(str(EffectKind.EMPTY_CATEGORY), "") if is_whole else line] * rounds
    return lines


def _wanted(effect: Effect, ran: Run, scenario: Scenario) -> list[Line]:
    """An expected line for every target; what is below a category, or all, means what the product was in."""
    if effect.kind is EffectKind.ASSIGN_BRAND:
        found = (ran.shop.directory.brand(each) for each in effect.targets if isinstance(each, Named | Identified))
        return [(str(effect.kind), str(each) if not isinstance(each, Unresolved) else each.reason) for each in found]
    if not effect.targets:
        return [(str(effect.kind), "")]
    lines: list[Line] = []
    for target in effect.targets:
        ids = ran.shop.directory.targets(target, ran.member_of)
        found_ids = (ids.reason,) if isinstance(ids, Unresolved) else ids
        lines += [(str(effect.kind), id_) for id_ in found_ids]
    is_category = scenario.about is SubjectKind.CATEGORY
    removed = (str(EffectKind.REMOVE_FROM_CATEGORY), subject_id(scenario))
    return [(str(EffectKind.EMPTY_CATEGORY), "") if is_category and line == removed else line for line in lines]


def _said(line: Line, ran: Run) -> str:
    kind, id_ = line
    if not id_:
        return kind
    return f"{kind}: {ran.shop.called(id_, is_brand=kind == EffectKind.ASSIGN_BRAND)}"


def explanation(played: Played) -> list[str]:
    """How the condition stood at last: a line for each part of it, `✓` met, `✗` unmet, `?` cannot tell."""
    if played.run.finding is None:
        return ["what it is about no longer exists"]
    return explained(played.run.finding)


def story(played: Played) -> list[str]:
    """What the rule said, look by look, each with its time in the store's time zone."""
    is_of_products = played.scenario.about is SubjectKind.CATEGORY
    lines = []
    for told in played.run.story:
        who = f"{told.subject.kind} {told.subject.id}: " if is_of_products else ""
        lines.append(f"{told.at:%a %d %b %H:%M}  {who}{told.text}")
    lines += (
        f"{notice.at.astimezone(played.run.zone):%a %d %b %H:%M}  tells {notice.target}: {notice.text}"
        for notice in played.run.notices
    )
    return lines or ["it did nothing"]


def details(played: Played) -> list[tuple[str, list[str]]]:
    """What is to be read about a test that failed: each part with its name and lines."""
    parts = [
        ("expected", list(played.expected)),
        ("actual", list(played.actual)),
        ("condition", explanation(played)),
        ("story", story(played)),
    ]
    if played.advice:
        parts.append(("help", list(played.advice)))
    if played.run.is_restless:
        parts.append(("stopped", ["the rule never comes to rest: it asks to be looked at again without end"]))
    return parts
