"""`deliveries`, `replay` and `probe`: looking at what arrived, and having a lane do it again, wherever it runs."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
import sqlalchemy as sa
from command_house import LAPTOP, House, Shop, poll

from rules_engine.core.delivery import Delivery, DeliveryId, StoreAlias
from rules_engine.core.subject import product
from rules_engine.database import arrivals, lanes
from rules_engine.database.inbox import Arrival, DeliveryState
from rules_engine.database.tables import deliveries

WEB = StoreAlias("web")
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ARRIVAL = Arrival(
    Delivery(DeliveryId("d-1"), WEB, NOW, b"{}"),
    WEB,
    scope="web",
    duplicate_key="e-1",
    vendor_type="product.updated",
    subjects=(product("17"),),
)


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


@pytest.fixture
def shops(house: House) -> Iterator[Mapping[str, Shop]]:
    with house.shops() as shops:
        yield shops


def store(house: House, *stored: Arrival) -> None:
    house.run("migrate")
    with house.database() as database:
        database.write_now(partial(arrivals.insert, rows=[arrivals.row_of(each) for each in stored]))


def accept(house: House, shop: Shop) -> str:
    """Sell the laptop out and let a server take the webhook; the id of the newest delivery that it planned."""
    with house.serving() as server:
        shop.edit("sell_out", LAPTOP)
        assert set(shop.deliver(server.url)) == {200}
        poll(lambda: shop.writes("/unassignProducts"))
        poll(lambda: not house.run_json("deliveries", "--state", "pending")["deliveries"])
        assert server.stop() == 0
    found: list[dict[str, str]] = house.run_json("deliveries", "--store", "web")["deliveries"]
    return next(each["id"] for each in found if each["type"] == "product.updated")


def park(house: House, because: str = "the token is wrong.") -> None:
    house.run("release")
    with house.database() as database:
        later = datetime.now(UTC) + timedelta(minutes=15)
        database.write_now(partial(lanes.save_lane, store=WEB, parked_because=because, probe_at=later))


def test_deliveries_are_listed_newest_first_without_their_bodies(house: House) -> None:
    second = replace(ARRIVAL, delivery=replace(ARRIVAL.delivery, id=DeliveryId("d-2")), duplicate_key="e-2")
    store(house, ARRIVAL, second)
    lines = house.run("deliveries").stdout.splitlines()
    assert lines[0].split() == ["id", "received", "(UTC)", "store", "says", "about", "state", "why"]
    assert lines[1].split() == ["d-2", "2026-03-01", "12:00:00", "web", "product.updated", "product:17", "pending"]
    assert [one["id"] for one in house.run_json("deliveries", "--limit", "1")["deliveries"]] == ["d-2"]
    assert house.run_json("deliveries", "--state", "set aside")["deliveries"] == []
    assert house.run("deliveries", "--store", "ksa").stdout == "There are no such deliveries.\n"


def test_a_shops_words_cannot_steer_the_terminal(house: House) -> None:
    store(house, replace(ARRIVAL, vendor_type="\x1b[2Jgone"))
    assert "\x1b" not in house.run("deliveries").stdout
    assert "�[2Jgone" in house.run("deliveries").stdout


def test_replaying_an_unknown_delivery_is_a_sentence(house: House) -> None:
    house.run("migrate")
    result = house.run("replay", "nowhere")
    assert result.exit_code == 1
    assert result.stderr == "There is no delivery nowhere; it may be older than what is kept.\n"


def test_a_replay_runs_the_lane_itself_when_no_server_does(house: House, shops: Mapping[str, Shop]) -> None:
    web = shops["web"]
    id_ = accept(house, web)
    web.edit("restock", LAPTOP, 5)  # its webhook is lost
    came = house.run_json("replay", id_)
    assert came["delivery"]["state"] == "planned"
    assert came["waits"] is None
    assert [(each["kind"], each["step"]) for each in came["actions"]] == [("add_to_category", "give back")]
    assert came["traces"][0]["rule"] == "sold-out-leaves-featured"
    assert len(web.writes("/assignProducts")) == 1


def test_a_replay_tells_it_for_people_too(house: House, shops: Mapping[str, Shop]) -> None:
    id_ = accept(house, shops["web"])
    shops["web"].edit("restock", LAPTOP, 5)
    said = house.run("replay", id_)
    assert said.exit_code == 0
    assert said.stdout.startswith(f"Delivery {id_} of web is planned.\n  sold-out-leaves-featured · product:{LAPTOP}")
    assert "add to category 9691094, Trail Runner (TR-1): " in said.stdout
    again = house.run("replay", id_)
    assert "Nothing was to be done" in again.stdout or "confirmed" in again.stdout


def test_a_replay_waits_for_the_server_that_runs_the_lane(house: House, shops: Mapping[str, Shop]) -> None:
    web = shops["web"]
    id_ = accept(house, web)
    with house.serving() as server:
        web.edit("restock", LAPTOP, 5)
        assert house.run("replay", id_).exit_code == 0
        assert poll(lambda: web.writes("/assignProducts"))
        assert server.stop() == 0


def test_a_replay_whose_body_is_pruned_looks_at_what_it_was_about(house: House, shops: Mapping[str, Shop]) -> None:
    web = shops["web"]
    id_ = accept(house, web)
    with house.database() as database:
        database.write_now(lambda connection: connection.execute(sa.update(deliveries).values(body=None)).rowcount)
    web.edit("restock", LAPTOP, 5)
    assert house.run("replay", id_).exit_code == 0
    assert len(web.writes("/assignProducts")) == 1


def test_a_replay_that_nobody_can_finish_says_what_it_waits_for(house: House) -> None:
    store(house, replace(ARRIVAL, state=DeliveryState.PENDING))
    result = house.run("replay", "d-1", "--wait", "5")
    assert result.exit_code == 1
    assert "No rules are in force yet: run `rules-engine release`." in result.stderr
    park(house)
    result = house.run("replay", "d-1", "--wait", "5")
    assert result.exit_code == 1
    assert "web is parked: the token is wrong." in result.stderr


def test_ctrl_c_ends_the_waiting_with_a_sentence_and_what_was_asked_for_stays(house: House) -> None:
    with house.shops() as shops:
        id_ = accept(house, shops["web"])
    with house.process("replay", id_) as process:  # nobody answers any more, so it waits
        with house.database() as database:
            poll(lambda: database.read_now(partial(lanes.load_lane, store=WEB)).owner)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=10) == 1
    said = (house.folder / "stderr").read_text(encoding="utf-8")
    assert said == "You stopped waiting for it: it stays asked for, and is done while `rules-engine serve` runs.\n"
    assert house.run_json("deliveries", "--state", "pending")["deliveries"][0]["id"] == id_


def test_a_replay_for_a_store_without_its_variables_names_them(house: House) -> None:
    house.environment["WEB_TOKEN"] = ""
    store(house, ARRIVAL)
    assert "set WEB_TOKEN" in house.run("replay", "d-1").stderr


def test_a_probe_lets_a_mended_store_in(house: House, shops: Mapping[str, Shop]) -> None:
    park(house)
    result = house.run("probe", "web")
    assert result.exit_code == 0
    assert result.stdout == "web is let in again; what waited for it goes on.\n"
    assert house.run("probe", "web").stdout == "web is not parked.\n"


def test_a_probe_of_a_store_that_is_still_refused_says_so(house: House, shops: Mapping[str, Shop]) -> None:
    park(house)
    shops["web"].fail(status=403, times=5)
    result = house.run("probe", "web")
    assert result.exit_code == 1
    assert result.stdout.startswith("web stays parked: ")
    assert "the token is wrong" not in result.stdout


def test_a_probe_is_made_at_once_by_the_server_that_runs_the_lane(house: House, shops: Mapping[str, Shop]) -> None:
    web = shops["web"]
    web.fail(status=403, times=1)
    with house.serving() as server:
        web.edit("sell_out", LAPTOP)
        assert set(web.deliver(server.url)) == {200}
        poll(lambda: "the store is parked" in server.log)
        assert web.writes() == []
        assert house.run_json("probe", "web")["parked_because"] is None
        poll(lambda: web.writes("/unassignProducts"))
        assert server.stop() == 0


def test_a_probe_of_an_unknown_store_is_wrong_usage(house: House) -> None:
    result = house.run("probe", "nowhere")
    assert result.exit_code == 2
    assert result.stderr == 'stores.yaml has no store "nowhere": it has web, ksa, b2b and brands.\n'


def test_a_probe_of_a_store_without_its_variables_names_them(house: House) -> None:
    park(house)
    house.environment["WEB_TOKEN"] = ""
    result = house.run("probe", "web")
    assert result.exit_code == 1
    assert "set WEB_TOKEN in the environment" in result.stdout
    assert "set WEB_TOKEN" in house.run_json("probe", "web", code=1)["parked_because"]


def test_parked_stores_are_probed_when_their_time_has_come(connection: sa.Connection) -> None:
    lanes.save_lane(connection, WEB, parked_because="the token is wrong.", probe_at=NOW)
    lanes.save_lane(connection, StoreAlias("later"), parked_because="no.", probe_at=NOW + timedelta(seconds=1))
    lanes.save_lane(connection, StoreAlias("open"), probe_at=NOW)
    assert lanes.stores_to_probe(connection, now=NOW) == ["web"]
