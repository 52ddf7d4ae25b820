"""Backups of a SQLite database: made while it is served, checked, and put back whole or not at all."""

import fcntl
import os
import shutil
import sqlite3
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import IO
from urllib.parse import quote

from sqlalchemy import URL

from service.schema import is_compatible
from service.tables import SCHEMA_VERSION

STANDARD_STREAM = "-"
_CHUNK = 1024 * 1024


class BackupError(Exception):
    """Nothing was changed; the message says why, and what to do."""


def back_up(url: URL, goal: str) -> int:
    """Write a copy of the database to a file, or to standard output; the number of sessions in it.

    The copy is one transaction's view, needs no file beside it, and is on disk when this returns. A file that is
    there is replaced at once, by a whole copy or not at all.
    """
    source = _database_file(url)
    if not source.is_file():
        raise BackupError(f"there is no database {source} to back up")
    # Only the database's own folder is sure to have room, and to be on a disk: /tmp may be memory.
    folder = source.parent if goal == STANDARD_STREAM else Path(goal).absolute().parent
    if goal != STANDARD_STREAM and Path(goal).absolute() in _files_of(source.absolute()):
        raise BackupError(f"{goal} is the database itself: name another file")
    with _scratch_file(folder) as copy:
        try:
            with closing(_connect(source)) as live, closing(_connect(copy)) as db:
                live.backup(db)  # in one step, so in one transaction, beside which others write
                db.execute("PRAGMA journal_mode = DELETE")
        except sqlite3.Error as error:
            raise BackupError(f"{source} can't be read: {error}") from error
        sessions = check(copy)
        _sync(copy)
        if goal == STANDARD_STREAM:
            with copy.open("rb") as content:
                shutil.copyfileobj(content, sys.stdout.buffer, _CHUNK)
            sys.stdout.buffer.flush()
        else:
            copy.replace(goal)
            _sync(folder)
    return sessions


def restore(url: URL, origin: str) -> int:
    """Put a backup from a file, or from standard input, in the place of the database; the number of its sessions.

    A crash in the middle leaves the old database or the new one. Raises BackupError, with the database as it was,
    when the backup is not good or a process serves the database.
    """
    goal = _database_file(url)
    if origin != STANDARD_STREAM and not Path(origin).is_file():
        raise BackupError(f"there is no backup {origin}")
    goal.parent.mkdir(parents=True, exist_ok=True)
    with _scratch_file(goal.parent) as copy:
        with copy.open("wb") as content, _opened(origin) as source:
            shutil.copyfileobj(source, content, _CHUNK)
        sessions = check(copy)
        owner = (goal if goal.exists() else goal.parent).stat()
        os.chown(copy, owner.st_uid, owner.st_gid)
        _sync(copy)
        _make_way(goal)
        copy.replace(goal)
        _sync(goal.parent)
    return sessions


def check(file: Path) -> int:
    """The number of sessions in a copy. Raises BackupError unless this release can use it, and it is whole."""
    try:
        with closing(_connect(file)) as db:
            problems = [row[0] for row in db.execute("PRAGMA integrity_check(3)")]
            if problems != ["ok"]:
                raise BackupError(f"the backup is damaged: {'; '.join(problems)}")
            [schema] = db.execute("SELECT version_num FROM alembic_version").fetchone()
            if schema > SCHEMA_VERSION and not is_compatible(schema):
                raise BackupError(f"the backup is of a later release, with schema {schema}: use that release")
            db.execute("PRAGMA journal_mode = DELETE")
            [sessions] = db.execute("SELECT count(*) FROM sessions").fetchone()
    except (sqlite3.Error, TypeError) as error:
        raise BackupError(f"the backup is not a database of this service: {error}") from error
    return int(sessions)


def _database_file(url: URL) -> Path:
    if url.get_backend_name() != "sqlite":
        raise BackupError("the database is PostgreSQL: use pg_dump and pg_restore (docs/operations.md)")
    return Path(url.database or "")


def _connect(file: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{quote(str(file.absolute()))}?mode=rw", uri=True)  # which makes no new file


def _files_of(database: Path) -> list[Path]:
    return [database, *(Path(f"{database}{suffix}") for suffix in ("-wal", "-shm", "-journal"))]


@contextmanager
def _opened(origin: str) -> Iterator[IO[bytes]]:
    if origin == STANDARD_STREAM:
        yield sys.stdin.buffer
    else:
        with Path(origin).open("rb") as file:
            yield file


@contextmanager
def _scratch_file(folder: Path) -> Iterator[Path]:
    """A new file in the folder, removed at the end unless it was moved away."""
    handle, name = tempfile.mkstemp(prefix=".sessions-", suffix=".tmp", dir=folder)
    os.close(handle)
    file = Path(name)
    try:
        yield file
    finally:
        for each in _files_of(file):
            each.unlink(missing_ok=True)


def _make_way(database: Path) -> None:
    """Have nothing beside the one file: a WAL that stayed would be taken for the new file's, and damage it."""
    if not database.exists():
        _remove_leftovers(database)
        return
    if _is_open_elsewhere(database):
        raise BackupError(f"a process serves {database}: stop it first")
    try:
        with closing(_connect(database)) as db:
            db.execute("PRAGMA journal_mode = DELETE")  # takes in the WAL: a crash leaves it whole
    except sqlite3.DatabaseError:
        _remove_leftovers(database)  # what is damaged has nothing to take in


def _is_open_elsewhere(database: Path) -> bool:
    # Each connection to a database in WAL mode keeps a lock on these bytes: SHARED_FIRST in SQLite's src/os.h.
    with database.open("r+b") as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 510, 0x40000002)
        except OSError:
            return True
        return False


def _remove_leftovers(database: Path) -> None:
    for each in _files_of(database)[1:]:
        each.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
