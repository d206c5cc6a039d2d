"""Why one rule did, or did not do, something with one product or category: its condition, and the rest in sentences."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from rules_engine.core.action import SlotRef, SlotValue
from rules_engine.core.bounds import WAITS_UNTIL
from rules_engine.core.clock import say_duration
from rules_engine.core.condition import Finding, Truth, has_transition
from rules_engine.core.explain import listed
from rules_engine.core.holds import Hold, HoldState, Slot
from rules_engine.core.judge import Judged, ripens_at, unknown_name, whole_condition
from rules_engine.core.plan import ActionState, Episode, PlannedAction
from rules_engine.core.rule import Mode, Rule
from rules_engine.core.subject import ProductId, SubjectKind, SubjectRef
from rules_engine.core.turning import rule_turns_at
from rules_engine.core.view import UNSEEN, shown

from .why_facts import Facts
from .why_words import Clock, SlotWords, sentence, why_held_back

_DELIVERY = re.compile(r"[0-9a-f]{32}")
"""The id of a delivery, which may be forgotten by now; any other cause is the reason of a look."""


@dataclass(frozen=True, slots=True)
class Held:
    """What a rule has to do with one slot of a product, in sentences. `state` is a `HoldState`'s value."""

    slot: SlotRef
    state: str
    wish: SlotValue
    baseline: SlotValue
    since: datetime
    cause: tuple[str, ...]
    says: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RuleWhy:
    """One rule and one subject.

    `about` is the subject of its condition: for a rule about categories that holds a product, the category, which
    people call `called`. `finding` is None for a subject of which nothing is known. `says` are the sentences about what
    it does and why not, `held` those about what it holds. `acts_at` is when it acts if nothing changes until then;
    `turns_at` is when time alone may turn its condition.
    """

    rule: Rule
    about: SubjectRef
    finding: Finding | None
    says: tuple[str, ...] = ()
    held: tuple[Held, ...] = ()
    called: str = ""
    acts_at: datetime | None = None
    turns_at: datetime | None = None


def explain_rule(rule: Rule, facts: Facts, category: Facts | None = None) -> RuleWhy:
    """Why a rule did or did not act on the subject of `facts`; for a rule about categories on the product of `facts`,
    `category` has what is known of the category that its condition is about.
    """
    return _Explainer(rule, facts, category or facts).explain()


