"""What rules did in a span of time, counted, and where two sides first did otherwise."""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from rules_engine.core.action import Action, ActionKey
from rules_engine.core.clock import say_duration
from rules_engine.core.errors import PermanentError
from rules_engine.core.plan import Step
from rules_engine.core.rule import Limit, Rule, RuleCode
from rules_engine.core.subject import SubjectRef
from rules_engine.vendors.base import AnyVendor

from .backtest_play import Deed

TOLERANCE = timedelta(minutes=10)
"""A busy shop or an outage delays what rules decide by so much; what comes later than that was done otherwise."""

TOGETHER = timedelta(minutes=1)
"""What is done within so long goes into the same calls, as far as the shop takes it: an estimate."""


@dataclass(frozen=True, slots=True)
class Count:
    """What one rule did, or all of them. `products` also counts those that it held when the span began.

    `flips` are takes of a product after its first one; `calls` are calls to the shop.
    """

    products: int = 0
    takes: int = 0
    returns: int = 0
    moments: int = 0
    flips: int = 0
    calls: int = 0


@dataclass(frozen=True, slots=True)
class Difference:
    """Where two sides first did otherwise with one product: what the one did and what the other, None for nothing.

    `about` is what the rule's condition is about: the product, or a category.
    """

    rule: RuleCode
    at: datetime
    ref: SubjectRef
    about: SubjectRef
    then: Deed | None
    now: Deed | None


@dataclass(slots=True)
class Tally:
    """Counts what one side did, product by product. `calls` are not counted here."""

    products: Counter[RuleCode] = field(default_factory=Counter)
    takes: Counter[RuleCode] = field(default_factory=Counter)
    returns: Counter[RuleCode] = field(default_factory=Counter)
    moments: Counter[RuleCode] = field(default_factory=Counter)
    flips: Counter[RuleCode] = field(default_factory=Counter)
    touched: int = 0

    def add(self, deeds: Mapping[RuleCode, Sequence[Deed]]) -> None:
        """Count what was done with one product."""
        self.touched += bool(deeds)
        for rule, some in deeds.items():
            turns = {step: {deed.turn for deed in some if deed.step is step and not deed.is_start} for step in Step}
            self.products[rule] += 1
            self.takes[rule] += len(turns[Step.TAKE])
            self.returns[rule] += len(turns[Step.GIVE_BACK])
            self.moments[rule] += len(turns[Step.MOMENT])
            self.flips[rule] += max(0, len(turns[Step.TAKE]) - 1)

    def of(self, rule: RuleCode, calls: int) -> Count:
        """What one rule did."""
        takes, returns, moments = self.takes[rule], self.returns[rule], self.moments[rule]
        return Count(self.products[rule], takes, returns, moments, self.flips[rule], calls)

    def total(self, calls: int) -> Count:
        """What all rules did; a product that several had their hands on counts once."""
        takes, returns, moments = self.takes.total(), self.returns.total(), self.moments.total()
        return Count(self.touched, takes, returns, moments, self.flips.total(), calls)


@dataclass(slots=True)
class Comparison:
    """Finds where two sides did otherwise. `products` counts them by rule, `first` is the earliest of each rule."""

    products: Counter[RuleCode] = field(default_factory=Counter)
    first: dict[RuleCode, Difference] = field(default_factory=dict)

    def add(
        self, ref: SubjectRef, then: Mapping[RuleCode, Sequence[Deed]], now: Mapping[RuleCode, Sequence[Deed]]
    ) -> None:
        """Compare what was done with one product."""
        for rule in {*then, *now}:
            found = first_difference(ref, then.get(rule, ()), now.get(rule, ()))
            if found is not None:
                self.products[rule] += 1
                if rule not in self.first or found.at < self.first[rule].at:
                    self.first[rule] = found


def by_rule(deeds: Iterable[Deed]) -> dict[RuleCode, list[Deed]]:
    """The deeds of each rule, in the order in which they were decided."""
    found: dict[RuleCode, list[Deed]] = defaultdict(list)
    for deed in sorted(deeds, key=lambda each: (each.turn, str(each.slot))):
        found[deed.rule].append(deed)
    return dict(found)


