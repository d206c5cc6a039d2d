"""What holds a rule back, as its keys say it → guards; a guard that would not be kept is refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from rules_engine.core.problem import Place
from rules_engine.core.rule import (
    FLAP_LIMIT,
    LONGEST_PAUSE,
    EffectKind,
    Floor,
    Guards,
    Identified,
    Named,
    Target,
    Trigger,
)
from rules_engine.core.subject import SubjectKind
from rules_engine.core.words import fold

from .asking import read_asking
from .effects import Effects, PlacedEffect
from .floors import FloorReader
from .hours import read_hours
from .limits import PlacedLimit, read_limits
from .report import Report
from .spans import read_span
from .yaml import MapNode, Node, ScalarNode

KEYS = (
    *("must_last", "at_most_every", "between", "weekdays", "insist", "flap_limit"),
    *("if_no_category_is_left", "limits", "never_leave", "ask_first"),
)
"""The keys of a rule that are guards."""

MOST_TAKES = 1000

_TAKING_OUT = frozenset({EffectKind.REMOVE_FROM_CATEGORY, EffectKind.EMPTY_CATEGORY})
_OF_ACTIONS = frozenset(KEYS) - {"must_last", "if_no_category_is_left"}
"""What holds back changes in the shop only; `if_no_category_is_left` has a sentence of its own."""

OF_A_STRETCH = {
    "must_last": "a moment does not last",
    "insist": "a moment holds nothing that a person could put back",
    "flap_limit": "a moment takes nothing and gives nothing back",
}


@dataclass(frozen=True, slots=True)
class PlacedGuards:
    """The guards of a rule; the effect that `if_no_category_is_left` asks for, and its limits, with their places."""

    guards: Guards
    fallback: PlacedEffect | None = None
    limits: tuple[PlacedLimit, ...] = ()


class GuardReader:
    """Reads the guards of rules; what is wrong is reported."""

    def __init__(self, report: Report, effects: Effects) -> None:
        self._report = report
        self._effects = effects
        self._floors = FloorReader(report, effects)

    def read(
        self,
        node: MapNode,
        trigger: Trigger | None,
        effects: Sequence[PlacedEffect] | None,
        ceilings: Sequence[PlacedLimit] = (),
    ) -> PlacedGuards:
        """The guards of a rule. `effects` is what it does, None where that is wrong; `ceilings` are its file's."""
        self._refuse_needless(node, trigger, effects)
        only_tells = effects is not None and not effects
        limits = () if only_tells else read_limits(self._report, node.get("limits"), ceilings=ceilings)
        empties = any(placed.effect.kind is EffectKind.EMPTY_CATEGORY for placed in effects or ())
        span = self._span(node, "must_last")
        pause = self._span(node, "at_most_every", most=LONGEST_PAUSE)
        fallback = self._fallback(node, effects)
        guards = Guards(
            must_last=span,
            at_most_every=pause,
            flap_limit=self._flap_limit(node.get("flap_limit")),
            insists=self._insists(node.get("insist")),
            hours=read_hours(self._report, node),
            fallbacks=_single(fallback.effect.targets) if fallback else (),
            fallback_places=fallback.effect.places if fallback else (),
            limits=tuple(placed.limit for placed in limits),
            floors=() if only_tells else self._never_leave(node, effects),
            ask_over=None if only_tells else read_asking(self._report, node.get("ask_first"), empties=empties),
        )
        return PlacedGuards(guards, fallback, limits)

    def _refuse_needless(self, node: MapNode, trigger: Trigger | None, effects: Sequence[PlacedEffect] | None) -> None:
        """Report guards of a stretch under a moment, and guards of actions where the rule only tells somebody."""
        for key, _ in node:
            name = key.text
            if name in OF_A_STRETCH and trigger is Trigger.AS_SOON_AS:
                said = f"`{name}` says nothing under `as_soon_as`: {OF_A_STRETCH[name]}"
                advice = f"leave `{name}` out, or write the rule with `while:`"
                self._report.error(key.place, "needless-key", said, advice)
            elif name in _OF_ACTIONS and effects is not None and not effects:
                said = f"`{name}` is about changes in the shop, and this rule only tells somebody"
                self._report.error(key.place, "needless-key", said, f"leave `{name}` out")

    def _span(self, node: MapNode, name: str, *, most: timedelta | None = None) -> timedelta | None:
        value = node.get(name)
        if value is None:
            return None
        return read_span(self._report, value, name) if most is None else read_span(self._report, value, name, most=most)

    def _insists(self, node: Node | None) -> bool:
        if node is None:
            return False
        value = node.written.value if isinstance(node, ScalarNode) else None
        if isinstance(value, bool):
            return value
        self._report.error(
            node.place, "wrong-type", "`insist` is true or false", "write `insist: true`, or leave it out"
        )
        return False

    def _flap_limit(self, node: Node | None) -> int:
        if node is None:
            return FLAP_LIMIT
        value = node.written.value if isinstance(node, ScalarNode) else None
        if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= MOST_TAKES:
            return value
        said = (
            f"`flap_limit` is a whole number from 1 to {MOST_TAKES}: how often in 24 hours the rule takes one product"
        )
        self._report.error(node.place, "wrong-type", said, f"write `flap_limit: {FLAP_LIMIT}`")
        return FLAP_LIMIT

    def _never_leave(self, node: MapNode, effects: Sequence[PlacedEffect] | None) -> tuple[Floor, ...]:
        key, value = node.key("never_leave"), node.get("never_leave")
        return () if key is None or value is None else self._floors.read(key, value, effects)

    def _fallback(self, node: MapNode, effects: Sequence[PlacedEffect] | None) -> PlacedEffect | None:
        key, value = node.key("if_no_category_is_left"), node.get("if_no_category_is_left")
        if key is None or value is None:
            return None
        if effects is not None and not any(effect.effect.kind in _TAKING_OUT for effect in effects):
            said = "the rule takes nothing out of a category"
            self._report.error(key.place, "needless-key", said, "leave `if_no_category_is_left` out")
            return None
        word = value.entries[0][0].text if isinstance(value, MapNode) and len(value.entries) == 1 else ""
        if word != EffectKind.ADD_TO_CATEGORY:
            said = "`if_no_category_is_left` says to which category the product is added then"
            name = value.text.strip()[:60] if isinstance(value, ScalarNode) and not value.is_null else "NAME"
            advice = f"write `if_no_category_is_left: {{add_to_category: {name}}}`"
            self._report.error(value.place, "wrong-shape", said, advice)
            return None
        placed = self._effects.effect(value, SubjectKind.PRODUCT)
        if placed is not None and effects is not None:
            self._refuse_taken(placed, effects)
        return placed

    def _refuse_taken(self, fallback: PlacedEffect, effects: Sequence[PlacedEffect]) -> None:
        """A category that the rule takes products out of is no place to put them."""
        taken = {
            _known_by(target)
            for effect in effects
            if effect.effect.kind is EffectKind.REMOVE_FROM_CATEGORY
            for target, _ in effect.targets
        }
        for target, place in fallback.targets:
            if _known_by(target) in taken:
                said = "the rule takes products out of this very category"
                self._report.error(place, "wrong-target", said, "name another one")


