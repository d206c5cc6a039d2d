"""Any status and any body of any shop is judged, and never raises what nobody expects."""

from __future__ import annotations

import contextlib
import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from rules_engine.core.action import Response
from rules_engine.core.errors import AuthenticationError, NotPreparedError, PermanentError, TemporaryError
from rules_engine.vendors import answers

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def answer(status: int, body: bytes = b"", **headers: str) -> Response:
    return Response(status, NOW, {name.replace("_", "-"): value for name, value in headers.items()}, body)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (0, TemporaryError),
        (100, TemporaryError),
        (301, AuthenticationError),
        (302, AuthenticationError),
        (400, PermanentError),
        (401, AuthenticationError),
        (402, PermanentError),
        (403, AuthenticationError),
        (404, PermanentError),
        (408, TemporaryError),
        (409, TemporaryError),
        (415, PermanentError),
        (418, PermanentError),
        (422, PermanentError),
        (425, TemporaryError),
        (429, TemporaryError),
        (449, TemporaryError),
        (500, TemporaryError),
        (502, TemporaryError),
        (503, TemporaryError),
        (504, TemporaryError),
        (999, TemporaryError),
    ],
)
def test_every_status_has_its_error(status: int, kind: type[Exception]) -> None:
    error = answers.error_of("Acme", answer(status))
    assert type(error) is kind
    assert str(error).startswith("Acme ")
    assert str(status) in str(error)


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_a_success_is_no_error(status: int) -> None:
    assert answers.error_of("Acme", answer(status)) is None


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7.0),
        (" 1.5 ", 1.5),
        ("-3", 0.0),
        ("Sun, 01 Mar 2026 12:01:30 GMT", 90.0),
        ("Sun, 01 Mar 2026 12:00:30 -0000", 30.0),
        ("Sun, 01 Mar 2026 11:00:00 GMT", 0.0),
        ("99999999999", answers.LONGEST_WAIT),
        ("", None),
        ("soon", None),
        ("nan", None),
        ("inf", None),
        ("Sun, 99 Mar 2026 11:00:00 GMT", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: str, seconds: float | None) -> None:
    response = answer(429, retry_after=value)
    assert answers.retry_after(response) == seconds
    error = answers.error_of("Acme", response)
    assert isinstance(error, TemporaryError)
    assert error.delay == seconds


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"errorMessage": "Wrong\nid"}, ': "Wrong id"'),
        ({"error": {"message": "no such field"}}, ': "no such field"'),
        ({"status": "error", "message": {"description": "غير موجود"}}, ': "غير موجود"'),
        ({"detail": "Not found."}, ': "Not found."'),
        ({"message": "x" * 900}, f': "{"x" * 200}"'),
        ({}, ""),
        ([], ""),
    ],
)
def test_an_error_tells_what_the_shop_said(body: object, words: str) -> None:
    assert answers.said(answer(400, json.dumps(body).encode())) == words


@given(status=st.integers(-10, 1000), body=st.binary(max_size=50), wait=st.text(max_size=30))
def test_any_answer_is_judged(status: int, body: bytes, wait: str) -> None:
    error = answers.error_of("Acme", answer(status, body, retry_after=wait))
    assert (error is None) is (200 <= status < 300)


@given(st.binary(max_size=80))
def test_any_body_is_json_or_a_value_error(body: bytes) -> None:
    with contextlib.suppress(ValueError):
        answers.decode(body)


@pytest.mark.parametrize("opening", [b"[", b'{"a":'])
def test_json_is_at_most_a_hundred_deep(opening: bytes) -> None:
    closing = b"]" if opening == b"[" else b"}"
    deepest = opening * 99 + b"[]" + closing * 99
    assert answers.decode(deepest)
    for depth in (100, 100_000):
        with pytest.raises(ValueError, match="deep"):
            answers.decode(opening * depth + b"[]" + closing * depth)


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"a": NaN}', b"[Infinity]", b"[1e999]", b"\xff\xfe", b"9" * 5000])
def test_what_is_not_json_is_worth_another_try(body: bytes) -> None:
    with pytest.raises(TemporaryError, match="Acme answered 200"):
        answers.decode_answer("Acme", answer(200, body))


