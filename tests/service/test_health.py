"""The container's health check, and what it prints if the service is not healthy."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from service import health
from tests.ports import free_port


class Answers(BaseHTTPRequestHandler):
    """What the service answers by path; the server has it as `status`."""

    def do_GET(self) -> None:
        self.send_response(self.server.status[self.path])  # type: ignore[attr-defined]
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
        pass


@contextmanager
def answering(status: dict[str, int]) -> Iterator[int]:
    """Run a server that answers each path with its status; yield its port."""
    with HTTPServer(("127.0.0.1", 0), Answers) as server:
        server.status = status  # type: ignore[attr-defined]
        threading.Thread(target=server.serve_forever).start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()


@pytest.fixture
def was_ready(tmp_path: Path) -> str:
    """Where the check of a container that has just started notes that the service was ready."""
    return str(tmp_path / "was-ready")


def test_a_service_is_healthy_once_it_is_ready_and_while_it_is_alive(was_ready: str) -> None:
    """A version that never gets ready replaces none that serves; a database that is down makes none unhealthy."""
    status = {"/livez": 200, "/readyz": 503}
    with answering(status) as port:
        assert health.main(port, was_ready) == 1
        status["/readyz"] = 200
        assert health.main(port, was_ready) == 0
        status["/readyz"] = 503
        assert health.main(port, was_ready) == 0
        status["/livez"] = 503
        assert health.main(port, was_ready) == 1


def test_a_service_that_is_not_ready_says_so(was_ready: str, capsys: pytest.CaptureFixture[str]) -> None:
    with answering({"/readyz": 503}) as port:
        assert health.main(port, was_ready) == 1
    assert "503 Service Unavailable" in capsys.readouterr().out


def test_a_service_that_does_not_answer_is_unhealthy(was_ready: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert health.main(free_port(), was_ready) == 1
    assert "Connection refused" in capsys.readouterr().out


def test_the_health_check_imports_nothing_slow() -> None:
    """Run it as the container does. `http.client` and its imports would take four times as long as the rest."""
    program = "import sys; exec(open(sys.argv[1]).read(), {'__name__': 'probe'}); print(*sys.modules)"
    probe = [sys.executable, "-I", "-S", "-c", program, health.__file__]
    loaded = set(subprocess.run(probe, capture_output=True, text=True, check=True).stdout.split())
    assert "_socket" in loaded
    assert loaded.isdisjoint({"socket", "selectors", "enum", "re", "http", "email", "site"})
