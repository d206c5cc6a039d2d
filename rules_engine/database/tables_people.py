"""The tables of what people are asked and order, what they pause, and the walks over whole catalogues."""

from __future__ import annotations

import sqlalchemy as sa

from .columns import Instant, Serial, metadata

questions = sa.Table(
    "questions",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("store", sa.Text, nullable=False),
    sa.Column("rule", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False, comment="a QuestionKind"),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("fingerprint", sa.Text, nullable=False, comment="of the rule as it was asked for"),
    sa.Column("state", sa.Text, nullable=False, comment="a QuestionState"),
    sa.Column("asked_at", Instant, nullable=False),
    sa.Column("expires_at", Instant),
    sa.Column("answered_at", Instant, index=True),
    sa.Column("said", sa.Text, nullable=False, default=""),
    sa.Column("sweep", sa.BigInteger, comment="the sweep that gathers it"),
    sa.Index("ix_questions_store", "store", "state"),
)

orders = sa.Table(
    "orders",
    metadata,
    sa.Column("id", Serial, primary_key=True, autoincrement=True),
    sa.Column("store", sa.Text, nullable=False),
    sa.Column("product", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False, comment="an OrderKind"),
    sa.Column("rule", sa.Text, nullable=False, comment="empty: all rules"),
    sa.Column("aspect", sa.Text, nullable=False, default="", comment="empty: all slots that the rule holds"),
    sa.Column("target", sa.Text, nullable=False, default=""),
    sa.Column("wish", sa.JSON, nullable=False, comment="of a revert: how the slot was before"),
    sa.Column("expects", sa.JSON, nullable=False, comment="of a revert: how the moment left the slot"),
    sa.Column("because", sa.Text, nullable=False),
    sa.Column("at", Instant, nullable=False, index=True),
    sa.Column("done_at", Instant, index=True),
    sa.Column("outcome", sa.Text, nullable=False, default="", comment="empty until it is carried out"),
)
sa.Index(
    "ix_orders_open",
    orders.c.store,
    orders.c.product,
    sqlite_where=orders.c.done_at.is_(None),
    postgresql_where=orders.c.done_at.is_(None),
)

pauses = sa.Table(
    "pauses",
    metadata,
    sa.Column("id", Serial, primary_key=True, autoincrement=True),
    sa.Column("store", sa.Text, nullable=False, comment="empty: every store"),
    sa.Column("rule", sa.Text, nullable=False, comment="empty: everything"),
    sa.Column("because", sa.Text, nullable=False),
    sa.Column("since", Instant, nullable=False),
    sa.Column("resumed_at", Instant, index=True),
)

sweeps = sa.Table(
    "sweeps",
    metadata,
    sa.Column("id", Serial, primary_key=True, autoincrement=True),
    sa.Column("store", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False, comment="a SweepKind"),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False, comment="a SweepState"),
    sa.Column("requested_at", Instant, nullable=False),
    sa.Column("started_at", Instant),
    sa.Column("finished_at", Instant),
    sa.Column("cursor", sa.Text, nullable=False, default=""),
    sa.Column("total", sa.Integer),
    sa.Column("seen", sa.Integer, nullable=False, default=0),
    sa.Column("calls", sa.Integer, nullable=False, default=0),
    sa.Column("is_dry", sa.Boolean, nullable=False, default=False),
    sa.Column("since", Instant, comment="only what was updated after this is read"),
    sa.Column("found", sa.JSON, nullable=False, comment="word → how many"),
    sa.Column("examples", sa.JSON, nullable=False, comment="word → sentences"),
    sa.Index("ix_sweeps_store", "store", "state", "kind"),
)
# Every second it is asked which stores have one.
sa.Index(
    "ix_sweeps_open",
    sweeps.c.store,
    sqlite_where=sweeps.c.finished_at.is_(None),
    postgresql_where=sweeps.c.finished_at.is_(None),
)
sa.Index(
    "ix_sweeps_finished_at",
    sweeps.c.finished_at,
    sqlite_where=sweeps.c.finished_at.is_not(None),
    postgresql_where=sweeps.c.finished_at.is_not(None),
)
