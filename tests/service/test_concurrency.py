"""Services, writers and readers that share a database."""

import asyncio
import sqlite3
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import aiohttp
import requests
from sqlalchemy import URL, make_url, select

from service.database import open_database
from service.tables import SCHEMA_VERSION, alembic_version
from tests.service import sqlite
from tests.service.load import repeating
from tests.service.processes import Service, replicas, running

CAPACITY = 1024 + 256  # pending writes, and those that are being committed
PAST_CAPACITY = 200


def test_services_that_start_together_share_one_database(tmp_path: Path) -> None:
    with replicas(4, tmp_path) as services, ThreadPoolExecutor(16) as clients:
        answers = list(clients.map(lambda number: services[number % 4].create(), range(200)))
        assert {answer.status_code for answer in answers} == {201}
        assert sorted(answer.json()["sessionId"] for answer in answers) == list(range(1, 201))
        assert all(len(service.list()) == 200 for service in services)
        updates = clients.map(lambda number: services[number % 4].update(number + 1, context="new"), range(200))
        assert {answer.status_code for answer in updates} == {200}
        services[0].update(1, context="seen by all")
        assert {service.context(1).json()["context"] for service in services} == {"seen by all"}
    numbers = sqlite.query(tmp_path, "SELECT sequence_number FROM sessions ORDER BY sequence_number")
    assert [number for (number,) in numbers] == list(range(1, 201))


def test_several_processes_can_create_a_database_at_once(tmp_path: Path) -> None:
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


def test_a_locked_database_is_a_503_while_reads_continue(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/sessions.db?timeout=0.5"
    with running(Service(tmp_path, database_url=url)) as service:
        session_id = service.create_session(context="kept")
        with sqlite.locked(tmp_path), ThreadPoolExecutor(1) as client:
            creating = client.submit(service.create)
            while not creating.done():
                assert service.context(session_id).json()["context"] == "kept"
        assert creating.result().status_code == 503
        assert "Retry-After" in creating.result().headers
        assert service.create().status_code == 201


def test_writes_past_capacity_are_refused_at_once(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/sessions.db?timeout=10"
    with running(Service(tmp_path, database_url=url, max_requests=5_000)) as service:
        with sqlite.locked(tmp_path) as lock:
            refused, others = asyncio.run(_create_past_capacity(service, lock))
        assert len(refused) >= PAST_CAPACITY
        assert set(refused) == {503}
        assert set(others) <= {201, 503}  # some were not sent before there was capacity again
        assert len(service.list()) == others.count(201) >= 1024


async def _create_past_capacity(service: Service, lock: sqlite3.Connection) -> tuple[list[int], list[int]]:
    """Return the statuses of creates that were answered while the database was locked, and of the others."""

    async def create(http: aiohttp.ClientSession) -> int:
        async with http.post(f"{service.url}/sessions", json={"userId": 1}) as response:
            return response.status

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:
        creating = [asyncio.create_task(create(http)) for _ in range(CAPACITY + PAST_CAPACITY)]
        async with asyncio.timeout(8):
            while sum(task.done() for task in creating) < PAST_CAPACITY:  # noqa: ASYNC110 - tasks signal no count
                await asyncio.sleep(0.05)
        refused = [task.result() for task in creating if task.done()]
        pending = [task for task in creating if not task.done()]
        lock.execute("ROLLBACK")
        return refused, list(await asyncio.gather(*pending))


def test_a_large_list_does_not_delay_other_requests(tmp_path: Path) -> None:
    with running(Service(tmp_path)) as service, requests.Session() as http:
        sqlite.fill(tmp_path, sessions=20_000, context="x" * 2_000)
        delays: list[float] = []

        def read(_: int) -> None:
            start = time.monotonic()
            http.get(f"{service.url}/sessions/1/context", timeout=5)
            delays.append(time.monotonic() - start)

        with (
            repeating(read, clients=1),
            requests.get(f"{service.url}/sessions", stream=True, timeout=20) as listing,
        ):
            size = sum(len(chunk) for chunk in listing.iter_content(1 << 20))
    assert size > 20_000 * 2_000
    assert max(delays) < 0.25
