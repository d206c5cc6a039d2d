"""Logs as lines of named values on standard error: for people or for machines, and without secrets."""

from __future__ import annotations

import json
import logging
import re
import sys
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from functools import partial

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from rules_engine.settings import LogFormat, LogLevel

HIDDEN = "…"
"""What is written in place of a secret."""

_SECRET = re.compile(
    r"authorization|token|secret|password|passwd|cookie|signature|credential|(api|private|signing).?key|auth.?value",
    re.IGNORECASE,
)
_BODY = re.compile(r"(^|[^a-z])body([^a-z]|$)", re.IGNORECASE)


def configure(
    format: LogFormat,  # noqa: A002 - the word that operators know from LOG_FORMAT
    level: LogLevel,
) -> None:
    """Send every log line of the process, ours and the libraries', to standard error in one format.

    Each line has `time` (ISO 8601, UTC), `level`, `logger` and `event`. Give uvicorn `log_config=None`, else it puts
    its own set-up over this one. Calling again replaces what was set up before.
    """
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        redact,
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
    )
    lines = logging.StreamHandler(sys.stderr)
    lines.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_renderers(format)],
        )
    )
    root = logging.getLogger()
    root.handlers = [lines]
    root.setLevel(level.upper())
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        library = logging.getLogger(name)
        library.handlers = []
        library.propagate = True
        library.setLevel(logging.NOTSET)  # a server that was to be quiet in this process may have set it
    # A query may carry a token (Zid's can), and a host's router logs requests anyway.
    logging.getLogger("uvicorn.access").disabled = True
    # At info httpx writes whole URLs, and at debug httpcore writes headers; Alembic tells of itself at every start,
    # and watchfiles of every file that it sees.
    for name in ("httpx", "httpcore", "alembic", "watchfiles"):
        logging.getLogger(name).setLevel(logging.WARNING)


def redact(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Replace the values of keys that look secret, at any depth; and those of bodies, except at debug."""
    shows_bodies = event.get("level") == "debug"
    return {key: _redacted(key, value, shows_bodies=shows_bodies) for key, value in event.items()}


def _redacted(key: str, value: object, *, shows_bodies: bool) -> object:
    if value is None or isinstance(value, bool):
        return value  # whether there is one is worth knowing, and no secret
    if _SECRET.search(key) or (_BODY.search(key) and not shows_bodies):
        return HIDDEN
    if is_dataclass(value) and not isinstance(value, type):
        value = {field.name: getattr(value, field.name) for field in fields(value)}  # its repr would show everything
    if isinstance(value, Mapping):
        return {str(inner): _redacted(str(inner), each, shows_bodies=shows_bodies) for inner, each in value.items()}
    if isinstance(value, list | tuple):
        return [_redacted("", each, shows_bodies=shows_bodies) for each in value]
    return value


def _renderers(form: LogFormat) -> list[Processor]:
    # Both write plain tracebacks: the richer ones show local variables, where secrets are.
    if form is LogFormat.JSON:
        return [
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(serializer=partial(json.dumps, ensure_ascii=False)),
        ]
    return [
        structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(),
            timestamp_key="time",
            exception_formatter=structlog.dev.plain_traceback,
        )
    ]
