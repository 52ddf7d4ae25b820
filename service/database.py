"""Opening the database, SQLite or PostgreSQL: the connections' settings, and the schema, made or migrated.

Every transaction that may write begins with the one write lock of the database, so all processes that share
it write in turn: no write fails because of another, and a change sees all changes before it.
"""

import logging
import sqlite3
import time
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, create_engine, event, func, insert, select, text, update
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.pool import ConnectionPoolEntry, StaticPool

from service.driver import cursor, is_disk_full
from service.schema import SchemaError, bring_up_to_date, found_version, is_compatible
from service.tables import SCHEMA_VERSION, counters, idempotency_keys, sessions

if TYPE_CHECKING:
    import psycopg

# Where a sequencer gave the numbers until now, the service's own go on after them.
_HIGHEST_NUMBER = select(func.max(sessions.c.sequence_number)).scalar_subquery()
_SKIP_NUMBERS_IN_USE = (
    update(counters)
    .where(counters.c.last_sequence_number < _HIGHEST_NUMBER)
    .values(last_sequence_number=_HIGHEST_NUMBER)
)
# Rows that were brought from another database may be ahead of a counter that was forgotten.
_HIGHEST_ID = select(func.max(sessions.c.id)).scalar_subquery()
_SKIP_IDS_IN_USE = (
    update(counters).where(counters.c.last_session_id < _HIGHEST_ID).values(last_session_id=_HIGHEST_ID)
)
_HIGHEST_ID_OF_KEY = select(func.max(idempotency_keys.c.session_id)).scalar_subquery()
_SKIP_IDS_OF_KEYS = (
    update(counters)
    .where(counters.c.last_session_id < _HIGHEST_ID_OF_KEY)
    .values(last_session_id=_HIGHEST_ID_OF_KEY)
)
_IS_READ_ONLY = text("SELECT pg_is_in_recovery() OR current_setting('transaction_read_only')::boolean")
_SECONDS_TO_SWITCH_MODE = 5
# One connection writes, the other reads.
_POOL = {"pool_size": 2, "max_overflow": 0}
# Defaults of a PostgreSQL URL; a server that has vanished is noticed in as many milliseconds. Poolers accept these
# parameters at the start of a connection, and few others.
_POSTGRESQL = {
    "application_name": "session-context",
    "client_encoding": "utf8",
    "connect_timeout": "5",
    "tcp_user_timeout": "5000",
}
# A lock is waited for as long as SQLite waits, and a process that hangs in a transaction loses it.
_TIMEOUTS = {"lock_timeout": "5s", "idle_in_transaction_session_timeout": "10s"}
_WRITE_LOCK = 7391046205183847265  # any number, the same in every release


log = logging.getLogger(__name__)


class DatabaseNotOpenedError(Exception):
    """The service can't start; the message says with which database, and why, in one line."""


def open_database(url: URL) -> Engine:
    """An engine on a database that has the schema; several processes may open the same one at once.

    Raises DatabaseNotOpenedError.
    """
    try:
        return _open(url)
    except (DBAPIError, OSError, SchemaError) as error:
        if is_disk_full(error):
            try:
                return _open_read_only(url)
            except (DBAPIError, SchemaError):
                pass  # the first reason is the one to report
        reason = " ".join(str(error.orig if isinstance(error, DBAPIError) else error).split())
        # The text form of a URL that a message may hold is this one: it hides the password.
        name = url.render_as_string(hide_password=True)
        raise DatabaseNotOpenedError(f"can't use {name}: {reason}") from None


def _open(url: URL) -> Engine:
    engine = _sqlite(url) if url.get_backend_name() == "sqlite" else _postgresql(url)
    with engine.begin() as db:
        bring_up_to_date(db)
        _put_counters_right(db)
    return engine


def _put_counters_right(db: Connection) -> None:
    if db.scalar(select(func.count()).select_from(counters)) == 0:
        db.execute(insert(counters), {"only_row": 1, "last_session_id": 0, "last_sequence_number": 0})
    is_behind = db.execute(_SKIP_IDS_IN_USE).rowcount
    if is_behind:  # a key's session may have an id past those of all sessions there are
        db.execute(_SKIP_IDS_OF_KEYS)
    db.execute(_SKIP_NUMBERS_IN_USE)


def _open_read_only(url: URL) -> Engine:
    """Open a SQLite file whose disk has no room for the files beside it, which even a reader needs.

    What is in a WAL is read through an index in memory, which no other process may then use.
    """
    has_wal = _size(Path(f"{url.database}-wal"))

    def connect() -> sqlite3.Connection:
        uri = f"file:{quote(url.database or '')}?{'mode=rw' if has_wal else 'immutable=1'}"
        connection = sqlite3.connect(uri, uri=True, check_same_thread=False)
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        connection.execute("PRAGMA query_only = ON")
        return connection

    engine = create_engine(url, creator=connect, paramstyle="named", poolclass=StaticPool)
    event.listen(engine, "connect", _on_sqlite_connect)
    with engine.connect() as db:
        check_schema(db)
    log.error("the disk of %s is full: reads are served, writes are refused until it has room", url.database)
    return engine


