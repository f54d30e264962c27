"""Alembic's environment: run the migrations on the connection passed by `app.store.schema`."""

from alembic import context

from app.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    # SQLite can't change a column in place: alembic copies the table.
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
