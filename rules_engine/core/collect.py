"""What the rules want of one product: claims and moments, slot by slot, and who lets go."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from .action import Aspect, SlotRef, SlotValue
from .bounds import Bounds, Who
from .claims import Claim
from .condition import Document, Truth
from .directory import Unresolved
from .judge import Judged, is_ripe
from .moments import Moment, MomentWish
from .observe import SlotCase
from .plan import ActionState, Step
from .promotion import stays_promoted
from .rule import Rule, RuleCode
from .seeing import Scene
from .subject import SubjectKind

Slots = Mapping[SlotRef, SlotCase]
Wishes = dict[SlotRef, SlotValue]


@dataclass(frozen=True, slots=True)
class Fallback:
    """The slots that a rule wants only if no category would be left: by its claim, or by its moment."""

    made: Claim | Moment
    slots: tuple[SlotRef, ...]

    @property
    def who(self) -> Who:
        """The rule, and the subject of its stretch or moment."""
        return (self.made.rule, self.made.subject)


@dataclass(slots=True)
class Wants:
    """What the rules want: claims by slot, who lets go, who was judged with all names known, moments and fallbacks.

    `lapsed` are rules whose moment came too soon after the last. `notes` are for the traces.
    """

    claims: dict[SlotRef, list[Claim]] = field(default_factory=dict)
    began: set[RuleCode] = field(default_factory=set)
    let_go: set[Who] = field(default_factory=set)
    settled: set[Who] = field(default_factory=set)
    moments: list[MomentWish] = field(default_factory=list)
    fallbacks: list[Fallback] = field(default_factory=list)
    lapsed: set[RuleCode] = field(default_factory=set)
    notes: list[tuple[RuleCode, str]] = field(default_factory=list)

    def claim(self, made: Claim, wishes: Iterable[tuple[SlotRef, SlotValue]]) -> None:
        """Claim each of these slots as `made` is."""
        for ref, wish in wishes:
            self.claims.setdefault(ref, []).append(Claim(made.rule, made.subject, wish, made.episode, made.is_left))


def collect(scene: Scene, slots: Slots, judged: Iterable[Judged], document: Document, bounds: Bounds) -> Wants:
    """What the live rules want of this product's slots."""
    return _Collector(scene, slots, document, bounds).collect(judged)


