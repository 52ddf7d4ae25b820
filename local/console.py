"""Progress: each step says what it does, that it still does it, and how long it took."""

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from local.pulumi_output import filter_output
from local.workspace import LOGS, ROOT, LocalError, build_environment

HEARTBEAT_SECONDS = 8.0
TAIL_LINES = 25
_started = time.monotonic()


def say(text: str) -> None:
    """Print one line, with the time since the start."""
    elapsed = int(time.monotonic() - _started)
    print(f"[{elapsed // 60:2d}:{elapsed % 60:02d}] {text}", flush=True)


@contextmanager
def step(title: str) -> Iterator[None]:
    """Say what is done, and every few seconds that it still is."""
    say(title)
    done = threading.Event()
    begun = time.monotonic()

    def beat() -> None:
        while not done.wait(HEARTBEAT_SECONDS):
            say(f"  … still: {title} ({time.monotonic() - begun:.0f} s)")

    threading.Thread(target=beat, daemon=True).start()
    try:
        yield
    finally:
        done.set()


def run(
    command: Sequence[str], *, log: str, cwd: Path = ROOT, timeout: float | None = None, hint: str = ""
) -> str:
    """Run a command quietly; its output goes to a log file. Raises `LocalError` with the log's end and a hint."""
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
        output, code = f"no end after {timeout:.0f} s", 124
    except OSError as error:
        output, code = str(error), 127
    path.write_text(output)
    if code:
        tail = "\n".join(f"    {line}" for line in output.splitlines()[-TAIL_LINES:])
        raise LocalError(
            f"`{' '.join(command)}` failed ({code}):\n{tail}\n  (all of it: {path}){hint and ' ' + hint}"
        )
    return output


def run_in_foreground(command: Sequence[str], title: str, *, log: str) -> int:
    """Run a command of Pulumi's in front of the user; its exit code.

    What is worth reading is printed, and all of it goes to a log file.
    """
    sys.stdout.flush()
    with _interrupts_left_to_it():
        LOGS.mkdir(parents=True, exist_ok=True)
        with (
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
            for line in filter_output(_kept(process.stdout or (), file)):
                print(line, flush=True)
        say(f"Its whole output: {file.name}")
        return process.returncode


def _kept(lines: Iterable[str], file: TextIO) -> Iterator[str]:
    for line in lines:
        file.write(line)
        yield line


@contextmanager
def _interrupts_left_to_it() -> Iterator[None]:
    """Ctrl-C reaches what runs in front of the user as well: it ends in order, and only then do we."""
    interrupts: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: interrupts.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        if interrupts:
            raise KeyboardInterrupt
