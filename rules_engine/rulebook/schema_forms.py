"""The forms of single values, as JSON Schema checks them: regular expressions that Python and JavaScript read alike."""

from __future__ import annotations

from collections.abc import Iterable

from rules_engine.core.clock import UNIT_WORDS
from rules_engine.core.fields import WEEKDAYS

from .schema_texts import Json


def any_case(word: str) -> str:
    """A pattern for the word in capitals or not: JSON Schema has no flag for that."""
    return "".join(f"[{sign}{sign.upper()}]" if sign.isalpha() else sign for sign in word)


def _one_of(words: Iterable[str]) -> str:
    return f"(?:{'|'.join(any_case(word) for word in sorted(words, key=lambda word: (-len(word), word)))})"


_END = r"(?:[01]?[0-9]|2[0-3]):[0-5][0-9]"
_NUMBER = r"[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)"
_PART = rf"[0-9]{{1,6}}(?:\.[0-9]{{1,3}})?\s*{_one_of(UNIT_WORDS)}"
_DAY = _one_of({*WEEKDAYS, *(day[:3] for day in WEEKDAYS)})
_DAYS = rf"{_DAY}(?:\s+to\s+{_DAY})?"

SPAN = rf"\s*{_PART}(?:(?:\s*,\s*|\s+and\s+|\s+){_PART})*\s*"
CLOCK = rf"\s*{_END}\s*"
DATE = r"\s*[0-9]{4}-[0-9]{2}-[0-9]{2}\s*"
_HOUR = r"[0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,6})?)?"
_ZONE = r"(?:Z|[-+][0-9]{2}:?[0-9]{2})?"
TIME = rf"\s*[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}(?:[T ]{_HOUR}{_ZONE})?\s*"
MOMENT = rf"\s*[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}[T ]{_HOUR}{_ZONE}\s*"
_PRODUCTS = r"0*(?:[1-9][0-9]{0,5}|1000000)"
_PERCENT = r"0*(?:100|[1-9][0-9]?)"
AMOUNT = rf"\s*(?:{_PRODUCTS}(?:\s*{any_case('product')}[sS]?)?|{_PERCENT}\s*(?:%|{any_case('percent')}))\s*"
"""A number of products, or a share of them: what a limit says."""
WHOLE_NUMBER = rf"\s*{_PRODUCTS}\s*"
_OVER = rf"{any_case('over')}\s+(?:0+|{_PRODUCTS})"
ASKING = rf"\s*(?:{any_case('always')}|(?:{_OVER}|{_PRODUCTS})(?:\s*{any_case('product')}[sS]?)?)\s*"
_FEWER = rf"{any_case('fewer')}\s+{any_case('than')}"
FLOOR = rf"\s*{_FEWER}\s+{_PRODUCTS}\s+{any_case('product')}[sS]?\s+{any_case('in')}\s+\S[\s\S]*"
"""A category and how few products are too few: what `never_leave` says."""
WEEKDAY = rf"\s*{_one_of(WEEKDAYS)}\s*"
WEEKDAYS_SAID = rf"\s*{_DAYS}(?:(?:\s*,\s*|\s+and\s+){_DAYS})*\s*"
NUMBER_TEXT = _NUMBER
EMPTINESS = "empty|not_empty|not empty"
CODE = r"[^\s!-,./:-@\[-^`{-~-][^\s!-,./:-@\[-^`{-~]{0,99}"
"""A rule's code: letters of any script, digits, `_` and `-`. JavaScript's `\\w` knows no letters but a to z."""
NOTIFY_NAME = r"[^\s!-/:-@\[-^`{-~][^\t\n\r!-,./:-@\[-^`{-~]{0,63}"
ALIAS = r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}"
VARIABLE = r"\s*\$\{[A-Za-z_][A-Za-z0-9_]*\}\s*"
BASE_URL = (
    r"[hH][tT]{2}[pP][sS]://[^\s/?#@\\]+/?|[hH][tT]{2}[pP]://(?:localhost|127(?:\.[0-9]{1,3}){3}|\[::1\])(?::[0-9]+)?/?"
)
TIME_ZONE = r"[A-Za-z][A-Za-z0-9_+-]*(?:/[A-Za-z0-9_+-]+){0,2}"
NO_VARIABLE = r"(?![\s\S]*\$\{)[\s\S]*"

TEXT: Json = {"type": ["string", "number", "boolean"], "pattern": r"\S"}
"""A text: what YAML reads as a number or a flag stands for the text that is written."""


def whole(pattern: str) -> str:
    """The pattern for a whole text."""
    return f"^(?:{pattern})$"


def of_form(pattern: str) -> Json:
    """A text of this form."""
    return {"type": "string", "pattern": whole(pattern)}


def ends(item: Json, pattern: str) -> Json:
    """Two values: a list, or one text with `and` between them."""
    said = rf"\s*{pattern}\s+and\s+{pattern}\s*"
    return {"type": ["array", "string"], "items": item, "minItems": 2, "maxItems": 2, "pattern": whole(said)}


def one_or_more(item: Json) -> Json:
    """One text, or a list of at least one."""
    types = item["type"]
    both = ["array", *([types] if isinstance(types, str) else types)]
    return {**item, "type": both, "items": item, "minItems": 1}
