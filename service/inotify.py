"""Linux's notifications (inotify) that a process has closed a file which it had opened for writing."""

import ctypes
import os
from pathlib import Path

_IN_CLOSE_WRITE = 0x8


class Writers:
    """Processes that write to a file, noticed when they close it; where there is no inotify, never."""

    def __init__(self, path: Path) -> None:
        libc = ctypes.CDLL(None)
        self._events = -1
        if hasattr(libc, "inotify_init1"):
            self._events = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
            libc.inotify_add_watch(self._events, os.fsencode(path), _IN_CLOSE_WRITE)

    def have_closed(self) -> bool:
        """Return whether a writer has closed the file since the last call."""
        try:
            return bool(os.read(self._events, 65_536))
        except OSError:  # nothing to read, or no inotify
            return False

    def close(self) -> None:
        """Release the descriptor."""
        if self._events >= 0:
            os.close(self._events)
