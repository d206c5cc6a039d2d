"""Deciding about one product: observe its slots, judge the rules, claim, make moments, aim."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from .action import Aspect, SlotRef, SlotValue
from .aim import aim
from .claims import Claim, claim
from .condition import Document, Truth
from .holds import Hold, HoldState, Slot
from .judge import Judged, judge_rules
from .moments import Moment, MomentWish, lapse, make_moment
from .observe import TOOK, SlotCase, moved, observe
from .plan import ActionState, Case, PlannedAction, Step, Trace
from .promotion import promoted, stays_promoted
from .rule import RuleCode
from .sighting import Context, Decision, Sighting, document_of
from .subject import ProductId, Snapshot, SubjectKind, SubjectRef
from .view import (
    UNSEEN,
    Fields,
    Unseen,
    as_people_made_it,
    is_changed,
    label_of,
    named,
    remember_names,
    shown,
    with_slots,
)

Who = tuple[RuleCode, SubjectRef]


def decide_product(case: Case, sighting: Sighting, context: Context) -> Decision:
    """What a sighting of a product means: the steps of deciding, in order."""
    turn = _Turn(case, sighting, context)
    turn.observe()
    fields, document = turn.see()
    judged = judge_rules(
        [rule for rule in context.rules if rule.about is SubjectKind.PRODUCT],
        document,
        before_at=case.seen_at,
        ref=case.ref,
        episodes=case.episodes,
        at=sighting.at,
    )
    turn.lapse_moments(judged)
    wants = turn.collect(judged, document)
    turn.claim(wants)
    turn.make_moments(wants.moments)
    turn.aim()
    return turn.conclude(fields, judged)


@dataclass(slots=True)
class _Wants:
    """What the rules want: claims by slot, who lets go, who was judged with all names known, and moments."""

    claims: dict[SlotRef, list[Claim]] = field(default_factory=dict)
    began: set[RuleCode] = field(default_factory=set)
    let_go: set[Who] = field(default_factory=set)
    settled: set[Who] = field(default_factory=set)
    moments: list[MomentWish] = field(default_factory=list)


class _Turn:
    """One product at one sighting, while it is being decided. Nothing of it outlives the decision."""

    def __init__(self, case: Case, sighting: Sighting, context: Context) -> None:
        self.case = case
        self.sighting = sighting
        self.context = context
        self.at = sighting.at
        self.product = ProductId(case.ref.id)
        known = case.snapshot.fields if case.snapshot else {}
        self.before = known if case.snapshot and not case.is_gone else None
        seen = sighting.snapshot.fields if sighting.snapshot else known
        self.fields: Fields = named(remember_names(seen, self.before), context.directory)
        self.slots: dict[SlotRef, SlotCase] = {}
        self.notes: list[tuple[RuleCode, str]] = []

    # ------------------------------------------------------------------------------------ observe and see

    def observe(self) -> None:
        """Judge every slot that is held or acted on by what the shop shows."""
        for ref in dict.fromkeys([*self.case.slots, *(action.slot for action in self._open_actions())]):
            self.slots[ref] = self._observed(ref)
        self._observe_promotion()

    def see(self) -> tuple[Fields, Document]:
        """The product as it is to be remembered, and the document that conditions see."""
        directory = self.context.directory
        taken_to_be = {
            ref: each.value if each.is_certain else shown(self.before, ref) for ref, each in self.slots.items()
        }
        values = {ref: value for ref, value in taken_to_be.items() if not isinstance(value, Unseen)}
        fields = with_slots(self.fields, values, directory)
        view = as_people_made_it(fields, (each.slot for each in self.slots.values()), directory)
        before = None
        if self.before is not None:
            # What our own calls changed since then is no change: the earlier sighting is shown with it.
            attempted = (a for a in self._open_actions() if a.attempts > 0 and shown(self.fields, a.slot) == a.wish)
            effects = {action.slot: action.wish for action in attempted}
            before = with_slots(self.before, effects, directory)
            before = as_people_made_it(before, self.case.slots.values(), directory)
        return fields, document_of(view, before, self.sighting, self.context)

    def _open_actions(self) -> Iterator[PlannedAction]:
        return (action for action in self.case.actions.values() if action.state.is_open)

    def _slot_case(self, ref: SlotRef) -> SlotCase:
        """The slot as it stands; one that nobody holds has what it shows as its baseline."""
        value = shown(self.fields, ref)
        slot = self.case.slots.get(ref) or Slot(ref, baseline=None if value is UNSEEN else value, since=self.at)
        action = next((each for each in self._open_actions() if each.slot == ref), None)
        return SlotCase(slot, value, action, label=label_of(ref, self.fields))

    def _observed(self, ref: SlotRef) -> SlotCase:
        slot_case = self._slot_case(ref)
        if self._is_gone(ref):
            reason = f"category {ref.target} no longer exists"
            slot_case = slot_case.close(ActionState.GONE, reason, at=self.at)
            return slot_case.with_holds(lambda hold: moved(hold, HoldState.GONE, reason, at=self.at))
        is_fresh = self.sighting.is_fresh
        if is_fresh and self._is_older_than_our_call(slot_case):
            slot_case, is_fresh = replace(slot_case, value=shown(self.before, ref)), False
        lagging = self._lagging(slot_case) if is_fresh else None
        if lagging is not None and lagging.done_at is not None:
            until = lagging.done_at + self.context.lag
            slot_case, is_fresh = replace(slot_case, value=lagging.wish, look_at=until), False
        unsure = self._never_answered(slot_case)
        if unsure is not None:
            slot_case, is_fresh = replace(slot_case, value=unsure.wish, is_certain=False), False
        return self._without_the_undecided(observe(slot_case, at=self.at, lag=self.context.lag, is_fresh=is_fresh))

    def _without_the_undecided(self, slot_case: SlotCase) -> SlotCase:
        """Without what a rule had only decided or tried to take, once it is paused, only watches, or is gone."""
        action = slot_case.action
        failed = action is not None and action.state is ActionState.WAITING and slot_case.is_certain
        reason = "its rule may not act now, and nothing was taken"

        def drop(hold: Hold) -> Hold:
            is_undone = hold.state is HoldState.PENDING or (hold.state is HoldState.SENT and failed)
            if hold.rule in self.context.live or hold.takes > 0 or not is_undone:
                return hold
            return moved(hold, HoldState.RELEASED, reason, at=self.at)

        return slot_case.with_holds(drop)

    def _is_gone(self, ref: SlotRef) -> bool:
        return ref.aspect is Aspect.MEMBERSHIP and ref.target in self.context.directory.gone

    def _is_older_than_our_call(self, slot_case: SlotCase) -> bool:
        """Whether a delivered state may be from before our last call on this slot, where nothing can be read."""
        version = self.sighting.snapshot.version if self.sighting.snapshot else None
        if version is None or self.context.capabilities.can_read:
            return False
        action = slot_case.action
        if action is not None and action.attempts > 0 and action.done_at is None and slot_case.value != action.wish:
            return True  # the call was not answered: what was delivered since cannot tell whether it will happen
        actions = [each for each in self.case.actions.values() if each.slot == slot_case.slot.ref]
        taken_at = [hold.changed_at for hold in slot_case.slot.holds if hold.state in TOOK and hold.changed_at]
        last = [each.done_at for each in actions if each.done_at] + ([min(taken_at)] if taken_at else [])
        return any(at >= version for at in last)

    def _never_answered(self, slot_case: SlotCase) -> Hold | None:
        """A hold whose call was never answered and is not made again, where only another answer can settle it."""
        if self.context.capabilities.can_read:
            return None
        holds = slot_case.slot.open_holds
        owed = [hold for hold in holds if hold.state is HoldState.OWED and hold.takes == 0]
        action = slot_case.action
        sent = [h for h in holds if h.state is HoldState.SENT and (action is None or action.wish != h.wish)]
        return next(iter([*owed, *sent]), None)

    def _lagging(self, slot_case: SlotCase) -> PlannedAction | None:
        """What the shop said it had done, was called off before a read showed it, and is not shown yet."""
        called_off = (
            (action.done_at, action)
            for action in self.case.actions.values()
            if action.slot == slot_case.slot.ref
            and action.state is ActionState.CANCELLED
            and action.done_at is not None
        )
        done_at, last = max(called_off, key=lambda pair: pair[0], default=(self.at, None))
        if last is None or last.wish == slot_case.value or self.at >= done_at + self.context.lag:
            return None
        action = slot_case.action
        is_newer_done = action is not None and action.done_at is not None and action.done_at > done_at
        return None if is_newer_done else last

    def _observe_promotion(self) -> None:
        top = self.context.capabilities.promotes_to
        if top is None or not self.sighting.is_fresh:
            return
        ref = SlotRef(self.product, Aspect.MEMBERSHIP, top)
        slot_case = promoted(self.slots, ref, fields=self.fields, before=self.before, at=self.at)
        if slot_case is not None:
            self.slots[ref] = slot_case

    # ------------------------------------------------------------------------------------ collect and claim

    def lapse_moments(self, judged: list[Judged]) -> None:
        """Judge again the moments that had to wait."""
        for ref, slot_case in self.slots.items():
            self.slots[ref] = lapse(slot_case, judged, live=self.context.live, at=self.at)

    def collect(self, judged: list[Judged], document: Document) -> _Wants:
        """What the live rules want of this product's slots."""
        wants = _Wants()
        for each in judged:
            if each.rule.code not in self.context.live:
                continue
            who = (each.rule.code, self.case.ref)
            if each.is_let_go:
                wants.let_go.add(who)
            if not each.is_claiming and not each.is_moment:
                continue
            wishes = self._wishes(each, document)
            if wishes is None:
                continue
            wants.settled.add(who)
            if each.began:
                wants.began.add(each.rule.code)
            if each.is_moment:
                moment = Moment(each.rule.code, self.case.ref, self.case.revision + 1)
                wants.moments += [MomentWish(moment, ref, wish) for ref, wish in wishes.items()]
                continue
            for ref, wish in wishes.items():
                wants.claims.setdefault(ref, []).append(each.claim(self.case.ref, wish))
        self._collect_from_categories(wants, document)
        return wants

    def _wishes(self, judged: Judged, document: Document) -> dict[SlotRef, SlotValue] | None:
        """What the rule wants of which slots, or None while one of its names means nothing here: then it waits."""
        code = judged.rule.code
        held = {
            ref: hold.wish
            for ref, each in self.slots.items()
            for hold in each.slot.open_holds
            if hold.rule == code and ref.aspect is Aspect.MEMBERSHIP
        }
        taken = [ref.target for ref, wish in held.items() if wish is False]
        member_of = tuple(dict.fromkeys([*document.fields.get("category_ids", ()), *taken]))
        wishes, problem = judged.wishes(self.product, member_of, self.context.directory)
        if problem:
            if judged.began or judged.is_moment:
                self.notes.append((code, f"waits: {problem}"))
            return None
        if judged.is_claiming:
            out = [ref.target for ref, wish in wishes.items() if ref.aspect is Aspect.MEMBERSHIP and wish is False]
            wishes |= self._promotion((code, self.case.ref), out, document)
        return wishes

    def _promotion(self, who: Who, out: list[str], document: Document) -> dict[SlotRef, SlotValue]:
        """The wish for a membership that the shop made by itself, for a rule that takes the product `out` of others."""
        top = self.context.capabilities.promotes_to
        ref = SlotRef(self.product, Aspect.MEMBERSHIP, top or "")
        seen = document.fields
        stays = stays_promoted(self.slots, ref, who, out_of=out, fields=self.fields, people_see=seen)
        return {ref: True} if top is not None and stays else {}

    def _collect_from_categories(self, wants: _Wants, document: Document) -> None:
        """What rules about categories want: that this product is out of a category that they empty."""
        member_of = document.fields.get("category_ids", ())
        rules = {rule.code: rule for rule in self.context.rules if rule.code in self.context.live}
        for (code, subject), episode in self.context.stretches.items():
            if code not in rules:
                continue
            ref = SlotRef(self.product, Aspect.MEMBERSHIP, subject.id)
            empties = rules[code].is_while and rules[code].about is SubjectKind.CATEGORY
            if episode.truth is Truth.UNMET or not empties:
                wants.let_go.add((code, subject))
            elif subject.id in member_of or ref in self.slots or ref in wants.claims:
                wishes = {ref: False} | self._promotion((code, subject), [subject.id], document)
                for slot, wish in wishes.items():
                    made = Claim(code, subject, wish, episode.number, is_left=rules[code].leaves)
                    wants.claims.setdefault(slot, []).append(made)
        for moment in self.context.moments:
            if moment.rule in rules and moment.subject.id in member_of:
                ref = SlotRef(self.product, Aspect.MEMBERSHIP, moment.subject.id)
                wants.moments.append(MomentWish(moment, ref, wish=False))

    def claim(self, wants: _Wants) -> None:
        """Let rules join and leave the slots."""
        for ref in [*self.slots, *(ref for ref in wants.claims if ref not in self.slots)]:
            slot_case = self.slots.get(ref) or self._slot_case(ref)
            claims = wants.claims.get(ref, [])
            if slot_case.value is UNSEEN or self._is_gone(ref):
                told = wants.began & {made.rule for made in claims}
                self.notes += [(code, f"{ref}: cannot tell what it is now, so nothing is called") for code in told]
                continue
            # A rule that was settled without this slot no longer wants it: its `do` was edited, or a name moved.
            settled_without = wants.settled - {(made.rule, made.subject) for made in claims}
            no_longer = {(hold.rule, hold.subject) for hold in slot_case.slot.open_holds} & settled_without
            if slot_case.action is not None and slot_case.action.step is Step.MOMENT:
                # A moment gives nothing back: what it makes is what people would have made.
                slot_case = slot_case.rebased(slot_case.action.wish)
            self.slots[ref] = claim(
                slot_case,
                claims,
                frozenset(wants.let_go | no_longer),
                ended=self.case.ended.get(ref, ()),
                cause=self.sighting.caused_by,
                is_fresh=self.sighting.is_fresh,
                at=self.at,
            )

    # ------------------------------------------------------------------------------------ aim and conclude

    def make_moments(self, moments: list[MomentWish]) -> None:
        """Decide the actions of moments: after the claims, because a hold beats a moment."""
        order = self.context.order
        for wanting in sorted(moments, key=lambda each: order.get(each.moment.rule, 0)):
            self.slots[wanting.slot] = make_moment(
                self.slots.get(wanting.slot) or self._slot_case(wanting.slot),
                wanting,
                store=self.context.store,
                order=order,
                known=frozenset(self.case.actions),
                caused_by=self.sighting.caused_by,
                at=self.at,
            )

    def aim(self) -> None:
        """Give every slot the one action that makes it what it should be."""
        dead = frozenset(key for key, action in self.case.actions.items() if action.state is ActionState.DEAD)
        for ref, slot_case in self.slots.items():
            self.slots[ref] = aim(
                slot_case,
                store=self.context.store,
                order=self.context.order,
                live=self.context.live,
                recent_takes=self.case.recent_takes,
                dead=dead,
                caused_by=self.sighting.caused_by,
                at=self.at,
            )

    def conclude(self, fields: Fields, judged: list[Judged]) -> Decision:
        """The case as it is to be remembered, and the traces."""
        changed = is_changed(self.before, fields)
        known = self.case.snapshot.version if self.case.snapshot else None
        version = self.sighting.snapshot.version if self.sighting.snapshot else known
        actions = dict(self.case.actions)
        for each in self.slots.values():
            actions |= {action.key: action for action in (*each.closed, *([each.action] if each.action else []))}
        episodes = {(each.rule.code, self.case.ref): each.episode for each in judged if each.episode}
        case = replace(
            self.case,
            snapshot=Snapshot(self.case.ref, fields, version),
            revision=self.case.revision + 1 if changed else self.case.revision,
            seen_at=self.at if self.sighting.is_fresh else self.case.seen_at,
            is_gone=False,
            slots={ref: each.slot for ref, each in self.slots.items() if each.slot.holds},
            episodes={**self.case.episodes, **episodes},
            actions=actions,
        )
        looks = [each.look_at for each in self.slots.values() if each.look_at]
        truths = {each.rule.code: each.finding.truth for each in judged}
        traces = self._traces(judged, is_changed=changed)
        return Decision(case, traces, look_at=min(looks, default=None), truths=truths)

    def _traces(self, judged: list[Judged], *, is_changed: bool) -> tuple[Trace, ...]:
        did: dict[RuleCode, list[str]] = {}
        for rule, text in (*self.notes, *(note for each in self.slots.values() for note in each.notes)):
            did.setdefault(rule, []).append(text)
        caused_by = self.sighting.caused_by
        traces = [
            each.trace(
                self.case.ref, self.at, caused_by=caused_by, is_changed=is_changed, did=did.pop(each.rule.code, ())
            )
            for each in judged
        ]
        # What is left was done for rules about categories, or for holds of rules that are not judged now.
        stretches = {code: episode.truth for (code, _), episode in self.context.stretches.items()}
        for rule, texts in did.items():
            truth = stretches.get(rule, Truth.CANNOT_TELL)
            text = "; ".join(dict.fromkeys(texts))
            traces.append(Trace(rule, self.case.ref, self.at, truth, text, caused_by=caused_by))
        return tuple(trace for trace in traces if trace is not None)
