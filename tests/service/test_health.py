"""The container's health check, and what it says when the service isn't alive."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from service import health
from tests.ports import free_port


@contextmanager
def answering(status: int) -> Iterator[int]:
    """A server that answers `/livez` with this status; its port."""

    class Livez(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/livez" else 404)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
            pass

    with HTTPServer(("127.0.0.1", 0), Livez) as server:
        threading.Thread(target=server.serve_forever).start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()


def test_a_service_that_is_alive_is_healthy(capsys: pytest.CaptureFixture[str]) -> None:
    with answering(200) as port:
        assert health.main(port) == 0
    assert capsys.readouterr().out == ""


def test_a_service_that_is_not_alive_is_unhealthy(capsys: pytest.CaptureFixture[str]) -> None:
    with answering(503) as port:
        assert health.main(port) == 1
    assert "503 Service Unavailable" in capsys.readouterr().out


def test_a_service_that_does_not_answer_is_unhealthy(capsys: pytest.CaptureFixture[str]) -> None:
    assert health.main(free_port()) == 1
    assert "Connection refused" in capsys.readouterr().out


def test_a_probe_loads_nothing_that_takes_long() -> None:
    """As the container runs it. `http.client` and what it loads take four times as long as all the rest."""
    program = "import sys; exec(open(sys.argv[1]).read(), {'__name__': 'probe'}); print(*sys.modules)"
    probe = [sys.executable, "-I", "-S", "-c", program, health.__file__]
    loaded = set(subprocess.run(probe, capture_output=True, text=True, check=True).stdout.split())
    assert "_socket" in loaded
    assert loaded.isdisjoint({"socket", "selectors", "enum", "re", "http", "email", "site"})
