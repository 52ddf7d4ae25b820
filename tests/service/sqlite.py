"""A SQLite database of the service, seen from outside."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def connect(folder: Path) -> Iterator[sqlite3.Connection]:
    """Open the database in the folder, in autocommit mode."""
    with closing(sqlite3.connect(folder / "sessions.db", isolation_level=None)) as db:
        yield db


def query(folder: Path, statement: str) -> list[Any]:
    with connect(folder) as db:
        return db.execute(statement).fetchall()


@contextmanager
def locked(folder: Path) -> Iterator[sqlite3.Connection]:
    """Hold the write lock, until the end at the latest."""
    with connect(folder) as db:
        db.execute("BEGIN IMMEDIATE")
        yield db
        if db.in_transaction:
            db.execute("ROLLBACK")


def fill(folder: Path, *, sessions: int, context: str) -> None:
    """Insert sessions without the service."""
    row = "INSERT INTO sessions (id, user_id, context, sequence_number) VALUES (?, 1, ?, ?)"
    with connect(folder) as db:
        db.execute("BEGIN")
        db.executemany(row, ((number, context, number) for number in range(1, sessions + 1)))
        db.execute("COMMIT")
