"""Telling people what rules did, to Slack-compatible webhooks: a message for each rule, and a note every morning."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import partial

import structlog
from sqlalchemy.engine import Connection

from rules_engine.core.action import Request
from rules_engine.core.errors import CallError, PermanentError
from rules_engine.core.retry import MAX_ATTEMPTS, PARKED_PROBES_AFTER, retry_delay
from rules_engine.core.rule import RuleCode
from rules_engine.core.store import NotifyTarget
from rules_engine.core.subject import SubjectKind
from rules_engine.database.engine import Database
from rules_engine.database.notices import (
    NOTE,
    Digest,
    add_note,
    due_digests,
    has_note,
    mark_dead,
    mark_sent,
    postpone,
    take_up,
)
from rules_engine.lane.calls import Send
from rules_engine.lane.rules import Rules
from rules_engine.metrics import Metrics

log = structlog.stdlib.get_logger(__name__)

LOOK_EVERY = 2.0
"""Seconds between looks for messages that are due."""
GIVEN_UP_AFTER = timedelta(days=1)
"""What could not be told for so long is old news."""
NOTE_WITHIN = timedelta(hours=6)
"""A morning note comes so late at most: after an outage, or to a target that is away. Then the next one tells."""
LONGEST_LINE = 300
"""Characters of a line."""
LONGEST_NOTE = 30_000
"""Characters of a morning note: a chat takes 40,000 in a message."""

WriteNote = Callable[[Connection, datetime, datetime], Sequence[Sequence[str]]]
"""The morning note of every store, as lines, the first one its title: what was done since one time, as of another."""

_BUSY = frozenset({408, 425, 429})
_PLAIN = re.compile(r"[a-z][a-z_ .-]{0,59}")


class Notifier:
    """Sends what is due to the targets of stores.yaml; of several processes one sends each message.

    A message counts as sent once its target has said so: after a crash it is sent again rather than not at all. One
    whose target's variable is not set waits for it. No lane waits for any of this. `write_note` writes the morning
    note for the targets that get one.
    """

    def __init__(
        self,
        targets: Iterable[NotifyTarget],
        database: Database,
        rules: Rules,
        send: Send,
        metrics: Metrics,
        *,
        write_note: WriteNote,
        now: Callable[[], datetime],
        sleep: Callable[[float], Awaitable[None]],
        chance: Callable[[], float],
    ) -> None:
        self._targets = {target.name: target for target in targets}
        self._database = database
        self._rules = rules
        self._send = send
        self._metrics = metrics
        self._now = now
        self._sleep = sleep
        self._chance = chance
        self._write_note = write_note
        self._left_alone: dict[str, datetime] = {}
        self._noted: dict[str, date] = {}

    async def run(self) -> None:
        """Send what is due, for ever. A fault of ours is logged, and tried again."""
        while True:
            try:
                await self.send_due()
                await self.write_notes()
            except Exception:  # people who are told nothing any more would not know that anything is wrong
                log.exception("could not send notices; tried again later")
            await self._sleep(LOOK_EVERY)

    async def write_notes(self) -> None:
        """Write the morning notes whose time has come; they go out with the next messages, once for target and day."""
        for target in self._targets.values():
            due = _note_due(target, self._now())
            if due is None or self._noted.get(target.name) == due.date():
                continue
            if not await self._database.read(partial(has_note, target=target.name, day=due.date())):
                await self._add_note(target, due)
            self._noted[target.name] = due.date()

    async def _add_note(self, target: NotifyTarget, due: datetime) -> None:
        at, now = due.astimezone(UTC), self._now()
        since = (due - timedelta(days=1)).astimezone(UTC)
        stores = await self._database.read(lambda connection: self._write_note(connection, since, now))
        text = note_message(due, stores)
        await self._database.write(partial(add_note, target=target.name, day=due.date(), text=text, at=at, now=now))

    async def send_due(self) -> None:
        """Send every message that is due, to each target one after the other, and to one that is slow beside others."""
        due = await self._database.read(partial(due_digests, now=self._now()))
        by_target: dict[str, list[Digest]] = {}
        for digest in due:
            by_target.setdefault(digest.target, []).append(digest)
        async with asyncio.TaskGroup() as group:
            for name, digests in by_target.items():
                group.create_task(self._send_all(name, digests))

    async def _send_all(self, name: str, digests: Iterable[Digest]) -> None:
        target = self._targets.get(name)
        if self._now() < self._left_alone.get(name, self._now()):
            return  # it asked to wait, whatever the message is about
        for digest in digests:
            if target is None:
                await self._give_up(digest, "stores.yaml does not name it any more")
            elif digest.rule == NOTE and self._now() - digest.since > NOTE_WITHIN:
                await self._give_up(digest, "it came too late: the next morning note tells more")
            elif not target.missing and not await self._tell(target, digest):
                return  # the others would fare no better now; they are due again at the next look

    async def _tell(self, target: NotifyTarget, digest: Digest) -> bool:
        """Send one message. Gives whether the target is there to be told more."""
        if not await self._database.write(partial(take_up, digest=digest, now=self._now())):
            return True
        text = digest.note or message(digest, await self._title(digest.rule))
        body = json.dumps({"text": text}, ensure_ascii=False).encode()
        request = Request("POST", target.url, {"content-type": "application/json"}, body)
        try:
            response = await self._send(request)
        except PermanentError:  # its text is about shops: the address is not to be called, until somebody changes it
            await self._try_later(digest, "its address may not be called: look at the variable that holds it", None)
            return False
        except CallError as error:
            await self._try_later(digest, _without_url(str(error), target), None)
            return False
        if 200 <= response.status < 300:
            await self._database.write(partial(mark_sent, digest=digest, now=self._now()))
            self._count(digest, "sent")
            log.info("told", target=digest.target, rule=digest.rule, notices=digest.count)
            return True
        said = response.body[:200].decode("utf-8", "replace").strip()
        why = f"it answered {response.status}" + (f" ({said})" if _PLAIN.fullmatch(said) else "")
        if response.status in _BUSY or response.status >= 500:
            await self._try_later(digest, why, _seconds(response.headers.get("retry-after", "")))
            return False
        await self._give_up(digest, why)
        return True

    async def _title(self, code: RuleCode) -> str:
        in_force = await self._database.read(self._rules.in_force)
        rules = in_force.rulebook.rules if in_force else ()
        return next((rule.title for rule in rules if rule.code == code and rule.title), code)

    async def _try_later(self, digest: Digest, reason: str, asked: float | None) -> None:
        now = self._now()
        if now - digest.since > GIVEN_UP_AFTER:
            await self._give_up(digest, f"{reason}, for a day")
            return
        attempt = digest.attempts + 1
        delay = retry_delay(attempt, chance=self._chance(), asked=asked)
        if asked is not None:
            self._left_alone[digest.target] = now + timedelta(seconds=asked)
        if attempt >= MAX_ATTEMPTS:
            delay = max(delay, PARKED_PROBES_AFTER)
        await self._database.write(partial(postpone, digest=digest, due_at=now + delay, reason=reason))
        self._count(digest, "failed for now")
        log.warning("could not tell; tried again", target=digest.target, rule=digest.rule, reason=reason, after=delay)

    async def _give_up(self, digest: Digest, reason: str) -> None:
        await self._database.write(partial(mark_dead, digest=digest, reason=reason))
        self._count(digest, "given up")
        log.error("notices are given up", target=digest.target, rule=digest.rule, notices=digest.count, reason=reason)

    def _count(self, digest: Digest, outcome: str) -> None:
        self._metrics.notices.labels(target=digest.target, outcome=outcome).inc(digest.count)


def message(digest: Digest, title: str) -> str:
    """The text of a message, in Slack's markup: the rule's title, how many it is about, and the first of them."""
    one, more = ("category", "categories") if _is_about_categories(digest) else ("product", "products")
    lines = [f"*{escaped(title)}*: {digest.subjects} {one if digest.subjects == 1 else more}"]
    many = len({store for store, _ in digest.notices}) > 1
    for store, notice in digest.notices:
        called = f"{notice.called} ({store})" if many else notice.called
        lines.append(f"• {escaped(called)}: {escaped(notice.text)}")
    if digest.count > len(digest.notices):
        lines.append(f"and {digest.count - len(digest.notices)} more")
    return "\n".join(lines)


def note_message(day: datetime, stores: Iterable[Sequence[str]]) -> str:
    """The text of a morning note, in Slack's markup, cut where it is longer than a chat takes."""
    lines = [f"*Morning note, {day.day} {day:%B}*"]
    for title, *rest in stores:
        lines += ["", f"*{escaped(title)}*", *(escaped(line) for line in rest)]
    length = 0
    for number, line in enumerate(lines):
        length += len(line) + 1
        if length > LONGEST_NOTE:
            return "\n".join([*lines[:number], "The rest is too long for a chat: `rules-engine note` tells it all."])
    return "\n".join(lines)


