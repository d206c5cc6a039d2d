"""The traps of JMESPath that show once it is known what each part of an expression can yield."""

from __future__ import annotations

import re
from collections.abc import Iterator
from difflib import get_close_matches

from .explain import closest, did_you_mean
from .fault import Fault, as_name, as_text, in_single_quotes, syntax_fault, write
from .fields import CATEGORY, PRODUCT, ROOTS
from .mentions import mentions_in
from .shapes import (
    ANYTHING,
    FLAG,
    Kind,
    Shape,
    document,
    list_of,
    object_of,
    of_value,
)
from .subject import SubjectKind
from .syntax import Node, Tree, children_of, scan
from .traps_calls import call_shape, method_fault
from .traps_compare import STEPS, Comparison, head_of

_LENGTHS = frozenset({"length", "size", "count", "len"})
_BOTH = frozenset({"and_expression", "or_expression"})


def sense_faults(tree: Tree, about: SubjectKind | None, *, is_condition: bool) -> list[Fault]:
    """Everything in a well-formed expression that cannot be meant, in the order of the text."""
    sense = Sense(tree, about)
    whole = document(about)
    if is_condition:
        sense.condition(tree.root, whole)
    else:
        sense.shape(tree.root, whole)
    faults = {(fault.offset, fault.length, fault.code): fault for fault in [*sense.faults, *_clock_faults(tree)]}
    return [faults[key] for key in sorted(faults)]


def _clock_faults(tree: Tree) -> Iterator[Fault]:
    """The engine has to know when to look again, and for an expression it does not."""
    paths = mentions_in(tree.root)
    if not paths & {("now", "time"), ("now",), ()}:
        return
    words = scan(tree.text)
    start, end = 0, len(tree.text)
    for word, dot, name in zip(words, [*words[1:], words[-1]], [*words[2:], *words[-2:]], strict=False):
        if word.text == "now" and dot.text == "." and name.text == "time":
            start, end = word.start, name.end
            break
    said = "an expression cannot look at `now.time`"
    if ("now", "time") not in paths:
        said += ", and all of the document or of `now` has it in it"
    yield Fault(start, end - start, "jmespath-clock", said, "write `now.time: {between: 09:00 and 17:00}` beside it")


