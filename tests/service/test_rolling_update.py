"""A release and the next one on one database under load, in an update and in a rollback."""

import signal
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest
import requests

from tests.service.load import repeating
from tests.service.next_release import SCHEMA, make_next_release
from tests.service.postgresql import Postgresql
from tests.service.processes import Service, run_service, running
from tests.waiting import wait_for

CLIENTS = 4
ROUNDS = 25
"""By each client before the next change, of four requests each."""


class Load:
    """Clients that create, update and read sessions, and check readiness, on each service in turn."""

    def __init__(self) -> None:
        self.rotation: list[Service] = []
        self.failures: list[str] = []
        self.contexts: dict[int, str] = {}
        self._done = [0] * CLIENTS

    def wait_for_more(self, rounds: int = ROUNDS) -> None:
        """Wait until each client has done this many more rounds."""
        target = [done + rounds for done in self._done]
        wait_for(lambda: self.failures or all(map(int.__ge__, self._done, target)))

    def take_out(self, service: Service) -> None:
        """Stop a service as a gateway does: no new requests are sent to it, and those in progress are answered."""
        self.rotation = [other for other in self.rotation if other is not service]
        self.wait_for_more(2)
        assert service.stop()[0] in (0, -signal.SIGTERM)

    def do_round(self, client: int) -> None:
        number = self._done[client]
        service = self.rotation[number % len(self.rotation)]
        try:
            self._use(service, f"client {client}, round {number}")
        except (requests.RequestException, AssertionError) as error:
            self.failures.append(f"{service.url}: {error!r}")
        self._done[client] += 1

    def _use(self, service: Service, context: str) -> None:
        def send(method: str, path: str, **body: object) -> requests.Response:
            answer = service.request(method, path, json=body or None)
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
        with repeating(load.do_round, CLIENTS):
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
        assert again[0].contexts() == load.contexts


def _schema(url: str) -> str:
    with psycopg.connect(url) as db:
        [version] = db.execute("SELECT version_num FROM alembic_version").fetchone() or [""]
    return str(version)


def test_a_backup_made_after_a_rollback_can_be_restored(tmp_path: Path, next_release: Path) -> None:
    with running(Service(tmp_path, "service", ("env", "-C", str(next_release)))) as service:
        service.create(context="kept")
    with running(Service(tmp_path)) as service:
        assert service.context(1).json()["context"] == "kept"
    run_service(tmp_path, "backup", str(tmp_path / "copy"))
    assert b"sessions restored: 1" in run_service(tmp_path, "restore", str(tmp_path / "copy")).stderr


def test_a_database_of_a_later_release_is_not_copied(tmp_path: Path, next_release: Path) -> None:
    """The copy would lack what the later release added."""
    with running(Service(tmp_path, "service", ("env", "-C", str(next_release)))):
        pass
    done = run_service(tmp_path, "copy", "--to", f"sqlite:///{tmp_path}/other.db")
    assert f"the database has schema {SCHEMA} of a later release" in done.stderr.decode()
