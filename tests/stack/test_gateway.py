"""What clients can reach through the gateway, and what they can't."""

import socket

import pytest

from tests.stack.clone import HOSTNAME, Clone

INSIDE = ("metrics", "livez", "readyz")
WAYS = (
    "/{}", "/{}/", "//{}", "/./{}", "/%2e/{}", "/sessions/../{}", "/sessions/%2e%2e/{}", "/sessions/..%2f{}",
    "/sessions/%252e%252e/{}", "/docs/../{}", "/docs;/../{}", "/docs/..%5c{}", "/sessions//..//{}",
    "http://sessioncontext.fountain.coach/{}", "/{}?/sessions", "/{}#/sessions", "/sessions/..;/{}",
)  # fmt: skip


@pytest.mark.parametrize("path", ["/sessions", "/docs", "/docs/start.js", "/openapi.json"])
def test_the_api_and_its_documents_are_served(clone: Clone, path: str) -> None:
    assert clone.request("GET", path).status_code == 200


@pytest.mark.parametrize("name", INSIDE)
def test_probes_and_metrics_are_not_reachable_from_outside(clone: Clone, name: str) -> None:
    encoded = f"/%{ord(name[0]):x}{name[1:]}"
    for target in [encoded, *(way.format(name) for way in WAYS)]:
        status, body = ask(clone, target)
        assert status in (400, 404), (target, body)
        assert "python_info" not in body
        assert '"status":"ok"' not in body


def test_a_client_can_not_make_the_service_link_elsewhere(clone: Clone) -> None:
    lies = {"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "gopher", "Forwarded": "host=evil.example"}
    made = clone.request("POST", "/sessions", json={"userId": 1, "context": ""}, headers=lies)
    assert made.headers["Location"] == f"/sessions/{made.json()['sessionId']}"
    assert "evil" not in str(made.headers)


def ask(clone: Clone, target: str) -> tuple[int, str]:
    """Return status and body of a request whose target is sent as it is; clients would normalize it."""
    with socket.create_connection(("127.0.0.1", clone.ports["PROXY_PORT"]), timeout=30) as connection:
        head = f"GET {target} HTTP/1.1\r\nHost: {HOSTNAME}\r\nConnection: close\r\n\r\n"
        connection.sendall(head.encode())
        answer = b"".join(iter(lambda: connection.recv(65536), b"")).decode(errors="replace")
    return int(answer.split(" ", 2)[1]), answer.partition("\r\n\r\n")[2]


def test_a_request_keeps_its_id_through_the_gateway_or_gets_one(clone: Clone) -> None:
    answer = clone.request("GET", "/sessions", headers={"X-Request-ID": "mine-1"})
    assert answer.headers["X-Request-ID"] == "mine-1"
    assert len(clone.request("GET", "/sessions").headers["X-Request-ID"]) == 36
    assert clone.request("POST", "/sessions", data=b"x" * 6_400_000).status_code in (413, 417)
