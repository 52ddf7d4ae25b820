"""Processes on this machine. They are found without `ps`, which slim containers lack."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from local.workspace import LOGS, STATE

STOP_SECONDS = 30


def list_processes() -> Iterator[tuple[int, str]]:
    """Yield the id and the command line of each process of this user."""
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.uids().real == os.getuid():
                yield process.pid, " ".join(process.cmdline())


def is_running(pid: int, words: str) -> bool:
    """Return whether the process has these words in its command line: the pid alone may have been reused."""
    with suppress(psutil.Error):
        return pid > 0 and words in " ".join(psutil.Process(pid).cmdline())
    return False


def has_ancestor(pid: int, name: str) -> bool:
    """Return whether a program of this name started the process, directly or through others that still run."""
    with suppress(psutil.Error):
        return any(parent.name() == name for parent in psutil.Process(pid).parents())
    return False


def terminate(pid: int) -> None:
    """Terminate a process and wait for its end; kill it if it takes too long."""
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except psutil.TimeoutExpired:
            process.kill()


_started: list["subprocess.Popen[bytes]"] = []
"""Daemons of this process, which outlive it. Without a reference, Python warns that such a process still runs."""


@dataclass(frozen=True)
class Daemon:
    """A process that keeps running after the command that started it; a file holds its pid."""

    name: str

    @property
    def pid_file(self) -> Path:
        return STATE / f"{self.name}.pid"

    @property
    def log_file(self) -> Path:
        return LOGS / f"{self.name}.log"

    @property
    def pid(self) -> int:
        """The pid in the file; 0 without one."""
        content = self.pid_file.read_text() if self.pid_file.exists() else ""
        return int(content) if content.isdecimal() else 0

    def start(self, command: list[str], environment: dict[str, str]) -> "subprocess.Popen[bytes]":
        """Start the process in a session of its own."""
        LOGS.mkdir(parents=True, exist_ok=True)
        with self.log_file.open("ab") as log:
            process = subprocess.Popen(
                command,
                cwd="/",
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.pid_file.write_text(str(process.pid))
        _started.append(process)
        return process

    def is_running(self, words: str) -> bool:
        """Return whether it runs with these words in its command line."""
        return is_running(self.pid, words)

    def stop(self, words: str) -> None:
        """Terminate the process if it runs with these words in its command line."""
        if self.is_running(words):
            terminate(self.pid)
        self.pid_file.unlink(missing_ok=True)
