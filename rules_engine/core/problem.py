"""A problem in a rule or store file: where it is, what is wrong, what to write instead."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How bad a problem is: an error refuses the rulebook, a warning does not."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A place in a file. `line` and `column` count from 1; `length` is how many characters the caret underlines."""

    path: str
    line: int
    column: int
    length: int = 1

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem, with a stable `code` such as `unknown-category` that the README lists."""

    place: Place
    code: str
    message: str
    source: str = ""
    help: str = ""
    severity: Severity = Severity.ERROR

    def render(self) -> str:
        """The problem as text: place, message, the line itself, a caret, the advice and the code."""
        lines = [f"{self.place}: {self.severity}: {self.message}" + ("" if self.help else f"   [{self.code}]")]
        if self.source:
            number = str(self.place.line).rjust(5)
            lines.append(f"{number} | {self.source}")
            indent = "".join("\t" if sign == "\t" else " " for sign in self.source[: self.place.column - 1])
            lines.append(f"      | {indent.ljust(self.place.column - 1)}{'^' * max(1, self.place.length)}")
        if self.help:
            lines.append(f"   help: {self.help}   [{self.code}]")
        return "\n".join(lines)
