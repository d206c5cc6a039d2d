"""Functions that JMESPath has not, and values that its functions refuse."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jmespath.functions import Functions

from .explain import did_you_mean
from .fault import Fault, as_text, write
from .shapes import ANYTHING, CALLED, Given, Kind, Shape, of_call
from .syntax import Node, Tree, children_of

if TYPE_CHECKING:
    from .traps_sense import Sense


@dataclass(frozen=True, slots=True)
class _Signature:
    """What a function takes: for each value JMESPath's names of the kinds (none: any), and whether it takes more."""

    kinds: tuple[tuple[str, ...], ...]
    takes_more: bool

    @property
    def count(self) -> int:
        return len(self.kinds)


def _signatures() -> dict[str, _Signature]:
    table: Mapping[str, Mapping[str, Sequence[Mapping[str, Any]]]] = Functions.FUNCTION_TABLE
    return {
        name: _Signature(
            tuple(tuple(taken["types"]) for taken in entry["signature"]),
            bool(entry["signature"] and entry["signature"][-1].get("variadic")),
        )
        for name, entry in table.items()
    }


SIGNATURES = _signatures()

_ELSEWHERE: Mapping[str, str] = {
    written: meant
    for meant, spellings in {
        "starts_with": "startswith startsWith",
        "ends_with": "endswith endsWith",
        "contains": "includes include has indexOf",
        "length": "len size count",
        "to_number": "number int float",
        "to_string": "str string",
    }.items()
    for written in spellings.split()
}
"""What other languages call JMESPath's functions."""

_CASES = frozenset(
    {"lower", "upper", "toLowerCase", "toUpperCase", "casefold", "title", "strip", "trim", "lowercase", "uppercase"}
)


_CLOCKS = frozenset(
    {"now", "today", "date", "age", "dayssince", "daysago", "datediff", "datedif", "days", "timestamp", "todate"}
)
_COUNTED = "write: length(product.variants[?stock == `0`]) > `0`, with what the counted ones must be"
_SPREADSHEET: Mapping[str, str] = {
    **dict.fromkeys(("countif", "countifs", "count_if", "filter", "any", "all", "some", "sumif"), _COUNTED),
    **dict.fromkeys(
        ("isblank", "is_blank", "isempty", "is_empty", "empty", "isnull", "is_null"), "write !(product.brand)"
    ),
    **dict.fromkeys(("left",), "write starts_with(product.sku, 'SALE-')"),
    **dict.fromkeys(("right",), "write ends_with(product.sku, '-XL')"),
    **dict.fromkeys(("search", "find", "instr", "find_in_set"), "write contains(product.name, 'boot')"),
}
"""What to write instead of functions of spreadsheets, whose values stand in another order."""

_EXAMPLES: Mapping[str, str] = {
    "contains": "contains(product.name, 'boot')",
    "starts_with": "starts_with(product.sku, 'SALE-')",
    "ends_with": "ends_with(product.sku, '-XL')",
    "length": "length(product.variants)",
    "join": "join(', ', product.categories)",
    "sort_by": "sort_by(product.variants, &stock)",
    "max_by": "max_by(product.variants, &stock)",
    "min_by": "min_by(product.variants, &stock)",
    "map": "map(&stock, product.variants)",
}


def _advice(name: str) -> tuple[str | None, str]:
    """The function that is meant, and the advice."""
    if name in _ELSEWHERE:
        return _ELSEWHERE[name], f'did you mean "{_ELSEWHERE[name]}"?'
    if name.lower().replace("_", "") in _CLOCKS:
        return None, "for an age write `product.created_at: {newer_than: 14 days}` as a condition of its own"
    if name.lower() in _SPREADSHEET:
        return None, _SPREADSHEET[name.lower()]
    if name in _CASES:
        return None, "write the comparison as a condition of its own, `product.name: {contains: …}`: it overlooks case"
    near = did_you_mean(name, SIGNATURES, "the functions are " + ", ".join(sorted(SIGNATURES)))
    found = near.removeprefix('did you mean "').removesuffix('"?')
    return (found if found in SIGNATURES else None), near


