"""What `make logs` makes of a replica's lines."""

import json

from local.log_lines import parse_line

REQUEST = {
    "timestamp": "2026-11-26T11:14:00.405Z",
    "level": "INFO",
    "logger": "service.access",
    "message": "request",
    "method": "PUT",
    "route": "/sessions/{sessionId}",
    "path": "/sessions/1",
    "status": 412,
    "durationMs": 16.13,
    "requestId": "82d7",
}


def test_a_request_is_one_readable_line() -> None:
    assert (
        parse_line("api-1", json.dumps(REQUEST)).to_text()
        == "2026-11-26 11:14:00.405 api-1 INFO    PUT /sessions/1 412 16.13 ms 82d7"
    )


def test_a_stack_trace_follows_its_message() -> None:
    fields = {
        "timestamp": "2026-11-26T11:14:00.405Z",
        "level": "ERROR",
        "logger": "service.writes",
        "message": "bug",
        "exception": "Traceback\n  File",
    }
    assert parse_line("api-1", json.dumps(fields)).to_text() == (
        "2026-11-26 11:14:00.405 api-1 ERROR   bug\n    Traceback\n      File"
    )


def test_json_names_the_replica() -> None:
    line = parse_line("api-1", json.dumps(REQUEST))
    assert json.loads(line.to_json()) == {"replica": "api-1", **REQUEST}
    assert line.request_id == "82d7"


def test_a_line_that_is_not_json_is_shown_too() -> None:
    for text in ("Killed", "[1]", "7"):
        assert parse_line("api-1", text).to_text().split() == ["api-1", text]
        assert json.loads(parse_line("api-1", text).to_json()) == {"replica": "api-1", "message": text}


def test_a_path_controls_no_terminal() -> None:
    text = parse_line("api-1", json.dumps(REQUEST | {"path": "/sessions/\x1b[2J\u202e"})).to_text()
    assert "/sessions/\\u001b[2J\\u202e" in text
