"""The house as it is drawn: who may import whom, how large a file may be, and what every file says of itself."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from rules_engine.core import errors
from rules_engine.core.errors import RulesEngineError
from rules_engine.vendors import VENDORS
from rules_engine.vendors.base import AnyVendor, Vendor

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "rules_engine"
SOURCES = sorted(PACKAGE.rglob("*.py"))
LONGEST = 400

ANYTHING = frozenset(
    {"core", "vendors", "rulebook", "database", "metrics", "network", "logs", "settings", "receive", "lane", "preview"}
    | {"dispatch", "watch", "notify", "reload", "app", "commands", "sandbox"}
)

MAY_IMPORT: dict[str, frozenset[str]] = {
    "core": frozenset(),
    "vendors": frozenset({"core"}),
    "rulebook": frozenset({"core"}),
    "database": frozenset({"core"}),
    "metrics": frozenset(),
    "settings": frozenset({"core"}),
    "logs": frozenset({"core", "settings"}),
    "network": frozenset({"core"}),
    "receive": frozenset({"core", "vendors", "rulebook", "database", "metrics"}),
    "lane": frozenset({"core", "vendors", "rulebook", "database", "metrics"}),
    "preview": frozenset({"core", "vendors", "rulebook", "database"}),
    "dispatch": frozenset({"core", "database", "lane"}),
    "notify": frozenset({"core", "database", "lane", "metrics"}),
    "reload": frozenset({"core", "database", "lane", "rulebook"}),
    "sandbox": frozenset(),
    "watch": ANYTHING,
    "app": ANYTHING,
    "commands": ANYTHING,
    "__main__": ANYTHING,
    "__init__": frozenset(),
}
"""The rooms of the house and the other rooms that each may import. Its own files a room may always import."""

PURE_STDLIB = frozenset(
    {"__future__", "abc", "collections", "dataclasses", "datetime", "difflib", "enum", "functools", "itertools"}
    | {"json", "math", "operator", "re", "typing", "unicodedata", "uuid", "zoneinfo"}
)
"""What the core may use of Python: values and functions of values."""

PURE_THIRD_PARTIES = frozenset({"pydantic", "jmespath"})

IMPURE_CALLS = frozenset(
    {"now", "utcnow", "today", "fromtimestamp", "uuid1", "uuid4", "open", "print", "input", "read_text", "write_text"}
)
"""Calls that read the clock, the disk or chance, by the last part of their name."""

OUTSIDE = frozenset(
    {"asyncio", "httpx", "httpcore", "http", "io", "os", "pathlib", "random", "secrets", "shutil", "socket", "sqlite3"}
    | {"ssl", "subprocess", "sys", "tempfile", "threading", "time", "sqlalchemy", "starlette", "structlog", "logging"}
)
"""Modules by which bytes, time or chance come in. A vendor file has no use for them: it takes and gives values."""


@dataclass(frozen=True, slots=True)
class Import:
    """One module that a file imports: its dotted name, and where."""

    module: str
    place: str

    @property
    def top(self) -> str:
        """The package that is imported."""
        return self.module.partition(".")[0]

    @property
    def room(self) -> str:
        """The room of ours that is imported; the package's own `__init__` when no room is named."""
        name = self.module.removeprefix("rules_engine").lstrip(".").partition(".")[0]
        is_room = (PACKAGE / name).is_dir() or (PACKAGE / f"{name}.py").is_file()
        return name if name and is_room else "__init__"


def place_of(path: Path, node: ast.AST) -> str:
    """Where a node stands, as an editor opens it."""
    return f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 1)}"


def imports_of(path: Path) -> Iterator[Import]:
    """Every import of a file, wherever in it, relative ones spelled out."""
    package = path.relative_to(ROOT).with_suffix("").parts[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (Import(name.name, place_of(path, node)) for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) + 1 - node.level]) if node.level else ""
            module = ".".join(part for part in (base, node.module or "") if part)
            if module == "rules_engine":
                yield from (Import(f"{module}.{name.name}", place_of(path, node)) for name in node.names)
            else:
                yield Import(module, place_of(path, node))


def room_of(path: Path) -> str:
    """The room that a file belongs to: its folder in the package, or its own name."""
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def in_room(*rooms: str) -> list[Path]:
    """The files of some rooms."""
    return [path for path in SOURCES if room_of(path) in rooms]


def test_every_room_stands_in_the_table() -> None:
    assert {room_of(path) for path in SOURCES} <= set(MAY_IMPORT)


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_a_room_imports_only_what_the_table_allows(room: str) -> None:
    allowed = MAY_IMPORT[room] | {room, "__init__"} if room != "core" else {"core"}
    ours = [one for path in in_room(room) for one in imports_of(path) if one.top == "rules_engine"]
    assert [f"{one.place}: {one.module}" for one in ours if one.room not in allowed] == []


