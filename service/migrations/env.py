"""Alembic's way in: migrates the connection that the service hands over, in the transaction it has begun."""

from alembic import context

from service.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
context.run_migrations()
