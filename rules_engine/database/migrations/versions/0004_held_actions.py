"""What waits for room in a category is found without reading all that is held back."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add an index of the actions that are held back."""
    op.create_index(
        "ix_actions_held",
        "actions",
        ["store", "rule", "target", "created_at", "product"],
        unique=False,
        sqlite_where=sa.text("state = 'held back'"),
        postgresql_where=sa.text("state = 'held back'"),
    )
