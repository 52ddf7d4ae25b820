"""A create that is repeated with its key creates one session, whatever happens in between."""

import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from tests.service.conftest import NewDatabase
from tests.service.processes import Peer, Service, replicas, running
from tests.waiting import wait_for


def create(service: Service, key: str, context: str = "c") -> requests.Response:
    return service.create(key=key, context=context)


def same(answer: requests.Response, other: requests.Response) -> bool:
    names = ("Location", "ETag", "Last-Modified", "Content-Type")
    return (answer.status_code, answer.content, [answer.headers[name] for name in names]) == (
        other.status_code, other.content, [other.headers[name] for name in names],
    )  # fmt: skip


def test_a_repeated_create_returns_the_same_response(service: Service) -> None:
    first = create(service, "repeated")
    before = service.list()
    assert first.status_code == 201
    assert all(same(create(service, "repeated"), first) for _ in range(3))
    assert service.list() == before


def test_a_repeated_create_returns_the_first_response_after_a_change(service: Service) -> None:
    first = create(service, "changed-later")
    path = first.headers["Location"]
    service.request("PUT", path, json={"context": "new"})
    assert same(create(service, "changed-later"), first)
    service.request("DELETE", path)
    assert same(create(service, "changed-later"), first)
    assert service.request("GET", path).status_code == 404


def test_a_key_of_a_different_request_is_a_422(service: Service) -> None:
    create(service, "reused", "one")
    answer = create(service, "reused", "two")
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["loc"] == ["header", "Idempotency-Key"]


def test_the_same_request_may_be_encoded_differently(service: Service) -> None:
    first = create(service, "encoded", "é")
    headers = {"Idempotency-Key": "encoded", "Content-Type": "application/json"}
    body = b'{"context":  "\\u00e9", "more": 1, "userId": 1}'
    assert same(service.request("POST", "/sessions", data=body, headers=headers), first)


@pytest.mark.parametrize("key", ["", "a b", "x" * 256, "é", "a\tb"])
def test_an_invalid_key_is_a_422(service: Service, key: str) -> None:
    answer = service.create(key=key.encode("latin-1"))
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["loc"] == ["header", "Idempotency-Key"]


def test_the_longest_key_with_all_characters_is_accepted(service: Service) -> None:
    key = "".join(map(chr, range(33, 127))) + "x" * 161
    assert same(create(service, key), create(service, key))


def test_one_key_on_several_services_creates_one_session(tmp_path: Path, new_database: NewDatabase) -> None:
    url = new_database(tmp_path)
    with replicas(2, tmp_path, database_url=url) as services, ThreadPoolExecutor(16) as clients:
        answers = list(clients.map(lambda number: create(services[number % 2], f"k{number // 16}"), range(160)))
        assert {answer.status_code for answer in answers} <= {201, 409}
        assert len(services[0].list()) == 10
        assert len({answer.json()["sessionId"] for answer in answers if answer.ok}) == 10


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


def test_a_repeated_create_calls_the_peer_once(numbered: Service, peer: Peer) -> None:
    before = len(peer.calls())
    first = create(numbered, "asked")
    assert first.status_code == 201
    assert same(create(numbered, "asked"), first)
    assert len(peer.calls()) == before + 1


def test_a_create_in_progress_is_a_409(numbered: Service, peer: Peer) -> None:
    before = len(peer.calls())
    peer.behave("slow")
    with ThreadPoolExecutor(1) as client:
        first = client.submit(create, numbered, "slow")
        wait_for(lambda: len(peer.calls()) > before)
        second = create(numbered, "slow")
        other = create(numbered, "slow", "other")
        assert first.result().status_code == 201
    assert (second.status_code, other.status_code) == (409, 422)
    assert int(second.headers["Retry-After"]) > 0
    assert same(create(numbered, "slow"), first.result())
    assert len(peer.calls()) == before + 1


def test_a_failed_create_is_retried_with_the_same_id(numbered: Service, peer: Peer) -> None:
    before = len(peer.calls())
    peer.behave("500")
    assert create(numbered, "failed").status_code == 503
    peer.behave("well")
    answer = create(numbered, "failed")
    assert answer.status_code == 201
    called = [call["elementId"] for call in peer.calls()[before:]]
    assert called == [answer.json()["sessionId"]] * 2


def test_a_killed_create_can_be_retried_once_its_claim_expires(tmp_path: Path, peer: Peer) -> None:
    peer.behave("hangs")
    before = len(peer.calls())
    # With 5 s the claim lasts for 11 s, longer than a restart takes on a busy machine.
    settings = {"sequence_service_url": peer.url, "sequence_timeout_seconds": 5}
    with running(Service(tmp_path, **settings)) as service, ThreadPoolExecutor(1) as client:
        killed = client.submit(create, service, "killed")
        wait_for(lambda: len(peer.calls()) > before)
        service.send(signal.SIGKILL)
        assert isinstance(killed.exception(), requests.RequestException)
    peer.behave("well")
    with running(Service(tmp_path, **settings)) as service:
        assert service.list() == []
        assert create(service, "killed").status_code == 409
        wait_for(lambda: create(service, "killed").status_code == 201)
        answer = create(service, "killed")
        assert service.list() == [answer.json()]
    assert {call["elementId"] for call in peer.calls()[before:]} == {answer.json()["sessionId"]}


def test_a_key_outlives_the_process(tmp_path: Path, new_database: NewDatabase) -> None:
    url = new_database(tmp_path)
    with running(Service(tmp_path, database_url=url)) as service:
        first = create(service, "kept")
    with running(Service(tmp_path, database_url=url)) as service:
        assert same(create(service, "kept"), first)
        assert len(service.list()) == 1
