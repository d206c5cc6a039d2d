"""Which words fit which fields, and how the values after a word are read."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import date

from rules_engine.core.age import AGES
from rules_engine.core.clock import read_duration
from rules_engine.core.fault import as_text, write
from rules_engine.core.fields import WEEKDAYS, FieldType, read_path
from rules_engine.core.problem import Place
from rules_engine.core.traps import mended, yields_list
from rules_engine.core.words import Change, Emptiness, Word, Written, read_time

from .report import Report
from .value_advice import comparison, days_advice, flag_advice, form_advice, hours_advice, number_advice
from .value_warnings import warn_of_order, warn_of_text
from .yaml import ListNode, MapNode, Node, ScalarNode

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

_OF_ONE: _Words = {*_IS, *ORDERS, *AGES, *_CROSSES, Word.STARTS_WITH, Word.ENDS_WITH, Word.MATCHES}
"""The words that mean nothing for a list."""

_SIGNS: Mapping[Word | Change, str] = {
    Word.AT_MOST: "<=",
    Word.AT_LEAST: ">=",
    Word.LESS_THAN: "<",
    Word.MORE_THAN: ">",
}

SEVERAL: frozenset[Word] = frozenset({Word.ONE_OF, Word.NONE_OF, Word.CONTAINS_ANY})
"""The words that take a list."""

_EMPTINESS = {"empty": Emptiness.EMPTY, "not_empty": Emptiness.NOT_EMPTY, "not empty": Emptiness.NOT_EMPTY}


def emptiness(node: Node) -> Emptiness | None:
    """`empty` or `not_empty`, written without quotes where a value could stand."""
    return _EMPTINESS.get(node.text) if isinstance(node, ScalarNode) and node.is_plain else None


def instead_of(word: str, kind: FieldType) -> str:
    """The word that a type of field takes in place of one that it does not, or empty."""
    if kind in {FieldType.NAMES, FieldType.IDS}:
        return {str(key): meant for key, meant in _INSTEAD.items()}.get(word, "")
    found = {str(Word.CONTAINS): "is", str(Word.CONTAINS_ANY): "one_of"}.get(word, "")
    return found if found in {str(fitting) for fitting in FITTING[kind]} else ""


def check_word(  # noqa: PLR0917 — what is written in a line, in its order
    report: Report,
    place_of: ScalarNode | ListNode | MapNode,
    word: Word | Change,
    kind: FieldType,
    field: str,
    value: Node | None = None,
) -> bool:
    """Whether the word fits the field's type; if not, that is reported. `value` is what stands behind the word."""
    if kind is FieldType.ANY and word in _OF_ONE and read_path(field) is None and yields_list(field):
        said = f"`{word}` is about one value; {field[:60]} is a list"
        report.error(place_of.place, "word-does-not-fit", said, _list_hint(word, field, value))
        return False
    if word in FITTING[kind]:
        is_number = isinstance(value, ScalarNode) and not isinstance(value.written.value, str)
        if kind is FieldType.ANY and (word is Word.BETWEEN or (is_number and word in ORDERS | _CROSSES)):
            warn_of_order(report, place_of.place, field, word, _shown(value))
        return True
    needs = "does not fit"
    if word in ORDERS or word in _CROSSES:
        needs = "needs a number or a time"
    elif word in AGES:
        needs = "needs a time"
    said = f"`{word}` {needs}; {field[:60]} is {kind.value}"
    advice = _hint(word, kind, field[:60], _shown(value), _part(value))
    report.error(place_of.place, "word-does-not-fit", said, advice)
    return False


