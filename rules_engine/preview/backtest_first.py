"""The first difference of a backtest in words: which product, what really happened, what the rules did, and why."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from rules_engine.core.action import Aspect
from rules_engine.core.condition import Truth
from rules_engine.core.explain import because
from rules_engine.core.plan import Step
from rules_engine.core.rule import Rule

from .backtest_play import Deed, Player, Stage
from .backtest_tally import Difference
from .plan_lines import Doing, Line, category_called

NO_SUCH_RULE = "the new rules have no such rule"


@dataclass(frozen=True, slots=True)
class First:
    """The first difference in time: with which product, what really was done, what the new rules did, and why.

    `called` is the product as people know it. `because` are lines as `why` has them.
    """

    at: datetime
    product: str
    called: str
    then: str
    now: str
    because: tuple[str, ...] = ()


def explained(difference: Difference, rule: Rule | None, stage: Stage, *, player: Player, judged: Player) -> First:
    """The difference in words. `player` is the product's, played until then; `judged` that of what the condition is
    about: the product itself, or its category.
    """
    name, sku = str(player.fields.get("name") or ""), str(player.fields.get("sku") or "")
    line = Line(difference.rule, difference.ref.id, name, sku, Doing.TAKEN)
    return First(
        at=difference.at,
        product=difference.ref.id,
        called=line.called,
        then=_said(difference.then, stage, past="was"),
        now=_said(difference.now, stage, past="would have been"),
        because=_because(difference, rule, player, judged),
    )


def _said(deed: Deed | None, stage: Stage, *, past: str) -> str:
    directory, zone = stage.directory, stage.store.zone
    if deed is None:
        return f"{past} left alone"
    target = category_called(deed.target, directory) if deed.slot.aspect is Aspect.MEMBERSHIP else deed.target
    if deed.slot.aspect is Aspect.BRAND:
        target = directory.brand_name(deed.target) or deed.target
    done = Line(deed.rule, deed.slot.product, "", "", Doing.TAKEN, deed.kind, target).deed
    if deed.is_start:
        return f"{past} {done} before this time began"
    again = "given back: " if deed.step is Step.GIVE_BACK else ""
    return f"{past} {again}{done} at {deed.at.astimezone(zone):%Y-%m-%d %H:%M} ({zone})"


def _because(difference: Difference, rule: Rule | None, player: Player, judged: Player) -> tuple[str, ...]:
    """Why the new rules did what they did, or did not."""
    if rule is None:
        return (NO_SUCH_RULE,)
    finding = judged.finding(rule)
    lines = because(finding) if finding is not None else ()
    if difference.now is not None or finding is None or finding.truth is not Truth.MET:
        return lines
    held, told = player.hold_of(rule.code), player.said.get(rule.code)
    reason = held.reason if held is not None and held.reason else told.text if told is not None else ""
    return (*lines, reason) if reason else lines
