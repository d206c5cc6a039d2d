"""Judging rules about one subject: how each stands, whether its stretch began or ended, whether it is its moment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, tzinfo

from .action import Aspect, SlotRef, SlotValue
from .claims import Claim
from .clock import say_duration, say_time
from .condition import Document, Finding, Truth, happens_in, judge
from .directory import Directory, Unresolved
from .finding import Kind
from .plan import Episode, EpisodeKey, Trace
from .rule import Effect, EffectKind, Identified, Mode, Named, Rule
from .subject import ProductId, SubjectRef
from .turning import rule_turns_at
from .words import all_, not_

_FLAT = {
    EffectKind.HIDE: (Aspect.VISIBILITY, False),
    EffectKind.SHOW: (Aspect.VISIBILITY, True),
    EffectKind.UNASSIGN_BRAND: (Aspect.BRAND, None),
}


@dataclass(frozen=True, slots=True)
class Judged:
    """How a rule stands for a subject at one sighting.

    `stands` is the finding with every transition taken as met: whether a moment that had to wait still holds.
    `episode` is the stretch as it is now, None where the rule has never been met. `began` and `ended` say that this
    sighting turned it. `is_ripe` says that it has lasted as long as the rule asks for, or of one that ended, that it
    was seen to; `ripened` says that it had not yet at the sighting before. `look_at` is when time alone may make the
    rule stand otherwise; `zone` is the store's.
    """

    rule: Rule
    finding: Finding
    stands: Truth
    episode: Episode | None = None
    began: bool = False
    ended: bool = False
    is_moment: bool = False
    is_ripe: bool = True
    ripened: bool = False
    look_at: datetime | None = None
    zone: tzinfo = UTC

    @property
    def is_claiming(self) -> bool:
        """Whether the rule holds its effects now. While nobody can tell, or it must last, it keeps what it has."""
        return self.rule.is_while and self.finding.truth is Truth.MET and self.is_ripe

    @property
    def is_starting(self) -> bool:
        """Whether the rule holds its effects from this sighting on: its stretch began, or has lasted long enough."""
        return self.is_claiming and (self.began or self.ripened)

    @property
    def is_let_go(self) -> bool:
        """Whether the rule gives up what it holds of this subject; a moment, which may have been a stretch, does."""
        return not self.rule.is_while or self.finding.truth is Truth.UNMET

    def claim(self, subject: SubjectRef, wish: SlotValue) -> Claim:
        """The rule's claim on a slot, for its present stretch."""
        number = self.episode.number if self.episode else 0
        return Claim(self.rule.code, subject, wish, number, is_left=self.rule.leaves)

    def wishes(
        self, product: ProductId, member_of: Sequence[str], directory: Directory
    ) -> tuple[dict[SlotRef, SlotValue], str]:
        """What the rule wants of which slots of a product, and the reason if one of its names means nothing here."""
        found: dict[SlotRef, SlotValue] = {}
        for effect in self.rule.effects:
            wishes = _effect_wishes(effect, product, member_of, directory)
            if isinstance(wishes, Unresolved):
                return {}, wishes.reason
            for ref, wish in wishes.items():
                found.setdefault(ref, wish)
        return found, ""

    def trace(
        self,
        subject: SubjectRef,
        at: datetime,
        *,
        caused_by: tuple[str, ...],
        is_changed: bool,
        did: Sequence[str] = (),
    ) -> Trace | None:
        """Why the rule did what it `did`, or None when there is nothing new to say."""
        says = list(dict.fromkeys(did))
        if turn := self._turn():
            says.insert(0, turn)
        elif not says and is_changed and self.finding.truth is Truth.CANNOT_TELL:
            says.append("cannot tell")
        if not says:
            return None
        if self.rule.mode is Mode.WATCH:
            says.append("it only watches: nothing is called")
        text = "; ".join(says)
        return Trace(self.rule.code, subject, at, self.finding.truth, text, self.finding.plain(), caused_by)

    def _turn(self) -> str:
        """What became of the rule's moment or stretch at this sighting, in words; empty where nothing did."""
        if self.is_moment:
            return "its moment came"
        lasts = say_duration(self.rule.guards.must_last or timedelta(0))
        if self.began and not self.is_ripe and self.episode is not None:
            until = say_time(ripens_at(self.rule, self.episode), at=self.episode.since, zone=self.zone)
            return f"its condition began to hold; it must last {lasts}, until {until}"
        if self.began:
            return "its condition began to hold"
        if self.ended:
            return "its condition ended" if self.is_ripe else f"its condition ended before it had lasted {lasts}"
        return f"its condition has lasted {lasts}" if self.ripened else ""


def judge_rules(
    rules: Sequence[Rule],
    document: Document,
    *,
    before_at: datetime | None,
    ref: SubjectRef,
    episodes: Mapping[EpisodeKey, Episode],
    at: datetime,
    is_learning: bool = False,
) -> list[Judged]:
    """How every rule that is not paused stands for the subject of the document. While learning, nothing is a moment."""
    judged = (
        _judge_rule(rule, document, before_at or at, episodes.get((rule.code, ref)), at)
        for rule in rules
        if rule.mode is not Mode.PAUSED
    )
    return [replace(each, is_moment=False) if is_learning else each for each in judged]


