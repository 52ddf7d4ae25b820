"""Notices of Linux (inotify) that a process has closed a file which it could write to."""

import ctypes
import os
from pathlib import Path

_IN_CLOSE_WRITE = 0x8


class Writers:
    """The processes that open a file to write to it, once they close it; none are seen without inotify."""

    def __init__(self, path: Path) -> None:
        libc = ctypes.CDLL(None)
        self._events = -1
        if hasattr(libc, "inotify_init1"):
            self._events = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
            libc.inotify_add_watch(self._events, os.fsencode(path), _IN_CLOSE_WRITE)

    def have_closed(self) -> bool:
        """Return whether one has since the last call."""
        try:
            return bool(os.read(self._events, 65_536))
        except OSError:  # nothing to read, or no inotify
            return False

    def close(self) -> None:
        """Release the descriptor."""
        if self._events >= 0:
            os.close(self._events)
