"""What is wrong with a text that is not YAML, in plain words: found in its lines, because the parser says it late."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ruamel.yaml.error import MarkedYAMLError

QUOTE = "put text in quotes if it has a `: ` or a ` #`, or begins with a sign such as @, `, %, & or ["
NO_BREAK = "\u00a0"

_LONGEST = 300
"""Characters of a line that is looked into; a longer one is not shown either."""

_ENTRY = re.compile(r"(?P<indent>[ ]*(?:- +)*)(?P<key>[\w .-]*?\w)(?P<colon>:[ ]+)(?P<value>\S.*)")
"""A line such as `title: Sold out`."""
_CURLY = "\u201c\u201d\u201e\u2018\u2019\u201a"
_WIDE_COLON = "\uff1a"


@dataclass(frozen=True, slots=True)
class Slip:
    """What is wrong with a text: `line` and `column` count from 1, `advice` may quote the line."""

    line: int
    column: int
    length: int
    message: str
    advice: str


def find_slip(error: MarkedYAMLError, lines: Sequence[str]) -> Slip:
    """What the parser's error comes from, with the corrected text where it can be told. `lines` are those of the file.

    The advice quotes the file: it is for texts that hold no secrets.
    """
    mark = error.problem_mark or error.context_mark
    if mark is None or mark.line > len(lines):
        return Slip(1, 1, 1, "this cannot be read as YAML", QUOTE)
    at = _At(lines, error.problem or "", mark.line, mark.column)
    if error.context_mark is not None:
        at.start, at.start_column = error.context_mark.line, error.context_mark.column
    for problem, explain in _EXPLAINED:
        if at.problem.startswith(problem):
            slip = explain(at)
            if slip is not None:
                return slip
    said, advice = plain_words(at.problem)
    return Slip(at.line + 1, at.column + 1, 1, said, advice)


def plain_words(problem: str) -> tuple[str, str]:
    """The parser's problem in plain words with a general advice, neither of which quotes the file."""
    for start, said, advice in _SAID:
        if problem.startswith(start):
            return said, advice
    return "this cannot be read as YAML", QUOTE


@dataclass(slots=True)
class _At:
    """Where the parser stopped, and where what it was reading began; counted from 0."""

    lines: Sequence[str]
    problem: str
    line: int
    column: int
    start: int = -1
    start_column: int = 0

    @property
    def text(self) -> str:
        return self.lines[self.line] if self.line < len(self.lines) else ""

    def entry(self) -> re.Match[str] | None:
        """This line as a key and its value."""
        return _ENTRY.fullmatch(self.text.rstrip()) if len(self.text) <= _LONGEST else None

    def before(self) -> int:
        """The last line before this one with something in it, or -1."""
        found = self.line - 1
        while found >= 0 and (not self.lines[found].strip() or self.lines[found].lstrip().startswith("#")):
            found -= 1
        return found


def _stray_colon(at: _At) -> Slip | None:
    """A `:` where none can stand: in a text without quotes, or because the line above is not what it looks like."""
    entry = at.entry()
    if entry is not None and at.column >= entry.start("value"):
        value, first = entry["value"], entry["value"].partition(":")[0]
        column = entry.start("value") + 1
        if entry["key"] == "do" and re.fullmatch(r"\w+", first):
            return Slip(at.line + 1, column, len(value), "an action stands in a line of its own", _below(entry, value))
        said = "a text with `: ` in it needs quotes"
        return Slip(at.line + 1, column, len(value), said, f"write `{entry['key']}: {_quoted(value)}`")
    return _line_above(at)


