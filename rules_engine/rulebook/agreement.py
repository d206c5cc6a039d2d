"""Whether what a test says of a product agrees with itself: what follows from other fields is what is said."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from rules_engine.core.subject import complete

from .report import Report
from .yaml import MapNode

_FOLLOWING = ("stock", "tracks_stock", "in_stock", "can_be_ordered", "on_sale")
"""The fields that can follow from others, which then count."""


def check_agreement(
    report: Report, node: MapNode, said: Mapping[str, Any], beside: Mapping[str, Any] | None = None
) -> None:
    """Report the first field of `said` that would silently be another, because others are as they are.

    `node` is where they stand. With `beside` they are what was before, and those of the product that are not said
    otherwise were the same then.
    """
    whole = {**(beside or {}), **said}
    done = complete(whole)
    for key, _ in node:
        name = key.text
        if name not in _FOLLOWING or said.get(name) is None or done[name] == said[name]:
            continue
        cause = _cause(name, whole)
        own, other = f"`{name}: {_shown(said[name])}`", _written(cause, whole[cause])
        if cause in said:
            report.error(key.place, "contradicting-test", f"{own} and {other} cannot both be", _advice(name, cause))
        else:
            message = f"`before` says {own}, and {other} of the product was so before, too"
            report.error(key.place, "contradicting-test", message, f"write `{cause}: …` below `before:` too")
        return


def _cause(name: str, fields: Mapping[str, Any]) -> str:
    """The other field for which `name` cannot be what it is said to be."""
    alone = (
        other
        for other in ("variants", *_FOLLOWING)
        if other in fields
        and other != name
        and complete({name: fields[name], other: fields[other]})[name] != fields[name]
    )
    return next(alone, "compare_at_price")


def _written(name: str, value: Any) -> str:  # a field of any type
    return f"`{name}`" if isinstance(value, list) else f"`{name}: {_shown(value)}`"


def _shown(value: Any) -> str:  # a field of any type
    return "~" if value is None else json.dumps(value)


def _advice(name: str, cause: str) -> str:
    if name == "stock" and cause == "tracks_stock":
        return "leave `stock` out for stock without an end, or write `tracks_stock: true`"
    return f"leave `{name}` out: it follows from `{cause}`"
