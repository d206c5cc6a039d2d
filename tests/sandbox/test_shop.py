"""What every sandbox shop does: logs, faults, limits, deliveries, and the doors for other processes."""

from __future__ import annotations

import asyncio
import json

import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Mount
from starlette.types import Receive, Scope, Send

from rules_engine.sandbox import SHOPS, AximShop, EcwidShop, Fault, ManualClock, Shop, ZaveShop, ZidShop, numbered
from rules_engine.sandbox.server import build_app, serve, serve_app

pytestmark = pytest.mark.anyio

ASSIGN = "/api/v3/1003/categories/9691095/assignProducts"
SHOES = "9691095"
BODY = {"productIds": [37208341]}


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def shop(clock: ManualClock) -> EcwidShop:
    return EcwidShop.sample(now=clock, new_id=numbered())


def caller(shop: Shop) -> httpx.AsyncClient:
    headers = {"Authorization": "Bearer secret_web_token"}
    return httpx.AsyncClient(transport=httpx.ASGITransport(shop.app), base_url="http://shop", headers=headers)


class Door:
    """Takes webhooks, and answers with the given statuses in turn and then with 200."""

    def __init__(self, *statuses: int) -> None:
        self.statuses = list(statuses)
        self.got: list[httpx.Request] = []
        self.client = httpx.AsyncClient(transport=httpx.MockTransport(self._take))

    def _take(self, request: httpx.Request) -> httpx.Response:
        status = self.statuses.pop(0) if self.statuses else 200
        if not status:
            raise httpx.ConnectError("nobody is there")
        self.got.append(request)
        return httpx.Response(status)

    @property
    def ids(self) -> list[str]:
        """The id of each event, as they came."""
        return [json.loads(request.read())["eventId"] for request in self.got]


def members(shop: Shop) -> list[str]:
    return shop.memberships()[SHOES]


async def test_a_call_is_remembered_with_its_number_body_and_status(shop: EcwidShop) -> None:
    seen: list[int] = []
    shop.on_call = lambda call: seen.append(call.number)
    await caller(shop).get("/api/v3/1003/products/1")
    await caller(shop).post(ASSIGN, json=BODY)
    assert [(one.number, one.method, one.status) for one in shop.calls] == [(1, "GET", 404), (2, "POST", 200)]
    assert [(one.path, one.body) for one in shop.writes] == [(ASSIGN, BODY)]
    assert seen == [1, 2]


async def test_faults_are_used_up_in_order_by_the_calls_they_concern(shop: EcwidShop) -> None:
    shop.faults += [
        Fault(status=409, path="/unassign"),
        Fault(status=503, where="write", times=2),
        Fault(status=429, headers={"Retry-After": "2"}),
    ]
    read = await caller(shop).get("/api/v3/1003/products/37208341")
    statuses = [(await caller(shop).post(ASSIGN, json=BODY)).status_code for _ in range(3)]
    assert (read.status_code, read.headers["retry-after"]) == (429, "2")
    assert statuses == [503, 503, 200]
    assert [one.status for one in shop.used_faults] == [429, 503, 503]
    assert shop.writes[0].note == "fault: answer"


async def test_an_answer_may_be_lost_after_the_deed(shop: EcwidShop) -> None:
    shop.faults.append(Fault.drop_after_applying())
    with pytest.raises(httpx.RemoteProtocolError):
        await caller(shop).post(ASSIGN, json=BODY)
    assert "37208341" in members(shop)
    assert (shop.writes[0].status, shop.writes[0].note) == (0, "fault: drop after doing it")


async def test_a_connection_may_break_before_the_deed(shop: EcwidShop) -> None:
    shop.faults.append(Fault.drop_before_applying())
    with pytest.raises(httpx.RemoteProtocolError):
        await caller(shop).post(ASSIGN, json=BODY)
    assert "37208341" not in members(shop)


async def test_a_lie_looks_like_success_and_changes_and_announces_nothing(shop: EcwidShop) -> None:
    shop.faults.append(Fault.lie())
    answer = await caller(shop).post(ASSIGN, json=BODY)
    assert (answer.status_code, answer.json()) == (200, {"updateCount": 1})
    assert "37208341" not in members(shop)
    assert not shop.deliveries


async def test_only_some_products_of_a_call_may_be_done(shop: EcwidShop) -> None:
    shop.faults.append(Fault.partial(1))
    answer = await caller(shop).post(ASSIGN, json={"productIds": [37208341, 37208342]})
    assert answer.status_code == 500
    assert "37208341" in members(shop)
    assert "37208342" not in members(shop)


