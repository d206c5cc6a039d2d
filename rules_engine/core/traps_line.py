"""The words of an expression, what stands around each, and where the operands beside it start and end."""

from __future__ import annotations

from .fault import Fault, write
from .syntax import Spelled, scan

OPENERS = {")": "(", "]": "[", "}": "{"}
OPENING = frozenset({"(", "[", "[?", "{"})
_THINGS = frozenset({"text", "name", "literal", "curly", "date", "hyphened", "word", "number"})
_NOWHERE = Spelled("end", "", -1)


class Line:
    """The words of an expression, and what stands around each."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.words = scan(text)

    def at(self, place: int) -> Spelled:
        """The word at a place; beyond the words, one of kind `end`."""
        return self.words[place] if 0 <= place < len(self.words) else _NOWHERE

    def ends_operand(self, place: int) -> bool:
        """Whether what could be compared ends here."""
        word = self.at(place)
        return word.kind in _THINGS or word.text in {")", "]", "[]", "}", "@"}

    def starts_operand(self, place: int) -> bool:
        """Whether what could be compared starts here."""
        word = self.at(place)
        return word.kind in _THINGS or word.text in {"(", "[", "{", "@", "!", "[?"}

    def opener(self, place: int) -> int:
        """The place of the bracket that is closed here."""
        depth, at = 0, place
        while at >= 0:
            if self.words[at].text in OPENERS:
                depth += 1
            elif self.words[at].text in OPENING:
                depth -= 1
            if depth == 0:
                return at
            at -= 1
        return 0

    def closer(self, place: int) -> int:
        """The place of the bracket that closes the one here."""
        depth = 0
        for at in range(place, len(self.words)):
            if self.words[at].text in OPENING:
                depth += 1
            elif self.words[at].text in OPENERS:
                depth -= 1
            if depth == 0:
                return at
        return len(self.words) - 1

    def around(self, place: int) -> int:
        """The place of the innermost bracket that is open here, or -1."""
        at = place - 1
        while at >= 0 and self.words[at].text not in OPENING:
            at = self.opener(at) - 1 if self.words[at].text in OPENERS else at - 1
        return at

    def is_argument(self, place: int) -> bool:
        """Whether a word is all of what a function is given at one place."""
        opened = self.around(place)
        is_call = opened > 0 and self.at(opened).text == "(" and self.at(opened - 1).kind == "word"
        return is_call and self.at(place - 1).text in {"(", ","} and self.at(place + 1).text in {")", ","}

    def operand_before(self, place: int) -> int:
        """Where the operand starts that ends just before a place."""
        at = place - 1
        while at > 0:
            if self.words[at].text in OPENERS:
                at = self.opener(at)
                if at > 0 and (self.ends_operand(at - 1) and self.words[at - 1].kind != "literal"):
                    at -= 1
                    continue
            elif self.words[at].text == "[]":
                at -= 1
                continue
            if at > 1 and self.words[at - 1].text == ".":
                at -= 2
                continue
            break
        return max(at, 0)

    def operand_after(self, place: int) -> int:
        """Where the operand ends that starts just after a place."""
        at = place + 1
        while self.at(at).text == "!":
            at += 1
        if self.at(at).text in OPENING:
            at = self.closer(at)
        while True:
            following = self.at(at + 1).text
            if following == "." and self.at(at + 2).kind != "end":
                at += 2
            elif following in {"[", "[?", "("}:
                at = self.closer(at + 1)
            elif following == "[]":
                at += 1
            else:
                return min(at, len(self.words) - 1)

    def source(self, first: int, last: int) -> str:
        """What the words from `first` to `last` are written as."""
        return self.text[self.at(first).start : self.at(last).end]

    def fault(self, first: int, last: int, code: str, message: str, fix: str | None, advice: str = "") -> Fault:  # noqa: PLR0917 — where, what, and what instead, in this order
        """A fault in the words from `first` to `last`, with the advice to write the correction."""
        start = self.at(first).start
        return Fault(
            start, self.at(last).end - start, code, message, advice or (write(fix) if fix is not None else ""), fix
        )
