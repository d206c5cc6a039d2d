"""Values of a shop as a test may keep them: without what looks like a person's data or a secret."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_SECRET = re.compile(
    r"\b(?:secret|token|bearer|api[_-]?key|sk|pk|shpat|shpss|ghp|gho|whsec|xox[abp])[_-][A-Za-z0-9_\-+/=]{8,}"
    r"|\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)?"
    r"|(?<![\w-])(?=[A-Za-z0-9+/_]*[0-9])(?=[A-Za-z0-9+/_]*[A-Za-z])[A-Za-z0-9+/_]{32,}={0,2}(?![\w-])",
    re.IGNORECASE,
)
_EMAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_DIGITS = re.compile(r"(?<![\w.-])\+?\(?\d(?:[ ().-]{0,2}\d){8,18}(?![\w.-]?\w)")
_DAY = re.compile(r"\d{4}-\d\d-\d\d")

EMAIL, PHONE, CARD, SECRET = "someone@example.com", "+00 000 000000", "0000 0000 0000 0000", "(secret)"
"""What stands in the place of what was removed."""


def plainly(value: Any, *, is_article_number: bool = False) -> Any:  # what a shop sends may be anything
    """The value with placeholders for e-mail addresses, numbers of phones and cards, and secrets, at any depth.

    In an article number (SKU, barcode) digits are no phone's.
    """
    match value:
        case str():
            return _without(value, is_article_number=is_article_number)
        case list() | tuple():
            return [plainly(each) for each in value]
        case Mapping():
            numbers = {"sku", "id"}
            return {str(key): plainly(each, is_article_number=key in numbers) for key, each in value.items()}
        case float() if value.is_integer() and abs(value) < 1e15:
            return int(value)
        case _:
            return value


def _without(text: str, *, is_article_number: bool) -> str:
    text = _SECRET.sub(SECRET, _EMAIL.sub(EMAIL, text))
    return text if is_article_number else _DIGITS.sub(_number, text)


def _number(match: re.Match[str]) -> str:
    """A placeholder for a card's number if it can be one, else a phone's; a day or an article's number stays."""
    digits = re.sub(r"\D", "", match[0])
    if _DAY.match(match[0]):
        return match[0]
    if 13 <= len(digits) <= 19 and _is_luhn(digits):
        return CARD
    is_phone = len(digits) <= 15 and (match[0][0] in "+(0" or not match[0].isdigit())
    return PHONE if is_phone else match[0]


def _is_luhn(digits: str) -> bool:
    """Whether the last digit checks the others, as in the numbers of cards (ISO/IEC 7812)."""
    doubled = [int(digit) * (2 if place % 2 else 1) for place, digit in enumerate(reversed(digits))]
    return sum(number - 9 if number > 9 else number for number in doubled) % 10 == 0
