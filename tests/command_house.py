"""A folder with rules, a database to be, and an environment: where the tests of commands run them."""

from __future__ import annotations

import json
import logging
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import httpx
import structlog
from typer.testing import CliRunner, Result

from rules_engine.commands import app
from rules_engine.database.engine import Database
from rules_engine.sandbox.stores import BY_ALIAS, ENVIRONMENT, at_the_sandbox
from rules_engine.settings import Settings

T = TypeVar("T")

SHIPPED = Path(__file__).parents[1] / "rules"
PATIENCE = 30.0
"""Seconds until something is held to never happen."""
LAPTOP = 37208339
"""A product of the sandbox's web shop that is in Featured."""


def poll(look: Callable[[], T | None], *, seconds: float = PATIENCE) -> T:
    """What `look` gives as soon as it gives something."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with suppress(httpx.TransportError):
            found = look()
            if found:
                return found
        time.sleep(0.02)
    raise AssertionError(f"{look} gave nothing within {seconds} s")


def free_port() -> int:
    """A port on loopback that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


@dataclass
class House:
    """`folder/rules` with the shipped rules, and the environment of the shipped stores. No database exists yet."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        shutil.copytree(SHIPPED, self.rules)
        self.environment = {
            "RULES": str(self.rules),
            "DATABASE_URL": f"sqlite:///{self.file}",
            **ENVIRONMENT,
            **self.environment,
        }

    @property
    def rules(self) -> Path:
        return self.folder / "rules"

    @property
    def file(self) -> Path:
        return self.folder / "engine.db"

    def write(self, name: str, text: str) -> None:
        (self.rules / name).write_text(text, encoding="utf-8")

    def run(self, *arguments: str, **environment: str) -> Result:
        """Run a command in this process; logging is as before when it ends."""
        unset: dict[str, str | None] = {name.upper(): None for name in (*Settings.model_fields, "columns")}
        with unchanged_logging():
            return CliRunner().invoke(app, arguments, env={**unset, **self.environment, **environment})

    def run_json(self, *arguments: str, code: int = 0) -> Any:
        """Run a command with --json: the one object that it prints. Any: whatever JSON says."""
        result = self.run(*arguments, "--json")
        assert result.exit_code == code, result.output
        return json.loads(result.stdout)

    @contextmanager
    def serving(self, **environment: str) -> Iterator[Server]:
        """`rules-engine serve` as a process of its own, up and answering; stopped at the end if it still runs."""
        port = free_port()
        with self.process("serve", PORT=str(port), HOST="127.0.0.1", **environment) as process:
            server = Server(process, f"http://127.0.0.1:{port}", self.folder / "stderr")
            poll(lambda: process.poll() is not None or httpx.get(f"{server.url}/healthz").is_success)
            assert process.poll() is None, server.log
            yield server

    @contextmanager
    def process(self, *arguments: str, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
        """A command as a process of its own, whose standard error is the file `stderr`."""
        given = {"PATH": os.environ["PATH"], "PYTHONWARNINGS": "error", **self.environment, **environment}
        with (self.folder / "stderr").open("wb") as errors:
            process = subprocess.Popen(
                [sys.executable, "-m", "rules_engine", *arguments], cwd=self.folder, env=given, stderr=errors
            )
            try:
                yield process
            finally:
                process.kill()
                process.wait()

    @contextmanager
    def database(self) -> Iterator[Database]:
        database = Database.from_url(self.environment["DATABASE_URL"])
        try:
            yield database
        finally:
            database.close()

    @contextmanager
    def shops(self) -> Iterator[Mapping[str, Shop]]:
        """The four sandbox shops as a process of their own, by alias; stores.yaml names their addresses."""
        with subprocess.Popen([sys.executable, "-m", "rules_engine.sandbox"], stdout=subprocess.PIPE) as process:
            try:
                assert process.stdout is not None
                by_vendor = json.loads(process.stdout.readline())
                base_urls = {alias: by_vendor[kind.NAME] for alias, kind in BY_ALIAS.items()}
                stores = self.rules / "stores.yaml"
                stores.write_text(at_the_sandbox(stores.read_text(), base_urls))
                yield {alias: Shop(alias, base_url) for alias, base_url in base_urls.items()}
            finally:
                process.kill()


@dataclass(frozen=True)
class Server:
    """A running `rules-engine serve`."""

    process: subprocess.Popen[bytes]
    url: str
    errors: Path

    @property
    def log(self) -> str:
        return self.errors.read_text(encoding="utf-8")

    def stop(self) -> int:
        """Tell it to stop by SIGTERM, and give its exit code; it gets 20 seconds."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=20)


@dataclass(frozen=True)
class Shop:
    """A sandbox shop in another process, driven by its doors for that."""

    alias: str
    base_url: str

    def edit(self, what: str, *with_: object) -> None:
        self._post("edit", {"do": what, "with": list(with_)})

    def fail(self, **fault: object) -> None:
        """Let a coming call go wrong."""
        self._post("faults", fault)

    def deliver(self, url: str) -> list[int]:
        """Deliver what waits to the engine at `url`: the statuses of its answers."""
        answers = self._post("deliver", {"url": f"{url}/webhooks/{self.alias}"})["answers"]
        return [answer["status"] for answer in answers]

    def writes(self, path: str = "") -> list[dict[str, Any]]:
        """The writes that it got, at this path."""
        calls = httpx.get(f"{self.base_url}/__sandbox/calls").json()
        return [call for call in calls if call["method"] != "GET" and path in call["path"]]

    def _post(self, door: str, wish: Mapping[str, object]) -> Any:
        answer = httpx.post(f"{self.base_url}/__sandbox/{door}", json=wish)
        assert answer.is_success, answer.text
        return answer.json()


@contextmanager
def unchanged_logging() -> Iterator[None]:
    """Put logging back as it was: a command sets it up for the whole process."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        yield
    finally:
        root.handlers[:], root.level = handlers, level
        structlog.reset_defaults()


def plain(text: str) -> str:
    """Help as words alone, without frames and line ends."""
    return re.sub(r"[\s│─╭╮╰╯]+", " ", text)
