"""Deciding: what is now, what was last known, and the rules in; what should be done, and why, out. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from .condition import Truth, happens_in
from .decide_product import decide_product
from .holds import Hold, HoldState
from .judge import Judged, judge_rules
from .moments import Moment
from .notices import notices_of
from .observe import moved
from .orders import given_up
from .plan import ActionState, Case, Trace
from .sighting import Context, Decision, Sighting, document_of
from .subject import Snapshot, SubjectKind
from .view import as_people_made_it, is_changed

NEVER_SEEN = "nothing is done: no delivery has shown this product yet, and the shop cannot be asked about it"
"""What came of an order about a product of which nothing is known, nor can be."""


def decide(case: Case, sighting: Sighting, context: Context) -> Decision:
    """What one sighting of one subject means. Deciding twice on the same values gives the same decision."""
    if sighting.is_gone:
        return _decide_gone(case, sighting, context)
    if _is_late(case, sighting):
        return Decision(case, is_late=True)
    if sighting.snapshot is None and (case.snapshot is None or case.is_gone):
        # A shop that can be read shows it at the next look; of another nobody knows what there is to carry out.
        reason = _no_longer(case) if case.is_gone else "" if context.capabilities.can_read else NEVER_SEEN
        if reason:
            case = replace(case, orders=given_up(case.orders, reason))
        return Decision(case)  # what is gone comes back by being seen, not by being remembered
    if sighting.ref.kind is SubjectKind.PRODUCT:
        return decide_product(case, sighting, context)
    return _decide_category(case, sighting, context)


def _no_longer(case: Case) -> str:
    return f"the {case.ref.kind} no longer exists"


def _is_late(case: Case, sighting: Sighting) -> bool:
    """Whether a delivered state is older than the one that is known. A read is never late."""
    new = sighting.snapshot.version if sighting.snapshot else None
    old = case.snapshot.version if case.snapshot else None
    return new is not None and old is not None and new < old


def _decide_gone(case: Case, sighting: Sighting, context: Context) -> Decision:
    """The subject no longer exists: its holds and actions end as gone, and nothing is called."""
    reason = _no_longer(case)
    slots = {ref: replace(slot, holds=_all_gone(slot.holds, reason, sighting.at)) for ref, slot in case.slots.items()}
    actions = {
        key: replace(action, state=ActionState.GONE, reason=reason, due_at=None) if action.state.is_open else action
        for key, action in case.actions.items()
    }
    episodes = {
        key: replace(episode, truth=Truth.UNMET, since=sighting.at) if episode.truth is Truth.MET else episode
        for key, episode in case.episodes.items()
    }
    holders = {hold.rule: hold for slot in case.slots.values() for hold in slot.open_holds}
    traces = tuple(
        Trace(
            rule,
            sighting.ref,
            sighting.at,
            Truth.UNMET,
            f"{reason}: what it held is released as gone",
            caused_by=sighting.caused_by,
        )
        for rule in sorted(holders, key=lambda code: context.order.get(code, 0))
    )
    done = replace(case, is_gone=True, slots=slots, actions=actions, episodes=episodes, seen_at=sighting.at)
    done = replace(done, orders=given_up(case.orders, reason))
    if case.snapshot is None or case.is_gone:
        return Decision(done, traces)
    heard = _judge_deletion(case, case.snapshot, sighting, context)
    told = (each.trace(case.ref, sighting.at, caused_by=sighting.caused_by, is_changed=True) for each in heard)
    last = tuple(trace for trace in told if trace)
    notices = notices_of(heard, last, case.ref, case.snapshot.fields, at=sighting.at)
    truths = {each.rule.code: each.finding.truth for each in heard}
    return Decision(done, (*traces, *last), notices=notices, truths=truths)


def _judge_deletion(case: Case, snapshot: Snapshot, sighting: Sighting, context: Context) -> list[Judged]:
    """How the moments stand that wait for the deletion of the subject: they see it as people had made it last."""
    rules = [rule for rule in context.rules if rule.about is case.ref.kind and not rule.is_while]
    fields = as_people_made_it(snapshot.fields, case.slots.values(), context.directory)
    return judge_rules(
        [rule for rule in rules if happens_in(rule.condition)],
        document_of(fields, fields, sighting, context),
        before_at=case.seen_at,
        ref=case.ref,
        episodes=case.episodes,
        at=sighting.at,
        is_learning=sighting.is_learning,
    )


def _all_gone(holds: Iterable[Hold], reason: str, at: datetime) -> tuple[Hold, ...]:
    return tuple(moved(hold, HoldState.GONE, reason, at=at) if hold.state.is_open else hold for hold in holds)


def _decide_category(case: Case, sighting: Sighting, context: Context) -> Decision:
    """Judge the rules about categories; what they want of products is decided with each product."""
    before = case.snapshot if case.snapshot and not case.is_gone else None
    now = sighting.snapshot or case.snapshot
    if now is None:
        return Decision(case)
    judged = judge_rules(
        [rule for rule in context.rules if rule.about is SubjectKind.CATEGORY],
        document_of(now.fields, before.fields if before else None, sighting, context),
        before_at=case.seen_at,
        ref=case.ref,
        episodes=case.episodes,
        at=sighting.at,
        is_learning=sighting.is_learning,
    )
    changed = is_changed(before.fields if before else None, now.fields)
    revision = case.revision + 1 if changed else case.revision
    moments = tuple(Moment(each.rule.code, case.ref, revision) for each in judged if each.is_moment)
    done = replace(
        case,
        snapshot=now,
        revision=revision,
        seen_at=sighting.at,
        is_gone=False,
        episodes={**case.episodes, **{(each.rule.code, case.ref): each.episode for each in judged if each.episode}},
    )
    told = (each.trace(case.ref, sighting.at, caused_by=sighting.caused_by, is_changed=changed) for each in judged)
    traces = tuple(trace for trace in told if trace)
    notices = notices_of(judged, traces, case.ref, now.fields, at=sighting.at)
    truths = {each.rule.code: each.finding.truth for each in judged}
    look_at = min((each.look_at for each in judged if each.look_at), default=None)
    return Decision(done, traces, moments, look_at, notices=notices, truths=truths)
