"""Zid's traps, as the sandbox sets them."""

from __future__ import annotations

import json

import httpx
import pytest

from rules_engine.sandbox import ManualClock, ZidShop, numbered
from rules_engine.sandbox.zid_catalogue import HAT, HAT_SMALL, PERFUME, SANDAL, SHIRT, SUMMER, VOUCHER

pytestmark = pytest.mark.anyio

CATEGORIES = "/v1/managers/store/categories"
HEADERS = {
    "Authorization": "Bearer ksa-authorization",
    "X-Manager-Token": "ksa-manager-token",
    "Access-Token": "ksa-manager-token",
}


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def shop(clock: ManualClock) -> ZidShop:
    return ZidShop.sample(now=clock, new_id=numbered())


@pytest.fixture
def client(shop: ZidShop) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(shop.app), base_url="http://shop", headers=HEADERS)


async def test_detaching_takes_all_members_and_answers_with_the_old_count(
    shop: ZidShop, client: httpx.AsyncClient
) -> None:
    answer = await client.delete(f"{CATEGORIES}/{SUMMER}/products/delete")
    assert (answer.status_code, answer.json()["status"]) == (200, "object")
    assert answer.json()["category"]["products_count"] == 4
    assert shop.memberships()[str(SUMMER)] == []
    assert (await client.get(f"{CATEGORIES}/{SUMMER}/view")).json()["categories"]["products_count"] == 0
    assert [one.event for one in shop.deliveries] == ["product.update"] * 4


async def test_a_blank_category_in_the_url_is_404(shop: ZidShop, client: httpx.AsyncClient) -> None:
    assert (await client.delete(f"{CATEGORIES}//products/delete")).status_code == 404
    assert shop.calls[0].status == 404


@pytest.mark.parametrize("header", list(HEADERS))
async def test_a_bad_token_redirects_to_a_login_page(client: httpx.AsyncClient, header: str) -> None:
    paths = {"X-Manager-Token": [CATEGORIES], "Access-Token": ["/v1/products/"]}
    for path in paths.get(header, [CATEGORIES, "/v1/products/"]):
        answer = await client.get(path, headers={header: "wrong"})
        assert (answer.status_code, answer.headers["location"]) == (302, "/login")


async def test_categories_are_a_tree_with_numbers_for_ids_and_products_name_them_by_text(
    client: httpx.AsyncClient,
) -> None:
    tree = (await client.get(CATEGORIES)).json()["categories"]
    product = (await client.get(f"/v1/products/{SHIRT}/")).json()
    assert [one["id"] for one in tree] == [540, 541, 543]
    assert tree[1]["sub_categories"][0]["id"] == 542
    assert tree[2]["names"] == {"ar": "هدايا"}
    assert [one["id"] for one in product["categories"]] == ["540"]


async def test_a_parent_shows_nothing_while_its_variants_have_stock(client: httpx.AsyncClient) -> None:
    hat = (await client.get(f"/v1/products/{HAT}/")).json()
    voucher = (await client.get(f"/v1/products/{VOUCHER}/")).json()
    assert (hat["structure"], hat["quantity"]) == ("parent", 0)
    assert [one["quantity"] for one in hat["variants"]] == [3, 5]
    assert (voucher["quantity"], voucher["is_infinite"]) == (None, True)


async def test_a_sold_out_parent_is_sold_out_in_its_children_which_announce_themselves(shop: ZidShop) -> None:
    shop.sell_out(HAT)
    bodies = [json.loads(one.body) for one in shop.deliveries]
    assert [(one["structure"], one["parent_id"], one["quantity"]) for one in bodies] == [("child", HAT, 0)] * 2


async def test_lists_are_paged_and_next_is_an_absolute_http_url(client: httpx.AsyncClient) -> None:
    first = (await client.get("/v1/products/?page=1&page_size=3")).json()
    last = (await client.get("/v1/products/?page=2&page_size=3")).json()
    assert first["next"] == "http://api.zid.invalid/v1/products/?page=2&page_size=3"
    assert (first["count"], last["next"], len(last["results"])) == (5, None, 2)
    assert (await client.get("/v1/products/?page=9")).json() == {"detail": "Invalid page."}


async def test_products_are_read_by_their_ids_children_too(client: httpx.AsyncClient) -> None:
    found = (await client.get(f"/v1/products/?id__in={HAT_SMALL},none,{SHIRT}")).json()["results"]
    assert [one["id"] for one in found] == [HAT_SMALL, SHIRT]


