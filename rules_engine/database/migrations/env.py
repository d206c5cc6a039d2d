"""What Alembic runs: the revisions, on the connection and in the transaction that `migrate` gives it."""

from __future__ import annotations

from alembic import context

from rules_engine.database.tables import metadata

# SQLite cannot alter most of a table in place; batch mode lets later revisions do it by copying.
context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, render_as_batch=True)
context.run_migrations()