def _list_hint(word: Word | Change, field: str, value: Node | None) -> str:
    """What to write instead of a word about one value behind an expression that yields a list."""
    if word in {Word.IS, Word.IS_NOT}:
        return f"write `{_INSTEAD[word]}: {_shown(value)}`, or `length({field[:60]}): 3` for how many there are"
    if word in {Word.STARTS_WITH, Word.ENDS_WITH}:
        return f'write `jmespath: "length({field} | [?{word}(@, {_part(value)})]) > `0`"`'
    if word is Word.MATCHES:
        return f"write `contains: {_shown(value)}`"
    sign = _SIGNS.get(word)
    if sign and isinstance(value, ScalarNode) and isinstance(value.written.value, int | float):
        meant = mended(f"{field} {sign} `{value.text}`")
        if meant is not None:
            return write(f"jmespath: {json.dumps(meant, ensure_ascii=False)}")
    return f"write `length({field[:60]}): {{{word}: {_shown(value)}}}` for how many there are"


def _part(value: Node | None) -> str:
    """A part of a text as an expression between double quotes writes it, or an example."""
    is_plain = isinstance(value, ScalarNode) and re.fullmatch(r"[\w .-]{1,40}", value.text) is not None
    return as_text(value.text.strip()) if isinstance(value, ScalarNode) and is_plain else "'sum'"


def _hint(word: Word | Change, kind: FieldType, field: str, shown: str, part: str) -> str:
    """What to write instead of a word that does not fit."""
    name = field.rpartition(".")[2]
    if (instead := instead_of(word, kind)) and not (instead == Word.CONTAINS and shown.startswith("[")):
        return f"write `{field}: {{{instead}: {shown}}}`"
    if instead:
        return f"write `{field}: {{contains_any: {shown}}}`"
    if word in ORDERS and kind in {FieldType.NAMES, FieldType.IDS, FieldType.OBJECTS} and name != "attributes":
        return f"write `length({field}): {{{word}: {shown}}}` for how many there are"
    if kind is FieldType.OBJECTS and name == "attributes":
        return "write `product.attributes.Colour: red`, with the name of the attribute"
    if kind is FieldType.OBJECTS and word is not Change.CHANGES:
        return 'write `jmespath: "length(product.variants[?in_stock]) > `0`"`, with what one of them must be'
    if kind is FieldType.NAMES and word in {Word.STARTS_WITH, Word.ENDS_WITH}:
        return f'write `jmespath: "length({field}[?{word}(@, {part})]) > `0`"`'
    if kind is FieldType.FLAG:
        return f"write `{field}: true` or `{field}: false`"
    if kind is FieldType.WEEKDAY:
        return days_advice(shown)
    if kind is FieldType.CLOCK:
        return "write `now.time: {between: 09:00 and 17:00}`"
    if kind is FieldType.DATE and word in AGES:
        return f"now.date is the day of today; write `product.created_at: {{{word}: 14 days}}`"
    words = [*Change] if isinstance(word, Change) else [*Word]
    return f"it takes: {', '.join(one for one in words if one in FITTING[kind])}"


def read_value(
    report: Report,
    node: Node,
    kind: FieldType,
    *,
    needs_order: bool = False,
    field: str = "",
    word: Word | Change | None = None,
) -> Written | None:
    """One value for a field of this type; None if it is none, which is reported.

    `field` and `word` are what it stands behind, for the advice.
    """
    if not isinstance(node, ScalarNode):
        report.error(_first(node), "wrong-shape", f"{_one(word)} takes one value", _one_advice(node, kind, field, word))
        return None
    if node.is_null or not node.text.strip():
        report.error(node.place, "missing-value", "nothing is written here", _missing(kind, field, word))
        return None
    written = node.written
    is_number = isinstance(written.value, int | float) and not isinstance(written.value, bool)
    if kind is FieldType.NUMBER or (kind is FieldType.ANY and needs_order):
        if not is_number:
            meant = word if isinstance(word, Word) else Word.BETWEEN if needs_order or word else None
            advice = number_advice(node.text, field, meant, is_quoted=not node.is_plain)
            report.error(node.place, "wrong-type", f'a number stands here, and "{node.text[:60]}" is text', advice)
        return written if is_number else None
    if kind is FieldType.FLAG and not isinstance(written.value, bool):
        advice = flag_advice(node.text, is_quoted=not node.is_plain)
        report.error(node.place, "wrong-type", f'"{node.text[:60]}" is not true or false', advice)
        return None
    warn_of_text(report, node, kind, word)
    if has_form(node.text, kind):
        return written
    if kind is FieldType.TIME and _is_relative(node.text):
        said = f'a time that moves with today stands here: "{node.text[:60]}"'
        report.error(node.place, "wrong-type", said, _age_advice(node.text, word))
        return None
    said = f'{kind.value} stands here, not "{node.text[:60]}"'
    report.error(node.place, "wrong-type", said, form_advice(node.text, kind))
    return None


