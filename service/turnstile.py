"""Lets the processes that write to one SQLite file take turns, each as soon as the one before it is done.

SQLite has no queue: its busy handler sleeps up to 100 ms between two attempts, and a process that has just written
is usually the first to write again. SQLite's own lock still decides who writes, so a process may go ahead without
its turn: where there are no locks, as on some network file systems, or when the process before it hangs.
"""

import fcntl
import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_MAX_WAIT_SECONDS = 1.0

log = logging.getLogger(__name__)


class Turnstile:
    """Two locks, which the kernel releases when their process ends: the front of a queue, and the turn to write.

    A process waits for the front, there for the turn, and only then lets the next one to the front. So a process
    that has just written is behind those that wait. Used by one thread.
    """

    def __init__(self, database: Path) -> None:
        self._files: list[int] = []
        # A wait for a lock can't be cancelled, so another thread waits, and this one only for a time.
        self._asked = threading.Semaphore(0)
        self._granted = threading.Semaphore(0)
        self._mutex = threading.Lock()
        self._is_waiting = self._is_late = self._is_closed = False
        try:
            for name in ("queue", "turn"):
                self._files.append(os.open(f"{database}-{name}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            with suppress(BlockingIOError):  # then there are locks
                fcntl.flock(self._files[0], fcntl.LOCK_SH | fcntl.LOCK_NB)
            fcntl.flock(self._files[0], fcntl.LOCK_UN)
        except OSError as error:
            log.warning(
                "no locks beside %s (%s): processes that share it write in no fixed order", database, error
            )
            self.close()
        else:
            threading.Thread(target=self._wait_repeatedly, name="turnstile", daemon=True).start()

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait for the turn to write, or until it takes too long."""
        has_turn = bool(self._files) and self._take_turn()
        try:
            yield
        finally:
            if has_turn:
                self._release_turn()

    def close(self) -> None:
        """Close the files, unless the thread is still waiting for a lock of theirs."""
        with self._mutex:
            if self._is_waiting:
                return
            self._is_closed = True
            self._asked.release()
            while self._files:
                os.close(self._files.pop())

    def _take_turn(self) -> bool:
        with self._mutex:
            if self._is_waiting:  # for an earlier turn, which took too long
                return False
        try:
            self._lock(fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._is_waiting = True
        else:
            return True
        self._asked.release()
        if self._granted.acquire(timeout=_MAX_WAIT_SECONDS):
            return True
        with self._mutex:
            self._is_late = self._is_waiting
        return not self._is_late and self._granted.acquire()

    def _lock(self, operation: int) -> None:
        """Wait for the turn, or raise BlockingIOError, and then keep the front of the queue for a wait."""
        queue, turn = self._files
        fcntl.flock(queue, operation)
        try:
            fcntl.flock(turn, operation)
        except BlockingIOError:
            raise
        except OSError:
            fcntl.flock(queue, fcntl.LOCK_UN)
            raise
        fcntl.flock(queue, fcntl.LOCK_UN)

    def _release_turn(self) -> None:
        fcntl.flock(self._files[1], fcntl.LOCK_UN)

    def _wait_repeatedly(self) -> None:
        while self._asked.acquire() and not self._is_closed:
            self._lock(fcntl.LOCK_EX)
            with self._mutex:
                self._is_waiting = False
                if self._is_late:
                    self._release_turn()
                else:
                    self._granted.release()
                self._is_late = False
