"""Floors: no rule leaves a category with fewer products than `never_leave` says; what is beyond that waits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial

from rules_engine.core.action import ActionKey, ActionKind
from rules_engine.core.delivery import StoreAlias
from rules_engine.core.directory import Directory, Unresolved
from rules_engine.core.plan import ActionState, Case, PlannedAction, Step
from rules_engine.core.rule import Rule
from rules_engine.core.subject import ProductId, SubjectKind, SubjectRef, product
from rules_engine.database.engine import Database
from rules_engine.database.usage import held_removes, leaving_products

from .members import Change, Members
from .page import LaterLook

AGAIN_AFTER = timedelta(hours=1)
"""The product that waits longest is looked at this often, in case nobody told that there is room."""

_LEAVING = frozenset({ActionState.PENDING, ActionState.WAITING, ActionState.SENT, ActionState.DONE})
_DONE = frozenset({ActionState.DONE, ActionState.CONFIRMED})


def floored(rule: Rule, directory: Directory) -> dict[str, int]:
    """The categories that a rule never leaves too empty, by id, with the fewest products that stay in each."""
    found: dict[str, int] = {}
    for floor in rule.guards.floors:
        id_ = directory.category(floor.target)
        if not isinstance(id_, Unresolved):
            found[id_] = max(floor.fewer_than, found.get(id_, 0))
    return found


@dataclass(slots=True)
class Floors:
    """Says what may be taken out of categories in one turn of one store, and looks after what has to wait.

    `looks` are at products that wait, as they are found to be needed.
    """

    store: StoreAlias
    database: Database
    members: Members
    rules: tuple[Rule, ...]
    directory: Directory
    looks: dict[SubjectRef, LaterLook] = field(default_factory=dict)

    async def beyond(
        self, rule: Rule, wanted: Sequence[PlannedAction], cases: Mapping[SubjectRef, Case], *, at: datetime
    ) -> dict[ActionKey, str]:
        """Those of the wanted actions that have to wait, each with the reason. Those decided first go first."""
        found: dict[ActionKey, str] = {}
        for id_, fewest in floored(rule, self.directory).items():
            leaving = [each for each in wanted if _takes_out_of(each, id_)]
            if leaving:
                found |= await self._beyond(rule, id_, fewest, leaving, cases, at=at)
        stuck = {each.slot.product: found[each.key] for each in wanted if each.key in found}
        for each in wanted:
            # What is moved does not come before it may leave.
            is_added = each.kind is ActionKind.ADD_TO_CATEGORY and each.step is not Step.GIVE_BACK
            if is_added and each.slot.product in stuck:
                found[each.key] = stuck[each.slot.product]
        return found

    async def _beyond(
        self,
        rule: Rule,
        id_: str,
        fewest: int,
        wanted: Sequence[PlannedAction],
        cases: Mapping[SubjectRef, Case],
        *,
        at: datetime,
    ) -> dict[ActionKey, str]:
        name = next(iter(self.directory.category_names(id_)), id_)
        members = (await self.members.count([id_])).get(id_)
        room = 0
        if members is not None:
            away = await self._leaving(id_, {each.key for each in wanted}, cases)
            room = max(0, len(members) - len(members & away) - fewest)
        others = await self._waiting(rule, id_, cases, at=at, limit=room + 1)
        in_turn = sorted([*wanted, *others], key=lambda each: (each.created_at, each.slot.product))
        if members is None:
            reason = f"nobody can tell how many products are in {name} now; waits until somebody can"
            self._look(in_turn[:1], at + AGAIN_AFTER, reason)
            return {each.key: reason for each in wanted}
        let_go = {each.key for each in in_turn[:room]}
        self._look((each for each in others if each.key in let_go), at, f"{name} has enough products again")
        self._look(in_turn[room : room + 1], at + AGAIN_AFTER, f"{name} may have enough products again")
        reason = f"would leave {name} with fewer than {fewest} product{'' if fewest == 1 else 's'}"
        return {each.key: f"{reason}; waits until there are more" for each in wanted if each.key not in let_go}

    async def _waiting(
        self, rule: Rule, id_: str, cases: Mapping[SubjectRef, Case], *, at: datetime, limit: int
    ) -> list[PlannedAction]:
        """Those that wait longest for room in the category and are not in this turn: as many as the `limit`."""
        of_rule = partial(held_removes, store=self.store, rule=rule.code, category=id_, due_by=at)
        held = await self.database.read(partial(of_rule, limit=limit + len(cases)))
        return [each for each in held if product(each.slot.product) not in cases][:limit]

    async def _leaving(
        self, id_: str, wanted: set[ActionKey], cases: Mapping[SubjectRef, Case]
    ) -> frozenset[ProductId]:
        """The products that are on their way out of the category already."""
        guarded = {rule.code for rule in self.rules if rule.guards.is_judged}
        of_category = partial(leaving_products, store=self.store, category=id_, guarded=guarded)
        elsewhere = {id_ for id_ in await self.database.read(of_category) if product(id_) not in cases}
        here = [each for case in cases.values() for each in case.actions.values()]
        return frozenset(elsewhere) | frozenset(
            each.slot.product
            for each in here
            if _takes_out_of(each, id_)
            and each.key not in wanted
            and each.state in _LEAVING
            and (each.admitted_at is not None or each.rules[0] not in guarded)
        )

    async def look_after(self, changes: Iterable[Change], *, at: datetime) -> None:
        """Have those looked at that wait longest for room in categories whose members changed in this turn."""
        floors = [(rule, id_) for rule in self.rules for id_ in floored(rule, self.directory)]
        pairs = list(changes) if floors else []
        cases = {after.ref: after for _, after in pairs}
        for rule, id_ in floors:
            came = sum(_came(before, after, id_) for before, after in pairs)
            is_left = any(_waits_no_more(before, after, rule, id_) for before, after in pairs)
            if not came and not is_left:
                continue
            waiting = await self._waiting(rule, id_, cases, at=at, limit=came + 1)
            self._look(waiting[:came], at, f"the products of category {id_} changed")
            self._look(waiting[came : came + 1], at + AGAIN_AFTER, f"category {id_} may have enough products again")

    def _look(self, actions: Iterable[PlannedAction], due_at: datetime, reason: str) -> None:
        for action in actions:
            ref = product(action.slot.product)
            if ref not in self.looks or due_at < self.looks[ref].due_at:
                self.looks[ref] = LaterLook(due_at, reason)


def _takes_out_of(action: PlannedAction, id_: str) -> bool:
    return action.kind is ActionKind.REMOVE_FROM_CATEGORY and action.target == id_


def _came(before: Case, after: Case, id_: str) -> int:
    """How many products may have come into the category; 1 also where one left, since that changes the count."""
    if after.ref.kind is SubjectKind.CATEGORY:
        if after.ref.id != id_:
            return 0
        old, new = _members_of(before), _members_of(after)
        return max(1, len(new - old)) if old != new else 0
    added = (a for a in after.actions.values() if a.kind is ActionKind.ADD_TO_CATEGORY and a.target == id_)
    is_added = any(
        a.state in _DONE and a.key in before.actions and before.actions[a.key].state is not a.state for a in added
    )
    return int(is_added or _is_in(before, id_) != _is_in(after, id_))


def _members_of(case: Case) -> set[str]:
    return set((case.snapshot.fields if case.snapshot else {}).get("member_ids", ()))


def _is_in(case: Case, id_: str) -> bool:
    fields = case.snapshot.fields if case.snapshot and not case.is_gone else {}
    return id_ in fields.get("category_ids", ())


def _waits_no_more(before: Case, after: Case, rule: Rule, id_: str) -> bool:
    """Whether the product waited for room in the category, and does so no longer."""
    held = {
        key
        for key, action in before.actions.items()
        if action.state is ActionState.HELD and action.rules[0] == rule.code and _takes_out_of(action, id_)
    }
    return any(key not in after.actions or after.actions[key].state is not ActionState.HELD for key in held)