_RELATIVE = re.compile(r"(?:(?:the )?(?:last|past|within|in|since|before) )?(.+?)(?: (?:ago|old|back|from now))?")
_DAYS = frozenset({"now", "today", "yesterday", "tomorrow", "last week", "this week", "last month", "this month"})


def _is_relative(text: str) -> bool:
    """Whether a text names a time by how long ago it is: `14 days ago`, `the last 2 weeks`, `yesterday`."""
    return " ".join(text[:_LONGEST_ENDS].casefold().split()) in _DAYS or _span_in(text) != ""


def _span_in(text: str) -> str:
    """The span in a text such as `14 days ago`, or empty."""
    match = _RELATIVE.fullmatch(" ".join(text[:_LONGEST_ENDS].casefold().split()))
    return match[1] if match is not None and read_duration(match[1]) is not None else ""


def _age_advice(text: str, word: Word | Change | None) -> str:
    """What to write instead of a time that moves with today."""
    lower = " ".join(text[:_LONGEST_ENDS].casefold().split())
    span = _span_in(text) or {"last week": "7 days", "last month": "30 days", "yesterday": "1 day"}.get(
        lower, "14 days"
    )
    if word in {Word.AT_MOST, Word.LESS_THAN}:
        return f"write `older_than: {span}`"
    if word in {Word.AT_LEAST, Word.MORE_THAN}:
        return f"write `newer_than: {span}`"
    return f"write `newer_than: {span}` or `older_than: {span}`"


def _shown(node: Node | None) -> str:
    """A value as it may be written in one line; `…` for one that is long, or a map."""
    if isinstance(node, ListNode):
        return shown_list(node)
    return _as_written(node) if isinstance(node, ScalarNode) and len(node.text) <= 60 else "…"


def _missing(kind: FieldType, field: str, word: Word | Change | None) -> str:
    """What to write where a value is missing."""
    example = {FieldType.NUMBER: "3", FieldType.FLAG: "true"}.get(kind, "Acme" if kind is FieldType.TEXT else "…")
    if word in {Change.BECOMES, Change.WAS} and Word.EMPTY in FITTING[kind]:
        return f"write a value, or `{word}: empty`"
    if field and word in {Word.IS, Word.IS_NOT} and Word.EMPTY in FITTING[kind]:
        meant = "empty" if word is Word.IS else "not_empty"
        return f"write a value, or `{field[:60]}: {meant}` for a field that has {'none' if meant == 'empty' else 'one'}"
    return f"write a value, as in `{word}: {example}`" if word else f"write a value, such as {example}"


def _one(word: Word | Change | None) -> str:
    return "`is`" if word is None else f"`{word}`"


def _first(node: Node) -> Place:
    """Where a list or map begins, as its first word where it is written without brackets."""
    if isinstance(node, MapNode) and node.entries:
        return node.entries[0][0].place
    return node.place


def _one_advice(node: Node, kind: FieldType, field: str, word: Word | Change | None) -> str:
    """What to write where a list or a map stands in the place of one value."""
    if isinstance(node, MapNode):
        key, value = node.entries[0] if node.entries else (None, None)
        if key is None or key.text not in set(Word) | set(Change) or not word:
            return "write one value"
        shown = value.text[:60] if isinstance(value, ScalarNode) else "…"
        return f"write `{field or '…'}: {{{key.text}: {shown}}}`, without `{word}`"
    several = {Word.IS: Word.ONE_OF, Word.IS_NOT: Word.NONE_OF, Word.CONTAINS: Word.CONTAINS_ANY}.get(
        word if isinstance(word, Word) else Word.IS
    )
    if several is not None and several in FITTING[kind] and isinstance(node, ListNode) and not isinstance(word, Change):
        return f"write `{several}: {shown_list(node)}`"
    return "write one value, or `any:` with a condition for each"


