"""The smoke test leaves the user's sessions as they were, also when something fails, and keeps to a limit."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import requests

from local import smoke
from local.workspace import LocalError
from tests.ports import free_port
from tests.service.processes import Service, running

ERROR_PAGE = b"<html>\r\n<head><title>Error</title></head>\r\n</html>\r\n"


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    """Yield a service with one session of a user's."""
    monkeypatch.setattr(smoke, "LIVE_SECONDS", 1)
    with running(Service(tmp_path)) as service:
        service.create(7, context="a user's own")
        yield service


@contextmanager
def gateway(service: Service, *faults: tuple[str, int]) -> Iterator[tuple[smoke.Api, list[str]]]:
    """Yield a gateway that answers the next request of a method with a status of its own, and what it was asked.

    The answer of a 502 is lost on its way: the service has done what was asked.
    """
    left, asked = list(faults), list[str]()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(f"{self.command} {self.path}")
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            fault = next((fault for fault in left if fault[0] == self.command), None)
            status, content = (fault[1], ERROR_PAGE) if fault else (0, b"")
            if fault:
                left.remove(fault)
            if status in (0, 502):
                answer = service.request(self.command, self.path, data=body, headers=dict(self.headers))
                status, content = status or answer.status_code, answer.content
            self.send_response(status)
            self.send_header("Retry-After", "1")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_POST = do_DELETE = do_GET  # noqa: N815 - the server's names for them

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield smoke.Api(f"http://127.0.0.1:{server.server_port}", "sessions.example", {}), asked
    finally:
        server.shutdown()
        server.server_close()


def users(service: Service) -> list[str]:
    return [session["context"] for session in service.list()]


def test_it_reads_only_its_own_session_and_removes_it(service: Service) -> None:
    with gateway(service) as (api, asked):
        made = smoke.use_session(api)
    assert asked == ["POST /sessions", f"GET /sessions/{made}", f"DELETE /sessions/{made}"]
    assert users(service) == ["a user's own"]


@pytest.mark.parametrize("method", ["POST", "GET", "DELETE"])
def test_a_lost_answer_leaves_no_session(service: Service, method: str) -> None:
    with gateway(service, (method, 502)) as (api, _):
        smoke.use_session(api)
    assert users(service) == ["a user's own"]


def test_a_check_that_fails_leaves_no_session(service: Service) -> None:
    with (
        gateway(service, *[("GET", 500)] * 20) as (api, _),
        pytest.raises(LocalError, match="still fails after 1 s: status 500"),
    ):
        smoke.use_session(api)
    assert users(service) == ["a user's own"]


def test_an_error_page_is_shown_on_one_line(service: Service, capsys: pytest.CaptureFixture[str]) -> None:
    with gateway(service, ("GET", 503)) as (api, _):
        smoke.use_session(api)
    assert "status 503 <html> <head><title>Error</title></head> </html>\n" in capsys.readouterr().out


def test_beyond_a_rate_limit_it_retries_when_the_gateway_says(
    service: Service, capsys: pytest.CaptureFixture[str]
) -> None:
    with gateway(service, ("GET", 429), ("DELETE", requests.codes.too_many_requests)) as (api, asked):
        smoke.use_session(api)
    assert len(asked) == 5
    assert "rate limit reached, retrying after 1 s" in capsys.readouterr().out
    assert users(service) == ["a user's own"]


def test_a_stopped_gateway_is_reported_at_once_and_with_what_to_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(smoke, "LIVE_SECONDS", 1)
    api = smoke.Api(f"http://127.0.0.1:{free_port()}", "sessions.example", {})
    with pytest.raises(LocalError, match="`make status` shows which part of the stack is at fault"):
        smoke.use_session(api)
    assert f"waiting up to 1 s for POST {api.url}/sessions: connection failed" in capsys.readouterr().out
