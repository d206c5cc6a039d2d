"""How two rulebooks differ as texts: which rules came, went, were renamed, edited or moved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from rules_engine.core.problem import Place
from rules_engine.core.rule import Rule, Rulebook, RuleCode

from .catalogue import new_names

_NOWHERE = Place("", 0, 0)


@dataclass(frozen=True, slots=True)
class RuleChanges:
    """What became of the rules of `old` in `new`. `renamed` is by former code; `is_reordered` says that rules that both
    have come in another order, so that another rule may win."""

    added: tuple[RuleCode, ...] = ()
    removed: tuple[RuleCode, ...] = ()
    renamed: Mapping[RuleCode, RuleCode] = field(default_factory=dict)
    edited: tuple[RuleCode, ...] = ()
    is_reordered: bool = False

    @classmethod
    def of(cls, old: Rulebook, new: Rulebook) -> RuleChanges:
        """Compare what the rules say; where they stand in the files does not count."""
        names = new_names(new.rules)
        was = {names.get(rule.code, rule.code): rule for rule in old.rules}
        now = {rule.code: rule for rule in new.rules}
        both = [code for code in now if code in was]
        return cls(
            added=tuple(code for code in now if code not in was),
            removed=tuple(code for code in was if code not in now),
            renamed={was[code].code: code for code in both if was[code].code != code},
            edited=tuple(code for code in both if _says(was[code]) != _says(now[code])),
            is_reordered=[code for code in was if code in now] != both,
        )

    @property
    def is_empty(self) -> bool:
        """Whether both say the same."""
        return not (self.added or self.removed or self.renamed or self.edited or self.is_reordered)


def _says(rule: Rule) -> Rule:
    """The rule without its name and the places of its words."""
    effects = tuple(replace(effect, place=None, places=()) for effect in rule.effects)
    return replace(rule, code=RuleCode(""), order=0, place=_NOWHERE, effects=effects, formerly=())
