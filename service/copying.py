"""Copies a database into an empty one, from SQLite to PostgreSQL or back."""

import sys
import time
from collections.abc import Iterator
from hashlib import sha256
from typing import Any

from sqlalchemy import URL, Connection, Table, func, insert, select, update

from service.database import open_database
from service.schema import read_version
from service.tables import SCHEMA_VERSION, counters, idempotency_keys, sessions

_BATCH_ROWS = 100
_BATCH_CHARACTERS = 4 * 1024 * 1024  # of contexts, past which a batch has fewer rows
_PROGRESS_SECONDS = 2


class CopyError(Exception):
    """Nothing was copied. The message says why, and what to do."""


def copy(source_url: URL, target_url: URL) -> dict[str, int]:
    """Copy sessions, keys and counters in one transaction, and compare; return the number of rows of each table.

    Raises CopyError, which leaves the target empty, and DatabaseNotOpenedError.
    """
    source, target = open_database(source_url), open_database(target_url)
    try:
        # Both transactions hold their write lock, so the copy misses no write.
        with source.begin() as old, target.begin() as new:
            _lift_idle_timeout(old, new)
            _require_own_schema(old, new)
            _require_empty(new)
            counts = {table.name: _copy_table(old, new, table) for table in (sessions, idempotency_keys)}
            new.execute(update(counters).values(dict(old.execute(select(counters)).mappings().one())))
    finally:
        source.dispose()
        target.dispose()
    return counts


def _lift_idle_timeout(*connections: Connection) -> None:
    for db in connections:
        if db.dialect.name == "postgresql":  # each side idles while the other is compared
            db.exec_driver_sql("SET LOCAL idle_in_transaction_session_timeout = 0")


def _require_own_schema(*connections: Connection) -> None:
    for db in connections:  # the copy would lack what a later release added
        if (found := read_version(db)) != SCHEMA_VERSION:
            raise CopyError(f"the database has schema {found} of a later release: copy it with that release")


def _require_empty(db: Connection) -> None:
    for table in (sessions, idempotency_keys):
        if count := db.scalar(select(func.count()).select_from(table)):
            raise CopyError(f"the target has {count} rows in {table.name}: name an empty database")


def _copy_table(old: Connection, new: Connection, table: Table) -> int:
    """Copy all rows, and compare; return their number."""
    count = checksum = 0
    report_at = time.monotonic() + _PROGRESS_SECONDS
    for rows in _read_batches(old, table):
        new.execute(insert(table), rows)
        count += len(rows)
        checksum += _checksum(rows)
        if time.monotonic() > report_at:
            print(f"{table.name}: {count} rows", file=sys.stderr)
            report_at = time.monotonic() + _PROGRESS_SECONDS
    if checksum != sum(map(_checksum, _read_batches(new, table))):
        raise CopyError(f"{table.name} differs after the copy, which was rolled back: run it again")
    return count


def _read_batches(db: Connection, table: Table) -> Iterator[list[dict[str, Any]]]:
    batch: list[dict[str, Any]] = []
    size = 0
    rows = db.execute(select(table), execution_options={"stream_results": True, "yield_per": 20})
    for row in rows.mappings():
        batch.append(dict(row))
        size += len(row.get("context", ""))
        if len(batch) == _BATCH_ROWS or size > _BATCH_CHARACTERS:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _checksum(rows: list[dict[str, Any]]) -> int:
    """Sum up hashes, whose order does not matter: the two databases sort text differently."""
    return sum(int.from_bytes(sha256(repr(sorted(row.items())).encode()).digest()) for row in rows)
