"""What the vendor files share: judging a shop's status, reading JSON without trusting it, and ids safe in a URL."""

from __future__ import annotations

import hmac
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from email.utils import parsedate_to_datetime
from typing import Annotated, TypeVar
from urllib.parse import quote

from pydantic import BeforeValidator

from rules_engine.core.action import Action, Interpretation, Outcome, Request, Response, Verdict
from rules_engine.core.errors import AuthenticationError, NotPreparedError, PermanentError, TemporaryError
from rules_engine.core.store import Secrets
from rules_engine.core.subject import SubjectRef

T = TypeVar("T")

DEEPEST = 100
"""How many lists and objects may stand in each other in any JSON that comes from outside."""

LONGEST_TIME = 64
"""Characters of a time in text; what is longer is none."""

LONGEST_WAIT = 86_400.0
"""The most seconds that a shop can make us wait: a wrong clock or a typing error must not stop a store for ever."""

REFUSALS = frozenset({401, 403})
"""Statuses by which a shop refuses our credentials; a redirect (to its login page) says the same."""

TEMPORARY = {
    408: "took too long",
    409: "is changing the same thing itself just now",  # Ecwid's documentation: the catalogue is being modified
    423: "has locked this for now",
    425: "asks for it later",
    429: "has had too many calls",
    449: "asks for the same call again",  # Ecwid's documentation: an import is in progress
}
"""4xx statuses worth trying again. Every 5xx is, too."""

PERMANENT = {
    400: "does not understand the call",
    402: "does not offer this in the plan that the store has",
    404: "does not know what the call names",
    410: "says that what the call names is gone",
    413: "finds the call too large",
    415: "does not take calls of this form",
    422: "finds the values in the call wrong",
}
"""4xx statuses that the same call meets again, in words. Every other 4xx is permanent, too."""


def one_or_more(value: object) -> object:
    """A secret given as one text is a list of one."""
    return (value,) if isinstance(value, str | int) and not isinstance(value, bool) else value


RotatingSecrets = Annotated[Secrets, BeforeValidator(one_or_more)]
"""A settings field that takes one secret or a list of them."""


def is_any_of(given: str | bytes, secrets: Iterable[str | bytes]) -> bool:
    """Whether `given` equals one of `secrets`, in a time that tells nothing about them. Blank secrets never match."""
    found = False
    for secret in secrets:
        # `|`, not `or`: every secret is compared, so that the time does not show which one matched.
        found |= bool(secret.strip()) & hmac.compare_digest(_octets(given), _octets(secret))
    return found


