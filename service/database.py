"""Opens the database, SQLite or PostgreSQL: the settings of its connections, and its write lock.

Every transaction that may write begins by taking the write lock, so the processes that share a database write in
turn: no write fails because of another, and each sees all writes before it.
"""

import logging
import sqlite3
import time
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from sqlalchemy import URL, Column, Connection, Engine, create_engine, event, func, insert, select, text, update
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.pool import ConnectionPoolEntry, StaticPool

from service.driver import cursor, is_disk_full
from service.schema import SchemaError, create_or_migrate, is_compatible, read_version
from service.tables import SCHEMA_VERSION, counters, idempotency_keys, sessions

if TYPE_CHECKING:
    import psycopg

_IS_READ_ONLY = text("SELECT pg_is_in_recovery() OR current_setting('transaction_read_only')::boolean")
_SWITCH_MODE_SECONDS = 5
_WAL_BYTES = 16 * 1024 * 1024  # four times what it has under load
# One connection writes, the other reads.
_POOL = {"pool_size": 2, "max_overflow": 0}
# Defaults for PostgreSQL URLs, which detect a lost server within 5 s. Poolers accept few startup parameters, and
# these are among them.
_POSTGRESQL = {
    "application_name": "session-context",
    "client_encoding": "utf8",
    "connect_timeout": "5",
    "tcp_user_timeout": "5000",
}
# As long as SQLite waits for a lock; and a process that hangs in a transaction loses its lock.
_TIMEOUTS = {"lock_timeout": "5s", "idle_in_transaction_session_timeout": "10s"}
_WRITE_LOCK = 7391046205183847265  # an arbitrary number, the same in every release

log = logging.getLogger(__name__)


class DatabaseNotOpenedError(Exception):
    """The message names the database and the reason, in one line."""


def open_database(url: URL) -> Engine:
    """Open a database, and create or migrate its tables if necessary. Raises DatabaseNotOpenedError.

    Several processes may open the same database at once.
    """
    try:
        return _open(url)
    except (DBAPIError, OSError, SchemaError) as error:
        if is_disk_full(error):
            try:
                return _open_read_only(url)
            except (DBAPIError, SchemaError):
                pass  # the first error is the one to report
        reason = " ".join(str(error.orig if isinstance(error, DBAPIError) else error).split())
        name = url.render_as_string(hide_password=True)
        raise DatabaseNotOpenedError(f"can't use {name}: {reason}") from None


def _open(url: URL) -> Engine:
    engine = _sqlite(url) if url.get_backend_name() == "sqlite" else _postgresql(url)
    with engine.begin() as db:
        create_or_migrate(db)
        _raise_counters(db)
    return engine


def _raise_counters(db: Connection) -> None:
    """Move the counters past all values in use, which came from a peer or from another database."""
    if db.scalar(select(func.count()).select_from(counters)) == 0:
        db.execute(insert(counters), {"only_row": 1, "last_session_id": 0, "last_sequence_number": 0})
    if _raise_counter(db, counters.c.last_session_id, sessions.c.id):
        # The id of a key may be higher still. To look costs time where there are many keys.
        _raise_counter(db, counters.c.last_session_id, idempotency_keys.c.session_id)
    _raise_counter(db, counters.c.last_sequence_number, sessions.c.sequence_number)


def _raise_counter(db: Connection, counter: Column[int], used: Column[int]) -> bool:
    """Return whether the counter was behind the highest value in use."""
    highest = select(func.max(used)).scalar_subquery()
    return db.execute(update(counters).where(counter < highest).values({counter: highest})).rowcount > 0


