"""Words of other tools: each is answered with a word that is known here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from rules_engine.core.rule import Afterwards, EffectKind, Mode
from rules_engine.core.subject import SubjectKind
from rules_engine.rulebook.compile import KEYS as FILE
from rules_engine.rulebook.effects import NOTIFY
from rules_engine.rulebook.elsewhere import ACTIONS, FILE_KEYS, FLOOR_KEYS, LIMIT_KEYS, RULE_KEYS, VALUES, Meant
from rules_engine.rulebook.floors import KEYS as FLOORS
from rules_engine.rulebook.limits import SPANS
from rules_engine.rulebook.rules import KEYS
from rules_engine.rulebook.synonyms import plainly

TABLES = [
    (RULE_KEYS, set(KEYS)),
    (ACTIONS, {*EffectKind, NOTIFY}),
    (FILE_KEYS, set(FILE)),
    (LIMIT_KEYS, set(SPANS)),
    (FLOOR_KEYS, set(FLOORS)),
    (VALUES["mode"], set(Mode)),
    (VALUES["afterwards"], set(Afterwards)),
    (VALUES["about"], set(SubjectKind)),
]


@pytest.mark.parametrize(("table", "known"), TABLES)
def test_every_word_stands_for_one_that_is_known_and_is_none_itself(
    table: Mapping[str, Meant], known: set[Any]
) -> None:
    assert {meant.word for meant in table.values()} - {""} <= known
    assert not set(table) & known
    assert all(plainly(word) == word and meant.advice for word, meant in table.items())


def test_blanks_hyphens_and_capitals_make_no_other_word() -> None:
    assert {plainly(word) for word in ("Send email", "send-email", " SEND_EMAIL ", "send  email", "sendEmail")} == {
        "send_email"
    }
