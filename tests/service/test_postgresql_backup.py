"""Backups of PostgreSQL, by the commands of docs/."""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import requests

from tests.docs.blocks import blocks, pages
from tests.ports import free_port
from tests.service.postgresql import Postgresql
from tests.service.processes import Service, running
from tests.waiting import wait_for


def documented(command: str) -> str:
    """The commands of the one block of the documentation that has this one."""
    [block] = [block.content for page in pages() for block in blocks(page) if command in block.content]
    return re.sub(r"^\$ ", "", block, flags=re.MULTILINE)


class Load:
    """Clients that create sessions, each with a key, and remember what was answered."""

    def __init__(self, service: Service) -> None:
        self._url = service.url
        self._stop = threading.Event()
        self._answered: dict[int, str] = {}
        self._threads = [threading.Thread(target=self._write, args=[client]) for client in range(4)]
        for thread in self._threads:
            thread.start()

    def _write(self, client: int) -> None:
        with requests.Session() as http:
            number = 0
            while not self._stop.is_set():
                number += 1
                made = create(http, self._url, f"{client}-{number}")
                self._answered[made] = f"{client}-{number}"

    def answered(self, at_least: int = 0) -> dict[int, str]:
        """The keys of the sessions so far, by id."""
        wait_for(lambda: len(self._answered) >= at_least)
        return dict(self._answered)

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()


def create(http: requests.Session, url: str, key: str) -> int:
    """A session whose context is its key; its id."""
    answer = http.post(
        f"{url}/sessions", json={"userId": 1, "context": key}, headers={"Idempotency-Key": key}, timeout=10
    )
    session_id: int = answer.json()["sessionId"]
    return session_id


@contextmanager
def under_load(service: Service) -> Iterator[Load]:
    load = Load(service)
    try:
        yield load
    finally:
        load.stop()


def check(folder: Path, url: str, before: dict[int, str]) -> None:
    """What was answered before the backup is there, and its ids and keys are not used again."""
    with running(Service(folder, database_url=url)) as service, requests.Session() as http:
        restored = {session["sessionId"]: session["context"] for session in service.list()}
        assert before.items() <= restored.items()
        for session_id, key in before.items():
            assert create(http, service.url, key) == session_id
        assert create(http, service.url, "new") == max(restored) + 1


def test_a_dump_made_under_load_has_every_write_answered_before(tmp_path: Path, own_server: Postgresql) -> None:
    own_server.execute("postgres", "CREATE DATABASE sessions")
    script = documented("pg_dump").replace("user@host", f"test@127.0.0.1:{own_server.port}")
    service = Service(tmp_path, database_url=own_server.url("sessions"))
    with running(service), under_load(service) as load:
        before = load.answered(200)
        own_server.run(script)
    check(tmp_path, own_server.url("restored"), before)


def test_a_server_goes_back_to_a_moment(tmp_path: Path, own_server: Postgresql) -> None:
    own_server.execute("postgres", "CREATE DATABASE sessions")
    own_server.run("mkdir archive")

    def typed(command: str) -> str:
        script = documented(command).replace("/archive/", f"{own_server.folder}/archive/")
        return script.replace("user@host", f"test@127.0.0.1:{own_server.port}")

    settings, _, base_backup = typed("pg_basebackup").rpartition("pg_basebackup")
    own_server.run(settings)
    own_server.stop()
    own_server.start()
    service = Service(tmp_path, database_url=own_server.url("sessions"))
    with running(service), under_load(service) as load:
        load.answered(50)
        own_server.run(f"pg_basebackup{base_backup}")
        before = load.answered(200)
        with psycopg.connect(own_server.url("sessions")) as db:
            [moment] = db.execute("SELECT now()::text").fetchone() or ()
        load.answered(len(before) + 50)
    own_server.execute("sessions", "DELETE FROM sessions; DELETE FROM idempotency_keys; SELECT pg_switch_wal()")
    wait_until_archived(own_server)
    port = str(free_port())
    own_server.run("echo \"unix_socket_directories = ''\" >> base/postgresql.auto.conf")
    script = re.sub(r"(recovery_target_time = )'.*'", rf"\g<1>'{moment}'", typed("recovery.signal"))
    own_server.run(script, PGPORT=port)
    try:
        url = f"postgresql://test@127.0.0.1:{port}/sessions"
        wait_until_recovered(url)
        check(tmp_path, url, before)
    finally:
        own_server.run("pg_ctl --pgdata=base --mode=immediate stop")


def wait_until_archived(server: Postgresql) -> None:
    with psycopg.connect(server.url("postgres"), autocommit=True) as db:
        [last] = db.execute("SELECT pg_walfile_name(pg_switch_wal())").fetchone() or ()
        wait_for((server.folder / "archive" / last).exists)


def wait_until_recovered(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as db:
        wait_for(lambda: db.execute("SELECT pg_is_in_recovery()").fetchone() == (False,))
