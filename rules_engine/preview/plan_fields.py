"""A plan as plain values, for `--json`: everything that is known of it."""

from __future__ import annotations

from typing import Any

from rules_engine.core.rule import Rulebook

from .plan import RulePlan, StorePlan
from .plan_changes import RuleChanges
from .plan_lines import Line

Fields = dict[str, Any]  # Any: whatever JSON can say


def plan_fields(rulebook: Rulebook, plans: list[StorePlan], *, against: str, changes: RuleChanges | None) -> Fields:
    """Everything about a plan as one JSON object. `against` names the rulebook that it was compared with."""
    return {
        "rulebook": rulebook.hash,
        "against": against or None,
        "changes": None if changes is None else _change_fields(changes),
        "stores": [_store_fields(plan) for plan in plans],
    }


def _change_fields(changes: RuleChanges) -> Fields:
    return {
        "added": list(changes.added),
        "removed": list(changes.removed),
        "renamed": dict(changes.renamed),
        "edited": list(changes.edited),
        "reordered": changes.is_reordered,
    }


def _store_fields(plan: StorePlan) -> Fields:
    cost = plan.cost
    differs = plan.differs
    return {
        "store": plan.store.alias,
        "vendor": plan.store.settings.vendor,
        "products": plan.products,
        "categories": plan.categories,
        "touched": len({line.product for line in plan.lines if line.doing != "waits"}),
        "calls": cost and cost.calls,
        "reads": cost and cost.reads,
        "seconds": cost and round(cost.time.total_seconds(), 3),
        "refused": cost and cost.refused,
        "open": plan.open,
        "rules": [_rule_fields(each) for each in plan.rules],
        "idle": [each.rule.code for each in plan.rules if each.is_idle],
        "gone": dict(plan.orphans),
        "notes": [{"rule": rule, "text": text} for rule, text in plan.notes],
        "failed": dict(plan.failed),
        "differs": None
        if differs is None
        else [{"only_in": "new" if each.is_new else "other", **_line_fields(each.line)} for each in differs],
    }


def _rule_fields(each: RulePlan) -> Fields:
    rule = each.rule
    return {
        "rule": rule.code,
        "title": rule.title or None,
        "about": rule.about.value,
        "mode": rule.mode.value,
        "because": rule.because or None,
        "file": rule.place.path,
        "line": rule.place.line,
        "met": each.met,
        "cannot_tell": each.cannot_tell,
        "holds": each.holds,
        "waits_for": each.waits_for or None,
        "asks": list(each.asks),
        "irreversible": list(each.irreversible),
        "loses": list(each.loses),
        "products": [_line_fields(line) for line in each.lines],
    }


def _line_fields(line: Line) -> Fields:
    return {
        "rule": line.rule,
        "product": line.named.plain(),
        "doing": line.doing.value,
        "action": line.kind.value if line.kind else None,
        "target": line.target or None,
        "would": line.would,
        "by": line.by,
        "until": line.until.isoformat() if line.until else None,
        "because": line.because or None,
        "last_category": line.is_last,
        "watches": line.is_watched,
    }
