"""A release and the next one side by side on one database, under load, in an update and in a rollback."""

import itertools
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psycopg
import pytest
import requests

from tests.service.next_release import SCHEMA, make_next_release
from tests.service.postgresql import Postgresql
from tests.service.processes import Service, running, service_environment
from tests.waiting import wait_for

CLIENTS = 4
ROUNDS = 25
"""Of four requests each, by each client, before the next change."""


class Load:
    """Clients that create, change and read sessions, and ask for readiness, on each service in turn."""

    def __init__(self) -> None:
        self.rotation: list[Service] = []
        self.failures: list[str] = []
        self.contexts: dict[int, str] = {}
        self._done = [0] * CLIENTS
        self._stopped = threading.Event()

    @contextmanager
    def running(self) -> Iterator[None]:
        threads = [threading.Thread(target=self._run, args=(client,)) for client in range(CLIENTS)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._stopped.set()
            for thread in threads:
                thread.join()

    def wait_for_more(self, rounds: int = ROUNDS) -> None:
        """Until each client has sent so many more rounds of requests and has their answers."""
        goal = [done + rounds for done in self._done]
        wait_for(lambda: self.failures or all(map(int.__ge__, self._done, goal)))

    def take_out(self, service: Service) -> None:
        """End a service as a gateway's platform does: no new request goes to it, those under way are answered."""
        self.rotation = [other for other in self.rotation if other is not service]
        self.wait_for_more(2)
        service.send(signal.SIGTERM)
        assert service.wait()[0] in (0, -signal.SIGTERM)

    def _run(self, client: int) -> None:
        with requests.Session() as http:
            http.trust_env = False
            for number in itertools.count():
                if self._stopped.is_set():
                    return
                url = self.rotation[number % len(self.rotation)].url
                try:
                    self._serve_one(http, url, f"client {client}, round {number}")
                except (requests.RequestException, AssertionError) as error:
                    self.failures.append(f"{url}: {error!r}")
                self._done[client] += 1

    def _serve_one(self, http: requests.Session, url: str, context: str) -> None:
        def send(method: str, path: str, **body: object) -> requests.Response:
            answer = http.request(method, url + path, json=body or None, timeout=20)
            assert answer.ok, f"{method} {path}: {answer.status_code} {answer.text}"
            return answer

        send("GET", "/readyz")
        session: int = send("POST", "/sessions", userId=1, context="").json()["sessionId"]
        send("PUT", f"/sessions/{session}", context=context)
        self.contexts[session] = context
        assert send("GET", f"/sessions/{session}/context").json()["context"] == context


@pytest.fixture
def next_release(tmp_path: Path) -> Path:
    return make_next_release(tmp_path / "next")


def test_an_update_and_a_rollback_fail_no_request(
    tmp_path: Path, next_release: Path, postgresql: Postgresql
) -> None:
    url, load = postgresql.new_database(), Load()
    with ExitStack() as services:

        def start(*under: str) -> Service:
            service = services.enter_context(running(Service(tmp_path, "service", under, database_url=url)))
            load.rotation = [*load.rotation, service]
            return service

        this = [start(), start()]
        with load.running():
            load.wait_for_more()
            following = [start("env", "-C", str(next_release)) for _ in this]
            assert _schema(url) == SCHEMA
            load.wait_for_more()
            for service in this:
                load.take_out(service)
            load.wait_for_more()
            again = [start() for _ in following]  # the rollback
            load.wait_for_more()
            for service in following:
                load.take_out(service)
            load.wait_for_more()
        assert load.failures == []
        assert {one["sessionId"]: one["context"] for one in again[0].list()} == load.contexts


def _schema(url: str) -> str:
    with psycopg.connect(url) as db:
        [version] = db.execute("SELECT version_num FROM alembic_version").fetchone() or [""]
    return str(version)


def test_a_backup_made_after_a_rollback_can_be_restored(tmp_path: Path, next_release: Path) -> None:
    with running(Service(tmp_path, "service", ("env", "-C", str(next_release)))) as service:
        service.create(context="kept")
    with running(Service(tmp_path)) as service:
        assert service.context(1).json()["context"] == "kept"
    _maintain(tmp_path, "backup", str(tmp_path / "copy"))
    assert "sessions restored: 1" in _maintain(tmp_path, "restore", str(tmp_path / "copy"))


def test_a_database_of_a_later_release_is_not_copied(tmp_path: Path, next_release: Path) -> None:
    """What the later release added would be left out."""
    with running(Service(tmp_path, "service", ("env", "-C", str(next_release)))):
        pass
    said = _maintain(tmp_path, "copy", "--to", f"sqlite:///{tmp_path}/other.db")
    assert f"the database has schema {SCHEMA} of a later release" in said


def _maintain(folder: Path, *arguments: str) -> str:
    command = [sys.executable, "-m", "service", *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=service_environment(folder)).stderr
