"""Concurrent clients of two processes on one database: no update is lost, and reads return what was written.

HISTORY_SECONDS=300 makes a long run.
"""

import asyncio
import os
import random
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import aiohttp
import pytest

from tests.service.conftest import NewDatabase
from tests.service.histories import END, Event, find_faults
from tests.service.processes import replicas

SECONDS = float(os.environ.get("HISTORY_SECONDS", "2.5"))
CLIENTS, SESSIONS = 12, 4

Histories = dict[int, list[Event]]


def test_histories_of_two_processes_are_linearizable(tmp_path: Path, new_database: NewDatabase) -> None:
    with replicas(2, tmp_path, database_url=new_database(tmp_path)) as services:
        histories = asyncio.run(_record([service.url for service in services]))
    faults = {session_id: find_faults(history) for session_id, history in histories.items()}
    assert not any(faults.values()), faults
    kinds = [event.kind for history in histories.values() for event in history]
    print(len(kinds), "operations:", {kind: kinds.count(kind) for kind in set(kinds)})
    assert len(kinds) > 200 * SECONDS
    assert set(kinds) == {"write", "read", "delete", "stale", "missing"}


async def _record(urls: Sequence[str]) -> Histories:
    histories: Histories = defaultdict(list)
    async with aiohttp.ClientSession() as http:
        current = [await _create(http, urls[0], histories) for _ in range(SESSIONS)]
        end = time.monotonic() + SECONDS
        await asyncio.gather(*(_client(http, urls, number, current, histories, end) for number in range(CLIENTS)))
    return histories


async def _create(http: aiohttp.ClientSession, url: str, histories: Histories) -> int:
    begin = time.monotonic()
    async with http.post(f"{url}/sessions", json={"userId": 1, "context": "created"}) as response:
        session_id: int = (await response.json())["sessionId"]
    histories[session_id].append(Event("write", begin, time.monotonic(), 1, "created"))
    return session_id


async def _client(
    http: aiohttp.ClientSession,
    urls: Sequence[str],
    number: int,
    current: list[int],
    histories: Histories,
    end: float,
) -> None:
    choose = random.Random(number)  # noqa: S311 - a test that is reproducible
    seen: dict[int, int] = {}
    writes = 0
    while time.monotonic() < end:
        place = choose.randrange(SESSIONS)
        session_id, url = current[place], choose.choice(urls)
        writes += 1
        method = choose.choices(["GET", "PUT", "DELETE"], [10, 10, 0.3])[0]
        # Half of the changes name the version that this client saw last, which may be stale.
        if_match = seen.get(session_id, 1) if method != "GET" and choose.random() < 0.5 else None
        event = await _operation(http, url, method, session_id, f"{number} {writes}", if_match)
        histories[session_id].append(event)
        if event.kind in {"read", "write"}:
            seen[session_id] = event.version
        elif event.kind == "delete":
            current[place] = await _create(http, url, histories)


async def _operation(
    http: aiohttp.ClientSession, url: str, method: str, session_id: int, context: str, if_match: int | None
) -> Event:
    headers = {} if if_match is None else {"If-Match": f'"{if_match}"'}
    body = {"context": context} if method == "PUT" else None
    begin = time.monotonic()
    async with http.request(method, f"{url}/sessions/{session_id}", json=body, headers=headers) as response:
        answer = await response.read()
        end = time.monotonic()
        match response.status:
            case 200:
                version = int(response.headers["ETag"].strip('"'))
                text = (await response.json())["context"]
                return Event("read" if method == "GET" else "write", begin, end, version, text, if_match)
            case 204:
                return Event("delete", begin, end, END, "", if_match)
            case 412:
                assert if_match is not None
                return Event("stale", begin, end, if_match)
            case 404:
                return Event("missing", begin, end)
    raise AssertionError(f"{response.status}: {answer!r}")


FIRST = Event("write", 0, 1, 1, "a")
SECOND = Event("write", 2, 3, 2, "b", if_match=1)
DELETED = Event("delete", 8, 9)


@pytest.mark.parametrize(
    ("fault", "history"),
    [
        ("written twice", [FIRST, SECOND, Event("write", 2, 3, 2, "c", if_match=1)]),
        ("missing version 2", [FIRST, Event("write", 2, 3, 3, "b")]),
        ("lost update", [FIRST, SECOND, Event("write", 4, 5, 3, "c", if_match=1)]),
        ("lost update", [FIRST, SECOND, Event("delete", 4, 5, if_match=1)]),
        ("never written", [FIRST, SECOND, Event("read", 4, 5, 2, "a")]),
        ("never written", [FIRST, Event("read", 4, 5, 2, "b")]),
        ("stale read", [FIRST, SECOND, Event("read", 4, 5, 1, "a")]),
        ("stale read", [FIRST, SECOND, Event("read", 1.5, 2.1, 2, "b"), Event("read", 2.2, 2.3, 1, "a")]),
        ("stale read", [FIRST, DELETED, Event("read", 10, 11, 1, "a")]),
        ("into the past", [FIRST, DELETED, Event("write", 10, 11, 2, "b")]),
        ("although current", [FIRST, SECOND, Event("stale", 4, 5, 2)]),
        ("although current", [FIRST, SECOND, Event("stale", 1.2, 1.3, 1)]),
        ("before its deletion", [FIRST, DELETED, Event("missing", 6, 7)]),
        ("before its deletion", [FIRST, Event("missing", 6, 7)]),
    ],
)
def test_an_impossible_history_is_found(fault: str, history: list[Event]) -> None:
    assert fault in " ".join(find_faults(history))


def test_a_possible_history_is_accepted() -> None:
    overlapping = [Event("read", 1.5, 2.5, 1, "a"), Event("read", 2.1, 2.2, 2, "b"), Event("stale", 2.5, 2.6, 1)]
    after = [Event("stale", 4, 5, 1), Event("missing", 8.5, 8.6), Event("missing", 10, 11), DELETED]
    assert find_faults([FIRST, SECOND, *overlapping, *after]) == []
