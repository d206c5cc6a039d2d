"""The traps of JMESPath: what is malformed, and what loads cleanly and never fires, each with what to write instead."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from jmespath.exceptions import JMESPathError
from jmespath.functions import Functions
from jmespath.lexer import Lexer

from .explain import did_you_mean
from .expression import (
    MAX_DEPTH,
    MAX_LENGTH,
    Node,
    children_of,
    compiled,
    depth_of,
    malformed_literals,
    mentions_in,
    walk,
)
from .fields import PRODUCT, ROOTS, FieldType, fields_below
from .subject import SubjectKind


@dataclass(frozen=True, slots=True)
class Fault:
    """Something wrong in an expression. `offset` and `length` count characters of its text."""

    offset: int
    length: int
    code: str
    message: str
    help: str = ""


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    start: int

    @property
    def length(self) -> int:
        return max(1, len(self.text))


_COMPARISONS = frozenset({"eq", "ne", "lt", "lte", "gt", "gte"})
_WORDS = {"and": "&&", "or": "||", "not": "!"}
_CONSTANTS = frozenset({"true", "false", "null"})
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
_YIELDS = {
    "true or false": ("comparator", "not_expression", "contains()", "ends_with()", "starts_with()"),
    "a number": ("abs()", "avg()", "ceil()", "floor()", "length()", "sum()", "to_number()"),
    "text": ("join()", "to_string()", "type()"),
    "a list": (
        *("projection", "value_projection", "filter_projection", "flatten", "slice", "multi_select_list"),
        *("keys()", "map()", "sort()", "sort_by()", "to_array()", "values()"),
    ),
    "an object": ("multi_select_dict", "merge()"),
}
_KINDS = {form: kind for kind, forms in _YIELDS.items() for form in forms}


def lint(text: str, *, about: SubjectKind | None = None, is_condition: bool = True) -> tuple[Fault, ...]:
    """Everything that is wrong with an expression, each with the corrected text where it is known.

    `about` is the subject of the rule (None: either). With `is_condition` it must be able to yield true or false.
    """
    first = _size_faults(text) or _literal_faults(text) or _token_faults(text)
    if first:
        return tuple(first)
    try:
        tree = compiled(text).parsed
    except JMESPathError as error:
        return (_syntax(_offset(error, text), 1, "this is not a JMESPath expression from here on"),)
    except RecursionError:
        return (_too_deep(),)
    except Exception:  # noqa: BLE001 — the parser raises KeyError, TypeError and others for some texts
        return (_syntax(0, len(text), "this is not a JMESPath expression"),)
    if depth_of(tree) > MAX_DEPTH:
        return (_too_deep(),)
    tokens = _tokens(text)
    faults = [
        *_field_faults(tree, tokens, about),
        *_function_faults(tree, tokens),
        *_binding_faults(tree, text, tokens),
    ]
    if not faults and is_condition:
        faults = list(_outcome_faults(tree, text))
    return tuple(faults)


def _syntax(offset: int, length: int, message: str, advice: str = "") -> Fault:
    return Fault(offset, length, "jmespath-syntax", message, advice)


def _offset(error: JMESPathError, text: str) -> int:
    return min(max(0, getattr(error, "lex_position", 0)), len(text) - 1)


def _size_faults(text: str) -> list[Fault]:
    if not text.strip():
        return [_syntax(0, 1, "the expression is empty")]
    if len(text) > MAX_LENGTH:
        said = f"the expression has {len(text)} characters; {MAX_LENGTH} are allowed"
        return [Fault(0, 1, "jmespath-too-long", said, "split it with `all:` or a meaning")]
    return []


def _literal_faults(text: str) -> list[Fault]:
    faults = []
    for start, literal in malformed_literals(text):
        said = f"between backticks stands a number, true, false or null, not {literal[:60]}"
        written = literal.strip("`").strip().strip("\"'")
        advice = f"write text in single quotes: '{written[:60]}'"
        faults.append(Fault(start, len(literal), "jmespath-literal", said, advice))
    return faults


def _too_deep() -> Fault:
    said = f"the expression is nested more than {MAX_DEPTH} levels deep"
    return Fault(0, 1, "jmespath-too-deep", said, "split it with `all:` or a meaning")


def _tokens(text: str) -> list[_Token]:
    every = Lexer().tokenize(text)
    return [_Token(token["type"], str(token["value"]), token["start"]) for token in every]


def _token_faults(text: str) -> list[Fault]:
    """The traps that show in the words alone, before the grammar is asked."""
    try:
        tokens = _tokens(text)
    except JMESPathError as error:
        at = _offset(error, text)
        if text[at] == "=":
            return [Fault(at, 1, "jmespath-equals", "a single `=` compares nothing", "write `==`")]
        advice = "text stands in single quotes" if not text[at].isascii() or text[at] in "'\"" else ""
        return [_syntax(at, 1, f"`{text[at]}` cannot stand here", advice)]
    except Exception:  # noqa: BLE001 — the lexer raises ValueError for over-long numbers
        return [_syntax(0, len(text), "this is not a JMESPath expression")]
    faults = []
    nowhere = _Token("eof", "", len(text))
    for before, token, after in zip([nowhere, *tokens], tokens, [*tokens[1:], nowhere], strict=False):
        fault = _word_fault(before, token, after) or _value_fault(text, before, token, after)
        if fault:
            faults.append(fault)
    return faults


def _word_fault(before: _Token, token: _Token, after: _Token) -> Fault | None:
    if token.kind != "unquoted_identifier" or before.kind == "dot":
        return None
    word = token.text.lower()
    is_joining = word in {"and", "or"} and before.kind != "eof" and after.kind not in {"eof", "lparen", "dot"}
    is_joining = is_joining or (word in {"and", "or"} and before.kind in {"rparen", "literal", "unquoted_identifier"})
    is_denying = word == "not" and after.kind in {"lparen", "unquoted_identifier"}
    if is_joining or is_denying:
        sign = _WORDS[word]
        return Fault(
            token.start, token.length, "jmespath-word", f"JMESPath does not know `{token.text}`", f"write `{sign}`"
        )
    if word in _CONSTANTS and after.kind not in {"dot", "lparen", "colon"}:
        said = f"without backticks, {token.text} is a field named {token.text}"
        return Fault(token.start, token.length, "jmespath-literal", said, f"write `{word}`, with the backticks")
    return None


def _value_fault(text: str, before: _Token, token: _Token, after: _Token) -> Fault | None:
    if token.kind == "number" and before.kind not in {"lbracket", "colon", "dot"}:
        match = _NUMBER.match(text, token.start)
        number = match[0] if match else token.text
        advice = f"write `{number}`, with the backticks"
        return Fault(token.start, len(number), "jmespath-number", "a number stands between backticks", advice)
    if token.kind == "quoted_identifier" and before.kind in _COMPARISONS and after.kind not in {"dot", "lbracket"}:
        said = f'in double quotes, "{token.text}" is a field of that name, so this never matches'
        return Fault(
            token.start, token.length + 2, "jmespath-bare-word", said, f"write '{token.text}' in single quotes"
        )
    return None


def _place(tokens: list[_Token], text: str, after: str | None = None) -> tuple[int, int]:
    """Where a word stands; with `after`, where it stands behind that word and a dot."""
    names = ("unquoted_identifier", "quoted_identifier")
    for at, token in enumerate(tokens):
        if token.kind in names and token.text == text:
            is_behind = at > 1 and tokens[at - 1].kind == "dot" and tokens[at - 2].text == after
            if is_behind if after is not None else at == 0 or tokens[at - 1].kind != "dot":
                return token.start, token.length + (2 if token.kind == "quoted_identifier" else 0)
    return 0, 1


def _field_faults(tree: Node, tokens: list[_Token], about: SubjectKind | None) -> Iterator[Fault]:
    for root, name in sorted(set(mentions_in(tree)), key=str):
        if root not in ROOTS:
            start, length = _place(tokens, root)
            if root in PRODUCT:
                advice = f"did you mean `{about or SubjectKind.PRODUCT}.{root}`?"
            else:
                advice = did_you_mean(root, ROOTS, f"write text in single quotes: '{root}'")
            said = f"the document has no `{root}`"
            yield Fault(start, length, "jmespath-bare-word" if not name else "unknown-field", said, advice)
        elif name is not None and name not in fields_below(root, about):
            start, length = _place(tokens, name, after=root)
            known = [f"{root}.{field}" for field in fields_below(root, about)]
            advice = did_you_mean(f"{root}.{name}", known).replace('"', "`")
            yield Fault(start, length, "unknown-field", f"there is no field `{root}.{name}`", advice)


def _function_faults(tree: Node, tokens: list[_Token]) -> Iterator[Fault]:
    for node in walk(tree):
        if node.get("type") != "function_expression":
            continue
        name, given = str(node["value"]), len(children_of(node))
        start, length = _place(tokens, name)
        signature = _SIGNATURES.get(name)
        if signature is None:
            advice = did_you_mean(name, _SIGNATURES, "the functions are " + ", ".join(sorted(_SIGNATURES)))
            yield Fault(start, length, "jmespath-function", f"JMESPath has no function `{name}`", advice)
        elif given != signature[0] and not (signature[1] and given > signature[0]):
            few = "at least " if signature[1] else ""
            said = f"`{name}` takes {few}{signature[0]} value{'s' if signature[0] != 1 else ''}, not {given}"
            yield Fault(start, length, "jmespath-function", said)


def _signatures() -> dict[str, tuple[int, bool]]:
    """How many values each function takes, and whether it takes more."""
    table: Mapping[str, Mapping[str, tuple[Mapping[str, object], ...]]] = getattr(Functions, "FUNCTION_TABLE")  # noqa: B009 — the stubs do not show it
    return {
        name: (len(entry["signature"]), bool(entry["signature"] and entry["signature"][-1].get("variadic")))
        for name, entry in table.items()
    }


_SIGNATURES = _signatures()


def _binding_faults(tree: Node, text: str, tokens: list[_Token]) -> Iterator[Fault]:
    """`!a.b` is read as `(!a).b`, which is always null."""
    for node in walk(tree):
        children = children_of(node)
        if node.get("type") not in {"subexpression", "index_expression"} or not children:
            continue
        if children[0].get("type") == "not_expression":
            match = re.search(r"!\s*([\w.\"\[\]]+)", text)
            start = next((token.start for token in tokens if token.kind == "not"), 0)
            meant = match[1] if match else "…"
            said = f"`!{meant}` is read as `(!{meant.split('.')[0]}).…`, which is never true"
            yield Fault(start, 1 + len(meant), "jmespath-not", said, f"write `!({meant})`")
            return


def _outcome_faults(tree: Node, text: str) -> Iterator[Fault]:
    kind = _yields(tree)
    if kind and kind != "true or false":
        said = f"this yields {kind}; a condition must yield true or false"
        advice = "compare it, as in … > `0`" if kind == "a number" else "compare it with something"
        yield Fault(0, len(text), "jmespath-not-a-condition", said, advice)


def _yields(node: Node) -> str:
    """What the expression yields, as far as its form tells: empty when it could be anything."""
    form, children = str(node.get("type")), children_of(node)
    if form in {"and_expression", "or_expression"}:
        return next((found for found in map(_yields, children) if found and found != "true or false"), "")
    if form == "pipe":
        return _yields(children[-1])
    if form == "literal":
        return _kind_of(node.get("value"))
    if form == "function_expression":
        form = f"{node['value']}()"
    return _field_yields(node) if form == "subexpression" else _KINDS.get(form, "")


def _field_yields(node: Node) -> str:
    mentions = list(mentions_in(node))
    if len(children_of(node)) != 2 or len(mentions) != 1 or mentions[0][1] is None:
        return ""
    found = fields_below(mentions[0][0]).get(mentions[0][1], FieldType.ANY)
    return "" if found is FieldType.ANY else found.value


def _kind_of(value: object) -> str:
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, int | float):
        return "a number"
    return "text" if isinstance(value, str) else "null" if value is None else "a list or an object"
