"""Finding the processes that were started."""

import subprocess
import sys

import pytest

from local.engine import is_process


def test_a_process_is_known_by_the_end_of_a_long_command_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    command = [sys.executable, "-c", "input()", "x" * 200, "--port 4711"]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        assert is_process(process.pid, "--port 4711")
        assert not is_process(process.pid, "--port 4712")
        process.communicate(b"\n")
