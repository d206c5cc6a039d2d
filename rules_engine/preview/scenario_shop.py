"""A shop in miniature for tests of rules: it shows what the test gives, does every call, and shows it from then on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from rules_engine.core.action import Aspect, SlotRef, SlotValue
from rules_engine.core.directory import CategoryEntry, Directory, Unresolved
from rules_engine.core.rule import Effect, EffectKind, Every, Identified, Named, Rule, Target, Under
from rules_engine.core.scenario import Glimpse, Scenario
from rules_engine.core.store import Names, Store
from rules_engine.core.subject import SubjectKind, complete
from rules_engine.vendors.base import AnyVendor

SUBJECT = "test"
"""The id of a product or category to which the test gives none."""

_CLEARS = {
    "stock": ("tracks_stock", "in_stock"),
    "variants": ("stock", "tracks_stock", "in_stock"),
    "in_stock": ("stock", "tracks_stock"),
    "tracks_stock": ("in_stock",),
    "on_sale": ("compare_at_price",),
}
"""What was said before about the same thing, and no longer counts once this is said. In one breath all counts."""

_FOLLOWS = {
    "stock": ("tracks_stock", "in_stock", "can_be_ordered"),
    "in_stock": ("can_be_ordered",),
    "price": ("on_sale",),
    "compare_at_price": ("on_sale",),
    "categories": ("category_ids",),
    "category_ids": ("categories",),
    "brand": ("brand_id",),
    "name": ("names",),
}
"""What nobody knows either when this is unknown, unless the test gives it."""

_EMPTY: Mapping[str, Any] = {"published": True, "categories": [], "tags": [], "attributes": {}, "variants": []}
"""How a field that the test does not give is known to be empty; None for all others. What is for sale is published."""

_ELSEWHERE = frozenset({"id", "names", "category_names", "category_ids", "raw", "member_ids", "on_sale"})
"""Fields that are not empty by themselves: ids, what follows from other fields, and the shop's own object."""

_STOCK = ("tracks_stock", "in_stock", "can_be_ordered")


@dataclass(slots=True)
class Shown:
    """A product or category as people made it (`given`, in the words of the test), and what the rule did to it."""

    kind: SubjectKind
    id: str
    given: dict[str, Any]
    unknown: frozenset[str] = frozenset()
    slots: dict[SlotRef, SlotValue] = field(default_factory=dict)
    is_gone: bool = False

    def change(self, glimpse: Glimpse, *, since: Mapping[str, Any] | None = None) -> None:
        """Somebody changes it: what the glimpse gives replaces what was. With `since` only what differs from it.

        What a person says about categories, visibility or the brand ends what the rule had done there.
        """
        given = dict(glimpse.fields)
        touched: set[Aspect | None] = set()
        if since is not None:
            for name in [name for name in since if name not in given]:
                self.given.pop(name, None)
            touched |= {_aspect_of(name) for name in since if name not in given}
            given = {name: value for name, value in given.items() if name not in since or value != since[name]}
        for name in given:
            for other in _CLEARS.get(name, ()):
                if other not in given:
                    self.given.pop(other, None)
        if given.get("can_be_ordered") is False and "stock" not in given:
            for other in ("stock", "tracks_stock", "in_stock"):
                self.given.pop(other, None)
        self.given |= given
        self.unknown = (self.unknown - set(given)) | glimpse.unknown
        touched |= {_aspect_of(name) for name in given}
        self.slots = {ref: value for ref, value in self.slots.items() if ref.aspect not in touched}


def _aspect_of(name: str) -> Aspect | None:
    known = {"categories": Aspect.MEMBERSHIP, "category_ids": Aspect.MEMBERSHIP, "published": Aspect.VISIBILITY}
    return known.get(name, Aspect.BRAND if name in {"brand", "brand_id"} else None)


