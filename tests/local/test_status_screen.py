"""The screen of `make status`, for stacks in every condition."""

from datetime import UTC, datetime, timedelta
from typing import Any

from local.status_screen import render

WELL: dict[str, Any] = {
    "stack": "dev",
    "ok": True,
    "api": {
        "ok": True,
        "url": "http://127.0.0.1:8000",
        "hostname": "api.example",
        "status": 200,
        "milliseconds": 4,
    },
    "replicas": {"ok": True, "containers": [], "missing": []},
    "gateway": {
        "ok": True,
        "adminUrl": "http://127.0.0.1:8001",
        "version": "3.9.1",
        "standIn": False,
        "targets": [{"target": "api-1:8080", "health": "HEALTHY"}],
    },
    "record": {"ok": True, "name": "api.example", "declared": ["10.0.0.1"], "targets": ["10.0.0.1"]},
    "certificate": {"ok": True, "days": 90, "source": "tlsCertificate"},
    "sequencer": {"ok": True, "states": {}},
    "sessions": {"ok": True, "count": 3},
    "image": {"name": "api:1"},
    "lastUpdate": {"result": "succeeded", "endTime": "", "resourceChanges": {"same": 19, "update": 1}},
}


def lines(**parts: object) -> list[str]:
    ended = (datetime.now(UTC) - timedelta(hours=2, minutes=5)).isoformat()
    return [
        line.rstrip() for line in render({**WELL, "lastUpdate": WELL["lastUpdate"] | {"endTime": ended}, **parts})
    ]


def test_a_stack_in_order_has_a_row_for_each_part() -> None:
    assert lines() == [
        "Stack dev: all well",
        "",
        "API           ready: 200 in 4 ms at http://127.0.0.1:8000 for host api.example",
        "Replicas      0 of 0 healthy",
        "Gateway       Kong 3.9.1, Admin API at http://127.0.0.1:8001",
        "              api-1:8080  HEALTHY",
        "Record        api.example points to 10.0.0.1, as declared",
        "Certificate   90 days left, tlsCertificate",
        "Image         api:1",
        "Last update   succeeded 2 h ago: 19 unchanged, 1 updated",
        "Sessions      3",
    ]


def test_each_replica_shows_what_is_wrong_with_it() -> None:
    started = (datetime.now(UTC) - timedelta(seconds=90)).isoformat()
    container = {
        "ok": False,
        "name": "api-1",
        "health": "unhealthy",
        "version": "abc",
        "deployed": False,
        "restarts": 2,
        "startedAt": started,
    }
    shown = lines(ok=False, replicas={"ok": False, "containers": [container], "missing": ["api-2"]})
    assert shown[0] == "Stack dev: needs attention"
    assert shown[3:6] == [
        "Replicas      0 of 2 healthy",
        "              api-1  unhealthy  abc, not the deployed version, up 1 min, 2 restarts",
        "              api-2  missing",
    ]


def test_what_others_manage_is_named() -> None:
    shown = "\n".join(
        lines(
            record={"ok": True, "name": "api.example", "declared": ["10.0.0.1"], "targets": None},
            sessions={"ok": True, "count": None},
        )
    )
    assert "api.example: not managed (dns is none)" in shown
    assert "in the database at databaseUrl" in shown


def test_what_can_not_be_read_has_its_error_in_its_row() -> None:
    assert "Gateway       no answer from http://127.0.0.1:8001/" in lines(
        gateway={"ok": False, "error": "no answer from http://127.0.0.1:8001/"}
    )
