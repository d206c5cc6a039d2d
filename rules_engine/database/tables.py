"""The tables, in SQLAlchemy Core: the queue, the memory and the record of the engine, portable to PostgreSQL."""

from __future__ import annotations

import sqlalchemy as sa

from . import tables_people  # noqa: F401 - its tables belong to the same metadata
from .columns import Instant, Serial
from .columns import metadata as metadata  # noqa: PLC0414 - who has the tables has their metadata

deliveries = sa.Table(
    "deliveries",
    metadata,
    sa.Column("seq", Serial, primary_key=True, autoincrement=True),
    sa.Column("id", sa.Text, nullable=False, unique=True),
    sa.Column("store", sa.Text, nullable=False, comment="the store that it is about; empty when it is not ours"),
    sa.Column("door", sa.Text, nullable=False, comment="the alias in the URL"),
    sa.Column("scope", sa.Text, nullable=False, comment="within which the duplicate key is unique"),
    sa.Column("duplicate_key", sa.Text, nullable=False),
    sa.Column("duplicate_until", Instant, comment="after this a repeated key is a new delivery; null: as long as kept"),
    sa.Column("received_at", Instant, nullable=False),
    sa.Column("vendor_type", sa.Text, nullable=False, comment="the shop's word for the event"),
    sa.Column("subjects", sa.JSON, nullable=False, comment='like ["product:17"], kept when the body is pruned'),
    sa.Column("headers", sa.JSON, nullable=False, comment="an allow-list, never a credential"),
    sa.Column("query", sa.JSON, nullable=False, comment="an allow-list, never a token"),
    sa.Column("body", sa.LargeBinary),
    sa.Column("state", sa.Text, nullable=False, comment="a DeliveryState"),
    sa.Column("reason", sa.Text, nullable=False, default=""),
    sa.Column("planned_at", Instant),
    sa.UniqueConstraint("scope", "duplicate_key"),
)
# With the time, how much waits and since when is told by the index alone, however long the queue is.
sa.Index(
    "ix_deliveries_pending",
    deliveries.c.store,
    deliveries.c.seq,
    deliveries.c.received_at,
    sqlite_where=deliveries.c.state == "pending",
    postgresql_where=deliveries.c.state == "pending",
)
sa.Index("ix_deliveries_received_at", deliveries.c.received_at)
# Bodies are pruned long before their rows, and a table of twelve million rows is not read through for that. With the
# store, neither are the bodies that shops which cannot be read keep for longer.
sa.Index(
    "ix_deliveries_bodies",
    deliveries.c.received_at,
    deliveries.c.store,
    sqlite_where=deliveries.c.body.is_not(None),
    postgresql_where=deliveries.c.body.is_not(None),
)

snapshots = sa.Table(
    "snapshots",
    metadata,
    sa.Column("store", sa.Text, primary_key=True),
    sa.Column("kind", sa.Text, primary_key=True),
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("fields", sa.JSON, nullable=False),
    sa.Column("revision", sa.Integer, nullable=False),
    sa.Column("seen_at", Instant, nullable=False),
    sa.Column("version", Instant),
    sa.Column("is_gone", sa.Boolean, nullable=False, default=False),
)

history = sa.Table(
    "history",
    metadata,
    sa.Column("store", sa.Text, primary_key=True),
    sa.Column("kind", sa.Text, primary_key=True),
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("revision", sa.Integer, primary_key=True, comment="of the snapshot as it was"),
    sa.Column("until", Instant, nullable=False, index=True, comment="when it became another"),
    sa.Column("was_gone", sa.Boolean, nullable=False, default=False),
    sa.Column("fields", sa.JSON, nullable=False, comment="the values that the next one changed, as they were"),
    sa.Column("absent", sa.JSON, nullable=False, comment="the names of fields that only the next one has"),
)

slots = sa.Table(
    "slots",
    metadata,
    sa.Column("store", sa.Text, primary_key=True),
    sa.Column("product", sa.Text, primary_key=True),
    sa.Column("aspect", sa.Text, primary_key=True),
    sa.Column("target", sa.Text, primary_key=True),
    sa.Column("baseline", sa.JSON, nullable=False),
    sa.Column("since", Instant, nullable=False),
)

