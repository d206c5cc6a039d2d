"""Strict YAML 1.2: a tree of nodes that know their place and keep their source text."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)
from ruamel.yaml.reader import ReaderError

from rules_engine.core.problem import Place
from rules_engine.core.words import Written

from .syntax import find_slip, plain_words

if TYPE_CHECKING:
    from .report import Report

MAX_BYTES = 1024 * 1024
MAX_DEPTH = 50

_INTEGER = re.compile(r"[-+]?[0-9]{1,40}")
_DECIMAL = re.compile(r"[-+]?(?:[0-9]{1,40}\.[0-9]{0,40}|\.[0-9]{1,40}|[0-9]{1,40})(?:[eE][-+]?[0-9]{1,4})?")
_FLAGS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}


@dataclass(frozen=True, slots=True)
class ScalarNode:
    """One value: its source text; `is_plain` when it stands there without quotes. `last_line` counts from 1."""

    text: str
    is_plain: bool
    place: Place
    last_line: int
    last_column: int

    @property
    def is_null(self) -> bool:
        """Whether nothing is written, or `null`, or `~`."""
        return self.is_plain and self.text in {"", "~", "null", "Null", "NULL"}

    @property
    def written(self) -> Written:
        """The value: what YAML 1.2 reads where it is plain (so `NO` and `0o7` are text), else the text."""
        text = self.text
        if self.is_plain and text in _FLAGS:
            return Written(text, _FLAGS[text])
        if self.is_plain and _INTEGER.fullmatch(text):
            return Written(text, int(text))
        if self.is_plain and _DECIMAL.fullmatch(text) and math.isfinite(float(text)):
            return Written(text, float(text))
        return Written(text, text)


@dataclass(frozen=True, slots=True)
class ListNode:
    """A list."""

    items: tuple[Node, ...]
    place: Place


@dataclass(frozen=True, slots=True)
class MapNode:
    """A map, in the order in which it is written; no key is doubled."""

    entries: tuple[tuple[ScalarNode, Node], ...]
    place: Place

    def __iter__(self) -> Iterator[tuple[ScalarNode, Node]]:
        return iter(self.entries)

    def key(self, name: str) -> ScalarNode | None:
        """The key of that name, with its place."""
        return next((key for key, _ in self.entries if key.text == name), None)

    def get(self, name: str) -> Node | None:
        """The value under a key."""
        return next((value for key, value in self.entries if key.text == name), None)


Node = ScalarNode | ListNode | MapNode


def read_yaml(text: str, *, path: str, report: Report) -> Node | None:
    """The file as a tree; an empty file is an empty map. None if it cannot be read at all, with the reason reported.

    Doubled keys, anchors, aliases, tags, directives, tabs in indentation, several documents, more than 1 MiB and more
    than 50 levels are errors.
    """
    if len(text) > MAX_BYTES or len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        report.error(Place(path, 1, 1), "too-large", "the file is larger than 1 MiB", "split it into several files")
        return None
    if _report_tabs(text, path, report):
        return None
    return _Reader(path, report).read(text)


def _report_tabs(text: str, path: str, report: Report) -> bool:
    found = False
    for number, line in enumerate(re.split(r"\r\n|[\r\n]", text), start=1):
        match = re.match(r" *\t", line)
        if match and line.strip():
            place = Place(path, number, len(match[0]))
            report.error(place, "tab", "a tab indents this line", "indent with spaces")
            found = True
    return found


_CURLED = re.compile("[\u201c\u201d\u201e\u2018\u2019\u201a][^\u201c-\u201f\u2018-\u201b]+[\u201c\u201d\u2018\u2019]")
_LONGEST_QUOTED = 1000
_HIDDEN = re.compile("[\u00a0\u00ad\u200b\u202f\u2060\ufeff]")
"""Blanks that do not break, and signs without width; not those that Arabic and Persian need."""


class _StopReadingError(Exception):
    """The rest of the file would not mean anything; the reason is reported."""


@dataclass(slots=True)
class _Open:
    """A map or list that is being read."""

    start: Place
    is_map: bool
    items: list[Node] = field(default_factory=list)
    entries: list[tuple[ScalarNode, Node]] = field(default_factory=list)
    keys: dict[str, ScalarNode] = field(default_factory=dict)
    key: ScalarNode | None = None
    is_skipping: bool = False

    def close(self) -> Node:
        return MapNode(tuple(self.entries), self.start) if self.is_map else ListNode(tuple(self.items), self.start)


class _Reader:
    def __init__(self, path: str, report: Report) -> None:
        self._path = path
        self._report = report
        self._open: list[_Open] = []
        self._root: Node | None = None
        self._documents = 0
        self._text = ""

    def read(self, text: str) -> Node | None:
        self._text = text
        try:
            for event in YAML(typ="safe", pure=True).parse(text):
                self._take(event)
        except _StopReadingError:
            return None
        except MarkedYAMLError as error:
            self._report_syntax(error)
            return None
        except ReaderError as error:
            line, column = _line_and_column(text, error.position)
            said = "a character that is not allowed in a text file stands here"
            self._report.error(Place(self._path, line, column), "bad-character", said, "remove it")
            return None
        except Exception:  # noqa: BLE001 — for some malformed texts the parser raises whatever it ran into
            said = "this cannot be read as YAML"
            self._report.error(Place(self._path, 1, 1), "yaml-syntax", said)
            return None
        return self._root if self._root is not None else MapNode((), Place(self._path, 1, 1))

    def _take(self, event: Event) -> None:
        if isinstance(event, DocumentStartEvent):
            self._start_document(event)
        elif isinstance(event, AliasEvent):
            self._refuse_alias(event)
            raise _StopReadingError
        elif isinstance(event, ScalarEvent):
            self._check_marks(event)
            self._add(self._scalar(event))
        elif isinstance(event, MappingStartEvent | SequenceStartEvent):
            self._start(event)
        elif isinstance(event, MappingEndEvent | SequenceEndEvent):
            self._add(self._open.pop().close())

    def _start_document(self, event: DocumentStartEvent) -> None:
        self._documents += 1
        if self._documents > 1:
            said = "a line of dashes begins another document, and a file is one"
            self._refuse(
                event, "several-documents", said, "remove this line; all rules of a file stand below one `rules:`"
            )
            raise _StopReadingError
        if event.version or event.tags:
            said = "a directive (`%…`) changes how the file is read"
            lines = self._text.splitlines()
            number = next((at for at, line in enumerate(lines, start=1) if line.startswith("%")), 1)
            place = Place(self._path, number, 1)
            self._report.error(place, "directive", said, "remove this line; files are YAML 1.2")

    def _start(self, event: MappingStartEvent | SequenceStartEvent) -> None:
        is_map = isinstance(event, MappingStartEvent)
        if self._open and self._open[-1].is_map and self._open[-1].key is None:
            self._refuse(
                event, "bad-key", "a key is one text, and a { or [ is none", "write it without them, or in quotes"
            )
            raise _StopReadingError
        if len(self._open) >= MAX_DEPTH:
            said = f"the file is nested more than {MAX_DEPTH} levels deep"
            self._refuse(event, "too-deep", said, "use a meaning for the inner part")
            raise _StopReadingError
        self._check_marks(event)
        self._open.append(_Open(self._place(event), is_map))

    def _check_marks(self, event: ScalarEvent | MappingStartEvent | SequenceStartEvent) -> None:
        """Names are not shown: what stands there may be a secret that was written without quotes."""
        if event.anchor is not None:
            said = "a text that begins with `&` needs quotes: YAML takes it for an anchor, a name for this place"
            self._mark(event, "anchor", said, "as an anchor leave it out")
        if event.tag is not None:
            said = (
                "a text that begins with `!` needs quotes: YAML takes it for a tag, which says what kind of value it is"
            )
            self._mark(event, "tag", said, "as a tag leave it out")

    def _refuse_alias(self, event: AliasEvent) -> None:
        # in a list it is one of several, as in `<<: [*a, *b]`
        keys = [each.key for each in self._open[-2:] if each.key is not None]
        key = keys[-1] if keys else None
        if key is not None and key.is_plain and key.text == "<<":
            said = "`<<` takes over keys from another place, and nothing can be repeated by reference here"
            self._report.error(key.place, "alias", said, "write the keys out here, and leave this line out")
            return
        said = "a text that begins with `*` needs quotes: YAML takes it for an alias, which repeats another place"
        self._mark(event, "alias", said, "as an alias write out here what stands in the other place")

    def _mark(self, event: Event, code: str, message: str, otherwise: str) -> None:
        """Refuse a mark of YAML, with the whole line corrected where it may be quoted."""
        place, lines = self._place(event), self._report.open_lines(self._path)
        word, advice = "", "put it in quotes"
        if lines is not None and place.line <= len(lines):
            line = lines[place.line - 1].rstrip()
            rest = line[place.column - 1 :]
            word = re.split(r"[\s,\]}]", rest, maxsplit=1)[0]
            before = line[: place.column - 1].lstrip(" -")
            is_text = code != "anchor" or not re.match(r"\S+\s*[\[{]|\S+$", rest)
            if before.endswith(": ") and not set("[{") & set(before) and is_text:
                advice = f'write `{before}"{rest}"`'
        self._report.error(replace(place, length=max(1, len(word))), code, message, f"{advice}; {otherwise}")

    def _add(self, node: Node) -> None:
        if not self._open:
            self._root = node
            return
        parent = self._open[-1]
        if not parent.is_map:
            parent.items.append(node)
        elif parent.key is None and isinstance(node, ScalarNode):
            self._check_key(node)
            parent.key = node
            first = parent.keys.setdefault(node.text, node)
            parent.is_skipping = first is not node
            if parent.is_skipping:
                said = f'"{node.text[:60]}" stands twice in this map; first in line {first.place.line}'
                self._report.error(node.place, "doubled-key", said, "keep one of them, or join what stands below them")
        elif parent.key is not None:
            if not parent.is_skipping:
                parent.entries.append((parent.key, _beside(parent.key, node)))
            parent.key = None

    def _check_key(self, key: ScalarNode) -> None:
        """A key with a sign in it that nobody sees is none that is known, and looks like one. In quotes it is meant."""
        hidden = _HIDDEN.search(key.text) if key.is_plain else None
        if hidden is None:
            return
        before = len(key.text) - len(key.text.lstrip()) if key.place.length > 1 else 0
        place = replace(key.place, column=key.place.column + before, length=max(1, key.place.length - before))
        where = "before" if hidden.end() <= before else "in"
        said = f"{where} this word stands a sign that cannot be seen, as texts from web pages and e-mails have them"
        self._report.error(place, "bad-character", said, "delete this line and type it anew")
        raise _StopReadingError

    def _scalar(self, event: ScalarEvent) -> ScalarNode:
        start, end = event.start_mark, event.end_mark
        is_one_line = start.line == end.line
        length = max(1, end.column - start.column) if is_one_line else 1
        place = Place(self._path, start.line + 1, start.column + 1, length)
        is_plain = event.style is None or event.style == ""
        text = event.value
        if is_plain and is_one_line and text:
            self._warn_of_comment(text, end.line, end.column)
        if is_plain and len(text) <= _LONGEST_QUOTED and _CURLED.fullmatch(text):
            text = text[1:-1]
            is_plain = text in _FLAGS or _DECIMAL.fullmatch(text) is not None  # these need no quotes at all
            said = "these curly quotes, as mail programs and Word write them, would be part of the text"
            is_open = self._report.open_lines(self._path) is not None
            advice = "write straight quotes, or none"
            if is_open:
                advice = f"write `{text}`" if is_plain else f'write `"{text}"`'
            self._report.error(place if is_open else replace(place, length=1), "curly-quotes", said, advice)
        return ScalarNode(text, is_plain, place, end.line + 1, end.column + 1)

    def _warn_of_comment(self, text: str, line: int, column: int) -> None:
        """A number sign after a blank begins a comment, and the text ends before it: `Size #5` is `Size`."""
        lines = self._report.open_lines(self._path)
        rest = lines[line][column:] if lines is not None and line < len(lines) else ""
        if match := re.match(r"[ ]+#\d", rest):
            place = Place(self._path, line + 1, column + match.end() - 1, len(rest[match.end() - 2 :].rstrip()))
            said = "from the `#` on this line is a comment, and no part of the text"
            written = f"{text}{rest.rstrip()}"[:100].replace('"', "'")
            self._report.warn(place, "comment-in-text", said, f'write `"{written}"`, or a blank after the `#`')

    def _place(self, event: Event) -> Place:
        return Place(self._path, event.start_mark.line + 1, event.start_mark.column + 1)

    def _refuse(self, event: Event, code: str, message: str, advice: str) -> None:
        self._report.error(self._place(event), code, message, advice)

    def _report_syntax(self, error: MarkedYAMLError) -> None:
        lines = self._report.open_lines(self._path)
        if lines is not None:
            slip = find_slip(error, lines)
            place = Place(self._path, slip.line, slip.column, slip.length)
            self._report.error(place, "yaml-syntax", slip.message, slip.advice)
            return
        mark = error.problem_mark or error.context_mark
        place = Place(self._path, mark.line + 1, mark.column + 1) if mark else Place(self._path, 1, 1)
        said, advice = plain_words(error.problem or "")
        self._report.error(place, "yaml-syntax", said, advice)


def _beside(key: ScalarNode, node: Node) -> Node:
    """A value that is not written stands behind its key, not where the next text begins."""
    if not isinstance(node, ScalarNode) or node.text or not node.is_plain:
        return node
    place = replace(key.place, line=key.last_line, column=key.last_column + 1, length=1)
    return replace(node, place=place, last_line=key.last_line, last_column=key.last_column + 1)


def _line_and_column(text: str, position: int) -> tuple[int, int]:
    before = text[:position]
    return before.count("\n") + 1, position - (before.rfind("\n") + 1) + 1