async def test_one_membership_is_added_and_removed(shop: ZidShop, client: httpx.AsyncClient) -> None:
    path = f"/v1/products/{SANDAL}/categories/"
    assert (await client.post(path, json={"id": 540})).status_code == 200
    assert (await client.patch(path + "bulk-add/", json={"ids": [540, 543]})).status_code == 200
    assert [(await client.delete(path + "540/")).status_code for _ in range(2)] == [204, 404]
    assert [one["id"] for one in shop.shown(SANDAL)["categories"]] == ["542", "543"]
    assert (await client.post(path, json={"id": 999})).json() == {"detail": "Not found."}
    assert len(shop.deliveries) == 3


async def test_removing_an_absent_membership_may_also_answer_204(clock: ManualClock) -> None:
    shop = ZidShop(now=clock, new_id=numbered(), absent_status=204).with_sample()
    client = httpx.AsyncClient(transport=httpx.ASGITransport(shop.app), base_url="http://shop", headers=HEADERS)
    assert (await client.delete(f"/v1/products/{SANDAL}/categories/540/")).status_code == 204


async def test_publishing_takes_text_and_echoes_only_a_change(shop: ZidShop, client: httpx.AsyncClient) -> None:
    path = f"{CATEGORIES}/{SUMMER}/publishing"
    assert (await client.put(path, json={"is_published": 0})).status_code == 422
    for _ in range(2):
        answer = await client.put(path, json={"is_published": "0"})
        assert answer.json()["category"]["is_published"] is False
    body = json.loads(shop.deliveries[0].body)
    assert [one.event for one in shop.deliveries] == ["category.update"]
    assert (body["id"], body["store_id"], "eventType" in body) == (540, 37213, False)


async def test_products_are_patched_alone_and_at_most_fifty_together(shop: ZidShop, client: httpx.AsyncClient) -> None:
    one = await client.patch(f"/v1/products/{SHIRT}/", json={"is_published": False})
    many = await client.patch("/v1/products/", json=[{"id": SHIRT, "quantity": 2}, {"id": PERFUME, "quantity": 1}])
    too_many = await client.patch("/v1/products/", json=[{"id": SHIRT}] * 51)
    assert (one.json()["is_published"], [one["quantity"] for one in many.json()]) == (False, [2, 1])
    assert (too_many.status_code, too_many.json()["error"]["code"]) == (400, "400")
    shop.edit_product(SHIRT, is_published=True)
    assert [hook.event for hook in shop.deliveries][-2:] == ["product.update", "product.publish"]


async def test_the_sixty_first_call_of_a_minute_is_refused(clock: ManualClock, client: httpx.AsyncClient) -> None:
    statuses = [(await client.get(f"/v1/products/{SHIRT}/")).status_code for _ in range(61)]
    clock.move(seconds=1)
    later = await client.get(f"/v1/products/{SHIRT}/")
    assert (statuses.count(200), statuses[-1], later.status_code) == (60, 429, 200)


async def test_a_delivery_is_a_bare_resource_with_basic_and_the_event_in_the_query(shop: ZidShop) -> None:
    shop.edit_product(PERFUME, price=60.0)
    hook = shop.deliveries[0]
    body = json.loads(hook.body)
    assert shop.headers_for(hook) == {"Authorization": "Basic ZW5naW5lOmtzYS13ZWJob29rLXBhc3N3b3Jk"}
    assert hook.query == {"event": "product.update"}
    assert (body["id"], body["store_id"], body["name"]) == (PERFUME, 37213, {"ar": "عطر العود"})


async def test_thirty_failures_suspend_the_webhook_and_discard_what_waits_but_429_does_not(
    shop: ZidShop, clock: ManualClock
) -> None:
    status = 429
    client = httpx.AsyncClient(transport=httpx.MockTransport(lambda request: httpx.Response(status)))
    shop.max_attempts = 99
    shop.sell_out(SHIRT)
    for _ in range(40):
        await shop.deliver(client, "http://engine/")
    assert not shop.is_suspended
    status = 500
    for _ in range(30):
        shop.restock(SHIRT, len(shop.answered))
        await shop.deliver_out_of_order(client, "http://engine/", [len(shop.deliveries) - 1])
        if shop.is_suspended:
            break
    assert (shop.is_suspended, shop.deliveries) == (True, [])
    clock.move(hours=2)
    shop.sell_out(SHIRT)
    assert len(shop.deliveries) == 1


async def test_a_deleted_category_leaves_its_products_and_a_deleted_parent_takes_its_children(shop: ZidShop) -> None:
    shop.delete_category(SUMMER)
    shop.delete_product(HAT)
    assert HAT_SMALL not in shop.products
    assert shop.products[SHIRT]["category_ids"] == []
    assert [one.event for one in shop.deliveries] == ["category.delete"] + ["product.delete"] * 3
