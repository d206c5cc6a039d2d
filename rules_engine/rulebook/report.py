"""Collecting problems: every one of every file, each with its line, a caret and what to write instead."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from rules_engine.core.errors import RulebookError
from rules_engine.core.explain import did_you_mean
from rules_engine.core.problem import Place, Problem, Severity
from rules_engine.core.traps import WHOLE, Fault

from .yaml import ScalarNode

MOST_PROBLEMS = 100
"""Of one file; what is beyond is only counted, so that no file can make the loader work for minutes."""

_BREAK = re.compile(r"\r\n|[\r\n\x85\u2028\u2029]")
_LONGEST_LINE = 300
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
"""What a terminal would obey rather than show."""

Mask = Callable[[int, str], str]
"""What of a line may be shown, given its number (from 1) and text."""


def _show_whole(_number: int, line: str) -> str:
    return line


@dataclass(slots=True)
class _File:
    lines: list[str]
    mask: Mask
    count: int = 0


class Report:
    """The problems found so far in all files."""

    def __init__(self) -> None:
        self._files: dict[str, _File] = {}
        self._problems: list[Problem] = []
        self._error_count = 0

    def add_file(self, path: str, text: str, mask: Mask = _show_whole) -> None:
        """Name a file whose lines problems may show, each through `mask`."""
        self._files[path] = _File(_BREAK.split(text), mask)

    def change_mask(self, path: str, mask: Mask) -> None:
        """Show the file's lines through another mask from now on."""
        self._files[path].mask = mask

    def open_lines(self, path: str) -> list[str] | None:
        """The lines of a file, where messages may quote them; None where they may hold secrets."""
        file = self._files.get(path)
        return file.lines if file is not None and file.mask is _show_whole else None

    def error(self, place: Place, code: str, message: str, advice: str = "", near: Iterable[str] = ()) -> None:
        """Note an error. With `near`, the known words: `message` ends in the unknown one, and the advice is a guess."""
        self._add(place, code, message, advice, near, Severity.ERROR)

    def warn(self, place: Place, code: str, message: str, advice: str = "") -> None:
        """Note something worth saying that refuses nothing."""
        self._add(place, code, message, advice, (), Severity.WARNING)

    def unknown(self, node: ScalarNode, code: str, what: str, known: Iterable[str], otherwise: str = "") -> None:
        """Note an unknown word, with the known one that was probably meant, or else with all of them."""
        words = list(known)
        message = f'{what} "{_short(node.text)}"'
        self._add(node.place, code, message, otherwise or _all(words), words, Severity.ERROR, node.text)

    def fault(self, node: ScalarNode, fault: Fault) -> None:
        """Note what is wrong inside of an expression, at its place in the file."""
        place = self.place_in(node, fault.offset, fault.length)
        self.error(place, fault.code, fault.message, self._as_quoted(node, fault))

    def _as_quoted(self, node: ScalarNode, fault: Fault) -> str:
        """The advice as it is to be written between the quotes that the expression stands in."""
        line = self._source(node.place)
        quote = "" if node.is_plain else line[node.place.column - 1 : node.place.column]
        first, whole, last = fault.help.partition(WHOLE)
        return _quoted(first, fault.fix or "", quote) + whole + _quoted(last, last, quote)

    def place_in(self, node: ScalarNode, offset: int, length: int) -> Place:
        """Where a piece of a scalar's text stands in its file, whatever the style it is written in.

        Finds the piece's occurrence in the source that has the same number as in the text.
        """
        exact = self._exact(node, offset, max(1, length))
        if exact is not None:
            return exact
        piece = node.text[offset : offset + max(1, length)].splitlines()
        wanted = piece[0] if piece else ""
        lines = self._files[node.place.path].lines
        skipped = node.text.count(wanted, 0, offset) if wanted else 0
        for number in range(node.place.line, min(node.last_line, len(lines)) + 1):
            line = lines[number - 1]
            at = node.place.column - 1 if number == node.place.line else 0
            while wanted and (at := line.find(wanted, at)) >= 0:
                if skipped == 0:
                    return Place(node.place.path, number, at + 1, len(wanted))
                skipped, at = skipped - 1, at + len(wanted)
        return node.place

    def _exact(self, node: ScalarNode, offset: int, length: int) -> Place | None:
        """Where a piece of a scalar in one line stands, counted by its characters; None where that is not plain."""
        lines = self._files[node.place.path].lines
        if node.last_line != node.place.line or not 1 <= node.place.line <= len(lines):
            return None
        line, start = lines[node.place.line - 1], node.place.column - 1
        source = line[start : start + node.place.length]
        quote = "" if node.is_plain else source[:1]
        if quote not in {"", "'", '"'} or (quote == '"' and "\\" in source):
            return None
        widths = [2 if quote == "'" and letter == "'" else 1 for letter in node.text]
        if sum(widths) + 2 * len(quote) != len(source):
            return None
        begin = start + len(quote) + sum(widths[:offset])
        return Place(node.place.path, node.place.line, begin + 1, max(1, sum(widths[offset : offset + length])))

    @property
    def error_count(self) -> int:
        """How many errors were noted so far, also those that are only counted."""
        return self._error_count

    @property
    def has_errors(self) -> bool:
        """Whether something was noted that refuses the files."""
        return any(problem.severity is Severity.ERROR for problem in self._problems)

    @property
    def problems(self) -> tuple[Problem, ...]:
        """All problems in the order of files and lines, each once."""
        return tuple(sorted(dict.fromkeys(self._problems), key=lambda problem: (problem.place, problem.code)))

    def raise_if_any(self) -> None:
        """Raise `RulebookError` with every problem if one of them is an error."""
        if self.has_errors:
            raise RulebookError(self.problems)

    def _add(  # noqa: PLR0917 — the one place where problems are made
        self,
        place: Place,
        code: str,
        message: str,
        advice: str,
        near: Iterable[str],
        severity: Severity,
        word: str = "",
    ) -> None:
        file = self._files.setdefault(place.path, _File([], _show_whole))
        file.count += 1
        self._error_count += severity is Severity.ERROR
        if file.count > MOST_PROBLEMS:
            if file.count == MOST_PROBLEMS + 1:
                said = f"there are more than {MOST_PROBLEMS} problems in this file; these come first"
                self._problems.append(Problem(Place(place.path, place.line, 1), "too-many-problems", said))
            return
        known = list(near)
        if known and word:
            advice = did_you_mean(word, known, advice)
        self._problems.append(Problem(place, code, message, self._source(place), advice, severity))

    def _source(self, place: Place) -> str:
        file = self._files[place.path]
        if not 1 <= place.line <= len(file.lines):
            return ""
        line = file.lines[place.line - 1]
        return _CONTROL.sub("\ufffd", file.mask(place.line, line)) if len(line) <= _LONGEST_LINE else ""


def _quoted(advice: str, fix: str, quote: str) -> str:
    """Advice in which a correction stands, as it is to be written between such quotes."""
    if quote == '"' and ('"' in fix or "\\" in fix):
        return advice.replace("\\", "\\\\").replace('"', '\\"')
    return advice.replace("'", "''") if quote == "'" and "'" in fix else advice


def _short(text: str) -> str:
    one = " ".join(text.split())
    return one if len(one) <= 60 else one[:59] + "…"


def _all(words: list[str]) -> str:
    return f"known: {', '.join(words)}" if words and len(words) <= 30 else ""
