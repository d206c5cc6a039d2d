"""The environment is read once, and a wrong variable is named with what to set."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from rules_engine import settings as module
from rules_engine.core.errors import SettingsError
from rules_engine.settings import LogFormat, LogLevel, Settings, settings_table

NAMES = [name.upper() for name in Settings.model_fields]


def test_an_empty_environment_is_enough_on_a_laptop() -> None:
    settings = Settings.from_environment({})
    assert settings == Settings()
    assert settings.database_url == "sqlite:///rules-engine.db"
    assert (settings.host, settings.port) == ("127.0.0.1", 8000)
    assert (settings.rules, settings.stores) == (Path("rules"), Path("rules/stores.yaml"))
    assert (settings.log_format, settings.log_level) == (LogFormat.TEXT, LogLevel.INFO)
    assert (settings.retention_days, settings.lag_seconds) == (30, 600)
    assert settings.admin_token is None
    assert not settings.allow_private_hosts


def test_every_variable_is_read() -> None:
    given = {
        "DATABASE_URL": "sqlite:////var/engine.db",
        "PORT": "5000",
        "HOST": "::1",
        "RULES": "shop/rules",
        "STORES": "elsewhere.yaml",
        "ADMIN_TOKEN": "a-token",
        "LOG_FORMAT": "json",
        "LOG_LEVEL": "debug",
        "RETENTION_DAYS": "7",
        "LAG_SECONDS": "0",
        "RECONCILE": "off",
        "ALLOW_PRIVATE_HOSTS": "true",
        "DYNO": "",
    }
    assert given.keys() == set(NAMES)
    assert Settings.from_environment(given) == Settings(
        database_url="sqlite:////var/engine.db",
        port=5000,
        host="::1",
        rules=Path("shop/rules"),
        stores=Path("elsewhere.yaml"),
        admin_token="a-token",
        log_format=LogFormat.JSON,
        log_level=LogLevel.DEBUG,
        retention_days=7,
        lag_seconds=0,
        reconcile=False,
        allow_private_hosts=True,
    )


def test_a_host_that_sets_the_port_is_listened_to_from_outside() -> None:
    assert Settings.from_environment({"PORT": "5000"}).host == "0.0.0.0"
    assert Settings.from_environment({"PORT": "5000", "HOST": "127.0.0.1"}).host == "127.0.0.1"


def test_stores_are_described_beside_the_rules_unless_said_otherwise() -> None:
    assert Settings.from_environment({"RULES": "shop"}).stores == Path("shop/stores.yaml")


def test_empty_and_unknown_variables_are_as_if_unset() -> None:
    blank = dict.fromkeys(NAMES, " ")
    assert Settings.from_environment({**blank, "PATH": "/bin", "port": "1"}) == Settings()


def test_settings_do_not_change() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Settings().port = 1  # type: ignore[misc]  # that it cannot be set is the point


@pytest.mark.parametrize("url", ["", "sqlite:///rules-engine.db"])
def test_sqlite_is_refused_where_the_disk_is_emptied(url: str) -> None:
    with pytest.raises(SettingsError, match=r"DATABASE_URL is a SQLite file.* emptied at every restart"):
        Settings.from_environment({"DYNO": "web.1", "DATABASE_URL": url})


def test_logs_are_for_machines_on_a_dyno() -> None:
    environment = {"DYNO": "web.1", "DATABASE_URL": "postgres://db/engine"}
    assert Settings.from_environment(environment).log_format is LogFormat.JSON
    assert Settings.from_environment({**environment, "LOG_FORMAT": "text"}).log_format is LogFormat.TEXT


@pytest.mark.parametrize(
    ("name", "wrong", "advice"),
    [
        ("PORT", "http", "a whole number from 1 to 65535"),
        ("PORT", "0", "a whole number from 1 to 65535"),
        ("PORT", "65536", "a whole number from 1 to 65535"),
        ("ADMIN_TOKEN", "hush hush hush hush", "without blanks"),
        ("ADMIN_TOKEN", "hush\nhush-hush-hush", "without blanks"),
        ("LOG_FORMAT", "xml", "text or json"),
        ("LOG_LEVEL", "loud", "debug, info, warning or error"),
        ("RETENTION_DAYS", "0", "a whole number from 1 to 3650"),
        ("LAG_SECONDS", "-1", "a whole number from 0 to 86400"),
        ("ALLOW_PRIVATE_HOSTS", "perhaps", "true or false"),
    ],
)
def test_a_wrong_variable_is_named_with_what_to_set_and_its_value_not_shown(name: str, wrong: str, advice: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.from_environment({name: wrong})
    assert str(caught.value).startswith(f"{name} is not usable: set it to ")
    assert advice in str(caught.value)
    assert wrong not in str(caught.value).replace(advice, "")
    assert caught.value.__suppress_context__


def test_all_wrong_variables_are_named_at_once() -> None:
    with pytest.raises(SettingsError, match=r"PORT .* LOG_FORMAT .* LAG_SECONDS"):
        Settings.from_environment({"PORT": "x", "LOG_FORMAT": "x", "LAG_SECONDS": "x"})


@given(st.dictionaries(st.sampled_from(NAMES), st.text(max_size=30)))
def test_whatever_the_environment_it_gives_settings_or_a_sentence(environment: dict[str, str]) -> None:
    try:
        settings = Settings.from_environment(environment)
    except SettingsError:
        return
    assert not (settings.dyno and settings.database_url.startswith("sqlite"))


def test_secrets_are_not_shown_with_the_settings() -> None:
    settings = Settings(admin_token="hush-hush-hush-hush", database_url="postgres://engine:hush@db/engine")
    assert "hush" not in repr(settings) + str(settings)


def test_the_table_explains_every_variable() -> None:
    table = settings_table()
    assert [name for name, _, _ in table] == NAMES
    for name, default, meaning in table:
        assert default, name
        assert meaning.endswith("."), name
        assert "|" not in default + meaning, name


def test_the_defaults_in_the_table_are_those_in_force() -> None:
    said = {name: default for name, default, _ in settings_table()}
    for name, value in Settings().model_dump(mode="json", exclude={"stores", "admin_token", "dyno"}).items():
        shown = str(value).lower() if isinstance(value, bool) else str(value)
        assert said[name.upper()].startswith(f"`{shown}`")


def test_only_the_settings_read_the_environment_here() -> None:
    assert inspect.getsource(module).count("os.environ") == 1
