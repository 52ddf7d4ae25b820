"""Overload, slow clients, and a stop under load."""

import asyncio
import json
import select
import signal
import socket
import time
from pathlib import Path
from statistics import median

import aiohttp
import pytest

from tests.ports import is_open
from tests.service import sqlite
from tests.service.processes import Service, running
from tests.waiting import wait_for

HEAD = b"POST /sessions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"


async def create_for(service: Service, clients: int, seconds: float) -> tuple[list[float], list[str | None]]:
    """Create for this long; return the seconds of admitted creates, and the Retry-After of refused ones."""
    admitted: list[float] = []
    refused: list[str | None] = []
    end = time.monotonic() + seconds

    async def create_repeatedly(http: aiohttp.ClientSession) -> None:
        while (start := time.monotonic()) < end:
            async with http.post("/sessions", json={"userId": 1}) as answer:
                assert answer.status in {201, 503}
                if answer.status == 201:
                    admitted.append(time.monotonic() - start)
                else:
                    refused.append(answer.headers.get("Retry-After"))
                    await asyncio.sleep(0.2)

    async with aiohttp.ClientSession(service.url, connector=aiohttp.TCPConnector(limit=0)) as http:
        await asyncio.gather(*(create_repeatedly(http) for _ in range(clients)))
    return admitted, refused


def test_requests_past_capacity_are_refused_and_the_others_stay_fast(tmp_path: Path) -> None:
    def stay_fast(service: Service) -> bool:
        alone, _ = asyncio.run(create_for(service, clients=16, seconds=1))
        admitted, refused = asyncio.run(create_for(service, clients=160, seconds=2))
        assert len(refused) > 100
        assert set(refused) == {"1"}
        # In one queue they would wait ten times as long.
        return median(admitted) < 5 * median(alone) + 0.05 and len(admitted) / 2 > len(alone) / 4

    with running(Service(tmp_path, max_requests=16)) as service:
        # Only what else the machine does makes the two differ, so one round without that is enough.
        assert any(stay_fast(service) for _ in range(3))


def test_a_full_service_still_answers_probes(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/sessions.db?timeout=10"
    with running(Service(tmp_path, database_url=url, max_requests=1)) as service:
        with sqlite.locked(tmp_path) as lock, service.connect() as connection:
            connection.sendall(HEAD + b'Content-Length: 13\r\n\r\n{"userId": 1}')
            wait_until_full(service)
            refused = service.context(1)
            assert (refused.status_code, refused.headers["Retry-After"]) == (503, "1")
            assert refused.headers["Content-Type"] == "application/problem+json"
            for path in ("/livez", "/metrics"):
                assert service.request("GET", path).status_code == 200
            lock.execute("ROLLBACK")
            assert connection.recv(4096).startswith(b"HTTP/1.1 201 ")
        assert service.context(1).status_code == 200


def wait_until_full(service: Service) -> None:
    wait_for(lambda: service.context(1).status_code == 503)


def test_the_bytes_of_all_bodies_together_are_limited(tmp_path: Path) -> None:
    with running(Service(tmp_path, max_context_bytes=1024)) as service:  # so 64 KiB of all bodies
        slow = [service.connect() for _ in range(12)]
        for client in slow:  # 72 KiB
            client.sendall(HEAD + b"Content-Length: 10000\r\n\r\n" + b" " * 6 * 1024)
        refused, _, _ = select.select(slow, [], [], 5)
        assert refused[0].recv(4096).startswith(b"HTTP/1.1 503 ")
        assert len(select.select(slow, [], [], 0.2)[0]) <= 2
        for client in slow:
            client.close()
        wait_for(lambda: service.metric("http_held_bytes") == 0)
        assert service.create().status_code == 201


def test_a_body_that_does_not_arrive_is_a_408(tmp_path: Path) -> None:
    with running(Service(tmp_path, body_timeout_seconds=0.5)) as service, service.connect() as client:
        client.sendall(HEAD + b'Content-Length: 100\r\n\r\n{"us')
        answer = b"".join(iter(lambda: client.recv(4096), b""))
        head, _, body = answer.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 408 ")
        assert b"application/problem+json" in head
        assert json.loads(body)["status"] == 408


def test_a_body_that_trickles_is_a_408_too(tmp_path: Path) -> None:
    with running(Service(tmp_path, body_timeout_seconds=0.5)) as service, service.connect() as client:
        client.sendall(HEAD + b"Content-Length: 100\r\n\r\n")
        deadline = time.monotonic() + 5
        client.settimeout(0.1)
        answer = b""
        while not answer and time.monotonic() < deadline:
            client.sendall(b" ")
            try:
                answer = client.recv(4096)
            except TimeoutError:
                continue
        assert answer.startswith(b"HTTP/1.1 408 ")


def test_slow_readers_do_not_delay_others(tmp_path: Path) -> None:
    with running(Service(tmp_path)) as service:
        service.create(context="x" * 1024 * 1024)
        readers = [service.connect() for _ in range(80)]
        for reader in readers:
            reader.sendall(b"GET /sessions/1/context HTTP/1.1\r\nHost: x\r\n\r\n" * 8)
        start = time.monotonic()
        assert service.request("GET", "/livez").status_code == 200
        assert time.monotonic() - start < 2
        for reader in readers:
            reader.close()
        wait_for(lambda: service.metric("http_held_bytes") == 0)


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"GET /livez HTTP/1.1\r\nHost: x\r\nX-Long: " + b"x" * 40_000, 431),
        (b"GET /livez HTTP/1.1\r\nHost: x\r\nX-Long: " + b"x" * 40_000 + b"\r\n\r\n", 431),
        (b"GET /livez HTTP/1.1\r\nHost: x\r\n" + b"X-Many: x\r\n" * 200 + b"\r\n", 431),
        (b"nonsense\r\n\r\n", 400),
        (b"POST /sessions HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n", 400),
    ],
    ids=["endless", "too large", "too many fields", "not HTTP", "invalid length"],
)
def test_a_head_that_is_too_large_or_invalid_is_a_problem(service: Service, head: bytes, status: int) -> None:
    with service.connect() as client:
        client.sendall(head)
        answer = client.recv(65536)
    assert answer.startswith(f"HTTP/1.1 {status} ".encode())
    assert b"\r\ncontent-type: application/problem+json\r\n" in answer.lower()
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["status"] == status


