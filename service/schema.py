"""The schema's version in a database: which of them this release can use, and the way to its own.

A database says in the name of its schema which releases can use it, so that the release before goes on serving
while the next one takes over, and can be gone back to: `0003_compatible_with_0002` is the third schema, and a
release with the second can use it as it is.
"""

import logging
import re
from pathlib import Path

from sqlalchemy import Connection, insert, inspect, select

from service.tables import SCHEMA_VERSION, alembic_version, counters, metadata

COMPATIBLE = re.compile(r"(?P<schema>\d{4})_compatible_with_(?P<oldest>\d{4})")


class SchemaError(Exception):
    """The database is not one that this release can use as it is."""


def is_compatible(found: str | None) -> bool:
    """Whether this release can use a schema as it is: its own, or a later one that says so."""
    later = COMPATIBLE.fullmatch(found or "")
    own = SCHEMA_VERSION[:4]
    return found == SCHEMA_VERSION or (later is not None and later["oldest"] <= own < later["schema"])


def found_version(db: Connection) -> str | None:
    """The schema that the database has; DBAPIError where there is none."""
    return db.execute(select(alembic_version.c.version_num)).scalar_one_or_none()


def migrate(db: Connection, revision: str = "head") -> None:
    """Bring the schema to this revision; SchemaError when the database has one from a later release."""
    from alembic.command import upgrade  # most starts do without
    from alembic.config import Config
    from alembic.util import CommandError

    logging.getLogger("alembic.runtime.plugins").setLevel(logging.WARNING)  # a line for each part of its own
    config = Config(attributes={"connection": db})
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")).replace("%", "%%"))
    try:
        upgrade(config, revision)
    except CommandError as error:
        raise SchemaError(f"this release needs schema {SCHEMA_VERSION}: {error}") from None


def bring_up_to_date(db: Connection) -> None:
    """Make the tables, or migrate them, unless this release can use them as they are.

    The write lock is held: who comes second finds the work done.
    """
    if not inspect(db).has_table(alembic_version.name):
        # What all migrations together would make, without Alembic: it takes a fifth of the start, and 12 MB.
        metadata.create_all(db, checkfirst=False)  # a table of something else stays as it is
        db.execute(insert(counters), {"only_row": 1, "last_session_id": 0, "last_sequence_number": 0})
        db.execute(insert(alembic_version), {"version_num": SCHEMA_VERSION})
    elif not is_compatible(found_version(db)):
        migrate(db)