def _size(file: Path) -> int:
    return file.stat().st_size if file.exists() else 0


def check_schema(db: Connection) -> None:
    """Raises SchemaError unless it can be written and this release can use it, DBAPIError without a database."""
    if db.dialect.name == "postgresql" and db.scalar(_IS_READ_ONLY):
        db.invalidate()  # after a failover the next connection may lead to the new primary
        raise SchemaError("the server is read-only")
    found = found_version(db)
    if not is_compatible(found):
        raise SchemaError(f"the database has schema {found}, this release needs {SCHEMA_VERSION}")


def _sqlite(url: URL) -> Engine:
    file = Path(url.database or "")
    file.parent.mkdir(parents=True, exist_ok=True)
    wal = Path(f"{file}-wal")
    if _size(wal) and not _size(file):  # SQLite would remove the WAL, and begin with nothing
        raise SchemaError(
            f"the file is missing, but {wal} is there: restore a backup with `python -m service restore FILE`, or "
            f"remove {wal} to begin with nothing"
        )
    # Each connection waits five seconds for another process that writes: that is the driver's own choice,
    # and ?timeout= in the URL is another.
    engine = create_engine(url, paramstyle="named", **_POOL)
    event.listen(engine, "connect", _on_sqlite_connect)
    event.listen(engine, "begin", _begin_sqlite_write)
    _write_ahead(engine)
    return engine


def _postgresql(url: URL) -> Engine:
    # The server may have been started anew since a connection was last used.
    engine = create_engine(url.set(query={**_POSTGRESQL, **url.query}), pool_pre_ping=True, **_POOL)
    event.listen(engine, "connect", _on_postgresql_connect)
    event.listen(engine, "begin", _begin_postgresql_write)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as db:
        encoding = db.exec_driver_sql("SHOW server_encoding").scalar_one()
    if encoding != "UTF8":
        raise SchemaError(f"its encoding is {encoding}, and not every text has a place in it; UTF8 is needed")
    return engine


def _on_sqlite_connect(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    connection.isolation_level = None  # SQLAlchemy begins transactions, not the driver
    connection.execute("PRAGMA synchronous = FULL")  # a commit survives a power cut


def _on_postgresql_connect(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    """Set up a session, or leave it alone where it is a pooler's.

    A pooler hands each transaction to a session of its own choice: what is set or prepared in one is missing in
    the next, and found by another client. A pooler shows by the process id that it makes up.
    """
    server: psycopg.Connection[tuple[int]] = connection  # type: ignore[assignment]
    [[process_id]] = server.execute("SELECT pg_backend_pid()")
    if process_id == server.info.backend_pid:
        for name, value in _TIMEOUTS.items():
            # What the URL or the role says stays.
            unless_set = "SELECT set_config(%s, %s, false) WHERE current_setting(%s) = '0'"
            server.execute(unless_set, (name, value, name))
    else:
        server.prepare_threshold = None
    server.commit()


def _begin_postgresql_write(db: Connection) -> None:
    """Take the write lock. An answered commit is durable, whatever the default of the server or the pooler is."""
    if _is_autocommit(db):
        return
    settings = {"synchronous_commit": "on"}
    if db.connection.driver_connection.prepare_threshold is None:  # type: ignore[union-attr]
        settings |= _TIMEOUTS
    statements = [f"SET LOCAL {name} = '{value}'" for name, value in settings.items()]
    with cursor(db) as lock:
        lock.execute(";".join([*statements, f"SELECT pg_advisory_xact_lock({_WRITE_LOCK})"]))


def _begin_sqlite_write(db: Connection) -> None:
    """Take the write lock, which is waited for; a read that grows into a write would fail instead."""
    if not _is_autocommit(db):
        with cursor(db) as lock:
            lock.execute("BEGIN IMMEDIATE")


def _is_autocommit(db: Connection) -> bool:
    return db.get_execution_options().get("isolation_level") == "AUTOCOMMIT"


def _write_ahead(engine: Engine) -> None:
    # The change of mode does not wait for a lock as everything else does, so processes that start together
    # have to try again. The mode stays with the file.
    give_up = time.monotonic() + _SECONDS_TO_SWITCH_MODE
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as db:
        while True:
            try:
                db.exec_driver_sql("PRAGMA journal_mode = WAL")
            except OperationalError as error:
                if time.monotonic() > give_up or is_disk_full(error):
                    raise
                time.sleep(0.05)
            else:
                return
