"""Deciding about one product: observe its slots, judge the rules, claim, make moments, aim."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from .action import ActionKey, SlotRef, SlotValue
from .aim import ONCE, aim
from .bounds import Bounds, Who
from .claims import Claim, claim, with_standing
from .collect import Fallback, Wants, collect
from .condition import Document, Truth
from .fallback import as_moments, needed, owners, without_needless
from .judge import Judged, judge_rules
from .moments import Moment, MomentWish, lapse, make_moment
from .notices import notices_of
from .observe import SlotCase
from .orders import carry_out
from .plan import ActionState, Case, PlannedAction, Trace
from .promotion import promoted
from .rule import RuleCode
from .seeing import Scene, observed
from .sighting import Context, Decision, Sighting, document_of
from .subject import Snapshot, SubjectKind
from .view import UNSEEN, Fields, Unseen, as_people_made_it, is_changed, shown, with_slots


def decide_product(case: Case, sighting: Sighting, context: Context) -> Decision:
    """What a sighting of a product means: the steps of deciding, in order."""
    turn = _Turn(Scene.from_sighting(case, sighting, context))
    turn.observe()
    turn.carry_out_orders()
    fields, document = turn.see()
    judged = judge_rules(
        [rule for rule in context.rules if rule.about is SubjectKind.PRODUCT],
        document,
        before_at=case.seen_at,
        ref=case.ref,
        episodes=case.episodes,
        at=sighting.at,
        is_learning=sighting.is_learning,
    )
    turn.lapse_moments(judged)
    wants = turn.collect(judged, document)
    turn.claim(wants)
    moments = [*wants.moments, *turn.fall_back(wants, document)]
    turn.make_moments(moments)
    turn.aim()
    return turn.conclude(fields, judged, wants)


class _Turn:
    """One product at one sighting, while it is being decided. Nothing of it outlives the decision."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.case, self.sighting, self.context, self.at = scene.case, scene.sighting, scene.context, scene.at
        self.slots: dict[SlotRef, SlotCase] = {}
        self.notes: list[tuple[RuleCode, str]] = []
        self.orders, self.ended = self.case.orders, dict(self.case.ended)
        self.revived: dict[ActionKey, PlannedAction] = {}
        self.bounds = Bounds(
            store=self.context.store,
            at=self.at,
            zone=self.context.zone,
            order=self.context.order,
            live=self.context.live,
            paused=self.context.paused,
            guards={rule.code: rule.guards for rule in self.context.rules},
            acts=self.case.recent_takes,
            dead=frozenset(key for key, action in self.case.actions.items() if action.state is ActionState.DEAD),
            caused_by=self.sighting.caused_by,
            is_stopped=self.context.is_stopped,
            loses=self.context.capabilities.loses,
        )

    # ------------------------------------------------------------------------------------ observe and see

    def observe(self) -> None:
        """Judge every slot that is held or acted on by what the shop shows."""
        for ref in dict.fromkeys([*self.case.slots, *(action.slot for action in self.scene.open_actions())]):
            self.slots[ref] = observed(self.scene, ref, self.bounds)
        top = self.context.capabilities.promotes_to
        if top is not None and self.sighting.is_fresh:
            ref = self.scene.membership(top)
            made = promoted(self.slots, ref, fields=self.scene.fields, before=self.scene.before, at=self.at)
            if made is not None:
                self.slots[ref] = made

    def carry_out_orders(self) -> None:
        """Do what people told us about this product, before the rules are heard."""
        if not any(order.is_open for order in self.orders):
            return
        done = carry_out(self.scene, self.slots, self.bounds)
        self.slots, self.ended, self.orders, self.revived = done.slots, done.ended, done.orders, done.revived
        self.notes += done.notes
        self.bounds = replace(self.bounds, dead=self.bounds.dead - set(done.revived))

    def see(self) -> tuple[Fields, Document]:
        """The product as it is to be remembered, and the document that conditions see."""
        directory, seen, earlier = self.context.directory, self.scene.fields, self.scene.before
        taken_to_be = {ref: each.value if each.is_certain else shown(earlier, ref) for ref, each in self.slots.items()}
        values = {ref: value for ref, value in taken_to_be.items() if not isinstance(value, Unseen)}
        # What is seen has its names already; where nothing is held, it is as people made it.
        fields = with_slots(seen, values, directory) if values else seen
        view = fields
        if self.slots:
            view = as_people_made_it(fields, (each.slot for each in self.slots.values()), directory)
        before = None
        if earlier is not None:
            # What our own calls changed since then is no change: the earlier sighting is shown with it.
            attempted = (a for a in self.scene.open_actions() if a.attempts > 0 and shown(seen, a.slot) == a.wish)
            effects: dict[SlotRef, SlotValue] = {action.slot: action.wish for action in attempted}
            before = with_slots(earlier, effects, directory)
            if self.case.slots:
                before = as_people_made_it(before, self.case.slots.values(), directory)
        return fields, document_of(view, before, self.sighting, self.context)

    # ------------------------------------------------------------------------------------ collect and claim

    def lapse_moments(self, judged: list[Judged]) -> None:
        """Judge again the moments that had to wait."""
        for ref, slot_case in self.slots.items():
            self.slots[ref] = lapse(slot_case, judged, self.bounds)

    def collect(self, judged: list[Judged], document: Document) -> Wants:
        """What the live rules want of this product's slots."""
        wants = collect(self.scene, self.slots, judged, document, self.bounds)
        self.notes += wants.notes
        if wants.fallbacks:
            fallbacks = frozenset((ref, each.who) for each in wants.fallbacks for ref in each.slots)
            self.bounds = replace(self.bounds, fallbacks=fallbacks)
        return wants

    def claim(self, wants: Wants) -> None:
        """Let rules join and leave the slots; who wants a slot as its fallback only is judged afterwards."""
        later = owners(wants)
        for ref in [*self.slots, *(ref for ref in wants.claims if ref not in self.slots)]:
            claims, slot_case = wants.claims.get(ref, []), self._slot_case(ref)
            # A rule that was settled without this slot no longer wants it: its `do` was edited, or a name moved.
            settled_without = wants.settled - {(made.rule, made.subject) for made in claims} - later.get(ref, set())
            holders = {(hold.rule, hold.subject) for hold in slot_case.slot.open_holds}
            told = wants.began & {made.rule for made in claims}
            self._claim(slot_case, claims, frozenset(wants.let_go | (holders & settled_without)), told)

    def _claim(
        self, slot_case: SlotCase, claims: list[Claim], let_go: frozenset[Who], told: Iterable[RuleCode]
    ) -> None:
        ref = slot_case.slot.ref
        if slot_case.value is UNSEEN or self.scene.is_gone(ref):
            self.notes += [(code, f"{ref}: cannot tell what it is now, so nothing is called") for code in told]
            return
        if slot_case.action is not None and slot_case.action.step in ONCE:
            # A moment gives nothing back: what it makes is what people would have made.
            slot_case = slot_case.rebased(slot_case.action.wish)
        claimed = claim(
            slot_case,
            claims,
            let_go,
            ended=self.ended.get(ref, ()),
            cause=self.sighting.caused_by,
            is_fresh=self.sighting.is_fresh,
            at=self.at,
        )
        self.slots[ref] = with_standing(claimed, self.context.directory)

    def _slot_case(self, ref: SlotRef) -> SlotCase:
        return self.slots.get(ref) or self.scene.slot_case(ref)

    def fall_back(self, wants: Wants, document: Document) -> list[MomentWish]:
        """Let rules take or leave their fallbacks, by what is left once all is done; gives what moments want."""
        if not wants.fallbacks or "category_ids" not in document.fields:
            return []
        top = self.context.capabilities.promotes_to
        wanted = needed(self.slots, wants, document.fields, top=top, bounds=self.bounds)
        for each in wants.fallbacks:
            for ref in each.slots:
                self._fall_back(each, ref, is_wanted=each in wanted)
        return as_moments(wanted, self.slots)

    def _fall_back(self, each: Fallback, ref: SlotRef, *, is_wanted: bool) -> None:
        slot_case = self._slot_case(ref)
        if isinstance(each.made, Moment):
            if not is_wanted and ref in self.slots:
                self.slots[ref] = without_needless(each, slot_case, at=self.at)
            return
        has_hold = any((hold.rule, hold.subject) == each.who for hold in slot_case.slot.open_holds)
        if is_wanted:
            if not has_hold:
                self.notes.append((each.made.rule, "no category would be left"))
            self._claim(slot_case, [replace(each.made, is_repeated=True)], frozenset(), ())
        elif has_hold:
            self._claim(slot_case, [], frozenset({each.who}), ())

    # ------------------------------------------------------------------------------------ aim and conclude

    def make_moments(self, moments: list[MomentWish]) -> None:
        """Decide the actions of moments: after the claims, because a hold beats a moment."""
        known = frozenset(self.case.actions)
        for wanting in sorted(moments, key=lambda each: self.bounds.order.get(each.moment.rule, 0)):
            self.slots[wanting.slot] = make_moment(self._slot_case(wanting.slot), wanting, self.bounds, known=known)

    def aim(self) -> None:
        """Give every slot the one action that makes it what it should be."""
        for ref, slot_case in self.slots.items():
            self.slots[ref] = aim(slot_case, self.bounds)

    def conclude(self, fields: Fields, judged: list[Judged], wants: Wants) -> Decision:
        """The case as it is to be remembered, the traces, and what people are told."""
        changed = is_changed(self.scene.before, fields)
        known = self.case.snapshot.version if self.case.snapshot else None
        version = self.sighting.snapshot.version if self.sighting.snapshot else known
        actions = {**self.case.actions, **self.revived}
        for each in self.slots.values():
            actions |= {action.key: action for action in (*each.closed, *([each.action] if each.action else []))}
        episodes = {(each.rule.code, self.case.ref): each.episode for each in judged if each.episode}
        case = replace(
            self.case,
            snapshot=Snapshot(self.case.ref, fields, version),
            revision=self.case.revision + 1 if changed else self.case.revision,
            seen_at=self.at,
            is_gone=False,
            slots={ref: each.slot for ref, each in self.slots.items() if each.slot.holds},
            episodes={**self.case.episodes, **episodes},
            actions=actions,
            ended=self.ended,
            orders=self.orders,
        )
        looks = [each.look_at for each in self.slots.values() if each.look_at]
        looks += [each.look_at for each in judged if each.look_at]
        truths = {each.rule.code: each.finding.truth for each in judged}
        traces = self._traces(judged, is_changed=changed)
        heard = (each for each in judged if each.rule.code not in wants.lapsed)
        notices = notices_of(heard, traces, self.case.ref, fields, at=self.at)
        return Decision(case, traces, look_at=min(looks, default=None), notices=notices, truths=truths)

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
