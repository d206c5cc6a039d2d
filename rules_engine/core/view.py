"""A product with its slots: what a slot shows, and the product with some slots set otherwise."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import Enum
from typing import Any

from .action import Aspect, SlotRef, SlotValue
from .directory import Directory
from .holds import Slot
from .subject import complete


class Unseen(Enum):
    """The value of a slot that was not seen: the field is unknown."""

    UNSEEN = "unseen"


UNSEEN = Unseen.UNSEEN

Fields = Mapping[str, Any]

_NEVER_A_CHANGE = frozenset({"raw", "updated_at", "product_count"})
"""Fields that move by themselves: another value of theirs is no change of the subject."""


def shown(fields: Fields | None, slot: SlotRef) -> SlotValue | Unseen:
    """What the product's fields show for a slot."""
    if fields is None:
        return UNSEEN
    match slot.aspect:
        case Aspect.MEMBERSHIP:
            return slot.target in fields["category_ids"] if "category_ids" in fields else UNSEEN
        case Aspect.VISIBILITY:
            return bool(fields["published"]) if "published" in fields else UNSEEN
        case Aspect.BRAND:
            if fields.get("brand_id") is not None:
                return str(fields["brand_id"])
            # A brand whose id is unknown is not "no brand".
            known = "brand_id" in fields or ("brand" in fields and fields["brand"] is None)
            return None if known and not fields.get("brand") else UNSEEN


def label_of(slot: SlotRef, fields: Fields) -> str:
    """What people call a slot of this product: `Featured (9691094)`, `visibility`, `brand`."""
    if slot.aspect is not Aspect.MEMBERSHIP:
        return str(slot.aspect)
    names = (fields.get("category_names") or {}).get(slot.target)
    return f"{names[0]} ({slot.target})" if names and names[0] != slot.target else f"category {slot.target}"


def with_slots(fields: Fields, values: Mapping[SlotRef, SlotValue], directory: Directory) -> dict[str, Any]:
    """The product's fields with these slots set. A membership is set only where memberships are known."""
    done = dict(fields)
    for slot, value in values.items():
        match slot.aspect:
            case Aspect.MEMBERSHIP if "category_ids" in done:
                others = [id_ for id_ in done["category_ids"] if id_ != slot.target]
                done["category_ids"] = [*others, slot.target] if value else others
            case Aspect.MEMBERSHIP:
                pass
            case Aspect.VISIBILITY:
                done["published"] = bool(value)
            case Aspect.BRAND:
                done["brand_id"] = value
                done["brand"] = _brand_name(done, value, directory)
    return named(done, directory)


def named(fields: Fields, directory: Directory) -> dict[str, Any]:
    """The fields with categories in one order and with every name that the directory knows for them."""
    done = dict(fields)
    if "category_ids" in done:
        done["category_ids"] = sorted(done["category_ids"])
        names = {id_: list(given) for id_, given in (done.get("category_names") or {}).items() if given}
        for id_ in done["category_ids"]:
            known = [*names.get(id_, ()), *directory.category_names(id_)]
            if known:
                names[id_] = list(dict.fromkeys(known))
        done["category_names"] = names
        done.pop("categories", None)
        done = complete(done)
    if done.get("brand_id") is not None and not done.get("brand"):
        done["brand"] = directory.brand_name(str(done["brand_id"]))
    if done.get("brand_id") is not None and done.get("brand"):
        done["brand_names"] = {**(done.get("brand_names") or {}), done["brand_id"]: done["brand"]}
    return done


def as_people_made_it(fields: Fields, slots: Iterable[Slot], directory: Directory) -> dict[str, Any]:
    """The product as people and other systems made it: every held slot at its baseline. This is what conditions see."""
    held = {slot.ref: slot.baseline for slot in slots if slot.open_holds}
    return with_slots(fields, held, directory)


def remember_names(fields: Fields, before: Fields | None) -> dict[str, Any]:
    """The fields with the names of categories and brands that an earlier sighting knew and this one does not."""
    done = dict(fields)
    for key in ("category_names", "brand_names"):
        earlier = (before or {}).get(key)
        if earlier:
            done[key] = {**earlier, **(done.get(key) or {})}
    return done


def is_changed(before: Fields | None, now: Fields) -> bool:
    """Whether a subject is another than it was, apart from what moves by itself; the first sight is a change."""
    return before is None or _settled(before) != _settled(now)


def _settled(fields: Fields) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if name not in _NEVER_A_CHANGE}


def _brand_name(fields: Fields, value: SlotValue, directory: Directory) -> str | None:
    if value is None:
        return None
    known = (fields.get("brand_names") or {}).get(value)
    return known or directory.brand_name(str(value)) or str(value)
