"""One test of one rule as YAML writes it → a scenario."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo

from rules_engine.core.delivery import StoreAlias
from rules_engine.core.explain import closest
from rules_engine.core.rule import Effect, EffectKind, Identified, Named, Rule, RuleCode
from rules_engine.core.scenario import Expected, Scenario
from rules_engine.core.subject import SubjectKind
from rules_engine.core.words import read_time

from .effects import CATEGORY_KINDS, NOTIFY, Effects
from .given import GivenReader, check_keys, read_after
from .report import Report
from .yaml import ListNode, MapNode, Node, ScalarNode

KEYS = ("name", "store", "at", "given", "after", "expect")
"""The keys of a test."""

_TIME = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d.*")


@dataclass(frozen=True, slots=True)
class Tested:
    """What reading a test needs to know of its rule."""

    code: RuleCode
    about: SubjectKind
    stores: tuple[StoreAlias, ...]
    is_while: bool

    @classmethod
    def from_rule(cls, rule: Rule) -> Tested:
        """What it needs to know of this rule."""
        return cls(rule.code, rule.about, rule.stores, rule.is_while)


class ScenarioReader:
    """Reads tests of one rule. `zones` are the stores' time zones."""

    def __init__(self, report: Report, rule: Tested, zones: Mapping[StoreAlias, tzinfo]) -> None:
        self._report = report
        self._rule = rule
        self._zones = zones
        self._given = GivenReader(report, rule.about)
        self._effects = Effects(report)

    def read(self, node: MapNode) -> Scenario | None:
        """The test; None if something in it is wrong, which is reported."""
        before = self._report.error_count
        is_sound = check_keys(self._report, node, KEYS, "a test has no key", self._rule.about)
        # with a key that is not known nothing is missing: it may be that one
        name = self._name(node) if is_sound or node.get("name") else None
        store = self._store(node.get("store"))
        at = self._at(node.get("at"), store)
        after = read_after(self._report, node)
        given = self._given.read(node) if is_sound or node.get("given") else None
        held = self._held(node.get("given"))
        expect = self._expect(node) if is_sound or node.get("expect") else None
        if given is None or name is None or expect is None or self._report.error_count > before:
            return None
        return Scenario(
            rule=self._rule.code,
            name=" ".join(name.text.split()),
            place=name.place,
            about=self._rule.about,
            given=given.glimpse,
            expect=expect,
            before=given.before,
            then=given.then,
            held=held,
            members=given.members,
            after=after or timedelta(0),
            at=at,
            store=store,
        )

    def _name(self, node: MapNode) -> ScalarNode | None:
        name = node.get("name")
        if isinstance(name, ScalarNode) and not name.is_null and name.text.strip():
            return name
        place = name.place if name is not None else node.place
        self._report.error(place, "missing-key", "the test has no name", "write `name:` and what it shows, in words")
        return None

    def _store(self, node: Node | None) -> StoreAlias | None:
        stores = self._rule.stores
        if node is None:
            return stores[0] if stores else None
        if not isinstance(node, ScalarNode):
            self._report.error(node.place, "wrong-shape", "`store` names one store", "write `store: web`")
        elif node.text.strip() in stores:
            return StoreAlias(node.text.strip())
        elif stores:
            self._report.unknown(node, "unknown-store", "this rule does not run for", stores)
        return None

    def _at(self, node: Node | None, store: StoreAlias | None) -> datetime | None:
        if node is None:
            return None
        zone = self._zones.get(store, UTC) if store else UTC
        text = node.text.strip() if isinstance(node, ScalarNode) else ""
        found = read_time(text, zone) if _TIME.fullmatch(text) else None
        if found is None:
            said = "`at` is a day and a time of day, in the store's time zone"
            self._report.error(node.place, "wrong-type", said, "write `at: 2026-12-01 09:00`")
        return found

    def _held(self, given: Node | None) -> tuple[Effect, ...]:
        value = given.get("held") if isinstance(given, MapNode) else None
        if value is None:
            return ()
        if self._rule.is_while:
            return self._lines(value, "held")
        said = "a rule with `as_soon_as` holds nothing"
        self._report.error(value.place, "needless-key", said, "leave `held` out")
        return ()

    def _expect(self, node: MapNode) -> tuple[Effect, ...] | Expected | None:
        value = node.get("expect")
        if value is None:
            said, advice = "the test does not say what it expects", "write `expect:` and actions, or nothing"
            self._report.error(node.place, "missing-key", said, advice)
            return None
        if isinstance(value, ScalarNode) and value.text in set(Expected):
            return Expected(value.text)
        if isinstance(value, ScalarNode) and not value.is_null and self._is_no_action(value.text):
            advice = "write what the rule does, such as `- remove_from_category: NAME`, or nothing, cannot tell or asks"
            self._report.unknown(value, "unknown-value", "`expect` cannot be", Expected, advice)
            return None
        if (isinstance(value, ScalarNode) and value.is_null) or (isinstance(value, ListNode) and not value.items):
            self._report.error(value.place, "missing-value", "an action is missing here", "or write `expect: nothing`")
            return None
        return self._lines(value, "expect")

    @staticmethod
    def _is_no_action(text: str) -> bool:
        """Whether a word is meant to be `nothing`, `cannot tell` or `asks` rather than an action, or to be neither."""
        actions = [*EffectKind, NOTIFY]
        return text not in actions and (closest(text, Expected) != "" or closest(text, actions) == "")

    def _lines(self, node: Node, where: str) -> tuple[Effect, ...]:
        items = node.items if isinstance(node, ListNode) else (node,)
        return tuple(effect for item in items if (effect := self._line(item, where)) is not None)

    def _line(self, node: Node, where: str) -> Effect | None:
        word = node.entries[0][0] if isinstance(node, MapNode) and node.entries else node
        is_expected = where == "expect"
        if isinstance(word, ScalarNode) and word.text == NOTIFY:
            said = f"`{where}` is about what changes in the shop; whether somebody is told is not tested"
            self._report.error(word.place, "wrong-target", said, f"leave `notify` out of `{where}`")
            return None
        if isinstance(word, ScalarNode) and is_expected and word.text.strip().casefold() in set(Expected):
            said = f'"{word.text.strip()}" stands alone'
            self._report.error(word.place, "wrong-shape", said, f"write `expect: {word.text.strip().casefold()}`")
            return None
        # what a rule about a category does to its products, and gives back, is said of them
        is_of_products = isinstance(word, ScalarNode) and is_expected and word.text in CATEGORY_KINDS
        placed = self._effects.effect(node, SubjectKind.PRODUCT if is_of_products else self._rule.about)
        for target, place in placed.targets if placed else ():
            if not isinstance(target, Named | Identified):
                said = f"`{where}` says which categories"
                self._report.error(place, "wrong-target", said, "write each by its name, or {id: …}")
        return placed.effect if placed else None
