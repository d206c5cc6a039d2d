"""Damage limits: on how many products a rule may act within a while, and in what words it asks before it does more."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from .plan import ActionState, PlannedAction, Step
from .question import QuestionKind
from .rule import DAY, HOUR, Guards
from .subject import ProductId

KINDS: Mapping[Step, QuestionKind] = {
    Step.TAKE: QuestionKind.TAKE,
    Step.MOMENT: QuestionKind.TAKE,
    Step.GIVE_BACK: QuestionKind.GIVE_BACK,
}
"""As what each step counts. An undoing counts as nothing: a person ordered it."""

UNFINISHED = frozenset({ActionState.PENDING, ActionState.HELD, ActionState.WAITING, ActionState.SENT})
"""States in which an action that was admitted may still be sent, or has just been."""


@dataclass(frozen=True, slots=True)
class Used:
    """How many products count already against a limit, and which are `among` them of those that are in question."""

    products: int = 0
    among: frozenset[ProductId] = frozenset()

    @classmethod
    def of(cls, products: frozenset[ProductId]) -> Used:
        """These very products count."""
        return cls(len(products), products)


Counted = Mapping[timedelta, Used]
"""What counts already, by the span back to which it was counted."""

_WORDS = {HOUR: "hour", DAY: "day"}


@dataclass(frozen=True, slots=True)
class Ceiling:
    """At most so many products within a rolling span. `amount` is None where nobody knows how many that would be.

    `said` is the ceiling as a sentence says it: `its limit is 200 a day`. `is_at_once` says that it is of what the
    rule does at one time, as `ask_first` means it.
    """

    amount: int | None
    per: timedelta
    said: str
    is_at_once: bool = False


def ceilings(guards: Guards, kind: QuestionKind, *, catalogue: int | None) -> tuple[Ceiling, ...]:
    """What a rule may do of this kind without asking, `ask_first` first.

    `catalogue` is how many products the last complete sweep found, None where there was none.
    """
    found: list[Ceiling] = []
    if guards.ask_over is not None and kind is QuestionKind.TAKE:
        said = f"it asks first over {guards.ask_over:,}" if guards.ask_over else "it always asks first"
        found.append(Ceiling(guards.ask_over, HOUR, said, is_at_once=True))
    for limit in guards.limits:
        span = _WORDS[limit.per]
        if not limit.is_percent:
            found.append(Ceiling(limit.amount, limit.per, f"its limit is {limit.amount:,} a{_n(span)} {span}"))
        elif catalogue is None:
            uncounted = "the products are not counted yet: `rules-engine reconcile` does"
            said = f"its limit is {limit.amount} % a{_n(span)} {span}, and {uncounted}"
            found.append(Ceiling(None, limit.per, said))
        else:
            amount = max(1, catalogue * limit.amount // 100)
            said = f"its limit is {limit.amount} % of {catalogue:,} products a{_n(span)} {span}, which is {amount:,}"
            found.append(Ceiling(amount, limit.per, said))
    return tuple(found)


def _n(span: str) -> str:
    return "n" if span.startswith("h") else ""


def needs_catalogue(guards: Guards) -> bool:
    """Whether it takes the size of the catalogue to say what a rule may do."""
    return any(limit.is_percent for limit in guards.limits)


def counts(action: PlannedAction, *, since: datetime) -> bool:
    """Whether an action counts against the limits of its rule: it was called at `since` or later, or may be any time.

    So at every moment what was called and what is on its way are together within the limit, however long a call waits.
    """
    was_called = action.called_at is not None and action.called_at >= since
    return was_called or (action.admitted_at is not None and action.state in UNFINISHED)


def breach(found: Iterable[Ceiling], kind: QuestionKind, wanted: frozenset[ProductId], counted: Counted) -> str:
    """Why a rule that wants to act on these products has to ask, with the figures, or nothing where it need not.

    A product that counts already needs no more room. `counted` says of all the wanted ones whether they do.
    """
    for ceiling in found:
        before = counted.get(ceiling.per, Used())
        new = wanted - before.among
        if new and (ceiling.amount is None or before.products + len(new) > ceiling.amount):
            return f"{_wish(kind, len(new), before.products, ceiling)}; {ceiling.said}"
    return ""


def _wish(kind: QuestionKind, new: int, before: int, ceiling: Ceiling) -> str:
    word, span = kind.value, _WORDS[ceiling.per]
    wish = f"it wants to {word} {new:,} product{'' if new == 1 else 's'}"
    if before:
        return f"{wish} after {before:,} within the last {span}"
    return f"{wish} at once" if ceiling.is_at_once else f"{wish} within a{_n(span)} {span}"
