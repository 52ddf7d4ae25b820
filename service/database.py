"""Opening the database: the connections' settings, and the schema, made or recognised."""

import time
from pathlib import Path

from sqlalchemy import URL, Connection, Engine, create_engine, event, func, insert, inspect, select, update
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.pool import ConnectionPoolEntry

from service.tables import SCHEMA_VERSION, alembic_version, allotted, metadata, sessions

# Where a sequencer gave the numbers until now, the service's own go on after them.
_HIGHEST_NUMBER = select(func.max(sessions.c.sequence_number)).scalar_subquery()
_SKIP_NUMBERS_IN_USE = (
    update(allotted)
    .where(allotted.c.last_sequence_number < _HIGHEST_NUMBER)
    .values(last_sequence_number=_HIGHEST_NUMBER)
)
_SECONDS_TO_SWITCH_MODE = 5


class SchemaError(Exception):
    """The database was made by a release that this one does not know."""


class DatabaseNotOpenedError(Exception):
    """The service can't start; the message says with which database, and why, in one line."""


def open_database(url: URL) -> Engine:
    """An engine on a database that has the schema; several processes may open the same one at once.

    Raises DatabaseNotOpenedError.
    """
    try:
        return _open(url)
    except (DBAPIError, OSError, SchemaError) as error:
        reason = error.orig if isinstance(error, DBAPIError) else error
        # The text form of a URL that a message may hold is this one: it hides the password.
        name = url.render_as_string(hide_password=True)
        raise DatabaseNotOpenedError(f"can't use {name}: {reason}") from None


def _open(url: URL) -> Engine:
    Path(url.database or "").parent.mkdir(parents=True, exist_ok=True)
    # One connection writes, one reads, one is asked for the state. Each waits five seconds for another
    # process that writes: that is the driver's own choice, and ?timeout= in the URL is another.
    engine = create_engine(url, paramstyle="named", pool_size=3, max_overflow=0)
    event.listen(engine, "connect", _on_connect)
    event.listen(engine, "begin", _on_begin)
    _write_ahead(engine)
    with engine.begin() as db:
        if not inspect(db).has_table(alembic_version.name):
            metadata.create_all(db, checkfirst=False)  # tables of the same name are someone else's
            db.execute(insert(alembic_version).values(version_num=SCHEMA_VERSION))
            db.execute(insert(allotted).values(only_row=1, last_session_id=0, last_sequence_number=0))
        check_schema(db)
        db.execute(_SKIP_NUMBERS_IN_USE)
    return engine


def check_schema(db: Connection) -> None:
    """Raises SchemaError unless the schema is this release's, DBAPIError when the database is not there."""
    found = db.execute(select(alembic_version.c.version_num)).scalar_one_or_none()
    if found != SCHEMA_VERSION:
        raise SchemaError(f"the database has schema {found}, this release needs {SCHEMA_VERSION}")


def _on_connect(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    connection.isolation_level = None  # SQLAlchemy begins transactions, not the driver
    connection.execute("PRAGMA synchronous = FULL")  # a commit survives a power cut


def _on_begin(db: Connection) -> None:
    # Taken at the start, the write lock is waited for; a read that grows into a write would fail instead.
    if db.get_execution_options().get("isolation_level") != "AUTOCOMMIT":
        db.exec_driver_sql("BEGIN IMMEDIATE")


def _write_ahead(engine: Engine) -> None:
    # The change of mode does not wait for a lock as everything else does, so processes that start together
    # have to try again. The mode stays with the file.
    give_up = time.monotonic() + _SECONDS_TO_SWITCH_MODE
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as db:
        while True:
            try:
                db.exec_driver_sql("PRAGMA journal_mode = WAL")
            except OperationalError:
                if time.monotonic() > give_up:
                    raise
                time.sleep(0.05)
            else:
                return
