"""How a command is run in front of the user, and how Ctrl-C ends it."""

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
code = run_in_foreground([sys.executable, "-c", sys.argv[1]], "Working", log="test-of-show")
print("it ended with", code, flush=True)
"""
NOISY = "print('a stand-in serves for nobody'); print('good news')"
ENDS_IN_ORDER = """
import signal, sys, time
def end(*_):
    time.sleep(1)
    print("ended in order", flush=True)
    sys.exit(3)
signal.signal(signal.SIGINT, end)
print("begun", flush=True)
time.sleep(100)
"""


def shown(program: str) -> "subprocess.Popen[str]":
    """A process that shows another one, both in a group of their own, as a shell starts them."""
    return subprocess.Popen(
        [sys.executable, "-c", SHOWN, program],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )


def test_a_log_has_what_is_not_printed() -> None:
    log = LOGS / "test-of-show.log"
    with shown(NOISY) as process:
        told = process.communicate(timeout=60)[0]
    try:
        assert "stand-in" not in told
        assert "good news\n" in told
        assert f"Its whole output: {log}\nit ended with 0" in told
        assert log.read_text() == "a stand-in serves for nobody\ngood news\n"
    finally:
        Path(log).unlink()


def test_ctrl_c_lets_the_command_end_in_order() -> None:
    with shown(ENDS_IN_ORDER) as process:
        assert process.stdout is not None
        next(line for line in process.stdout if line == "begun\n")
        os.killpg(process.pid, signal.SIGINT)
        told = process.communicate(timeout=60)[0]
    (LOGS / "test-of-show.log").unlink()
    assert "ended in order\n" in told
    assert "it ended with" not in told
    assert process.returncode != 0


def test_a_terminal_is_spared_the_noise_as_well() -> None:
    terminal, end = pty.openpty()
    done = subprocess.run(
        [sys.executable, "-c", SHOWN, NOISY], cwd=ROOT, stdout=end, stderr=end, timeout=30, check=True
    )
    os.close(end)
    told = os.read(terminal, 65536).decode()
    os.close(terminal)
    assert done.returncode == 0
    assert "good news" in told
    assert "stand-in" not in told
