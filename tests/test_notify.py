"""People are told once what rules did, in one message for each rule and target; and nobody waits for it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, time, timedelta
from functools import partial
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import structlog
from engine_world import WEB, World
from sqlalchemy.engine import Connection
from structlog.testing import capture_logs

from rules_engine.core.action import Request, Response
from rules_engine.core.delivery import StoreAlias
from rules_engine.core.errors import PermanentError, TemporaryError
from rules_engine.core.plan import Notice
from rules_engine.core.rule import RuleCode
from rules_engine.core.store import NotifyTarget
from rules_engine.core.subject import SubjectRef, category, product
from rules_engine.database.notices import GATHERED_FOR, LINES, SENDING, Digest, NoticeState, add_notices, due_digests
from rules_engine.database.tables import notices
from rules_engine.lane.rules import Rules
from rules_engine.metrics import Metrics
from rules_engine.notify import (
    GIVEN_UP_AFTER,
    LONGEST_NOTE,
    LOOK_EVERY,
    NOTE_WITHIN,
    Notifier,
    escaped,
    message,
    note_message,
)
from rules_engine.sandbox import ManualClock

pytestmark = pytest.mark.anyio

URL = "https://hooks.example/services/T000/B000/very-secret"
FLOOR, OFFICE = NotifyTarget("floor", URL), NotifyTarget("office", "https://chat.example/hook")
RULE = RuleCode("sold-out-leaves-featured")
TITLE = "Sold-out products leave Featured and come back when restocked"


@dataclass
class Chat:
    """Targets that answer as they are told: a status, or an error; 200 when nothing is said any more."""

    world: World
    answers: list[int | Exception] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b"ok"
    got: list[Request] = field(default_factory=list)
    written: list[tuple[datetime, datetime]] = field(default_factory=list)

    async def send(self, request: Request) -> Response:
        self.got.append(request)
        answer = self.answers.pop(0) if self.answers else 200
        if isinstance(answer, Exception):
            raise answer
        return Response(answer, self.world.clock(), self.headers, self.body)

    def write_note(self, connection: Connection, since: datetime, now: datetime) -> list[list[str]]:
        """A morning note of one store."""
        self.written.append((since, now))
        return [["web, since yesterday", "Taken: 2 products", "• sold-out: Tom & Jerry"]]

    @property
    def texts(self) -> list[str]:
        return [json.loads(request.body or b"")["text"] for request in self.got]


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with World(tmp_path / "engine.db", only=(WEB,)) as world:
        yield world


@pytest.fixture
def chat(world: World) -> Chat:
    return Chat(world)


def notifier(chat: Chat, *targets: NotifyTarget, rules: Rules | None = None) -> Notifier:
    world = chat.world
    return Notifier(
        targets or (FLOOR, OFFICE),
        world.database,
        rules or world.lanes[WEB].rules,
        chat.send,
        Metrics(),
        write_note=chat.write_note,
        now=world.clock,
        sleep=world.sleep,
        chance=lambda: 0.5,
    )


async def tell(world: World, *ids: str, target: str = "floor", rule: RuleCode = RULE) -> None:
    added = [
        Notice(target, rule, product(id_), f"Shoe {id_}", "its condition began to hold", world.clock()) for id_ in ids
    ]
    await world.database.write(partial(add_notices, store=WEB, added=added, now=world.clock()))


async def states(world: World) -> list[str]:
    return [row["state"] for row in await world.every(notices)]


async def test_a_message_goes_out_five_minutes_after_the_first_notice_and_only_once(world: World, chat: Chat) -> None:
    sender = notifier(chat)
    await tell(world, "1")
    world.clock.move(minutes=4)
    await tell(world, "2")
    await sender.send_due()
    assert chat.got == []
    world.clock.move(minutes=1)
    await sender.send_due()
    await sender.send_due()
    assert chat.texts == [
        f"*{TITLE}*: 2 products\n• Shoe 1: its condition began to hold\n• Shoe 2: its condition began to hold"
    ]
    assert (chat.got[0].method, chat.got[0].url) == ("POST", URL)
    assert chat.got[0].headers["content-type"] == "application/json"
    assert await states(world) == [NoticeState.SENT] * 2


async def test_a_rule_that_is_gone_is_told_of_by_its_code(world: World, chat: Chat) -> None:
    await tell(world, "1", rule=RuleCode("gone"))
    world.clock.move(minutes=5)
    await notifier(chat).send_due()
    assert chat.texts[0].startswith("*gone*: 1 product\n")


@pytest.mark.parametrize("failure", [429, 500, 503, 408, TemporaryError("hooks.example did not answer.")])
async def test_a_target_that_is_busy_or_away_is_told_later(world: World, chat: Chat, failure: int | Exception) -> None:
    chat.answers = [failure, failure]
    await tell(world, "1")
    world.clock.move(minutes=5)
    sender = notifier(chat)
    await sender.send_due()
    await sender.send_due()
    assert len(chat.got) == 1
    world.clock.move(seconds=2)
    await sender.send_due()
    assert await states(world) == [NoticeState.WAITING]
    world.clock.move(seconds=4)
    await sender.send_due()
    assert len(chat.got) == 3
    assert await states(world) == [NoticeState.SENT]


async def test_a_target_that_asks_to_wait_is_left_alone_for_so_long(world: World, chat: Chat) -> None:
    chat.answers, chat.headers = [429], {"retry-after": "120"}
    await tell(world, "1")
    world.clock.move(minutes=5)
    sender = notifier(chat)
    await sender.send_due()
    world.clock.move(seconds=119)
    await sender.send_due()
    assert len(chat.got) == 1
    world.clock.move(seconds=1)
    await sender.send_due()
    assert len(chat.got) == 2


async def test_a_target_that_asks_to_wait_is_told_nothing_of_other_rules_either(world: World, chat: Chat) -> None:
    chat.answers, chat.headers = [429], {"retry-after": "120"}
    await tell(world, "1")
    await tell(world, "2", rule=RuleCode("another"))
    await tell(world, "3", target="office")
    world.clock.move(minutes=5)
    sender = notifier(chat)
    await sender.send_due()
    world.clock.move(seconds=119)
    await sender.send_due()
    assert [request.url for request in chat.got] == [FLOOR.url, OFFICE.url]
    world.clock.move(seconds=1)
    await sender.send_due()
    assert await states(world) == [NoticeState.SENT] * 3


@pytest.mark.parametrize("status", [400, 403, 404, 410, 302])
async def test_a_target_that_refuses_is_told_no_more_of_it_and_the_reason_is_kept(
    world: World, chat: Chat, status: int
) -> None:
    chat.answers, chat.body = [status], b"no_service"
    await tell(world, "1")
    world.clock.move(minutes=5)
    with capture_logs() as lines:
        await notifier(chat).send_due()
    [row] = await world.every(notices)
    assert (row["state"], row["reason"]) == (NoticeState.DEAD, f"it answered {status} (no_service)")
    assert [line["event"] for line in lines] == ["notices are given up"]


async def test_what_could_not_be_told_for_a_day_is_given_up(world: World, chat: Chat) -> None:
    chat.answers = [503] * 500
    sender = notifier(chat)
    await tell(world, "1")
    world.clock.move(minutes=5)
    start = world.clock()
    while (await states(world)) == [NoticeState.WAITING]:
        await sender.send_due()
        world.clock.move(minutes=1)
    assert GIVEN_UP_AFTER <= world.clock() - start <= GIVEN_UP_AFTER + timedelta(minutes=20)
    assert len(chat.got) < 120


async def test_an_unset_variable_lets_notices_wait_until_it_is_set(world: World, chat: Chat) -> None:
    await tell(world, "1")
    world.clock.move(minutes=5)
    await notifier(chat, NotifyTarget("floor", "", missing="FLOOR_WEBHOOK")).send_due()
    assert chat.got == []
    assert await states(world) == [NoticeState.WAITING]
    await notifier(chat, FLOOR).send_due()
    assert await states(world) == [NoticeState.SENT]


async def test_a_target_that_stores_yaml_no_longer_names_is_given_up(world: World, chat: Chat) -> None:
    await tell(world, "1", target="nobody")
    world.clock.move(minutes=5)
    await notifier(chat).send_due()
    assert await states(world) == [NoticeState.DEAD]


async def test_an_address_that_may_not_be_called_is_tried_again_and_said(world: World, chat: Chat) -> None:
    chat.answers = [PermanentError("10.0.0.1 is not on the internet")]
    await tell(world, "1")
    world.clock.move(minutes=5)
    with capture_logs() as lines:
        await notifier(chat).send_due()
    assert await states(world) == [NoticeState.WAITING]
    assert "look at the variable" in lines[0]["reason"]


async def test_one_target_that_fails_keeps_no_other_from_being_told(world: World, chat: Chat) -> None:
    chat.answers = [503]
    await tell(world, "1")
    await tell(world, "2", target="office")
    world.clock.move(minutes=5)
    await notifier(chat).send_due()
    assert [request.url for request in chat.got] == [FLOOR.url, OFFICE.url]
    assert await states(world) == [NoticeState.WAITING, NoticeState.SENT]


async def test_killed_between_the_answer_and_the_commit_it_is_told_again_rather_than_not_at_all(
    world: World, chat: Chat
) -> None:
    await tell(world, "1")
    world.clock.move(minutes=5)
    world.cut.at = world.cut.steps + 2  # the first step has it to oneself
    with pytest.raises(ExceptionGroup):
        await notifier(chat).send_due()
    await world.restart()
    await notifier(chat).send_due()
    assert len(chat.got) == 1
    world.clock.time += SENDING
    await notifier(chat).send_due()
    assert len(chat.got) == 2
    assert await states(world) == [NoticeState.SENT]


async def test_of_two_processes_that_find_the_same_message_one_sends_it(world: World, chat: Chat) -> None:
    first, second = notifier(chat), notifier(chat)
    await tell(world, "1")
    world.clock.move(minutes=5)

    async def slow(request: Request) -> Response:
        await second.send_due()
        return await chat.send(request)

    first._send = slow
    found = await world.database.read(partial(due_digests, now=world.clock()))
    await first.send_due()
    await second._send_all("floor", found)  # it looked before the first one had it
    await second.send_due()
    assert len(chat.got) == 1
    assert await states(world) == [NoticeState.SENT]


async def test_what_goes_along_before_it_is_due_is_sent_by_one_process_too(world: World, chat: Chat) -> None:
    first, second = notifier(chat), notifier(chat)
    await tell(world, "1")
    world.clock.move(seconds=20)
    await tell(world, "2")
    world.clock.time += GATHERED_FOR - timedelta(seconds=20)

    async def slow(request: Request) -> Response:
        world.clock.move(seconds=25)  # by then the second would be due by itself
        await second.send_due()
        return await chat.send(request)

    first._send = slow
    await first.send_due()
    assert [text.count("•") for text in chat.texts] == [2]


async def test_the_secret_url_is_in_no_log_and_no_reason(world: World, chat: Chat) -> None:
    chat.answers = [TemporaryError(f"could not reach {URL}."), 404]
    chat.body = f"no such path: {URL}".encode()
    await tell(world, "1")
    world.clock.move(minutes=5)
    with capture_logs() as lines:
        sender = notifier(chat)
        await sender.send_due()
        world.clock.move(minutes=1)
        await sender.send_due()
    rows = await world.every(notices)
    assert "very-secret" not in str(lines) + str(rows) + repr(sender) + repr(FLOOR)
    assert rows[0]["reason"] == "it answered 404"


async def test_a_fault_of_ours_is_logged_and_the_next_look_tries_again(world: World, chat: Chat) -> None:
    class EndError(Exception):
        """The end of the test."""

    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        world.clock.time += SENDING
        if len(waits) == 2:
            raise EndError

    chat.answers = [ValueError("nobody foresaw this")]
    await tell(world, "1")
    world.clock.move(minutes=5)
    sender = notifier(chat)
    sender._sleep = sleep
    structlog.reset_defaults()
    with pytest.raises(EndError):
        await sender.run()
    assert waits == [LOOK_EVERY, LOOK_EVERY]
    assert await states(world) == [NoticeState.SENT]


# The morning note.

RIYADH = ZoneInfo("Asia/Riyadh")
READER = NotifyTarget("reader", "https://chat.example/reader", morning_note=time(8), zone=RIYADH)


def at(world: World, hour: int, minute: int = 0, *, day: int = 10) -> None:
    """Let it be this time in Riyadh."""
    world.clock.time = datetime(2026, 3, day, hour, minute, tzinfo=RIYADH).astimezone(UTC)


async def look(sender: Notifier) -> None:
    """What the notifier does at each look; what was written goes out at the next one."""
    for _ in range(2):
        await sender.send_due()
        await sender.write_notes()


async def test_a_morning_note_goes_out_once_a_day_at_its_time_in_its_zone(world: World, chat: Chat) -> None:
    sender = notifier(chat, READER, FLOOR)
    at(world, 7, 59)
    await look(sender)
    assert chat.got == []
    at(world, 8)
    await look(sender)
    at(world, 13)
    await look(sender)
    assert chat.texts == [
        "*Morning note, 10 March*\n\n*web, since yesterday*\nTaken: 2 products\n• sold-out: Tom &amp; Jerry"
    ]
    assert chat.got[0].url == READER.url
    at(world, 8, 1, day=11)
    await look(sender)
    assert [text.split("\n")[0] for text in chat.texts] == ["*Morning note, 10 March*", "*Morning note, 11 March*"]
    day = datetime(2026, 3, 11, 5, 1, tzinfo=UTC)
    assert chat.written[1] == (day - timedelta(days=1, minutes=1), day)


async def test_who_gets_no_morning_note_or_has_no_address_yet_has_none_written(world: World, chat: Chat) -> None:
    at(world, 9)
    await look(notifier(chat, FLOOR, replace(READER, url="", missing="READER_WEBHOOK")))
    assert (chat.got, chat.written) == ([], [])
    await look(notifier(chat, READER))
    assert len(chat.got) == 1


async def test_after_a_restart_the_note_of_the_day_is_neither_lost_nor_written_again(world: World, chat: Chat) -> None:
    at(world, 8)
    await notifier(chat, READER).write_notes()
    await world.restart()
    at(world, 9)
    await look(notifier(chat, READER))
    await look(notifier(chat, READER))
    assert (len(chat.got), len(chat.written)) == (1, 1)


async def test_of_two_processes_that_write_the_note_at_once_one_note_goes_out(world: World, chat: Chat) -> None:
    first, second = notifier(chat, READER), notifier(chat, READER)
    at(world, 8)
    due = datetime(2026, 3, 10, 8, tzinfo=RIYADH)
    await first._add_note(READER, due)
    await second._add_note(READER, due)  # it looked before the first one had written it
    await look(first)
    await look(second)
    assert len(chat.got) == 1


@pytest.mark.parametrize(("late", "told"), [(NOTE_WITHIN, 1), (NOTE_WITHIN + timedelta(seconds=1), 0)])
async def test_a_note_comes_some_hours_late_after_an_outage_and_no_later(
    world: World, chat: Chat, late: timedelta, told: int
) -> None:
    at(world, 8)
    world.clock.time += late
    await look(notifier(chat, READER))
    assert len(chat.got) == told


async def test_a_note_for_late_at_night_may_come_after_midnight_and_is_of_its_own_day(world: World, chat: Chat) -> None:
    sender = notifier(chat, replace(READER, morning_note=time(23, 30)))
    at(world, 1, day=11)
    await look(sender)
    at(world, 23, 30, day=11)
    await look(sender)
    assert [text.split("\n")[0] for text in chat.texts] == ["*Morning note, 10 March*", "*Morning note, 11 March*"]


async def test_a_note_that_waited_through_an_outage_is_old_news_and_given_up(world: World, chat: Chat) -> None:
    at(world, 8)
    await notifier(chat, READER).write_notes()
    at(world, 8, day=12)
    await look(notifier(chat, READER))
    assert [text.split("\n")[0] for text in chat.texts] == ["*Morning note, 12 March*"]
    assert await states(world) == [NoticeState.DEAD, NoticeState.SENT]


async def test_a_reader_who_is_away_is_tried_again_for_some_hours_and_digests_go_on(world: World, chat: Chat) -> None:
    at(world, 8)
    chat.answers = [503] * 500
    sender = notifier(chat, READER)
    await look(sender)
    start = world.clock()
    while (await states(world)) == [NoticeState.WAITING]:
        await look(sender)
        world.clock.move(minutes=1)
    assert NOTE_WITHIN <= world.clock() - start <= NOTE_WITHIN + timedelta(minutes=20)
    chat.answers = []
    await tell(world, "1", target="reader")
    world.clock.move(minutes=5)
    await look(sender)
    assert await states(world) == [NoticeState.DEAD, NoticeState.SENT]


async def test_a_note_that_cannot_be_written_keeps_no_message_from_being_sent(world: World, chat: Chat) -> None:
    class EndError(Exception):
        """The end of the test."""

    async def sleep(seconds: float) -> None:
        raise EndError

    def broken(connection: Connection, since: datetime, now: datetime) -> list[list[str]]:
        raise ValueError("nobody foresaw this")

    at(world, 8)
    await tell(world, "1")
    world.clock.move(minutes=5)
    sender = notifier(chat, FLOOR, READER)
    sender._write_note, sender._sleep = broken, sleep
    structlog.reset_defaults()
    with pytest.raises(EndError):
        await sender.run()
    assert len(chat.got) == 1


def test_a_long_note_is_cut_at_a_line_and_says_where_the_rest_is() -> None:
    day = datetime(2026, 3, 10, 8, tzinfo=UTC)
    text = note_message(day, [[f"store {number}", *["x" * 280] * 10] for number in range(100)])
    assert LONGEST_NOTE - 400 < len(text) < LONGEST_NOTE + 100
    assert lines(text)[-1] == "The rest is too long for a chat: `rules-engine note` tells it all."
    assert set(lines(text)[-2]) == {"x"}


# What a message says.


def digest(*told: tuple[StoreAlias, Notice], count: int | None = None) -> Digest:
    subjects = len({(store, notice.subject) for store, notice in told})
    return Digest("floor", RULE, tuple(told), count or len(told), subjects, last=1, attempts=0)


def told(ref: SubjectRef, called: str = "Shoe", *, store: StoreAlias = WEB) -> tuple[StoreAlias, Notice]:
    return store, Notice("floor", RULE, ref, called, "its condition ended", ManualClock().time)


def lines(text: str) -> Sequence[str]:
    return text.split("\n")


def test_signs_of_markup_are_escaped_so_that_no_name_rings_everybody() -> None:
    text = message(digest(told(product("1"), "<!channel> Tom & Jerry\n<@U1>")), "A < B")
    assert lines(text) == [
        "*A &lt; B*: 1 product",
        "• &lt;!channel&gt; Tom &amp; Jerry &lt;@U1&gt;: its condition ended",
    ]


def test_twenty_lines_are_shown_and_the_rest_is_counted() -> None:
    shown = [told(product(str(number))) for number in range(LINES)]
    text = lines(message(digest(*shown, count=LINES + 12), "Title"))
    assert len(text) == LINES + 2
    assert text[-1] == "and 12 more"


def test_the_store_is_named_where_there_are_several_and_categories_are_called_so() -> None:
    ksa = StoreAlias("ksa")
    several = message(digest(told(product("1")), told(product("1"), store=ksa)), "Title")
    assert lines(several)[:2] == ["*Title*: 2 products", "• Shoe (web): its condition ended"]
    assert lines(message(digest(told(category("1"))), "T"))[0] == "*T*: 1 category"


def test_a_long_line_is_cut() -> None:
    assert escaped("x" * 1000) == "x" * 299 + "…"


def test_a_first_message_waits_for_as_long_as_the_readme_says() -> None:
    assert timedelta(minutes=5) == GATHERED_FOR
