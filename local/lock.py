"""Locks for what only one process on this machine may do at a time."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager

from local.console import step
from local.workspace import CACHE, ROOT


@contextmanager
def hold_lock(name: str) -> Iterator[None]:
    """Hold the lock of this name; a second process waits, and prints what it waits for.

    The kernel releases the lock with its process, so a killed one leaves nothing behind.
    """
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / f"{name}.lock").open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            with step(f"Waiting for another {name} to finish: {file.read() or 'process unknown'}"):
                fcntl.flock(file, fcntl.LOCK_EX)
        file.truncate(0)
        file.write(f"{ROOT} (process {os.getpid()})")
        file.flush()
        yield
