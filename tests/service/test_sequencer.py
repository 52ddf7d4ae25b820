"""Numbers of the Central Sequence Service: one call a session, and nothing is left when it fails."""

import sqlite3
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from tests.service.processes import Peer, Service, running
from tests.service.sequence_peer import WRONG_ANSWERS

TIMEOUT_SECONDS = 1.0


@pytest.fixture(scope="module")
def _numbered(tmp_path_factory: pytest.TempPathFactory, peer: Peer) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("numbered")
    with running(
        Service(folder, sequence_service_url=peer.url, sequence_timeout_seconds=TIMEOUT_SECONDS)
    ) as process:
        yield process


@pytest.fixture
def numbered(_numbered: Service, peer: Peer) -> Service:
    """A service that has its numbers from the peer, which behaves well until told otherwise."""
    peer.behave("well")
    create_when_it_asks_again(_numbered)
    return _numbered


def create_when_it_asks_again(service: Service) -> None:
    """Create a session as soon as the service trusts its peer again."""
    give_up = time.monotonic() + 3
    while service.create().status_code != 201:
        assert time.monotonic() < give_up
        time.sleep(0.05)


def test_the_peer_is_asked_once_a_session_with_its_id(numbered: Service, peer: Peer) -> None:
    before = len(peer.asked())
    session_id = numbered.create().json()["sessionId"]
    assert peer.asked()[before:] == [{"elementType": "session", "elementId": session_id}]


def test_reads_and_updates_do_not_ask_the_peer(numbered: Service, peer: Peer) -> None:
    session_id = numbered.create().json()["sessionId"]
    before = len(peer.asked())
    numbered.update(session_id, context="new")
    numbered.context(session_id)
    numbered.list()
    assert len(peer.asked()) == before


@pytest.mark.parametrize("behaviour", [*WRONG_ANSWERS, "hangs", "trickles", "resets"])
def test_a_peer_in_trouble_is_a_503_in_time_and_leaves_nothing(
    numbered: Service, peer: Peer, behaviour: str
) -> None:
    peer.behave(behaviour)
    before, asked_before, begin = numbered.list(), len(peer.asked()), time.monotonic()
    answer = numbered.create()
    assert time.monotonic() - begin < TIMEOUT_SECONDS + 1
    assert answer.status_code == 503
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert int(answer.headers["Retry-After"]) > 0
    assert len(peer.asked()) == asked_before + 1
    assert numbered.list() == before


def test_a_peer_that_is_down_is_a_503_and_reads_go_on(tmp_path: Path) -> None:
    with running(Peer()) as peer:
        service = Service(tmp_path, sequence_service_url=peer.url)
        with running(service):
            session_id = service.create(context="kept").json()["sessionId"]
            peer.kill()
            assert service.create().status_code == 503
            assert service.context(session_id).json()["context"] == "kept"
            assert service.update(session_id, context="new").status_code == 200
            ready = service.request("GET", "/readyz")
            assert (ready.status_code, ready.json()["sequencer"]) == (200, "unavailable")


def test_a_number_given_twice_is_a_503_and_leaves_nothing(numbered: Service, peer: Peer) -> None:
    peer.behave("repeats 70001")
    assert numbered.create().status_code == 201
    before = numbered.list()
    assert numbered.create().status_code == 503
    assert numbered.list() == before


def test_one_number_given_to_many_at_once_makes_one_session(numbered: Service, peer: Peer) -> None:
    before = len(numbered.list())
    peer.behave("repeats 70002")
    with ThreadPoolExecutor(8) as clients:
        statuses = [answer.status_code for answer in clients.map(lambda _: numbered.create(), range(24))]
    assert sorted(statuses) == [201] + [503] * 23
    assert len(numbered.list()) == before + 1


def test_the_id_of_a_failed_create_is_never_used_again(numbered: Service, peer: Peer) -> None:
    before = numbered.create().json()["sessionId"]
    peer.behave("500")
    numbered.create()
    peer.behave("well")
    assert numbered.create().json()["sessionId"] == before + 2


def test_a_session_is_not_visible_before_it_has_its_number(numbered: Service, peer: Peer) -> None:
    next_id = numbered.create().json()["sessionId"] + 1
    peer.behave("slow")
    with ThreadPoolExecutor(1) as client:
        creating = client.submit(numbered.create)
        seen = []
        while not creating.done():
            seen.append(numbered.context(next_id).status_code)
        assert creating.result().status_code == 201
    assert seen.count(404) > 10
    assert numbered.context(next_id).status_code == 200


