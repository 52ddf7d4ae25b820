"""Backup and restore of a SQLite database: copied while it is served, checked, and replaced atomically."""

import fcntl
import os
import shutil
import sqlite3
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import IO
from urllib.parse import quote

from sqlalchemy import URL

from service.schema import is_compatible
from service.tables import SCHEMA_VERSION

STANDARD_STREAM = "-"
_CHUNK = 1024 * 1024


class BackupError(Exception):
    """Nothing was changed. The message says why, and what to do."""


def back_up(url: URL, target: str) -> int:
    """Copy the database to a file, or to standard output; return the number of sessions in the copy.

    The copy is a snapshot in one file, and on disk when this returns. It replaces an existing file atomically.
    """
    source = _database_file(url)
    if not source.is_file():
        raise BackupError(f"there is no database {source} to back up")
    # For standard output the copy is beside the database, where there is room for it: /tmp may be memory.
    folder = source.parent if target == STANDARD_STREAM else Path(target).absolute().parent
    if target != STANDARD_STREAM and Path(target).absolute() in _files_of(source.absolute()):
        raise BackupError(f"{target} is the database itself: name another file")
    with _scratch_file(folder) as copy:
        try:
            with closing(_connect(source)) as live, closing(_connect(copy)) as db:
                live.backup(db)  # in one step, so in one transaction, during which others can write
                db.execute("PRAGMA journal_mode = DELETE")
        except sqlite3.Error as error:
            raise BackupError(f"can't read {source}: {error}") from error
        sessions = check(copy)
        _sync(copy)
        if target == STANDARD_STREAM:
            with copy.open("rb") as content:
                shutil.copyfileobj(content, sys.stdout.buffer, _CHUNK)
            sys.stdout.buffer.flush()
        else:
            copy.replace(target)
            _sync(folder)
    return sessions


def restore(url: URL, source: str) -> int:
    """Replace the database by a backup from a file or standard input; return the number of sessions in it.

    A crash leaves the old database or the new one. Raises BackupError, and leaves the database as it was, if the
    backup is unusable or a process serves the database.
    """
    database = _database_file(url)
    if source != STANDARD_STREAM and not Path(source).is_file():
        raise BackupError(f"there is no backup {source}")
    database.parent.mkdir(parents=True, exist_ok=True)
    with _scratch_file(database.parent) as copy:
        with copy.open("wb") as content, _open(source) as backup:
            shutil.copyfileobj(backup, content, _CHUNK)
        sessions = check(copy)
        owner = (database if database.exists() else database.parent).stat()
        os.chown(copy, owner.st_uid, owner.st_gid)
        _sync(copy)
        _remove_files_beside(database)
        copy.replace(database)
        _sync(database.parent)
    return sessions


def check(file: Path) -> int:
    """Return the number of sessions in a copy. Raises BackupError if it is damaged or of a later release."""
    try:
        with closing(_connect(file)) as db:
            problems = [row[0] for row in db.execute("PRAGMA integrity_check(3)")]
            if problems != ["ok"]:
                raise BackupError(f"the backup is damaged: {'; '.join(problems)}")
            [schema] = db.execute("SELECT version_num FROM alembic_version").fetchone()
            if schema > SCHEMA_VERSION and not is_compatible(schema):
                raise BackupError(f"the backup has schema {schema} of a later release: use that release")
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
    return sqlite3.connect(f"file:{quote(str(file.absolute()))}?mode=rw", uri=True)  # creates no file


def _files_of(database: Path) -> list[Path]:
    return [database, *(Path(f"{database}{suffix}") for suffix in ("-wal", "-shm", "-journal"))]


@contextmanager
def _open(source: str) -> Iterator[IO[bytes]]:
    if source == STANDARD_STREAM:
        yield sys.stdin.buffer
    else:
        with Path(source).open("rb") as file:
            yield file


@contextmanager
def _scratch_file(folder: Path) -> Iterator[Path]:
    """Create a file, and remove it at the end unless it was renamed."""
    handle, name = tempfile.mkstemp(prefix=".sessions-", suffix=".tmp", dir=folder)
    os.close(handle)
    file = Path(name)
    try:
        yield file
    finally:
        for each in _files_of(file):
            each.unlink(missing_ok=True)


def _remove_files_beside(database: Path) -> None:
    """Remove the WAL and its index, which SQLite would apply to the restored file, and so damage it."""
    if database.exists():
        if _is_open_elsewhere(database):
            raise BackupError(f"a process serves {database}: stop it first")
        with suppress(sqlite3.DatabaseError), closing(_connect(database)) as db:  # unless it is damaged
            db.execute("PRAGMA journal_mode = DELETE")  # merges the WAL, so that a crash loses nothing
    for each in _files_of(database)[1:]:
        each.unlink(missing_ok=True)


def _is_open_elsewhere(database: Path) -> bool:
    # Every connection in WAL mode keeps a shared lock on these bytes: SHARED_FIRST in SQLite's src/os.h.
    with database.open("r+b") as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 510, 0x40000002)
        except OSError:
            return True
        return False


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
