"""Notices of one rule and target go out together, and each is told, given up or waits."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from rules_engine.core.delivery import StoreAlias
from rules_engine.core.plan import Notice
from rules_engine.core.rule import RuleCode
from rules_engine.core.subject import product
from rules_engine.database import notices as told
from rules_engine.database.notices import GATHERED_FOR, LINES, Digest, NoticeState
from rules_engine.database.tables import notices

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
WEB, KSA = StoreAlias("web"), StoreAlias("ksa")
RULE, OTHER = RuleCode("sold-out"), RuleCode("low-stock")


def notice(id_: str = "1", *, rule: RuleCode = RULE, target: str = "floor") -> Notice:
    return Notice(target, rule, product(id_), f"Shoe {id_}", "its condition began to hold", NOW)


def add(connection: sa.Connection, *added: Notice, store: StoreAlias = WEB, now: datetime = NOW) -> None:
    told.add_notices(connection, store, added, now=now)


def due(connection: sa.Connection, now: datetime = NOW + GATHERED_FOR) -> list[Digest]:
    return told.due_digests(connection, now=now)


def states(connection: sa.Connection) -> list[str]:
    return list(connection.execute(sa.select(notices.c.state).order_by(notices.c.id)).scalars())


def test_what_a_rule_tells_a_target_waits_five_minutes_from_the_first_and_goes_out_together(
    connection: sa.Connection,
) -> None:
    add(connection, notice("1"), notice("2"))
    add(connection, notice("3"), store=KSA, now=NOW + 4 * MINUTE)
    assert due(connection, NOW + GATHERED_FOR - timedelta(microseconds=1)) == []
    expected = ((WEB, notice("1")), (WEB, notice("2")), (KSA, notice("3")))
    assert due(connection) == [Digest("floor", RULE, expected, count=3, subjects=3, last=3, attempts=0)]
    assert due(connection)[0].since == NOW


def test_another_rule_and_another_target_are_messages_of_their_own(connection: sa.Connection) -> None:
    add(connection, notice(), notice(rule=OTHER))
    add(connection, notice(target="office"), now=NOW + MINUTE)
    later = NOW + GATHERED_FOR + MINUTE
    found = [(digest.target, digest.rule) for digest in due(connection, later)]
    assert found == [("floor", RULE), ("floor", OTHER), ("office", RULE)]


def test_a_message_loads_its_first_lines_and_counts_the_rest(connection: sa.Connection) -> None:
    add(connection, *(notice(str(number)) for number in range(LINES + 5)), notice("0"))
    [digest] = due(connection)
    assert [one.subject.id for _, one in digest.notices] == [str(number) for number in range(LINES)]
    assert (digest.count, digest.subjects) == (LINES + 6, LINES + 5)


def test_no_message_is_looked_for_among_all_that_was_ever_told(connection: sa.Connection) -> None:
    add(connection, notice("1"))
    told.add_note(connection, "floor", NOW.date(), "Morning", at=NOW, now=NOW)
    seen: list[tuple[str, Any]] = []
    sa.event.listen(connection, "before_cursor_execute", lambda *a: seen.append((a[2], a[3])))
    for digest in due(connection):
        told.take_up(connection, digest, now=NOW + GATHERED_FOR)
        told.postpone(connection, digest, due_at=NOW, reason="away")
        told.mark_sent(connection, digest, now=NOW)
    for text, values in seen[:]:
        plan = [row[-1] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}", values)]
        assert any("ix_notices_waiting" in said for said in plan), (text, plan)


def test_what_comes_while_a_message_is_sent_is_in_the_next_one(connection: sa.Connection) -> None:
    add(connection, notice("1"))
    [digest] = due(connection)
    sent_at = NOW + GATHERED_FOR
    add(connection, notice("2"), now=sent_at)
    told.mark_sent(connection, digest, now=sent_at)
    assert states(connection) == [NoticeState.SENT, NoticeState.WAITING]
    assert due(connection, sent_at + GATHERED_FOR - timedelta(microseconds=1)) == []
    assert due(connection, sent_at + GATHERED_FOR)[0].notices == ((WEB, notice("2")),)


def test_what_could_not_be_sent_is_due_later_with_what_joined_it(connection: sa.Connection) -> None:
    add(connection, notice("1"))
    [digest] = due(connection)
    add(connection, notice("2"), now=NOW + 6 * MINUTE)
    told.postpone(connection, digest, due_at=NOW + 8 * MINUTE, reason="busy")
    assert due(connection, NOW + 7 * MINUTE) == []
    [again] = due(connection, NOW + 8 * MINUTE)
    assert (again.count, again.attempts) == (2, 1)


def test_what_is_given_up_keeps_its_reason_and_is_never_due(connection: sa.Connection) -> None:
    add(connection, notice("1"))
    told.mark_dead(connection, due(connection)[0], reason="it answered 404")
    assert states(connection) == [NoticeState.DEAD]
    assert due(connection, NOW + timedelta(days=9)) == []
    assert connection.execute(sa.select(notices.c.reason)).scalar_one() == "it answered 404"


def test_looking_for_what_is_due_uses_the_index_of_what_waits(connection: sa.Connection) -> None:
    query = sa.select(notices.c.target).where(told._IS_WAITING, notices.c.due_at <= NOW)
    text = query.compile(connection.engine, compile_kwargs={"literal_binds": False})
    plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}", (0,)).all()
    assert "ix_notices_waiting" in str(plan)


def test_what_comes_while_a_message_is_sent_waits_for_others_from_then_on(connection: sa.Connection) -> None:
    add(connection, notice("1"))
    [digest] = due(connection)
    sent_at = NOW + GATHERED_FOR + MINUTE
    add(connection, notice("2"), now=NOW + GATHERED_FOR)
    told.mark_sent(connection, digest, now=sent_at)
    assert due(connection, sent_at + GATHERED_FOR - timedelta(microseconds=1)) == []
    assert len(due(connection, sent_at + GATHERED_FOR)) == 1


def test_what_comes_while_a_message_cannot_be_sent_is_tried_no_sooner_than_that(connection: sa.Connection) -> None:
    add(connection, notice("1"))
    [digest] = due(connection)
    add(connection, notice("2"), now=NOW + MINUTE)
    told.postpone(connection, digest, due_at=NOW + 60 * MINUTE, reason="it answered 503")
    assert due(connection, NOW + 59 * MINUTE) == []
    assert [one.count for one in due(connection, NOW + 60 * MINUTE)] == [2]