holds = sa.Table(
    "holds",
    metadata,
    sa.Column("id", Serial, primary_key=True, autoincrement=True),
    sa.Column("store", sa.Text, nullable=False),
    sa.Column("product", sa.Text, nullable=False),
    sa.Column("aspect", sa.Text, nullable=False),
    sa.Column("target", sa.Text, nullable=False),
    sa.Column("rule", sa.Text, nullable=False),
    sa.Column("subject_kind", sa.Text, nullable=False),
    sa.Column("subject_id", sa.Text, nullable=False),
    sa.Column("wish", sa.JSON, nullable=False),
    sa.Column("episode", sa.Integer, nullable=False),
    sa.Column("takes", sa.Integer, nullable=False),
    sa.Column("state", sa.Text, nullable=False, comment="a HoldState"),
    sa.Column("is_left", sa.Boolean, nullable=False, default=False),
    sa.Column("reason", sa.Text, nullable=False, default=""),
    sa.Column("cause", sa.JSON, nullable=False),
    sa.Column("since", Instant, nullable=False),
    sa.Column("changed_at", Instant),
    sa.Column("ended_at", Instant),
    sa.Column("is_ordered", sa.Boolean, nullable=False, default=False, server_default=sa.false()),
    sa.Column("stood", sa.Text, nullable=False, default="", server_default=""),
    sa.Index("ix_holds_product", "store", "product"),
    sa.Index("ix_holds_subject", "store", "rule", "subject_kind", "subject_id"),
)
# Open holds are few beside those that ended within 400 days.
sa.Index(
    "ix_holds_open_subject",
    holds.c.store,
    holds.c.subject_kind,
    holds.c.subject_id,
    sqlite_where=holds.c.ended_at.is_(None),
    postgresql_where=holds.c.ended_at.is_(None),
)
sa.Index(
    "ix_holds_open_slot",
    holds.c.store,
    holds.c.aspect,
    holds.c.target,
    sqlite_where=holds.c.ended_at.is_(None),
    postgresql_where=holds.c.ended_at.is_(None),
)
# With the product, of how many each rule holds something is told by the index alone.
sa.Index(
    "ix_holds_open_rule",
    holds.c.store,
    holds.c.rule,
    holds.c.product,
    sqlite_where=holds.c.ended_at.is_(None),
    postgresql_where=holds.c.ended_at.is_(None),
)
sa.Index(
    "ix_holds_ended_at",
    holds.c.ended_at,
    sqlite_where=holds.c.ended_at.is_not(None),
    postgresql_where=holds.c.ended_at.is_not(None),
)

episodes = sa.Table(
    "episodes",
    metadata,
    sa.Column("store", sa.Text, primary_key=True),
    sa.Column("rule", sa.Text, primary_key=True),
    sa.Column("kind", sa.Text, primary_key=True),
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("number", sa.Integer, nullable=False),
    sa.Column("truth", sa.Text, nullable=False),
    sa.Column("since", Instant, nullable=False),
    sa.Index("ix_episodes_subject", "store", "kind", "id"),
)

