"""What people are asked and what they order, pauses, and walks over whole catalogues."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

# Written out here, because a revision stays as it was while the tables move on.
Instant = sa.DateTime(timezone=True).with_variant(sa.BigInteger(), "sqlite")
Serial = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add `questions`, `orders`, `pauses` and `sweeps`, and what actions and holds know of them."""
    _extend_holds_and_actions()
    _create_questions_and_orders()
    _create_pauses_and_sweeps()
    # A whole catalogue may be due at one instant: its order is told by the index alone.
    op.drop_index("ix_looks_due", table_name="looks")
    op.create_index("ix_looks_due", "looks", ["store", "due_at", "kind", "id"], unique=False)
    op.create_index(
        "ix_notices_note",
        "notices",
        ["target", "subject"],
        unique=True,
        sqlite_where=sa.text("kind = 'note'"),
        postgresql_where=sa.text("kind = 'note'"),
    )


def _extend_holds_and_actions() -> None:
    op.add_column("holds", sa.Column("is_ordered", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("holds", sa.Column("stood", sa.Text(), nullable=False, server_default=""))
    op.add_column(
        "actions",
        sa.Column("rule", sa.Text(), nullable=False, server_default="", comment="the first of `rules`"),
    )
    op.add_column("actions", sa.Column("admitted_at", Instant, comment="when the limits of the rule let it be sent"))
    op.add_column("actions", sa.Column("called_at", Instant, comment="when it was last called for"))
    op.add_column("actions", sa.Column("question", sa.Text(), comment="what it waits for, or was answered with yes"))
    is_postgresql = op.get_bind().dialect.name == "postgresql"
    if is_postgresql:
        op.execute("UPDATE actions SET rule = rules::json ->> 0")
    else:
        op.execute("UPDATE actions SET rule = json_extract(rules, '$[0]')")
    # What was called before this release counts as called when it was done, or decided.
    op.execute("UPDATE actions SET called_at = coalesce(done_at, created_at) WHERE attempts > 0")
    op.execute("UPDATE actions SET admitted_at = created_at WHERE state IN ('sent', 'waiting', 'done')")
    op.create_index(
        "ix_holds_open_rule",
        "holds",
        ["store", "rule", "product"],
        unique=False,
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_index(op.f("ix_actions_created_at"), "actions", ["created_at"], unique=False)
    op.create_index("ix_actions_called", "actions", ["store", "rule", "called_at"], unique=False)
    op.create_index(
        "ix_actions_question",
        "actions",
        ["question"],
        unique=False,
        sqlite_where=sa.text("question IS NOT NULL"),
        postgresql_where=sa.text("question IS NOT NULL"),
    )


def _create_questions_and_orders() -> None:
    op.create_table(
        "questions",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("store", sa.Text(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False, comment="a QuestionKind"),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False, comment="of the rule as it was asked for"),
        sa.Column("state", sa.Text(), nullable=False, comment="a QuestionState"),
        sa.Column("asked_at", Instant, nullable=False),
        sa.Column("expires_at", Instant, nullable=True),
        sa.Column("answered_at", Instant, nullable=True),
        sa.Column("said", sa.Text(), nullable=False),
        sa.Column("sweep", sa.BigInteger(), nullable=True, comment="the sweep that gathers it"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_questions")),
    )
    op.create_index("ix_questions_store", "questions", ["store", "state"], unique=False)
    op.create_index(op.f("ix_questions_answered_at"), "questions", ["answered_at"], unique=False)
    op.create_table(
        "orders",
        sa.Column("id", Serial, autoincrement=True, nullable=False),
        sa.Column("store", sa.Text(), nullable=False),
        sa.Column("product", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False, comment="an OrderKind"),
        sa.Column("rule", sa.Text(), nullable=False, comment="empty: all rules"),
        sa.Column("aspect", sa.Text(), nullable=False, comment="empty: all slots that the rule holds"),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("wish", sa.JSON(), nullable=False, comment="of a revert: how the slot was before"),
        sa.Column("expects", sa.JSON(), nullable=False, comment="of a revert: how the moment left the slot"),
        sa.Column("because", sa.Text(), nullable=False),
        sa.Column("at", Instant, nullable=False),
        sa.Column("done_at", Instant, nullable=True),
        sa.Column("outcome", sa.Text(), nullable=False, comment="empty until it is carried out"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_orders")),
    )
    op.create_index(op.f("ix_orders_at"), "orders", ["at"], unique=False)
    op.create_index(op.f("ix_orders_done_at"), "orders", ["done_at"], unique=False)
    op.create_index(
        "ix_orders_open",
        "orders",
        ["store", "product"],
        unique=False,
        sqlite_where=sa.text("done_at IS NULL"),
        postgresql_where=sa.text("done_at IS NULL"),
    )


def _create_pauses_and_sweeps() -> None:
    op.create_table(
        "pauses",
        sa.Column("id", Serial, autoincrement=True, nullable=False),
        sa.Column("store", sa.Text(), nullable=False, comment="empty: every store"),
        sa.Column("rule", sa.Text(), nullable=False, comment="empty: everything"),
        sa.Column("because", sa.Text(), nullable=False),
        sa.Column("since", Instant, nullable=False),
        sa.Column("resumed_at", Instant, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pauses")),
    )
    op.create_index(op.f("ix_pauses_resumed_at"), "pauses", ["resumed_at"], unique=False)
    op.create_table(
        "sweeps",
        sa.Column("id", Serial, autoincrement=True, nullable=False),
        sa.Column("store", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False, comment="a SweepKind"),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False, comment="a SweepState"),
        sa.Column("requested_at", Instant, nullable=False),
        sa.Column("started_at", Instant, nullable=True),
        sa.Column("finished_at", Instant, nullable=True),
        sa.Column("cursor", sa.Text(), nullable=False),
        sa.Column("total", sa.Integer(), nullable=True),
        sa.Column("seen", sa.Integer(), nullable=False),
        sa.Column("calls", sa.Integer(), nullable=False),
        sa.Column("is_dry", sa.Boolean(), nullable=False),
        sa.Column("since", Instant, nullable=True, comment="only what was updated after this is read"),
        sa.Column("found", sa.JSON(), nullable=False, comment="word → how many"),
        sa.Column("examples", sa.JSON(), nullable=False, comment="word → sentences"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sweeps")),
    )
    op.create_index("ix_sweeps_store", "sweeps", ["store", "state", "kind"], unique=False)
    op.create_index(
        "ix_sweeps_finished_at",
        "sweeps",
        ["finished_at"],
        unique=False,
        sqlite_where=sa.text("finished_at IS NOT NULL"),
        postgresql_where=sa.text("finished_at IS NOT NULL"),
    )
    op.create_index(
        "ix_sweeps_open",
        "sweeps",
        ["store"],
        unique=False,
        sqlite_where=sa.text("finished_at IS NULL"),
        postgresql_where=sa.text("finished_at IS NULL"),
    )
