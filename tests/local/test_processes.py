"""Finding and terminating processes."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from local import processes


@pytest.fixture
def process() -> Iterator[subprocess.Popen[bytes]]:
    """Yield a process with a long command line, on a machine without `ps`."""
    command = [sys.executable, "-c", "input()", "x" * 200, "--port 4711"]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as started:
        yield started
        started.kill()


@pytest.fixture(autouse=True)
def slim(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Leave the machine no programs, as slim containers have no `ps`."""
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("PATH", str(tmp_path))


def test_a_process_is_found_by_the_end_of_a_long_command_line(process: subprocess.Popen[bytes]) -> None:
    assert processes.is_running(process.pid, "--port 4711")
    assert not processes.is_running(process.pid, "--port 4712")


def test_a_users_processes_are_listed_with_their_command_lines(process: subprocess.Popen[bytes]) -> None:
    assert any(pid == process.pid and line.endswith("--port 4711") for pid, line in processes.list_processes())


def test_a_process_is_terminated(process: subprocess.Popen[bytes]) -> None:
    processes.terminate(process.pid)
    assert not processes.is_running(process.pid, "--port 4711")
    processes.terminate(process.pid)  # it has ended, which is not an error