def _as_written(node: ScalarNode) -> str:
    return node.text if node.is_plain else json.dumps(node.text, ensure_ascii=False)


def shown_list(node: ListNode) -> str:
    """A list as it may be written in one line; `[…]` where that would be long."""
    texts = [_as_written(item) for item in node.items if isinstance(item, ScalarNode)]
    shown = f"[{', '.join(texts)}]"
    return shown if len(texts) == len(node.items) and len(shown) <= 60 else "[…]"


def read_values(
    report: Report, node: Node, kind: FieldType, *, word: Word, field: str = ""
) -> tuple[Written, ...] | None:
    """The values of a word that takes a list; one value alone is a list of one."""
    items = node.items if isinstance(node, ListNode) else (node,)
    if not items:
        report.error(node.place, "missing-value", "the list is empty", "write at least one value, as in `[Acme]`")
        return None
    if isinstance(node, ScalarNode) and node.is_plain and "," in node.text[:_LONGEST_ENDS]:
        parts = ", ".join(part.strip() for part in node.text.split(","))
        advice = f"write `{word}: [{parts}]`; a comma that is part of one text needs quotes: '{node.text[:60]}'"
        report.error(node.place, "wrong-shape", "several values stand in brackets", advice)
        return None
    values = [read_value(report, item, kind, field=field) for item in items]
    for item in items:
        if isinstance(item, ScalarNode):
            warn_of_text(report, item, kind, word)
    return None if None in values else tuple(value for value in values if value is not None)


def read_ends(report: Report, node: Node, kind: FieldType, *, example: str = "") -> tuple[Written, Written] | None:
    """The two values of `between`: `[3, 7]` or `3 and 7`; the smaller first, unless they span midnight."""
    items = list(node.items) if isinstance(node, ListNode) else _parts(node)
    if len(items) != 2:
        meant = comparison(node.text) if isinstance(node, ScalarNode) and kind is FieldType.NUMBER else ""
        if isinstance(node, MapNode) and len(node.entries) == 2:
            meant = f"between: [{', '.join(_shown(value) for _, value in node)}]"
        advice = f"write `{meant}`" if meant.startswith("between") else f"write `between: {example or _EXAMPLES[kind]}`"
        report.error(_first(node), "wrong-shape", "`between` takes two values", advice)
        return None
    first, last = items
    if kind is FieldType.CLOCK and isinstance(first, ScalarNode) and isinstance(last, ScalarNode):
        is_sound = _is_clock(first.text.strip()) and _is_clock(last.text.strip())
        if not is_sound and (meant := hours_advice(first.text, last.text)):
            wrong = last if _is_clock(first.text.strip()) else first
            said = f'a time of day stands here, not "{wrong.text[:60]}"'
            report.error(wrong.place, "wrong-type", said, meant)
            return None
    low = read_value(report, items[0], kind, needs_order=True)
    high = None if low is None else read_value(report, items[1], kind, needs_order=True)
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


_EXAMPLES = {
    **dict.fromkeys(FieldType, "[3, 7]"),
    FieldType.CLOCK: "09:00 and 17:00",
    FieldType.DATE: "2026-12-01 and 2026-12-24",
    FieldType.TIME: "2026-12-01 and 2026-12-24",
}

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


_FORMS: Mapping[FieldType, Callable[[str], bool]] = {
    FieldType.DATE: _is_date,
    FieldType.TIME: lambda text: read_time(text) is not None,
    FieldType.CLOCK: _is_clock,
    FieldType.WEEKDAY: lambda text: text.casefold() in WEEKDAYS,
}


def has_form(text: str, kind: FieldType) -> bool:
    """Whether a text is written as values of this type have to be: days, times, days of the week."""
    check = _FORMS.get(kind)
    return check is None or check(text.strip())