def method_fault(tree: Tree, node: Node, before: str, start: int) -> Fault | None:
    """`product.name.startswith('x')`, as other languages write it; `before` is what stands left of the dot."""
    name, given = str(node["value"]), children_of(node)
    meant = name if name in SIGNATURES else _advice(name)[0]
    end = (tree.span(node) or (start, start + 1))[1]
    said = "a function stands before what it is given, not behind a dot"
    if meant is None:
        return Fault(start, end - start, "jmespath-function", f"JMESPath has no function `{name}`", _advice(name)[1])
    if len(given) >= SIGNATURES[meant].count and name in SIGNATURES:
        return None
    fix = f"{meant}({', '.join([before, *map(tree.source, given)])})"
    if meant == "contains" and name == "indexOf":
        return Fault(start, end - start, "jmespath-function", f"JMESPath has no function `{name}`", write(fix))
    return Fault(start, end - start, "jmespath-function", said, write(fix), fix)


def call_shape(sense: Sense, node: Node, scope: Shape) -> Shape:
    """What a call yields; notes what is wrong with it."""
    name, children = str(node["value"]), children_of(node)
    signature = SIGNATURES.get(name)
    plain = [child for child in children if child.get("type") != "expref"]
    shapes = {id(child): sense.shape(child, scope) for child in plain}
    start = (sense.tree.span(node) or (0, 0))[0]
    if signature is None:
        meant, advice = _advice(name)
        said = f"JMESPath has no function `{name}`"
        sense.faults.append(Fault(start, len(name), "jmespath-function", said, advice, meant))
        return ANYTHING
    if len(children) != signature.count and not (signature.takes_more and len(children) > signature.count):
        few = "at least " if signature.takes_more else ""
        said = f"`{name}` takes {few}{signature.count} value{'s' if signature.count != 1 else ''}, not {len(children)}"
        advice = f"write it as in {_EXAMPLES[name]}" if name in _EXAMPLES else f"write {name}(product.variants[].stock)"
        sense.faults.append(Fault(start, len(name), "jmespath-function", said, advice))
        return of_call(name, Given())
    items = next((shapes[id(child)].items for child in plain if shapes[id(child)].items), None) or ANYTHING
    each = ANYTHING
    for at, child in enumerate(children):
        kinds = signature.kinds[min(at, signature.count - 1)]
        if child.get("type") == "expref":
            each = sense.shape(children_of(child)[0], items)
            if "expref" not in kinds:
                _refuse(sense, node, child, f"`{name}` takes no `&` here")
                return ANYTHING
        elif "expref" in kinds:
            _refuse_plain(sense, node, child)
            return ANYTHING
        elif not _takes(kinds, shapes[id(child)]):
            fix = _instead(sense.tree, node, at, shapes)
            taken = " or ".join(_said(kind) for kind in kinds)
            given = " or ".join(sorted(shapes[id(child)].solid)) or "nothing"
            said = f"`{name}` takes {taken} here; {sense.tree.source(child)} is {given}"
            sense.note(node, "jmespath-function", said, fix)
            return of_call(name, Given())
    if name == "contains" and (found := _never_contained(sense.tree, node, shapes)):
        wrong, said, fix = found
        sense.note(wrong, "jmespath-function", said, fix)
    return of_call(name, Given(tuple(shapes[id(child)] for child in plain), each))


def _refuse(sense: Sense, node: Node, child: Node, said: str) -> None:
    """What follows `&` stands where a list is wanted: perhaps the two are the wrong way round."""
    children = children_of(node)
    other = next((one for one in children if one is not child), None)
    fix = None
    if (
        len(children) == 2
        and other is not None
        and any("expref" in kinds for kinds in SIGNATURES[str(node["value"])].kinds)
    ):
        fix = f"{node['value']}({', '.join(sense.tree.source(one) for one in reversed(children))})"
    sense.note(node, "jmespath-function", said, fix)


