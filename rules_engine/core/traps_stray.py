"""The signs of an expression that mean nothing in JMESPath, and what the grammar refuses without saying why."""

from __future__ import annotations

from .fault import Fault, as_text, in_single_quotes, syntax_fault
from .syntax import Spelled, scan
from .traps_line import OPENERS, OPENING, Line

EXAMPLE = "write a comparison, such as product.stock <= `0`"

_QUOTES = "'\"`“”„‘’"


def stray(line: Line, place: int) -> Fault | None:
    """A sign that other languages have, and JMESPath has not."""
    word, start = line.at(place), line.at(place).start
    if word.text == "." and line.at(place + 1).text == ".":
        last = place + 1
        while line.at(last + 1).text == ".":
            last += 1
        return line.fault(place, last, "jmespath-syntax", "one dot stands between two names", ".")
    if word.text == "{" and line.at(place + 1).text == "{":
        return _curled(line, place)
    if word.kind != "other":
        return None
    if word.text == "#" or line.text.startswith("//", start):
        end = line.text.find("\n", start)
        length = len((line.text[start:] if end < 0 else line.text[start:end]).rstrip())
        said = "inside of an expression there are no comments"
        is_whole = not line.text[:start].strip()
        return Fault(start, length, "jmespath-syntax", said, "leave this part out", None if is_whole else "")
    if word.text == ";":
        return line.fault(place, place, "jmespath-syntax", "a `;` ends nothing here", "", "leave it out")
    if word.text == "?" and line.at(place + 1).text == ".":
        return line.fault(place, place, "jmespath-syntax", "a `.` needs no `?` before it", "", "leave the `?` out")
    if word.text == "?":
        said = "JMESPath has no choice by `?` and `:`"
        return line.fault(place, place, "jmespath-syntax", said, None, "write only the condition that stands before it")
    return _quote(line, place) if word.text in _QUOTES else None


def _curled(line: Line, place: int) -> Fault | None:
    """`{{ … }}`, as templates write it."""
    closed = next((at for at in range(place, len(line.words)) if line.at(at).text == line.at(at + 1).text == "}"), None)
    said = "`{{` and `}}` belong to templates, not to JMESPath"
    if closed is None or closed < place + 3:
        return line.fault(place, place + 1, "jmespath-syntax", said, None, "leave them out")
    return line.fault(place, closed + 1, "jmespath-syntax", said, line.source(place + 2, closed - 1))


def _quote(line: Line, place: int) -> Fault:
    """A quote that opens text which nothing closes, often because an apostrophe closed it early."""
    word, before = line.at(place), line.at(place - 1)
    rest = line.text[word.start + 1 :].strip()
    said = f"the text that begins with this {word.text} does not end"
    if before.kind == "word" and line.at(place - 2).kind == "text" and word.text == "'":
        text = line.at(place - 2).text[1:-1] + "'" + before.text
        first = place - 2
        said = "an apostrophe inside of text needs a backslash before it"
        return line.fault(first, place, "jmespath-syntax", said, as_text(text))
    is_short = 0 < len(rest) <= 40 and not set(rest) & set(_QUOTES + "=<>&|()[]")
    end = len(line.text.rstrip())
    fix = as_text(rest) if is_short else None
    advice = in_single_quotes(rest) if fix else f"write {word.text} where it ends"
    return Fault(word.start, (end - word.start) if is_short else 1, "jmespath-syntax", said, advice, fix)


def unread(text: str, offset: int) -> Fault:
    """The fault of a text that the grammar refuses from a place on."""
    words = scan(text)
    other = next((word for word in words if word.kind == "other"), None)
    if other is not None:
        advice = "text stands in single quotes" if not other.text.isascii() else "leave it out"
        return syntax_fault(other.start, 1, f"`{other.text}` cannot stand here", advice)
    opened: list[Spelled] = []
    for word in words:
        if word.text in OPENING:
            opened.append(word)
        elif word.text in OPENERS:
            if not opened or opened[-1].text.rstrip("?") != OPENERS[word.text]:
                said = f"no bracket is open that `{word.text}` could close"
                return syntax_fault(word.start, 1, said, "leave it out")
            opened.pop()
    if opened:
        missing = {"(": ")", "{": "}"}.get(opened[-1].text, "]")
        bracket = opened[-1]
        advice = f"write `{missing}` where it ends"
        return syntax_fault(bracket.start, len(bracket.text), f"`{bracket.text}` is not closed", advice)
    at = min(max(0, offset), len(text) - 1)
    last = words[-1] if words else None
    if last is not None and at >= last.end - 1 and last.kind == "sign":
        return syntax_fault(
            last.start, len(last.text), f"after `{last.text}` something is missing", _missing(last.text)
        )
    return syntax_fault(at, 1, "this is not a JMESPath expression from here on", EXAMPLE)


def _missing(sign: str) -> str:
    """What to write behind a sign that is the last."""
    if sign in {"&&", "||", "!"}:
        return f"write another condition behind it, or leave `{sign}` out"
    if sign in {"==", "!=", "<", "<=", ">", ">="}:
        return f"write what it is compared with, such as {sign} `0` or {sign} 'Acme'"
    return "write a name behind it" if sign == "." else "write what belongs there, or leave it out"
