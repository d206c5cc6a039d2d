"""People are told once what rules did, in one message for each rule and target; and nobody waits for it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
import structlog
from engine_world import WEB, World
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
from rules_engine.notify import GIVEN_UP_AFTER, LOOK_EVERY, Notifier, escaped, message
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

    async def send(self, request: Request) -> Response:
        self.got.append(request)
        answer = self.answers.pop(0) if self.answers else 200
        if isinstance(answer, Exception):
            raise answer
        return Response(answer, self.world.clock(), self.headers, self.body)

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
