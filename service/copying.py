"""Copies all that a database holds into an empty one, which may be of the other kind."""

import sys
import time
from collections.abc import Iterator
from hashlib import sha256
from typing import Any

from sqlalchemy import URL, Connection, Table, func, insert, select, update

from service.database import open_database
from service.schema import found_version
from service.tables import SCHEMA_VERSION, counters, idempotency_keys, sessions

_ROWS = 100  # read and written together
_BYTES = 4 * 1024 * 1024  # of contexts, past which fewer are
_PROGRESS_SECONDS = 2


class CopyError(Exception):
    """Nothing was copied; the message says why, and what to do."""


def copy(source_url: URL, goal_url: URL) -> dict[str, int]:
    """Copy the sessions, keys and counters in one transaction, and compare both sides; the rows of each table.

    Raises CopyError, with an empty database on the other side, and DatabaseNotOpenedError.
    """
    source, goal = open_database(source_url), open_database(goal_url)
    try:
        # Both sides hold their write lock, so nothing is written that the copy would lack.
        with source.begin() as old, goal.begin() as new:
            _let_wait(old, new)
            _require_own_schema(old, new)
            _require_empty(new)
            counts = {}
            for table in (sessions, idempotency_keys):
                copied = _Checksum()
                for rows in _batches(old, table):
                    new.execute(insert(table), rows)
                    copied.add(rows)
                    copied.show(table.name)
                if _checksum(new, table) != copied.value:
                    raise CopyError(f"{table.name} differs after the copy; nothing was kept: run it again")
                counts[table.name] = copied.rows
            new.execute(update(counters).values(dict(old.execute(select(counters)).mappings().one())))
    finally:
        source.dispose()
        goal.dispose()
    return counts


def _let_wait(*connections: Connection) -> None:
    for db in connections:
        if db.dialect.name == "postgresql":  # one side waits while the other is compared
            db.exec_driver_sql("SET LOCAL idle_in_transaction_session_timeout = 0")


def _require_own_schema(*connections: Connection) -> None:
    for db in connections:  # what a later release added would be left out
        if (found := found_version(db)) != SCHEMA_VERSION:
            raise CopyError(f"the database has schema {found} of a later release: copy it with that release")


def _require_empty(db: Connection) -> None:
    for table in (sessions, idempotency_keys):
        if count := db.scalar(select(func.count()).select_from(table)):
            raise CopyError(f"the other database has {count} rows in {table.name}: name one that is empty")


def _batches(db: Connection, table: Table) -> Iterator[list[dict[str, Any]]]:
    batch: list[dict[str, Any]] = []
    size = 0
    rows = db.execute(select(table), execution_options={"stream_results": True, "yield_per": 20})
    for row in rows.mappings():
        batch.append(dict(row))
        size += len(row.get("context", ""))
        if len(batch) == _ROWS or size > _BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


class _Checksum:
    """Of rows in any order: the two kinds of databases sort text differently."""

    def __init__(self) -> None:
        self.value = self.rows = 0
        self._show_at = time.monotonic() + _PROGRESS_SECONDS

    def add(self, rows: list[dict[str, Any]]) -> None:
        for row in rows:
            digest = sha256(repr(sorted(row.items())).encode()).digest()
            self.value = (self.value + int.from_bytes(digest)) % 2**256
        self.rows += len(rows)

    def show(self, name: str) -> None:
        if time.monotonic() > self._show_at:
            print(f"{name}: {self.rows} rows", file=sys.stderr)
            self._show_at = time.monotonic() + _PROGRESS_SECONDS


def _checksum(db: Connection, table: Table) -> int:
    found = _Checksum()
    for rows in _batches(db, table):
        found.add(rows)
    return found.value
