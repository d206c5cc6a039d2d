"""Loading texts as the engine does, and showing what is underlined."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pytest

from rules_engine.core.errors import RulebookError
from rules_engine.core.problem import Problem
from rules_engine.core.rule import Rulebook
from rules_engine.core.store import Store
from rules_engine.rulebook.compile import compile_rulebook
from rules_engine.rulebook.stores import load_stores
from rules_engine.vendors import VENDORS

STORES = """\
stores:
  web: {vendor: ecwid, store_id: 1003, token: "${T}", client_secret: "${T}"}
  ksa:
    vendor: zid
    store_id: 37213
    authorization: ${T}
    manager_token: ${T}
    webhook_username: engine
    webhook_password: ${T}
  b2b:
    vendor: zave
    base_url: https://zave.example
    auth_value: ${T}
    tenant: tenant-id-1
    webhook_secret: ${T}
    names: {categories: {Featured: collection-id-1}}
  brands: {vendor: axim, base_url: "https://axim.example", token: "${T}", webhook_secret: "${T}"}
"""


@dataclass(frozen=True)
class Shown:
    """A problem as its reader sees it."""

    code: str
    line: int
    underlined: str
    help: str


def shown(problem: Problem) -> Shown:
    start = problem.place.column - 1
    return Shown(problem.code, problem.place.line, problem.source[start : start + problem.place.length], problem.help)


@pytest.fixture(scope="session")
def stores() -> tuple[Store, ...]:
    return load_stores(STORES, path="rules/stores.yaml", vendors=VENDORS, environment={"T": "whsec_c2VjcmV0"}).stores


@pytest.fixture(scope="session")
def compiled(stores: tuple[Store, ...]) -> Callable[..., Rulebook]:
    """Compile one rule file, or several by path."""

    def compile_(text: str | Mapping[str, str]) -> Rulebook:
        texts = {"rules/a.yaml": text} if isinstance(text, str) else text
        return compile_rulebook(texts, stores=stores, vendors=VENDORS, notify=("floor", "Night shift"))

    return compile_


@pytest.fixture(scope="session")
def refused(compiled: Callable[..., Rulebook]) -> Callable[..., list[Shown]]:
    """What is wrong with a rule file, or with several."""

    def refuse(text: str | Mapping[str, str]) -> list[Shown]:
        with pytest.raises(RulebookError) as caught:
            compiled(text)
        return [shown(problem) for problem in caught.value.problems]

    return refuse


@pytest.fixture(scope="session")
def refused_stores() -> Callable[[str], list[Problem]]:
    """What is wrong with a stores.yaml."""

    def refuse(text: str) -> list[Problem]:
        with pytest.raises(RulebookError) as caught:
            load_stores(text, path="rules/stores.yaml", vendors=VENDORS, environment={})
        return list(caught.value.problems)

    return refuse
