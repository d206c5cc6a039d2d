"""JMESPath in rules: compiled safely, evaluated without raising, and what an expression looks at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import jmespath
from jmespath.exceptions import JMESPathError
from jmespath.parser import ParsedResult

from .bounded import search
from .fields import MOMENT_ROOTS, ROOTS
from .mentions import mentions_in
from .syntax import MAX_LENGTH, is_literal_sound, scan


@dataclass(frozen=True, slots=True)
class Evaluated:
    """What an expression yielded; or, with `failure` in words, that it could not be evaluated."""

    value: object = None
    failure: str = ""


@lru_cache(maxsize=1024)
def compiled(text: str) -> ParsedResult:
    """The compiled expression. Raises `JMESPathError` for what `lint` would refuse as malformed."""
    if len(text) > MAX_LENGTH or not all(is_literal_sound(word.text) for word in scan(text) if word.kind == "literal"):
        raise JMESPathError("too long, or a literal that is not JSON")
    try:
        return jmespath.compile(text)
    except JMESPathError:
        raise
    except RecursionError:
        raise JMESPathError("it is nested too deeply") from None
    except Exception as error:
        raise JMESPathError("it is malformed") from error


def evaluate(text: str, document: Mapping[str, object]) -> Evaluated:
    """What the expression yields for a document (plain dicts and lists). Never raises."""
    try:
        return Evaluated(search(compiled(text).parsed, document))
    except JMESPathError as error:
        return Evaluated(failure=f"the expression failed: {_first_line(error)}")
    except RecursionError:
        return Evaluated(failure="the expression failed: it is nested too deeply")
    except TypeError:
        return Evaluated(failure="the expression failed: it compares unlike types")
    except Exception as error:  # noqa: BLE001 — one rule's expression must never stop another rule
        return Evaluated(failure=f"the expression failed: {type(error).__name__}")


@lru_cache(maxsize=1024)
def fields_in(text: str) -> frozenset[str]:
    """The document's fields that the expression looks at: `product.stock`, or `product` for the whole of it."""
    try:
        paths = mentions_in(compiled(text).parsed)
    except (JMESPathError, RecursionError):
        return frozenset()
    whole = ROOTS if () in paths else ()
    return frozenset(".".join(path[:2]) for path in paths if path and path[1:] != ("*",)) | frozenset(whole)


def looks_at_moment(text: str) -> bool:
    """Whether the expression looks at what only a moment has: `before` or `event`."""
    return any(field.split(".")[0] in MOMENT_ROOTS for field in fields_in(text))


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
