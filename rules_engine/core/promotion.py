"""A shop that puts a product into a category by itself when our call took its last one: held too, and undone later.

Such a shop (Ecwid) shows the product at its top level. Nobody asked for that, so it belongs to the rules that took the
product out, and it goes when they give back: after the product is in another category again, never before.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime

from .action import Aspect, SlotRef
from .holds import HoldState, Slot
from .observe import TOOK, SlotCase
from .rule import RuleCode
from .subject import SubjectRef
from .view import Fields, shown

Slots = Mapping[SlotRef, SlotCase]


def promoted(slots: Slots, ref: SlotRef, *, fields: Fields, before: Fields | None, at: datetime) -> SlotCase | None:
    """The slot of the membership `ref` that the shop made by itself, held by a rule that took the product out."""
    ids = fields.get("category_ids", ())
    if ref.target not in ids or ref in slots or before is None or shown(before, ref) is not False:
        return None
    takers = {
        each.slot.ref.target: hold
        for each in slots.values()
        for hold in each.slot.holds
        if each.slot.ref.aspect is Aspect.MEMBERSHIP and hold.state in TOOK and hold.wish is False and not hold.is_left
    }
    was_last = list(ids) == [ref.target] or set(before["category_ids"]) <= set(takers)
    taker = next(iter(takers.values()), None)
    if taker is None or not was_last:
        return None
    reason = "the shop put it there"
    hold = replace(taker, id=None, wish=True, state=HoldState.HOLDING, takes=1, reason=reason, since=at)
    case = SlotCase(Slot(ref, baseline=False, since=at, holds=(hold,)), value=True)
    return case.note(taker.rule, f"the shop put it into category {ref.target} by itself: held too")


def stays_promoted(
    slots: Slots,
    ref: SlotRef,
    who: tuple[RuleCode, SubjectRef],
    *,
    out_of: Iterable[str],
    fields: Fields,
    people_see: Fields,
) -> bool:
    """Whether a rule that takes the product `out_of` categories holds such a membership too.

    While it is the product's only one, all who keep the product out hold it: it cannot go before another is back.
    `people_see` is the product as people made it.
    """
    if ref not in slots:
        return False
    holders = [(hold.rule, hold.subject) for hold in slots[ref].slot.open_holds if hold.wish is True]
    is_only = list(fields.get("category_ids", ())) == [ref.target]
    keeps_out = not set(out_of).isdisjoint(people_see.get("category_ids", ()))
    return who in holders or (bool(holders) and is_only and keeps_out)
