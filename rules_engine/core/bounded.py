"""JMESPath's interpreter with a bound on its work: an expression can double a list or a text with every few characters.

What stays within the bound yields what the library yields, value and type.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from jmespath.exceptions import JMESPathError
from jmespath.functions import Functions
from jmespath.visitor import Options, TreeInterpreter

MOST_WORK = 1_000_000
"""Of one evaluation: steps, and items and characters that are built or compared. Within two seconds at worst."""

_PLAIN = (str, int, float, bool, type(None))
_WHOLE = frozenset({"to_string", "contains", "sort", "max", "min", "join"})
"""Functions that go through all of what they are given, not only through its first level."""


class TooMuchWorkError(JMESPathError):
    """An evaluation went beyond `MOST_WORK`."""


class _Budget:
    def __init__(self, work: int) -> None:
        self.left = work

    def spend(self, work: int) -> None:
        self.left -= work
        if self.left < 0:
            raise TooMuchWorkError("it takes too much work")

    def spend_size(self, value: object) -> None:
        """Spend what it takes to go through a value, with all that is below it as often as it stands there."""
        todo = [value]
        while todo:
            one = todo.pop()
            if isinstance(one, str):
                self.spend(1 + len(one) // 16)
            elif isinstance(one, list):
                self.spend(1 + len(one))
                todo.extend(one)
            elif isinstance(one, Mapping):
                self.spend(1 + len(one))
                todo.extend(one.values())


class _Functions(Functions):
    def __init__(self, budget: _Budget) -> None:
        self._budget = budget

    def call_function(self, function_name: str, resolved_args: Iterable[Any]) -> Any:
        given = list(resolved_args)
        for value in given:
            if function_name in _WHOLE:
                self._budget.spend_size(value)
            elif isinstance(value, str):
                self._budget.spend(len(value) // 16)
            elif isinstance(value, list | Mapping):
                self._budget.spend(len(value))
        if function_name == "join" and len(given) == 2 and isinstance(given[0], str) and isinstance(given[1], list):
            self._budget.spend(len(given[0]) * len(given[1]) // 16)
        return super().call_function(function_name, given)


class BoundedInterpreter(TreeInterpreter):
    """The library's interpreter, which gives up after `work` steps with `TooMuchWorkError`."""

    def __init__(self, work: int = MOST_WORK) -> None:
        self._budget = _Budget(work)
        super().__init__(Options(custom_functions=_Functions(self._budget)))

    def visit(self, node: Any, *args: Any, **kwargs: Any) -> Any:
        """The value of a node."""
        self._budget.spend(1)
        return super().visit(node, *args, **kwargs)

    def visit_comparator(self, node: Any, value: Any) -> Any:
        """What a comparison says. Lists and objects are compared through and through, numbers and texts at once."""
        sign = node["value"]
        if sign not in {"eq", "ne"}:
            return super().visit_comparator(node, value)
        left, right = (self.visit(child, value) for child in node["children"])
        if not isinstance(left, _PLAIN) and not isinstance(right, _PLAIN):
            self._budget.spend_size(left)
            self._budget.spend_size(right)
        return self.COMPARATOR_FUNC[sign](left, right)

    def visit_flatten(self, node: Any, value: Any) -> Any:
        """The items of lists in a list."""
        base = self.visit(node["children"][0], value)
        if isinstance(base, list):
            self._budget.spend(sum(len(item) if isinstance(item, list) else 1 for item in base))
        known: Any = {**node, "children": [{"type": "literal", "value": base, "children": []}]}
        return super().visit_flatten(known, value)

    def visit_slice(self, node: Any, value: Any) -> Any:
        """A part of a list."""
        if isinstance(value, list):
            self._budget.spend(len(value))
        return super().visit_slice(node, value)

    def checked(self, found: Any) -> Any:
        """The outcome, unless it is so large that whoever looks at all of it would not come to an end."""
        self._budget.spend_size(found)
        return found


def search(tree: Any, document: object, *, work: int = MOST_WORK) -> Any:
    """What a parsed expression yields for a document. Raises what the library raises, and `TooMuchWorkError`."""
    interpreter = BoundedInterpreter(work)
    found = interpreter.visit(tree, document)
    return interpreter.checked(found)
