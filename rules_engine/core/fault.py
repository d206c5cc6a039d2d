"""What is wrong inside of an expression, and the pieces of text that corrections are made of."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fault:
    """Something wrong in an expression. `offset` and `length` count characters of its text.

    `fix` is what to write in place of the underlined characters; None where that cannot be known.
    """

    offset: int
    length: int
    code: str
    message: str
    help: str = ""
    fix: str | None = None

    def applied_to(self, text: str) -> str:
        """The expression with the underlined characters replaced by the correction, if there is one."""
        if self.fix is None:
            return text
        return text[: self.offset] + self.fix + text[self.offset + self.length :]


def write(piece: str) -> str:
    """The advice to write something. What has backticks in it stands alone, so that they are not lost."""
    return f"write: {piece}" if "`" in piece else f"write `{piece}`"


def as_text(words: str) -> str:
    """Words as an expression writes text."""
    if "\\" in words or "\n" in words:
        return "`" + json.dumps(words, ensure_ascii=False).replace("`", "\\`") + "`"
    return "'" + words.replace("'", "\\'") + "'"


def as_name(name: str) -> str:
    """A field's name as an expression writes it: in double quotes where it is not a plain word."""
    return name if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) else json.dumps(name, ensure_ascii=False)


def in_single_quotes(words: str) -> str:
    """The advice to write words as text."""
    written = as_text(words)
    return f"write {written} in single quotes" if written.startswith("'") else write(written)


def syntax_fault(offset: int, length: int, message: str, advice: str = "", fix: str | None = None) -> Fault:
    """What the grammar refuses."""
    return Fault(offset, length, "jmespath-syntax", message, advice, fix)
