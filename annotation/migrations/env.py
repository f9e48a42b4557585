"""How Alembic brings a database up to date: in the connection that the server opened."""

from alembic import context

from annotation.tables import Base

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=Base.metadata, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
