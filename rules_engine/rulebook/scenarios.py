"""`tests:` beside rules and in `rules/tests/*.yaml` → scenarios, every problem of all files at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import tzinfo

from rules_engine.core.delivery import StoreAlias
from rules_engine.core.rule import Rulebook, RuleCode
from rules_engine.core.scenario import Scenario
from rules_engine.core.store import Store
from rules_engine.core.words import fold

from .report import Report
from .scenario import ScenarioReader, Tested
from .yaml import ListNode, MapNode, Node, ScalarNode, read_yaml


def compile_scenarios(texts: Mapping[str, str], rulebook: Rulebook, *, stores: Sequence[Store]) -> tuple[Scenario, ...]:
    """The tests of files that hold nothing else (path → text), for the rules of a rulebook, in the order of the files.

    Those that stand beside the rules are in `rulebook.scenarios`. Raises `RulebookError` with every problem.
    """
    report = Report()
    scenarios = Scenarios(report, map(Tested.from_rule, rulebook.rules), stores, known=rulebook.scenarios)
    found = read_test_files(texts, scenarios, report)
    report.raise_if_any()
    return tuple(found)


def read_test_files(texts: Mapping[str, str], scenarios: Scenarios, report: Report) -> list[Scenario]:
    """The tests of files that hold nothing else, in the order of the files; what is wrong is reported."""
    found: list[Scenario] = []
    for path in sorted(texts):
        report.add_file(path, texts[path])
        node = read_yaml(texts[path], path=path, report=report)
        if isinstance(node, MapNode):
            for key, value in node:
                if key.text == "tests":
                    found += scenarios.read(value)
                else:
                    report.unknown(key, "unknown-key", "a file of tests has no key", ["tests"])
        elif node is not None:
            advice = "write `tests:` first, and below it a rule's code"
            report.error(node.place, "wrong-shape", "a file of tests has `tests:`", advice)
    return found


class Scenarios:
    """Reads `tests:` of all files, which share the names of tests.

    `known` are tests that were read before. `is_partial` says that some rule file could not be read, so that an
    unknown rule may be in there.
    """

    def __init__(
        self,
        report: Report,
        rules: Iterable[Tested],
        stores: Sequence[Store],
        *,
        known: Iterable[Scenario] = (),
        is_partial: bool = False,
    ) -> None:
        self._report = report
        self._rules = {rule.code: rule for rule in rules}
        self._zones: dict[StoreAlias, tzinfo] = {store.alias: store.zone for store in stores}
        self._names = {(scenario.rule, fold(scenario.name)): scenario.place for scenario in known}
        self._is_partial = is_partial

    def read(self, node: Node) -> list[Scenario]:
        """The tests below one `tests:`; those that are wrong are left out, which is reported."""
        if isinstance(node, ScalarNode) and node.is_null:
            return []
        if not isinstance(node, MapNode):
            said = "below `tests:` stands the code of a rule, and below that its tests"
            code = next(iter(self._rules), "sold-out-leaves-featured")
            self._report.error(
                node.place, "wrong-shape", said, f"write `{code}:` in a line above, and indent the tests"
            )
            return []
        return [scenario for key, value in node for scenario in self._of_rule(key, value)]

    def _of_rule(self, key: ScalarNode, node: Node) -> Iterator[Scenario]:
        rule = self._rules.get(RuleCode(key.text.strip()))
        if rule is None:
            if not self._is_partial:
                self._report.unknown(key, "unknown-rule", "there is no rule", self._rules, "name a rule by its code")
            return
        for item in node.items if isinstance(node, ListNode) else (node,):
            if not isinstance(item, MapNode):
                said = "a test has a name, what the shop shows, and what is expected"
                self._report.error(item.place, "wrong-shape", said, "write `- name:`, `given:` and `expect:`")
                continue
            self._check_name(rule.code, item)
            scenario = ScenarioReader(self._report, rule, self._zones).read(item)
            if scenario is not None:
                yield scenario

    def _check_name(self, code: RuleCode, node: MapNode) -> None:
        name = node.get("name")
        if not isinstance(name, ScalarNode):
            return
        first = self._names.setdefault((code, fold(" ".join(name.text.split()))), name.place)
        if first != name.place:
            said = f'this rule has a test "{name.text.strip()[:60]}" already, at {first}'
            self._report.error(name.place, "doubled-test", said, "give this one another name")
