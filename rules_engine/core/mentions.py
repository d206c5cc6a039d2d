"""Which fields of the document an expression looks at, through pipes, filters, projections and functions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from .syntax import Node, children_of

Path = tuple[str, ...]
"""`()` is the document itself, `("product",)` the product, `("product", "stock")` its stock and all below it."""


@dataclass(frozen=True, slots=True)
class _Seen:
    """What a part of an expression may yield: parts of the document, or an object made of them by name."""

    paths: frozenset[Path] = frozenset()
    keys: Mapping[str, _Seen] = field(default_factory=dict)

    def __or__(self, other: _Seen) -> _Seen:
        keys = {
            name: self.keys.get(name, _NOTHING) | other.keys.get(name, _NOTHING) for name in {**self.keys, **other.keys}
        }
        return _Seen(self.paths | other.paths, keys)

    def below(self, name: str) -> _Seen:
        """What is seen of it by a field's name."""
        paths = frozenset(path if len(path) > 1 else (*path, name) for path in self.paths)
        return _Seen(paths) | self.keys.get(name, _NOTHING)


_NOTHING = _Seen()
_HANDS_ON = frozenset({"not_null", "to_array", "reverse", "sort_by", "max_by", "min_by", "sort", "max", "min"})
"""Functions that yield what they were given, or parts of it."""

_IN_TURN = frozenset({"subexpression", "index_expression", "pipe"})
_PROJECTIONS = frozenset({"projection", "value_projection", "filter_projection"})
_BOTH = frozenset({"and_expression", "or_expression"})
_HANDED = _BOTH | {"flatten", "key_val_pair", "multi_select_list"}


def mentions_in(tree: Node) -> frozenset[Path]:
    """The parts of the document that an expression looks at; a path of one name is the whole below it."""
    reader = _Reader()
    reader.use(reader.read(tree, _Seen(frozenset({()}))))
    return frozenset(reader.used)


class _Reader:
    def __init__(self) -> None:
        self.used: set[Path] = set()

    def use(self, *seen: _Seen) -> _Seen:
        """Note that all of it is looked at."""
        for one in seen:
            self.used |= one.paths
            self.use(*one.keys.values())
        return _NOTHING

    def read(self, node: Node, scope: _Seen) -> _Seen:
        kind, children = str(node.get("type")), children_of(node)
        match kind:
            case "field":
                return scope.below(str(node["value"]))
            case "current" | "identity" | "index" | "slice":
                return scope
            case "literal":
                return _NOTHING
            case "multi_select_dict":
                return _Seen(keys={str(child.get("value")): self._flat(self.read(child, scope)) for child in children})
            case "function_expression":
                return self._function(str(node["value"]), children, scope)
        if kind in _IN_TURN:
            for child in children:
                scope = self.read(child, scope)
            return scope
        if kind in _PROJECTIONS:
            return self._projection(kind, children, scope)
        found = [self.read(child, scope) for child in children]
        if kind in _BOTH:
            self.use(found[0])
        return self._either(found) if kind in _HANDED else self.use(*found)

    def _either(self, found: Iterable[_Seen]) -> _Seen:
        every = _NOTHING
        for one in found:
            every |= one
        return every

    def _flat(self, seen: _Seen) -> _Seen:
        """Without names in names: they could double at every level. What they name counts as looked at whole."""
        if seen.keys:
            self.use(seen)
        return _Seen(seen.paths)

    def _projection(self, kind: str, children: list[Node], scope: _Seen) -> _Seen:
        """A step over a list, or over an object's values: of these, all are looked at."""
        base = self.read(children[0], scope)
        self.use(base)
        if kind == "value_projection":
            base = self._values(base)
        if len(children) > 2:
            self.use(self.read(children[2], base))
        return self.read(children[1], base)

    def _values(self, base: _Seen) -> _Seen:
        paths = frozenset((*path, "*") if len(path) == 1 else path for path in base.paths if path)
        return self._either([_Seen(paths), *base.keys.values()])

    def _function(self, name: str, children: list[Node], scope: _Seen) -> _Seen:
        """A function looks at all that it is given; what follows `&` is asked of each item of the list beside it."""
        plain = [self.read(child, scope) for child in children if child.get("type") != "expref"]
        self.use(*plain)
        items = self._either(plain)
        each = [self.read(children_of(child)[0], items) for child in children if child.get("type") == "expref"]
        self.use(*each)
        if name == "map":
            return self._either(each)
        return items if name in _HANDS_ON else _NOTHING
