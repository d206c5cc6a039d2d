"""The traps of JMESPath: what is malformed, and what loads cleanly and never fires, each with what to write instead."""

from __future__ import annotations

from dataclasses import replace

from jmespath.exceptions import JMESPathError

from .fault import Fault, syntax_fault, write
from .shapes import Kind, document
from .subject import SubjectKind
from .syntax import MAX_DEPTH, MAX_LENGTH, depth_of, parse
from .traps_sense import Sense, sense_faults
from .traps_stray import EXAMPLE, unread
from .traps_words import word_faults

__all__ = ["WHOLE", "Fault", "lint", "mended", "yields_list"]

WHOLE = " All in all, "
"""What stands before the whole of a corrected expression."""
_ROUNDS = 30
_LONGEST_WHOLE = 300


def lint(text: str, *, about: SubjectKind | None = None, is_condition: bool = True) -> tuple[Fault, ...]:
    """Everything that is wrong with an expression, each with the corrected text where it is known.

    `about` is the subject of the rule (None: either). With `is_condition` it must be able to yield true or false.
    Where corrections lead to a sound expression in several steps, the first fault's advice ends with the whole of it.
    """
    faults = _faults(text, about, is_condition=is_condition)
    first = next((fault for fault in faults if fault.fix is not None), None)
    if first is None:
        return faults
    whole = mended(text, about=about, is_condition=is_condition)
    if whole is None or whole == first.applied_to(text) or len(whole) > _LONGEST_WHOLE:
        return faults
    told = replace(first, help=f"{first.help}{'' if first.help.endswith('?') else '.'}{WHOLE}{write(whole)}")
    return tuple(told if fault is first else fault for fault in faults)


def mended(text: str, *, about: SubjectKind | None = None, is_condition: bool = True) -> str | None:
    """The expression with every fault corrected, or None when a correction is not known for each."""
    for _ in range(_ROUNDS):
        faults = _faults(text, about, is_condition=is_condition)
        if not faults:
            return text
        first = next((fault for fault in faults if fault.fix is not None), None)
        if first is None or len(faults) > _ROUNDS or first.applied_to(text) == text:
            return None
        text = first.applied_to(text)
    return None


def yields_list(text: str) -> bool:
    """Whether a sound expression yields a list whenever it yields something."""
    tree = parse(text)
    return Sense(tree, None).shape(tree.root, document(None)).is_only(Kind.LIST)


def _faults(text: str, about: SubjectKind | None, *, is_condition: bool) -> tuple[Fault, ...]:
    if not text.strip():
        return (syntax_fault(0, 1, "the expression is empty", EXAMPLE),)
    if len(text) > MAX_LENGTH:
        said = f"the expression has {len(text)} characters; {MAX_LENGTH} are allowed"
        return (Fault(0, 1, "jmespath-too-long", said, "split it with `all:` or a meaning"),)
    found = tuple(word_faults(text))
    if found:
        return found
    try:
        tree = parse(text)
    except JMESPathError as error:
        return (unread(text, getattr(error, "lex_position", 0) or 0),)
    except RecursionError:
        return (_too_deep(),)
    except Exception:  # noqa: BLE001 — the parser raises KeyError, TypeError and others for some texts
        return (syntax_fault(0, len(text), "this is not a JMESPath expression", EXAMPLE),)
    if depth_of(tree.root) > MAX_DEPTH:
        return (_too_deep(),)
    return tuple(sense_faults(tree, about, is_condition=is_condition))


def _too_deep() -> Fault:
    said = f"the expression is nested more than {MAX_DEPTH} levels deep"
    return Fault(0, 1, "jmespath-too-deep", said, "split it with `all:` or a meaning")
