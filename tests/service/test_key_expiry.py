"""Idempotency keys expire, and a clock that was wrong holds none for long."""

import sqlite3
import time
from contextlib import closing
from pathlib import Path

import requests

from tests.service.conftest import NewDatabase
from tests.service.processes import Peer, Service, running

_A_SECOND = 1 / 86_400  # in days


def create(service: Service, key: str, context: str = "") -> requests.Response:
    headers = {"Idempotency-Key": key}
    return service.request("POST", "/sessions", json={"userId": 1, "context": context}, headers=headers)


def removed_keys(service: Service) -> float:
    for line in service.request("GET", "/metrics").text.splitlines():
        if line.startswith("idempotency_keys_removed_total "):
            return float(line.split()[1])
    raise AssertionError("no such metric")


def test_a_key_is_forgotten_once_it_has_expired(tmp_path: Path, new_database: NewDatabase) -> None:
    settings = {"database_url": new_database(tmp_path), "idempotency_key_days": _A_SECOND}
    with running(Service(tmp_path, **settings)) as service:
        count = 450  # more than are looked at together
        first = {key: create(service, key).json()["sessionId"] for key in map(str, range(count))}
        give_up = time.monotonic() + 30
        while removed_keys(service) < count:
            assert time.monotonic() < give_up
            time.sleep(0.1)
        again = create(service, "0", "another request")
        assert (again.status_code, again.json()["sessionId"]) == (201, count + 1)
        assert len(service.list()) == count + 1 == len(first) + 1


def test_a_key_that_has_not_expired_is_kept(tmp_path: Path, new_database: NewDatabase) -> None:
    url = new_database(tmp_path)
    with running(Service(tmp_path, database_url=url, idempotency_key_days=0)) as service:
        first = create(service, "kept").json()
    with running(Service(tmp_path, database_url=url)) as service:
        time.sleep(1)
        assert create(service, "kept").json() == first
        assert removed_keys(service) == 0


def test_a_claim_of_a_clock_that_was_ahead_is_over(tmp_path: Path, peer: Peer) -> None:
    peer.behave("500")
    with running(Service(tmp_path, sequence_service_url=peer.url)) as service:
        assert create(service, "ahead").status_code == 503
        with closing(sqlite3.connect(tmp_path / "sessions.db", isolation_level=None)) as db:
            db.execute("UPDATE idempotency_keys SET claimed_until = ?", [time.time() + 86_400])
        peer.behave("well")
        assert create(service, "ahead").status_code in {201, 503}  # 503 while the peer is left alone
        give_up = time.monotonic() + 10
        while (answer := create(service, "ahead")).status_code == 503:
            assert time.monotonic() < give_up
        assert answer.status_code == 201
