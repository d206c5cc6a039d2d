"""Rule and store files, read strictly: every problem of every file at once, each with its place."""

from __future__ import annotations

from .compile import compile_rulebook
from .files import read_rule_texts, read_test_texts, read_text
from .scenarios import compile_scenarios
from .stores import load_stores

__all__ = [
    "compile_rulebook",
    "compile_scenarios",
    "load_stores",
    "read_rule_texts",
    "read_test_texts",
    "read_text",
]