async def test_garbage_is_200_with_broken_json(shop: EcwidShop) -> None:
    shop.faults.append(Fault.garbage())
    answer = await caller(shop).post(ASSIGN, json=BODY)
    assert answer.status_code == 200
    with pytest.raises(ValueError, match="Expecting"):
        answer.json()
    assert "37208341" in members(shop)


async def test_a_slow_call_waits_for_its_gate(shop: EcwidShop) -> None:
    gate = asyncio.Event()
    shop.faults.append(Fault.slow(gate, where="write"))
    slow = asyncio.create_task(caller(shop).post(ASSIGN, json=BODY))
    fast = await caller(shop).get("/api/v3/1003/products/37208341")
    assert fast.status_code == 200
    assert not slow.done() and "37208341" not in members(shop)  # noqa: PT018 - one sentence
    gate.set()
    assert (await slow).json() == {"updateCount": 1}


async def test_a_login_page_waits_for_whoever_follows_redirects(shop: EcwidShop) -> None:
    shop.faults.append(Fault.login())
    answer = await caller(shop).get("/api/v3/1003/products/37208341")
    assert (answer.status_code, answer.headers["location"]) == (302, "/login")
    assert (await caller(shop).get("/login")).status_code == 200


async def test_the_rate_is_limited_and_hammering_lengthens_the_block(clock: ManualClock) -> None:
    shop = EcwidShop(now=clock, new_id=numbered(), rate_per_minute=2).with_sample()
    path = "/api/v3/1003/products/37208341"
    answers = [await caller(shop).get(path) for _ in range(4)]
    assert [one.status_code for one in answers] == [200, 200, 429, 429]
    assert int(answers[3].headers["retry-after"]) > int(answers[2].headers["retry-after"])
    clock.move(minutes=2)
    assert (await caller(shop).get(path)).status_code == 200


async def test_webhooks_arrive_in_order_and_what_is_not_taken_is_sent_again_first(shop: EcwidShop) -> None:
    door = Door(200, 503, 0)
    for pieces in (1, 2, 4):
        shop.restock(37208341, pieces)
    first, second, third = [one.id for one in shop.deliveries]
    answers = await shop.deliver(door.client, "http://engine/webhooks/web?token=x")
    shop.restock(37208341, 5)
    fourth = shop.deliveries[-1].id
    await shop.deliver(door.client, "http://engine/webhooks/web?token=x")
    assert [one.status for one in answers] == [200, 503, 0]
    assert door.ids == [first, second, second, third, fourth]
    assert door.got[0].url.query == b"token=x&eventtype=product.updated"
    assert not shop.deliveries


async def test_webhooks_can_be_repeated_reordered_and_lost(shop: EcwidShop) -> None:
    door = Door()
    for pieces in (1, 2, 4):
        shop.restock(37208341, pieces)
    first, second, third = [one.id for one in shop.deliveries]
    await shop.deliver_out_of_order(door.client, "http://engine/", [2, 0])
    await shop.redeliver_last(door.client, "http://engine/")
    assert door.ids == [third, first, first]
    assert [one.id for one in shop.deliveries] == [second]


async def test_what_was_not_taken_goes_before_what_still_waits(shop: EcwidShop) -> None:
    for pieces in (1, 2):
        shop.restock(37208341, pieces)
    before = [one.id for one in shop.deliveries]
    await shop.deliver_out_of_order(Door(503).client, "http://engine/", [0])
    assert [(one.id, one.attempts) for one in shop.deliveries] == [(before[0], 1), (before[1], 0)]


async def test_a_webhook_that_is_never_taken_is_given_up(shop: EcwidShop) -> None:
    shop.max_attempts = 2
    shop.restock(37208341, 1)
    door = Door(500, 500)
    await shop.deliver(door.client, "http://engine/")
    await shop.deliver(door.client, "http://engine/")
    assert [one.event for one in shop.lost] == ["product.updated"]
    assert not shop.deliveries


async def test_webhooks_leave_by_themselves_while_somebody_keeps_delivering(shop: EcwidShop) -> None:
    arrived = asyncio.Event()
    shop.on_answer = lambda answer: arrived.set()
    running = asyncio.create_task(shop.keep_delivering(Door().client, "http://engine/"))
    shop.sell_out(37208341)
    await asyncio.wait_for(arrived.wait(), 5)
    running.cancel()
    assert [one.status for one in shop.answered] == [200]


