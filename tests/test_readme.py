"""README and CHANGELOG say what is so: their tables, rules, commands, links and codes are held against the code."""

from __future__ import annotations

import ast
import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from rules_engine import __version__
from rules_engine.commands import app
from rules_engine.core.errors import RulebookError
from rules_engine.core.fields import CATEGORY, EVENT, NOW, PRODUCT, ROOTS, STORE
from rules_engine.core.rule import Afterwards, EffectKind, Mode, Rulebook
from rules_engine.core.store import StoresFile
from rules_engine.core.words import Change, Truth, Word
from rules_engine.preview.scenario_result import play
from rules_engine.rulebook import compile_rulebook, compile_scenarios, load_stores
from rules_engine.rulebook.effects import NOTIFY
from rules_engine.rulebook.given import GIVEN_KEYS
from rules_engine.rulebook.rules import KEYS
from rules_engine.rulebook.scenario import KEYS as TEST_KEYS
from rules_engine.settings import settings_table
from rules_engine.vendors import VENDORS

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
CHANGELOG = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")

SHELL = frozenset({"export", "git", "cd", "cp", "curl", "mkdir"})
"""What a shell block may use beside make and our own command."""

Rows = list[list[str]]


def section(title: str) -> str:
    """The text below a heading, up to the next heading of any level."""
    found = re.search(rf"^#+ {re.escape(title)}\n(.*?)(?=^#|\Z)", README, re.MULTILINE | re.DOTALL)
    assert found is not None, f"README has no section {title}"
    return found[1]


def tables(title: str) -> Rows:
    """The cells of all table rows of a section, without headings."""
    rows = [line for line in section(title).splitlines() if line.startswith("| ") and not line.startswith("|--")]
    cells = [[cell.strip() for cell in re.split(r"(?<!\\)\|", row)[1:-1]] for row in rows]
    heads = [number for number, line in enumerate(section(title).splitlines()) if line.startswith("|--")]
    assert heads, f"{title} has no table"
    first = {section(title).splitlines()[number - 1] for number in heads}
    return [row for row, line in zip(cells, rows, strict=True) if line not in first]


def words(cell: str) -> list[str]:
    """What stands in backticks in a cell."""
    return re.findall(r"`([^`]+)`", cell)


def blocks(language: str) -> list[str]:
    """The fenced blocks of a language, without the indentation that a list gives them."""
    found = re.findall(rf"^( *)```{language}\n(.*?)^ *```", README, re.MULTILINE | re.DOTALL)
    return ["\n".join(line.removeprefix(indent) for line in text.splitlines()) + "\n" for indent, text in found]


def shipped_stores() -> StoresFile:
    """The stores that are shipped."""
    stores = (ROOT / "rules" / "stores.yaml").read_text(encoding="utf-8")
    return load_stores(stores, path="rules/stores.yaml", vendors=VENDORS, environment=None)


def compiled(text: str) -> Rulebook:
    """A rule file of the README, read by the real loader for the stores that are shipped."""
    path, known = text.splitlines()[0].removeprefix("# "), shipped_stores()
    return compile_rulebook({path: text}, stores=known.stores, vendors=VENDORS, notify=known.notify_names)


def commands() -> Iterator[str]:
    """Every command that can be run: `serve`, `dead-letters list`, …"""

    def below(group: Any, before: str) -> Iterator[str]:  # Any: a click group, whose package typer brings along
        for name, command in group.commands.items():
            if hasattr(command, "commands"):
                yield from below(command, f"{before}{name} ")
            else:
                yield f"{before}{name}"

    yield from below(typer.main.get_command(app), "")


def make_targets() -> set[str]:
    """The targets of the Makefile."""
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    return set(re.findall(r"^([a-z]+):", text, re.MULTILINE))


def codes_in(path: Path) -> Iterator[str]:
    """The codes of problems that a file reports, wherever they are given by position."""
    place_of_code = {"error": 1, "warn": 1, "unknown": 1, "_error": 1, "_refuse": 1, "_problem": 1}
    place_of_code |= {"Problem": 1, "Obstacle": 1, "Fault": 2}
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call):
            continue
        name = getattr(node.func, "attr", getattr(node.func, "id", ""))
        at = place_of_code.get(name)
        if at is not None and len(node.args) > at:
            yield from (
                part.value
                for part in ast.walk(node.args[at])
                if isinstance(part, ast.Constant) and isinstance(part.value, str) and part.value
            )


