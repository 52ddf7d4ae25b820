"""Locks for what only one process on this machine may do at a time."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from local.console import step
from local.workspace import CACHE, ROOT


@contextmanager
def hold_lock(name: str) -> Iterator[None]:
    """Hold the lock of this name; a second process waits, and prints what it waits for.

    The kernel releases the lock with its process, so a killed one blocks nobody.
    """
    CACHE.mkdir(parents=True, exist_ok=True)
    path = CACHE / f"{name}.lock"
    while True:
        with path.open("a+") as file:
            _wait(file, name)
            # The process that held the lock has removed this file, unless it was killed, and another process may
            # have created and locked a new one.
            if not _is_at(path, file):
                continue
            file.truncate(0)
            file.write(f"{ROOT} (process {os.getpid()})")
            file.flush()
            try:
                yield
            finally:
                path.unlink()
            return


def _wait(file: IO[str], name: str) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.seek(0)
        with step(f"Waiting for another {name} to finish: {file.read() or 'process unknown'}"):
            fcntl.flock(file, fcntl.LOCK_EX)


def _is_at(path: Path, file: IO[str]) -> bool:
    """Return whether an open file is the one at this path."""
    try:
        return os.path.samestat(path.stat(), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False
