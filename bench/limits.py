"""The limit of the database: SQLite alone, synced as by the service."""

import os
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from itertools import count
from pathlib import Path

_GROUP = 32
_INSERT = "INSERT INTO sessions (user_id, context, sequence_number, version) VALUES (?, ?, ?, 1)"


def sqlite_limits(file: Path, seconds: float) -> dict[str, float]:
    """Return the commits and reads per second of SQLite itself, in one thread."""
    with closing(sqlite3.connect(file, isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        db.execute(
            "CREATE TABLE sessions (id INTEGER PRIMARY KEY, user_id INTEGER, context TEXT,"
            " sequence_number INTEGER UNIQUE, version INTEGER)"
        )
        numbers = count(1)

        def commit(rows: int) -> None:
            db.execute("BEGIN IMMEDIATE")
            db.executemany(_INSERT, [(number % 10000, "context " * 12, next(numbers)) for number in range(rows)])
            db.execute("COMMIT")

        limits = {
            "syncs of 4 KiB without SQLite": _syncs(file.with_suffix(".sync"), seconds),
            "commits of one session": _rate(lambda: commit(1), seconds),
            f"sessions in commits of {_GROUP}": _rate(lambda: commit(_GROUP), seconds) * _GROUP,
        }
        last = next(numbers)
        ids = count()
        read = "SELECT id, user_id, context, version FROM sessions WHERE id = ?"
        limits["reads of one session"] = _rate(
            lambda: db.execute(read, (next(ids) % last + 1,)).fetchall(), seconds
        )
        return limits


def _syncs(file: Path, seconds: float) -> float:
    with file.open("wb", buffering=0) as plain:

        def sync() -> None:
            plain.write(bytes(4096))
            os.fdatasync(plain.fileno())

        return _rate(sync, seconds)


def _rate(do: Callable[[], object], seconds: float) -> float:
    done, begin = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - begin) < seconds:
        do()
        done += 1
    return done / elapsed