class Sense:
    """Goes through a tree with what each part can be, and notes what is wrong."""

    def __init__(self, tree: Tree, about: SubjectKind | None) -> None:
        self.tree = tree
        self.about = about
        self.faults: list[Fault] = []
        self._projected: list[int] = []  # where the lists begin, of each item of which is spoken
        self._whole = document(about)

    def note(self, node: Node, code: str, message: str, fix: str | None = None, advice: str = "") -> None:
        """Note a fault of all that a node is written as, without the parentheses around it."""
        start, end = self.tree.span(node, is_bare=True) or (0, len(self.tree.text))
        if fix is not None and self.tree.text[:start].rstrip().endswith(".") and not fix.isidentifier():
            fix = None  # behind a dot stands only a name
        said = advice or (write(fix) if fix is not None else "")
        self.faults.append(Fault(start, max(1, end - start), code, message, said, fix))

    def condition(self, node: Node, scope: Shape, *, is_loose: bool = False) -> Shape:
        """What a part yields that must be true or false. Where it `is_loose`, being empty or not will do as well."""
        kind, children = str(node.get("type")), children_of(node)
        if kind in _BOTH:
            return self._joined(node, scope, is_loose=is_loose)
        if kind == "not_expression":
            self.condition(children[0], scope, is_loose=True)
            return FLAG
        if kind == "pipe":
            left = self._piped(node, scope)
            return FLAG if left is None else self.condition(children[1], left, is_loose=is_loose)
        found = self.shape(node, scope)
        self._outcome(node, found, is_loose=is_loose)
        return FLAG

    def _joined(self, node: Node, scope: Shape, *, is_loose: bool) -> Shape:
        first, second = children_of(node)
        self.condition(first, scope, is_loose=is_loose or self._may_be_absent(first, scope))
        repeated = self._repeated(node, first, second)
        if repeated is None:
            self.condition(second, scope, is_loose=is_loose)
        else:
            said = f"{self.tree.source(second)} alone is no condition"
            self.note(second, "jmespath-not-a-condition", said, repeated)
        return FLAG

    def _may_be_absent(self, node: Node, scope: Shape) -> bool:
        """Whether it is a whole subject or event, which is there or not: `before && …`."""
        return node.get("type") == "field" and (scope.fields or {}).get(str(node["value"]), FLAG).fields is not None

    def _repeated(self, node: Node, first: Node, second: Node) -> str | None:
        """Of `x == 'a' || 'b'`, what the second must be: `x == 'b'`."""
        if second.get("type") != "literal" or isinstance(second.get("value"), bool | None):
            return None
        while first.get("type") in _BOTH:
            first = children_of(first)[1]
        sign = "eq" if node["type"] == "or_expression" else "ne"
        if first.get("type") != "comparator" or first.get("value") != sign:
            return None
        written = "==" if sign == "eq" else "!="
        return f"{self.tree.source(children_of(first)[0])} {written} {self.tree.source(second)}"

    def _outcome(self, node: Node, found: Shape, *, is_loose: bool) -> None:
        start, end = self.tree.span(node, is_bare=True) or (0, 0)
        solid, source = found.solid, self.tree.text[start:end]
        if found.kinds == ANYTHING.kinds or solid == {Kind.FLAG}:
            return
        if is_loose and solid and Kind.NUMBER not in solid and node.get("type") != "literal":
            return
        said = " or ".join(sorted(solid)) or "nothing"
        message = f"this yields {said}; a condition must yield true or false"
        if is_loose and Kind.NUMBER in solid:
            message = "this yields a number, and 0 counts as true"
        fix, advice = None, "compare it with something"
        if node.get("type") not in {"literal", "multi_select_list", "multi_select_dict"} and solid:
            if solid == {Kind.NUMBER}:
                fix = f"{source} > `0`"
                advice = f"compare it, as in {fix}"
            elif solid == {Kind.LIST}:
                fix = f"length({source}) > `0`"
                advice = f"compare it, as in {fix}"
            elif solid <= {Kind.TEXT, Kind.OBJECT}:
                fix = f"{source} != `null`"
                advice = f"compare it, as in {fix}"
        self.faults.append(Fault(start, max(1, end - start), "jmespath-not-a-condition", message, advice, fix))

    def shape(self, node: Node, scope: Shape) -> Shape:  # noqa: C901, PLR0912 — a row for each kind of node
        """What a part can be, given what stands left of it."""
        kind, children = str(node.get("type")), children_of(node)
        if kind in STEPS and self._is_denied(node):
            return FLAG
        match kind:
            case "field":
                return self._field(node, scope, is_alone=True)
            case "literal":
                return of_value(node.get("value"))
            case "subexpression":
                return self._path(node, scope)
            case "index_expression":
                base = self.shape(children[0], scope)
                for place in children[1:]:  # `[0][1]` is one node
                    if base.solid and Kind.LIST not in base.solid:
                        if place.get("type") == "index" and self._is_of_each(node):
                            return ANYTHING
                        below = children[0] if place is children[1] else place  # a place alone is written as nothing
                        return self._no_list(node, below, base, Kind.LIST)
                    base = self._place(base, place)
                return base
            case "pipe":
                left = self._piped(node, scope)
                return ANYTHING if left is None else self.shape(children[1], left)
            case "comparator":
                return self._compared(node, scope)
            case "and_expression" | "or_expression":
                left, right = (self.shape(child, scope) for child in children)
                return left | right
            case "not_expression":
                self.condition(children[0], scope, is_loose=True)
                return FLAG
            case "function_expression":
                return call_shape(self, node, scope)
            case "multi_select_list":
                items = [self.shape(child, scope) for child in children]
                found = items[0]
                for item in items[1:]:
                    found |= item
                return list_of(found)
            case "multi_select_dict":
                return object_of({str(pair.get("value")): self.shape(children_of(pair)[0], scope) for pair in children})
            case "projection" | "value_projection" | "filter_projection" | "flatten":
                return self._projection(node, scope)
            case "slice" | "index":
                return self._place(scope, node)
            case "expref":
                self.note(
                    node, "jmespath-function", "`&` stands before what a function asks of each item, nowhere else"
                )
                return ANYTHING
        return scope

    def _compared(self, node: Node, scope: Shape) -> Shape:
        before = len(self.faults)
        left, right = (self.shape(child, scope) for child in children_of(node))
        found = list(Comparison(self.tree, node, left, right).faults())
        if any(fault.code == "jmespath-not" for fault in found):
            del self.faults[before:]  # what the comparison says of it corrects both
        self.faults.extend(found)
        return FLAG if node["value"] in {"eq", "ne"} else Shape(frozenset({Kind.FLAG, Kind.NOTHING}))

    def _place(self, base: Shape, node: Node) -> Shape:
        """A place in a list, or a part of it."""
        if node.get("type") != "slice":
            return base.items or ANYTHING
        given = node.get("children")
        if isinstance(given, list) and len(given) > 2 and given[2] == 0:
            self.faults.append(syntax_fault(0, len(self.tree.text), "a list is not taken in steps of 0"))
        return base

    def _is_denied(self, node: Node) -> bool:
        """`!a.b` is read as `(!a).b`, which is always null."""
        head = head_of(node)
        if head.get("type") != "not_expression":
            return False
        start, end = self.tree.span(node, is_bare=True) or (0, 0)
        source = self.tree.text[start:end]
        match = re.fullmatch(r"\(\s*!(.+?)\)(.+)", source, re.DOTALL)
        meant = f"{match[1]}{match[2]}" if match else source[1:].strip()
        first = self.tree.source(head).strip("()").removeprefix("!")
        fix = f"!({meant})"
        said = f"`!{meant}` is read as `(!{first}).…`, which is never true"
        self.faults.append(Fault(start, end - start, "jmespath-not", said, write(fix), fix))
        return True

    def _path(self, node: Node, scope: Shape) -> Shape:
        children = children_of(node)
        found = scope
        start = (self.tree.span(node, is_bare=True) or (0, 0))[0]
        for at, child in enumerate(children):
            behind = (self.tree.span(children[at - 1]) or (start, start))[1] if at else start
            before = self.tree.text[start:behind]
            if child.get("type") == "function_expression" and at:
                fault = method_fault(self.tree, child, before, start)
                if fault:
                    self.faults.append(fault)
                    return ANYTHING
            if child.get("type") != "field":
                found = self.shape(child, found)
            elif at and not found.solid & {Kind.OBJECT} and found.solid:
                return self._below(node, found, before, child)
            else:
                found = self._field(child, found, is_alone=False)
        return found

    def _below(self, node: Node, found: Shape, before: str, child: Node) -> Shape:
        """A field of what has none: a list, a text, a number."""
        name = str(child["value"])
        end, stop = (self.tree.span(child) or (0, 0))[1], (self.tree.span(node, is_bare=True) or (0, 0))[1]
        said = f"{before} is {' or '.join(sorted(found.solid))}, which has no fields"
        fix: str | None = before
        if name in _LENGTHS and found.solid <= {Kind.LIST, Kind.TEXT}:
            fix = f"length({before})"
        elif found.solid == {Kind.LIST}:
            items = found.items or ANYTHING
            is_text = items.is_only(Kind.TEXT)
            fix = f"contains({before}, {as_text(name)})" if is_text else f"{before}[].{as_name(name)}"
        if end != stop:
            fix = f"{fix}{self.tree.text[end:stop]}" if found.solid == {Kind.LIST} else before
        self.note(node, "jmespath-below", said, fix)
        return ANYTHING

    def _field(self, node: Node, scope: Shape, *, is_alone: bool) -> Shape:
        name = str(node["value"])
        if scope.fields is not None:
            found = scope.fields.get(name)
            if found is None:
                self._unknown(node, scope, name, is_alone=is_alone)
            return found or ANYTHING
        if scope.solid and Kind.OBJECT not in scope.solid:
            said = f"{' or '.join(sorted(scope.solid))} has no field `{name}`, so this is always null"
            is_text = scope.is_only(Kind.TEXT)
            advice = f"write `@` for the item itself, or {as_text(name)} for text" if is_text else ""
            self.note(node, "jmespath-below", said, None, advice)
        return ANYTHING

    def _unknown(self, node: Node, scope: Shape, name: str, *, is_alone: bool) -> None:
        known = list(scope.fields or ())
        if scope.fields != self._whole.fields:
            near = closest(name, known)
            written = f"{scope.path}.{name}" if scope.path else name
            full = f"{scope.path}.{near}" if scope.path else near
            advice = f"did you mean `{full}`?" if near else f"there are: {', '.join(known)}"
            self.note(node, "unknown-field", f"there is no field `{written}`", near or None, advice)
            return
        root = str(self.about or SubjectKind.PRODUCT)
        own = CATEGORY if self.about is SubjectKind.CATEGORY else PRODUCT
        start, _ = self.tree.span(node) or (0, 0)
        fix: str | None
        if self.tree.text[:start].rstrip().endswith("."):
            fix, advice = closest(name, ROOTS) or None, f"there are: {', '.join(ROOTS)}"
        elif name in own:
            fix, advice = f"{root}.{name}", f"did you mean `{root}.{name}`?"
        elif near := closest(name, ROOTS):
            fix, advice = near, did_you_mean(name, ROOTS)
        elif is_alone and (near := next(iter(get_close_matches(name, own, cutoff=0.8)), "")):
            fix, advice = f"{root}.{near}", f"did you mean `{root}.{near}`? Text stands in single quotes: '{name}'"
        else:
            fix, advice = as_text(name), in_single_quotes(name)
        said = f"the document has no `{name}`"
        if self.tree.source(node).startswith('"'):
            said = f'in double quotes, "{name}" is a field of that name, and the document has none'
        self.note(node, "jmespath-bare-word" if is_alone else "unknown-field", said, fix, advice)

    def _projection(self, node: Node, scope: Shape) -> Shape:
        kind, children = str(node["type"]), children_of(node)
        base = self.shape(children[0], scope)
        wanted = Kind.OBJECT if kind == "value_projection" else Kind.LIST
        if base.solid and wanted not in base.solid:
            return self._no_list(node, children[0], base, wanted)
        items = (base.items or ANYTHING) if wanted is Kind.LIST else ANYTHING
        if kind == "flatten":
            return list_of((items.items or ANYTHING) if items.is_only(Kind.LIST) else items)
        if kind == "filter_projection":
            self.condition(children[2], items, is_loose=True)
        before = len(self.faults)
        self._projected.append((self.tree.span(node, is_bare=True) or (0, 0))[0])
        each = self.shape(children[1], items)
        start = self._projected.pop()
        is_turned = any(fault.offset <= start and fault.code == "jmespath-below" for fault in self.faults[before:])
        return ANYTHING if is_turned else list_of(each)

    def _is_of_each(self, node: Node) -> bool:
        """`list[?…][0]` takes the first of each item, which is no list, where the first item is meant."""
        end = (self.tree.span(node) or (0, 0))[1]
        start = self._projected[-1] if self._projected else end
        opens = self.tree.text.rfind("[", start, end)
        if opens <= start:
            return False
        path = re.search(r'(?:(?:\w+|"[^"]*")\.)*$', self.tree.text[:start])
        start = path.start() if path else start
        listed, place = self.tree.text[start:opens].rstrip(), self.tree.text[opens:end]
        said = f"after a list, {place} is about each item of it, and none is a list"
        fix = f"({listed}){place}"
        self.faults.append(Fault(start, end - start, "jmespath-below", said, write(fix), fix))
        return True

    def _no_list(self, node: Node, below: Node, base: Shape, wanted: Kind) -> Shape:
        source = self.tree.source(below) or "this"
        said = f"{source} is {' or '.join(sorted(base.solid))}, not {wanted}, so this is always null"
        self.note(node, "jmespath-below", said)
        return ANYTHING

    def _piped(self, node: Node, scope: Shape) -> Shape | None:
        """What stands left of a `|`; None when the `|` itself is what is wrong."""
        first, second = children_of(node)
        before = len(self.faults)
        left = self.shape(first, scope)
        leaves = list(_operands(second))
        outside = [at for at, leaf in enumerate(leaves) if self._is_of_the_document(leaf)]
        is_lost = left.solid and (Kind.OBJECT not in left.solid)
        if outside and is_lost:
            self._mend_pipe(node, leaves, outside[0])
            return None
        if first.get("type") in _BOTH and Kind.FLAG in left.solid and left.solid != {Kind.FLAG} and not outside:
            last = list(_operands(first))[-1]
            start = (self.tree.span(last) or (0, 0))[0]
            begin, end = self.tree.span(node, is_bare=True) or (0, 0)
            if not self.tree.source(first).startswith("(") and len(self.faults) == before:
                said = "a single `|` hands on all that stands left of it"
                fix = f"{self.tree.text[begin:start]}({self.tree.text[start:end]})"
                self.note(node, "jmespath-pipe", said, fix)
                return None
        return left

    def _is_of_the_document(self, node: Node) -> bool:
        return any(path and path[0] in ROOTS for path in mentions_in(node))

    def _mend_pipe(self, node: Node, leaves: list[Node], at: int) -> None:
        first, second = children_of(node)
        begin, end = self.tree.span(node, is_bare=True) or (0, 0)
        if at:
            stop = (self.tree.span(leaves[at - 1]) or (0, 0))[1]
            said = "what stands right of a single `|` sees only what stands left of it"
            fix = f"({self.tree.text[begin:stop]}){self.tree.text[stop:end]}"
            self.note(node, "jmespath-pipe", said, fix)
            return
        behind, start = (self.tree.span(first) or (0, 0))[1], (self.tree.span(second) or (0, 0))[0]
        place = behind + self.tree.text[behind:start].find("|")
        said = "a single `|` hands what stands left of it to what stands right of it"
        self.faults.append(Fault(place, 1, "jmespath-pipe", said, "write `||` for or", "||"))


def _operands(node: Node) -> Iterator[Node]:
    """What `&&` and `||` join, from left to right."""
    if node.get("type") in _BOTH:
        for child in children_of(node):
            yield from _operands(child)
    else:
        yield node
