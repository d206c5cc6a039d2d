"""Ecwid's traps, as the sandbox sets them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json

import httpx
import pytest

from rules_engine.sandbox import EcwidShop, ManualClock, numbered

pytestmark = pytest.mark.anyio

FEATURED, SHOES, ACME = 9691094, 9691095, 9691097
RUNNER, WALKER, PRINT, CARD, BOOT, TOP = 37208339, 37208340, 37208341, 37208342, 37208343, 37208344


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def shop(clock: ManualClock) -> EcwidShop:
    return EcwidShop.sample(now=clock, new_id=numbered())


@pytest.fixture
def client(shop: EcwidShop) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(shop.app),
        base_url="http://shop/api/v3/1003",
        headers={"Authorization": "Bearer secret_web_token"},
    )


async def write(client: httpx.AsyncClient, call: str, category: int, *ids: int) -> httpx.Response:
    return await client.post(f"/categories/{category}/{call}Products", json={"productIds": ids})


async def test_new_members_go_to_the_end_and_the_count_is_a_flag(shop: EcwidShop, client: httpx.AsyncClient) -> None:
    both = await write(client, "assign", SHOES, PRINT, CARD)
    again = await write(client, "assign", SHOES, PRINT)
    assert (both.json(), again.json()) == ({"updateCount": 1}, {"updateCount": 0})
    assert shop.memberships()[str(SHOES)][-2:] == [str(PRINT), str(CARD)]


async def test_a_product_that_loses_its_last_category_is_promoted_to_the_top_level(
    shop: EcwidShop, client: httpx.AsyncClient
) -> None:
    assert (await write(client, "unassign", FEATURED, PRINT)).json() == {"deleteCount": 1}
    promoted = (await client.get(f"/products/{PRINT}")).json()
    assert (promoted["categoryIds"], promoted["defaultCategoryId"], promoted["showOnFrontpage"]) == ([0], 0, 1)
    assert (await write(client, "unassign", 0, PRINT)).json() == {"deleteCount": 0}  # it would be in nothing
    await write(client, "assign", FEATURED, PRINT)
    assert (await write(client, "unassign", 0, PRINT)).json() == {"deleteCount": 1}
    assert (await client.get(f"/products/{PRINT}")).json()["categoryIds"] == [FEATURED]


async def test_one_unknown_product_refuses_the_whole_call(shop: EcwidShop, client: httpx.AsyncClient) -> None:
    answer = await write(client, "assign", SHOES, PRINT, 1)
    assert (answer.status_code, answer.json()["errorMessage"]) == (404, "Product not found")
    assert str(PRINT) not in shop.memberships()[str(SHOES)]
    assert (await write(client, "assign", 5, PRINT)).status_code == 404


@pytest.mark.parametrize("body", [{"productIds": ["1"]}, [1], {}, {"productIds": [1] * 2001}])
async def test_a_malformed_body_is_400(client: httpx.AsyncClient, body: object) -> None:
    assert (await client.post(f"/categories/{SHOES}/assignProducts", json=body)).status_code == 400


async def test_a_bad_token_or_another_store_is_403(client: httpx.AsyncClient) -> None:
    wrong = await client.get(f"/products/{PRINT}", headers={"Authorization": "Bearer other"})
    other = await client.get("http://shop/api/v3/1004/products")
    assert (wrong.status_code, other.status_code) == (403, 403)


async def test_our_own_write_echoes_as_product_and_category_only_if_something_changed(
    shop: EcwidShop, client: httpx.AsyncClient
) -> None:
    await write(client, "unassign", SHOES, RUNNER)
    await write(client, "unassign", SHOES, RUNNER)
    await client.put(f"/products/{RUNNER}", json={"enabled": True})
    assert [one.event for one in shop.deliveries] == ["product.updated", "category.updated"]


async def test_quantity_is_absent_when_unlimited_and_stock_may_be_a_variations(client: httpx.AsyncClient) -> None:
    card = (await client.get(f"/products/{CARD}")).json()
    top = (await client.get(f"/products/{TOP}")).json()
    boot = (await client.get(f"/products/{BOOT}")).json()
    assert "quantity" not in card and card["unlimited"] and card["inStock"]  # noqa: PT018 - one sentence
    assert (top["quantity"], top["inStock"]) == (0, True)
    assert (boot["inStock"], boot["outOfStockVisibilityBehaviour"]) == (False, "ALLOW_PREORDER")


async def test_a_product_that_becomes_unlimited_loses_its_quantity(shop: EcwidShop) -> None:
    shop.set_unlimited(PRINT)
    assert "quantity" not in shop.products[PRINT]
    shop.restock(PRINT, 4)
    assert (shop.products[PRINT]["quantity"], shop.products[PRINT]["unlimited"]) == (4, False)


async def test_many_products_are_read_at_once_and_the_unknown_are_left_out(client: httpx.AsyncClient) -> None:
    answer = (await client.get(f"/products?productId={PRINT},1,{CARD}&enabled=false")).json()
    assert [one["id"] for one in answer["items"]] == [PRINT, CARD]
    assert (answer["total"], answer["count"], answer["offset"], answer["limit"]) == (2, 2, 0, 100)


async def test_lists_are_paged_and_filtered(shop: EcwidShop, clock: ManualClock, client: httpx.AsyncClient) -> None:
    page = (await client.get("/products?limit=3&offset=6")).json()
    assert (page["total"], page["count"]) == (8, 2)
    clock.move(minutes=1)
    since = int(clock().timestamp())
    shop.sell_out(PRINT)
    newest = (await client.get(f"/products?updatedFrom={since}&sortBy=UPDATED_TIME_ASC")).json()
    empty = (await client.get(f"/products?categories={FEATURED}&inStock=false")).json()
    assert [one["id"] for one in newest["items"]] == [PRINT]
    assert [one["id"] for one in empty["items"]] == [PRINT, BOOT]
    assert (await client.get("/products?limit=many")).status_code == 400


async def test_hidden_categories_and_product_ids_are_shown_only_when_asked(client: httpx.AsyncClient) -> None:
    few = (await client.get("/categories")).json()["items"]
    all_ = (await client.get("/categories?productIds=true&hidden_categories=true")).json()["items"]
    assert len(all_) == len(few) + 1
    assert not any("productIds" in one for one in few)
    assert next(one for one in all_ if one["id"] == ACME) == {
        "id": ACME, "parentId": 9691096, "name": "Acme", "enabled": True, "productCount": 1, "productIds": [WALKER],
    }  # fmt: skip


async def test_the_product_count_lags(shop: EcwidShop, clock: ManualClock, client: httpx.AsyncClient) -> None:
    clock.move(hours=1)
    shop.unassign(WALKER, ACME)
    category = (await client.get(f"/categories/{ACME}?productIds=true")).json()
    assert (category["productCount"], category["productIds"]) == (1, [])
    clock.move(minutes=6)
    assert (await client.get(f"/categories/{ACME}")).json()["productCount"] == 0


async def test_a_product_can_be_hidden_and_its_brand_cleared_by_put(shop: EcwidShop, client: httpx.AsyncClient) -> None:
    body = {"enabled": False, "attributes": [{"alias": "BRAND", "value": ""}]}
    assert (await client.put(f"/products/{WALKER}", json=body)).json() == {"updateCount": 1}
    product = (await client.get(f"/products/{WALKER}")).json()
    assert (product["enabled"], [one["value"] for one in product["attributes"]]) == (False, [""])
    assert (await client.put("/products/1", json=body)).status_code == 404
    assert (await client.put(f"/products/{WALKER}", json=[])).status_code == 400


async def test_a_put_of_categories_replaces_them(shop: EcwidShop, client: httpx.AsyncClient) -> None:
    await client.put(f"/products/{RUNNER}", json={"categoryIds": [ACME]})
    assert (await client.get(f"/products/{RUNNER}")).json()["categoryIds"] == [ACME]
    assert [one.event for one in shop.deliveries] == ["product.updated"] + ["category.updated"] * 3


async def test_a_person_clears_a_brand_in_either_form(shop: EcwidShop) -> None:
    shop.set_brand(WALKER, None)
    assert shop.products[WALKER]["attributes"] == []
    shop.set_brand(WALKER, " ")
    assert shop.products[WALKER]["attributes"][0]["value"] == " "
    assert [one.event for one in shop.deliveries] == ["product.updated"] * 2


async def test_deleted_products_are_gone_and_listed(shop: EcwidShop, client: httpx.AsyncClient) -> None:
    shop.delete_product(PRINT)
    assert (await client.get(f"/products/{PRINT}")).status_code == 404
    deleted = (await client.get("/products/deleted?from_date=1")).json()
    assert [one["id"] for one in deleted["items"]] == [PRINT]
    assert str(PRINT) not in shop.memberships()[str(FEATURED)]


async def test_a_deleted_category_promotes_what_was_only_in_it(shop: EcwidShop) -> None:
    shop.delete_category(FEATURED)
    assert shop.memberships()["0"] == [str(PRINT), str(CARD)]


async def test_the_signature_covers_the_time_and_the_event_only(shop: EcwidShop) -> None:
    shop.publish_category(SHOES, False)
    hook = shop.deliveries[0]
    body = json.loads(hook.body)
    message = f"{body['eventCreated']}.{body['eventId']}".encode()
    expected = base64.b64encode(hmac.new(b"web-client-secret", message, hashlib.sha256).digest()).decode()
    assert shop.headers_for(hook) == {"X-Ecwid-Webhook-Signature": expected}
    assert body == {
        "eventId": body["eventId"], "eventCreated": 1769853600, "storeId": 1003, "entityId": SHOES,
        "eventType": "category.updated",
    }  # fmt: skip
    assert hook.query == {"eventtype": "category.updated"}
    forged = shop.webhook("product.updated", 5, storeId=9)
    assert json.loads(forged.body)["storeId"] == 9