def first_difference(ref: SubjectRef, then: Sequence[Deed], now: Sequence[Deed]) -> Difference | None:
    """The first thing that only one side did, or did much later than the other."""
    only_now, only_then = list(now), []
    for deed in then:
        alike = next((each for each in only_now if _is_alike(each, deed)), None)
        if alike is None:
            only_then.append(deed)
        else:
            only_now.remove(alike)
    found = min([*only_then, *only_now], key=lambda each: each.turn, default=None)
    if found is None:
        return None
    # The same thing on the other side was done much earlier or later, if at all.
    mine, other = (next((deed for deed in side if _is_same(deed, found)), None) for side in (only_then, only_now))
    return Difference(found.rule, found.turn, ref, found.about, mine, other)


def _is_alike(one: Deed, other: Deed) -> bool:
    return _is_same(one, other) and abs(one.turn - other.turn) <= TOLERANCE


def _is_same(one: Deed, other: Deed) -> bool:
    return (one.slot, one.wish, one.step) == (other.slot, other.wish, other.step)


@dataclass(slots=True)
class CallCount:
    """Estimates the calls for deeds: what is done within the same minute shares them, as far as the shop takes it."""

    vendor: AnyVendor
    _minutes: dict[tuple[RuleCode, int], list[tuple[str, Deed]]] = field(default_factory=lambda: defaultdict(list))
    _seen: int = 0

    def add(self, deeds: Iterable[Deed]) -> None:
        """Note what was done with one product."""
        for deed in deeds:
            if not deed.is_start:
                self._seen += 1
                minute = int(deed.at.timestamp() // TOGETHER.total_seconds())
                self._minutes[deed.rule, minute].append((str(self._seen), deed))

    def by_rule(self) -> Counter[RuleCode]:
        """The calls of each rule, as if it were alone."""
        found: Counter[RuleCode] = Counter()
        for (rule, _), some in self._minutes.items():
            found[rule] += self._calls(some)
        return found

    def total(self) -> int:
        """The calls of all of them together."""
        together: dict[int, list[tuple[str, Deed]]] = defaultdict(list)
        for (_, minute), some in self._minutes.items():
            together[minute] += some
        return sum(self._calls(some) for some in together.values())

    def breach(self, rule: Rule, products: int) -> str:
        """When one of the rule's limits would have been passed first, in a sentence; empty where none would."""
        found = [self._breach(rule, limit, products) for limit in rule.guards.limits]
        return next((text for text in found if text), "")

    def _breach(self, rule: Rule, limit: Limit, products: int) -> str:
        amount = limit.amount * products / 100 if limit.is_percent else limit.amount
        for is_return in (False, True):
            acts = sorted(
                (deed.at, deed.slot.product)
                for (code, _), some in self._minutes.items()
                for _, deed in some
                if code == rule.code and (deed.step is Step.GIVE_BACK) is is_return
            )
            within: deque[tuple[datetime, str]] = deque()
            products_within: Counter[str] = Counter()
            for at, product in acts:
                within.append((at, product))
                products_within[product] += 1
                while within[0][0] <= at - limit.per:
                    products_within -= Counter([within.popleft()[1]])
                if len(products_within) > amount:
                    verb = "given back" if is_return else "acted on"
                    most = f"{limit.amount}%" if limit.is_percent else f"{limit.amount:,}"
                    return (
                        f"{at:%Y-%m-%d %H:%M} (UTC): it would have asked before it had {verb} more than {most} "
                        f"products within {say_duration(limit.per)}; here it went on"
                    )
        return ""

    def _calls(self, some: Sequence[tuple[str, Deed]]) -> int:
        actions = [Action(ActionKey(key), deed.kind, deed.slot.product, deed.target) for key, deed in some]
        try:
            return len(self.vendor.prepare(actions))
        except PermanentError:
            return len(actions)