def _refuse_plain(sense: Sense, node: Node, child: Node) -> None:
    said = f"`{node['value']}` asks this of each item, which is written with `&` before it"
    is_plain = child.get("type") in {"field", "subexpression", "current"}
    others = [one for one in children_of(node) if one is not child]
    if any(one.get("type") == "expref" for one in others):
        fix = f"{node['value']}({', '.join(sense.tree.source(one) for one in reversed(children_of(node)))})"
        sense.note(node, "jmespath-function", said, fix)
        return
    if is_plain:
        start, end = sense.tree.span(child) or (0, 0)
        sense.faults = [one for one in sense.faults if not start <= one.offset < end]  # seen as of the document
    sense.note(child, "jmespath-function", said, f"&{sense.tree.source(child)}" if is_plain else None)


def _takes(kinds: tuple[str, ...], given: Shape) -> bool:
    """Whether a function takes all that a value can be when it is something."""
    if not kinds or given.kinds == ANYTHING.kinds:
        return True
    if not given.solid:
        return "null" in kinds
    wanted = {CALLED[kind.split("-")[0]] for kind in kinds if kind.split("-")[0] in CALLED}
    if not given.solid <= wanted:
        return False
    below = {CALLED[kind.split("-")[1]] for kind in kinds if "-" in kind}
    items = given.items.solid if given.items and Kind.LIST in given.solid else frozenset()
    return not below or not items or bool(items & below)


def _said(kind: str) -> str:
    first, _, second = kind.partition("-")
    if second:
        return f"a list of {'numbers' if second == 'number' else 'texts'}"
    return CALLED[first].value


def _instead(tree: Tree, node: Node, at: int, shapes: Mapping[int, Shape]) -> str | None:
    """The call as it was probably meant."""
    name, children = str(node["value"]), children_of(node)
    given = shapes[id(children[at])]
    written = [tree.source(child) for child in children]
    if name in {"starts_with", "ends_with"} and at == 0 and given.is_only(Kind.LIST):
        return f"length({written[0]}[?{name}(@, {written[1]})]) > `0`"
    if name in {"starts_with", "ends_with"} and at == 1 and children[1].get("type") == "literal":
        value = children[1].get("value")
        return f"{name}({written[0]}, {as_text(str(value))})" if isinstance(value, int | float) else None
    if name == "contains" and given.is_only(Kind.NUMBER, Kind.FLAG) and len(written) == 2:
        return f"{written[0]} == {written[1]}"
    if name == "length" and given.is_only(Kind.NUMBER):
        return written[0]
    return None


def _never_contained(tree: Tree, node: Node, shapes: Mapping[int, Shape]) -> tuple[Node, str, str | None] | None:
    """What is asked of `contains` that its list or text cannot hold: what is wrong, why, and what to write instead."""
    first, second = children_of(node)
    among, sought = shapes.get(id(first), ANYTHING), shapes.get(id(second), ANYTHING)
    if Kind.TEXT in among.solid and among.kinds != ANYTHING.kinds:
        wanted = Kind.TEXT
        if sought.is_only(Kind.LIST) and first.get("type") == "literal":
            return (
                node,
                "the list comes first, then what it is asked for",
                f"contains({tree.source(second)}, {tree.source(first)})",
            )
    elif among.is_only(Kind.LIST) and among.items and len(among.items.solid) == 1:
        wanted = next(iter(among.items.solid))
    else:
        return None
    is_fit = sought.solid <= {wanted} if wanted is Kind.TEXT and Kind.TEXT in among.solid else wanted in sought.solid
    if not sought.solid or is_fit or sought.kinds == ANYTHING.kinds:
        return None
    said = f"{tree.source(first)} holds {'texts' if wanted is Kind.TEXT else wanted}, never {tree.source(second)}"
    if among.items and among.items.fields and sought.is_only(Kind.TEXT):
        keys = [name for name, shape in among.items.fields.items() if shape.is_only(Kind.TEXT)]
        key = "sku" if "sku" in keys else next(iter(keys), "")
        if key and first.get("type") in {"subexpression", "field"}:
            return node, said, f"contains({tree.source(first)}[].{key}, {tree.source(second)})"
    value = second.get("value")
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and second.get("type") == "literal"
    return second, said, as_text(str(value)) if wanted is Kind.TEXT and is_number else None
