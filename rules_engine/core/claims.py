"""Who has a say in a slot: rules whose condition holds join it, others let go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from .action import Aspect, SlotValue
from .directory import Directory
from .holds import Hold, HoldState
from .observe import TOOK, SlotCase, moved, settle_debt
from .plan import ActionState
from .rule import RuleCode
from .subject import SubjectRef
from .view import UNSEEN


@dataclass(frozen=True, slots=True)
class Claim:
    """A rule whose condition holds wants a slot to have a value, for as long as the episode lasts.

    `is_repeated` says that it may come and go within the episode, as a fallback does.
    """

    rule: RuleCode
    subject: SubjectRef
    wish: SlotValue
    episode: int
    is_left: bool = False
    is_repeated: bool = False


def claim(
    case: SlotCase,
    claims: Sequence[Claim],
    let_go: frozenset[tuple[RuleCode, SubjectRef]],
    *,
    ended: Sequence[Hold],
    cause: tuple[str, ...],
    is_fresh: bool,
    at: datetime,
) -> SlotCase:
    """Rules whose condition holds join the slot; those in `let_go`, and those that no longer want it, leave it.

    `ended` are earlier holds of the present episodes: a hold takes a slot at most once in an episode.
    """
    wishes = {(made.rule, made.subject): made for made in claims}
    for place in range(len(case.slot.holds)):
        hold = case.slot.holds[place]
        made = wishes.get((hold.rule, hold.subject))
        ends = (hold.rule, hold.subject) in let_go or (made is not None and made.wish != hold.wish)
        if hold.state.is_open and ends:
            case = released(case, place, is_fresh=is_fresh, at=at)
    candidates = [made for made in claims if _may_join(case, made, ended)]
    for made in candidates:
        if made.wish != case.slot.baseline:
            case = _join(case, made, ended, cause=cause, at=at)
    for made in candidates:
        contested = any(hold.state.is_claim and hold.wish != made.wish for hold in case.slot.holds)
        if made.wish == case.slot.baseline and contested:
            case = _join(case, made, ended, cause=cause, at=at)
    return case


def _may_join(case: SlotCase, made: Claim, ended: Sequence[Hold]) -> bool:
    ours = [hold for hold in case.slot.open_holds if (hold.rule, hold.subject) == (made.rule, made.subject)]
    if any(hold.state is not HoldState.OWED or _is_undone(hold, made) for hold in ours):
        return False
    return not any(
        (hold.takes > 0 and not made.is_repeated) or hold.state is HoldState.NEVER_TAKEN or hold.is_ordered
        for hold in _earlier(case, made, ended)
    )


def _is_undone(hold: Hold, made: Claim) -> bool:
    """Whether a person ordered what the rule took in this very stretch to be given back: it takes it no more."""
    return hold.is_ordered and hold.episode == made.episode


def _earlier(case: SlotCase, made: Claim, ended: Sequence[Hold]) -> list[Hold]:
    """The holds of the same episode that wanted the same and have ended."""
    wanted = (made.rule, made.subject, made.episode, made.wish)
    holds = (*ended, *(hold for hold in case.slot.holds if not hold.state.is_open))
    return [hold for hold in holds if (hold.rule, hold.subject, hold.episode, hold.wish) == wanted]


def _join(case: SlotCase, made: Claim, ended: Sequence[Hold], *, cause: tuple[str, ...], at: datetime) -> SlotCase:
    ours = [hold for hold in case.slot.open_holds if hold.state in {*TOOK, HoldState.OWED}]
    already_so = case.is_certain and case.value == made.wish and (bool(ours) or made.wish == case.slot.baseline)
    is_seen = case.action is None or case.action.state is not ActionState.DONE
    # What was taken before in this episode counts on, so that to take it again is another step.
    takes = max((earlier.takes for earlier in _earlier(case, made, ended)), default=0)
    hold = Hold(
        rule=made.rule,
        subject=made.subject,
        wish=made.wish,
        episode=made.episode,
        state=(HoldState.HOLDING if is_seen else HoldState.TAKEN) if already_so else HoldState.PENDING,
        since=at,
        takes=max(takes, 1) if already_so and made.wish != case.slot.baseline else takes,
        is_left=made.is_left,
        cause=cause,
        changed_at=at,
    )
    if already_so and made.wish != case.slot.baseline:
        reason = f"{made.rule} holds it on"
        case = case.with_holds(lambda each: settle_debt(each, reason, at=at))
    return replace(case, slot=replace(case.slot, holds=(*case.slot.holds, hold)))


def with_standing(case: SlotCase, directory: Directory) -> SlotCase:
    """With where the product stood in the category, on holds that are to take it out: afterwards nobody can tell."""
    ref = case.slot.ref
    if ref.aspect is not Aspect.MEMBERSHIP or case.slot.baseline is not True:
        return case
    told = next((hold.stood for hold in case.slot.holds if hold.stood), "")
    stood = told or directory.standing(ref.target, ref.product)
    return case.with_holds(
        lambda hold: (
            replace(hold, stood=stood) if hold.id is None and not hold.stood and hold.wish is False and stood else hold
        )
    )


def released(case: SlotCase, place: int, *, is_fresh: bool, at: datetime) -> SlotCase:
    """The slot once the hold at this place has nothing to say any more: it is owed, or it has ended."""
    hold = case.slot.holds[place]
    ended = _released(case, hold, is_fresh=is_fresh, at=at)
    holds = (*case.slot.holds[:place], ended, *case.slot.holds[place + 1 :])
    case = replace(case, slot=replace(case.slot, holds=holds))
    is_there = hold.takes > 0 and case.value == hold.wish != case.slot.baseline
    if ended.state is HoldState.RELEASED and (is_there or _is_unsure(case, hold, is_fresh=is_fresh)):
        # Who had only decided to take the same is left with what was taken, or may have been.
        case = case.with_holds(lambda each: _inherited(each, hold, at=at))
    return case


def _is_unsure(case: SlotCase, hold: Hold, *, is_fresh: bool) -> bool:
    """Whether a call was made for the hold, and nobody can say whether it happened."""
    is_told = is_fresh and case.is_certain and case.value is not UNSEEN and case.value != hold.wish
    return hold.state is HoldState.SENT and not is_told


def _inherited(heir: Hold, hold: Hold, *, at: datetime) -> Hold:
    if heir.state is not HoldState.PENDING or heir.wish != hold.wish:
        return heir
    if hold.state is HoldState.SENT:
        return moved(heir, HoldState.SENT, "", at=at)
    return replace(moved(heir, HoldState.HOLDING, "", at=at), takes=max(heir.takes, 1))


def _released(case: SlotCase, hold: Hold, *, is_fresh: bool, at: datetime) -> Hold:
    """The hold when its condition ended, by the table."""
    match hold.state:
        case HoldState.PENDING if hold.takes > 0 and case.value == hold.wish:
            # It was overruled, but what it took is still there.
            return _released_from_taken(case, hold, at=at)
        case HoldState.PENDING:
            return moved(hold, HoldState.RELEASED, "its condition ended before it was taken", at=at)
        case HoldState.SENT if _is_unsure(case, hold, is_fresh=is_fresh):
            if hold.is_left or _others(case, hold):
                return moved(hold, HoldState.RELEASED, "its condition ended", at=at)
            # Giving back what was not taken is safe; forgetting what was is not. How often it was taken is not known.
            return moved(replace(hold, takes=0), HoldState.OWED, "its condition ended", at=at)
        case HoldState.SENT:
            return moved(hold, HoldState.RELEASED, "its condition ended before it was taken", at=at)
        case HoldState.TAKEN | HoldState.HOLDING:
            return _released_from_taken(case, hold, at=at)
        case HoldState.STEPPED_BACK:
            return moved(hold, HoldState.RELEASED, "a person had changed it back", at=at)
        case _:
            return hold


def _released_from_taken(case: SlotCase, hold: Hold, *, at: datetime) -> Hold:
    if hold.is_left:
        return moved(hold, HoldState.RELEASED, "left as it is", at=at)
    if case.slot.baseline in {hold.wish, case.value}:
        return moved(hold, HoldState.RELEASED, "its condition ended; there was nothing to give back", at=at)
    if others := _others(case, hold):
        return moved(hold, HoldState.RELEASED, f"{others[0].rule} still holds it", at=at)
    return moved(hold, HoldState.OWED, "its condition ended", at=at)


def _others(case: SlotCase, hold: Hold) -> list[Hold]:
    """Who else has a say in the slot and wants the same."""
    return [each for each in case.slot.holds if each is not hold and each.state.is_claim and each.wish == hold.wish]
