"""`questions`: what rules may do only after a person said yes, and what becomes of what vanished rules hold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import groupby
from typing import Annotated

import sqlalchemy as sa
import typer

from rules_engine.app import Outside, compile_rules, open_stores
from rules_engine.core.delivery import StoreAlias
from rules_engine.core.errors import RulebookError
from rules_engine.core.plan import ActionState, PlannedAction
from rules_engine.core.question import Question, QuestionId, QuestionKind, QuestionState
from rules_engine.core.rule import Rule
from rules_engine.core.store import StoresFile
from rules_engine.core.subject import ProductId
from rules_engine.core.view import Fields
from rules_engine.database.answers import (
    CameOf,
    Contents,
    answer,
    came_of_orders,
    contents_of,
    count_products,
    has_open_orders,
    the_question,
)
from rules_engine.database.products import fields_of
from rules_engine.database.questions import load_questions
from rules_engine.database.results import find_actions, is_quiet, results_for
from rules_engine.database.rulebooks import texts_that_ran
from rules_engine.database.vanished import stray_holds
from rules_engine.lane.rules import stray_store
from rules_engine.preview.asked import asks, line_of, lines_of, no_does, yes_does
from rules_engine.preview.naming import ProductName, Wording, name_products
from rules_engine.preview.plan_lines import Line
from rules_engine.preview.plan_text import count
from rules_engine.settings import Settings

from .follow import LONG_ENOUGH, Wait, follow, open_database
from .output import (
    WRONG_USAGE,
    AsJson,
    complain,
    in_plain_words,
    say,
    say_json,
    say_lines,
    say_table,
    short_time,
    telling_length,
)
from .repair import StoreOption, action_fields, came_of, finish
from .rules import asked_stores

RULEBOOKS_SEARCHED = 20
"""So many of the last rulebooks are searched for a rule that is gone."""

FAILED_NAMED = 20
"""So many of the changes that failed are named."""

IdArgument = Annotated[str, typer.Argument(metavar="ID", help="Its id, or enough of its beginning to name one.")]
BecauseOption = Annotated[str, typer.Option("--because", metavar="TEXT", help="Why; it is kept with the answer.")]
ShownOption = Annotated[int, typer.Option("--limit", min=0, metavar="N", help="How many products to name in a list.")]
AllOption = Annotated[bool, typer.Option("--all", help="Also those that are answered, expired or void.")]

app = typer.Typer(
    name="questions",
    invoke_without_command=True,
    rich_markup_mode="markdown",
    help="List, show or answer what the engine asks before it acts.\n\n"
    "A rule asks when it would do more than its `limits` or its `ask_first` allow; and when a rule is deleted, it is "
    "asked what becomes of what it holds. Until you answer, nothing of it is done. Without a subcommand the open "
    "questions are listed.",
    epilog="Example: `rules-engine questions --store web`",
)


@app.callback()
def start(
    context: typer.Context, *, store: StoreOption = None, all_: AllOption = False, as_json: AsJson = False
) -> None:
    """List them, unless a subcommand follows."""
    if context.invoked_subcommand is None:
        list_(store=store, all_=all_, as_json=as_json)
    elif as_json or all_ or store is not None:
        complain(f"Write the options after {context.invoked_subcommand!r}.")
        raise typer.Exit(WRONG_USAGE)


@app.command("list", epilog="Example: `rules-engine questions list --all`")
def list_(*, store: StoreOption = None, all_: AllOption = False, as_json: AsJson = False) -> None:
    """List the questions that wait for an answer, oldest first."""
    states = tuple(QuestionState) if all_ else (QuestionState.GATHERING, QuestionState.OPEN)
    with in_plain_words(as_json=as_json):
        settings = Settings.from_environment()
        file = open_stores(settings, None)
        stores = [each.alias for each in file.stores]
        with open_database(settings) as database:

            def read(connection: sa.Connection) -> tuple[list[Question], dict[QuestionId, int], list[str]]:
                of = StoreAlias(store) if store is not None else None
                found = load_questions(connection, of, states=states)
                if not found and of is not None and not load_questions(connection, of, states=QuestionState):
                    asked_stores(file.stores, of)  # one that is gone may still have questions
                strays = stray_holds(connection, stores)
                said = [stray_store(alias, n) for alias, n in strays.items() if of in {None, alias}]
                return found, count_products(connection, found), said

            found, products, strays = database.read_now(read)
    if as_json:
        shown = [_fields(each) | {"products": products.get(each.id, 0)} for each in found]
        say_json({"questions": shown, "notes": strays})
        return
    if found:
        length = telling_length([each.id for each in found])
        columns = ("id", "asked (UTC)", "store", "rule", "products", "expires (UTC)", "state", "asks")
        say_table(columns, [_row(each, products.get(each.id, 0), length) for each in found])
    else:
        say("There are no questions.")
    for note in strays:
        complain(note)


@app.command(epilog="Example: `rules-engine questions show 3f2a81c0`")
def show(id_: IdArgument, *, limit: ShownOption = 20, as_json: AsJson = False) -> None:
    """Show one question: the products in it by name, and what yes and no do."""
    with in_plain_words(as_json=as_json):
        settings = Settings.from_environment()
        file = open_stores(settings, None)
        with open_database(settings) as database:
            question = database.read_now(partial(the_question, begins=id_))
            inside = database.read_now(partial(_inside, file=file, question=question))
            texts = database.read_now(partial(texts_that_ran, limit=RULEBOOKS_SEARCHED))
    rule = _rule_of(question, texts, file)
    if as_json:
        known = {"title": rule.title, "file": rule.place.path, "line": rule.place.line} if rule else None
        said = {"yes": yes_does(question), "no": no_does(question)}
        say_json(_fields(question) | {"known": known, **said, "products": [each.fields() for each in inside]})
        return
    say(f"{question.id} of {question.store}, {question.state.value}")
    say(f"  {asks(question, len({each.product.id for each in inside}))}")
    if rule is not None:
        say(f"  the rule: {rule.title or rule.code}, {rule.place.path}:{rule.place.line}")
    is_open = question.state is QuestionState.OPEN and question.expires_at is not None
    expiry = f"; without an answer by {short_time(question.expires_at)} it is a no" if is_open else ""
    say(f"  asked {short_time(question.asked_at)} (UTC){expiry}")
    if question.answered_at is not None:
        because = f": {question.said}" if question.said else ""
        say(f"  {question.state.value} since {short_time(question.answered_at)} (UTC){because}")
    elif question.state is QuestionState.OPEN:
        say(f"  yes: {yes_does(question)}")
        say(f"  no: {no_does(question)}")
    for said, products in groupby(inside, key=lambda each: each.said):
        group = list(products)
        say(f"  {said}: {count(len(group), 'product')}")
        say_lines(f"    {each.product}" for each in group[:limit])
        if len(group) > limit:
            say(f"    and {len(group) - limit:,} more")


@dataclass(frozen=True, slots=True)
class _Inside:
    """One thing that is asked about, in words; and, once the question is answered, what came of it."""

    product: ProductName
    deed: str
    came: str = ""
    line: Line | None = None

    @property
    def said(self) -> str:
        """Both: `taken out of Featured (10), done`."""
        return ", ".join(part for part in (self.deed, self.came) if part)

    def fields(self) -> dict[str, object]:
        """As JSON shows it."""
        line = self.line
        return {
            "product": self.product.plain(),
            "action": line.kind.value if line is not None and line.kind else None,
            "target": (line.target or None) if line is not None else None,
            "deed": self.deed or None,
            "came": self.came or None,
        }


@dataclass(frozen=True, slots=True)
class _Words:
    """Says what is in a question in the words of its store."""

    question: Question
    names: Mapping[ProductId, Fields]
    wording: Wording

    def lines(self, contents: Contents) -> list[Line]:
        """What would be done, or is held."""
        return lines_of(self.question, contents, self.names, self.wording.directory(self.question.store))

    def line(self, action: PlannedAction) -> Line:
        """What one action does."""
        return line_of(action, self.names, self.wording.directory(self.question.store))


def _inside(connection: sa.Connection, file: StoresFile, question: Question) -> list[_Inside]:
    """What is in a question, by what is said of it and then by name."""
    is_answered = not question.state.is_waiting
    if is_answered and question.kind is QuestionKind.GONE:
        at = question.answered_at or question.asked_at
        came = came_of_orders(connection, question.store, question.rule, at=at)
        names = name_products(connection, question.store, (each.product for each in came))
        ordered = [_Inside(names[each.product], "", each.outcome or "still to be done") for each in came]
        return sorted(ordered, key=lambda each: (each.came, str(each.product)))
    contents = contents_of(connection, question)
    words = _words(connection, file, question, contents)
    if not is_answered:
        return [_Inside(line.named, line.deed, line=line) for line in words.lines(contents)]
    lines = [(action, words.line(action)) for action in contents.actions]
    found = [_Inside(line.named, line.deed, came_of(action), line) for action, line in lines]
    return sorted(found, key=lambda each: (each.came != "done", each.said, each.product.name.casefold()))


@app.command(epilog="Example: `rules-engine questions yes 3f2a81c0`")
def yes(id_: IdArgument, *, because: BecauseOption = "", wait: Wait = LONG_ENOUGH, as_json: AsJson = False) -> None:
    """Say yes, and tell what came of it.

    Every product is looked at again first: what is no longer wanted, or is so already, is not called for.
    """
    _answer(id_, is_yes=True, because=because, wait=wait, as_json=as_json)


@app.command(epilog='Example: `rules-engine questions no 3f2a81c0 --because "the feed is wrong"`')
def no(id_: IdArgument, *, because: BecauseOption = "", wait: Wait = LONG_ENOUGH, as_json: AsJson = False) -> None:
    """Say no: nothing of what is asked is done."""
    _answer(id_, is_yes=False, because=because, wait=wait, as_json=as_json)


@dataclass(frozen=True, slots=True)
class _Came:
    """What came of an answer."""

    question: Question
    actions: tuple[PlannedAction, ...]
    orders: tuple[CameOf, ...]
    names: Mapping[str, ProductName]
    words: _Words

    def called(self, action: PlannedAction) -> str:
        """The product of an action as people know it, with what was to be done."""
        line = self.words.line(action)
        return f"{line.called}, {line.deed}"


def _answer(id_: str, *, is_yes: bool, because: str, wait: float, as_json: bool) -> None:
    outside = Outside()
    with in_plain_words(as_json=as_json):
        settings = Settings.from_environment()
        file = open_stores(settings, None)
        stores = [each.alias for each in file.stores]
        with open_database(settings) as database:
            asked_at = outside.now()

            def tell(connection: sa.Connection) -> tuple[Question, Contents]:
                question = the_question(connection, id_)
                said = because.strip()
                inside = answer(connection, question, is_yes=is_yes, said=said, now=asked_at, stores=stores)
                return question, inside

            question, inside = database.write_now(tell)
            is_done = partial(_is_done, question=question, inside=inside, asked_at=asked_at)
            waits = ""
            if question.store in stores:
                waits = follow(settings, database, question.store, is_done, seconds=wait, outside=outside)

            def read(connection: sa.Connection) -> _Came:
                of, subjects = question.store, inside.subjects
                actions: Sequence[PlannedAction] = find_actions(connection, [each.key for each in inside.actions])
                if question.kind is QuestionKind.GONE:
                    actions = results_for(connection, of, subjects, cause=question.id, since=asked_at).actions
                orders = came_of_orders(connection, of, question.rule, at=asked_at)
                about = (*(each.product for each in orders), *(action.slot.product for action in actions))
                return _Came(
                    the_question(connection, question.id),
                    tuple(actions),
                    tuple(orders),
                    name_products(connection, of, about),
                    _words(connection, file, question, Contents(tuple(actions))),
                )

            came = database.read_now(read)
    _tell(came, inside, is_stray=question.store not in stores, as_json=as_json, waits=waits)
    finish(waits, is_fine=not any(action.state is ActionState.DEAD for action in came.actions))


def _is_done(connection: sa.Connection, question: Question, inside: Contents, asked_at: datetime) -> bool:
    if question.kind is QuestionKind.GONE and has_open_orders(connection, question.store, question.rule):
        return False
    return is_quiet(connection, question.store, inside.subjects, asked_at=asked_at)


def _tell(came: _Came, inside: Contents, *, is_stray: bool, waits: str, as_json: bool) -> None:
    question = came.question
    if as_json:
        names = came.names
        orders = [{"product": names[each.product].plain(), "outcome": each.outcome or None} for each in came.orders]
        actions = [action_fields(action, names[action.slot.product]) for action in came.actions]
        say_json({"question": _fields(question), "orders": orders, "actions": actions, "waits": waits or None})
        return
    about = count(len(inside.products), "product")
    say(f"{question.rule} of {question.store}: {question.state.value} for {about}.")
    if is_stray:
        say("  All stays as it is now; nothing is owed there any more.")
    tally = Counter(each.outcome for each in came.orders if each.outcome)
    say_lines(f"  {outcome}: {count(number, 'product')}" for outcome, number in tally.most_common())
    # Of those that were given up each is named below, with its own reason.
    what = Counter("given up" if each.state is ActionState.DEAD else came_of(each) for each in came.actions)
    say_lines(f"  {word}: {count(number, 'change')}" for word, number in what.most_common())
    failed = [action for action in came.actions if action.state is ActionState.DEAD]
    say_lines(f"    {came.called(action)}: {action.reason}" for action in failed[:FAILED_NAMED])
    if failed:
        say("  `rules-engine dead-letters` lists what failed.")


def _words(connection: sa.Connection, file: StoresFile, question: Question, contents: Contents) -> _Words:
    return _Words(
        question, fields_of(connection, question.store, contents.products), Wording.load(connection, file.stores)
    )


def _rule_of(question: Question, texts: Sequence[Mapping[str, str]], file: StoresFile) -> Rule | None:
    """The rule as the newest rulebook has it that knows it; None where none can be read any more."""
    for each in texts:
        if not any(question.rule in text for text in each.values()):
            continue
        try:
            rulebook = compile_rules(each, file)
        except RulebookError:
            continue  # it was made by another release, or for other stores
        found = next((rule for rule in rulebook.rules if rule.code == question.rule), None)
        if found is not None:
            return found
    return None


def _row(question: Question, products: int, length: int) -> tuple[str, ...]:
    return (
        question.id[:length],
        short_time(question.asked_at),
        question.store,
        question.rule,
        str(products),
        short_time(question.expires_at),
        question.state.value,
        asks(question, products),
    )


def _fields(question: Question) -> dict[str, object]:
    return {
        "id": question.id,
        "store": question.store,
        "rule": question.rule,
        "kind": question.kind.value,
        "state": question.state.value,
        "reason": question.reason or None,
        "asked_at": question.asked_at,
        "expires_at": question.expires_at,
        "answered_at": question.answered_at,
        "said": question.said or None,
    }
