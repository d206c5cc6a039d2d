"""What a sweep found: how what it saw differs from what was known, and what rules made of it, in numbers and words."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from typing import Any

from rules_engine.core.holds import HoldState
from rules_engine.core.plan import ActionState, Case
from rules_engine.core.sweep import Sweep, SweepKind
from rules_engine.core.view import is_changed

NEW, CHANGED, GONE, UNDONE = "new", "changed", "gone", "undone"
"""What differed: unknown until now, other than known, no longer there, changed back by people."""
FRESH = "fresh"
"""What differed, and was changed so lately that nobody can say yet whether its webhook is lost."""
PLANNED, HELD, ASKED = "planned", "held", "asked"
"""What rules made of it: actions to be sent, kept back, and kept back for a question."""

MOST_EXAMPLES = 10
"""Of each kind so many are told in words."""
STILL_COMING = timedelta(minutes=2)
"""A change that the shop made so lately may have a webhook that is still on its way."""
LONGEST = 60
"""Signs of a value in a sentence."""

Pair = tuple[Case, Case]


def tell(sweep: Sweep, pairs: Iterable[Pair]) -> Sweep:
    """The sweep with what these products, as known and as seen, add to what it found."""
    found = dict(sweep.found)
    examples = {word: list(shown) for word, shown in sweep.examples.items()}
    for before, after in pairs:
        # While a store is learned no webhook is missed.
        is_fresh = sweep.kind is not SweepKind.LEARNING and _is_fresh(after)
        for word, number, sentence in _findings(before, after, is_fresh=is_fresh):
            found[word] = found.get(word, 0) + number
            if sentence and len(examples.setdefault(word, [])) < MOST_EXAMPLES:
                examples[word].append(sentence)
    return replace(sweep, found=found, examples={word: tuple(shown) for word, shown in examples.items()})


def _findings(before: Case, after: Case, *, is_fresh: bool) -> Iterable[tuple[str, int, str]]:
    if after.is_gone:
        if not before.is_gone:
            yield GONE, 1, f"{called(before)} no longer exists"
    elif before.snapshot is None or before.is_gone:
        if after.snapshot is not None:
            yield FRESH if is_fresh else NEW, 1, f"{called(after)} was not known"
    elif _is_changed(before, after):
        yield FRESH if is_fresh else CHANGED, 1, f"{called(after)}: {difference(before, after)}"
    undone = [hold.rule for hold in _newly_stepped_back(before, after)]
    if undone and not is_fresh:
        yield UNDONE, len(undone), f"{called(after)}: a person changed back what {', '.join(dict.fromkeys(undone))} did"
    fresh = [action for key, action in after.actions.items() if before.actions.get(key) != action]
    for word, state, has_question in (
        (PLANNED, ActionState.PENDING, None),
        (HELD, ActionState.HELD, False),
        (ASKED, ActionState.HELD, True),
    ):
        rules = [
            action.rules[0]
            for action in fresh
            if action.state is state and has_question in {None, action.question is not None}
        ]
        if rules:
            yield word, len(rules), f"{called(after)}: {', '.join(dict.fromkeys(rules))}"


def _is_changed(before: Case, after: Case) -> bool:
    """Whether the product is another than it was known."""
    if before.snapshot is None or after.snapshot is None:
        return False
    return is_changed(before.snapshot.fields, after.snapshot.fields)


def _is_fresh(after: Case) -> bool:
    """Whether the shop changed the product so lately that a webhook may still come which tells of it."""
    version = after.snapshot.version if after.snapshot is not None else None
    return version is not None and after.seen_at is not None and after.seen_at - version < STILL_COMING


def _newly_stepped_back(before: Case, after: Case) -> Iterable[Any]:  # Any: holds of either tuple
    was = {(slot.ref, hold.id) for slot in before.slots.values() for hold in slot.holds if _is_back(hold.state)}
    for slot in after.slots.values():
        yield from (hold for hold in slot.holds if _is_back(hold.state) and (slot.ref, hold.id) not in was)


def _is_back(state: HoldState) -> bool:
    return state is HoldState.STEPPED_BACK


def called(case: Case) -> str:
    """What people call a product: its SKU or name, with its id."""
    fields = case.snapshot.fields if case.snapshot else {}
    name = fields.get("sku") or fields.get("name")
    return f"{name} ({case.ref.id})" if name else str(case.ref)


def difference(before: Case, after: Case) -> str:
    """The first field that differs, and how: `stock was 12, is 0`."""
    old = before.snapshot.fields if before.snapshot else {}
    new = after.snapshot.fields if after.snapshot else {}
    for name in sorted(old.keys() | new.keys()):
        pair = {name: old.get(name)}, {name: new.get(name)}
        if is_changed(*pair):
            return f"{name} was {_short(old.get(name))}, is {_short(new.get(name))}"
    return "it differs"


def _short(value: object) -> str:
    match value:
        case None | [] | "":
            return "none"
        case True:
            return "yes"
        case False:
            return "no"
        case list():
            text = ", ".join(str(each) for each in value)
        case _:
            text = str(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
