"""Which words fit which fields, and how the values after a word are read."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date

from rules_engine.core.age import AGES
from rules_engine.core.clock import read_duration
from rules_engine.core.fields import WEEKDAYS, FieldType
from rules_engine.core.words import Change, Emptiness, Word, Written, read_time

from .report import Report
from .yaml import ListNode, Node, ScalarNode

_Words = set[Word | Change]

_EMPTY: _Words = {Word.EMPTY, Word.NOT_EMPTY}
_IS: _Words = {Word.IS, Word.IS_NOT}
_LISTED: _Words = {Word.ONE_OF, Word.NONE_OF}
ORDERS: frozenset[Word | Change] = frozenset(
    {Word.AT_MOST, Word.AT_LEAST, Word.MORE_THAN, Word.LESS_THAN, Word.BETWEEN}
)
"""The words that compare more and less."""
_TEXTS: _Words = {Word.CONTAINS, Word.CONTAINS_ANY, Word.STARTS_WITH, Word.ENDS_WITH, Word.MATCHES}
_TURNS: _Words = {Change.BECOMES, Change.WAS, Change.CHANGES}
_CROSSES: _Words = {Change.RISES_ABOVE, Change.FALLS_BELOW}
_IN_LIST: _Words = {Word.CONTAINS, Word.CONTAINS_ANY, Word.NONE_OF, *_EMPTY, *_TURNS}

FITTING: Mapping[FieldType, frozenset[Word | Change]] = {
    FieldType.TEXT: frozenset({*_IS, *_LISTED, *_TEXTS, *_EMPTY, *_TURNS}),
    FieldType.ID: frozenset({*_IS, *_LISTED, *_EMPTY, *_TURNS}),
    FieldType.NUMBER: frozenset({*_IS, *_LISTED, *ORDERS, *_EMPTY, *_TURNS, *_CROSSES}),
    FieldType.FLAG: frozenset({*_IS, *_TURNS}),
    FieldType.NAMES: frozenset(_IN_LIST),
    FieldType.IDS: frozenset(_IN_LIST),
    FieldType.OBJECTS: frozenset({*_EMPTY, *_TURNS}),
    FieldType.TIME: frozenset({*_IS, *ORDERS, *AGES, *_EMPTY, Change.CHANGES}),
    FieldType.DATE: frozenset({*_IS, *_LISTED, *ORDERS}),  # of today, which is never old
    FieldType.CLOCK: frozenset({*_IS, *ORDERS}),
    FieldType.WEEKDAY: frozenset({*_IS, *_LISTED}),
    FieldType.ANY: frozenset[Word | Change]({*Word, *Change}),
}
"""The words that each type of field takes. Transitions on `now`, `store` and `event` are refused elsewhere."""

_INSTEAD: Mapping[Word | Change, str] = {
    Word.IS: "contains",
    Word.IS_NOT: "none_of",
    Word.ONE_OF: "contains_any",
}

SEVERAL: frozenset[Word] = frozenset({Word.ONE_OF, Word.NONE_OF, Word.CONTAINS_ANY})
"""The words that take a list."""

_EMPTINESS = {"empty": Emptiness.EMPTY, "not_empty": Emptiness.NOT_EMPTY, "not empty": Emptiness.NOT_EMPTY}


def emptiness(node: Node) -> Emptiness | None:
    """`empty` or `not_empty`, written without quotes where a value could stand."""
    return _EMPTINESS.get(node.text) if isinstance(node, ScalarNode) and node.is_plain else None


def check_word(report: Report, place_of: ScalarNode, word: Word | Change, kind: FieldType, field: str) -> bool:
    """Whether the word fits the field's type; if not, that is reported."""
    if word in FITTING[kind]:
        return True
    instead = _INSTEAD.get(word, "") if kind in {FieldType.NAMES, FieldType.IDS} else ""
    words = ", ".join(sorted(FITTING[kind]))
    advice = f"write `{instead}: …`" if instead else f"it takes: {words}"
    needs = "needs a number" if word in ORDERS or word in _CROSSES else "does not fit"
    said = f"`{word}` {needs}; {field[:60]} is {kind.value}"
    report.error(place_of.place, "word-does-not-fit", said, advice)
    return False


