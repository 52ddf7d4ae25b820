"""What RFC 9110 and RFC 9112 require of a server, tested byte by byte."""

import re

import pytest

from tests.service.processes import Service

BODY = b'{"userId": 1}'
JSON = b"Content-Type: application/json\r\n"
CREATE = JSON + b"Content-Length: %d\r\n" % len(BODY)


def exchange(service: Service, *parts: bytes, answers: int | None = None) -> bytes:
    """Send the parts; return what is received until there are that many answers, or the server closes."""
    answered = b""
    with service.connect() as connection:
        for part in parts:
            connection.sendall(part)
        while answers is None or len(statuses(answered)) < answers:
            received = connection.recv(65536)
            if not received:
                break
            answered += received
    return answered


def statuses(answers: bytes) -> list[int]:
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3})", answers)]


REFUSED = {
    "no Host (9112, 3.2)": (b"GET /livez HTTP/1.1\r\n\r\n", 400),
    "two Hosts (9112, 3.2)": (b"GET /livez HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400),
    "an invalid Host (9112, 3.2)": (b"GET /livez HTTP/1.1\r\nHost: a b\r\n\r\n", 400),
    "a Host with a path (9112, 3.2)": (b"GET /livez HTTP/1.1\r\nHost: a/b\r\n\r\n", 400),
    "a space before the colon (9112, 5.1)": (b"GET /livez HTTP/1.1\r\nHost : a\r\n\r\n", 400),
    "a folded line (9112, 5.2)": (b"GET /livez HTTP/1.1\r\nHost: a\r\nX: b\r\n c\r\n\r\n", 400),
    "a name with a space (9110, 5.1)": (b"GET /livez HTTP/1.1\r\nHost: a\r\nX y: b\r\n\r\n", 400),
    "NUL in a value (9110, 5.5)": (b"GET /livez HTTP/1.1\r\nHost: a\r\nX: b\0c\r\n\r\n", 400),
    "a bare CR in a value (9112, 2.2)": (b"GET /livez HTTP/1.1\r\nHost: a\r\nX: b\rc\r\n\r\n", 400),
    "HTTP/2.0 (9110, 2.5)": (b"GET /livez HTTP/2.0\r\nHost: a\r\n\r\n", 505),
    "an unknown method (9110, 9.1)": (b"FETCH /livez HTTP/1.1\r\nHost: a\r\n\r\n", 501),
    "CONNECT (9110, 9.3.6)": (b"CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n", 501),
    "a target too long (9112, 3)": (b"GET /" + b"x" * 40_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414),
    "a field too large (6585, 5)": (b"GET /livez HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 40_000 + b"\r\n\r\n", 431),
    "an unknown coding (9112, 6.1)": (
        b"POST /sessions HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        501,
    ),
    "chunked is not last (9112, 6.3)": (
        b"POST /sessions HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
        400,
    ),
    "chunks in HTTP/1.0 (9112, 6.1)": (
        b"POST /sessions HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        400,
    ),
    "a length and chunks (9112, 6.3)": (
        b"POST /sessions HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
        400,
    ),
    "two lengths (9112, 6.3)": (
        b"POST /sessions HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
        400,
    ),
    "a length with a sign (9110, 8.6)": (
        b"POST /sessions HTTP/1.1\r\nHost: a\r\nContent-Length: +3\r\n\r\nabc",
        400,
    ),
    "an invalid chunk size (9112, 7.1)": (
        b"POST /sessions HTTP/1.1\r\nHost: a\r\n" + JSON + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        400,
    ),
}


@pytest.mark.parametrize(("request_bytes", "status"), REFUSED.values(), ids=REFUSED)
def test_an_invalid_request_is_refused_and_the_connection_closed(
    service: Service, request_bytes: bytes, status: int
) -> None:
    answer = exchange(service, request_bytes, b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n")
    head = answer.partition(b"\r\n\r\n")[0].lower()
    assert statuses(answer) == [status]
    assert b"connection: close" in head
    assert b"content-type: application/problem+json" in head
    assert b"\r\ndate: " in head  # RFC 9110, section 6.6.1


ACCEPTED = {
    "an empty line first (9112, 2.2)": b"\r\nGET /livez HTTP/1.1\r\nHost: a\r\n\r\n",
    "an empty Host (9110, 7.2)": b"GET /livez HTTP/1.1\r\nHost:\r\n\r\n",
    "an IPv6 Host (9110, 7.2)": b"GET /livez HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n",
    "HTTP/1.0 without Host (9112, 3.2)": b"GET /livez HTTP/1.0\r\n\r\n",
    "the absolute form (9112, 3.2.2)": b"GET http://a/livez HTTP/1.1\r\nHost: a\r\n\r\n",
    "a range (9110, 14.2)": b"GET /livez HTTP/1.1\r\nHost: a\r\nRange: bytes=0-1\r\n\r\n",
    "escapes of plain letters (3986, 6.2.2.2)": b"GET /%6Civez HTTP/1.1\r\nHost: a\r\n\r\n",
    "an upgrade to WebSocket (9110, 7.8)": (
        b"GET /livez HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
    ),
}


@pytest.mark.parametrize("request_bytes", ACCEPTED.values(), ids=ACCEPTED)
def test_what_a_server_must_accept_is_answered(service: Service, request_bytes: bytes) -> None:
    assert statuses(exchange(service, request_bytes, answers=1)) == [200]


@pytest.mark.parametrize("token", [b"h2c", b"websocket", b"anything/1"])
@pytest.mark.parametrize("cut", [40, 150, None])
def test_a_body_is_read_whatever_upgrade_is_requested(service: Service, token: bytes, cut: int) -> None:
    upgrade = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: " + token + b"\r\nHTTP2-Settings: AAMAAABk\r\n"
    request = b"POST /sessions HTTP/1.1\r\nHost: a\r\n" + upgrade + CREATE + b"\r\n" + BODY
    twice = request * 2
    answers = exchange(service, twice[:cut], twice[cut:] if cut else b"", answers=2)
    assert statuses(answers) == [201, 201]
    assert "install" not in service.output()


@pytest.mark.parametrize(
    "path", ["/sessions%0A", "/sessions/1/context%0A", "/metrics%0A", "/sessions/1%2Fcontext", "/sessions%2F1"]
)
def test_a_path_matches_only_itself(service: Service, path: str) -> None:
    assert service.request("GET", path).status_code == 404


def test_a_list_has_no_chunks_in_http_1_0(service: Service) -> None:
    service.create(context="x" * 200_000)
    answer = exchange(service, b"GET /sessions?limit=3 HTTP/1.0\r\n\r\n")
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"transfer-encoding" not in head.lower()
    assert b"connection: close" in head.lower()
    assert body == service.request("GET", "/sessions?limit=3").content


def test_pipelined_requests_are_answered_before_a_refusal(service: Service) -> None:
    ready = b"GET /readyz HTTP/1.1\r\nHost: a\r\n\r\n"
    assert statuses(exchange(service, ready * 3, answers=3)) == [200, 200, 200]
    assert statuses(exchange(service, ready * 2 + b"GET / HTTP/1.1\r\n\r\n")) == [200, 200]


def test_a_client_that_expects_100_continue_gets_it(service: Service) -> None:
    head = b"POST /sessions HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n" + CREATE + b"\r\n"
    assert statuses(exchange(service, head, BODY, answers=2)) == [100, 201]


def test_an_answer_without_content_has_no_length(service: Service) -> None:
    session_id = service.create_session()
    answer = service.delete(session_id)
    assert not {"Content-Length", "Transfer-Encoding"} & answer.headers.keys()


@pytest.mark.parametrize("coding", ["gzip", "br", "identity, gzip"])
def test_a_body_with_a_content_coding_is_a_415(service: Service, coding: str) -> None:
    answer = service.request("POST", "/sessions", json={"userId": 1}, headers={"Content-Encoding": coding})
    assert (answer.status_code, answer.headers["Accept-Encoding"]) == (415, "identity")


@pytest.mark.parametrize("charset", ["utf8", "UTF-8", '"utf-8"', "U8"])
def test_every_name_of_utf_8_is_accepted(service: Service, charset: str) -> None:
    headers = {"Content-Type": f"application/json; charset={charset}"}
    assert service.request("POST", "/sessions", data=BODY, headers=headers).status_code == 201


@pytest.mark.parametrize("charset", ["latin-1", "utf-16", "nothing"])
def test_another_charset_is_a_415(service: Service, charset: str) -> None:
    headers = {"Content-Type": f"application/json; charset={charset}"}
    assert service.request("POST", "/sessions", data=BODY, headers=headers).status_code == 415


@pytest.mark.parametrize("query", ["userId=7&userId=8", "limit=1&limit=1", "after=1&limit=2&after=1"])
def test_a_repeated_parameter_is_a_422(service: Service, query: str) -> None:
    answer = service.request("GET", f"/sessions?{query}")
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["loc"] == ["query", query.split("=")[0]]