def _open_read_only(url: URL) -> Engine:
    """Open a SQLite file on a full disk, where there is no room for the files that even a reader needs.

    The index of a WAL is then kept in memory, so no other process can open the database.
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


def is_read_only(engine: Engine) -> bool:
    """Return whether the database was opened on a full disk, where no other process can open it."""
    return isinstance(engine.pool, StaticPool)


def _size(file: Path) -> int:
    return file.stat().st_size if file.exists() else 0


def check_schema(db: Connection) -> None:
    """Raise SchemaError if the server is read-only or its schema incompatible, DBAPIError if it fails."""
    if db.dialect.name == "postgresql" and db.scalar(_IS_READ_ONLY):
        db.invalidate()  # after a failover the next connection may reach the new primary
        raise SchemaError("the server is read-only")
    found = read_version(db)
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
    # The driver waits 5 s for the write lock unless the URL has another ?timeout=.
    engine = create_engine(url, paramstyle="named", **_POOL)
    event.listen(engine, "connect", _on_sqlite_connect)
    event.listen(engine, "begin", _begin_sqlite_write)
    _enable_wal(engine)
    return engine


def _postgresql(url: URL) -> Engine:
    # The server may have restarted since a connection was last used.
    engine = create_engine(url.set(query={**_POSTGRESQL, **url.query}), pool_pre_ping=True, **_POOL)
    event.listen(engine, "connect", _on_postgresql_connect)
    event.listen(engine, "begin", _begin_postgresql_write)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as db:
        encoding = db.exec_driver_sql("SHOW server_encoding").scalar_one()
    if encoding != "UTF8":
        raise SchemaError(f"its encoding {encoding} can't store all text: create it with ENCODING 'UTF8'")
    return engine


def _on_sqlite_connect(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    connection.isolation_level = None  # SQLAlchemy begins transactions, not the driver
    connection.execute("PRAGMA synchronous = FULL")  # a commit survives a power cut
    # The WAL grows while another program reads, and would keep that size.
    connection.execute(f"PRAGMA journal_size_limit = {_WAL_BYTES}")


def _on_postgresql_connect(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    """Configure the session, unless it belongs to a pooler.

    A pooler gives each transaction any of its sessions: what one sets or prepares is missing in the next, and
    visible to other clients. A pooler is recognized by the process id that it invents.
    """
    server: psycopg.Connection[tuple[int]] = connection  # type: ignore[assignment]
    [[process_id]] = server.execute("SELECT pg_backend_pid()")
    if process_id == server.info.backend_pid:
        for name, value in _TIMEOUTS.items():
            # A setting of the URL or the role takes precedence.
            unless_set = "SELECT set_config(%s, %s, false) WHERE current_setting(%s) = '0'"
            server.execute(unless_set, (name, value, name))
    else:
        server.prepare_threshold = None
    server.commit()


def _begin_postgresql_write(db: Connection) -> None:
    """Take the write lock, and make the commit durable whatever the default of the server or the pooler is."""
    if _is_autocommit(db):
        return
    settings = {"synchronous_commit": "on"}
    if db.connection.driver_connection.prepare_threshold is None:  # type: ignore[union-attr]
        settings |= _TIMEOUTS
    statements = [f"SET LOCAL {name} = '{value}'" for name, value in settings.items()]
    with cursor(db) as lock:
        lock.execute(";".join([*statements, f"SELECT pg_advisory_xact_lock({_WRITE_LOCK})"]))


def _begin_sqlite_write(db: Connection) -> None:
    """Wait for the write lock. A transaction that began as a read would fail at its first write instead."""
    if not _is_autocommit(db):
        with cursor(db) as lock:
            lock.execute("BEGIN IMMEDIATE")


def _is_autocommit(db: Connection) -> bool:
    return db.get_execution_options().get("isolation_level") == "AUTOCOMMIT"


def _enable_wal(engine: Engine) -> None:
    # Unlike everything else this does not wait for a lock, so processes that start together have to retry. The
    # mode is a property of the file.
    deadline = time.monotonic() + _SWITCH_MODE_SECONDS
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as db:
        while True:
            try:
                db.exec_driver_sql("PRAGMA journal_mode = WAL")
            except OperationalError as error:
                if time.monotonic() > deadline or is_disk_full(error):
                    raise
                time.sleep(0.05)
            else:
                return
