"""How a command runs in the foreground, and how Ctrl-C ends it."""

import os
import pty
import re
import signal
import subprocess
import sys
from contextlib import suppress
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


TIME = re.compile(r"\[ \d:\d\d\] ")
STEP = """
import time
from local import console
console.print_in_any_encoding()
console.HEARTBEAT_SECONDS = console.LIVE_SECONDS = 0.2
with console.step("Working") as progress:
    progress.detail = "1 of 2 MB"
    time.sleep(0.7)
    console.say("meanwhile")
    time.sleep(0.3)
console.say(console.paint("done", "green"))
"""


def test_progress_is_one_line_on_a_terminal() -> None:
    printed = run_on_terminal(STEP, TERM="xterm")
    assert re.search(r"\r\x1b\[K\[ 0:0\d\]   … Working \(\d s, 1 of 2 MB\)\r", printed)
    shown = [line.rpartition("\x1b[K")[2] for line in printed.replace("\r\n", "\n").split("\n") if line]
    assert [TIME.sub("", line) for line in shown] == ["Working", "meanwhile", "\x1b[32mdone\x1b[0m"]


def test_progress_is_plain_lines_elsewhere() -> None:
    done = subprocess.run([sys.executable, "-c", STEP], cwd=ROOT, capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    assert sum("]   … Working (" in line and line.endswith(" s, 1 of 2 MB)") for line in lines) >= 2
    assert [TIME.sub("", lines[0]), TIME.sub("", lines[-1])] == ["Working", "done"]
    assert "\x1b" not in done.stdout


def test_no_color_leaves_out_colors_and_a_dumb_terminal_gets_plain_lines() -> None:
    assert re.search(f"{TIME.pattern}done", run_on_terminal(STEP, TERM="xterm", NO_COLOR="1"))
    assert "\x1b" not in run_on_terminal(STEP, TERM="dumb")


def test_a_shell_without_utf_8_gets_a_question_mark() -> None:
    given = os.environ | {"PYTHONIOENCODING": "ascii"}
    done = subprocess.run([sys.executable, "-c", STEP], cwd=ROOT, env=given, capture_output=True, check=True)
    assert re.search(rb"  \? Working \(\d s, 1 of 2 MB\)\n", done.stdout)


def run_on_terminal(program: str, **variables: str) -> str:
    """Run a program on a terminal and return everything that it prints."""
    terminal, end = pty.openpty()
    given = {name: value for name, value in os.environ.items() if name != "NO_COLOR"} | variables
    subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env=given, stdout=end, stderr=end, timeout=30, check=True
    )
    os.close(end)
    printed = b""
    with suppress(OSError):  # the end of a terminal that no program has open
        while piece := os.read(terminal, 65536):
            printed += piece
    os.close(terminal)
    return printed.decode()


def test_noise_is_left_out_in_a_terminal_too() -> None:
    printed = run_on_terminal(f"import sys; sys.argv.append({NOISY!r})\n{SHOWN}")
    assert "good news" in printed
    assert "stand-in" not in printed