def test_a_large_head_within_the_limits_is_accepted(service: Service) -> None:
    assert service.request("GET", "/livez", headers={"X-Long": "x" * 20_000}).status_code == 200


def test_a_stop_under_load_fails_no_request(tmp_path: Path) -> None:
    with running(Service(tmp_path)) as service:
        answered = asyncio.run(create_until_stopped(service))
        _, printed = service.wait()
    assert "Traceback" not in printed
    assert len(answered) > 100
    assert set(answered) == {201}
    assert sqlite.query(tmp_path, "SELECT count(*) FROM sessions") == [(len(answered),)]


def test_a_stop_during_a_list_loses_neither_it_nor_the_next_request(tmp_path: Path) -> None:
    with running(Service(tmp_path)) as service:
        for _ in range(10):
            service.create(context="x" * 1024 * 1024)
        request = b"GET /sessions HTTP/1.1\r\nHost: x\r\n\r\n"
        with service.connect() as client:
            client.sendall(request)
            begun = client.recv(65536)
            service.send(signal.SIGTERM)
            wait_for(lambda: not is_open(service.port))
            rest = receive_until(client, b"\r\n0\r\n\r\n")
            client.sendall(b"GET /sessions/1 HTTP/1.1\r\nHost: x\r\n\r\n")
            following = b"".join(iter(lambda: client.recv(65536), b""))
        assert service.wait()[0] == -signal.SIGTERM
    assert b"connection: close" not in begun.partition(b"\r\n\r\n")[0]
    assert len(begun) + len(rest) > 10 * 1024 * 1024
    head, _, _ = following.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 ")
    assert b"\r\nconnection: close" in head


def receive_until(client: socket.socket, end: bytes) -> bytes:
    received = bytearray()
    while not received.endswith(end):
        part = client.recv(65536)
        assert part, f"the connection was closed after {len(received)} bytes"
        received += part
    return bytes(received)


async def create_until_stopped(service: Service) -> list[int]:
    """Return the statuses of all creates. Clients end only when no new connection is accepted."""
    answered: list[int] = []

    async def create_repeatedly(http: aiohttp.ClientSession) -> None:
        while True:
            try:
                async with http.post("/sessions", json={"userId": 1}) as answer:
                    await answer.read()
                    answered.append(answer.status)
            except aiohttp.ClientConnectorError:
                return
            await asyncio.sleep(0.001)

    async with aiohttp.ClientSession(service.url, connector=aiohttp.TCPConnector(limit=0)) as http:
        clients = asyncio.gather(*(create_repeatedly(http) for _ in range(32)))
        await asyncio.sleep(0.5)
        service.send(signal.SIGTERM)
        await asyncio.wait_for(clients, 10)
    return answered
