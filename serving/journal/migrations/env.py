"""What alembic runs: the migrations, inside the transaction of a connection that the caller has begun."""

from __future__ import annotations

from alembic import context

from serving.journal.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=context.config.attributes["version_table"],
    render_as_batch=True,
)
context.run_migrations()
