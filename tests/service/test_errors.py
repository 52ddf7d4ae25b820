"""Every error is a problem (RFC 9457), and no request causes a 500."""

import pytest
import requests

from tests.service.processes import Service

HOSTILE_BODIES = {
    "empty": b"",
    "not JSON": b"{",
    "not an object": b"[]",
    "null": b"null",
    "userId missing": b"{}",
    "userId a string": b'{"userId": "5"}',
    "userId a bool": b'{"userId": true}',
    "userId a fraction": b'{"userId": 1.5}',
    "userId infinite": b'{"userId": 1e400}',
    "userId null": b'{"userId": null}',
    "userId above 64 bits": b'{"userId": 9223372036854775808}',
    "userId below 64 bits": b'{"userId": -9223372036854775809}',
    "userId of 5000 digits": b'{"userId": ' + b"9" * 5000 + b"}",
    "userId not a number": b'{"userId": NaN}',
    "context null": b'{"userId": 1, "context": null}',
    "context a number": b'{"userId": 1, "context": 1}',
    "context with NUL": b'{"userId": 1, "context": "a\\u0000"}',
    "context with a lone surrogate": b'{"userId": 1, "context": "\\ud800"}',
    "context with a raw surrogate": b'{"userId": 1, "context": "\xed\xa0\x80"}',
    "not UTF-8": b'{"userId": 1, "context": "\xff"}',
    "UTF-16": '{"userId": 1}'.encode("utf-16"),
    "deep lists": b'{"userId": 1, "more": ' + b"[" * 100_000,
    "deep objects": b'{"a":' * 100_000,
}


def assert_problem(answer: requests.Response, status: int) -> dict[str, object]:
    assert answer.status_code == status
    assert answer.headers["Content-Type"] == "application/problem+json"
    body: dict[str, object] = answer.json()
    assert {"type", "title", "status", "detail", "instance"} <= body.keys()
    assert body["status"] == status
    return body


@pytest.mark.parametrize("body", HOSTILE_BODIES.values(), ids=HOSTILE_BODIES)
def test_an_invalid_body_is_a_422(service: Service, body: bytes) -> None:
    before = len(service.list())
    answer = service.request("POST", "/sessions", data=body, headers={"Content-Type": "application/json"})
    problem = assert_problem(answer, 422)
    assert problem["errors"]
    assert problem["instance"] == "/sessions"
    assert len(service.list()) == before


def test_all_errors_of_a_body_are_reported_in_the_contracts_names(service: Service) -> None:
    errors = service.create(user_id="5", context=None).json()["errors"]
    assert [error["loc"] for error in errors] == [["body", "userId"], ["body", "context"]]


def test_a_validation_error_does_not_repeat_the_context(service: Service) -> None:
    assert "private" not in service.create(user_id="5", context="private\0").text


def test_an_update_with_null_is_a_422_and_changes_nothing(service: Service) -> None:
    session_id = service.create_session(context="old")
    assert_problem(service.update(session_id, context=None), 422)
    assert service.context(session_id).json()["context"] == "old"


@pytest.mark.parametrize("session_id", ["0", "-1", "9223372036854775807", "9223372036854775808", "9" * 5000])
def test_an_integer_that_can_not_be_an_id_is_a_404(service: Service, session_id: str) -> None:
    problem = assert_problem(service.context(session_id), 404)
    assert problem["detail"] == "Session not found"


@pytest.mark.parametrize("session_id", ["x", "1.0", "01", "-0", "+1", "1_0", "%201", "1%0A", "%D9%A1", "%00"])
def test_an_id_that_is_not_an_integer_is_a_422(service: Service, session_id: str) -> None:
    assert assert_problem(service.context(session_id), 422)["errors"]


@pytest.mark.parametrize("path", ["/", "/nothing", "/sessions/", "/sessions/1/", "/sessions/1/context/"])
def test_an_unknown_path_is_a_404(service: Service, path: str) -> None:
    method = "PUT" if path == "/sessions/" else "GET"
    assert_problem(service.request(method, path), 404)


def test_a_wrong_method_is_a_405_that_names_all_allowed_ones(service: Service) -> None:
    for path, allowed in [("/sessions", "GET, HEAD, POST"), ("/sessions/1", "DELETE, GET, HEAD, PUT")]:
        answer = service.request("PATCH", path)
        assert_problem(answer, 405)
        assert answer.headers["Allow"] == allowed


@pytest.mark.parametrize("content_type", [None, "text/plain", "application/x-www-form-urlencoded", "json", ""])
def test_a_body_of_another_media_type_is_a_415(service: Service, content_type: str | None) -> None:
    headers = {"Content-Type": content_type} if content_type is not None else {}
    answer = service.request("POST", "/sessions", data=b'{"userId": 1}', headers=headers)
    assert_problem(answer, 415)


@pytest.mark.parametrize(
    "content_type", ["application/json; charset=utf-8", "Application/JSON", "application/merge-patch+json"]
)
def test_every_name_of_json_is_accepted(service: Service, content_type: str) -> None:
    answer = service.request("POST", "/sessions", data=b'{"userId": 1}', headers={"Content-Type": content_type})
    assert answer.status_code == 201


def test_a_context_of_the_maximum_size_is_stored_however_it_is_escaped(service: Service) -> None:
    body = b'{"userId": 1, "context": "' + b"\\u0001" * 1024 * 1024 + b'"}'
    answer = service.request("POST", "/sessions", data=body, headers={"Content-Type": "application/json"})
    assert answer.json()["context"] == "\x01" * 1024 * 1024


def test_a_context_over_the_limit_is_a_413(service: Service) -> None:
    session_id = service.create_session(context="é" * 512 * 1024)
    assert_problem(service.create(context="é" * 512 * 1024 + "e"), 413)
    assert_problem(service.update(session_id, context="é" * 512 * 1024 + "e"), 413)


def test_a_body_over_the_limit_is_refused_before_it_is_received(service: Service) -> None:
    declared = b"Content-Length: 1000000000000\r\n\r\n"
    assert _send_incomplete(service, declared).startswith(b"HTTP/1.1 413 ")


def test_chunks_over_the_limit_are_refused_while_they_arrive(service: Service) -> None:
    chunk = b"%x\r\n" % 0x100000 + b" " * 0x100000 + b"\r\n"
    endless = b"Transfer-Encoding: chunked\r\n\r\n" + chunk * 7
    assert _send_incomplete(service, endless).startswith(b"HTTP/1.1 413 ")


def _send_incomplete(service: Service, rest: bytes) -> bytes:
    with service.connect() as connection:
        connection.sendall(b"POST /sessions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n" + rest)
        return connection.recv(65536)


def test_a_client_that_disconnects_in_its_body_creates_nothing(service: Service) -> None:
    before = service.list()
    with service.connect() as connection:
        head = b"POST /sessions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        connection.sendall(head + b'Content-Length: 100\r\n\r\n{"userId": 1}')
    assert service.list() == before
    assert service.request("GET", "/livez").json() == {"status": "ok"}
