"""What helps with a test that fails, where the conditions and the story alone do not tell what to write instead."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta

from rules_engine.core.clock import say_duration
from rules_engine.core.condition import Truth
from rules_engine.core.directory import Unresolved
from rules_engine.core.rule import EffectKind, Named, Rule
from rules_engine.core.subject import SubjectKind

from .scenario import Run

_CLOCK = "%a %d %b %H:%M"
_MINUTE = timedelta(minutes=1)
_HOUR = timedelta(hours=1)
_DAY = timedelta(days=1)


def advice(missing: Sequence[str], rule: Rule, run: Run) -> tuple[str, ...]:
    """Sentences about the expected lines that are `missing` from what the rule did since the last sighting."""
    return tuple(_sentences(missing, rule, run)) if missing else ()


def _sentences(missing: Sequence[str], rule: Rule, run: Run) -> Iterator[str]:
    earlier = {f"{deed.kind}: {deed.target}" if deed.id else str(deed.kind) for deed in run.earlier}
    if done := [line for line in missing if line in earlier]:
        yield f"`{done[0]}` came before the last sighting, and `expect` says only what comes from there on"
    elif run.asks:
        yield "the rule asks a person first, and nobody answers in a test: write `expect: asks`"
    elif run.pending_at is not None:
        ends, then = (at.astimezone(run.zone) for at in (run.ended_at, run.pending_at))
        span = _written(run.pending_at - run.shown_at)
        yield f"the test ends {ends:{_CLOCK}}, and the rule looks again {then:{_CLOCK}}: write `after: {span}`"
    elif not run.earlier and _is_met(run) and (names := ", ".join(_not_in(rule, run))):
        yield f"the product is in no category that the rule takes it out of: write `categories: [{names}]`"


def _is_met(run: Run) -> bool:
    return run.finding is not None and run.finding.truth is Truth.MET


def _not_in(rule: Rule, run: Run) -> list[str]:
    """The names of the categories that the rule would take the product out of, if it is in none of them."""
    if rule.about is not SubjectKind.PRODUCT:
        return []
    removes = [effect for effect in rule.effects if effect.kind is EffectKind.REMOVE_FROM_CATEGORY]
    names = []
    for target in (target for effect in removes for target in effect.targets):
        ids = run.shop.directory.targets(target, run.member_of)
        if isinstance(ids, Unresolved) or set(ids) & set(run.member_of):
            return []
        if isinstance(target, Named):
            names.append(target.name)
    return names


def _written(span: timedelta) -> str:
    """A span as it can stand in a test, rounded up: two units say it whole."""
    step = _HOUR if span >= _DAY else _MINUTE
    return say_duration(max(-(-span // step), 1) * step)
