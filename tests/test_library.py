"""The library of ready rules: each file stands alone, says for whom it is, and has tests that hold every word of it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from datetime import timedelta
from functools import cache
from pathlib import Path

import pytest
from command_house import House
from engine_world import WEB, World
from ruamel.yaml import YAML

from rules_engine.core.rule import (
    ASK_TO_EMPTY_OVER,
    NO_GUARDS,
    Afterwards,
    Effect,
    EffectKind,
    Guards,
    Named,
    Rule,
    Rulebook,
    Under,
)
from rules_engine.core.scenario import Expected, Scenario
from rules_engine.core.store import StoresFile
from rules_engine.core.subject import SubjectKind
from rules_engine.core.terms import All, AnyOf, Condition, Meaning, NoneOf
from rules_engine.core.words import fold
from rules_engine.database.tables import traces
from rules_engine.preview.scenario_result import play
from rules_engine.rulebook import compile_rulebook, load_stores, read_rule_texts
from rules_engine.vendors import VENDORS

RULES = Path(__file__).parents[1] / "rules"
LIBRARY = {path.name: path.read_text(encoding="utf-8") for path in sorted((RULES / "library").glob("*.yaml"))}
SHIPPED = read_rule_texts(RULES)

FOR_WHOM = re.compile(r"^# For whom: [^\n]+\.$", re.MULTILINE)
SHOPS = re.compile(r"^# Shops: ([^\n]+)$", re.MULTILINE)
CHANGE = re.compile(r"^# Change: (.+?)(?=\n# Shops:)", re.MULTILINE | re.DOTALL)
NOTIFY = re.compile(r"# (- notify: \{webhook: ([\w-]+)\})")


@cache
def stores() -> StoresFile:
    """The stores that are shipped, without their secrets."""
    text = (RULES / "stores.yaml").read_text(encoding="utf-8")
    return load_stores(text, path="rules/stores.yaml", vendors=VENDORS, environment=None)


def compiled(texts: dict[str, str], *, notify: tuple[str, ...] = ()) -> Rulebook:
    return compile_rulebook(texts, stores=stores().stores, vendors=VENDORS, notify=notify)


@cache
def alone(name: str) -> Rulebook:
    """The rulebook of one file of the library."""
    return compiled({f"rules/library/{name}": LIBRARY[name]})


def passes(scenario: Scenario, rule: Rule) -> bool:
    alias = scenario.store or rule.stores[0]
    store = next(store for store in stores().stores if store.alias == alias)
    return play(scenario, rule, store, VENDORS[store.settings.vendor](store.settings)).is_ok


@dataclass(frozen=True)
class Written:
    """A rule of the library with its tests."""

    rule: Rule
    scenarios: tuple[Scenario, ...]

    def is_noticed(self, changed: Rule) -> bool:
        """Whether some test fails for the rule as it was changed."""
        return not all(passes(scenario, changed) for scenario in self.scenarios)


def written(name: str) -> list[Written]:
    """The rules of one file."""
    book = alone(name)
    return [Written(rule, tuple(each for each in book.scenarios if each.rule == rule.code)) for rule in book.rules]


def everything() -> list[Written]:
    return [one for name in LIBRARY for one in written(name)]


def named_in(effects: tuple[Effect, ...]) -> set[str]:
    """The categories that effects name."""
    targets = [target for effect in effects for target in effect.targets]
    inner = [target.target if isinstance(target, Under) else target for target in targets]
    return {target.name for target in inner if isinstance(target, Named)}


def named_by(rule: Rule) -> set[str]:
    """The categories that a rule moves products in or out of."""
    return named_in((*rule.effects, Effect(EffectKind.ADD_TO_CATEGORY, rule.guards.fallbacks)))


def weaker(condition: Condition) -> Iterator[Condition]:
    """The condition without each of the parts that are joined in it."""
    match condition:
        case Meaning(name, inner):
            yield from (Meaning(name, each) for each in weaker(inner))
        case All(parts) | AnyOf(parts) | NoneOf(parts):
            for number, part in enumerate(parts):
                before, after = parts[:number], parts[number + 1 :]
                if before or after:
                    yield type(condition)((*before, *after))
                yield from (type(condition)((*before, each, *after)) for each in weaker(part))


def is_of_many(rule: Rule, guard: str) -> bool:
    """Whether a guard holds back many products together only, so that a test of one product or a few sees nothing."""
    over = 0 if rule.about is SubjectKind.PRODUCT else ASK_TO_EMPTY_OVER - 1
    return guard in {"limits", "floors"} or (guard == "ask_over" and (rule.guards.ask_over or 0) > over)


def without(rule: Rule) -> dict[str, Rule]:
    """The rule without each of the other things that it says: by the key, or the name in `Guards`."""
    other = Afterwards.PUT_BACK if rule.leaves else Afterwards.LEAVE
    found = {"unless": replace(rule, unless=None)}
    found |= {"afterwards": replace(rule, afterwards=other)} if rule.is_while else {}
    for field in fields(Guards):
        if not field.name.endswith("places") and not is_of_many(rule, field.name):
            plain = replace(rule.guards, **{field.name: getattr(NO_GUARDS, field.name)})
            found[field.name] = replace(rule, guards=plain)
    return {key: changed for key, changed in found.items() if changed != rule}


FILES = pytest.mark.parametrize("name", LIBRARY)


def test_the_library_is_worth_the_name() -> None:
    assert len(LIBRARY) >= 15


@FILES
def test_a_file_says_for_whom_it_is_what_to_change_and_in_which_shops_it_runs(name: str) -> None:
    text = LIBRARY[name]
    shops, change = SHOPS.search(text), CHANGE.search(text)
    assert FOR_WHOM.search(text) is not None
    assert shops is not None
    assert change is not None
    rules = alone(name).rules
    vendors = {store.alias: VENDORS[store.settings.vendor].TITLE for store in stores().stores}
    for rule in rules:
        assert shops[1].split(", ") == [vendors[alias] for alias in rule.stores]
        said = " ".join(change[1].replace("\n#", " ").split())
        assert {category for category in named_by(rule) if category not in said} == set()


@FILES
def test_a_file_compiles_without_a_warning_but_for_shops_that_need_ids_in_stores_yaml(name: str) -> None:
    assert {problem.code for problem in alone(name).warnings} <= {"unknown-category"}


@FILES
def test_a_rule_has_a_title_and_a_test_where_it_acts_and_one_where_it_must_not(name: str) -> None:
    for one in written(name):
        assert one.rule.title
        expected = [scenario.expect for scenario in one.scenarios]
        assert [each for each in expected if isinstance(each, tuple)]
        assert Expected.NOTHING in expected


@FILES
def test_the_tests_name_no_store_and_pass_in_every_one_in_which_the_rule_runs(name: str) -> None:
    assert "store:" not in LIBRARY[name]  # whoever copies the file has stores of other names
    for one in written(name):
        everywhere = [replace(each, store=alias) for each in one.scenarios for alias in one.rule.stores]
        assert [(each.store, each.name) for each in everywhere if not passes(each, one.rule)] == []


@FILES
def test_the_opposite_of_a_condition_fails(name: str) -> None:
    for one in written(name):
        assert one.is_noticed(replace(one.rule, condition=NoneOf((one.rule.condition,))))


@FILES
def test_every_part_of_a_condition_is_needed_by_a_test(name: str) -> None:
    for one in written(name):
        changed = [replace(one.rule, condition=condition) for condition in weaker(one.rule.condition)]
        assert [each.condition for each in changed if not one.is_noticed(each)] == []


@FILES
def test_everything_else_that_a_rule_says_is_needed_by_a_test(name: str) -> None:
    for one in written(name):
        assert [key for key, rule in without(one.rule).items() if not one.is_noticed(rule)] == []


def test_no_rule_of_the_library_is_in_force() -> None:
    assert not {path for path in SHIPPED if "library" in path}
    in_force = {rule.code for rule in compiled(SHIPPED).rules}
    assert in_force.isdisjoint(one.rule.code for one in everything())


@FILES
def test_one_file_copied_into_the_rules_makes_a_valid_rulebook(name: str) -> None:
    book = compiled({**SHIPPED, f"rules/{name}": LIBRARY[name]})
    assert {rule.code for rule in book.rules} == {rule.code for rule in (*compiled(SHIPPED).rules, *alone(name).rules)}


def test_all_files_together_make_a_valid_rulebook() -> None:
    book = compiled({**SHIPPED, **{f"rules/{name}": text for name, text in LIBRARY.items()}})
    assert len(book.rules) == len(compiled(SHIPPED).rules) + len(everything())


def test_no_two_files_have_a_rule_of_the_same_title() -> None:
    titles = [fold(one.rule.title) for one in everything()]
    assert len(set(titles)) == len(titles)


@pytest.mark.parametrize("name", [name for name, text in LIBRARY.items() if NOTIFY.search(text)])
def test_a_line_that_tells_somebody_is_right_once_stores_yaml_names_them(name: str) -> None:
    text, whom = NOTIFY.sub(r"\1", LIBRARY[name]), [match[1] for match in NOTIFY.findall(LIBRARY[name])]
    (rule,) = compiled({f"rules/{name}": text}, notify=tuple(whom)).rules
    assert list(rule.notifies) == whom


def test_no_two_rules_of_the_library_pull_at_one_category() -> None:
    whiles = [one.rule for one in everything() if one.rule.is_while]
    by_kind = {
        kind: named_in(tuple(effect for rule in whiles for effect in rule.effects if effect.kind is kind))
        for kind in (EffectKind.ADD_TO_CATEGORY, EffectKind.REMOVE_FROM_CATEGORY)
    }
    assert by_kind[EffectKind.ADD_TO_CATEGORY].isdisjoint(by_kind[EffectKind.REMOVE_FROM_CATEGORY])


@pytest.mark.anyio
async def test_all_of_it_in_force_gives_back_what_it_took_when_sold_out_products_return(tmp_path: Path) -> None:
    everywhere = {f"rules/{name}": text for name, text in LIBRARY.items()}
    async with World(tmp_path / "e.db", everywhere, only=(WEB,)) as world:
        for name in sorted(set().union(*(named_by(one.rule) for one in everything()))):
            if name not in {category["name"] for category in world.web.categories.values()}:
                world.web.add_category(name)
        seen: list[dict[str, set[str]]] = []
        for pieces in (20, 0, 20):
            for product in list(world.web.products):
                world.web.restock(product, pieces)
            await world.settle(within=timedelta(days=2))
            seen.append(world.members(WEB))
        names = {str(id_): category["name"] for id_, category in world.web.categories.items()}
        stocked, sold_out, restocked = seen
        moved = {names[id_] for id_ in stocked if stocked[id_] != sold_out.get(id_)}
        assert moved >= {"Featured", "New arrivals"}
        changed = {id_ for id_ in {*stocked, *restocked} if stocked.get(id_) != restocked.get(id_)}
        assert {names[id_] for id_ in changed} == {"Back in stock"}  # a moment, which gives nothing back
        assert await world.dead() == []
        assert [trace["text"] for trace in await world.every(traces) if "overruled" in trace["text"]] == []


def test_the_command_plays_the_library_and_one_file_of_it(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.environment = {"RULES": str(house.rules)}
    whole = house.run_json("test", str(house.rules / "library"))
    assert (whole["failed"], whole["without_tests"]) == (0, [])
    assert whole["passed"] == sum(len(one.scenarios) for one in everything())
    one = house.run_json("test", str(house.rules / "library" / "low-stock.yaml"))
    assert one["passed"] == len(alone("low-stock.yaml").scenarios)


@pytest.mark.parametrize("alias", ["web", "ksa", "b2b", "brands"])
def test_a_shop_with_one_store_plays_what_can_run_there(tmp_path: Path, alias: str) -> None:
    house = House(tmp_path)
    house.environment = {"RULES": str(house.rules)}
    stores = YAML(typ="safe").load(house.rules / "stores.yaml")
    house.write("stores.yaml", json.dumps({"stores": {alias: stores["stores"][alias]}}))
    library = str(house.rules / "library")
    made = house.run_json("test", library)
    assert made["failed"] == 0
    assert made["passed"] > 0
    unfit = made["cannot_run"]
    said = house.run("test", library).stdout.splitlines()
    named = f"{len(LIBRARY)} files, {len(unfit)} cannot run in your stores: {', '.join(unfit)}."
    assert (named in said) is bool(unfit)
    for file in unfit:  # alone, by its name, each is refused
        refused = house.run("test", str(house.rules / file))
        assert refused.exit_code == 1
        assert unfit[file] in refused.stderr


def test_a_folder_with_another_mistake_is_refused_as_a_whole(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.environment = {"RULES": str(house.rules)}
    (house.rules / "library" / "low-stock.yaml").write_text("rules: {x: {do: [hide]}}")
    result = house.run("test", str(house.rules / "library"))
    assert result.exit_code == 1
    assert result.stderr.startswith("library/low-stock.yaml:1:")


def test_a_copied_file_is_checked_and_played_with_the_rules(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.environment = {"RULES": str(house.rules)}
    house.write("low-stock.yaml", LIBRARY["low-stock.yaml"])
    assert house.run("check").exit_code == 0
    played = {each["rule"] for each in house.run_json("test")["tests"]}
    assert {rule.code for rule in alone("low-stock.yaml").rules} < played
