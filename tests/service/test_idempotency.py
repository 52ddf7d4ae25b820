"""A create that is repeated with its key makes one session, whatever comes in between."""

import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from tests.service.conftest import NewDatabase
from tests.service.processes import Peer, Service, running


def create(service: Service, key: str, context: str = "c") -> requests.Response:
    body = {"userId": 1, "context": context}
    return requests.post(f"{service.url}/sessions", json=body, headers={"Idempotency-Key": key}, timeout=20)


def same(answer: requests.Response, other: requests.Response) -> bool:
    names = ("Location", "ETag", "Last-Modified", "Content-Type")
    return (answer.status_code, answer.content, [answer.headers[name] for name in names]) == (
        other.status_code, other.content, [other.headers[name] for name in names],
    )  # fmt: skip


def test_a_repeated_create_gives_the_same_session_and_answer(service: Service) -> None:
    first = create(service, "repeated")
    before = service.list()
    assert first.status_code == 201
    assert all(same(create(service, "repeated"), first) for _ in range(3))
    assert service.list() == before


def test_the_answer_stays_the_first_after_a_change_and_a_delete(service: Service) -> None:
    first = create(service, "changed-later")
    path = first.headers["Location"]
    service.request("PUT", path, json={"context": "new"})
    assert same(create(service, "changed-later"), first)
    service.request("DELETE", path)
    assert same(create(service, "changed-later"), first)
    assert service.request("GET", path).status_code == 404


def test_a_key_with_another_request_is_a_422(service: Service) -> None:
    create(service, "reused", "one")
    answer = create(service, "reused", "two")
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["loc"] == ["header", "Idempotency-Key"]


def test_the_same_request_may_be_spelt_otherwise(service: Service) -> None:
    first = create(service, "spelt", "é")
    headers = {"Idempotency-Key": "spelt", "Content-Type": "application/json"}
    body = b'{"context":  "\\u00e9", "more": 1, "userId": 1}'
    assert same(service.request("POST", "/sessions", data=body, headers=headers), first)


@pytest.mark.parametrize("key", ["", "a b", "x" * 256, "é", "a\tb"])
def test_a_key_that_is_no_key_is_a_422(service: Service, key: str) -> None:
    headers = {"Idempotency-Key": key.encode("latin-1")}
    answer = service.request("POST", "/sessions", json={"userId": 1}, headers=headers)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["loc"] == ["header", "Idempotency-Key"]


def test_the_longest_key_of_all_characters_is_kept(service: Service) -> None:
    key = "".join(map(chr, range(33, 127))) + "x" * 161
    assert same(create(service, key), create(service, key))


def test_one_key_at_many_services_at_once_makes_one_session(tmp_path: Path, new_database: NewDatabase) -> None:
    url = new_database(tmp_path)
    services = [Service(tmp_path, database_url=url) for _ in range(2)]
    try:
        with ThreadPoolExecutor(16) as clients:
            answers = list(
                clients.map(lambda number: create(services[number % 2], f"k{number // 16}"), range(160))
            )
        assert {answer.status_code for answer in answers} <= {201, 409}
        assert len(services[0].list()) == 10
        assert len({answer.json()["sessionId"] for answer in answers if answer.ok}) == 10
    finally:
        for service in services:
            service.kill()


@pytest.fixture(scope="module")
def _numbered(
    tmp_path_factory: pytest.TempPathFactory, new_database: NewDatabase, peer: Peer
) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("numbered")
    settings = {"database_url": new_database(folder), "sequence_timeout_seconds": 1}
    with running(Service(folder, sequence_service_url=peer.url, **settings)) as process:
        yield process


@pytest.fixture
def numbered(_numbered: Service, peer: Peer) -> Service:
    peer.behave("well")
    return _numbered


def test_a_repeated_create_asks_the_peer_once(numbered: Service, peer: Peer) -> None:
    before = len(peer.asked())
    first = create(numbered, "asked")
    assert first.status_code == 201
    assert same(create(numbered, "asked"), first)
    assert len(peer.asked()) == before + 1


def test_a_create_still_under_way_is_a_409(numbered: Service, peer: Peer) -> None:
    before = len(peer.asked())
    peer.behave("slow")
    with ThreadPoolExecutor(1) as client:
        first = client.submit(create, numbered, "slow")
        while len(peer.asked()) == before:
            time.sleep(0.01)
        second = create(numbered, "slow")
        other = create(numbered, "slow", "other")
        assert first.result().status_code == 201
    assert (second.status_code, other.status_code) == (409, 422)
    assert int(second.headers["Retry-After"]) > 0
    assert same(create(numbered, "slow"), first.result())
    assert len(peer.asked()) == before + 1


def test_a_create_that_failed_goes_on_with_its_own_id(numbered: Service, peer: Peer) -> None:
    before = len(peer.asked())
    peer.behave("500")
    assert create(numbered, "failed").status_code == 503
    peer.behave("well")
    answer = create(numbered, "failed")
    assert answer.status_code == 201
    asked = [one["elementId"] for one in peer.asked()[before:]]
    assert asked == [answer.json()["sessionId"]] * 2


def test_a_create_that_was_killed_half_way_goes_on_after_its_time(tmp_path: Path, peer: Peer) -> None:
    peer.behave("hangs")
    before = len(peer.asked())
    settings = {"sequence_service_url": peer.url, "sequence_timeout_seconds": 1}
    with running(Service(tmp_path, **settings)) as service, ThreadPoolExecutor(1) as client:
        killed = client.submit(create, service, "killed")
        while len(peer.asked()) == before:
            time.sleep(0.01)
        service.send(signal.SIGKILL)
        assert isinstance(killed.exception(), requests.RequestException)
    peer.behave("well")
    with running(Service(tmp_path, **settings)) as service:
        assert service.list() == []
        statuses: list[int] = []
        while not statuses or statuses[-1] == 409:
            answer = create(service, "killed")
            statuses.append(answer.status_code)
            time.sleep(0.2)
        assert statuses[0] == 409
        assert statuses[-1] == 201
        assert service.list() == [answer.json()]
    assert {one["elementId"] for one in peer.asked()[before:]} == {answer.json()["sessionId"]}


def test_a_key_outlives_the_process(tmp_path: Path, new_database: NewDatabase) -> None:
    url = new_database(tmp_path)
    with running(Service(tmp_path, database_url=url)) as service:
        first = create(service, "kept")
    with running(Service(tmp_path, database_url=url)) as service:
        assert same(create(service, "kept"), first)
        assert len(service.list()) == 1