def _octets(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")


def retry_after(response: Response) -> float | None:
    """The seconds that the shop asks us to wait (0 to `LONGEST_WAIT`), or None when it does not say.

    RFC 9110: `Retry-After` holds whole seconds or an HTTP date.
    """
    text = response.headers.get("retry-after", "").strip()
    try:
        seconds = float(text)
    except ValueError:
        seconds = _seconds_until(text, response.at)
    return min(max(seconds, 0.0), LONGEST_WAIT) if math.isfinite(seconds) else None


def _seconds_until(date: str, now: datetime) -> float:
    try:
        then = parsedate_to_datetime(date)
        # "-0000" is a date without a zone; HTTP dates are UTC
        return ((then if then.tzinfo else then.replace(tzinfo=UTC)) - now).total_seconds()
    except (ValueError, TypeError, OverflowError, IndexError):
        return math.nan


def error_of(title: str, response: Response) -> TemporaryError | PermanentError | None:
    """What a status means where the vendor says nothing else: None for 2xx, else the error with a plain sentence.

    3xx, 401 and 403 are an `AuthenticationError`: redirects lead to a login page and are never followed. 408, 409,
    423, 425, 429, 449, 5xx and whatever is no status at all are a `TemporaryError` with what `Retry-After` says.
    Every other 4xx is a `PermanentError`.
    """
    status = response.status
    if 200 <= status < 300:
        return None
    words = said(response)
    if 300 <= status < 400:
        return AuthenticationError(
            f"{title} sends us to another page ({status}), as for a login: the token is wrong or has expired."
        )
    if status in REFUSALS:
        return AuthenticationError(
            f"{title} refuses our token ({status}{words}): set a valid one with the rights that the engine needs."
        )
    if 400 <= status < 500 and status not in TEMPORARY:
        return PermanentError(f"{title} {PERMANENT.get(status, 'refuses the call')} ({status}{words}).")
    reason = TEMPORARY.get(status, "has a fault of its own")
    return TemporaryError(f"{title} {reason} ({status}{words}).", delay=retry_after(response))


def said(response: Response) -> str:
    """What the shop's error says in its own words, as `: "…"`, one line of at most 200 characters, or empty."""
    try:
        answer = mapping(decode(response.body))
    except ValueError:
        return ""
    error, message = mapping(answer.get("error")), mapping(answer.get("message"))
    candidates = (
        answer.get("errorMessage"),  # Ecwid
        answer.get("message"),  # Axim, and common elsewhere
        answer.get("detail"),  # Zid
        error.get("message"),  # Zid
        message.get("description"),  # Zid
        answer.get("error"),
    )
    for words in candidates:
        line = " ".join(re.sub(r"[^\w\s.,:;!?'()/+=-]", " ", words).split()) if isinstance(words, str) else ""
        if line:
            return f': "{line[:200]}"'
    return ""


def decode(body: bytes) -> object:
    """The JSON value of a body. Raises `ValueError` for anything else, and for nesting deeper than `DEEPEST`.

    NaN and infinity are no JSON, nor are numbers too large for anything but infinity. NUL and halves of surrogate
    pairs, which JSON can spell and no database can keep, become U+FFFD.
    """
    try:
        value: object = json.loads(body.decode("utf-8-sig"), parse_constant=_refuse_constant, parse_float=_finite)
    except RecursionError as error:
        raise ValueError("nested too deep") from error
    level: list[object] = [value]
    for _ in range(DEEPEST):
        level = [child for parent in level for child in _children(parent)]
        if not level:
            break
    else:
        raise ValueError("nested too deep")
    return _mended(value) if _UNKEEPABLE.search(body) else value


_UNKEEPABLE = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])")


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is not JSON")


