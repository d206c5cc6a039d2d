"""For which stores a rule can run: what each vendor can do, which fields it fills, and what it cannot give back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from rules_engine.core.action import ActionKind
from rules_engine.core.delivery import StoreAlias
from rules_engine.core.explain import listed
from rules_engine.core.fields import subject_fields
from rules_engine.core.problem import Place
from rules_engine.core.rule import EffectKind, Every, Floor, Named, Target, Trigger, Under
from rules_engine.core.store import Store
from rules_engine.core.subject import SubjectKind
from rules_engine.core.words import fold

from .conditions import Use
from .effects import CATEGORY_KINDS, MEMBERSHIP_KINDS, PlacedEffect
from .limits import PlacedLimit
from .report import Report
from .vendor import VendorSpec, add_may_change_more, called
from .yaml import ScalarNode

_EXEMPT = frozenset({"id", "raw"})
"""Every shop has ids, and `raw` is whatever the shop sends."""


@dataclass(frozen=True, slots=True)
class Needs:
    """What a rule asks of a store."""

    code: ScalarNode
    about: SubjectKind
    trigger: Trigger
    effects: tuple[PlacedEffect, ...]
    uses: tuple[Use, ...]
    puts_back: bool
    says_afterwards: bool
    fallback: PlacedEffect | None = None
    floors: tuple[Floor, ...] = ()
    limits: tuple[PlacedLimit, ...] = ()

    @property
    def all_effects(self) -> tuple[PlacedEffect, ...]:
        """What it does, and what it does when no category is left."""
        return self.effects if self.fallback is None else (*self.effects, self.fallback)


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Why a rule cannot run for a store, in a sentence, and where the rule asks for it."""

    place: Place
    code: str
    message: str
    advice: str = ""


class Fit:
    """Finds the stores of each rule."""

    def __init__(self, report: Report, stores: Sequence[Store], vendors: Mapping[str, VendorSpec]) -> None:
        self._report = report
        self._stores = {store.alias: store for store in stores}
        self._specs = {store.alias: vendors[store.settings.vendor] for store in stores}

    @property
    def aliases(self) -> tuple[StoreAlias, ...]:
        """All stores, in the order of stores.yaml."""
        return tuple(self._stores)

    def of_vendor(self, name: str) -> str:
        """The advice for a rule that names a vendor in the place of a store, or nothing."""
        names = {alias: {fold(spec.TITLE), self._stores[alias].settings.vendor} for alias, spec in self._specs.items()}
        found = [alias for alias, called_so in names.items() if fold(name) in called_so]
        return f"the store of that vendor is called {listed(found, 'or')}" if found else ""

    def named(self, needs: Needs, aliases: Sequence[StoreAlias]) -> tuple[StoreAlias, ...]:
        """The stores that the rule names; whatever stands in the way of one is an error."""
        found = []
        for alias in aliases:
            obstacles = list(self._obstacles(needs, alias))
            for obstacle in obstacles:
                self._report.error(obstacle.place, obstacle.code, obstacle.message, obstacle.advice)
            if not obstacles:
                found.append(alias)
        self._check_afterwards(needs, found)
        return tuple(found)

    def able(self, needs: Needs) -> tuple[tuple[StoreAlias, ...], dict[StoreAlias, str]]:
        """The stores that can do all that the rule asks, and why each of the others is left out."""
        found: list[StoreAlias] = []
        left_out: dict[StoreAlias, str] = {}
        for alias in self._stores:
            reasons = list(dict.fromkeys(obstacle.message for obstacle in self._obstacles(needs, alias)))
            if reasons:
                left_out[alias] = "; ".join(reasons)
            else:
                found.append(alias)
        if not found:
            advice = ". ".join(left_out.values()) or "add a store to stores.yaml"
            self._report.error(needs.code.place, "no-store", "no store can run this rule", advice)
        self._check_afterwards(needs, found)
        return tuple(found), left_out

    def warn_of_names(self, needs: Needs, aliases: Sequence[StoreAlias]) -> None:
        """Warn of names to which stores.yaml gives no id, where the shop cannot be asked for it."""
        for alias in aliases:
            for effect in needs.effects:  # a fallback runs only where categories can be read
                is_brand = effect.effect.kind is EffectKind.ASSIGN_BRAND
                is_category = effect.effect.kind in CATEGORY_KINDS
                if is_brand and self._specs[alias].CAPABILITIES.brands_are_names:
                    continue
                if is_brand or (is_category and not self._specs[alias].CAPABILITIES.can_read_categories):
                    self._warn_of_unknown(alias, effect, is_brand=is_brand)

    def warn_of_shares(self, needs: Needs, aliases: Sequence[StoreAlias]) -> None:
        """Warn of limits in percent where nobody can know of how many products: the shop cannot list them."""
        for placed in needs.limits:
            blind = [alias for alias in aliases if not self._specs[alias].CAPABILITIES.can_list]
            if placed.limit.is_percent and blind:
                names = listed(self._called(alias) for alias in blind)
                said = (
                    f"{names} cannot list its products, so nobody knows what {placed.limit.amount} percent of them is"
                )
                advice = "write a number of products; as it is, the rule asks there each time"
                self._report.warn(placed.place, "needs-reading", said, advice)

    def _warn_of_unknown(self, alias: StoreAlias, effect: PlacedEffect, *, is_brand: bool) -> None:
        names = self._stores[alias].settings.names
        what, key = ("brand", "brands") if is_brand else ("category", "categories")
        known = {fold(name) for name in (names.brands if is_brand else names.categories)}
        for target, place in effect.targets:
            if isinstance(target, Named) and fold(target.name) not in known:
                name = target.name[:60]
                said = f'{self._called(alias)} cannot be asked which {what} "{name}" is, so the rule waits there'
                advice = f"give its id in stores.yaml: `names: {{{key}: {{{name}: …}}}}`"
                self._report.warn(place, "unknown-brand" if is_brand else "unknown-category", said, advice)

    def _called(self, alias: StoreAlias) -> str:
        return called(self._stores[alias], self._specs[alias])

    def _obstacles(self, needs: Needs, alias: StoreAlias) -> Iterator[Obstacle]:
        spec, name = self._specs[alias], self._called(alias)
        if needs.about is SubjectKind.CATEGORY and not any(field.startswith("category.") for field in spec.FIELDS):
            said = f"{name} shows nothing of its categories, so no rule about them can run there"
            yield Obstacle(needs.code.place, "lacks-field", said, f"leave {alias} out of `stores`")
            return
        if needs.fallback is not None:
            yield from _missing_membership(needs.fallback.place, "if_no_category_is_left", spec, name)
        if needs.floors and ActionKind.REMOVE_FROM_CATEGORY in spec.CAPABILITIES.actions:  # else that is said
            yield from _missing_membership(needs.floors[0].place or needs.code.place, "never_leave", spec, name)
        for effect in needs.all_effects:
            yield from _missing_actions(effect, spec, name, puts_back=needs.puts_back)
            for target, place in effect.targets:
                yield from _missing_tree(target, place, spec, name)
        mapped: frozenset[str] = getattr(self._stores[alias].settings, "mapped_fields", frozenset())
        yield from _missing_fields(needs, spec, name, spec.FIELDS | mapped)

    def _check_afterwards(self, needs: Needs, aliases: Sequence[StoreAlias]) -> None:
        """Where adding changes more than the membership, giving back is not harmless: the rule must say it."""
        changes_membership = any(effect.effect.kind in MEMBERSHIP_KINDS for effect in needs.effects)
        if needs.trigger is not Trigger.WHILE or needs.says_afterwards or not changes_membership:
            return
        risky = [alias for alias in aliases if add_may_change_more(self._specs[alias])]
        if risky:
            names = listed(self._called(alias) for alias in risky)
            said = (
                f"in {names}, adding a product to a category may change more of it, so the rule must say `afterwards:`"
            )
            advice = "write `afterwards: put back` or `afterwards: leave`"
            self._report.error(needs.code.place, "say-afterwards", said, advice)


