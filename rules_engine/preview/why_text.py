"""An answer to "why?" as people read it, and as plain values for programs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from rules_engine.core.condition import Finding
from rules_engine.core.explain import label, mark, tree

from .naming import slot_plain
from .why import Next, Why
from .why_facts import Told
from .why_rule import Held, RuleWhy


def as_plain(why: Why) -> dict[str, object]:
    """The answer as plain values, for JSON."""
    facts = why.facts
    return {
        "store": facts.store.alias,
        "kind": facts.ref.kind.value,
        "id": facts.ref.id,
        "sku": why.sku or None,
        "name": facts.fields.get("name") or None,
        "at": facts.asked.at,
        "seen_at": facts.case.seen_at,
        "is_known": facts.known.snapshot is not None,
        "is_gone": facts.known.is_gone,
        "is_exact": facts.known.is_exact,
        "rulebook": why.in_force.rulebook.hash,
        "in_force_since": why.in_force.since,
        "notes": list(why.notes),
        "rules": [_rule_plain(each) for each in why.rules],
        "elsewhere": {each.rule.code: each.reason for each in why.elsewhere},
        "next": [{"at": each.at, "text": each.text, "is_held_back": each.is_held_back} for each in why.next],
        "traces": [
            {
                "at": each.trace.at,
                "rule": each.trace.rule,
                "truth": each.trace.truth.value,
                "text": each.trace.text,
                "caused_by": list(each.trace.caused_by),
                "rulebook": each.rulebook,
            }
            for each in why.facts.told
        ],
    }


def _rule_plain(each: RuleWhy) -> dict[str, object]:
    return {
        "rule": each.rule.code,
        "title": each.rule.title or None,
        "trigger": each.rule.trigger.value,
        "mode": each.rule.mode.value,
        "about": str(each.about),
        "truth": each.finding.truth.value if each.finding else None,
        "condition": _finding_plain(each.finding) if each.finding else None,
        "says": list(each.says),
        "acts_at": each.acts_at,
        "turns_at": each.turns_at,
        "holds": [_held_plain(held) for held in each.held],
    }


def _held_plain(held: Held) -> Mapping[str, object]:
    return {
        "slot": slot_plain(held.slot),
        "state": held.state,
        "wish": held.wish,
        "baseline": held.baseline,
        "since": held.since,
        "because_of": list(held.cause),
        "says": list(held.says),
    }


def _finding_plain(finding: Finding) -> list[dict[str, object]]:
    """The lines of a condition, each with how deep it stands under others."""
    return [
        {"depth": depth, "truth": each.truth.value, "text": label(each), "kind": each.kind.value}
        for depth, each in tree(finding)
    ]


# What people read.


def text_of_why(why: Why) -> list[str]:
    """The answer for people, line by line: a screen or two."""
    facts = why.facts
    lines = [*_headline(why), *(f"! {note}" for note in why.notes)]
    for each in why.rules:
        lines += ["", *_rule_lines(each)]
    is_there = facts.known.snapshot is not None and not facts.known.is_gone
    if is_there and not why.rules and not why.elsewhere:
        lines += ["", f"No rule is about this {facts.ref.kind} in this store."]
    if why.next:
        lines += ["", "What comes next"]
        lines += [f"  {_when(why, each)}: {each.text}" for each in why.next]
    if why.facts.told:
        lines += ["", "What happened" if facts.asked.is_past else "What happened last"]
        lines += [f"  {_told_line(why, each)}" for each in why.facts.told]
    if is_there and why.elsewhere:
        lines += ["", f"Rules that do not run for {facts.store.alias}"]
        lines += [f"  {each.rule.code}: {each.reason}" for each in why.elsewhere]
    return lines


def _headline(why: Why) -> Iterator[str]:
    facts, clock = why.facts, why.clock
    sku = f", SKU {why.sku}" if why.sku and why.sku != why.called else ""
    yield f"{why.called} ({facts.ref.kind} {facts.ref.id}{sku}) in {facts.store.alias}"
    said: list[str] = []
    if facts.asked.is_past:
        said.append(f"as it was {clock.when(facts.asked.at)}")
    elif facts.case.seen_at is not None:
        said.append(f"last seen {clock.when(facts.case.seen_at)}")
    rules = f"rules {why.in_force.rulebook.hash[:12]}"
    said.append(f"{rules}, in force since {clock.at(why.in_force.since)}" if why.in_force.since else rules)
    said.append(f"times in {facts.store.settings.time_zone}")
    yield " · ".join(said)


def _rule_lines(each: RuleWhy) -> Iterator[str]:
    rule = each.rule
    yield f"{rule.code}{': ' if rule.title else ''}{rule.title}" + (f" (for {each.called})" if each.called else "")
    if each.finding is not None:
        lines = tree(each.finding)
        trigger = rule.trigger.value.replace("_", " ")
        yield f"  {trigger}"
        for depth, finding in lines:
            yield f"    {'  ' * depth}{mark(finding)} {label(finding)}"
    for said in (*each.says, *(text for held in each.held for text in held.says)):
        yield f"  → {said}"


def _when(why: Why, each: Next) -> str:
    if each.is_held_back:
        return "held back"
    return "now" if each.at is None else why.clock.both(each.at)


def _told_line(why: Why, each: Told) -> str:
    trace = each.trace
    return f"{why.clock.at(trace.at)}  {trace.rule}: {trace.text} (rules {each.rulebook[:12]})"
