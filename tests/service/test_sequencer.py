"""Numbers of the Central Sequence Service: one call per session, and a failure leaves nothing behind."""

import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from tests.service import sqlite
from tests.service.processes import Peer, Service, running
from tests.service.sequence_peer import WRONG_ANSWERS
from tests.waiting import wait_for

TIMEOUT_SECONDS = 1.0


@pytest.fixture(scope="module")
def _numbered(tmp_path_factory: pytest.TempPathFactory, peer: Peer) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("numbered")
    settings = {"sequence_service_url": peer.url, "sequence_timeout_seconds": TIMEOUT_SECONDS}
    with running(Service(folder, **settings)) as process:
        yield process


@pytest.fixture
def numbered(_numbered: Service, peer: Peer) -> Service:
    """Return a service with numbers from the peer, which works until a test changes that."""
    peer.behave("well")
    wait_until_peer_is_called(_numbered)
    return _numbered


def wait_until_peer_is_called(service: Service) -> None:
    """Create a session as soon as the circuit breaker is closed."""
    wait_for(lambda: service.create().status_code == 201)


def test_the_peer_is_called_once_per_session_with_its_id(numbered: Service, peer: Peer) -> None:
    before = len(peer.calls())
    session_id = numbered.create_session()
    assert peer.calls()[before:] == [{"elementType": "session", "elementId": session_id}]


def test_reads_and_updates_do_not_call_the_peer(numbered: Service, peer: Peer) -> None:
    session_id = numbered.create_session()
    before = len(peer.calls())
    numbered.update(session_id, context="new")
    numbered.context(session_id)
    numbered.list()
    assert len(peer.calls()) == before


@pytest.mark.parametrize("behavior", [*WRONG_ANSWERS, "hangs", "trickles", "resets"])
def test_a_failing_peer_is_a_503_in_time_and_leaves_nothing(numbered: Service, peer: Peer, behavior: str) -> None:
    peer.behave(behavior)
    before, calls_before, start = numbered.list(), len(peer.calls()), time.monotonic()
    answer = numbered.create()
    assert time.monotonic() - start < TIMEOUT_SECONDS + 1
    assert answer.status_code == 503
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert int(answer.headers["Retry-After"]) > 0
    assert len(peer.calls()) == calls_before + 1
    assert numbered.list() == before


def test_a_peer_that_is_down_is_a_503_while_reads_continue(tmp_path: Path) -> None:
    with running(Peer()) as peer:
        service = Service(tmp_path, sequence_service_url=peer.url)
        with running(service):
            session_id = service.create_session(context="kept")
            peer.kill()
            assert service.create().status_code == 503
            assert service.context(session_id).json()["context"] == "kept"
            assert service.update(session_id, context="new").status_code == 200
            ready = service.request("GET", "/readyz")
            assert (ready.status_code, ready.json()["sequencer"]) == (200, "unavailable")


def test_a_number_returned_twice_is_a_503_and_leaves_nothing(numbered: Service, peer: Peer) -> None:
    peer.behave("repeats 70001")
    assert numbered.create().status_code == 201
    before = numbered.list()
    assert numbered.create().status_code == 503
    assert numbered.list() == before


def test_one_number_returned_to_many_creates_one_session(numbered: Service, peer: Peer) -> None:
    before = len(numbered.list())
    peer.behave("repeats 70002")
    with ThreadPoolExecutor(8) as clients:
        statuses = [answer.status_code for answer in clients.map(lambda _: numbered.create(), range(24))]
    assert sorted(statuses) == [201] + [503] * 23
    assert len(numbered.list()) == before + 1


def test_the_id_of_a_failed_create_is_never_used_again(numbered: Service, peer: Peer) -> None:
    before = numbered.create_session()
    peer.behave("500")
    numbered.create()
    peer.behave("well")
    assert numbered.create_session() == before + 2


def test_a_session_is_not_visible_before_it_has_its_number(numbered: Service, peer: Peer) -> None:
    next_id = numbered.create_session() + 1
    peer.behave("slow")
    with ThreadPoolExecutor(1) as client:
        creating = client.submit(numbered.create)
        seen = []
        while not creating.done():
            seen.append(numbered.context(next_id).status_code)
        assert creating.result().status_code == 201
    assert seen.count(404) > 10
    assert numbered.context(next_id).status_code == 200


def test_a_slow_peer_does_not_delay_other_requests(numbered: Service, peer: Peer) -> None:
    session_id = numbered.create_session()
    peer.behave("hangs")
    with ThreadPoolExecutor(50) as clients:
        creating = [clients.submit(numbered.create) for _ in range(50)]
        time.sleep(0.2)
        start = time.monotonic()
        assert numbered.update(session_id, context="new").status_code == 200
        assert numbered.context(session_id).status_code == 200
        assert time.monotonic() - start < TIMEOUT_SECONDS / 2
        assert {future.result().status_code for future in creating} == {503}


