"""Axim's traps, as the sandbox sets them."""

from __future__ import annotations

import json

import httpx
import pytest

from rules_engine.sandbox import AximShop, ManualClock, numbered
from rules_engine.sandbox.axim import ACME, GLOBEX

pytestmark = pytest.mark.anyio

UNASSIGN = "/brands/unassign-products"


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def shop(clock: ManualClock) -> AximShop:
    return AximShop.sample(now=clock, new_id=numbered())


def caller(shop: AximShop) -> httpx.AsyncClient:
    headers = {"accessToken": "brands-access-token"}
    return httpx.AsyncClient(transport=httpx.ASGITransport(shop.app), base_url="http://shop", headers=headers)


async def test_a_brand_is_cleared_only_where_it_is_this_one_and_unknown_ids_are_skipped(shop: AximShop) -> None:
    body = {"id": ACME, "productIds": ["drill-1", "lamp-1", "none"]}
    answer = await caller(shop).post(UNASSIGN, json=body)
    assert answer.json() == {"success": True, "message": "1 products unassigned"}
    assert shop.memberships() == {ACME: ["drill-2", "saw-1"], GLOBEX: ["lamp-1"]}


async def test_the_counts_are_shown_by_some_installations_only(clock: ManualClock) -> None:
    shop = AximShop(now=clock, new_id=numbered(), shows_counts=True).with_sample()
    gone = await caller(shop).post(UNASSIGN, json={"id": ACME, "productIds": ["drill-1"]})
    back = await caller(shop).post("/brands/assign-products", json={"id": ACME, "productIds": ["drill-1", "saw-1"]})
    assert gone.json()["data"] == {"brandId": ACME, "unassignedCount": 1, "productCount": 2}
    assert back.json()["data"] == {"brandId": ACME, "assignedCount": 1, "skippedCount": 1, "productCount": 3}


async def test_a_refusal_comes_with_200(shop: AximShop) -> None:
    shop.faults.append(AximShop.refusal())
    answer = await caller(shop).post(UNASSIGN, json={"id": ACME, "productIds": ["drill-1"]})
    assert (answer.status_code, answer.json()["success"]) == (200, False)
    assert "drill-1" in shop.memberships()[ACME]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"id": "none", "productIds": ["drill-1"]}, 404),
        ({"id": "", "productIds": []}, 400),
        ({"id": ACME, "productIds": "drill-1"}, 400),
        ({"productIds": [1]}, 400),
        ([], 400),
    ],
)
async def test_only_a_missing_brand_is_404(shop: AximShop, body: object, status: int) -> None:
    answer = await caller(shop).post(UNASSIGN, json=body)
    assert (answer.status_code, answer.json()["success"]) == (status, False)


async def test_a_wrong_token_is_401_and_the_token_is_raw_unless_a_prefix_is_set(clock: ManualClock) -> None:
    raw = AximShop.sample(now=clock, new_id=numbered())
    prefixed = AximShop(now=clock, new_id=numbered(), token_prefix="Bearer ").with_sample()
    path, headers = f"/brands/{ACME}", {"accessToken": "Bearer brands-access-token"}
    assert (await caller(raw).get(path)).json()["data"]["productCount"] == 3
    assert (await caller(raw).get(path, headers=headers)).status_code == 401
    assert (await caller(prefixed).get(path, headers=headers)).status_code == 200
    assert (await caller(raw).get("/brands/none")).status_code == 404


async def test_no_call_can_delete_a_brand(shop: AximShop) -> None:
    assert (await caller(shop).delete(f"/brands/{ACME}")).status_code == 404
    assert ACME in shop.brands


async def test_our_own_write_echoes_only_a_change(shop: AximShop) -> None:
    for _ in range(2):
        await caller(shop).post(UNASSIGN, json={"id": ACME, "productIds": ["drill-1", "drill-2"]})
    assert [one.event for one in shop.deliveries] == ["product.updated"] * 2
    assert json.loads(shop.deliveries[0].body)["data"]["brand"] is None


async def test_a_delivery_carries_the_whole_product_and_its_time(shop: AximShop, clock: ManualClock) -> None:
    clock.move(seconds=1)
    shop.tag("drill-1", "tools", "end-of-line")
    body = json.loads(shop.deliveries[0].body)
    assert body["data"] == {
        "id": "drill-1", "sku": "DR-1", "name": "Drill", "brand": {"id": ACME, "name": "Acme"}, "stock": 12,
        "published": True, "price": 25.0, "tags": ["tools", "end-of-line"], "updated_at": "2026-01-31T10:00:01.000Z",
    }  # fmt: skip


async def test_a_deleted_brand_takes_itself_from_its_products(shop: AximShop) -> None:
    shop.delete_brand(ACME)
    assert shop.memberships() == {GLOBEX: ["lamp-1"]}
    assert len(shop.deliveries) == 3
