"""The tables of the journal as steps, oldest first; `alembic` runs them."""