class Shop:
    """What a store's shop shows in a test. Categories and brands exist as soon as the test or the rule names them."""

    def __init__(self, scenario: Scenario, rule: Rule, store: Store, vendor: AnyVendor) -> None:
        self._fields = {name.partition(".")[2]: None for name in vendor.fields if name.startswith(f"{scenario.about}.")}
        self._member_fields = {name.partition(".")[2] for name in vendor.fields if name.startswith("product.")}
        self.directory = _directory(scenario, rule, store, brands_are_names=vendor.CAPABILITIES.brands_are_names)
        self.shown: dict[tuple[SubjectKind, str], Shown] = {}

    def category_ids(self, names: Iterable[object]) -> list[str]:
        """The ids of categories by their names or paths."""
        return [self._category_id(str(name)) for name in names]

    def _category_id(self, name: str) -> str:
        found = self.directory.category(Named(name))
        return _path_id(_parts(name)) if isinstance(found, Unresolved) else found

    def fields(self, shown: Shown) -> dict[str, Any]:
        """The product or category as an adapter would give it: every field of the shop's, unless nobody knows it."""
        if shown.kind is SubjectKind.CATEGORY:
            return self._category(shown)
        given = dict(shown.given)
        known = {name: _EMPTY.get(name) for name in self._member_fields - _ELSEWHERE - {*_STOCK, "stock"}}
        unknown = set(shown.unknown)
        unknown |= {name for each in shown.unknown for name in _FOLLOWS.get(each, ()) if name not in given}
        done = {**known, **given, **_stock(given, has_stock="stock" in self._member_fields), "id": shown.id}
        if given.get("on_sale") and "compare_at_price" not in given:
            del done["compare_at_price"]  # it is on sale from some price that the test does not name
        done["category_ids"] = self._memberships(shown)
        done.pop("categories", None)
        done |= self._brand(given) if {"brand", "brand_id"} & {*given, *self._member_fields} else {}
        if given.get("name"):
            done["names"] = [str(given["name"])]
        for ref, value in shown.slots.items():
            if ref.aspect is Aspect.VISIBILITY:
                done["published"] = value
            elif ref.aspect is Aspect.BRAND:
                done["brand_id"] = value
                done["brand"] = self.directory.brand_name(str(value)) or value if value is not None else None
        done["category_names"] = {
            id_: list(names) for id_ in done["category_ids"] if (names := self.directory.category_names(id_))
        }
        return self._completed(done, unknown, given)

    def _completed(self, done: dict[str, Any], unknown: set[str], given: Mapping[str, Any]) -> dict[str, Any]:
        done = {name: value for name, value in done.items() if name not in unknown}
        if "category_ids" in unknown:
            done.pop("category_names", None)
        whole = complete(done)
        return {name: value for name, value in whole.items() if name not in unknown or name in given}

    def _memberships(self, shown: Shown) -> list[str]:
        ids = [
            *self.category_ids(shown.given.get("categories") or ()),
            *map(str, shown.given.get("category_ids") or ()),
        ]
        for ref, value in shown.slots.items():
            if ref.aspect is Aspect.MEMBERSHIP:
                ids = [id_ for id_ in ids if id_ != ref.target] + ([ref.target] if value else [])
        return list(dict.fromkeys(ids))

    def _brand(self, given: Mapping[str, Any]) -> dict[str, Any]:
        name, id_ = given.get("brand"), given.get("brand_id")
        if name and not id_:
            found = self.directory.brand(Named(str(name)))
            id_ = str(name) if isinstance(found, Unresolved) else found
        return {"brand": name or None, "brand_id": str(id_) if id_ else None}

    def _category(self, shown: Shown) -> dict[str, Any]:
        given, entry = shown.given, self.directory.categories.get(shown.id)
        members = [each.id for each in self.members(shown.id)]
        derived: dict[str, Any] = {
            "id": shown.id,
            "name": entry.names[0] if entry and entry.names else None,
            "path": self.directory.path(shown.id) if entry and entry.names else None,
            "parent_id": entry.parent_id if entry else None,
            "published": True,
            "product_count": len(members),
            "member_ids": members,
        }
        known = {name: value for name, value in derived.items() if name in {*self._fields, "id", "member_ids"}}
        own = {name: value for name, value in given.items() if name != "id"}
        if derived["name"]:
            known["names"] = [derived["name"]]
        return {name: value for name, value in {**known, **own}.items() if name not in shown.unknown}

    def members(self, category: str) -> list[Shown]:
        """The products that are in a category now."""
        products = [each for each in self.shown.values() if each.kind is SubjectKind.PRODUCT and not each.is_gone]
        return [each for each in products if category in self._memberships(each)]

    def called(self, id_: str, *, is_brand: bool) -> str:
        """What a test calls a category or brand: its name, or its path below others; the id where it has none."""
        if is_brand:
            return self.directory.brand_name(id_) or id_
        names = self.directory.category_names(id_)
        return self.directory.path(id_) if id_ in self.directory.categories and names else next(iter(names), id_)

    def plainly(self, text: str) -> str:
        """A sentence of the core without the ids that were made up here: `Featured (Featured)` is `Featured`."""
        for id_ in self.directory.categories:
            text = text.replace(f" ({id_})", "")
        return text

    def does(self, ref: SlotRef, value: SlotValue) -> None:
        """A call of the rule: the slot of this product has this value now."""
        self.shown[SubjectKind.PRODUCT, ref.product].slots[ref] = value


def _stock(given: Mapping[str, Any], *, has_stock: bool) -> dict[str, Any]:
    """What a test says about stock, without gaps: not given is unlimited; sold out in other words is a stock of 0."""
    if not has_stock and not {"stock", "variants", *_STOCK} & set(given):
        return {}
    done = {name: given[name] for name in ("stock", *_STOCK) if name in given}
    if given.get("variants"):
        done["variants"] = [_variant(each) for each in given["variants"]]
        if "stock" not in done and all("stock" in each for each in done["variants"]):
            return done
    if "stock" not in done:
        says_sold_out = False in {done.get("in_stock"), done.get("can_be_ordered")}
        is_tracked = done.get("tracks_stock")
        if is_tracked is not False and (says_sold_out or (is_tracked and not done.get("in_stock"))):
            done["stock"] = 0
        elif not is_tracked:
            done["stock"] = None
    return done


