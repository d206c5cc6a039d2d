"""What operators and hosts see of what waits for people: questions, pauses, and what is held."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from engine_world import ENVIRONMENT, HOUSE
from question_rows import KSA, OLD, WEB, ask, hold
from sqlalchemy.engine import Connection
from structlog.testing import capture_logs

from rules_engine.app import Engine, Outside, build
from rules_engine.core.delivery import StoreAlias
from rules_engine.core.holds import HoldState
from rules_engine.core.question import QuestionKind, QuestionState
from rules_engine.core.rule import RuleCode
from rules_engine.database.pauses import add_pause
from rules_engine.sandbox import ManualClock
from rules_engine.settings import Settings

pytestmark = pytest.mark.anyio
GONE = StoreAlias("gone")


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    settings = {"DATABASE_URL": f"sqlite:///{tmp_path / 'e.db'}", "RULES": str(HOUSE / "rules"), "ADMIN_TOKEN": "in"}
    return build(
        Settings.from_environment(settings | {"STORES": str(HOUSE / "rules" / "stores.yaml")}),
        environment=ENVIRONMENT,
        outside=Outside(now=ManualClock()),
        runs_lanes=False,
    )


@pytest.fixture
async def client(engine: Engine) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(engine.app)
    async with (
        engine.app.router.lifespan_context(engine.app),
        httpx.AsyncClient(transport=transport, base_url="http://engine") as client,
    ):
        yield client


async def metrics(client: httpx.AsyncClient) -> str:
    answer = await client.get("/metrics", headers={"Authorization": "Bearer in"})
    assert answer.status_code == 200
    return answer.text


async def test_open_questions_are_counted_and_leave_it_ready(engine: Engine, client: httpx.AsyncClient) -> None:
    def asked(connection: Connection) -> None:
        ask(connection)
        ask(connection, kind=QuestionKind.GIVE_BACK, state=QuestionState.NO)
        ask(connection, RuleCode("other"), state=QuestionState.GATHERING)

    assert "questions" not in (await client.get("/readyz")).json()
    await engine.database.write(asked)
    ready = await client.get("/readyz")
    assert (ready.status_code, ready.json()["questions"]) == (200, 1)
    text = await metrics(client)
    assert 'rules_engine_questions{store="web"} 1.0' in text
    assert 'rules_engine_questions{store="ksa"} 0.0' in text


async def test_what_is_paused_is_named_with_its_reason(engine: Engine, client: httpx.AsyncClient) -> None:
    def pause(connection: Connection) -> None:
        now = engine.outside.now()
        add_pause(connection, store=WEB, rule=OLD, because="prices are wrong", now=now)
        add_pause(connection, store=StoreAlias(""), rule=RuleCode(""), because="a move", now=now)

    await engine.database.write(pause)
    ready = await client.get("/readyz")
    assert ready.status_code == 200
    one, everything = ready.json()["paused"]
    assert one.startswith("old in web: paused since ")
    assert one.endswith("because prices are wrong")
    assert everything.startswith("everything: paused")


async def test_open_holds_are_counted_by_state_also_where_the_store_is_gone(
    engine: Engine, client: httpx.AsyncClient
) -> None:
    def held(connection: Connection) -> None:
        hold(connection, id_="1")
        hold(connection, id_="2")
        hold(connection, id_="3", state=HoldState.RELEASED)
        hold(connection, state=HoldState.OWED, store=GONE)

    await engine.database.write(held)
    text = await metrics(client)
    assert 'rules_engine_holds{state="holding",store="web"} 2.0' in text
    assert 'rules_engine_holds{state="owed",store="gone"} 1.0' in text
    assert 'rules_engine_holds{state="owed",store="ksa"} 0.0' in text
    assert 'state="released"' not in text


async def test_a_start_names_a_store_that_is_gone_and_a_rule_that_is_gone_every_time(engine: Engine) -> None:
    def held(connection: Connection) -> None:
        hold(connection, store=GONE)
        hold(connection, store=KSA)

    await engine.adopt_rules()
    await engine.database.write(held)
    for _ in range(2):
        engine.rule_files._accepted = None  # as in another process
        with capture_logs() as logs:
            await engine.adopt_rules()
        said = [each["event"] for each in logs if each["log_level"] == "warning"]
        assert any(text.startswith("stores.yaml has no store gone any more; its rules hold 1 product") for text in said)
        assert any(text.startswith("old is gone from ksa and holds 1 product: give back or keep?") for text in said)
    engine.database.close()