def texts_in(path: Path) -> Iterator[str]:
    """Every text that stands in a file as a value."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def test_the_settings_are_those_of_the_code() -> None:
    assert tables("Settings") == [[f"`{name}`", default, meaning] for name, default, meaning in settings_table()]


def test_every_command_is_listed_and_nothing_else() -> None:
    listed = [words(row[0])[0].removeprefix("rules-engine ") for row in tables("Commands")]
    assert sorted(listed) == sorted(commands())
    assert all(row[1] for row in tables("Commands"))


def named_blocks(pattern: str) -> list[str]:
    """The YAML blocks whose first line names such a file."""
    return [text for text in blocks("yaml") if re.fullmatch(rf"# (?:{pattern})", text.splitlines()[0])]


def test_every_shown_file_says_its_name_so_that_it_can_be_tried() -> None:
    known = r"rules/broken.yaml|rules/stores.yaml|rules/tests/\w+.yaml|rules/\w+.yaml|.pre-commit-config.yaml"
    assert named_blocks(known) == blocks("yaml")


def test_the_shown_rules_are_taken_by_the_loader() -> None:
    rules = named_blocks(r"rules/(?!broken|stores)\w+\.yaml")
    assert rules
    for text in rules:
        assert compiled(text).rules
        assert compiled(text).warnings == ()


def test_the_shown_tests_pass_with_the_shown_rules() -> None:
    rulebook, (text,) = compiled(blocks("yaml")[0]), named_blocks(r"rules/tests/\w+\.yaml")
    scenarios = compile_scenarios({"rules/tests/featured.yaml": text}, rulebook, stores=shipped_stores().stores)
    assert len(scenarios) == 2
    for scenario in scenarios:
        rule = next(rule for rule in rulebook.rules if rule.code == scenario.rule)
        store = next(store for store in shipped_stores().stores if store.alias == scenario.store)
        vendor = VENDORS[store.settings.vendor](store.settings)
        assert play(scenario, rule, store, vendor).is_ok


def test_the_rule_of_ones_own_passes_the_tests_that_stand_below_it() -> None:
    (text,) = named_blocks(r"rules/bestsellers\.yaml")
    book = compiled(text)
    (rule,), scenarios = book.rules, book.scenarios
    assert len(scenarios) == 3
    web = next(store for store in shipped_stores().stores if store.alias == "web")
    assert [play(each, rule, web, VENDORS["ecwid"](web.settings)).is_ok for each in scenarios] == [True] * 3


def test_the_shown_stores_are_taken_by_the_loader() -> None:
    shown = named_blocks(r"rules/stores\.yaml")
    assert len(shown) == 2
    joined = "".join(text.partition("\n")[2] for text in shown)
    known = load_stores(joined, path="rules/stores.yaml", vendors=VENDORS, environment=None)
    assert [store.alias for store in known.stores] == ["web"]
    assert known.notify_names


@pytest.mark.parametrize(
    ("begins", "tests"),
    [("web (Ecwid): 1 rule", "commands/test_plan_command.py"), ("Boot (product 17", "preview/test_why.py")],
)
def test_the_shown_answers_are_those_that_tests_expect(begins: str, tests: str) -> None:
    (shown,) = [text for text in blocks("text") if text.startswith(begins)]
    tree = ast.parse((ROOT / "tests" / tests).read_text(encoding="utf-8"))
    expected = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    answer = re.sub(r"rules [0-9a-f]{12}", "rules RULES", shown.strip())
    assert any(answer in text for text in expected)


def test_the_shown_rules_are_those_that_are_shipped() -> None:
    shipped = {
        rule.code: rule
        for path in (ROOT / "rules").glob("*.yaml")
        if path.name != "stores.yaml"
        for rule in compiled(f"# rules/{path.name}\n{path.read_text(encoding='utf-8')}").rules
    }
    shown = compiled(blocks("yaml")[0]).rules
    assert {rule.code: (rule.trigger, rule.condition, rule.stores) for rule in shown} == {
        rule.code: (shipped[rule.code].trigger, shipped[rule.code].condition, shipped[rule.code].stores)
        for rule in shown
    }


def test_the_shown_errors_are_what_the_loader_says() -> None:
    broken = next(text for text in blocks("yaml") if "broken" in text.splitlines()[0])
    with pytest.raises(RulebookError) as refused:
        compiled(broken)
    said = "\n".join(problem.render() for problem in refused.value.problems)
    assert f"{said}\n" in blocks("text")


def test_every_key_of_a_rule_is_explained() -> None:
    rows = tables("The keys of a rule")
    assert sorted(word for row in rows for word in words(row[0])) == sorted(KEYS)
    explained = {word for row in rows for word in words(row[1])}
    assert {*Mode, *Afterwards} <= explained


def test_every_word_and_outcome_of_a_condition_is_explained() -> None:
    cells = [row[0] for row in tables("Conditions")]
    assert sorted(word for cell in cells for word in words(cell)) == sorted([*Word, *Change])
    assert [cell for cell in cells if not words(cell)] == [*Truth]


def test_every_field_that_conditions_see_is_named() -> None:
    rows = {words(row[0])[0]: words(row[1]) for row in tables("What conditions see")}
    assert set(rows) == set(ROOTS)
    for root, fields in {"product": PRODUCT, "category": CATEGORY, "event": EVENT, "store": STORE, "now": NOW}.items():
        named = [word for word in rows[root] if re.fullmatch(r"[a-z_]+", word)]
        assert set(named) - {"time_zone", "as_soon_as"} == set(fields)


def test_every_action_is_explained() -> None:
    assert sorted(word for row in tables("Actions") for word in words(row[0])) == sorted([*EffectKind, NOTIFY])


def test_every_ready_rule_is_listed_and_nothing_else() -> None:
    listed = [words(row[0])[0] for row in tables("Ready rules")]
    assert sorted(listed) == sorted(path.stem for path in (ROOT / "rules" / "library").glob("*.yaml"))


def test_every_key_of_a_test_is_explained() -> None:
    listed = [word for row in tables("Tests of rules") for word in words(row[0])]
    assert sorted(listed) == sorted([*TEST_KEYS, *(f"given.{key}" for key in GIVEN_KEYS)])


def test_every_vendor_and_every_key_of_its_stores_is_named() -> None:
    rows = {words(row[0])[0]: row for row in tables("Stores")}
    assert list(rows) == list(VENDORS)
    common = {"vendor", "base_url", "time_zone", "names"}
    assert common <= set(words(section("Stores")))
    for name, vendor in VENDORS.items():
        assert vendor.TITLE.split()[0] in rows[name][1]
        assert set(words(rows[name][2])) | common >= set(vendor.SETTINGS.model_fields)
        assert float(rows[name][4]) == vendor.CAPABILITIES.rate
        actions = set(words(rows[name][3])) & {*EffectKind} if rows[name][3] != "all" else {*EffectKind}
        named = actions | ({"add_to_category", "remove_from_category"} if "categories" in rows[name][3] else set())
        able = set(vendor.CAPABILITIES.actions) | (
            {"empty_category"} if vendor.CAPABILITIES.can_empty_category else set()
        )
        assert named == able


def test_every_code_of_a_problem_is_listed_and_nothing_else() -> None:
    rooms = [("rulebook", "*.py"), ("core", "traps*.py"), ("core", "fault.py"), ("preview", "fields.py")]
    rooms += [("preview", "names.py"), ("commands", "check_stores.py")]
    files = [path for room, pattern in rooms for path in (ROOT / "rules_engine" / room).glob(pattern)]
    listed = [word for row in tables("Error codes") for word in words(row[0])]
    assert len(listed) == len(set(listed))
    shown = {
        code
        for path in (ROOT / "tests" / "rulebook" / "wrong").glob("*.txt")
        for code in re.findall(r"   \[([a-z]+(?:-[a-z]+)*)\]$", path.read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert {code for path in files for code in codes_in(path)} | shown <= set(listed)
    assert set(listed) <= {text for path in files for text in texts_in(path)}


@pytest.mark.parametrize("text", [README, CHANGELOG], ids=["README", "CHANGELOG"])
def test_every_linked_file_and_section_exists(text: str) -> None:
    links = re.findall(r"\]\(([^)\s]+)\)", text)
    titles = re.findall(r"^#+ (.*)", text, re.MULTILINE)
    headings = {re.sub(r"[^\w -]", "", title).strip().lower().replace(" ", "-") for title in titles}
    assert links
    for link in links:
        if link.startswith("#"):
            assert link.removeprefix("#") in headings
        elif not link.startswith("https://"):
            assert (ROOT / link).exists(), link


def test_every_shown_shell_command_exists() -> None:
    known = set(commands())
    lines = [line.partition("  #")[0] for text in blocks("sh") for line in text.splitlines()]
    assert lines
    for line in filter(None, map(str.strip, lines)):
        first, *rest = shlex.split(line)
        if first == "make":
            assert rest[0] in make_targets(), line
        elif first.endswith("rules-engine"):
            assert rest[0] in known, line
        elif first.startswith("."):
            assert (ROOT / first).is_file(), line
        else:
            assert first in SHELL, line


def test_every_make_target_and_command_in_a_sentence_exists() -> None:
    prose = re.sub(r"^ *```.*?^ *```", "", README, flags=re.MULTILINE | re.DOTALL)
    named = [word.split() for word in words(prose) if word.startswith(("make ", "rules-engine "))]
    known = {command.split()[0] for command in commands()}
    assert named
    for tool, what, *_ in named:
        assert what in (make_targets() if tool == "make" else known), f"{tool} {what}"


def test_the_host_runs_commands_that_exist() -> None:
    lines = (ROOT / "Procfile").read_text(encoding="utf-8").splitlines()
    assert [line.partition(": ")[0] for line in lines] == ["release", "web", "worker"]
    assert {line.partition(": rules-engine ")[2] for line in lines} <= set(commands())


def test_the_changelog_speaks_of_this_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["version"] == __version__
    assert __version__ in CHANGELOG
    assert "## [Unreleased]" in CHANGELOG


def test_what_is_not_there_yet_is_promised_nowhere_else() -> None:
    promised = README.replace(section("Not yet"), "")
    for word in ("procrastinate", "two workers", "Redis"):
        assert word not in promised
