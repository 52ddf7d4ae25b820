"""Backups of PostgreSQL by the commands of docs/."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import psycopg

from tests.docs.blocks import blocks, pages
from tests.ports import free_port
from tests.service.load import repeating
from tests.service.postgresql import Postgresql
from tests.service.processes import Service, running
from tests.waiting import wait_for


def documented(command: str) -> str:
    """Return the commands of the one block in the documentation that contains this one."""
    [block] = [block.content for page in pages() for block in blocks(page) if command in block.content]
    return re.sub(r"^\$ ", "", block, flags=re.MULTILINE)


class Load:
    """Clients that create sessions whose context is their key."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._numbers = count()
        self._answered: dict[int, str] = {}

    def create(self, _: int) -> None:
        key = str(next(self._numbers))
        self._answered[self._service.create_session(context=key, key=key)] = key

    def answered(self, at_least: int = 0) -> dict[int, str]:
        """Return the keys of the sessions so far, by id."""
        wait_for(lambda: len(self._answered) >= at_least)
        return dict(self._answered)


@contextmanager
def under_load(service: Service) -> Iterator[Load]:
    load = Load(service)
    with repeating(load.create):
        yield load


def check(folder: Path, url: str, before: dict[int, str]) -> None:
    """Check that what was answered before the backup is there, and that no id or key is used again."""
    with running(Service(folder, database_url=url)) as service:
        restored = service.contexts()
        assert before.items() <= restored.items()
        for session_id, key in before.items():
            assert service.create_session(context=key, key=key) == session_id
        assert service.create_session() == max(restored) + 1


def test_a_dump_under_load_has_every_write_answered_before(tmp_path: Path, own_server: Postgresql) -> None:
    own_server.execute("postgres", "CREATE DATABASE sessions")
    script = documented("pg_dump").replace("user@host", f"test@127.0.0.1:{own_server.port}")
    service = Service(tmp_path, database_url=own_server.url("sessions"))
    with running(service), under_load(service) as load:
        before = load.answered(200)
        own_server.run(script)
    check(tmp_path, own_server.url("restored"), before)


def test_a_server_is_restored_to_a_point_in_time(tmp_path: Path, own_server: Postgresql) -> None:
    own_server.execute("postgres", "CREATE DATABASE sessions")
    own_server.run("mkdir archive")

    def adapted(command: str) -> str:
        script = documented(command).replace("/archive/", f"{own_server.folder}/archive/")
        return script.replace("user@host", f"test@127.0.0.1:{own_server.port}")

    settings, _, base_backup = adapted("pg_basebackup").rpartition("pg_basebackup")
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
    script = re.sub(r"(recovery_target_time = )'.*'", rf"\g<1>'{moment}'", adapted("recovery.signal"))
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
