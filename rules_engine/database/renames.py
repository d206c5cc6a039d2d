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
from .rows import OPEN_ACTIONS, OPEN_HOLDS, given
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
    codes = {"former": former, "code": code}
    held = connection.execute(_HELD, codes).scalar_one()
    for statement in (_MOVE_HOLDS, _FORGET_EPISODES, _MOVE_EPISODES):
        connection.execute(statement, codes)
    _move_actions(connection, former, code, since=now - takes)
    rename_in_questions(connection, former, code, now=now)
    connection.execute(_MOVE_PAUSES, codes)
    return int(held)


_HELD = sa.select(sa.func.count(sa.distinct(holds.c.store + sa.literal("\n") + holds.c.product))).where(
    holds.c.rule == given("former"), holds.c.ended_at.is_(None)
)
_MOVE_PAUSES = (
    sa.update(pauses).where(pauses.c.rule == given("former"), pauses.c.resumed_at.is_(None)).values(rule=given("code"))
)

_OLD, _NEW = holds.alias("old"), holds.alias("new")
_SAYS = [state for state in OPEN_HOLDS if state != HoldState.OWED.value]
_SAME = ("store", "product", "aspect", "target", "subject_kind", "subject_id")
_DOUBLES = (
    sa.select(_OLD.c.id, _OLD.c.state, _OLD.c.takes, _NEW.c.id, _NEW.c.state, _NEW.c.takes)
    .select_from(_OLD.join(_NEW, sa.and_(*(_OLD.c[name] == _NEW.c[name] for name in _SAME))))
    .where(_OLD.c.rule == given("former"), _OLD.c.state.in_(_SAYS))
    .where(_NEW.c.rule == given("code"), _NEW.c.state.in_(_SAYS))
)


def _settle_doubles(connection: sa.Connection, former: RuleCode, code: RuleCode, *, now: datetime) -> None:
    """End one of two holds on the same slot for the same subject: one rule has one say there.

    What is owed is no say; it stays beside the other until it is given back.
    """
    losers: list[int] = []
    doubles = connection.execute(_DOUBLES, {"former": former, "code": code}).all()
    for old_id, old_state, old_takes, new_id, new_state, new_takes in doubles:
        goes_on = _took(old_state, old_takes) and not _took(new_state, new_takes)
        losers.append(new_id if goes_on else old_id)
    for id_ in losers:
        reason = f"{former} is {code} now, which holds it"
        ended = {"state": HoldState.RELEASED.value, "reason": reason, "changed_at": now, "ended_at": now}
        connection.execute(sa.update(holds).where(holds.c.id == id_).values(ended))


def _took(state: str, takes: int) -> bool:
    return takes > 0 or HoldState(state) in _TOOK


def _number_of(rule: sa.BindParameter[str]) -> sa.ScalarSelect[Any]:
    """The number of the rule's present stretch of the subject of a hold."""
    return (
        sa.select(episodes.c.number)
        .where(episodes.c.store == holds.c.store, episodes.c.rule == rule)
        .where(episodes.c.kind == holds.c.subject_kind, episodes.c.id == holds.c.subject_id)
        .correlate(holds)
        .scalar_subquery()
    )


_IS_OF_THE_STRETCH = holds.c.episode == _number_of(given("former"))
_MOVE_HOLDS = (
    sa.update(holds)
    .where(holds.c.rule == given("former"), sa.or_(holds.c.ended_at.is_(None), _IS_OF_THE_STRETCH))
    .values(
        rule=given("code"),
        episode=sa.case(
            (_IS_OF_THE_STRETCH, sa.func.coalesce(_number_of(given("code")), holds.c.episode)), else_=holds.c.episode
        ),
    )
)

_OWN = episodes.alias("own")
_HAS_OWN = sa.exists().where(
    _OWN.c.store == episodes.c.store,
    _OWN.c.rule == given("code"),
    _OWN.c.kind == episodes.c.kind,
    _OWN.c.id == episodes.c.id,
)
_FORGET_EPISODES = sa.delete(episodes).where(episodes.c.rule == given("former"), _HAS_OWN)
_MOVE_EPISODES = sa.update(episodes).where(episodes.c.rule == given("former")).values(rule=given("code"))

_MATTERS = actions.c.state.in_((*OPEN_ACTIONS, ActionState.DEAD.value))
# One that was opened again is older than its last call, which still counts against the limits of the rule.
_IS_RECENT = sa.or_(*(actions.c[name] > given("since") for name in ("created_at", "called_at", "done_at")))
_NAMED = sa.select(actions.c.seq, actions.c.rules).where(
    sa.cast(actions.c.rules, sa.Text).contains(given("named")), sa.or_(_MATTERS, _IS_RECENT)
)


def _move_actions(connection: sa.Connection, former: RuleCode, code: RuleCode, *, since: datetime) -> None:
    for seq, rules in connection.execute(_NAMED, {"named": json.dumps(former), "since": since}).all():
        renamed = list(dict.fromkeys(code if rule == former else rule for rule in rules))
        connection.execute(sa.update(actions).where(actions.c.seq == seq).values(rules=renamed, rule=renamed[0]))
