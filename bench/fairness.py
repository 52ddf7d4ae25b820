"""`python -m bench.fairness SECONDS`: reads beside clients that list, that send slowly, and that don't read."""

import json
import math
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from bench.report import Target, at_least, at_most
from bench.subjects import SERVICE, Database, RunningSubject
from local.debian import find_program

_SCRIPT = Path(__file__).with_name("load.lua")
_SESSIONS = 160_000  # a list of 20 MB
_LISTS = 60
_BODIES = 600
_READERS = 520
_SETTLE_SECONDS = 1  # for the service to accept them
_HALF = b"POST /sessions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 13\r\n\r\n{"
_LIST = b"GET /sessions HTTP/1.1\r\nHost: x\r\n\r\n"


class _Reads(NamedTuple):
    requests: int
    seconds: float
    median_ms: float
    p99_ms: float
    errors: int
    bytes: int


def measure_fairness(seconds: int) -> Iterator[Target]:
    """Yield the figures of a read on one connection, alone and beside many other clients."""
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        database = Database(f"sqlite:///{folder}/sessions.db", _SESSIONS)
        RunningSubject(SERVICE, DATABASE_URL=database.url).kill()  # creates its tables
        database.seed(SERVICE)
        subject = RunningSubject(SERVICE, DATABASE_URL=database.url)
        stack.callback(subject.kill)
        port = subject.ports[0]
        alone = _run(port, "read", 1, seconds)
        with _connections(port, _BODIES, _HALF):
            beside = _run(port, "read", 1, seconds)
        name = f"a read beside {_BODIES} bodies that don't arrive"
        yield at_most(f"{name}: p99 against that of a read alone", beside.p99_ms / alone.p99_ms, 2, "×")
        yield at_most(f"{name}: refused", beside.errors, 0, "")
        rates = {}
        for lists in (1, 5, 20, _LISTS):
            with _start(port, "list", lists, seconds + 1) as listing:
                beside = _run(port, "read", 1, seconds)
                listed = _result(listing)
            rates[lists] = listed.bytes / listed.seconds
            yield at_most(f"a read beside {lists} clients that list 20 MB: median", beside.median_ms, 5, " ms")
        share = rates[_LISTS] / rates[1] * 100
        yield at_least(f"rate of {_LISTS} such clients together, of one's", share, 80, " %")
        before = subject.memory("VmRSS")
        with _connections(port, _READERS, _LIST):
            beside = _run(port, "read", 1, seconds)
            held = (subject.memory("VmRSS") - before) / (1 << 20)
        name = f"a read beside {_READERS} clients that ask for the list and don't read"
        yield at_most(f"{name}: p99", beside.p99_ms, 20, " ms")
        yield at_most(f"{name}: refused", beside.errors, 0, "")
        yield at_most(f"memory for {_READERS} clients that don't read", held, 128, " MiB")


@contextmanager
def _connections(port: int, count: int, request: bytes) -> Iterator[None]:
    """Open connections that send this, and nothing more."""
    with ExitStack() as stack:
        for _ in range(count):
            client = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
            client.sendall(request)
        time.sleep(_SETTLE_SECONDS)
        yield


def _run(port: int, workload: str, connections: int, seconds: int) -> _Reads:
    with _start(port, workload, connections, seconds) as process:
        return _result(process)


def _start(port: int, workload: str, connections: int, seconds: int) -> "subprocess.Popen[str]":
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "60s", "-s", str(_SCRIPT)]
    variables = {"WORKLOAD": workload, "PORTS": str(port), "SESSIONS": str(_SESSIONS)}
    return subprocess.Popen(
        [*command, f"http://127.0.0.1:{port}"],
        env={**os.environ, **variables},
        stdout=subprocess.PIPE,
        text=True,
    )


def _result(process: "subprocess.Popen[str]") -> _Reads:
    output, _ = process.communicate()
    reads = _Reads(**json.loads(output.splitlines()[-1]))
    return reads if reads.requests else reads._replace(median_ms=math.inf, p99_ms=math.inf)


if __name__ == "__main__":
    find_program("wrk")
    for target in measure_fairness(int(sys.argv[1])):
        print(f"{target.name}: {target.figure} (aim {target.aim})", flush=True)
