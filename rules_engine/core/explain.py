"""Words for people: values, findings and what was probably meant."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .condition import Finding

_LONGEST = 60


def show(value: object) -> str:
    """A value as a sentence shows it: texts in quotes, `empty`, `unlimited`, lists with commas; never very long."""
    if value is None or value in ("", [], (), {}):
        return "empty"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return _show_number(value)
    if isinstance(value, list | tuple):
        items = ["a list" if isinstance(item, list | tuple) and item else show(item) for item in value[:10]]
        return _cut(", ".join(items) + (", …" if len(value) > 10 else ""))
    return f'"{_cut(value)}"' if isinstance(value, str) else "an object"


def _show_number(value: float) -> str:
    if isinstance(value, int):
        return str(value) if value.bit_length() < 200 else "a very large number"
    if math.isinf(value):
        return "unlimited" if value > 0 else "less than any number"
    return str(int(value)) if value.is_integer() and abs(value) < 1e15 else str(value)


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def closest(word: str, known: Iterable[str]) -> str:
    """The known word that was probably meant, or empty. Case does not count."""
    if not word or len(word) > _LONGEST:
        return ""
    by_fold = {name.casefold(): name for name in known}
    found = get_close_matches(word.casefold(), list(by_fold), n=1, cutoff=0.6)
    return by_fold[found[0]] if found else ""


def did_you_mean(word: str, known: Iterable[str], otherwise: str = "") -> str:
    """The advice `did you mean "x"?`, or `otherwise` when nothing is near."""
    found = closest(word, known)
    return f'did you mean "{found}"?' if found else otherwise


def listed(words: Iterable[str], last: str = "and") -> str:
    """Words as a sentence lists them: `a, b and c`."""
    every = list(words)
    if len(every) < 2:
        return "".join(every)
    return f"{', '.join(every[:-1])} {last} {every[-1]}"


def leaves(finding: Finding) -> Iterator[Finding]:
    """The findings that look at a field, in the order in which the rule names them."""
    if not finding.parts:
        yield finding
    for part in finding.parts:
        yield from leaves(part)


def sentence(finding: Finding) -> str:
    """One finding in a line: `while/product.stock: unmet: 3, must be at most 0`."""
    return f"{finding.path}: {finding.truth}" + (f": {finding.text}" if finding.text else "")


def label(finding: Finding) -> str:
    """What a line calls a finding: `all of`, a meaning's name, or the sentence `stock is 3, must be at most 0`."""
    if finding.kind == "meaning":
        return finding.name
    if finding.kind == "unless":
        return _UNLESS.get(finding.truth, "unless")
    if finding.parts or not finding.text:
        return str(finding.kind)
    return f"{finding.lead} {finding.text}".strip()


def mark(finding: Finding) -> str:
    """One sign for how a finding stands: `✓` met, `✗` unmet, `?` cannot tell."""
    return _MARKS[finding.truth]


_UNLESS = {"met": "unless: does not apply", "unmet": "unless: applies"}
"""An `unless` counts as met while it does not apply, which a sign alone would say the wrong way round."""
_MARKS = {"met": "✓", "unmet": "✗", "cannot tell": "?"}


def tree(finding: Finding) -> list[tuple[int, Finding]]:
    """The finding and its parts, line by line, each with its depth from 0.

    What only holds others together has no line: the whole of a rule's condition, and an `all of` with one part or
    directly in another or in a meaning.
    """
    return list(_lines(finding, 0))


def _lines(finding: Finding, depth: int) -> Iterator[tuple[int, Finding]]:
    is_hidden = finding.kind == "whole" or (finding.kind == "all of" and len(finding.parts) == 1)
    if not is_hidden:
        yield depth, finding
        depth += 1
    for part in finding.parts:
        is_same = part.kind == "all of" and finding.kind in {"all of", "meaning"}
        for inner in part.parts if is_same else (part,):
            yield from _lines(inner, depth)


def explained(finding: Finding) -> list[str]:
    """The tree as lines of text: `✗ all of`, `  ✓ published is true`, `  ✗ stock is 3, must be at most 0`."""
    return [f"{'  ' * depth}{mark(each)} {label(each)}" for depth, each in tree(finding)]


def because(finding: Finding) -> tuple[str, ...]:
    """Why the finding is what it is: a line for every leaf that makes it so."""
    return tuple(sentence(leaf) for leaf in telling(finding))


def telling(finding: Finding) -> Iterator[Finding]:
    """The leaves that make a finding what it is: of an unmet `all` those that are unmet, of a met `none` all."""
    if not finding.parts:
        yield finding
        return
    is_turned = finding.kind in {"none of", "unless"}
    wanted = _OPPOSITE.get(finding.truth, finding.truth) if is_turned else finding.truth
    alike = [part for part in finding.parts if part.truth == wanted]
    for part in alike or finding.parts:
        yield from telling(part)


_OPPOSITE = {"met": "unmet", "unmet": "met"}
