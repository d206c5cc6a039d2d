"""Zave's traps, as the sandbox sets them."""

from __future__ import annotations

import json

import httpx
import pytest
from standardwebhooks import Webhook

from rules_engine.sandbox import Fault, ManualClock, ZaveShop, numbered
from rules_engine.sandbox.zave import WEBHOOK_SECRET

pytestmark = pytest.mark.anyio

REMOVE = "/v2/product/category/collection-id-1/products/remove"
ADD = "/v2/product/category/collection-id-1/products/add"


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def shop(clock: ManualClock) -> ZaveShop:
    return ZaveShop.sample(now=clock, new_id=numbered())


@pytest.fixture
def client(shop: ZaveShop) -> httpx.AsyncClient:
    headers = {"Authorization": "Bearer b2b-access"}
    return httpx.AsyncClient(transport=httpx.ASGITransport(shop.app), base_url="http://shop", headers=headers)


async def test_the_answer_is_the_updated_collection_with_whole_products(client: httpx.AsyncClient) -> None:
    answer = (await client.put(REMOVE, json=["laptop-1"])).json()
    assert (answer["_id"], answer["name"]) == ("collection-id-1", "Featured")
    assert [one["_id"] for one in answer["products"]] == ["laptop-2", "dock-1", "licence-1"]
    assert answer["products"][0]["country"] == {"code": "NO"}
    assert "distributor" not in answer["products"][0]


@pytest.mark.parametrize("body", [{"products": ["laptop-1"]}, "laptop-1", [1], [""], None])
async def test_anything_but_a_bare_array_of_ids_is_400(client: httpx.AsyncClient, body: object) -> None:
    assert (await client.put(REMOVE, json=body)).status_code == 400


@pytest.mark.parametrize(("ids", "status"), [(["laptop-1", "foreign-1"], 403), (["laptop-1", "none"], 404)])
async def test_a_call_is_done_whole_or_not_at_all(
    shop: ZaveShop, client: httpx.AsyncClient, ids: list[str], status: int
) -> None:
    assert (await client.put(REMOVE, json=ids)).status_code == status
    assert "laptop-1" in shop.memberships()["collection-id-1"]
    assert not shop.deliveries


async def test_a_collection_of_another_tenant_is_403_and_a_wrong_header_401(client: httpx.AsyncClient) -> None:
    elsewhere = await client.put(REMOVE.replace("id-1", "id-9"), json=["laptop-1"])
    unknown = await client.put(REMOVE, json=["laptop-1"], headers={"Authorization": "other"})
    assert (elsewhere.status_code, unknown.status_code) == (403, 401)


async def test_adding_resets_prices_and_flags(shop: ZaveShop, client: httpx.AsyncClient) -> None:
    own = [{"price": 1.0, "subscription_term": None, "payment_period": None, "amount": 1}]
    shop.edit_product("mouse-1", products=own, status={"active": False, "deleted": False})
    await client.put(ADD, json=["mouse-1"])
    mouse = shop.products["mouse-1"]
    assert (mouse["products"][0]["price"], mouse["status"]["active"]) == (290.0, True)


async def test_a_lie_shows_in_the_answer(client: httpx.AsyncClient, shop: ZaveShop) -> None:
    shop.faults.append(Fault.lie())
    answer = (await client.put(REMOVE, json=["laptop-1"])).json()
    assert "laptop-1" in [one["_id"] for one in answer["products"]]


async def test_properties_lose_products_in_the_same_way(shop: ZaveShop, client: httpx.AsyncClient) -> None:
    answer = await client.put("/v2/product/property/property-id-1/products/remove", json=["laptop-1"])
    assert [one["_id"] for one in answer.json()["products"]] == ["dock-1"]
    assert [one.event for one in shop.deliveries] == ["product.updated"]


async def test_there_are_no_reads(client: httpx.AsyncClient) -> None:
    assert (await client.get("/v2/product/laptop-1")).status_code == 404


async def test_our_own_write_echoes_only_a_change(shop: ZaveShop, client: httpx.AsyncClient) -> None:
    for _ in range(2):
        await client.put(REMOVE, json=["laptop-1"])
        await client.put(ADD, json=["dock-1"])
    assert [json.loads(one.body)["data"]["_id"] for one in shop.deliveries] == ["laptop-1"]


async def test_the_stock_text_goes_stale_when_the_product_sells_out(shop: ZaveShop, clock: ManualClock) -> None:
    clock.move(seconds=5)
    shop.sell_out("laptop-1")
    hook = shop.deliveries[0]
    body = json.loads(hook.body)
    assert (body["type"], body["timestamp"]) == ("product.updated", "2026-01-31T10:00:05.000Z")
    assert (body["data"]["stock"], body["data"]["stock_status"]) == (0, "20 in rest")
    assert body["data"]["updated"] == "2026-01-31T10:00:05.000Z"


async def test_a_redelivery_keeps_its_id_and_is_signed_anew(shop: ZaveShop, clock: ManualClock) -> None:
    shop.sell_out("laptop-1")
    hook = shop.deliveries[0]
    first = shop.headers_for(hook)
    clock.move(minutes=10)
    again = shop.headers_for(hook)
    signed = Webhook(WEBHOOK_SECRET).sign(msg_id=hook.id, timestamp=clock(), data=hook.body.decode())
    assert first["webhook-id"] == again["webhook-id"]
    assert (int(again["webhook-timestamp"]) - int(first["webhook-timestamp"]), again["webhook-signature"]) == (
        600,
        signed,
    )


async def test_a_deleted_product_says_so(shop: ZaveShop) -> None:
    shop.delete_product("laptop-1")
    body = json.loads(shop.deliveries[0].body)
    assert (body["type"], body["data"]["status"]["deleted"]) == ("product.deleted", True)
    assert "laptop-1" not in shop.products
