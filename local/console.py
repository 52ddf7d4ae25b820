"""What a command prints: progress with the time, and commands that run quietly or in the foreground."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, TextIO

from local.environment import build_environment
from local.pulumi_output import filter_output
from local.workspace import LOGS, ROOT, LocalError

HEARTBEAT_SECONDS = 8.0
TAIL_LINES = 25
COLORS = {"red": 31, "green": 32, "yellow": 33}
_started = time.monotonic()


def say(text: str) -> None:
    """Print a line with the time since the start."""
    elapsed = int(time.monotonic() - _started)
    print(f"[{elapsed // 60:2d}:{elapsed % 60:02d}] {text}", flush=True)


def is_terminal() -> bool:
    """Return whether a person reads what is printed, on a terminal that can do more than print lines."""
    return sys.stdout.isatty() and os.environ.get("TERM") != "dumb"


def paint(text: str, color: Literal["green", "red", "yellow"]) -> str:
    """Return the text in a color on a terminal, unless NO_COLOR is set (https://no-color.org)."""
    if not is_terminal() or os.environ.get("NO_COLOR"):
        return text
    return f"\x1b[{COLORS[color]}m{text}\x1b[0m"


@contextmanager
def step(title: str) -> Iterator[None]:
    """Print what is being done, and every few seconds that it still is."""
    say(title)
    done = threading.Event()
    started = time.monotonic()

    def beat() -> None:
        while not done.wait(HEARTBEAT_SECONDS):
            say(f"  … {title} ({time.monotonic() - started:.0f} s)")

    threading.Thread(target=beat, daemon=True).start()
    try:
        yield
    finally:
        done.set()


def run(
    command: Sequence[str], *, log: str, cwd: Path = ROOT, timeout: float | None = None, hint: str = ""
) -> str:
    """Run a command quietly, log its output and return it. Raises `LocalError` with the end of the output."""
    LOGS.mkdir(parents=True, exist_ok=True)
    path = LOGS / f"{log}.log"
    try:
        done = subprocess.run(
            command,
            cwd=cwd,
            env=build_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout,
            check=False,
        )
        output, code = done.stdout, done.returncode
    except subprocess.TimeoutExpired:
        output, code = f"timed out after {timeout:.0f} s", 124
    except OSError as error:
        output, code = str(error), 127
    path.write_text(output)
    if code:
        tail = "\n".join(f"    {line}" for line in output.splitlines()[-TAIL_LINES:])
        command_line = " ".join(command)
        raise LocalError(
            f"`{command_line}` exited with {code}:\n{tail}\n  Full output: {path}{hint and ' ' + hint}"
        )
    return output


def capture(command: Sequence[str]) -> "subprocess.CompletedProcess[str]":
    """Run a command quietly without logging its output, which may have secrets."""
    return subprocess.run(command, cwd=ROOT, env=build_environment(), capture_output=True, text=True, check=False)


def run_in_foreground(command: Sequence[str], title: str, *, log: str) -> int:
    """Run a Pulumi command in front of the user and return its exit code.

    What is worth reading is printed; the log file has all of it.
    """
    sys.stdout.flush()
    LOGS.mkdir(parents=True, exist_ok=True)
    with (
        _leave_interrupts_to_command(),
        step(title),
        (LOGS / f"{log}.log").open("w") as file,
        subprocess.Popen(
            command,
            cwd=ROOT,
            env=build_environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        ) as process,
    ):
        for line in filter_output(_copy_lines(process.stdout or (), file)):
            print(line, flush=True)
    say(f"Full output: {file.name}")
    return process.returncode


def _copy_lines(lines: Iterable[str], file: TextIO) -> Iterator[str]:
    for line in lines:
        file.write(line)
        yield line


@contextmanager
def _leave_interrupts_to_command() -> Iterator[None]:
    """Let a command that Ctrl-C reaches as well exit in order, and be interrupted only then."""
    interrupts: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: interrupts.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        if interrupts:
            raise KeyboardInterrupt
