"""What differs between two rulebooks, rule by rule."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Any
from uuid import NAMESPACE_OID, uuid5

from .problem import Place
from .rule import Rule, Rulebook, RuleCode


@dataclass(frozen=True, slots=True)
class Renamed:
    """A rule that got another code and kept what it holds."""

    former: RuleCode
    code: RuleCode

    def __str__(self) -> str:
        return f"{self.former} → {self.code}"


@dataclass(frozen=True, slots=True)
class Changes:
    """What a new rulebook does to the rules before it. A rule that only moved within the files is not edited.

    A rule that was renamed and edited is in `renamed` and, by its new code, in `edited`.
    """

    added: tuple[RuleCode, ...] = ()
    removed: tuple[RuleCode, ...] = ()
    edited: tuple[RuleCode, ...] = ()
    renamed: tuple[Renamed, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether every rule is as before."""
        return not (self.added or self.removed or self.edited or self.renamed)


def renames(new: Rulebook) -> list[Renamed]:
    """The codes that rules had before and that no rule has now; of several heirs the first in rule order."""
    taken = {rule.code for rule in new.rules}
    found: dict[RuleCode, Renamed] = {}
    for rule in new.rules:
        for former in rule.formerly:
            if former not in taken:
                found.setdefault(former, Renamed(former, rule.code))
    return list(found.values())


def changes_between(old: Rulebook, new: Rulebook) -> Changes:
    """What is new, gone, other than before, or called otherwise; in rule order."""
    before = {rule.code: rule for rule in old.rules}
    after = {rule.code: rule for rule in new.rules}
    renamed = [each for each in renames(new) if each.former in before and each.code not in before]
    heirs = {each.code: each.former for each in reversed(renamed)}
    earlier = {code: before.get(heirs.get(code, code)) for code in after}
    return Changes(
        added=tuple(code for code, was in earlier.items() if was is None),
        removed=tuple(code for code in before if code not in after and code not in {each.former for each in renamed}),
        edited=tuple(c for c, was in earlier.items() if was is not None and _meaning(was) != _meaning(after[c])),
        renamed=tuple(renamed),
    )


def fingerprint(rule: Rule) -> str:
    """What tells whether a rule still means what it meant, however it is called and wherever it stands."""
    return str(uuid5(NAMESPACE_OID, repr(sorted(_meaning(rule).items()))))


def _meaning(rule: Rule) -> dict[str, Any]:
    """What a rule says, without what it is called and where it stands."""
    found = {each.name: _without_places(getattr(rule, each.name)) for each in fields(rule)}
    return {name: value for name, value in found.items() if name not in {"code", "order", "formerly"}}


def _without_places(value: Any) -> Any:
    """A value whose parts are equal when they mean the same, wherever in the files they stand."""
    if isinstance(value, Place):
        return None
    if isinstance(value, frozenset):
        return tuple(sorted(value))  # a set has no order of its own, and would not read alike in another process
    if isinstance(value, tuple | list):
        return tuple(_without_places(each) for each in value)
    if isinstance(value, Mapping):
        return {key: _without_places(each) for key, each in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        parts = {each.name: _without_places(getattr(value, each.name)) for each in fields(value) if each.compare}
        return (type(value), parts)
    return value
