"""What was answered stays, whatever ends the process; what shares a database agrees."""

import asyncio
import signal
import socket
import sqlite3
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from typing import Any

import aiohttp
import requests
from sqlalchemy import URL, make_url, select

from service.database import open_database
from service.tables import SCHEMA_VERSION, alembic_version
from tests.service.processes import Peer, Service, running

CLIENTS = 16
CAPACITY = 1024 + 256  # writes that wait, and those that are being committed
PAST_CAPACITY = 200


def test_every_answered_write_is_there_after_a_kill(tmp_path: Path) -> None:
    answered: dict[int, str] = {}
    for _ in range(3):
        with running(Service(tmp_path)) as service:
            answered |= _write_until_killed(service, after_seconds=0.4)
    with running(Service(tmp_path)) as service:
        stored = {session["sessionId"]: session["context"] for session in service.list()}
    assert len(answered) > 100
    # A write that was not answered may be there too, so the newest answer is not always what is stored.
    lost = {session_id for session_id, context in answered.items() if stored.get(session_id, "") < context}
    assert not lost
    assert _integrity(tmp_path) == "ok"


def _write_until_killed(service: Service, after_seconds: float) -> dict[int, str]:
    """The contexts that were answered, by session; each write's context is greater than the one before it."""
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


def test_ids_and_numbers_go_on_after_a_kill(tmp_path: Path) -> None:
    with running(Service(tmp_path)) as service:
        before = service.create().json()["sessionId"]
    with running(Service(tmp_path)) as service:
        assert service.create().json()["sessionId"] == before + 1


def test_a_stop_finishes_what_is_under_way(tmp_path: Path) -> None:
    with running(Peer()) as peer:
        peer.behave("slow")
        with running(Service(tmp_path, sequence_service_url=peer.url)) as service:
            with ThreadPoolExecutor(CLIENTS) as clients:
                creating = [clients.submit(_create, service) for _ in range(CLIENTS)]
                while len(peer.asked()) < CLIENTS:
                    time.sleep(0.01)
                service.send(signal.SIGTERM)
                answers = [future.result() for future in creating]
            _, printed = service.wait()
    assert [answer.status_code for answer in answers] == [201] * CLIENTS
    assert "Traceback" not in printed
    stored = _rows(tmp_path)
    assert sorted(answer.json()["sessionId"] for answer in answers) == [session_id for session_id, _ in stored]


def test_a_stop_leaves_one_tidy_file(tmp_path: Path) -> None:
    with running(Service(tmp_path)) as service:
        service.create()
        service.send(signal.SIGTERM)
        service.wait()
    assert [file.name for file in tmp_path.iterdir()] == ["sessions.db"]


def test_a_client_that_leaves_does_not_stop_its_create(tmp_path: Path) -> None:
    with running(Peer()) as peer:
        peer.behave("slow")
        with running(Service(tmp_path, sequence_service_url=peer.url)) as service:
            host, port = service.url.removeprefix("http://").split(":")
            with socket.create_connection((host, int(port))) as connection:
                head = b"POST /sessions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                connection.sendall(head + b'Content-Length: 13\r\n\r\n{"userId": 1}')
                while not peer.asked():
                    time.sleep(0.01)
            give_up = time.monotonic() + 5
            while not (sessions := service.list()) and time.monotonic() < give_up:
                time.sleep(0.02)
    assert sessions == [{"sessionId": 1, "userId": 1, "context": ""}]
    assert len(_rows(tmp_path)) == 1


def test_services_that_start_together_share_one_database(tmp_path: Path) -> None:
    with ThreadPoolExecutor(4) as starters:
        services = list(starters.map(lambda _: Service(tmp_path), range(4)))
    try:
        with ThreadPoolExecutor(16) as clients:
            answers = list(clients.map(lambda number: _create(services[number % 4]), range(200)))
        assert {answer.status_code for answer in answers} == {201}
        assert sorted(answer.json()["sessionId"] for answer in answers) == list(range(1, 201))
        assert all(len(service.list()) == 200 for service in services)
        with ThreadPoolExecutor(16) as clients:
            updates = clients.map(lambda number: _update(services[number % 4], number + 1), range(200))
            assert {answer.status_code for answer in updates} == {200}
        session_id = answers[0].json()["sessionId"]
        services[0].update(session_id, context="seen by all")
        assert {service.context(session_id).json()["context"] for service in services} == {"seen by all"}
    finally:
        for service in services:
            service.kill()
    numbers = [number for _, number in _rows(tmp_path)]
    assert sorted(numbers) == list(range(1, 201))


