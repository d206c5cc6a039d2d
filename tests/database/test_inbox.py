"""Durable before answered, many with one commit, each planned once."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import anyio.lowlevel
import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy.engine import Connection

from rules_engine.core.delivery import Delivery, DeliveryId, StoreAlias
from rules_engine.core.errors import DatabaseError, LaneLostError, OverloadedError
from rules_engine.core.subject import category, product
from rules_engine.database import inbox as stored
from rules_engine.database.arrivals import insert, row_of
from rules_engine.database.engine import Database
from rules_engine.database.inbox import Accepted, Arrival, DeliveryState, Inbox, Pending, Replay
from rules_engine.database.tables import deliveries, looks

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
WEB = StoreAlias("web")
KSA = StoreAlias("ksa")


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'inbox.db'}"


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    database = Database.from_url(url)
    database.write_now(deliveries.metadata.create_all)
    yield database
    database.close()


@pytest.fixture
async def inbox(database: Database) -> AsyncIterator[Inbox]:
    async with Inbox(database) as inbox:
        yield inbox


def arrival(id_: str, *, store: StoreAlias = WEB, key: str | None = None, at: datetime = NOW) -> Arrival:
    delivery = Delivery(DeliveryId(id_), store, at, b'{"id": 17}', {"webhook-id": id_}, {"event": "product.update"})
    return Arrival(
        delivery, store, store, key or id_, vendor_type="product.update", subjects=(product("17"), category("3"))
    )


def ids(connection: Connection) -> list[str]:
    return list(connection.execute(sa.select(deliveries.c.id).order_by(deliveries.c.seq)).scalars())


def store_all(*arrivals: Arrival, database: Database) -> list[Accepted]:
    return database.write_now(lambda connection: insert(connection, rows=[row_of(one) for one in arrivals]))


@asynccontextmanager
async def busy_writer(database: Database) -> AsyncIterator[threading.Event]:
    """The writer thread works on something else until the event is set."""
    begun, release = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    def wait(_connection: Connection) -> None:
        loop.call_soon_threadsafe(begun.set)
        release.wait(timeout=10)

    busy = asyncio.create_task(database.write(wait))
    await begun.wait()
    try:
        yield release
    finally:
        release.set()
        await busy


async def until_waiting(inbox: Inbox, count: int) -> None:
    while inbox.waiting != count:
        await anyio.lowlevel.checkpoint()


class Commits:
    """Counts the commits of the writer."""

    def __init__(self, database: Database) -> None:
        self.count = 0
        sa.event.listen(database.writer, "commit", self._count)

    def _count(self, _connection: Connection) -> None:
        self.count += 1


# Durable before answered


async def test_what_was_accepted_is_in_the_file_as_it_came(url: str, database: Database, inbox: Inbox) -> None:
    assert await inbox.accept(arrival("d1")) == Accepted(DeliveryId("d1"))
    database.close()
    again = Database.from_url(url)
    (found,) = again.read_now(lambda connection: stored.claim_pending(connection, WEB, 10))
    assert found.delivery == arrival("d1").delivery
    assert (found.subjects, found.vendor_type, found.door) == ((product("17"), category("3")), "product.update", WEB)
    again.close()


KILLED = """
import asyncio, os, signal, sys
from datetime import UTC, datetime
from rules_engine.core.delivery import Delivery
from rules_engine.database.engine import Database
from rules_engine.database.inbox import Arrival, Inbox

async def accept_and_die():
    async with Inbox(Database.from_url(sys.argv[1])) as inbox:
        for number in range(3):
            name = f"d{number}"
            await inbox.accept(Arrival(Delivery(name, "web", datetime.now(UTC), b"{}"), "web", "web", name))
        os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(accept_and_die())
