"""What was answered stays, whatever ends the process."""

import signal
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path

import requests
from sqlalchemy import make_url

from service.database import open_database
from tests.service import sqlite
from tests.service.processes import Peer, Service, running
from tests.waiting import wait_for

CLIENTS = 16


def test_every_answered_write_survives_a_kill(tmp_path: Path) -> None:
    answered: dict[int, str] = {}
    for _ in range(3):
        with running(Service(tmp_path)) as service:
            answered |= _write_until_killed(service, after_seconds=0.4)
    with running(Service(tmp_path)) as service:
        stored = service.contexts()
    assert len(answered) > 100
    # A write that was not answered may be there too, so the last answer is not always what is stored.
    lost = {session_id for session_id, context in answered.items() if stored.get(session_id, "") < context}
    assert not lost
    assert sqlite.query(tmp_path, "PRAGMA integrity_check") == [("ok",)]


def _write_until_killed(service: Service, after_seconds: float) -> dict[int, str]:
    """Return the contexts that were answered, by session. Each write's context is greater than the one before."""
    answered: dict[int, str] = {}

    def write(_: int) -> None:
        http = requests.Session()
        try:
            for number in count():
                body = {"userId": 1, "context": f"{number:08} create"}
                session = http.post(f"{service.url}/sessions", json=body, timeout=5).json()
                answered[session["sessionId"]] = session["context"]
                body = {"context": f"{number:08} update"}
                url = f"{service.url}/sessions/{session['sessionId']}"
                answered[session["sessionId"]] = http.put(url, json=body, timeout=5).json()["context"]
        except requests.RequestException:
            return  # killed

    with ThreadPoolExecutor(CLIENTS) as clients:
        writing = clients.map(write, range(CLIENTS))
        time.sleep(after_seconds)
        service.send(signal.SIGKILL)
        list(writing)
    return answered


def test_a_commit_is_synced_to_the_disk(tmp_path: Path) -> None:
    engine = open_database(make_url(f"sqlite:///{tmp_path}/sessions.db"))
    with engine.connect() as db:
        assert db.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert db.exec_driver_sql("PRAGMA synchronous").scalar() == 2  # FULL
    engine.dispose()


def test_ids_continue_after_a_kill(tmp_path: Path) -> None:
    with running(Service(tmp_path)) as service:
        before = service.create_session()
    with running(Service(tmp_path)) as service:
        assert service.create_session() == before + 1


def test_a_stop_finishes_requests_in_progress(tmp_path: Path) -> None:
    with running(Peer()) as peer:
        peer.behave("slow")
        with running(Service(tmp_path, sequence_service_url=peer.url)) as service:
            with ThreadPoolExecutor(CLIENTS) as clients:
                creating = [clients.submit(service.create) for _ in range(CLIENTS)]
                wait_for(lambda: len(peer.calls()) == CLIENTS)
                service.send(signal.SIGTERM)
                answers = [future.result() for future in creating]
            _, output = service.wait()
    assert [answer.status_code for answer in answers] == [201] * CLIENTS
    assert "Traceback" not in output
    stored = sqlite.query(tmp_path, "SELECT id FROM sessions ORDER BY id")
    assert sorted(answer.json()["sessionId"] for answer in answers) == [session_id for (session_id,) in stored]


def test_a_stop_leaves_the_database_and_empty_lock_files(tmp_path: Path) -> None:
    with running(Service(tmp_path)) as service:
        service.create()
        service.stop()
    assert {file.name for file in tmp_path.iterdir()} == {"sessions.db", "sessions.db-queue", "sessions.db-turn"}
    assert {file.stat().st_size for file in tmp_path.glob("sessions.db-*")} == {0}


def test_a_create_is_finished_after_its_client_disconnects(tmp_path: Path) -> None:
    with running(Peer()) as peer:
        peer.behave("slow")
        with running(Service(tmp_path, sequence_service_url=peer.url)) as service:
            with service.connect() as connection:
                head = b"POST /sessions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                connection.sendall(head + b'Content-Length: 13\r\n\r\n{"userId": 1}')
                wait_for(peer.calls)
            assert wait_for(service.list) == [{"sessionId": 1, "userId": 1, "context": ""}]
    assert sqlite.query(tmp_path, "SELECT id FROM sessions") == [(1,)]