def test_the_core_imports_only_values_and_functions_of_values() -> None:
    allowed = PURE_STDLIB | PURE_THIRD_PARTIES | {"rules_engine"}
    found = [one for path in in_room("core") for one in imports_of(path)]
    assert len(found) > 100  # it is really read
    assert [f"{one.place}: {one.module}" for one in found if one.top not in allowed] == []


def test_vendor_files_import_nothing_by_which_bytes_time_or_chance_come_in() -> None:
    found = [one for path in in_room("vendors") for one in imports_of(path)]
    assert [f"{one.place}: {one.module}" for one in found if one.top in OUTSIDE] == []


@pytest.mark.parametrize("room", ["core", "vendors"])
def test_no_clock_disk_or_chance_is_called_where_all_is_pure(room: str) -> None:
    calls = [
        (path, node.func)
        for path in in_room(room)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute)
    ]
    named = [(path, func, func.id if isinstance(func, ast.Name) else func.attr) for path, func in calls]
    # A given timestamp as a time in UTC is a function of a value; the clock is not in it.
    is_ours = {"fromtimestamp"} if room == "vendors" else set()
    impure = IMPURE_CALLS - is_ours
    assert [f"{place_of(path, func)}: {name}()" for path, func, name in named if name in impure] == []


def test_a_third_party_is_a_dependency_that_pyproject_names() -> None:
    named = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    distribution = {"prometheus_client": "prometheus-client", "ruamel": "ruamel.yaml", "pydantic_core": "pydantic"}
    distribution |= {"httpcore": "httpx"}  # httpx is built on it, and it is where connections are made
    tops = {one.top for path in SOURCES for one in imports_of(path)}
    foreign = tops - set(sys.stdlib_module_names) - {"rules_engine"}
    assert [top for top in sorted(foreign) if f'"{distribution.get(top, top)}' not in named] == []


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_file_is_short_says_what_it_is_for_and_leaves_nothing_for_later(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= LONGEST
    purpose = ast.get_docstring(ast.parse(text)) or ""
    assert purpose, "a module opens with one sentence of purpose"
    assert purpose.splitlines()[0].rstrip().endswith((".", ":")), purpose.splitlines()[0]
    assert [word for word in ("TODO", "FIXME", "XXX", "HACK") if word in text] == []


def drawn_tree(text: str) -> dict[str, str]:
    """The tree at the top of errors.py: each error's parent. Four characters of branches are one level."""
    parents: dict[str, str] = {}
    above: list[str] = []
    for line in text.splitlines():
        branches, _, rest = line.rpartition("── ")
        name = rest.split()[0] if rest.strip() else ""
        if not name.endswith("Error"):
            continue
        level = (len(branches) + 4) // 4 if branches else 0
        above[level:] = [name]
        parents[name] = above[level - 1] if level else ""
    return parents


def real_tree(error: type[RulesEngineError], parent: str = "") -> dict[str, str]:
    """The errors of errors.py as Python has them: each error's parent."""
    children = [child for child in error.__subclasses__() if child.__module__ == errors.__name__]
    below = {name: up for child in children for name, up in real_tree(child, error.__name__).items()}
    return {error.__name__: parent} | below


def test_the_tree_of_errors_is_the_one_that_is_drawn() -> None:
    drawn = drawn_tree(errors.__doc__ or "")
    assert len(drawn) > 5
    assert drawn == real_tree(RulesEngineError)
    assert list(drawn) == list(real_tree(RulesEngineError))


SIX = [name for name, value in vars(Vendor).items() if getattr(value, "__isabstractmethod__", False)]


def test_a_vendor_has_six_functions() -> None:
    assert SIX == ["verify", "normalise", "read", "parse", "prepare", "interpret"]


@pytest.mark.parametrize("vendor", VENDORS.values(), ids=VENDORS)
def test_every_vendor_has_the_six_functions_in_one_order(vendor: type[AnyVendor]) -> None:
    assert not getattr(vendor, "__abstractmethods__", frozenset())
    for layer in vendor.__mro__:
        if layer is not Vendor:
            assert [name for name in vars(layer) if name in SIX] == [name for name in SIX if name in vars(layer)]


@pytest.mark.parametrize(("word", "vendor"), VENDORS.items(), ids=VENDORS)
def test_a_vendor_is_listed_under_its_own_word_in_a_file_of_that_name(word: str, vendor: type[AnyVendor]) -> None:
    assert word == vendor.NAME
    assert vendor.__module__ == f"rules_engine.vendors.{word}"