def _judge_rule(rule: Rule, document: Document, before_at: datetime, episode: Episode | None, at: datetime) -> Judged:
    finding = whole_condition(rule, document)
    turn, zone = rule_turns_at(rule, document), document.now.tzinfo or UTC
    if not rule.is_while:
        stands = whole_condition(rule, document, transitions=Truth.MET).truth
        is_moment = _is_moment(rule, document, before_at, finding.truth)
        return Judged(rule, finding, stands, is_moment=is_moment, look_at=turn, zone=zone)
    judged = Judged(rule, finding, finding.truth, episode, look_at=turn, zone=zone)
    is_met = episode is not None and episode.truth is Truth.MET
    if finding.truth is Truth.MET and not is_met:
        number = episode.number + 1 if episode else 1
        judged = replace(judged, episode=Episode(number, Truth.MET, at), began=True)
    if finding.truth is Truth.UNMET and is_met and episode is not None:
        ended = Episode(episode.number, Truth.UNMET, at)
        return replace(judged, episode=ended, ended=True, is_ripe=is_ripe(rule, episode, before_at))
    return _ripened(judged, before_at, at)


def _ripened(judged: Judged, before_at: datetime, at: datetime) -> Judged:
    """The rule whose condition has to last: while it has not, it is looked at again when it will have."""
    rule, episode = judged.rule, judged.episode
    if rule.guards.must_last is None or episode is None or episode.truth is not Truth.MET:
        return judged
    ripe = ripens_at(rule, episode)
    if at < ripe:
        return replace(judged, is_ripe=False, look_at=min(judged.look_at or ripe, ripe))
    return replace(judged, ripened=before_at < ripe)


def _is_moment(rule: Rule, document: Document, before_at: datetime, truth: Truth) -> bool:
    """Whether the whole condition turned from known-unmet to met between the last sighting and this one."""
    if truth is not Truth.MET:
        return False
    if document.before is None:
        # The first sight of a subject is no change, unless the rule is about that very event, or says so.
        return rule.acts_at_first_sight or happens_in(rule.condition)
    earlier = replace(
        document,
        fields=document.before,
        before=None,
        events=frozenset(),
        now=before_at.astimezone(document.now.tzinfo),
    )
    return whole_condition(rule, earlier, transitions=Truth.UNMET).truth is Truth.UNMET


def ripens_at(rule: Rule, episode: Episode) -> datetime:
    """From when on the rule may take in this stretch: its start, later by what the rule says that it `must_last`."""
    return episode.since + (rule.guards.must_last or timedelta(0))


def is_ripe(rule: Rule, episode: Episode, at: datetime) -> bool:
    """Whether the stretch runs and has lasted as long as the rule asks for."""
    return episode.truth is Truth.MET and at >= ripens_at(rule, episode)


def whole_condition(rule: Rule, document: Document, *, transitions: Truth | None = None) -> Finding:
    """The rule's condition and not its `unless`, as one finding."""
    made = judge(rule.condition, document, transitions=transitions, path=str(rule.trigger))
    if rule.unless is None:
        return made
    excepted = judge(rule.unless, document, transitions=transitions, path="unless")
    text = f"unless applies: {excepted.text}".rstrip(": ") if excepted.truth is Truth.MET else made.text
    unless = Finding("unless", not_(excepted.truth), parts=(excepted,), kind=Kind.UNLESS)
    return Finding(str(rule.trigger), all_((made.truth, unless.truth)), text, (made, unless), kind=Kind.WHOLE)


def _effect_wishes(
    effect: Effect, product: ProductId, member_of: Sequence[str], directory: Directory
) -> dict[SlotRef, SlotValue] | Unresolved:
    if effect.kind in _FLAT:
        aspect, wish = _FLAT[effect.kind]
        return {SlotRef(product, aspect): wish}
    wishes: dict[SlotRef, SlotValue] = {}
    for target in effect.targets:
        if effect.kind is EffectKind.ASSIGN_BRAND:
            brand = directory.brand(target) if isinstance(target, Named | Identified) else Unresolved("not one brand")
            if isinstance(brand, Unresolved):
                return brand
            wishes[SlotRef(product, Aspect.BRAND)] = brand
            continue
        ids = directory.targets(target, member_of)
        if isinstance(ids, Unresolved):
            return ids
        for id_ in ids:
            wishes[SlotRef(product, Aspect.MEMBERSHIP, id_)] = effect.kind is EffectKind.ADD_TO_CATEGORY
    return wishes


def unknown_name(rule: Rule, directory: Directory) -> str:
    """Why the rule must wait in this store: the first of its names that means nothing there, or empty."""
    for effect in rule.effects:
        found = _effect_wishes(effect, ProductId(""), (), directory)
        if isinstance(found, Unresolved):
            return found.reason
    for target in (*rule.guards.fallbacks, *(floor.target for floor in rule.guards.floors)):
        named = directory.category(target)
        if isinstance(named, Unresolved):
            return named.reason
    return ""
