"""Alembic's entry point: migrates the service's connection, within the transaction that it has begun."""

from alembic import context

from service.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
context.run_migrations()
