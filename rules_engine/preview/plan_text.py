"""A plan in words, for a terminal: a sentence for each store, then each rule with the products that it would touch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from rules_engine.core.action import ActionKind
from rules_engine.core.clock import say_duration
from rules_engine.core.explain import listed
from rules_engine.core.rule import Mode

from .plan import Difference, RulePlan, StorePlan
from .plan_calls import Cost
from .plan_changes import RuleChanges
from .plan_lines import CHANGES, Doing, Line

TO_BE_SEEN = (
    "Run `rules-engine serve` and let the shop post its webhooks: what they show is "
    "remembered, and a plan is made of that."
)

_COUNTED = {
    ActionKind.REMOVE_FROM_CATEGORY: "taken out",
    ActionKind.ADD_TO_CATEGORY: "put in",
    ActionKind.HIDE: "hidden",
    ActionKind.SHOW: "shown",
    ActionKind.ASSIGN_BRAND: "given a brand",
    ActionKind.UNASSIGN_BRAND: "freed from a brand",
}
_ALSO = {
    Doing.RETURNED: "given back",
    Doing.OVERRULED: "overruled",
    Doing.LEFT: "let go as they are",
    Doing.CALLED_OFF: "called off",
    Doing.WAITS: "waiting",
}


def text_of_plan(plan: StorePlan, *, limit: int) -> Iterator[str]:
    """The plan of one store, line by line. Of each list of products the first `limit` are named."""
    yield headline(plan)
    for each in plan.rules:
        if each.lines or each.waits_for:
            yield ""
            yield from _text_of_rule(each, limit)
    notes = list(notes_of(plan))
    if notes:
        yield ""
        yield from notes


def text_of_difference(plan: StorePlan, *, limit: int) -> Iterator[str]:
    """Where two rulebooks treat the products of one store differently, line by line."""
    differs = plan.differs or ()
    yield difference_headline(plan)
    by_rule = sorted(differs, key=lambda each: each.line.rule)
    for code, of_rule in groupby(by_rule, key=lambda each: each.line.rule):
        yield ""
        yield code
        for what, lines in difference_groups(list(of_rule)):
            yield from _text_of_group(what, lines, limit)


def headline(plan: StorePlan) -> str:
    """What would happen in one store, in a sentence."""
    called = f"{plan.store.alias} ({plan.title})"
    if not plan.products:
        return f"{called}: {_unseen(plan)}"
    lines = plan.lines
    telling = [line for line in lines if line.doing is not Doing.WAITS]
    touched = {line.product for line in telling}
    known = count(plan.products, "product")
    if not touched:
        waiting = {line.product for line in lines}
        return f"{called}: nothing would change in {known}" + (f"; {_number(len(waiting))} wait." if waiting else ".")
    rules = count(len({line.rule for line in telling}), "rule")
    said = f"{called}: {rules} would touch {_number(len(touched))} of {known}: {listed(_tallies(lines))}"
    return f"{said}. {cost_of(plan.cost)}".rstrip() if plan.cost else f"{said}."


def difference_headline(plan: StorePlan) -> str:
    """How many products two rulebooks treat differently, in a sentence."""
    called = f"{plan.store.alias} ({plan.title})"
    if not plan.products:
        return f"{called}: {_unseen(plan)}"
    products = {each.line.product for each in plan.differs or ()}
    if not products:
        return f"{called}: both would do the same with {count(plan.products, 'product')}."
    return f"{called}: {_number(len(products))} of {count(plan.products, 'product')} would be treated differently."


def _unseen(plan: StorePlan) -> str:
    """What is said of a store of whose products nothing is known."""
    what = (
        f"none of its products was seen yet, only {count(plan.categories, 'category')}"
        if plan.categories
        else ("nothing of it was seen yet")
    )
    return f"{what}. {TO_BE_SEEN}"


def changes_in_words(changes: RuleChanges, against: str) -> str:
    """How two rulebooks differ as texts, in a sentence."""
    if changes.is_empty:
        return f"Compared with {against}: the rules say the same."
    parts = [
        *([f"added: {listed(changes.added)}"] if changes.added else []),
        *([f"removed: {listed(changes.removed)}"] if changes.removed else []),
        *(f"{old} is now called {new}" for old, new in changes.renamed.items()),
        *([f"edited: {listed(changes.edited)}"] if changes.edited else []),
        *(["the rules stand in another order"] if changes.is_reordered else []),
    ]
    return f"Compared with {against}: {'; '.join(parts)}."


def cost_of(cost: Cost | None) -> str:
    """What it costs at the shop, in a sentence, or nothing."""
    if cost is None or not cost.calls:
        return ""
    looks = f", after {count(cost.reads, 'call')} to look" if cost.reads else ""
    time = "about a second" if cost.time.total_seconds() < 1 else f"about {say_duration(cost.time)}"
    return f"{count(cost.calls, 'call')}{looks}: {time} at the shop's rate."


def groups_of(lines: Iterable[Line]) -> Iterator[tuple[str, list[Line]]]:
    """The lines of one rule by what they say, what changes most first."""
    doings = list(Doing)
    ranked = sorted(lines, key=lambda line: (line.is_watched, doings.index(line.doing), line.would, line.order))
    for (is_watched, would), group in groupby(ranked, key=lambda line: (line.is_watched, line.would)):
        yield f"would{', if it were live,' if is_watched else ''} {would}", list(group)


def difference_groups(differs: Sequence[Difference]) -> Iterator[tuple[str, list[Line]]]:
    """The differences of one rule by what they say: first what is new."""
    for is_new, word in ((True, "now also"), (False, "no longer")):
        for would, lines in groups_of(each.line for each in differs if each.is_new is is_new):
            yield would.replace("would", f"would {word}", 1), lines


def facts_of(each: RulePlan) -> list[str]:
    """What else is to be said of a rule: where it stands, what it holds, and what it cannot tell."""
    rule = each.rule
    things = "product" if not rule.about or rule.about.value == "product" else "category"
    facts = [f"{rule.place.path}:{rule.place.line}"]
    if rule.mode is Mode.WATCH:
        facts.append("only watches: nothing of this is done")
    if each.holds:
        facts.append(f"holds {count(each.holds, 'product')} already")
    if each.cannot_tell:
        facts.append(f"cannot tell for {count(each.cannot_tell, things)}")
    return facts


def warnings_of(each: RulePlan) -> list[str]:
    """What is to be weighed before the rule is put in force."""
    waits = [f"waits: {each.waits_for}"] if each.waits_for else []
    return [*waits, *each.asks, *each.irreversible, *each.loses]


def notes_of(plan: StorePlan) -> Iterator[str]:
    """What is to be known besides: rules that do nothing, that are paused or gone, and what was open anyway."""
    yield from _paused(plan)
    yield from (text for _, text in plan.notes)
    idle = [each.rule.code for each in plan.rules if each.is_idle]
    if idle and plan.products:
        yield f"Would do nothing here: {listed(idle)}."
    if plan.open:
        yield f"Not counted: {count(plan.open, 'call')} that {_were(plan.open)} decided before."
    if plan.cost and plan.cost.refused:
        yield f"For {count(plan.cost.refused, 'action')} no call can be made: the id is none that the shop would take."
    for subject, reason in list(plan.failed.items())[:10]:
        yield f"{subject} could not be decided: {reason}"
    if len(plan.failed) > 10:
        yield f"and {_number(len(plan.failed) - 10)} more could not be decided."


def _paused(plan: StorePlan) -> Iterator[str]:
    """The rules that are paused, with what lets them go on; those that stand still with all others as one."""
    stops = dict.fromkeys(pause for pause in plan.pauses.values() if pause.is_of_everything)
    for pause in stops:
        yield f"Everything is paused here, {pause.reason}: no rule takes or gives back anything until `{pause.resume}`."
    for each in plan.rules:
        by = plan.pauses.get(each.rule.code)
        if each.rule.mode is not Mode.PAUSED or by in stops:
            continue
        because = f" ({each.rule.because})" if each.rule.because else ""
        kept = f"keeps what it holds of {count(each.holds, 'product')}" if each.holds else "holds nothing"
        until = f", and takes or gives back nothing until `{by.resume}`" if by is not None else ""
        yield f"{each.rule.code} is paused{because}: {kept}{until}."


def count(number: int, thing: str) -> str:
    """A number of things: `no products`, `1 product`, `1,204 products`."""
    many = f"{thing[:-1]}ies" if thing.endswith("y") else f"{thing}s"
    return f"{_number(number) if number else 'no'} {thing if number == 1 else many}"


def _text_of_rule(each: RulePlan, limit: int) -> Iterator[str]:
    rule = each.rule
    yield f"{rule.code}: {rule.title}" if rule.title else rule.code
    yield f"  {'; '.join(facts_of(each))}"
    for what, lines in groups_of(each.lines):
        yield from _text_of_group(what, lines, limit)
    for warning in warnings_of(each):
        yield f"  ! {warning}"


def _text_of_group(what: str, lines: Sequence[Line], limit: int) -> Iterator[str]:
    yield f"  {what}: {count(len(lines), 'product')}"
    for line in lines[:limit]:
        yield f"    {line.item}"
    if len(lines) > limit:
        yield f"    and {_number(len(lines) - limit)} more" if limit else "    (not listed)"


def _tallies(lines: Sequence[Line]) -> list[str]:
    """How many products are taken out, given back, and so on."""
    products: Counter[str] = Counter()
    seen: set[tuple[str, str]] = set()
    for line in lines:
        is_done = line.doing in CHANGES and line.doing is not Doing.RETURNED
        word = _COUNTED[line.kind] if is_done and line.kind else _ALSO.get(line.doing, "changed")
        if (line.product, word) not in seen:
            seen.add((line.product, word))
            products[word] += 1
    order = [*_COUNTED.values(), *_ALSO.values()]
    return [f"{_number(products[word])} {word}" for word in order if products[word]]


def _number(number: int) -> str:
    return f"{number:,}"


def _were(number: int) -> str:
    return "was" if number == 1 else "were"
