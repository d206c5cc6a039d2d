"""`rules-engine reconcile` as people and programs run it: it does it, says what it found, and what it cannot do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest
import sqlalchemy as sa
from command_house import LAPTOP, House, Shop, poll, unchanged_logging

from rules_engine.app import Outside
from rules_engine.commands.follow import follow
from rules_engine.commands.reconcile import A_DAY
from rules_engine.core.delivery import StoreAlias
from rules_engine.core.sweep import SweepKind, SweepState
from rules_engine.database import lanes, sweeps
from rules_engine.settings import Settings

WEB = StoreAlias("web")


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


@pytest.fixture
def shops(house: House) -> Iterator[Mapping[str, Shop]]:
    with house.shops() as shops:
        house.run("release")
        yield shops


def test_the_first_one_learns_the_store_and_a_second_one_finds_what_webhooks_did_not_tell(
    house: House, shops: Mapping[str, Shop]
) -> None:
    first = house.run_json("reconcile", "web")["stores"][0]
    assert (first["kind"], first["state"], first["products"]) == ("learning", "done", 8)
    shops["web"].edit("delete_product", LAPTOP)  # its webhook is lost
    said = house.run("reconcile", "web", "--report-drift")
    assert said.exit_code == 1
    assert "web: 7 products," in said.stdout
    assert "  1 gone without a webhook\n    TR-1 (37208339) no longer exists\n" in said.stdout
    again = house.run("reconcile", "web", "--report-drift")
    assert again.exit_code == 0
    assert "All products are as they were known." in again.stdout


def test_a_dry_run_says_what_rules_would_do_and_does_nothing(house: House, shops: Mapping[str, Shop]) -> None:
    house.run("reconcile", "web")
    shops["web"].edit("sell_out", LAPTOP)
    written = len(shops["web"].writes())
    told = house.run("reconcile", "web", "--dry-run")
    assert told.exit_code == 0
    assert "Nothing was kept or called." in told.stdout
    assert "  1 to be changed by rules, if it were not a dry run\n    TR-1 (37208339): " in told.stdout
    assert len(shops["web"].writes()) == written


def test_who_cannot_list_is_told_what_happens_instead(house: House) -> None:
    house.run("release")
    said = house.run("reconcile", "brands")
    assert said.exit_code == 1
    assert said.stdout == (
        "brands: Axim cannot list its products, so none is read: what its webhooks say is all that is known. "
        "`rules-engine reconcile brands --rules` decides that again.\n"
    )
    [told] = house.run_json("reconcile", "brands", code=1)["stores"]
    assert "cannot list" in told["cannot"]


def test_the_rules_are_decided_again_without_a_list(house: House, shops: Mapping[str, Shop]) -> None:
    house.run("reconcile", "web")
    [told] = house.run_json("reconcile", "web", "--rules")["stores"]
    assert (told["kind"], told["state"], told["products"], told["calls"]) == ("rules", "done", 8, 0)


def test_a_parked_store_is_named_at_once(house: House) -> None:
    house.run("release")
    with house.database() as database:
        park = partial(lanes.save_lane, store=WEB, parked_because="the token is wrong.", probe_at=datetime.now(UTC))
        database.write_now(park)
        ask = partial(sweeps.request_sweep, store=WEB, kind=SweepKind.LEARNING, now=datetime.now(UTC), reason="")
        database.write_now(ask)
    said = house.run("reconcile", "web")
    assert said.exit_code == 1
    assert said.stderr.startswith("web is parked: the token is wrong.")


def test_wrong_usage_is_a_sentence(house: House) -> None:
    house.run("release")
    assert house.run("reconcile", "nowhere").exit_code == 2
    both = house.run("reconcile", "--rules", "--dry-run")
    assert both.exit_code == 2
    assert "`rules-engine plan` shows what rules would do" in both.stderr


def test_it_follows_a_server_that_runs_the_lane(house: House, shops: Mapping[str, Shop]) -> None:
    with house.serving(RECONCILE="on"):

        def learned() -> bool:
            with house.database() as database:
                found = database.read_now(partial(sweeps.last_sweep, store=WEB, kinds=[SweepKind.LEARNING]))
            return found is not None and found.state is SweepState.DONE

        poll(learned)  # at its start it learns every store that it can list
        [told] = house.run_json("reconcile", "web")["stores"]
        assert (told["kind"], told["state"], told["products"]) == ("asked", "done", 8)


LASTS = """
rules:
  sold-out-for-long-leaves:
    stores: [web]
    while: {product.can_be_ordered: false}
    must_last: 2 hours
    do: [remove_from_category: Featured]
"""


def test_a_command_that_has_what_it_wanted_does_not_sit_out_what_the_lane_waits_for(
    house: House, shops: Mapping[str, Shop], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in house.environment.items():
        monkeypatch.setenv(name, value)
    for file in house.rules.glob("*.yaml"):
        if file.name != "stores.yaml":
            file.unlink()
    house.write("lasts.yaml", LASTS)
    house.run("release")
    shops["web"].edit("sell_out", LAPTOP)
    settings = Settings.from_environment(house.environment)

    async def sleep(seconds: float) -> None:
        raise AssertionError(f"it would have slept for {seconds} s")

    with house.database() as database:
        ask = partial(sweeps.request_sweep, store=WEB, kind=SweepKind.LEARNING, now=datetime.now(UTC), reason="a test")
        id_ = database.write_now(ask)

        def is_done(connection: sa.Connection) -> bool:
            sweep = sweeps.find_sweep(connection, id_)
            return sweep is not None and not sweep.state.is_open

        outside = Outside(sleep=sleep)
        with unchanged_logging():
            assert follow(settings, database, WEB, is_done, seconds=A_DAY, outside=outside) == ""
