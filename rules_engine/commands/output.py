"""How commands answer: sentences and tables for people, one JSON object for programs, and errors in plain words."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from typing import Annotated

import typer
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from rules_engine.core.errors import RulebookError, RulesEngineError, SettingsError
from rules_engine.core.problem import Problem
from rules_engine.preview.asked import SHORTEST

FINDINGS = 1
"""The exit code for findings, and for what could not be done."""
WRONG_USAGE = 2
"""The exit code for a wrong option, argument or environment variable."""

WHOLE_COLUMNS = 3
"""The first columns of a table are keys, times and names, which are copied: they are not wrapped."""

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object, for programs.")]
"""The option that every command has that prints."""


def say(text: str = "") -> None:
    """Print a line for people to standard output."""
    typer.echo(visible(text))


def say_lines(lines: Iterable[str]) -> None:
    """Print lines for people. A line break in what a shop wrote, such as a name, makes no new line."""
    for line in lines:
        say(" ".join(line.splitlines()))


def complain(text: str) -> None:
    """Print a line to standard error."""
    typer.echo(visible(text), err=True)


def say_json(value: Mapping[str, object]) -> None:
    """Print the one JSON object of a command. Times become ISO 8601."""
    typer.echo(json.dumps(value, ensure_ascii=False, default=_plain))


def say_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table: drawn on a terminal; elsewhere in aligned columns, whole, for `grep` and `less`."""
    cells = [[visible(cell) for cell in row] for row in rows]
    console = Console(highlight=False)
    if console.is_terminal:
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        for at, column in enumerate(columns):
            table.add_column(column, no_wrap=at < WHOLE_COLUMNS)
        for row in cells:
            table.add_row(*(Text(cell) for cell in row))
        console.print(table)
        return
    lines = [list(columns), *cells]
    widths = [max(len(line[at]) for line in lines) for at in range(len(columns))]
    for line in lines:
        typer.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def visible(text: str) -> str:
    """The text without signs that would steer a terminal: some of it was written by shops."""
    return "".join(sign if sign.isprintable() or sign == "\n" else "�" for sign in text)


def short_time(at: datetime | None) -> str:
    """A time for a table, in UTC to the second, or a dash."""
    return f"{at:%Y-%m-%d %H:%M:%S}" if at else "–"


def telling_length(ids: Sequence[str]) -> int:
    """How many characters of each id tell them all apart in a table, at least so many as are always shown."""
    longest = max(len(id_) for id_ in ids)
    return next((n for n in range(SHORTEST, longest) if len({id_[:n] for id_ in ids}) == len(ids)), longest)


def problem_fields(problem: Problem) -> dict[str, object]:
    """A problem as JSON shows it."""
    place = asdict(problem.place)
    return place | {
        "severity": problem.severity.value,
        "code": problem.code,
        "message": problem.message,
        "help": problem.help or None,
    }


@contextmanager
def in_plain_words(*, as_json: bool = False) -> Iterator[None]:
    """End the command with a sentence and its exit code, never a traceback, when the engine raises one of its errors.

    With `as_json` standard output has `{"error": …}` too, so that a program always gets one object.
    """
    try:
        yield
    except RulebookError as error:
        for problem in error.problems:
            complain(problem.render())
        complain(f"{error}; nothing was changed.")
        if as_json:
            say_json({"error": str(error), "problems": [problem_fields(problem) for problem in error.problems]})
        raise typer.Exit(FINDINGS) from None
    except RulesEngineError as error:
        complain(str(error))
        if as_json:
            say_json({"error": str(error)})
        raise typer.Exit(WRONG_USAGE if isinstance(error, SettingsError) else FINDINGS) from None


def _plain(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
