"""Watches the open files of a SQLite database: removal, foreign writes, damage, and a full disk.

SQLite itself keeps writing to a file that was removed or replaced, and loses all of it when the process ends.
"""

import asyncio
import logging
import os
import signal
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from service.inotify import Writers
from service.problems import StoreUnavailableError

_INTERVAL_SECONDS = 0.5
_VERIFY_SHARE = 100  # verifying a large file takes long, so it gets a hundredth of the time
_MIN_FREE_BYTES = 64 * 1024

log = logging.getLogger(__name__)


class DatabaseFiles:
    """The database file, its WAL and the index of the WAL. If they are not what was opened, nothing is served."""

    def __init__(self, path: Path, *, is_read_only: bool) -> None:
        """Begin with open files, which are read-only on a full disk."""
        self._path = path
        self._is_read_only = is_read_only
        self._ends_with_room = is_read_only and not self._has_room()
        self._wal = Path(f"{path}-wal")
        self._opened = [(name, _identity(name)) for name in (str(path), f"{path}-wal", f"{path}-shm")]
        self._seen = self._read_times()
        self._writers = Writers(path)
        self._is_suspect = False
        self._verify_again_at = 0.0
        self.damage: str | None = None
        """Why the files can't be used, until the service is restarted."""

    def check(self) -> None:
        """Raise StoreUnavailableError if the files are not those that were opened, or are known to be damaged."""
        if self.damage is None:
            for name, opened in self._opened:  # on every write, so with strings, which are faster than paths
                if _identity(name) != opened:
                    self.report(f"{name} was removed or replaced while it was open")
        if self.damage is not None:
            raise StoreUnavailableError(self.damage)

    def report(self, damage: str) -> None:
        """Record damage, and log the first."""
        if self.damage is None:
            self.damage = damage
            log.critical(
                "%s. Nothing is read or written until the database is restored: stop the service, restore a "
                "backup with `python -m service restore FILE`, and start it again.",
                damage,
            )

    @property
    def is_full(self) -> bool:
        """Whether writes fail because the disk is full."""
        return self._is_read_only or not self._has_room()

    def _has_room(self) -> bool:
        disk = os.statvfs(self._path.parent)
        return disk.f_bavail * disk.f_frsize >= _MIN_FREE_BYTES

    async def watch(self) -> None:
        """Check the files until cancelled. Once read-only files have room again, end the process."""
        with closing(self._writers):
            await self._watch()

    async def _watch(self) -> None:
        while self.damage is None:
            await asyncio.sleep(_INTERVAL_SECONDS)
            if self._ends_with_room and self._has_room():
                log.error("The disk has room again: the service ends, so that a restart accepts writes.")
                signal.raise_signal(signal.SIGTERM)
                return
            try:
                self.check()
                await self._detect_foreign_writes()
            except StoreUnavailableError:
                return

    async def _detect_foreign_writes(self) -> None:
        # SQLite changes the database file only after the WAL, and keeps it open.
        (database, wal), (database_then, wal_then) = written, _ = self._read_times(), self._seen
        self._seen = written
        if (database != database_then and wal == wal_then) or self._writers.have_closed():
            self._is_suspect = True
        if self._is_suspect and time.monotonic() >= self._verify_again_at:
            self._is_suspect = False
            begin = time.monotonic()
            if reason := await asyncio.to_thread(verify, self._path):
                self.report(f"{self._path} was changed by another program: {reason}")
            self._verify_again_at = time.monotonic() + (time.monotonic() - begin) * _VERIFY_SHARE

    def _read_times(self) -> tuple[tuple[int, int], int]:
        try:
            database, wal = self._path.stat(), self._wal.stat()
        except OSError:
            return (0, 0), 0
        return (database.st_mtime_ns, database.st_size), wal.st_mtime_ns


def _identity(name: str) -> tuple[int, int] | None:
    try:
        status = os.stat(name)  # noqa: PTH116 - as above
    except OSError:
        return None
    return status.st_dev, status.st_ino


def verify(path: Path) -> str | None:
    """Return what is wrong with the structure of a database, or None."""
    try:
        with closing(sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True)) as db:
            db.execute("SELECT 1 FROM sessions LIMIT 1")
            [result] = db.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.Error as error:
        return str(error)
    return None if result == "ok" else str(result)
