"""JMESPath in rules: compiled safely, evaluated without raising, and what an expression looks at."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

import jmespath
from jmespath.exceptions import JMESPathError
from jmespath.parser import ParsedResult

from .fields import MOMENT_ROOTS

MAX_LENGTH = 2000
MAX_DEPTH = 50

Node = Mapping[str, object]
"""A node of JMESPath's syntax tree: `type`, `children`, and `value` where it has one."""


@dataclass(frozen=True, slots=True)
class Evaluated:
    """What an expression yielded; or, with `failure` in words, that it could not be evaluated."""

    value: object = None
    failure: str = ""


_LITERALS = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|`((?:[^`\\]|\\.)*)`", re.DOTALL)


@lru_cache(maxsize=1024)
def compiled(text: str) -> ParsedResult:
    """The compiled expression. Raises `JMESPathError` for what `lint` would refuse as malformed."""
    if len(text) > MAX_LENGTH or malformed_literals(text):
        raise JMESPathError("too long, or a literal that is not JSON")
    return jmespath.compile(text)


def evaluate(text: str, document: Mapping[str, object]) -> Evaluated:
    """What the expression yields for a document (plain dicts and lists). Never raises."""
    try:
        return Evaluated(compiled(text).search(document))
    except JMESPathError as error:
        return Evaluated(failure=f"the expression failed: {_first_line(error)}")
    except RecursionError:
        return Evaluated(failure="the expression failed: it is nested too deeply")
    except TypeError:
        return Evaluated(failure="the expression failed: it compares unlike types")
    except Exception as error:  # noqa: BLE001 — one rule's expression must never stop another rule
        return Evaluated(failure=f"the expression failed: {type(error).__name__}")


@lru_cache(maxsize=1024)
def fields_in(text: str) -> frozenset[str]:
    """The document's fields that the expression looks at: `product.stock`, or `product` for the whole of it."""
    try:
        return frozenset(_dotted(root, name) for root, name in mentions_in(compiled(text).parsed))
    except (JMESPathError, RecursionError):
        return frozenset()


def looks_at_moment(text: str) -> bool:
    """Whether the expression looks at what only a moment has: `before` or `event`."""
    return any(field.split(".")[0] in MOMENT_ROOTS for field in fields_in(text))


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]


def _dotted(root: str, name: str | None) -> str:
    return root if name is None else f"{root}.{name}"


def malformed_literals(text: str) -> list[tuple[int, str]]:
    """Where, and what, stands between backticks without being JSON: JMESPath takes it with a warning; we do not."""
    found = []
    for match in _LITERALS.finditer(text):
        if match[1] is None:
            continue
        try:
            json.loads(match[1].replace("\\`", "`"))
        except (ValueError, RecursionError):
            found.append((match.start(), match[0]))
    return found


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


_SAME_SCOPE = frozenset(
    {"comparator", "and_expression", "or_expression", "not_expression", "function_expression", "key_val_pair"}
    | {"multi_select_list", "multi_select_dict"}
)


def mentions_in(node: Node) -> Iterator[tuple[str, str | None]]:
    """The fields of the document itself (not of what a filter or a step looks at), as root and name."""
    kind, children = node.get("type"), children_of(node)
    if kind == "field":
        yield str(node["value"]), None
    elif (
        kind == "subexpression" and len(children) > 1 and children[0].get("type") == children[1].get("type") == "field"
    ):
        yield str(children[0]["value"]), str(children[1]["value"])
    elif kind in _SAME_SCOPE:
        for child in children:
            yield from mentions_in(child)
    elif kind != "expref" and children:
        yield from mentions_in(children[0])
