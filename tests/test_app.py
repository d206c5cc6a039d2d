"""The composed engine: what it does at start and at the end, and what operators see of it."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path

import httpx
import pytest
import sqlalchemy as sa
from engine_world import ENVIRONMENT, HOUSE
from sqlalchemy.engine import Connection

from rules_engine.app import RESTART_AFTER, Engine, Outside, build
from rules_engine.core.action import Request, Response
from rules_engine.core.delivery import Delivery, DeliveryId, StoreAlias
from rules_engine.core.errors import RulebookError, SettingsError
from rules_engine.core.plan import Notice
from rules_engine.core.rule import RuleCode
from rules_engine.core.subject import product
from rules_engine.database.arrivals import Arrival, insert, row_of
from rules_engine.database.inbox import pending_by_store
from rules_engine.database.lanes import load_lane, save_lane
from rules_engine.database.notices import GATHERED_FOR, add_notices
from rules_engine.database.rulebooks import active
from rules_engine.database.tables import activations
from rules_engine.dispatch.embedded import Embedded
from rules_engine.dispatch.port import RunLane
from rules_engine.lane.calls import Send
from rules_engine.reload import disk_changes
from rules_engine.sandbox import EcwidShop, ManualClock, numbered
from rules_engine.settings import Settings

pytestmark = pytest.mark.anyio
WEB = StoreAlias("web")
ADMIN = "letmein"


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def place(tmp_path: Path) -> Path:
    shutil.copytree(HOUSE / "rules", tmp_path / "rules")
    return tmp_path


def engine(
    place: Path,
    clock: ManualClock,
    *,
    runs_lanes: bool = False,
    send: Send | None = None,
    changes: Callable[[Path], AsyncGenerator[None, None]] = disk_changes,
    **environment: str,
) -> Engine:
    settings = Settings.from_environment(
        {"DATABASE_URL": f"sqlite:///{place / 'e.db'}", "RULES": str(place / "rules"), "ADMIN_TOKEN": ADMIN}
    )
    outside = Outside(now=clock, new_id=numbered(), chance=lambda: 0.5, changes=changes)
    given = {**ENVIRONMENT, **environment}
    return build(settings, environment=given, send=send, outside=outside, runs_lanes=runs_lanes)


@asynccontextmanager
async def running(made: Engine) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(made.app)
    async with (
        made.app.router.lifespan_context(made.app),
        httpx.AsyncClient(transport=transport, base_url="http://engine") as client,
    ):
        yield client


async def test_a_start_puts_the_rules_in_force_and_says_that_it_is_ready(place: Path, clock: ManualClock) -> None:
    made = engine(place, clock)
    async with running(made) as client:
        assert (await client.get("/healthz")).json() == {"alive": True}
        ready = await client.get("/readyz")
        assert (ready.status_code, ready.json()) == (200, {"ready": True, "stores": {}})
        assert await made.database.read(active) is not None


async def test_who_turned_the_sweeps_off_is_told_so(place: Path, clock: ManualClock) -> None:
    environment = {"DATABASE_URL": f"sqlite:///{place / 'e.db'}", "RULES": str(place / "rules"), "RECONCILE": "off"}
    made = build(Settings.from_environment(environment), environment=ENVIRONMENT, outside=Outside(now=clock))
    async with running(made) as client:
        ready = (await client.get("/readyz")).json()
        assert ready["ready"]
        assert ready["reconcile"].startswith("off: ")
    assert not any(lane.sweeps for lane in made.lanes.values())


async def test_wrong_rules_leave_the_door_open_and_say_where_they_are_wrong(place: Path, clock: ManualClock) -> None:
    (place / "rules" / "featured.yaml").write_text("rules:\n  x:\n    while: {product.stok: 0}\n    do: [hide]\n")
    async with running(engine(place, clock)) as client:
        ready = await client.get("/readyz")
        assert ready.status_code == 503
        assert "featured.yaml:3:13" in ready.json()["reason"]
        assert (await client.get("/webhooks/web")).status_code == 200


async def test_wrong_rules_do_not_replace_the_last_good_ones(place: Path, clock: ManualClock) -> None:
    async with running(engine(place, clock)):
        pass
    (place / "rules" / "featured.yaml").write_text("rules: [")
    made = engine(place, clock)
    async with running(made) as client:
        ready = await client.get("/readyz")
        assert ready.status_code == 200
        assert "featured.yaml:1:9" in ready.json()["refused_rules"]


async def test_wrong_stores_are_refused_before_the_first_request(place: Path, clock: ManualClock) -> None:
    stores = place / "rules" / "stores.yaml"
    stores.write_text(stores.read_text().replace("${WEB_TOKEN}", "secret_token"))
    with pytest.raises(RulebookError) as refused:
        engine(place, clock)
    assert [problem.code for problem in refused.value.problems] == ["literal-secret"]
    assert "secret_token" not in refused.value.problems[0].render()


async def test_no_stores_file_is_a_sentence(place: Path, clock: ManualClock) -> None:
    (place / "rules" / "stores.yaml").unlink()
    with pytest.raises(SettingsError, match=r"STORES names .*stores\.yaml, which cannot be read"):
        engine(place, clock)


async def test_a_store_without_its_webhook_secret_asks_for_delivery_later(place: Path, clock: ManualClock) -> None:
    async with running(engine(place, clock, WEB_CLIENT_SECRET="")) as client:
        ready = await client.get("/readyz")
        assert ready.status_code == 200
        assert "WEB_CLIENT_SECRET" in ready.json()["stores"]["web"]
        answer = await client.post("/webhooks/web", content=b"{}")
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "30")


async def test_a_store_without_its_token_takes_deliveries_and_they_wait(place: Path, clock: ManualClock) -> None:
    shop = EcwidShop.sample(now=clock, new_id=numbered("shop"))
    made = engine(place, clock, runs_lanes=True, WEB_TOKEN="")
    async with running(made) as client:
        shop.sell_out(37208339)
        await shop.deliver(client, "http://engine/webhooks/web")
        clock.move(minutes=5)
        ready = await client.get("/readyz")
        assert (ready.status_code, shop.answered[-1].status) == (200, 200)
        assert "WEB_TOKEN" in ready.json()["stores"]["web"]
        assert WEB in await made.database.read(pending_by_store)
    assert shop.calls == []


async def test_deliveries_that_wait_while_no_lane_runs_are_an_alarm(place: Path, clock: ManualClock) -> None:
    shop = EcwidShop.sample(now=clock, new_id=numbered("shop"))
    async with running(engine(place, clock)) as client:
        shop.sell_out(37208339)
        await shop.deliver(client, "http://engine/webhooks/web")
        assert (await client.get("/readyz")).status_code == 200
        clock.move(seconds=61)
        alarm = await client.get("/readyz")
        assert alarm.status_code == 503
        assert alarm.json()["reason"] == "1 delivery of web pending, the oldest for 61 s, and its lane does not run."


async def test_a_store_that_was_left_alone_long_ago_is_no_excuse_for_a_lane_that_does_not_run(
    place: Path, clock: ManualClock
) -> None:
    shop = EcwidShop.sample(now=clock, new_id=numbered("shop"))
    made = engine(place, clock)
    async with running(made) as client:
        shop.sell_out(37208339)
        await shop.deliver(client, "http://engine/webhooks/web")
        until = clock() + timedelta(minutes=5)
        await made.database.write(lambda c: save_lane(c, WEB, failures=5, blocked_until=until, last_turn_at=clock()))
        clock.move(minutes=4)
        left_alone = await client.get("/readyz")
        assert (left_alone.status_code, list(left_alone.json()["stores"])) == (200, ["web"])
        clock.move(minutes=2)
        soon = await client.get("/readyz")
        assert (soon.status_code, soon.json()["stores"]) == (200, {})
        clock.move(seconds=1)
        assert (await client.get("/readyz")).status_code == 503


async def test_deliveries_of_a_store_that_is_no_longer_configured_are_named_but_no_alarm(
    place: Path, clock: ManualClock
) -> None:
    made = engine(place, clock)
    async with running(made) as client:
        gone = StoreAlias("gone")
        row = row_of(Arrival(Delivery(DeliveryId("d-1"), gone, clock(), b"{}"), gone, gone, "key"))
        await made.database.write(lambda c: insert(c, rows=[row]))
        clock.move(seconds=61)
        ready = await client.get("/readyz")
        assert (ready.status_code, ready.json()["stores"]) == (
            200,
            {"gone": "no longer in stores.yaml, and 1 of its deliveries wait"},
        )


async def test_a_parked_store_is_named_and_tried_at_the_next_start(place: Path, clock: ManualClock) -> None:
    made = engine(place, clock)
    async with running(made) as client:
        later = clock() + timedelta(minutes=15)
        await made.database.write(
            lambda c: save_lane(c, WEB, parked_because="Ecwid refuses the token.", probe_at=later)
        )
        ready = await client.get("/readyz")
        assert (ready.status_code, ready.json()["stores"]) == (200, {"web": "parked: Ecwid refuses the token."})
        clock.move(minutes=1)
        await made.database.write(made._probe_parked)
        assert (await made.database.read(lambda c: load_lane(c, WEB))).probe_at == clock()


async def test_metrics_are_for_the_admin_only(place: Path, clock: ManualClock) -> None:
    async with running(engine(place, clock)) as client:
        assert (await client.get("/metrics")).status_code == 401
        wrong = await client.get("/metrics", headers={"Authorization": "Bearer other"})
        assert wrong.status_code == 401
        for odd in (ADMIN, f"Basic {ADMIN}", "Bearer", "Bearer "):
            assert (await client.get("/metrics", headers={"Authorization": odd})).status_code == 401
        await client.post("/webhooks/web", content=b"forged")
        right = await client.get("/metrics", headers={"Authorization": f"Bearer {ADMIN}"})
        assert right.status_code == 200
        assert 'rules_engine_deliveries_total{answer="not genuine",store="web"} 1.0' in right.text
        assert 'rules_engine_pending_deliveries{store="web"} 0.0' in right.text


async def test_metrics_without_a_database_are_a_sentence(place: Path, clock: ManualClock) -> None:
    made = engine(place, clock)
    async with running(made) as client:
        made.database.close()
        answer = await client.get("/metrics", headers={"Authorization": f"Bearer {ADMIN}"})
        assert (answer.status_code, answer.json()) == (
            503,
            {"error": "The database is closed: the engine is stopping."},
        )


async def test_without_an_admin_token_there_are_no_metrics(place: Path, clock: ManualClock) -> None:
    settings = Settings.from_environment({"DATABASE_URL": f"sqlite:///{place / 'e.db'}", "RULES": str(place / "rules")})
    made = build(settings, environment=ENVIRONMENT, outside=Outside(now=clock), runs_lanes=False)
    async with running(made) as client:
        assert (await client.get("/metrics")).status_code == 404


class FallsOnce(Embedded):
    """Lanes that all break at the first start."""

    starts = 0

    async def serve(self, run_lane: RunLane) -> None:
        """Break, and the next time be done at once."""
        self.starts += 1
        if self.starts == 1:
            raise RuntimeError("nobody foresaw this")


async def test_lanes_that_all_broke_are_started_again(place: Path, clock: ManualClock) -> None:
    made = engine(place, clock)
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    lanes = FallsOnce(made.database, [WEB], now=clock)
    made.dispatch, made.outside = lanes, Outside(now=clock, sleep=sleep)
    await made._serve()
    assert (lanes.starts, waits) == (2, [RESTART_AFTER])
    made.database.close()


async def test_rules_that_cannot_be_stored_are_refused_with_a_sentence(place: Path, clock: ManualClock) -> None:
    made = engine(place, clock)
    made.database.close()
    assert await made.adopt_rules() is False
    assert "could not be stored" in made.rules.refused


async def test_rules_that_wait_for_a_name_are_shown(place: Path, clock: ManualClock) -> None:
    made = engine(place, clock)
    async with running(made) as client:
        made.lanes[WEB].names.waiting_rules = {RuleCode("sold-out"): 'no category "Featurd"'}
        ready = (await client.get("/readyz")).json()
        assert ready["waiting_rules"] == {"web": {"sold-out": 'no category "Featurd"'}}


NOTIFY = "notify:\n  floor: ${FLOOR_WEBHOOK}\n"


async def test_whom_nobody_can_tell_is_shown_until_the_variable_is_set(place: Path, clock: ManualClock) -> None:
    stores = place / "rules" / "stores.yaml"
    stores.write_text(stores.read_text() + NOTIFY)
    async with running(engine(place, clock)) as client:
        silent = (await client.get("/readyz")).json()["notify"]
        assert silent == {"floor": "floor is not told: set FLOOR_WEBHOOK in the environment and restart."}
    async with running(engine(place, clock, FLOOR_WEBHOOK="https://hooks.example/secret")) as client:
        assert "notify" not in (await client.get("/readyz")).json()


async def test_while_it_runs_people_are_told_and_saved_rules_are_taken(place: Path, clock: ManualClock) -> None:
    stores = place / "rules" / "stores.yaml"
    stores.write_text(stores.read_text() + NOTIFY)
    told, saved, taken = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def send(request: Request) -> Response:
        if "hooks" in request.url:
            told.set()
        return Response(200, clock())

    async def changes(_folder: Path) -> AsyncGenerator[None, None]:
        await saved.wait()
        yield None
        taken.set()
        await asyncio.Event().wait()

    made = engine(place, clock, runs_lanes=True, send=send, changes=changes, FLOOR_WEBHOOK="https://hooks.example/x")
    async with running(made):
        notice = Notice("floor", RuleCode("sold-out"), product("1"), "Shoe", "its condition ended", clock())
        await made.database.write(partial(add_notices, store=WEB, added=[notice], now=clock() - GATHERED_FOR))
        (place / "rules" / "featured.yaml").write_text("rules: {}\n")
        saved.set()
        async with asyncio.timeout(20):
            await told.wait()
            await taken.wait()
        assert len(await made.database.read(versions)) == 2


def versions(connection: Connection) -> list[str]:
    return list(connection.execute(sa.select(activations.c.rulebook)).scalars())
