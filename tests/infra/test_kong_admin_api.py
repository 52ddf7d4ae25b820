"""The Admin API over HTTP: how often it is asked, what its errors become, and lists of many pages."""

import json
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from infra.kong import admin_api
from infra.kong.connection import Kong
from infra.kong.entities import SERVICE
from infra.kong.managed import KongEntity
from infra.plugin import PluginError
from infra.plugin.provider import CANCELLED


class _Answers(BaseHTTPRequestHandler):
    """Answers what the test says, and keeps what it was asked."""

    server: "_Server"

    def do_GET(self) -> None:
        self.server.asked.append(dict(self.headers) | {"path": self.path})
        status, body = self.server.answers.pop(0) if self.server.answers else (200, b'{"id": "x"}')
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Retry-After", "30")
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.do_GET()

    def log_message(self, *_: Any) -> None:  # noqa: ANN401 - the base class's own
        """Keep quiet."""


class _Server(ThreadingHTTPServer):
    asked: list[dict[str, str]]
    answers: list[tuple[int, bytes]]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[_Server]:
    """An HTTP server that is no Kong."""
    monkeypatch.setattr(admin_api, "BACKOFF_SECONDS", 0.01)
    server = _Server(("127.0.0.1", 0), _Answers)
    server.asked, server.answers = [], []
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def api(server: _Server, **more: Any) -> admin_api.AdminApi:  # noqa: ANN401 - passed on
    return admin_api.AdminApi(f"http://127.0.0.1:{server.server_port}", **more)


def kong(server: _Server, warn: Callable[[str], None] = print) -> Kong:
    kong = Kong(warn)
    kong.configure({"adminUrl": f"http://127.0.0.1:{server.server_port}"})
    return kong


def test_an_admin_api_that_recovers_is_asked_again(server: _Server) -> None:
    server.answers = [(503, b"{}"), (502, b"<html>")]
    assert api(server).get("services", "x") == {"id": "x"}
    assert len(server.asked) == 3


def test_the_pauses_between_tries_are_ours_whatever_a_retry_after_says(server: _Server) -> None:
    server.answers, pauses = [(503, b"{}")] * 20, list[float]()
    with pytest.raises(admin_api.AdminApiUnreachableError, match="503"):
        api(server, wait=pauses.append).get("services", "x")
    assert pauses == [0.01, 0.02, 0.04]
    assert len(server.asked) == 4


def test_an_interrupted_run_does_not_ask_again(server: _Server) -> None:
    server.answers = [(503, b"{}")] * 20
    CANCELLED.set()
    try:
        with pytest.raises(PluginError, match="interrupted"):
            kong(server).do(lambda api: api.get("services", "x"))
    finally:
        CANCELLED.clear()
    assert len(server.asked) == 1


def test_a_list_is_read_to_its_last_page(server: _Server) -> None:
    first = {"data": [{"id": "a"}, {"id": "b"}], "next": "/services?offset=t%3D", "offset": "t="}
    server.answers = [(200, json.dumps(page).encode()) for page in (first, {"data": [{"id": "c"}], "next": None})]
    assert [one["id"] for one in api(server).list("services")] == ["a", "b", "c"]
    assert [asked["path"] for asked in server.asked] == [
        "/services?size=1000",
        "/services?size=1000&offset=t%3D",
    ]


def test_a_token_that_is_refused_stops_a_preview_in_plain_words(server: _Server) -> None:
    server.answers = [(401, b'{"message": "Unauthorized"}')]
    with pytest.raises(PluginError, match="kongAdminToken"):
        KongEntity(kong(server), SERVICE).check("", {"host": "a.example"}, {})


def test_a_kong_without_its_database_behind_it_is_a_warning_in_a_preview(server: _Server) -> None:
    server.answers, warnings = [(500, b'{"message": "An unexpected error occurred"}')] * 20, list[str]()
    _, failures = KongEntity(kong(server, warnings.append), SERVICE).check("", {"host": "a.example"}, {})
    assert failures == []
    assert len(warnings) == 1
    assert "500: An unexpected error" in warnings[0]


def test_an_admin_api_that_stays_broken_is_an_error(server: _Server) -> None:
    server.answers = [(500, b'{"message": "An unexpected error occurred"}')] * 20
    with pytest.raises(admin_api.AdminApiError, match="500: An unexpected error"):
        api(server).get("services", "x")


def test_what_is_no_kong_is_said_to_be_none(server: _Server) -> None:
    server.answers = [(200, b"<html>welcome</html>")]
    with pytest.raises(admin_api.AdminApiUnreachableError, match=r"no Kong Admin API.*kongAdminUrl"):
        api(server).get("services", "x")


def test_an_admin_api_that_is_down_says_what_to_check(server: _Server) -> None:
    closed = admin_api.AdminApi("http://127.0.0.1:9")
    with pytest.raises(admin_api.AdminApiUnreachableError, match="kongAdminUrl"):
        closed.get("services", "x")
    assert server.asked == []


def test_the_token_goes_in_its_header_and_not_into_messages(server: _Server) -> None:
    server.answers = [(401, b'{"message": "Unauthorized"}')]
    with pytest.raises(admin_api.AdminApiDeniedError, match="kongAdminToken") as caught:
        api(server, token="canary-4711", token_header="X-Token").get("services", "x")  # noqa: S106 - a canary
    assert server.asked[0]["X-Token"] == "canary-4711"
    assert "canary-4711" not in str(caught.value)


def test_a_kong_without_a_database_is_told_from_other_errors(server: _Server) -> None:
    body = b'{"code": 12, "name": "operation unsupported", "message": "cannot create"}'
    server.answers = [(405, body)]
    with pytest.raises(admin_api.ReadOnlyKongError, match="without a database"):
        api(server).get("services", "x")