def _line_above(at: _At) -> Slip | None:
    """What is wrong with the line above, which was read as one text with this one."""
    number = at.before()
    if number < 0:
        return None
    line = at.lines[number]
    if len(line) > _LONGEST:
        return None
    text, indent = line.strip(), len(line) - len(line.lstrip(" "))
    here = len(at.text) - len(at.text.lstrip(" "))
    if NO_BREAK in line[: indent + 1]:
        return _no_break(number, line)
    if _WIDE_COLON in text:
        said = "this is a wide colon, as Chinese and Japanese keyboards write it"
        return Slip(number + 1, line.index(_WIDE_COLON) + 1, 1, said, f"write `{text.replace(_WIDE_COLON, ': ')}`")
    if text.startswith("//"):
        said = "`//` begins no comment here"
        return Slip(number + 1, indent + 1, len(text), said, f"write `# {text.lstrip('/ ')}`")
    if match := re.fullmatch(r"((?:- +)?[\w-]+):(\S.*)", text):
        said = "a blank is missing after the `:`"
        return Slip(number + 1, line.index(":") + 1, 1, said, f"write `{match[1]}: {match[2]}`")
    if match := re.fullmatch(r"((?:- +)?[\w-]+) *=+ *(\S.*)", text):
        said = "a `:` stands here, not `=`"
        return Slip(number + 1, line.index("=") + 1, 1, said, f"write `{match[1]}: {match[2]}`")
    if re.fullmatch(r"(?:- +)?[\w .-]+", text):
        return Slip(number + 1, indent + 1, len(text), f"a `:` is missing after `{text[:60]}`", f"write `{text[:60]}:`")
    if here > indent and ":" in text:
        return _misplaced(at)
    return None


def _missing_colon(at: _At) -> Slip | None:
    """A line without a colon, which the parser took for a key that goes on."""
    return _line_above(_At(at.lines, at.problem, at.start + 1, 0)) if at.start >= 0 else None


def _after_end(at: _At) -> Slip | None:
    """Something follows a closing quote or bracket, or the line is not where its neighbours are."""
    line = at.text
    if not line[: at.column].strip():
        return _misplaced(at)
    entry = at.entry()
    if entry is None or at.column <= entry.start("value"):
        return None
    value, rest, column = entry["value"], line[at.column :].rstrip(), entry.start("value") + 1
    if rest in {",", ";", "."}:
        said = f"a `{rest}` ends no line here"
        return Slip(at.line + 1, at.column + 1, 1, said, f"write `{entry['key']}: {value[: -len(rest)].rstrip()}`")
    sign = value[0]
    advice = f"write `{entry['key']}: {_quoted(value)}`"
    if sign in "'\"":
        inner = value[1:-1] if value.endswith(sign) else value[1:]
        if entry["key"] == "jmespath" and "'" not in inner:
            inner = inner.replace('"', "'")  # text, as an expression writes it
        advice = f"write `{entry['key']}: {_quoted(inner)}`"
        return Slip(at.line + 1, at.column, 1, f"the text ends at this `{sign}`, and more follows", advice)
    return Slip(at.line + 1, column, len(value), f"a text that begins with `{sign}` needs quotes", advice)


def _misplaced(at: _At) -> Slip | None:
    """A line that is indented otherwise than those that it belongs to."""
    line = at.text
    if NO_BREAK in line:
        return _no_break(at.line, line)
    above = at.before()
    if above >= 0 and NO_BREAK in at.lines[above][: len(at.lines[above]) - len(at.lines[above].lstrip())]:
        return _no_break(above, at.lines[above])
    here = len(line) - len(line.lstrip(" "))
    neighbour = _neighbour(at, here)
    if neighbour is None:
        return None
    number, indent = neighbour
    key = at.lines[number].strip().removeprefix("- ").partition(":")[0]
    said = f"this line is indented by {_blanks(here)}, and fits none of the lines above"
    advice = f"indent it by {_blanks(indent)}, like `{key[:60]}` in line {number + 1}"
    word = re.match(r"[^\s:]+", line.strip())
    return Slip(at.line + 1, here + 1, len(word[0]) if word else 1, said, advice)


def _neighbour(at: _At, here: int) -> tuple[int, int] | None:
    """The line above, with its indentation, whose indentation is nearest to this one's; the latest of them."""
    found: tuple[int, int] | None = None
    for number in range(at.line):
        line = at.lines[number]
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        indent = len(line) - len(line.lstrip(" "))
        if found is None or abs(indent - here) <= abs(found[1] - here):
            found = number, indent
    return found


def _no_break(number: int, line: str) -> Slip:
    said = "this line is indented with no-break spaces, as they come from web pages and e-mails"
    indent = len(line) - len(line.lstrip())
    word = re.match(r"[^\s:]+", line.strip())
    advice = "delete them, and type blanks with the space bar"
    return Slip(number + 1, indent + 1, len(word[0]) if word else 1, said, advice)


