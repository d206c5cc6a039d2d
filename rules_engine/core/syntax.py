"""An expression's text → its words, and its syntax tree with the place where each part stands."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from jmespath.parser import Parser

MAX_LENGTH = 2000
MAX_DEPTH = 50

Node = Mapping[str, object]
"""A node of JMESPath's syntax tree: `type`, `children`, and `value` where it has one."""

_BLANKS = " \t\n\r"

_WORDS = re.compile(
    r"""
      (?P<blank>[ \t\n\r]+)
    | (?P<text>'(?:[^'\\]|\\.)*')
    | (?P<name>"(?:[^"\\]|\\.)*")
    | (?P<literal>`(?:[^`\\]|\\.)*`)
    | (?P<curly>[“”„«][^“”„«»]*[“”»] | [‘’‚‹][^‘’‚‹›]*[‘’›])
    | (?P<date>\d{4}-\d{2}-\d{2}(?:[T][\d:.+Z-]+)?)
    | (?P<hyphened>[^\W\d]\w*(?:-\w+)+)
    | (?P<word>[^\W\d]\w*)
    | (?P<number>-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)
    | (?P<sign>===|!==|==|!=|<>|<=|>=|=<|=>|=~|&&|\|\||\[\?|\[\]|[=<>!&|.,:@*()\[\]{}≠≤≥])
    | (?P<other>.)
    """,
    re.VERBOSE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Spelled:
    """A word of an expression as it is written; `kind` is a name of the pattern above, or `end` beyond the text."""

    kind: str
    text: str
    start: int

    @property
    def end(self) -> int:
        """Where the next character stands."""
        return self.start + len(self.text)


def scan(text: str) -> list[Spelled]:
    """The words of any text, without the blanks between them. Never fails, whatever the text is."""
    found = (Spelled(match.lastgroup or "other", match[0], match.start()) for match in _WORDS.finditer(text))
    return [word for word in found if word.kind != "blank"]


def read_literal(written: str) -> object:
    """The value between backticks. Raises `ValueError` for what is not strictly JSON."""
    try:
        return json.loads(written[1:-1].replace("\\`", "`"), parse_constant=_refuse)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def is_literal_sound(written: str) -> bool:
    """Whether what stands between backticks is JSON: JMESPath takes other things with a warning; we do not."""
    try:
        read_literal(written)
    except ValueError:
        return False
    return True


class Tree:
    """A syntax tree, exactly as the library reads the text, and where its parts stand in it."""

    def __init__(
        self,
        text: str,
        root: Node,
        inner: Mapping[int, tuple[int, int]],
        outer: Mapping[int, tuple[int, int]],
    ) -> None:
        self.text = text
        self.root = root
        self._inner = inner
        self._outer = outer

    def span(self, node: Node, *, is_bare: bool = False) -> tuple[int, int] | None:
        """Where a node starts and ends, with the parentheses around it; None for one that the grammar implies.

        Where it `is_bare`, without them.
        """
        found = self._inner.get(id(node)) if is_bare else self._outer.get(id(node), self._inner.get(id(node)))
        if found is None:
            below = [span for child in children_of(node) if (span := self.span(child))]
            return (below[0][0], below[-1][1]) if below else None
        return found

    def source(self, node: Node) -> str:
        """What a node is written as."""
        start, end = self.span(node) or (0, 0)
        return self.text[start:end]


class _PlacingParser(Parser):
    """The library's parser, which notes the words that each node was made of.

    `_expression` reads one operand and then, as long as the next word binds stronger, what follows it: the library's
    own loop, with a note after each step. Everything else is the library's.
    """

    def __init__(self) -> None:
        super().__init__()
        self.noted: dict[int, tuple[int, int]] = {}
        self.bracketed: dict[int, tuple[int, int]] = {}

    def _expression(self: Any, binding_power: int = 0) -> Node:
        first = self._index
        word = self._lookahead_token(0)
        self._advance()
        node: Node = getattr(self, f"_token_nud_{word['type']}", self._error_nud_token)(word)
        noted = self.bracketed if word["type"] == "lparen" else self.noted
        noted[id(node)] = (first, self._index)
        while binding_power < self.BINDING_POWER[self._current_token()]:
            goes_on = f"_token_led_{self._current_token()}"
            if not hasattr(self, goes_on):
                self._error_led_token(self._lookahead_token(0))
            self._advance()
            node = getattr(self, goes_on)(node)
            self.noted[id(node)] = (first, self._index)
            self.bracketed.pop(id(node), None)
        return node


def parse(text: str) -> Tree:
    """The tree of an expression. Raises whatever the library raises for a malformed one."""
    parser: Any = _PlacingParser()
    root = parser._parse(text).parsed  # noqa: SLF001 — `parse` keeps trees in a cache, without their places
    starts = [token["start"] for token in parser._tokens]  # noqa: SLF001 — the words that it has just read
    ends = [len(text[:start].rstrip(_BLANKS)) for start in starts]
    inner, outer = (
        {node: (starts[first], ends[behind]) for node, (first, behind) in noted.items()}
        for noted in (parser.noted, parser.bracketed)
    )
    return Tree(text, root, inner, outer)


def children_of(node: Node) -> list[Node]:
    """The nodes below a node."""
    found = node.get("children")
    return [child for child in found if isinstance(child, Mapping)] if isinstance(found, list) else []


def walk(tree: Node) -> Iterator[Node]:
    """Every node of the tree, in the order of the text."""
    todo = [tree]
    while todo:
        node = todo.pop()
        yield node
        todo.extend(reversed(children_of(node)))


def depth_of(tree: Node) -> int:
    """How many levels the tree has."""
    deepest, level = 0, [tree]
    while level:
        deepest += 1
        level = [child for node in level for child in children_of(node)]
    return deepest
