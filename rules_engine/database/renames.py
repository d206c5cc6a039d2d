"""Rules that got another code: what the old one held goes over to the new one."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from rules_engine.core.holds import HoldState
from rules_engine.core.plan import ActionState
from rules_engine.core.rule import RuleCode

from .ledger import TAKES_REMEMBERED
from .rows import OPEN_ACTIONS, OPEN_HOLDS
from .tables import actions, episodes, holds
from .tables_people import pauses
from .vanished import rename_in_questions

_TOOK = frozenset({HoldState.SENT, HoldState.TAKEN, HoldState.HOLDING})


def rename_rule(
    connection: sa.Connection,
    former: RuleCode,
    code: RuleCode,
    *,
    now: datetime,
    takes: timedelta = TAKES_REMEMBERED,
) -> int:
    """Let a rule go on under another code, in all stores; of how many products it holds something.

    Its stretches and open holds move, with the ended holds of a stretch that still runs, so that it takes nothing
    twice; what ended before keeps the code under which it was, and so do traces. So do its actions: those that are
    open or dead, and those of the last `takes`, by which it is counted how often it took a product. What a person
    paused stays paused, what was ordered stays ordered, and what is asked goes on under the new code.

    Where the new code has a stretch of its own already, that one counts, and the holds move into it. Of two holds on
    one slot the one that took it goes on, else that of the new code.
    """
    _settle_doubles(connection, former, code, now=now)
    held = connection.execute(
        sa.select(sa.func.count(sa.distinct(holds.c.store + sa.literal("\n") + holds.c.product))).where(
            holds.c.rule == former, holds.c.ended_at.is_(None)
        )
    ).scalar_one()
    _move_holds(connection, former, code)
    _move_episodes(connection, former, code)
    _move_actions(connection, former, code, since=now - takes)
    rename_in_questions(connection, former, code, now=now)
    is_paused = sa.and_(pauses.c.rule == former, pauses.c.resumed_at.is_(None))
    connection.execute(sa.update(pauses).where(is_paused).values(rule=code))
    return int(held)


def _settle_doubles(connection: sa.Connection, former: RuleCode, code: RuleCode, *, now: datetime) -> None:
    """End one of two holds on the same slot for the same subject: one rule has one say there.

    What is owed is no say; it stays beside the other until it is given back.
    """
    old, new = holds.alias("old"), holds.alias("new")
    same = [old.c[name] == new.c[name] for name in ("store", "product", "aspect", "target")]
    same += [old.c[name] == new.c[name] for name in ("subject_kind", "subject_id")]
    says = [state for state in OPEN_HOLDS if state != HoldState.OWED.value]
    query = (
        sa.select(old.c.id, old.c.state, old.c.takes, new.c.id, new.c.state, new.c.takes)
        .select_from(old.join(new, sa.and_(*same)))
        .where(old.c.rule == former, new.c.rule == code, old.c.state.in_(says), new.c.state.in_(says))
    )
    losers: list[int] = []
    for old_id, old_state, old_takes, new_id, new_state, new_takes in connection.execute(query).all():
        goes_on = _took(old_state, old_takes) and not _took(new_state, new_takes)
        losers.append(new_id if goes_on else old_id)
    for id_ in losers:
        reason = f"{former} is {code} now, which holds it"
        ended = {"state": HoldState.RELEASED.value, "reason": reason, "changed_at": now, "ended_at": now}
        connection.execute(sa.update(holds).where(holds.c.id == id_).values(ended))


def _took(state: str, takes: int) -> bool:
    return takes > 0 or HoldState(state) in _TOOK


def _number_of(rule: RuleCode) -> sa.ScalarSelect[Any]:
    """The number of the rule's present stretch of the subject of a hold."""
    return (
        sa.select(episodes.c.number)
        .where(episodes.c.store == holds.c.store, episodes.c.rule == rule)
        .where(episodes.c.kind == holds.c.subject_kind, episodes.c.id == holds.c.subject_id)
        .correlate(holds)
        .scalar_subquery()
    )


def _move_holds(connection: sa.Connection, former: RuleCode, code: RuleCode) -> None:
    is_of_the_stretch = holds.c.episode == _number_of(former)
    number = sa.case((is_of_the_stretch, sa.func.coalesce(_number_of(code), holds.c.episode)), else_=holds.c.episode)
    moved = sa.update(holds).where(holds.c.rule == former, sa.or_(holds.c.ended_at.is_(None), is_of_the_stretch))
    connection.execute(moved.values(rule=code, episode=number))


def _move_episodes(connection: sa.Connection, former: RuleCode, code: RuleCode) -> None:
    own = episodes.alias("own")
    has_own = sa.exists().where(
        own.c.store == episodes.c.store, own.c.rule == code, own.c.kind == episodes.c.kind, own.c.id == episodes.c.id
    )
    connection.execute(sa.delete(episodes).where(episodes.c.rule == former, has_own))
    connection.execute(sa.update(episodes).where(episodes.c.rule == former).values(rule=code))


def _move_actions(connection: sa.Connection, former: RuleCode, code: RuleCode, *, since: datetime) -> None:
    named = sa.cast(actions.c.rules, sa.Text).contains(json.dumps(former), autoescape=True)
    matters = actions.c.state.in_((*OPEN_ACTIONS, ActionState.DEAD.value))
    # One that was opened again is older than its last call, which still counts against the limits of the rule.
    is_recent = sa.or_(*(actions.c[name] > since for name in ("created_at", "called_at", "done_at")))
    query = sa.select(actions.c.seq, actions.c.rules).where(named, sa.or_(matters, is_recent))
    for seq, rules in connection.execute(query).all():
        renamed = list(dict.fromkeys(code if rule == former else rule for rule in rules))
        connection.execute(sa.update(actions).where(actions.c.seq == seq).values(rules=renamed, rule=renamed[0]))
