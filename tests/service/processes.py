"""Real processes for the tests: the service, and its peer, each on a free loopback port."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import requests

from tests.ports import free_port

_ROOT = Path(__file__).parents[2]
_PEER = Path(__file__).with_name("sequence_peer.py")
_END_SECONDS = 15

P = TypeVar("P", bound="Process")


class Process:
    """A process that listens on a port of 127.0.0.1."""

    def __init__(
        self, command: list[str], environment: dict[str, str], cwd: Path, port: int, start_seconds: int = 15
    ) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self._output = tempfile.TemporaryFile()  # noqa: SIM115 - a pipe that nobody reads would fill up
        self._popen = subprocess.Popen(
            command, env=environment, cwd=cwd, stdout=self._output, stderr=subprocess.STDOUT
        )
        self.pid = self._popen.pid
        self._wait_for(port, start_seconds)

    def _wait_for(self, port: int, seconds: int) -> None:
        give_up = time.monotonic() + seconds
        while time.monotonic() < give_up and self._popen.poll() is None:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    return
            time.sleep(0.02)
        printed = self.printed()
        self.kill()
        raise AssertionError(f"did not start:\n{printed}")

    def printed(self) -> str:
        """All that was printed so far."""
        # Read at a place of its own: the position in the file is shared with the process that writes.
        return os.pread(self._output.fileno(), 1 << 24, 0).decode()

    def send(self, number: signal.Signals) -> None:
        self._popen.send_signal(number)

    def wait(self) -> tuple[int, str]:
        """The exit status and all that was printed, once the process has ended."""
        return self._popen.wait(timeout=_END_SECONDS), self.printed()

    def kill(self) -> None:
        """End the process now; once more does no harm."""
        self._popen.kill()
        self._popen.wait()
        self._output.close()


class Service(Process):
    """The service as uvicorn runs it, with a client for each of its operations."""

    def __init__(
        self,
        folder: Path,
        module: str = "service",
        under: Sequence[str] = (),
        /,
        **settings: object,
    ) -> None:
        """A service that this module runs; `under` is a command that runs the rest of its line, as strace does."""
        port = free_port()
        environment = service_environment(folder, port=port, **settings)
        super().__init__([*under, sys.executable, "-m", module], environment, _ROOT, port)
        self._http = requests.Session()
        self._http.trust_env = False

    def request(self, method: str, path: str, **options: Any) -> requests.Response:  # noqa: ANN401 - requests' own
        return self._http.request(method, self.url + path, timeout=20, **options)

    def create(self, user_id: object = 1, **fields: object) -> requests.Response:
        return self.request("POST", "/sessions", json={"userId": user_id, **fields})

    def update(self, session_id: object, **fields: object) -> requests.Response:
        return self.request("PUT", f"/sessions/{session_id}", json=fields)

    def context(self, session_id: object) -> requests.Response:
        return self.request("GET", f"/sessions/{session_id}/context")

    def list(self) -> Any:  # noqa: ANN401 - JSON
        return self.request("GET", "/sessions").json()


class Peer(Process):
    """A Central Sequence Service that can be told how to behave."""

    def __init__(self, port: int | None = None) -> None:
        self.port = port or free_port()
        super().__init__([sys.executable, str(_PEER), str(self.port)], dict(os.environ), _ROOT, self.port)

    def behave(self, behaviour: str) -> None:
        requests.post(f"{self.url}/behave", json={"as": behaviour}, timeout=5).raise_for_status()

    def headers(self) -> dict[str, str]:
        """The ids that came with the last call."""
        ids: dict[str, str] = requests.get(f"{self.url}/headers", timeout=5).json()
        return ids

    def asked(self) -> list[dict[str, Any]]:
        """The bodies of all calls so far."""
        bodies: list[dict[str, Any]] = requests.get(f"{self.url}/asked", timeout=5).json()
        return bodies


def service_environment(folder: Path, **settings: object) -> dict[str, str]:
    """The environment of a service that keeps its data in the folder."""
    names = {name.upper(): str(value) for name, value in settings.items()}
    return {"PATH": os.environ["PATH"], "DATABASE_URL": f"sqlite:///{folder}/sessions.db", **names}


@contextmanager
def running(process: P) -> Iterator[P]:
    """The process, killed at the end."""
    try:
        yield process
    finally:
        process.kill()
