"""`limits` of a file and of its rules → limits: how many products in an hour or a day; a looser one is refused."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from rules_engine.core.problem import Place
from rules_engine.core.rule import DAY, HOUR, Limit

from .amounts import MOST_PRODUCTS, Amount, meant_amount, read_amount
from .elsewhere import LIMIT_KEYS, refuse_word
from .report import Report
from .yaml import ListNode, MapNode, Node, ScalarNode

SPANS: Mapping[str, timedelta] = {"per_hour": HOUR, "per_day": DAY}
"""The keys of `limits`, and the time over which each counts."""

_KEY = {span: key for key, span in SPANS.items()}
_EXAMPLE = "per_day: 200 products"
_ENDLESS = frozenset({"unlimited", "none", "no", "all", "any", "off", "never", "false", "infinite", "no limit", "true"})
_HOURLY = re.compile(r"hour|\bh\b|/h")
_OTHER_THINGS = re.compile(r"\b(categor(?:y|ies)|collections?|calls?|actions?|changes?|brands?|requests?)\b")


@dataclass(frozen=True, slots=True)
class PlacedLimit:
    """A limit, and where it is written."""

    limit: Limit
    place: Place

    @property
    def said(self) -> str:
        """As a rule writes it: `per_day: 200 products`."""
        return f"{_KEY[self.limit.per]}: {Amount(self.limit.amount, self.limit.is_percent)}"

    def is_of_kind(self, other: PlacedLimit) -> bool:
        """Whether both count in the same unit over the same time, so that one of them is the stricter."""
        return (self.limit.per, self.limit.is_percent) == (other.limit.per, other.limit.is_percent)


def read_limits(report: Report, node: Node | None, *, ceilings: Sequence[PlacedLimit] = ()) -> tuple[PlacedLimit, ...]:
    """The limits of a rule below the `ceilings` of its file, or the ceilings themselves; what is wrong is reported.

    A ceiling holds where the rule says nothing in the same unit over the same time.
    """
    own = _read(report, node) if node is not None else ()
    for limit in own:
        for ceiling in ceilings:
            if limit.is_of_kind(ceiling) and limit.limit.amount > ceiling.limit.amount:
                said = f"this is more than `{ceiling.said}` of the whole file, at {ceiling.place}"
                advice = f"write at most `{ceiling.said}`, or raise that one"
                report.error(limit.place, "looser-limit", said, advice)
    inherited = (ceiling for ceiling in ceilings if not any(limit.is_of_kind(ceiling) for limit in own))
    return (*own, *inherited)


def _read(report: Report, node: Node) -> tuple[PlacedLimit, ...]:
    is_empty = not node.entries if isinstance(node, MapNode) else isinstance(node, ListNode) and not node.items
    if is_empty or (isinstance(node, ScalarNode) and node.is_null):
        said = "a limit is missing here"
        report.error(node.place, "missing-value", said, f"write `limits: {{{_EXAMPLE}}}`")
        return ()
    if not isinstance(node, MapNode):
        said = "`limits` says how many products in an hour, and how many in a day"
        report.error(node.place, "wrong-shape", said, f"write `limits: {{{_meant_map(node)}}}`")
        return ()
    found: list[PlacedLimit] = []
    for key, value in node:
        if key.text not in SPANS:
            refuse_word(report, key, "unknown-key", "`limits` has no", SPANS, LIMIT_KEYS)
            continue
        amount = _amount(report, value, key.text)
        if amount is not None:
            found.append(PlacedLimit(Limit(amount.number, SPANS[key.text], amount.is_percent), value.place))
    _refuse_swapped(report, found)
    return tuple(found)


def _meant_map(node: Node) -> str:
    """What is probably meant by limits that stand in a list, or in one text: `200 a day`."""
    if isinstance(node, ListNode):
        maps = [item for item in node.items if isinstance(item, MapNode)]
        pairs = [(key.text, value.text) for item in maps for key, value in item if isinstance(value, ScalarNode)]
        sound = {key: text.strip() for key, text in pairs if key in SPANS and read_amount(text)}
        return ", ".join(f"{key}: {text}" for key, text in sound.items()) or _EXAMPLE
    text = node.text.casefold() if isinstance(node, ScalarNode) else ""
    amount = meant_amount(text)
    return f"{'per_hour' if _HOURLY.search(text[:100]) else 'per_day'}: {amount}" if amount else _EXAMPLE


def _amount(report: Report, node: Node, key: str) -> Amount | None:
    """How many products, or what share of them; None if that is not what stands here, which is reported."""
    if not isinstance(node, ScalarNode):
        items = node.items if isinstance(node, ListNode) else ()
        texts = [item.text.strip() for item in items if isinstance(item, ScalarNode)]
        first = next((text for text in texts if read_amount(text) is not None), "200 products")
        said = f"`{key}` takes one number of products, or one share in percent"
        report.error(node.place, "wrong-shape", said, f"write `{key}: {first}`")
        return None
    if node.is_null or not node.text.strip():
        report.error(
            node.place, "missing-value", "a number of products is missing here", f"write `{key}: 200 products`"
        )
        return None
    amount = read_amount(node.text)
    if amount is not None and amount.is_sound:
        return amount
    said, advice = _what_is_wrong(node.text.strip(), amount, key)
    report.error(node.place, "bad-limit", said, advice)
    return None


def _what_is_wrong(text: str, amount: Amount | None, key: str) -> tuple[str, str]:
    """Why a text is no limit, and what to write."""
    shown, meant = text[:60], meant_amount(text)
    advice = f"write `{key}: {meant}`" if meant else f"write `{key}: 200 products` or `{key}: 10 percent`"
    if amount is not None and amount.number == 0:
        return "a limit of nothing would stop the rule for ever", f"{advice}, or `mode: paused` for a rule that rests"
    if amount is not None and amount.is_percent:
        return f"{shown} is more than all products", f"{advice}, or a number of products"
    if amount is not None:
        return f"a limit is at most {MOST_PRODUCTS} products", f"{advice}, or leave `{key}` out"
    if text.casefold() in _ENDLESS:
        return f'"{shown}" is no number of products', f"leave `{key}` out where nothing is to be limited"
    if other := _OTHER_THINGS.search(text[:100].casefold()):
        return f"limits count products, not {other[1]}", advice
    if re.fullmatch(r"-\s*[0-9].*|[0-9]*\.[0-9].*", text) and meant is not None:
        return f"{shown} is no whole number", advice
    return f'"{shown}" is no number of products', advice


def _refuse_swapped(report: Report, found: Sequence[PlacedLimit]) -> None:
    """Report a limit for an hour that is more than the one for the whole day, which holds first."""
    days = {limit.limit.is_percent: limit for limit in found if limit.limit.per == DAY}
    for limit in found:
        day = days.get(limit.limit.is_percent)
        if limit.limit.per == HOUR and day is not None and limit.limit.amount > day.limit.amount:
            said = f"an hour cannot have more than its day, which has {Amount(day.limit.amount, day.limit.is_percent)}"
            advice = "leave `per_hour` out, or write less than for the day"
            report.error(limit.place, "wrong-order", said, advice)
