"""A shop that repeats our credentials."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from rules_engine.core.action import Request, Response
from rules_engine.lane.calls import Calls, Health
from rules_engine.vendors.ecwid import Ecwid

NOW = datetime(2026, 3, 1, tzinfo=UTC)
pytestmark = pytest.mark.anyio


def calls(body: bytes, secrets: Sequence[str]) -> Calls:
    async def send(_request: Request) -> Response:
        return Response(400, NOW, {}, body)

    return Calls(
        send,
        Health(tokens=9, tokens_at=NOW),
        Ecwid.CAPABILITIES,
        secrets=secrets,
        now=lambda: NOW,
        sleep=asyncio.sleep,
        chance=lambda: 0.0,
    )


async def test_what_a_shop_repeats_of_our_credentials_is_hidden() -> None:
    answer = await calls(b'{"errorMessage":"bad token secret_abcdef"}', ["secret_abcdef"]).send(Request("GET", "/"))
    assert answer.body == b'{"errorMessage":"bad token (hidden)"}'


async def test_an_answer_without_credentials_is_left_as_it_is() -> None:
    body = b'{"items":[]}'
    assert (await calls(body, ["secret_abcdef"]).send(Request("GET", "/"))).body is body