"""


def test_what_was_accepted_survives_kill_9(url: str, database: Database) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED, url], check=False, timeout=60)
    assert done.returncode == -9
    assert database.read_now(ids) == ["d0", "d1", "d2"]


async def test_stopping_commits_what_waits_and_takes_nothing_more(database: Database) -> None:
    inbox = Inbox(database)
    inbox.start()
    waiting = [asyncio.create_task(inbox.accept(arrival(f"d{n}"))) for n in range(5)]
    await until_waiting(inbox, 5)
    await inbox.stop()
    assert database.read_now(ids) == [(await task).id for task in waiting]
    with pytest.raises(OverloadedError, match="stopping"):
        await inbox.accept(arrival("late"))


async def test_a_request_that_goes_away_does_not_take_its_delivery_along(database: Database, inbox: Inbox) -> None:
    async with busy_writer(database):
        gone = asyncio.create_task(inbox.accept(arrival("gone")))
        await until_waiting(inbox, 1)
        gone.cancel()
    await inbox.accept(arrival("next"))
    assert database.read_now(ids) == ["gone", "next"]


# Many with one commit


async def test_arrivals_that_come_during_a_commit_share_the_next_one(database: Database, inbox: Inbox) -> None:
    commits = Commits(database)
    async with busy_writer(database):
        first = asyncio.create_task(inbox.accept(arrival("d0")))
        await until_waiting(inbox, 1)
        await until_waiting(inbox, 0)
        others = [asyncio.create_task(inbox.accept(arrival(f"d{n}"))) for n in range(1, 100)]
        await until_waiting(inbox, 99)
    await asyncio.gather(first, *others)
    assert database.read_now(ids) == [f"d{n}" for n in range(100)]
    assert commits.count == 3  # what kept the writer busy, the first arrival, and all the others together


async def test_a_batch_is_bounded(database: Database) -> None:
    commits = Commits(database)
    async with Inbox(database, batch=10) as inbox:
        await asyncio.gather(*(inbox.accept(arrival(f"d{n}")) for n in range(25)))
    assert commits.count == 3


async def test_too_many_waiting_are_refused_and_the_others_stored(database: Database) -> None:
    async with Inbox(database, limit=3) as inbox, busy_writer(database) as release:
        waiting = [asyncio.create_task(inbox.accept(arrival(f"d{n}"))) for n in range(3)]
        await until_waiting(inbox, 3)
        with pytest.raises(OverloadedError, match="3 deliveries wait"):
            await inbox.accept(arrival("late"))
        release.set()
        assert [(await task).id for task in waiting] == ["d0", "d1", "d2"]
        assert await inbox.accept(arrival("later")) == Accepted(DeliveryId("later"))


async def test_the_doorbell_rings_once_for_each_store_after_the_commit(database: Database) -> None:
    rung: list[tuple[StoreAlias, int]] = []

    def ring(store: StoreAlias) -> None:
        rung.append((store, len(database.read_now(ids))))

    async with Inbox(database, on_accept=ring) as inbox:
        ignored = replace(arrival("d4", store=StoreAlias("b2b")), state=DeliveryState.IGNORED)
        arrivals = (arrival("d1"), arrival("d2", store=KSA), arrival("d3"), ignored)
        await asyncio.gather(*(inbox.accept(one) for one in arrivals))
        assert rung == [(WEB, 4), (KSA, 4)]
        await inbox.accept(arrival("d5", key="d1"))
    assert rung == [(WEB, 4), (KSA, 4)]


async def test_a_broken_doorbell_costs_no_delivery(database: Database) -> None:
    def fall_off(_store: StoreAlias) -> None:
        raise LookupError("no such lane")

    async with Inbox(database, on_accept=fall_off) as inbox:
        await inbox.accept(arrival("d1"))
        await inbox.accept(arrival("d2"))
    assert database.read_now(ids) == ["d1", "d2"]


# Failures


def limit_the_disk(connection: Connection) -> None:
    pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
    connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")


def free_the_disk(connection: Connection) -> None:
    connection.exec_driver_sql("PRAGMA max_page_count = 100000")


async def test_a_failed_commit_fails_those_who_share_it_and_the_next_one_works(
    database: Database, inbox: Inbox
) -> None:
    database.write_now(limit_the_disk)
    large = [replace(one, delivery=replace(one.delivery, body=bytes(50_000))) for one in (arrival("d1"), arrival("d2"))]
    answers = await asyncio.gather(*(inbox.accept(one) for one in large), return_exceptions=True)
    assert [type(answer) for answer in answers] == [DatabaseError, DatabaseError]
    assert "full" in str(answers[0])
    assert database.read_now(ids) == []
    database.write_now(free_the_disk)
    assert await inbox.accept(arrival("d3")) == Accepted(DeliveryId("d3"))


async def test_one_bad_row_fails_alone(database: Database, inbox: Inbox) -> None:
    await inbox.accept(arrival("taken"))
    clash = arrival("taken", key="another key")  # its id is taken, which no rule for duplicates foresees
    answers = await asyncio.gather(
        inbox.accept(arrival("d1")), inbox.accept(clash), inbox.accept(arrival("d2")), return_exceptions=True
    )
    assert [type(answer) for answer in answers] == [Accepted, DatabaseError, Accepted]
    assert database.read_now(ids) == ["taken", "d1", "d2"]


async def test_a_closed_database_fails_the_request_and_not_the_inbox(database: Database, inbox: Inbox) -> None:
    database.close()
    with pytest.raises(DatabaseError, match="closed"):
        await inbox.accept(arrival("d1"))


# Duplicates


async def test_a_repeated_delivery_gets_the_first_ones_id_and_is_not_stored(database: Database, inbox: Inbox) -> None:
    await inbox.accept(arrival("d1", key="k"))
    assert await inbox.accept(arrival("d2", key="k")) == Accepted(DeliveryId("d1"), is_duplicate=True)
    assert database.read_now(ids) == ["d1"]


async def test_a_repetition_within_one_commit_is_found_too(database: Database, inbox: Inbox) -> None:
    answers = await asyncio.gather(*(inbox.accept(arrival(f"d{n}", key="k")) for n in range(4)))
    assert {answer.id for answer in answers} == {"d0"}
    assert [answer.is_duplicate for answer in answers] == [False, True, True, True]


async def test_the_same_key_in_another_scope_is_another_delivery(inbox: Inbox) -> None:
    await inbox.accept(arrival("d1", key="k"))
    assert not (await inbox.accept(arrival("d2", key="k", store=KSA))).is_duplicate


async def test_a_repeated_key_is_a_new_delivery_once_its_time_has_passed(database: Database, inbox: Inbox) -> None:
    def brief(id_: str, seconds: int) -> Arrival:
        at = NOW + timedelta(seconds=seconds)
        return replace(arrival(id_, key="k", at=at), duplicate_until=at + timedelta(seconds=60))

    await inbox.accept(brief("d1", 0))
    assert (await inbox.accept(brief("d2", 59))).id == "d1"
    answers = await asyncio.gather(*(inbox.accept(brief(f"d{n}", 60)) for n in (3, 4)))
    assert answers == [Accepted(DeliveryId("d3")), Accepted(DeliveryId("d3"), is_duplicate=True)]
    assert not (await inbox.accept(brief("d5", 120))).is_duplicate
    assert database.read_now(ids) == ["d1", "d3", "d5"]


@settings(deadline=None)  # every example makes a database file
@given(keys=st.lists(st.text(max_size=3) | st.text("ab\0\ud800", min_size=190, max_size=210), max_size=30))
def test_whatever_the_keys_the_first_of_each_is_stored_and_named(
    keys: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    database = Database.from_url(f"sqlite:///{tmp_path_factory.mktemp('keys')}/inbox.db")
    database.write_now(deliveries.metadata.create_all)
    arrivals = [replace(arrival(f"d{n}"), duplicate_key=key) for n, key in enumerate(keys)]
    first = {key: f"d{keys.index(key)}" for key in keys}
    expected = [Accepted(DeliveryId(first[key]), first[key] != f"d{n}") for n, key in enumerate(keys)]
    half = len(keys) // 2
    answers = [
        answer for part in (arrivals[:half], arrivals[half:]) if part for answer in store_all(*part, database=database)
    ]
    assert answers == expected
    database.close()


# What is kept


async def test_the_body_of_what_is_ignored_is_not_stored(database: Database, inbox: Inbox) -> None:
    await inbox.accept(replace(arrival("d1"), state=DeliveryState.IGNORED, reason="no rule can be about orders"))
    await inbox.accept(replace(arrival("d2"), state=DeliveryState.UNREADABLE, reason="the body is no JSON"))
    second, first = database.read_now(stored.recent)
    assert (first.state, first.has_body, first.reason) == (DeliveryState.IGNORED, False, "no rule can be about orders")
    assert (second.state, second.delivery.body) == (DeliveryState.UNREADABLE, b'{"id": 17}')


async def test_text_that_no_database_takes_is_mended(database: Database, inbox: Inbox) -> None:
    await inbox.accept(replace(arrival("d1"), vendor_type="a\0b\ud800" + "c" * 1000, reason="\udfff"))
    (found,) = database.read_now(stored.recent)
    assert found.vendor_type.startswith("a\ufffdb?c")
    assert len(found.vendor_type) == 200


# Planning


def claimed(database: Database, store: StoreAlias = WEB) -> list[str]:
    return [one.delivery.id for one in database.read_now(lambda c: stored.claim_pending(c, store, 10))]


def test_a_lane_gets_its_own_deliveries_in_their_order_and_no_more_than_it_asks_for(database: Database) -> None:
    store_all(arrival("d1"), arrival("d2", store=KSA), arrival("d3"), arrival("d4"), database=database)
    found = database.read_now(lambda connection: stored.claim_pending(connection, WEB, 2))
    assert [one.delivery.id for one in found] == ["d1", "d3"]
    assert found[0].seq < found[1].seq
    assert claimed(database, KSA) == ["d2"]


def test_what_is_planned_is_not_claimed_again(database: Database) -> None:
    store_all(arrival("d1"), arrival("d2"), database=database)
    database.write_now(lambda connection: stored.mark_planned(connection, [DeliveryId("d1")], now=NOW))
    assert claimed(database) == ["d2"]
    found = database.read_now(lambda connection: stored.find(connection, DeliveryId("d1")))
    assert found is not None
    assert (found.state, found.planned_at, found.has_body) == (DeliveryState.PLANNED, NOW, True)


def test_a_delivery_is_found_by_how_its_id_begins(database: Database) -> None:
    store_all(*map(arrival, ("ab1", "ab12", "ac1", "a_")), database=database)
    for begins, id_ in (("ab1", "ab1"), ("ab12", "ab12"), ("ac", "ac1"), ("a_", "a_")):
        assert database.read_now(partial(stored.the_one, begins=begins)).delivery.id == id_
    with pytest.raises(DatabaseError, match="More than one delivery begins with 'ab': write more"):
        database.read_now(partial(stored.the_one, begins="ab"))
    for begins in ("", "b1", "%"):
        with pytest.raises(DatabaseError, match="There is no delivery"):
            database.read_now(partial(stored.the_one, begins=begins))


def test_the_fence_holds_for_more_ids_than_one_statement_takes(database: Database) -> None:
    names = [DeliveryId(f"d{n}") for n in range(1201)]
    store_all(*(arrival(name) for name in names), database=database)
    database.write_now(lambda connection: stored.mark_planned(connection, names, now=NOW))
    assert database.read_now(stored.pending_by_store) == {}


@pytest.mark.parametrize("lost", ["planned before", "never there"])
def test_a_plan_that_misses_one_delivery_is_rolled_back_whole(database: Database, lost: str) -> None:
    store_all(arrival("d1"), arrival("planned before"), database=database)
    database.write_now(lambda connection: stored.mark_planned(connection, [DeliveryId("planned before")], now=NOW))
    with pytest.raises(LaneLostError, match="1 deliveries"):
        database.write_now(lambda c: stored.mark_planned(c, [DeliveryId("d1"), DeliveryId(lost)], now=NOW))
    assert claimed(database) == ["d1"]


def test_a_poisonous_delivery_is_set_aside_alone_and_once(database: Database) -> None:
    store_all(arrival("d1"), arrival("d2"), database=database)
    database.write_now(lambda connection: stored.set_aside(connection, DeliveryId("d1"), "its product has no id"))
    assert claimed(database) == ["d2"]
    (found,) = database.read_now(lambda connection: stored.recent(connection, state=DeliveryState.SET_ASIDE))
    assert (found.delivery.id, found.reason) == ("d1", "its product has no id")
    with pytest.raises(LaneLostError):
        database.write_now(lambda connection: stored.set_aside(connection, DeliveryId("d1"), "again"))


def test_what_waits_is_counted_for_each_store(database: Database) -> None:
    later = NOW + timedelta(minutes=1)
    store_all(arrival("d1", at=later), arrival("d2"), arrival("d3", store=KSA), database=database)
    assert database.read_now(stored.pending_by_store) == {WEB: Pending(2, NOW), KSA: Pending(1, NOW)}


def test_recent_deliveries_are_shown_newest_first_and_of_one_store_when_asked(database: Database) -> None:
    store_all(arrival("d1"), arrival("d2", store=KSA), arrival("d3"), database=database)
    assert [one.delivery.id for one in database.read_now(stored.recent)] == ["d3", "d2", "d1"]
    of_web = database.read_now(lambda connection: stored.recent(connection, store=WEB, limit=1))
    assert [one.delivery.id for one in of_web] == ["d3"]


# Replay


def replayed(database: Database, id_: str) -> Replay:
    return database.write_now(lambda connection: stored.replay(connection, DeliveryId(id_), now=NOW))


def test_a_replayed_delivery_waits_for_its_lane_again(database: Database) -> None:
    store_all(arrival("d1"), database=database)
    database.write_now(lambda connection: stored.set_aside(connection, DeliveryId("d1"), "its product has no id"))
    assert replayed(database, "d1") == Replay(WEB)
    assert claimed(database) == ["d1"]


def test_without_its_body_a_replay_looks_at_the_subjects_again(database: Database) -> None:
    store_all(arrival("d1"), database=database)
    database.write_now(lambda c: c.execute(deliveries.update().values(body=None, state=DeliveryState.PLANNED.value)))
    assert replayed(database, "d1") == replayed(database, "d1") == Replay(WEB, (product("17"), category("3")))
    due = database.read_now(
        lambda c: c.execute(sa.select(looks.c.store, looks.c.kind, looks.c.id, looks.c.due_at)).all()
    )
    assert sorted(tuple(row) for row in due) == [(WEB, "category", "3", NOW), (WEB, "product", "17", NOW)]
    assert claimed(database) == []


def test_a_replay_of_nothing_says_why(database: Database) -> None:
    ignored = replace(arrival("ignored"), state=DeliveryState.IGNORED, subjects=())
    foreign = arrival("foreign", store=StoreAlias(""))
    store_all(ignored, foreign, database=database)
    for id_, why in (("ignored", "names nothing"), ("foreign", "none of our stores"), ("unknown", "There is no")):
        with pytest.raises(DatabaseError, match=why):
            replayed(database, id_)
