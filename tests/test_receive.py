"""The door: genuine deliveries are durable before they are answered, and nothing else gets in."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
import sqlalchemy as sa
from front import (
    APP_SECRET,
    FORGED_KEY,
    GENUINE,
    KEY,
    NOW,
    OLD_APP_SECRET,
    OTHER_APP_SECRET,
    STORES,
    Front,
    Posted,
    by_ecwid,
    by_middleware,
    by_zid,
    count,
    front,
    raw,
)
from sqlalchemy.engine import Connection
from starlette.types import Message, Receive, Scope, Send
from structlog.testing import capture_logs

from rules_engine.database import inbox as stored
from rules_engine.database.engine import Database
from rules_engine.database.inbox import DeliveryState
from rules_engine.database.tables import deliveries
from rules_engine.receive import LARGEST
from rules_engine.vendors import VENDORS

pytestmark = pytest.mark.anyio


@pytest.fixture
async def door(tmp_path: Path) -> AsyncIterator[Front]:
    async with front(tmp_path / "door.db") as door:
        yield door


# Taken


@pytest.mark.parametrize("alias", GENUINE)
async def test_a_genuine_delivery_is_stored_as_it_came_and_answered_with_its_id(door: Front, alias: str) -> None:
    answer = await door.post(alias, GENUINE[alias])
    assert (answer.status_code, answer.json()) == (200, {"delivery": "d1"})
    (found,) = door.stored()
    assert (found.state, found.door, found.delivery.store) == (DeliveryState.PENDING, alias, alias)
    assert (found.delivery.body, found.delivery.received_at) == (GENUINE[alias].body, NOW)
    assert len(found.subjects) == 1
    assert door.counted(alias, "accepted") == 1


@pytest.mark.parametrize("alias", GENUINE)
async def test_what_is_stored_means_the_same_as_what_came(door: Front, alias: str) -> None:
    await door.post(alias, GENUINE[alias])
    (found,) = door.stored()
    vendor = next(VENDORS[one.settings.vendor](one.settings) for one in STORES if one.alias == alias)
    events = vendor.normalise(found.delivery).events
    assert [event.subject for event in events] == list(found.subjects)
    assert [event.vendor_type for event in events] == [found.vendor_type]


async def test_no_credential_and_no_token_is_stored(door: Front) -> None:
    for alias, posted in GENUINE.items():
        await door.post(alias, posted)
    everything = repr(door.database.read_now(lambda c: c.execute(sa.select(deliveries)).all()))
    for secret in ("hush", "authorization", "signature", "Basic", APP_SECRET, KEY):
        assert secret.lower() not in everything.lower()
    kept = {str(one.door): (set(one.delivery.headers), dict(one.delivery.query)) for one in door.stored()}
    assert kept["ksa"] == (set(), {"event": "product.update"})
    assert kept["web"] == (set(), {"eventtype": "product.updated"})
    assert kept["b2b"] == ({"webhook-id", "webhook-timestamp"}, {})


async def test_the_commit_comes_before_the_answer(door: Front, tmp_path: Path) -> None:
    other = Database.from_url(f"sqlite:///{tmp_path / 'door.db'}")
    seen: list[int] = []

    async def watched(scope: Scope, receive: Receive, send: Send) -> None:
        async def watch(message: Message) -> None:
            if message["type"] == "http.response.start":
                seen.append(len(other.read_now(stored.recent)))
            await send(message)

        await door.app(scope, receive, watch)

    async with httpx.AsyncClient(transport=httpx.ASGITransport(watched), base_url="http://engine") as client:
        await client.post("/webhooks/ksa", content=by_zid().body, headers=dict(by_zid().headers))
    assert seen == [1]
    other.close()


async def test_a_repeated_delivery_is_answered_with_the_first_ones_id(door: Front) -> None:
    for alias, posted in GENUINE.items():
        first = await door.post(alias, posted)
        again = await door.post(alias, posted)
        assert (again.status_code, again.json()) == (200, first.json())
        assert door.counted(alias, "duplicate") == 1
    assert len(door.stored()) == len(GENUINE)
    assert door.registry.get_sample_value("rules_engine_duplicates_total", {"store": "web"}) == 1


async def test_a_body_without_a_time_is_a_duplicate_for_a_minute_only(door: Front) -> None:
    await door.post("ksa", by_zid())
    door.clock.now = NOW + timedelta(seconds=59)
    assert (await door.post("ksa", by_zid())).json() == {"delivery": "d1"}
    door.clock.now = NOW + timedelta(seconds=61)
    assert (await door.post("ksa", by_zid())).json() == {"delivery": "d3"}


async def test_many_at_once_share_few_commits(door: Front) -> None:
    commits: list[Connection] = []
    sa.event.listen(door.database.writer, "commit", commits.append)
    answers = await asyncio.gather(*(door.post("b2b", by_middleware(id_=f"msg_{n}")) for n in range(200)))
    assert {answer.status_code for answer in answers} == {200}
    assert door.database.read_now(count) == 200
    assert len(commits) < 20


@pytest.mark.parametrize(
    ("alias", "posted"),
    [
        ("web", by_ecwid(type_="order.created")),
        ("ksa", Posted(by_zid().body, by_zid().headers, {"event": "order.create"})),
        ("b2b", by_middleware(b'{"type": "invoice.paid", "data": {}}')),
        ("b2b", by_middleware(b'{"type": "product.updated", "data": {"_id": "p1", "tenant": "another"}}')),
    ],
)
async def test_what_no_rule_can_be_about_is_ignored_and_its_body_not_stored(
    door: Front, alias: str, posted: Posted
) -> None:
    assert (await door.post(alias, posted)).status_code == 200
    (found,) = door.stored()
    assert (found.state, found.has_body) == (DeliveryState.IGNORED, False)
    assert found.reason
    assert door.counted(alias, "ignored") == 1


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[]", b"NaN", b"[" * 200 + b"]" * 200, b"[" * 200_000])
async def test_a_genuine_body_that_cannot_be_read_is_kept_and_answered_with_200(door: Front, body: bytes) -> None:
    for alias, posted in (("ksa", by_zid(body)), ("b2b", by_middleware(body)), ("brands", by_middleware(body))):
        assert (await door.post(alias, posted)).status_code == 200
        assert door.counted(alias, "unreadable") == 1
    assert [(one.state, one.delivery.body) for one in door.stored()] == [(DeliveryState.UNREADABLE, body)] * 3


# One door for many shops


async def test_any_alias_is_a_door_for_every_store_with_the_same_client_secret(door: Front) -> None:
    await door.post("outlet", by_ecwid(shop=1003))
    await door.post("web", by_ecwid(shop=1004, event="e-2", secret=OLD_APP_SECRET))
    assert [(one.door, one.delivery.store) for one in door.stored()] == [("outlet", "web"), ("web", "outlet")]


async def test_a_delivery_that_comes_through_two_doors_is_one_delivery(door: Front) -> None:
    first = await door.post("web", by_ecwid())
    assert (await door.post("outlet", by_ecwid())).json() == first.json()


@pytest.mark.parametrize("shop", [1005, 9999, "1003 ", -1])
async def test_a_shop_that_is_not_of_this_app_is_ignored(door: Front, shop: object) -> None:
    assert (await door.post("web", by_ecwid(shop=shop))).status_code == 200
    (found,) = door.stored()
    is_ours = str(shop).strip() == "1003"
    assert found.state is (DeliveryState.PENDING if is_ours else DeliveryState.IGNORED)
    assert found.delivery.store == ("web" if is_ours else "")


async def test_another_apps_secret_opens_no_other_door(door: Front) -> None:
    assert (await door.post("web", by_ecwid(secret=OTHER_APP_SECRET, shop=1005))).status_code == 401
    assert (await door.post("elsewhere", by_ecwid(secret=OTHER_APP_SECRET, shop=1005))).status_code == 200
    assert [one.delivery.store for one in door.stored()] == ["elsewhere"]


async def test_a_body_that_does_not_name_its_shop_is_kept_where_it_came_in(door: Front) -> None:
    assert (await door.post("web", by_ecwid(shop=None))).status_code == 200
    (found,) = door.stored()
    assert (found.state, found.delivery.store) == (DeliveryState.UNREADABLE, "web")


# Refused


@pytest.mark.parametrize(
    ("alias", "posted"),
    [
        ("web", by_ecwid(secret="forged")),
        ("web", by_ecwid(secret="")),
        ("web", by_ecwid(at=NOW - timedelta(hours=26))),
        ("web", by_ecwid(at=NOW + timedelta(minutes=6))),
        ("web", Posted(b"{")),
        ("web", Posted(b"[" * 200_000, by_ecwid().headers)),
        ("web", Posted(by_ecwid().body)),
        ("ksa", by_zid(password="forged")),
        ("ksa", by_zid(password="")),
        ("ksa", Posted(b"{}", {}, {"token": "password"})),
        ("ksa", Posted(b"{}", {"Authorization": "Basic ?"})),
        ("b2b", by_middleware(key=FORGED_KEY)),
        ("b2b", by_middleware(at=NOW - timedelta(minutes=6))),
        ("b2b", by_middleware(at=NOW + timedelta(minutes=6))),
        ("b2b", Posted(b'{"another": "body"}', by_middleware().headers)),
        ("brands", Posted(b"{}")),
    ],
)
async def test_forged_and_stale_deliveries_are_refused_and_nothing_is_stored(
    door: Front, alias: str, posted: Posted
) -> None:
    answer = await door.post(alias, posted)
    assert answer.status_code == 401
    assert answer.json()["error"].endswith(".")
    assert door.stored() == []
    assert door.counted(alias, "not genuine") == 1


async def test_an_unknown_store_is_not_found_and_not_counted_by_its_name(door: Front) -> None:
    for alias in ("nobody", "web ", "%00", "WEB"):
        answer = await door.client.post(f"/webhooks/{alias}", content=by_ecwid().body)
        assert (answer.status_code, list(answer.json())) == (404, ["error"])
        assert (await door.client.get(f"/webhooks/{alias}")).status_code == 404
    assert door.stored() == []
    assert door.counted("", "unknown store") == 4


async def test_a_store_without_its_secrets_asks_the_shop_to_come_again(door: Front) -> None:
    answer = await door.post("later", by_ecwid(secret="", shop=1006))
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "30")
    assert "not configured yet" in answer.json()["error"]
    assert "LATER_" not in answer.text  # which variables are missing is no stranger's
    assert door.stored() == []


@pytest.mark.parametrize("encoding", ["gzip", "br", "identity, gzip", "GZIP"])
async def test_compressed_bodies_are_refused_before_they_are_read(door: Front, encoding: str) -> None:
    posted = Posted(by_zid().body, {**by_zid().headers, "Content-Encoding": encoding})
    assert (await door.post("ksa", posted)).status_code == 415
    assert door.stored() == []


async def test_a_body_said_to_be_as_it_is_is_taken(door: Front) -> None:
    posted = Posted(by_zid().body, {**by_zid().headers, "Content-Encoding": "Identity"})
    assert (await door.post("ksa", posted)).status_code == 200


@pytest.mark.parametrize(("size", "status"), [(LARGEST, 200), (LARGEST + 1, 413)])
async def test_a_body_is_at_most_a_mebibyte(door: Front, size: int, status: int) -> None:
    assert (await door.post("ksa", by_zid(bytes(size)))).status_code == status


async def test_a_body_that_hides_its_size_is_cut_off_while_it_is_read(door: Front) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += 65536
            yield bytes(65536)

    answer = await door.client.post("/webhooks/ksa", content=endless(), headers=dict(by_zid().headers))
    assert (answer.status_code, answer.headers["connection"]) == (413, "close")
    assert sent <= LARGEST + 2 * 65536


@pytest.mark.parametrize("length", ["99999999999999999999", "1048577", "²", "-1", "x"])
async def test_a_content_length_is_believed_only_when_it_is_too_large(door: Front, length: str) -> None:
    headers = [
        (b"content-length", length.encode("latin-1")),
        *((k.lower().encode(), v.encode()) for k, v in by_zid().headers.items()),
    ]
    status = await raw(door.app, "/webhooks/ksa", headers, [{"type": "http.request", "body": by_zid().body}])
    assert status == (413 if length.isascii() and length.isdecimal() else 200)


async def test_a_request_that_does_not_arrive_in_time_is_given_up(tmp_path: Path) -> None:
    async def stuck() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.Event().wait()

    async with front(tmp_path / "slow.db", patience=0.01) as door:
        answer = await door.client.post("/webhooks/ksa", content=stuck(), headers=dict(by_zid().headers))
        assert (answer.status_code, answer.headers["connection"]) == (408, "close")
        assert door.counted("ksa", "too slow") == 1


async def test_a_client_that_goes_away_is_no_error(door: Front) -> None:
    half: Message = {"type": "http.request", "body": b"{", "more_body": True}
    with capture_logs() as logs:
        await raw(door.app, "/webhooks/ksa", [], [half, {"type": "http.disconnect"}])
    assert logs == []
    assert door.stored() == []
    assert door.counted("ksa", "disconnected") == 1


# Too much, and failures


@pytest.mark.parametrize(("alias", "status"), [("web", 503), ("ksa", 429), ("b2b", 503)])
async def test_a_full_inbox_asks_the_shop_to_come_again(tmp_path: Path, alias: str, status: int) -> None:
    async with front(tmp_path / "full.db", limit=0) as door:
        answer = await door.post(alias, GENUINE[alias])
        assert (answer.status_code, answer.headers["retry-after"]) == (status, "30")
        assert door.counted(alias, "busy") == 1
        assert door.stored() == []


async def test_a_failed_commit_is_answered_with_503_and_the_next_delivery_is_taken(door: Front) -> None:
    def limit_the_disk(connection: Connection) -> None:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")

    door.database.write_now(limit_the_disk)
    answer = await door.post("b2b", by_middleware(bytes(100_000)))
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "30")
    assert "full" not in answer.text  # what is wrong here is nothing to tell a shop
    door.database.write_now(lambda connection: connection.exec_driver_sql("PRAGMA max_page_count = 100000"))
    assert (await door.post("b2b", by_middleware(bytes(100_000)))).status_code == 200
    assert len(door.stored()) == 1


async def test_while_the_database_is_busy_the_door_waits_and_then_answers(door: Front) -> None:
    release = threading.Event()
    busy = asyncio.create_task(door.database.write(lambda _connection: release.wait(timeout=10)))
    asked = [asyncio.create_task(door.post("b2b", by_middleware(id_=f"msg_{n}"))) for n in range(3)]
    done, _ = await asyncio.wait(asked, timeout=0)
    assert not done
    release.set()
    assert [(await one).status_code for one in asked] == [200] * 3
    assert await busy


# Asked whether it is there


async def test_a_shop_that_asks_whether_somebody_is_there_gets_an_answer(door: Front) -> None:
    answer = await door.client.get("/webhooks/ksa?event=product.update")
    assert (answer.status_code, answer.json()) == (200, {"store": "ksa", "ready": True})
    assert (await door.client.get("/webhooks/later")).json() == {"store": "later", "ready": False}
