"""The environment, read once: every variable with its unit, its default and the default's reason."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from rules_engine.core.errors import SettingsError


class LogFormat(StrEnum):
    """How log lines look."""

    TEXT = "text"
    """For people: aligned, in colour on a terminal."""
    JSON = "json"
    """For machines: one JSON object a line."""


class LogLevel(StrEnum):
    """The least important log lines that are written."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Variable:
    """What the README's table and an error say of a variable: its default in words, and what to set."""

    default: str
    write: str


class Settings(BaseModel):
    """The settings of one process. A field `like_this` is the variable `LIKE_THIS`; an empty one counts as unset."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    database_url: Annotated[str, Variable("`sqlite:///rules-engine.db`", "a URL such as sqlite:///rules-engine.db")] = (
        Field(
            "sqlite:///rules-engine.db",
            min_length=1,
            repr=False,
            description="Where the engine remembers: a SQLite file, by default in the working directory, because "
            "that needs nothing installed. PostgreSQL comes with a later release.",
        )
    )
    port: Annotated[int, Variable("`8000`", "a whole number from 1 to 65535")] = Field(
        8000,
        ge=1,
        le=65535,
        description="The TCP port to listen on; hosts such as Heroku set it. 8000 needs no privileges.",
    )
    host: Annotated[
        str, Variable("`127.0.0.1`, or `0.0.0.0` when `PORT` is set", "an address such as 127.0.0.1 or 0.0.0.0")
    ] = Field(
        "127.0.0.1",
        description="The address to listen on. A host that sets `PORT` forwards requests from outside; on a laptop "
        "nobody else should reach the engine.",
    )
    rules: Annotated[Path, Variable("`rules`", "a directory")] = Field(
        Path("rules"), description="The directory of the rule files."
    )
    stores: Annotated[Path, Variable("`stores.yaml` in `RULES`", "a file")] = Field(
        Path("rules/stores.yaml"), description="The file that describes the stores; it holds no secret."
    )
    admin_token: Annotated[
        str | None, Variable("none", "letters, digits and signs without blanks, best some forty of them")
    ] = Field(
        None,
        pattern=r"^[!-~]+$",
        repr=False,
        description="Opens `/metrics` and the other admin routes, as `Authorization: Bearer …`. Without it they do "
        "not exist, so that forgetting it shows nothing to strangers.",
    )
    log_format: Annotated[LogFormat, Variable("`text`, or `json` when `DYNO` is set", "text or json")] = Field(
        LogFormat.TEXT, description="`text` for people, `json` for a host's log drain."
    )
    log_level: Annotated[LogLevel, Variable("`info`", "debug, info, warning or error")] = Field(
        LogLevel.INFO, description="The least important lines to write; `info` shows what is done, and no bodies."
    )
    retention_days: Annotated[int, Variable("`30`", "a whole number from 1 to 3650")] = Field(
        30,
        ge=1,
        le=3650,
        description="Days for which traces, attempts, ended actions, messages for people and earlier states of "
        "products are kept: long enough to answer for the last month's changes.",
    )
    lag_seconds: Annotated[int, Variable("`600`", "a whole number from 0 to 86400")] = Field(
        600,
        ge=0,
        le=86_400,
        description="Seconds for which a shop may show the old state after it said that a change is done: some lag by "
        "minutes. After that it is asked again.",
    )
    reconcile: Annotated[bool, Variable("`true`", "true or false")] = Field(
        default=True,
        description="Whether whole catalogues are walked over by themselves: once when a store is connected, every "
        "night, and, where the shop tells what changed, every 15 minutes. On, because webhooks are lost; what "
        "`rules-engine reconcile` asks for is done in any case.",
    )
    allow_private_hosts: Annotated[bool, Variable("`false`", "true or false")] = Field(
        default=False,
        description="Whether a shop's address may be in a private network. Off, because a mistaken `base_url` would "
        "make the engine knock at doors behind the firewall.",
    )
    dyno: Annotated[str, Variable("none", "nothing: Heroku sets it")] = Field(
        "",
        description="Set by Heroku, whose disks are emptied at every restart: SQLite is then refused, because it would "
        "forget what it took from whom.",
    )

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """The settings of this environment. Raises `SettingsError` that names every wrong variable and what to set."""
        given = {name: environment.get(name.upper(), "").strip() for name in cls.model_fields}
        try:
            return cls(**{name: text for name, text in given.items() if text})
        except ValidationError as error:
            raise SettingsError(
                " ".join(_advice(cls, problem["loc"], problem["msg"]) for problem in error.errors())
            ) from None

    @model_validator(mode="before")
    @classmethod
    def _defaults_that_depend(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        defaults: dict[str, object] = {"stores": Path(given.get("rules", "rules")) / "stores.yaml"}
        if "port" in given:
            defaults["host"] = "0.0.0.0"  # noqa: S104 (whoever sets PORT forwards requests from outside to it)
        if given.get("dyno"):
            defaults["log_format"] = LogFormat.JSON
        return {**defaults, **given}

    @model_validator(mode="after")
    def _the_disk_lasts(self) -> Self:
        if self.dyno and self.database_url.startswith("sqlite"):
            raise ValueError(
                "DATABASE_URL is a SQLite file, and DYNO says that this is a Heroku dyno, whose disk is emptied at "
                "every restart: what was accepted would be lost. Run the engine where the disk lasts; PostgreSQL "
                "comes with a later release."
            )
        return self


def settings_table() -> list[tuple[str, str, str]]:
    """Every variable as the README lists it: its name, its default, and what it means."""
    return [
        (name.upper(), _variable(Settings, name).default, field.description or "")
        for name, field in Settings.model_fields.items()
    ]


def _variable(settings: type[Settings], name: str) -> Variable:
    return next(mark for mark in settings.model_fields[name].metadata if isinstance(mark, Variable))


def _advice(settings: type[Settings], place: tuple[int | str, ...], message: str) -> str:
    """One sentence about one wrong variable. The value is not in it: it may be a secret in the wrong place."""
    if not place:
        return message.removeprefix("Value error, ")
    name = str(place[0])
    return f"{name.upper()} is not usable: set it to {_variable(settings, name).write}."
