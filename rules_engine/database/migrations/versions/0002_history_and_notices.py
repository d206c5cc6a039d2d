"""How subjects were before they changed, and what people are told."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

# Written out here, because a revision stays as it was while the tables move on.
Instant = sa.DateTime(timezone=True).with_variant(sa.BigInteger(), "sqlite")
Serial = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add `history` and `notices`."""
    op.create_table(
        "history",
        sa.Column("store", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False, comment="of the snapshot as it was"),
        sa.Column("until", Instant, nullable=False, comment="when it became another"),
        sa.Column("was_gone", sa.Boolean(), nullable=False),
        sa.Column("fields", sa.JSON(), nullable=False, comment="the values that the next one changed, as they were"),
        sa.Column("absent", sa.JSON(), nullable=False, comment="the names of fields that only the next one has"),
        sa.PrimaryKeyConstraint("store", "kind", "id", "revision", name=op.f("pk_history")),
    )
    op.create_index(op.f("ix_history_until"), "history", ["until"], unique=False)
    op.create_table(
        "notices",
        sa.Column("id", Serial, autoincrement=True, nullable=False),
        sa.Column("store", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False, comment="a name under notify: in stores.yaml"),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("called", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("at", Instant, nullable=False),
        sa.Column("state", sa.Text(), nullable=False, comment="a NoticeState"),
        sa.Column("due_at", Instant, nullable=False, comment="when it goes out, with the others of its rule"),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("sent_at", Instant, nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notices")),
    )
    op.create_index(op.f("ix_notices_at"), "notices", ["at"], unique=False)
    op.create_index(
        "ix_notices_waiting",
        "notices",
        ["due_at"],
        unique=False,
        sqlite_where=sa.text("state = 'waiting'"),
        postgresql_where=sa.text("state = 'waiting'"),
    )
