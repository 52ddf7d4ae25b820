"""Traces: sent to a configured collector, for requests but not for probes."""

import gzip
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from tests.service.processes import Service, running


class _Collector(ThreadingHTTPServer):
    received: list[tuple[str, bytes]]


class _Receive(BaseHTTPRequestHandler):
    server: _Collector

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        self.server.received.append((self.path, body))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:  # noqa: ANN401 - the base class's own
        """Log nothing."""


@pytest.fixture
def collector() -> Iterator[_Collector]:
    """Yield a stand-in for an OpenTelemetry collector, which keeps what it receives."""
    server = _Collector(("127.0.0.1", 0), _Receive)
    server.received = []
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_requests_are_traced_and_probes_are_not(tmp_path: Path, collector: _Collector) -> None:
    endpoint = f"http://127.0.0.1:{collector.server_port}"
    with running(Service(tmp_path, otel_exporter_otlp_endpoint=endpoint)) as service:
        assert service.create().status_code == 201
        assert service.request("GET", "/livez").status_code == 200
        service.stop()
    assert {path for path, _ in collector.received} == {"/v1/traces"}
    sent = b"".join(body for _, body in collector.received)
    assert b"session-context" in sent
    assert b"/sessions" in sent
    assert b"/livez" not in sent
