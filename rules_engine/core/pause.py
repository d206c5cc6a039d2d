"""Pauses: what a person stopped by command, at once and until it is resumed."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from .delivery import StoreAlias
from .rule import Mode, Rule, RuleCode


@dataclass(frozen=True, slots=True)
class Pause:
    """A rule that a person paused, or everything where `rule` is empty; in one store, or in all where it is empty."""

    id: int
    store: StoreAlias
    rule: RuleCode
    because: str
    since: datetime
    resumed_at: datetime | None = None

    @property
    def is_of_everything(self) -> bool:
        """Whether it stops all rules, and what was ordered."""
        return not self.rule

    @property
    def reason(self) -> str:
        """Since when and why: `since 2026-03-02 09:00 UTC, because prices are wrong`."""
        return f"since {self.since:%Y-%m-%d %H:%M} UTC, because {self.because}"

    @property
    def resume(self) -> str:
        """The command that ends it: `rules-engine resume sold-out --store web`."""
        parts = ["rules-engine resume", self.rule, f"--store {self.store}" if self.store else ""]
        return " ".join(part for part in parts if part)

    def is_in(self, store: StoreAlias) -> bool:
        """Whether it is about this store."""
        return self.store in {"", store}

    def stops(self, rule: RuleCode, store: StoreAlias) -> bool:
        """Whether it stops this rule in this store."""
        return self.is_in(store) and self.rule in {"", rule}


def as_paused(rules: Sequence[Rule], pauses: Sequence[Pause], store: StoreAlias) -> tuple[Rule, ...]:
    """The rules of a store with those that a person paused as paused; each says since when and why.

    A rule that has another code now, and names the former one, stays paused.
    """
    if not pauses:
        return tuple(rules)
    taken = {rule.code for rule in rules}
    return tuple(_as_paused(rule, pauses, store, taken) for rule in rules)


def _as_paused(rule: Rule, pauses: Sequence[Pause], store: StoreAlias, taken: Collection[RuleCode]) -> Rule:
    codes = [rule.code, *(former for former in rule.formerly if former not in taken)]
    found = next((each for each in pauses if any(each.stops(code, store) for code in codes)), None)
    return rule if found is None else replace(rule, mode=Mode.PAUSED, because=found.reason)