def test_a_database_can_be_made_by_many_at_once(tmp_path: Path) -> None:
    together = threading.Barrier(4)

    def open_together(url: URL) -> object:
        together.wait()
        engine = open_database(url)
        with engine.connect() as db:
            version: object = db.execute(select(alembic_version.c.version_num)).scalar_one()
        engine.dispose()
        return version

    with ThreadPoolExecutor(4) as openers:
        for number in range(20):
            url = make_url(f"sqlite:///{tmp_path}/{number}.db")
            assert set(openers.map(open_together, [url] * 4)) == {SCHEMA_VERSION}


def test_a_locked_database_is_a_503_and_reads_go_on(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/sessions.db?timeout=0.5"
    with running(Service(tmp_path, database_url=url)) as service:
        session_id = service.create(context="kept").json()["sessionId"]
        other = sqlite3.connect(tmp_path / "sessions.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with ThreadPoolExecutor(1) as client:
            creating = client.submit(service.create)
            while not creating.done():
                assert service.context(session_id).json()["context"] == "kept"
            answer = creating.result()
        other.execute("ROLLBACK")
        other.close()
        assert answer.status_code == 503
        assert "Retry-After" in answer.headers
        assert service.create().status_code == 201


def test_past_capacity_a_write_is_refused_at_once_and_the_others_are_done(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/sessions.db?timeout=10"
    with running(Service(tmp_path, database_url=url, max_requests=5_000)) as service:
        other = sqlite3.connect(tmp_path / "sessions.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        refused, done = asyncio.run(_create_past_capacity(service, other))
        other.close()
        assert len(refused) >= PAST_CAPACITY
        assert set(refused) == {503}
        assert set(done) <= {201, 503}  # some were not sent before there was room again
        assert len(service.list()) == done.count(201) >= 1024


async def _create_past_capacity(service: Service, lock: sqlite3.Connection) -> tuple[list[int], list[int]]:
    """Statuses of the creates that were answered while the database was locked, and after it."""

    async def create(http: aiohttp.ClientSession) -> int:
        async with http.post(f"{service.url}/sessions", json={"userId": 1}) as response:
            return response.status

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:
        creating = [asyncio.create_task(create(http)) for _ in range(CAPACITY + PAST_CAPACITY)]
        async with asyncio.timeout(8):
            while sum(task.done() for task in creating) < PAST_CAPACITY:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        refused = [task.result() for task in creating if task.done()]
        waiting = [task for task in creating if not task.done()]
        lock.execute("ROLLBACK")
        return refused, list(await asyncio.gather(*waiting))


def test_a_list_does_not_hold_up_other_requests(tmp_path: Path) -> None:
    with running(Service(tmp_path)) as service:
        _fill(tmp_path, sessions=20_000, context="x" * 2_000)
        waits: list[float] = []
        done = threading.Event()

        def read() -> None:
            http = requests.Session()
            while not done.is_set():
                begin = time.monotonic()
                http.get(f"{service.url}/sessions/1/context", timeout=5)
                waits.append(time.monotonic() - begin)

        reader = threading.Thread(target=read)
        reader.start()
        with requests.get(f"{service.url}/sessions", stream=True, timeout=20) as listing:
            size = sum(len(chunk) for chunk in listing.iter_content(1 << 20))
        done.set()
        reader.join()
    assert size > 20_000 * 2_000
    assert max(waits) < 0.25


def _create(service: Service) -> requests.Response:
    return requests.post(f"{service.url}/sessions", json={"userId": 1}, timeout=15)


def _update(service: Service, session_id: int) -> requests.Response:
    return requests.put(f"{service.url}/sessions/{session_id}", json={"context": "new"}, timeout=15)


def _fill(folder: Path, *, sessions: int, context: str) -> None:
    database = sqlite3.connect(folder / "sessions.db")
    rows = ((number, 1, context, number) for number in range(1, sessions + 1))
    with database:
        database.executemany(
            "INSERT INTO sessions (id, user_id, context, sequence_number) VALUES (?, ?, ?, ?)", rows
        )
    database.close()


def _rows(folder: Path) -> list[Any]:
    """Ids and sequence numbers, by id."""
    return _query(folder, "SELECT id, sequence_number FROM sessions ORDER BY id")


def _integrity(folder: Path) -> str:
    return str(_query(folder, "PRAGMA integrity_check")[0][0])


def _query(folder: Path, statement: str) -> list[Any]:
    database = sqlite3.connect(folder / "sessions.db")
    try:
        return database.execute(statement).fetchall()
    finally:
        database.close()