actions = sa.Table(
    "actions",
    metadata,
    sa.Column("seq", Serial, primary_key=True, autoincrement=True),
    sa.Column("key", sa.Text, nullable=False, unique=True),
    sa.Column("store", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("product", sa.Text, nullable=False),
    sa.Column("aspect", sa.Text, nullable=False),
    sa.Column("slot_target", sa.Text, nullable=False),
    sa.Column("target", sa.Text, nullable=False),
    sa.Column("wish", sa.JSON, nullable=False),
    sa.Column("step", sa.Text, nullable=False),
    sa.Column("rules", sa.JSON, nullable=False),
    sa.Column("about_kind", sa.Text, nullable=False),
    sa.Column("about_id", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False, comment="an ActionState"),
    sa.Column("attempts", sa.Integer, nullable=False, default=0),
    sa.Column("is_whole", sa.Boolean, nullable=False, default=False),
    sa.Column("created_at", Instant, nullable=False, index=True),
    sa.Column("due_at", Instant),
    sa.Column("done_at", Instant),
    sa.Column("reason", sa.Text, nullable=False, default=""),
    sa.Column("caused_by", sa.JSON, nullable=False),
    sa.Column("rule", sa.Text, nullable=False, default="", server_default="", comment="the first of `rules`"),
    sa.Column("admitted_at", Instant, comment="when the limits of the rule let it be sent"),
    sa.Column("called_at", Instant, comment="when it was last called for"),
    sa.Column("question", sa.Text, comment="what it waits for, or was answered with yes"),
    sa.Index("ix_actions_product", "store", "product", "created_at"),
    sa.Index("ix_actions_state", "state", "store"),
    sa.Index("ix_actions_called", "store", "rule", "called_at"),
)
sa.Index(
    "ix_actions_question",
    actions.c.question,
    sqlite_where=actions.c.question.is_not(None),
    postgresql_where=actions.c.question.is_not(None),
)
# What waits longest for room in a category comes first.
sa.Index(
    "ix_actions_held",
    actions.c.store,
    actions.c.rule,
    actions.c.target,
    actions.c.created_at,
    actions.c.product,
    sqlite_where=actions.c.state == "held back",
    postgresql_where=actions.c.state == "held back",
)

attempts = sa.Table(
    "attempts",
    metadata,
    sa.Column("id", Serial, primary_key=True, autoincrement=True),
    sa.Column("call", sa.Text, nullable=False, comment="the same for all actions of one request"),
    sa.Column("store", sa.Text, nullable=False),
    sa.Column("action", sa.Text, nullable=False, index=True),
    sa.Column("started_at", Instant, nullable=False, index=True),
    sa.Column("request", sa.JSON, nullable=False, comment="method, path and body; no headers"),
    sa.Column("status", sa.Integer),
    sa.Column("milliseconds", sa.Integer),
    sa.Column("outcome", sa.Text, nullable=False, comment="unknown until the answer is recorded"),
    sa.Column("reason", sa.Text, nullable=False, default=""),
)

traces = sa.Table(
    "traces",
    metadata,
    sa.Column("id", Serial, primary_key=True, autoincrement=True),
    sa.Column("store", sa.Text, nullable=False),
    sa.Column("at", Instant, nullable=False, index=True),
    sa.Column("rule", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("rulebook", sa.Text, nullable=False),
    sa.Column("truth", sa.Text, nullable=False),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("finding", sa.JSON, nullable=False),
    sa.Column("caused_by", sa.JSON, nullable=False),
    sa.Index("ix_traces_subject", "store", "kind", "subject", "at"),
)

rulebooks = sa.Table(
    "rulebooks",
    metadata,
    sa.Column("hash", sa.Text, primary_key=True),
    sa.Column("texts", sa.JSON, nullable=False, comment="path → text"),
    sa.Column("stored_at", Instant, nullable=False),
)

activations = sa.Table(
    "activations",
    metadata,
    sa.Column("id", Serial, primary_key=True, autoincrement=True),
    sa.Column("rulebook", sa.Text, sa.ForeignKey("rulebooks.hash"), nullable=False),
    sa.Column("activated_at", Instant, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
)

looks = sa.Table(
    "looks",
    metadata,
    sa.Column("store", sa.Text, primary_key=True),
    sa.Column("kind", sa.Text, primary_key=True),
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("due_at", Instant, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("failures", sa.Integer, nullable=False, default=0),
    sa.Index("ix_looks_due", "store", "due_at", "kind", "id"),
)

lanes = sa.Table(
    "lanes",
    metadata,
    sa.Column("store", sa.Text, primary_key=True),
    sa.Column("owner", sa.Text, nullable=False, default=""),
    sa.Column("epoch", sa.Integer, nullable=False, default=0),
    sa.Column("lease_until", Instant),
    sa.Column("tokens", sa.Float),
    sa.Column("tokens_at", Instant),
    sa.Column("blocked_until", Instant, comment="the shop asked to wait, or the breaker is open"),
    sa.Column("failures", sa.Integer, nullable=False, default=0),
    sa.Column("parked_because", sa.Text, nullable=False, default=""),
    sa.Column("probe_at", Instant),
    sa.Column("last_turn_at", Instant),
    sa.Column("wake_at", Instant),
)

notices = sa.Table(
    "notices",
    metadata,
    sa.Column("id", Serial, primary_key=True, autoincrement=True),
    sa.Column("store", sa.Text, nullable=False),
    sa.Column("target", sa.Text, nullable=False, comment="a name under notify: in stores.yaml"),
    sa.Column("rule", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("called", sa.Text, nullable=False),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("at", Instant, nullable=False, index=True),
    sa.Column("state", sa.Text, nullable=False, comment="a NoticeState"),
    sa.Column("due_at", Instant, nullable=False, comment="when it goes out, with the others of its rule"),
    sa.Column("attempts", sa.Integer, nullable=False, default=0),
    sa.Column("sent_at", Instant),
    sa.Column("reason", sa.Text, nullable=False, default=""),
)
sa.Index(
    "ix_notices_waiting",
    notices.c.due_at,
    sqlite_where=notices.c.state == "waiting",
    postgresql_where=notices.c.state == "waiting",
)
# One morning note for each target and day, whoever writes it.
sa.Index(
    "ix_notices_note",
    notices.c.target,
    notices.c.subject,
    unique=True,
    sqlite_where=notices.c.kind == "note",
    postgresql_where=notices.c.kind == "note",
)
