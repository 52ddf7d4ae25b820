"""Idempotency-Keys expire, and a wrong clock does not hold one for long."""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from local.debian import find_program
from tests.service.conftest import NewDatabase
from tests.service.processes import Peer, Service, running
from tests.waiting import wait_for

_A_SECOND = 1 / 86_400  # in days


def removed_keys(service: Service) -> float:
    return service.metric("idempotency_keys_removed_total")


def test_a_key_is_forgotten_once_it_has_expired(tmp_path: Path, new_database: NewDatabase) -> None:
    settings = {"database_url": new_database(tmp_path), "idempotency_key_days": _A_SECOND}
    with running(Service(tmp_path, **settings)) as service:
        count = 450  # more than are read at once
        first = {key: service.create_session(key=key) for key in map(str, range(count))}
        wait_for(lambda: removed_keys(service) == count)
        again = service.create(key="0", context="a different request")
        assert (again.status_code, again.json()["sessionId"]) == (201, count + 1)
        assert len(service.list()) == count + 1 == len(first) + 1


def test_a_key_is_kept_until_it_expires(tmp_path: Path, new_database: NewDatabase) -> None:
    url = new_database(tmp_path)
    with running(Service(tmp_path, database_url=url, idempotency_key_days=0)) as service:
        first = service.create(key="kept").json()
    with running(Service(tmp_path, database_url=url)) as service:
        time.sleep(1)
        assert service.create(key="kept").json() == first
        assert removed_keys(service) == 0


@pytest.mark.parametrize("shift", ["+1d", "-1d"])
def test_a_claim_by_a_wrong_clock_soon_expires(tmp_path: Path, peer: Peer, shift: str) -> None:
    settings = {"sequence_service_url": peer.url, "sequence_timeout_seconds": 1}
    peer.behave("hangs")
    before = len(peer.calls())
    find_program("faketime")  # whose own process would keep a kill from the service
    [library] = Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1")
    wrong_clock = ["env", f"LD_PRELOAD={library}", f"FAKETIME={shift}"]
    with (
        running(Service(tmp_path, "service", wrong_clock, **settings)) as service,
        ThreadPoolExecutor(1) as client,
    ):
        killed = client.submit(service.create, key="claimed")
        wait_for(lambda: len(peer.calls()) > before)
        service.kill()
        assert killed.exception() is not None
    peer.behave("well")
    with running(Service(tmp_path, **settings)) as service:
        wait_for(lambda: service.create(key="claimed").status_code == 201, 10)
        assert len(service.list()) == 1
