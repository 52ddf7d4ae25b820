"""`python -m bench.check [record]`: the instructions of each request, compared with bench/baseline.json.

Callgrind counts them. Unlike seconds they are the same on a busy machine: within a percent from run to run.
"""

import json
import platform
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from http.client import HTTPConnection
from pathlib import Path

from bench.subjects import start_peer
from local.debian import find_program
from local.workspace import ROOT, LocalError
from tests.ports import free_port
from tests.service.processes import Process, service_environment

BASELINE = Path(__file__).with_name("baseline.json")
TOLERANCE = 0.05
_REQUESTS = 60
_JSON = {"Content-Type": "application/json"}
_NEW = json.dumps({"userId": 1, "context": "context " * 12})
_CHANGE = json.dumps({"context": "changed " * 12})


class CountedService:
    """The service under Callgrind, and a client with one connection."""

    def __init__(self, folder: Path, **settings: object) -> None:
        port = free_port()
        self._dump, self._dumps = folder / "callgrind", 0
        under = ["valgrind", "--tool=callgrind", "--instr-atstart=no", f"--callgrind-out-file={self._dump}"]
        # A random hash seed would change the order of sets, and so the work.
        environment = service_environment(folder, port=port, **settings) | {"PYTHONHASHSEED": "0"}
        command = [*under, sys.executable, "-m", "service"]
        self.process = Process(command, environment, ROOT, port)
        self._http = HTTPConnection("127.0.0.1", port, timeout=60)

    def request(
        self, method: str, path: str, body: str | None = None, headers: dict[str, str] | None = None
    ) -> int:
        """Return the status of the answer."""
        self._http.request(method, path, body, (_JSON if body else {}) | (headers or {}))
        response = self._http.getresponse()
        response.read()
        return response.status

    def count(self, request: Callable[[int], int], expected: int, requests: int) -> float:
        """Count the instructions of one request. Raises `LocalError` if a response is unexpected."""
        self._http.close()  # the server may have closed it
        for number in range(1, requests + 1):  # leave out what happens only once
            self._expect(request(number), expected)
        self._control("-i", "on")
        for number in range(1, requests + 1):
            self._expect(request(number), expected)
        self._control("-i", "off")
        self._control("-d")
        self._dumps += 1
        dump = Path(f"{self._dump}.{self._dumps}")
        total = re.search(r"^totals: (\d+)$", dump.read_text(), re.MULTILINE)
        if total is None:
            raise LocalError("callgrind wrote no totals")
        return int(total[1]) / requests

    def _expect(self, status: int, expected: int) -> None:
        if status != expected:
            raise LocalError(f"the service answered {status} instead of {expected}")

    def _control(self, *arguments: str) -> None:
        command = ["callgrind_control", *arguments, str(self.process.pid)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise LocalError(f"callgrind_control failed: {done.stderr.strip() or done.stdout.strip()}")


def count_all() -> dict[str, int]:
    """Count the instructions that a request of each workload takes."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        (folder / "peer").mkdir()
        service = CountedService(folder)
        stack.callback(service.process.kill)
        peer = start_peer()
        stack.callback(peer.kill)
        with_peer = CountedService(folder / "peer", sequence_service_url=peer.url)
        stack.callback(with_peer.process.kill)
        known = {"If-None-Match": '"1"'}
        counts = {
            "create": service.count(lambda _: service.request("POST", "/sessions", _NEW), 201, _REQUESTS),
            "create with peer": with_peer.count(
                lambda _: with_peer.request("POST", "/sessions", _NEW), 201, _REQUESTS
            ),
            "read": service.count(lambda n: service.request("GET", f"/sessions/{n}/context"), 200, _REQUESTS),
            "not modified": service.count(
                lambda n: service.request("GET", f"/sessions/{n}/context", None, known), 304, _REQUESTS
            ),
            "update": service.count(lambda n: service.request("PUT", f"/sessions/{n}", _CHANGE), 200, _REQUESTS),
            "page of 100": service.count(lambda _: service.request("GET", "/sessions?limit=100"), 200, 10),
            "list of 120": service.count(lambda _: service.request("GET", "/sessions"), 200, 10),
        }
    return {name: round(count) for name, count in counts.items()}


def slower(counts: dict[str, int], baseline: dict[str, int]) -> list[str]:
    """Return a line for each workload that takes more instructions than before."""
    return [
        f"{name} takes {count / baseline[name] - 1:.0%} more instructions: {count:,} instead of {baseline[name]:,}"
        for name, count in counts.items()
        if count > baseline.get(name, count) * (1 + TOLERANCE)
    ]


def main(arguments: list[str]) -> int:
    """Compare with the baseline, or record it; return 1 if something got slower."""
    find_program("valgrind")
    major, minor, _ = platform.python_version_tuple()
    python = f"{platform.python_implementation()} {major}.{minor}, {platform.machine()}"
    if arguments == ["record"]:
        BASELINE.write_text(json.dumps({"python": python, "instructions": count_all()}, indent=1) + "\n")
        return 0
    recorded = json.loads(BASELINE.read_text())
    if recorded["python"] != python:
        raise LocalError(
            f"the baseline is for {recorded['python']}, not {python}. Run `make bench-check RECORD=1`."
        )
    counts = count_all()
    for name, count in counts.items():
        print(f"{name:17} {count:>11,} instructions, {count / recorded['instructions'][name]:.3f} × the baseline")
    found = slower(counts, recorded["instructions"])
    print(*found, sep="\n")
    return int(bool(found))


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except LocalError as error:
        sys.exit(f"\nError: {error}")