class _Collector:
    """Collects what rules want at one look."""

    def __init__(self, scene: Scene, slots: Slots, document: Document, bounds: Bounds) -> None:
        self._scene = scene
        self._slots = slots
        self._document = document
        self._bounds = bounds
        self._wants = Wants()

    def collect(self, judged: Iterable[Judged]) -> Wants:
        for each in judged:
            if each.rule.code in self._bounds.live:
                self._collect_rule(each)
        self._collect_stretches()
        self._collect_moments()
        return self._wants

    def _collect_rule(self, judged: Judged) -> None:
        wants, rule = self._wants, judged.rule
        who = (rule.code, self._scene.case.ref)
        if judged.is_let_go:
            wants.let_go.add(who)
        is_unfinished = not rule.is_while and self._is_unfinished(who)
        if not (judged.is_claiming or judged.is_moment or is_unfinished):
            return
        found = self._wishes(judged)
        if found is None:
            return
        wishes, fallback = found
        moment = Moment(rule.code, self._scene.case.ref, self._scene.case.revision + 1)
        if judged.is_moment:
            wants.settled.add(who)
            self._make_moment(moment, wishes, fallback)
        elif is_unfinished:
            # What it left undone is judged again: meanwhile its own may have become the product's last category.
            self._fall_back(moment, fallback)
        else:
            wants.settled.add(who)
            if judged.is_starting:
                wants.began.add(rule.code)
            wants.claim(judged.claim(self._scene.case.ref, wish=True), wishes.items())
            self._fall_back(judged.claim(self._scene.case.ref, wish=True), fallback)

    def _is_unfinished(self, who: Who) -> bool:
        """Whether a moment of the rule still waits for its first call, such as for its hours."""
        return any(
            action.step is Step.MOMENT
            and (action.rules[0], action.about) == who
            and action.state in {ActionState.PENDING, ActionState.HELD}
            for action in self._scene.open_actions()
        )

    def _make_moment(self, moment: Moment, wishes: Wishes, fallback: tuple[SlotRef, ...]) -> None:
        """The moment's wishes, unless the rule acted on this product too lately: moments do not pile up."""
        pause = self._bounds.pause(moment.rule, and_open=self._scene.open_actions())
        if pause is not None:
            self._wants.lapsed.add(moment.rule)
            self._wants.notes.append((moment.rule, f"lapsed: it {pause.said}"))
            return
        self._wants.moments += [MomentWish(moment, ref, wish) for ref, wish in wishes.items()]
        self._fall_back(moment, fallback)

    def _fall_back(self, made: Claim | Moment, fallback: tuple[SlotRef, ...]) -> None:
        if fallback:
            self._wants.fallbacks.append(Fallback(made, fallback))

    def _wishes(self, judged: Judged) -> tuple[Wishes, tuple[SlotRef, ...]] | None:
        """What the rule wants of which slots, and its fallback; None while one of its names means nothing: it waits."""
        code = judged.rule.code
        held = {
            ref: hold.wish
            for ref, each in self._slots.items()
            for hold in each.slot.open_holds
            if hold.rule == code and ref.aspect is Aspect.MEMBERSHIP
        }
        taken = [ref.target for ref, wish in held.items() if wish is False]
        member_of = tuple(dict.fromkeys([*self._document.fields.get("category_ids", ()), *taken]))
        wishes, problem = judged.wishes(self._scene.product, member_of, self._scene.context.directory)
        fallback = self._fallback_of(judged.rule)
        if problem or isinstance(fallback, Unresolved):
            reason = problem or (fallback.reason if isinstance(fallback, Unresolved) else "")
            if judged.is_starting or judged.is_moment:
                self._wants.notes.append((code, f"waits: {reason}"))
            return None
        # A rule never takes a product out of its own fallback: it would be put back there when it is the last.
        wishes = {ref: wish for ref, wish in wishes.items() if wish is not False or ref not in fallback}
        own = tuple(ref for ref in fallback if ref not in wishes)
        if judged.is_claiming:
            out = [ref.target for ref, wish in wishes.items() if ref.aspect is Aspect.MEMBERSHIP and wish is False]
            wishes |= self._promotion((code, self._scene.case.ref), out, own)
        return wishes, own

    def _fallback_of(self, rule: Rule) -> tuple[SlotRef, ...] | Unresolved:
        """The slots of the rule's fallback; or why it waits: that, or what it never leaves, means nothing here."""
        found: list[SlotRef] = []
        for floor in rule.guards.floors:
            named = self._scene.context.directory.category(floor.target)
            if isinstance(named, Unresolved):
                return named
        for target in rule.guards.fallbacks:
            id_ = self._scene.context.directory.category(target)
            if isinstance(id_, Unresolved):
                return id_
            found.append(self._scene.membership(id_))
        return tuple(dict.fromkeys(found))

    def _promotion(self, who: Who, out: list[str], fallback: tuple[SlotRef, ...]) -> Wishes:
        """The wish for a membership that the shop made by itself, for a rule that takes the product `out` of others."""
        top = self._scene.context.capabilities.promotes_to
        if top is None:
            return {}
        ref, fields = self._scene.membership(top), self._scene.fields
        if fallback and list(fields.get("category_ids", ())) != [top]:
            return {}  # the fallback stands in its place
        seen = self._document.fields
        stays = stays_promoted(self._slots, ref, who, out_of=out, fields=fields, people_see=seen)
        return {ref: True} if stays else {}

    # ------------------------------------------------------------------------------------ rules about categories

    def _collect_stretches(self) -> None:
        """What rules about categories hold: that this product is out of a category that they empty."""
        wants, context = self._wants, self._scene.context
        rules = {rule.code: rule for rule in context.rules if rule.code in self._bounds.live}
        for (code, subject), episode in context.stretches.items():
            if code not in rules:
                continue
            rule, ref = rules[code], self._scene.membership(subject.id)
            empties = rule.is_while and rule.about is SubjectKind.CATEGORY and bool(rule.effects)
            if episode.truth is Truth.UNMET or not empties:
                wants.let_go.add((code, subject))
            elif not is_ripe(rule, episode, self._scene.at):
                continue  # it has to last first; what the rule holds it keeps
            elif self._is_member(subject.id) or ref in self._slots or ref in wants.claims:
                fallback = self._fallback_of(rule)
                if isinstance(fallback, Unresolved):
                    continue  # it waits, with what it has
                made = Claim(code, subject, wish=True, episode=episode.number, is_left=rule.leaves)
                wants.settled.add((code, subject))
                own = tuple(each for each in fallback if each != ref)
                if own == fallback:
                    promotion = self._promotion((code, subject), [subject.id], own)
                    wants.claim(made, [(ref, False), *promotion.items()])
                self._fall_back(made, own)

    def _collect_moments(self) -> None:
        """What moments of rules about categories want of a member."""
        rules = {rule.code: rule for rule in self._scene.context.rules if rule.code in self._bounds.live}
        for moment in self._scene.context.moments:
            if moment.rule not in rules or not rules[moment.rule].effects or not self._is_member(moment.subject.id):
                continue
            ref, fallback = self._scene.membership(moment.subject.id), self._fallback_of(rules[moment.rule])
            if isinstance(fallback, Unresolved):
                self._wants.notes.append((moment.rule, f"waits: {fallback.reason}"))
            elif ref not in fallback:
                self._make_moment(moment, {ref: False}, fallback)

    def _is_member(self, id_: str) -> bool:
        """Whether people put the product into the category."""
        return id_ in self._document.fields.get("category_ids", ())
