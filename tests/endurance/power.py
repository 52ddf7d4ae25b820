"""A model of a power cut: the service's system calls are recorded, and replayed up to any moment.

A file on the disk is what it was at its last fdatasync. Of each write after that, the disk may have all,
nothing, or some sectors of it, in no order. What was answered before the cut must be there in every case.
That a new file can be found by its name is taken for granted: the file system's journal sees to that.
"""

import asyncio
import random
import re
import signal
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from local.debian import find_program
from tests.endurance.ledger import Ledger, read_database, write_for_ever
from tests.service.processes import Service, running

_NEVER_SECONDS = 60
_SECTOR = 512
_PADDING = 6_000  # contexts so large that the WAL is filled, and begun anew, more than once
_CALLS = "pwrite64,write,writev,sendmsg,sendto,fdatasync,fsync,ftruncate,unlink"
_STRACE = ("-D", "-f", "-y", "-xx", "-s", "100000", "-e", f"trace={_CALLS}", "--seccomp-bpf")

# strace pads a short process id, so there may be more than one space behind it.
_LINE = re.compile(r"(\d+) +(?:<\.\.\. (\w+) resumed>(.*)|(\w+)\((.*))$")
_FILE = re.compile(r"(?:\d+<)?\"?((?:\\x..)+|/[^>]+)[>\"]")
_PWRITE = re.compile(r"\"([^\"]*)\", \d+, (\d+)(?: <unfinished|\))")
_ANSWER = re.compile(rb'"sessionId":(\d+),"userId":\d+,"context":"(\S+) (\d+) ')


class Write(NamedTuple):
    offset: int
    data: bytes


class Truncate(NamedTuple):
    size: int


@dataclass
class _File:
    """What is certainly on the disk, and what may be."""

    synced: bytearray = field(default_factory=bytearray)
    unsynced: list[Write | Truncate] = field(default_factory=list)

    def sync(self) -> None:
        for change in self.unsynced:
            _apply(self.synced, change)
        self.unsynced.clear()

    def after_the_cut(self, chance: float) -> bytes:
        """Return a possible state of the disk; `chance` is the probability that a sector was written."""
        disk = bytearray(self.synced)
        for change in self.unsynced:
            if isinstance(change, Truncate):
                if random.random() < chance:  # noqa: S311 - no secret
                    _apply(disk, change)
                continue
            for begin in range(0, len(change.data), _SECTOR):
                if random.random() < chance:  # noqa: S311 - no secret
                    _apply(disk, Write(change.offset + begin, change.data[begin : begin + _SECTOR]))
        return bytes(disk)


def _apply(disk: bytearray, change: Write | Truncate) -> None:
    if isinstance(change, Truncate):
        del disk[change.size :]
        return
    end = change.offset + len(change.data)
    disk.extend(bytes(max(0, end - len(disk))))
    disk[change.offset : end] = change.data


async def record(folder: Path, answers: int, module: str = "service") -> tuple[Path, Ledger]:
    """Record the system calls of a service under writes, from its first start until it is killed.

    It is killed after this number of answered writes, not after a time: a busy machine takes longer.
    """
    calls = folder / "calls"
    ledger = Ledger()
    with running(Service(folder, module, [find_program("strace"), *_STRACE, "-o", str(calls)])) as service:
        writing = asyncio.create_task(write_for_ever(service.url, ledger, "power", padding=_PADDING))
        async with asyncio.timeout(_NEVER_SECONDS):
            while ledger.answers < answers:  # noqa: ASYNC110 - a ledger is filled outside of any loop, too
                await asyncio.sleep(0.01)
        service.send(signal.SIGKILL)
        await writing
    _wait_for_the_end(calls)
    return calls, ledger


def _wait_for_the_end(calls: Path) -> None:
    while "+++ killed by" not in calls.read_text()[-200:]:  # strace ends on its own
        time.sleep(0.05)


@dataclass
class Outcome:
    """The result of the cuts."""

    cuts: int = 0
    syncs: int = 0
    answers: int = 0
    wal_begun: int = 0
    faults: list[str] = field(default_factory=list)


def cut_the_power(calls: Path, folder: Path, recorded: Ledger, cuts: int) -> Outcome:
    """Replay the calls; at `cuts` moments, check what three disks would have."""
    lines = calls.read_text().splitlines()
    moments = set(random.sample(range(len(lines)), min(cuts, len(lines))))
    files: defaultdict[str, _File] = defaultdict(_File)
    ledger, outcome = Ledger(asked=recorded.asked), Outcome()
    for moment, (call, arguments) in enumerate(_calls(lines)):
        _replay(call, arguments, str(folder), files, ledger, outcome)
        if moment in moments:
            outcome.cuts += 1
            for chance in (0.0, 0.5, 1.0):
                faults = _look(folder / "cut", files, ledger, chance)
                outcome.faults += [
                    f"at call {moment}, {chance:.0%} of what was not synced kept: {f}" for f in faults
                ]
    outcome.answers = ledger.answers
    return outcome


def _calls(lines: list[str]) -> Iterator[tuple[str, str]]:
    """Yield each line's call: a write as soon as it starts, a sync only once it has returned."""
    begun: dict[str, str] = {}
    for line in lines:
        match = _LINE.match(line)
        if match is None:
            yield "", ""
            continue
        thread, resumed, _, call, arguments = match.groups()
        if resumed:
            yield (f"{resumed} done", begun.pop(thread, ""))
        else:
            begun[thread] = arguments
            yield (call, arguments)
            if "sync" in call and "unfinished" not in arguments:
                yield (f"{call} done", arguments)


def _replay(
    call: str, arguments: str, folder: str, files: dict[str, _File], ledger: Ledger, outcome: Outcome
) -> None:
    named = _FILE.match(arguments)
    path = _text(named[1]) if named else ""
    ours = path.startswith(f"{folder}/sessions.db")
    match call:
        case "write" | "writev" | "sendmsg" | "sendto" if not ours:
            text = b"".join(_bytes(piece) for piece in re.findall(r'"((?:\\x..)+)"', arguments))
            for session_id, tag, version in _ANSWER.findall(text):
                ledger.note(tag.decode(), int(session_id), int(version))
        case "pwrite64" if ours:
            data, offset = _PWRITE.search(arguments).groups()  # type: ignore[union-attr]
            files[path].unsynced.append(Write(int(offset), _bytes(data)))
            outcome.wal_begun += path.endswith("-wal") and offset == "0"
        case "ftruncate" if ours:
            files[path].unsynced.append(Truncate(int(arguments.split(", ")[1].split(")")[0].split()[0])))
        case "fdatasync done" | "fsync done" if ours:
            files[path].sync()
            outcome.syncs += 1
        case "unlink" if ours:
            files.pop(path, None)


def _look(folder: Path, files: dict[str, _File], ledger: Ledger, chance: float) -> list[str]:
    folder.mkdir(exist_ok=True)
    for left in folder.iterdir():
        left.unlink()
    for path, file in files.items():
        (folder / Path(path).name).write_bytes(file.after_the_cut(chance))
    found, faults = read_database(folder / "sessions.db")
    return faults + ledger.faults(found)


def _text(name: str) -> str:
    return _bytes(name).decode() if name.startswith("\\x") else name


def _bytes(hexadecimal: str) -> bytes:
    return bytes.fromhex(hexadecimal.replace("\\x", ""))
