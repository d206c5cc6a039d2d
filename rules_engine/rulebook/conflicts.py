"""What `check` finds before it happens: conditions that nothing meets, rules that fight, rules that flip for ever."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import islice

from rules_engine.core.conflicts import Fight, Shop, find_fights
from rules_engine.core.cycles import COUNT, Cycle, find_cycles
from rules_engine.core.demands import Ask, Demand
from rules_engine.core.directory import Directory
from rules_engine.core.explain import listed
from rules_engine.core.problem import Place
from rules_engine.core.rule import FieldUse, Rule, Rulebook
from rules_engine.core.store import Store
from rules_engine.core.terms import All, AnyOf, Condition, Meaning, Test, leaves_of
from rules_engine.core.witness import Scene, prove_never, whole_asks
from rules_engine.core.witness_words import in_words

from .report import Report
from .vendor import VendorSpec

SOME_DAY = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
"""When products are imagined of which no rule asks for a day: a Wednesday, so that every run says the same."""

_MOST_WAYS = 50
"""Of one rule, so many ways of its `any` are tried for one that nothing meets."""


def report_conflicts(
    report: Report, rulebook: Rulebook, stores: Sequence[Store], vendors: Mapping[str, VendorSpec]
) -> None:
    """Report what no product can meet, an error where it is a whole rule, and where rules fight or flip for ever.

    Nothing is guessed: what is never so is proven from the conditions, and of a fight or a cycle the product is named
    on which it happens, as the engine itself judges and decides it.
    """
    shops = [_shop(store, vendors) for store in stores]
    uses = rulebook.uses
    rules = [
        rule for rule in rulebook.rules if not _refuse_what_is_never_so(report, rule, uses.get(rule.code, ()), shops)
    ]
    for fight in find_fights(rules, shops, now=SOME_DAY):
        _warn_of_fight(report, fight)
    for cycle in find_cycles(rules, shops, now=SOME_DAY):
        _warn_of_cycle(report, cycle, uses.get(cycle.rule.code, ()))


def _shop(store: Store, vendors: Mapping[str, VendorSpec]) -> Shop:
    can = vendors[store.settings.vendor].CAPABILITIES
    directory = Directory(names=store.settings.names, brands_are_names=can.brands_are_names)
    return Shop(store.alias, store.settings.vendor, directory)


# ---------------------------------------------------------------------------------------- what is never so


def _refuse_what_is_never_so(report: Report, rule: Rule, uses: Sequence[FieldUse], shops: Sequence[Shop]) -> bool:
    """Report what nothing can meet; whether it is the whole rule. One way of an `any` is a warning."""
    stores = tuple((shop.alias, shop.vendor) for shop in shops if shop.alias in rule.stores)
    if not stores:
        return False
    scene = Scene(rule.about, stores, SOME_DAY)
    whole = prove_never(whole_asks(rule), scene)
    if whole.is_never:
        said = f"nothing can ever meet this rule: {_contradiction(whole.contradiction, rule, uses, shops)}"
        place = _place_of(whole.contradiction, rule, uses) or rule.place
        report.error(place, "never-true", said, "change one of the two, or write `any:` and each of them below it")
        return True
    for way, condition in islice(_ways(rule.condition), _MOST_WAYS):
        asks = [Ask(condition), *whole_asks(rule)[1:]]
        found = prove_never(asks, scene)
        if found.is_never:
            said = f"this way of `any` is never so: {_contradiction(found.contradiction, rule, uses, shops)}"
            place = _place_of(found.contradiction, rule, _within(uses, way)) or rule.place
            report.warn(place, "never-true", said, "leave it out, or change one of the two")
    return False


def _ways(condition: Condition) -> Iterator[tuple[Condition, Condition]]:
    """Each way of each `any` that must be met, and the whole condition with this way alone."""
    match condition:
        case Meaning(name, inner):
            yield from ((way, Meaning(name, whole)) for way, whole in _ways(inner))
        case All(parts):
            for at, part in enumerate(parts):
                for way, whole in _ways(part):
                    yield way, All((*parts[:at], whole, *parts[at + 1 :]))
        case AnyOf(parts) if len(parts) > 1:
            for part in parts:
                yield part, part
                yield from ((way, whole) for way, whole in _ways(part) if way is not part)


def _within(uses: Sequence[FieldUse], way: Condition) -> list[FieldUse]:
    fields = {leaf.field.strip() for leaf in leaves_of(way) if isinstance(leaf, Test)}
    return [use for use in uses if use.field in fields] or list(uses)


def _contradiction(demands: Sequence[Demand], rule: Rule, uses: Sequence[FieldUse], shops: Sequence[Shop]) -> str:
    """The demands in words, with their lines where they stand in several."""
    if not demands:
        return "its parts exclude each other"
    places = _places_of(demands, rule, uses)
    lines = {place.line for place in places if place is not None}
    said = [
        f"{demand.in_words} (line {place.line})" if place is not None and len(lines) > 1 else demand.in_words
        for demand, place in zip(demands, places, strict=True)
    ]
    if all(demand.field.startswith("store.") for demand in demands):
        runs = listed(shop.alias for shop in shops if shop.alias in rule.stores)
        return f"it runs for {runs}, and {listed(said)}"
    return listed(said)


def _place_of(demands: Sequence[Demand], rule: Rule, uses: Sequence[FieldUse]) -> Place | None:
    """Where the last of the demands stands."""
    return max((place for place in _places_of(demands, rule, uses) if place is not None), default=None)


def _places_of(demands: Sequence[Demand], rule: Rule, uses: Sequence[FieldUse]) -> list[Place | None]:
    """Where each demand stands, as far as the fields that the rule names tell."""
    leaves = [*leaves_of(rule.condition), *(leaves_of(rule.unless) if rule.unless is not None else ())]
    found: list[Place | None] = []
    for demand in demands:
        places = [use.place for use in uses if use.field == demand.field.strip()]
        alike = [leaf for leaf in leaves if isinstance(leaf, Test) and leaf.field.strip() == demand.field.strip()]
        at = next((n for n, leaf in enumerate(alike) if leaf is demand.leaf), None)
        is_clear = len(places) == 1 or (len(places) == len(alike) and at is not None)
        found.append(places[(at or 0) if len(places) > 1 else 0] if places and is_clear else None)
    return found


# ---------------------------------------------------------------------------------------- fights and cycles


def _warn_of_fight(report: Report, fight: Fight) -> None:
    winner, loser = fight.winner, fight.loser
    seen = in_words(fight.witness)
    if fight.other is not None:
        seen += f", and {in_words(fight.other)}"
    where = f"`{winner}` of {winner.rule.code} (line {winner.place.line})"
    if winner.place.path != loser.place.path:
        where = f"`{winner}` of {winner.rule.code} ({winner.place.path}:{winner.place.line})"
    if winner.rule.is_while and not loser.rule.is_while:
        why = "wins, because what `while` holds beats a moment"
        advice = f"add `unless:` to {winner.rule.code} if this moment has to win there, else to this rule"
    else:
        why = "wins, because it comes first"
        advice = f"put the rule first that has to win; where {loser.rule.code} has nothing to do, give it an `unless:`"
    report.warn(loser.place, "rules-fight", f"{where} wants the opposite and {why}: for example {seen}", advice)


def _warn_of_cycle(report: Report, cycle: Cycle, uses: Sequence[FieldUse]) -> None:
    place = next((use.place for use in uses if use.field == cycle.field), cycle.rule.place)
    steps = "; ".join(f"{number}. {step}" for number, step in enumerate(cycle.steps, 1))
    if cycle.field == COUNT:
        cause = f"what the rule does changes {cycle.field}, so it takes and gives back for ever"
        advice = "look at something that emptying does not change, such as `category.published`"
    else:
        cause = f"where the shop dates our calls in {cycle.field} too, the rule takes and gives back for ever"
        advice = "look at another time, such as `product.created_at`"
    advice += ", or write `afterwards: leave`"
    said = f"{cause}, for example {in_words(cycle.witness)}: {steps}; and so on"
    report.warn(place, "rules-cycle", said, advice)
