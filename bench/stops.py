"""`python -m bench.stops STOPS`: stop the service again and again under mixed load, and count failed requests."""

import asyncio
import random
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import aiohttp

from bench.report import Target, at_most
from bench.subjects import Database
from tests.service.postgresql import Postgresql
from tests.service.processes import Service, running

_SESSIONS = 5_000
_CLIENTS = 32
_LISTS, _CREATES = 0.1, 0.3  # of all requests; the others read
_LOAD_SECONDS = 0.5
_END_SECONDS = 60


def measure_stops(stops: int) -> Iterator[Target]:
    """Yield the number of failed requests in these stops, for each of the databases."""
    with tempfile.TemporaryDirectory() as folder:
        yield _measure("SQLite", f"sqlite:///{folder}/sessions.db", Path(folder), stops)
        server = Postgresql()
        try:
            yield _measure("PostgreSQL", server.new_database(), Path(folder), stops)
        finally:
            server.remove()


def _measure(name: str, url: str, folder: Path, stops: int) -> Target:
    with running(Service(folder, database_url=url)):
        pass  # creates the tables
    Database(url, _SESSIONS).seed("service")
    outcomes: Counter[str] = Counter()
    for _ in range(stops):
        with running(Service(folder, database_url=url)) as service:
            outcomes += asyncio.run(_stop_under_load(service))
            service.wait()
    answered = outcomes.pop("answered")
    if outcomes:
        print(f"{name}: {dict(outcomes)}")
    return at_most(f"failed of {answered:,} requests in {stops} stops, {name}", outcomes.total(), 0, "")


async def _stop_under_load(service: Service) -> Counter[str]:
    """Return the number of requests by their outcome. Clients end when no new connection is accepted."""
    outcomes: Counter[str] = Counter()

    async def request_repeatedly(http: aiohttp.ClientSession) -> None:
        while True:
            chance = random.random()  # noqa: S311 - a load
            method, path = ("POST", "/sessions") if chance < _CREATES else ("GET", "/sessions/1")
            if chance > 1 - _LISTS:
                path = "/sessions"
            body = {"userId": 1, "context": "context " * 12} if method == "POST" else None
            try:
                async with http.request(method, path, json=body) as response:
                    await response.read()
                    outcomes["answered" if response.ok else str(response.status)] += 1
            except aiohttp.ClientConnectorError:
                return
            except aiohttp.ClientError as error:
                outcomes[f"{method} {path}: {type(error).__name__}"] += 1
            await asyncio.sleep(0.001)

    async with aiohttp.ClientSession(service.url, connector=aiohttp.TCPConnector(limit=0)) as http:
        http._retry_connection = False  # a retry would hide a failure
        clients = asyncio.gather(*(request_repeatedly(http) for _ in range(_CLIENTS)))
        await asyncio.sleep(_LOAD_SECONDS)
        service.send(signal.SIGTERM)
        await asyncio.wait_for(clients, _END_SECONDS)
    return outcomes


if __name__ == "__main__":
    for target in measure_stops(int(sys.argv[1])):
        print(f"{target.name}: {target.figure} (aim {target.aim})", flush=True)