def _note_due(target: NotifyTarget, now: datetime) -> datetime | None:
    """For when, in its zone, a target is to get the morning note that is due now; None while none is."""
    if target.morning_note is None or target.missing:
        return None
    today = now.astimezone(target.zone).date()
    for day in (today, today - timedelta(days=1)):  # a note for 23:00 may be due after midnight
        due = datetime.combine(day, target.morning_note, target.zone)
        # Reckoned in UTC: in a zone whose clock changes, hours of the same day differ in length.
        if timedelta(0) <= now - due.astimezone(UTC) <= NOTE_WITHIN:
            return due
    return None


def _is_about_categories(digest: Digest) -> bool:
    return all(notice.subject.kind is SubjectKind.CATEGORY for _, notice in digest.notices)


def escaped(text: str) -> str:
    """One line of text as Slack shows it: its three signs of markup escaped, so that no name can ring everybody."""
    line = " ".join(text.split())
    line = line if len(line) <= LONGEST_LINE else f"{line[: LONGEST_LINE - 1]}…"
    return line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _without_url(text: str, target: NotifyTarget) -> str:
    return text.replace(target.url, "its address").rstrip(".")


def _seconds(text: str) -> float | None:
    """What `Retry-After` asks for, up to an hour; a date is not waited for."""
    return min(float(text), 3600.0) if text.strip().isdecimal() else None
