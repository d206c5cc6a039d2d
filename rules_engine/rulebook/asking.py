"""`ask_first` of a rule → over how many products it asks a person before it takes them."""

from __future__ import annotations

import re

from rules_engine.core.rule import ASK_TO_EMPTY_OVER

from .amounts import MOST_PRODUCTS, meant_amount
from .report import Report
from .yaml import ListNode, MapNode, Node, ScalarNode

ALWAYS = "always"
_OVER = re.compile(r"(?P<over>over\s+)?(?P<number>[0-9]{1,9})(?:\s*products?)?")
_YES = frozenset({"true", "yes", "on", "each", "every time", "every", "all", "any", "everything"})
_NO = frozenset({"false", "no", "off", "never", "none"})
_EXAMPLE = "ask_first: over 100 products"


def read_asking(report: Report, node: Node | None, *, empties: bool) -> int | None:
    """Over how many products the rule asks; None where it never does, or says it wrong, which is reported.

    A rule that `empties` categories asks over 100 products, whatever it says itself.
    """
    over = _over(report, node) if node is not None else None
    if not empties:
        return over
    if over is not None and node is not None and over > ASK_TO_EMPTY_OVER:
        said = f"a rule that empties categories asks over {ASK_TO_EMPTY_OVER} products anyway"
        advice = f"write at most `ask_first: over {ASK_TO_EMPTY_OVER} products`, or leave `ask_first` out"
        report.error(node.place, "looser-limit", said, advice)
    return min(ASK_TO_EMPTY_OVER, ASK_TO_EMPTY_OVER if over is None else over)


def _over(report: Report, node: Node) -> int | None:
    if not isinstance(node, ScalarNode):
        texts = [value.text for value in _values(node) if isinstance(value, ScalarNode)]
        meant = next((amount for text in texts if (amount := meant_amount(text))), None)
        said = "`ask_first` takes one number of products"
        report.error(
            node.place, "wrong-shape", said, f"write `ask_first: over {meant}`" if meant else f"write `{_EXAMPLE}`"
        )
        return None
    if node.is_null or not node.text.strip():
        said = "a number of products is missing here"
        report.error(node.place, "missing-value", said, f"write `{_EXAMPLE}` or `ask_first: {ALWAYS}`")
        return None
    text = node.text.strip().casefold()
    if text == ALWAYS:
        return 0
    match = _OVER.fullmatch(text)
    number = int(match["number"]) if match else -1
    if match and (1 if not match["over"] else 0) <= number <= MOST_PRODUCTS:
        return number
    report.error(node.place, "bad-limit", *_what_is_wrong(text))
    return None


def _values(node: Node) -> list[Node]:
    if isinstance(node, MapNode):
        return [value for _, value in node]
    return list(node.items) if isinstance(node, ListNode) else []


def _what_is_wrong(text: str) -> tuple[str, str]:
    """Why a text, in small letters, does not say when to ask, and what to write."""
    said = f'"{text[:60]}" does not say over how many products the rule asks'
    if text in _YES or re.fullmatch(r"0+(?:\s*products?)?", text):
        return said, f"write `ask_first: {ALWAYS}`"
    if text in _NO:
        return said, "leave `ask_first` out where the rule need not ask"
    meant = meant_amount(text)
    if meant is None:
        return said, f"write `{_EXAMPLE}` or `ask_first: {ALWAYS}`"
    if meant.is_percent:
        advice = f"write a number, such as `{_EXAMPLE}`; a share is a limit: `limits: {{per_day: {meant}}}`"
        return "`ask_first` counts products, not shares of them", advice
    if re.match(r"-\s*[0-9]", text):
        return "there are never fewer than no products", f"write `ask_first: {ALWAYS}`"
    if meant.number == MOST_PRODUCTS:
        return f"`ask_first` is at most over {MOST_PRODUCTS} products", "leave `ask_first` out"
    if re.match(r"at least|from|>=", text):
        meant = meant_amount(str(meant.number - 1)) if meant.number > 1 else None
        return said, f"write `ask_first: over {meant}`" if meant else f"write `ask_first: {ALWAYS}`"
    return said, f"write `ask_first: over {meant}`"
