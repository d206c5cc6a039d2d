"""What the names of a rulebook mean in a store: categories and brands that are not there, or are there twice."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from rules_engine.core.directory import Directory, Unresolved
from rules_engine.core.problem import Place
from rules_engine.core.rule import EffectKind, Every, Identified, Named, Rule, Rulebook, Target, Under
from rules_engine.core.store import Store
from rules_engine.rulebook.report import Report

MOST_LISTED = 30
"""A shop with more categories than this has too many to be listed in an advice."""


def names_categories(rulebook: Rulebook, store: Store) -> bool:
    """Whether a rule of this store names a category."""
    return any(kind is not EffectKind.ASSIGN_BRAND for kind, *_ in _named(rulebook, store))


def names_brands(rulebook: Rulebook, store: Store) -> bool:
    """Whether a rule of this store names a brand."""
    return any(kind is EffectKind.ASSIGN_BRAND for kind, *_ in _named(rulebook, store))


def report_names(report: Report, rulebook: Rulebook, store: Store, directory: Directory, *, is_listed: bool) -> None:
    """Report, at the place of each, the names that are not one category or brand of the store.

    `report` knows the rule files. `is_listed` says that the directory holds every category that the shop has, so that
    an id can be wrong too.
    """
    for kind, target, place in _named(rulebook, store):
        if kind is EffectKind.ASSIGN_BRAND:
            _report_brand(report, store, directory, target, place)
        else:
            _report_category(report, store, directory, target, place, is_listed=is_listed)


def _named(rulebook: Rulebook, store: Store) -> Iterator[tuple[EffectKind, Named | Identified, Place]]:
    """What the rules of a store name, and where."""
    for rule in rulebook.for_store(store.alias):
        for kind, target, place in _targets(rule):
            inner = target.target if isinstance(target, Under) else target
            if not isinstance(inner, Every):
                yield kind, inner, _of_the_name(rulebook, place, inner)


def _targets(rule: Rule) -> Iterator[tuple[EffectKind, Target, Place]]:
    for effect in rule.effects:
        for target, place in zip(effect.targets, effect.places, strict=True):
            yield effect.kind, target, place
    for fallback, place in zip(rule.guards.fallbacks, rule.guards.fallback_places, strict=True):
        yield EffectKind.ADD_TO_CATEGORY, fallback, place
    for floor in rule.guards.floors:
        yield EffectKind.REMOVE_FROM_CATEGORY, floor.target, floor.place or rule.place


def _of_the_name(rulebook: Rulebook, place: Place, target: Named | Identified) -> Place:
    """Where the name itself stands: `{under: Brands}` is placed at its bracket."""
    name = target.name if isinstance(target, Named) else target.id
    lines = rulebook.texts.get(place.path, "").splitlines()
    line = lines[place.line - 1] if place.line <= len(lines) else ""
    at = line.find(name, place.column - 1)
    return replace(place, column=at + 1, length=len(name)) if place.length == 1 and at >= 0 else place


def _report_brand(report: Report, store: Store, directory: Directory, target: Named | Identified, place: Place) -> None:
    found = directory.brand(target)
    if isinstance(found, Unresolved):
        report.error(place, "unknown-brand", _in(store, found.said), found.advice)


def _report_category(
    report: Report, store: Store, directory: Directory, target: Named | Identified, place: Place, *, is_listed: bool
) -> None:
    found = directory.category(target)
    if isinstance(found, Unresolved):
        advice = found.advice or _otherwise(directory, target, is_listed=is_listed)
        said = _in(store, found.said)
        report.error(place, "ambiguous-category" if found.is_ambiguous else "unknown-category", said, advice)
    elif is_listed and found not in directory.categories:
        said, advice = f"no category with the id {found}", "write the id that the shop shows, or the category's name"
        if isinstance(target, Named):
            said = f'stores.yaml says that "{target.name}" is category {found}, and there is none of that id'
            advice = f"give its id under `names:` in stores.yaml, or leave {target.name} out there"
        report.error(place, "unknown-category", _in(store, said), advice)


def _in(store: Store, said: str) -> str:
    return f'{said} in store "{store.alias}"'


def _otherwise(directory: Directory, target: Named | Identified, *, is_listed: bool) -> str:
    """What to write where no name is near."""
    if not is_listed and isinstance(target, Named):
        return f"give its id in stores.yaml: `names: {{categories: {{{target.name}: …}}}}`"
    known = sorted({entry.names[0] for entry in directory.categories.values() if entry.names})
    if not known:
        return "the shop has no categories"
    return f"the shop has: {', '.join(known)}" if len(known) <= MOST_LISTED else ""
