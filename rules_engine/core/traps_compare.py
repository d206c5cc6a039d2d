"""Comparisons that can never be true, that fail, or that say something else than they seem to."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping

from .delivery import EventType
from .explain import closest
from .fault import Fault, as_text, write
from .fields import WEEKDAYS, FieldType
from .shapes import Kind, Shape
from .syntax import Node, Tree, children_of

_SIGNS: Mapping[str, str] = {"eq": "==", "ne": "!=", "lt": "<", "lte": "<=", "gt": ">", "gte": ">="}
_TURNED: Mapping[str, str] = {"lt": "gt", "lte": "gte", "gt": "lt", "gte": "lte"}
_NUMERIC = re.compile(r"\s*-?[0-9]+(?:\.[0-9]+)?\s*")
_DATE = re.compile(r"[0-9]{4}(?:-[0-9]{2}(?:-[0-9]{2}(?:[T ].*)?)?)?", re.DOTALL)
_AGO = re.compile(r"(?:the )?(?:last |past )?([0-9]+\s*[a-z]+)(?: ago| old)?", re.IGNORECASE)
_TRUE, _FALSE = ({"true", "yes", "1", "on"}, {"false", "no", "0", "off", ""})

_WORDS_OF: Mapping[str, tuple[str, ...]] = {
    "now.weekday": WEEKDAYS,
    "event.type": tuple(str(type_) for type_ in EventType if type_ is not EventType.UNKNOWN),
}
"""The texts that a field can hold, where they are few."""


class Comparison:
    """One comparison: `sign` between two sides, with what each side can be."""

    def __init__(self, tree: Tree, node: Node, left: Shape, right: Shape) -> None:
        self._tree = tree
        self._node = node
        first, second = children_of(node)
        self._name = str(node["value"])
        self._sides = ((first, left), (second, right))
        if first.get("type") == "literal" and second.get("type") != "literal":
            self._sides = ((second, right), (first, left))
            self._name = _TURNED.get(self._name, self._name)
        self._sign = _SIGNS[self._name]

    @property
    def _is_equality(self) -> bool:
        return self._name in {"eq", "ne"}

    def faults(self) -> Iterator[Fault]:
        """What is wrong with the comparison."""
        (node, shape), (_, other) = self._sides
        if found := self._chain() or self._denied():
            yield found
        elif (shape.solid and other.solid and not shape.solid & other.solid) or self._is_out_of_order():
            yield self._unlike()
        elif self._value is not None and isinstance(self._value, str):
            found = self._wording(shape, self._value) if self._is_equality else self._ordering(node, shape, self._value)
            if found:
                yield found

    @property
    def _value(self) -> object:
        """The literal that the field is compared with, or None."""
        literal = self._sides[1][0]
        return literal.get("value") if literal.get("type") == "literal" else None

    def _source(self, side: int) -> str:
        return self._tree.source(self._sides[side][0])

    def _fault(self, message: str, fix: str | None = None, advice: str = "", *, side: int | None = None) -> Fault:
        node = self._node if side is None else self._sides[side][0]
        start, end = self._tree.span(node, is_bare=True) or (0, len(self._tree.text))
        said = advice or (write(fix) if fix is not None else "")
        return Fault(start, end - start, "jmespath-compare", message, said, fix)

    def _chain(self) -> Fault | None:
        """`1 < x < 5` compares the outcome of the first with the second."""
        first, second = children_of(self._node)
        if first.get("type") != "comparator" or self._sides[1][1].is_only(Kind.FLAG):
            return None
        sign = _SIGNS[str(self._node["value"])]
        middle, last = self._tree.source(children_of(first)[1]), self._tree.source(second)
        fix = f"{self._tree.source(first)} && {middle} {sign} {last}"
        is_plain = not self._tree.source(first).startswith("(")
        return self._fault("a comparison compares two values, not three", fix if is_plain else None)

    def _denied(self) -> Fault | None:
        """`!x == y` denies x alone, not the comparison."""
        first, second = children_of(self._node)
        start, end = self._tree.span(self._node, is_bare=True) or (0, 0)
        is_denied = head_of(first).get("type") == "not_expression" and self._tree.text[start : start + 1] == "!"
        right = self._sides[1] if self._sides[1][0] is second else self._sides[0]
        if not is_denied or right[1].is_only(Kind.FLAG):
            return None
        said = (
            f"`!` denies only what stands directly behind it, not the whole comparison with {self._tree.source(second)}"
        )
        fix = f"!({self._tree.text[start + 1 : end].strip()})"
        return Fault(start, end - start, "jmespath-not", said, write(fix), fix)

    def _is_out_of_order(self) -> bool:
        if self._is_equality:
            return False
        kinds = [shape.kinds for _, shape in self._sides]
        return any(not found & {Kind.NUMBER, Kind.TEXT} for found in kinds)

    def _unlike(self) -> Fault:
        (node, shape), (_, other) = self._sides
        source, value = self._source(0), self._value
        if not other.solid:
            return self._fault("nothing is more or less than null", None, "write == or != before `null`")
        mine, others = (" or ".join(sorted(found)) for found in (shape.solid, other.solid))
        what = f"{source} is {mine}" if shape.solid else f"{source} is nothing"
        outcome = "always so" if self._name == "ne" else "never equal" if self._is_equality else "never in order"
        said = f"{what}, {self._source(1)} is {others}: they are {outcome}" if mine != others else ""
        said = said or f"{what}: only numbers and texts are more or less than others"
        fix, side = self._corrected(node, shape, other, source, value)
        if fix is None and shape.is_only(Kind.TEXT, Kind.NUMBER) and other.is_only(Kind.LIST, Kind.FLAG, Kind.OBJECT):
            fix, side = self._turned(source)
        return self._fault(said, fix, "" if fix is not None else self._example(shape, source), side=side)

    def _example(self, shape: Shape, source: str) -> str:
        """What to compare with instead, where what was meant is not known."""
        kinds = {Kind.NUMBER: "`3`", Kind.TEXT: "'Acme'", Kind.FLAG: "`true`"}
        example = next((written for kind, written in kinds.items() if shape.is_only(kind)), "")
        if not example:
            return "compare a number with a number, text with text"
        sign = "==" if shape.is_only(Kind.FLAG) else self._sign
        return f"compare it with {next(iter(shape.solid))}, as in {source} {sign} {example}"

    def _turned(self, source: str) -> tuple[str | None, int | None]:
        """The same with the sides changed: text beside a list of texts."""
        if self._is_equality and self._sides[1][1].is_only(Kind.LIST):
            deny = "!" if self._name == "ne" else ""
            return f"{deny}contains({self._source(1)}, {source})", None
        return None, None

    def _corrected(
        self, node: Node, shape: Shape, other: Shape, source: str, value: object
    ) -> tuple[str | None, int | None]:
        """What to write instead, and in place of which side (None: of both)."""
        if shape.is_only(Kind.NUMBER) and isinstance(value, str) and _NUMERIC.fullmatch(value):
            return f"`{json.dumps(float(value) if '.' in value else int(value))}`", 1
        if shape.is_only(Kind.TEXT) and _is_number(value):
            if self._is_equality:
                return as_text(json.dumps(value)), 1
            return f"to_number({source})", 0
        if shape.is_only(Kind.FLAG) and value is not None and self._is_equality:
            said = json.dumps(value).strip('"').lower()
            return ("`true`" if said in _TRUE else "`false`" if said in _FALSE else None), 1
        if not shape.is_only(Kind.LIST):
            return None, None
        beside = self._source(1)
        if other.is_only(Kind.TEXT) and self._is_equality and shape.items and shape.items.is_only(Kind.TEXT):
            return f"{'!' if self._name == 'ne' else ''}contains({source}, {beside})", None
        asked = _asked_of_each(self._tree, node)
        if asked and shape.items and shape.items.solid & other.solid:
            base, field = asked
            return f"length({base}[?{field} {self._sign} {beside}]) > `0`", None
        if other.is_only(Kind.NUMBER):
            return f"length({source})", 0
        return None, None

    def _wording(self, shape: Shape, value: str) -> Fault | None:
        """A text that the field never holds."""
        known = _WORDS_OF.get(shape.path)
        if known is None or value in known:
            return None
        near = closest(value, known) or next((word for word in known if word.endswith(f".{value.lower()}")), "")
        said = f"{shape.path} is never {as_text(value)}"
        return self._fault(
            said, as_text(near) if near else None, "" if near else f"it is one of: {', '.join(known)}", side=1
        )

    def _ordering(self, node: Node, shape: Shape, value: str) -> Fault | None:
        """Text is put in order letter by letter."""
        source = self._tree.source(node)
        if shape.field_type in {FieldType.TIME, FieldType.DATE}:
            if _DATE.fullmatch(value):
                return None
            span = _AGO.fullmatch(value)
            word = "newer_than" if self._sign in {">", ">="} else "older_than"
            advice = "write it as '2026-11-27'"
            if span and shape.path:
                advice = f"write `{shape.path}: {{{word}: {span[1]}}}` as a condition of its own"
            said = f"{as_text(value)} is no date as {shape.path or source} holds them: year, month, day"
            return self._fault(said, None, advice, side=1)
        if _NUMERIC.fullmatch(value) and shape.is_only(Kind.TEXT):
            number = f"`{json.dumps(float(value) if '.' in value else int(value))}`"
            said = "text is put in order letter by letter: '9' comes after '10'"
            return self._fault(said, f"to_number({source}) {self._sign} {number}")
        return None


def head_of(node: Node) -> Node:
    """The operand at the beginning of a path: of `!a.b[0]`, the `!a`."""
    while node.get("type") in STEPS and children_of(node):
        node = children_of(node)[0]
    return node


STEPS = frozenset(
    {"subexpression", "index_expression", "projection", "value_projection", "filter_projection", "flatten"}
)
"""The nodes that go on from what stands left of them."""


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _asked_of_each(tree: Tree, node: Node) -> tuple[str, str] | None:
    """Of `base[].field` or `base[*].field`, the base and the field."""
    match = re.fullmatch(r"(.+?)\[\*?\]\.([A-Za-z_][A-Za-z0-9_.]*)", tree.source(node), re.DOTALL)
    return (match[1], match[2]) if match else None
