"""No client shuts out another: those that are slow hold no place, and lists take turns."""

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median

from service.turns import Turns
from tests.service.processes import Service, running
from tests.waiting import wait_for

HEAD = b"POST /sessions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 13\r\n\r\n"
BODY = b'{"userId": 1}'
LIST = b"GET /sessions HTTP/1.1\r\nHost: x\r\n\r\n"


@contextmanager
def connections(service: Service, count: int, request: bytes) -> Iterator[list[socket.socket]]:
    """Open connections that have sent this."""
    with ExitStack() as stack:
        clients = [stack.enter_context(service.connect()) for _ in range(count)]
        for client in clients:
            client.sendall(request)
        yield clients


def test_bodies_that_do_not_arrive_hold_no_place(tmp_path: Path) -> None:
    with running(Service(tmp_path, max_requests=8)) as service, connections(service, 40, HEAD + BODY[:1]) as slow:
        session_id = service.create_session()
        assert {service.context(session_id).status_code for _ in range(20)} == {200}
        # The newest have a place to arrive in, and are served when they do.
        slow[-1].sendall(BODY[1:])
        assert slow[-1].recv(4096).startswith(b"HTTP/1.1 201 ")


def test_the_slowest_body_is_dropped_when_too_many_arrive(tmp_path: Path) -> None:
    with running(Service(tmp_path, max_requests=3)) as service, connections(service, 3, HEAD) as [fast, slow, new]:
        for client in (fast, new):
            client.sendall(BODY[:-1])
        with connections(service, 1, HEAD) as [newest]:
            assert slow.recv(4096).startswith(b"HTTP/1.1 503 ")
            for client, rest in ((fast, BODY[-1:]), (new, BODY[-1:]), (newest, BODY)):
                client.sendall(rest)
                assert client.recv(4096).startswith(b"HTTP/1.1 201 ")


def test_clients_that_do_not_read_hold_no_place_and_bounded_memory(tmp_path: Path) -> None:
    with running(Service(tmp_path, max_requests=8)) as service:
        session_id = service.create_session(context="\x01" * 1024 * 1024)  # in JSON six times as long
        other_id = service.create_session()
        read = f"GET /sessions/{session_id} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
        with connections(service, 20, read), connections(service, 20, LIST):
            assert {service.context(other_id).status_code for _ in range(50)} == {200}
            assert 0 < service.metric("http_held_bytes") <= 64 * 1024 * 1024
            assert service.metric("http_requests_refused_total") > 5  # disconnected, the slowest first


def test_a_client_that_reads_slowly_gets_all_of_its_response(tmp_path: Path) -> None:
    size = 8 * 1024 * 1024
    service = Service(tmp_path, "tests.service.impatient", max_context_bytes=size)
    with running(service):
        session_id = service.create_session(context="x" * size)
        request = f"GET /sessions/{session_id} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode()
        with connections(service, 1, request) as [reader]:
            received = 0
            while part := reader.recv(256 * 1024):
                received += len(part)
                time.sleep(0.1)
        assert received > size


def test_a_client_that_stops_reading_is_disconnected(tmp_path: Path) -> None:
    size = 16 * 1024 * 1024
    service = Service(tmp_path, "tests.service.impatient", max_context_bytes=size)
    with running(service):
        session_id = service.create_session(context="x" * size)
        request = f"GET /sessions/{session_id} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
        with connections(service, 1, request) as [reader]:
            wait_for(lambda: service.metric("http_held_bytes") > 0)
            wait_for(lambda: service.metric("http_held_bytes") == 0)
            received = 0
            while part := reader.recv(1024 * 1024):
                received += len(part)
        assert 0 < received < size


def test_reads_beside_many_lists_wait_for_one_chunk(fresh: Service) -> None:
    """Counted in bytes of lists rather than in seconds, which depend on the machine."""
    for _ in range(40):
        fresh.create(context="x" * 100_000)
    listed, stop = [0], threading.Event()

    def list_repeatedly() -> None:
        buffer = bytearray(1024 * 1024)
        with connections(fresh, 30, LIST) as clients:
            for client in clients:
                client.setblocking(False)
            while not stop.is_set():
                for client in clients:
                    try:
                        count = client.recv_into(buffer)
                    except BlockingIOError:
                        continue
                    listed[0] += count
                    if buffer[:count].endswith(b"0\r\n\r\n"):
                        client.sendall(LIST)

    def read_once() -> int:
        before = listed[0]
        assert fresh.context(1).status_code == 200
        return listed[0] - before

    lists = threading.Thread(target=list_repeatedly)
    lists.start()
    try:
        wait_for(lambda: listed[0] > 10_000_000)
        # A chunk of each list would be 6 MB. On a busy machine this client is slow for a while: it measures again.
        wait_for(lambda: median(read_once() for _ in range(40)) < 2_000_000)
    finally:
        stop.set()
        lists.join()


def test_the_oldest_list_goes_first_and_pages_have_every_other_turn() -> None:
    assert asyncio.run(order_of_turns()) == [
        "first",
        "page",
        "first",
        "page",
        "first",
        "second",
        "second",
        "second",
    ]


async def order_of_turns() -> list[str]:
    turns = Turns()
    order: list[str] = []

    async def read(name: str, *, chunks: int, is_page: bool) -> None:
        ticket = turns.join(is_page=is_page)
        for _ in range(chunks):
            await turns.take(ticket, note, name)

    async def note(name: str) -> None:
        order.append(name)

    await asyncio.gather(
        read("first", chunks=3, is_page=False),
        read("second", chunks=3, is_page=False),
        read("page", chunks=2, is_page=True),
    )
    return order


def test_a_list_that_is_cancelled_passes_its_turn_on() -> None:
    async def cancel_one() -> list[int]:
        turns = Turns()

        async def read(number: int) -> int:
            await asyncio.sleep(0.01)
            return number

        lists = [asyncio.create_task(turns.take(turns.join(is_page=False), read, number)) for number in range(4)]
        await asyncio.sleep(0)
        lists[0].cancel()  # reads
        lists[1].cancel()  # waits
        return await asyncio.wait_for(asyncio.gather(*lists[2:]), 5)

    assert asyncio.run(cancel_one()) == [2, 3]
