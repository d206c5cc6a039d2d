"""What is written soundly after a word and hardly meant so: blanks that do not count, stars where none are known."""

from __future__ import annotations

import json
import re

from rules_engine.core.fields import FieldType, read_path
from rules_engine.core.problem import Place
from rules_engine.core.words import Change, Word

from .report import Report
from .yaml import ScalarNode

_PARTS = frozenset({Word.STARTS_WITH, Word.ENDS_WITH, Word.CONTAINS, Word.CONTAINS_ANY, Word.MATCHES})
"""The words for a part of a text, in which a blank at an end would mean something."""
_WHOLES = frozenset({Word.IS, Word.IS_NOT, Word.ONE_OF, Word.NONE_OF})
_REGULAR = re.compile(r"\^|\.\*|/.*/[gimu]*$|.*(?:\\[a-zA-Z.+*-]|\.\+|\$$|\.\*\$$)", re.DOTALL)
"""How a regular expression begins, and what stands in it and in hardly any name."""
_LONGEST = 60


def warn_of_text(report: Report, node: ScalarNode, kind: FieldType, word: Word | Change | None) -> None:
    """Warn where a text after a word will not be compared as it looks. `kind` is the field's type."""
    text = node.text.strip()
    if kind not in {FieldType.TEXT, FieldType.ANY} or not isinstance(word, Word) or len(text) > _LONGEST or not text:
        return
    if word in _PARTS and text != node.text:
        if not node.text.endswith("\n"):  # of a block, the end of the line is no blank that anybody wrote
            shown = json.dumps(node.text, ensure_ascii=False)
            said = f"blanks at the beginning and the end of a text do not count: {shown} is `{text}`"
            report.warn(node.place, "outer-blanks", said, _without_blanks(node.text, word))
    elif word is Word.MATCHES:
        _warn_of_pattern(report, node, text)
    elif (word in _PARTS or word in _WHOLES) and len(text) > 1 and (text[0] == "*" or text[-1] == "*"):
        bare = text.strip("*").strip()
        advice = f"write `{word}: {bare}`, without it" if word in _PARTS else f'write `matches: "{text}"`'
        if word in {Word.ONE_OF, Word.NONE_OF, Word.IS_NOT}:
            group = "any" if word is Word.ONE_OF else "none"
            advice = f'write `{group}:` and a condition for each, with `matches: "{text}"`'
        report.warn(node.place, "wildcard", f"`*` is no wildcard after `{word}`, but a star", advice)


def _without_blanks(text: str, word: Word) -> str:
    """What to write where the blanks were meant, or else without them."""
    bare = text.strip()
    before, behind = text[:1].isspace(), text[-1:].isspace()
    if word is Word.MATCHES:
        return f'write `matches: "{bare}"`'
    pattern = ""
    if word is Word.STARTS_WITH and behind:
        pattern = f"{bare} *"
    elif word is Word.ENDS_WITH and before:
        pattern = f"* {bare}"
    elif word in {Word.CONTAINS, Word.CONTAINS_ANY}:
        pattern = f"*{' ' if before else ''}{bare}{' ' if behind else ''}*"
    alone = f"write `{word}: {bare}`"
    return f'where the blank counts write `matches: "{pattern}"`, else {alone}' if pattern else alone


def _warn_of_pattern(report: Report, node: ScalarNode, text: str) -> None:
    if _REGULAR.match(text):
        said = "this is a regular expression, and `matches` knows only `*` for any text and `?` for any one character"
        report.warn(node.place, "wildcard", said, _as_pattern(text))
    elif not set("*?") & set(text):
        said = f"without `*` or `?` in it, `matches` means only the very text `{text}`"
        report.warn(node.place, "wildcard", said, f'write `matches: "*{text}*"` for any text that has it in it')


def _as_pattern(text: str) -> str:
    """The pattern for a simple regular expression; an example for one that is not simple."""
    bare = text
    if delimited := re.fullmatch(r"/(.*)/[gimu]*", text, re.DOTALL):
        bare = delimited[1]
    start, end = "" if bare.startswith("^") else "*", "" if bare.endswith("$") else "*"
    bare = bare.removeprefix("^").removesuffix("$")
    for written, meant in ((r"\d", "?"), (r"\-", "-"), (".*", "*"), (".+", "?*")):
        bare = bare.replace(written, meant)
    if not bare or set(bare) & set("\\[](){}|+^$") or re.search(r"[?*]{3,}", bare):
        return 'write a pattern, such as `matches: "SALE-*"`'
    return f'write `matches: "{re.sub(r"[*]{2,}", "*", start + bare + end)}"`'


def warn_of_order(report: Report, place: Place, field: str, word: Word | Change, shown: str) -> None:
    """Warn where an attribute is put in order: it is text wherever it was typed into a form of the shop."""
    where = read_path(field)
    if where is None or where.name != "attributes" or not where.rest:
        return
    said = "shops give attributes as text, even 42, and text is neither more nor less than a number"
    name = where.rest[0]
    quoted = name if re.fullmatch(r"[A-Za-z_]\w*", name, re.ASCII) else f'"{name}"'
    written = f"to_number({where.root}.attributes.{quoted}): {{{word}: {shown}}}"
    report.warn(place, "word-does-not-fit", said, f"write `{written}`")
