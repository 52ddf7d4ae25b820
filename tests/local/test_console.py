"""How a command runs in the foreground, and how Ctrl-C ends it."""

import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

from local.workspace import LOGS, ROOT

SHOWN = """
import sys
from local.console import run_in_foreground
code = run_in_foreground([sys.executable, "-c", sys.argv[1]], "Working", log="test-of-console")
print("exit code", code, flush=True)
"""
NOISY = "print('a stand-in serves for nobody'); print('good news')"
EXITS_IN_ORDER = """
import signal, sys, time
def end(*_):
    time.sleep(1)
    print("exited in order", flush=True)
    sys.exit(3)
signal.signal(signal.SIGINT, end)
print("begun", flush=True)
time.sleep(100)
"""


def show(program: str) -> "subprocess.Popen[str]":
    """Start a process that shows another one, both in their own group, as a shell does."""
    return subprocess.Popen(
        [sys.executable, "-c", SHOWN, program],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )


def test_a_log_has_what_is_not_printed() -> None:
    log = LOGS / "test-of-console.log"
    with show(NOISY) as process:
        printed = process.communicate(timeout=60)[0]
    try:
        assert "stand-in" not in printed
        assert "good news\n" in printed
        assert f"Full output: {log}\nexit code 0" in printed
        assert log.read_text() == "a stand-in serves for nobody\ngood news\n"
    finally:
        Path(log).unlink()


def test_ctrl_c_lets_the_command_exit_in_order() -> None:
    with show(EXITS_IN_ORDER) as process:
        assert process.stdout is not None
        next(line for line in process.stdout if line == "begun\n")
        os.killpg(process.pid, signal.SIGINT)
        printed = process.communicate(timeout=60)[0]
    (LOGS / "test-of-console.log").unlink()
    assert "exited in order\n" in printed
    assert "exit code" not in printed
    assert process.returncode != 0


def test_noise_is_left_out_in_a_terminal_too() -> None:
    terminal, end = pty.openpty()
    done = subprocess.run(
        [sys.executable, "-c", SHOWN, NOISY], cwd=ROOT, stdout=end, stderr=end, timeout=30, check=True
    )
    os.close(end)
    printed = os.read(terminal, 65536).decode()
    os.close(terminal)
    assert done.returncode == 0
    assert "good news" in printed
    assert "stand-in" not in printed
