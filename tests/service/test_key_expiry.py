"""Idempotency keys expire, and a clock that was wrong holds none for long."""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from local.debian import find_program
from tests.service.conftest import NewDatabase
from tests.service.processes import Peer, Service, running
from tests.waiting import wait_for

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


@pytest.mark.parametrize("shift", ["+1d", "-1d"])
def test_a_claim_of_a_replica_whose_clock_is_wrong_is_soon_over(tmp_path: Path, peer: Peer, shift: str) -> None:
    settings = {"sequence_service_url": peer.url, "sequence_timeout_seconds": 1}
    peer.behave("hangs")
    before = len(peer.asked())
    find_program("faketime")  # which itself would stay between the service and a kill
    [library] = Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1")
    wrong_clock = ["env", f"LD_PRELOAD={library}", f"FAKETIME={shift}"]
    with (
        running(Service(tmp_path, "service", wrong_clock, **settings)) as service,
        ThreadPoolExecutor(1) as client,
    ):
        killed = client.submit(create, service, "claimed")
        wait_for(lambda: len(peer.asked()) > before)
        service.kill()
        assert killed.exception() is not None
    peer.behave("well")
    with running(Service(tmp_path, **settings)) as service:
        wait_for(lambda: create(service, "claimed").status_code == 201, 10)
        assert len(service.list()) == 1
