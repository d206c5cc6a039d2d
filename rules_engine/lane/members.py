"""The members of categories: which products a turn has to look at because of a rule about their category."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial

from rules_engine.core.action import ActionKind, Aspect
from rules_engine.core.condition import Truth
from rules_engine.core.judge import is_ripe, ripens_at
from rules_engine.core.moments import Moment
from rules_engine.core.plan import ActionState, Case, Step
from rules_engine.core.question import QuestionState
from rules_engine.core.rule import Rule
from rules_engine.core.store import Store
from rules_engine.core.subject import ALL, SubjectKind, SubjectRef, category, product
from rules_engine.database.catalogue import has_taken_from, held_products, products_of_slot
from rules_engine.database.engine import Database
from rules_engine.database.ledger import load_cases
from rules_engine.database.questions import find_questions
from rules_engine.vendors.base import AnyVendor

from .due import TO_SEND
from .read import Seen

Read = Callable[[Sequence[SubjectRef]], Awaitable[Seen]]

Change = tuple[Case, Case]
"""A case as it was loaded, and as it is to be."""


@dataclass(slots=True)
class Members:
    """Finds and reads what the rules about categories want of products, in one turn of one store.

    `known` are all the products of a category, by its id, where this turn read them. `unlisted` are the categories
    whose members could not be listed, with the reason: nothing that was decided of them may count.
    """

    store: Store
    vendor: AnyVendor
    database: Database
    read: Read
    rules: tuple[Rule, ...]
    known: dict[str, frozenset[str]] = field(default_factory=dict)
    unlisted: dict[SubjectRef, str] = field(default_factory=dict)

    async def find(
        self, changes: Iterable[Change], moments: Sequence[Moment], asked: Collection[SubjectRef], seen: Seen
    ) -> list[SubjectRef]:
        """The products that are to be decided because of these categories; what can be read of them is in `seen`.

        `asked` are the categories for which a look was due, so that more is found out than a webhook or a list needs.
        """
        if not any(rule.about is SubjectKind.CATEGORY for rule in self.rules):
            return []
        wanted: dict[SubjectRef, None] = {}
        needs_all: list[str] = []
        for before, after in changes:
            if after.ref.kind is not SubjectKind.CATEGORY:
                continue
            has_moment = any(moment.subject == after.ref for moment in moments)
            held = await self.database.read(partial(held_products, store=self.store.alias, subject=after.ref))
            begins = await self._begins(before, after, is_asked=after.ref in asked)
            if has_turned(before, after) or has_moment or begins:
                wanted |= dict.fromkeys(held)
            if not after.is_gone and (has_moment or begins):
                # Whom another rule took out is no member now, but would be put back.
                out = partial(products_of_slot, store=self.store.alias, aspect=Aspect.MEMBERSHIP, target=after.ref.id)
                wanted |= dict.fromkeys(await self.database.read(out))
            if not after.is_gone and (has_moment or begins or await self._is_unfinished(after, held)):
                members = (after.snapshot.fields if after.snapshot else {}).get("member_ids")
                if members is None:
                    needs_all.append(after.ref.id)
                else:
                    wanted |= dict.fromkeys(product(id_) for id_ in members)
                    self.known[after.ref.id] = frozenset(members)
        if needs_all and self.vendor.CAPABILITIES.can_list:
            wanted |= dict.fromkeys(await self._list(needs_all, seen))
        unread = [ref for ref in wanted if ref not in seen.snapshots and ref not in seen.missing]
        if unread and self.vendor.CAPABILITIES.can_read:
            seen.merge(await self.read(unread))
        return list(wanted)

    async def _begins(self, before: Case, after: Case, *, is_asked: bool) -> bool:
        """Whether a rule is to empty the category from now on: its stretch began, or has lasted long enough now.

        A rule that was edited since may find that its stretch has lasted long enough already: that is looked up only
        where a look was asked for, since an empty category shows no hold either, and its list may be a long one.
        """
        at = after.seen_at
        for rule in self.rules:
            episode = after.episodes.get((rule.code, after.ref))
            if episode is None or at is None or not rule.is_while or not is_ripe(rule, episode, at):
                continue
            old = before.episodes.get((rule.code, after.ref))
            is_new = old is None or old.truth is not Truth.MET or old.number != episode.number
            if is_new or before.seen_at is None or before.seen_at < ripens_at(rule, episode):
                return True
            took = partial(has_taken_from, store=self.store.alias, rule=rule.code, subject=after.ref)
            if is_asked and not await self.database.read(partial(took, episode=episode.number)):
                return True
        return False

    async def _is_unfinished(self, after: Case, held: Sequence[SubjectRef]) -> bool:
        """Whether a call for the whole category is still to be made: then it needs all members of this turn."""
        at = after.seen_at
        if at is None or not any(episode.truth is Truth.MET for episode in after.episodes.values()):
            return False
        load = partial(load_cases, store=self.store.alias, refs=held, now=at)
        cases = (await self.database.read(load)).values()
        leaving = [a for case in cases for a in case.actions.values() if a.target == after.ref.id]
        if any(action.is_whole and action.state in TO_SEND for action in leaving):
            return True
        # What a person was asked for and said yes to may be a whole category.
        asked = {a.question for a in leaving if a.state is ActionState.HELD and a.about == after.ref and a.question}
        answered = await self.database.read(partial(find_questions, ids=asked)) if asked else {}
        return any(question.state is QuestionState.YES for question in answered.values())

    async def _list(self, ids: Sequence[str], seen: Seen) -> list[SubjectRef]:
        """The members of these categories, by a list of all products: no filter by category is documented."""
        everything = await self.read([product(ALL)])
        seen.merge(everything)
        is_whole = SubjectKind.PRODUCT in everything.listed
        found: list[SubjectRef] = []
        for id_ in ids:
            members = [ref for ref, s in everything.snapshots.items() if id_ in s.fields.get("category_ids", ())]
            found += members
            if is_whole:
                self.known[id_] = frozenset(ref.id for ref in members)
        if not is_whole:
            reason = everything.failed.get(product(ALL), "the shop's products cannot be listed")
            self.unlisted |= {category(id_): reason for id_ in ids}
        return found

    async def count(self, ids: Iterable[str]) -> Mapping[str, frozenset[str]]:
        """The products that are in these categories, read in this turn. One that cannot be read is left out."""
        unread = [id_ for id_ in dict.fromkeys(ids) if id_ not in self.known]
        if unread and "category.member_ids" in self.vendor.fields:
            seen = await self.read([category(id_) for id_ in unread])
            for ref, snapshot in seen.snapshots.items():
                members = snapshot.fields.get("member_ids")
                if ref.kind is SubjectKind.CATEGORY and members is not None:
                    self.known[ref.id] = frozenset(members)
            self.known |= {ref.id: frozenset() for ref in seen.missing}
        elif unread and self.vendor.CAPABILITIES.can_list:
            everything = await self.read([product(ALL)])
            if SubjectKind.PRODUCT in everything.listed:
                for id_ in unread:
                    members = (
                        ref.id for ref, s in everything.snapshots.items() if id_ in s.fields.get("category_ids", ())
                    )
                    self.known[id_] = frozenset(members)
        return self.known

    def mark_whole(self, decided: Mapping[SubjectRef, Case]) -> dict[SubjectRef, Case]:
        """The decided products, with the actions marked that together take every member out of a category."""
        marked = dict(decided)
        if not self.vendor.CAPABILITIES.empties_whole:
            return marked
        rules = {rule.code for rule in self.rules if rule.about is SubjectKind.CATEGORY}
        judged = {rule.code for rule in self.rules if rule.guards.is_judged}
        for id_, members in self.known.items():
            taking = {
                key: (ref, action)
                for ref, case in marked.items()
                for key, action in case.actions.items()
                if action.kind is ActionKind.REMOVE_FROM_CATEGORY
                and action.target == id_
                and action.state in {ActionState.PENDING, ActionState.WAITING}
                and action.step is not Step.GIVE_BACK
                and action.rules[0] in rules
                and (action.admitted_at is not None or action.rules[0] not in judged)
            }
            is_whole = bool(members) and {ref.id for ref, _ in taking.values()} == members
            for key, (ref, action) in taking.items():
                actions = {**marked[ref].actions, key: replace(action, is_whole=is_whole)}
                marked[ref] = replace(marked[ref], actions=actions)
        return marked


def has_turned(before: Case, after: Case) -> bool:
    """Whether a rule about the category began or ended to hold in this turn, or the category vanished."""
    return after.is_gone != before.is_gone or any(
        (before.episodes.get(key) is None or before.episodes[key].truth is not episode.truth)
        for key, episode in after.episodes.items()
    )


def why_look(case: Case, at: datetime, rules: Iterable[Rule]) -> str:
    """Why a subject is to be looked at again at a time that deciding named, in words for the look."""
    if any(action.state is ActionState.DONE for action in case.actions.values()):
        return "what we did is to be seen"
    stretches = ((rule, case.episodes.get((rule.code, case.ref))) for rule in rules if rule.guards.must_last)
    if any(e is not None and e.truth is Truth.MET and ripens_at(rule, e) == at for rule, e in stretches):
        return "it is to be seen whether it lasts"
    if any(action.state in TO_SEND and action.due_at == at for action in case.actions.values()):
        return "a call is due then"
    return "time alone may change it"