def _open_quote(at: _At) -> Slip | None:
    if at.start < 0:
        return None
    line = at.lines[at.start].rstrip()
    if len(line) > _LONGEST:
        return None
    text, sign = line[at.start_column :], line[at.start_column]
    if text[-1] in _CURLY:
        said = f"the quote that is opened with {sign} is closed with {text[-1]}, which is another sign"
        advice = f"write {text[:-1]}{sign}"
        return Slip(at.start + 1, len(line), 1, said, advice)
    said = "a quote is opened here and not closed"
    return Slip(at.start + 1, at.start_column + 1, len(text), said, f"write {text}{sign}")


def _open_bracket(at: _At) -> Slip | None:
    """A bracket that is not closed, or a comma that is missing between brackets."""
    if at.start < 0 or at.start == at.line:
        return None
    line = at.lines[at.start].rstrip()
    if len(line) > _LONGEST:
        return None
    text = line[at.start_column :]
    sign, close = text[0], {"{": "}", "[": "]"}.get(text[0], "")
    if not close:
        return None
    said = f"this `{sign}` is not closed"
    return Slip(at.start + 1, at.start_column + 1, len(text), said, f"write `{text.rstrip(',')}{close}`")


def _bad_start(at: _At) -> Slip | None:
    """A sign that cannot begin a text without quotes."""
    if at.text[at.column : at.column + 1] == "\t":
        return Slip(at.line + 1, at.column + 1, 1, "a tab stands here", "write a blank in the place of the tab")
    entry = at.entry()
    if entry is None or at.column != entry.start("value"):
        return None
    value = entry["value"]
    said = f"a text that begins with `{value[0]}` needs quotes"
    return Slip(at.line + 1, at.column + 1, len(value), said, f"write `{entry['key']}: {_quoted(value)}`")


def _bad_escape(at: _At) -> Slip | None:
    entry = at.entry()
    said = "in double quotes a `\\` begins a special sign, and this is none"
    if entry is None or not re.fullmatch(r'"[^"\']*"', entry["value"]):
        return None
    return Slip(at.line + 1, at.column, 2, said, f"write `{entry['key']}: '{entry['value'][1:-1]}'`")


def _list_in_line(at: _At) -> Slip | None:
    entry = at.entry()
    if entry is None or not entry["value"].startswith("- "):
        return None
    said = "a list begins in a line of its own"
    advice = _below(entry, entry["value"][2:])
    return Slip(at.line + 1, at.column + 1, len(entry["value"]), said, advice)


def _below(entry: re.Match[str], value: str) -> str:
    return f"write `- {value}` in the line below `{entry['key']}:`, indented by {_blanks(len(entry['indent']) + 2)}"


def _blanks(count: int) -> str:
    return {0: "no blanks", 1: "1 blank"}.get(count, f"{count} blanks")


def _quoted(text: str) -> str:
    """A text in the quotes that it does not have in it."""
    return f"'{text}'" if '"' in text or "\\" in text else f'"{text}"'


_EXPLAINED: tuple[tuple[str, Callable[[_At], Slip | None]], ...] = (
    ("mapping values are not allowed", _stray_colon),
    ("could not find expected ':'", _missing_colon),
    ("expected <block end>", _after_end),
    ("found character", _bad_start),
    ("found unexpected end of stream", _open_quote),
    ("found unknown escape", _bad_escape),
    ("expected ',' or", _open_bracket),
    ("sequence entries are not allowed", _list_in_line),
)

_SAID = (
    ("mapping values are not allowed", "a `:` cannot stand here", f"check the indentation of this line; {QUOTE}"),
    ("could not find expected ':'", "a `:` is missing after this key", "write `key: value`"),
    ("expected <block end>", "the indentation does not fit the lines above", "align it with its neighbours"),
    ("found character", "this sign cannot begin a text", QUOTE),
    ("found unexpected end of stream", "a quote is opened here and not closed", "close it"),
    ("found unknown escape", "there is no such escape in double quotes", "use single quotes, or double the \\"),
    ("expected ',' or", "a comma or a closing bracket is missing", "close the bracket, or put text in quotes"),
    ("expected the node content", "something is missing here", "write a value"),
    ("sequence entries are not allowed", "a list cannot begin here", "put the `-` on a line of its own"),
)
