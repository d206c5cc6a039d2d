"""A backtest as plain values, for `--json`: everything that is known of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from rules_engine.core.rule import Rulebook

from .backtest import RuleBacktest, StoreBacktest
from .backtest_text import notes_of

Fields = dict[str, Any]  # Any: whatever JSON can say


def backtest_fields(rulebook: Rulebook, made: Sequence[StoreBacktest]) -> Fields:
    """Everything about a backtest as one JSON object. Times are ISO 8601 in UTC."""
    return {"rulebook": rulebook.hash, "stores": [_store_fields(each) for each in made]}


def _store_fields(made: StoreBacktest) -> Fields:
    return {
        "store": made.store.alias,
        "vendor": made.store.settings.vendor,
        "since": made.since.isoformat(),
        "until": made.until.isoformat(),
        "known_since": made.known_since and made.known_since.isoformat(),
        "products": made.products,
        "changes": made.changes,
        "then": asdict(made.then) if made.is_whole else None,
        "now": asdict(made.now) if made.is_whole else None,
        "rules": [_rule_fields(each) for each in made.rules],
        "failed": dict(made.failed),
        "notes": list(notes_of(made)),
    }


def _rule_fields(each: RuleBacktest) -> Fields:
    first = each.first
    return {
        "rule": each.code,
        "title": each.rule.title if each.rule else None,
        "is_gone": each.rule is None,
        "then": each.then and asdict(each.then),
        "now": each.now and asdict(each.now),
        "differs": each.differs,
        "first": first and {**asdict(first), "at": first.at.isoformat(), "because": list(first.because)},
        "notes": list(each.notes),
    }
