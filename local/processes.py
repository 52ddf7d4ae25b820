"""Processes of this machine, found by what every system has: a slim container has no `ps`."""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil

STOP_SECONDS = 30


def list_processes() -> Iterator[tuple[int, str]]:
    """The id and the command line of each process that this user runs."""
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.uids().real == os.getuid():
                yield process.pid, " ".join(process.cmdline())


def is_running(pid: int, word: str) -> bool:
    """Whether a process runs whose command line has this word: a pid alone may have been reused since."""
    with suppress(psutil.Error):
        return pid > 0 and word in " ".join(psutil.Process(pid).cmdline())
    return False


def terminate(pid: int) -> None:
    """Ask a process to end, wait until it has, and kill one that does not."""
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except psutil.TimeoutExpired:
            process.kill()


def read_pid(file: Path) -> int:
    """The process that a file names; 0, which is no process of ours, when it names none."""
    content = file.read_text() if file.exists() else ""
    return int(content) if content.isdecimal() else 0