def test_a_slow_peer_does_not_hold_up_other_requests(numbered: Service, peer: Peer) -> None:
    session_id = numbered.create().json()["sessionId"]
    peer.behave("hangs")
    with ThreadPoolExecutor(50) as clients:
        creating = [clients.submit(numbered.create) for _ in range(50)]
        time.sleep(0.2)
        begin = time.monotonic()
        assert numbered.update(session_id, context="new").status_code == 200
        assert numbered.context(session_id).status_code == 200
        assert time.monotonic() - begin < TIMEOUT_SECONDS / 2
        assert {future.result().status_code for future in creating} == {503}


def test_a_call_waits_for_a_peer_that_starts(tmp_path: Path) -> None:
    peer = Peer()
    with running(Service(tmp_path, sequence_service_url=peer.url)) as service:
        peer.kill()
        with ThreadPoolExecutor(1) as client:
            creating = client.submit(service.create)
            with running(Peer(peer.port)):
                assert creating.result().status_code == 201


@pytest.mark.parametrize("behaviour", ["resets", "resets after the effect", "hangs"])
def test_a_call_that_the_peer_may_have_heard_is_not_made_again(
    numbered: Service, peer: Peer, behaviour: str
) -> None:
    peer.behave(behaviour)
    before = len(peer.asked())
    assert numbered.create().status_code == 503
    assert len(peer.asked()) == before + 1


def test_a_reset_after_the_effect_leaves_a_gap_and_no_session(numbered: Service, peer: Peer) -> None:
    peer.behave("resets after the effect")
    before = numbered.list()
    assert numbered.create().status_code == 503
    assert numbered.list() == before
    peer.behave("well")
    assert numbered.create().status_code == 201


def test_a_peer_that_keeps_failing_is_left_alone_until_a_call_finds_it_well(numbered: Service, peer: Peer) -> None:
    peer.behave("500")
    before = len(peer.asked())
    begin = time.monotonic()
    answers = [numbered.create() for _ in range(40)]
    assert {answer.status_code for answer in answers} == {503}
    assert len(peer.asked()) - before <= 5 + (time.monotonic() - begin) / 0.7
    peer.behave("well")
    create_when_it_asks_again(numbered)
    assert [numbered.create().status_code for _ in range(10)] == [201] * 10


def test_a_peer_that_is_back_is_tried_by_one_call(tmp_path: Path) -> None:
    with running(Peer()) as peer, running(Service(tmp_path, sequence_service_url=peer.url)) as service:
        peer.behave("500")
        for _ in range(5):
            service.create()
        time.sleep(1.3)
        peer.behave("slow")
        before = len(peer.asked())
        with ThreadPoolExecutor(20) as clients:
            statuses = [answer.status_code for answer in clients.map(lambda _: service.create(), range(20))]
        assert len(peer.asked()) == before + 1
        assert sorted(statuses) == [201] + [503] * 19


def test_a_peer_that_hangs_holds_a_bounded_number_of_requests(tmp_path: Path) -> None:
    with running(Peer()) as peer, running(Service(tmp_path, sequence_service_url=peer.url)) as service:
        peer.behave("hangs")
        with ThreadPoolExecutor(240) as clients:
            creating = [clients.submit(_refused_after, service) for _ in range(240)]
            waits = sorted(future.result() for future in creating)
        assert waits[39] < 4 < waits[40] < 7


def _refused_after(service: Service) -> float:
    begin = time.monotonic()
    assert requests.post(f"{service.url}/sessions", json={"userId": 1}, timeout=15).status_code == 503
    return time.monotonic() - begin


def test_the_ids_of_a_request_are_passed_on(numbered: Service, peer: Peer) -> None:
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    headers = {"X-Request-ID": "mine-1", "traceparent": trace}
    numbered.request("POST", "/sessions", json={"userId": 1}, headers=headers)
    assert peer.headers() == {"x-request-id": "mine-1", "traceparent": trace}


def test_own_numbers_go_on_after_those_of_a_peer(tmp_path: Path, peer: Peer) -> None:
    peer.behave("well")
    with running(Service(tmp_path, sequence_service_url=peer.url)) as service:
        for _ in range(3):
            assert service.create().status_code == 201
    with running(Service(tmp_path)) as service:
        for _ in range(3):
            assert service.create().status_code == 201
    numbers = _sequence_numbers(tmp_path)
    assert numbers == list(range(numbers[0], numbers[0] + 6))


def _sequence_numbers(folder: Path) -> list[int]:
    database = sqlite3.connect(folder / "sessions.db")
    try:
        return [number for (number,) in database.execute("SELECT sequence_number FROM sessions ORDER BY id")]
    finally:
        database.close()
