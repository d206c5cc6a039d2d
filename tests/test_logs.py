"""Log lines: one format for all of the process, and no secrets in them."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from rules_engine.logs import HIDDEN, configure, redact
from rules_engine.settings import LogFormat, LogLevel

NAMES = ("", "uvicorn", "uvicorn.error", "uvicorn.access", "httpx", "httpcore")


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    """Logging is the process's own: what a test sets up is taken back."""
    loggers = [logging.getLogger(name) for name in NAMES]
    before = [(list(each.handlers), each.level, each.propagate, each.disabled) for each in loggers]
    was = structlog.get_config()
    yield
    structlog.configure(**was)
    for each, (handlers, level, propagate, disabled) in zip(loggers, before, strict=True):
        each.handlers, each.propagate, each.disabled = handlers, propagate, disabled
        each.setLevel(level)


def written(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    """The JSON lines on standard error; standard output belongs to commands."""
    out, err = capsys.readouterr()
    assert out == ""
    return [json.loads(line) for line in err.splitlines()]


def test_a_line_says_when_how_bad_where_and_what(capsys: pytest.CaptureFixture[str]) -> None:
    configure(LogFormat.JSON, LogLevel.INFO)
    structlog.stdlib.get_logger("rules_engine.lane").info("called", store="web", calls=2)
    (line,) = written(capsys)
    assert datetime.fromisoformat(str(line.pop("time"))).tzinfo == UTC
    assert line == {"level": "info", "logger": "rules_engine.lane", "event": "called", "store": "web", "calls": 2}


@pytest.mark.parametrize("name", ["alembic.runtime.migration", "sqlalchemy.pool", "uvicorn.error"])
def test_libraries_write_the_same_lines(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    configure(LogFormat.JSON, LogLevel.INFO)
    logging.getLogger(name).warning("it took %d seconds", 3)
    (line,) = written(capsys)
    assert (line["level"], line["logger"], line["event"]) == ("warning", name, "it took 3 seconds")
    assert "time" in line


def test_text_is_one_readable_line(capsys: pytest.CaptureFixture[str]) -> None:
    configure(LogFormat.TEXT, LogLevel.INFO)
    structlog.stdlib.get_logger("rules_engine.lane").warning("waits", store="web", token="s3cret", reason="a\nb")
    (line,) = capsys.readouterr().err.splitlines()
    assert "[warning" in line
    assert "[rules_engine.lane]" in line
    assert line.endswith(rf"reason='a\nb' store=web token={HIDDEN}")


def test_what_is_less_important_than_the_level_is_not_written(capsys: pytest.CaptureFixture[str]) -> None:
    configure(LogFormat.JSON, LogLevel.WARNING)
    structlog.stdlib.get_logger("rules_engine").info("small")
    logging.getLogger("alembic").info("small")
    assert written(capsys) == []


def test_setting_up_again_does_not_write_twice(capsys: pytest.CaptureFixture[str]) -> None:
    configure(LogFormat.TEXT, LogLevel.ERROR)
    configure(LogFormat.JSON, LogLevel.INFO)
    structlog.stdlib.get_logger("rules_engine").info("once")
    assert len(written(capsys)) == 1


def test_what_a_server_has_set_up_for_itself_is_replaced(capsys: pytest.CaptureFixture[str]) -> None:
    server = logging.getLogger("uvicorn")
    server.addHandler(logging.StreamHandler())
    server.propagate = False
    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
    configure(LogFormat.JSON, LogLevel.INFO)
    logging.getLogger("uvicorn.error").info("Started server")
    assert [line["event"] for line in written(capsys)] == ["Started server"]


@pytest.mark.parametrize("log_format", LogFormat)
def test_a_traceback_shows_no_local_variables(log_format: LogFormat, capsys: pytest.CaptureFixture[str]) -> None:
    configure(log_format, LogLevel.INFO)
    try:
        hidden = "s3cret"
        int(hidden[:0])
    except ValueError:
        structlog.stdlib.get_logger("rules_engine").exception("broke")
        logging.getLogger("uvicorn.error").exception("broke")
    text = capsys.readouterr().err
    assert text.count("ValueError") == 2
    assert "s3cret" not in text


def test_requests_are_not_logged_because_their_queries_may_hold_tokens(capsys: pytest.CaptureFixture[str]) -> None:
    logging.getLogger("uvicorn.access").addHandler(logging.StreamHandler())
    configure(LogFormat.JSON, LogLevel.DEBUG)
    logging.getLogger("uvicorn.access").info("%s", "POST /webhooks/ksa?token=s3cret")
    logging.getLogger("httpx").info("HTTP Request: %s", "GET https://shop.example?token=s3cret")
    logging.getLogger("httpcore.http11").debug("send_request_headers %r", [(b"Authorization", b"s3cret")])
    assert written(capsys) == []


SECRETS = ["Authorization", "accessToken", "client_secret", "webhook_password", "Set-Cookie", "webhook-signature"]
SECRETS += ["X-Api-Key", "auth_value", "credentials", "private_key"]


@given(st.sampled_from(SECRETS), st.sampled_from([str, str.upper, str.lower]), st.sampled_from(["debug", "error"]))
def test_a_secret_is_hidden_at_any_level_and_depth(key: str, style: type[str], level: str) -> None:
    entry = {
        "level": level,
        style(key): "s3cret",
        "headers": {style(key): b"s3cret"},
        "all": [{style(key): ["s3cret"]}],
    }
    assert "s3cret" not in str(redact(None, level, entry))


@dataclass(frozen=True)
class Call:
    url: str
    token: str


def test_a_value_with_fields_does_not_show_its_secrets() -> None:
    line = redact(None, "info", {"event": "calls", "call": Call("https://shop.example", "s3cret")})
    assert line["call"] == {"url": "https://shop.example", "token": HIDDEN}


@pytest.mark.parametrize("level", ["info", "warning", "error"])
@pytest.mark.parametrize("key", ["body", "request_body", "raw-body"])
def test_bodies_are_written_at_debug_only(level: str, key: str) -> None:
    assert redact(None, level, {"level": level, key: "{}"})[key] == HIDDEN
    assert redact(None, "debug", {"level": "debug", key: "{}"})[key] == "{}"


def test_what_only_sounds_alike_is_shown_and_so_is_the_absence_of_a_secret() -> None:
    line = {"event": "waits", "store": "web", "reason": "no answer", "somebody": "x", "token": None, "has_secret": True}
    assert redact(None, "info", dict(line)) == line
