"""The rules of the long story: their file as people write it, and what each wants, said once more in a few lines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lane_law import FIRST, LAST, SECOND, THIRD

NAMES = ("gone", "few", "emptied", "much", "keep", "once")
"""All rules in rule order: five stretches, and a moment."""
STRETCHES = NAMES[:-1]
SLOTS = (FIRST, SECOND, THIRD)
"""The categories that stretches are about; the moment adds to another."""
RARE = 1
"""The stock at which the moment comes."""
FEW = 2
"""The stock that the second rule minds, or minds no more once it is edited."""
FLOOR = 3
"""So many products the first rule leaves in its category, where it has a floor."""
HALF = 50
"""The percentage of the catalogue that the first rule may take within an hour, where it is limited so."""

GUARDS: Mapping[str, str] = {
    "hour": "limits: {per_hour: 3}",
    "day": "limits: {per_day: 4}",
    "percent": f"limits: {{per_hour: {HALF} percent}}",
    "asks": "ask_first: over 2 products",
    "floor": f"never_leave: {{fewer_than: {FLOOR}, in: {{id: {FIRST}}}}}",
    "lasts": "must_last: 15 minutes",
}
"""What holds the first rule back: the line of its rule file by a name."""


@dataclass(frozen=True, slots=True)
class RuleFile:
    """The rule file as it is now.

    `removed` are the rules that are not in it, `paused` those that it pauses. `lower` is an edit of the second rule: it
    minds a piece less. `guard` is what holds the first one back. The fourth `insists` or does not. All have been
    `renamed` so many times.
    """

    store: str
    removed: frozenset[str] = frozenset()
    paused: frozenset[str] = frozenset()
    lower: int = 0
    guard: str = "hour"
    insists: bool = False
    renamed: int = 0

    @property
    def names(self) -> tuple[str, ...]:
        """The rules that are in the file, in rule order."""
        return tuple(name for name in NAMES if name not in self.removed)

    def code(self, name: str, *, back: int = 0) -> str:
        """The rule's code, or the one it had so many renames ago."""
        return f"{name}-{self.renamed - back}" if name else ""

    def text(self) -> str:
        """The file."""
        whole = {
            "gone": ("while: {product.stock: {at_most: 0}}", f"{{remove_from_category: {{id: {FIRST}}}}}"),
            "few": (
                f"while: {{product.stock: {{at_most: {FEW - self.lower}}}}}",
                f"{{remove_from_category: {{id: {SECOND}}}}}",
            ),
            "emptied": ("while: {category.published: false}", "empty_category"),
            "much": ("while: {product.stock: {at_least: 5}}", f"{{add_to_category: {{id: {THIRD}}}}}"),
            "keep": ("while: {product.stock: {at_most: 0}}", f"{{add_to_category: {{id: {SECOND}}}}}"),
            "once": (f"as_soon_as: {{product.stock: {RARE}}}", f"{{add_to_category: {{id: {LAST}}}}}"),
        }
        more = {"gone": [GUARDS[self.guard]], "emptied": ["about: category"], "much": ["insist: true"] * self.insists}
        lines = ["rules:"]
        for name in self.names:
            when, do = whole[name]
            keys = [f"stores: [{self.store}]", *more.get(name, []), when, f"do: [{do}]"]
            keys += ["flap_limit: 99"] if name in STRETCHES else []
            keys += ["mode: paused", "because: we shall see"] if name in self.paused else []
            keys += [f"formerly: {self.code(name, back=1)}"] if self.renamed else []
            lines += [f"  {self.code(name)}:", *(f"    {key}" for key in keys)]
        return "\n".join(lines) if self.names else "rules: {}"

    def wishes(self, name: str, stock: int, *, is_published: bool) -> Mapping[str, bool]:
        """What a rule of the file wants of a product with this stock, by category; nothing for a moment."""
        if name in self.removed:
            return {}
        match name:
            case "gone" if stock <= 0:
                return {FIRST: False}
            case "few" if stock <= FEW - self.lower:
                return {SECOND: False}
            case "emptied" if not is_published:
                return {SECOND: False}
            case "much" if stock >= 5:
                return {THIRD: True}
            case "keep" if stock <= 0:
                return {SECOND: True}
            case _:
                return {}
