"""What each request leaves: a log line, metrics, ids, and security headers."""

import json
import re
import time
from pathlib import Path
from typing import Any

import pytest

from tests.service.processes import Peer, Service, running

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def lines(service: Service) -> list[dict[str, Any]]:
    time.sleep(0.3)  # access log lines are written with a delay of up to 0.1 s
    return [json.loads(line) for line in service.output().splitlines()]


def test_each_request_is_logged_as_a_json_line_without_its_context(fresh: Service) -> None:
    answer = fresh.create(context="private")
    fresh.update(1, context="private too")
    fresh.request("GET", "/nothing?secret=private", headers={"traceparent": TRACE})
    requests = [line for line in lines(fresh) if line["message"] == "request"]
    assert [(line["method"], line["route"], line["status"]) for line in requests] == [
        ("POST", "/sessions", 201),
        ("PUT", "/sessions/{sessionId}", 200),
        ("GET", "other", 404),
    ]
    assert requests[0]["requestId"] == answer.headers["X-Request-ID"]
    assert requests[0].keys() == {
        "timestamp", "level", "logger", "message", "method", "route", "path", "status", "durationMs", "requestId",
    }  # fmt: skip
    assert requests[2]["traceparent"] == TRACE
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", requests[0]["timestamp"])
    assert "private" not in fresh.output()


def test_probes_are_not_logged(fresh: Service) -> None:
    for path in ("/livez", "/readyz", "/metrics"):
        assert fresh.request("GET", path).status_code == 200
    assert not [line for line in lines(fresh) if line["message"] == "request"]


def test_a_path_can_not_forge_a_line(fresh: Service) -> None:
    fresh.request("GET", '/%0A{"level":"CRITICAL"}"')
    assert {line["level"] for line in lines(fresh)} == {"INFO"}


def test_a_failed_dependency_is_logged_with_the_request_id(tmp_path: Path) -> None:
    with running(Peer()) as peer, running(Service(tmp_path, sequence_service_url=peer.url)) as service:
        peer.behave("500")
        service.request("POST", "/sessions", json={"userId": 1}, headers={"X-Request-ID": "theirs"})
        warning = next(line for line in lines(service) if line["level"] == "WARNING")
    assert warning["requestId"] == "theirs"
    assert "500 instead of 201" in warning["message"]


def test_a_valid_request_id_is_adopted(service: Service) -> None:
    answer = service.request("GET", "/livez", headers={"X-Request-ID": "a-Z_0.9~"})
    assert answer.headers["X-Request-ID"] == "a-Z_0.9~"


@pytest.mark.parametrize("request_id", ["", "x" * 129, 'a"b', "a b", "é"])
def test_an_invalid_request_id_is_replaced(service: Service, request_id: str) -> None:
    sent = {"X-Request-ID": request_id.encode()}
    first, second = (service.request("GET", "/livez", headers=sent).headers["X-Request-ID"] for _ in range(2))
    assert first != second
    assert re.fullmatch(r"[0-9a-f]{12}-\d+", first)


def test_metrics_count_requests_by_route_and_not_by_path(fresh: Service) -> None:
    for session_id in range(3):
        fresh.context(session_id)
    fresh.create()
    metrics = fresh.request("GET", "/metrics")
    assert metrics.headers["Content-Type"].startswith("text/plain; version=")
    labels = 'method="GET",route="/sessions/{sessionId}/context",status="404"'
    for line in (
        f"http_requests_total{{{labels}}} 3.0",
        f"http_request_duration_seconds_count{{{labels}}} 3.0",
        f'http_request_duration_seconds_bucket{{le="+Inf",{labels}}} 3.0',
        "http_requests_in_flight 1.0",
        'database_batch_size_count{queue="writes"} 1.0',
        'database_queue_depth{queue="writes"} 0.0',
        "database_errors_total 0.0",
    ):
        assert line in metrics.text.splitlines()
    assert "/sessions/1" not in metrics.text


def test_metrics_count_calls_of_the_peer_by_outcome(tmp_path: Path) -> None:
    with running(Peer()) as peer, running(Service(tmp_path, sequence_service_url=peer.url)) as service:
        service.create()
        peer.behave("500")
        for _ in range(7):
            service.create()
        metrics = service.request("GET", "/metrics").text
    for outcome, times in {"ok": 1, "failed": 5, "refused": 2}.items():
        assert f'sequencer_calls_total{{outcome="{outcome}"}} {times}.0' in metrics


@pytest.mark.parametrize("path", ["/sessions", "/nothing", "/sessions/1/context", "/openapi.json"])
def test_every_response_has_security_headers(service: Service, path: str) -> None:
    headers = service.request("GET", path).headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"
    # A client may keep what has an ETag, to revalidate it.
    assert headers["Cache-Control"] == ("private, no-cache" if "ETag" in headers else "no-store")
    assert "Server" not in headers
