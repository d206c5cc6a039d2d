"""What merchandisers run to make a test of what really happened: `record`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from rules_engine.app import Outside, compile_rules, open_stores
from rules_engine.core.errors import DatabaseError, RulebookError, SettingsError
from rules_engine.core.explain import listed
from rules_engine.core.rule import Rule, Rulebook
from rules_engine.core.scenario import Expected, Scenario
from rules_engine.core.store import Store, StoresFile
from rules_engine.core.subject import SubjectRef
from rules_engine.database import inbox
from rules_engine.database.inbox import DeliveryState, StoredDelivery
from rules_engine.preview.scenario_plain import plainly
from rules_engine.preview.scenario_record import Recorded, record
from rules_engine.preview.scenario_result import Played
from rules_engine.preview.scenario_yaml import added_to, as_yaml
from rules_engine.rulebook import compile_scenarios, read_rule_texts, read_test_texts
from rules_engine.rulebook.schema import FOLDER, SchemaKind
from rules_engine.settings import Settings
from rules_engine.vendors import VENDORS

from .follow import open_database
from .output import AsJson, in_plain_words, say, say_json
from .rules import no_such_rule
from .test import TESTS, play_one

_MODELINE = f"# yaml-language-server: $schema=../{FOLDER}/{SchemaKind.TESTS}.json"
"""The first line of a new file of tests: by it editors explain what stands below."""


@dataclass(frozen=True, slots=True)
class Made:
    """A test that was recorded and then played alone. `notes` are what stands above it."""

    test: Recorded
    notes: tuple[str, ...]
    differs: bool = False


def record_delivery(
    delivery: Annotated[
        str, typer.Argument(metavar="DELIVERY", help="Its id, as `deliveries` shows it, or how it begins.")
    ],
    *,
    rule: Annotated[
        str | None, typer.Option("--rule", metavar="CODE", help="For this rule, also if it had nothing to say.")
    ] = None,
    write: Annotated[bool, typer.Option("--write", help="Add it to RULES/tests/CODE.yaml instead.")] = False,
    as_json: AsJson = False,
) -> None:
    """Write a test from a delivery: what its rules saw then, and what they did because of it.

    The test has only the fields that its rule looks at. E-mail addresses, numbers of phones and cards and secrets are
    replaced. It is played before it is printed; where that differs from what really happened, a comment says how.
    """
    with in_plain_words(as_json=as_json):
        settings = Settings.from_environment()
        stores = open_stores(settings, None)
        folder = Path(settings.rules)
        rulebook = compile_rules(read_rule_texts(folder), stores)
        made = _make(settings, stores, rulebook, delivery, rule)
        files = _write(folder, made, rulebook, stores) if write else {}
    if as_json:
        say_json(
            {"tests": [_as_json(each) for each in made], "files": {code: str(file) for code, file in files.items()}}
        )
    elif write:
        for each in made:
            say(f"{each.test.rule} › {each.test.name}: added to {files[each.test.rule]}.")
            for note in each.notes:
                say(f"  {note}")
    else:
        say(as_yaml([(each.test, each.notes) for each in made]).rstrip("\n"))


def _make(settings: Settings, stores: StoresFile, rulebook: Rulebook, begins: str, code: str | None) -> list[Made]:
    """The tests of a delivery, played. Raises `DatabaseError` with a sentence where there is nothing to record."""
    now = Outside().now()
    with open_database(settings) as database:
        stored = database.read_now(partial(inbox.the_one, begins=begins))
        store = _store_of(stored, stores)
        rules = _rules(rulebook, store, code)
        recorded = database.read_now(
            partial(
                record,
                stored=stored,
                rules=rules,
                store=store,
                vendor=VENDORS[store.settings.vendor](store.settings),
                is_asked=code is not None,
                now=now,
                kept_since=now - timedelta(days=settings.retention_days),
            )
        )
    if not recorded:
        raise DatabaseError(_why_nothing(stored, rules, code))
    return [_played(each, stored, rulebook, stores) for each in recorded]


def _store_of(stored: StoredDelivery, stores: StoresFile) -> Store:
    """The store of a delivery that was decided. Raises `DatabaseError` for any other."""
    id_ = stored.delivery.id
    if stored.state is DeliveryState.PENDING:
        raise DatabaseError(f"Delivery {id_} waits to be decided: record it when it is planned.")
    if stored.state is not DeliveryState.PLANNED:
        reason = f": {stored.reason}" if stored.reason else "."
        raise DatabaseError(f"Delivery {id_} is {stored.state.value}, so no rule saw it{reason}")
    known = {store.alias: store for store in stores.stores}
    if stored.delivery.store not in known:
        raise DatabaseError(f"Delivery {id_} is of the store {stored.delivery.store}, which stores.yaml does not have.")
    return known[stored.delivery.store]


def _rules(rulebook: Rulebook, store: Store, code: str | None) -> tuple[Rule, ...]:
    rules = rulebook.for_store(store.alias)
    if code is None:
        return rules
    known = [each.code for each in rules]
    if code not in known:
        raise no_such_rule(code, known, where=f"For {store.alias} there is")
    return tuple(each for each in rules if each.code == code)


def _why_nothing(stored: StoredDelivery, rules: Sequence[Rule], code: str | None) -> str:
    about = listed(str(ref) for ref in stored.subjects) or "nothing"
    if code is not None:
        kind = rules[0].about
        return (
            f"{code} is about a {kind}, and delivery {stored.delivery.id} is about {about}, or it is no longer known."
        )
    return (
        f"No rule had anything to say about delivery {stored.delivery.id} ({about}). "
        "Name one with --rule to record that it does nothing."
    )


def _played(test: Recorded, stored: StoredDelivery, rulebook: Rulebook, stores: StoresFile) -> Made:
    """The test with what stands above it. Where its rule alone does something else, that is what it expects."""
    stamp = f"Recorded from delivery {stored.delivery.id} ({stored.vendor_type}), {_called(test.subject)}."
    notes = [stamp, *test.notes]
    try:
        played = _play(test, rulebook, stores)
    except RulebookError as error:
        first = error.problems[0]
        return Made(test, (*notes, f"It cannot be played: {first.message}."), differs=True)
    if played.is_ok:
        return Made(test, tuple(notes))
    real = listed(line if isinstance(line, str) else _said(line) for line in _lines(test))
    why = f" ({plainly('; '.join(test.traces))})" if test.traces else ""
    notes.append(
        f"In the shop the rule did something else: {real}{why}. Other rules, a person, an earlier time or a change of "
        "the rule since may be the reason; the test expects what the rule does when it is alone."
    )
    return Made(replace(test, expect=_alone(played)), tuple(notes), differs=True)


def _called(ref: SubjectRef) -> str:
    return f"{ref.kind} {ref.id}"


def _play(test: Recorded, rulebook: Rulebook, stores: StoresFile) -> Played:
    """Play a recorded test as it would be read from its file. Raises `RulebookError` when it is none."""
    (scenario,) = compile_scenarios({"recorded.yaml": as_yaml([(test, ())])}, rulebook, stores=stores.stores)
    rule = next(each for each in rulebook.rules if each.code == test.rule)
    return play_one(scenario, rule, stores)


def _lines(test: Recorded) -> tuple[Any, ...]:
    return (test.expect,) if isinstance(test.expect, str) else tuple(test.expect)


def _said(line: Any) -> str:  # a line of `expect`
    ((kind, target),) = line.items()
    return f"{kind}: {target if isinstance(target, str) else target['id']}"


def _alone(played: Played) -> tuple[Any, ...] | str:
    """What the rule did when it was played, as lines of `expect`."""
    if not played.run.deeds and played.run.asks:
        return str(Expected.ASKS)
    if not played.run.deeds:
        return "cannot tell" if played.truth is not None and played.truth.value == "cannot tell" else "nothing"
    lines: list[Any] = []
    for said in (each for each in played.actual if each != Expected.ASKS):
        kind, _, target = said.partition(": ")
        lines.append({kind: target} if target else kind)
    return tuple(lines)


def _write(folder: Path, made: Sequence[Made], rulebook: Rulebook, stores: StoresFile) -> dict[str, Path]:
    """Add each test to the file of its rule. Raises `SettingsError` where it is there already or cannot be added."""
    known = (*rulebook.scenarios, *compile_scenarios(read_test_texts(folder), rulebook, stores=stores.stores))
    files: dict[str, Path] = {}
    for each in made:
        _refuse_twice(each.test, known)
        file = folder / TESTS / f"{each.test.rule}.yaml"
        tests = [(each.test, each.notes)]
        try:
            old = file.read_text(encoding="utf-8") if file.exists() else ""
            text = added_to(old, tests) if old.strip() else f"{_MODELINE}\n{as_yaml(tests)}"
            compile_scenarios({f"{folder.name}/{TESTS}/{file.name}": text}, rulebook, stores=stores.stores)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
        except (OSError, ValueError) as error:
            raise SettingsError(f"{file} cannot be added to: {error}.") from error
        files[each.test.rule] = file
    return files


def _refuse_twice(test: Recorded, known: Sequence[Scenario]) -> None:
    for each in known:
        if each.rule == test.rule and each.name == test.name:
            raise SettingsError(f"This test is there already, at {each.place}.")


def _as_json(made: Made) -> dict[str, object]:
    test = made.test
    return {
        "rule": test.rule,
        "name": test.name,
        "store": test.store,
        "subject": str(test.subject),
        "at": test.at or None,
        "given": dict(test.given),
        "expect": test.expect if isinstance(test.expect, str) else list(test.expect),
        "notes": list(made.notes),
        "differs": made.differs,
        "yaml": as_yaml([(test, made.notes)]),
    }
