"""The version of a database's schema: whether this release can use it, and migration to its own.

The name of a schema says which releases can use it, so that the previous release keeps serving during a rolling
update, and can be returned to: `0003_compatible_with_0002` is the third schema, and a release with the second can
use it as it is.
"""

import logging
import re
from pathlib import Path

from sqlalchemy import Connection, insert, inspect, select

from service.tables import SCHEMA_VERSION, alembic_version, metadata

COMPATIBLE = re.compile(r"(?P<schema>\d{4})_compatible_with_(?P<oldest>\d{4})")


class SchemaError(Exception):
    """This release can't use the database as it is."""


def is_compatible(found: str | None) -> bool:
    """Return whether this release can use a schema as it is: its own, or a later one that declares it."""
    later = COMPATIBLE.fullmatch(found or "")
    own = SCHEMA_VERSION[:4]
    return found == SCHEMA_VERSION or (later is not None and later["oldest"] <= own < later["schema"])


def read_version(db: Connection) -> str | None:
    """Return the name of the database's schema. Raises DBAPIError if it has none."""
    return db.execute(select(alembic_version.c.version_num)).scalar_one_or_none()


def migrate(db: Connection, revision: str = "head") -> None:
    """Migrate to this revision. Raises SchemaError if the schema belongs to a later release."""
    from alembic.command import upgrade  # most starts don't need Alembic: it takes a fifth of the start, and 12 MB
    from alembic.config import Config
    from alembic.util import CommandError

    logging.getLogger("alembic.runtime.plugins").setLevel(logging.WARNING)  # it logs each of its plugins
    config = Config(attributes={"connection": db})
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")).replace("%", "%%"))
    try:
        upgrade(config, revision)
    except CommandError as error:
        raise SchemaError(f"this release needs schema {SCHEMA_VERSION}: {error}") from None


def create_or_migrate(db: Connection) -> None:
    """Create or migrate the tables, unless this release can use them as they are.

    The caller holds the write lock, so of several processes the first does the work.
    """
    if not inspect(db).has_table(alembic_version.name):
        # What all migrations together would create. Fails if another application has a table of the same name.
        metadata.create_all(db, checkfirst=False)
        db.execute(insert(alembic_version), {"version_num": SCHEMA_VERSION})
    elif not is_compatible(read_version(db)):
        migrate(db)
