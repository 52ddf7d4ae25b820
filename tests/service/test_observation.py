"""What is told of each request: a log line, metrics, and headers that keep browsers and caches careful."""

import json
import re
import time
from pathlib import Path
from typing import Any

import pytest

from tests.service.processes import Peer, Service, running

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def lines(service: Service) -> list[dict[str, Any]]:
    time.sleep(0.3)  # lines are written ten times a second
    return [json.loads(line) for line in service.printed().splitlines()]


def test_each_request_is_one_line_of_json_without_its_context(fresh: Service) -> None:
    answer = fresh.create(context="private")
    fresh.update(1, context="private too")
    fresh.request("GET", "/nothing?secret=private", headers={"traceparent": TRACE})
    told = [line for line in lines(fresh) if line["message"] == "request"]
    assert [(line["method"], line["route"], line["status"]) for line in told] == [
        ("POST", "/sessions", 201),
        ("PUT", "/sessions/{sessionId}", 200),
        ("GET", "other", 404),
    ]
    assert told[0]["requestId"] == answer.headers["X-Request-ID"]
    assert told[0].keys() == {
        "timestamp", "level", "logger", "message", "method", "route", "path", "status", "durationMs", "requestId",
    }  # fmt: skip
    assert told[2]["traceparent"] == TRACE
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", told[0]["timestamp"])
    assert "private" not in fresh.printed()


def test_a_probe_is_no_line(fresh: Service) -> None:
    for path in ("/livez", "/readyz", "/metrics"):
        assert fresh.request("GET", path).status_code == 200
    assert not [line for line in lines(fresh) if line["message"] == "request"]


def test_a_path_cannot_make_a_line_of_its_own(fresh: Service) -> None:
    fresh.request("GET", '/%0A{"level":"CRITICAL"}"')
    assert {line["level"] for line in lines(fresh)} == {"INFO"}


def test_a_failed_dependency_is_told_with_the_request_that_met_it(tmp_path: Path) -> None:
    with running(Peer()) as peer, running(Service(tmp_path, sequence_service_url=peer.url)) as service:
        peer.behave("500")
        service.request("POST", "/sessions", json={"userId": 1}, headers={"X-Request-ID": "theirs"})
        warning = next(line for line in lines(service) if line["level"] == "WARNING")
    assert warning["requestId"] == "theirs"
    assert "500 instead of 201" in warning["message"]


def test_a_request_id_is_taken_over_when_it_is_well_formed(service: Service) -> None:
    answer = service.request("GET", "/livez", headers={"X-Request-ID": "a-Z_0.9~"})
    assert answer.headers["X-Request-ID"] == "a-Z_0.9~"


@pytest.mark.parametrize("request_id", ["", "x" * 129, 'a"b', "a b", "é"])
def test_a_request_id_that_is_not_well_formed_is_replaced(service: Service, request_id: str) -> None:
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
def test_every_answer_is_kept_from_caches_sniffers_and_frames(service: Service, path: str) -> None:
    headers = service.request("GET", path).headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"
    # What has an ETag may be kept by its client, to ask whether it is still so.
    assert headers["Cache-Control"] == ("private, no-cache" if "ETag" in headers else "no-store")
    assert "Server" not in headers
