"""Reading the subjects of a turn: one that spoils a list is set aside alone."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

import pytest

from rules_engine.core.action import Request, Response
from rules_engine.core.errors import TemporaryError
from rules_engine.core.subject import product
from rules_engine.lane.calls import Calls, Health
from rules_engine.lane.read import Seen, read_subjects
from rules_engine.vendors.ecwid import Ecwid, EcwidStore

NOW = datetime(2026, 3, 1, tzinfo=UTC)
PRODUCTS = [product("1"), product("2"), product("3")]
SHOP = Ecwid(EcwidStore(vendor="ecwid", store_id="1003", token="secret_token", client_secret=("client-secret",)))
pytestmark = pytest.mark.anyio


def shop_that_breaks_over(*ids: str, failures: int) -> Calls:
    """The calls of a shop that answers 500 whenever it has to show one of `ids`, after so many failures in a row."""

    async def send(request: Request) -> Response:
        url = urlsplit(request.url)
        asked = parse_qs(url.query).get("productId", [url.path.rsplit("/", 1)[-1]])[0].split(",")
        if set(asked) & set(ids):
            return Response(500, NOW, {}, b"")
        items = [{"id": int(id_)} for id_ in asked]
        found = items[0] if "productId" not in url.query else {"items": items, "total": len(items)}
        return Response(200, NOW, {}, json.dumps(found).encode())

    health = Health(tokens=600, tokens_at=NOW, failures=failures)
    return Calls(send, health, Ecwid.CAPABILITIES, now=lambda: NOW, sleep=asyncio.sleep, chance=lambda: 0.0)


async def test_a_list_that_fails_once_is_tried_again_as_it_is() -> None:
    with pytest.raises(TemporaryError):
        await read_subjects(SHOP, shop_that_breaks_over("2", failures=0), PRODUCTS)


async def test_a_product_over_which_the_shop_breaks_is_set_aside_alone() -> None:
    seen: Seen = await read_subjects(SHOP, shop_that_breaks_over("2", failures=1), PRODUCTS)
    assert set(seen.snapshots) == {product("1"), product("3")}
    assert set(seen.failed) == {product("2")}


async def test_a_shop_that_breaks_over_every_product_is_away() -> None:
    with pytest.raises(TemporaryError):
        await read_subjects(SHOP, shop_that_breaks_over("1", "2", "3", failures=1), PRODUCTS)
