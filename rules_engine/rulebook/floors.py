"""`never_leave` of a rule → floors: categories that it never leaves with too few products."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from rules_engine.core.problem import Place
from rules_engine.core.rule import EffectKind, Every, Floor, Identified, Named, Target, Under
from rules_engine.core.words import fold

from .amounts import MOST_PRODUCTS, meant_amount
from .effects import Effects, PlacedEffect
from .elsewhere import FLOOR_KEYS, refuse_word
from .report import Report
from .yaml import ListNode, MapNode, Node, ScalarNode

KEYS = ("fewer_than", "in")
"""The keys of a floor that is written as a map."""

_TEXT = re.compile(
    r"fewer\s+than\s+(?P<number>[0-9]{1,9})\s+products?\s+in\s+(?P<name>\S.*)", re.IGNORECASE | re.DOTALL
)
_IN = re.compile(r"\b(?:in|inside|of|from|within)\s+(?:the\s+)?(?:categor(?:y|ies)\s+|collection\s+)?(?P<name>\S.*)")
_EMPTY = re.compile(
    r"(?P<name>.*?)\s*\b(?:empty|without (?:any )?products?|no products?(?: in (?P<in>.+))?)", re.IGNORECASE
)
_EXAMPLE = "fewer than 4 products in"


@dataclass(frozen=True, slots=True)
class _Takes:
    """Out of which categories a rule takes products: those of these targets, or with `any_` whichever."""

    targets: tuple[Named | Identified, ...]
    any_: bool

    @property
    def example(self) -> str:
        """A name to write in an advice."""
        return next((target.name for target in self.targets if isinstance(target, Named)), "NAME")

    def may_be(self, target: Named | Identified) -> bool:
        """Whether the rule may take products out of this category, as far as names tell."""
        return self.any_ or any(_may_be_same(target, own) for own in self.targets)


class FloorReader:
    """Reads `never_leave`; what is wrong is reported."""

    def __init__(self, report: Report, effects: Effects) -> None:
        self._report = report
        self._effects = effects

    def read(self, key: ScalarNode, node: Node, effects: Sequence[PlacedEffect] | None) -> tuple[Floor, ...]:
        """The floors of a rule. `effects` is what it does, None where that is wrong."""
        takes = _taken_by(effects) if effects is not None else _Takes((), any_=True)
        if effects and not takes.any_ and not takes.targets:
            said = "the rule takes nothing out of a category"
            self._report.error(key.place, "needless-key", said, "leave `never_leave` out")
            return ()
        items = node.items if isinstance(node, ListNode) else (node,)
        if not items or (isinstance(node, ScalarNode) and (node.is_null or not node.text.strip())):
            said = "a number of products and a category are missing here"
            self._report.error(node.place, "missing-value", said, f"write `never_leave: {_EXAMPLE} {takes.example}`")
            return ()
        found: list[Floor] = []
        for item in items:
            floor = self._floor(item, takes)
            if floor is not None and self._is_sound(floor, takes, found):
                found.append(floor)
        return tuple(found)

    def _is_sound(self, floor: Floor, takes: _Takes, others: Sequence[Floor]) -> bool:
        """Whether the floor holds something back, once: what does not is reported."""
        place = floor.place or Place("", 1, 1)
        if not takes.may_be(floor.target):
            said = "the rule takes no products out of this category"
            advice = f"name one that it takes them out of, such as `{_EXAMPLE} {takes.example}`"
            self._report.error(place, "wrong-target", said, advice)
            return False
        double = next((each for each in others if _key(each.target) == _key(floor.target)), None)
        if double is not None:
            said = f"this category is named already, with {double.fewer_than}"
            self._report.error(place, "wrong-target", said, "keep one of the two lines")
        return double is None

    def _floor(self, node: Node, takes: _Takes) -> Floor | None:
        if isinstance(node, MapNode):
            return self._of_map(node, takes)
        if not isinstance(node, ScalarNode):
            said = "`never_leave` says how few products, and in which category"
            self._report.error(node.place, "wrong-shape", said, f"write `- {_EXAMPLE} {takes.example}`")
            return None
        match = _TEXT.fullmatch(node.text.strip())
        if match is None:
            self._report.error(node.place, "bad-floor", *_what_is_wrong(node.text.strip(), takes.example))
            return None
        start = node.text.index(match["name"], match.start("name"))
        name, shift = _unquoted(match["name"].strip())
        place = self._report.place_in(node, start + shift, len(name))
        number = self._number(node.place, match["number"], f"never_leave: fewer than {{}} in {match['name'].strip()}")
        if not name:
            said = "a name is missing here"
            self._report.error(node.place, "missing-value", said, f"write `{_EXAMPLE} {takes.example}`")
            return None
        if number is not None and name.isdecimal() and not shift:
            said = f"{name[:60]} is taken for a name, as every text here"
            advice = f"write `{{fewer_than: {number}, in: {{id: {name[:60]}}}}}` for the shop's id"
            self._report.warn(place, "wrong-target", said, advice)
        return Floor(number, Named(name), place) if number is not None else None

    def _of_map(self, node: MapNode, takes: _Takes) -> Floor | None:
        for key, value in node:
            if key.text in KEYS:
                continue
            if len(node.entries) == 1 and isinstance(value, ScalarNode) and (meant := meant_amount(value.text)):
                said = "`never_leave` says it in words"
                advice = f"write `never_leave: fewer than {meant} in {key.text.strip()[:60]}`"
                self._report.error(key.place, "wrong-shape", said, advice)
            else:
                refuse_word(self._report, key, "unknown-key", "`never_leave` has no", KEYS, FLOOR_KEYS)
            return None
        number, where = node.get("fewer_than"), node.get("in")
        if number is None or where is None:
            missing = "fewer_than: 4" if number is None else f"in: {takes.example}"
            said = f"`{missing.partition(':')[0]}` is missing here"
            self._report.error(node.place, "missing-key", said, f"write `{missing}` beside the other key")
            return None
        text = number.text.strip() if isinstance(number, ScalarNode) else ""
        fewer_than = self._number(number.place, text, "fewer_than: {}", is_plain=True)
        target = self._effects.single(where, "in")
        return Floor(fewer_than, target, where.place) if fewer_than is not None and target is not None else None

    def _number(self, place: Place, text: str, advice: str, *, is_plain: bool = False) -> int | None:
        """A number of products of which there can be fewer; `advice` is what to write with it, as `{}`."""
        if re.fullmatch(r"[0-9]{1,9}", text) and 1 <= int(text) <= MOST_PRODUCTS:
            return int(text)
        meant = meant_amount(text)
        number = meant.number if meant and not meant.is_percent else 4
        written = str(number) if is_plain else f"{number} product{'' if number == 1 else 's'}"
        said = f'"{text[:60]}" is no number of products' if text else "a number of products stands here"
        if text.strip("0") == "" and text:
            said = "there are never fewer than no products"
        self._report.error(place, "bad-floor", said, f"write `{advice.format(written)}`")
        return None


def _what_is_wrong(text: str, example: str) -> tuple[str, str]:
    """Why a text is no floor, and what to write."""
    said = f'"{text[:60]}" does not say how few products, and in which category'
    short = text[:200]
    meant = meant_amount(short)
    where = _IN.search(short)
    if meant is not None and meant.is_percent:
        return "`never_leave` counts products, not shares of them", f"write `never_leave: {_EXAMPLE} {example}`"
    empty = _EMPTY.fullmatch(short)
    if meant is None and empty is not None:
        name = empty["in"] or empty["name"] or example
        return said, f"write `never_leave: fewer than 1 product in {name.strip()}`"
    if meant is None:
        name = short if len(short.split()) == 1 else example
        return said, f"write `never_leave: {_EXAMPLE} {name}`"
    name = where["name"].strip() if where is not None else example
    return said, f"write `never_leave: fewer than {meant} in {name}`"


def _unquoted(name: str) -> tuple[str, int]:
    """A name without the quotes around it, and how many signs were before it."""
    if len(name) > 1 and name[0] == name[-1] and name[0] in "\"'":
        inner = name[1:-1]
        return inner.strip(), 1 + len(inner) - len(inner.lstrip())
    return name, 0


def _taken_by(effects: Sequence[PlacedEffect]) -> _Takes:
    single: list[Named | Identified] = []
    is_any = False
    for placed in effects:
        if placed.effect.kind is EffectKind.EMPTY_CATEGORY:
            is_any = True
        if placed.effect.kind is EffectKind.REMOVE_FROM_CATEGORY:
            is_any |= any(isinstance(target, Under | Every) for target, _ in placed.targets)
            single += [target for target, _ in placed.targets if isinstance(target, Named | Identified)]
    return _Takes(tuple(single), is_any)


def _may_be_same(one: Target, other: Target) -> bool:
    """Whether two targets can be one category: a path and its end can, and so can a name and an id."""
    if isinstance(one, Named) and isinstance(other, Named):
        long, short = sorted((_path(one.name), _path(other.name)), key=len, reverse=True)
        return fold(one.name) == fold(other.name) or long[len(long) - len(short) :] == short
    return type(one) is not type(other) or one == other


def _path(name: str) -> list[str]:
    return [fold(part) for part in name.split("/")]


def _key(target: Named | Identified) -> tuple[str, str]:
    return ("name", fold(target.name)) if isinstance(target, Named) else ("id", target.id)
