"""Real processes for tests: the service and its peer, each on a free port of loopback."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import requests

from tests.ports import free_port, is_open
from tests.waiting import wait_for

_ROOT = Path(__file__).parents[2]
_PEER = Path(__file__).with_name("sequence_peer.py")
_STOP_SECONDS = 15
_START_SECONDS = 120  # needs less than one; more on a machine that stalls, and 30 under Callgrind
_COVERAGE = "COVERAGE_PROCESS_CONFIG"  # set by `make coverage`, which measures these processes too

P = TypeVar("P", bound="Process")


class Process:
    """A process that listens on a port of 127.0.0.1."""

    def __init__(self, command: list[str], environment: dict[str, str], cwd: Path, port: int) -> None:
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self._output = tempfile.TemporaryFile()  # noqa: SIM115 - a pipe that nobody reads would fill up
        self._popen = subprocess.Popen(
            command, env=environment, cwd=cwd, stdout=self._output, stderr=subprocess.STDOUT
        )
        self.pid = self._popen.pid
        try:
            wait_for(lambda: self._popen.poll() is not None or is_open(port), _START_SECONDS)
            assert self._popen.poll() is None
        except AssertionError:
            output = self.output()
            self.kill()
            raise AssertionError(f"did not start:\n{output}") from None

    def connect(self) -> socket.socket:
        """Open a connection to the process."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=15)

    def output(self) -> str:
        """Return all output so far."""
        # Read at an offset of its own, since the process that writes shares the position in the file.
        return os.pread(self._output.fileno(), 1 << 24, 0).decode()

    def send(self, number: signal.Signals) -> None:
        self._popen.send_signal(number)

    def wait(self) -> tuple[int, str]:
        """Wait for the end; return the exit status and all output."""
        return self._popen.wait(timeout=_STOP_SECONDS), self.output()

    def stop(self) -> tuple[int, str]:
        """Send SIGTERM and wait for the end; return the exit status and all output."""
        self.send(signal.SIGTERM)
        return self.wait()

    def end(self) -> None:
        """Kill the process after its test. It is stopped before if coverage is measured, which a stop writes."""
        if _COVERAGE in os.environ:
            self._popen.terminate()
            with suppress(subprocess.TimeoutExpired):
                self._popen.wait(_STOP_SECONDS)
        self.kill()

    def kill(self) -> None:
        """End the process at once. Safe to repeat."""
        self._popen.kill()
        self._popen.wait()
        self._output.close()


class Service(Process):
    """The service as its container runs it, with a client."""

    def __init__(
        self,
        folder: Path,
        module: str = "service",
        under: Sequence[str] = (),
        /,
        **settings: object,
    ) -> None:
        """Run the module, with its data in the folder; `under` is a command that runs another, such as strace."""
        port = free_port()
        environment = service_environment(folder, port=port, **settings)
        super().__init__([*under, sys.executable, "-m", module], environment, _ROOT, port)
        self._http = requests.Session()
        self._http.trust_env = False

    def request(self, method: str, path: str, **options: Any) -> requests.Response:  # noqa: ANN401 - requests' own
        return self._http.request(method, self.url + path, timeout=20, **options)

    def create(
        self, user_id: object = 1, *, key: str | bytes | None = None, **fields: object
    ) -> requests.Response:
        headers = {"Idempotency-Key": key} if key is not None else {}
        return self.request("POST", "/sessions", json={"userId": user_id, **fields}, headers=headers)

    def create_session(self, user_id: object = 1, **fields: Any) -> int:  # noqa: ANN401 - fields of all kinds
        """Return the id of a new session."""
        session_id: int = self.create(user_id, **fields).json()["sessionId"]
        return session_id

    def update(self, session_id: object, **fields: object) -> requests.Response:
        return self.request("PUT", f"/sessions/{session_id}", json=fields)

    def delete(self, session_id: object) -> requests.Response:
        return self.request("DELETE", f"/sessions/{session_id}")

    def context(self, session_id: object) -> requests.Response:
        return self.request("GET", f"/sessions/{session_id}/context")

    def call_all(self, session_id: int) -> "list[requests.Response]":
        """Call every operation, the last one on the session being its deletion."""
        return [
            self.create(),
            self.update(session_id, context="new"),
            self.context(session_id),
            self.request("GET", f"/sessions/{session_id}"),
            self.request("GET", "/sessions?limit=1"),
            self.request("GET", "/sessions"),
            self.delete(session_id),
        ]

    def list(self) -> Any:  # noqa: ANN401 - JSON
        return self.request("GET", "/sessions").json()

    def contexts(self) -> dict[int, str]:
        """Return the contexts of all sessions, by id."""
        return {session["sessionId"]: session["context"] for session in self.list()}

    def is_ready(self) -> bool:
        return self.request("GET", "/readyz").status_code == 200

    def metric(self, name: str) -> float:
        """Return the value of a metric, labels included in its name."""
        lines = self.request("GET", "/metrics").text.splitlines()
        [value] = [line.removeprefix(f"{name} ") for line in lines if line.startswith(f"{name} ")]
        return float(value)


class Peer(Process):
    """A stand-in for the Central Sequence Service, whose behavior a test chooses."""

    def __init__(self, port: int | None = None) -> None:
        port = port or free_port()
        super().__init__([sys.executable, str(_PEER), str(port)], dict(os.environ), _ROOT, port)

    def behave(self, behavior: str) -> None:
        requests.post(f"{self.url}/behave", json={"as": behavior}, timeout=5).raise_for_status()

    def headers(self) -> dict[str, str]:
        """Return the ids of the last call."""
        ids: dict[str, str] = requests.get(f"{self.url}/headers", timeout=5).json()
        return ids

    def calls(self) -> list[dict[str, Any]]:
        """Return the bodies of all calls so far."""
        bodies: list[dict[str, Any]] = requests.get(f"{self.url}/calls", timeout=5).json()
        return bodies


def service_environment(folder: Path, **settings: object) -> dict[str, str]:
    """Return the environment of a service whose data is in the folder."""
    names = {name.upper(): str(value) for name, value in settings.items()}
    measured = {name: os.environ[name] for name in [_COVERAGE] if name in os.environ}
    return {"PATH": os.environ["PATH"], "DATABASE_URL": f"sqlite:///{folder}/sessions.db", **measured, **names}


Done = subprocess.CompletedProcess[bytes]


def run_service(
    folder: Path, *arguments: str, stdin: bytes | None = None, under: Sequence[str] = (), **settings: object
) -> Done:
    """Run `python -m service` with a verb, or with settings that it refuses, to its end."""
    return subprocess.run(
        [*under, sys.executable, "-m", "service", *arguments],
        cwd=_ROOT,
        env=service_environment(folder, **settings),
        input=stdin,
        capture_output=True,
        check=False,
        timeout=60,
    )


@contextmanager
def running(process: P) -> Iterator[P]:
    """Kill the process at the end."""
    try:
        yield process
    finally:
        process.end()


@contextmanager
def replicas(count: int, folder: Path, **settings: object) -> Iterator[list[Service]]:
    """Start several services at once on the same database; kill them at the end."""
    with ExitStack() as stack, ThreadPoolExecutor(count) as starters:
        starting = [starters.submit(Service, folder, **settings) for _ in range(count)]
        yield [stack.enter_context(running(service.result())) for service in starting]
