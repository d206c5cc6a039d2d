"""What judging a condition found, as a value that can be shown line by line."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from .words import Truth


class Kind(StrEnum):
    """What a finding is about: the parts of a whole, or one look at the document."""

    WHOLE = "whole"
    """The condition of a rule and not its `unless`; the latter is the last part."""
    ALL = "all of"
    ANY = "any of"
    NONE = "none of"
    UNLESS = "unless"
    """Met while what stands under `unless` is not."""
    MEANING = "meaning"
    FIELD = "field"
    CHANGE = "change"
    EVENT = "event"
    EXPRESSION = "expression"


@dataclass(frozen=True, slots=True)
class Finding:
    """What judging one condition found: where in the rule (`while/product.stock`), how it stands, and why in words.

    `text` is like `3, must be at most 0`; with `lead` before it, it is a sentence: `stock is 3, must be at most 0`.
    `name` is the field, the expression or the meaning as the rule has it. `parts` are the findings of an `all`, `any`,
    `none`, a meaning, or a condition with its `unless`.
    """

    path: str
    truth: Truth
    text: str = ""
    parts: tuple[Finding, ...] = ()
    kind: Kind = Kind.FIELD
    name: str = ""
    lead: str = ""

    def plain(self) -> dict[str, Any]:
        """The finding as plain values, its parts too: what a trace keeps of it."""
        return {
            "path": self.path,
            "truth": self.truth,
            "text": self.text,
            "parts": tuple(part.plain() for part in self.parts),
            "kind": self.kind,
            "name": self.name,
            "lead": self.lead,
        }
