"""Rule files → a compiled rulebook, or every problem of all files at once."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence

from rules_engine.core.rule import Rule, Rulebook, RulebookHash, RuleCode, Trigger
from rules_engine.core.store import Store

from .conditions import Conditions
from .effects import Effects
from .elsewhere import FILE_KEYS, refuse_word
from .fit import Fit
from .report import Report
from .rules import KEYS as RULE_KEYS
from .rules import Rules
from .scenarios import Scenarios, read_test_files
from .vendor import VendorSpec
from .yaml import MapNode, Node, ScalarNode, read_yaml

KEYS = ("meanings", "limits", "rules", "tests")
"""The keys of a rule file."""


def compile_rulebook(
    texts: Mapping[str, str],
    *,
    stores: Sequence[Store],
    vendors: Mapping[str, VendorSpec],
    notify: Sequence[str] = (),
    tests: Mapping[str, str] | None = None,
) -> Rulebook:
    """The rulebook of all rule files (path → text), for these stores. Raises `RulebookError` with every problem.

    `notify` are the names of those whom rules may tell what they did. `tests` are files that hold nothing but tests:
    they are no part of what the rulebook is, and what is wrong in them is told with the rest.
    """
    report = Report()
    paths = sorted(texts)
    files: list[MapNode] = []
    for path in paths:
        report.add_file(path, texts[path])
        node = _read_file(path, texts[path], report)
        if node is not None:
            files.append(node)
    lost = {name for file in files for name in _refuse_keys(file, report)}
    meanings = _meanings(files, report)
    known: dict[str, list[str]] = {
        "store.alias": [store.alias for store in stores],
        "store.vendor": list(vendors),
    }
    is_partial = len(files) < len(paths) or "meanings" in lost
    conditions = Conditions(report, meanings, is_partial=is_partial, known=known)
    for name in meanings:
        conditions.meaning(name)
    rules = Rules(report, conditions, Effects(report, notify), Fit(report, stores, vendors))
    compiled = _rules(files, rules, report)
    is_partial = len(files) < len(paths) or "rules" in lost
    scenarios = Scenarios(report, rules.tested, stores, is_partial=is_partial)
    beside = [value for file in files if (value := file.get("tests")) is not None]
    found = [scenario for value in beside for scenario in scenarios.read(value)]
    found += read_test_files(tests or {}, scenarios, report)
    report.raise_if_any()
    return Rulebook(
        hash=hash_of(texts),
        rules=tuple(compiled),
        texts={path: texts[path] for path in paths},
        warnings=report.problems,
        left_out=rules.left_out,
        scenarios=tuple(found),
        uses=rules.uses,
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
    said = "a rule file begins with `rules:`, and each rule with its code"
    advice = "write `rules:` first, and below it a code, such as `sold-out-leaves-featured:`"
    report.error(node.place, "wrong-shape", said, advice)
    return None


def _refuse_keys(file: MapNode, report: Report) -> set[str]:
    """Report the keys that a rule file has not, and give the sections that cannot be read, and so are not known."""
    lost: set[str] = set()
    for key, value in file:
        is_map = isinstance(value, MapNode) or (isinstance(value, ScalarNode) and value.is_null)
        if key.text in KEYS:
            lost |= set() if is_map else {key.text}
        elif isinstance(value, MapNode) and any(inner.text in {*Trigger, "do"} for inner, _ in value):
            said = f'the rule "{key.text[:60]}" stands at the left margin, and not below `rules:`'
            advice = "write `rules:` in a line above it, and indent the rule and all below it by 2 blanks more"
            report.error(key.place, "unknown-key", said, advice)
            lost.add("rules")
        else:
            lost.add(refuse_word(report, key, "unknown-key", "a rule file has no key", KEYS, FILE_KEYS))
    return lost


def _indented_rules(entries: Sequence[tuple[ScalarNode, Node]], report: Report) -> Iterator[tuple[ScalarNode, Node]]:
    """The rules below `rules:`. Keys of a rule that stand there, as far left as its code, are reported, once a rule."""
    is_told = False
    for number, (key, value) in enumerate(entries):
        if _is_key_of_rule(key, value):
            if not is_told:
                said = f"`{key.text}` is a key of a rule, and stands as far left as the codes of rules"
                advice = "indent it and the lines below it by 2 blanks more, so that they stand below the code"
                report.error(key.place, "wrong-shape", said, advice)
            is_told = True
            continue
        is_told = False
        is_empty = isinstance(value, ScalarNode) and value.is_null
        if not (is_empty and number + 1 < len(entries) and _is_key_of_rule(*entries[number + 1])):
            yield key, value


def _is_key_of_rule(key: ScalarNode, value: Node) -> bool:
    is_rule = isinstance(value, MapNode) and any(inner.text in {*Trigger, "do"} for inner, _ in value)
    return key.text in RULE_KEYS and not is_rule


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
        rules.begin_file(file.get("limits"))
        for key, value in _indented_rules(_section(file, "rules", report), report):
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
    example = {"rules": "sold-out-leaves-featured:", "meanings": "sold out: {product.can_be_ordered: false}"}.get(
        name, ""
    )
    said = f"each of the {name} begins with its {'code' if name == 'rules' else 'name'} and a `:`, without `-`"
    report.error(
        node.place, "wrong-shape", said, f"write `{example}`" + (" in the place of the `-`" if name == "rules" else "")
    )
    return ()