def test_what_no_database_can_keep_is_replaced() -> None:
    assert answers.decode(rb'{"a\u0000": ["\ud800", "\ud83d\ude00", 1]}') == {"a\ufffd": ["\ufffd", "😀", 1]}


@pytest.mark.parametrize(
    "id_", ["", " ", "a/b", "a\\b", "a?b", "a#b", "..", "a..b", ".", "a,b", "*", "a b", "a\n", "\0"]
)
def test_an_id_that_changes_a_url_is_refused(id_: str) -> None:
    with pytest.raises(NotPreparedError):
        answers.quoted_id(id_, "product")


@given(st.text(max_size=20))
def test_a_quoted_id_is_one_segment(id_: str) -> None:
    try:
        quoted = answers.quoted_id(id_, "product")
    except NotPreparedError:
        return
    assert quoted
    assert not set(quoted) & set("/?#& ,")
    assert quoted.isascii()


@pytest.mark.parametrize(
    ("value", "read"),
    [(3, 3), (1.5, 1.5), ("3", 3), ("-3", -3), ("1.50", 1.5), ("1e999", None), (float("inf"), None), (True, None),
     (None, None), ("", None), ("--3", None), ([], None), ("9" * 5000, None)],
)  # fmt: skip
def test_numbers_are_finite(value: object, read: float | None) -> None:
    assert answers.number(value) == read


@pytest.mark.parametrize(
    ("value", "read"),
    [(True, True), (False, False), (1, True), (0, False), ("1", True), ("0", False), ("True", True), (None, None),
     ("yes", None), (2, None), ({}, None)],
)  # fmt: skip
def test_flags_are_true_false_or_not_known(value: object, read: bool | None) -> None:
    assert answers.flag(value) is read


@pytest.mark.parametrize(
    ("value", "read"),
    [
        (1772366400, NOW),
        ("2026-03-01T12:00:00Z", NOW),
        ("2026-03-01 12:00:00 +0000", NOW),
        ("2026-03-01T15:00:00+03:00", NOW),
        ("2026-03-01 15:00:00", NOW),
        ("0001-01-01T00:00:00+23:00", None),
        (10**30, None),
        (float("nan"), None),
        (True, None),
        ("yesterday", None),
        ("2026-03-01" + " " * 1_000_000 + "12:00:00", None),
        (None, None),
    ],
)
def test_times_are_aware(value: object, read: datetime | None) -> None:
    assert answers.moment(value, timezone(timedelta(hours=3))) == read


def test_blank_secrets_match_nothing() -> None:
    assert not answers.is_any_of("", ["", " "])
    assert not answers.is_any_of(" ", [" "])
    assert answers.is_any_of("new", ["old", "new"])


class Guarded(BaseModel):
    """Settings with a secret that rotates."""

    secret: answers.RotatingSecrets


@pytest.mark.parametrize(("value", "kept"), [("a", ("a",)), (["new", "old"], ("new", "old"))])
def test_a_secret_is_one_or_a_list(value: object, kept: tuple[str, ...]) -> None:
    assert Guarded.model_validate({"secret": value}).secret == kept


def test_a_path_needs_every_name_above() -> None:
    names = {"1": "Home", "2": "Shoes", "3": None, "5": "A", "6": "B"}
    parents = {"1": None, "2": "1", "3": "1", "4": "3", "5": "6", "6": "5"}
    assert answers.path_of("2", names, parents) == "Home / Shoes"
    assert answers.path_of("1", names, parents) == "Home"
    assert answers.path_of("4", names, parents) is None
    assert answers.path_of("5", names, parents) is None, "a circle"
