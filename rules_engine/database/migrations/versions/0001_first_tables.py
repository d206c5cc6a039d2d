"""The first tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# Written out here, because a revision stays as it was while the tables move on.
Instant = sa.DateTime(timezone=True).with_variant(sa.BigInteger(), "sqlite")
Serial = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make every table."""
    op.create_table(
        "actions",
        sa.Column("seq", Serial, autoincrement=True, nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("store", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("product", sa.Text(), nullable=False),
        sa.Column("aspect", sa.Text(), nullable=False),
        sa.Column("slot_target", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("wish", sa.JSON(), nullable=False),
        sa.Column("step", sa.Text(), nullable=False),
        sa.Column("rules", sa.JSON(), nullable=False),
        sa.Column("about_kind", sa.Text(), nullable=False),
        sa.Column("about_id", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False, comment="an ActionState"),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("is_whole", sa.Boolean(), nullable=False),
        sa.Column("created_at", Instant, nullable=False),
        sa.Column("due_at", Instant, nullable=True),
        sa.Column("done_at", Instant, nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("caused_by", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_actions")),
        sa.UniqueConstraint("key", name=op.f("uq_actions_key")),
    )
    op.create_index("ix_actions_product", "actions", ["store", "product", "created_at"], unique=False)
    op.create_index("ix_actions_state", "actions", ["state", "store"], unique=False)
    op.create_table(
        "attempts",
        sa.Column("id", Serial, autoincrement=True, nullable=False),
        sa.Column("call", sa.Text(), nullable=False, comment="the same for all actions of one request"),
        sa.Column("store", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("started_at", Instant, nullable=False),
        sa.Column("request", sa.JSON(), nullable=False, comment="method, path and body; no headers"),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("milliseconds", sa.Integer(), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=False, comment="unknown until the answer is recorded"),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attempts")),
    )
    op.create_index(op.f("ix_attempts_action"), "attempts", ["action"], unique=False)
    op.create_index(op.f("ix_attempts_started_at"), "attempts", ["started_at"], unique=False)
    op.create_table(
        "deliveries",
        sa.Column("seq", Serial, autoincrement=True, nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("store", sa.Text(), nullable=False, comment="the store that it is about; empty when it is not ours"),
        sa.Column("door", sa.Text(), nullable=False, comment="the alias in the URL"),
        sa.Column("scope", sa.Text(), nullable=False, comment="within which the duplicate key is unique"),
        sa.Column("duplicate_key", sa.Text(), nullable=False),
        sa.Column(
            "duplicate_until",
            Instant,
            nullable=True,
            comment="after this a repeated key is a new delivery; null: as long as kept",
        ),
        sa.Column("received_at", Instant, nullable=False),
        sa.Column("vendor_type", sa.Text(), nullable=False, comment="the shop's word for the event"),
        sa.Column("subjects", sa.JSON(), nullable=False, comment='like ["product:17"], kept when the body is pruned'),
        sa.Column("headers", sa.JSON(), nullable=False, comment="an allow-list, never a credential"),
        sa.Column("query", sa.JSON(), nullable=False, comment="an allow-list, never a token"),
        sa.Column("body", sa.LargeBinary(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False, comment="a DeliveryState"),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("planned_at", Instant, nullable=True),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_deliveries")),
        sa.UniqueConstraint("id", name=op.f("uq_deliveries_id")),
        sa.UniqueConstraint("scope", "duplicate_key", name=op.f("uq_deliveries_scope_duplicate_key")),
    )
    op.create_index(
        "ix_deliveries_pending",
        "deliveries",
        ["store", "seq", "received_at"],
        unique=False,
        sqlite_where=sa.text("state = 'pending'"),
        postgresql_where=sa.text("state = 'pending'"),
    )
    op.create_index("ix_deliveries_received_at", "deliveries", ["received_at"], unique=False)
    op.create_index(
        "ix_deliveries_bodies",
        "deliveries",
        ["received_at", "store"],
        unique=False,
        sqlite_where=sa.text("body IS NOT NULL"),
        postgresql_where=sa.text("body IS NOT NULL"),
    )
    op.create_table(
        "episodes",
        sa.Column("store", sa.Text(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("truth", sa.Text(), nullable=False),
        sa.Column("since", Instant, nullable=False),
        sa.PrimaryKeyConstraint("store", "rule", "kind", "id", name=op.f("pk_episodes")),
    )
    op.create_index("ix_episodes_subject", "episodes", ["store", "kind", "id"], unique=False)
    op.create_table(
        "holds",
        sa.Column("id", Serial, autoincrement=True, nullable=False),
        sa.Column("store", sa.Text(), nullable=False),
        sa.Column("product", sa.Text(), nullable=False),
        sa.Column("aspect", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("subject_kind", sa.Text(), nullable=False),
        sa.Column("subject_id", sa.Text(), nullable=False),
        sa.Column("wish", sa.JSON(), nullable=False),
        sa.Column("episode", sa.Integer(), nullable=False),
        sa.Column("takes", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False, comment="a HoldState"),
        sa.Column("is_left", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("cause", sa.JSON(), nullable=False),
        sa.Column("since", Instant, nullable=False),
        sa.Column("changed_at", Instant, nullable=True),
        sa.Column("ended_at", Instant, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_holds")),
    )
    op.create_index(
        "ix_holds_ended_at",
        "holds",
        ["ended_at"],
        unique=False,
        sqlite_where=sa.text("ended_at IS NOT NULL"),
        postgresql_where=sa.text("ended_at IS NOT NULL"),
    )
    for name, columns in (
        ("ix_holds_open_slot", ["store", "aspect", "target"]),
        ("ix_holds_open_subject", ["store", "subject_kind", "subject_id"]),
    ):
        op.create_index(
            name,
            "holds",
            columns,
            unique=False,
            sqlite_where=sa.text("ended_at IS NULL"),
            postgresql_where=sa.text("ended_at IS NULL"),
        )
    op.create_index("ix_holds_product", "holds", ["store", "product"], unique=False)
    op.create_index("ix_holds_subject", "holds", ["store", "rule", "subject_kind", "subject_id"], unique=False)
    op.create_table(
        "lanes",
        sa.Column("store", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("lease_until", Instant, nullable=True),
        sa.Column("tokens", sa.Float(), nullable=True),
        sa.Column("tokens_at", Instant, nullable=True),
        sa.Column("blocked_until", Instant, nullable=True, comment="the shop asked to wait, or the breaker is open"),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("parked_because", sa.Text(), nullable=False),
        sa.Column("probe_at", Instant, nullable=True),
        sa.Column("last_turn_at", Instant, nullable=True),
        sa.Column("wake_at", Instant, nullable=True),
        sa.PrimaryKeyConstraint("store", name=op.f("pk_lanes")),
    )
    op.create_table(
        "looks",
        sa.Column("store", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("due_at", Instant, nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("store", "kind", "id", name=op.f("pk_looks")),
    )
    op.create_index("ix_looks_due", "looks", ["store", "due_at"], unique=False)
    op.create_table(
        "rulebooks",
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("texts", sa.JSON(), nullable=False, comment="path → text"),
        sa.Column("stored_at", Instant, nullable=False),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_rulebooks")),
    )
    op.create_table(
        "slots",
        sa.Column("store", sa.Text(), nullable=False),
        sa.Column("product", sa.Text(), nullable=False),
        sa.Column("aspect", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("baseline", sa.JSON(), nullable=False),
        sa.Column("since", Instant, nullable=False),
        sa.PrimaryKeyConstraint("store", "product", "aspect", "target", name=op.f("pk_slots")),
    )
    op.create_table(
        "snapshots",
        sa.Column("store", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("fields", sa.JSON(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("seen_at", Instant, nullable=False),
        sa.Column("version", Instant, nullable=True),
        sa.Column("is_gone", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("store", "kind", "id", name=op.f("pk_snapshots")),
    )
    op.create_table(
        "traces",
        sa.Column("id", Serial, autoincrement=True, nullable=False),
        sa.Column("store", sa.Text(), nullable=False),
        sa.Column("at", Instant, nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("rulebook", sa.Text(), nullable=False),
        sa.Column("truth", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("finding", sa.JSON(), nullable=False),
        sa.Column("caused_by", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_traces")),
    )
    op.create_index(op.f("ix_traces_at"), "traces", ["at"], unique=False)
    op.create_index("ix_traces_subject", "traces", ["store", "kind", "subject", "at"], unique=False)
    op.create_table(
        "activations",
        sa.Column("id", Serial, autoincrement=True, nullable=False),
        sa.Column("rulebook", sa.Text(), nullable=False),
        sa.Column("activated_at", Instant, nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["rulebook"], ["rulebooks.hash"], name=op.f("fk_activations_rulebook")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_activations")),
    )
