"""Runs statements by the database's driver, compiled once by SQLAlchemy.

Through SQLAlchemy each execution takes some 50 µs more, and a single write has several.
"""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Delete, Dialect, Insert, Select, Update
from sqlalchemy.exc import DBAPIError, InterfaceError, InternalError, OperationalError

Statement = Select[Any] | Insert | Update | Delete
Values = Mapping[str, object]


@lru_cache(maxsize=64)
def compile_sql(statement: Statement, dialect: Dialect) -> str:
    """Return the SQL of a statement that a module defines once; its values are passed by name."""
    return str(statement.compile(dialect=dialect))


def query(db: Connection, statement: Statement, many: Sequence[Values]) -> list[list[Any]]:
    """Return the rows for each set of values; one round trip with PostgreSQL. Raises SQLAlchemy's errors."""
    if not many:
        return []
    text = compile_sql(statement, db.dialect)
    with cursor(db) as one:
        if len(many) > 1 and db.dialect.name == "postgresql":
            one.executemany(text, many, returning=True)
            return [result.fetchall() for result in one.results()]
        return [one.execute(text, values).fetchall() for values in many]


def execute(db: Connection, statement: Statement, many: Sequence[Values]) -> None:
    """Run a statement with each set of values; one round trip with PostgreSQL. Raises SQLAlchemy's errors."""
    if many:
        with cursor(db) as one:
            one.executemany(compile_sql(statement, db.dialect), many)


# Classes of SQLSTATE: connection, transaction state, rollback, resources, lock, operator intervention, system; and
# a table that another application has dropped.
_UNAVAILABLE_STATES = ("08", "25", "40", "53", "55", "57", "58", "XX", "42P01")
# A server that became read-only, and plans and prepared statements that it no longer accepts: a new connection may
# work.
_STALE_STATES = ("25006", "0A000", "26000", "42P05")


def is_unavailable(error: BaseException | None) -> bool:
    """Return whether the database failed rather than the statement."""
    if isinstance(error, (OperationalError, InterfaceError, InternalError)) or is_damage(error):
        return True
    return is_stale(error) or _state(error).startswith(_UNAVAILABLE_STATES)


def is_damage(error: BaseException | None) -> bool:
    """Return whether SQLite found its file damaged or not a database."""
    driver_error = error.orig if isinstance(error, DBAPIError) else error
    return type(driver_error) is sqlite3.DatabaseError


def is_disk_full(error: BaseException | None) -> bool:
    """Return whether SQLite found no room, for data or for its auxiliary files."""
    driver_error = error.orig if isinstance(error, DBAPIError) else error
    return getattr(driver_error, "sqlite_errorname", "") in {"SQLITE_FULL", "SQLITE_IOERR_SHMSIZE"}


def is_stale(error: BaseException | None) -> bool:
    """Return whether the same statement may succeed on a new connection."""
    return _state(error) in _STALE_STATES


def _state(error: BaseException | None) -> str:
    return getattr(error.orig, "sqlstate", None) or "" if isinstance(error, DBAPIError) else ""


@contextmanager
def cursor(db: Connection) -> Iterator[Any]:
    """Open a cursor of the driver that raises SQLAlchemy's errors."""
    opened = db.connection.cursor()
    try:
        yield opened
    except Exception as error:
        base = db.dialect.loaded_dbapi.Error
        raise DBAPIError.instance(None, None, error, base, dialect=db.dialect) from error
    finally:
        opened.close()