def test_a_call_waits_for_a_peer_that_starts(tmp_path: Path) -> None:
    with (
        socket.socket() as peer,
        running(Service(tmp_path, sequence_service_url=f"http://127.0.0.1:{bind(peer)}")) as service,
        ThreadPoolExecutor(1) as client,
    ):
        creating = client.submit(service.create)
        wait_for(lambda: service.metric("sequencer_retries_total") > 0)
        peer.listen()
        with peer.accept()[0] as connection:
            connection.recv(4096)
            connection.sendall(b'HTTP/1.1 201 Created\r\nContent-Length: 21\r\n\r\n{"sequenceNumber": 7}')
            assert creating.result().status_code == 201


def bind(server: socket.socket) -> int:
    server.bind(("127.0.0.1", 0))
    port: int = server.getsockname()[1]
    return port


@pytest.mark.parametrize("behavior", ["resets", "resets after the effect", "hangs"])
def test_a_call_that_the_peer_may_have_received_is_not_retried(
    numbered: Service, peer: Peer, behavior: str
) -> None:
    peer.behave(behavior)
    before = len(peer.calls())
    assert numbered.create().status_code == 503
    assert len(peer.calls()) == before + 1


def test_a_reset_after_the_effect_leaves_a_gap_and_no_session(numbered: Service, peer: Peer) -> None:
    peer.behave("resets after the effect")
    before = numbered.list()
    assert numbered.create().status_code == 503
    assert numbered.list() == before
    peer.behave("well")
    assert numbered.create().status_code == 201


def test_a_peer_that_keeps_failing_is_rarely_called_until_it_works(numbered: Service, peer: Peer) -> None:
    peer.behave("500")
    before = len(peer.calls())
    start = time.monotonic()
    answers = [numbered.create() for _ in range(40)]
    assert {answer.status_code for answer in answers} == {503}
    assert len(peer.calls()) - before <= 5 + (time.monotonic() - start) / 0.7
    peer.behave("well")
    wait_until_peer_is_called(numbered)
    assert [numbered.create().status_code for _ in range(10)] == [201] * 10


def test_a_peer_that_recovers_is_tested_by_one_call(tmp_path: Path) -> None:
    with running(Peer()) as peer, running(Service(tmp_path, sequence_service_url=peer.url)) as service:
        peer.behave("500")
        for _ in range(5):
            service.create()
        time.sleep(1.3)
        peer.behave("slow")
        before = len(peer.calls())
        with ThreadPoolExecutor(20) as clients:
            statuses = [answer.status_code for answer in clients.map(lambda _: service.create(), range(20))]
        assert len(peer.calls()) == before + 1
        assert sorted(statuses) == [201] + [503] * 19


def test_a_peer_that_hangs_holds_a_bounded_number_of_requests(tmp_path: Path) -> None:
    with running(Peer()) as peer, running(Service(tmp_path, sequence_service_url=peer.url)) as service:
        peer.behave("hangs")
        with ThreadPoolExecutor(240) as clients:
            creating = [clients.submit(_measure_refusal, service) for _ in range(240)]
            seconds = sorted(future.result() for future in creating)
        assert seconds[39] < 4 < seconds[40] < 7  # 200 of them wait for the peer


def _measure_refusal(service: Service) -> float:
    start = time.monotonic()
    assert requests.post(f"{service.url}/sessions", json={"userId": 1}, timeout=15).status_code == 503
    return time.monotonic() - start


def test_the_ids_of_a_request_are_sent_to_the_peer(numbered: Service, peer: Peer) -> None:
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    headers = {"X-Request-ID": "mine-1", "traceparent": trace}
    numbered.request("POST", "/sessions", json={"userId": 1}, headers=headers)
    assert peer.headers() == {"x-request-id": "mine-1", "traceparent": trace}


def test_own_numbers_continue_after_those_of_a_peer(tmp_path: Path, peer: Peer) -> None:
    peer.behave("well")
    with running(Service(tmp_path, sequence_service_url=peer.url)) as service:
        for _ in range(3):
            assert service.create().status_code == 201
    with running(Service(tmp_path)) as service:
        for _ in range(3):
            assert service.create().status_code == 201
    numbers = [number for (number,) in sqlite.query(tmp_path, "SELECT sequence_number FROM sessions ORDER BY id")]
    assert numbers == list(range(numbers[0], numbers[0] + 6))