@dataclass(slots=True)
class _Explainer:
    rule: Rule
    facts: Facts
    judged: Facts
    clock: Clock = field(init=False)

    def __post_init__(self) -> None:
        self.clock = Clock(self.facts.asked.now, self.facts.store.zone)

    @property
    def what(self) -> str:
        return f"the {self.facts.ref.kind}"

    def explain(self) -> RuleWhy:
        facts, judged = self.facts, self.judged
        called = str(judged.fields.get("name") or judged.ref.id) if judged is not facts else ""
        if judged.known.snapshot is None or judged.known.is_gone:
            return RuleWhy(self.rule, judged.ref, None, held=tuple(self._held()), called=called)
        finding = whole_condition(self.rule, judged.document())
        held = tuple(self._held())
        says = [*self._modes(), *self._stands(finding, held), *self._hours()]
        is_waiting = finding.truth is Truth.MET and self._episode() is not None
        acts_at = self._acts_at() if is_waiting else None
        turns_at = None if self.rule.mode is Mode.PAUSED else rule_turns_at(self.rule, judged.document())
        return RuleWhy(self.rule, judged.ref, finding, tuple(says), held, called, acts_at, turns_at)

    # ------------------------------------------------------------------------------------ what it may do

    def _modes(self) -> Iterator[str]:
        if self.rule.mode is Mode.PAUSED:
            yield f"It is paused ({self.rule.because}): it takes nothing, and what it holds stays."
        if self.rule.mode is Mode.WATCH:
            yield "It only watches: it records what it would do, and calls nothing."
        waits_for = unknown_name(self.rule, self.facts.directory)
        if waits_for:
            yield f"It waits, and does nothing in this store: {waits_for.rstrip('?.')}" + (
                "?" if "?" in waits_for else "."
            )

    def _hours(self) -> Iterator[str]:
        hours = self.rule.guards.hours
        opens = hours.opens_at(self.facts.asked.at.astimezone(self.facts.store.zone)) if hours else None
        if opens is not None:
            yield f"It may act only {hours}: next {self.clock.both(opens)}."

    # ------------------------------------------------------------------------------------ how it stands

    def _stands(self, finding: Finding, held: tuple[Held, ...]) -> Iterator[str]:
        if not self.rule.is_while:
            yield from self._moment(finding)
        elif finding.truth is Truth.CANNOT_TELL:
            rest = "what it holds stays as it is" if held else "it takes nothing"
            yield f"Nobody can tell whether this is so; until somebody can, {rest}."
        elif finding.truth is Truth.UNMET:
            if not held:
                yield f"This is not so, and the rule does nothing with {self.what}."
            elif not self.facts.asked.is_past and any(HoldState(each.state).is_claim for each in held):
                when = "at the next look" if self.rule.mode is Mode.LIVE else "once it is live again,"
                yield f"This is not so any more: {when} the rule lets go of what it holds."
        elif self._ripens() is not None:
            yield from self._ripening()
        else:
            yield from self._wishes(finding)
        yield from self._given_up()

    def _ripens(self) -> datetime | None:
        """When the rule acts, while its condition has not yet held for as long as it must."""
        must_last, episode = self.rule.guards.must_last, self._episode()
        if must_last is None or not self.rule.is_while or self._own_holds():
            return None
        ripens = ripens_at(self.rule, episode) if episode is not None else self.facts.asked.at + must_last
        return ripens if ripens > self.facts.asked.at else None

    def _acts_at(self) -> datetime | None:
        """When the condition will have lasted and the rule's hours are open; None where nothing has to last."""
        ripens, hours = self._ripens(), self.rule.guards.hours
        opens = hours.opens_at(ripens.astimezone(self.facts.store.zone)) if ripens and hours else None
        return opens or ripens

    def _ripening(self) -> Iterator[str]:
        must_last, ripens, episode = self.rule.guards.must_last, self._ripens(), self._episode()
        if must_last is None or ripens is None:
            return
        span = say_duration(must_last)
        if episode is not None:
            since = self.clock.at(episode.since)
            acts_at = self._acts_at() or ripens
            waits = "" if acts_at == ripens else ", when its hours open"
            yield (
                f"This must last {span}, and has been so since {since}: "
                f"the rule acts {self.clock.when(acts_at)}{waits}, if it is still so then."
            )
        elif self.facts.asked.is_past:
            yield f"This must last {span}; since when it had been so is not kept."
        else:
            yield f"This must last {span}, counted from the next look at {self.what}."

    def _episode(self) -> Episode | None:
        """The stretch that runs, as far as that is known."""
        episode = self.judged.case.episodes.get((self.rule.code, self.judged.ref))
        return episode if episode is not None and episode.truth is Truth.MET else None

    # ------------------------------------------------------------------------------------ while

    def _wishes(self, finding: Finding) -> Iterator[str]:
        """What a rule whose condition holds wants, as far as no hold tells."""
        facts = self.facts
        if facts.ref.kind is not SubjectKind.PRODUCT:
            yield "This is so: the products in it are what the rule acts on; ask about one of them for the rest."
            return
        if self.judged is not facts:
            return  # a rule about categories is shown for what it holds
        if not self.rule.effects:
            yield f"It tells {listed(self.rule.notifies)} when this begins and when it ends, and changes nothing."
            return
        seen = facts.as_people_made_it(facts.fields)
        judged = Judged(self.rule, finding, finding.truth)
        taken = [ref.target for ref, hold in self._own_holds() if hold.wish is False]
        member_of = tuple(dict.fromkeys([*seen.get("category_ids", ()), *taken]))
        wishes, problem = judged.wishes(ProductId(facts.ref.id), member_of, facts.directory)
        if problem:
            return  # it was said that the rule waits
        if not wishes:
            yield f"Nothing to do: {self.what} is in none of the categories that it names."
        held = {ref for ref, _ in self._own_holds()}
        for ref, wish in wishes.items():
            said = self._unheld(ref, wish) if ref not in held else ""
            if said:
                yield said

    def _unheld(self, ref: SlotRef, wish: SlotValue) -> str:
        """Why the rule, whose condition holds, does not hold this slot; empty when that is told elsewhere."""
        facts, words = self.facts, self._words(ref)
        episode = facts.case.episodes.get((self.rule.code, facts.ref))
        for hold in reversed(facts.case.ended.get(ref, ())):
            is_own = (hold.rule, hold.subject, hold.wish) == (self.rule.code, facts.ref, wish)
            if is_own and episode is not None and hold.episode == episode.number and (hold.reason or hold.takes):
                if hold.state is HoldState.NEVER_TAKEN:
                    if any(dead.slot == ref for dead in self._dead()):
                        return ""  # told with what was tried
                    return f"It could not {words.make(wish, self.what)}: {hold.reason.rstrip('.')}."
                return f"It leaves this alone until the condition has ended once: {hold.reason}."
        value = shown(facts.as_people_made_it(facts.fields), ref)
        if value is UNSEEN:
            return f"The shop does not show whether {self.what} {words.is_so(wish)}, so nothing is called."
        if value == wish:
            return f"Nothing to do: {self.what} {words.is_so(wish)} anyway."
        if self.rule.mode is not Mode.LIVE or facts.asked.at > facts.asked.now:
            return f"It would {words.make(wish, self.what)}."
        if facts.asked.is_past:
            return f"It had not decided yet to {words.make(wish, self.what)}."
        return f"It is to {words.make(wish, self.what)}: that is decided at the next look at {self.what}."

    def _dead(self) -> list[PlannedAction]:
        every = self.facts.case.actions.values()
        return [action for action in every if action.state is ActionState.DEAD and self.rule.code in action.rules]

    def _given_up(self) -> Iterator[str]:
        for action in self._dead():
            deed = self._words(action.slot).make(action.wish, self.what)
            yield (
                f"Given up: to {deed} ({action.reason.rstrip('.')}). "
                f"`rules-engine dead-letters show {action.key[:8]}` tells what was tried."
            )

    # ------------------------------------------------------------------------------------ what it holds

    def _own_holds(self) -> list[tuple[SlotRef, Hold]]:
        who = (self.rule.code, self.judged.ref)
        return [
            (slot.ref, hold)
            for slot in self.facts.case.slots.values()
            for hold in slot.open_holds
            if (hold.rule, hold.subject) == who
        ]

    def _held(self) -> Iterator[Held]:
        for ref, hold in self._own_holds():
            slot = self.facts.case.slots[ref]
            causes = tuple(self._cause(cause) for cause in hold.cause)
            says = tuple(self._says(slot, hold, causes))
            yield Held(ref, hold.state.value, hold.wish, slot.baseline, hold.since, causes, says)

    def _says(self, slot: Slot, hold: Hold, causes: tuple[str, ...]) -> Iterator[str]:
        words = self._words(slot.ref)
        deed = words.make(hold.wish, self.what)
        since = f"since {self.clock.at(hold.since)}" + (f" ({listed(causes)})" if causes else "")
        match hold.state:
            case HoldState.PENDING if hold.reason.startswith("overruled by "):
                yield f"It wants to {deed}, but is {hold.reason}, which stands before it in the rules."
            case HoldState.PENDING if (kept := self._held_back(slot.ref)) is not None:
                yield f"It is to {deed}, but that is held back: {why_held_back(kept, self.facts.questions)}."
            case HoldState.PENDING if WAITS_UNTIL in hold.reason:
                yield f"It is to {deed}, but is put off: {hold.reason}."
            case HoldState.PENDING:
                why = f" ({hold.reason})" if hold.reason else ""
                yield f"It is to {deed}{why}; no call was made for it yet."
            case HoldState.SENT:
                yield f"The shop was asked to {deed}; whether it did is not known yet."
            case HoldState.TAKEN:
                yield f"It {words.keeps(hold.wish, self.what)} {since}. The shop said done; a look is still to show it."
            case HoldState.HOLDING:
                yield f"It {words.keeps(hold.wish, self.what)} {since}."
            case HoldState.STEPPED_BACK:
                when = self.clock.at(hold.changed_at) if hold.changed_at else "since"
                yield (
                    f"A person changed it back ({when}): {self.what} {words.is_so(slot.baseline)}. "
                    "The person wins: the rule leaves this alone until its condition ends."
                )
            case _:
                why = f": {hold.reason}" if hold.reason else ""
                yield f"It gives back what it took{why}. {sentence(words.returns(slot.baseline, self.what))}."
        if hold.state.is_claim and hold.wish != slot.baseline:
            yield self._afterwards(slot, hold, words)

    def _held_back(self, ref: SlotRef) -> PlannedAction | None:
        """What the rule decided for this slot, where that is not sent before a person, or a category, lets it."""
        decided = (
            each for each in self.facts.case.actions.values() if each.slot == ref and self.rule.code in each.rules
        )
        return next((each for each in decided if each.state is ActionState.HELD), None)

    def _afterwards(self, slot: Slot, hold: Hold, words: SlotWords) -> str:
        if hold.is_left or self.rule.leaves:
            return "It stays so when the condition ends."
        alike = [each for each in slot.open_holds if each.state.is_claim and each.wish == hold.wish]
        others = [code for code in dict.fromkeys(each.rule for each in alike) if code != self.rule.code]
        back = sentence(words.returns(slot.baseline, self.what))
        if others:
            return (
                f"{back} when the condition ends, and when {listed(others)} let{'s' * (len(others) == 1)} go as well."
            )
        return f"{back} when the condition ends."

    def _cause(self, cause: str) -> str:
        kind = self.facts.causes.get(cause)
        if kind:
            return f"after the webhook {kind}, delivery {cause[:8]}"
        return f"after the delivery {cause[:8]}" if _DELIVERY.fullmatch(cause) else f"at a look: {cause}"

    def _words(self, ref: SlotRef) -> SlotWords:
        return self.facts.words(ref)

    # ------------------------------------------------------------------------------------ as soon as

    def _moment(self, finding: Finding) -> Iterator[str]:
        came = self.judged.moments.get(self.rule.code)
        if came is not None:
            yield f"It last acted {self.clock.when(came)}."
        if finding.truth is Truth.CANNOT_TELL:
            yield "Nobody can tell whether this is so; it acts only when this is known to turn from unmet to met."
        elif finding.truth is Truth.UNMET:
            is_change = has_transition(self.rule.condition)
            yield (
                "It acts at the moment when this happens."
                if is_change
                else "It acts at the moment when this turns to met."
            )
        elif self.judged.known.before is None:
            first = f"{sentence(self.what)} is as it was when it was seen for the first time"
            if self.rule.acts_at_first_sight:
                yield f"{first}, which this rule acts on."
            else:
                yield (
                    f"{first}, which is no moment: the rule acts when this turns from unmet to met "
                    "(`first_sight: act` would count the first time too)."
                )
        elif came is None:
            yield self._why_no_moment()

    def _why_no_moment(self) -> str:
        """Why a rule did not act though its condition is met: it has to turn from unmet to met."""
        until = self.judged.known.before_until
        changed = f"{self.what} last changed" + (f" ({self.clock.at(until)})" if until else "")
        earlier = whole_condition(self.rule, self.judged.document(is_before=True), transitions=Truth.UNMET)
        match earlier.truth:
            case Truth.MET:
                return f"It acts when this turns from unmet to met, and it was met already before {changed}."
            case Truth.CANNOT_TELL:
                return f"It acts when this turns from unmet to met, and nobody could tell before {changed}."
            case Truth.UNMET:
                return f"This turned from unmet to met when {changed}: that was its moment."
