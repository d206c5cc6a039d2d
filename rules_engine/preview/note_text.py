"""The morning note in words and as plain values: short enough to be read before the first coffee."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from rules_engine.core.explain import listed
from rules_engine.core.pause import Pause
from rules_engine.core.plan import Step
from rules_engine.core.question import Question, QuestionKind

from .note import Done, Group, Idle, Open, Stands, StoreNote
from .why_words import Clock, sentence

MOST_RULES = 8
"""So many rules are named in a line."""
MOST_QUESTIONS = 10
"""So many questions are named."""
SHORT_ID = 8
"""So many characters of a question's id are shown: `questions` takes how it begins."""

_STEPS: Mapping[Step, str] = {
    Step.TAKE: "taken",
    Step.GIVE_BACK: "returned",
    Step.MOMENT: "moments",
    Step.UNDO: "undone",
}


_FOUND: Mapping[str, str] = {
    "new": "new",
    "changed": "changed without a webhook",
    "gone": "gone without a webhook",
    "undone": "changed back by people",
}
"""What a sweep finds that webhooks did not tell, in words."""


def lines_of_note(note: StoreNote) -> list[str]:
    """The note of one store, its first line the title: three lines where nothing was done and nothing waits."""
    title = f"{note.store}, since {note.clock.at(note.since)} ({note.clock.zone})"
    waiting = list(_waiting(note))
    return [title, *_done(note, is_calm=not waiting), *waiting, *_held(note), *_idle(note), *_sweep(note)]


def as_plain(note: StoreNote) -> dict[str, object]:
    """The note of one store as JSON shows it; times are aware."""
    return {
        "store": note.store,
        "since": note.since,
        "done": [
            {
                "rule": each.rule,
                "step": each.step.value,
                "products": each.products,
                "first": [named.plain() for named in each.names],
            }
            for each in note.done
        ],
        "held": _group_plain(note.held),
        "owed": _group_plain(note.owed),
        "kept_waiting": _group_plain(note.kept_waiting),
        "put_off": _group_plain(note.put_off),
        "stepped_back": _group_plain(note.stepped_back),
        "questions": [
            {
                "id": each.question.id,
                "rule": each.question.rule,
                "kind": each.question.kind.value,
                "reason": each.question.reason,
                "products": each.products,
                "asked_at": each.question.asked_at,
            }
            for each in note.questions
        ],
        "paused": [{"rule": each.rule or None, "because": each.because, "since": each.since} for each in note.pauses],
        "parked_because": note.parked or None,
        "dead_letters": note.dead,
        "set_aside": note.set_aside,
        "idle": [{"rule": each.rule, "last": each.last} for each in note.idle],
        "last_sweep": None
        if note.sweep is None
        else {"at": note.sweep.finished_at, "seen": note.sweep.seen, "found": dict(note.sweep.found)},
    }


def _group_plain(group: Group) -> dict[str, object]:
    first = [
        {
            "rule": each.rule,
            "product": each.product.plain(),
            "text": each.text,
            "since": each.since,
            "reason": each.reason or None,
        }
        for each in group.first
    ]
    return {"products": group.products, "first": first}


def _done(note: StoreNote, *, is_calm: bool) -> Iterator[str]:
    if not note.done:
        rest = ", and nothing waits for you" if is_calm else ""
        yield f"Nothing was taken or returned{rest}.{_longest_idle(note)}"
    for step, word in _STEPS.items():
        done = [each for each in note.done if each.step is step]
        if done:
            total = _products(sum(each.products for each in done))
            yield f"{sentence(word)}: {total}"
            yield from _parts(map(_done_words, done[:MOST_RULES]), len(done) - MOST_RULES, "rule", "rules")


def _done_words(done: Done) -> str:
    more = done.products - len(done.names)
    names = [named.short for named in done.names]
    return f"{done.rule}: {_products(done.products)} ({listed([*names, *([f'{more} more'] if more else [])])})"


