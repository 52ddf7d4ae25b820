"""What a command prints: progress with the time, and commands that run quietly or in the foreground."""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path
from typing import Literal, TextIO

from local.environment import build_environment
from local.pulumi_output import filter_output, find_build_step
from local.workspace import LOGS, ROOT, LocalError

HEARTBEAT_SECONDS, LIVE_SECONDS = 8.0, 1.0
CLEAR_LINE = "\r\x1b[K"
TAIL_LINES = 25
COLORS = {"red": 31, "green": 32, "yellow": 33}
_started = time.monotonic()
_printing = threading.Lock()


def say(text: str) -> None:
    """Print a line with the time since the start."""
    write(f"{_elapsed()} {text}")


def _elapsed() -> str:
    elapsed = int(time.monotonic() - _started)
    return f"[{elapsed // 60:2d}:{elapsed % 60:02d}]"


def write(line: str, *, end: str = "\n") -> None:
    """Print a line, in place of the line of progress on a terminal."""
    with _printing:
        print(f"{CLEAR_LINE if is_terminal() else ''}{line}", end=end, flush=True)


def print_in_any_encoding() -> None:
    """Print '?' for a character that the shell's encoding lacks, instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")


def is_terminal() -> bool:
    """Return whether a person reads what is printed, on a terminal that can do more than print lines."""
    return sys.stdout.isatty() and os.environ.get("TERM") != "dumb"


def paint(text: str, color: Literal["green", "red", "yellow"]) -> str:
    """Return the text in a color on a terminal, unless NO_COLOR is set (https://no-color.org)."""
    if not is_terminal() or os.environ.get("NO_COLOR"):
        return text
    return f"\x1b[{COLORS[color]}m{text}\x1b[0m"


class Progress:
    """How far a step is."""

    detail = ""


@contextmanager
def step(title: str) -> Iterator[Progress]:
    """Print what is being done, and how far it is: in one line on a terminal, else every few seconds."""
    say(title)
    progress, done, started = Progress(), threading.Event(), time.monotonic()

    def beat() -> None:
        pause = LIVE_SECONDS if is_terminal() else HEARTBEAT_SECONDS
        while not done.wait(pause):
            detail = f", {progress.detail}" if progress.detail else ""
            text = f"  … {title} ({time.monotonic() - started:.0f} s{detail})"
            if is_terminal():
                write(f"{_elapsed()} {text}"[: shutil.get_terminal_size().columns - 1], end="")
            else:
                say(text)

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield progress
    finally:
        done.set()
        thread.join()
        if is_terminal():
            write("", end="")


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
        step(title) as progress,
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
        for line in filter_output(_copy_lines(process.stdout or (), file, progress)):
            write(line)
    say(f"Full output: {file.name}")
    return process.returncode


def _copy_lines(lines: Iterable[str], file: TextIO, progress: Progress) -> Iterator[str]:
    for line in lines:
        file.write(line)
        progress.detail = find_build_step(line)
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
