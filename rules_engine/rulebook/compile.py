"""Rule files → a compiled rulebook, or every problem of all files at once."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

from rules_engine.core.rule import Rule, Rulebook, RulebookHash, RuleCode
from rules_engine.core.store import Store

from .conditions import Conditions
from .effects import Effects
from .fit import Fit
from .guards import refuse_not_yet
from .report import Report
from .rules import Rules
from .scenarios import Scenarios
from .vendor import VendorSpec
from .yaml import MapNode, Node, ScalarNode, read_yaml

KEYS = ("meanings", "rules", "tests")
"""The keys of a rule file."""


def compile_rulebook(
    texts: Mapping[str, str],
    *,
    stores: Sequence[Store],
    vendors: Mapping[str, VendorSpec],
    notify: Sequence[str] = (),
) -> Rulebook:
    """The rulebook of all rule files (path → text), for these stores. Raises `RulebookError` with every problem.

    `notify` are the names of those whom rules may tell what they did.
    """
    report = Report()
    paths = sorted(texts)
    files: list[MapNode] = []
    for path in paths:
        report.add_file(path, texts[path])
        node = _read_file(path, texts[path], report)
        if node is not None:
            files.append(node)
    meanings = _meanings(files, report)
    conditions = Conditions(report, meanings, is_partial=len(files) < len(paths))
    for name in meanings:
        conditions.meaning(name)
    rules = Rules(report, conditions, Effects(report, notify), Fit(report, stores, vendors))
    compiled = _rules(files, rules, report)
    scenarios = Scenarios(report, rules.tested, stores, is_partial=len(files) < len(paths))
    tests = [value for file in files if (value := file.get("tests")) is not None]
    found = [scenario for value in tests for scenario in scenarios.read(value)]
    report.raise_if_any()
    return Rulebook(
        hash=hash_of(texts),
        rules=tuple(compiled),
        texts={path: texts[path] for path in paths},
        warnings=report.problems,
        left_out=rules.left_out,
        scenarios=tuple(found),
    )


def hash_of(texts: Mapping[str, str]) -> RulebookHash:
    """The identity of a rulebook: SHA-256 over its paths and texts, in the order of the paths."""
    digest = hashlib.sha256()
    for path in sorted(texts):
        for part in (path, texts[path]):
            content = part.encode("utf-8", "surrogatepass")
            digest.update(len(content).to_bytes(8, "big") + content)
    return RulebookHash(digest.hexdigest())


def _read_file(path: str, text: str, report: Report) -> MapNode | None:
    node = read_yaml(text, path=path, report=report)
    if node is None or isinstance(node, MapNode):
        return node
    report.error(node.place, "wrong-shape", "a rule file has `meanings:` and `rules:`", "write `rules:` first")
    return None


def _meanings(files: Sequence[MapNode], report: Report) -> dict[str, Node]:
    """The meanings of all files: one name means the same in every rule."""
    found: dict[str, tuple[ScalarNode, Node]] = {}
    for file in files:
        for key, value in _section(file, "meanings", report):
            name = key.text.strip()
            first = found.setdefault(name, (key, value))[0]
            if first is not key:
                said = f'"{name[:60]}" has a meaning already, at {first.place}'
                report.error(key.place, "doubled-meaning", said, "keep one of them, or give this one another name")
    return {name: value for name, (_, value) in found.items()}


def _rules(files: Sequence[MapNode], rules: Rules, report: Report) -> list[Rule]:
    first: dict[str, ScalarNode] = {}
    found: list[Rule] = []
    for file in files:
        for key, _ in file:
            if key.text == "limits":
                refuse_not_yet(report, key)
            elif key.text not in KEYS:
                report.unknown(key, "unknown-key", "a rule file has no key", KEYS)
        for key, value in _section(file, "rules", report):
            other = first.setdefault(RuleCode(key.text), key)
            if other is not key:
                said = f'there is a rule "{key.text[:60]}" already, at {other.place}'
                report.error(key.place, "doubled-rule", said, "give this one another code")
            rule = rules.read(key, value, order=len(first) - 1)
            if rule is not None:
                found.append(rule)
    rules.check_renames(list(first))
    return found


def _section(file: MapNode, name: str, report: Report) -> tuple[tuple[ScalarNode, Node], ...]:
    node = file.get(name)
    if node is None or (isinstance(node, ScalarNode) and node.is_null):
        return ()
    if isinstance(node, MapNode):
        return node.entries
    report.error(node.place, "wrong-shape", f"`{name}` is a map", f"write each of the {name} as `name:`")
    return ()
