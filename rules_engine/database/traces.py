"""Traces as they are stored: what rules did, and why."""

from __future__ import annotations

from collections.abc import Iterable

import sqlalchemy as sa

from rules_engine.core.delivery import StoreAlias
from rules_engine.core.plan import Trace
from rules_engine.core.rule import RulebookHash

from .tables import traces


def add_traces(connection: sa.Connection, store: StoreAlias, rulebook: RulebookHash, traces_: Iterable[Trace]) -> None:
    """Record what rules did and why, under the rulebook that they came from."""
    rows = [
        {
            "store": store,
            "at": trace.at,
            "rule": trace.rule,
            "kind": trace.subject.kind.value,
            "subject": trace.subject.id,
            "rulebook": rulebook,
            "truth": trace.truth.value,
            "text": trace.text,
            "finding": dict(trace.finding),
            "caused_by": list(trace.caused_by),
        }
        for trace in traces_
    ]
    if rows:
        connection.execute(sa.insert(traces), rows)
