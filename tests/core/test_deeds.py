"""The words of a trace for what an action does."""

from __future__ import annotations

import pytest

from rules_engine.core.action import ActionKind
from rules_engine.core.aim import deed


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (ActionKind.ADD_TO_CATEGORY, "puts it into Featured (7)"),
        (ActionKind.REMOVE_FROM_CATEGORY, "takes it out of Featured (7)"),
        (ActionKind.ASSIGN_BRAND, "gives it the brand b1"),
        (ActionKind.UNASSIGN_BRAND, "takes the brand b1 off it"),
        (ActionKind.SHOW, "shows it"),
        (ActionKind.HIDE, "hides it"),
    ],
)
def test_an_action_is_told_in_the_words_of_the_shop(kind: ActionKind, words: str) -> None:
    assert deed(kind, "Featured (7)", "b1") == words