async def test_another_process_can_edit_break_and_look(shop: EcwidShop) -> None:
    client = caller(shop)
    edit = await client.post("/__sandbox/edit", json={"do": "sell_out", "with": ["37208341"]})
    await client.post("/__sandbox/edit", json={"do": "edit_product", "with": [37208341], "changes": {"name": "New"}})
    assert (await client.post("/__sandbox/edit", json={"do": "fill"})).status_code == 400
    assert (await client.post("/__sandbox/edit", json={"do": "sell_out", "with": [5]})).status_code == 400
    await client.post("/__sandbox/faults", json={"kind": "lie", "where": "write"})
    await client.post(ASSIGN, json=BODY)
    state = (await client.get("/__sandbox/state")).json()
    calls = (await client.get("/__sandbox/calls")).json()
    assert edit.json()["waiting"] == 1
    assert state["catalogue"]["products"]["37208341"]["name"] == "New"
    assert "37208341" not in state["memberships"][SHOES]
    assert [(one["path"], one["note"]) for one in calls] == [(ASSIGN, "fault: lie")]


async def test_four_shops_serve_on_loopback_and_break_connections_for_real(clock: ManualClock) -> None:
    shops = {shop.NAME: shop.sample(now=clock, new_id=numbered()) for shop in SHOPS}
    shops["ecwid"].faults.append(Fault.drop_after_applying(where="any"))
    async with serve(shops) as base_urls, httpx.AsyncClient() as client:
        assert base_urls.keys() == {"ecwid", "zid", "zave", "axim"}
        with pytest.raises(httpx.RemoteProtocolError):
            await client.get(base_urls["ecwid"] + "/api/v3/1003/products")
        for base_url in base_urls.values():
            assert (await client.get(base_url + "/__sandbox/state")).status_code == 200
        edit = {"do": "sell_out", "with": ["laptop-1"]}
        await client.post(base_urls["zave"] + "/__sandbox/edit", json=edit)
        sent = await client.post(base_urls["zave"] + "/__sandbox/deliver", json={"url": base_urls["axim"] + "/no"})
        assert [one["status"] for one in sent.json()["answers"]] == [401]


async def test_all_shops_can_stand_in_one_app(clock: ManualClock) -> None:
    shops = {shop.NAME: shop.sample(now=clock, new_id=numbered()) for shop in SHOPS}
    client = httpx.AsyncClient(transport=httpx.ASGITransport(build_app(shops)), base_url="http://shops")
    answer = await client.get(
        "/ecwid/api/v3/1003/products/37208341", headers={"Authorization": "Bearer secret_web_token"}
    )
    assert answer.json()["sku"] == "LP-1"


@pytest.mark.parametrize("shop", SHOPS)
def test_a_sample_shop_has_products_and_nothing_waits(shop: type[Shop], clock: ManualClock) -> None:
    one = shop.sample(now=clock, new_id=numbered())
    assert isinstance(one, EcwidShop | ZidShop | ZaveShop | AximShop)
    assert one.view()["products"]
    assert any(len(ids) >= 3 for ids in one.memberships().values())
    assert not one.deliveries


async def test_another_process_can_hold_a_call_and_let_it_go(shop: EcwidShop) -> None:
    headers = {"Authorization": "Bearer secret_web_token"}
    async with serve_app(shop.app) as base_url, httpx.AsyncClient(base_url=base_url, headers=headers) as client:
        await client.post("/__sandbox/faults", json={"kind": "slow", "where": "write"})
        call = asyncio.create_task(client.post(ASSIGN, json=BODY))
        async with asyncio.timeout(5):
            while not (await client.get("/__sandbox/state")).json()["used_faults"]:
                pass
        assert "37208341" not in members(shop)
        await client.post("/__sandbox/open")
        assert (await call).status_code == 200
    assert "37208341" in members(shop)


async def test_another_process_can_deliver_one_webhook_at_a_time_and_see_its_answer(shop: EcwidShop) -> None:
    seen: list[bytes] = []

    async def take(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append((await receive())["body"])
        await Response(b'{"delivery": "d1"}')(scope, receive, send)

    shop.sell_out(37208341)
    shop.restock(37208341, 2)
    async with serve_app(Starlette(routes=[Mount("/", app=take)])) as engine:
        sent = await caller(shop).post("/__sandbox/deliver", json={"url": engine, "at_most": 1})
    assert [one["answer"] for one in sent.json()["answers"]] == [{"delivery": "d1"}]
    assert (len(seen), sent.json()["waiting"]) == (1, 1)