def _missing_actions(effect: PlacedEffect, spec: VendorSpec, name: str, *, puts_back: bool) -> Iterator[Obstacle]:
    kind, able = effect.effect.kind, spec.CAPABILITIES.actions
    is_empty = kind is EffectKind.EMPTY_CATEGORY
    forward = ActionKind.REMOVE_FROM_CATEGORY if is_empty else ActionKind(kind.value)
    if forward not in able or (is_empty and not spec.CAPABILITIES.can_empty_category):
        advice = f"write another action, or leave the store out of `stores`; it can: {_can(spec)}"
        yield Obstacle(effect.place, "cannot-do", f"{name} cannot {_SPOKEN[kind.value]}", advice)
    elif puts_back and not kind.actions <= able:
        missing = listed(_SPOKEN[action.value] for action in sorted(kind.actions - able))
        said = f"{name} cannot put this back: it cannot {missing}"
        yield Obstacle(effect.place, "cannot-put-back", said, "write `afterwards: leave`")


def _missing_tree(target: Target, place: Place, spec: VendorSpec, name: str) -> Iterator[Obstacle]:
    if isinstance(target, Under) and not spec.CAPABILITIES.can_read_categories:
        said = f"{name} cannot be asked which categories lie below another"
        yield Obstacle(place, "cannot-do", said, "name the categories")
    if isinstance(target, Under | Every) and "product.category_ids" not in spec.FIELDS:
        said = f"{name} does not show which categories a product is in"
        yield Obstacle(place, "cannot-do", said, "name the categories")


def _missing_membership(place: Place, guard: str, spec: VendorSpec, name: str) -> Iterator[Obstacle]:
    """A guard that has to know the categories of products is kept only where a read shows them."""
    if not spec.CAPABILITIES.can_read or "product.category_ids" not in spec.FIELDS:
        said = f"{name} cannot be asked which categories a product is in, so `{guard}` cannot be kept"
        yield Obstacle(place, "needs-reading", said, "leave it out, or leave this store out of `stores`")


def _missing_fields(needs: Needs, spec: VendorSpec, name: str, fields: frozenset[str]) -> Iterator[Obstacle]:
    seen: set[str] = set()
    for use in needs.uses:
        root, _, field = use.field.partition(".")
        wanted = f"{needs.about}.{field}" if root == "before" else use.field
        is_ours = root in {"product", "category", "before"} and field and field not in _EXEMPT
        if not is_ours or wanted in fields or wanted in seen:
            continue
        seen.add(wanted)
        via = f' (used by "{use.via}")' if use.via else ""
        shown = [known for known in subject_fields(needs.about) if f"{needs.about}.{known}" in fields]
        advice = (
            f"leave the store out of `stores`, or use what {spec.TITLE} shows of a {needs.about}: {', '.join(shown)}"
        )
        yield Obstacle(use.place, "lacks-field", f"{name} has no {wanted}{via}", advice)


_SPOKEN = {
    "add_to_category": "add products to categories",
    "remove_from_category": "take products out of categories",
    "empty_category": "empty categories",
    "assign_brand": "give products a brand",
    "unassign_brand": "take the brand off products",
    "hide": "hide products",
    "show": "show products",
}
"""What a store cannot do, by action."""


def _can(spec: VendorSpec) -> str:
    kinds = [action.value for action in sorted(spec.CAPABILITIES.actions)]
    return ", ".join([*kinds, *(["empty_category"] if spec.CAPABILITIES.can_empty_category else [])])
