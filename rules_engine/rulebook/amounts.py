"""Numbers of products and shares of all of them as rules write them: `200 products`, `10 percent`."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

MOST_PRODUCTS = 1_000_000
"""More than that no limit says: what holds nothing back is left out."""

PERCENT = ("percent", "%")
"""The words for a share, as a limit writes them."""

_AMOUNT = re.compile(r"(?P<number>[0-9]{1,9})\s*(?P<unit>products?|percent|%)?")
_MEANT = re.compile(r"(?P<number>[0-9]{1,9}(?:\.[0-9]{1,9})?)")
_SHARE = re.compile(r"%|\bper ?cents?\b|\bpct\b|\bprozent\b")
_GROUPED = re.compile(r"\b([0-9]{1,3})[.,_' ]([0-9]{3})(?:[.,_' ]([0-9]{3}))?(?![0-9])")
_ONE_TO_TEN = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_WORDS = {
    **{word: str(number) for number, word in enumerate(_ONE_TO_TEN, start=1)},
    **dict.fromkeys(("a hundred", "one hundred", "hundred"), "100"),
    **dict.fromkeys(("a thousand", "one thousand", "thousand"), "1000"),
    "twelve": "12",
    "twenty": "20",
    "fifty": "50",
    "two hundred": "200",
    "half": "50 percent",
}
_IN_WORDS = re.compile(rf"\b(?:{'|'.join(sorted(_WORDS, key=len, reverse=True))})\b")
_LONGEST = 100
"""Characters of a text in which a number is looked for."""


@dataclass(frozen=True, slots=True)
class Amount:
    """A number of products, or with `is_percent` a share of all."""

    number: int
    is_percent: bool = False

    def __str__(self) -> str:
        if self.is_percent:
            return f"{self.number} percent"
        return f"{self.number} product{'' if self.number == 1 else 's'}"

    @property
    def is_sound(self) -> bool:
        """Whether it can be reached at all."""
        return 1 <= self.number <= (100 if self.is_percent else MOST_PRODUCTS)


def read_amount(text: str) -> Amount | None:
    """The amount that a text says, such as `200 products`, `200`, `10 percent`, `10%`; None if it says none."""
    match = _AMOUNT.fullmatch(text.strip().casefold())
    return Amount(int(match["number"]), match["unit"] in PERCENT) if match else None


def meant_amount(text: str) -> Amount | None:
    """The sound amount that is probably meant by a text that says none, or one that cannot be; None if none is."""
    lower = " ".join(text[:_LONGEST].casefold().split())
    lower = _IN_WORDS.sub(lambda match: _WORDS[match[0]], lower)
    lower = _GROUPED.sub(lambda match: "".join(part for part in match.groups() if part), lower)
    match = _MEANT.search(lower)
    if match is None:
        return None
    number = math.ceil(float(match["number"]))
    is_percent = _SHARE.search(lower) is not None
    return Amount(max(1, min(number, 100 if is_percent else MOST_PRODUCTS)), is_percent)