def _variant(given: object) -> dict[str, Any]:
    fields = dict(given) if isinstance(given, Mapping) else {}
    if "stock" in fields:
        fields.setdefault("in_stock", fields["stock"] is None or fields["stock"] > 0)
    return fields


# Which categories and brands there are.


def _directory(scenario: Scenario, rule: Rule, store: Store, *, brands_are_names: bool) -> Directory:
    names = store.settings.names
    effects = [
        e for e in (*rule.effects, *scenario.held, *_expected(scenario)) if e.kind is not EffectKind.ASSIGN_BRAND
    ]
    targets = [_inner(target) for effect in effects for target in effect.targets]
    targets += [*rule.guards.fallbacks, *(floor.target for floor in rule.guards.floors)]
    wanted = [target.name for target in targets if isinstance(target, Named)]
    given = [str(name) for each in glimpses(scenario) for name in each.fields.get("categories") or ()]
    known = Directory(_subject_entries(scenario), names, brands_are_names=brands_are_names)
    # The longest paths first, so that `Shoes` means the `Home / Shoes` that another line of the test names.
    for name in sorted([*wanted, *given], key=lambda name: -len(_parts(name))):
        known = _with_category(known, _parts(name))
    brands = {**names.brands, **{name: name for name in _brands(scenario, rule) if _is_new_brand(known, name)}}
    return Directory(
        known.categories, Names(categories=names.categories, brands=brands), brands_are_names=brands_are_names
    )


def glimpses(scenario: Scenario) -> tuple[Glimpse, ...]:
    """Everything that the test shows, in order."""
    return (*([scenario.before] if scenario.before else []), scenario.given, *scenario.then)


def subject_id(scenario: Scenario) -> str:
    """The id of what the test is about: the one that it gives, else its path, name or SKU, else one made up."""
    given = scenario.given.fields
    names = ("id", "sku") if scenario.about is SubjectKind.PRODUCT else ("id", "path", "name")
    return next((str(given[name]) for name in names if given.get(name)), SUBJECT)


def _subject_entries(scenario: Scenario) -> dict[str, CategoryEntry]:
    """The category that a test of a rule about categories is about."""
    if scenario.about is not SubjectKind.CATEGORY:
        return {}
    id_, given = subject_id(scenario), scenario.given.fields
    parts = _parts(str(given.get("path") or given.get("name") or ""))
    above = Directory()
    if len(parts) > 1:
        above = _with_category(above, parts[:-1])
    parent = given.get("parent_id") or (_path_id(parts[:-1]) if len(parts) > 1 else None)
    named = (str(given.get("name") or parts[-1]),) if parts[-1] else ()
    return {**above.categories, id_: CategoryEntry(id_, named, str(parent) if parent else None)}


def _with_category(known: Directory, parts: tuple[str, ...]) -> Directory:
    """With the category of this path, and those above it; each that is known already stays the one that it is."""
    if not isinstance(known.category(Named(" / ".join(parts))), Unresolved) or _is_ambiguous(known, parts):
        return known
    above = parts[:-1]
    known = _with_category(known, above) if above else known
    parent = known.category(Named(" / ".join(above))) if above else None
    id_ = _path_id(parts)
    entry = CategoryEntry(id_, (parts[-1],), None if isinstance(parent, Unresolved) else parent)
    return Directory({**known.categories, id_: entry}, known.names, brands_are_names=known.brands_are_names)


def _is_ambiguous(known: Directory, parts: tuple[str, ...]) -> bool:
    return _path_id(parts) in known.categories


def _path_id(parts: tuple[str, ...]) -> str:
    return " / ".join(parts)


def _parts(name: str) -> tuple[str, ...]:
    """A path as its names. Only a stroke between blanks divides it: `Bed/Bath` is one name."""
    return tuple(part.strip() for part in name.split(" / "))


def _inner(target: Target) -> Named | Identified | None:
    if isinstance(target, Under):
        return target.target
    return None if isinstance(target, Every) else target


def _expected(scenario: Scenario) -> tuple[Effect, ...]:
    return scenario.expect if isinstance(scenario.expect, tuple) else ()


def _brands(scenario: Scenario, rule: Rule) -> list[str]:
    effects = (*rule.effects, *scenario.held, *_expected(scenario))
    assigned = [t.name for e in effects if e.kind is EffectKind.ASSIGN_BRAND for t in e.targets if isinstance(t, Named)]
    given = [str(each.fields["brand"]) for each in glimpses(scenario) if each.fields.get("brand")]
    return list(dict.fromkeys([*assigned, *given]))


def _is_new_brand(known: Directory, name: str) -> bool:
    return isinstance(known.brand(Named(name)), Unresolved)
