"""The gate: what a turn decided is let through, held back for a person's answer, or kept until there is room."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial

from rules_engine.core.action import ActionKey
from rules_engine.core.admission import held_back, is_ordered, let_through, refused
from rules_engine.core.changes import fingerprint
from rules_engine.core.condition import Truth
from rules_engine.core.delivery import StoreAlias
from rules_engine.core.limits import KINDS, Ceiling, Counted, breach, ceilings, needs_catalogue
from rules_engine.core.plan import ActionState, Case, PlannedAction, Step, Trace
from rules_engine.core.question import ANSWER_WITHIN, Question, QuestionId, QuestionKind, QuestionState, question_id
from rules_engine.core.rule import Mode, Rule, RuleCode
from rules_engine.core.subject import ProductId, SubjectRef
from rules_engine.database.engine import Database
from rules_engine.database.questions import find_questions, load_questions
from rules_engine.database.usage import catalogue_size

from .asking import UNANSWERED, WITHIN, counted_for, notices_of, waits_for
from .floors import Floors
from .judged import Judged
from .members import Change
from .page import LaterLook

NOBODY = f"nobody answered within {ANSWER_WITHIN.days} days"
ASKS = "`rules-engine questions` asks"
GATHERS = "it is being planned what this comes to over the whole catalogue"

_TO_JUDGE = frozenset({ActionState.PENDING, ActionState.HELD, ActionState.WAITING})


@dataclass(frozen=True, slots=True)
class _Wish:
    """One action that is to be judged, and the rule that it is done for."""

    ref: SubjectRef
    key: ActionKey
    rule: Rule


@dataclass(slots=True)
class Gate:
    """Judges what one turn of one store decided. Reads the database, and of the shop only members of categories.

    `gathering` is the sweep whose page is judged: what its rules want anew is then held back until it is known what
    it comes to.
    """

    store: StoreAlias
    database: Database
    rules: tuple[Rule, ...]
    floors: Floors
    at: datetime
    gathering: int | None = None
    _judged: Judged = field(init=False)
    _known: dict[QuestionId, Question] = field(default_factory=dict, init=False)
    _waiting: dict[tuple[RuleCode, QuestionKind], Question] = field(default_factory=dict, init=False)

    async def judge(
        self, cases: Mapping[SubjectRef, Case], before: Mapping[SubjectRef, Case], categories: Iterable[Change] = ()
    ) -> Judged:
        """The decided products with every action let through or held back. Raises what reading raises.

        `before` are these products as they were; `categories` what was decided of categories in the same turn.
        """
        self._judged = Judged(dict(cases))
        rules = {rule.code: rule for rule in self.rules}
        groups: dict[tuple[RuleCode, QuestionKind], list[_Wish]] = {}
        for ref, case in cases.items():
            for action in case.actions.values():
                if action.state not in _TO_JUDGE or action.step not in KINDS:
                    continue
                rule = rules.get(action.rules[0])
                if rule is None or not rule.guards.is_judged:
                    self._free(ref, action, at=None)
                elif is_ordered(case, action):
                    self._free(ref, action, at=self.at)
                else:
                    wish = _Wish(ref, action.key, rule)
                    groups.setdefault((rule.code, KINDS[action.step]), []).append(wish)
        if groups:
            await self._load(groups)
        for (code, kind), wishes in sorted(groups.items(), key=lambda each: rules[each[0][0]].order):
            await self._judge(rules[code], kind, wishes)
        products = ((before[ref], case) for ref, case in self._judged.cases.items())
        await self.floors.look_after((*products, *categories), at=self.at)
        for ref, look in self.floors.looks.items():
            self._look(ref, look)
        return self._judged

    # ------------------------------------------------------------------------------------ what is asked

    async def _load(self, groups: Mapping[tuple[RuleCode, QuestionKind], Sequence[_Wish]]) -> None:
        """The questions that matter: those that wait, and those that the actions were held back for."""
        waiting = await self.database.read(partial(load_questions, store=self.store))
        named = {self._action(wish).question for wishes in groups.values() for wish in wishes}
        asked = {id_ for id_ in named if id_ is not None} - {each.id for each in waiting}
        found = await self.database.read(partial(find_questions, ids=asked)) if asked else {}
        self._known = {**found, **{each.id: each for each in waiting}}
        for question in waiting:
            if question.kind is QuestionKind.GONE:
                continue
            if question.expires_at is not None and question.expires_at <= self.at:
                self._expire(question)
                continue
            self._waiting[question.rule, question.kind] = question

    def _expire(self, question: Question) -> None:
        expired = replace(question, state=QuestionState.EXPIRED, answered_at=self.at)
        self._judged.relied[question.id] = question.state
        self._judged.questions[question.id] = self._known[question.id] = expired

    # ------------------------------------------------------------------------------------ one rule

    async def _judge(self, rule: Rule, kind: QuestionKind, wishes: Sequence[_Wish]) -> None:
        """Judge what one rule wants to take, or to give back."""
        agreed: list[_Wish] = []
        new: list[_Wish] = []
        admitted: list[_Wish] = []
        for wish in wishes:
            action = self._action(wish)
            question = self._question(wish)
            if question is not None:
                self._rely(question)
            if question is not None and question.state.is_refused:
                self._refuse(wish, question)
            elif rule.mode is Mode.PAUSED:
                self._pause(wish, question)
            elif question is not None and question.state.is_waiting and action.state is ActionState.HELD:
                self._wait(wish, question)
            elif action.due_at is not None and action.due_at > self.at:
                self._judge_later(wish, question)
            elif question is not None and _is_agreed(question, action):
                agreed.append(wish)
            elif action.admitted_at is not None:
                admitted.append(wish)
            else:
                new.append(wish)
        await self._judge_anew(rule, kind, agreed, admitted, new)

    async def _judge_anew(
        self, rule: Rule, kind: QuestionKind, agreed: list[_Wish], admitted: list[_Wish], new: list[_Wish]
    ) -> None:
        limits = await self._ceilings(rule, kind)
        counted = await self._counted(rule, kind, limits, [*new, *admitted]) if limits and (new or admitted) else {}
        # What was let through long ago and comes to be called again only now needs room like anything else.
        kept = [w for w in admitted if all(self._product(w) in counted[each.per].among for each in limits)]
        fresh = {wish.key for wish in kept}
        admitted, new = kept, [*new, *(wish for wish in admitted if wish.key not in fresh)]
        waiting = self._waiting.get((rule.code, kind)) if limits else None
        if limits and new and waiting is None and self.gathering is not None:
            waiting = self._ask(rule, kind, reason=GATHERS, state=QuestionState.GATHERING)
        if waiting is not None:
            for wish in new:
                self._hold(wish, waiting)
            new = []
        if self.gathering is not None and rule.guards.floors:
            # Who takes out of such a category has to read it: the turn does that which looks at the product. What is
            # to be sent is looked at anyhow, what is held back is not.
            for wish in (*admitted, *agreed, *new):
                if self._action(wish).state is ActionState.HELD:
                    self._look(wish.ref, LaterLook(self.at, "it is held back and waits for no answer"))
            return
        beyond = await self._beyond(rule, [*admitted, *agreed, *new])
        agreed = [wish for wish in agreed if wish.key not in beyond]
        new = [wish for wish in new if wish.key not in beyond]
        reason = breach(limits, kind, frozenset(self._product(wish) for wish in new), counted)
        if reason:
            question = self._ask(rule, kind, reason=reason, state=QuestionState.OPEN, first=new[0])
            for wish in new:
                self._hold(wish, question)
            new = []
        for wish in (*agreed, *new):
            self._admit(wish)

    async def _ceilings(self, rule: Rule, kind: QuestionKind) -> tuple[Ceiling, ...]:
        size = None
        if needs_catalogue(rule.guards):
            size = await self.database.read(partial(catalogue_size, store=self.store))
        return ceilings(rule.guards, kind, catalogue=size)

    async def _counted(
        self, rule: Rule, kind: QuestionKind, limits: Iterable[Ceiling], wishes: Iterable[_Wish]
    ) -> Counted:
        among = frozenset(self._product(wish) for wish in wishes)
        read = partial(counted_for, store=self.store, rule=rule, kind=kind, limits=tuple(limits), at=self.at)
        return await self.database.read(partial(read, among=among))

    async def _beyond(self, rule: Rule, wishes: Sequence[_Wish]) -> Collection[ActionKey]:
        """Hold back what would leave a category too empty, and say which actions that are."""
        if not rule.guards.floors or not wishes:
            return ()
        wanted = [self._action(wish) for wish in wishes]
        reasons = await self.floors.beyond(rule, wanted, self._judged.cases, at=self.at)
        for wish in wishes:
            if wish.key in reasons:
                self._keep_in(wish, reasons[wish.key])
        return reasons.keys()

    # ------------------------------------------------------------------------------------ one action

    def _action(self, wish: _Wish) -> PlannedAction:
        return self._judged.cases[wish.ref].actions[wish.key]

    def _question(self, wish: _Wish) -> Question | None:
        id_ = self._action(wish).question
        return self._known.get(id_) if id_ is not None else None

    def _product(self, wish: _Wish) -> ProductId:
        return self._action(wish).slot.product

    def _free(self, ref: SubjectRef, action: PlannedAction, *, at: datetime | None) -> None:
        """Let through what no limit holds back, or no longer."""
        is_held = action.state is ActionState.HELD
        if is_held or (at is not None and action.admitted_at is None):
            self._judged.cases[ref] = let_through(self._judged.cases[ref], action.key, at=at)
        if is_held:
            self._tell(ref, action, "nothing holds it back any more: goes ahead")

    def _admit(self, wish: _Wish) -> None:
        action = self._action(wish)
        question = self._question(wish)
        self._judged.cases[wish.ref] = let_through(self._judged.cases[wish.ref], wish.key, at=self.at)
        if action.state is not ActionState.HELD:
            return
        if question is not None and question.state is QuestionState.YES:
            self._tell(wish.ref, action, f"{_said(question)}: goes ahead")
        else:
            self._tell(wish.ref, action, "there is room now: goes ahead")

    def _judge_later(self, wish: _Wish, question: Question | None) -> None:
        """What may not be sent yet, because of the hours of its rule, is judged when it may."""
        action = self._action(wish)
        if action.state is ActionState.HELD:
            is_kept = question is not None and _is_agreed(question, action)
            admitted_at = action.admitted_at if is_kept else None
            self._judged.cases[wish.ref] = let_through(self._judged.cases[wish.ref], wish.key, at=admitted_at)

    def _pause(self, wish: _Wish, question: Question | None) -> None:
        """What was asked for waits with its answer until its rule runs again."""
        action = self._action(wish)
        if question is not None and question.state is QuestionState.YES:
            reason = f"{_said(question)}; its rule is paused, and it goes ahead once that is resumed"
            actions = {**self._judged.cases[wish.ref].actions, wish.key: replace(action, reason=reason)}
            self._judged.cases[wish.ref] = replace(self._judged.cases[wish.ref], actions=actions)
            if action.reason != reason:
                self._tell(wish.ref, action, reason)
        elif question is not None and question.state.is_waiting:
            self._wait(wish, question)

    def _hold(self, wish: _Wish, question: Question) -> None:
        """Hold back for a question that waits."""
        action = self._action(wish)
        if question.state is QuestionState.OPEN:
            reason = waits_for(question)
            text = f"held back: {question.reason}; {ASKS}"
        else:
            reason, text = GATHERS, f"held back: {GATHERS}"
        case = self._judged.cases[wish.ref]
        self._judged.cases[wish.ref] = held_back(case, wish.key, reason, question=question.id)
        self._tell(wish.ref, action, text)
        self._wait(wish, question)

    def _wait(self, wish: _Wish, question: Question) -> None:
        """Have the product looked at when the question is void if nobody answers."""
        self._rely(question)
        if question.expires_at is not None:
            self._look(wish.ref, LaterLook(question.expires_at, UNANSWERED))

    def _keep_in(self, wish: _Wish, reason: str) -> None:
        action = self._action(wish)
        question = self._question(wish)
        is_answered = question is not None and question.state is QuestionState.YES and question.said != WITHIN
        named = action.question if is_answered else None
        self._judged.cases[wish.ref] = held_back(self._judged.cases[wish.ref], wish.key, reason, question=named)
        if (action.state, action.reason) != (ActionState.HELD, reason):
            self._tell(wish.ref, action, f"held back: {reason}")

    def _refuse(self, wish: _Wish, question: Question) -> None:
        """Leave what a person does not want, or did not answer."""
        action = self._action(wish)
        said = NOBODY if question.state is QuestionState.EXPIRED else "a person said no"
        case = refused(self._judged.cases[wish.ref], wish.key, said, at=self.at)
        self._judged.cases[wish.ref] = case
        then = "it stays as it is" if action.step is Step.GIVE_BACK else "left alone until the rule's condition ends"
        self._tell(wish.ref, action, f"{said}: {then if action.step is not Step.MOMENT else 'not done'}")
        slot = case.slots.get(action.slot)
        if slot is not None and slot.open_holds:
            self._look(wish.ref, LaterLook(self.at, "another rule may want what this one may not do"))

    # ------------------------------------------------------------------------------------ what comes of it

    def _rely(self, question: Question) -> None:
        if question.id not in self._judged.questions:
            self._judged.relied[question.id] = question.state

    def _ask(
        self, rule: Rule, kind: QuestionKind, *, reason: str, state: QuestionState, first: _Wish | None = None
    ) -> Question:
        """A new question; once it waits for people, they are told."""
        is_open = state is QuestionState.OPEN
        question = Question(
            id=question_id(self.store, rule.code, kind, self.at),
            store=self.store,
            rule=rule.code,
            kind=kind,
            reason=reason,
            fingerprint=fingerprint(rule),
            state=state,
            asked_at=self.at,
            expires_at=self.at + ANSWER_WITHIN if is_open else None,
            sweep=None if is_open else self.gathering,
        )
        self._known[question.id] = self._waiting[rule.code, kind] = question
        self._judged.questions[question.id] = question
        if first is not None:
            self._judged.notices += notices_of(question, rule, first.ref, at=self.at)
        return question

    def _tell(self, ref: SubjectRef, action: PlannedAction, text: str) -> None:
        truth = Truth.UNMET if action.step is Step.GIVE_BACK else Truth.MET
        trace = Trace(action.rules[0], ref, self.at, truth, text, caused_by=action.caused_by)
        if trace not in self._judged.traces:
            self._judged.traces.append(trace)

    def _look(self, ref: SubjectRef, look: LaterLook) -> None:
        known = self._judged.looks.get(ref)
        if known is None or look.due_at < known.due_at:
            self._judged.looks[ref] = look


def _said(question: Question) -> str:
    return WITHIN if question.said == WITHIN else "a person said yes"


def _is_agreed(question: Question, action: PlannedAction) -> bool:
    """Whether an action may be done without being judged again: a person said so, or its room is kept for it."""
    return question.state is QuestionState.YES and (question.said != WITHIN or action.admitted_at is not None)
