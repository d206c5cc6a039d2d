"""What rules would ask before they do it, counted over the whole catalogue, and what their floors would make wait."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import sqlalchemy as sa

from rules_engine.core.action import ActionKind
from rules_engine.core.changes import Changes
from rules_engine.core.delivery import StoreAlias
from rules_engine.core.directory import Directory, Unresolved
from rules_engine.core.limits import KINDS, Ceiling, Used, breach, ceilings
from rules_engine.core.pause import Pause
from rules_engine.core.plan import ActionState, PlannedAction
from rules_engine.core.question import Question, QuestionId, QuestionKind
from rules_engine.core.rule import Mode, Rule, RuleCode
from rules_engine.core.subject import ProductId
from rules_engine.database.answers import count_products
from rules_engine.database.pauses import open_pauses
from rules_engine.database.questions import load_questions
from rules_engine.database.usage import catalogue_size, counted_products

from .plan_lines import Doing, Line

_NOT_CALLED = frozenset({ActionState.PENDING, ActionState.HELD})


@dataclass(frozen=True, slots=True)
class Asked:
    """What people are asked already in a store, with how many products each question is about; and what they paused."""

    questions: tuple[Question, ...] = ()
    products: Mapping[QuestionId, int] = field(default_factory=dict)
    pauses: tuple[Pause, ...] = ()

    @classmethod
    def of(cls, connection: sa.Connection, store: StoreAlias) -> Asked:
        """As the database has it now."""
        found = load_questions(connection, store)
        return cls(tuple(found), count_products(connection, found), tuple(open_pauses(connection)))

    def pause_of(self, rule: Rule) -> Pause | None:
        """The command that paused a rule; None for one that runs, or that its file pauses."""
        is_its = (pause for pause in self.pauses if rule.mode is Mode.PAUSED and rule.because == pause.reason)
        return next(is_its, None)


@dataclass(slots=True)
class Wishes:
    """What the rules of one store want to do now, of which they may have to ask. Filled page by page."""

    now: datetime
    _wanted: dict[tuple[RuleCode, QuestionKind], set[ProductId]] = field(default_factory=lambda: defaultdict(set))
    _removed: dict[tuple[RuleCode, str], set[ProductId]] = field(default_factory=lambda: defaultdict(set))

    def note(self, actions: Iterable[PlannedAction], only: frozenset[RuleCode] | None = None) -> None:
        """Count the actions of a product that no call was made for."""
        for action in actions:
            rule, kind = action.rules[0], KINDS.get(action.step)
            is_due = action.due_at is None or action.due_at <= self.now
            is_new = action.state in _NOT_CALLED and action.attempts == 0
            if kind is None or not is_due or not is_new or (only is not None and rule not in only):
                continue
            self._wanted[rule, kind].add(action.slot.product)
            if action.kind is ActionKind.REMOVE_FROM_CATEGORY:
                self._removed[rule, action.target].add(action.slot.product)

    def asks(
        self, connection: sa.Connection, store: StoreAlias, rule: Rule, *, former: Sequence[RuleCode] = ()
    ) -> list[str]:
        """What the rule would ask first, in sentences. `former` are the codes under which it acted until now."""
        catalogue = catalogue_size(connection, store)
        found = []
        for kind in (QuestionKind.TAKE, QuestionKind.GIVE_BACK):
            limits = ceilings(rule.guards, kind, catalogue=catalogue)
            wanted = frozenset(self._wanted.get((rule.code, kind), ()))
            if wanted and limits:
                codes = (rule.code, *former)
                counted = {each.per: Used.of(self._counted(connection, store, codes, kind, each)) for each in limits}
                found.append(breach(limits, kind, wanted, counted))
        return [f"would ask first: {said}" for said in found if said]

    def _counted(
        self, connection: sa.Connection, store: StoreAlias, codes: Sequence[RuleCode], kind: QuestionKind, each: Ceiling
    ) -> frozenset[ProductId]:
        since = self.now - each.per
        return frozenset[ProductId]().union(
            *(counted_products(connection, store, code, kind, since=since) for code in codes)
        )

    def floors(self, rule: Rule, members: Mapping[str, set[str]], directory: Directory) -> Iterator[str]:
        """What would wait because the rule never leaves a category too empty, in sentences."""
        for floor in rule.guards.floors:
            category = directory.category(floor.target)
            if isinstance(category, Unresolved):
                continue  # the rule waits for this name with all that it does
            leaving = len(self._removed.get((rule.code, category), ()))
            there = len(members.get(category, ()))
            waiting = leaving - min(leaving, max(0, there - floor.fewer_than))
            if waiting:
                names = directory.category_names(category)
                products = "1 product" if floor.fewer_than == 1 else f"{floor.fewer_than} products"
                yield (
                    f"{waiting:,} of {leaving:,} would wait: it never leaves {names[0] if names else category} with "
                    f"fewer than {products}, and {there:,} are in it"
                )


def floor_categories(rules: Iterable[Rule], directory: Directory) -> set[str]:
    """The ids of the categories of which a rule has to leave some products."""
    found = (directory.category(floor.target) for rule in rules for floor in rule.guards.floors)
    return {each for each in found if not isinstance(each, Unresolved)}


@dataclass(frozen=True, slots=True)
class HeldBefore:
    """What a rule of the plan holds now, and what the plan does to it: numbers of products."""

    rule: Rule
    holds: int
    returned: int = 0
    left: int = 0
    taken: int = 0

    @classmethod
    def of(cls, rule: Rule, holds: int, lines: Iterable[Line]) -> HeldBefore:
        """By the lines of the rule in the plan."""
        products: dict[Doing, set[str]] = defaultdict(set)
        for line in lines:
            if not line.is_watched:
                products[line.doing].add(line.product)
        returned, left, taken = (len(products[doing]) for doing in (Doing.RETURNED, Doing.LEFT, Doing.TAKEN))
        return cls(rule, holds, returned, left, taken)


Noted = tuple[RuleCode, str]
"""A rule, and a sentence about it."""


def change_notes(
    rules: Sequence[HeldBefore],
    changes: Changes | None,
    orphans: Mapping[RuleCode, int],
    asked: Asked,
    fingerprints: Mapping[RuleCode, str],
) -> Iterator[Noted]:
    """What putting the plan's rules in force does to what is held and asked now, in sentences.

    `changes` is the difference from the rules in force, None where nobody knows it. `fingerprints` are those of the
    rules as they are written: a pause by command is no edit.
    """
    edited = frozenset(changes.edited) if changes else frozenset()
    for each in changes.renamed if changes else ():
        held = next((known.holds for known in rules if known.rule.code == each.code), 0)
        if held:
            yield each.code, f"{each.code} takes over what {each.former} holds: {_products(held)}."
    for each_rule in rules:
        if each_rule.holds and (each_rule.rule.code in edited or each_rule.rule.mode is Mode.WATCH):
            yield from _of_edited(each_rule)
    known = {question.rule for question in asked.questions if question.kind is QuestionKind.GONE}
    for code, held in orphans.items():
        said = f"{code} is no rule here any more and holds {_products(held)}"
        if code in known:
            yield code, f"{said}: `rules-engine questions` waits for your answer whether they are given back or kept."
        else:
            text = "you would be asked whether they are given back or kept, and until then they stay as they are"
            yield code, f"{said}: {text}. If it has another name now, write `formerly: {code}` in that rule."
    yield from _of_questions(asked, fingerprints, changes)


def _of_edited(each: HeldBefore) -> Iterator[Noted]:
    rule, held = each.rule, _products(each.holds)
    if rule.mode is Mode.WATCH:
        text = f"it keeps the {held} that it holds, and neither takes nor gives back"
        yield rule.code, f"{rule.code} only watches: {text}."
    elif rule.mode is Mode.LIVE:
        stay = each.holds - each.returned - each.left
        parts = [f"{each.returned:,} would be given back" if each.returned else ""]
        parts += [f"{each.left:,} let go as they are" if each.left else ""]
        parts += [f"{max(0, stay):,} stay held", f"{each.taken:,} more would be taken" if each.taken else ""]
        yield rule.code, f"{rule.code} was edited and holds {held}: {', '.join(part for part in parts if part)}."


def _of_questions(asked: Asked, rules: Mapping[RuleCode, str], changes: Changes | None) -> Iterator[Noted]:
    names = {each.former: each.code for each in changes.renamed} if changes else {}
    for question in asked.questions:
        code = names.get(question.rule, question.rule)
        if question.kind is QuestionKind.GONE:
            if code in rules:
                yield code, f"{question.rule} is back, so nobody is asked any more what becomes of what it holds."
            continue
        about = _products(asked.products.get(question.id, 0))
        if code not in rules or rules[code] != question.fingerprint:
            yield code, f"The open question of {question.rule} about {about} would be void, and judged anew."
        else:
            yield code, f"{code} waits for an answer about {about}: `rules-engine questions show {question.id[:8]}`."


def _products(number: int) -> str:
    return f"{number:,} product{'' if number == 1 else 's'}" if number else "no product"