def read_value(report: Report, node: Node, kind: FieldType, *, needs_order: bool = False) -> Written | None:
    """One value for a field of this type; None if it is none, which is reported."""
    if not isinstance(node, ScalarNode):
        report.error(node.place, "wrong-shape", "one value stands here, not a list or a map")
        return None
    if node.is_null or not node.text.strip():
        report.error(
            node.place, "missing-value", "nothing is written here", "for a field without a value: `empty: true`"
        )
        return None
    written = node.written
    is_number = isinstance(written.value, int | float) and not isinstance(written.value, bool)
    if kind is FieldType.NUMBER or (kind is FieldType.ANY and needs_order):
        if not is_number:
            advice = "remove the quotes" if _would_be_number(node) else "write it in digits, such as 10 or 19.90"
            report.error(node.place, "wrong-type", f'a number stands here, and "{node.text[:60]}" is text', advice)
        return written if is_number else None
    if kind is FieldType.FLAG and not isinstance(written.value, bool):
        report.error(node.place, "wrong-type", f'"{node.text[:60]}" is not true or false', "write true or false")
        return None
    check = _FORMS.get(kind)
    if check is None or check[0](node.text.strip()):
        return written
    if kind is FieldType.TIME and _is_relative(node.text):
        said = f'a time that moves with today stands here: "{node.text[:60]}"'
        advice = "write `newer_than: 14 days` or `older_than: 14 days` instead of the word before it"
        report.error(node.place, "wrong-type", said, advice)
        return None
    report.unknown(node, "wrong-type", f"{kind.value} stands here, not", check[1], check[2])
    return None


_RELATIVE = re.compile(r"(?:(?:the )?(?:last|past|within|in|since|before) )?(.+?)(?: (?:ago|old|back|from now))?")
_DAYS = frozenset({"now", "today", "yesterday", "tomorrow", "last week", "this week", "last month", "this month"})


def _is_relative(text: str) -> bool:
    """Whether a text names a time by how long ago it is: `14 days ago`, `the last 2 weeks`, `yesterday`."""
    lower = " ".join(text[:_LONGEST_ENDS].casefold().split())
    match = _RELATIVE.fullmatch(lower)
    return lower in _DAYS or (match is not None and read_duration(match[1]) is not None)


def _would_be_number(node: ScalarNode) -> bool:
    if node.is_plain:
        return False
    plain = ScalarNode(node.text, True, node.place, node.last_line, node.last_column)  # noqa: FBT003 — `is_plain`
    return not isinstance(plain.written.value, str | bool)


def read_values(report: Report, node: Node, kind: FieldType) -> tuple[Written, ...] | None:
    """The values of a word that takes a list; one value alone is a list of one."""
    items = node.items if isinstance(node, ListNode) else (node,)
    if not items:
        report.error(node.place, "missing-value", "the list is empty", "write at least one value")
        return None
    values = [read_value(report, item, kind) for item in items]
    return None if None in values else tuple(value for value in values if value is not None)


def read_ends(
    report: Report, node: Node, kind: FieldType, *, example: str = "[3, 7]"
) -> tuple[Written, Written] | None:
    """The two values of `between`: `[3, 7]` or `3 and 7`; the smaller first, unless they span midnight."""
    items = list(node.items) if isinstance(node, ListNode) else _parts(node)
    if len(items) != 2:
        report.error(node.place, "wrong-shape", "`between` takes two values", f"write `between: {example}`")
        return None
    low, high = (read_value(report, item, kind, needs_order=True) for item in items)
    if low is None or high is None:
        return None
    if kind is not FieldType.CLOCK and _is_more(low, high, kind):
        said = f"{low.text} is more than {high.text}, so nothing is between them"
        report.error(node.place, "wrong-order", said, f"write `between: [{high.text}, {low.text}]`")
        return None
    return low, high


def _is_more(low: Written, high: Written, kind: FieldType) -> bool:
    if isinstance(low.value, int | float) and isinstance(high.value, int | float):
        return low.value > high.value
    left, right = read_time(low.text), read_time(high.text)
    return kind in {FieldType.TIME, FieldType.DATE} and left is not None and right is not None and left > right


_LONGEST_ENDS = 200
"""Characters of `3 and 7`."""


def _parts(node: Node) -> list[Node]:
    """`3 and 7` as two nodes, each with its place."""
    if not isinstance(node, ScalarNode):
        return []
    # a longer text is not searched: one of nothing but blanks would take minutes
    match = re.fullmatch(r"(.+?)(\s+and\s+)(.+)", node.text) if len(node.text) <= _LONGEST_ENDS else None
    if match is None:
        return []
    second = node.place.column + match.start(3)
    places = ((match[1], node.place.column), (match[3], second))
    return [
        ScalarNode(text, node.is_plain, type(node.place)(node.place.path, node.place.line, column, len(text)), line, 1)
        for (text, column), line in zip(places, (node.last_line, node.last_line), strict=True)
    ]


def _is_date(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def _is_clock(text: str) -> bool:
    return re.fullmatch(r"(?:[01]?[0-9]|2[0-3]):[0-5][0-9]", text) is not None


_FORMS: Mapping[FieldType, tuple[Callable[[str], bool], tuple[str, ...], str]] = {
    FieldType.DATE: (_is_date, (), "write it as 2026-01-31"),
    FieldType.TIME: (lambda text: read_time(text) is not None, (), "write it as 2026-01-31 or 2026-01-31T09:00"),
    FieldType.CLOCK: (_is_clock, (), "write it as 09:00; midnight is 00:00"),
    FieldType.WEEKDAY: (lambda text: text.casefold() in WEEKDAYS, WEEKDAYS, ""),
}
