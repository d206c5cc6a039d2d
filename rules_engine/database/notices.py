"""What people are to be told: notices wait until those of one rule and target go out together."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any

import sqlalchemy as sa

from rules_engine.core.delivery import StoreAlias
from rules_engine.core.plan import Notice
from rules_engine.core.rule import RuleCode
from rules_engine.core.subject import SubjectKind, SubjectRef

from .rows import insert_for
from .tables import notices

GATHERED_FOR = timedelta(minutes=5)
"""How long a first notice waits for others of its rule: a hundred products that sell out are one message."""
SENDING = timedelta(minutes=2)
"""How long whoever sends a message has it to himself: longer than any call. After that it goes out again."""
LINES = 20
"""So many notices of a message are loaded; of the rest it says only how many they are."""
NOTE = RuleCode("")
"""What stands for the rule of a morning note, which is about all rules."""
_NOTE_KIND = "note"


class NoticeState(StrEnum):
    """Where a notice stands."""

    WAITING = "waiting"
    """It is to go out at `due_at`."""
    SENT = "sent"
    """The target said that it has it."""
    DEAD = "dead"
    """Given up, for the reason that is kept with it."""


@dataclass(frozen=True, slots=True)
class Digest:
    """All that one rule has to tell one target by now.

    `notices` are the first of `count`, oldest first, each with its store; they are about so many different `subjects`.
    `last` is the id of the newest; `attempts` counts the failed tries since the first of them. Or it is a morning note:
    then it is the whole text of the newest one in `note`, of the time `noted_at`, and there are no notices.
    """

    target: str
    rule: RuleCode
    notices: tuple[tuple[StoreAlias, Notice], ...]
    count: int
    subjects: int
    last: int
    attempts: int
    note: str = ""
    noted_at: datetime | None = None

    @property
    def since(self) -> datetime:
        """When the oldest of them came to be, or for when the note is."""
        return self.noted_at or self.notices[0][1].at


def add_notices(connection: sa.Connection, store: StoreAlias, added: Iterable[Notice], *, now: datetime) -> None:
    """Have people told. A notice goes out as soon as one of its rule and target that waits already is due."""
    rows = [
        {
            "store": store,
            "target": notice.target,
            "rule": notice.rule,
            "kind": notice.subject.kind.value,
            "subject": notice.subject.id,
            "called": notice.called,
            "text": notice.text,
            "at": notice.at,
            "state": NoticeState.WAITING.value,
            "due_at": now + GATHERED_FOR,
        }
        for notice in added
    ]
    if rows:
        connection.execute(sa.insert(notices), rows)


def add_note(connection: sa.Connection, target: str, day: date, text: str, *, at: datetime, now: datetime) -> bool:
    """Have a target get the morning note of a day, which is due `at`. False when it has, or had, one of that day."""
    row = {
        "store": "",
        "target": target,
        "rule": NOTE,
        "kind": _NOTE_KIND,
        "subject": day.isoformat(),
        "called": "",
        "text": text,
        "at": at,
        "state": NoticeState.WAITING.value,
        "due_at": now,
    }
    return connection.execute(insert_for(connection, notices).on_conflict_do_nothing(), row).rowcount == 1


def has_note(connection: sa.Connection, target: str, day: date) -> bool:
    """Whether a morning note of that day was written for the target."""
    # Written out, as below.
    is_note = notices.c.kind == sa.literal_column(f"'{_NOTE_KIND}'")
    query = sa.select(notices.c.id).where(is_note, notices.c.target == target, notices.c.subject == day.isoformat())
    return connection.execute(query).first() is not None


# Written out, not bound: SQLite uses a partial index only for a term that it can see when it plans.
_IS_WAITING = notices.c.state == sa.literal_column("'waiting'")

# As a term that leads no index: else SQLite walks over all that was ever told, by the ids, and not over what waits.
_ID = notices.c.id + 0


def _waits(target: str, rule: RuleCode) -> sa.ColumnElement[bool]:
    return sa.and_(_IS_WAITING, notices.c.target == target, notices.c.rule == rule)


def due_digests(connection: sa.Connection, *, now: datetime) -> list[Digest]:
    """What is to go out now, that which waited longest first."""
    due = (
        sa.select(notices.c.target, notices.c.rule)
        .where(_IS_WAITING, notices.c.due_at <= now)
        .group_by(notices.c.target, notices.c.rule)
        .order_by(sa.func.min(notices.c.due_at), sa.func.min(notices.c.id))
    )
    return [_digest(connection, target, RuleCode(rule)) for target, rule in connection.execute(due).all()]


def _digest(connection: sa.Connection, target: str, rule: RuleCode) -> Digest:
    waits = _waits(target, rule)
    line = sa.literal("\n")
    subject = notices.c.store + line + notices.c.kind + line + notices.c.subject
    tally = sa.select(
        sa.func.count(),
        sa.func.count(sa.distinct(subject)),
        sa.func.max(notices.c.id),
        sa.func.max(notices.c.attempts),
    ).where(waits)
    count, subjects, last, attempts = connection.execute(tally).one()
    if rule == NOTE:
        newest = connection.execute(sa.select(notices).where(waits).order_by(_ID.desc()).limit(1)).one()
        return Digest(target, rule, (), count, 0, last, attempts, newest.text, newest.at)
    rows = connection.execute(sa.select(notices).where(waits).order_by(_ID).limit(LINES))
    told = tuple((StoreAlias(row.store), _from_row(row)) for row in rows)
    return Digest(target, rule, told, count, subjects, last, attempts)


def _from_row(row: sa.Row[Any]) -> Notice:
    subject = SubjectRef(SubjectKind(row.kind), row.subject)
    return Notice(row.target, RuleCode(row.rule), subject, row.called, row.text, row.at)


def take_up(connection: sa.Connection, digest: Digest, *, now: datetime) -> bool:
    """Have it to oneself while it is sent. False when another process has it, or has sent it, since it was found."""
    due = sa.and_(_waits(digest.target, digest.rule), digest.last >= _ID, notices.c.due_at <= now)
    # In one statement: of two processes that do this at once only one changes any row.
    if connection.execute(sa.update(notices).where(due).values(due_at=now + SENDING)).rowcount == 0:
        return False
    _change(connection, digest, due_at=now + SENDING)  # what goes along before it is due by itself
    return True


def mark_sent(connection: sa.Connection, digest: Digest, *, now: datetime) -> None:
    """The target has it. What came to be while it was sent waits for the next one, for as long as a first notice."""
    _change(connection, digest, state=NoticeState.SENT.value, sent_at=now, reason="")
    later = sa.update(notices).where(_waits(digest.target, digest.rule))
    connection.execute(later.values(due_at=now + GATHERED_FOR))


def mark_dead(connection: sa.Connection, digest: Digest, *, reason: str) -> None:
    """Give it up."""
    _change(connection, digest, state=NoticeState.DEAD.value, reason=reason)


def postpone(connection: sa.Connection, digest: Digest, *, due_at: datetime, reason: str) -> None:
    """It could not be sent: try again at `due_at`, with whatever came to be by then."""
    _change(connection, digest, attempts=digest.attempts + 1, reason=reason)
    connection.execute(sa.update(notices).where(_waits(digest.target, digest.rule)).values(due_at=due_at))


def _change(connection: sa.Connection, digest: Digest, **values: object) -> None:
    of_digest = sa.and_(_waits(digest.target, digest.rule), digest.last >= _ID)
    connection.execute(sa.update(notices).where(of_digest).values(**values))
