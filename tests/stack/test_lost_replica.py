"""What clients notice when one of two replicas restarts, is killed, or loses its address."""

import subprocess
import threading
import time
from collections.abc import Callable, Iterator

import pytest
import requests

from tests.stack.clone import Clone, docker_client
from tests.waiting import wait_for

READERS, CREATORS = 4, 2


@pytest.fixture(scope="module", autouse=True)
def two_replicas(clone: Clone) -> Iterator[None]:
    """Deploy two replicas; afterwards, one again, which also restarts the killed one."""
    clone.set("replicas", 2)
    clone.make("up")
    yield
    clone.pulumi(f"config rm replicas --stack {clone.stack}")
    clone.make("up")


class Load:
    """Clients that read and create without a pause."""

    def __init__(self, clone: Clone) -> None:
        self._clone = clone
        self._done = threading.Event()
        self.reads: list[tuple[float, str]] = []
        self.creates: list[tuple[float, str]] = []
        jobs = [self._read] * READERS + [self._create] * CREATORS
        self._clients = [threading.Thread(target=job) for job in jobs]

    def _read(self) -> None:
        while not self._done.is_set():
            self.reads.append(timed(lambda: self._clone.request("GET", "/sessions?limit=1"), 200))

    def _create(self) -> None:
        session = {"userId": 1, "context": "under load"}
        while not self._done.is_set():
            self.creates.append(timed(lambda: self._clone.request("POST", "/sessions", json=session), 201))

    def __enter__(self) -> "Load":
        for client in self._clients:
            client.start()
        time.sleep(1)
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        for client in self._clients:
            client.join()


def timed(request: Callable[[], requests.Response], wanted: int) -> tuple[float, str]:
    """Return the seconds that a request took, and its error."""
    began, wrong = time.monotonic(), ""
    try:
        answer = request()
        if answer.status_code != wanted:
            wrong = f"{answer.status_code} {answer.text}"
    except requests.RequestException as error:
        wrong = repr(error)
    return time.monotonic() - began, wrong


def failures(of: list[tuple[float, str]]) -> list[str]:
    return [wrong for _, wrong in of if wrong]


def test_a_restart_of_one_replica_fails_no_read_and_no_create(clone: Clone) -> None:
    name = clone.containers()[0]
    with Load(clone) as load, docker_client() as client:
        subprocess.run(["docker", "restart", name], check=True, capture_output=True)
        wait_for(lambda: client.api.inspect_container(name)["State"]["Health"]["Status"] == "healthy")
        time.sleep(2)  # until the gateway's own probe has found it
    assert (failures(load.reads), failures(load.creates)) == ([], [])
    assert len(load.reads) > 200


def test_a_killed_replica_fails_no_read_and_holds_none_for_long(clone: Clone) -> None:
    with Load(clone) as load:
        subprocess.run(["docker", "kill", clone.containers()[0]], check=True, capture_output=True)
        time.sleep(4)  # a request that hangs is waited for at the end
    assert failures(load.reads) == []
    seconds = sorted(took for took, _ in load.reads)
    assert seconds[int(len(seconds) * 0.999) - 1] <= 3


def test_a_replica_whose_address_vanishes_fails_no_read_and_holds_a_client_once(clone: Clone) -> None:
    """Its connections stay open and answer nothing, as on a host that lost its network."""
    name = clone.containers()[0]
    with docker_client() as client:
        [network] = client.containers.get(name).attrs["NetworkSettings"]["Networks"]
        with Load(clone) as load:
            client.networks.get(network).disconnect(name, force=True)
            time.sleep(15)  # longer than the gateway waits for an answer
    assert failures(load.reads) == []
    assert sum(took > 3 for took, _ in load.reads) <= READERS, "a client met the lost address a second time"