def _finite(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise ValueError("a number is too large")  # nothing that keeps JSON could keep infinity
    return value


def _children(parent: object) -> list[object]:
    children = parent.values() if isinstance(parent, dict) else parent if isinstance(parent, list) else ()
    return [child for child in children if isinstance(child, dict | list)]


def _mended(value: object) -> object:
    if isinstance(value, str):
        return re.sub("[\x00\ud800-\udfff]", "\ufffd", value)
    if isinstance(value, list):
        return [_mended(child) for child in value]
    if isinstance(value, dict):
        return {_mended(key): _mended(child) for key, child in value.items()}
    return value


def decode_answer(title: str, response: Response) -> object:
    """The JSON value of an answer. Raises `TemporaryError` for anything else: shops behind a proxy fail that way."""
    try:
        return decode(response.body)
    except ValueError as error:
        raise TemporaryError(
            f"{title} answered {response.status} with something that is not readable JSON.", delay=retry_after(response)
        ) from error


def mapping(value: object) -> dict[str, object]:
    """The value if it is a JSON object, else an empty one."""
    return value if isinstance(value, dict) else {}


def objects(value: object) -> list[dict[str, object]]:
    """The objects in a JSON list; empty if it is no list."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def text(value: object) -> str | None:
    """Text without outer blanks; None for blank and for what is no text."""
    return (value.strip() or None) if isinstance(value, str) else None


def identity(value: object) -> str | None:
    """An id as text, whether the shop writes it as a number or as text; None if it is neither or blank."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else text(value)


def number(value: object) -> int | float | None:
    """A finite number, also one that the shop writes as text; None for everything else."""
    if isinstance(value, str):
        try:
            value = float(value) if not value.strip().lstrip("-").isdecimal() else int(value)
        except ValueError:
            return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if isinstance(value, int) or math.isfinite(value) else None


def flag(value: object) -> bool | None:
    """True or false, also as 1/0 or text of them; None for everything else."""
    if isinstance(value, bool):
        return value
    word = str(value).strip().casefold() if isinstance(value, str | int) else ""
    return {"1": True, "true": True, "0": False, "false": False}.get(word)


def moment(value: object, zone: tzinfo = UTC) -> datetime | None:
    """A time as aware UTC: from unix seconds, or from ISO 8601 text (without an offset, in `zone`), else None."""
    try:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return datetime.fromtimestamp(value, UTC)
        if isinstance(value, str) and len(value) <= LONGEST_TIME:
            # "2024-03-01 11:22:33 +0000" is Ecwid's way of writing; Python wants no blank before the offset
            time = datetime.fromisoformat(re.sub(r"\s+(?=[+-]\d\d)", "", value.strip()))
            return (time if time.tzinfo else time.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        pass
    return None


def stamp(time: datetime | None) -> str | None:
    """A time as ISO 8601 text, or None."""
    return time.isoformat() if time else None


_UNSAFE_IN_AN_ID = re.compile(r"[/\\?#,*\s\x00-\x1f\x7f\ud800-\udfff]|\.\.|^\.$")


def checked_id(id_: str, what: str) -> str:
    """The id itself. Raises `NotPreparedError` for one that is blank or would change the meaning of a URL.

    A blank id makes `categories//products/delete` of a call about one category, `..` climbs out of it, and a comma
    makes two ids of one in a list.
    """
    if not id_.strip():
        raise NotPreparedError(f"The id of the {what} is empty, so no call is built.")
    if _UNSAFE_IN_AN_ID.search(id_):
        raise NotPreparedError(f"{id_!r} cannot be the id of a {what}, so no call is built.")
    return id_


def quoted_id(id_: str, what: str) -> str:
    """The id for use as one segment of a URL's path. Raises `NotPreparedError` as `checked_id` does."""
    return quote(checked_id(id_, what), safe="")


def names_of(*values: object) -> list[str]:
    """Every name among the values, once, in their order; an object of names by language counts as its values."""
    flat = [one for value in values for one in (value.values() if isinstance(value, dict) else (value,))]
    return list(dict.fromkeys(name for one in flat if (name := text(one))))


def batches(items: Sequence[T], size: int) -> list[Sequence[T]]:
    """The items in their order, at most `size` together."""
    return [items[start : start + size] for start in range(0, len(items), size)]


def unclear(title: str, response: Response, how: str) -> TemporaryError:
    """The error of an answer that is readable, but cannot be the answer to what was asked."""
    return TemporaryError(f"{title} answered {response.status}, but {how}.", delay=retry_after(response))


def field_names(*, product: str, category: str = "") -> frozenset[str]:
    """A vendor's `FIELDS` from the names of the fields, with blanks between them."""
    return frozenset(
        [f"product.{name}" for name in product.split()] + [f"category.{name}" for name in category.split()]
    )


def known(**fields: object) -> dict[str, object]:
    """The fields whose value could be read: None means here that the answer does not tell, so the field is left out."""
    return {name: value for name, value in fields.items() if value is not None}


def path_of(id_: str, names: Mapping[str, str | None], parents: Mapping[str, str | None]) -> str | None:
    """`Home / Shoes`: a category's name after those above it, or None while one of the names is not known."""
    parts: list[str] = []
    step: str | None = id_
    while step is not None:
        name = names.get(step) if len(parts) < len(names) else None  # a circle of parents has no path
        if name is None:
            return None
        parts.append(name)
        step = parents.get(step)
    return " / ".join(reversed(parts))


def get(url: str, headers: Mapping[str, str], subjects: Sequence[SubjectRef]) -> Request:
    """A request that reads these subjects."""
    return Request("GET", url, {"Accept": "application/json", **headers}, subjects=tuple(subjects))


def send(method: str, url: str, headers: Mapping[str, str], body: object, actions: Sequence[Action]) -> Request:
    """A request that does these actions; `body` is encoded as JSON, None is no body."""
    if body is None:
        return Request(method, url, {"Accept": "application/json", **headers}, actions=tuple(actions))
    every = {"Accept": "application/json", "Content-Type": "application/json", **headers}
    return Request(method, url, every, json.dumps(body).encode(), actions=tuple(actions))


def for_all(request: Request, verdict: Verdict) -> Interpretation:
    """One verdict for every action of the request."""
    return Interpretation(tuple(Outcome(action.key, verdict) for action in request.actions))