class Renames:
    """Checks `formerly` of all rules together."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._claims: list[tuple[str, str, Place]] = []

    def add(self, code: str, old: str, place: Place) -> None:
        """Note that a rule says it was called `old`."""
        self._claims.append((code, old, place))

    def check(self, codes: Sequence[str]) -> None:
        """Report old codes that a rule of today has, or that are claimed twice. `codes` are those of all rules."""
        first: dict[str, tuple[str, Place]] = {}
        for code, old, place in self._claims:
            if old == code:
                said = f'"{old[:60]}" is the code of this very rule'
                self._report.error(place, "bad-formerly", said, "write the code that it had before")
                continue
            if old in codes:
                said = f'"{old[:60]}" is the code of another rule, which has holds of its own'
                self._report.error(place, "bad-formerly", said, "a rule takes over only what no rule has any more")
                continue
            other, where = first.setdefault(old, (code, place))
            if where != place:
                said = f'"{other[:60]}" was "{old[:60]}" already, at {where}'
                self._report.error(place, "bad-formerly", said, "only one rule can take over the holds: keep one")


def _single(targets: Sequence[Target]) -> tuple[Named | Identified, ...]:
    return tuple(target for target in targets if isinstance(target, Named | Identified))


def _known_by(target: Target) -> tuple[str, str]:
    match target:
        case Named(name):
            return "name", fold(name)
        case Identified(id_):
            return "id", id_
        case _:
            return "other", ""
