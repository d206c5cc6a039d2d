"""`rules-engine sandbox`: what it says to put where is what an engine needs, and every edit is posted to it."""

from __future__ import annotations

import re
import shlex
import socket
import subprocess
import sys
from collections.abc import Iterator

import httpx
import pytest

from rules_engine.sandbox.server import LOOPBACK
from rules_engine.sandbox.stores import ENVIRONMENT

COMMAND = [sys.executable, "-u", "-m", "rules_engine", "sandbox"]


def free_ports() -> int:
    """The first of four ports in a row that nobody listens on."""
    for first in range(23100, 24100, 4):
        with socket.socket() as one, socket.socket() as two, socket.socket() as three, socket.socket() as four:
            try:
                for place, each in enumerate((one, two, three, four)):
                    each.bind((LOOPBACK, first + place))
            except OSError:
                continue
            return first
    raise RuntimeError("no four free ports in a row")


@pytest.fixture(scope="module")
def first_port() -> int:
    return free_ports()


@pytest.fixture(scope="module")
def shops(first_port: int) -> Iterator[subprocess.Popen[str]]:
    """The shops, posting to a port on which no engine runs."""
    given = [*COMMAND, "--port", str(first_port), "--engine", f"http://{LOOPBACK}:1/"]
    with subprocess.Popen(given, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.fixture(scope="module")
def said(shops: subprocess.Popen[str]) -> str:
    """All that it says before somebody does something."""
    assert shops.stdout is not None
    lines = []
    for line in shops.stdout:
        lines.append(line)
        if "/__sandbox/state" in line:
            break
    return "".join(lines)


def test_every_shop_stands_where_it_says(said: str, first_port: int) -> None:
    base_urls = re.findall(r"base_url: (\S+)", said)
    assert base_urls == [f"http://{LOOPBACK}:{first_port + place}" for place in range(4)]
    for base_url in base_urls:
        assert httpx.get(f"{base_url}/__sandbox/state", trust_env=False).json()["catalogue"]


def test_the_secrets_can_be_pasted_into_a_shell(said: str) -> None:
    exported = [pair for line in re.findall(r"^  export (.*)$", said, re.MULTILINE) for pair in shlex.split(line)]
    assert dict(pair.split("=", 1) for pair in exported) == ENVIRONMENT


def test_what_the_shopkeeper_does_as_shown_is_posted_and_told(said: str, shops: subprocess.Popen[str]) -> None:
    line = next(line for line in said.splitlines() if "sells out" in line)
    _, _, body, url = shlex.split(line, comments=True)
    assert httpx.post(url, content=body, trust_env=False).json()["done"] == "sell_out"
    assert shops.stdout is not None
    assert shops.stdout.readline() == "web  product.updated → nobody answered: is the engine running?\n"


def test_a_taken_port_is_said_in_a_sentence() -> None:
    with socket.socket() as taken:
        taken.bind((LOOPBACK, 0))
        taken.listen()
        port = taken.getsockname()[1]
        ran = subprocess.run([*COMMAND, "--port", str(port)], capture_output=True, text=True, check=False, timeout=60)
    assert ran.returncode == 1
    assert re.fullmatch(rf"A port from {port} to {port + 3} is taken \(.+\): choose with --port\.\n", ran.stderr)
