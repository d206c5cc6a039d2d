"""Questions in words: what is asked, what yes and no do, and what each product is in it for."""

from __future__ import annotations

from collections.abc import Mapping

from rules_engine.core.action import Aspect
from rules_engine.core.aim import call_for
from rules_engine.core.directory import Directory
from rules_engine.core.plan import PlannedAction, Step
from rules_engine.core.question import Question, QuestionId, QuestionKind, QuestionState
from rules_engine.core.rule import RuleCode
from rules_engine.core.subject import ProductId
from rules_engine.core.view import Fields
from rules_engine.database.answers import Contents
from rules_engine.database.vanished import STORE_IS_GONE

from .naming import ProductName
from .plan_lines import Doing, Line, category_called
from .plan_text import count

Names = Mapping[ProductId, Fields]
"""The fields of products, as far as it takes to name them."""
SHORTEST = 8
"""So many characters of a question's id are shown at least; commands take how it begins."""


def waits_for(action: PlannedAction, questions: Mapping[QuestionId, Question]) -> str:
    """What an action waits for that is held back: `waits for question 3f2a81c0`, or the reason."""
    question = questions.get(action.question) if action.question is not None else None
    if question is None or question.state is not QuestionState.OPEN:
        word = "held back" if action.admitted_at is None else "to be looked at once more"
        return f"{word}: {action.reason}" if action.reason else word
    return f"waits for question {question.id[:SHORTEST]}"


def how_to_go_on(action: PlannedAction, questions: Mapping[QuestionId, Question]) -> str:
    """What keeps an action back that is held back, in a sentence, with what a person can do about it."""
    said = waits_for(action, questions)
    question = questions.get(action.question) if action.question is not None else None
    if question is None or question.state is not QuestionState.OPEN:
        return f"It is {said}."
    id_ = question.id[:SHORTEST]
    return f"It {said}, because {question.reason}: `rules-engine questions yes {id_}` or `no {id_}` answers it."


def asks(question: Question, products: int) -> str:
    """What is asked, or was, in a sentence."""
    about = count(products, "product")
    if question.kind is QuestionKind.GONE:
        if not question.state.is_waiting:
            what = f" {about}" if products else " something"
            return f"{question.rule} was gone and held{what}: give back (yes) or keep (no)?"
        if not products:
            return f"{question.rule} is gone and holds nothing any more: either answer ends this."
        if question.reason == STORE_IS_GONE:
            return f"{question.rule} holds {about} of a store that stores.yaml no longer has: keep them (no)?"
        return f"{question.rule} is gone and holds {about}: give back (yes) or keep (no)?"
    if question.state is QuestionState.GATHERING:
        return f"Nothing yet: the whole catalogue is being planned. {question.rule} wants {about} so far."
    deed = "act on" if question.kind is QuestionKind.TAKE else "give back"
    if not question.state.is_waiting:
        what = f" to {deed} {about}" if products else ""
        return f"{question.rule} asked{what}, because {question.reason}."
    return f"May {question.rule} {deed} {about}? It asks because {question.reason}."


def yes_does(question: Question) -> str:
    """What a yes does, in a sentence."""
    match question.kind:
        case QuestionKind.TAKE:
            return "each product is looked at again, and what the rule still wants of it is done."
        case QuestionKind.GIVE_BACK:
            return "each product is looked at again, and what is still to be given back is given back."
        case QuestionKind.GONE if question.reason == STORE_IS_GONE:
            return f"nothing: add {question.store} back to stores.yaml first, then they can be given back."
        case QuestionKind.GONE:
            return "everything that the rule holds is given back, unless a person changed it since or others hold it."


def no_does(question: Question) -> str:
    """What a no does, in a sentence."""
    match question.kind:
        case QuestionKind.TAKE:
            return "nothing of it is done. The rule leaves these products alone until its condition ends for them."
        case QuestionKind.GIVE_BACK:
            return "they stay as they are, and nothing is owed to them any more."
        case QuestionKind.GONE:
            return "all stays as it is now, for good: nothing is given back any more, and no later yes changes that."


def lines_of(question: Question, contents: Contents, names: Names, directory: Directory) -> list[Line]:
    """A line for each thing that would be done, or for each thing that is held, by what it says and then by name."""
    lines = [line_of(action, names, directory) for action in contents.actions]
    for held in contents.held:
        kind, target = call_for(held.slot, held.baseline, held.hold.wish)
        named = ProductName.from_fields(held.slot.product, held.fields)
        shown = _target(held.slot.aspect, target, directory)
        lines.append(Line(question.rule, named.id, named.name, named.sku, Doing.TAKEN, kind, shown))
    return sorted(lines, key=lambda line: (line.deed, line.order))


def line_of(action: PlannedAction, names: Names, directory: Directory) -> Line:
    """What one action of a question does."""
    doing = Doing.RETURNED if action.step is Step.GIVE_BACK else Doing.TAKEN
    named = ProductName.from_fields(action.slot.product, names.get(action.slot.product, {}))
    target = _target(action.slot.aspect, action.target, directory)
    return Line(RuleCode(action.rules[0]), named.id, named.name, named.sku, doing, action.kind, target)


def _target(aspect: Aspect, target: str, directory: Directory) -> str:
    if aspect is Aspect.MEMBERSHIP:
        return category_called(target, directory)
    return directory.brand_name(target) or target if aspect is Aspect.BRAND else ""