def _waiting(note: StoreNote) -> Iterator[str]:
    """What waits for a person, that which stops most first."""
    clock = note.clock
    if note.parked:
        yield f"Parked: {note.parked}"
    for pause in note.pauses:
        yield _paused(pause, clock)
    if note.questions:
        yield f"Waiting for your answer: {_number(len(note.questions), 'question', 'questions')}"
        asked = (_question(each, clock) for each in note.questions[:MOST_QUESTIONS])
        yield from _parts(asked, len(note.questions) - MOST_QUESTIONS, "question", "questions")
    if note.owed.products:
        yield f"Owed and not given back yet: {_products(note.owed.products)}"
        yield from _group(note.owed, lambda each: f"{each.text}, due {clock.ago(each.since)} ({_because(each)})")
    if note.kept_waiting.products:
        yield f"Kept waiting by `never_leave`, until there is room: {_products(note.kept_waiting.products)}"
        yield from _group(note.kept_waiting, lambda each: f"{each.text} ({_because(each)})")
    if note.put_off.products:
        yield f"Put off, because a rule acted on them too often or too lately: {_products(note.put_off.products)}"
        yield from _group(note.put_off, lambda each: f"{each.text} ({_because(each)})")
    if note.dead:
        said = f"Given up: {_number(note.dead, 'action', 'actions')}"
        yield f"{said}. Look at them with `rules-engine dead-letters --store {note.store}`."
    if note.set_aside:
        yield f"Could not be looked at: {_number(note.set_aside, 'subject', 'subjects')}, tried again every hour"
        aside = (f"{subject}: {reason}" for subject, reason in note.aside)
        yield from _parts(aside, note.set_aside - len(note.aside), "subject", "subjects")
    if note.stepped_back.products:
        yield f"Left to people, who put it otherwise: {_products(note.stepped_back.products)}"
        yield from _group(note.stepped_back, lambda each: f"{each.text} ({each.rule}, {clock.ago(each.since)})")


def _held(note: StoreNote) -> Iterator[str]:
    if note.held.products:
        yield f"Held: {_products(note.held.products)}, those for the longest first"
        yield from _group(note.held, lambda each: f"{each.text}, since {note.clock.at(each.since)} ({each.rule})")


def _idle(note: StoreNote) -> Iterator[str]:
    if not note.idle or not note.done:
        return
    shown = [f"{each.rule} ({_idle_for(each, note)})" for each in note.idle[:MOST_RULES]]
    more = len(note.idle) - len(shown)
    yield f"Did nothing: {listed([*shown, *([f'{more} more'] if more else [])], 'and')}"


def _longest_idle(note: StoreNote) -> str:
    """Where no rule did anything, only the one that did nothing for the longest is named."""
    if not note.idle:
        return ""
    first = note.idle[0]
    of = _number(note.rules, "rule", "rules")
    return f" Of {of}, {first.rule} did nothing for the longest ({_idle_for(first, note)})."


def _idle_for(idle: Idle, note: StoreNote) -> str:
    if idle.last is None:  # what was done longer ago is not remembered
        return f"nothing in the last {_number(note.kept.days, 'day', 'days')}"
    return f"last {note.clock.ago(idle.last)}"


def _sweep(note: StoreNote) -> Iterator[str]:
    sweep = note.sweep
    if sweep is None or sweep.finished_at is None:
        if note.can_be_swept:
            yield "The whole catalogue was never swept yet."
        return
    found = [f"{sweep.found[word]:,} {said}" for word, said in _FOUND.items() if sweep.found.get(word)]
    drift = listed(found, "and") if found else "as was known"
    yield f"Last sweep {note.clock.at(sweep.finished_at)}: {_products(sweep.seen)}, {drift}."


def _paused(pause: Pause, clock: Clock) -> str:
    what = pause.rule or "everything"
    return f"Paused {clock.ago(pause.since)}: {what}, because {pause.because}. Go on with `{pause.resume}`."


def _question(open_: Open, clock: Clock) -> str:
    question, size = open_.question, f" ({_products(open_.products)})" if open_.products else ""
    said = f"{question.rule}{size}: {question.reason.rstrip('.')}, asked {clock.ago(question.asked_at)}."
    return f"{said} {_answers(question)}"


def _answers(question: Question) -> str:
    id_ = question.id[:SHORT_ID]
    if question.kind is QuestionKind.GONE:
        return f"Give back: `rules-engine questions yes {id_}`; keep: `rules-engine questions no {id_}`."
    return f"Answer with `rules-engine questions yes {id_}`, or no."


def _because(stands: Stands) -> str:
    return f"{stands.rule}: {stands.reason}" if stands.reason else stands.rule


def _group(group: Group, words: Callable[[Stands], str]) -> Iterator[str]:
    named = {each.product.id for each in group.first}
    yield from _parts(map(words, group.first), group.products - len(named), "product", "products")


def _parts(texts: Iterable[str], more: int, one: str, many: str) -> Iterator[str]:
    for text in texts:
        yield f"• {text}"
    if more > 0:
        yield f"• and {_number(more, one, many, 'more ')}"


def _number(count: int, one: str, many: str, which: str = "") -> str:
    return f"{count:,} {which}{one if count == 1 else many}"


def _products(count: int) -> str:
    return _number(count, "product", "products")
