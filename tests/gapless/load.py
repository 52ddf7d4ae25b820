"""A steady load on a deployed stack: creates, updates and reads at a fixed rate, and a record of each answer."""

import asyncio
import random
import threading
import time
from collections.abc import Coroutine
from typing import NamedTuple, Self
from uuid import uuid4

import aiohttp
import requests

from tests.endurance.ledger import Ledger, build_context, stored
from tests.stack.clone import HOSTNAME
from tests.waiting import wait_for

CREATES, UPDATES = 0.2, 0.2
"""Parts of all requests; the others read."""

PATIENCE_SECONDS = 30
LIST_SECONDS = 120
CONNECTIONS = 200
"""More would be too many for the files that Docker's proxy of a published port may open. Others wait for one."""


class Sample(NamedTuple):
    """A request: when it began, how long it took, and what went wrong; empty if nothing did."""

    began: float
    seconds: float
    wrong: str


class SteadyLoad:
    """Sends a request every 1/`rate` s, however long others take, and retries none."""

    def __init__(self, url: str, rate: float) -> None:
        self.samples: list[Sample] = []
        self._url = url
        self._rate = rate
        self._ledger = Ledger()
        self._run = uuid4().hex[:8]
        self._tags: dict[int, str] = {}
        self._ids: list[int] = []
        self._not_to_update: set[int] = set()
        """Updates at the same time could be stored in either order, as could one that got no answer."""

        self._done = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._send()))

    def __enter__(self) -> Self:
        self._thread.start()
        wait_for(lambda: self.samples)
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def list_lost(self) -> list[str]:
        """Return what is wrong with the sessions that are stored now, as the gateway lists them."""
        answer = requests.get(f"{self._url}/sessions", headers={"Host": HOSTNAME}, timeout=LIST_SECONDS)
        listed = answer.json()
        ours = [row for row in listed if row["context"].startswith(self._run)]
        return self._ledger.faults([stored(row["sessionId"], row["context"]) for row in ours])

    async def _send(self) -> None:
        timeout = aiohttp.ClientTimeout(PATIENCE_SECONDS)
        connector = aiohttp.TCPConnector(limit=CONNECTIONS)
        async with aiohttp.ClientSession(
            self._url, connector=connector, timeout=timeout, headers={"Host": HOSTNAME}
        ) as http:
            http._retry_connection = False  # a retry would hide a failure
            began = time.monotonic()
            pending: set[asyncio.Task[None]] = set()
            for number in range(1 << 30):
                await asyncio.sleep(max(0, began + number / self._rate - time.monotonic()))
                if self._done.is_set():
                    break
                request = asyncio.create_task(self._time(self._request(http, f"{self._run}-{number}")))
                pending.add(request)
                request.add_done_callback(pending.discard)
            await asyncio.gather(*pending)

    async def _request(self, http: aiohttp.ClientSession, tag: str) -> str:
        """Send one request of some kind; return what went wrong."""
        chance = random.random()  # noqa: S311 - no secret
        if not self._ids or chance < CREATES:
            return await self._create(http, tag)
        session_id = random.choice(self._ids)  # noqa: S311
        if chance < CREATES + UPDATES and session_id not in self._not_to_update:
            return await self._update(http, session_id)
        return await self._read(http, session_id)

    async def _create(self, http: aiohttp.ClientSession, tag: str) -> str:
        self._ledger.asked.add(tag)
        async with http.post("/sessions", json={"userId": 1, "context": build_context(tag, 0)}) as answer:
            if answer.status != 201:
                return f"POST {answer.status} {await answer.text()}"
            session_id: int = (await answer.json())["sessionId"]
        self._ledger.note(tag, session_id, 0)
        self._tags[session_id] = tag
        self._ids.append(session_id)
        return ""

    async def _update(self, http: aiohttp.ClientSession, session_id: int) -> str:
        self._not_to_update.add(session_id)
        tag, version = self._tags[session_id], self._ledger.versions[session_id] + 1
        async with http.put(f"/sessions/{session_id}", json={"context": build_context(tag, version)}) as answer:
            if answer.status != 200:
                return f"PUT {answer.status} {await answer.text()}"
            await answer.read()
        self._not_to_update.discard(session_id)
        self._ledger.note(tag, session_id, version)
        return ""

    async def _read(self, http: aiohttp.ClientSession, session_id: int) -> str:
        tag, version = self._tags[session_id], self._ledger.versions[session_id]
        async with http.get(f"/sessions/{session_id}") as answer:
            if answer.status != 200:
                return f"GET {answer.status} {await answer.text()}"
            found = stored(session_id, (await answer.json())["context"])
        return "" if found.tag == tag and found.version >= version else f"GET {found}, not version {version}"

    async def _time(self, request: Coroutine[None, None, str]) -> None:
        began = time.monotonic()
        try:
            wrong = await request
        except (aiohttp.ClientError, TimeoutError) as error:
            wrong = repr(error)
        self.samples.append(Sample(began, time.monotonic() - began, wrong))
